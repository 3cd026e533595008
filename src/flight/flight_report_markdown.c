/* SPDX-License-Identifier: Apache-2.0
 * flight_report_markdown.c -- a flight for the summary of a CI job. See flight/report.h. */
#include "flight/report.h"
#include "seal_manifest.h"

#include "flight/lines.h"
#include "fmt/markdown.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/rfc3339.h"
#include "fmt/spark.h"
#include "fmt/terminal_clean.h"
#include "fmt/units.h"

#include <errno.h>
#include <math.h>
#include <mayfly/seal.h>
#include <string.h>

#define TITLE_COLUMNS  160
#define LABEL_COLUMNS  40 /* of a bar in the chart of processes */
#define BARS_MAX       24
#define STEPS_MAX      24
#define TABLE_MAX      8
#define FAILED_MAX     8
#define SPARK_COLUMNS  60
#define LINE_COLUMNS   300
#define OUTPUT_LEN_MAX 40000 /* of the last lines, so that the whole stays below 60 KB */
#define EVENTS_MAX     12

static bool has_ended(const struct mf_flight_info *info)
{
    return info->state == MF_FLIGHT_ENDED || info->state == MF_FLIGHT_RECOVERED;
}

static const char *mark(const struct mf_flight_info *info)
{
    return info->state == MF_FLIGHT_RUNNING ? "⏳"
           : !has_ended(info)               ? "❔"
           : info->success                  ? "✅"
                                            : "❌";
}

static void duration(struct mf_buffer *out, int64_t duration_ns)
{
    char text[MF_UNITS_LEN];
    mf_buffer_puts(out, mf_format_duration(text, duration_ns));
}

static void size(struct mf_buffer *out, uint64_t bytes)
{
    char text[MF_UNITS_LEN];
    mf_buffer_puts(out, bytes != MF_FLIGHT_UNKNOWN ? mf_format_size(text, bytes) : "-");
}

/* ---- the head ---- */

static void heading(struct mf_buffer *out, const struct mf_flight_info *info)
{
    struct mf_buffer command = MF_BUFFER_INIT;
    mf_buffer_printf(out, "### %s ", mark(info));
    mf_markdown_text(out, info->name, TITLE_COLUMNS);
    mf_buffer_putc(out, ' ');
    mf_words_outcome(out, info);
    if (info->duration_ns >= 0) {
        mf_buffer_puts(out, info->state == MF_FLIGHT_RUNNING ? " since " : " after ");
        duration(out, info->duration_ns);
    }
    mf_buffer_puts(out, "\n\n");
    mf_words_command(&command, info->command);
    mf_markdown_code(out, command.data != NULL ? command.data : "", 2 * TITLE_COLUMNS);
    mf_buffer_puts(out, "\n\n");
    mf_buffer_free(&command);
}

static void reason(struct mf_buffer *out, const struct mf_story *story)
{
    const struct mf_flight_info *info = story->info;
    const struct mf_flight_process *culprit = mf_story_culprit(story);
    if (!has_ended(info) || info->success) {
        return;
    }
    mf_buffer_puts(out, "> ");
    mf_markdown_text(out, info->reason != NULL ? info->reason : "", 2 * TITLE_COLUMNS);
    for (char **evidence = info->evidence; *evidence != NULL; evidence++) {
        mf_buffer_puts(out, "  \n> ");
        mf_markdown_text(out, *evidence, 2 * TITLE_COLUMNS);
    }
    if (culprit != NULL && info->outcome == MF_OUTCOME_EXITED) {
        mf_buffer_puts(out, "  \n> just before, ");
        mf_markdown_code(out, mf_process_title(culprit), TITLE_COLUMNS);
        mf_buffer_puts(out, " ended with ");
        mf_words_exit(out, culprit);
    }
    mf_buffer_puts(out, "\n\n");
}

