/* SPDX-License-Identifier: Apache-2.0
 *
 * measure_threads.c -- the same loop in several threads at once.
 *
 * No barrier stands in the measured part, because threads that wait for each other measure the
 * waiting. Each warms up for itself; the last to be warm sets a time in the near future, and all go
 * on working until then and over it, so that the load is whole from the first measured moment to
 * the last. Each notes how far it has come at the common boundaries (between the ends of two
 * batches by interpolation); the rates between two boundaries add up to one sample. Those who are
 * done go on until all are.
 *
 * After that, unless every operation was timed already, comes a part in which each is, for
 * percentiles, and last the counting of allocations, for which the threads do meet.
 */
#include "measure_private.h"

#include "fmt/hdr.h"
#include "os/clock.h"

#include <math.h>

#define BATCH_NS         50000 /* about; short against a window */
#define OPERATIONS_SHARE 0.25
#define COUNTED          1000 /* iterations of each thread at most, for counting allocations */

enum stage { WARMING, WAITING, TIMING, OPERATIONS, LINGERING, GATHERING, COUNTING, COUNTED_OUT };

/* Notes every boundary that lies behind `now`. The batch that has just ended began at
 * batch_start_ns. */
static void pass_boundaries(struct mf_bench *bench, int64_t now, double iterations_before,
                            double busy_before)
{
    const struct measurement *shared = bench->shared;
    const int64_t start = atomic_load(&bench->shared->start);
    while (bench->mark_count <= shared->plan->samples) {
        const int64_t at = start + (int64_t)bench->mark_count * shared->window_ns;
        if (at > now) {
            return;
        }
        const double length = (double)(now - bench->batch_start_ns);
        double part = length > 0 ? (double)(at - bench->batch_start_ns) / length : 1;
        part = part < 0 ? 0 : part;
        bench->marks[bench->mark_count++] = (struct measure_mark){
            .iterations = iterations_before + part * (double)bench->batch,
            .busy_ns = busy_before + part * fmax(bench->elapsed_ns, 0),
        };
        if (bench->thread == 0) {
            mf__note_memory(bench);
        }
    }
}

static void adapt_batch(struct mf_bench *bench)
{
    if (bench->shared->mode == MF_BENCH_LATENCY) {
        bench->sample_iterations = 1;
    } else if (bench->elapsed_ns < BATCH_NS / 2) {
        bench->sample_iterations *= 2;
    }
}

static bool is_warm(const struct mf_bench *bench, int64_t now)
{
    const struct bench_plan *plan = bench->shared->plan;
    const double elapsed = (double)(now - bench->phase_start_ns);
    const double wanted = plan->warm_up_seconds * 1e9;
    return elapsed >= wanted &&
           (bench->phase_iterations >= plan->warm_up_iterations || elapsed >= 2 * wanted);
}

/* The next stage when the present one is over. */
static void advance(struct mf_bench *bench, int64_t now)
{
    struct measurement *shared = bench->shared;
    const int threads = shared->plan->threads;
    const int64_t start = atomic_load(&shared->start);
    switch ((enum stage)bench->stage) {
    case WARMING:
        if (is_warm(bench, now)) {
            bench->stage = WAITING;
            if (atomic_fetch_add(&shared->arrived, 1) + 1 == threads) {
                atomic_store(&shared->start, now + 1000000);
            }
        }
        break;
    case WAITING:
        if (start != 0 && now >= start) {
            bench->stage = TIMING;
            if (bench->thread == 0) {
                mf__timing_begins(bench);
            }
        }
        break;
    case TIMING:
        if (bench->mark_count == (size_t)shared->plan->samples + 1) {
            if (bench->thread == 0) {
                mf__timing_ends(bench);
            }
            bench->stage = shared->mode == MF_BENCH_LATENCY ? LINGERING : OPERATIONS;
            if (bench->stage == LINGERING) {
                atomic_fetch_add(&shared->timed, 1);
            }
        }
        break;
    case OPERATIONS: {
        const double share = 1 + OPERATIONS_SHARE;
        if (now >= start + (int64_t)(share * shared->plan->measurement_seconds * 1e9)) {
            atomic_fetch_add(&shared->timed, 1);
            bench->stage = LINGERING;
        }
        break;
    }
    case LINGERING:
        if (atomic_load(&shared->timed) == threads) {
            bench->stage = GATHERING;
        }
        break;
    case GATHERING:
    case COUNTING:
    case COUNTED_OUT:
        break;
    }
}

/* All begin together, and the last to end says what was counted. */
static uint64_t count_allocations(struct mf_bench *bench)
{
    struct measurement *shared = bench->shared;
    const int threads = shared->plan->threads;
    if (bench->stage == GATHERING) {
        if (!shared->plan->track_allocations) {
            return 0;
        }
        bench->stage = COUNTING;
        if (atomic_fetch_add(&shared->counted_in, 1) + 1 == threads) {
            if (!mf__allocations_available()) {
                atomic_store(&shared->counted_out, -1);
            } else {
                mf__allocations_start();
            }
            atomic_fetch_add(&shared->counted_in, 1);
        }
        while (atomic_load(&shared->counted_in) <= threads && !atomic_load(&shared->quit)) {
            mf_thread_yield();
        }
        const bool counts = atomic_load(&shared->counted_out) >= 0;
        return counts && !atomic_load(&shared->quit) ? bench->sample_iterations : 0;
    }
    bench->stage = COUNTED_OUT;
    mf_mutex_lock(&shared->lock);
    shared->counted_iterations += bench->batch;
    mf_mutex_unlock(&shared->lock);
    if (atomic_fetch_add(&shared->counted_out, 1) + 1 == threads) {
        mf__allocations_stop();
        mf__allocations_read(&shared->counted);
        shared->live_iterations[1] = (double)shared->counted_iterations;
        shared->live_bytes[1] = (double)shared->counted.live;
        shared->live_count = 2; /* the first is 0 bytes after 0 iterations */
    }
    return 0;
}

uint64_t mf__phase_threads(struct mf_bench *bench, int64_t now)
{
    struct measurement *shared = bench->shared;
    if (bench->batch == 0) {
        bench->phase_start_ns = now;
        bench->sample_iterations = 1;
        return 1;
    }
    if (bench->stage >= GATHERING) {
        return count_allocations(bench);
    }
    bench->phase_iterations += bench->batch;
    const double iterations_before = (double)(bench->iterations - bench->batch);
    const double busy_before = bench->busy_ns;
    bench->busy_ns += fmax(bench->elapsed_ns, 0);
    const int64_t start = atomic_load(&shared->start);
    if (start != 0 && now >= start) {
        const bool timed = bench->mark_count > 0 || shared->mode == MF_BENCH_LATENCY;
        if (timed && bench->batch == 1 && bench->stage >= TIMING && bench->stage <= OPERATIONS &&
            (shared->mode == MF_BENCH_LATENCY || bench->stage == OPERATIONS)) {
            mf_hdr_add(bench->latency, (uint64_t)fmax(bench->elapsed_ns, 0));
        }
        pass_boundaries(bench, now, iterations_before, busy_before);
    }
    if (bench->stage == WARMING || bench->stage == WAITING) {
        adapt_batch(bench);
    }
    advance(bench, now);
    if (bench->stage == GATHERING) {
        bench->sample_iterations = bench->phase_iterations < COUNTED ? 1 : COUNTED;
        return count_allocations(bench);
    }
    return bench->stage == OPERATIONS ? 1 : bench->sample_iterations;
}
