/* SPDX-License-Identifier: Apache-2.0
 * verb_metrics_info.c -- mayfly metrics info. */
#include "metrics_stores.h"

#include "base/heap.h"
#include "fmt/json_write.h"
#include "fmt/number.h"
#include "fmt/rfc3339.h"
#include "fmt/table.h"
#include "fmt/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

struct info {
    struct cli_context *cli;
    struct mf_buffer *out;
    struct mf_json *json;   /* with --json */
    struct mf_table *table; /* of the series or of the stores */
    const struct mf_series_result *series;
    struct mf_point latest;
    bool has_latest;
    struct mf_metrics_info store;
};

/* ---- series ---- */

static int on_series(void *context, const struct mf_series_result *series, int64_t *start_ns)
{
    (void)start_ns;
    struct info *info = context;
    info->series = series;
    info->has_latest = false;
    return 0;
}

static int on_point(void *context, const struct mf_point *point, int64_t interval_ns,
                    const struct mf_histogram *buckets)
{
    (void)interval_ns, (void)buckets;
    struct info *info = context;
    info->latest = *point;
    info->has_latest = true;
    return 0;
}

static void json_series(struct info *info)
{
    struct mf_json *json = info->json;
    const struct mf_series_result *series = info->series;
    mf_json_begin_object(json);
    mf_json_key_string(json, "series", series->text);
    mf_json_key_string(json, "name", series->name);
    mf_json_key(json, "labels");
    mf_json_begin_object(json);
    for (size_t i = 0; i < series->label_count; i++) {
        mf_json_key_string(json, series->labels[i].name, series->labels[i].value);
    }
    mf_json_end_object(json);
    mf_json_key_string(json, "type", stores_type_word(series->type));
    mf_json_key_string(json, "unit", series->unit);
    mf_json_key_string(json, "help", series->help);
    mf_json_key_uint(json, "schema", series->schema);
    if (info->has_latest) {
        mf_json_key_int(json, "time_ns", info->latest.start_ns);
        mf_json_key_double(json, "last", info->latest.last);
    }
    mf_json_end_object(json);
}

static int on_end(void *context)
{
    struct info *info = context;
    if (info->json != NULL) {
        json_series(info);
        return 0;
    }
    char number[MF_NUMBER_LEN] = "";
    char time[MF_RFC3339_LEN] = "";
    if (info->has_latest) {
        mf_format_double(number, info->latest.last);
        mf_format_rfc3339(time, info->latest.start_ns, 0, 0);
    }
    mf_table_cell(info->table, info->series->text);
    mf_table_cell(info->table, stores_type_word(info->series->type));
    mf_table_cell(info->table, info->series->unit);
    mf_table_cell(info->table, number);
    mf_table_cell(info->table, time);
    return 0;
}

static int visit_series(struct info *info, struct mf_metrics_reader *reader)
{
    const struct mf_metrics_query query = {.selector = cli_string(info->cli, "select"),
                                           .start_ns = INT64_MIN,
                                           .end_ns = INT64_MAX,
                                           .tier = MF_TIER_LATEST};
    const struct mf_metrics_visitor visitor = {on_series, on_point, on_end, info};
    return mf_metrics_visit(reader, &query, &visitor, &info->cli->err);
}

/* ---- one store ---- */

static const struct stat_word {
    const char *name;
    const char *words;
    size_t offset;
} stat_words[] = {
#define STAT(member, words)                                                                        \
    {                                                                                              \
#member, words, offsetof(struct mf_metrics_stats, member)                                  \
    }
    STAT(late_merged, "values came late and were merged"),
    STAT(late_refused, "values came too late"),
    STAT(future_refused, "values were too far in the future"),
    STAT(value_refused, "values were not acceptable"),
    STAT(backward_steps, "steps of the clock backwards"),
    STAT(counter_resets, "resets of counters"),
    STAT(recoveries, "repairs after a writer that died"),
    STAT(repaired, "damaged pieces cleared"),
};

static uint64_t stat_of(const struct mf_metrics_stats *stats, const struct stat_word *word)
{
    uint64_t value;
    memcpy(&value, (const char *)stats + word->offset, sizeof value);
    return value;
}

