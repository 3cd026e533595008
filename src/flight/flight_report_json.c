/* SPDX-License-Identifier: Apache-2.0
 * flight_report_json.c -- a flight in the schema of docs/report.md. */
#include "flight/lines.h"
#include "flight/report.h"
#include "seal_manifest.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/terminal.h"
#include "fmt/utf8.h"

#include <errno.h>
#include <math.h>
#include <mayfly/seal.h>
#include <string.h>

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

static void key_ms(struct mf_json *json, const char *key, int64_t ns)
{
    mf_json_key_double(json, key, ms(ns));
}

static void put_strings(struct mf_json *json, const char *key, char *const *strings)
{
    mf_json_key(json, key);
    mf_json_begin_array(json);
    for (char *const *string = strings; string != NULL && *string != NULL; string++) {
        mf_json_string(json, *string);
    }
    mf_json_end_array(json);
}

static void key_known(struct mf_json *json, const char *key, uint64_t value)
{
    if (value != MF_FLIGHT_UNKNOWN) {
        mf_json_key_uint(json, key, value);
    }
}

static bool has_ended(const struct mf_flight_info *info)
{
    return info->state == MF_FLIGHT_ENDED || info->state == MF_FLIGHT_RECOVERED;
}

/* ---- flight, outcome, totals ---- */

static void put_env(struct mf_json *json, char *const *env)
{
    struct mf_buffer name = MF_BUFFER_INIT;
    mf_json_key(json, "env");
    mf_json_begin_object(json);
    for (char *const *variable = env; variable != NULL && *variable != NULL; variable++) {
        const char *equals = strchr(*variable, '=');
        if (equals == NULL) {
            continue;
        }
        mf_buffer_clear(&name);
        mf_buffer_append(&name, *variable, (size_t)(equals - *variable));
        mf_json_key_string(json, name.failed ? "?" : name.data, equals + 1);
    }
    mf_json_end_object(json);
    mf_buffer_free(&name);
}

static void put_recorder(struct mf_json *json, const struct mf_story *story, size_t processes_kept)
{
    const struct mf_flight_info *info = story->info;
    mf_json_key(json, "recorder");
    mf_json_begin_object(json);
    mf_json_key_string(json, "rung", mf_flight_rung_name(info->rung));
    put_strings(json, "facilities", info->facilities);
    put_strings(json, "cannot_see", info->blind);
    if (info->memory_peak_source != NULL) {
        mf_json_key_string(json, "memory_peak_source", info->memory_peak_source);
    }
    mf_json_key(json, "notes");
    mf_json_begin_array(json);
    for (size_t i = 0; i < story->problem_count; i++) {
        mf_json_string(json, story->problems[i]);
    }
    struct mf_buffer note = MF_BUFFER_INIT;
    if (processes_kept < story->processes.count) {
        mf_buffer_printf(&note,
                         "%zu of %zu processes are shown: those that failed, were busiest or "
                         "biggest, and their ancestors",
                         processes_kept, story->processes.count);
        mf_json_string_len(json, note.data, note.len);
    }
    if (info->totals.lost_events > 0 && has_ended(info)) {
        mf_buffer_clear(&note);
        mf_buffer_printf(&note, "%llu events were lost",
                         (unsigned long long)info->totals.lost_events);
        mf_json_string_len(json, note.data, note.len);
    }
    mf_buffer_free(&note);
    mf_json_end_array(json);
    mf_json_end_object(json);
}

/* What seal.json says; `mayfly verify` is who checks it. */
static void put_seal(struct mf_json *json, const struct mf_flight_info *info)
{
    struct mf_seal_record record;
    char hex[MF_SEAL_HEX_LEN];
    if (mf_flight_seal_read(info->dir, &record, NULL) == 1) {
        mf_json_key(json, "seal");
        mf_json_begin_object(json);
        mf_json_key_string(json, "root", mf__seal_hex(record.root, hex));
        mf_json_key_uint(json, "files", record.files);
        mf_json_key_uint(json, "bytes", record.bytes);
        mf_json_end_object(json);
    }
}

