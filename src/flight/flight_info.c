/* SPDX-License-Identifier: Apache-2.0
 * flight_info.c -- reads flight.json (docs/formats.md) and tells whether the recorder lives.
 *
 * The file is replaced whole, so one read sees one version of it. "running" is believed only while
 * somebody holds recorder.lock. The recorder writes its last version before it lets go of the lock:
 * a reader that finds the lock free therefore reads the file again before it says "dead".
 */
#include <mayfly/flight.h>

#include "flight_names.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define FILE_LEN_MAX (8u << 20) /* a command line is at most 2 MiB; escaped thrice that */

/* ---- members, of a type that is asked for or not there ---- */

static int copy_text(const json_t *object, const char *key, char **ret_text)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL) {
        return 0;
    }
    *ret_text = mf_strdup(text);
    return *ret_text != NULL ? 0 : -ENOMEM;
}

static void copy_fixed(const json_t *object, const char *key, char *out, size_t capacity)
{
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(out, capacity, "%s", text != NULL ? text : "");
}

static int64_t read_int(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

static uint64_t read_count(const json_t *object, const char *key, uint64_t fallback)
{
    const int64_t value = read_int(object, key, -1);
    return value >= 0 ? (uint64_t)value : fallback;
}

static void free_texts(char **texts)
{
    for (char **text = texts; text != NULL && *text != NULL; text++) {
        mf_free(*text);
    }
    mf_free(texts);
}

/* The strings of an array; a list that is not there is an empty one. */
static int copy_texts(const json_t *object, const char *key, char ***ret_texts)
{
    const json_t *array = json_object_get(object, key);
    const size_t count = json_array_size(array);
    char **texts = mf_calloc(count + 1, sizeof *texts);
    if (texts == NULL) {
        return -ENOMEM;
    }
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (text != NULL && (texts[used++] = mf_strdup(text)) == NULL) {
            free_texts(texts);
            return -ENOMEM;
        }
    }
    *ret_texts = texts;
    return 0;
}

/* {"NAME": "value"} as "NAME=value". */
static int copy_env(json_t *env, char ***ret_texts)
{
    char **texts = mf_calloc(json_object_size(env) + 1, sizeof *texts);
    if (texts == NULL) {
        return -ENOMEM;
    }
    size_t used = 0;
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)env, name, value)
    {
        if (!json_is_string(value)) {
            continue;
        }
        texts[used] = mf_asprintf("%s=%s", name, json_string_value(value));
        if (texts[used++] == NULL) {
            free_texts(texts);
            return -ENOMEM;
        }
    }
    *ret_texts = texts;
    return 0;
}

/* ---- the file ---- */

static void read_totals(const json_t *totals, struct mf_flight_totals *out)
{
    const struct {
        const char *key;
        uint64_t *value;
        uint64_t absent;
    } members[] = {
        {"cpu_user_ns", &out->cpu_user_ns, MF_FLIGHT_UNKNOWN},
        {"cpu_system_ns", &out->cpu_system_ns, MF_FLIGHT_UNKNOWN},
        {"memory_peak_bytes", &out->memory_peak_bytes, MF_FLIGHT_UNKNOWN},
        {"rss_peak_bytes", &out->rss_peak_bytes, MF_FLIGHT_UNKNOWN},
        {"read_bytes", &out->read_bytes, MF_FLIGHT_UNKNOWN},
        {"write_bytes", &out->write_bytes, MF_FLIGHT_UNKNOWN},
        {"read_chars", &out->read_chars, MF_FLIGHT_UNKNOWN},
        {"write_chars", &out->write_chars, MF_FLIGHT_UNKNOWN},
        {"faults_minor", &out->faults_minor, MF_FLIGHT_UNKNOWN},
        {"faults_major", &out->faults_major, MF_FLIGHT_UNKNOWN},
        {"switches_voluntary", &out->switches_voluntary, MF_FLIGHT_UNKNOWN},
        {"switches_involuntary", &out->switches_involuntary, MF_FLIGHT_UNKNOWN},
        {"processes", &out->processes, MF_FLIGHT_UNKNOWN},
        {"processes_peak", &out->processes_peak, MF_FLIGHT_UNKNOWN},
        {"threads_peak", &out->threads_peak, MF_FLIGHT_UNKNOWN},
        {"processes_left", &out->processes_left, 0},
        {"events", &out->events, 0},
        {"user_events", &out->user_events, 0},
        {"bad_events", &out->bad_events, 0},
        {"lost_events", &out->lost_events, 0},
        {"oom_kills", &out->oom_kills, 0},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(members); i++) {
        *members[i].value = read_count(totals, members[i].key, members[i].absent);
    }
    const json_t *output = json_object_get(totals, "output");
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        const json_t *stream = json_object_get(output, mf_flight_stream_name(i));
        out->output[i] = (struct mf_flight_stream_totals){
            .bytes = read_count(stream, "bytes", 0),
            .lines = read_count(stream, "lines", 0),
            .lost_bytes = read_count(stream, "lost_bytes", 0),
        };
    }
}

