/* SPDX-License-Identifier: Apache-2.0
 * verb_show.c -- mayfly show [FLIGHT] */
#include "cli.h"
#include "flight_operand.h"
#include "flight_seal.h"
#include "flight_view.h"
#include "show_threads.h"
#include "verbs.h"

#include "base/heap.h"
#include "flight/info_json.h"
#include "flight/lines.h"
#include "flight/story.h"
#include "fmt/terminal_clean.h"
#include "fmt/units.h"

#include <errno.h>
#include <string.h>

#define EVENTS_MAX     20
#define LINE_BYTES_MAX ((size_t)64 << 10)

/* ---- the head ---- */

static void title(const struct cli_view *view, const struct mf_flight_info *info)
{
    struct mf_buffer command = MF_BUFFER_INIT;
    const enum mf_style style = cli_outcome_style(info);
    mf_buffer_printf(view->out, "%s%s ", mf_style(view->colored, style),
                     cli_outcome_mark(view, info));
    mf_buffer_puts(view->out, mf_style(view->colored, MF_STYLE_BOLD));
    mf_terminal_escape(view->out, info->name, strlen(info->name));
    mf_buffer_putc(view->out, ' ');
    mf_words_outcome(view->out, info);
    mf_buffer_puts(view->out, mf_style(view->colored, MF_STYLE_RESET));
    if (info->duration_ns >= 0) {
        char text[MF_UNITS_LEN];
        mf_buffer_printf(view->out, " %s %s", info->state == MF_FLIGHT_RUNNING ? "since" : "after",
                         mf_format_duration(text, info->duration_ns));
    }
    mf_buffer_putc(view->out, '\n');
    mf_words_command(&command, info->command);
    cli_view_field(view, "Command", command.data != NULL ? command.data : "");
    mf_buffer_free(&command);
}

static void origin(const struct cli_view *view, const struct mf_flight_info *info)
{
    char time[CLI_TIME_LEN];
    char size[MF_UNITS_LEN];
    struct mf_buffer text = MF_BUFFER_INIT;
    if (info->cwd != NULL) {
        cli_view_field(view, "Directory", info->cwd);
    }
    cli_view_field(view, "Started", cli_local_time(time, info->started_wall_ns));
    if (info->host != NULL) {
        mf_buffer_printf(&text, "%s, %s, %llu CPUs, %s", info->host,
                         info->kernel != NULL ? info->kernel : "unknown kernel",
                         (unsigned long long)info->host_cpus,
                         mf_format_size(size, info->host_memory_bytes));
        cli_view_field(view, "Machine", text.data != NULL ? text.data : "");
    }
    mf_buffer_clear(&text);
    for (char **tag = info->tags; *tag != NULL; tag++) {
        mf_buffer_printf(&text, "%s%s", text.len > 0 ? "  " : "", *tag);
    }
    if (text.len > 0) {
        cli_view_field(view, "Tags", text.data);
    }
    for (char **variable = info->env; *variable != NULL; variable++) {
        cli_view_field(view, variable == info->env ? "Environment" : "", *variable);
    }
    mf_buffer_free(&text);
}

static void culprit(const struct cli_view *view, const struct mf_story *story)
{
    const struct mf_flight_process *process = mf_story_culprit(story);
    char moment[MF_UNITS_LEN];
    if (process != NULL && story->info->outcome == MF_OUTCOME_EXITED) {
        struct mf_buffer text = MF_BUFFER_INIT;
        mf_buffer_printf(&text, "%s (pid %lld) ended with ", process->comm,
                         (long long)process->pid);
        mf_words_exit(&text, process);
        mf_buffer_printf(&text, " at %s: %s", mf_format_duration(moment, process->end_ns),
                         mf_process_title(process));
        cli_view_item(view, text.data != NULL ? text.data : "");
        mf_buffer_free(&text);
    }
}

static void reason(const struct cli_view *view, const struct mf_story *story)
{
    const struct mf_flight_info *info = story->info;
    if (info->success || info->state == MF_FLIGHT_RUNNING) {
        return;
    }
    cli_view_heading(view, "Why");
    if (info->reason != NULL) {
        cli_view_item(view, info->reason);
    } else {
        cli_view_item(view, "the recorder is gone and has left no word on the end");
    }
    for (char **evidence = info->evidence; evidence != NULL && *evidence != NULL; evidence++) {
        cli_view_item(view, *evidence);
    }
    culprit(view, story);
}

