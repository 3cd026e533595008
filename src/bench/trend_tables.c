/* SPDX-License-Identifier: Apache-2.0
 * trend_tables.c -- the history as text, Markdown, CSV and JSON; see report_history.h. */
#include "report_history.h"
#include "figures.h"
#include "sheet.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/escape.h"
#include "fmt/json_write.h"
#include "fmt/markdown.h"
#include "fmt/number.h"
#include "fmt/rfc3339.h"
#include "fmt/spark.h"
#include "fmt/terminal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_COLUMNS 400
#define SPARK_MAX    60 /* runs shown in a line */

/* The last runs, between their own extremes: it is differences that are looked for. */
static void write_spark(struct mf_buffer *out, const struct trend_series *series)
{
    double values[SPARK_MAX];
    const size_t count = series->count < SPARK_MAX ? series->count : SPARK_MAX;
    const double *medians = series->medians + series->count - count;
    double low = INFINITY;
    double high = 0;
    for (size_t i = 0; i < count; i++) {
        low = fmin(low, medians[i]);
        high = fmax(high, medians[i]);
    }
    const double range = fmax(high - low, 0.1 * high); /* noise alone is not drawn large */
    const double bottom = (high + low) / 2 - 0.6 * range;
    for (size_t i = 0; i < count; i++) {
        values[i] = medians[i] - bottom;
    }
    mf_spark_row(out, values, count, 1.2 * range, 0, 1, true);
}

/* "+0.78 % ok" */
static void trend_text(char *out, size_t capacity, const struct trend_series *series, size_t index,
                       double threshold)
{
    if (index == 0) {
        snprintf(out, capacity, "baseline");
        return;
    }
    const double ratio = series->medians[index] / series->medians[0];
    snprintf(out, capacity, "%s %s", mf__figure_change(ratio).text,
             mf__trend_mark(series, index, threshold));
}

static enum sheet_cell_kind trend_kind(const char *trend)
{
    return strstr(trend, "slower") != NULL   ? SHEET_BAD
           : strstr(trend, "faster") != NULL ? SHEET_GOOD
           : strstr(trend, "ok") != NULL     ? SHEET_PLAIN
                                             : SHEET_FAINT;
}

void mf__history_sheet(const struct trend_series *series, double threshold, struct sheet *sheet)
{
    mf__sheet_column(sheet, "Date", MF_ALIGN_LEFT, 0);
    mf__sheet_column(sheet, "Commit", MF_ALIGN_LEFT, 1);
    mf__sheet_column(sheet, "Value", MF_ALIGN_RIGHT, 0);
    mf__sheet_column(sheet, "95 % interval", MF_ALIGN_RIGHT, 2);
    mf__sheet_column(sheet, "Trend", MF_ALIGN_LEFT, 0);
    for (size_t k = 0; k < series->count; k++) {
        char date[MF_RFC3339_LEN];
        char commit[16];
        char trend[FIGURE_LEN + 32];
        mf_format_rfc3339(date, series->runs[k]->started_wall_ns, 0, 0);
        date[10] = '\0'; /* the day */
        const char *full = series->runs[k]->commit;
        snprintf(commit, sizeof commit, "%.12s", full[0] != '\0' ? full : "-");
        trend_text(trend, sizeof trend, series, k, threshold);
        mf__sheet_cell(sheet, date, SHEET_PLAIN);
        mf__sheet_cell(sheet, commit, SHEET_PLAIN);
        mf__sheet_cell(sheet, mf__figure_time(series->medians[k]).text, SHEET_PLAIN);
        mf__sheet_cell(sheet,
                       mf__figure_interval(series->results[k]->median.confidence_interval).text,
                       SHEET_PLAIN);
        mf__sheet_cell(sheet, trend, trend_kind(trend));
    }
}

static void write_text(const struct history_report *report, struct mf_buffer *out)
{
    const bool colored = report->colored;
    for (size_t i = 0; i < report->trend->series_count; i++) {
        const struct trend_series *series = &report->trend->series[i];
        struct sheet sheet;
        mf_buffer_puts(out, i > 0 ? "\n" : "");
        mf_buffer_puts(out, mf_style(colored, MF_STYLE_BOLD));
        mf_terminal_escape(out, series->name, strlen(series->name));
        mf_buffer_puts(out, mf_style(colored, MF_STYLE_RESET));
        mf_buffer_puts(out, "  ");
        write_spark(out, series);
        mf_buffer_putc(out, '\n');
        mf__sheet_init(&sheet);
        mf__history_sheet(series, report->threshold_fraction, &sheet);
        mf__sheet_text(&sheet, out, report->columns, colored);
        mf__sheet_free(&sheet);
    }
}