static void totals(struct mf_buffer *out, const struct mf_flight_info *info)
{
    const struct mf_flight_totals *totals = &info->totals;
    if (!has_ended(info)) {
        return;
    }
    mf_buffer_puts(out,
                   "| time | CPU | cores | memory peak | read | written | processes | output |\n"
                   "|---:|---:|---:|---:|---:|---:|---:|---:|\n| ");
    duration(out, info->duration_ns);
    mf_buffer_puts(out, " | ");
    mf_figure_text(out, MF_UNIT_NS, mf_figure_of(info, MF_FIGURE_CPU));
    mf_buffer_puts(out, " | ");
    mf_figure_text(out, MF_UNIT_CORES, mf_figure_of(info, MF_FIGURE_CORES));
    mf_buffer_puts(out, " | ");
    size(out, totals->memory_peak_bytes);
    mf_buffer_puts(out, " | ");
    size(out, totals->read_bytes);
    mf_buffer_puts(out, " | ");
    size(out, totals->write_bytes);
    mf_buffer_puts(out, " | ");
    mf_figure_text(out, MF_UNIT_COUNT, mf_figure_of(info, MF_FIGURE_PROCESSES));
    mf_buffer_puts(out, " | ");
    mf_figure_text(out, MF_UNIT_COUNT, mf_figure_of(info, MF_FIGURE_LINES));
    mf_buffer_puts(out, " lines |\n\n");
}

/* ---- charts ---- */

/* Sparklines, in a block of text. */
static void sparklines(struct mf_buffer *out, const struct mf_timeline *timeline)
{
    static const struct {
        const char *label;
        const char *name;
        enum mf_figure_unit unit;
        const char *per;
    } charts[] = {
        {"CPU      ", "cpu", MF_UNIT_CORES, " cores"},
        {"memory   ", "memory", MF_UNIT_BYTES, ""},
        {"reads    ", "io_read", MF_UNIT_BYTES, "/s"},
        {"writes   ", "io_write", MF_UNIT_BYTES, "/s"},
        {"processes", "processes", MF_UNIT_COUNT, ""},
    };
    struct mf_buffer text = MF_BUFFER_INIT;
    for (size_t i = 0; i < MF_ARRAY_LEN(charts); i++) {
        double values[SPARK_COLUMNS];
        double max = 0;
        mf_timeline_columns(timeline, charts[i].name, 0, timeline->duration_ns, SPARK_COLUMNS,
                            values);
        for (size_t k = 0; k < SPARK_COLUMNS; k++) {
            max = fmax(max, values[k]);
        }
        if (max > 0) {
            mf_buffer_printf(&text, "%s  ", charts[i].label);
            mf_spark_row(&text, values, SPARK_COLUMNS, max, 0, 1, true);
            mf_buffer_puts(&text, "  max ");
            mf_figure_text(&text, charts[i].unit, max);
            mf_buffer_printf(&text, "%s\n", charts[i].per);
        }
    }
    if (text.len > 0) {
        mf_markdown_block(out, text.data, text.len);
        mf_buffer_putc(out, '\n');
    }
    out->failed = out->failed || text.failed;
    mf_buffer_free(&text);
}

/* One bar; mermaid wants an end after the start. */
static void bar(struct mf_buffer *out, const char *label, const char *tag, int64_t start_ns,
                int64_t end_ns)
{
    const long long start_ms = start_ns / 1000000;
    const long long end_ms = end_ns / 1000000;
    mf_buffer_puts(out, "    ");
    mf_mermaid_text(out, label, LABEL_COLUMNS);
    mf_buffer_printf(out, " :%s%lld, %lld\n", tag, start_ms,
                     end_ms > start_ms ? end_ms : start_ms + 1);
}

static bool process_bars(struct mf_buffer *out, const struct mf_story *story)
{
    const struct mf_flight_processes *processes = &story->processes;
    const int64_t end_ns = story->timeline.duration_ns;
    size_t *busiest = mf_process_order(processes, MF_BY_CPU);
    size_t *starts = mf_process_order(processes, MF_BY_START);
    bool *chosen = mf_calloc(processes->count + 1, sizeof *chosen);
    const bool enough = busiest != NULL && starts != NULL && chosen != NULL;
    struct mf_buffer label = MF_BUFFER_INIT;
    if (enough && processes->count > 0) {
        mf_buffer_puts(out, "    section Processes\n");
    }
    for (size_t i = 0; enough && i < processes->count && i < BARS_MAX; i++) {
        chosen[busiest[i]] = true;
    }
    for (size_t i = 0; enough && i < processes->count; i++) {
        const struct mf_flight_process *process = &processes->items[starts[i]];
        if (chosen[starts[i]]) {
            mf_buffer_clear(&label);
            mf_words_process_label(&label, process);
            bar(out, label.data != NULL ? label.data : "?",
                mf_process_failed(process) ? "crit, " : "", process->start_ns,
                process->ended ? process->end_ns : end_ns);
        }
    }
    mf_buffer_free(&label);
    mf_free(busiest);
    mf_free(starts);
    mf_free(chosen);
    return enough;
}

