/* SPDX-License-Identifier: Apache-2.0
 * top_frame.c -- see top_frame.h. Nothing here knows of terminals but their width. */
#include "top_frame.h"
#include "flight_view.h"

#include "base/fail.h"
#include "base/heap.h"
#include "flight/info_json.h"
#include "fmt/spark.h"
#include "fmt/terminal.h"
#include "fmt/terminal_clean.h"
#include "fmt/units.h"
#include "fmt/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND      INT64_C(1000000000)
#define WINDOW_NS   SECOND /* rates of processes are means over so long */
#define LABEL_WIDTH 9
#define VALUE_WIDTH 15
#define CHART_MAX   400
#define CHART_COUNT 4
#define JSON_MAX    50 /* processes in JSON */

/* ---- a line in the making ---- */

struct frame {
    struct mf_buffer *out;
    const struct top_view *view;
    size_t column; /* of the line in the making */
    size_t rows;   /* finished */
};

/* Appends text that is known to be harmless and `columns` wide, as far as it fits. */
static void put_plain(struct frame *frame, enum mf_style style, const char *text, size_t len)
{
    const size_t room = frame->view->columns - frame->column;
    const size_t fit = mf_utf8_fit(text, len, room);
    const bool styled = style != MF_STYLE_RESET && frame->view->colored;
    mf_buffer_puts(frame->out, styled ? mf_style(true, style) : "");
    mf_buffer_append(frame->out, text, fit);
    mf_buffer_puts(frame->out, styled ? mf_style(true, MF_STYLE_RESET) : "");
    frame->column += mf_utf8_columns(text, fit);
}

/* The same for any text, cut to `columns_max` with an ellipsis. */
static void put(struct frame *frame, enum mf_style style, const char *text, size_t columns_max)
{
    struct mf_buffer clean = MF_BUFFER_INIT;
    const size_t room = frame->view->columns - frame->column;
    mf_terminal_escape_fit(&clean, text, strlen(text), columns_max < room ? columns_max : room);
    if (clean.len > 0) {
        put_plain(frame, style, clean.data, clean.len);
    }
    frame->out->failed = frame->out->failed || clean.failed;
    mf_buffer_free(&clean);
}

static void pad_to(struct frame *frame, size_t column)
{
    const size_t end = column < frame->view->columns ? column : frame->view->columns;
    if (frame->column < end) {
        mf_buffer_printf(frame->out, "%*s", (int)(end - frame->column), "");
        frame->column = end;
    }
}

/* Right-aligned, to end at `column`. */
static void put_right(struct frame *frame, enum mf_style style, const char *text, size_t column)
{
    const size_t width = mf_utf8_columns(text, strlen(text));
    pad_to(frame, column > width ? column - width : 0);
    put(frame, style, text, width);
}

static void end_line(struct frame *frame)
{
    mf_buffer_putc(frame->out, '\n');
    frame->column = 0;
    frame->rows++;
}

/* A rule across the screen with a title in it. */
static void rule(struct frame *frame, const char *title)
{
    const char *dash = frame->view->unicode ? "─" : "-";
    struct mf_buffer line = MF_BUFFER_INIT;
    const size_t used = mf_utf8_columns(title, strlen(title)) + 4;
    mf_buffer_printf(&line, "%s%s %s ", dash, dash, title);
    for (size_t i = used; i < frame->view->columns; i++) {
        mf_buffer_puts(&line, dash);
    }
    put_plain(frame, MF_STYLE_FAINT, line.data != NULL ? line.data : "", line.len);
    mf_buffer_free(&line);
    end_line(frame);
}

/* ---- head ---- */

