/* SPDX-License-Identifier: Apache-2.0
 * query.c -- from a selector and a range to points, from whatever source. */
#include "match.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int64_t floor_slot(int64_t time_ns, int64_t interval_ns)
{
    return time_ns / interval_ns - (time_ns % interval_ns < 0 ? 1 : 0);
}

struct query_run {
    const struct mf_metrics_reader *reader;
    const struct mf_metrics_query *query;
    struct mf_metrics_info info;
    struct mf_errinfo *err;
};

/* Where a tier's window begins and ends, in slots; empty before the first value. */
struct tier_window {
    int64_t oldest;
    int64_t newest;
};

static struct tier_window window_of(const struct mf_metrics_info *info,
                                    const struct mf_metrics_tier *tier)
{
    const int64_t newest = floor_slot(info->clock_wall_ns, tier->interval_ns);
    return (struct tier_window){.oldest = newest - (int64_t)tier->slots + 1, .newest = newest};
}

uint32_t mf__choose_tier(const struct mf_metrics_info *info, const struct mf_metrics_schema *schema,
                         int64_t start_ns)
{
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        const struct mf_metrics_tier *tier = &schema->tiers[t];
        const int64_t from_ns = window_of(info, tier).oldest * tier->interval_ns;
        if (from_ns <= start_ns || from_ns <= info->first_wall_ns) {
            return t;
        }
    }
    return schema->tier_count - 1;
}

static int check_query(const struct mf_metrics_query *query, struct mf_errinfo *err)
{
    if (query->start_ns >= query->end_ns) {
        return mf_fail(err, MF_EVALUE,
                       "the range is empty: it starts at %lld ns and ends at %lld ns",
                       (long long)query->start_ns, (long long)query->end_ns);
    }
    if (query->tier < MF_TIER_AUTO || query->tier >= MF_METRICS_TIERS_MAX) {
        return mf_fail(err, MF_EVALUE, "tier %d does not exist", query->tier);
    }
    if (query->function < MF_FUNCTION_NONE || query->function > MF_FUNCTION_QUANTILE) {
        return mf_fail(err, MF_EVALUE, "function %d does not exist", (int)query->function);
    }
    if (query->function == MF_FUNCTION_QUANTILE &&
        !(query->quantile >= 0 && query->quantile <= 1)) {
        return mf_fail(err, MF_EVALUE, "quantile %g is not between 0 and 1", query->quantile);
    }
    return 0;
}

/* --- points of one series */

struct point_sink {
    struct mf_series_result *result;
    size_t capacity;
    int64_t interval_ns;
    int64_t clock_ns;
};

static int keep_point(void *context, const struct source_point *point)
{
    struct point_sink *sink = context;
    struct mf_series_result *result = sink->result;
    if (result->point_count == sink->capacity) {
        const size_t capacity = sink->capacity != 0 ? sink->capacity * 2 : 64;
        struct mf_point *points = mf_realloc(result->points, capacity * sizeof *points);
        if (points == NULL) {
            return -ENOMEM;
        }
        result->points = points;
        sink->capacity = capacity;
    }
    const struct mf__aggregate *a = &point->aggregate;
    const int64_t start_ns = point->slot * sink->interval_ns;
    result->points[result->point_count++] = (struct mf_point){
        .start_ns = start_ns,
        .count = a->count,
        .sum = a->sum,
        .min = a->min,
        .max = a->max,
        .first = a->first,
        .last = a->last,
        .flags = (point->exact ? 0 : MF_POINT_APPROXIMATE) |
                 (start_ns + sink->interval_ns > sink->clock_ns ? MF_POINT_OPEN : 0),
    };
    return 0;
}

static int slot_quantile(const struct query_run *run, const struct source_series *series,
                         const struct mf_series_result *result, size_t index, double *ret_value)
{
    struct mf_histogram *histogram = mf_calloc(1, sizeof *histogram);
    if (histogram == NULL) {
        return -ENOMEM;
    }
    const struct mf_point *point = &result->points[index];
    int rc = run->reader->ops->buckets(run->reader->source, series->id, result->tier,
                                       floor_slot(point->start_ns, result->interval_ns), histogram);
    if (rc == 0) {
        histogram->min = point->min;
        histogram->max = point->max;
        histogram->rounded = (point->flags & MF_POINT_APPROXIMATE) != 0;
        *ret_value = mf_histogram_quantile(histogram, run->query->quantile);
    }
    mf_free(histogram);
    return rc;
}

