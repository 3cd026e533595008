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
#include "fmt/json_scan.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FILE_LEN_MAX (8u << 20) /* a command line is at most 2 MiB; escaped thrice that */

/* ---- members; one that is not there, or of another type, is its fallback ---- */

#define MEMBERS_MAX 64

/* An object with its members found. */
struct object {
    struct mf_scan_member members[MEMBERS_MAX];
    size_t count;
};

static struct mf_scan_value member(const struct object *object, const char *key)
{
    return mf_scan_find(object->members, object->count, key);
}

static void open_object(struct object *object, struct mf_scan_value value)
{
    object->count = mf_scan_members(value, object->members, MEMBERS_MAX);
}

static int64_t read_int(const struct object *object, const char *key, int64_t fallback)
{
    int64_t value = fallback;
    return mf_scan_int(member(object, key), &value) ? value : fallback;
}

static uint64_t read_count(const struct object *object, const char *key, uint64_t fallback)
{
    uint64_t value = fallback;
    return mf_scan_uint(member(object, key), &value) ? value : fallback;
}

static bool read_bool(const struct object *object, const char *key)
{
    bool value = false;
    return mf_scan_bool(member(object, key), &value) && value;
}

static int copy_text(const struct object *object, const char *key, char **ret_text)
{
    const struct mf_scan_value value = member(object, key);
    if (value.type != MF_SCAN_STRING) {
        return 0;
    }
    *ret_text = mf_scan_copy(value);
    return *ret_text != NULL ? 0 : -ENOMEM;
}

static void copy_fixed(const struct object *object, const char *key, char *out, size_t capacity)
{
    if (!mf_scan_copy_to(member(object, key), out, capacity)) {
        out[0] = '\0';
    }
}

/* The index of the word that the member is, by `of`; -1 for another or none. */
static int read_word(const struct object *object, const char *key, int (*of)(const char *word))
{
    char word[32];
    return mf_scan_copy_to(member(object, key), word, sizeof word) ? of(word) : -1;
}

static void free_texts(char **texts)
{
    for (char **text = texts; text != NULL && *text != NULL; text++) {
        mf_free(*text);
    }
    mf_free(texts);
}

/* The strings of an array; a list that is not there is an empty one. */
static int copy_texts(const struct object *object, const char *key, char ***ret_texts)
{
    const struct mf_scan_value array = member(object, key);
    struct mf_scan_value element;
    size_t count = 0;
    for (size_t cursor = 0; mf_scan_next_element(array, &cursor, &element);) {
        count += element.type == MF_SCAN_STRING;
    }
    char **texts = mf_calloc(count + 1, sizeof *texts);
    size_t used = 0;
    for (size_t cursor = 0; texts != NULL && mf_scan_next_element(array, &cursor, &element);) {
        if (element.type == MF_SCAN_STRING && (texts[used++] = mf_scan_copy(element)) == NULL) {
            free_texts(texts);
            texts = NULL;
        }
    }
    *ret_texts = texts;
    return texts != NULL ? 0 : -ENOMEM;
}

/* {"NAME": "value"} as "NAME=value". */
static int copy_env(struct mf_scan_value env, char ***ret_texts)
{
    struct mf_scan_member variable;
    size_t count = 0;
    for (size_t cursor = 0; mf_scan_next_member(env, &cursor, &variable);) {
        count += variable.value.type == MF_SCAN_STRING;
    }
    char **texts = mf_calloc(count + 1, sizeof *texts);
    size_t used = 0;
    for (size_t cursor = 0; texts != NULL && mf_scan_next_member(env, &cursor, &variable);) {
        if (variable.value.type != MF_SCAN_STRING) {
            continue;
        }
        char *name = mf_scan_copy(variable.key);
        char *value = mf_scan_copy(variable.value);
        texts[used] = name != NULL && value != NULL ? mf_asprintf("%s=%s", name, value) : NULL;
        mf_free(name);
        mf_free(value);
        if (texts[used++] == NULL) {
            free_texts(texts);
            texts = NULL;
        }
    }
    *ret_texts = texts;
    return texts != NULL ? 0 : -ENOMEM;
}