static void head(struct frame *frame)
{
    const struct top_view *view = frame->view;
    const struct mf_flight_info *info = view->story->info;
    const struct cli_view marks = {.unicode = view->unicode};
    char total[MF_UNITS_LEN];
    char moment[MF_UNITS_LEN];
    char clock[2 * MF_UNITS_LEN + 16];
    struct mf_buffer words = MF_BUFFER_INIT;
    mf_format_duration(total, view->story->timeline.duration_ns);
    if (view->whole) {
        snprintf(clock, sizeof clock, "%s", total);
    } else {
        snprintf(clock, sizeof clock, "%s%s of %s", view->paused ? "paused at " : "at ",
                 mf_format_duration(moment, view->t_ns), total);
    }
    const size_t clock_width = mf_utf8_columns(clock, strlen(clock));
    const size_t room = view->columns > clock_width + 2 ? view->columns - clock_width - 2 : 1;
    mf_buffer_printf(&words, "%s %s ", cli_outcome_mark(&marks, info), info->name);
    mf_words_outcome(&words, info);
    put(frame, cli_outcome_style(info), words.data != NULL ? words.data : "", room);
    put_right(frame, MF_STYLE_BOLD, clock, view->columns);
    end_line(frame);
    mf_buffer_clear(&words);
    if (!info->success && info->reason != NULL) {
        mf_buffer_puts(&words, info->reason);
    } else {
        mf_words_command(&words, info->command);
    }
    put(frame, MF_STYLE_FAINT, words.data != NULL ? words.data : "", view->columns);
    end_line(frame);
    mf_buffer_free(&words);
}

/* ---- charts ---- */

struct chart {
    const char *label;
    const char *names[2]; /* added up */
    const char *instead;  /* where there is none of these */
    const char *unit;
    enum mf_style style;
};

static const struct chart charts[CHART_COUNT] = {
    {"CPU", {"cpu", NULL}, NULL, "cores", MF_STYLE_GREEN},
    {"Memory", {"memory", NULL}, "memory_rss", "bytes", MF_STYLE_BLUE},
    {"Disk", {"io_read", "io_write"}, NULL, "bytes_per_second", MF_STYLE_CYAN},
    {"Output", {"output", NULL}, NULL, "bytes_per_second", MF_STYLE_MAGENTA},
};

/* The values of a chart in pieces of [from, to). */
static void chart_values(const struct mf_story *story, const struct chart *chart, int64_t from_ns,
                         int64_t to_ns, size_t columns, double *values)
{
    double more[CHART_MAX];
    bool any = false;
    mf_timeline_columns(&story->timeline, chart->names[0], from_ns, to_ns, columns, values);
    for (size_t i = 0; i < columns; i++) {
        any = any || !isnan(values[i]);
    }
    if (!any && chart->instead != NULL) {
        mf_timeline_columns(&story->timeline, chart->instead, from_ns, to_ns, columns, values);
    }
    if (chart->names[1] != NULL) {
        mf_timeline_columns(&story->timeline, chart->names[1], from_ns, to_ns, columns, more);
        for (size_t i = 0; i < columns; i++) {
            values[i] = isnan(values[i]) ? more[i]
                        : isnan(more[i]) ? values[i]
                                         : values[i] + more[i];
        }
    }
}

static double value_at(const struct top_view *view, const struct chart *chart)
{
    const int64_t interval_ns = view->story->info->interval_ns;
    const int64_t begin_ns = view->t_ns > interval_ns ? view->t_ns - interval_ns : 0;
    double value = NAN;
    if (view->t_ns > begin_ns) {
        chart_values(view->story, chart, begin_ns, view->t_ns, 1, &value);
    }
    return value;
}

/* Right of a chart: the value at the moment in its first row and the largest in its last; where
 * there is only one row, the first that applies. */
static void chart_words(struct frame *frame, const struct chart *chart, double max, size_t row,
                        size_t rows)
{
    const struct top_view *view = frame->view;
    const double value = view->whole ? NAN : value_at(view, chart);
    const bool has_value = !view->whole && !isnan(value);
    struct mf_buffer text = MF_BUFFER_INIT;
    if (has_value && row == rows - 1) {
        cli_view_value(&text, chart->unit, value);
    } else if (row == 0 && max > 0 && (!has_value || rows > 1)) {
        mf_buffer_puts(&text, "max ");
        cli_view_value(&text, chart->unit, max);
    }
    if (text.len > 0) {
        put_right(frame, has_value && row == rows - 1 ? MF_STYLE_BOLD : MF_STYLE_FAINT, text.data,
                  view->columns);
    }
    mf_buffer_free(&text);
}

