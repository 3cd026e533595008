/* SPDX-License-Identifier: Apache-2.0
 * flight_json.c -- see flight_json.h. */
#include "flight_json.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/json_read.h"
#include "fmt/json_write.h"
#include "os/file.h"

#include <errno.h>
#include <string.h>

#define FILE_LEN_MAX (8u << 20)

void mf__flight_extra_free(struct mf_flight_extra *extra)
{
    mf_free(extra->cgroup);
    mf_free(extra->cgroup_memory_v1);
    mf_free(extra->recorder_version);
    *extra = (struct mf_flight_extra){0};
}

/* Readers take whole numbers of 63 bits; more can only come out of a damaged log. */
static void write_count(struct mf_json *json, const char *key, uint64_t value)
{
    mf_json_key_uint(json, key, value < INT64_MAX ? value : INT64_MAX);
}

static void write_known(struct mf_json *json, const char *key, uint64_t value)
{
    if (value != MF_FLIGHT_UNKNOWN) {
        write_count(json, key, value);
    }
}

static void write_texts(struct mf_json *json, const char *key, char *const *texts)
{
    mf_json_key(json, key);
    mf_json_begin_array(json);
    for (; texts != NULL && *texts != NULL; texts++) {
        mf_json_string(json, *texts);
    }
    mf_json_end_array(json);
}

static void write_start(struct mf_json *json, const struct mf_flight_info *info,
                        const struct mf_flight_extra *extra)
{
    mf_json_key_string(json, "id", info->id);
    mf_json_key_string(json, "name", info->name);
    write_texts(json, "tags", info->tags);
    write_texts(json, "command", info->command);
    mf_json_key_string(json, "cwd", info->cwd);
    mf_json_key(json, "env");
    mf_json_begin_object(json);
    for (char *const *one = info->env; one != NULL && *one != NULL; one++) {
        const char *equals = strchr(*one, '=');
        char *name = mf_strndup(*one, (size_t)(equals - *one));
        if (name == NULL) {
            json->out->failed = true;
            break;
        }
        mf_json_key_string(json, name, equals + 1);
        mf_free(name);
    }
    mf_json_end_object(json);
    mf_json_key(json, "host");
    mf_json_begin_object(json);
    mf_json_key_string(json, "name", info->host);
    mf_json_key_string(json, "kernel", info->kernel);
    mf_json_key_string(json, "boot_id", info->boot_id);
    write_count(json, "cpus", info->host_cpus);
    write_count(json, "memory_bytes", info->host_memory_bytes);
    mf_json_end_object(json);
    mf_json_key_int(json, "started_wall_ns", info->started_wall_ns);
    mf_json_key_int(json, "started_monotonic_ns", info->started_monotonic_ns);
    mf_json_key_int(json, "interval_ns", info->interval_ns);
    mf_json_key_string(json, "rung", mf_flight_rung_name(info->rung));
    write_texts(json, "facilities", info->facilities);
    write_texts(json, "blind", info->blind);
    if (extra->cgroup != NULL) {
        mf_json_key_string(json, "cgroup", extra->cgroup);
    }
    if (extra->cgroup_memory_v1 != NULL) {
        mf_json_key_string(json, "cgroup_memory_v1", extra->cgroup_memory_v1);
    }
    mf_json_key(json, "recorder");
    mf_json_begin_object(json);
    mf_json_key_int(json, "pid", info->recorder_pid);
    write_count(json, "start_ticks", extra->recorder_start_ticks);
    mf_json_key_string(json, "version", extra->recorder_version);
    mf_json_end_object(json);
    mf_json_key(json, "trace");
    mf_json_begin_object(json);
    mf_json_key_string(json, "trace_id", info->trace_id);
    mf_json_key_string(json, "span_id", info->span_id);
    if (info->parent_span_id[0] != '\0') {
        mf_json_key_string(json, "parent_span_id", info->parent_span_id);
    }
    mf_json_end_object(json);
    mf_json_key_bool(json, "terminal", info->terminal);
    mf_json_key_string(json, "state", mf_flight_state_name(info->state));
}

static void write_totals(struct mf_json *json, const struct mf_flight_totals *totals)
{
    mf_json_key(json, "totals");
    mf_json_begin_object(json);
#define MEMBER(name) write_known(json, #name, totals->name)
    MEMBER(cpu_user_ns);
    MEMBER(cpu_system_ns);
    MEMBER(memory_peak_bytes);
    MEMBER(rss_peak_bytes);
    MEMBER(read_bytes);
    MEMBER(write_bytes);
    MEMBER(read_chars);
    MEMBER(write_chars);
    MEMBER(faults_minor);
    MEMBER(faults_major);
    MEMBER(switches_voluntary);
    MEMBER(switches_involuntary);
    MEMBER(processes);
    MEMBER(processes_peak);
    MEMBER(threads_peak);
    MEMBER(processes_left);
    MEMBER(events);
    MEMBER(user_events);
    MEMBER(bad_events);
    MEMBER(lost_events);
    MEMBER(oom_kills);
#undef MEMBER
    mf_json_key(json, "output");
    mf_json_begin_object(json);
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        if (totals->output[i].bytes > 0) {
            mf_json_key(json, mf_flight_stream_name(i));
            mf_json_begin_object(json);
            write_count(json, "bytes", totals->output[i].bytes);
            write_count(json, "lines", totals->output[i].lines);
            write_count(json, "lost_bytes", totals->output[i].lost_bytes);
            mf_json_end_object(json);
        }
    }
    mf_json_end_object(json);
    mf_json_end_object(json);
}

