/* SPDX-License-Identifier: Apache-2.0
 * child_protocol.c -- see child_protocol.h. */
#include "child_protocol.h"
#include "process_json.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const action_names[] = {
    [BENCH_ACTION_LIST] = "list",
    [BENCH_ACTION_MEASURE] = "measure",
    [BENCH_ACTION_STRESS] = "stress",
};
static const char *const status_names[] = {
    [BENCH_OK] = "ok",
    [BENCH_FAILED] = "failed",
    [BENCH_SKIPPED] = "skipped",
};

static int index_of(const char *const *names, size_t count, const char *name, const char *what,
                    struct mf_errinfo *err)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return mf_fail(err, MF_EVALUE, "unknown %s '%.60s'", what, name);
}

static int check_version(struct mf_json_node root, const char *origin, struct mf_errinfo *err)
{
    int64_t version = 0;
    const int rc = mf_json_get_int(root, "protocol", &version, err);
    if (rc == 0 && version != BENCH_CHILD_VERSION) {
        return mf_fail(err, MF_EVERSION,
                       "%s was built with version %lld of the laboratory's protocol, this program "
                       "with %d; build both with the same library",
                       origin, (long long)version, BENCH_CHILD_VERSION);
    }
    return rc;
}

/* ---- requests ---- */

void mf__request_write(struct mf_buffer *out, const struct bench_request *request)
{
    const struct bench_plan *plan = &request->plan;
    char seed[24];
    snprintf(seed, sizeof seed, "0x%" PRIx64, plan->seed);
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_COMPACT);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "protocol", BENCH_CHILD_VERSION);
    mf_json_key_string(&json, "action", action_names[request->action]);
    mf_json_key_string(&json, "benchmark", request->benchmark);
    mf_json_key_string(&json, "mode", mf__mode_name(plan->mode));
    mf_json_key_int(&json, "param", plan->param);
    mf_json_key_int(&json, "threads", plan->threads);
    mf_json_key_double(&json, "warm_up_seconds", plan->warm_up_seconds);
    mf_json_key_double(&json, "measurement_seconds", plan->measurement_seconds);
    mf_json_key_uint(&json, "warm_up_iterations", plan->warm_up_iterations);
    mf_json_key_uint(&json, "operations", plan->operations);
    mf_json_key_uint(&json, "samples", plan->samples);
    mf_json_key_double(&json, "rate_per_second", plan->rate_per_second);
    mf_json_key_bool(&json, "poisson", plan->poisson);
    mf_json_key_string(&json, "seed", seed);
    mf_json_key_uint(&json, "process", plan->process_index);
    mf_json_key_bool(&json, "test", plan->test);
    mf_json_key_uint(&json, "test_iterations", plan->test_iterations);
    mf_json_key_bool(&json, "track_allocations", plan->track_allocations);
    mf_json_key_bool(&json, "in_turns", plan->in_turns);
    mf_json_key_bool(&json, "first_turn", plan->first_turn);
    mf_json_key_int(&json, "cpu", request->cpu);
    mf_json_key_string(&json, "profile", request->profile);
    mf_json_key_string(&json, "profile_output", request->profile_output);
    mf_json_key_uint(&json, "stress_memory_bytes", request->stress_memory_bytes);
    mf_json_key_int(&json, "stress_threads", request->stress_threads);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

/* Reads members one after the other and keeps the first error. */
struct members {
    struct mf_json_node object;
    int rc;
    struct mf_errinfo *err;
};

static double member_double(struct members *m, const char *key)
{
    double value = 0;
    m->rc = m->rc < 0 ? m->rc : mf_json_get_double(m->object, key, &value, m->err);
    return value;
}

static int64_t member_int(struct members *m, const char *key, int64_t min, int64_t max)
{
    int64_t value = min;
    m->rc = m->rc < 0 ? m->rc : mf_json_get_int(m->object, key, &value, m->err);
    if (m->rc == 0 && (value < min || value > max)) {
        m->rc = mf_fail(m->err, MF_EVALUE, "'%s' is %lld, not between %lld and %lld", key,
                        (long long)value, (long long)min, (long long)max);
    }
    return value;
}

static bool member_bool(struct members *m, const char *key)
{
    bool value = false;
    m->rc = m->rc < 0 ? m->rc : mf_json_get_bool(m->object, key, &value, m->err);
    return value;
}

