/* SPDX-License-Identifier: Apache-2.0
 *
 * trend.h -- the history as series: for each benchmark its medians from run to run, and where their
 * level has changed.
 */
#ifndef BENCH_TREND_H
#define BENCH_TREND_H

#include "filter.h"
#include "model.h"

#define TREND_CHANGES_MAX 64

/* The results of one benchmark, oldest first. */
struct trend_series {
    const char *name;
    const struct bench_run **runs;
    const struct bench_result **results;
    double *medians;
    size_t count;
    size_t changes[TREND_CHANGES_MAX]; /* indices of the first of a new level */
    size_t change_count;
};

struct trend {
    struct bench_run *runs;
    size_t run_count;
    struct trend_series *series; /* sorted by name */
    size_t series_count;
};

/* Freed with mf__trend_free(), also after a failure. -ENOENT when the directory does not exist. */
int mf__trend_load(const char *results_dir, const struct bench_filter *filter,
                   struct trend *ret_trend, struct mf_errinfo *err);
/* The same of runs that are there already, sorted by time; they become the trend's. */
int mf__trend_of_runs(struct bench_run *runs, size_t run_count, const struct bench_filter *filter,
                      struct trend *ret_trend, struct mf_errinfo *err);
void mf__trend_free(struct trend *trend);

const struct trend_series *mf__trend_find(const struct trend *trend, const char *name);
bool mf__trend_is_change(const struct trend_series *series, size_t index);
/* "slower from here", "faster from here" where the level changes; "another machine" where the
 * latest one is another; "slower", "ok" against the first, by a threshold; "" of the first. */
const char *mf__trend_mark(const struct trend_series *series, size_t index, double threshold);

#endif
