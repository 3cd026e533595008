/* SPDX-License-Identifier: Apache-2.0
 *
 * report_html.c -- a run, or a comparison, as one page: a summary, and for each benchmark its
 * charts, estimates and resources. The page needs no network, no script to be read, and no more
 * width than a telephone has.
 */
#include "chart.h"
#include "figures.h"
#include "flame.h"
#include "html_page.h"
#include "relations.h"
#include "report_history.h"
#include "report_tables.h"
#include "run_json.h"

#include "fmt/escape.h"
#include "fmt/rfc3339.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define OPEN_MAX 6 /* so many benchmarks are shown in full at once */

/* ---- parts ---- */

void mf__html_text(struct mf_buffer *out, const char *text)
{
    mf_html_text(out, text, strlen(text));
}

void mf__html_begin(struct mf_buffer *out, const char *title)
{
    mf_buffer_puts(out,
                   "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
                   "'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>");
    mf__html_text(out, title);
    mf_buffer_puts(out, "</title>\n<style>\n");
    mf_buffer_puts(out, mf__page_css);
    mf_buffer_puts(out, "</style>\n</head>\n<body>\n");
}

void mf__html_end(struct mf_buffer *out, bool flames)
{
    mf_buffer_puts(out, "<script>\n");
    mf_buffer_puts(out, mf__page_js);
    mf_buffer_puts(out, flames ? mf__flame_js : "");
    mf_buffer_puts(out, "</script>\n</body>\n</html>\n");
}

void mf__html_filter(struct mf_buffer *out)
{
    mf_buffer_puts(out, "<div class=\"filter\" hidden><input type=\"search\" aria-label=\"Filter\" "
                        "placeholder=\"Show benchmarks whose name has …\">"
                        "<button type=\"button\">Open or close all</button></div>\n");
}

void mf__html_figure(struct mf_buffer *out, const char *caption, const struct mf_buffer *chart)
{
    mf_buffer_printf(out, "<figure><figcaption>%s</figcaption>\n", caption);
    mf_buffer_append(out, chart->data, chart->len);
    mf_buffer_puts(out, "</figure>\n");
}

static void figure(struct mf_buffer *out, const char *caption, struct mf_buffer *chart, bool drawn)
{
    if (drawn && !chart->failed) {
        mf__html_figure(out, caption, chart);
    }
    out->failed = out->failed || chart->failed;
    mf_buffer_free(chart);
}

static void take(void *context, const char *title, const struct sheet *sheet, const char *remark)
{
    struct mf_buffer *out = context;
    if (title != NULL) {
        mf_buffer_puts(out, "<h3>");
        mf__html_text(out, title);
        mf_buffer_puts(out, "</h3>\n");
    }
    mf__sheet_html(sheet, out);
    if (remark != NULL) {
        mf_buffer_puts(out, "<p class=\"lead\">");
        mf__html_text(out, remark);
        mf_buffer_puts(out, "</p>\n");
    }
}

static void say(void *context, const char *sentence)
{
    struct mf_buffer *out = context;
    mf_buffer_puts(out, "<li>");
    mf__html_text(out, sentence);
    mf_buffer_puts(out, "</li>\n");
}

static void figure_item(struct mf_buffer *out, const char *name, const char *value,
                        const char *more)
{
    if (value[0] == '\0') {
        return;
    }
    mf_buffer_puts(out, "<div><dt>");
    mf__html_text(out, name);
    mf_buffer_puts(out, "</dt><dd>");
    mf__html_text(out, value);
    if (more[0] != '\0') {
        mf_buffer_puts(out, " <small>");
        mf__html_text(out, more);
        mf_buffer_puts(out, "</small>");
    }
    mf_buffer_puts(out, "</dd></div>\n");
}

static const char *kind_class(enum sheet_cell_kind kind)
{
    return kind == SHEET_GOOD       ? "good"
           : kind == SHEET_BAD      ? "bad"
           : kind == SHEET_DOUBTFUL ? "doubtful"
                                    : "";
}

/* ---- one benchmark ---- */

