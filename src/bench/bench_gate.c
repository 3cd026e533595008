/* SPDX-License-Identifier: Apache-2.0
 * bench_gate.c -- targets and bands, and what a run comes to: the exit code. See verdicts.h. */
#include "bench_report.h"
#include "relations.h"
#include "verdicts.h"
#include "filter.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/number.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* "p99_ns", "p99.9_ns": of the percentiles that were computed. */
static double percentile_metric(const struct bench_result *result, const char *name)
{
    char digits[MF_NUMBER_LEN];
    const size_t len = strlen(name);
    double percent = 0;
    if (name[0] != 'p' || len < 5 || len - 4 >= sizeof digits ||
        strcmp(name + len - 3, "_ns") != 0) {
        return NAN;
    }
    snprintf(digits, sizeof digits, "%.*s", (int)(len - 4), name + 1);
    if (mf_parse_double(digits, &percent, NULL) < 0) {
        return NAN;
    }
    for (size_t i = 0; i < result->percentile_count; i++) {
        if (fabs(result->percentiles[i].percent - percent) < 1e-9) {
            return result->percentiles[i].value_ns;
        }
    }
    return NAN;
}

double mf__metric(const struct bench_result *result, const char *name)
{
    const double per_second = 1e9 / result->median.point_estimate;
    const struct {
        const char *name;
        double value;
    } simple[] = {
        {"median_ns", result->median.point_estimate},
        {"mean_ns", result->mean.point_estimate},
        {"maximum_ns", result->maximum_ns},
        {"minimum_ns", result->minimum_ns},
        {"iterations_per_second", per_second},
        {"elements_per_second",
         result->elements != 0 ? per_second * (double)result->elements : NAN},
        {"bytes_per_second", result->bytes != 0 ? per_second * (double)result->bytes : NAN},
    };
    if (result->status != BENCH_OK || result->process_medians == NULL) {
        return NAN;
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(simple); i++) {
        if (strcmp(simple[i].name, name) == 0) {
            return simple[i].value;
        }
    }
    const double percentile = percentile_metric(result, name);
    if (!isnan(percentile)) {
        return percentile;
    }
    const double resource = mf__bench_named_get(result->resources, result->resource_count, name);
    return !isnan(resource) ? resource
                            : mf__bench_named_get(result->counters, result->counter_count, name);
}

static enum bench_band band_of(const struct bench_target *target, double value)
{
    const double sign = target->higher_is_better ? -1 : 1;
    if (isnan(value) || sign * value > sign * target->critical) {
        return isnan(value) ? BAND_WARNING : BAND_CRITICAL;
    }
    return sign * value > sign * target->good ? BAND_WARNING : BAND_GOOD;
}

int mf__check_targets(const struct bench_run *run, const struct bench_config *config,
                      struct bench_check **ret_checks, size_t *ret_count, struct mf_errinfo *err)
{
    struct bench_check *checks =
        mf_calloc(config->target_count * run->result_count + 1, sizeof *checks);
    if (checks == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot check the targets");
    }
    size_t count = 0;
    for (size_t t = 0; t < config->target_count; t++) {
        const struct bench_target *target = &config->targets[t];
        for (size_t i = 0; i < run->result_count; i++) {
            const struct bench_result *result = &run->results[i];
            if (result->status == BENCH_OK && result->process_medians != NULL &&
                mf__pattern_matches(target->pattern, result->name, false)) {
                const double value = strcmp(target->metric, "overhead_pct") == 0
                                         ? mf__overhead_pct(run, result)
                                         : mf__metric(result, target->metric);
                checks[count++] = (struct bench_check){
                    .result = result,
                    .target = target,
                    .value = value,
                    .band = band_of(target, value),
                };
            }
        }
    }
    *ret_checks = checks;
    *ret_count = count;
    return 0;
}

enum bench_exit mf__gate(const struct bench_run *run, const struct bench_comparison *comparisons,
                         size_t comparison_count, const struct bench_check *checks,
                         size_t check_count, bool lenient)
{
    size_t failed = 0;
    size_t regressed = 0;
    size_t inconclusive = 0;
    size_t missing = 0;
    for (size_t i = 0; i < run->result_count; i++) {
        failed += run->results[i].status == BENCH_FAILED;
    }
    for (size_t i = 0; i < comparison_count; i++) {
        const struct bench_comparison *comparison = &comparisons[i];
        const bool measured = comparison->now->status == BENCH_OK;
        /* Another machine, compiler or kernel: told, but not held against anybody. */
        regressed += comparison->verdict == VERDICT_REGRESSED && !comparison->advisory;
        inconclusive += comparison->verdict == VERDICT_INCONCLUSIVE && !comparison->advisory;
        missing += comparison->verdict == VERDICT_NO_BASELINE && measured && !lenient;
    }
    for (size_t i = 0; i < check_count; i++) {
        regressed += checks[i].band == BAND_CRITICAL;
    }
    return failed > 0         ? BENCH_EXIT_FAILED
           : regressed > 0    ? BENCH_EXIT_REGRESSED
           : missing > 0      ? BENCH_EXIT_NO_BASELINE
           : inconclusive > 0 ? BENCH_EXIT_INCONCLUSIVE
                              : BENCH_EXIT_OK;
}