/* ---- figures ---- */

static bool known(uint64_t value)
{
    return value != MF_FLIGHT_UNKNOWN;
}

static void cpu_field(const struct cli_view *view, const struct mf_flight_info *info)
{
    char total[MF_UNITS_LEN];
    char user[MF_UNITS_LEN];
    char system[MF_UNITS_LEN];
    struct mf_buffer text = MF_BUFFER_INIT;
    const struct mf_flight_totals *totals = &info->totals;
    if (known(totals->cpu_user_ns) && known(totals->cpu_system_ns)) {
        const uint64_t sum_ns = totals->cpu_user_ns + totals->cpu_system_ns;
        mf_buffer_printf(&text, "%s: %s user, %s system",
                         mf_format_duration(total, (int64_t)sum_ns),
                         mf_format_duration(user, (int64_t)totals->cpu_user_ns),
                         mf_format_duration(system, (int64_t)totals->cpu_system_ns));
        if (info->duration_ns > 0) {
            mf_buffer_printf(&text, "; %.2f cores on average",
                             (double)sum_ns / (double)info->duration_ns);
        }
        cli_view_field(view, "CPU", text.data != NULL ? text.data : "");
    }
    mf_buffer_free(&text);
}

static void memory_field(const struct cli_view *view, const struct mf_flight_info *info)
{
    char size[MF_UNITS_LEN];
    struct mf_buffer text = MF_BUFFER_INIT;
    if (known(info->totals.memory_peak_bytes)) {
        const bool cgroup =
            info->memory_peak_source != NULL && strcmp(info->memory_peak_source, "cgroup") == 0;
        mf_buffer_printf(&text, "%s at most, as the %s",
                         mf_format_size(size, info->totals.memory_peak_bytes),
                         cgroup ? "cgroup counts it" : "samples saw it");
        if (info->largest_comm != NULL) {
            mf_buffer_printf(&text, "; the largest process was %s with %s", info->largest_comm,
                             mf_format_size(size, info->largest_rss_bytes));
        }
        if (info->totals.oom_kills > 0) {
            mf_buffer_printf(&text, "; %llu killed for memory",
                             (unsigned long long)info->totals.oom_kills);
        }
        cli_view_field(view, "Memory", text.data != NULL ? text.data : "");
    }
    mf_buffer_free(&text);
}

static void io_field(const struct cli_view *view, const struct mf_flight_totals *totals)
{
    char read[MF_UNITS_LEN];
    char write[MF_UNITS_LEN];
    struct mf_buffer text = MF_BUFFER_INIT;
    if (known(totals->read_bytes) && known(totals->write_bytes)) {
        mf_buffer_printf(&text, "%s read from storage, %s written",
                         mf_format_size(read, totals->read_bytes),
                         mf_format_size(write, totals->write_bytes));
        cli_view_field(view, "Disk", text.data != NULL ? text.data : "");
    }
    mf_buffer_free(&text);
}

static void process_field(const struct cli_view *view, const struct mf_flight_totals *totals)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    if (known(totals->processes)) {
        mf_buffer_printf(&text, "%llu in all", (unsigned long long)totals->processes);
    }
    if (known(totals->processes_peak) && known(totals->threads_peak)) {
        mf_buffer_printf(&text, "; at a time up to %llu with %llu thread%s",
                         (unsigned long long)totals->processes_peak,
                         (unsigned long long)totals->threads_peak,
                         totals->threads_peak == 1 ? "" : "s");
    }
    if (totals->processes_left > 0) {
        mf_buffer_printf(&text, "; %llu outlived the command",
                         (unsigned long long)totals->processes_left);
    }
    if (text.len > 0) {
        cli_view_field(view, "Processes", text.data);
    }
    mf_buffer_free(&text);
}

