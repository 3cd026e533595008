/* SPDX-License-Identifier: Apache-2.0
 *
 * measure_rate.c -- the open loop: iterations begin at times that were fixed beforehand, at a rate,
 * and not when the one before has ended. Latency counts from the intended beginning, so that an
 * iteration that had to wait for a slow one shows it ("coordinated omission", Gil Tene); the
 * service time counts from the actual one.
 *
 * Thread t of n has the beginnings t, t + n, t + 2n, ... of the common rate, or with `poisson` gaps
 * of an exponential distribution from the seed. It sleeps until shortly before one and waits the
 * rest actively, because a wake-up is late by 50 us and more.
 *
 * A system that cannot keep up falls behind. It gets as long again as the measurement; what has not
 * begun by then is counted with the time it has waited: too little, but not left out.
 */
#include "measure_private.h"

#include "fmt/hdr.h"
#include "os/clock.h"

#include <math.h>

#define SPIN_NS 100000

static double gap_ns(struct mf_bench *bench)
{
    const struct bench_plan *plan = bench->shared->plan;
    const double mean = 1e9 * plan->threads / plan->rate_per_second;
    return plan->poisson ? -log1p(-mf_rng_double(&bench->rng)) * mean : mean;
}

/* When the timeline begins: the first thread to come says it. */
static int64_t timeline_start(struct measurement *shared, int64_t now)
{
    int_fast64_t start = 0;
    const int_fast64_t mine = now + 1000000;
    return atomic_compare_exchange_strong(&shared->start, &start, mine) ? mine : (int64_t)start;
}

static void begin(struct mf_bench *bench, int64_t now)
{
    const struct bench_plan *plan = bench->shared->plan;
    mf_rng_seed(&bench->rng, plan->seed + (uint64_t)bench->thread);
    bench->timeline_ns = timeline_start(bench->shared, now);
    bench->next_start_ns =
        plan->poisson ? gap_ns(bench) : 1e9 * bench->thread / plan->rate_per_second;
    bench->sample_target = plan->samples;
}

static int64_t warm_up_end(const struct mf_bench *bench)
{
    return bench->timeline_ns + (int64_t)(bench->shared->plan->warm_up_seconds * 1e9);
}

static void add(struct mf_bench *bench, double latency, double service, double since_warm_up)
{
    mf_hdr_add(bench->latency, (uint64_t)fmax(latency, 0));
    if (service >= 0) {
        mf_hdr_add(bench->service, (uint64_t)service);
    }
    /* Samples are the means of windows of the timeline, of all threads when they are collected. */
    const size_t window = (size_t)(since_warm_up / (double)bench->shared->window_ns);
    if (window < bench->sample_target) {
        bench->samples[window].iterations++;
        bench->samples[window].time_ns += fmax(latency, 0);
    }
}

static uint64_t end(struct mf_bench *bench)
{
    if (bench->thread == 0) {
        mf__timing_ends(bench);
    }
    return 0;
}

/* Waits until the next iteration is due. */
static int64_t wait_until(int64_t intended)
{
    int64_t now = mf_clock_monotonic_ns(NULL);
    if (intended - now > SPIN_NS) {
        (void)mf_clock_sleep_until_ns(intended -
                                      SPIN_NS); /* early at a signal: the rest is below */
    }
    while ((now = mf_clock_monotonic_ns(NULL)) < intended) {
    }
    return now;
}

uint64_t mf__phase_rate(struct mf_bench *bench, int64_t now)
{
    struct measurement *shared = bench->shared;
    const double cost = shared->timer_cost_ns;
    if (bench->timeline_ns == 0) {
        begin(bench, now);
    }
    const int64_t from = warm_up_end(bench);
    const int64_t length = (int64_t)(shared->plan->measurement_seconds * 1e9);
    if (bench->batch != 0 && bench->intended_ns >= from) {
        add(bench, (double)(now - bench->intended_ns - bench->paused_ns) - cost, bench->elapsed_ns,
            (double)(bench->intended_ns - from));
    }
    for (;;) {
        bench->intended_ns = bench->timeline_ns + (int64_t)bench->next_start_ns;
        bench->next_start_ns += gap_ns(bench);
        if (bench->thread == 0 && !bench->timing && bench->intended_ns >= from) {
            bench->timing = true;
            mf__timing_begins(bench);
        }
        if (bench->intended_ns >= from + length) {
            return end(bench);
        }
        if (now < from + 2 * length) {
            break;
        }
        if (bench->intended_ns >= from) {
            add(bench, (double)(now - bench->intended_ns), -1, (double)(bench->intended_ns - from));
        }
    }
    wait_until(bench->intended_ns);
    return 1;
}
