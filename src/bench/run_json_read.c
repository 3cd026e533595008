/* SPDX-License-Identifier: Apache-2.0
 * run_json_read.c -- reads runs; see run_json.h. */
#include "process_json.h"
#include "run_json.h"
#include "measure.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/hdr.h"
#include "fmt/rfc3339.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROCESSES_MAX 4096

/* Reads members one after the other and keeps the first error. */
struct fields {
    struct mf_json_node object;
    int rc;
    struct mf_errinfo *err;
};

static const char *text_of(struct fields *f, const char *key)
{
    const char *text = "";
    f->rc = f->rc < 0 ? f->rc : mf_json_get_string(f->object, key, &text, f->err);
    return text;
}

static char *copy_of(struct fields *f, const char *key, size_t len_max)
{
    const char *text = text_of(f, key);
    if (f->rc == 0 && strlen(text) > len_max) {
        f->rc = mf_fail(f->err, MF_ELIMIT, "'%s' is longer than %zu bytes", key, len_max);
    }
    char *copy = f->rc == 0 ? mf_strdup(text) : NULL;
    if (f->rc == 0 && copy == NULL) {
        f->rc = mf_fail_os(f->err, -ENOMEM, "cannot read '%s'", key);
    }
    return copy;
}

static uint64_t uint_of(struct fields *f, const char *key, uint64_t max)
{
    uint64_t value = 0;
    f->rc = f->rc < 0 ? f->rc : mf_json_get_uint(f->object, key, &value, f->err);
    if (f->rc == 0 && value > max) {
        f->rc = mf_fail(f->err, MF_EVALUE, "'%s' is %llu, more than %llu", key,
                        (unsigned long long)value, (unsigned long long)max);
    }
    return value;
}

static bool bool_of(struct fields *f, const char *key)
{
    bool value = false;
    f->rc = f->rc < 0 ? f->rc : mf_json_get_bool(f->object, key, &value, f->err);
    return value;
}

/* A number, or null for NaN. */
static double double_of(struct fields *f, const char *key)
{
    double value = NAN;
    if (f->rc == 0 && mf_json_type(mf_json_member(f->object, key)) != MF_JSON_NULL) {
        f->rc = mf_json_get_double(f->object, key, &value, f->err);
    }
    return value;
}

static struct mf_json_node array_of(struct fields *f, const char *key, size_t len_max)
{
    struct mf_json_node array = {0};
    f->rc = f->rc < 0 ? f->rc : mf_json_get_array(f->object, key, &array, f->err);
    if (f->rc == 0 && mf_json_len(array) > len_max) {
        f->rc = mf_fail(f->err, MF_ELIMIT, "'%s' has %zu members; at most %zu are read", key,
                        mf_json_len(array), len_max);
    }
    return array;
}

static struct fields inside(struct fields *f, const char *key)
{
    struct fields inner = {{0}, f->rc, f->err};
    inner.rc = f->rc < 0 ? f->rc : mf_json_get_object(f->object, key, &inner.object, f->err);
    return inner;
}

/* ---- estimates ---- */

static void read_interval(struct fields *f, const char *key, struct bench_interval *interval)
{
    struct fields inner = inside(f, key);
    interval->confidence_level = double_of(&inner, "confidence_level");
    interval->lower_bound = double_of(&inner, "lower_bound");
    interval->upper_bound = double_of(&inner, "upper_bound");
    f->rc = inner.rc;
}

static void read_estimate(struct fields *f, const char *key, struct bench_estimate *estimate)
{
    struct fields inner = inside(f, key);
    estimate->point_estimate = double_of(&inner, "point_estimate");
    estimate->standard_error = double_of(&inner, "standard_error");
    read_interval(&inner, "confidence_interval", &estimate->confidence_interval);
    f->rc = inner.rc;
}

static void read_percentiles(struct fields *f, const char *key,
                             struct bench_percentile *percentiles, size_t *ret_count)
{
    const struct mf_json_node array = array_of(f, key, BENCH_PERCENTILES_MAX);
    const size_t count = f->rc == 0 ? mf_json_len(array) : 0;
    for (size_t i = 0; i < count && f->rc == 0; i++) {
        struct fields inner = {mf_json_element(array, i), 0, f->err};
        percentiles[i].percent = double_of(&inner, "percent");
        percentiles[i].value_ns = double_of(&inner, "value_ns");
        read_interval(&inner, "confidence_interval", &percentiles[i].confidence_interval);
        if (mf_json_type(mf_json_member(inner.object, "n_needed")) != MF_JSON_ABSENT) {
            percentiles[i].n_needed = uint_of(&inner, "n_needed", INT64_MAX);
        }
        f->rc = inner.rc;
    }
    *ret_count = count;
}