static void write_verdict(const struct bench_comparison *comparison, struct mf_buffer *out)
{
    char text[1024];
    const struct bench_interval *interval = &comparison->ratio_interval;
    if (comparison->before == NULL) {
        mf_buffer_puts(out, "<p class=\"lead\">There is nothing to compare it with.</p>\n");
        return;
    }
    snprintf(
        text, sizeof text,
        "%s: %s (%s .. %s at %.4g %%), from %s to %s; p = %.3g after correction; threshold %s, "
        "noise floor %s; %s%s",
        mf__verdict_name(comparison->verdict), mf__figure_change(comparison->ratio).text,
        mf__figure_change(interval->lower_bound).text,
        mf__figure_change(interval->upper_bound).text, 100 * interval->confidence_level,
        mf__figure_time(comparison->before->median.point_estimate).text,
        mf__figure_time(comparison->now->median.point_estimate).text, comparison->p_value_adjusted,
        mf__figure_percent(comparison->threshold_fraction).text,
        mf__figure_percent(comparison->noise_floor_fraction).text,
        comparison->interleaved ? "measured in turns" : "against stored results",
        comparison->advisory ? "; advisory, as the machines differ" : "");
    mf_buffer_printf(out, "<p class=\"%s\">", kind_class(mf__verdict_kind(comparison)));
    mf__html_text(out, text);
    mf_buffer_puts(out, "</p>\n");
}

static void write_figures(const struct bench_result *result, struct mf_buffer *out)
{
    const struct bench_interval *interval = &result->median.confidence_interval;
    char more[96];
    mf_buffer_puts(out, "<dl class=\"figures\">\n");
    figure_item(out, "Median", mf__figure_time(result->median.point_estimate).text,
                mf__figure_interval(*interval).text);
    for (size_t i = 0; i < result->percentile_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "p%.6g", result->percentiles[i].percent);
        if (result->percentiles[i].n_needed == 0 && result->percentiles[i].percent != 50) {
            figure_item(out, name,
                        mf__figure_percentile(&result->percentiles[i], result->timer_cost_ns).text,
                        "");
        }
    }
    figure_item(out, "Throughput", mf__figure_throughput(result).text, "");
    const double allocations =
        mf__bench_named_get(result->resources, result->resource_count, "allocations_per_op");
    if (!isnan(allocations)) {
        figure_item(out, "Allocations", mf__figure_number(allocations).text, "an iteration");
    }
    snprintf(more, sizeof more, "differing by %s",
             mf__figure_percent(result->between_process_fraction).text);
    char count[24];
    snprintf(count, sizeof count, "%zu", result->process_count);
    figure_item(out, "Processes", count, result->process_count > 1 ? more : "");
    mf_buffer_puts(out, "</dl>\n");
}

static void write_estimates(const struct bench_result *result, struct mf_buffer *out)
{
    const struct {
        const char *name;
        const struct bench_estimate *estimate;
    } all[] = {
        {"mean", &result->mean},
        {"median", &result->median},
        {"slope", result->mode == MF_BENCH_LINEAR ? &result->slope : NULL},
        {"standard deviation", &result->std_dev},
        {"median absolute deviation", &result->median_abs_dev},
    };
    struct sheet sheet;
    mf__sheet_init(&sheet);
    mf__sheet_column(&sheet, "Estimate", MF_ALIGN_LEFT, 0);
    mf__sheet_column(&sheet, "Value", MF_ALIGN_RIGHT, 0);
    mf__sheet_column(&sheet, "Interval", MF_ALIGN_RIGHT, 0);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].estimate != NULL) {
            mf__sheet_cell(&sheet, all[i].name, SHEET_PLAIN);
            mf__sheet_cell(&sheet, mf__figure_time(all[i].estimate->point_estimate).text,
                           SHEET_PLAIN);
            mf__sheet_cell(&sheet, mf__figure_interval(all[i].estimate->confidence_interval).text,
                           SHEET_PLAIN);
        }
    }
    mf_buffer_puts(out, "<div>");
    mf__sheet_html(&sheet, out);
    mf_buffer_puts(out, "</div>\n");
    mf__sheet_free(&sheet);
}

