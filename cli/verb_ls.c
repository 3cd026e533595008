/* SPDX-License-Identifier: Apache-2.0
 * verb_ls.c -- mayfly ls */
#include "cli.h"
#include "flight_operand.h"
#include "flight_view.h"
#include "verbs.h"

#include "base/heap.h"
#include "flight/info_json.h"
#include "flight/story.h"
#include "fmt/rfc3339.h"
#include "fmt/table.h"
#include "fmt/units.h"
#include "os/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "2h": so long ago. Else a date, or a date and a time; without offset in UTC. */
static int parse_since(struct cli_context *cli, const char *text, int64_t *ret_wall_ns)
{
    char whole[64];
    int64_t ago_ns = 0;
    if (mf_parse_duration(text, &ago_ns, NULL) == 0) {
        *ret_wall_ns = mf_clock_wall_ns(NULL) - ago_ns;
        return 0;
    }
    const size_t len = strlen(text);
    const char *rest = len == 10 ? "T00:00:00Z" : len == 19 ? "Z" : "";
    snprintf(whole, sizeof whole, "%.40s%s", text, rest);
    if (mf_parse_rfc3339(whole, ret_wall_ns, NULL) < 0) {
        return cli_usage(cli,
                         "option '--since': '%.60s' is neither a duration such as 2h or 7d nor a "
                         "time such as 2026-09-24 or 2026-09-24T12:00:00Z",
                         text);
    }
    return 0;
}

static void size_cell(struct mf_table *table, uint64_t bytes)
{
    char text[MF_UNITS_LEN];
    mf_table_cell(table, bytes != MF_FLIGHT_UNKNOWN ? mf_format_size(text, bytes) : "-");
}

static void duration_cell(struct mf_table *table, int64_t duration_ns)
{
    char text[MF_UNITS_LEN];
    mf_table_cell(table, duration_ns >= 0 ? mf_format_duration(text, duration_ns) : "-");
}

static void figure_cells(struct mf_table *table, const struct mf_flight_info *info)
{
    const bool ended = info->state == MF_FLIGHT_ENDED || info->state == MF_FLIGHT_RECOVERED;
    const struct mf_flight_totals *totals = &info->totals;
    const bool cpu_known = ended && totals->cpu_user_ns != MF_FLIGHT_UNKNOWN &&
                           totals->cpu_system_ns != MF_FLIGHT_UNKNOWN;
    duration_cell(table, info->duration_ns);
    duration_cell(table, cpu_known ? (int64_t)(totals->cpu_user_ns + totals->cpu_system_ns) : -1);
    size_cell(table, ended ? totals->memory_peak_bytes : MF_FLIGHT_UNKNOWN);
}

static void tags_cell(struct mf_table *table, char *const *tags)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    for (char *const *tag = tags; *tag != NULL; tag++) {
        mf_buffer_printf(&text, "%s%s", text.len > 0 ? " " : "", *tag);
    }
    mf_table_cell(table, text.data);
    mf_buffer_free(&text);
}

static void row(struct mf_table *table, const struct mf_flight_entry *entry, bool for_people)
{
    char time[CLI_TIME_LEN];
    const struct mf_flight_info *info = entry->info;
    mf_table_cell(table, for_people ? entry->short_id : entry->id);
    mf_table_cell(table, info != NULL ? info->name : "-");
    mf_table_cell(table, entry->started_wall_ns == 0 ? "-"
                         : for_people                ? cli_short_time(time, entry->started_wall_ns)
                                      : cli_local_time(time, entry->started_wall_ns));
    if (info == NULL) {
        mf_table_cell_styled(table, "unreadable", MF_STYLE_YELLOW);
        for (int i = 0; i < 3; i++) {
            mf_table_cell(table, "-");
        }
        mf_table_cell(table, entry->why.msg);
        return;
    }
    struct mf_buffer outcome = MF_BUFFER_INIT;
    mf_words_outcome_short(&outcome, info);
    mf_table_cell_styled(table, outcome.data, cli_outcome_style(info));
    mf_buffer_free(&outcome);
    figure_cells(table, info);
    tags_cell(table, info->tags);
}