static size_t chart_width(const struct top_view *view)
{
    const size_t used = LABEL_WIDTH + VALUE_WIDTH;
    const size_t width = view->columns > used + 10 ? view->columns - used : 10;
    return width < CHART_MAX ? width : CHART_MAX;
}

/* The column of the moment in the charts; SIZE_MAX: not in the part that is drawn. */
static size_t cursor_column(const struct top_view *view)
{
    const double span = (double)(view->to_ns - view->from_ns);
    if (view->whole || view->t_ns < view->from_ns || view->t_ns > view->to_ns || span <= 0) {
        return SIZE_MAX;
    }
    const size_t width = chart_width(view);
    const size_t column = (size_t)((double)(view->t_ns - view->from_ns) / span * (double)width);
    return column < width ? column : width - 1;
}

static void draw_chart(struct frame *frame, const struct chart *chart, size_t rows)
{
    const struct top_view *view = frame->view;
    const size_t width = chart_width(view);
    double values[CHART_MAX];
    double max = 0;
    chart_values(view->story, chart, view->from_ns, view->to_ns, width, values);
    for (size_t i = 0; i < width; i++) {
        max = fmax(max, values[i]);
    }
    for (size_t row = rows; row-- > 0;) {
        struct mf_buffer cells = MF_BUFFER_INIT;
        put(frame, MF_STYLE_FAINT, row == rows - 1 ? chart->label : "", LABEL_WIDTH);
        pad_to(frame, LABEL_WIDTH);
        mf_spark_row(&cells, values, width, max, row, rows, view->unicode);
        put_plain(frame, chart->style, cells.data != NULL ? cells.data : "", cells.len);
        chart_words(frame, chart, max, row, rows);
        end_line(frame);
        mf_buffer_free(&cells);
    }
}

static void draw_axis(struct frame *frame)
{
    const struct top_view *view = frame->view;
    const size_t width = chart_width(view);
    const size_t cursor = cursor_column(view);
    char begin[MF_UNITS_LEN];
    char end[MF_UNITS_LEN];
    mf_format_duration(begin, view->from_ns);
    mf_format_duration(end, view->to_ns);
    pad_to(frame, LABEL_WIDTH);
    if (cursor != SIZE_MAX) {
        if (cursor > strlen(begin) + 1) {
            put(frame, MF_STYLE_FAINT, begin, width);
        }
        pad_to(frame, LABEL_WIDTH + cursor);
        put(frame, MF_STYLE_BOLD, view->unicode ? "▲" : "^", 1);
        if (cursor + strlen(end) + 2 < width) {
            put_right(frame, MF_STYLE_FAINT, end, LABEL_WIDTH + width);
        }
    } else {
        put(frame, MF_STYLE_FAINT, begin, width);
        put_right(frame, MF_STYLE_FAINT, end, LABEL_WIDTH + width);
    }
    end_line(frame);
}

/* ---- processes ---- */

struct row {
    const struct mf_flight_process *process;
    double cores;
    uint64_t rss_bytes;
    double cpu_ns;
};

static int compare_rows(const void *a, const void *b, void *context)
{
    const enum mf_process_order order = *(const enum mf_process_order *)context;
    const struct row *left = a;
    const struct row *right = b;
    int by = 0;
    switch (order) {
    case MF_BY_CPU:
        by = (left->cores < right->cores) - (left->cores > right->cores);
        by = by != 0 ? by : (left->cpu_ns < right->cpu_ns) - (left->cpu_ns > right->cpu_ns);
        break;
    case MF_BY_MEMORY:
        by = (left->rss_bytes < right->rss_bytes) - (left->rss_bytes > right->rss_bytes);
        break;
    case MF_BY_START:
    case MF_BY_END:
        break;
    }
    return by != 0 ? by
                   : (left->process->number > right->process->number) -
                         (left->process->number < right->process->number);
}