static void write_percentiles(const struct bench_result *result, struct mf_buffer *out)
{
    struct sheet sheet;
    mf__sheet_init(&sheet);
    mf__sheet_column(&sheet, "Percentile", MF_ALIGN_LEFT, 0);
    mf__sheet_column(&sheet, "Value", MF_ALIGN_RIGHT, 0);
    mf__sheet_column(&sheet, "Interval", MF_ALIGN_RIGHT, 0);
    mf__sheet_column(&sheet, "Service alone", MF_ALIGN_RIGHT, 0);
    for (size_t i = 0; i < result->percentile_count; i++) {
        const struct bench_percentile *percentile = &result->percentiles[i];
        char name[32];
        snprintf(name, sizeof name, "p%.6g", percentile->percent);
        mf__sheet_cell(&sheet, name, SHEET_PLAIN);
        mf__sheet_cell(&sheet, mf__figure_percentile(percentile, result->timer_cost_ns).text,
                       percentile->n_needed > 0 ? SHEET_FAINT : SHEET_PLAIN);
        mf__sheet_cell(&sheet,
                       percentile->n_needed > 0
                           ? ""
                           : mf__figure_interval(percentile->confidence_interval).text,
                       SHEET_PLAIN);
        mf__sheet_cell(
            &sheet,
            result->options.rate_per_second > 0 && result->service_percentiles[i].percent > 0
                ? mf__figure_percentile(&result->service_percentiles[i], result->timer_cost_ns).text
                : "",
            SHEET_PLAIN);
    }
    mf_buffer_puts(out, "<div>");
    mf__sheet_html(&sheet, out);
    mf_buffer_puts(out, "</div>\n");
    mf__sheet_free(&sheet);
}

static void resource_label(char *out, size_t capacity, const char *name)
{
    static const struct {
        const char *name;
        const char *meaning;
    } meanings[] = {
#define X(identifier, meaning_) {#identifier, meaning_},
        BENCH_RESOURCE_MAP(X)
#undef X
    };
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strcmp(meanings[i].name, name) == 0) {
            snprintf(out, capacity, "%.120s", meanings[i].meaning);
            return;
        }
    }
    snprintf(out, capacity, "%.48s, an iteration", name);
}

static void write_resources(const struct bench_result *result, struct mf_buffer *out)
{
    struct sheet sheet;
    mf__sheet_init(&sheet);
    mf__sheet_column(&sheet, "Resource", MF_ALIGN_LEFT, 0);
    mf__sheet_column(&sheet, "Value", MF_ALIGN_RIGHT, 0);
    for (int own = 0; own < 2; own++) {
        const struct bench_named *named = own != 0 ? result->counters : result->resources;
        const size_t count = own != 0 ? result->counter_count : result->resource_count;
        for (size_t i = 0; i < count; i++) {
            char label[128];
            resource_label(label, sizeof label, named[i].name);
            if (named[i].value != 0 || own != 0) {
                mf__sheet_cell(&sheet, label, SHEET_PLAIN);
                mf__sheet_cell(&sheet, mf__figure_metric(named[i].name, named[i].value).text,
                               SHEET_PLAIN);
            }
        }
    }
    mf_buffer_puts(out, "<div>");
    mf__sheet_html(&sheet, out);
    mf_buffer_puts(out, "</div>\n");
    mf__sheet_free(&sheet);
}

static void write_charts(const struct bench_report *report, const struct bench_result *result,
                         const struct bench_comparison *comparison, struct mf_buffer *out)
{
    const struct bench_result *before = comparison != NULL ? comparison->before : NULL;
    struct mf_buffer chart = MF_BUFFER_INIT;
    mf_buffer_puts(out, "<div class=\"grid\">\n");
    bool drawn = comparison != NULL && mf__chart_ratio(&chart, comparison);
    figure(out, "Change", &chart, drawn);
    drawn = mf__chart_distribution(&chart, result, before);
    figure(out,
           before != NULL ? "Distribution: <span class=\"before-key\">before</span> and "
                            "<span class=\"now-key\">now</span>"
                          : "Distribution",
           &chart, drawn);
    drawn = mf__chart_regression(&chart, result);
    figure(out, "Regression", &chart, drawn);
    drawn = mf__chart_order(&chart, result);
    figure(out, "Order of measuring", &chart, drawn);
    drawn = mf__chart_percentiles(&chart, result, before);
    figure(out,
           before != NULL ? "Single operations: <span class=\"before-key\">before</span> and "
                            "<span class=\"now-key\">now</span>"
                          : "Single operations",
           &chart, drawn);
    drawn = mf__chart_history(&chart, mf__trend_find(report->trend, result->name));
    figure(out, "History", &chart, drawn);
    mf_buffer_puts(out, "</div>\n");
}