static void write_markdown(const struct history_report *report, struct mf_buffer *out)
{
    for (size_t i = 0; i < report->trend->series_count; i++) {
        const struct trend_series *series = &report->trend->series[i];
        struct sheet sheet;
        mf_buffer_puts(out, i > 0 ? "\n### " : "### ");
        mf_markdown_code(out, series->name, NAME_COLUMNS);
        mf_buffer_puts(out, "\n\n");
        write_spark(out, series);
        mf_buffer_puts(out, "\n\n");
        mf__sheet_init(&sheet);
        mf__history_sheet(series, report->threshold_fraction, &sheet);
        mf__sheet_markdown(&sheet, out);
        mf__sheet_free(&sheet);
    }
}

static void write_point(struct mf_json *json, const struct trend_series *series, size_t index)
{
    const struct bench_estimate *median = &series->results[index]->median;
    char started[MF_RFC3339_LEN];
    mf_format_rfc3339(started, series->runs[index]->started_wall_ns, 0, 3);
    mf_json_begin_object(json);
    mf_json_key_string(json, "started", started);
    mf_json_key_string(json, "commit", series->runs[index]->commit);
    mf_json_key_string(json, "fingerprint", series->results[index]->fingerprint);
    mf_json_key_double(json, "median_ns", median->point_estimate);
    mf_json_key_double(json, "lower_bound", median->confidence_interval.lower_bound);
    mf_json_key_double(json, "upper_bound", median->confidence_interval.upper_bound);
    mf_json_key_bool(json, "level_changed", mf__trend_is_change(series, index));
    mf_json_end_object(json);
}

static void write_json(const struct history_report *report, struct mf_buffer *out)
{
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "schema_version", BENCH_SCHEMA_VERSION);
    mf_json_key(&json, "benchmarks");
    mf_json_begin_array(&json);
    for (size_t i = 0; i < report->trend->series_count; i++) {
        const struct trend_series *series = &report->trend->series[i];
        mf_json_begin_object(&json);
        mf_json_key_string(&json, "name", series->name);
        mf_json_key(&json, "points");
        mf_json_begin_array(&json);
        for (size_t k = 0; k < series->count; k++) {
            write_point(&json, series, k);
        }
        mf_json_end_array(&json);
        mf_json_end_object(&json);
    }
    mf_json_end_array(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

static void csv_text(struct mf_buffer *out, const char *text)
{
    mf_csv_field(out, text, strlen(text));
    mf_buffer_putc(out, ',');
}

static void write_csv(const struct history_report *report, struct mf_buffer *out)
{
    mf_buffer_puts(out, "name,started,commit,fingerprint,median_ns,level_changed\n");
    for (size_t i = 0; i < report->trend->series_count; i++) {
        const struct trend_series *series = &report->trend->series[i];
        for (size_t k = 0; k < series->count; k++) {
            char started[MF_RFC3339_LEN];
            char median[MF_NUMBER_LEN];
            mf_format_double(median, series->medians[k]);
            csv_text(out, series->name);
            csv_text(out, mf_format_rfc3339(started, series->runs[k]->started_wall_ns, 0, 3));
            csv_text(out, series->runs[k]->commit);
            csv_text(out, series->results[k]->fingerprint);
            mf_buffer_printf(out, "%s,%d\n", median, mf__trend_is_change(series, k));
        }
    }
}

int mf__history_write(const struct history_report *report, const char *format,
                      struct mf_buffer *out, struct mf_errinfo *err)
{
    static const struct {
        const char *name;
        void (*write)(const struct history_report *report, struct mf_buffer *out);
    } formats[] = {
        {"text", write_text}, {"markdown", write_markdown}, {"html", mf__history_html},
        {"json", write_json}, {"csv", write_csv},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(formats); i++) {
        if (strcmp(format, formats[i].name) == 0) {
            formats[i].write(report, out);
            return 0;
        }
    }
    return mf_fail(err, MF_EVALUE,
                   "a history can be written as text, markdown, html, json or csv, not as %s",
                   format);
}