static void output_field(const struct cli_view *view, const struct mf_flight_totals *totals)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    char size[MF_UNITS_LEN];
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        const struct mf_flight_stream_totals *stream = &totals->output[i];
        if (stream->bytes == 0) {
            continue;
        }
        mf_buffer_printf(&text, "%s%llu line%s, %s on %s", text.len > 0 ? "; " : "",
                         (unsigned long long)stream->lines, stream->lines == 1 ? "" : "s",
                         mf_format_size(size, stream->bytes),
                         i == MF_STREAM_TTY ? "the terminal" : mf_flight_stream_name(i));
        if (stream->lost_bytes > 0) {
            mf_buffer_printf(&text, " (%s of it not kept)",
                             mf_format_size(size, stream->lost_bytes));
        }
    }
    cli_view_field(view, "Output", text.len > 0 ? text.data : "none");
    mf_buffer_free(&text);
}

static void totals(const struct cli_view *view, const struct mf_story *story)
{
    const struct mf_flight_info *info = story->info;
    if (info->state == MF_FLIGHT_ENDED || info->state == MF_FLIGHT_RECOVERED) {
        cli_view_heading(view, "Totals");
        cpu_field(view, info);
        memory_field(view, info);
        io_field(view, &info->totals);
        process_field(view, &info->totals);
        output_field(view, &info->totals);
    }
    cli_view_heading(view, "Timeline");
    cli_view_charts(view, &story->timeline, 0, story->timeline.duration_ns);
}

/* ---- processes ---- */

static bool contains(const size_t *indexes, size_t count, size_t index)
{
    for (size_t i = 0; i < count; i++) {
        if (indexes[i] == index) {
            return true;
        }
    }
    return false;
}

/* The first `count_max` of the order, those in `chosen` too. */
static size_t choose(const struct mf_story *story, enum mf_process_order order, bool failed_only,
                     size_t count_max, size_t *chosen, size_t count)
{
    size_t *ordered = mf_process_order(&story->processes, order);
    size_t taken = 0;
    for (size_t i = 0; ordered != NULL && i < story->processes.count && taken < count_max; i++) {
        if (failed_only && !mf_process_failed(&story->processes.items[ordered[i]])) {
            continue;
        }
        if (!contains(chosen, count, ordered[i])) {
            chosen[count++] = ordered[i];
        }
        taken++;
    }
    mf_free(ordered);
    return count;
}

static size_t failed_count(const struct mf_story *story)
{
    size_t count = 0;
    for (size_t i = 0; i < story->processes.count; i++) {
        count += mf_process_failed(&story->processes.items[i]);
    }
    return count;
}

static void processes(const struct cli_view *view, const struct mf_story *story, size_t count_max)
{
    const size_t failed = failed_count(story);
    size_t *chosen = mf_calloc(2 * count_max, sizeof *chosen);
    if (chosen == NULL) {
        view->out->failed = true;
        return;
    }
    if (failed > 0) {
        const size_t count = choose(story, MF_BY_END, true, count_max, chosen, 0);
        struct mf_buffer heading = MF_BUFFER_INIT;
        mf_buffer_printf(&heading, "Processes that failed%s",
                         failed > count ? ", the last ones" : "");
        cli_view_heading(view, heading.data != NULL ? heading.data : "");
        cli_view_processes(view, story, chosen, count);
        mf_buffer_free(&heading);
    }
    if (story->processes.count > (failed < count_max ? failed : count_max)) {
        size_t count = choose(story, MF_BY_CPU, false, count_max, chosen, 0);
        count = choose(story, MF_BY_MEMORY, false, count_max, chosen, count);
        cli_view_heading(view, story->processes.count > count
                                   ? "The busiest and the biggest processes"
                                   : "Processes, the busiest first");
        cli_view_processes(view, story, chosen, count);
    }
    mf_free(chosen);
}

/* ---- output and events ---- */