static void put_flight(struct mf_json *json, const struct mf_story *story, size_t processes_kept)
{
    const struct mf_flight_info *info = story->info;
    mf_json_key(json, "flight");
    mf_json_begin_object(json);
    mf_json_key_string(json, "id", info->id);
    mf_json_key_string(json, "name", info->name);
    put_strings(json, "command", info->command);
    mf_json_key_string(json, "cwd", info->cwd);
    mf_json_key_string(json, "host", info->host);
    mf_json_key_string(json, "kernel", info->kernel);
    mf_json_key_string(json, "trace_id", info->trace_id);
    put_strings(json, "tags", info->tags);
    put_env(json, info->env);
    key_ms(json, "started_wall_ms", info->started_wall_ns);
    if (has_ended(info)) {
        key_ms(json, "duration_ms", info->duration_ns);
    }
    key_ms(json, "interval_ms", info->interval_ns);
    mf_json_key_string(json, "state", mf_flight_state_name(info->state));
    put_seal(json, info);
    mf_json_key(json, "limits");
    mf_json_begin_object(json);
    if (info->host_cpus > 0) {
        mf_json_key_uint(json, "cpu_cores", info->host_cpus);
    }
    mf_json_end_object(json);
    put_recorder(json, story, processes_kept);
    mf_json_end_object(json);
}

static void put_outcome(struct mf_json *json, const struct mf_story *story)
{
    const struct mf_flight_info *info = story->info;
    const struct mf_flight_process *culprit = mf_story_culprit(story);
    struct mf_buffer text = MF_BUFFER_INIT;
    mf_json_key(json, "outcome");
    mf_json_begin_object(json);
    mf_json_key_string(json, "kind",
                       info->state == MF_FLIGHT_RUNNING ? "running"
                       : info->state == MF_FLIGHT_DEAD  ? "recorder lost"
                                                        : mf_flight_outcome_name(info->outcome));
    if (has_ended(info)) {
        mf_json_key_int(json, "exit_code", info->exit_code);
        mf_json_key_int(json, "signal", info->signal);
        mf_json_key_bool(json, "core_dumped", info->core_dumped);
    }
    mf_words_outcome(&text, info);
    mf_json_key_string(json, "text",
                       info->reason != NULL ? info->reason
                       : text.data != NULL  ? text.data
                                            : "");
    mf_json_key(json, "evidence");
    mf_json_begin_array(json);
    for (char **one = info->evidence; one != NULL && *one != NULL; one++) {
        mf_json_string(json, *one);
    }
    if (culprit != NULL && info->outcome == MF_OUTCOME_EXITED) {
        mf_buffer_clear(&text);
        mf_buffer_printf(&text, "%s (pid %lld) ended with ", culprit->comm,
                         (long long)culprit->pid);
        mf_words_exit(&text, culprit);
        mf_buffer_puts(&text, " just before");
        mf_json_string(json, text.failed ? "" : text.data);
    }
    mf_json_end_array(json);
    mf_json_end_object(json);
    mf_buffer_free(&text);
}

static void put_totals(struct mf_json *json, const struct mf_flight_info *info)
{
    const struct mf_flight_totals *totals = &info->totals;
    uint64_t bytes = 0;
    uint64_t lines = 0;
    uint64_t lost_bytes = 0;
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        bytes += totals->output[i].bytes;
        lines += totals->output[i].lines;
        lost_bytes += totals->output[i].lost_bytes;
    }
    mf_json_key(json, "totals");
    mf_json_begin_object(json);
    if (has_ended(info)) {
        if (totals->cpu_user_ns != MF_FLIGHT_UNKNOWN) {
            key_ms(json, "cpu_user_ms", (int64_t)totals->cpu_user_ns);
        }
        if (totals->cpu_system_ns != MF_FLIGHT_UNKNOWN) {
            key_ms(json, "cpu_system_ms", (int64_t)totals->cpu_system_ns);
        }
        key_known(json, "memory_peak_bytes", totals->memory_peak_bytes);
        key_known(json, "memory_rss_peak_bytes", totals->rss_peak_bytes);
        key_known(json, "io_read_bytes", totals->read_bytes);
        key_known(json, "io_write_bytes", totals->write_bytes);
        key_known(json, "calls_read_bytes", totals->read_chars);
        key_known(json, "calls_write_bytes", totals->write_chars);
        key_known(json, "processes", totals->processes);
        key_known(json, "processes_peak", totals->processes_peak);
        key_known(json, "threads_peak", totals->threads_peak);
        key_known(json, "faults_minor", totals->faults_minor);
        key_known(json, "faults_major", totals->faults_major);
        key_known(json, "switches_voluntary", totals->switches_voluntary);
        key_known(json, "switches_involuntary", totals->switches_involuntary);
        mf_json_key_uint(json, "output_bytes", bytes);
        mf_json_key_uint(json, "output_lines", lines);
        if (lost_bytes > 0) {
            mf_json_key_uint(json, "output_lost_bytes", lost_bytes);
        }
        mf_json_key_uint(json, "oom_kills", totals->oom_kills);
        mf_json_key_uint(json, "processes_left", totals->processes_left);
        mf_json_key_uint(json, "events_lost", totals->lost_events);
    }
    mf_json_end_object(json);
}