static const char *member_string(struct members *m, const char *key)
{
    const char *text = "";
    m->rc = m->rc < 0 ? m->rc : mf_json_get_string(m->object, key, &text, m->err);
    return text;
}

static void member_text(struct members *m, const char *key, char *out, size_t capacity)
{
    const char *text = member_string(m, key);
    if (strlen(text) >= capacity) {
        m->rc = m->rc < 0 ? m->rc : mf_fail(m->err, MF_ELIMIT, "'%s' is too long", key);
    }
    snprintf(out, capacity, "%s", text);
}

static void read_plan(struct members *m, struct bench_plan *plan)
{
    const char *mode = member_string(m, "mode");
    if (m->rc == 0) {
        m->rc = mf__mode_parse(mode, &plan->mode, m->err);
    }
    plan->param = member_int(m, "param", INT64_MIN, INT64_MAX);
    plan->threads = (int)member_int(m, "threads", 1, 1024);
    plan->warm_up_seconds = member_double(m, "warm_up_seconds");
    plan->measurement_seconds = member_double(m, "measurement_seconds");
    plan->warm_up_iterations = (uint64_t)member_int(m, "warm_up_iterations", 0, INT64_MAX);
    plan->operations = (uint64_t)member_int(m, "operations", 0, INT64_MAX);
    plan->samples = (uint32_t)member_int(m, "samples", 1, 1000000);
    plan->rate_per_second = member_double(m, "rate_per_second");
    plan->poisson = member_bool(m, "poisson");
    plan->seed = strtoull(member_string(m, "seed"), NULL, 16);
    plan->process_index = (uint32_t)member_int(m, "process", 0, UINT32_MAX);
    plan->test = member_bool(m, "test");
    plan->test_iterations = (uint64_t)member_int(m, "test_iterations", 0, INT64_MAX);
    plan->track_allocations = member_bool(m, "track_allocations");
    plan->in_turns = member_bool(m, "in_turns");
    plan->first_turn = member_bool(m, "first_turn");
    if (m->rc == 0 && (!(plan->warm_up_seconds >= 0 && plan->warm_up_seconds <= 86400) ||
                       !(plan->measurement_seconds > 0 && plan->measurement_seconds <= 86400) ||
                       !(plan->rate_per_second >= 0 && plan->rate_per_second <= 1e9))) {
        m->rc = mf_fail(m->err, MF_EVALUE, "a time or a rate of the plan is out of range");
    }
}

int mf__request_read(const char *text, struct bench_request *ret_request, struct mf_errinfo *err)
{
    struct mf_json_document *document = NULL;
    int rc = mf_json_parse(text, strlen(text), NULL, "the request", &document, err);
    if (rc < 0) {
        return rc;
    }
    struct bench_request request = {.cpu = -1};
    struct members m = {mf_json_root(document), 0, err};
    m.rc = check_version(m.object, "the runner", err);
    const char *action = member_string(&m, "action");
    if (m.rc == 0) {
        const int index = index_of(action_names, MF_ARRAY_LEN(action_names), action, "action", err);
        m.rc = index < 0 ? index : 0;
        request.action = index < 0 ? BENCH_ACTION_LIST : (enum bench_action)index;
    }
    member_text(&m, "benchmark", request.benchmark, sizeof request.benchmark);
    read_plan(&m, &request.plan);
    request.cpu = (int)member_int(&m, "cpu", -1, 65535);
    member_text(&m, "profile", request.profile, sizeof request.profile);
    member_text(&m, "profile_output", request.profile_output, sizeof request.profile_output);
    request.stress_memory_bytes = (uint64_t)member_int(&m, "stress_memory_bytes", 0, INT64_MAX);
    request.stress_threads = (int)member_int(&m, "stress_threads", 0, 1024);
    mf_json_free(document);
    if (m.rc == 0) {
        *ret_request = request;
    }
    return m.rc;
}

/* ---- the list ---- */