static void last_lines(const struct cli_view *view, const struct mf_flight_info *info,
                       size_t lines_max)
{
    const struct mf_lines_options options = {
        .streams = info->totals.output[MF_STREAM_STDERR].bytes > 0 ||
                           info->state == MF_FLIGHT_RUNNING || info->state == MF_FLIGHT_DEAD
                       ? 1U << MF_STREAM_STDERR
                       : 0,
        .tail_lines_max = lines_max,
        .tail_bytes_max = (size_t)4 << 20,
        .line_bytes_max = LINE_BYTES_MAX,
    };
    struct mf_lines lines;
    struct mf_errinfo why;
    if (lines_max == 0) {
        return;
    }
    if (mf_lines_read(info->dir, &options, &lines, &why) < 0) {
        cli_view_heading(view, "Output");
        cli_view_item(view, why.msg);
        return;
    }
    if (lines.count > 0) {
        struct mf_terminal_cleaner cleaner = {.colors = view->colored};
        cli_view_heading(view, options.streams != 0 ? "Last lines of stderr"
                                                    : "Last lines of the output");
        for (size_t i = 0; i < lines.count; i++) {
            mf_buffer_puts(view->out, "  ");
            mf_terminal_clean_line(&cleaner, view->out, lines.items[i].text, lines.items[i].len);
            mf_buffer_putc(view->out, '\n');
        }
    }
    mf_lines_free(&lines);
}

static void event_line(const struct cli_view *view, const struct mf_story_event *event)
{
    char moment[MF_UNITS_LEN];
    char length[MF_UNITS_LEN];
    const enum mf_style style = event->level == MF_LEVEL_ERROR     ? MF_STYLE_RED
                                : event->level == MF_LEVEL_WARNING ? MF_STYLE_YELLOW
                                                                   : MF_STYLE_RESET;
    mf_buffer_printf(view->out, "  %s%10s%s  %s", mf_style(view->colored, MF_STYLE_FAINT),
                     mf_format_duration(moment, event->t_ns),
                     mf_style(view->colored, MF_STYLE_RESET),
                     style != MF_STYLE_RESET ? mf_style(view->colored, style) : "");
    mf_terminal_escape_fit(view->out, event->text, strlen(event->text), view->width - 26);
    mf_buffer_puts(view->out,
                   style != MF_STYLE_RESET ? mf_style(view->colored, MF_STYLE_RESET) : "");
    if (event->end_ns >= event->t_ns) {
        mf_buffer_printf(view->out, " (%s)",
                         mf_format_duration(length, event->end_ns - event->t_ns));
    }
    mf_buffer_putc(view->out, '\n');
}

static void events(const struct cli_view *view, const struct mf_story *story)
{
    const bool all = story->event_count <= EVENTS_MAX;
    size_t shown = 0;
    for (size_t i = 0; i < story->event_count && shown < EVENTS_MAX; i++) {
        const struct mf_story_event *event = &story->events[i];
        if (all || event->level != MF_LEVEL_INFO) {
            if (shown++ == 0) {
                cli_view_heading(view, all ? "Events" : "Events that matter most");
            }
            event_line(view, event);
        }
    }
    if (!all) {
        mf_buffer_printf(view->out, "  %zu of %zu events; all of them: mayfly show --json\n", shown,
                         story->event_count);
    }
}

/* As seal.json says; `mayfly verify` is who checks it. */
static void sealed(const struct cli_view *view, const struct mf_flight_info *info)
{
    struct mf_seal_record record;
    struct mf_buffer text = MF_BUFFER_INIT;
    char hash[CLI_HASH_TEXT_LEN];
    char size[MF_UNITS_LEN];
    if (mf_flight_seal_read(info->dir, &record, NULL) == 1) {
        mf_buffer_printf(&text, "%llu files, %s, root %s", (unsigned long long)record.files,
                         mf_format_size(size, record.bytes), cli_hash_text(record.root, hash));
        cli_view_field(view, "Sealed", text.data != NULL ? text.data : "");
    }
    mf_buffer_free(&text);
}