static int print_table(struct cli_context *cli, const struct mf_flight_list *list)
{
    static const struct mf_column columns[] = {
        {"ID", MF_ALIGN_LEFT, 0},      {"NAME", MF_ALIGN_LEFT, 8},  {"STARTED", MF_ALIGN_LEFT, 0},
        {"OUTCOME", MF_ALIGN_LEFT, 0}, {"TIME", MF_ALIGN_RIGHT, 0}, {"CPU", MF_ALIGN_RIGHT, 0},
        {"MEMORY", MF_ALIGN_RIGHT, 0}, {"TAGS", MF_ALIGN_LEFT, 4},
    };
    const int width = cli_columns();
    const bool for_people = width > 0 && !cli_flag(cli, "long");
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_table table;
    mf_table_init(&table, columns, MF_ARRAY_LEN(columns));
    for (size_t i = 0; i < list->count; i++) {
        row(&table, &list->items[i], for_people);
    }
    mf_table_write(&table, &out, width, cli_colored(cli));
    mf_table_free(&table);
    return cli_print(cli, &out);
}

static int print_json(struct cli_context *cli, const struct mf_flight_list *list)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &out, MF_JSON_PRETTY);
    mf_json_begin_array(&json);
    for (size_t i = 0; i < list->count; i++) {
        mf_entry_json(&json, &list->items[i]);
    }
    mf_json_end_array(&json);
    mf_json_finish(&json);
    return cli_print(cli, &out);
}

static int list_and_print(struct cli_context *cli, const char *home,
                          const struct mf_flight_filter *filter)
{
    struct mf_flight_list list;
    int rc = mf_flight_list_read(home, filter, &list, &cli->err);
    if (rc < 0) {
        return rc;
    }
    if (cli->json) {
        rc = print_json(cli, &list);
    } else if (list.count > 0) {
        rc = print_table(cli, &list);
    } else {
        cli_note("no flights%s in %s/flights; 'mayfly run -- COMMAND' records one",
                 filter->name != NULL || filter->tags != NULL || filter->failed ||
                         filter->since_wall_ns != 0
                     ? " match"
                     : "",
                 home);
    }
    mf_flight_list_free(&list);
    return rc;
}

static int run(struct cli_context *cli)
{
    struct mf_flight_filter filter = {
        .name = cli_string(cli, "name"),
        .failed = cli_flag(cli, "failed"),
        .limit = (size_t)cli_int(cli, "limit"),
    };
    const char *since = cli_string(cli, "since");
    if (since != NULL) {
        const int rc = parse_since(cli, since, &filter.since_wall_ns);
        if (rc != 0) {
            return rc;
        }
    }
    const int tag_count = cli_count(cli, "tag");
    const char **tags = mf_calloc((size_t)tag_count + 1, sizeof *tags);
    char *home = NULL;
    int rc = tags != NULL ? mf_flight_home(NULL, &home, &cli->err)
                          : mf_fail(&cli->err, -ENOMEM, "out of memory");
    if (rc == 0) {
        for (int i = 0; i < tag_count; i++) {
            tags[i] = cli_string_at(cli, "tag", i);
        }
        filter.tags = tag_count > 0 ? tags : NULL;
        rc = list_and_print(cli, home, &filter);
    }
    mf_free(tags);
    mf_flight_free_text(home);
    return rc;
}

const struct cli_verb verb_ls = {
    .name = "ls",
    .section = "Flights",
    .summary = "List flights, the newest first",
    .description =
        "On a terminal the first column is the end of the id, as much of it as no other flight "
        "has; it is enough to name the flight by. Elsewhere, and with --long, ids are whole.\n\n"
        "CPU is what all processes used together, MEMORY the most they had at a time.",
    .options =
        (const struct cli_option[]){
            {.name = "name",
             .letter = 'n',
             .kind = CLI_STRING,
             .metavar = "NAME",
             .help = "Only flights of this name"},
            {.name = "tag",
             .letter = 't',
             .kind = CLI_STRING,
             .repeatable = true,
             .metavar = "TAG",
             .help = "Only flights with this tag: KEY=VALUE, or KEY with any value"},
            {.name = "failed",
             .letter = 'f',
             .kind = CLI_FLAG,
             .help = "Only flights that ended without success, or lost their recorder"},
            {.name = "since",
             .letter = 's',
             .kind = CLI_STRING,
             .metavar = "WHEN",
             .help = "Only flights started since then: 2h ago, or 2026-09-24"},
            {.name = "limit",
             .letter = 'l',
             .kind = CLI_INT,
             .metavar = "N",
             .min = 1,
             .max = 1000000000,
             .help = "At most so many, the newest"},
            {.name = "long", .kind = CLI_FLAG, .help = "Whole ids and times"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly ls --failed --since 1d", "What went wrong since yesterday."},
            {"mayfly ls --name test --tag branch=main --json",
             "The flights of one task on one branch, for programs."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