/* ---- series ---- */

/* Six significant digits: more cannot be seen, and it halves the page. */
static double short_value(double value)
{
    if (value == 0 || !isfinite(value)) {
        return value;
    }
    const double scale = pow(10, 5 - floor(log10(fabs(value))));
    return isfinite(scale) && scale > 0 ? round(value * scale) / scale : value;
}

static void put_column(struct mf_json *json, const char *key, const double *values, size_t count)
{
    mf_json_key(json, key);
    mf_json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        mf_json_double(json, short_value(values[i]));
    }
    mf_json_end_array(json);
}

static void put_track(struct mf_json *json, const struct mf_track *track)
{
    bool has_range = false;
    for (size_t i = 0; i < track->count && !has_range; i++) {
        has_range = track->min[i] < track->value[i] || track->max[i] > track->value[i];
    }
    mf_json_begin_object(json);
    mf_json_key_string(json, "name", track->name);
    mf_json_key(json, "labels");
    mf_json_begin_object(json);
    for (size_t i = 0; i < track->label_count; i++) {
        mf_json_key_string(json, track->labels[i].name, track->labels[i].value);
    }
    mf_json_end_object(json);
    mf_json_key_string(json, "unit", track->unit);
    mf_json_key_string(json, "type", track->rate ? "counter" : "gauge");
    mf_json_key(json, "t_ms");
    mf_json_begin_array(json);
    for (size_t i = 0; i < track->count; i++) {
        mf_json_double(json, ms(track->t_ns[i]));
    }
    mf_json_end_array(json);
    put_column(json, "value", track->value, track->count);
    if (has_range) {
        put_column(json, "min", track->min, track->count);
        put_column(json, "max", track->max, track->count);
    }
    mf_json_end_object(json);
}

static int put_series(struct mf_json *json, const struct mf_timeline *timeline,
                      struct mf_errinfo *err)
{
    int rc = 0;
    mf_json_key(json, "series");
    mf_json_begin_array(json);
    for (size_t i = 0; rc == 0 && i < timeline->count; i++) {
        struct mf_track reduced;
        rc = mf_track_reduce(&timeline->tracks[i], MF_REPORT_POINTS_MAX, &reduced, err);
        if (rc == 0 && reduced.count > 0) {
            put_track(json, &reduced);
        }
        if (rc == 0) {
            mf_track_free(&reduced);
        }
    }
    mf_json_end_array(json);
    return rc;
}

/* ---- processes ---- */

/* Marks a process and its ancestors, as long as there is room. */
static void keep(const struct mf_flight_processes *processes, size_t index, bool *kept,
                 size_t *count)
{
    while (!kept[index] && *count < MF_REPORT_PROCESSES_MAX) {
        kept[index] = true;
        ++*count;
        const struct mf_flight_process *parent =
            mf_process_find(processes, processes->items[index].parent);
        if (parent == NULL) {
            return;
        }
        index = (size_t)(parent - processes->items);
    }
}

/* Which processes to show: kept[i] for each. NULL: out of memory. */
static bool *choose_processes(const struct mf_flight_processes *processes, size_t *ret_count)
{
    bool *kept = mf_calloc(processes->count + 1, sizeof *kept);
    size_t *busiest = mf_process_order(processes, MF_BY_CPU);
    size_t *biggest = mf_process_order(processes, MF_BY_MEMORY);
    size_t *latest = mf_process_order(processes, MF_BY_END);
    size_t count = 0;
    if (kept == NULL || busiest == NULL || biggest == NULL || latest == NULL) {
        mf_free(kept);
        kept = NULL;
    }
    for (size_t i = 0; kept != NULL && i < processes->count; i++) {
        if (mf_process_failed(&processes->items[latest[i]]) &&
            count < MF_REPORT_PROCESSES_MAX / 2) {
            keep(processes, latest[i], kept, &count);
        }
    }
    for (size_t i = 0; kept != NULL && i < processes->count; i++) {
        keep(processes, busiest[i], kept, &count);
        keep(processes, biggest[i], kept, &count);
    }
    mf_free(busiest);
    mf_free(biggest);
    mf_free(latest);
    *ret_count = count;
    return kept;
}