static void write_entry(struct mf_json *json, const struct bench_entry *entry)
{
    const struct mf_bench_options *options = &entry->options;
    char base_name[BENCH_NAME_LEN];
    mf__base_name(entry, base_name, sizeof base_name);
    mf_json_begin_object(json);
    mf_json_key_string(json, "base_name", base_name);
    mf_json_key_string(json, "suite", entry->suite);
    mf_json_key_string(json, "group", options->group != NULL ? options->group : "");
    mf_json_key_string(json, "name", entry->name);
    mf_json_key_string(json, "mode", mf__mode_name(options->mode));
    mf_json_key_uint(json, "elements", options->elements);
    mf_json_key_uint(json, "bytes", options->bytes);
    mf_json_key_string(json, "param_name", options->param_name != NULL ? options->param_name : "n");
    mf_json_key(json, "params");
    mf_json_begin_array(json);
    for (size_t i = 0; i < options->param_count; i++) {
        mf_json_int(json, options->params[i]);
    }
    mf_json_end_array(json);
    mf_json_key(json, "threads");
    mf_json_begin_array(json);
    for (size_t i = 0; i < options->thread_count; i++) {
        mf_json_int(json, options->threads[i]);
    }
    mf_json_end_array(json);
    mf_json_key_double(json, "rate_per_second", options->rate_per_second);
    mf_json_key_bool(json, "poisson", options->poisson);
    mf_json_key_double(json, "measurement_seconds", options->measurement_seconds);
    mf_json_key_uint(json, "samples", options->samples);
    mf_json_key_string(json, "ratio_to", options->ratio_to != NULL ? options->ratio_to : "");
    mf_json_end_object(json);
}

void mf__listed_write(struct mf_buffer *out)
{
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_COMPACT);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "protocol", BENCH_CHILD_VERSION);
    mf_json_key(&json, "benchmarks");
    mf_json_begin_array(&json);
    for (size_t i = 0; i < mf__registry_count(); i++) {
        write_entry(&json, mf__registry_at(i));
    }
    mf_json_end_array(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

void mf__listed_free(struct bench_listed *listed, size_t count)
{
    for (size_t i = 0; listed != NULL && i < count; i++) {
        mf_free(listed[i].base_name);
        mf_free(listed[i].suite);
        mf_free(listed[i].group);
        mf_free(listed[i].name);
        mf_free(listed[i].param_name);
        mf_free(listed[i].ratio_to);
        mf_free(listed[i].params);
        mf_free(listed[i].threads);
    }
    mf_free(listed);
}

static char *member_copy(struct members *m, const char *key)
{
    const char *text = member_string(m, key);
    char *copy = m->rc == 0 ? mf_strdup(text) : NULL;
    if (m->rc == 0 && copy == NULL) {
        m->rc = mf_fail_os(m->err, -ENOMEM, "cannot read the list of benchmarks");
    }
    if (m->rc == 0 && strlen(copy) >= BENCH_NAME_LEN) {
        m->rc = mf_fail(m->err, MF_ELIMIT, "'%s' is too long", key);
    }
    return copy;
}

/* An array of whole numbers, as int64_t in new memory. */
static int64_t *member_numbers(struct members *m, const char *key, size_t *ret_count)
{
    struct mf_json_node array;
    m->rc = m->rc < 0 ? m->rc : mf_json_get_array(m->object, key, &array, m->err);
    if (m->rc < 0) {
        return NULL;
    }
    const size_t count = mf_json_len(array);
    int64_t *numbers = mf_calloc(count + 1, sizeof *numbers);
    if (numbers == NULL) {
        m->rc = mf_fail_os(m->err, -ENOMEM, "cannot read the list of benchmarks");
        return NULL;
    }
    for (size_t i = 0; i < count && m->rc == 0; i++) {
        m->rc = mf_json_as_int(mf_json_element(array, i), &numbers[i], m->err);
    }
    *ret_count = count;
    return numbers;
}

static int read_entry(struct mf_json_node object, struct bench_listed *listed,
                      struct mf_errinfo *err)
{
    struct members m = {object, 0, err};
    struct mf_bench_options *options = &listed->options;
    listed->base_name = member_copy(&m, "base_name");
    listed->suite = member_copy(&m, "suite");
    listed->group = member_copy(&m, "group");
    listed->name = member_copy(&m, "name");
    listed->param_name = member_copy(&m, "param_name");
    listed->ratio_to = member_copy(&m, "ratio_to");
    const char *mode = member_string(&m, "mode");
    m.rc = m.rc < 0 ? m.rc : mf__mode_parse(mode, &options->mode, err);
    options->elements = (uint64_t)member_int(&m, "elements", 0, INT64_MAX);
    options->bytes = (uint64_t)member_int(&m, "bytes", 0, INT64_MAX);
    listed->params = member_numbers(&m, "params", &options->param_count);
    int64_t *threads = member_numbers(&m, "threads", &options->thread_count);
    listed->threads = mf_calloc(options->thread_count + 1, sizeof *listed->threads);
    for (size_t i = 0; m.rc == 0 && listed->threads != NULL && i < options->thread_count; i++) {
        listed->threads[i] = threads[i] > 0 && threads[i] <= 1024 ? (int)threads[i] : 1;
    }
    mf_free(threads);
    options->rate_per_second = member_double(&m, "rate_per_second");
    options->poisson = member_bool(&m, "poisson");
    options->measurement_seconds = member_double(&m, "measurement_seconds");
    options->samples = (uint32_t)member_int(&m, "samples", 0, UINT32_MAX);
    if (m.rc == 0 && (listed->threads == NULL || strlen(listed->suite) >= BENCH_SUITE_LEN)) {
        m.rc = mf_fail(err, MF_ELIMIT, "the name of the suite '%.80s' is too long", listed->suite);
    }
    options->group = listed->group;
    options->param_name = listed->param_name;
    options->ratio_to = listed->ratio_to;
    options->params = listed->params;
    options->threads = listed->threads;
    return m.rc;
}

int mf__listed_read(const char *text, size_t len, const char *origin,
                    struct bench_listed **ret_listed, size_t *ret_count, struct mf_errinfo *err)
{
    struct mf_json_document *document = NULL;
    int rc = mf_json_parse(text, len, NULL, origin, &document, err);
    if (rc < 0) {
        return rc;
    }
    struct mf_json_node array = {0};
    rc = check_version(mf_json_root(document), origin, err);
    const char *message = NULL; /* instead of the list */
    if (rc == 0 && mf_json_get_string(mf_json_root(document), "message", &message, NULL) == 0) {
        rc = mf_fail(err, MF_EVALUE, "%s: %s", origin, message);
    }
    if (rc == 0) {
        rc = mf_json_get_array(mf_json_root(document), "benchmarks", &array, err);
    }
    const size_t count = rc == 0 ? mf_json_len(array) : 0;
    struct bench_listed *listed = mf_calloc(count + 1, sizeof *listed);
    if (rc == 0 && listed == NULL) {
        rc = mf_fail_os(err, -ENOMEM, "cannot list the benchmarks of %s", origin);
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = read_entry(mf_json_element(array, i), &listed[i], err);
    }
    mf_json_free(document);
    if (rc < 0) {
        mf__listed_free(listed, count);
        return rc;
    }
    *ret_listed = listed;
    *ret_count = count;
    return 0;
}

/* ---- what was measured ---- */

void mf__measured_write(struct mf_buffer *out, const struct bench_measured *measured)
{
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_COMPACT);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "protocol", BENCH_CHILD_VERSION);
    mf_json_key_string(&json, "status", status_names[measured->status]);
    mf_json_key_string(&json, "message", measured->message);
    mf_json_key_uint(&json, "elements", measured->elements);
    mf_json_key_uint(&json, "bytes", measured->bytes);
    mf_json_key_uint(&json, "iterations", measured->iterations);
    mf_json_key(&json, "process");
    mf__process_json_write(&json, &measured->process);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

