/* SPDX-License-Identifier: Apache-2.0
 *
 * report_tables.c -- see report_tables.h.
 *
 *   full      a line for each benchmark: median with interval, change and verdict, percentiles
 *   ratio     how benchmarks stand to the one they name (ratio_to), and to the first of their
 * series overhead  the same in percent, with targets trend     from run to run
 */
#include "report_tables.h"
#include "figures.h"
#include "relations.h"
#include "run_json.h"

#include "base/fail.h"
#include "fmt/rfc3339.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PERCENTILES_SHOWN 8
#define STEAL_MUCH        0.01 /* of the processors' time */
#define SPREAD_MUCH       0.05 /* between processes */
#define SENTENCE_LEN      512

const struct bench_comparison *mf__comparison_of(const struct bench_report *report,
                                                 const struct bench_result *result)
{
    for (size_t i = 0; i < report->comparison_count; i++) {
        if (report->comparisons[i].now == result) {
            return &report->comparisons[i];
        }
    }
    return NULL;
}

enum sheet_cell_kind mf__verdict_kind(const struct bench_comparison *comparison)
{
    switch (comparison->verdict) {
    case VERDICT_REGRESSED:
        return comparison->advisory ? SHEET_DOUBTFUL : SHEET_BAD;
    case VERDICT_IMPROVED:
        return SHEET_GOOD;
    case VERDICT_INCONCLUSIVE:
        return SHEET_DOUBTFUL;
    case VERDICT_NO_BASELINE:
        return SHEET_FAINT;
    case VERDICT_SAME:
        break;
    }
    return SHEET_PLAIN;
}

const char *mf__band_name(enum bench_band band)
{
    return band == BAND_GOOD ? "good" : band == BAND_WARNING ? "warning" : "critical";
}

static void cell(struct sheet *sheet, const char *text)
{
    mf__sheet_cell(sheet, text, SHEET_PLAIN);
}

static void empty_cells(struct sheet *sheet, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cell(sheet, "");
    }
}

/* ---- full ---- */

/* The percentiles of the first result that has any: columns are the same for all. */
static const struct bench_result *percentile_model(const struct bench_run *run)
{
    for (size_t i = 0; i < run->result_count; i++) {
        if (mf__is_measured(&run->results[i])) {
            return &run->results[i];
        }
    }
    return NULL;
}

static void full_columns(const struct bench_result *model, struct sheet *sheet)
{
    mf__sheet_column(sheet, "Benchmark", MF_ALIGN_LEFT, 0);
    if (model == NULL) { /* nothing was measured: a test, or all have failed */
        mf__sheet_column(sheet, "Result", MF_ALIGN_LEFT, 0);
        return;
    }
    mf__sheet_column(sheet, "Median", MF_ALIGN_RIGHT, 0);
    char title[48];
    snprintf(title, sizeof title, "%.4g %% interval",
             100 * model->median.confidence_interval.confidence_level);
    mf__sheet_column(sheet, title, MF_ALIGN_RIGHT, 3);
    mf__sheet_column(sheet, "Change", MF_ALIGN_RIGHT, 2);
    mf__sheet_column(sheet, "Verdict", MF_ALIGN_LEFT, 1);
    for (size_t i = 0; i < model->percentile_count && i < PERCENTILES_SHOWN; i++) {
        const double percent = model->percentiles[i].percent;
        snprintf(title, sizeof title, "p%.6g", percent);
        mf__sheet_column(sheet, title, MF_ALIGN_RIGHT, percent == 99 ? 5 : 7);
    }
    mf__sheet_column(sheet, "Throughput", MF_ALIGN_RIGHT, 4);
    mf__sheet_column(sheet, "Ratio", MF_ALIGN_RIGHT, 6);
    mf__sheet_column(sheet, "Allocs", MF_ALIGN_RIGHT, 8);
    mf__sheet_column(sheet, "Spread", MF_ALIGN_RIGHT, 9);
}