/* ---- the file ---- */

static void read_totals(const struct object *totals, struct mf_flight_totals *out)
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
    const struct mf_scan_value output = member(totals, "output");
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        struct object stream;
        open_object(&stream, mf_scan_member(output, mf_flight_stream_name(i)));
        out->output[i] = (struct mf_flight_stream_totals){
            .bytes = read_count(&stream, "bytes", 0),
            .lines = read_count(&stream, "lines", 0),
            .lost_bytes = read_count(&stream, "lost_bytes", 0),
        };
    }
}

static int read_start(const struct object *root, struct mf_flight_info *info)
{
    struct object host;
    struct object trace;
    struct object recorder;
    open_object(&host, member(root, "host"));
    open_object(&trace, member(root, "trace"));
    open_object(&recorder, member(root, "recorder"));
    copy_fixed(root, "id", info->id, sizeof info->id);
    copy_fixed(&trace, "trace_id", info->trace_id, sizeof info->trace_id);
    copy_fixed(&trace, "span_id", info->span_id, sizeof info->span_id);
    copy_fixed(&trace, "parent_span_id", info->parent_span_id, sizeof info->parent_span_id);
    info->host_cpus = read_count(&host, "cpus", 0);
    info->host_memory_bytes = read_count(&host, "memory_bytes", 0);
    info->started_wall_ns = read_int(root, "started_wall_ns", 0);
    info->started_monotonic_ns = read_int(root, "started_monotonic_ns", 0);
    info->interval_ns = read_int(root, "interval_ns", 0);
    info->recorder_pid = read_int(&recorder, "pid", 0);
    info->terminal = read_bool(root, "terminal");
    const int rung = read_word(root, "rung", mf__flight_rung_of);
    info->rung = rung >= 0 ? (enum mf_flight_rung)rung : MF_RUNG_PROC;

    int rc = 0;
    MF_KEEP_FIRST(rc, copy_text(root, "name", &info->name));
    MF_KEEP_FIRST(rc, copy_text(root, "cwd", &info->cwd));
    MF_KEEP_FIRST(rc, copy_text(&host, "name", &info->host));
    MF_KEEP_FIRST(rc, copy_text(&host, "kernel", &info->kernel));
    MF_KEEP_FIRST(rc, copy_text(&host, "boot_id", &info->boot_id));
    MF_KEEP_FIRST(rc, copy_texts(root, "tags", &info->tags));
    MF_KEEP_FIRST(rc, copy_texts(root, "command", &info->command));
    MF_KEEP_FIRST(rc, copy_texts(root, "facilities", &info->facilities));
    MF_KEEP_FIRST(rc, copy_texts(root, "blind", &info->blind));
    MF_KEEP_FIRST(rc, copy_env(member(root, "env"), &info->env));
    if (rc == 0 && info->name == NULL) {
        info->name = mf_strdup("");
        rc = info->name != NULL ? 0 : -ENOMEM;
    }
    return rc;
}

static int read_end(const struct object *root, struct mf_flight_info *info)
{
    struct object outcome;
    struct object part;
    open_object(&outcome, member(root, "outcome"));
    const int kind = read_word(&outcome, "kind", mf__flight_outcome_of);
    info->outcome = kind >= 0 ? (enum mf_flight_outcome)kind : MF_OUTCOME_NONE;
    info->duration_ns = read_int(root, "duration_ns", 0);
    info->exit_code = (int)read_int(&outcome, "exit_code", 0);
    info->signal = (int)read_int(&outcome, "signal", 0);
    info->core_dumped = read_bool(&outcome, "core_dumped");
    info->success = info->outcome == MF_OUTCOME_EXITED && info->exit_code == 0;
    int rc = 0;
    MF_KEEP_FIRST(rc, copy_text(&outcome, "reason", &info->reason));
    MF_KEEP_FIRST(rc, copy_texts(&outcome, "evidence", &info->evidence));
    MF_KEEP_FIRST(rc, copy_text(root, "memory_peak_source", &info->memory_peak_source));
    open_object(&part, member(root, "largest"));
    info->largest_rss_bytes = read_count(&part, "rss_bytes", 0);
    MF_KEEP_FIRST(rc, copy_text(&part, "comm", &info->largest_comm));
    open_object(&part, member(root, "busiest"));
    info->busiest_cpu_ns = read_count(&part, "cpu_ns", 0);
    MF_KEEP_FIRST(rc, copy_text(&part, "comm", &info->busiest_comm));
    open_object(&part, member(root, "totals"));
    read_totals(&part, &info->totals);
    return rc;
}

