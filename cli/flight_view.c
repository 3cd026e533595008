/* SPDX-License-Identifier: Apache-2.0
 * flight_view.c -- see flight_view.h. */
#include "flight_view.h"
#include "flight_operand.h"

#include "base/heap.h"
#include "fmt/spark.h"
#include "fmt/table.h"
#include "fmt/terminal_clean.h"
#include "fmt/units.h"
#include "fmt/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LABEL_WIDTH   14
#define VALUE_WIDTH   20 /* right of a sparkline: "peak 402 MiB" */
#define SPARK_MAX     240
#define FIGURES_WIDTH 58 /* of a table of processes, before the command */
#define WIDTH_MIN     40
#define NO_TERMINAL   100

struct cli_view cli_view_of(struct cli_context *cli, struct mf_buffer *out)
{
    const int columns = cli_columns();
    return (struct cli_view){
        .out = out,
        .width = columns == 0          ? NO_TERMINAL
                 : columns < WIDTH_MIN ? WIDTH_MIN
                                       : (size_t)columns,
        .colored = cli_colored(cli),
        .unicode = cli_unicode(),
    };
}

static void blanks(struct mf_buffer *out, size_t count)
{
    mf_buffer_printf(out, "%*s", (int)count, "");
}

void cli_view_heading(const struct cli_view *view, const char *heading)
{
    mf_buffer_printf(view->out, "\n%s%s%s\n", mf_style(view->colored, MF_STYLE_BOLD), heading,
                     mf_style(view->colored, MF_STYLE_RESET));
}

/* Wraps text that stands at column `at` already; its lines begin there. A word that is longer than
 * the line is broken. */
static void wrap(const struct cli_view *view, const char *text, size_t at)
{
    struct mf_buffer clean = MF_BUFFER_INIT;
    const size_t room = view->width > at + 10 ? view->width - at : 10;
    mf_terminal_escape_fit(&clean, text, strlen(text), SIZE_MAX / 128);
    const char *p = clean.data != NULL ? clean.data : "";
    size_t left = clean.len;
    while (left > 0) {
        size_t len = mf_utf8_fit(p, left, room);
        len = len > 0 ? len : left;
        size_t next = len;
        if (len < left) {
            const char *blank = memrchr(p, ' ', len + 1);
            if (blank != NULL && blank != p) {
                len = (size_t)(blank - p);
                next = len + 1;
            }
        }
        mf_buffer_append(view->out, p, len);
        mf_buffer_putc(view->out, '\n');
        p += next;
        left -= next;
        if (left > 0) {
            blanks(view->out, at);
        }
    }
    if (clean.len == 0) {
        mf_buffer_putc(view->out, '\n');
    }
    mf_buffer_free(&clean);
}

void cli_view_field(const struct cli_view *view, const char *label, const char *text)
{
    const size_t columns = mf_utf8_columns(label, strlen(label));
    mf_buffer_printf(view->out, "  %s%s%s", mf_style(view->colored, MF_STYLE_FAINT), label,
                     mf_style(view->colored, MF_STYLE_RESET));
    blanks(view->out, columns + 2 < LABEL_WIDTH ? LABEL_WIDTH - 2 - columns : 1);
    wrap(view, text, LABEL_WIDTH);
}

void cli_view_item(const struct cli_view *view, const char *text)
{
    mf_buffer_puts(view->out, view->unicode ? "  · " : "  - ");
    wrap(view, text, 4);
}

void cli_view_moment(struct mf_buffer *out, int64_t t_ns)
{
    char text[MF_UNITS_LEN];
    mf_buffer_puts(out, mf_format_duration(text, t_ns));
}

enum mf_style cli_outcome_style(const struct mf_flight_info *info)
{
    return info->state == MF_FLIGHT_RUNNING ? MF_STYLE_CYAN
           : info->state == MF_FLIGHT_DEAD  ? MF_STYLE_YELLOW
           : info->success                  ? MF_STYLE_GREEN
                                            : MF_STYLE_RED;
}