static void comparison_cells(const struct bench_comparison *comparison, struct sheet *sheet)
{
    if (comparison == NULL) {
        empty_cells(sheet, 2);
        return;
    }
    const enum sheet_cell_kind kind = mf__verdict_kind(comparison);
    char verdict[64];
    snprintf(verdict, sizeof verdict, "%s%s", mf__verdict_name(comparison->verdict),
             comparison->advisory ? " (advisory)" : "");
    cell(sheet, comparison->before != NULL ? mf__figure_change(comparison->ratio).text : "");
    mf__sheet_cell(sheet, verdict, kind);
}

static void full_row(const struct bench_report *report, const struct bench_result *model,
                     const struct bench_result *result, struct sheet *sheet)
{
    const size_t columns = sheet->column_count;
    const size_t begin = sheet->cell_count;
    mf__sheet_cell(sheet, result->name, SHEET_NAME);
    if (!mf__is_measured(result)) {
        const bool failed = result->status == BENCH_FAILED;
        mf__sheet_cell(sheet,
                       failed                            ? "FAILED"
                       : result->status == BENCH_SKIPPED ? "skipped"
                                                         : "ok",
                       failed ? SHEET_BAD : SHEET_FAINT);
        empty_cells(sheet, columns - 2);
        return;
    }
    mf__sheet_cell(sheet, mf__figure_time(result->median.point_estimate).text, SHEET_BEST);
    cell(sheet, mf__figure_interval(result->median.confidence_interval).text);
    comparison_cells(mf__comparison_of(report, result), sheet);
    for (size_t i = 0; i < model->percentile_count && i < PERCENTILES_SHOWN; i++) {
        cell(sheet,
             i >= result->percentile_count ? ""
             : result->percentiles[i].n_needed > 0
                 ? "n/a"
                 : mf__figure_percentile(&result->percentiles[i], result->timer_cost_ns).text);
    }
    cell(sheet, mf__figure_throughput(result).text);
    const struct bench_result *reference = mf__reference_of(report->run, result);
    cell(sheet, reference == NULL ? ""
                                  : mf__figure_speedup(result->median.point_estimate /
                                                       reference->median.point_estimate)
                                        .text);
    const double allocations =
        mf__bench_named_get(result->resources, result->resource_count, "allocations_per_op");
    cell(sheet, isnan(allocations) ? "" : mf__figure_number(allocations).text);
    cell(sheet, result->process_count < 2
                    ? ""
                    : mf__figure_percent(result->between_process_fraction).text);
    empty_cells(sheet, begin + columns - sheet->cell_count);
}

void mf__table_full(const struct bench_report *report, const struct table_taker *taker)
{
    const struct bench_result *model = percentile_model(report->run);
    struct sheet sheet;
    mf__sheet_init(&sheet);
    full_columns(model, &sheet);
    for (size_t i = 0; i < report->run->result_count; i++) {
        full_row(report, model, &report->run->results[i], &sheet);
    }
    taker->take(taker->context, NULL, &sheet, NULL);
    mf__sheet_free(&sheet);
}

/* ---- ratio ---- */

static bool same_base(const struct bench_result *a, const struct bench_result *b)
{
    const size_t len = mf__base_len(a);
    return len == mf__base_len(b) && memcmp(a->name, b->name, len) == 0;
}

static bool is_first_of_base(const struct bench_run *run, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (mf__is_measured(&run->results[i]) &&
            same_base(&run->results[i], &run->results[index])) {
            return false;
        }
    }
    return true;
}

static size_t series_len(const struct bench_run *run, const struct bench_result *result)
{
    size_t count = 0;
    for (size_t i = 0; i < run->result_count; i++) {
        count += mf__is_measured(&run->results[i]) && same_base(&run->results[i], result);
    }
    return count;
}

/* Iterations, or what an iteration is said to process, in a second. */
static double speed(const struct bench_result *result)
{
    const double units = result->bytes != 0      ? (double)result->bytes
                         : result->elements != 0 ? (double)result->elements
                                                 : 1;
    return units / result->median.point_estimate;
}

static const struct bench_result *fastest_of(const struct bench_run *run,
                                             const struct bench_result *result)
{
    const struct bench_result *best = result;
    for (size_t i = 0; i < run->result_count; i++) {
        const struct bench_result *other = &run->results[i];
        if (mf__is_measured(other) && same_base(other, result) && speed(other) > speed(best)) {
            best = other;
        }
    }
    return best;
}

