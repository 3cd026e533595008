/* SPDX-License-Identifier: Apache-2.0
 * measure_single.c -- the phases of a benchmark in one thread. See measure.c. */
#include "measure_private.h"

#include "base/check.h"
#include "fmt/hdr.h"
#include "os/clock.h"

#include <math.h>

#define REMOVED_ITERATIONS                                                                         \
    (UINT64_C(1) << 32)         /* so many within a millisecond do nothing at all                  \
                                 */
#define OPERATIONS_SHARE 0.25   /* of the measurement time, for single operations */
#define COUNTED_SHARE    0.1    /* of it, for counting allocations */
#define REWARM_SHARE     0.1    /* of a sample, untimed, after the other's turn */
#define COUNTED_MAX      100000 /* iterations of one round */

static uint64_t phase_samples(struct mf_bench *bench, int64_t now);
static uint64_t phase_latency(struct mf_bench *bench, int64_t now);

static double measurement_ns(const struct mf_bench *bench)
{
    return bench->shared->plan->measurement_seconds * 1e9;
}

static uint64_t at_least_one(double iterations)
{
    return iterations >= 1 ? iterations < 1e18 ? (uint64_t)iterations : (uint64_t)1e18 : 1;
}

/* Between samples the other process of a pair has its turn. */
static void take_turns(struct mf_bench *bench)
{
    if (bench->shared->turns > 0) {
        mf__turn_pass(bench);
        mf__turn_wait(bench);
        bench->turn_taken = true;
    }
}

/* ---- warm-up ---- */

/* Linear: sample k has k * d iterations, together as long as the measurement may take. Flat where
 * even d = 1 would take more than twice that long. */
static void plan_samples(struct mf_bench *bench)
{
    const struct bench_plan *plan = bench->shared->plan;
    const double total = measurement_ns(bench) / bench->per_iteration_ns; /* iterations */
    const double n = plan->samples;
    const double steps = n * (n + 1) / 2;
    enum mf_bench_mode mode = plan->mode;
    if (mode == MF_BENCH_AUTO && bench->shared->turns > 0) {
        mode = MF_BENCH_FLAT; /* the samples of a pair must be alike */
    } else if (mode == MF_BENCH_AUTO) {
        mode = steps <= 2 * total ? MF_BENCH_LINEAR : MF_BENCH_FLAT;
    }
    bench->shared->mode = mode;
    bench->linear = mode == MF_BENCH_LINEAR;
    bench->sample_target = plan->samples;
    if (bench->linear) {
        bench->sample_iterations = at_least_one(ceil(total / steps));
        return;
    }
    double each = total / n;
    if (mode == MF_BENCH_LATENCY && each * n < (double)plan->operations) {
        each = ceil((double)plan->operations / n);
    }
    bench->sample_iterations = at_least_one(each);
    if (each < 0.5) { /* one iteration takes long: fewer samples, two of them whatever it takes */
        bench->sample_target = (size_t)at_least_one(2 * total);
        bench->sample_target = bench->sample_target < 2 ? 2 : bench->sample_target;
    }
}

uint64_t mf__phase_warm_up(struct mf_bench *bench, int64_t now)
{
    const struct bench_plan *plan = bench->shared->plan;
    if (bench->batch == 0) {
        bench->phase_start_ns = now;
        return 1;
    }
    bench->phase_iterations += bench->batch;
    const double elapsed = (double)(now - bench->phase_start_ns);
    if (bench->batch >= REMOVED_ITERATIONS && elapsed < 1e6) {
        mf__measure_fail(
            bench, BENCH_FAILED,
            "the loop does nothing: the compiler has removed its content; keep a result "
            "of it with mf_keep()");
        return 0;
    }
    const double wanted = plan->warm_up_seconds * 1e9;
    if (elapsed < wanted ||
        (bench->phase_iterations < plan->warm_up_iterations && elapsed < 2 * wanted)) {
        /* Not much beyond the end: a batch of the double size may be half of the whole. */
        const double each = elapsed / (double)bench->phase_iterations;
        const double room = fmax(2 * wanted - elapsed, wanted / 16) / fmax(each, 1e-3);
        return (double)bench->batch * 2 < room ? bench->batch * 2 : at_least_one(room);
    }
    bench->per_iteration_ns = fmax(elapsed / (double)bench->phase_iterations, 1e-3);
    plan_samples(bench);
    take_turns(bench);
    mf__timing_begins(bench);
    return mf__phase_enter(bench,
                           bench->shared->mode == MF_BENCH_LATENCY ? phase_latency : phase_samples,
                           mf_clock_monotonic_ns(NULL));
}

/* ---- samples ---- */

