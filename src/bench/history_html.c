/* SPDX-License-Identifier: Apache-2.0
 * history_html.c -- the history as a page: an overview, and for each benchmark its curve with the
 * changes of level, and its runs. */
#include "chart.h"
#include "figures.h"
#include "html_page.h"
#include "report_history.h"

#include "fmt/rfc3339.h"

#include <stdio.h>
#include <string.h>

#define OPEN_MAX 12

static size_t last_change(const struct trend_series *series)
{
    return series->change_count > 0 ? series->changes[series->change_count - 1] : 0;
}

static void date_of(char out[MF_RFC3339_LEN], const struct trend_series *series, size_t index)
{
    mf_format_rfc3339(out, series->runs[index]->started_wall_ns, 0, 0);
    out[10] = '\0'; /* the day */
}

/* "slower from here", and where that was. */
static void write_change(const struct trend_series *series, char *out, size_t capacity)
{
    const size_t at = last_change(series);
    char date[MF_RFC3339_LEN];
    out[0] = '\0';
    if (at > 0) {
        date_of(date, series, at);
        snprintf(out, capacity, "%s since %s (%.12s)",
                 series->medians[at] > series->medians[at - 1] ? "slower" : "faster", date,
                 series->runs[at]->commit);
    }
}

static void write_overview(const struct history_report *report, struct mf_buffer *out)
{
    struct sheet sheet;
    mf__sheet_init(&sheet);
    mf__sheet_column(&sheet, "Benchmark", MF_ALIGN_LEFT, 0);
    mf__sheet_column(&sheet, "Runs", MF_ALIGN_RIGHT, 0);
    mf__sheet_column(&sheet, "Latest", MF_ALIGN_RIGHT, 0);
    mf__sheet_column(&sheet, "Since the first", MF_ALIGN_RIGHT, 0);
    mf__sheet_column(&sheet, "Latest change of level", MF_ALIGN_LEFT, 0);
    for (size_t i = 0; i < report->trend->series_count; i++) {
        const struct trend_series *series = &report->trend->series[i];
        const double latest = series->medians[series->count - 1];
        const double ratio = latest / series->medians[0];
        char text[128];
        snprintf(text, sizeof text, "%zu", series->count);
        mf__sheet_cell(&sheet, series->name, SHEET_NAME);
        mf__sheet_cell(&sheet, text, SHEET_PLAIN);
        mf__sheet_cell(&sheet, mf__figure_time(latest).text, SHEET_BEST);
        mf__sheet_cell(&sheet, mf__figure_change(ratio).text,
                       ratio > 1 + report->threshold_fraction         ? SHEET_BAD
                       : ratio < 1 / (1 + report->threshold_fraction) ? SHEET_GOOD
                                                                      : SHEET_PLAIN);
        write_change(series, text, sizeof text);
        mf__sheet_cell(&sheet, text,
                       strncmp(text, "slower", 6) == 0   ? SHEET_BAD
                       : strncmp(text, "faster", 6) == 0 ? SHEET_GOOD
                                                         : SHEET_PLAIN);
    }
    mf_buffer_puts(out, "<section class=\"card\">\n");
    mf__sheet_html(&sheet, out);
    mf_buffer_puts(out, "</section>\n");
    mf__sheet_free(&sheet);
}

static void write_series(const struct history_report *report, const struct trend_series *series,
                         struct mf_buffer *out)
{
    struct mf_buffer chart = MF_BUFFER_INIT;
    struct sheet sheet;
    mf_buffer_printf(out, "<details class=\"card bench\" id=\"%s\"%s data-name=\"",
                     mf__anchor(series->name).text,
                     report->trend->series_count <= OPEN_MAX ? " open" : "");
    mf__html_text(out, series->name);
    mf_buffer_puts(out, "\">\n<summary><h2 class=\"name\">");
    mf__html_text(out, series->name);
    mf_buffer_puts(out, "</h2> <span class=\"value\">");
    mf__html_text(out, mf__figure_time(series->medians[series->count - 1]).text);
    mf_buffer_puts(out, "</span></summary>\n<div class=\"summary\">\n");
    if (mf__chart_history(&chart, series) && !chart.failed) {
        mf_buffer_append(out, chart.data, chart.len);
    }
    out->failed = out->failed || chart.failed;
    mf_buffer_free(&chart);
    mf_buffer_puts(out, "</div>\n<details><summary>All runs</summary>\n");
    mf__sheet_init(&sheet);
    mf__history_sheet(series, report->threshold_fraction, &sheet);
    mf__sheet_html(&sheet, out);
    mf__sheet_free(&sheet);
    mf_buffer_puts(out, "</details>\n</details>\n");
}

void mf__history_html(const struct history_report *report, struct mf_buffer *out)
{
    const struct trend *trend = report->trend;
    char text[96];
    mf__html_begin(out, "History of benchmarks");
    mf_buffer_puts(out, "<header><h1>History of benchmarks</h1>\n<p class=\"lead\">");
    snprintf(text, sizeof text, "%zu runs of %zu benchmarks", trend->run_count,
             trend->series_count);
    mf__html_text(out, text);
    mf_buffer_puts(out, "</p></header>\n");
    write_overview(report, out);
    mf__html_filter(out);
    for (size_t i = 0; i < trend->series_count; i++) {
        write_series(report, &trend->series[i], out);
    }
    if (trend->run_count > 0) {
        mf__html_environment(out, &trend->runs[trend->run_count - 1]);
    }
    mf__html_end(out, false);
}