static void ratio_row(const struct bench_run *run, const struct bench_result *result,
                      const struct bench_result *first, bool best, struct sheet *sheet)
{
    const enum sheet_cell_kind kind = best ? SHEET_BEST : SHEET_PLAIN;
    const struct bench_result *reference = mf__reference_of(run, result);
    mf__sheet_cell(sheet, mf__variant(result), kind);
    mf__sheet_cell(sheet, mf__figure_time(result->median.point_estimate).text, kind);
    mf__sheet_cell(sheet,
                   reference == NULL ? ""
                                     : mf__figure_ratio(result->median.point_estimate /
                                                        reference->median.point_estimate)
                                           .text,
                   kind);
    mf__sheet_cell(sheet, mf__figure_speedup(speed(result) / speed(first)).text, kind);
    mf__sheet_cell(sheet, mf__figure_throughput(result).text, kind);
}

/* One benchmark with several parameters or thread counts. */
static void ratio_series(const struct bench_run *run, const struct bench_result *head,
                         const struct table_taker *taker)
{
    const struct bench_result *first = mf__first_of_series(run, head);
    const struct bench_result *best = fastest_of(run, head);
    const struct bench_result *reference = mf__reference_of(run, first);
    char text[SENTENCE_LEN];
    struct sheet sheet;
    mf__sheet_init(&sheet);
    mf__sheet_column(&sheet, first->options.param_count > 0 ? first->options.param_name : "threads",
                     MF_ALIGN_LEFT, 0);
    mf__sheet_column(&sheet, "Time", MF_ALIGN_RIGHT, 0);
    snprintf(text, sizeof text, "vs %.40s", reference != NULL ? reference->name : "");
    mf__sheet_column(&sheet, text, MF_ALIGN_RIGHT, 1);
    snprintf(text, sizeof text, "Speedup vs %.32s", mf__variant(first));
    mf__sheet_column(&sheet, text, MF_ALIGN_RIGHT, 1);
    mf__sheet_column(&sheet, "Throughput", MF_ALIGN_RIGHT, 2);
    if (reference != NULL && !same_base(reference, first)) {
        cell(&sheet, reference->name);
        cell(&sheet, mf__figure_time(reference->median.point_estimate).text);
        cell(&sheet, "1.0×");
        cell(&sheet, "—");
        cell(&sheet, mf__figure_throughput(reference).text);
    }
    for (size_t i = 0; i < run->result_count; i++) {
        if (mf__is_measured(&run->results[i]) && same_base(&run->results[i], head)) {
            ratio_row(run, &run->results[i], first, &run->results[i] == best, &sheet);
        }
    }
    snprintf(text, sizeof text, "Fastest: %.200s", mf__variant(best));
    char title[BENCH_SUITE_LEN * 8];
    snprintf(title, sizeof title, "%.*s", (int)mf__base_len(head), head->name);
    taker->take(taker->context, title, &sheet, text);
    mf__sheet_free(&sheet);
}

static bool is_a_reference(const struct bench_run *run, const struct bench_result *result)
{
    for (size_t i = 0; i < run->result_count; i++) {
        if (mf__reference_of(run, &run->results[i]) == result) {
            return true;
        }
    }
    return false;
}