static void read_outliers(struct fields *f, struct bench_outliers *outliers)
{
    struct fields inner = inside(f, "outliers");
    outliers->low_severe = (uint32_t)uint_of(&inner, "low_severe", UINT32_MAX);
    outliers->low_mild = (uint32_t)uint_of(&inner, "low_mild", UINT32_MAX);
    outliers->high_mild = (uint32_t)uint_of(&inner, "high_mild", UINT32_MAX);
    outliers->high_severe = (uint32_t)uint_of(&inner, "high_severe", UINT32_MAX);
    outliers->total = (uint32_t)uint_of(&inner, "total", UINT32_MAX);
    f->rc = inner.rc;
}

static void read_named(struct fields *f, const char *key, size_t max, struct bench_named *named,
                       size_t *ret_count)
{
    struct fields inner = inside(f, key);
    if (inner.rc == 0) {
        inner.rc = mf__named_json_read(inner.object, max, named, ret_count, f->err);
    }
    f->rc = inner.rc;
}

/* ---- processes ---- */

/* The samples when they are there, else what stands for a process in a summary: index and median.
 */
static void read_processes(struct fields *f, struct bench_result *result)
{
    const struct mf_json_node medians = array_of(f, "process_medians_ns", PROCESSES_MAX);
    const struct mf_json_node indices = array_of(f, "process_indices", PROCESSES_MAX);
    const struct mf_json_node samples = mf_json_member(f->object, "processes");
    const bool has_samples = mf_json_type(samples) == MF_JSON_ARRAY;
    const size_t count = f->rc == 0 ? mf_json_len(medians) : 0;
    if (f->rc == 0 && (count == 0 || mf_json_len(indices) != count ||
                       (has_samples && mf_json_len(samples) != count))) {
        f->rc = mf_fail(f->err, MF_EVALUE,
                        "there are %zu medians of processes, %zu indices and %zu processes", count,
                        mf_json_len(indices), mf_json_len(samples));
    }
    result->process_medians = mf_calloc(count + 1, sizeof *result->process_medians);
    result->processes = mf_calloc(count + 1, sizeof *result->processes);
    if (f->rc == 0 && (result->process_medians == NULL || result->processes == NULL)) {
        f->rc = mf_fail_os(f->err, -ENOMEM, "cannot read %zu processes", count);
    }
    for (size_t i = 0; i < count && f->rc == 0; i++) {
        struct bench_process *process = &result->processes[i];
        uint64_t index = 0;
        process->binary = 'A';
        process->mode = result->mode;
        result->process_count++;
        f->rc = mf_json_as_double(mf_json_element(medians, i), &result->process_medians[i], f->err);
        if (f->rc == 0) {
            f->rc = mf_json_as_uint(mf_json_element(indices, i), &index, f->err);
        }
        process->index = (uint32_t)index;
        if (f->rc == 0 && (!(result->process_medians[i] > 0) || index > UINT32_MAX)) {
            f->rc = mf_fail(f->err, MF_EVALUE, "process %zu has the median %g", i,
                            result->process_medians[i]);
        }
        if (f->rc == 0 && has_samples) {
            f->rc = mf__process_json_read(mf_json_element(samples, i), process, f->err);
        }
    }
    for (size_t i = 0; i < result->process_count && f->rc == 0; i++) {
        struct mf_hdr *from[2] = {result->processes[i].latency, result->processes[i].service};
        struct mf_hdr **to[2] = {&result->latency, &result->service};
        for (int k = 0; k < 2; k++) {
            if (from[k] != NULL && *to[k] == NULL && (*to[k] = mf_hdr_new()) == NULL) {
                f->rc = mf_fail_os(f->err, -ENOMEM, "cannot read %zu processes", count);
            } else if (from[k] != NULL) {
                mf_hdr_merge(*to[k], from[k]);
            }
        }
    }
}

