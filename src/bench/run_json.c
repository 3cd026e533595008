/* SPDX-License-Identifier: Apache-2.0
 * run_json.c -- writes runs; see run_json.h. Reading is in run_json_read.c. */
#include "run_json.h"
#include "process_json.h"

#include "fmt/rfc3339.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const status_names[] = {
    [BENCH_OK] = "ok",
    [BENCH_FAILED] = "failed",
    [BENCH_SKIPPED] = "skipped",
};

const char *mf__verdict_name(enum bench_verdict verdict)
{
    switch (verdict) {
    case VERDICT_SAME:
        return "SAME";
    case VERDICT_REGRESSED:
        return "REGRESSED";
    case VERDICT_IMPROVED:
        return "IMPROVED";
    case VERDICT_INCONCLUSIVE:
        return "INCONCLUSIVE";
    case VERDICT_NO_BASELINE:
        return "NO_BASELINE";
    }
    return "INCONCLUSIVE";
}

static void write_interval(struct mf_json *json, const char *key,
                           const struct bench_interval *interval)
{
    mf_json_key(json, key);
    mf_json_begin_object(json);
    mf_json_key_double(json, "confidence_level", interval->confidence_level);
    mf_json_key_double(json, "lower_bound", interval->lower_bound);
    mf_json_key_double(json, "upper_bound", interval->upper_bound);
    mf_json_end_object(json);
}

static void write_estimate(struct mf_json *json, const char *key,
                           const struct bench_estimate *estimate)
{
    mf_json_key(json, key);
    mf_json_begin_object(json);
    mf_json_key_double(json, "point_estimate", estimate->point_estimate);
    mf_json_key_double(json, "standard_error", estimate->standard_error);
    write_interval(json, "confidence_interval", &estimate->confidence_interval);
    mf_json_end_object(json);
}

static void write_percentiles(struct mf_json *json, const char *key,
                              const struct bench_percentile *percentiles, size_t count)
{
    mf_json_key(json, key);
    mf_json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        mf_json_begin_object(json);
        mf_json_key_double(json, "percent", percentiles[i].percent);
        mf_json_key_double(json, "value_ns", percentiles[i].value_ns);
        write_interval(json, "confidence_interval", &percentiles[i].confidence_interval);
        if (percentiles[i].n_needed > 0) {
            mf_json_key_uint(json, "n_needed", percentiles[i].n_needed);
        }
        mf_json_end_object(json);
    }
    mf_json_end_array(json);
}

static void write_figures(struct mf_json *json, const struct bench_result *result)
{
    mf_json_key(json, "estimates");
    mf_json_begin_object(json);
    write_estimate(json, "mean", &result->mean);
    write_estimate(json, "median", &result->median);
    write_estimate(json, "median_abs_dev", &result->median_abs_dev);
    if (result->mode == MF_BENCH_LINEAR) {
        write_estimate(json, "slope", &result->slope);
    }
    write_estimate(json, "std_dev", &result->std_dev);
    mf_json_end_object(json);
    if (result->mode == MF_BENCH_LINEAR) {
        mf_json_key_double(json, "r_squared", result->r_squared);
    }
    mf_json_key_double(json, "minimum_ns", result->minimum_ns);
    mf_json_key_double(json, "maximum_ns", result->maximum_ns);
    write_percentiles(json, "percentiles", result->percentiles, result->percentile_count);
    if (result->service != NULL) {
        write_percentiles(json, "service_percentiles", result->service_percentiles,
                          result->percentile_count);
    }
    mf_json_key(json, "outliers");
    mf_json_begin_object(json);
    mf_json_key_uint(json, "low_severe", result->outliers.low_severe);
    mf_json_key_uint(json, "low_mild", result->outliers.low_mild);
    mf_json_key_uint(json, "high_mild", result->outliers.high_mild);
    mf_json_key_uint(json, "high_severe", result->outliers.high_severe);
    mf_json_key_uint(json, "total", result->outliers.total);
    mf_json_end_object(json);
    mf_json_key(json, "process_medians_ns");
    mf_json_begin_array(json);
    for (size_t i = 0; i < result->process_count; i++) {
        mf_json_double(json, result->process_medians[i]);
    }
    mf_json_end_array(json);
    mf_json_key(json, "process_indices");
    mf_json_begin_array(json);
    for (size_t i = 0; i < result->process_count; i++) {
        mf_json_uint(json, result->processes[i].index);
    }
    mf_json_end_array(json);
    mf_json_key_double(json, "between_process_fraction", result->between_process_fraction);
    mf_json_key(json, "resources");
    mf__named_json_write(json, result->resources, result->resource_count);
    mf_json_key(json, "counters");
    mf__named_json_write(json, result->counters, result->counter_count);
    mf_json_key_double(json, "timer_cost_ns", result->timer_cost_ns);
    mf_json_key_double(json, "steal_fraction", result->steal_fraction);
    mf_json_key_double(json, "load_average", result->load_average);
}