/* Those without a series, a line each. */
static void ratio_singles(const struct bench_run *run, const struct table_taker *taker)
{
    struct sheet sheet;
    mf__sheet_init(&sheet);
    mf__sheet_column(&sheet, "Benchmark", MF_ALIGN_LEFT, 0);
    mf__sheet_column(&sheet, "Beside", MF_ALIGN_LEFT, 3);
    mf__sheet_column(&sheet, "Its time", MF_ALIGN_RIGHT, 1);
    mf__sheet_column(&sheet, "Time", MF_ALIGN_RIGHT, 0);
    mf__sheet_column(&sheet, "Overhead", MF_ALIGN_RIGHT, 0);
    mf__sheet_column(&sheet, "Throughput", MF_ALIGN_RIGHT, 2);
    for (size_t i = 0; i < run->result_count; i++) {
        const struct bench_result *result = &run->results[i];
        const struct bench_result *reference = mf__reference_of(run, result);
        if (!mf__is_measured(result) || series_len(run, result) > 1 ||
            (reference == NULL && is_a_reference(run, result))) {
            continue;
        }
        const bool faster = reference != NULL &&
                            result->median.point_estimate < 0.95 * reference->median.point_estimate;
        mf__sheet_cell(&sheet, result->name, SHEET_NAME);
        mf__sheet_cell(&sheet, reference != NULL ? reference->name : "", SHEET_NAME);
        cell(&sheet,
             reference != NULL ? mf__figure_time(reference->median.point_estimate).text : "");
        cell(&sheet, mf__figure_time(result->median.point_estimate).text);
        mf__sheet_cell(&sheet,
                       reference != NULL ? mf__figure_ratio(result->median.point_estimate /
                                                            reference->median.point_estimate)
                                               .text
                                         : "",
                       faster ? SHEET_BEST : SHEET_PLAIN);
        cell(&sheet, mf__figure_throughput(result).text);
    }
    if (sheet.cell_count > 0) {
        taker->take(taker->context, NULL, &sheet, NULL);
    }
    mf__sheet_free(&sheet);
}

static void table_ratio(const struct bench_report *report, const struct table_taker *taker)
{
    const struct bench_run *run = report->run;
    for (size_t i = 0; i < run->result_count; i++) {
        const struct bench_result *result = &run->results[i];
        if (mf__is_measured(result) && is_first_of_base(run, i) && series_len(run, result) > 1) {
            ratio_series(run, result, taker);
        }
    }
    ratio_singles(run, taker);
}

/* ---- overhead ---- */

static const struct bench_check *overhead_check(const struct bench_report *report,
                                                const struct bench_result *result)
{
    for (size_t i = 0; i < report->check_count; i++) {
        if (report->checks[i].result == result &&
            strcmp(report->checks[i].target->metric, "overhead_pct") == 0) {
            return &report->checks[i];
        }
    }
    return NULL;
}

static void overhead_status(const struct bench_check *check,
                            const struct bench_comparison *compared, struct sheet *sheet)
{
    if (check != NULL) {
        char goal[64];
        snprintf(goal, sizeof goal, "<= %s", mf__figure_percent(check->target->good / 100).text);
        cell(sheet, goal);
        mf__sheet_cell(sheet,
                       check->band == BAND_GOOD      ? "✓ met"
                       : check->band == BAND_WARNING ? "⚠ above"
                                                     : "✗ missed",
                       check->band == BAND_GOOD      ? SHEET_GOOD
                       : check->band == BAND_WARNING ? SHEET_DOUBTFUL
                                                     : SHEET_BAD);
        return;
    }
    cell(sheet, "—");
    mf__sheet_cell(sheet, compared != NULL ? mf__verdict_name(compared->verdict) : "—",
                   compared != NULL ? mf__verdict_kind(compared) : SHEET_PLAIN);
}

static void table_overhead(const struct bench_report *report, const struct table_taker *taker)
{
    struct sheet sheet;
    mf__sheet_init(&sheet);
    mf__sheet_column(&sheet, "Component", MF_ALIGN_LEFT, 0);
    mf__sheet_column(&sheet, "Baseline", MF_ALIGN_RIGHT, 1);
    mf__sheet_column(&sheet, "With", MF_ALIGN_RIGHT, 1);
    mf__sheet_column(&sheet, "Overhead", MF_ALIGN_RIGHT, 0);
    mf__sheet_column(&sheet, "Target", MF_ALIGN_RIGHT, 1);
    mf__sheet_column(&sheet, "Status", MF_ALIGN_LEFT, 0);
    for (size_t i = 0; i < report->run->result_count; i++) {
        const struct bench_result *result = &report->run->results[i];
        const struct bench_result *reference = mf__reference_of(report->run, result);
        const struct bench_comparison *compared = NULL;
        if (reference == NULL) { /* then what it was before */
            compared = mf__comparison_of(report, result);
            reference = compared != NULL ? compared->before : NULL;
        }
        if (!mf__is_measured(result) || reference == NULL) {
            continue;
        }
        const double ratio = result->median.point_estimate / reference->median.point_estimate;
        mf__sheet_cell(&sheet, result->name, SHEET_NAME);
        cell(&sheet, mf__figure_time(reference->median.point_estimate).text);
        cell(&sheet, mf__figure_time(result->median.point_estimate).text);
        mf__sheet_cell(&sheet, mf__figure_change(ratio).text, SHEET_BEST);
        overhead_status(overhead_check(report, result), compared, &sheet);
    }
    taker->take(taker->context, NULL, &sheet,
                sheet.cell_count == 0
                    ? "No benchmark here names another one (ratio_to), and nothing is compared."
                    : NULL);
    mf__sheet_free(&sheet);
}