static void read_figures(struct fields *f, struct bench_result *result)
{
    const char *mode = text_of(f, "mode");
    f->rc = f->rc < 0 ? f->rc : mf__mode_parse(mode, &result->mode, f->err);
    result->elements = uint_of(f, "elements", INT64_MAX);
    result->bytes = uint_of(f, "bytes", INT64_MAX);
    struct fields estimates = inside(f, "estimates");
    read_estimate(&estimates, "mean", &result->mean);
    read_estimate(&estimates, "median", &result->median);
    read_estimate(&estimates, "median_abs_dev", &result->median_abs_dev);
    read_estimate(&estimates, "std_dev", &result->std_dev);
    result->slope = (struct bench_estimate){NAN, NAN, {NAN, NAN, NAN}};
    result->r_squared = NAN;
    if (result->mode == MF_BENCH_LINEAR) {
        read_estimate(&estimates, "slope", &result->slope);
    }
    f->rc = estimates.rc;
    if (result->mode == MF_BENCH_LINEAR) {
        result->r_squared = double_of(f, "r_squared");
    }
    result->minimum_ns = double_of(f, "minimum_ns");
    result->maximum_ns = double_of(f, "maximum_ns");
    read_percentiles(f, "percentiles", result->percentiles, &result->percentile_count);
    if (f->rc == 0 &&
        mf_json_type(mf_json_member(f->object, "service_percentiles")) != MF_JSON_ABSENT) {
        size_t count = 0;
        read_percentiles(f, "service_percentiles", result->service_percentiles, &count);
        if (f->rc == 0 && count != result->percentile_count) {
            f->rc = mf_fail(f->err, MF_EVALUE, "there are %zu percentiles and %zu of the service",
                            result->percentile_count, count);
        }
    }
    read_outliers(f, &result->outliers);
    result->between_process_fraction = double_of(f, "between_process_fraction");
    read_named(f, "resources", BENCH_RESOURCES_MAX, result->resources, &result->resource_count);
    read_named(f, "counters", BENCH_COUNTERS_MAX, result->counters, &result->counter_count);
    result->timer_cost_ns = double_of(f, "timer_cost_ns");
    result->steal_fraction = double_of(f, "steal_fraction");
    result->load_average = double_of(f, "load_average");
    read_processes(f, result);
    if (f->rc == 0 && !(result->median.point_estimate > 0)) {
        f->rc = mf_fail(f->err, MF_EVALUE, "the median is %g", result->median.point_estimate);
    }
}

static enum bench_status status_of(struct fields *f)
{
    static const char *const names[] = {"ok", "failed", "skipped"};
    const char *text = text_of(f, "status");
    for (size_t i = 0; i < MF_ARRAY_LEN(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            return (enum bench_status)i;
        }
    }
    f->rc = f->rc < 0 ? f->rc : mf_fail(f->err, MF_EVALUE, "unknown status '%.60s'", text);
    return BENCH_FAILED;
}

static void read_head(struct fields *f, struct bench_result *result)
{
    result->name = copy_of(f, "name", 255);
    result->unit = copy_of(f, "unit", 15);
    const char *suite = text_of(f, "suite");
    if (f->rc == 0 && (strlen(suite) >= sizeof result->suite || result->name[0] == '\0' ||
                       strcmp(result->unit, "ns") != 0)) {
        f->rc = mf_fail(f->err, MF_EVALUE,
                        "the benchmark '%.60s' has the suite '%.60s' and the "
                        "unit '%.20s'; only \"ns\" is known",
                        result->name, suite, result->unit);
    }
    snprintf(result->suite, sizeof result->suite, "%s", suite);
    result->options.group = copy_of(f, "group", 255);
    result->options.param_name = copy_of(f, "param_name", 255);
    result->options.ratio_to = copy_of(f, "ratio_to", 255);
    result->options.param_count = bool_of(f, "has_param") ? 1 : 0;
    f->rc = f->rc < 0 ? f->rc : mf_json_get_int(f->object, "param", &result->param, f->err);
    result->threads = (int)uint_of(f, "threads", 65535);
    result->options.rate_per_second = double_of(f, "rate_per_second");
    result->status = status_of(f);
    if (f->rc == 0 && mf_json_type(mf_json_member(f->object, "message")) != MF_JSON_ABSENT) {
        result->message = copy_of(f, "message", 4096);
    }
    result->quick = bool_of(f, "quick");
    result->processes_planned = (uint32_t)uint_of(f, "processes_planned", UINT32_MAX);
}

int mf__result_json_read(struct mf_json_node object, struct bench_result *ret_result,
                         struct mf_errinfo *err)
{
    struct bench_result result = {0};
    struct fields f = {object, 0, err};
    read_head(&f, &result);
    if (f.rc == 0 && mf_json_type(mf_json_member(object, "mode")) != MF_JSON_ABSENT) {
        read_figures(&f, &result);
    }
    if (f.rc < 0) {
        mf__bench_result_free(&result);
        return f.rc;
    }
    *ret_result = result;
    return 0;
}