static void json_store(struct info *info, const char *path, struct mf_metrics_reader *reader)
{
    struct mf_json *json = info->json;
    const struct mf_metrics_info *store = &info->store;
    mf_json_begin_object(json);
    mf_json_key_string(json, "store", path);
    mf_json_key_string(json, "state", stores_state_word(store->state));
    mf_json_key_int(json, "created_ns", store->created_wall_ns);
    mf_json_key_int(json, "first_ns", store->first_wall_ns);
    mf_json_key_int(json, "clock_ns", store->clock_wall_ns);
    mf_json_key_uint(json, "file_bytes", store->stats.file_bytes);
    mf_json_key_uint(json, "series_count", store->stats.series);
    mf_json_key_uint(json, "series_max", store->stats.series_max);
    for (size_t i = 0; i < MF_ARRAY_LEN(stat_words); i++) {
        mf_json_key_uint(json, stat_words[i].name, stat_of(&store->stats, &stat_words[i]));
    }
    mf_json_key(json, "schemas");
    mf_json_begin_array(json);
    for (uint32_t i = 0; i < store->schema_count; i++) {
        struct mf_metrics_schema schema;
        mf_metrics_reader_schema(reader, i, &schema);
        mf_json_begin_object(json);
        mf_json_key_string(json, "name", schema.name);
        mf_json_key_string(json, "selector", schema.selector != NULL ? schema.selector : "");
        mf_json_key_uint(json, "series_max", schema.series_max);
        mf_json_key_uint(json, "histograms_max", schema.histograms_max);
        mf_json_key(json, "tiers");
        mf_json_begin_array(json);
        for (uint32_t t = 0; t < schema.tier_count; t++) {
            mf_json_begin_object(json);
            mf_json_key_int(json, "interval_ns", schema.tiers[t].interval_ns);
            mf_json_key_uint(json, "slots", schema.tiers[t].slots);
            mf_json_end_object(json);
        }
        mf_json_end_array(json);
        mf_json_end_object(json);
    }
    mf_json_end_array(json);
    mf_json_key(json, "series");
    mf_json_begin_array(json);
}

static void text_schemas(struct info *info, struct mf_metrics_reader *reader)
{
    char interval[MF_UNITS_LEN];
    char retention[MF_UNITS_LEN];
    for (uint32_t i = 0; i < info->store.schema_count; i++) {
        struct mf_metrics_schema schema;
        mf_metrics_reader_schema(reader, i, &schema);
        mf_buffer_printf(info->out, "schema    %s", schema.name);
        if (schema.selector != NULL && schema.selector[0] != '\0') {
            mf_buffer_printf(info->out, " %s", schema.selector);
        }
        mf_buffer_printf(info->out, ", at most %u series", schema.series_max);
        if (schema.histograms_max > 0) {
            mf_buffer_printf(info->out, " (%u histograms)", schema.histograms_max);
        }
        mf_buffer_putc(info->out, '\n');
        for (uint32_t t = 0; t < schema.tier_count; t++) {
            const struct mf_metrics_tier *tier = &schema.tiers[t];
            mf_buffer_printf(
                info->out, "  tier %u  every %s, %u slots: %s\n", t,
                mf_format_duration(interval, tier->interval_ns), tier->slots,
                mf_format_duration(retention, tier->interval_ns * (int64_t)tier->slots));
        }
    }
}

static int text_store(struct info *info, const char *path, struct mf_metrics_reader *reader)
{
    static const struct mf_column columns[] = {{"SERIES", MF_ALIGN_LEFT, 16},
                                               {"TYPE", MF_ALIGN_LEFT, 0},
                                               {"UNIT", MF_ALIGN_LEFT, 0},
                                               {"LAST", MF_ALIGN_RIGHT, 0},
                                               {"AT", MF_ALIGN_LEFT, 0}};
    const struct mf_metrics_info *store = &info->store;
    struct mf_buffer *out = info->out;
    struct mf_table table;
    char size[MF_UNITS_LEN];
    char time[MF_RFC3339_LEN];
    char span[MF_UNITS_LEN];
    mf_buffer_puts(out, "store     ");
    mf_terminal_escape(out, path, strlen(path));
    mf_buffer_printf(out, "\nstate     %s, %s\n", stores_state_word(store->state),
                     mf_format_size(size, store->stats.file_bytes));
    mf_buffer_printf(out, "created   %s\n", mf_format_rfc3339(time, store->created_wall_ns, 0, 3));
    if (store->clock_wall_ns != 0) {
        mf_buffer_printf(out, "recorded  %s", mf_format_rfc3339(time, store->first_wall_ns, 0, 3));
        mf_buffer_printf(out, " to %s, %s\n", mf_format_rfc3339(time, store->clock_wall_ns, 0, 3),
                         mf_format_duration(span, store->clock_wall_ns - store->first_wall_ns));
    } else {
        mf_buffer_puts(out, "recorded  nothing yet\n");
    }
    text_schemas(info, reader);
    for (size_t i = 0; i < MF_ARRAY_LEN(stat_words); i++) {
        const uint64_t value = stat_of(&store->stats, &stat_words[i]);
        if (value != 0) {
            mf_buffer_printf(out, "count     %" PRIu64 " %s\n", value, stat_words[i].words);
        }
    }
    mf_buffer_printf(out, "series    %u of %u\n\n", store->stats.series, store->stats.series_max);
    mf_table_init(&table, columns, MF_ARRAY_LEN(columns));
    info->table = &table;
    int rc = visit_series(info, reader);
    if (rc == 0) {
        mf_table_write(&table, out, cli_columns(), cli_colored(info->cli));
    }
    mf_table_free(&table);
    return rc;
}