/* ---- trend ---- */

static void trend_columns(struct sheet *sheet)
{
    mf__sheet_column(sheet, "Date", MF_ALIGN_LEFT, 0);
    mf__sheet_column(sheet, "Commit", MF_ALIGN_LEFT, 1);
    mf__sheet_column(sheet, "Value", MF_ALIGN_RIGHT, 0);
    mf__sheet_column(sheet, "Trend", MF_ALIGN_LEFT, 0);
}

/* The median is drawn against `base`, NAN for the first of all. */
static void trend_row(const struct bench_report *report, int64_t wall_ns, const char *commit,
                      double median_ns, double base_ns, const char *mark, struct sheet *sheet)
{
    char date[MF_RFC3339_LEN] = "";
    char trend[FIGURE_LEN + 32];
    char short_commit[16];
    if (wall_ns != 0) {
        mf_format_rfc3339(date, wall_ns, 0, 0);
        date[10] = '\0'; /* the day */
    }
    const double ratio = median_ns / base_ns;
    const bool slower = ratio > 1 + report->threshold_fraction;
    const char *said = mark != NULL && mark[0] != '\0' ? mark : slower ? "slower" : "ok";
    if (isnan(base_ns)) {
        snprintf(trend, sizeof trend, "baseline");
    } else {
        snprintf(trend, sizeof trend, "%s %s", mf__figure_change(ratio).text, said);
    }
    snprintf(short_commit, sizeof short_commit, "%.12s", commit != NULL ? commit : "");
    cell(sheet, date);
    cell(sheet, short_commit);
    cell(sheet, mf__figure_time(median_ns).text);
    mf__sheet_cell(sheet, trend,
                   isnan(base_ns)                    ? SHEET_FAINT
                   : strncmp(said, "slower", 6) == 0 ? SHEET_BAD
                   : strncmp(said, "faster", 6) == 0 ? SHEET_GOOD
                                                     : SHEET_PLAIN);
}

static void trend_table(const struct bench_report *report, const struct bench_result *result,
                        const struct table_taker *taker)
{
    const struct trend_series *series = mf__trend_find(report->trend, result->name);
    const struct bench_comparison *comparison = mf__comparison_of(report, result);
    const struct bench_run *run = report->run;
    double base = NAN;
    struct sheet sheet;
    mf__sheet_init(&sheet);
    trend_columns(&sheet);
    bool listed = false; /* this run is itself in the history */
    for (size_t k = 0; series != NULL && k < series->count; k++) {
        trend_row(report, series->runs[k]->started_wall_ns, series->runs[k]->commit,
                  series->medians[k], base, mf__trend_mark(series, k, report->threshold_fraction),
                  &sheet);
        base = k == 0 ? series->medians[0] : base;
        listed = listed || series->runs[k]->started_wall_ns == run->started_wall_ns;
    }
    if (series == NULL && comparison != NULL && comparison->before != NULL) {
        trend_row(report, 0, report->title, comparison->before->median.point_estimate, base, NULL,
                  &sheet);
        base = comparison->before->median.point_estimate;
    }
    if (!listed) {
        trend_row(report, run->started_wall_ns, run->commit, result->median.point_estimate, base,
                  NULL, &sheet);
    }
    taker->take(taker->context, result->name, &sheet, NULL);
    mf__sheet_free(&sheet);
}

