/* SPDX-License-Identifier: Apache-2.0
 * flight_history.c -- a flight beside the earlier ones of its name. See flight/compare.h. */
#include "flight/compare.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_MIN 5 /* from so many earlier flights on it is said what is usual */

static int by_value(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Linear interpolation between the closest ranks (Hyndman and Fan, "Sample Quantiles in Statistical
 * Packages", 1996, definition 7). */
static double quantile(const double *sorted, size_t count, double q)
{
    const double rank = q * (double)(count - 1);
    const size_t low = (size_t)rank;
    const size_t high = low + 1 < count ? low + 1 : low;
    return sorted[low] + (rank - (double)low) * (sorted[high] - sorted[low]);
}

struct mf_distribution mf_distribution_of(double *values, size_t count, double value)
{
    struct mf_distribution distribution = {.value = value};
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isnan(values[i])) {
            distribution.below += values[i] < value;
            distribution.above += values[i] > value;
            values[known++] = values[i];
        }
    }
    distribution.count = known;
    if (known == 0) {
        distribution.min = distribution.quarter = distribution.median = NAN;
        distribution.three_quarters = distribution.max = NAN;
        return distribution;
    }
    qsort(values, known, sizeof *values, by_value);
    distribution.min = values[0];
    distribution.quarter = quantile(values, known, 0.25);
    distribution.median = quantile(values, known, 0.5);
    distribution.three_quarters = quantile(values, known, 0.75);
    distribution.max = values[known - 1];
    return distribution;
}

enum mf_standing mf_standing_of(const struct mf_distribution *distribution)
{
    const double value = distribution->value;
    if (distribution->count < USUAL_MIN || isnan(value)) {
        return MF_STANDING_UNKNOWN;
    }
    const double reach = 1.5 * (distribution->three_quarters - distribution->quarter);
    if (value > distribution->three_quarters + reach) {
        return value > distribution->max ? MF_STANDING_HIGHEST : MF_STANDING_HIGH;
    }
    if (value < distribution->quarter - reach) {
        return value < distribution->min ? MF_STANDING_LOWEST : MF_STANDING_LOW;
    }
    return MF_STANDING_USUAL;
}

const char *mf_standing_name(enum mf_standing standing)
{
    switch (standing) {
    case MF_STANDING_USUAL:
        return "usual";
    case MF_STANDING_LOW:
        return "unusually low";
    case MF_STANDING_HIGH:
        return "unusually high";
    case MF_STANDING_LOWEST:
        return "lower than ever";
    case MF_STANDING_HIGHEST:
        return "higher than ever";
    case MF_STANDING_UNKNOWN:
        break;
    }
    return "";
}

/* ---- the earlier flights ---- */

static bool is_earlier(const struct mf_flight_info *info, const struct mf_flight_info *than)
{
    return info != NULL && strcmp(info->id, than->id) != 0 &&
           info->started_wall_ns <= than->started_wall_ns;
}

static int remember_failure(struct mf_history *history, const struct mf_flight_info *info)
{
    history->last_failure_id = mf_strdup(info->id);
    history->last_failure_reason =
        mf_strdup(info->reason != NULL ? info->reason : mf_flight_outcome_name(info->outcome));
    return history->last_failure_id != NULL && history->last_failure_reason != NULL ? 0 : -ENOMEM;
}

/* The list is newest first. */
static int count_flights(struct mf_history *history, const struct mf_flight_list *list,
                         const struct mf_flight_info *info, size_t limit)
{
    for (size_t i = 0; i < list->count && history->flights < limit; i++) {
        const struct mf_flight_info *earlier = list->items[i].info;
        if (!is_earlier(earlier, info)) {
            continue;
        }
        history->flights++;
        history->successes += earlier->success;
        if (!earlier->success && history->last_failure_id == NULL &&
            remember_failure(history, earlier) < 0) {
            return -ENOMEM;
        }
    }
    history->of_successes = history->successes > 0;
    return 0;
}

static int measure(struct mf_history *history, const struct mf_flight_list *list,
                   const struct mf_flight_info *info)
{
    double *values = mf_calloc(history->flights + 1, sizeof *values);
    if (values == NULL) {
        return -ENOMEM;
    }
    for (unsigned figure = 0; figure < MF_FIGURES; figure++) {
        size_t seen = 0;
        size_t count = 0;
        for (size_t i = 0; i < list->count && seen < history->flights; i++) {
            const struct mf_flight_info *earlier = list->items[i].info;
            if (is_earlier(earlier, info)) {
                seen++;
                if (earlier->success || !history->of_successes) {
                    values[count++] = mf_figure_of(earlier, figure);
                }
            }
        }
        history->figures[figure] = mf_distribution_of(values, count, mf_figure_of(info, figure));
    }
    mf_free(values);
    return 0;
}

int mf_history_read(const char *home, const struct mf_flight_info *info, size_t limit,
                    struct mf_history *ret_history, struct mf_errinfo *err)
{
    const struct mf_flight_filter filter = {.name = info->name, .ended = true};
    struct mf_flight_list list;
    struct mf_history history = {0};
    int rc = mf_flight_list_read(home, &filter, &list, err);
    if (rc < 0) {
        return rc;
    }
    rc = count_flights(&history, &list, info, limit);
    if (rc == 0) {
        rc = measure(&history, &list, info);
    }
    mf_flight_list_free(&list);
    if (rc < 0) {
        mf_history_free(&history);
        return mf_fail(err, rc, "out of memory");
    }
    *ret_history = history;
    return 0;
}

void mf_history_free(struct mf_history *history)
{
    mf_free(history->last_failure_id);
    mf_free(history->last_failure_reason);
    *history = (struct mf_history){0};
}

void mf_history_json(struct mf_json *json, const struct mf_history *history)
{
    mf_json_begin_object(json);
    mf_json_key_uint(json, "flights", history->flights);
    mf_json_key_uint(json, "successes", history->successes);
    mf_json_key_bool(json, "of_successes", history->of_successes);
    if (history->last_failure_id != NULL) {
        mf_json_key(json, "last_failure");
        mf_json_begin_object(json);
        mf_json_key_string(json, "id", history->last_failure_id);
        mf_json_key_string(json, "reason", history->last_failure_reason);
        mf_json_end_object(json);
    }
    mf_json_key(json, "figures");
    mf_json_begin_object(json);
    for (unsigned i = 0; i < MF_FIGURES; i++) {
        const struct mf_distribution *figure = &history->figures[i];
        mf_json_key(json, mf_figures[i].key);
        mf_json_begin_object(json);
        mf_json_key_double(json, "value", figure->value);
        mf_json_key_uint(json, "count", figure->count);
        mf_json_key_double(json, "min", figure->min);
        mf_json_key_double(json, "quarter", figure->quarter);
        mf_json_key_double(json, "median", figure->median);
        mf_json_key_double(json, "three_quarters", figure->three_quarters);
        mf_json_key_double(json, "max", figure->max);
        mf_json_key_uint(json, "below", figure->below);
        mf_json_key_uint(json, "above", figure->above);
        mf_json_key_string(json, "standing", mf_standing_name(mf_standing_of(figure)));
        mf_json_end_object(json);
    }
    mf_json_end_object(json);
    mf_json_end_object(json);
}
