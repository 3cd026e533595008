/* SPDX-License-Identifier: Apache-2.0
 * verb_metrics_query.c -- mayfly metrics query. */
#include "metrics_range.h"
#include "metrics_stores.h"

#include "fmt/number.h"
#include "fmt/rfc3339.h"
#include "fmt/spark.h"
#include "fmt/table.h"
#include "fmt/units.h"

#include <inttypes.h>
#include <mayfly/export.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARK_COLUMNS 40

enum format { FORMAT_TEXT, FORMAT_CSV, FORMAT_JSON };

static int write_stdout(void *context, const char *bytes, size_t len)
{
    (void)context;
    fwrite(bytes, 1, len, stdout); /* checked at the end, by main() */
    return 0;
}

static bool shows_unicode(void)
{
    const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < MF_ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
        }
    }
    return false;
}

/* What the chart and the last column show of a point. */
static double value_of(const struct mf_series_result *series, size_t index)
{
    const struct mf_point *point = &series->points[index];
    if (series->values != NULL) {
        return series->values[index];
    }
    switch (series->type) {
    case MF_COUNTER:
        return point->sum;
    case MF_HISTOGRAM:
        return (double)point->count;
    case MF_GAUGE:
        break;
    }
    return point->last;
}

/* The values over the time of the result, in a row of columns; gaps are blank. */
static void put_spark(struct mf_buffer *out, const struct mf_series_result *series)
{
    double columns[SPARK_COLUMNS];
    double max = 0;
    const int64_t first_ns = series->points[0].start_ns;
    const int64_t slots =
        (series->points[series->point_count - 1].start_ns - first_ns) / series->interval_ns + 1;
    const size_t count = slots < SPARK_COLUMNS ? (size_t)slots : SPARK_COLUMNS;
    for (size_t i = 0; i < count; i++) {
        columns[i] = NAN;
    }
    for (size_t i = 0; i < series->point_count; i++) {
        const int64_t slot = (series->points[i].start_ns - first_ns) / series->interval_ns;
        const size_t column = (size_t)(slot * (int64_t)count / slots);
        const double value = value_of(series, i);
        if (isnan(columns[column]) || value > columns[column]) {
            columns[column] = value;
        }
        max = value > max ? value : max;
    }
    mf_spark_row(out, columns, count, max > 0 ? max : 1, 0, 1, shows_unicode());
}

static void put_head(struct mf_buffer *out, const struct mf_series_result *series,
                     const char *store)
{
    char interval[MF_UNITS_LEN];
    char time[MF_RFC3339_LEN];
    if (store != NULL) {
        mf_terminal_escape(out, store, strlen(store));
        mf_buffer_puts(out, ": ");
    }
    mf_terminal_escape(out, series->text, strlen(series->text));
    mf_buffer_printf(out, "\n  %s, tier %u, every %s", stores_type_word(series->type), series->tier,
                     mf_format_duration(interval, series->interval_ns));
    if (series->unit[0] != '\0') {
        mf_buffer_puts(out, ", in ");
        mf_terminal_escape(out, series->unit, strlen(series->unit));
    }
    mf_buffer_printf(out, ", %zu point%s", series->point_count,
                     series->point_count == 1 ? "" : "s");
    if (series->missing > 0) {
        mf_buffer_printf(out, ", %zu missing", series->missing);
    }
    mf_buffer_putc(out, '\n');
    if (series->partial) {
        mf_buffer_printf(out, "  partial: what was before %s is gone from this tier\n",
                         mf_format_rfc3339(time, series->retained_from_ns, 0, 0));
    }
    if (series->point_count > 0) {
        mf_buffer_puts(out, "  ");
        put_spark(out, series);
        mf_buffer_putc(out, '\n');
    }
}

/* Whole numbers as they are, others with six digits: CSV and JSON have all of them. */
static void cell_number(struct mf_table *table, double value)
{
    char text[MF_NUMBER_LEN];
    if (value == rint(value) && fabs(value) < 1e15) {
        mf_format_double(text, value);
        mf_table_cell(table, text);
    } else {
        mf_table_cellf(table, isnan(value) ? "-" : "%.6g", value);
    }
}

static void put_row(struct mf_table *table, const struct mf_series_result *series, size_t index,
                    int digits)
{
    const struct mf_point *point = &series->points[index];
    char time[MF_RFC3339_LEN];
    mf_table_cell(table, mf_format_rfc3339(time, point->start_ns, 0, digits));
    mf_table_cellf(table, "%" PRIu64, point->count);
    if (series->values != NULL) {
        cell_number(table, series->values[index]);
    } else if (series->type == MF_COUNTER) {
        cell_number(table, point->sum);
        cell_number(table, point->last);
    } else {
        cell_number(table, point->min);
        cell_number(table, point->sum / (double)point->count);
        cell_number(table, point->max);
        cell_number(table, point->last);
    }
    const bool open = (point->flags & MF_POINT_OPEN) != 0;
    const bool rounded = (point->flags & MF_POINT_APPROXIMATE) != 0;
    mf_table_cell(table, open && rounded ? "open ~" : open ? "open" : rounded ? "~" : "");
}