static void put_process(struct mf_json *json, const struct mf_flight_process *process)
{
    mf_json_begin_object(json);
    mf_json_key_uint(json, "id", process->number);
    if (process->parent != 0) {
        mf_json_key_uint(json, "parent_id", process->parent);
    }
    if (process->pid != 0) {
        mf_json_key_int(json, "pid", process->pid);
    }
    mf_json_key_string(json, "comm", process->comm);
    if (process->args != NULL) {
        mf_json_key_string(json, "argv", process->args);
    }
    key_ms(json, "start_ms", process->start_ns);
    if (process->ended) {
        key_ms(json, "end_ms", process->end_ns);
    }
    if (process->status_known && process->signal != 0) {
        mf_json_key_int(json, "signal", process->signal);
        mf_json_key_bool(json, "core_dumped", process->core_dumped);
    } else if (process->status_known) {
        mf_json_key_int(json, "exit_code", process->exit_code);
    }
    if (process->oom_killed) {
        mf_json_key_bool(json, "oom_killed", true);
    }
    mf_json_key_bool(json, "start_exact", process->start_exact);
    mf_json_key_bool(json, "totals_exact", process->totals_exact);
    key_ms(json, "cpu_ms", (int64_t)mf_process_cpu_ns(process));
    if (process->rss_peak_bytes > 0) {
        mf_json_key_uint(json, "memory_peak_bytes", process->rss_peak_bytes);
    }
    key_known(json, "io_read_bytes", process->read_bytes);
    key_known(json, "io_write_bytes", process->write_bytes);
    if (process->threads > 0) {
        mf_json_key_uint(json, "threads", process->threads);
    }
    if (process->exec_count > 0) {
        mf_json_key(json, "exec");
        mf_json_begin_array(json);
        for (size_t i = 0; i < process->exec_count; i++) {
            const struct mf_flight_exec *exec = &process->execs[i];
            mf_json_begin_object(json);
            key_ms(json, "t_ms", exec->t_ns);
            mf_json_key_string(json, "comm", exec->comm);
            if (exec->args != NULL) {
                mf_json_key_string(json, "argv", exec->args);
            }
            mf_json_end_object(json);
        }
        mf_json_end_array(json);
    }
    mf_json_end_object(json);
}

static void put_processes(struct mf_json *json, const struct mf_flight_processes *processes,
                          const bool *kept)
{
    mf_json_key(json, "processes");
    mf_json_begin_array(json);
    for (size_t i = 0; i < processes->count; i++) {
        if (kept[i]) {
            put_process(json, &processes->items[i]);
        }
    }
    mf_json_end_array(json);
}

/* ---- output ---- */

/* Whether a line is bytes rather than text: it has a NUL, or more than an eighth of it is
 * ill-formed. */
static bool is_binary(const char *text, size_t len)
{
    size_t ill_formed = 0;
    for (size_t at = 0, used = 0; at < len; at += used) {
        const uint32_t code_point = mf_utf8_get(text + at, len - at, &used);
        if (code_point == 0) {
            return true;
        }
        ill_formed += code_point == MF_UTF8_INVALID ? used : 0;
    }
    return ill_formed > len / 8;
}

static void put_line(struct mf_json *json, const struct mf_kept_line *line)
{
    mf_json_begin_object(json);
    key_ms(json, "t_ms", line->t_ns);
    mf_json_key_string(json, "stream", mf_flight_stream_name(line->stream));
    mf_json_key(json, "text");
    if (is_binary(line->text, line->len)) {
        struct mf_buffer readable = MF_BUFFER_INIT;
        mf_terminal_escape(&readable, line->text, line->len);
        mf_json_string(json, readable.failed ? "" : readable.data);
        mf_json_key_bool(json, "binary", true);
        mf_buffer_free(&readable);
    } else {
        mf_json_string_len(json, line->text, line->len);
    }
    if (!line->complete) {
        mf_json_key_bool(json, "partial", true);
    }
    mf_json_end_object(json);
}