/* flight.json as it lies in memory. */
struct description {
    char *bytes;
    struct object root;
    enum mf_flight_state state;
};

/* Checks that it is a flight.json of this format, and reads the state. */
static int check(const char *path, struct description *description, struct mf_errinfo *err)
{
    const struct object *root = &description->root;
    const int64_t format = read_int(root, "format", 0);
    const int state = read_word(root, "state", mf__flight_state_of);
    if (format < 1) {
        return mf_fail(err, MF_EFORMAT, "%.200s is not the description of a flight", path);
    }
    if (format > MF_FLIGHT_FORMAT) {
        return mf_fail(err, MF_EVERSION, "%.200s has the format %lld; this build knows %d", path,
                       (long long)format, MF_FLIGHT_FORMAT);
    }
    if (state < 0 || state == MF_FLIGHT_DEAD || member(root, "id").type != MF_SCAN_STRING) {
        return mf_fail(err, MF_EFORMAT, "%.200s does not say its id and a known state", path);
    }
    description->state = (enum mf_flight_state)state;
    return 0;
}

static int load(const char *dir, struct description *description, struct mf_errinfo *err)
{
    size_t len = 0;
    size_t offset = 0;
    struct mf_scan_value value;
    char *path = mf_asprintf("%s/flight.json", dir);
    if (path == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    int rc = mf_fs_read_all(NULL, path, FILE_LEN_MAX, &description->bytes, &len, err);
    if (rc == 0) {
        rc = mf_scan(description->bytes, len, &value, &offset);
        if (rc < 0) {
            rc = mf_fail(err, MF_ECORRUPT, "%.200s is damaged at byte %zu", path, offset);
        } else {
            open_object(&description->root, value);
            rc = check(path, description, err);
        }
        if (rc < 0) {
            mf_free(description->bytes);
        }
    }
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

static int load_with_life(const char *dir, struct description *description, struct mf_errinfo *err)
{
    for (int round = 0;; round++) {
        int rc = load(dir, description, err);
        if (rc < 0 || description->state != MF_FLIGHT_RUNNING) {
            return rc;
        }
        rc = recorder_lives(dir, err);
        if (rc > 0) {
            return 0;
        }
        if (rc == 0 && round > 0) {
            description->state = MF_FLIGHT_DEAD;
            return 0;
        }
        mf_free(description->bytes);
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
    struct description description;
    int rc = load_with_life(dir, &description, err);
    if (rc < 0) {
        return rc;
    }
    const enum mf_flight_state state = description.state;
    struct mf_flight_info *info = mf_calloc(1, sizeof *info);
    rc = -ENOMEM;
    if (info != NULL) {
        info->state = state;
        info->dir = mf_strdup(dir);
        rc = info->dir != NULL ? read_start(&description.root, info) : -ENOMEM;
        if (rc == 0 && (state == MF_FLIGHT_ENDED || state == MF_FLIGHT_RECOVERED)) {
            rc = read_end(&description.root, info);
        } else if (rc == 0) {
            info->duration_ns = state == MF_FLIGHT_RUNNING ? time_so_far(info) : -1;
        }
    }
    mf_free(description.bytes);
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
    mf_free(info->seal_problem);
    mf_free(info);
}
