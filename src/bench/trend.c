/* SPDX-License-Identifier: Apache-2.0
 * trend.c -- see trend.h. */
#include "trend.h"
#include "relations.h"
#include "statistics.h"
#include "store_baseline.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW       20   /* runs on either side of a change of level */
#define FACTOR       5    /* median absolute deviations that a change has at least */
#define MIN_FRACTION 0.02 /* and relative to the level */

void mf__trend_free(struct trend *trend)
{
    for (size_t i = 0; i < trend->series_count; i++) {
        mf_free(trend->series[i].runs);
        mf_free(trend->series[i].results);
        mf_free(trend->series[i].medians);
    }
    mf_free(trend->series);
    mf__history_free(trend->runs, trend->run_count);
    *trend = (struct trend){0};
}

static struct trend_series *series_of(struct trend *trend, const char *name)
{
    for (size_t i = 0; i < trend->series_count; i++) {
        if (strcmp(trend->series[i].name, name) == 0) {
            return &trend->series[i];
        }
    }
    struct trend_series *grown =
        mf_realloc(trend->series, (trend->series_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    trend->series = grown;
    struct trend_series *series = &trend->series[trend->series_count++];
    *series = (struct trend_series){.name = name};
    series->runs = mf_calloc(trend->run_count, sizeof *series->runs);
    series->results = mf_calloc(trend->run_count, sizeof *series->results);
    series->medians = mf_calloc(trend->run_count, sizeof *series->medians);
    return series->runs != NULL && series->results != NULL && series->medians != NULL ? series
                                                                                      : NULL;
}

static int by_name(const void *a, const void *b)
{
    return mf__compare_names(((const struct trend_series *)a)->name,
                             ((const struct trend_series *)b)->name);
}

static int collect(struct trend *trend, const struct bench_filter *filter)
{
    for (size_t r = 0; r < trend->run_count; r++) {
        for (size_t i = 0; i < trend->runs[r].result_count; i++) {
            const struct bench_result *result = &trend->runs[r].results[i];
            if (!mf__is_measured(result) || !mf__filter_matches(filter, result->name)) {
                continue;
            }
            struct trend_series *series = series_of(trend, result->name);
            if (series == NULL) {
                return -ENOMEM;
            }
            if (series->count < trend->run_count) { /* one of a name in each run */
                series->runs[series->count] = &trend->runs[r];
                series->results[series->count] = result;
                series->medians[series->count++] = result->median.point_estimate;
            }
        }
    }
    for (size_t i = 0; i < trend->series_count; i++) {
        struct trend_series *series = &trend->series[i];
        series->change_count = mf__change_points(series->medians, series->count, WINDOW, FACTOR,
                                                 MIN_FRACTION, series->changes, TREND_CHANGES_MAX);
    }
    if (trend->series_count > 1) {
        qsort(trend->series, trend->series_count, sizeof *trend->series, by_name);
    }
    return 0;
}

int mf__trend_of_runs(struct bench_run *runs, size_t run_count, const struct bench_filter *filter,
                      struct trend *ret_trend, struct mf_errinfo *err)
{
    *ret_trend = (struct trend){.runs = runs, .run_count = run_count};
    return collect(ret_trend, filter) < 0 ? mf_fail_os(err, -ENOMEM, "cannot show the history") : 0;
}

int mf__trend_load(const char *results_dir, const struct bench_filter *filter,
                   struct trend *ret_trend, struct mf_errinfo *err)
{
    struct bench_run *runs = NULL;
    size_t count = 0;
    *ret_trend = (struct trend){0};
    const int rc = mf__history_load(results_dir, &runs, &count, err);
    return rc < 0 ? rc : mf__trend_of_runs(runs, count, filter, ret_trend, err);
}

const struct trend_series *mf__trend_find(const struct trend *trend, const char *name)
{
    for (size_t i = 0; trend != NULL && i < trend->series_count; i++) {
        if (strcmp(trend->series[i].name, name) == 0) {
            return &trend->series[i];
        }
    }
    return NULL;
}

bool mf__trend_is_change(const struct trend_series *series, size_t index)
{
    for (size_t i = 0; i < series->change_count; i++) {
        if (series->changes[i] == index) {
            return true;
        }
    }
    return false;
}

const char *mf__trend_mark(const struct trend_series *series, size_t index, double threshold)
{
    const double ratio = series->medians[index] / series->medians[0];
    const bool other = strcmp(series->results[index]->fingerprint,
                              series->results[series->count - 1]->fingerprint) != 0;
    if (mf__trend_is_change(series, index)) {
        return series->medians[index] > series->medians[index - 1] ? "slower from here"
                                                                   : "faster from here";
    }
    return other ? "another machine" : ratio > 1 + threshold ? "slower" : index == 0 ? "" : "ok";
}