/* Whether it lived within the window before the moment. */
static bool is_shown(const struct top_view *view, const struct mf_flight_process *process)
{
    const int64_t interval_ns = view->story->info->interval_ns;
    return view->whole || (process->start_ns <= view->t_ns &&
                           (!process->ended || process->end_ns >= view->t_ns - interval_ns));
}

static struct row row_of(const struct top_view *view, const struct mf_flight_process *process)
{
    const int64_t interval_ns = view->story->info->interval_ns;
    if (view->whole) {
        return (struct row){process, 0, process->rss_peak_bytes,
                            (double)mf_process_cpu_ns(process)};
    }
    int64_t begin_ns = view->t_ns - WINDOW_NS;
    begin_ns = begin_ns > process->start_ns ? begin_ns : process->start_ns;
    const double cpu_ns = mf_process_cpu_at_ns(process, view->t_ns, interval_ns);
    const double grown_ns = cpu_ns - mf_process_cpu_at_ns(process, begin_ns, interval_ns);
    /* Of a process younger than an interval little is known yet. */
    const int64_t span_ns =
        view->t_ns - begin_ns > interval_ns ? view->t_ns - begin_ns : interval_ns;
    return (struct row){
        .process = process,
        .cores = span_ns > 0 ? grown_ns / (double)span_ns : 0,
        .rss_bytes = mf_process_rss_at(process, view->t_ns),
        .cpu_ns = cpu_ns,
    };
}

/* The processes in their order, for mf_free(). NULL: out of memory. */
static struct row *collect_rows(const struct top_view *view, size_t *ret_count)
{
    const struct mf_flight_processes *processes = &view->story->processes;
    struct row *rows = mf_calloc(processes->count + 1, sizeof *rows);
    size_t count = 0;
    for (size_t i = 0; rows != NULL && i < processes->count; i++) {
        if (is_shown(view, &processes->items[i])) {
            rows[count++] = row_of(view, &processes->items[i]);
        }
    }
    if (count > 1) {
        enum mf_process_order order = view->order;
        qsort_r(rows, count, sizeof *rows, compare_rows, &order);
    }
    *ret_count = count;
    return rows;
}

size_t top_process_count(const struct top_view *view)
{
    size_t count = 0;
    for (size_t i = 0; i < view->story->processes.count; i++) {
        count += is_shown(view, &view->story->processes.items[i]);
    }
    return count;
}

/* A title of a column; the one that is sorted by stands out. */
static void column_title(struct frame *frame, const char *title, size_t column,
                         enum mf_process_order order)
{
    put_right(frame, frame->view->order == order ? MF_STYLE_BOLD : MF_STYLE_FAINT, title, column);
}

static void process_titles(struct frame *frame)
{
    const bool whole = frame->view->whole;
    put_right(frame, frame->view->order == MF_BY_START ? MF_STYLE_BOLD : MF_STYLE_FAINT, "PID", 7);
    if (!whole) {
        column_title(frame, "%CPU", 14, MF_BY_CPU);
    }
    column_title(frame, "MEMORY", whole ? 18 : 25, MF_BY_MEMORY);
    column_title(frame, "CPU", whole ? 28 : 35, whole ? MF_BY_CPU : MF_BY_END);
    put_right(frame, MF_STYLE_FAINT, whole ? "LIFE" : "AGE", whole ? 38 : 45);
    if (whole) {
        pad_to(frame, 40);
        put(frame, MF_STYLE_FAINT, "EXIT", 4);
    }
    pad_to(frame, whole ? 49 : 47);
    put(frame, MF_STYLE_FAINT, "COMMAND", 7);
    end_line(frame);
}

