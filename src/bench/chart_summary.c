/* SPDX-License-Identifier: Apache-2.0
 * chart_summary.c -- charts of a whole run, of a comparison and of the history; see chart.h. */
#include "chart.h"
#include "figures.h"
#include "relations.h"
#include "run_json.h"

#include "base/heap.h"
#include "fmt/rfc3339.h"
#include "fmt/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROW         20
#define NAME_ROOM   200
#define NAME_LEN    34 /* characters that fit into it */
#define HISTORY_MAX 400

/* ---- ratio ---- */

static const char *verdict_class(const struct bench_comparison *comparison)
{
    switch (comparison->verdict) {
    case VERDICT_REGRESSED:
        return "bad";
    case VERDICT_IMPROVED:
        return "good";
    case VERDICT_INCONCLUSIVE:
        return "doubtful";
    case VERDICT_SAME:
    case VERDICT_NO_BASELINE:
        break;
    }
    return "same";
}

static bool has_ratio(const struct bench_comparison *comparison)
{
    return comparison != NULL && comparison->before != NULL && isfinite(comparison->ratio);
}

/* With few processes there may be no interval: then it goes over the whole width. */
static bool is_bounded(const struct bench_comparison *comparison)
{
    return comparison->ratio_interval.lower_bound > 0 &&
           isfinite(comparison->ratio_interval.upper_bound);
}

static void draw_ratio(struct chart *chart, const struct bench_comparison *comparison, double y)
{
    const bool bounded = is_bounded(comparison);
    const double low = bounded ? comparison->ratio_interval.lower_bound - 1 : -INFINITY;
    const double high = bounded ? comparison->ratio_interval.upper_bound - 1 : INFINITY;
    char kind[32];
    char tip[BENCH_SUITE_LEN + 256];
    snprintf(kind, sizeof kind, "interval %s", verdict_class(comparison));
    mf__chart_line(chart, mf__chart_x(chart, low), y, mf__chart_x(chart, high), y, kind);
    snprintf(kind, sizeof kind, "point %s", verdict_class(comparison));
    snprintf(tip, sizeof tip, "%s, %s", mf__figure_change(comparison->ratio).text,
             mf__verdict_name(comparison->verdict));
    mf__chart_dot(chart, mf__chart_x(chart, comparison->ratio - 1), y, 4, kind, tip);
}

