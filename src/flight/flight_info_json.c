/* SPDX-License-Identifier: Apache-2.0
 * flight_info_json.c -- see flight/info_json.h. */
#include "flight/info_json.h"

#include "fmt/rfc3339.h"

static void put_strings(struct mf_json *json, const char *key, char *const *strings)
{
    mf_json_key(json, key);
    mf_json_begin_array(json);
    for (char *const *string = strings; string != NULL && *string != NULL; string++) {
        mf_json_string(json, *string);
    }
    mf_json_end_array(json);
}

static void put_known(struct mf_json *json, const char *key, uint64_t value)
{
    if (value != MF_FLIGHT_UNKNOWN) {
        mf_json_key_uint(json, key, value);
    }
}

static void put_time(struct mf_json *json, int64_t wall_ns)
{
    char text[MF_RFC3339_LEN];
    mf_json_key_string(json, "started", mf_format_rfc3339(text, wall_ns, 0, 3));
    mf_json_key_int(json, "started_wall_ns", wall_ns);
}

static void put_totals(struct mf_json *json, const struct mf_flight_totals *totals)
{
    put_known(json, "cpu_user_ns", totals->cpu_user_ns);
    put_known(json, "cpu_system_ns", totals->cpu_system_ns);
    put_known(json, "memory_peak_bytes", totals->memory_peak_bytes);
    put_known(json, "rss_peak_bytes", totals->rss_peak_bytes);
    put_known(json, "read_bytes", totals->read_bytes);
    put_known(json, "write_bytes", totals->write_bytes);
    put_known(json, "read_chars", totals->read_chars);
    put_known(json, "write_chars", totals->write_chars);
    put_known(json, "faults_minor", totals->faults_minor);
    put_known(json, "faults_major", totals->faults_major);
    put_known(json, "switches_voluntary", totals->switches_voluntary);
    put_known(json, "switches_involuntary", totals->switches_involuntary);
    put_known(json, "processes", totals->processes);
    put_known(json, "processes_peak", totals->processes_peak);
    put_known(json, "threads_peak", totals->threads_peak);
    put_known(json, "processes_left", totals->processes_left);
    put_known(json, "events", totals->events);
    put_known(json, "lost_events", totals->lost_events);
    put_known(json, "oom_kills", totals->oom_kills);
    mf_json_key(json, "output");
    mf_json_begin_object(json);
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        if (totals->output[i].bytes > 0) {
            mf_json_key(json, mf_flight_stream_name(i));
            mf_json_begin_object(json);
            mf_json_key_uint(json, "bytes", totals->output[i].bytes);
            mf_json_key_uint(json, "lines", totals->output[i].lines);
            mf_json_key_uint(json, "lost_bytes", totals->output[i].lost_bytes);
            mf_json_end_object(json);
        }
    }
    mf_json_end_object(json);
}

static void put_end(struct mf_json *json, const struct mf_flight_info *info)
{
    mf_json_key_string(json, "outcome", mf_flight_outcome_name(info->outcome));
    mf_json_key_bool(json, "success", info->success);
    mf_json_key_int(json, "exit_code", info->exit_code);
    if (info->signal != 0) {
        mf_json_key_int(json, "signal", info->signal);
        mf_json_key_bool(json, "core_dumped", info->core_dumped);
    }
    if (info->reason != NULL) {
        mf_json_key_string(json, "reason", info->reason);
    }
    put_strings(json, "evidence", info->evidence);
    mf_json_key(json, "totals");
    mf_json_begin_object(json);
    put_totals(json, &info->totals);
    mf_json_end_object(json);
}

void mf_info_json_members(struct mf_json *json, const struct mf_flight_info *info)
{
    mf_json_key_string(json, "id", info->id);
    mf_json_key_string(json, "name", info->name);
    put_strings(json, "tags", info->tags);
    mf_json_key_string(json, "state", mf_flight_state_name(info->state));
    put_time(json, info->started_wall_ns);
    if (info->duration_ns >= 0) {
        mf_json_key_int(json, "duration_ns", info->duration_ns);
    }
    put_strings(json, "command", info->command);
    if (info->cwd != NULL) {
        mf_json_key_string(json, "cwd", info->cwd);
    }
    if (info->host != NULL) {
        mf_json_key_string(json, "host", info->host);
    }
    mf_json_key_string(json, "rung", mf_flight_rung_name(info->rung));
    mf_json_key_string(json, "trace_id", info->trace_id);
    if (info->state == MF_FLIGHT_ENDED || info->state == MF_FLIGHT_RECOVERED) {
        put_end(json, info);
    }
    mf_json_key_string(json, "dir", info->dir);
}

void mf_entry_json(struct mf_json *json, const struct mf_flight_entry *entry)
{
    mf_json_begin_object(json);
    if (entry->info != NULL) {
        mf_info_json_members(json, entry->info);
    } else {
        mf_json_key_string(json, "id", entry->id);
        mf_json_key_string(json, "state", "unreadable");
        if (entry->started_wall_ns != 0) {
            put_time(json, entry->started_wall_ns);
        }
        mf_json_key_string(json, "error", entry->why.msg);
        mf_json_key_string(json, "dir", entry->dir);
    }
    mf_json_end_object(json);
}