static bool write_flames(const struct bench_report *report, const struct bench_result *result,
                         struct mf_buffer *out)
{
    bool any = false;
    for (size_t i = 0; i < report->profile_count; i++) {
        const struct bench_profile *profile = &report->profiles[i];
        struct flame flame;
        if (profile->result != result ||
            mf__flame_read(profile->folded, strlen(profile->folded), &flame, NULL) < 0) {
            continue;
        }
        const bool bytes = strcmp(profile->kind, "alloc") == 0;
        if (flame.frames[0].total > 0) {
            mf_buffer_puts(out, "<div class=\"flame\">");
            mf__flame_svg(&flame, bytes ? "Allocated" : "CPU time", bytes ? "bytes" : "samples",
                          false, out);
            mf_buffer_puts(out, "</div>\n");
            any = true;
        }
        mf__flame_free(&flame);
    }
    return any;
}

static void write_summary_line(const struct bench_result *result,
                               const struct bench_comparison *comparison, struct mf_buffer *out)
{
    mf_buffer_puts(out, "<summary><h2 class=\"name\">");
    mf__html_text(out, result->name);
    mf_buffer_puts(out, "</h2> <span class=\"value\">");
    if (mf__is_measured(result)) {
        mf__html_text(out, mf__figure_time(result->median.point_estimate).text);
    }
    mf_buffer_puts(out, "</span>");
    if (result->status != BENCH_OK) {
        mf_buffer_printf(out, "<span class=\"tag %s\">%s</span>",
                         result->status == BENCH_FAILED ? "bad" : "",
                         result->status == BENCH_FAILED ? "failed" : "skipped");
    } else if (comparison != NULL) {
        mf_buffer_printf(out, "<span class=\"tag %s\">%s", kind_class(mf__verdict_kind(comparison)),
                         mf__verdict_name(comparison->verdict));
        if (comparison->before != NULL) {
            mf_buffer_printf(out, " %s", mf__figure_change(comparison->ratio).text);
        }
        mf_buffer_puts(out, "</span>");
    }
    mf_buffer_puts(out, "</summary>\n");
}

static bool write_benchmark(const struct bench_report *report, const struct bench_result *result,
                            bool open, struct mf_buffer *out)
{
    const struct bench_comparison *comparison = mf__comparison_of(report, result);
    bool flames = false;
    mf_buffer_printf(out, "<details class=\"card bench\" id=\"%s\"%s data-name=\"",
                     mf__anchor(result->name).text, open ? " open" : "");
    mf__html_text(out, result->name);
    mf_buffer_puts(out, "\">\n");
    write_summary_line(result, comparison, out);
    if (mf__is_measured(result)) {
        if (comparison != NULL) {
            write_verdict(comparison, out);
        }
        write_figures(result, out);
        write_charts(report, result, comparison, out);
        flames = write_flames(report, result, out);
        mf_buffer_puts(out, "<div class=\"columns\">\n");
        write_estimates(result, out);
        write_percentiles(result, out);
        write_resources(result, out);
        mf_buffer_puts(out, "</div>\n");
    } else {
        mf_buffer_puts(out, "<p>");
        mf__html_text(out, result->message != NULL      ? result->message
                           : result->status == BENCH_OK ? "It ran as a test: nothing was measured."
                                                        : "It does not say why.");
        mf_buffer_puts(out, "</p>\n");
    }
    mf_buffer_puts(out, "</details>\n");
    return flames;
}

/* ---- the page ---- */

void mf__html_environment(struct mf_buffer *out, const struct bench_run *run)
{
    struct sheet sheet;
    mf__sheet_init(&sheet);
    mf__sheet_column(&sheet, "Environment", MF_ALIGN_LEFT, 0);
    mf__sheet_column(&sheet, run->environment.fingerprint, MF_ALIGN_LEFT, 0);
    for (size_t i = 0; i < run->environment.pair_count; i++) {
        mf__sheet_cell(&sheet, run->environment.pairs[i].key, SHEET_PLAIN);
        mf__sheet_cell(&sheet, run->environment.pairs[i].value, SHEET_PLAIN);
    }
    mf_buffer_puts(out, "<details class=\"card\"><summary>Environment</summary>\n");
    mf__sheet_html(&sheet, out);
    mf_buffer_puts(out, "</details>\n");
    mf__sheet_free(&sheet);
}