static void put_omitted(struct mf_json *json, const struct mf_lines *lines, uint64_t lost_bytes,
                        int failure, const struct mf_errinfo *why)
{
    uint64_t bytes = lines->left_out_bytes + lost_bytes;
    struct mf_buffer note = MF_BUFFER_INIT;
    for (size_t i = 0; i < lines->count; i++) {
        bytes += lines->items[i].cut_bytes;
    }
    if (failure < 0) {
        mf_buffer_printf(&note, "The output cannot be read: %s. ", why->msg);
    }
    if (lines->damaged > 0) {
        mf_buffer_printf(&note, "%llu damaged places in the record were passed over. ",
                         (unsigned long long)lines->damaged);
    }
    if (lost_bytes > 0) {
        mf_buffer_puts(&note, "The recorder kept the beginning and the end of the output. ");
    }
    if (lines->left_out_bytes > 0) {
        mf_buffer_puts(&note, "This page has the beginning and the end of the output; "
                              "mayfly logs prints all of it. ");
    }
    mf_json_key(json, "omitted");
    mf_json_begin_object(json);
    mf_json_key_uint(json, "lines", lines->left_out_lines);
    mf_json_key_uint(json, "bytes", bytes);
    if (note.len > 0) {
        mf_json_key(json, "note");
        mf_json_string_len(json, note.data, note.len - 1);
    }
    mf_json_end_object(json);
    mf_buffer_free(&note);
}

static int put_output(struct mf_json *json, const struct mf_flight_info *info,
                      struct mf_errinfo *err)
{
    const struct mf_lines_options options = {
        .head_lines_max = MF_REPORT_LINES_MAX / 2,
        .head_bytes_max = MF_REPORT_HEAD_BYTES,
        .tail_lines_max = MF_REPORT_LINES_MAX / 2,
        .tail_bytes_max = MF_REPORT_TAIL_BYTES,
        .line_bytes_max = MF_REPORT_LINE_BYTES,
    };
    struct mf_lines lines = {0};
    struct mf_errinfo why = {0};
    const int rc = mf_lines_read(info->dir, &options, &lines, &why);
    if (rc == -ENOMEM) {
        return mf_fail(err, rc, "out of memory");
    }
    uint64_t lost_bytes = 0;
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        lost_bytes += has_ended(info) ? info->totals.output[i].lost_bytes : 0;
    }
    mf_json_key(json, "output");
    mf_json_begin_object(json);
    mf_json_key(json, "lines");
    mf_json_begin_array(json);
    for (size_t i = 0; i < lines.count; i++) {
        put_line(json, &lines.items[i]);
    }
    mf_json_end_array(json);
    put_omitted(json, &lines, lost_bytes, rc, &why);
    mf_json_end_object(json);
    mf_lines_free(&lines);
    return 0;
}

/* ---- events ---- */

static void put_events(struct mf_json *json, const struct mf_story *story)
{
    static const char *const levels[] = {"info", "warning", "error"};
    const size_t count = story->event_count;
    mf_json_key(json, "events");
    mf_json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        if (i >= MF_REPORT_EVENTS_MAX / 2 && i < count - MF_REPORT_EVENTS_MAX / 2 &&
            count > MF_REPORT_EVENTS_MAX) {
            continue; /* the middle of too many */
        }
        const struct mf_story_event *event = &story->events[i];
        const struct mf_flight_process *process =
            mf_process_find(&story->processes, event->process);
        mf_json_begin_object(json);
        mf_json_key_uint(json, "id", event->id);
        if (event->parent != 0) {
            mf_json_key_uint(json, "parent", event->parent);
        }
        key_ms(json, "t_ms", event->t_ns);
        if (event->end_ns >= 0) {
            key_ms(json, "end_ms", event->end_ns);
        }
        mf_json_key_string(json, "kind", event->kind);
        mf_json_key_string(json, "level", levels[event->level]);
        mf_json_key_string(json, "text", event->text);
        if (process != NULL) {
            mf_json_key_int(json, "pid", process->pid);
        }
        mf_json_end_object(json);
    }
    mf_json_end_array(json);
}

int mf_report_json(struct mf_json *json, const struct mf_story *story, struct mf_errinfo *err)
{
    size_t kept_count = 0;
    bool *kept = choose_processes(&story->processes, &kept_count);
    if (kept == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    mf_json_begin_object(json);
    mf_json_key_int(json, "schema_version", 1);
    put_flight(json, story, kept_count);
    put_outcome(json, story);
    put_totals(json, story->info);
    int rc = put_series(json, &story->timeline, err);
    put_processes(json, &story->processes, kept);
    if (rc == 0) {
        rc = put_output(json, story->info, err);
    }
    put_events(json, story);
    mf_json_end_object(json);
    mf_free(kept);
    return rc;
}