/* A row that says how many slots are missing. */
static void put_gap(struct mf_table *table, size_t columns, int64_t slots)
{
    mf_table_cellf(table, "(%" PRId64 " missing)", slots);
    for (size_t i = 1; i < columns; i++) {
        mf_table_cell(table, NULL);
    }
}

static void put_points(struct cli_context *cli, struct mf_buffer *out,
                       const struct mf_series_result *series, const char *function)
{
    static const struct mf_column of_values[] = {
        {"TIME", MF_ALIGN_LEFT, 0}, {"COUNT", MF_ALIGN_RIGHT, 0}, {"MIN", MF_ALIGN_RIGHT, 0},
        {"AVG", MF_ALIGN_RIGHT, 0}, {"MAX", MF_ALIGN_RIGHT, 0},   {"LAST", MF_ALIGN_RIGHT, 0},
        {"", MF_ALIGN_LEFT, 0}};
    static const struct mf_column of_counters[] = {{"TIME", MF_ALIGN_LEFT, 0},
                                                   {"COUNT", MF_ALIGN_RIGHT, 0},
                                                   {"INCREASE", MF_ALIGN_RIGHT, 0},
                                                   {"TOTAL", MF_ALIGN_RIGHT, 0},
                                                   {"", MF_ALIGN_LEFT, 0}};
    const struct mf_column of_functions[] = {{"TIME", MF_ALIGN_LEFT, 0},
                                             {"COUNT", MF_ALIGN_RIGHT, 0},
                                             {function, MF_ALIGN_RIGHT, 0},
                                             {"", MF_ALIGN_LEFT, 0}};
    const struct mf_column *columns = of_values;
    size_t count = MF_ARRAY_LEN(of_values);
    if (series->values != NULL) {
        columns = of_functions;
        count = MF_ARRAY_LEN(of_functions);
    } else if (series->type == MF_COUNTER) {
        columns = of_counters;
        count = MF_ARRAY_LEN(of_counters);
    }
    const int64_t rows = cli_int(cli, "rows");
    const size_t first =
        rows > 0 && (uint64_t)rows < series->point_count ? series->point_count - (size_t)rows : 0;
    const int digits = series->interval_ns % 1000000000 != 0 ? 3 : 0;
    struct mf_table table;
    mf_table_init(&table, columns, count);
    for (size_t i = first; i < series->point_count; i++) {
        if (i > first) {
            const int64_t step_ns = series->points[i].start_ns - series->points[i - 1].start_ns;
            if (step_ns > series->interval_ns) {
                put_gap(&table, count, step_ns / series->interval_ns - 1);
            }
        }
        put_row(&table, series, i, digits);
    }
    if (first > 0) {
        mf_buffer_printf(out, "  (the last %zu; --rows 0 shows all)\n",
                         series->point_count - first);
    }
    if (series->point_count > 0) {
        mf_table_write(&table, out, cli_columns(), cli_colored(cli));
    }
    mf_table_free(&table);
}

static int query_text(struct cli_context *cli, const char *store, struct mf_metrics_reader *reader,
                      const struct mf_metrics_query *query, const char *function, size_t *matches)
{
    struct mf_metrics_result *result;
    struct mf_buffer out = MF_BUFFER_INIT;
    int rc = mf_metrics_query(reader, query, &result, &cli->err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < result->series_count; i++) {
        if (*matches > 0) {
            mf_buffer_putc(&out, '\n');
        }
        (*matches)++;
        put_head(&out, &result->series[i], store);
        put_points(cli, &out, &result->series[i], function);
    }
    mf_metrics_result_free(result);
    return cli_print(cli, &out);
}

/* The function of the options, or an exit code. */
static int choose_function(struct cli_context *cli, struct mf_metrics_query *query,
                           const char **ret_title)
{
    const bool rate = cli_flag(cli, "rate");
    const bool increase = cli_flag(cli, "increase");
    const bool quantile = cli_count(cli, "quantile") > 0;
    if (rate + increase + quantile > 1) {
        return cli_usage(cli, "--rate, --increase and --quantile exclude each other");
    }
    query->quantile = cli_number(cli, "quantile");
    query->function = rate       ? MF_FUNCTION_RATE
                      : increase ? MF_FUNCTION_INCREASE
                      : quantile ? MF_FUNCTION_QUANTILE
                                 : MF_FUNCTION_NONE;
    *ret_title = rate ? "RATE/S" : increase ? "INCREASE" : "QUANTILE";
    if (quantile && !(query->quantile >= 0 && query->quantile <= 1)) {
        return cli_usage(cli, "--quantile is between 0 and 1");
    }
    return 0;
}

