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
#include "fmt/json_read.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FILE_LEN_MAX (8u << 20) /* a command line is at most 2 MiB; escaped thrice that */

/* ---- members; one that is not there, or of another type, is its fallback ---- */

static const char *read_text(struct mf_json_node object, const char *key)
{
    const char *text = NULL;
    return mf_json_get_string(object, key, &text, NULL) == 0 ? text : NULL;
}

static int64_t read_int(struct mf_json_node object, const char *key, int64_t fallback)
{
    int64_t value = 0;
    return mf_json_get_int(object, key, &value, NULL) == 0 ? value : fallback;
}

static uint64_t read_count(struct mf_json_node object, const char *key, uint64_t fallback)
{
    uint64_t value = 0;
    return mf_json_get_uint(object, key, &value, NULL) == 0 ? value : fallback;
}

static bool read_bool(struct mf_json_node object, const char *key)
{
    bool value = false;
    return mf_json_get_bool(object, key, &value, NULL) == 0 && value;
}

static int copy_text(struct mf_json_node object, const char *key, char **ret_text)
{
    const char *text = read_text(object, key);
    if (text == NULL) {
        return 0;
    }
    *ret_text = mf_strdup(text);
    return *ret_text != NULL ? 0 : -ENOMEM;
}

static void copy_fixed(struct mf_json_node object, const char *key, char *out, size_t capacity)
{
    const char *text = read_text(object, key);
    snprintf(out, capacity, "%s", text != NULL ? text : "");
}

static void free_texts(char **texts)
{
    for (char **text = texts; text != NULL && *text != NULL; text++) {
        mf_free(*text);
    }
    mf_free(texts);
}

/* The strings of an array; a list that is not there is an empty one. */
static int copy_texts(struct mf_json_node object, const char *key, char ***ret_texts)
{
    const struct mf_json_node array = mf_json_member(object, key);
    const size_t count = mf_json_type(array) == MF_JSON_ARRAY ? mf_json_len(array) : 0;
    char **texts = mf_calloc(count + 1, sizeof *texts);
    if (texts == NULL) {
        return -ENOMEM;
    }
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const char *text = NULL;
        if (mf_json_as_string(mf_json_element(array, i), &text, NULL) < 0) {
            continue;
        }
        texts[used] = mf_strdup(text);
        if (texts[used++] == NULL) {
            free_texts(texts);
            return -ENOMEM;
        }
    }
    *ret_texts = texts;
    return 0;
}

/* {"NAME": "value"} as "NAME=value". */
static int copy_env(struct mf_json_node env, char ***ret_texts)
{
    const size_t count = mf_json_type(env) == MF_JSON_OBJECT ? mf_json_len(env) : 0;
    char **texts = mf_calloc(count + 1, sizeof *texts);
    if (texts == NULL) {
        return -ENOMEM;
    }
    size_t used = 0;
    void *cursor = NULL;
    struct mf_json_node member;
    while (used < count && mf_json_next(env, &cursor, &member)) {
        const char *value = NULL;
        if (mf_json_as_string(member, &value, NULL) < 0) {
            continue;
        }
        texts[used] = mf_asprintf("%s=%s", member.key, value);
        if (texts[used++] == NULL) {
            free_texts(texts);
            return -ENOMEM;
        }
    }
    *ret_texts = texts;
    return 0;
}

/* ---- the file ---- */

static void read_totals(struct mf_json_node totals, struct mf_flight_totals *out)
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
    const struct mf_json_node output = mf_json_member(totals, "output");
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        const struct mf_json_node stream = mf_json_member(output, mf_flight_stream_name(i));
        out->output[i] = (struct mf_flight_stream_totals){
            .bytes = read_count(stream, "bytes", 0),
            .lines = read_count(stream, "lines", 0),
            .lost_bytes = read_count(stream, "lost_bytes", 0),
        };
    }
}

static int read_start(struct mf_json_node root, struct mf_flight_info *info)
{
    const struct mf_json_node host = mf_json_member(root, "host");
    const struct mf_json_node trace = mf_json_member(root, "trace");
    copy_fixed(root, "id", info->id, sizeof info->id);
    copy_fixed(trace, "trace_id", info->trace_id, sizeof info->trace_id);
    copy_fixed(trace, "span_id", info->span_id, sizeof info->span_id);
    copy_fixed(trace, "parent_span_id", info->parent_span_id, sizeof info->parent_span_id);
    info->host_cpus = read_count(host, "cpus", 0);
    info->host_memory_bytes = read_count(host, "memory_bytes", 0);
    info->started_wall_ns = read_int(root, "started_wall_ns", 0);
    info->started_monotonic_ns = read_int(root, "started_monotonic_ns", 0);
    info->interval_ns = read_int(root, "interval_ns", 0);
    info->recorder_pid = read_int(mf_json_member(root, "recorder"), "pid", 0);
    info->terminal = read_bool(root, "terminal");
    const char *rung = read_text(root, "rung");
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
    MF_KEEP_FIRST(rc, copy_env(mf_json_member(root, "env"), &info->env));
    if (rc == 0 && info->name == NULL) {
        info->name = mf_strdup("");
        rc = info->name != NULL ? 0 : -ENOMEM;
    }
    return rc;
}