static void step_bars(struct mf_buffer *out, const struct mf_story *story)
{
    size_t count = 0;
    for (size_t i = 0; i < story->event_count && count < STEPS_MAX; i++) {
        const struct mf_story_event *event = &story->events[i];
        if (event->end_ns >= event->t_ns) {
            mf_buffer_puts(out, count++ == 0 ? "    section Steps\n" : "");
            bar(out, event->text, "active, ", event->t_ns, event->end_ns);
        }
    }
}

static int gantt(struct mf_buffer *out, const struct mf_story *story)
{
    if (story->processes.count < 2) {
        return 0;
    }
    mf_buffer_puts(out, "```mermaid\ngantt\n    dateFormat x\n    axisFormat %M:%S.%L\n");
    step_bars(out, story);
    const bool done = process_bars(out, story);
    mf_buffer_puts(out, "```\n\n");
    if (story->processes.count > BARS_MAX) {
        mf_buffer_printf(out, "The %d busiest of %zu processes.\n\n", BARS_MAX,
                         story->processes.count);
    }
    return done ? 0 : -ENOMEM;
}

/* ---- details ---- */

static void process_row(struct mf_buffer *out, const struct mf_story *story,
                        const struct mf_flight_process *process)
{
    mf_buffer_puts(out, "| ");
    duration(out, (int64_t)mf_process_cpu_ns(process));
    mf_buffer_puts(out, " | ");
    size(out, process->rss_peak_bytes);
    mf_buffer_puts(out, " | ");
    duration(out, process->start_ns);
    mf_buffer_puts(out, " | ");
    duration(out, mf_process_life_ns(process, story->timeline.duration_ns));
    mf_buffer_puts(out, " | ");
    mf_words_exit(out, process);
    mf_buffer_puts(out, " | ");
    mf_markdown_code(out, mf_process_title(process), TITLE_COLUMNS);
    mf_buffer_puts(out, " |\n");
}

static int process_table(struct mf_buffer *out, const struct mf_story *story, const char *title,
                         enum mf_process_order order, bool failed_only, size_t count_max)
{
    size_t *indexes = mf_process_order(&story->processes, order);
    size_t count = 0;
    for (size_t i = 0; indexes != NULL && i < story->processes.count && count < count_max; i++) {
        const struct mf_flight_process *process = &story->processes.items[indexes[i]];
        if (failed_only && !mf_process_failed(process)) {
            continue;
        }
        if (count++ == 0) {
            mf_buffer_printf(out,
                             "<details><summary>%s</summary>\n\n"
                             "| CPU | memory | start | life | exit | command |\n"
                             "|---:|---:|---:|---:|:---|:---|\n",
                             title);
        }
        process_row(out, story, process);
    }
    mf_buffer_puts(out, count > 0 ? "\n</details>\n\n" : "");
    mf_free(indexes);
    return indexes != NULL ? 0 : -ENOMEM;
}

static int last_lines(struct mf_buffer *out, const struct mf_flight_info *info, size_t lines_max,
                      struct mf_errinfo *err)
{
    const bool has_stderr = info->totals.output[MF_STREAM_STDERR].bytes > 0;
    const struct mf_lines_options options = {
        .streams = has_stderr ? 1U << MF_STREAM_STDERR : 0,
        .tail_lines_max = lines_max,
        .tail_bytes_max = OUTPUT_LEN_MAX,
        .line_bytes_max = 8 * LINE_COLUMNS,
    };
    struct mf_lines lines;
    struct mf_errinfo why;
    const int rc = mf_lines_read(info->dir, &options, &lines, &why);
    if (rc < 0) {
        return rc == -ENOMEM ? mf_fail(err, rc, "out of memory") : 0;
    }
    struct mf_buffer text = MF_BUFFER_INIT;
    for (size_t i = 0; i < lines.count; i++) {
        mf_terminal_clean_fit(&text, lines.items[i].text, lines.items[i].len, LINE_COLUMNS);
        mf_buffer_putc(&text, '\n');
    }
    if (lines.count > 0) {
        mf_buffer_printf(out, "<details%s><summary>Last lines of %s</summary>\n\n",
                         info->success ? "" : " open", has_stderr ? "stderr" : "the output");
        mf_markdown_block(out, text.data, text.len);
        mf_buffer_puts(out, "\n</details>\n\n");
    }
    out->failed = out->failed || text.failed;
    mf_buffer_free(&text);
    mf_lines_free(&lines);
    return 0;
}