static int query_store(struct cli_context *cli, const char *path, bool many,
                       struct mf_metrics_query *query, const char *function,
                       struct mf_exporter *exporter, size_t *matches)
{
    struct mf_metrics_reader *reader;
    struct mf_metrics_info info;
    int rc = mf_metrics_reader_open(path, NULL, &reader, &cli->err);
    if (rc != 0) {
        return rc;
    }
    mf_metrics_reader_info(reader, &info);
    range_fill(cli, info.clock_wall_ns, query);
    if (query->start_ns >= query->end_ns) {
        rc = mf_fail(&cli->err, MF_EVALUE, "the range begins at or after its end");
    } else if (exporter != NULL) {
        rc = mf_exporter_add(exporter, many ? path : NULL, reader, query, &cli->err);
    } else {
        rc = query_text(cli, many ? path : NULL, reader, query, function, matches);
    }
    mf_metrics_reader_close(reader);
    return rc;
}

static int run(struct cli_context *cli)
{
    struct mf_metrics_query query = {.selector = cli->operands[0]};
    struct mf_exporter *exporter = NULL;
    struct stores stores;
    const char *function = "";
    size_t matches = 0;
    const enum format format = cli->json ? FORMAT_JSON : (enum format)cli_choice(cli, "format");
    int rc = range_check(cli);
    rc = rc == 0 ? choose_function(cli, &query, &function) : rc;
    if (rc == 0 && strcmp(cli_string(cli, "tier"), "finest") == 0 &&
        (format == FORMAT_TEXT || query.function != MF_FUNCTION_NONE)) {
        rc = cli_usage(cli, "--tier finest is for CSV and JSON without a function");
    }
    rc = rc == 0 ? stores_find(cli, 1, &stores) : rc;
    if (rc != 0) {
        return rc;
    }
    if (format != FORMAT_TEXT) {
        rc = mf_exporter_new(format == FORMAT_CSV ? MF_EXPORT_CSV : MF_EXPORT_JSON, write_stdout,
                             NULL, &exporter, &cli->err);
    }
    for (size_t i = 0; rc == 0 && i < stores.count; i++) {
        rc = query_store(cli, stores.paths[i], stores.count > 1, &query, function, exporter,
                         &matches);
    }
    if (rc == 0 && exporter != NULL) {
        rc = mf_exporter_finish(exporter, &cli->err);
    }
    mf_exporter_free(exporter);
    stores_free(&stores);
    if (rc == 0 && format == FORMAT_TEXT && matches == 0) {
        cli_note("no series matches %s", query.selector);
        return CLI_EXIT_NEGATIVE;
    }
    return rc;
}

const struct cli_verb verb_metrics_query = {
    .name = "query",
    .summary = "Show the points of series",
    .description =
        "SELECTOR is a name, or name{label=\"value\"} with = != =~ !~ (regular expressions are "
        "anchored at both ends); an empty one is every series.\n\n"
        "Times are the beginnings of slots, in UTC. Missing slots are shown as such, `open` is a "
        "slot that is not over yet, and ~ stands where numbers are rounded (docs/metrics.md, "
        "Precision). The range counts back from the newest time of the store, also of one whose "
        "writer ended long ago.",
    .options =
        (const struct cli_option[]){
            RANGE_OPTIONS("1h", "auto"),
            {.name = "rate", .kind = CLI_FLAG, .help = "Of counters: growth per second"},
            {.name = "increase", .kind = CLI_FLAG, .help = "Of counters: growth in each slot"},
            {.name = "quantile",
             .letter = 'q',
             .kind = CLI_NUMBER,
             .metavar = "Q",
             .help = "Of histograms: this quantile of each slot, 0 to 1"},
            {.name = "format",
             .letter = 'f',
             .kind = CLI_CHOICE,
             .metavar = "FORMAT",
             .choices = "text|csv|json",
             .default_text = "text",
             .help = "How to write it"},
            {.name = "rows",
             .letter = 'n',
             .kind = CLI_INT,
             .metavar = "N",
             .default_text = "30",
             .max = INT64_MAX,
             .help = "In text: at most the newest N points of each series; 0: all"},
            {.name = NULL},
        },
    .operands = (const struct cli_operand[]){{.name = "SELECTOR", .help = "Which series"},
                                             STORES_OPERAND,
                                             {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly metrics query 'cpu_percent{job=\"vm\"}' --range 45s", "The newest flight."},
            {"mayfly metrics query 'requests_total' ./store --rate", "Requests per second."},
            {"mayfly metrics query 'latency_seconds' ./store -q 0.99 --range all --tier 1",
             "The 99th percentile, from the second tier."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