static int read_start(const json_t *root, struct mf_flight_info *info)
{
    const json_t *host = json_object_get(root, "host");
    const json_t *trace = json_object_get(root, "trace");
    copy_fixed(root, "id", info->id, sizeof info->id);
    copy_fixed(trace, "trace_id", info->trace_id, sizeof info->trace_id);
    copy_fixed(trace, "span_id", info->span_id, sizeof info->span_id);
    copy_fixed(trace, "parent_span_id", info->parent_span_id, sizeof info->parent_span_id);
    info->host_cpus = read_count(host, "cpus", 0);
    info->host_memory_bytes = read_count(host, "memory_bytes", 0);
    info->started_wall_ns = read_int(root, "started_wall_ns", 0);
    info->started_monotonic_ns = read_int(root, "started_monotonic_ns", 0);
    info->interval_ns = read_int(root, "interval_ns", 0);
    info->recorder_pid = read_int(json_object_get(root, "recorder"), "pid", 0);
    info->terminal = json_is_true(json_object_get(root, "terminal"));
    const char *rung = json_string_value(json_object_get(root, "rung"));
    const int index = rung != NULL ? mf__flight_rung_of(rung) : -1;
    info->rung = index >= 0 ? (enum mf_flight_rung)index : MF_RUNG_PROC;

    int rc = 0;
    MF_KEEP_FIRST(rc, copy_text(root, "name", &info->name));
    MF_KEEP_FIRST(rc, copy_text(root, "cwd", &info->cwd));
    MF_KEEP_FIRST(rc, copy_text(host, "name", &info->host));
    MF_KEEP_FIRST(rc, copy_text(host, "kernel", &info->kernel));
    MF_KEEP_FIRST(rc, copy_text(host, "boot_id", &info->boot_id));
    MF_KEEP_FIRST(rc, copy_texts(root, "tags", &info->tags));
    MF_KEEP_FIRST(rc, copy_texts(root, "command", &info->command));
    MF_KEEP_FIRST(rc, copy_texts(root, "facilities", &info->facilities));
    MF_KEEP_FIRST(rc, copy_texts(root, "blind", &info->blind));
    MF_KEEP_FIRST(rc, copy_env(json_object_get(root, "env"), &info->env));
    if (rc == 0 && info->name == NULL) {
        info->name = mf_strdup("");
        rc = info->name != NULL ? 0 : -ENOMEM;
    }
    return rc;
}

static int read_end(const json_t *root, struct mf_flight_info *info)
{
    const json_t *outcome = json_object_get(root, "outcome");
    const json_t *largest = json_object_get(root, "largest");
    const json_t *busiest = json_object_get(root, "busiest");
    const char *kind = json_string_value(json_object_get(outcome, "kind"));
    const int index = kind != NULL ? mf__flight_outcome_of(kind) : -1;
    info->outcome = index >= 0 ? (enum mf_flight_outcome)index : MF_OUTCOME_NONE;
    info->duration_ns = read_int(root, "duration_ns", 0);
    info->exit_code = (int)read_int(outcome, "exit_code", 0);
    info->signal = (int)read_int(outcome, "signal", 0);
    info->core_dumped = json_is_true(json_object_get(outcome, "core_dumped"));
    info->success = info->outcome == MF_OUTCOME_EXITED && info->exit_code == 0;
    info->largest_rss_bytes = read_count(largest, "rss_bytes", 0);
    info->busiest_cpu_ns = read_count(busiest, "cpu_ns", 0);
    read_totals(json_object_get(root, "totals"), &info->totals);
    int rc = 0;
    MF_KEEP_FIRST(rc, copy_text(outcome, "reason", &info->reason));
    MF_KEEP_FIRST(rc, copy_texts(outcome, "evidence", &info->evidence));
    MF_KEEP_FIRST(rc, copy_text(root, "memory_peak_source", &info->memory_peak_source));
    MF_KEEP_FIRST(rc, copy_text(largest, "comm", &info->largest_comm));
    MF_KEEP_FIRST(rc, copy_text(busiest, "comm", &info->busiest_comm));
    return rc;
}

/* The root object of a flight.json of this format, with a known state in *ret_state. */
static int parse(const char *path, const char *bytes, size_t len, json_t **ret_root,
                 enum mf_flight_state *ret_state, struct mf_errinfo *err)
{
    json_error_t where;
    json_t *root = json_loadb(bytes, len, 0, &where);
    if (root == NULL) {
        return mf_fail(err, MF_ECORRUPT, "%.200s is damaged: line %d: %.100s", path, where.line,
                       where.text);
    }
    const int64_t format = read_int(root, "format", 0);
    const char *state = json_string_value(json_object_get(root, "state"));
    const int index = state != NULL ? mf__flight_state_of(state) : -1;
    int rc = 0;
    if (format < 1) {
        rc = mf_fail(err, MF_EFORMAT, "%.200s is not the description of a flight", path);
    } else if (format > MF_FLIGHT_FORMAT) {
        rc = mf_fail(err, MF_EVERSION, "%.200s has the format %lld; this build knows %d", path,
                     (long long)format, MF_FLIGHT_FORMAT);
    } else if (index < 0 || index == MF_FLIGHT_DEAD ||
               !json_is_string(json_object_get(root, "id"))) {
        rc = mf_fail(err, MF_EFORMAT, "%.200s does not say its id and a known state", path);
    }
    if (rc < 0) {
        json_decref(root);
        return rc;
    }
    *ret_root = root;
    *ret_state = (enum mf_flight_state)index;
    return 0;
}