/* ---- many stores ---- */

static void row_of_store(struct info *info, const char *path)
{
    const struct mf_metrics_info *store = &info->store;
    char size[MF_UNITS_LEN];
    char span[MF_UNITS_LEN] = "";
    char time[MF_RFC3339_LEN] = "";
    if (store->clock_wall_ns != 0) {
        mf_format_duration(span, store->clock_wall_ns - store->first_wall_ns);
        mf_format_rfc3339(time, store->clock_wall_ns, 0, 0);
    }
    mf_table_cell(info->table, path);
    mf_table_cell_styled(info->table, stores_state_word(store->state),
                         store->state == MF_METRICS_WRITING     ? MF_STYLE_GREEN
                         : store->state == MF_METRICS_ABANDONED ? MF_STYLE_YELLOW
                                                                : MF_STYLE_RESET);
    mf_table_cellf(info->table, "%u", store->stats.series);
    mf_table_cell(info->table, span);
    mf_table_cell(info->table, time);
    mf_table_cell(info->table, mf_format_size(size, store->stats.file_bytes));
}

static int show(struct info *info, const char *path, bool many)
{
    struct mf_metrics_reader *reader;
    int rc = mf_metrics_reader_open(path, NULL, &reader, &info->cli->err);
    if (rc != 0) {
        return rc;
    }
    mf_metrics_reader_info(reader, &info->store);
    if (info->json != NULL) {
        json_store(info, path, reader);
        rc = visit_series(info, reader);
        mf_json_end_array(info->json);
        mf_json_end_object(info->json);
    } else if (many) {
        row_of_store(info, path);
    } else {
        rc = text_store(info, path, reader);
    }
    mf_metrics_reader_close(reader);
    return rc;
}

static int run(struct cli_context *cli)
{
    static const struct mf_column columns[] = {
        {"STORE", MF_ALIGN_LEFT, 16}, {"STATE", MF_ALIGN_LEFT, 0},  {"SERIES", MF_ALIGN_RIGHT, 0},
        {"SPAN", MF_ALIGN_RIGHT, 0},  {"NEWEST", MF_ALIGN_LEFT, 0}, {"SIZE", MF_ALIGN_RIGHT, 0}};
    struct stores stores;
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    struct mf_table table;
    int rc = stores_find(cli, 0, &stores);
    if (rc != 0) {
        return rc;
    }
    const bool many = stores.count > 1;
    struct info info = {.cli = cli, .out = &out, .json = cli->json ? &json : NULL, .table = &table};
    mf_json_init(&json, &out, MF_JSON_PRETTY);
    mf_table_init(&table, columns, MF_ARRAY_LEN(columns));
    if (cli->json) {
        mf_json_begin_array(&json);
    }
    int first_error = 0;
    for (size_t i = 0; i < stores.count; i++) {
        stores_progress(i, stores.count);
        rc = show(&info, stores.paths[i], many);
        if (rc != 0 && many && rc != -ENOMEM) {
            stores_progress(0, 0);
            cli_note("%s", cli->err.msg); /* and the others are shown all the same */
            first_error = first_error != 0 ? first_error : cli_exit_code(rc);
            rc = 0;
        }
        if (rc != 0) {
            break;
        }
    }
    stores_progress(0, 0);
    if (rc == 0 && cli->json) {
        mf_json_end_array(&json);
        mf_json_finish(&json);
    } else if (rc == 0 && many) {
        mf_table_write(&table, &out, cli_columns(), cli_colored(cli));
    }
    mf_table_free(&table);
    stores_free(&stores);
    if (rc != 0) {
        mf_buffer_free(&out);
        return rc;
    }
    rc = cli_print(cli, &out);
    return rc != 0 ? rc : first_error;
}

const struct cli_verb verb_metrics_info = {
    .name = "info",
    .summary = "Show what stores hold",
    .description = "One store: its state, tiers, counts, and every series with its newest value. "
                   "Several: a line for each. With --json everything of all of them.",
    .options =
        (const struct cli_option[]){
            {.name = "select",
             .letter = 's',
             .kind = CLI_STRING,
             .metavar = "SELECTOR",
             .help = "Only the series that match"},
            {.name = NULL},
        },
    .operands = (const struct cli_operand[]){STORES_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly metrics info", "The newest flight."},
            {"mayfly metrics info /var/lib/vms", "All stores below a folder."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