static int read_end(struct mf_json_node root, struct mf_flight_info *info)
{
    const struct mf_json_node outcome = mf_json_member(root, "outcome");
    const struct mf_json_node largest = mf_json_member(root, "largest");
    const struct mf_json_node busiest = mf_json_member(root, "busiest");
    const char *kind = read_text(outcome, "kind");
    const int index = kind != NULL ? mf__flight_outcome_of(kind) : -1;
    info->outcome = index >= 0 ? (enum mf_flight_outcome)index : MF_OUTCOME_NONE;
    info->duration_ns = read_int(root, "duration_ns", 0);
    info->exit_code = (int)read_int(outcome, "exit_code", 0);
    info->signal = (int)read_int(outcome, "signal", 0);
    info->core_dumped = read_bool(outcome, "core_dumped");
    info->success = info->outcome == MF_OUTCOME_EXITED && info->exit_code == 0;
    info->largest_rss_bytes = read_count(largest, "rss_bytes", 0);
    info->busiest_cpu_ns = read_count(busiest, "cpu_ns", 0);
    read_totals(mf_json_member(root, "totals"), &info->totals);
    int rc = 0;
    MF_KEEP_FIRST(rc, copy_text(outcome, "reason", &info->reason));
    MF_KEEP_FIRST(rc, copy_texts(outcome, "evidence", &info->evidence));
    MF_KEEP_FIRST(rc, copy_text(root, "memory_peak_source", &info->memory_peak_source));
    MF_KEEP_FIRST(rc, copy_text(largest, "comm", &info->largest_comm));
    MF_KEEP_FIRST(rc, copy_text(busiest, "comm", &info->busiest_comm));
    return rc;
}

/* Checks that it is a flight.json of this format, and reads the state. */
static int check(const char *path, struct mf_json_node root, enum mf_flight_state *ret_state,
                 struct mf_errinfo *err)
{
    const int64_t format = read_int(root, "format", 0);
    const char *state = read_text(root, "state");
    const int index = state != NULL ? mf__flight_state_of(state) : -1;
    if (format < 1) {
        return mf_fail(err, MF_EFORMAT, "%.200s is not the description of a flight", path);
    }
    if (format > MF_FLIGHT_FORMAT) {
        return mf_fail(err, MF_EVERSION, "%.200s has the format %lld; this build knows %d", path,
                       (long long)format, MF_FLIGHT_FORMAT);
    }
    if (index < 0 || index == MF_FLIGHT_DEAD || read_text(root, "id") == NULL) {
        return mf_fail(err, MF_EFORMAT, "%.200s does not say its id and a known state", path);
    }
    *ret_state = (enum mf_flight_state)index;
    return 0;
}

static int load(const char *dir, struct mf_json_document **ret_document,
                enum mf_flight_state *ret_state, struct mf_errinfo *err)
{
    char *bytes = NULL;
    size_t len = 0;
    char *path = mf_asprintf("%s/flight.json", dir);
    if (path == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    struct mf_json_document *document = NULL;
    int rc = mf_fs_read_all(NULL, path, FILE_LEN_MAX, &bytes, &len, err);
    if (rc == 0) {
        rc = mf_json_parse(bytes, len, NULL, path, &document, err);
        if (rc == MF_ESYNTAX) { /* it is our own file */
            rc = MF_ECORRUPT;
            if (err != NULL) {
                err->code = rc;
            }
        }
    }
    if (rc == 0) {
        rc = check(path, mf_json_root(document), ret_state, err);
    }
    mf_free(bytes);
    mf_free(path);
    if (rc < 0) {
        mf_json_free(document);
        return rc;
    }
    *ret_document = document;
    return 0;
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

static int load_with_life(const char *dir, struct mf_json_document **ret_document,
                          enum mf_flight_state *ret_state, struct mf_errinfo *err)
{
    for (int round = 0;; round++) {
        int rc = load(dir, ret_document, ret_state, err);
        if (rc < 0 || *ret_state != MF_FLIGHT_RUNNING) {
            return rc;
        }
        rc = recorder_lives(dir, err);
        if (rc > 0) {
            return 0;
        }
        if (rc == 0 && round > 0) {
            *ret_state = MF_FLIGHT_DEAD;
            return 0;
        }
        mf_json_free(*ret_document);
        if (rc < 0) {
            return rc;
        }
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
    struct mf_json_document *document = NULL;
    enum mf_flight_state state = MF_FLIGHT_RUNNING;
    int rc = load_with_life(dir, &document, &state, err);
    if (rc < 0) {
        return rc;
    }
    const struct mf_json_node root = mf_json_root(document);
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
    mf_json_free(document);
    if (rc < 0) {
        mf_flight_info_free(info);
        return mf_fail(err, rc, "out of memory");
    }
    *ret_info = info;
    return 0;
}

bool mf_flight_has_tag(const struct mf_flight_info *info, const char *tag)
{
    const size_t len = strlen(tag);
    for (char **own = info->tags; *own != NULL; own++) {
        if (strcmp(*own, tag) == 0 ||
            (strchr(tag, '=') == NULL && strncmp(*own, tag, len) == 0 && (*own)[len] == '=')) {
            return true;
        }
    }
    return false;
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