static void recording(const struct cli_view *view, const struct mf_story *story)
{
    const struct mf_flight_info *info = story->info;
    struct mf_buffer text = MF_BUFFER_INIT;
    char interval[MF_UNITS_LEN];
    cli_view_heading(view, "Recording");
    mf_buffer_printf(&text, "rung '%s'", mf_flight_rung_name(info->rung));
    for (char **facility = info->facilities; *facility != NULL; facility++) {
        mf_buffer_printf(&text, "%s%s", facility == info->facilities ? ": " : ", ", *facility);
    }
    mf_buffer_printf(&text, "; a sample each %s", mf_format_duration(interval, info->interval_ns));
    cli_view_field(view, "How", text.data != NULL ? text.data : "");
    for (char **blind = info->blind; *blind != NULL; blind++) {
        cli_view_field(view, blind == info->blind ? "Not seen" : "", *blind);
    }
    if (info->totals.lost_events > 0) {
        mf_buffer_clear(&text);
        mf_buffer_printf(&text, "%llu events were lost",
                         (unsigned long long)info->totals.lost_events);
        cli_view_field(view, "Lost", text.data != NULL ? text.data : "");
    }
    for (size_t i = 0; i < story->problem_count; i++) {
        cli_view_field(view, i == 0 ? "Damage" : "", story->problems[i]);
    }
    sealed(view, info);
    cli_view_field(view, "Id", info->id);
    cli_view_field(view, "Trace", info->trace_id);
    cli_view_field(view, "Files", info->dir);
    mf_buffer_free(&text);
}

static int print_text(struct cli_context *cli, const struct mf_story *story)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    const struct cli_view view = cli_view_of(cli, &out);
    title(&view, story->info);
    origin(&view, story->info);
    reason(&view, story);
    totals(&view, story);
    processes(&view, story, (size_t)cli_int(cli, "processes"));
    show_threads(&view, story);
    last_lines(&view, story->info, (size_t)cli_int(cli, "lines"));
    events(&view, story);
    recording(&view, story);
    return cli_print(cli, &out);
}

/* ---- json ---- */

static void process_json(struct mf_json *json, const struct mf_flight_process *process)
{
    mf_json_begin_object(json);
    mf_json_key_uint(json, "number", process->number);
    mf_json_key_uint(json, "parent", process->parent);
    mf_json_key_int(json, "pid", process->pid);
    mf_json_key_string(json, "comm", process->comm);
    if (process->args != NULL) {
        mf_json_key_string(json, "args", process->args);
    }
    mf_json_key_int(json, "start_ns", process->start_ns);
    if (process->ended) {
        mf_json_key_int(json, "end_ns", process->end_ns);
    }
    if (process->status_known) {
        mf_json_key_int(json, "exit_code", process->exit_code);
        mf_json_key_int(json, "signal", process->signal);
    }
    mf_json_key_bool(json, "oom_killed", process->oom_killed);
    mf_json_key_uint(json, "cpu_ns", mf_process_cpu_ns(process));
    mf_json_key_uint(json, "rss_peak_bytes", process->rss_peak_bytes);
    mf_json_end_object(json);
}

static void order_json(struct mf_json *json, const struct mf_story *story, const char *key,
                       enum mf_process_order order, bool failed_only, size_t count_max)
{
    size_t *chosen = mf_calloc(count_max, sizeof *chosen);
    const size_t count =
        chosen != NULL ? choose(story, order, failed_only, count_max, chosen, 0) : 0;
    mf_json_key(json, key);
    mf_json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        process_json(json, &story->processes.items[chosen[i]]);
    }
    mf_json_end_array(json);
    mf_free(chosen);
}

static void events_json(struct mf_json *json, const struct mf_story *story)
{
    static const char *const levels[] = {"info", "warning", "error"};
    mf_json_key(json, "events");
    mf_json_begin_array(json);
    for (size_t i = 0; i < story->event_count; i++) {
        const struct mf_story_event *event = &story->events[i];
        mf_json_begin_object(json);
        mf_json_key_uint(json, "id", event->id);
        if (event->parent != 0) {
            mf_json_key_uint(json, "parent", event->parent);
        }
        mf_json_key_int(json, "t_ns", event->t_ns);
        if (event->end_ns >= 0) {
            mf_json_key_int(json, "end_ns", event->end_ns);
        }
        mf_json_key_string(json, "kind", event->kind);
        mf_json_key_string(json, "level", levels[event->level]);
        mf_json_key_string(json, "text", event->text);
        mf_json_end_object(json);
    }
    mf_json_end_array(json);
}

static void threads_json(struct mf_json *json, const struct mf_story *story)
{
    if (story->threads != NULL) {
        mf_json_key(json, "threads");
        mf_json_raw(json, story->threads, strlen(story->threads));
    }
}