static int apply_function(const struct query_run *run, const struct source_series *series,
                          struct mf_series_result *result)
{
    const enum mf_metrics_function function = run->query->function;
    if (function == MF_FUNCTION_NONE) {
        return 0;
    }
    const enum mf_series_type wanted = function == MF_FUNCTION_QUANTILE ? MF_HISTOGRAM : MF_COUNTER;
    if (series->type != wanted) {
        return mf_fail(run->err, MF_EVALUE, "%.160s is no %s", series->text,
                       wanted == MF_COUNTER ? "counter: rate and increase are for counters"
                                            : "histogram: quantiles are for histograms");
    }
    result->values = mf_calloc(result->point_count, sizeof *result->values);
    if (result->values == NULL) {
        return -ENOMEM;
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < result->point_count; i++) {
        const struct mf_point *point = &result->points[i];
        if (function == MF_FUNCTION_QUANTILE) {
            rc = slot_quantile(run, series, result, i, &result->values[i]);
            continue;
        }
        int64_t elapsed_ns = result->interval_ns;
        if ((point->flags & MF_POINT_OPEN) != 0 && run->info.clock_wall_ns > point->start_ns) {
            elapsed_ns = run->info.clock_wall_ns - point->start_ns;
        }
        result->values[i] =
            function == MF_FUNCTION_RATE ? point->sum * 1e9 / (double)elapsed_ns : point->sum;
    }
    return rc;
}

static void count_missing(struct mf_series_result *result)
{
    if (result->point_count > 0) {
        const int64_t span_ns =
            result->points[result->point_count - 1].start_ns - result->points[0].start_ns;
        result->missing = (size_t)(span_ns / result->interval_ns) + 1 - result->point_count;
    }
}

/* Answers for one match; takes its strings and labels over. 1 when the series went away meanwhile.
 */
static int query_series(const struct query_run *run, struct match *match,
                        struct mf_series_result *result)
{
    const struct source_series *series = &match->series;
    struct mf_metrics_schema schema;
    mf_metrics_reader_schema(run->reader, series->schema, &schema);
    if (run->query->tier != MF_TIER_AUTO && (uint32_t)run->query->tier >= schema.tier_count) {
        return mf_fail(run->err, MF_EVALUE, "tier %d does not exist: schema %s of %.160s has %u",
                       run->query->tier, schema.name, series->text, schema.tier_count);
    }
    const uint32_t tier_index = run->query->tier == MF_TIER_AUTO
                                    ? mf__choose_tier(&run->info, &schema, run->query->start_ns)
                                    : (uint32_t)run->query->tier;
    const struct mf_metrics_tier *tier = &schema.tiers[tier_index];
    const struct tier_window window = window_of(&run->info, tier);
    *result = (struct mf_series_result){
        .name = match->labels->name,
        .labels = match->labels->labels,
        .label_count = match->labels->label_count,
        .text = series->text,
        .unit = series->unit,
        .help = series->help,
        .type = series->type,
        .schema = series->schema,
        .tier = tier_index,
        .interval_ns = tier->interval_ns,
        .retained_from_ns = window.oldest * tier->interval_ns,
    };
    match->labels = NULL;
    match->strings = NULL;
    result->partial = run->query->start_ns < result->retained_from_ns &&
                      run->info.first_wall_ns < result->retained_from_ns;
    if (run->info.first_wall_ns == 0 && run->info.clock_wall_ns == 0) {
        result->partial = false; /* nothing was ever recorded */
    }
    int64_t first = floor_slot(run->query->start_ns, tier->interval_ns);
    int64_t last = floor_slot(run->query->end_ns - 1, tier->interval_ns);
    first = first < window.oldest ? window.oldest : first;
    struct point_sink sink = {
        .result = result, .interval_ns = tier->interval_ns, .clock_ns = run->info.clock_wall_ns};
    int rc = run->reader->ops->points(run->reader->source, series->id, tier_index, first, last,
                                      keep_point, &sink);
    count_missing(result);
    rc = rc < 0 ? rc : apply_function(run, series, result);
    return rc == 0 && !mf__match_stands(run->reader, match) ? 1 : rc;
}

/* --- all that match */

