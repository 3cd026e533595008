/* SPDX-License-Identifier: Apache-2.0
 * verb_gc.c -- mayfly gc */
#include "cli.h"
#include "flight_operand.h"
#include "flight_seal.h"
#include "verbs.h"

#include "base/heap.h"
#include "flight/gc.h"
#include "fmt/json_write.h"
#include "fmt/units.h"
#include "os/clock.h"

#include <errno.h>
#include <stdio.h>

#define ABANDONED_NS                                                                               \
    (3600 * MF_NS_PER_SECOND) /* a flight that has not begun for so long never will */

struct result {
    size_t removed;
    uint64_t freed_bytes;
    size_t skipped; /* began to be recorded, or could not be removed */
    struct mf_gc_swept swept;
};

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void tell(const struct cli_context *cli, const struct mf_gc_item *item, bool dry_run)
{
    char size[MF_UNITS_LEN];
    char time[CLI_TIME_LEN];
    if (!cli->json) {
        printf("%s %s, of %s, %s\n", dry_run ? "would remove" : "removed", item->id,
               item->started_wall_ns != 0 ? cli_local_time(time, item->started_wall_ns)
                                          : "an unknown time",
               mf_format_size(size, item->bytes));
    }
}

static void carry_out(struct cli_context *cli, const struct mf_gc_plan *plan, bool dry_run,
                      struct result *result, struct mf_json *json)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct mf_gc_item *item = &plan->go[i];
        if (!dry_run) {
            cli_seal_removed(item->dir);
        }
        const int rc = dry_run ? 0 : mf_flight_remove(item->dir, &cli->err);
        if (rc == -ENOENT) {
            continue; /* somebody else did */
        }
        if (rc < 0) {
            cli_note("%s is kept: %s", item->id, cli->err.msg);
            result->skipped++;
            continue;
        }
        tell(cli, item, dry_run);
        result->removed++;
        result->freed_bytes += item->bytes;
        mf_json_begin_object(json);
        mf_json_key_string(json, "id", item->id);
        mf_json_key_uint(json, "bytes", item->bytes);
        mf_json_end_object(json);
    }
}

static void print_summary(const struct mf_gc_plan *plan, const struct result *result, bool dry_run)
{
    char size[MF_UNITS_LEN];
    printf("%s %zu flight%s, %s; %zu stay%s", dry_run ? "would remove" : "removed", result->removed,
           plural(result->removed), mf_format_size(size, result->freed_bytes),
           plan->stay + result->skipped, plan->stay + result->skipped == 1 ? "s" : "");
    if (plan->running > 0) {
        printf(", %zu of them running", plan->running);
    }
    if (result->swept.count > 0) {
        printf("; %s %zu leftover%s of crashes, %s", dry_run ? "would clear" : "cleared",
               result->swept.count, plural(result->swept.count),
               mf_format_size(size, result->swept.bytes));
    }
    putchar('\n');
}

static int collect(struct cli_context *cli, const char *home, const struct mf_gc_rules *rules)
{
    const bool dry_run = cli_flag(cli, "dry-run");
    const int64_t now_ns = mf_clock_wall_ns(NULL);
    struct mf_gc_plan plan;
    struct result result = {0};
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    int rc = mf_gc_plan(home, rules, now_ns, &plan, &cli->err);
    if (rc < 0) {
        return rc;
    }
    mf_json_init(&json, &out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_bool(&json, "dry_run", dry_run);
    mf_json_key(&json, "removed");
    mf_json_begin_array(&json);
    carry_out(cli, &plan, dry_run, &result, &json);
    mf_json_end_array(&json);
    rc = mf_gc_sweep(home, now_ns - ABANDONED_NS, dry_run, &result.swept, &cli->err);
    mf_json_key_uint(&json, "freed_bytes", result.freed_bytes + result.swept.bytes);
    mf_json_key_uint(&json, "leftovers", result.swept.count);
    mf_json_key_uint(&json, "stay", plan.stay + result.skipped);
    mf_json_key_uint(&json, "running", plan.running);
    mf_json_end_object(&json);
    mf_json_finish(&json);
    if (rc == 0 && cli->json) {
        rc = cli_print(cli, &out);
    } else if (rc == 0) {
        print_summary(&plan, &result, dry_run);
    }
    mf_buffer_free(&out);
    mf_gc_plan_free(&plan);
    return rc < 0 ? rc : result.skipped > 0 ? CLI_EXIT_TEMPORARY : 0;
}

static int run(struct cli_context *cli)
{
    struct mf_gc_rules rules = {
        .has_keep = cli_string(cli, "keep") != NULL,
        .keep = (uint64_t)cli_int(cli, "keep"),
        .keep_for_ns = cli_int(cli, "keep-for"),
        .has_max_bytes = cli_string(cli, "max-bytes") != NULL,
        .max_bytes = (uint64_t)cli_int(cli, "max-bytes"),
        .name = cli_string(cli, "name"),
    };
    if (!rules.has_keep && rules.keep_for_ns == 0 && !rules.has_max_bytes) {
        return cli_usage(cli, "say what may stay: --keep N, --keep-for TIME or --max-bytes SIZE");
    }
    const int count = cli_count(cli, "protect");
    const char **protect = mf_calloc((size_t)count + 1, sizeof *protect);
    char *home = NULL;
    int rc = protect != NULL ? mf_flight_home(NULL, &home, &cli->err)
                             : mf_fail(&cli->err, -ENOMEM, "out of memory");
    if (rc == 0) {
        for (int i = 0; i < count; i++) {
            protect[i] = cli_string_at(cli, "protect", i);
        }
        rules.protect = protect;
        rc = collect(cli, home, &rules);
    }
    mf_free(protect);
    mf_flight_free_text(home);
    return rc;
}

const struct cli_verb verb_gc = {
    .name = "gc",
    .section = "Flights",
    .summary = "Remove old flights",
    .description =
        "A flight goes when any of the given rules says so. Flights that are being recorded never "
        "go and do not count. What crashes left behind is cleared away too. The ledger keeps the "
        "records of sealed flights, and that they were removed.",
    .options =
        (const struct cli_option[]){
            {.name = "keep",
             .letter = 'k',
             .kind = CLI_INT,
             .metavar = "N",
             .min = 0,
             .max = 1000000000,
             .help = "The newest N stay"},
            {.name = "keep-for",
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .min = 1,
             .max = INT64_MAX,
             .help = "Flights that began within this time stay: 12h, 7d"},
            {.name = "max-bytes",
             .kind = CLI_SIZE,
             .metavar = "SIZE",
             .help = "The newest that together take at most this on disk stay: 500M, 2G"},
            {.name = "name",
             .letter = 'n',
             .kind = CLI_STRING,
             .metavar = "NAME",
             .help = "Only flights of this name"},
            {.name = "protect",
             .kind = CLI_STRING,
             .repeatable = true,
             .metavar = "TAG",
             .help = "Flights with this tag stay, and do not count"},
            {.name = "dry-run", .kind = CLI_FLAG, .help = "Only say what would be removed"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly gc --keep 50", "Keeps the newest 50 flights."},
            {"mayfly gc --keep-for 7d --max-bytes 1G --protect release --dry-run",
             "What a week and a gigabyte would leave, releases aside."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