static int load(const char *dir, json_t **ret_root, enum mf_flight_state *ret_state,
                struct mf_errinfo *err)
{
    char *bytes = NULL;
    size_t len = 0;
    char *path = mf_asprintf("%s/flight.json", dir);
    if (path == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    int rc = mf_fs_read_all(NULL, path, FILE_LEN_MAX, &bytes, &len, err);
    if (rc == 0) {
        rc = parse(path, bytes, len, ret_root, ret_state, err);
    }
    mf_free(bytes);
    mf_free(path);
    return rc;
}

/* Whether somebody holds the lock of the recorder: 1, 0 (also without the file), or a code. */
static int recorder_lives(const char *dir, struct mf_errinfo *err)
{
    char *path = mf_asprintf("%s/recorder.lock", dir);
    if (path == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    struct mf_file *file = NULL;
    int rc = mf_file_open(NULL, path, MF_OPEN_READ | MF_OPEN_NOFOLLOW, &file, err);
    if (rc == 0) {
        rc = mf_file_is_locked(file, err);
        mf_file_close(file);
    } else if (rc == -ENOENT) {
        rc = 0;
    }
    mf_free(path);
    return rc;
}

static int load_with_life(const char *dir, json_t **ret_root, enum mf_flight_state *ret_state,
                          struct mf_errinfo *err)
{
    for (int round = 0;; round++) {
        json_t *root = NULL;
        enum mf_flight_state state = MF_FLIGHT_RUNNING;
        int rc = load(dir, &root, &state, err);
        if (rc < 0) {
            return rc;
        }
        if (state == MF_FLIGHT_RUNNING) {
            rc = recorder_lives(dir, err);
            if (rc <= 0 && round == 0) {
                json_decref(root); /* it may have ended between the two looks */
                if (rc < 0) {
                    return rc;
                }
                continue;
            }
            if (rc < 0) {
                json_decref(root);
                return rc;
            }
            state = rc == 0 ? MF_FLIGHT_DEAD : MF_FLIGHT_RUNNING;
        }
        *ret_root = root;
        *ret_state = state;
        return 0;
    }
}

/* Of a flight that is recorded now. Its recorder runs on this boot, so the monotonic clock is the
 * same, unless the recorder lives in a time namespace of its own. */
static int64_t time_so_far(const struct mf_flight_info *info)
{
    const int64_t monotonic = mf_clock_monotonic_ns(NULL) - info->started_monotonic_ns;
    const int64_t wall = mf_clock_wall_ns(NULL) - info->started_wall_ns;
    return info->started_monotonic_ns > 0 && monotonic >= 0 ? monotonic : wall > 0 ? wall : 0;
}

int mf_flight_info_read(const char *dir, struct mf_flight_info **ret_info, struct mf_errinfo *err)
{
    json_t *root = NULL;
    enum mf_flight_state state = MF_FLIGHT_RUNNING;
    int rc = load_with_life(dir, &root, &state, err);
    if (rc < 0) {
        return rc;
    }
    struct mf_flight_info *info = mf_calloc(1, sizeof *info);
    rc = -ENOMEM;
    if (info != NULL) {
        info->state = state;
        info->dir = mf_strdup(dir);
        rc = info->dir != NULL ? read_start(root, info) : -ENOMEM;
        if (rc == 0 && (state == MF_FLIGHT_ENDED || state == MF_FLIGHT_RECOVERED)) {
            rc = read_end(root, info);
        } else if (rc == 0) {
            info->duration_ns = state == MF_FLIGHT_RUNNING ? time_so_far(info) : -1;
        }
    }
    json_decref(root);
    if (rc < 0) {
        mf_flight_info_free(info);
        return mf_fail(err, rc, "out of memory");
    }
    *ret_info = info;
    return 0;
}

void mf_flight_info_free(struct mf_flight_info *info)
{
    if (info == NULL) {
        return;
    }
    mf_free(info->dir);
    mf_free(info->name);
    free_texts(info->tags);
    free_texts(info->command);
    mf_free(info->cwd);
    free_texts(info->env);
    mf_free(info->host);
    mf_free(info->kernel);
    mf_free(info->boot_id);
    free_texts(info->facilities);
    free_texts(info->blind);
    mf_free(info->reason);
    free_texts(info->evidence);
    mf_free(info->memory_peak_source);
    mf_free(info->largest_comm);
    mf_free(info->busiest_comm);
    mf_free(info);
}
