/* SPDX-License-Identifier: Apache-2.0
 * process_json.c -- see process_json.h. */
#include "process_json.h"
#include "measure.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/hdr.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const mode_names[] = {
    [MF_BENCH_AUTO] = "auto",
    [MF_BENCH_LINEAR] = "linear",
    [MF_BENCH_FLAT] = "flat",
    [MF_BENCH_LATENCY] = "latency",
};

const char *mf__mode_name(enum mf_bench_mode mode)
{
    return (size_t)mode < MF_ARRAY_LEN(mode_names) ? mode_names[mode] : "auto";
}

int mf__mode_parse(const char *name, enum mf_bench_mode *ret_mode, struct mf_errinfo *err)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(mode_names); i++) {
        if (strcmp(mode_names[i], name) == 0) {
            *ret_mode = (enum mf_bench_mode)i;
            return 0;
        }
    }
    return mf_fail(err, MF_EVALUE, "'%.60s' is none of the modes auto, linear, flat, latency",
                   name);
}

/* ---- writing ---- */

void mf__hdr_json_write(struct mf_json *json, const struct mf_hdr *hdr)
{
    mf_json_begin_object(json);
    mf_json_key_uint(json, "count", hdr->count);
    mf_json_key_uint(json, "min_ns", hdr->min);
    mf_json_key_uint(json, "max_ns", hdr->max);
    mf_json_key_double(json, "sum_ns", hdr->sum);
    mf_json_key(json, "buckets");
    mf_json_begin_array(json);
    for (size_t i = 0; i < MF_HDR_BUCKETS; i++) {
        if (hdr->buckets[i] != 0) {
            mf_json_uint(json, i);
            mf_json_uint(json, hdr->buckets[i]);
        }
    }
    mf_json_end_array(json);
    mf_json_end_object(json);
}

void mf__named_json_write(struct mf_json *json, const struct bench_named *named, size_t count)
{
    mf_json_begin_object(json);
    for (size_t i = 0; i < count; i++) {
        mf_json_key_double(json, named[i].name, named[i].value);
    }
    mf_json_end_object(json);
}

static void write_samples(struct mf_json *json, const struct bench_process *process)
{
    mf_json_key(json, "samples");
    mf_json_begin_object(json);
    mf_json_key(json, "iterations");
    mf_json_begin_array(json);
    for (size_t i = 0; i < process->sample_count; i++) {
        mf_json_uint(json, process->samples[i].iterations);
    }
    mf_json_end_array(json);
    mf_json_key(json, "times_ns");
    mf_json_begin_array(json);
    for (size_t i = 0; i < process->sample_count; i++) {
        mf_json_double(json, process->samples[i].time_ns);
    }
    mf_json_end_array(json);
    mf_json_end_object(json);
}

void mf__process_json_write(struct mf_json *json, const struct bench_process *process)
{
    const char binary[2] = {process->binary, '\0'};
    mf_json_begin_object(json);
    mf_json_key_uint(json, "index", process->index);
    mf_json_key_string(json, "binary", binary);
    mf_json_key_string(json, "mode", mf__mode_name(process->mode));
    mf_json_key_bool(json, "paired", process->paired);
    mf_json_key_double(json, "timer_cost_ns", process->timer_cost_ns);
    write_samples(json, process);
    if (process->latency != NULL) {
        mf_json_key(json, "latency");
        mf__hdr_json_write(json, process->latency);
    }
    if (process->service != NULL) {
        mf_json_key(json, "service");
        mf__hdr_json_write(json, process->service);
    }
    mf_json_key(json, "resources");
    mf__named_json_write(json, process->resources, process->resource_count);
    mf_json_key(json, "counters");
    mf__named_json_write(json, process->counters, process->counter_count);
    mf_json_key_double(json, "steal_fraction", process->steal_fraction);
    mf_json_key_double(json, "load_average", process->load_average);
    mf_json_end_object(json);
}

