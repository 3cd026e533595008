/* SPDX-License-Identifier: Apache-2.0
 * command_history.c -- the command history: for each benchmark its medians from commit to commit,
 * and where their level has changed. */
#include "command_private.h"
#include "run_json.h"
#include "statistics.h"
#include "store_baseline.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/json_write.h"
#include "fmt/rfc3339.h"
#include "fmt/spark.h"
#include "fmt/table.h"
#include "os/file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW       20   /* runs on either side of a change of level */
#define FACTOR       5    /* median absolute deviations that a change has at least */
#define MIN_FRACTION 0.02 /* and relative to the level */
#define CHANGES_MAX  64

/* The results of one benchmark, oldest first. */
struct series {
    const char *name;
    const struct bench_run **runs;
    const struct bench_result **results;
    double *medians;
    size_t count;
    size_t changes[CHANGES_MAX];
    size_t change_count;
};

struct history_view {
    struct bench_run *runs;
    size_t run_count;
    struct series *series;
    size_t series_count;
};

/* ---- from runs to series ---- */

static void free_view(struct history_view *view)
{
    for (size_t i = 0; i < view->series_count; i++) {
        mf_free(view->series[i].runs);
        mf_free(view->series[i].results);
        mf_free(view->series[i].medians);
    }
    mf_free(view->series);
    mf__history_free(view->runs, view->run_count);
}

static struct series *series_of(struct history_view *view, const char *name)
{
    for (size_t i = 0; i < view->series_count; i++) {
        if (strcmp(view->series[i].name, name) == 0) {
            return &view->series[i];
        }
    }
    struct series *grown = mf_realloc(view->series, (view->series_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    view->series = grown;
    struct series *series = &view->series[view->series_count++];
    *series = (struct series){.name = name};
    series->runs = mf_calloc(view->run_count, sizeof *series->runs);
    series->results = mf_calloc(view->run_count, sizeof *series->results);
    series->medians = mf_calloc(view->run_count, sizeof *series->medians);
    return series->runs != NULL && series->results != NULL && series->medians != NULL ? series
                                                                                      : NULL;
}

static int collect(struct history_view *view, const struct bench_filter *filter)
{
    for (size_t r = 0; r < view->run_count; r++) {
        for (size_t i = 0; i < view->runs[r].result_count; i++) {
            const struct bench_result *result = &view->runs[r].results[i];
            if (result->status != BENCH_OK || result->process_medians == NULL ||
                !mf__filter_matches(filter, result->name)) {
                continue;
            }
            struct series *series = series_of(view, result->name);
            if (series == NULL) {
                return -ENOMEM;
            }
            if (series->count < view->run_count) { /* one of a name in each run */
                series->runs[series->count] = &view->runs[r];
                series->results[series->count] = result;
                series->medians[series->count++] = result->median.point_estimate;
            }
        }
    }
    for (size_t i = 0; i < view->series_count; i++) {
        struct series *series = &view->series[i];
        series->change_count = mf__change_points(series->medians, series->count, WINDOW, FACTOR,
                                                 MIN_FRACTION, series->changes, CHANGES_MAX);
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct series *)a)->name, ((const struct series *)b)->name);
}

static bool is_change(const struct series *series, size_t index)
{
    for (size_t i = 0; i < series->change_count; i++) {
        if (series->changes[i] == index) {
            return true;
        }
    }
    return false;
}

/* ---- text and Markdown ---- */

static void format_date(char out[MF_RFC3339_LEN], int64_t wall_ns)
{
    mf_format_rfc3339(out, wall_ns, 0, 0);
    out[10] = '\0'; /* the day */
}

static void format_time(char *out, size_t capacity, double ns)
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}, {0, "ns"}};
    size_t i = 0;
    while (ns < units[i].unit) {
        i++;
    }
    snprintf(out, capacity, "%.3g %s", ns / (units[i].unit > 0 ? units[i].unit : 1), units[i].name);
}

/* "baseline", "+0.78 %", and whether that is more than the threshold. */
static void format_trend(char *out, size_t capacity, const struct series *series, size_t index)
{
    if (index == 0) {
        snprintf(out, capacity, "baseline");
    } else {
        snprintf(out, capacity, "%+.2f %%",
                 100 * (series->medians[index] / series->medians[0] - 1));
    }
}