static bool add_sample(struct mf_bench *bench, uint64_t iterations, double time_ns)
{
    if (!(time_ns > 0)) {
        mf__measure_fail(
            bench, BENCH_FAILED,
            "a sample of %llu iterations took no time; the clock takes %.0f ns to read",
            (unsigned long long)iterations, bench->shared->timer_cost_ns);
        return false;
    }
    bench->samples[bench->sample_count++] =
        (struct bench_sample){.iterations = iterations, .time_ns = time_ns};
    mf__note_memory(bench);
    return true;
}

static uint64_t after_samples(struct mf_bench *bench, int64_t now)
{
    mf__timing_ends(bench);
    bench->shared->paired = bench->shared->turns > 0;
    take_turns(bench);
    now = mf_clock_monotonic_ns(NULL);
    const bool have_operations = bench->latency->count > 0;
    return have_operations ? mf__phase_after_timing(bench, now)
                           : mf__phase_enter(bench, mf__phase_operations, now);
}

static uint64_t phase_samples(struct mf_bench *bench, int64_t now)
{
    if (bench->batch != 0 && bench->turn_taken) {
        bench->turn_taken = false; /* that was for the caches */
    } else if (bench->batch != 0) {
        if (!add_sample(bench, bench->batch, bench->elapsed_ns)) {
            return 0;
        }
        if (bench->sample_iterations == 1 && !bench->linear) { /* a sample is an operation */
            mf_hdr_add(bench->latency, (uint64_t)bench->elapsed_ns);
        }
        if (bench->sample_count == bench->sample_target) {
            return after_samples(bench, now);
        }
        take_turns(bench);
    }
    if (bench->turn_taken) {
        return at_least_one((double)bench->sample_iterations * REWARM_SHARE);
    }
    return bench->linear ? bench->sample_iterations * (bench->sample_count + 1)
                         : bench->sample_iterations;
}

static void add_operation(struct mf_bench *bench)
{
    const double time = bench->elapsed_ns > 0 ? bench->elapsed_ns : 0;
    mf_hdr_add(bench->latency, (uint64_t)time);
    bench->open.iterations += bench->batch;
    bench->open.time_ns += time;
}

static uint64_t phase_latency(struct mf_bench *bench, int64_t now)
{
    if (bench->batch != 0) {
        add_operation(bench);
        if (bench->open.iterations == bench->sample_iterations) {
            if (!add_sample(bench, bench->open.iterations, bench->open.time_ns)) {
                return 0;
            }
            bench->open = (struct bench_sample){0};
            if (bench->sample_count == bench->sample_target) {
                return after_samples(bench, now);
            }
            take_turns(bench);
        }
    }
    return 1;
}

/* ---- single operations ---- */

uint64_t mf__phase_operations(struct mf_bench *bench, int64_t now)
{
    const uint64_t wanted = bench->shared->plan->operations;
    if (bench->batch != 0) {
        add_operation(bench);
    }
    const bool time_left =
        (double)(now - bench->phase_start_ns) < OPERATIONS_SHARE * measurement_ns(bench);
    if (time_left || bench->latency->count < wanted) {
        return 1;
    }
    return mf__phase_after_timing(bench, now);
}

/* ---- allocations ---- */

uint64_t mf__phase_after_timing(struct mf_bench *bench, int64_t now)
{
    struct measurement *shared = bench->shared;
    if (!shared->plan->track_allocations || !mf__allocations_available()) {
        return 0;
    }
    const double each = bench->per_iteration_ns > 0 ? bench->per_iteration_ns : 1e6;
    const double fitting = COUNTED_SHARE * measurement_ns(bench) / MEASURE_ROUNDS / each;
    bench->sample_iterations = at_least_one(fmin(fitting, COUNTED_MAX));
    /* A round takes long: fewer of them, as many as fit into a quarter of the time. */
    const double rounds = fitting < 1 ? fmax(2.5 * fitting * MEASURE_ROUNDS, 1) : MEASURE_ROUNDS;
    bench->operations_left = (uint64_t)fmin(rounds, MEASURE_ROUNDS);
    bench->round = 0;
    mf__allocations_start();
    return mf__phase_enter(bench, mf__phase_allocations, now);
}

uint64_t mf__phase_allocations(struct mf_bench *bench, int64_t now)
{
    (void)now;
    struct measurement *shared = bench->shared;
    struct bench_allocations counted;
    mf__allocations_read(&counted);
    shared->live_iterations[shared->live_count] = (double)shared->counted_iterations;
    if (bench->batch != 0) {
        shared->counted_iterations += bench->batch;
        shared->live_iterations[shared->live_count] = (double)shared->counted_iterations;
        bench->round++;
    }
    shared->live_bytes[shared->live_count++] = (double)counted.live;
    if ((uint64_t)bench->round < bench->operations_left) {
        return bench->sample_iterations;
    }
    mf__allocations_stop();
    /* `counted` of the measurement holds what pauses take off. */
    shared->counted.count += counted.count;
    shared->counted.bytes += counted.bytes;
    MF_ASSERT(shared->live_count <= MEASURE_ROUNDS + 1);
    return 0;
}