int mf__measured_read(const char *text, size_t len, const char *origin,
                      struct bench_measured *ret_measured, struct mf_errinfo *err)
{
    struct mf_json_document *document = NULL;
    int rc = mf_json_parse(text, len, NULL, origin, &document, err);
    if (rc < 0) {
        return rc;
    }
    struct bench_measured measured = {0};
    struct members m = {mf_json_root(document), 0, err};
    m.rc = check_version(m.object, origin, err);
    const char *status = member_string(&m, "status");
    if (m.rc == 0) {
        const int index = index_of(status_names, MF_ARRAY_LEN(status_names), status, "status", err);
        m.rc = index < 0 ? index : 0;
        measured.status = index < 0 ? BENCH_FAILED : (enum bench_status)index;
    }
    member_text(&m, "message", measured.message, sizeof measured.message);
    measured.elements = (uint64_t)member_int(&m, "elements", 0, INT64_MAX);
    measured.bytes = (uint64_t)member_int(&m, "bytes", 0, INT64_MAX);
    measured.iterations = (uint64_t)member_int(&m, "iterations", 0, INT64_MAX);
    struct mf_json_node process;
    m.rc = m.rc < 0 ? m.rc : mf_json_get_object(m.object, "process", &process, err);
    m.rc = m.rc < 0 ? m.rc : mf__process_json_read(process, &measured.process, err);
    mf_json_free(document);
    if (m.rc == 0) {
        *ret_measured = measured;
    }
    return m.rc;
}
