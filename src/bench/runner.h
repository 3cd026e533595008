/* SPDX-License-Identifier: Apache-2.0
 *
 * runner.h -- measures cases, each in several processes, in an order that favours none.
 */
#ifndef BENCH_RUNNER_H
#define BENCH_RUNNER_H

#include "cases.h"

struct bench_progress {
    /* Before each process; `left_seconds` is an estimate. */
    void (*step)(void *context, size_t done, size_t total, const char *name, double left_seconds);
    void *context;
};

struct runner_job {
    const struct bench_config *config;
    const struct bench_cases *cases;
    const struct bench_cases *others; /* of the program to compare with; or NULL */
    const bool *wanted;               /* for each case whether to measure it; NULL: all */
    uint32_t first_round; /* the index of the first process: more than 0 when a run goes on */
    unsigned processes;   /* of each benchmark; 0: as configured */
    struct mf_signals *signals;
    const struct bench_progress *progress; /* or NULL */
};

/* Measures the cases; with `others` also those of the same names there, in pairs. Benchmarks that
 * fail are results, not errors. After a signal the run is marked as interrupted and has what was
 * complete; *ret_signal is its number, else 0. The runs have processes, and not yet estimates;
 * freed with mf__bench_run_free(). ret_other_run may be NULL without `others`. */
int mf__runner_run(const struct runner_job *job, struct bench_run *ret_run,
                   struct bench_run *ret_other_run, int *ret_signal, struct mf_errinfo *err);

/* Moves the processes of `more` to the benchmarks of the same names in `run`. */
int mf__runner_merge(struct bench_run *run, struct bench_run *more, struct mf_errinfo *err);

/* How many processes a case has when nothing else is said. */
unsigned mf__runner_processes(const struct bench_config *config, const struct bench_case *one);

#endif
