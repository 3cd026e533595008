/* SPDX-License-Identifier: Apache-2.0
 *
 * measure.h -- runs one benchmark in this process, as the plan says.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "model.h"
#include "registry.h"

struct bench_plan {
    enum mf_bench_mode mode;
    int64_t param;
    int threads;
    double warm_up_seconds;
    double measurement_seconds;
    uint64_t warm_up_iterations; /* at least so many, unless that would double the warm-up */
    uint64_t operations;         /* time at least so many single operations; 0: as time permits */
    uint32_t samples;
    double rate_per_second; /* > 0: open loop */
    bool poisson;
    uint64_t seed;
    uint32_t process_index;
    bool test;                /* a few iterations, nothing else */
    uint64_t test_iterations; /* 0: one */
    bool track_allocations;   /* a pass of its own, after everything was timed */
    bool in_turns;   /* with another process, which the socket at standard input leads to */
    bool first_turn; /* this one begins */
    int turns;       /* that socket, when the child has taken it; 0: alone */
};

struct bench_measured {
    struct bench_process process;
    enum bench_status status;
    char message[256]; /* of failure or skip */
    uint64_t elements, bytes;
    uint64_t iterations; /* of all threads, warm-up included */
};

/* Called around what is timed; for profilers. May be NULL. */
struct bench_bracket {
    void (*begin)(void *context);
    void (*end)(void *context);
    void *context;
};

/* 0, also when the benchmark fails; errors: of memory and threads. *ret is freed by the caller. */
int mf__measure(const struct bench_entry *entry, const struct bench_plan *plan,
                const struct bench_bracket *bracket, struct bench_measured *ret_measured,
                struct mf_errinfo *err);

/* How long one reading of the clock takes, by the median of many; and the smallest step it makes.
 */
double mf__timer_cost_ns(void);
double mf__timer_step_ns(void);

#endif