/* ---- reading ---- */

static int read_buckets(struct mf_json_node array, struct mf_hdr *hdr, struct mf_errinfo *err)
{
    const size_t len = mf_json_len(array);
    uint64_t total = 0;
    uint64_t next = 0; /* indices rise */
    for (size_t i = 0; i < len; i += 2) {
        uint64_t index = 0;
        uint64_t count = 0;
        int rc = mf_json_as_uint(mf_json_element(array, i), &index, err);
        if (rc == 0) {
            rc = mf_json_as_uint(mf_json_element(array, i + 1), &count, err);
        }
        if (rc < 0) {
            return rc;
        }
        if (index >= MF_HDR_BUCKETS || index < next || count == 0 || total + count < total) {
            return mf_fail(err, MF_EVALUE, "a histogram has the bucket %llu with the count %llu",
                           (unsigned long long)index, (unsigned long long)count);
        }
        hdr->buckets[index] = count;
        total += count;
        next = index + 1;
    }
    if (total != hdr->count || total == 0 || hdr->min > hdr->max || !(hdr->sum >= 0) ||
        mf_hdr_index(hdr->max) + 1 != next) {
        return mf_fail(err, MF_EVALUE, "a histogram does not add up: count %llu, buckets %llu",
                       (unsigned long long)hdr->count, (unsigned long long)total);
    }
    return 0;
}

int mf__hdr_json_read(struct mf_json_node object, struct mf_hdr **ret_hdr, struct mf_errinfo *err)
{
    struct mf_hdr *hdr = mf_hdr_new();
    if (hdr == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot read a histogram");
    }
    struct mf_json_node buckets = {0};
    int rc = mf_json_get_uint(object, "count", &hdr->count, err);
    if (rc == 0) {
        rc = mf_json_get_uint(object, "min_ns", &hdr->min, err);
    }
    if (rc == 0) {
        rc = mf_json_get_uint(object, "max_ns", &hdr->max, err);
    }
    if (rc == 0) {
        rc = mf_json_get_double(object, "sum_ns", &hdr->sum, err);
    }
    if (rc == 0) {
        rc = mf_json_get_array(object, "buckets", &buckets, err);
    }
    if (rc == 0) {
        rc = read_buckets(buckets, hdr, err);
    }
    if (rc < 0) {
        mf_free(hdr);
        return rc;
    }
    *ret_hdr = hdr;
    return 0;
}

int mf__named_json_read(struct mf_json_node object, size_t max, struct bench_named *ret_named,
                        size_t *ret_count, struct mf_errinfo *err)
{
    size_t count = 0;
    void *cursor = NULL;
    struct mf_json_node member;
    while (mf_json_next(object, &cursor, &member)) {
        if (count == max || strlen(member.key) >= sizeof ret_named->name || member.key[0] == '\0') {
            return mf_fail(err, MF_ELIMIT,
                           "the figure '%.60s' is one too many, or its name too long", member.key);
        }
        const int rc = mf_json_as_double(member, &ret_named[count].value, err);
        if (rc < 0) {
            return rc;
        }
        snprintf(ret_named[count].name, sizeof ret_named->name, "%s", member.key);
        count++;
    }
    *ret_count = count;
    return 0;
}