/* ---- the run ---- */

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct bench_pair *)a)->key, ((const struct bench_pair *)b)->key);
}

static void read_environment(struct fields *f, struct bench_environment *environment)
{
    struct fields inner = inside(f, "environment");
    const char *fingerprint = text_of(&inner, "fingerprint");
    if (inner.rc == 0 && strlen(fingerprint) >= sizeof environment->fingerprint) {
        inner.rc = mf_fail(f->err, MF_EVALUE, "the fingerprint is too long");
    }
    snprintf(environment->fingerprint, sizeof environment->fingerprint, "%s", fingerprint);
    const size_t count = inner.rc == 0 ? mf_json_len(inner.object) : 0;
    environment->pairs = mf_calloc(count + 1, sizeof *environment->pairs);
    if (inner.rc == 0 && environment->pairs == NULL) {
        inner.rc = mf_fail_os(f->err, -ENOMEM, "cannot read the environment");
    }
    void *cursor = NULL;
    struct mf_json_node member;
    while (inner.rc == 0 && mf_json_next(inner.object, &cursor, &member)) {
        const char *text = "";
        inner.rc = mf_json_as_string(member, &text, f->err);
        if (inner.rc < 0 || strcmp(member.key, "fingerprint") == 0) {
            continue;
        }
        struct bench_pair *pair = &environment->pairs[environment->pair_count++];
        pair->key = mf_strdup(member.key);
        pair->value = mf_strdup(text);
        if (pair->key == NULL || pair->value == NULL) {
            inner.rc = mf_fail_os(f->err, -ENOMEM, "cannot read the environment");
        }
    }
    if (inner.rc == 0) {
        qsort(environment->pairs, environment->pair_count, sizeof *environment->pairs, by_key);
    }
    f->rc = inner.rc;
}

static void read_run(struct fields *f, struct bench_run *run)
{
    int64_t version = 0;
    f->rc = mf_json_get_int(f->object, "schema_version", &version, f->err);
    if (f->rc == 0 && version != BENCH_SCHEMA_VERSION) {
        f->rc = mf_fail(f->err, MF_EVERSION,
                        "its schema_version is %lld; this program reads version %d",
                        (long long)version, BENCH_SCHEMA_VERSION);
    }
    const char *started = text_of(f, "started");
    f->rc = f->rc < 0 ? f->rc : mf_parse_rfc3339(started, &run->started_wall_ns, f->err);
    run->commit = copy_of(f, "commit", 255);
    const char *seed = text_of(f, "seed");
    run->seed = strtoull(seed, NULL, 16);
    run->quick = bool_of(f, "quick");
    run->interrupted = bool_of(f, "interrupted");
    read_environment(f, &run->environment);
    const struct mf_json_node array = array_of(f, "benchmarks", 100000);
    const size_t count = f->rc == 0 ? mf_json_len(array) : 0;
    run->results = mf_calloc(count + 1, sizeof *run->results);
    if (f->rc == 0 && run->results == NULL) {
        f->rc = mf_fail_os(f->err, -ENOMEM, "cannot read %zu benchmarks", count);
    }
    for (size_t i = 0; i < count && f->rc == 0; i++) {
        f->rc = mf__result_json_read(mf_json_element(array, i), &run->results[i], f->err);
        if (f->rc == 0) {
            memcpy(run->results[i].fingerprint, run->environment.fingerprint,
                   sizeof run->environment.fingerprint);
            run->result_count++;
        }
    }
}

int mf__run_json_read(const char *text, size_t len, const char *origin, struct bench_run *ret_run,
                      struct mf_errinfo *err)
{
    static const struct mf_json_limits limits = {.len_max_bytes = RUN_JSON_LEN_MAX};
    struct mf_json_document *document = NULL;
    int rc = mf_json_parse(text, len, &limits, origin, &document, err);
    if (rc < 0) {
        return rc;
    }
    struct bench_run run = {0};
    struct mf_errinfo why = {0};
    struct fields f = {mf_json_root(document), 0, &why};
    read_run(&f, &run);
    mf_json_free(document);
    if (f.rc < 0) {
        mf__bench_run_free(&run);
        /* Messages of the JSON reader name the file already. */
        const bool named = strncmp(why.msg, origin, strlen(origin)) == 0;
        return mf_fail(err, f.rc, named ? "%.0s%s" : "%.100s: %s", origin, why.msg);
    }
    *ret_run = run;
    return 0;
}