static const char *mark_of(const struct series *series, size_t index, double threshold)
{
    const double ratio = series->medians[index] / series->medians[0];
    const bool other = strcmp(series->results[index]->fingerprint,
                              series->results[series->count - 1]->fingerprint) != 0;
    if (is_change(series, index)) {
        return series->medians[index] > series->medians[index - 1] ? "slower from here"
                                                                   : "faster from here";
    }
    return other ? "another machine" : ratio > 1 + threshold ? "slower" : index == 0 ? "" : "ok";
}

static void write_text(const struct history_view *view, double threshold, bool colored, int columns,
                       struct mf_buffer *out)
{
    static const struct mf_column heads[] = {
        {"DATE", MF_ALIGN_LEFT, 0},   {"COMMIT", MF_ALIGN_LEFT, 8}, {"MEDIAN", MF_ALIGN_RIGHT, 0},
        {"TREND", MF_ALIGN_RIGHT, 0}, {"", MF_ALIGN_LEFT, 0},
    };
    for (size_t i = 0; i < view->series_count; i++) {
        const struct series *series = &view->series[i];
        double highest = 0;
        for (size_t k = 0; k < series->count; k++) {
            highest = fmax(highest, series->medians[k]);
        }
        mf_buffer_printf(out, "%s%s%s%s  ", i > 0 ? "\n" : "", mf_style(colored, MF_STYLE_BOLD),
                         series->name, mf_style(colored, MF_STYLE_RESET));
        mf_spark_row(out, series->medians, series->count, highest, 0, 1, true);
        mf_buffer_putc(out, '\n');
        struct mf_table table;
        mf_table_init(&table, heads, MF_ARRAY_LEN(heads));
        for (size_t k = 0; k < series->count; k++) {
            char date[MF_RFC3339_LEN];
            char text[64];
            const char *mark = mark_of(series, k, threshold);
            format_date(date, series->runs[k]->started_wall_ns);
            mf_table_cell(&table, date);
            mf_table_cellf(&table, "%.12s", series->runs[k]->commit);
            format_time(text, sizeof text, series->medians[k]);
            mf_table_cell(&table, text);
            format_trend(text, sizeof text, series, k);
            mf_table_cell(&table, text);
            mf_table_cell_styled(&table, mark,
                                 strncmp(mark, "slower", 6) == 0   ? MF_STYLE_RED
                                 : strncmp(mark, "faster", 6) == 0 ? MF_STYLE_GREEN
                                                                   : MF_STYLE_FAINT);
        }
        mf_table_write(&table, out, columns, colored);
        mf_table_free(&table);
    }
}

static void write_markdown(const struct history_view *view, double threshold, struct mf_buffer *out)
{
    for (size_t i = 0; i < view->series_count; i++) {
        const struct series *series = &view->series[i];
        mf_buffer_printf(out, "%s### %s\n\n| Date | Commit | Value | Trend |\n|---|---|---:|---|\n",
                         i > 0 ? "\n" : "", series->name);
        for (size_t k = 0; k < series->count; k++) {
            char date[MF_RFC3339_LEN];
            char value[64];
            char trend[64];
            format_date(date, series->runs[k]->started_wall_ns);
            format_time(value, sizeof value, series->medians[k]);
            format_trend(trend, sizeof trend, series, k);
            const char *mark = mark_of(series, k, threshold);
            mf_buffer_printf(out, "| %s | %.12s | %s | %s%s%s |\n", date, series->runs[k]->commit,
                             value, trend, mark[0] != '\0' ? ", " : "", mark);
        }
    }
}

/* ---- JSON and CSV ---- */