const char *cli_outcome_mark(const struct cli_view *view, const struct mf_flight_info *info)
{
    if (info->state == MF_FLIGHT_RUNNING) {
        return view->unicode ? "●" : "*";
    }
    if (info->state == MF_FLIGHT_DEAD) {
        return "?";
    }
    return info->success ? (view->unicode ? "✓" : "+") : (view->unicode ? "✗" : "x");
}

void cli_view_value(struct mf_buffer *out, const char *unit, double value)
{
    char text[MF_UNITS_LEN];
    const uint64_t whole = value > 0 && value < 1e18 ? (uint64_t)llround(value) : 0;
    if (strcmp(unit, "cores") == 0) {
        mf_buffer_printf(out, value < 9.95 ? "%.2f cores" : "%.1f cores", value);
    } else if (strcmp(unit, "bytes") == 0) {
        mf_buffer_puts(out, mf_format_size(text, whole));
    } else if (strcmp(unit, "bytes_per_second") == 0) {
        mf_buffer_printf(out, "%s/s", mf_format_size(text, whole));
    } else {
        mf_buffer_puts(out, mf_format_count(text, whole));
    }
}

/* ---- charts ---- */

static void axis(const struct cli_view *view, int64_t from_ns, int64_t to_ns, size_t columns)
{
    char begin[MF_UNITS_LEN];
    char end[MF_UNITS_LEN];
    mf_format_duration(begin, from_ns);
    mf_format_duration(end, to_ns);
    const size_t used = strlen(begin) + strlen(end);
    blanks(view->out, LABEL_WIDTH);
    mf_buffer_printf(view->out, "%s%s", mf_style(view->colored, MF_STYLE_FAINT), begin);
    blanks(view->out, columns > used ? columns - used : 1);
    mf_buffer_printf(view->out, "%s%s\n", end, mf_style(view->colored, MF_STYLE_RESET));
}

static bool chart(const struct cli_view *view, const struct mf_timeline *timeline,
                  const char *label, const char *name, enum mf_style style, int64_t from_ns,
                  int64_t to_ns, size_t columns)
{
    double values[SPARK_MAX];
    double max = 0;
    const struct mf_track *track =
        mf_timeline_find(timeline, strcmp(name, "cpu") == 0 ? "cpu_user" : name);
    mf_timeline_columns(timeline, name, from_ns, to_ns, columns, values);
    for (size_t i = 0; i < columns; i++) {
        max = fmax(max, values[i]);
    }
    if (track == NULL || !(max > 0)) {
        return false;
    }
    mf_buffer_printf(view->out, "  %s%s%s", mf_style(view->colored, MF_STYLE_FAINT), label,
                     mf_style(view->colored, MF_STYLE_RESET));
    blanks(view->out, LABEL_WIDTH - 2 - strlen(label));
    mf_buffer_puts(view->out, mf_style(view->colored, style));
    mf_spark_row(view->out, values, columns, max, 0, 1, view->unicode);
    mf_buffer_printf(view->out, "%s  max ", mf_style(view->colored, MF_STYLE_RESET));
    cli_view_value(view->out, track->unit, max);
    mf_buffer_putc(view->out, '\n');
    return true;
}

