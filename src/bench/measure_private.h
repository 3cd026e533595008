/* SPDX-License-Identifier: Apache-2.0
 * measure_private.h -- the state of a running measurement, shared by measure*.c. */
#ifndef BENCH_MEASURE_PRIVATE_H
#define BENCH_MEASURE_PRIVATE_H

#include "allocations.h"
#include "measure.h"

#include "base/rng.h"
#include "os/thread.h"

#include <stdatomic.h>

struct mf_hdr;
struct mf_proc;

/* Handles the batch that has just ended (bench->batch, 0 when there was none in this phase), at the
 * time `now`; returns the iterations of the next one, or 0 when all is done. */
typedef uint64_t measure_phase(struct mf_bench *bench, int64_t now);

/* Where a thread of several was at a boundary of the common timeline. */
struct measure_mark {
    double iterations;
    double busy_ns;
};

struct mf_bench {
    struct measurement *shared;
    int thread;
    measure_phase *phase;
    bool finished;

    /* the batch that runs */
    uint64_t batch;
    int64_t batch_start_ns;
    int64_t paused_since_ns; /* 0: not paused */
    int64_t paused_ns;
    double elapsed_ns; /* of the last one, without pauses and without the cost of the clock */
    uint64_t iterations;

    /* warm-up */
    int64_t phase_start_ns;
    uint64_t phase_iterations;
    double per_iteration_ns; /* wall time, pauses included, as the warm-up found it */

    bool turn_taken; /* the caches are to be warmed again before the next sample */

    /* samples */
    struct bench_sample *samples; /* plan.samples of them */
    size_t sample_count, sample_target;
    uint64_t sample_iterations; /* of one sample, or of the first when they grow */
    bool linear;
    struct bench_sample open; /* the sample that single operations are added to */
    uint64_t operations_left;

    /* several threads */
    struct measure_mark *marks; /* plan.samples + 1 */
    size_t mark_count;
    double busy_ns;      /* of all batches */
    int64_t last_end_ns; /* of the batch before */
    int stage;

    /* open loop */
    int64_t timeline_ns;  /* when it begins */
    bool timing;          /* warm-up is over; of thread 0 */
    double next_start_ns; /* intended, since shared->start_ns */
    int64_t intended_ns;
    struct mf_rng rng;

    /* allocations */
    int round;

    struct mf_hdr *latency;
    struct mf_hdr *service;
    struct bench_named counters[BENCH_COUNTERS_MAX];
    bool counter_is_report[BENCH_COUNTERS_MAX]; /* not per iteration */
    size_t counter_count;
};

#define MEASURE_ROUNDS 20 /* of the pass that counts allocations */

struct measurement {
    const struct bench_entry *entry;
    const struct bench_plan *plan;
    const struct bench_bracket *bracket;
    struct mf_bench *threads;
    double timer_cost_ns;
    enum mf_bench_mode mode; /* resolved */

    /* the common timeline of several threads, and of an open loop */
    atomic_int arrived;        /* threads that have warmed up */
    atomic_int_fast64_t start; /* when samples begin; 0: not yet known */
    int64_t window_ns;         /* of a sample */
    atomic_int timed;          /* threads that are done with timing */
    atomic_int counted_in, counted_out;
    atomic_bool quit; /* a thread gave up: the others must not wait for it */

    /* resident memory after each sample of thread 0 */
    struct mf_proc *self;
    double *rss_iterations;
    double *rss_bytes;
    size_t rss_count;

    /* allocations */
    struct bench_allocations counted; /* sums over all rounds */
    uint64_t counted_iterations;
    double live_iterations[MEASURE_ROUNDS + 1];
    double live_bytes[MEASURE_ROUNDS + 1];
    size_t live_count;
    struct bench_allocations at_pause;

    struct mf_mutex lock; /* of what follows */
    enum bench_status status;
    char message[256];
    atomic_uint_fast64_t elements, bytes;
    int turns;   /* as of the plan; 0 when the other process has ended */
    bool paired; /* all samples were taken in turns */
    struct resource_reading *before, *after; /* around the timed part */
    uint64_t timed_iterations;               /* between the two */
};

measure_phase mf__phase_test;
measure_phase mf__phase_warm_up;
measure_phase mf__phase_operations;
measure_phase mf__phase_allocations;
measure_phase mf__phase_threads;
measure_phase mf__phase_rate;

/* To another phase, as if no batch had run. */
uint64_t mf__phase_enter(struct mf_bench *bench, measure_phase *phase, int64_t now);
/* The end, as the plan wants it: allocations are counted if they can be. */
uint64_t mf__phase_after_timing(struct mf_bench *bench, int64_t now);
/* Lets the other process of a pair measure, and waits until it is this one's turn again. */
void mf__turn_pass(struct mf_bench *bench);
void mf__turn_wait(struct mf_bench *bench);
/* The timed part begins and ends, for the resources; by thread 0. */
void mf__timing_begins(struct mf_bench *bench);
void mf__timing_ends(struct mf_bench *bench);
/* Notes resident memory; by thread 0, after a sample. */
void mf__note_memory(struct mf_bench *bench);
void mf__measure_fail(struct mf_bench *bench, enum bench_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Calls the benchmark's function. */
void mf__bench_subject(const struct bench_entry *entry, struct mf_bench *bench);

#endif