static void write_json(const struct history_view *view, struct mf_buffer *out)
{
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "schema_version", BENCH_SCHEMA_VERSION);
    mf_json_key(&json, "benchmarks");
    mf_json_begin_array(&json);
    for (size_t i = 0; i < view->series_count; i++) {
        const struct series *series = &view->series[i];
        mf_json_begin_object(&json);
        mf_json_key_string(&json, "name", series->name);
        mf_json_key(&json, "points");
        mf_json_begin_array(&json);
        for (size_t k = 0; k < series->count; k++) {
            const struct bench_estimate *median = &series->results[k]->median;
            char started[MF_RFC3339_LEN];
            mf_format_rfc3339(started, series->runs[k]->started_wall_ns, 0, 3);
            mf_json_begin_object(&json);
            mf_json_key_string(&json, "started", started);
            mf_json_key_string(&json, "commit", series->runs[k]->commit);
            mf_json_key_string(&json, "fingerprint", series->results[k]->fingerprint);
            mf_json_key_double(&json, "median_ns", median->point_estimate);
            mf_json_key_double(&json, "lower_bound", median->confidence_interval.lower_bound);
            mf_json_key_double(&json, "upper_bound", median->confidence_interval.upper_bound);
            mf_json_key_bool(&json, "level_changed", is_change(series, k));
            mf_json_end_object(&json);
        }
        mf_json_end_array(&json);
        mf_json_end_object(&json);
    }
    mf_json_end_array(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

static void write_csv(const struct history_view *view, struct mf_buffer *out)
{
    mf_buffer_puts(out, "name,started,commit,fingerprint,median_ns,level_changed\n");
    for (size_t i = 0; i < view->series_count; i++) {
        const struct series *series = &view->series[i];
        for (size_t k = 0; k < series->count; k++) {
            char started[MF_RFC3339_LEN];
            mf_format_rfc3339(started, series->runs[k]->started_wall_ns, 0, 3);
            mf_buffer_printf(out, "%s,%s,%s,%s,%.17g,%d\n", series->name, started,
                             series->runs[k]->commit, series->results[k]->fingerprint,
                             series->medians[k], is_change(series, k));
        }
    }
}

static int print_view(struct command *command, const struct history_view *view)
{
    const char *format = mf__config_text(&command->config, BENCH_KEY_output_format);
    const char *path = mf__config_text(&command->config, BENCH_KEY_output);
    const double threshold =
        mf__config_number(&command->config, NULL, BENCH_KEY_stored_threshold_pct) / 100;
    struct mf_buffer out = MF_BUFFER_INIT;
    int rc = 0;
    if (strcmp(format, "text") == 0) {
        write_text(view, threshold, command->line->colored && path == NULL, command->line->columns,
                   &out);
    } else if (strcmp(format, "markdown") == 0) {
        write_markdown(view, threshold, &out);
    } else if (strcmp(format, "json") == 0) {
        write_json(view, &out);
    } else if (strcmp(format, "csv") == 0) {
        write_csv(view, &out);
    } else {
        rc = mf_fail(&command->err, MF_EVALUE,
                     "a history can be printed as text, markdown, json or csv, not as %s", format);
    }
    if (rc == 0 && out.failed) {
        rc = mf_fail_os(&command->err, -ENOMEM, "cannot print the history");
    }
    if (rc == 0 && path != NULL) {
        rc = mf_fs_replace(NULL, path, out.data != NULL ? out.data : "", out.len, &command->err);
    } else if (rc == 0) {
        fwrite(out.data, 1, out.len, stdout); /* checked by the program at its end */
    }
    mf_buffer_free(&out);
    return rc;
}

int mf__command_history(struct command *command)
{
    struct history_view view = {0};
    struct bench_filter filter;
    mf__command_filter(command, &filter);
    const char *directory = mf__config_text(&command->config, BENCH_KEY_results_dir);
    int rc = mf__history_load(directory, &view.runs, &view.run_count, &command->err);
    if (rc == 0 && collect(&view, &filter) < 0) {
        rc = mf_fail_os(&command->err, -ENOMEM, "cannot show the history");
    }
    if (rc == 0 && view.series_count == 0) {
        rc = mf_fail(&command->err, MF_ENOTFOUND,
                     "%s has no results of these benchmarks; `run --record` adds some", directory);
    }
    if (rc == 0) {
        qsort(view.series, view.series_count, sizeof *view.series, by_name);
        rc = print_view(command, &view);
    }
    free_view(&view);
    return rc;
}