static void draw_threshold(struct chart *chart, double fraction, const char *kind)
{
    const double left = mf__chart_x(chart, 1 / (1 + fraction) - 1);
    const double right = mf__chart_x(chart, fraction);
    mf_buffer_printf(chart->out,
                     "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                     kind, left, chart->top, right - left, chart->bottom - chart->top);
}

/* Enough for all, and for the thresholds; what is far out is cut. */
static void reach_of(const struct bench_comparison *comparison, double *low, double *high)
{
    const bool bounded = is_bounded(comparison);
    const double middle = comparison->ratio - 1;
    const double from = bounded ? comparison->ratio_interval.lower_bound - 1 : middle;
    const double to = bounded ? comparison->ratio_interval.upper_bound - 1 : middle;
    *low = fmin(*low, fmax(fmin(from, -1.3 * comparison->threshold_fraction), -0.95));
    *high = fmax(*high, fmin(fmax(to, 1.3 * comparison->threshold_fraction), 10));
}

bool mf__chart_ratio(struct mf_buffer *out, const struct bench_comparison *comparison)
{
    if (!has_ratio(comparison)) {
        return false;
    }
    double low = 0;
    double high = 0;
    reach_of(comparison, &low, &high);
    const struct chart_axis x = {low, high, CHART_LINEAR, CHART_PERCENT,
                                 "change (more is slower); grey: below the threshold"};
    const struct chart_axis y = {0, 1, CHART_LINEAR, CHART_NONE, NULL};
    struct chart chart;
    mf__chart_begin(&chart, out, "Change with its interval", &x, &y, 100, 0);
    draw_threshold(&chart, comparison->threshold_fraction, "threshold");
    draw_threshold(&chart, comparison->noise_floor_fraction, "floor");
    const double zero = mf__chart_x(&chart, 0);
    mf__chart_line(&chart, zero, chart.top, zero, chart.bottom, "axis");
    draw_ratio(&chart, comparison, (chart.top + chart.bottom) / 2);
    mf__chart_end(&chart);
    return true;
}

/* ---- summary ---- */

static void row_name(struct chart *chart, const char *name, double y)
{
    char text[BENCH_SUITE_LEN * 8];
    const size_t columns = mf_utf8_columns(name, strlen(name));
    size_t skip = 0;
    /* The end of a name tells more than its beginning. */
    while (columns > NAME_LEN && mf_utf8_columns(name + skip, strlen(name + skip)) > NAME_LEN - 1) {
        size_t len = 1;
        (void)mf_utf8_get(name + skip, strlen(name + skip), &len);
        skip += len;
    }
    snprintf(text, sizeof text, "%s%s", skip > 0 ? "…" : "", name + skip);
    mf_buffer_printf(chart->out, "<a href=\"#%s\">", mf__anchor(name).text);
    mf__chart_text(chart, chart->left - 8, y + 4, "end", "tick name", text);
    mf_buffer_puts(chart->out, "</a>");
}

static bool summary_of_changes(struct mf_buffer *out, const struct bench_report *report)
{
    double low = 0;
    double high = 0;
    size_t rows = 0;
    for (size_t i = 0; i < report->comparison_count; i++) {
        if (has_ratio(&report->comparisons[i])) {
            reach_of(&report->comparisons[i], &low, &high);
            rows++;
        }
    }
    if (rows == 0) {
        return false;
    }
    const struct chart_axis x = {low, high, CHART_LINEAR, CHART_PERCENT, "change (more is slower)"};
    const struct chart_axis y = {0, 1, CHART_LINEAR, CHART_NONE, NULL};
    struct chart chart;
    mf__chart_begin(&chart, out, "All changes with their intervals", &x, &y,
                    (double)rows * ROW + 54, NAME_ROOM);
    double at = chart.top + 0.5 * ROW;
    draw_threshold(&chart, report->comparisons[0].threshold_fraction, "threshold");
    const double zero = mf__chart_x(&chart, 0);
    mf__chart_line(&chart, zero, chart.top, zero, chart.bottom, "axis");
    for (size_t i = 0; i < report->comparison_count; i++) {
        if (has_ratio(&report->comparisons[i])) {
            row_name(&chart, report->comparisons[i].now->name, at);
            draw_ratio(&chart, &report->comparisons[i], at);
            at += ROW;
        }
    }
    mf__chart_end(&chart);
    return true;
}

bool mf__chart_summary(struct mf_buffer *out, const struct bench_report *report)
{
    if (report->comparison_count > 0) {
        return summary_of_changes(out, report);
    }
    const struct bench_run *run = report->run;
    double low = INFINITY;
    double high = 0;
    size_t rows = 0;
    for (size_t i = 0; i < run->result_count; i++) {
        if (mf__is_measured(&run->results[i])) {
            const struct bench_estimate *median = &run->results[i].median;
            low = fmin(low, fmin(median->confidence_interval.lower_bound, median->point_estimate));
            high =
                fmax(high, fmax(median->confidence_interval.upper_bound, median->point_estimate));
            rows++;
        }
    }
    if (rows == 0) {
        return false;
    }
    const struct chart_axis x = {0.8 * low, 1.25 * high, CHART_LOG, CHART_TIME,
                                 "median of an iteration, with its interval"};
    const struct chart_axis y = {0, 1, CHART_LINEAR, CHART_NONE, NULL};
    struct chart chart;
    mf__chart_begin(&chart, out, "All medians with their intervals", &x, &y,
                    (double)rows * ROW + 54, NAME_ROOM);
    double at = chart.top + 0.5 * ROW;
    for (size_t i = 0; i < run->result_count; i++) {
        const struct bench_result *result = &run->results[i];
        if (!mf__is_measured(result)) {
            continue;
        }
        const struct bench_interval *interval = &result->median.confidence_interval;
        row_name(&chart, result->name, at);
        mf__chart_line(&chart, mf__chart_x(&chart, interval->lower_bound), at,
                       mf__chart_x(&chart, interval->upper_bound), at, "interval now");
        mf__chart_dot(&chart, mf__chart_x(&chart, result->median.point_estimate), at, 4,
                      "point now", mf__figure_time(result->median.point_estimate).text);
        at += ROW;
    }
    mf__chart_end(&chart);
    return true;
}

/* ---- history ---- */

static void history_range(const struct trend_series *series, size_t first, double *low,
                          double *high)
{
    *low = INFINITY;
    *high = 0;
    for (size_t k = first; k < series->count; k++) {
        const struct bench_interval *interval = &series->results[k]->median.confidence_interval;
        *low = fmin(*low, fmin(interval->lower_bound, series->medians[k]));
        *high = fmax(*high, fmax(interval->upper_bound, series->medians[k]));
    }
    const double room = fmax(0.1 * (*high - *low), 0.01 * *high);
    *low = fmax(*low - room, 0);
    *high += room;
}

static void draw_change(struct chart *chart, const struct trend_series *series, size_t k, double x)
{
    const bool slower = series->medians[k] > series->medians[k - 1];
    mf__chart_line(chart, x, chart->top, x, chart->bottom, slower ? "change bad" : "change good");
    mf__chart_text(chart, x + 4, chart->top + 12, "start", slower ? "label bad" : "label good",
                   mf__trend_mark(series, k, 0));
}

bool mf__chart_history(struct mf_buffer *out, const struct trend_series *series)
{
    if (series == NULL || series->count < 2) {
        return false;
    }
    const size_t first = series->count > HISTORY_MAX ? series->count - HISTORY_MAX : 0;
    double low = 0;
    double high = 0;
    history_range(series, first, &low, &high);
    const double runs = (double)(series->count - first);
    const struct chart_axis x = {0, runs, CHART_LINEAR, CHART_NONE, NULL};
    const struct chart_axis y = {low, high, CHART_LINEAR, CHART_TIME, "median"};
    struct chart chart;
    mf__chart_begin(&chart, out, "Median from run to run", &x, &y, 240, 0);
    for (size_t k = first; k < series->count; k++) {
        if (k > first && mf__trend_is_change(series, k)) {
            draw_change(&chart, series, k, mf__chart_x(&chart, (double)(k - first)));
        }
    }
    mf__chart_path_begin(&chart, "curve now");
    for (size_t k = first; k < series->count; k++) {
        mf__chart_path_to(&chart, mf__chart_x(&chart, (double)(k - first) + 0.5),
                          mf__chart_y(&chart, series->medians[k]), k == first);
    }
    mf__chart_path_end(&chart, false);
    for (size_t k = first; k < series->count; k++) {
        const struct bench_interval *interval = &series->results[k]->median.confidence_interval;
        const double at = mf__chart_x(&chart, (double)(k - first) + 0.5);
        const bool other = strcmp(series->results[k]->fingerprint,
                                  series->results[series->count - 1]->fingerprint) != 0;
        char date[MF_RFC3339_LEN];
        char tip[192];
        mf_format_rfc3339(date, series->runs[k]->started_wall_ns, 0, 0);
        snprintf(tip, sizeof tip, "%.10s %.12s: %s%s", date, series->runs[k]->commit,
                 mf__figure_time(series->medians[k]).text, other ? ", another machine" : "");
        mf__chart_line(&chart, at, mf__chart_y(&chart, interval->lower_bound), at,
                       mf__chart_y(&chart, interval->upper_bound), "thin now");
        mf__chart_dot(&chart, at, mf__chart_y(&chart, series->medians[k]), 3,
                      other ? "point other" : "point now", tip);
    }
    char date[MF_RFC3339_LEN];
    mf_format_rfc3339(date, series->runs[first]->started_wall_ns, 0, 0);
    date[10] = '\0';
    mf__chart_text(&chart, chart.left, chart.bottom + 11, "start", "tick", date);
    mf_format_rfc3339(date, series->runs[series->count - 1]->started_wall_ns, 0, 0);
    date[10] = '\0';
    mf__chart_text(&chart, chart.right, chart.bottom + 11, "end", "tick", date);
    mf__chart_end(&chart);
    return true;
}