static void process_line(struct frame *frame, const struct row *row)
{
    const struct top_view *view = frame->view;
    const struct mf_flight_process *process = row->process;
    const int64_t now_ns = view->whole ? view->story->timeline.duration_ns : view->t_ns;
    char text[MF_UNITS_LEN];
    snprintf(text, sizeof text, "%lld", (long long)process->pid);
    put_right(frame, MF_STYLE_RESET, text, 7);
    if (!view->whole) {
        snprintf(text, sizeof text, "%.1f", row->cores * 100);
        put_right(frame, row->cores >= 0.5 ? MF_STYLE_GREEN : MF_STYLE_RESET, text, 14);
    }
    put_right(frame, MF_STYLE_RESET, mf_format_size(text, row->rss_bytes), view->whole ? 18 : 25);
    put_right(frame, MF_STYLE_RESET, mf_format_duration(text, llround(row->cpu_ns)),
              view->whole ? 28 : 35);
    const int64_t end_ns = process->ended && process->end_ns < now_ns ? process->end_ns : now_ns;
    put_right(frame, MF_STYLE_RESET, mf_format_duration(text, end_ns - process->start_ns),
              view->whole ? 38 : 45);
    if (view->whole) {
        struct mf_buffer exit = MF_BUFFER_INIT;
        const bool left = !process->ended && view->story->info->state != MF_FLIGHT_RUNNING;
        if (!left) {
            mf_words_exit(&exit, process);
        }
        pad_to(frame, 40);
        put(frame, mf_process_failed(process) ? MF_STYLE_RED : MF_STYLE_RESET,
            left                ? "left"
            : exit.data != NULL ? exit.data
                                : "",
            8);
        mf_buffer_free(&exit);
    }
    pad_to(frame, view->whole ? 49 : 47);
    struct mf_buffer command = MF_BUFFER_INIT;
    mf_words_process(&command, process, view->columns - frame->column, view->unicode);
    put(frame, MF_STYLE_RESET, command.data != NULL ? command.data : "", view->columns);
    mf_buffer_free(&command);
    end_line(frame);
}

static void draw_processes(struct frame *frame, size_t rows_max)
{
    const struct top_view *view = frame->view;
    size_t count = 0;
    char title[64];
    if (rows_max < 2) {
        return;
    }
    struct row *rows = collect_rows(view, &count);
    if (rows == NULL) {
        frame->out->failed = true;
        return;
    }
    snprintf(title, sizeof title, "%zu process%s%s", count, count == 1 ? "" : "es",
             view->whole ? " in all" : "");
    rule(frame, title);
    process_titles(frame);
    const size_t room = rows_max - 2;
    const size_t most = count > room ? count - room : 0;
    const size_t first = view->scroll < most ? view->scroll : most;
    for (size_t i = 0; i < room; i++) {
        if (first + i < count) {
            process_line(frame, &rows[first + i]);
        } else {
            end_line(frame);
        }
    }
    mf_free(rows);
}

/* ---- output ---- */