static void write_throughput(struct mf_json *json, const struct bench_result *result)
{
    const double per_second = 1e9 / result->median.point_estimate;
    mf_json_key(json, "throughput");
    mf_json_begin_object(json);
    mf_json_key_double(json, "iterations_per_second", per_second);
    if (result->elements != 0) {
        mf_json_key_double(json, "elements_per_second", per_second * (double)result->elements);
    }
    if (result->bytes != 0) {
        mf_json_key_double(json, "bytes_per_second", per_second * (double)result->bytes);
    }
    mf_json_end_object(json);
}

static void write_comparison(struct mf_json *json, const struct bench_comparison *comparison)
{
    mf_json_key(json, "change");
    mf_json_begin_object(json);
    mf_json_key_string(json, "verdict", mf__verdict_name(comparison->verdict));
    if (comparison->before != NULL) {
        mf_json_key_double(json, "before_ns", comparison->before->median.point_estimate);
        mf_json_key_double(json, "ratio", comparison->ratio);
        write_interval(json, "ratio_interval", &comparison->ratio_interval);
        mf_json_key_double(json, "p_value", comparison->p_value);
        mf_json_key_double(json, "p_value_adjusted", comparison->p_value_adjusted);
        mf_json_key_double(json, "threshold_fraction", comparison->threshold_fraction);
        mf_json_key_double(json, "noise_floor_fraction", comparison->noise_floor_fraction);
        mf_json_key_bool(json, "interleaved", comparison->interleaved);
        mf_json_key_bool(json, "advisory", comparison->advisory);
    }
    mf_json_end_object(json);
}

void mf__result_json_write(struct mf_json *json, const struct bench_result *result,
                           const struct bench_comparison *comparison, enum run_json_detail detail)
{
    const struct mf_bench_options *options = &result->options;
    const bool measured = result->process_medians != NULL && result->process_count > 0;
    mf_json_begin_object(json);
    mf_json_key_string(json, "name", result->name);
    mf_json_key_string(json, "unit", result->unit);
    mf_json_key_string(json, "suite", result->suite);
    mf_json_key_string(json, "group", options->group != NULL ? options->group : "");
    mf_json_key_string(json, "param_name", options->param_name != NULL ? options->param_name : "");
    mf_json_key_bool(json, "has_param", options->param_count > 0);
    mf_json_key_int(json, "param", result->param);
    mf_json_key_int(json, "threads", result->threads);
    mf_json_key_double(json, "rate_per_second", options->rate_per_second);
    mf_json_key_string(json, "ratio_to", options->ratio_to != NULL ? options->ratio_to : "");
    mf_json_key_string(json, "status", status_names[result->status]);
    if (result->message != NULL) {
        mf_json_key_string(json, "message", result->message);
    }
    mf_json_key_bool(json, "quick", result->quick);
    mf_json_key_uint(json, "processes_planned", result->processes_planned);
    if (measured) {
        mf_json_key_string(json, "mode", mf__mode_name(result->mode));
        mf_json_key_uint(json, "elements", result->elements);
        mf_json_key_uint(json, "bytes", result->bytes);
        write_throughput(json, result);
        write_figures(json, result);
    }
    if (comparison != NULL) {
        write_comparison(json, comparison);
    }
    if (measured && detail == RUN_JSON_SAMPLES) {
        mf_json_key(json, "processes");
        mf_json_begin_array(json);
        for (size_t i = 0; i < result->process_count; i++) {
            mf__process_json_write(json, &result->processes[i]);
        }
        mf_json_end_array(json);
    }
    mf_json_end_object(json);
}

static void write_environment(struct mf_json *json, const struct bench_environment *environment)
{
    mf_json_key(json, "environment");
    mf_json_begin_object(json);
    mf_json_key_string(json, "fingerprint", environment->fingerprint);
    for (size_t i = 0; i < environment->pair_count; i++) {
        mf_json_key_string(json, environment->pairs[i].key, environment->pairs[i].value);
    }
    mf_json_end_object(json);
}

void mf__run_json_write(struct mf_buffer *out, const struct bench_run *run,
                        const struct bench_comparison *comparisons, size_t comparison_count,
                        enum mf_json_style style, enum run_json_detail detail)
{
    char started[MF_RFC3339_LEN];
    char seed[24];
    snprintf(seed, sizeof seed, "0x%" PRIx64, run->seed);
    struct mf_json json;
    mf_json_init(&json, out, style);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "schema_version", BENCH_SCHEMA_VERSION);
    mf_json_key_string(&json, "started", mf_format_rfc3339(started, run->started_wall_ns, 0, 3));
    mf_json_key_string(&json, "commit", run->commit != NULL ? run->commit : "");
    mf_json_key_string(&json, "seed", seed);
    mf_json_key_bool(&json, "quick", run->quick);
    mf_json_key_bool(&json, "interrupted", run->interrupted);
    write_environment(&json, &run->environment);
    mf_json_key(&json, "benchmarks");
    mf_json_begin_array(&json);
    for (size_t i = 0; i < run->result_count; i++) {
        const struct bench_comparison *comparison = NULL;
        for (size_t k = 0; k < comparison_count && comparison == NULL; k++) {
            comparison = comparisons[k].now == &run->results[i] ? &comparisons[k] : NULL;
        }
        mf__result_json_write(&json, &run->results[i], comparison, detail);
    }
    mf_json_end_array(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}