static const char *pair_of(const struct bench_run *run, const char *key)
{
    for (size_t i = 0; i < run->environment.pair_count; i++) {
        if (strcmp(run->environment.pairs[i].key, key) == 0) {
            return run->environment.pairs[i].value;
        }
    }
    return NULL;
}

static void write_header(const struct bench_report *report, const char *title,
                         struct mf_buffer *out)
{
    static const char *const keys[] = {"cpu_model", "kernel"};
    const struct bench_run *run = report->run;
    char started[MF_RFC3339_LEN];
    mf_buffer_puts(out, "<header><h1>");
    mf__html_text(out, title);
    mf_buffer_puts(out, "</h1>\n<p class=\"lead\">");
    mf__html_text(out, mf_format_rfc3339(started, run->started_wall_ns, 0, 0));
    if (run->commit != NULL && run->commit[0] != '\0') {
        mf_buffer_puts(out, " · commit <span class=\"name\">");
        mf__html_text(out, run->commit);
        mf_buffer_puts(out, "</span>");
    }
    for (size_t i = 0; i < 2; i++) {
        const char *value = pair_of(run, keys[i]);
        if (value != NULL) {
            mf_buffer_puts(out, " · ");
            mf__html_text(out, value);
        }
    }
    mf_buffer_puts(out, "</p></header>\n");
}

/* The tables of relations, when benchmarks have any. */
static void write_ratios(const struct bench_report *report, struct mf_buffer *out)
{
    const struct bench_run *run = report->run;
    bool any = false;
    for (size_t i = 0; i < run->result_count; i++) {
        any = any || mf__reference_of(run, &run->results[i]) != NULL ||
              (mf__is_measured(&run->results[i]) &&
               mf__first_of_series(run, &run->results[i]) != &run->results[i]);
    }
    if (any) {
        struct bench_report ratios = *report;
        ratios.style = "ratio";
        const struct table_taker taker = {take, out};
        mf_buffer_puts(out, "<section class=\"card\">\n<h2>Ratios</h2>\n");
        mf__report_tables(&ratios, &taker);
        mf_buffer_puts(out, "</section>\n");
    }
}

int mf__report_html(const struct bench_report *report, struct mf_buffer *out,
                    struct mf_errinfo *err)
{
    (void)err;
    char title[256];
    const struct table_taker taker = {take, out};
    struct mf_buffer chart = MF_BUFFER_INIT;
    snprintf(title, sizeof title, "%s%s",
             report->comparison_count > 0 ? "Benchmarks, compared with " : "Benchmarks",
             report->comparison_count == 0 ? ""
             : report->title != NULL       ? report->title
                                           : "what was before");
    mf__html_begin(out, title);
    write_header(report, title, out);
    mf_buffer_puts(out, "<section class=\"card\">\n");
    const bool drawn = mf__chart_summary(&chart, report);
    if (drawn && !chart.failed) {
        mf_buffer_puts(out, "<div class=\"summary\">\n");
        mf_buffer_append(out, chart.data, chart.len);
        mf_buffer_puts(out, "</div>\n");
    }
    out->failed = out->failed || chart.failed;
    mf_buffer_free(&chart);
    mf__table_full(report, &taker);
    mf__table_targets(report, &taker);
    mf_buffer_puts(out, "<ul class=\"remarks\">\n");
    mf__report_remarks(report, say, out);
    mf_buffer_puts(out, "</ul>\n</section>\n");
    write_ratios(report, out);
    mf__html_filter(out);
    bool flames = false;
    for (size_t i = 0; i < report->run->result_count; i++) {
        flames = write_benchmark(report, &report->run->results[i],
                                 report->run->result_count <= OPEN_MAX, out) ||
                 flames;
    }
    mf__html_environment(out, report->run);
    mf__html_end(out, flames);
    return 0;
}