static int read_samples(struct mf_json_node object, struct bench_process *process,
                        struct mf_errinfo *err)
{
    struct mf_json_node samples;
    struct mf_json_node iterations;
    struct mf_json_node times;
    int rc = mf_json_get_object(object, "samples", &samples, err);
    if (rc == 0) {
        rc = mf_json_get_array(samples, "iterations", &iterations, err);
    }
    if (rc == 0) {
        rc = mf_json_get_array(samples, "times_ns", &times, err);
    }
    if (rc < 0) {
        return rc;
    }
    const size_t count = mf_json_len(iterations);
    if (mf_json_len(times) != count) {
        return mf_fail(err, MF_EVALUE, "%zu samples have iterations and %zu have times", count,
                       mf_json_len(times));
    }
    process->samples = mf_calloc(count + 1, sizeof *process->samples);
    if (process->samples == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot read %zu samples", count);
    }
    process->sample_count = count;
    for (size_t i = 0; i < count; i++) {
        struct bench_sample *sample = &process->samples[i];
        rc = mf_json_as_uint(mf_json_element(iterations, i), &sample->iterations, err);
        if (rc == 0) {
            rc = mf_json_as_double(mf_json_element(times, i), &sample->time_ns, err);
        }
        if (rc == 0 && (sample->iterations == 0 || !(sample->time_ns > 0))) {
            rc = mf_fail(err, MF_EVALUE, "sample %zu has %llu iterations in %g ns", i,
                         (unsigned long long)sample->iterations, sample->time_ns);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int read_histogram(struct mf_json_node object, const char *key, struct mf_hdr **ret_hdr,
                          struct mf_errinfo *err)
{
    const struct mf_json_node node = mf_json_member(object, key);
    return mf_json_type(node) == MF_JSON_ABSENT ? 0 : mf__hdr_json_read(node, ret_hdr, err);
}

static int read_head(struct mf_json_node object, struct bench_process *process,
                     struct mf_errinfo *err)
{
    uint64_t index = 0;
    const char *binary = "";
    const char *mode = "";
    int rc = mf_json_get_uint(object, "index", &index, err);
    if (rc == 0) {
        rc = mf_json_get_string(object, "binary", &binary, err);
    }
    if (rc == 0) {
        rc = mf_json_get_string(object, "mode", &mode, err);
    }
    if (rc == 0) {
        rc = mf__mode_parse(mode, &process->mode, err);
    }
    if (rc == 0) {
        rc = mf_json_get_bool(object, "paired", &process->paired, err);
    }
    if (rc == 0) {
        rc = mf_json_get_double(object, "timer_cost_ns", &process->timer_cost_ns, err);
    }
    if (rc == 0) {
        rc = mf_json_get_double_or(object, "steal_fraction", NAN, &process->steal_fraction, err);
    }
    if (rc == 0) {
        rc = mf_json_get_double_or(object, "load_average", NAN, &process->load_average, err);
    }
    if (rc == 0 && (index > UINT32_MAX || (strcmp(binary, "A") != 0 && strcmp(binary, "B") != 0))) {
        rc = mf_fail(err, MF_EVALUE, "a process has the index %llu and the binary '%.20s'",
                     (unsigned long long)index, binary);
    }
    process->index = (uint32_t)index;
    process->binary = binary[0];
    return rc;
}

int mf__process_json_read(struct mf_json_node object, struct bench_process *ret_process,
                          struct mf_errinfo *err)
{
    struct bench_process process = {0};
    struct mf_json_node resources;
    struct mf_json_node counters;
    int rc = read_head(object, &process, err);
    if (rc == 0) {
        rc = read_samples(object, &process, err);
    }
    if (rc == 0) {
        rc = read_histogram(object, "latency", &process.latency, err);
    }
    if (rc == 0) {
        rc = read_histogram(object, "service", &process.service, err);
    }
    if (rc == 0) {
        rc = mf_json_get_object(object, "resources", &resources, err);
    }
    if (rc == 0) {
        rc = mf__named_json_read(resources, BENCH_RESOURCES_MAX, process.resources,
                                 &process.resource_count, err);
    }
    if (rc == 0) {
        rc = mf_json_get_object(object, "counters", &counters, err);
    }
    if (rc == 0) {
        rc = mf__named_json_read(counters, BENCH_COUNTERS_MAX, process.counters,
                                 &process.counter_count, err);
    }
    if (rc < 0) {
        mf__process_free(&process);
        return rc;
    }
    *ret_process = process;
    return 0;
}