static void table_trend(const struct bench_report *report, const struct table_taker *taker)
{
    for (size_t i = 0; i < report->run->result_count; i++) {
        if (mf__is_measured(&report->run->results[i])) {
            trend_table(report, &report->run->results[i], taker);
        }
    }
}

void mf__report_tables(const struct bench_report *report, const struct table_taker *taker)
{
    static const struct {
        const char *style;
        void (*write)(const struct bench_report *report, const struct table_taker *taker);
    } styles[] = {
        {"ratio", table_ratio},
        {"overhead", table_overhead},
        {"trend", table_trend},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(styles); i++) {
        if (report->style != NULL && strcmp(report->style, styles[i].style) == 0) {
            styles[i].write(report, taker);
            return;
        }
    }
    mf__table_full(report, taker);
}

/* ---- targets ---- */

void mf__table_targets(const struct bench_report *report, const struct table_taker *taker)
{
    if (report->check_count == 0) {
        return;
    }
    struct sheet sheet;
    mf__sheet_init(&sheet);
    mf__sheet_column(&sheet, "Benchmark", MF_ALIGN_LEFT, 0);
    mf__sheet_column(&sheet, "Target", MF_ALIGN_LEFT, 0);
    mf__sheet_column(&sheet, "Value", MF_ALIGN_RIGHT, 0);
    mf__sheet_column(&sheet, "Good", MF_ALIGN_RIGHT, 1);
    mf__sheet_column(&sheet, "Critical", MF_ALIGN_RIGHT, 2);
    mf__sheet_column(&sheet, "Band", MF_ALIGN_LEFT, 0);
    for (size_t i = 0; i < report->check_count; i++) {
        const struct bench_check *check = &report->checks[i];
        const char *metric = check->target->metric;
        const char *sign = check->target->higher_is_better ? ">= " : "<= ";
        char good[FIGURE_LEN + 4];
        char critical[FIGURE_LEN + 4];
        snprintf(good, sizeof good, "%s%s", sign,
                 mf__figure_metric(metric, check->target->good).text);
        snprintf(critical, sizeof critical, "%s%s", check->target->higher_is_better ? "< " : "> ",
                 mf__figure_metric(metric, check->target->critical).text);
        mf__sheet_cell(&sheet, check->result->name, SHEET_NAME);
        cell(&sheet, metric);
        cell(&sheet, mf__figure_metric(metric, check->value).text);
        cell(&sheet, isfinite(check->target->good) ? good : "");
        cell(&sheet, isfinite(check->target->critical) ? critical : "");
        mf__sheet_cell(&sheet, isnan(check->value) ? "not measured" : mf__band_name(check->band),
                       check->band == BAND_GOOD      ? SHEET_GOOD
                       : check->band == BAND_WARNING ? SHEET_DOUBTFUL
                                                     : SHEET_BAD);
    }
    taker->take(taker->context, "Targets", &sheet, NULL);
    mf__sheet_free(&sheet);
}

/* ---- remarks ---- */

struct remark_target {
    void (*say)(void *context, const char *sentence);
    void *context;
};

__attribute__((format(printf, 2, 3))) static void say(const struct remark_target *target,
                                                      const char *format, ...)
{
    char sentence[SENTENCE_LEN];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    target->say(target->context, sentence);
}

static void remark_verdicts(const struct bench_report *report, const struct remark_target *target)
{
    size_t counts[VERDICT_NO_BASELINE + 1] = {0};
    bool advisory = false;
    for (size_t i = 0; i < report->comparison_count; i++) {
        counts[report->comparisons[i].verdict] += mf__is_measured(report->comparisons[i].now);
        advisory = advisory || report->comparisons[i].advisory;
    }
    if (report->comparison_count == 0) {
        return;
    }
    char text[SENTENCE_LEN] = "";
    size_t at = 0;
    static const enum bench_verdict order[] = {VERDICT_REGRESSED, VERDICT_IMPROVED, VERDICT_SAME,
                                               VERDICT_INCONCLUSIVE, VERDICT_NO_BASELINE};
    for (size_t i = 0; i < MF_ARRAY_LEN(order); i++) {
        if (counts[order[i]] > 0) {
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%zu %s", at > 0 ? ", " : "",
                                   counts[order[i]], mf__verdict_name(order[i]));
        }
    }
    const struct bench_comparison *first = &report->comparisons[0];
    say(target, "Compared with %.120s: %.200s. A change below %s does not count.",
        report->title != NULL ? report->title : "what was before", text,
        mf__figure_percent(first->threshold_fraction).text);
    if (advisory) {
        say(target, "Some were measured on another machine, kernel or compiler: those verdicts are "
                    "advisory, and no gate acts on them.");
    }
}