void cli_view_charts(const struct cli_view *view, const struct mf_timeline *timeline,
                     int64_t from_ns, int64_t to_ns)
{
    static const struct {
        const char *label;
        const char *name;
        const char *instead; /* when there is no such series */
        enum mf_style style;
    } charts[] = {
        {"CPU", "cpu", NULL, MF_STYLE_GREEN},
        {"Memory", "memory", "memory_rss", MF_STYLE_BLUE},
        {"Disk reads", "io_read", NULL, MF_STYLE_CYAN},
        {"Disk writes", "io_write", NULL, MF_STYLE_CYAN},
        {"Processes", "processes", NULL, MF_STYLE_YELLOW},
        {"Output", "output", NULL, MF_STYLE_MAGENTA},
    };
    size_t columns = view->width - LABEL_WIDTH - VALUE_WIDTH;
    columns = view->width < LABEL_WIDTH + VALUE_WIDTH + 10 ? 10
              : columns > SPARK_MAX                        ? SPARK_MAX
                                                           : columns;
    bool any = false;
    for (size_t i = 0; i < MF_ARRAY_LEN(charts); i++) {
        bool drawn = chart(view, timeline, charts[i].label, charts[i].name, charts[i].style,
                           from_ns, to_ns, columns);
        if (!drawn && charts[i].instead != NULL) {
            drawn = chart(view, timeline, charts[i].label, charts[i].instead, charts[i].style,
                          from_ns, to_ns, columns);
        }
        any = any || drawn;
    }
    if (any) {
        axis(view, from_ns, to_ns, columns);
    }
}

/* ---- processes ---- */

void cli_view_processes(const struct cli_view *view, const struct mf_story *story,
                        const size_t *indexes, size_t count)
{
    static const struct mf_column columns[] = {
        {"PID", MF_ALIGN_RIGHT, 0},     {"CPU", MF_ALIGN_RIGHT, 0},  {"MEMORY", MF_ALIGN_RIGHT, 0},
        {"START", MF_ALIGN_RIGHT, 0},   {"LIFE", MF_ALIGN_RIGHT, 0}, {"EXIT", MF_ALIGN_LEFT, 8},
        {"COMMAND", MF_ALIGN_LEFT, 12},
    };
    struct mf_buffer table_text = MF_BUFFER_INIT;
    struct mf_buffer exit = MF_BUFFER_INIT;
    struct mf_buffer command = MF_BUFFER_INIT;
    struct mf_table table;
    char text[MF_UNITS_LEN];
    const size_t room = view->width > FIGURES_WIDTH + 10 ? view->width - FIGURES_WIDTH : 10;
    mf_table_init(&table, columns, MF_ARRAY_LEN(columns));
    for (size_t i = 0; i < count; i++) {
        const struct mf_flight_process *process = &story->processes.items[indexes[i]];
        mf_table_cellf(&table, "%lld", (long long)process->pid);
        mf_table_cell(&table, mf_format_duration(text, (int64_t)mf_process_cpu_ns(process)));
        mf_table_cell(&table, mf_format_size(text, process->rss_peak_bytes));
        mf_table_cell(&table, mf_format_duration(text, process->start_ns));
        mf_table_cell(&table, mf_format_duration(
                                  text, mf_process_life_ns(process, story->timeline.duration_ns)));
        mf_buffer_clear(&exit);
        if (process->ended || story->info->state == MF_FLIGHT_RUNNING) {
            mf_words_exit(&exit, process);
        } else {
            mf_buffer_puts(&exit, "left"); /* alive when the recorder went */
        }
        mf_table_cell_styled(&table, exit.data,
                             mf_process_failed(process) ? MF_STYLE_RED : MF_STYLE_RESET);
        mf_buffer_clear(&command);
        mf_words_process(&command, process, room, view->unicode);
        mf_table_cell(&table, command.data);
    }
    mf_table_write(&table, &table_text, (int)view->width - 2, view->colored);
    mf_table_free(&table);
    mf_buffer_free(&exit);
    mf_buffer_free(&command);
    /* indented below its heading */
    for (size_t at = 0; at < table_text.len;) {
        const char *line = table_text.data + at;
        const char *end = memchr(line, '\n', table_text.len - at);
        const size_t len = end != NULL ? (size_t)(end - line) + 1 : table_text.len - at;
        mf_buffer_puts(view->out, "  ");
        mf_buffer_append(view->out, line, len);
        at += len;
    }
    if (table_text.failed) {
        view->out->failed = true;
    }
    mf_buffer_free(&table_text);
}
