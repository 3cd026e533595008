/* SPDX-License-Identifier: Apache-2.0
 * verb_metrics_seal.c -- mayfly metrics seal. */
#include "metrics_stores.h"

#include "fmt/json_write.h"
#include "fmt/table.h"
#include "fmt/units.h"

#include <errno.h>
#include <inttypes.h>

static const struct mf_column columns[] = {
    {"STORE", MF_ALIGN_LEFT, 16},  {"SERIES", MF_ALIGN_RIGHT, 0}, {"POINTS", MF_ALIGN_RIGHT, 0},
    {"BEFORE", MF_ALIGN_RIGHT, 0}, {"AFTER", MF_ALIGN_RIGHT, 0},  {"B/SAMPLE", MF_ALIGN_RIGHT, 0}};

struct sealing {
    struct cli_context *cli;
    struct mf_json *json;
    struct mf_table *table;
    int first_error;
    size_t sealed;
};

static void say(struct sealing *s, const char *path, const struct mf_metrics_seal_report *report)
{
    char before[MF_UNITS_LEN];
    char after[MF_UNITS_LEN];
    const double per_sample = report->finest_points > 0
                                  ? (double)report->archive_bytes / (double)report->finest_points
                                  : 0;
    if (s->json != NULL) {
        mf_json_begin_object(s->json);
        mf_json_key_string(s->json, "store", path);
        mf_json_key_uint(s->json, "series", report->series);
        mf_json_key_uint(s->json, "points", report->points);
        mf_json_key_uint(s->json, "finest_points", report->finest_points);
        mf_json_key_uint(s->json, "slab_bytes", report->slab_bytes);
        mf_json_key_uint(s->json, "archive_bytes", report->archive_bytes);
        mf_json_end_object(s->json);
        return;
    }
    mf_table_cell(s->table, path);
    mf_table_cellf(s->table, "%" PRIu64, report->series);
    mf_table_cellf(s->table, "%" PRIu64, report->points);
    mf_table_cell(s->table, mf_format_size(before, report->slab_bytes));
    mf_table_cell(s->table, mf_format_size(after, report->archive_bytes));
    mf_table_cellf(s->table, report->finest_points > 0 ? "%.2f" : "-", per_sample);
}

/* Of a folder, what is sealed already or is being written is left alone. */
static int seal(struct sealing *s, const char *path, bool many)
{
    struct mf_metrics_seal_report report;
    int rc = mf_metrics_seal(path, NULL, &report, &s->cli->err);
    if (rc == 0) {
        s->sealed++;
        say(s, path, &report);
        return 0;
    }
    if (!many || rc == -ENOMEM) {
        return rc;
    }
    if (rc != MF_ELOCKED && rc != MF_ECLOSED) {
        stores_progress(0, 0);
        cli_note("%s", s->cli->err.msg);
        s->first_error = s->first_error != 0 ? s->first_error : cli_exit_code(rc);
    }
    return 0;
}

static int seal_all(struct cli_context *cli, const struct stores *stores)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    struct mf_table table;
    struct sealing s = {.cli = cli, .json = cli->json ? &json : NULL, .table = &table};
    int rc = 0;
    mf_json_init(&json, &out, MF_JSON_PRETTY);
    mf_table_init(&table, columns, MF_ARRAY_LEN(columns));
    if (cli->json) {
        mf_json_begin_array(&json);
    }
    for (size_t i = 0; rc == 0 && i < stores->count && !stores_stopped(NULL); i++) {
        stores_progress(i, stores->count);
        rc = seal(&s, stores->paths[i], stores->count > 1);
    }
    stores_progress(0, 0);
    if (cli->json) {
        mf_json_end_array(&json);
        mf_json_finish(&json);
    } else if (s.sealed > 0) {
        mf_table_write(&table, &out, cli_columns(), cli_colored(cli));
    }
    mf_table_free(&table);
    const int printed = cli_print(cli, &out);
    rc = rc == 0 ? printed : rc;
    return rc == 0 ? s.first_error : rc;
}

static int run(struct cli_context *cli)
{
    struct stores stores;
    int rc = stores_find(cli, 0, &stores);
    if (rc != 0) {
        return rc;
    }
    rc = stores_watch(cli);
    rc = rc == 0 ? stores_unwatch(seal_all(cli, &stores)) : rc;
    stores_free(&stores);
    return rc;
}

const struct cli_verb verb_metrics_seal = {
    .name = "seal",
    .summary = "Compress stores that have ended",
    .description =
        "Turns metrics.slab into metrics.archive, which answers the same queries from a fraction "
        "of the size, and removes the slab once the archive has been read back and compared. Of a "
        "folder, stores that are being written or sealed already are left alone.",
    .operands = (const struct cli_operand[]){STORES_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly metrics seal /var/lib/vms", "All stores of machines that are gone."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