/* How many lines there were up to the moment. */
static size_t lines_until(const struct top_view *view)
{
    size_t low = 0;
    size_t high = view->line_count;
    while (!view->whole && low < high) {
        const size_t middle = low + (high - low) / 2;
        if (view->lines[middle].t_ns <= view->t_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return high;
}

static void output_line(struct frame *frame, const struct top_line *line)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    const bool is_stderr = line->stream == MF_STREAM_STDERR;
    const char *bar = frame->view->unicode ? (is_stderr ? "┃ " : "│ ") : (is_stderr ? "! " : "| ");
    put(frame, is_stderr ? MF_STYLE_RED : MF_STYLE_FAINT, bar, 2);
    mf_terminal_clean_fit(&text, line->text, line->len, frame->view->columns - frame->column);
    if (text.len > 0) {
        put_plain(frame, MF_STYLE_RESET, text.data, text.len);
    }
    frame->out->failed = frame->out->failed || text.failed;
    mf_buffer_free(&text);
    end_line(frame);
}

static void draw_output(struct frame *frame, size_t rows_max)
{
    if (rows_max < 2) {
        return;
    }
    const size_t room = rows_max - 1;
    const size_t until = lines_until(frame->view);
    const size_t first = until > room ? until - room : 0;
    rule(frame, "output");
    for (size_t i = first; i < until; i++) {
        output_line(frame, &frame->view->lines[i]);
    }
    for (size_t i = until - first; i < room; i++) {
        end_line(frame);
    }
}

/* ---- the whole ---- */

/* How the rows are dealt out: charts up to half of the screen, then processes and output. */
static void deal_rows(const struct top_view *view, size_t chart_rows[CHART_COUNT],
                      size_t *ret_processes, size_t *ret_output)
{
    const size_t fixed = 2 + 1 + (view->keys != NULL); /* head, axis, keys */
    const size_t tall = view->rows >= 40 ? 5 : view->rows >= 30 ? 4 : view->rows >= 22 ? 3 : 1;
    chart_rows[0] = tall;
    chart_rows[1] = tall;
    chart_rows[2] = tall >= 4 ? 2 : 1;
    chart_rows[3] = 1;
    size_t used = fixed;
    for (size_t i = 0; i < CHART_COUNT; i++) {
        used += chart_rows[i];
    }
    const size_t rest = view->rows > used ? view->rows - used : 0;
    *ret_output = rest * 2 / 5;
    *ret_processes = rest - *ret_output;
}

void top_frame(struct mf_buffer *out, const struct top_view *asked)
{
    struct top_view view = *asked;
    size_t chart_rows[CHART_COUNT];
    size_t process_rows = 0;
    size_t output_rows = 0;
    if (view.columns < TOP_COLUMNS_MIN || view.rows < TOP_ROWS_MIN) {
        mf_buffer_printf(out, "at least %d x %d\n", TOP_COLUMNS_MIN, TOP_ROWS_MIN);
        return;
    }
    struct frame frame = {.out = out, .view = &view};
    deal_rows(&view, chart_rows, &process_rows, &output_rows);
    head(&frame);
    for (size_t i = 0; i < CHART_COUNT; i++) {
        draw_chart(&frame, &charts[i], chart_rows[i]);
    }
    draw_axis(&frame);
    draw_processes(&frame, process_rows);
    draw_output(&frame, output_rows);
    while (frame.rows + (view.keys != NULL) < view.rows) {
        end_line(&frame);
    }
    if (view.keys != NULL) {
        put(&frame, MF_STYLE_FAINT, view.keys, view.columns);
        end_line(&frame);
    }
}

void top_json(struct mf_json *json, const struct top_view *view)
{
    size_t count = 0;
    struct row *rows = collect_rows(view, &count);
    mf_json_begin_object(json);
    mf_json_key(json, "flight");
    mf_json_begin_object(json);
    mf_info_json_members(json, view->story->info);
    mf_json_end_object(json);
    mf_json_key_bool(json, "whole", view->whole);
    mf_json_key_int(json, "t_ns", view->t_ns);
    for (size_t i = 0; i < CHART_COUNT; i++) {
        static const char *const keys[CHART_COUNT] = {
            "cpu_cores", "memory_bytes", "disk_bytes_per_second", "output_bytes_per_second"};
        mf_json_key_double(json, keys[i], value_at(view, &charts[i]));
    }
    mf_json_key_uint(json, "process_count", count);
    mf_json_key(json, "processes");
    mf_json_begin_array(json);
    for (size_t i = 0; rows != NULL && i < count && i < JSON_MAX; i++) {
        mf_json_begin_object(json);
        mf_json_key_int(json, "pid", rows[i].process->pid);
        mf_json_key_string(json, "comm", rows[i].process->comm);
        mf_json_key_string(json, "command", mf_process_title(rows[i].process));
        if (!view->whole) {
            mf_json_key_double(json, "cores", rows[i].cores);
        }
        mf_json_key_int(json, "cpu_ns", llround(rows[i].cpu_ns));
        mf_json_key_uint(json, "rss_bytes", rows[i].rss_bytes);
        mf_json_end_object(json);
    }
    mf_json_end_array(json);
    mf_json_key(json, "last_lines");
    mf_json_begin_array(json);
    const size_t until = lines_until(view);
    for (size_t i = until > 10 ? until - 10 : 0; i < until; i++) {
        mf_json_string_len(json, view->lines[i].text, view->lines[i].len);
    }
    mf_json_end_array(json);
    mf_json_end_object(json);
    mf_free(rows);
}