static int lines_json(struct cli_context *cli, struct mf_json *json, const char *dir,
                      size_t lines_max)
{
    const struct mf_lines_options options = {.tail_lines_max = lines_max,
                                             .tail_bytes_max = (size_t)4 << 20,
                                             .line_bytes_max = LINE_BYTES_MAX};
    struct mf_lines lines;
    const int rc = mf_lines_read(dir, &options, &lines, &cli->err);
    if (rc < 0) {
        return rc;
    }
    mf_json_key(json, "last_lines");
    mf_json_begin_array(json);
    for (size_t i = 0; i < lines.count; i++) {
        mf_json_begin_object(json);
        mf_json_key_int(json, "t_ns", lines.items[i].t_ns);
        mf_json_key_string(json, "stream", mf_flight_stream_name(lines.items[i].stream));
        mf_json_key(json, "text");
        mf_json_string_len(json, lines.items[i].text, lines.items[i].len);
        mf_json_end_object(json);
    }
    mf_json_end_array(json);
    mf_lines_free(&lines);
    return 0;
}

static int print_json(struct cli_context *cli, const struct mf_story *story)
{
    const size_t count_max = (size_t)cli_int(cli, "processes");
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_info_json_members(&json, story->info);
    order_json(&json, story, "busiest", MF_BY_CPU, false, count_max);
    order_json(&json, story, "biggest", MF_BY_MEMORY, false, count_max);
    order_json(&json, story, "failed", MF_BY_END, true, count_max);
    threads_json(&json, story);
    events_json(&json, story);
    const int rc = lines_json(cli, &json, story->info->dir, (size_t)cli_int(cli, "lines"));
    mf_json_key(&json, "facilities");
    mf_json_begin_array(&json);
    for (char **facility = story->info->facilities; *facility != NULL; facility++) {
        mf_json_string(&json, *facility);
    }
    mf_json_end_array(&json);
    mf_json_key(&json, "not_seen");
    mf_json_begin_array(&json);
    for (char **blind = story->info->blind; *blind != NULL; blind++) {
        mf_json_string(&json, *blind);
    }
    mf_json_end_array(&json);
    struct mf_seal_record record;
    if (mf_flight_seal_read(story->info->dir, &record, NULL) == 1) {
        char hash[CLI_HASH_TEXT_LEN];
        mf_json_key_string(&json, "seal_root", cli_hash_text(record.root, hash));
    }
    mf_json_key(&json, "problems");
    mf_json_begin_array(&json);
    for (size_t i = 0; i < story->problem_count; i++) {
        mf_json_string(&json, story->problems[i]);
    }
    mf_json_end_array(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
    if (rc < 0) {
        mf_buffer_free(&out);
        return rc;
    }
    return cli_print(cli, &out);
}

static int run(struct cli_context *cli)
{
    char *dir = NULL;
    struct mf_story story;
    int rc = cli_flight_find(cli, cli->operands[0], &dir);
    if (rc == 0) {
        rc = mf_story_read(dir, &story, &cli->err);
    }
    if (rc == 0) {
        rc = cli->json ? print_json(cli, &story) : print_text(cli, &story);
        mf_story_free(&story);
    }
    mf_flight_free_text(dir);
    return rc;
}

const struct cli_verb verb_show = {
    .name = "show",
    .section = "Flights",
    .summary = "Show what became of a flight, and why",
    .options =
        (const struct cli_option[]){
            {.name = "lines",
             .letter = 'l',
             .kind = CLI_INT,
             .metavar = "N",
             .default_text = "15",
             .min = 0,
             .max = 100000,
             .help = "Last lines of stderr (of the output, where stderr is empty)"},
            {.name = "processes",
             .letter = 'p',
             .kind = CLI_INT,
             .metavar = "N",
             .default_text = "6",
             .min = 1,
             .max = 100000,
             .help = "Processes in each table"},
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "FLIGHT", .optional = true, .help = CLI_FLIGHT_OR_LAST_HELP},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly show", "The newest flight."},
            {"mayfly show make", "The newest flight named make."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