static void remark_missing(const struct bench_report *report, const struct remark_target *target)
{
    for (size_t i = 0; i < report->run->result_count; i++) {
        const struct bench_result *result = &report->run->results[i];
        if (result->status != BENCH_OK) {
            say(target, "%.200s %s: %.250s", result->name,
                result->status == BENCH_FAILED ? "failed" : "was skipped",
                result->message != NULL ? result->message : "it does not say why");
        } else if (mf__is_measured(result) && result->process_count < result->processes_planned) {
            say(target, "%.200s has %zu of %u processes.", result->name, result->process_count,
                result->processes_planned);
        }
    }
}

static void remark_percentiles(const struct bench_report *report,
                               const struct remark_target *target)
{
    double percent = 0;
    uint64_t needed = 0;
    bool below_clock = false;
    double cost = 0;
    for (size_t i = 0; i < report->run->result_count; i++) {
        const struct bench_result *result = &report->run->results[i];
        for (size_t k = 0; mf__is_measured(result) && k < result->percentile_count; k++) {
            const struct bench_percentile *percentile = &result->percentiles[k];
            if (percentile->n_needed > needed) {
                needed = percentile->n_needed;
                percent = percentile->percent;
            }
            if (mf__figure_percentile(percentile, result->timer_cost_ns).text[0] == '<') {
                below_clock = true;
                cost = fmax(cost, result->timer_cost_ns);
            }
        }
    }
    if (needed > 0) {
        say(target, "n/a: there were too few single operations; p%.6g needs n >= %llu.", percent,
            (unsigned long long)needed);
    }
    if (below_clock) {
        say(target,
            "A percentile as \"<%s\" is below what reading the clock costs; the median is of whole "
            "batches and holds.",
            mf__figure_time(cost).text);
    }
}

static void remark_noise(const struct bench_report *report, const struct remark_target *target)
{
    size_t measured = 0;
    size_t noisy = 0;
    double steal = 0;
    double load = 0;
    const struct bench_result *worst = NULL;
    for (size_t i = 0; i < report->run->result_count; i++) {
        const struct bench_result *result = &report->run->results[i];
        if (!mf__is_measured(result)) {
            continue;
        }
        measured++;
        noisy += result->between_process_fraction > SPREAD_MUCH;
        steal = fmax(steal, result->steal_fraction);
        load = fmax(load, result->load_average);
        if (worst == NULL || result->between_process_fraction > worst->between_process_fraction) {
            worst = result;
        }
    }
    if (noisy > 0) {
        say(target,
            "%zu of %zu differ by more than %s between their own processes, most of all %.160s "
            "(%s); the load was %.3g, %s of the processors' time was stolen. `bench doctor` looks "
            "into it.",
            noisy, measured, mf__figure_percent(SPREAD_MUCH).text, worst->name,
            mf__figure_percent(worst->between_process_fraction).text, load,
            mf__figure_percent(steal).text);
    } else if (steal > STEAL_MUCH) {
        say(target, "Up to %s of the processors' time was stolen by other machines.",
            mf__figure_percent(steal).text);
    }
}

void mf__report_remarks(const struct bench_report *report,
                        void (*take)(void *context, const char *sentence), void *context)
{
    const struct remark_target target = {take, context};
    remark_verdicts(report, &target);
    remark_missing(report, &target);
    remark_percentiles(report, &target);
    remark_noise(report, &target);
    if (report->run->quick) {
        say(&target, "A quick run: a first look, not for baselines or the gate.");
    }
}
