/* SPDX-License-Identifier: Apache-2.0
 *
 * runner.h -- measures cases, each in several processes, in an order that favours none.
 */
#ifndef BENCH_RUNNER_H
#define BENCH_RUNNER_H

#include "cases.h"

struct bench_progress {
    /* Before each process; `left_seconds` is an estimate. May be NULL. */
    void (*step)(void *context, size_t done, size_t total, const char *name, double left_seconds);
    void *context;
};

/* Measures `cases`; with `others` also the cases of the same names there, in pairs next to each
 * other in time, whose order alternates. Benchmarks that fail are results, not errors. After a
 * signal the run is marked as interrupted and has what was complete; *ret_signal is its number. The
 * runs have processes, and not yet estimates; freed with mf__bench_run_free(). */
int mf__runner_run(const struct bench_config *config, const struct bench_cases *cases,
                   const struct bench_cases *others, struct mf_signals *signals,
                   const struct bench_progress *progress, struct bench_run *ret_run,
                   struct bench_run *ret_other_run, int *ret_signal, struct mf_errinfo *err);

/* What one of `processes` processes of this case does. */
void mf__runner_plan(const struct bench_config *config, const struct bench_case *one,
                     struct bench_plan *ret_plan);

#endif