static int finish(int rc, struct mf_errinfo *err)
{
    if (rc == -ENOMEM) {
        return mf_fail_os(err, rc, "query");
    }
    if (rc == MF_EBUSY) {
        return mf_fail(err, rc,
                       "query: the writer changes a series too fast to read it whole; try again");
    }
    if (rc == MF_ECORRUPT) {
        return mf_fail(err, rc, "query: the buckets of a histogram fail their checksum");
    }
    return rc;
}

static void free_series_result(struct mf_series_result *series)
{
    if (series->labels != NULL) { /* they are the end of the block that mf__labels_parse() made */
        mf_free((void *)((uintptr_t)series->labels - offsetof(struct mf__labels, labels)));
    }
    mf_free((void *)(uintptr_t)series->text); /* unit and help are in the same block */
    mf_free(series->points);
    mf_free(series->values);
    *series = (struct mf_series_result){0};
}

int mf_metrics_query(struct mf_metrics_reader *reader, const struct mf_metrics_query *query,
                     struct mf_metrics_result **ret_result, struct mf_errinfo *err)
{
    struct query_run run = {.reader = reader, .query = query, .err = err};
    int rc = check_query(query, err);
    if (rc < 0) {
        return rc;
    }
    mf_metrics_reader_info(reader, &run.info);
    struct match *matches = NULL;
    size_t count = 0;
    rc = mf__matches_find(reader, query->selector, &matches, &count, err);
    if (rc < 0) {
        return finish(rc, err);
    }
    struct mf_metrics_result *result = mf_calloc(1, sizeof *result);
    if (result != NULL) {
        result->series = mf_calloc(count, sizeof *result->series);
    }
    rc = result != NULL && result->series != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct mf_series_result *series = &result->series[result->series_count++];
        rc = query_series(&run, &matches[i], series);
        if (rc == 1) {
            free_series_result(series);
            result->series_count--;
            rc = 0;
        }
    }
    mf__matches_free(matches, count);
    if (rc < 0) {
        mf_metrics_result_free(result);
        return finish(rc, err);
    }
    *ret_result = result;
    return 0;
}

void mf_metrics_result_free(struct mf_metrics_result *result)
{
    if (result == NULL) {
        return;
    }
    for (size_t i = 0; result->series != NULL && i < result->series_count; i++) {
        free_series_result(&result->series[i]);
    }
    mf_free(result->series);
    mf_free(result);
}

/* --- one distribution over a range */

static int merge_series(const struct query_run *run, struct match *match, struct mf_histogram *into)
{
    const struct source_series *series = &match->series;
    if (series->type != MF_HISTOGRAM) {
        return mf_fail(run->err, MF_EVALUE, "%.160s is no histogram", series->text);
    }
    struct mf_series_result result = {0};
    struct mf_histogram *slot = mf_calloc(1, sizeof *slot);
    int rc = slot != NULL ? query_series(run, match, &result) : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < result.point_count; i++) {
        const struct mf_point *point = &result.points[i];
        memset(slot, 0, sizeof *slot);
        rc = run->reader->ops->buckets(run->reader->source, series->id, result.tier,
                                       floor_slot(point->start_ns, result.interval_ns), slot);
        slot->min = point->min;
        slot->max = point->max;
        slot->sum = point->sum;
        slot->rounded = (point->flags & MF_POINT_APPROXIMATE) != 0;
        mf__histogram_merge(into, slot);
    }
    mf_free(slot);
    free_series_result(&result);
    return rc == 1 ? 0 : rc;
}

int mf_metrics_query_histogram(struct mf_metrics_reader *reader,
                               const struct mf_metrics_query *query,
                               struct mf_histogram **ret_histogram, struct mf_errinfo *err)
{
    struct mf_metrics_query plain = *query;
    plain.function = MF_FUNCTION_NONE;
    struct query_run run = {.reader = reader, .query = &plain, .err = err};
    int rc = check_query(&plain, err);
    if (rc < 0) {
        return rc;
    }
    mf_metrics_reader_info(reader, &run.info);
    struct match *matches = NULL;
    size_t count = 0;
    rc = mf__matches_find(reader, plain.selector, &matches, &count, err);
    struct mf_histogram *merged = rc == 0 ? mf_calloc(1, sizeof *merged) : NULL;
    if (rc == 0 && merged == NULL) {
        rc = -ENOMEM;
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = merge_series(&run, &matches[i], merged);
    }
    mf__matches_free(matches, count);
    if (rc < 0) {
        mf_free(merged);
        return finish(rc, err);
    }
    *ret_histogram = merged;
    return 0;
}