static void write_end(struct mf_json *json, const struct mf_flight_info *info)
{
    mf_json_key_int(json, "duration_ns", info->duration_ns);
    mf_json_key(json, "outcome");
    mf_json_begin_object(json);
    mf_json_key_string(json, "kind", mf_flight_outcome_name(info->outcome));
    mf_json_key_int(json, "exit_code", info->exit_code);
    if (info->signal != 0) {
        mf_json_key_int(json, "signal", info->signal);
        mf_json_key_bool(json, "core_dumped", info->core_dumped);
    }
    mf_json_key_string(json, "reason", info->reason);
    write_texts(json, "evidence", info->evidence);
    mf_json_end_object(json);
    write_totals(json, &info->totals);
    if (info->memory_peak_source != NULL) {
        mf_json_key_string(json, "memory_peak_source", info->memory_peak_source);
    }
    if (info->largest_comm != NULL) {
        mf_json_key(json, "largest");
        mf_json_begin_object(json);
        mf_json_key_string(json, "comm", info->largest_comm);
        write_count(json, "rss_bytes", info->largest_rss_bytes);
        mf_json_end_object(json);
    }
    if (info->busiest_comm != NULL) {
        mf_json_key(json, "busiest");
        mf_json_begin_object(json);
        mf_json_key_string(json, "comm", info->busiest_comm);
        write_count(json, "cpu_ns", info->busiest_cpu_ns);
        mf_json_end_object(json);
    }
}

static int write_file(const char *path, const struct mf_buffer *text, unsigned flags,
                      struct mf_errinfo *err)
{
    struct mf_file *file = NULL;
    int ret =
        mf_file_open(NULL, path, MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE | flags, &file, err);
    if (ret == 0) {
        ret = mf_file_write(file, text->data, text->len, 0, err);
        mf_file_close(file);
    }
    return ret;
}

/* As mf_fs_replace(), without waiting for the disk. */
static int replace(const char *path, const struct mf_buffer *text, struct mf_errinfo *err)
{
    char *fresh = mf_asprintf("%s.new", path);
    int ret = fresh != NULL ? write_file(fresh, text, MF_OPEN_TRUNCATE | MF_OPEN_NOFOLLOW, err)
                            : mf_fail(err, -ENOMEM, "no memory for flight.json");
    if (ret == 0) {
        ret = mf_fs_rename(NULL, fresh, path, err);
    }
    if (ret < 0 && fresh != NULL) {
        (void)mf_fs_unlink(NULL, fresh, NULL);
    }
    mf_free(fresh);
    return ret;
}

int mf__flight_json_write(const struct mf_flight_info *info, const struct mf_flight_extra *extra,
                          const char *dir, enum mf_flight_json_mode mode, struct mf_errinfo *err)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &text, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "format", MF_FLIGHT_FORMAT);
    write_start(&json, info, extra);
    if (info->state == MF_FLIGHT_ENDED || info->state == MF_FLIGHT_RECOVERED) {
        write_end(&json, info);
    }
    mf_json_end_object(&json);
    mf_json_finish(&json);
    char *path = mf_asprintf("%s/flight.json", dir);
    int ret = 0;
    if (text.failed || path == NULL) {
        ret = mf_fail(err, -ENOMEM, "no memory for flight.json");
    } else if (mode == MF_JSON_DURABLE) {
        ret = mf_fs_replace(NULL, path, text.data, text.len, err);
    } else if (mode == MF_JSON_REPLACE) {
        ret = replace(path, &text, err);
    } else {
        ret = write_file(path, &text, MF_OPEN_EXCLUSIVE, err);
    }
    mf_free(path);
    mf_buffer_free(&text);
    return ret;
}

static int copy_text(struct mf_json_node object, const char *key, char **ret_text)
{
    const char *text = NULL;
    if (mf_json_get_string(object, key, &text, NULL) < 0) {
        return 0;
    }
    *ret_text = mf_strdup(text);
    return *ret_text != NULL ? 0 : -ENOMEM;
}

int mf__flight_json_read_extra(const char *dir, struct mf_flight_extra *ret_extra,
                               struct mf_errinfo *err)
{
    struct mf_flight_extra extra = {0};
    struct mf_json_document *document = NULL;
    char *bytes = NULL;
    size_t len = 0;
    char *path = mf_asprintf("%s/flight.json", dir);
    int ret = path != NULL ? mf_fs_read_all(NULL, path, FILE_LEN_MAX, &bytes, &len, err)
                           : mf_fail(err, -ENOMEM, "no memory for flight.json");
    if (ret == 0) {
        ret = mf_json_parse(bytes, len, NULL, path, &document, err);
    }
    if (ret == 0) {
        const struct mf_json_node root = mf_json_root(document);
        const struct mf_json_node recorder = mf_json_member(root, "recorder");
        MF_KEEP_FIRST(ret, copy_text(root, "cgroup", &extra.cgroup));
        MF_KEEP_FIRST(ret, copy_text(root, "cgroup_memory_v1", &extra.cgroup_memory_v1));
        MF_KEEP_FIRST(ret, copy_text(recorder, "version", &extra.recorder_version));
        (void)mf_json_get_uint(recorder, "start_ticks", &extra.recorder_start_ticks, NULL);
        mf_json_free(document);
        if (ret < 0) {
            mf__flight_extra_free(&extra);
            ret = mf_fail(err, ret, "no memory for flight.json");
        }
    }
    mf_free(bytes);
    mf_free(path);
    if (ret == 0) {
        *ret_extra = extra;
    }
    return ret;
}