static void events(struct mf_buffer *out, const struct mf_story *story)
{
    size_t count = 0;
    for (size_t i = 0; i < story->event_count && count < EVENTS_MAX; i++) {
        const struct mf_story_event *event = &story->events[i];
        if (event->level != MF_LEVEL_INFO) {
            mf_buffer_puts(out, count++ == 0 ? "Events that matter:\n\n" : "");
            mf_buffer_puts(out, event->level == MF_LEVEL_ERROR ? "- **" : "- ");
            duration(out, event->t_ns);
            mf_buffer_puts(out, event->level == MF_LEVEL_ERROR ? "**: " : ": ");
            mf_markdown_text(out, event->text, TITLE_COLUMNS);
            mf_buffer_putc(out, '\n');
        }
    }
    mf_buffer_puts(out, count > 0 ? "\n" : "");
}

static void origin(struct mf_buffer *out, const struct mf_story *story)
{
    const struct mf_flight_info *info = story->info;
    char time[MF_RFC3339_LEN];
    mf_buffer_puts(out, "<details><summary>How it was recorded</summary>\n\n");
    mf_buffer_printf(out, "- flight `%s`, started %s on ", info->id,
                     mf_format_rfc3339(time, info->started_wall_ns, 0, 0));
    mf_markdown_text(out, info->host != NULL ? info->host : "?", TITLE_COLUMNS);
    mf_buffer_printf(out, ", %llu CPUs, ", (unsigned long long)info->host_cpus);
    size(out, info->host_memory_bytes);
    mf_buffer_printf(out, "\n- rung '%s'", mf_flight_rung_name(info->rung));
    for (char **facility = info->facilities; *facility != NULL; facility++) {
        mf_buffer_printf(out, "%s%s", facility == info->facilities ? ": " : ", ", *facility);
    }
    mf_buffer_putc(out, '\n');
    for (char **blind = info->blind; *blind != NULL; blind++) {
        mf_buffer_puts(out, "- not seen: ");
        mf_markdown_text(out, *blind, 2 * TITLE_COLUMNS);
        mf_buffer_putc(out, '\n');
    }
    struct mf_seal_record record;
    if (mf_flight_seal_read(info->dir, &record, NULL) == 1) {
        char hex[MF_SEAL_HEX_LEN];
        mf_buffer_printf(out, "- sealed, root `%s`\n", mf__seal_hex(record.root, hex));
    }
    for (size_t i = 0; i < story->problem_count; i++) {
        mf_buffer_puts(out, "- damage: ");
        mf_markdown_text(out, story->problems[i], 2 * TITLE_COLUMNS);
        mf_buffer_putc(out, '\n');
    }
    mf_buffer_puts(out, "\n</details>\n");
}

int mf_report_markdown(struct mf_buffer *out, const struct mf_story *story, size_t lines_max,
                       struct mf_errinfo *err)
{
    heading(out, story->info);
    reason(out, story);
    totals(out, story->info);
    events(out, story);
    int rc = last_lines(out, story->info, lines_max, err);
    sparklines(out, &story->timeline);
    if (rc == 0) {
        rc = gantt(out, story);
    }
    MF_KEEP_FIRST(rc,
                  process_table(out, story, "Processes that failed", MF_BY_END, true, FAILED_MAX));
    MF_KEEP_FIRST(rc,
                  process_table(out, story, "The busiest processes", MF_BY_CPU, false, TABLE_MAX));
    MF_KEEP_FIRST(
        rc, process_table(out, story, "The biggest processes", MF_BY_MEMORY, false, TABLE_MAX));
    origin(out, story);
    return rc < 0 || out->failed ? mf_fail(err, -ENOMEM, "out of memory") : 0;
}
