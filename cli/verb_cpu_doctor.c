/* SPDX-License-Identifier: Apache-2.0
 * verb_cpu_doctor.c -- mayfly cpu doctor: which ways of watching CPU budgets work here, and how
 * late they are: each is given bursts of twice a budget, and asked. */
#include "cli.h"
#include "cpu_measure.h"

#include "fmt/json_write.h"
#include "fmt/table.h"
#include "fmt/units.h"

#include <stdio.h>
#include <string.h>

#define MS     INT64_C(1000000)
#define BURSTS 30

static const struct mf_column columns[] = {
    {"TIER", MF_ALIGN_LEFT, 0},  {"WORKS", MF_ALIGN_LEFT, 0},
    {"SEEN", MF_ALIGN_RIGHT, 0}, {"LATE P50", MF_ALIGN_RIGHT, 0},
    {"P99", MF_ALIGN_RIGHT, 0},  {"WHAT IT IS, OR WHY NOT", MF_ALIGN_LEFT, 40}};

struct examined {
    struct mf_cpu_tier_status tiers[MF_CPU_TIERS];
    struct mf_burst_result bursts[MF_CPU_TIERS];
    struct mf_cpu_status status; /* of an accounting as it is opened by default */
};

/* Asks one detector; the watcher is asked with bursts that the others cannot see. */
static int examine_tier(struct examined *examined, enum mf_cpu_tier tier, struct mf_errinfo *err)
{
    const bool watcher = tier == MF_CPU_WATCHER;
    const struct mf_cpu_config config = {
        .detector = tier == MF_CPU_PERF ? MF_CPU_DETECT_PERF : MF_CPU_DETECT_TIMER,
        .watcher = watcher,
    };
    const struct mf_burst_case burst = {
        .work = watcher ? MF_BURST_MASKED : MF_BURST_BUSY,
        .threads = 1,
        .count = BURSTS,
        .budget_ns = watcher ? 5 * MS : MS / 2,
        .burst_ns = watcher ? 10 * MS : MS,
    };
    struct mf_cpu_status status;
    const int rc = cpu_measure(&config, &burst, &examined->bursts[tier], &status, err);
    if (rc == 0) {
        examined->tiers[tier] = status.tiers[tier];
    }
    if (rc == 0 && tier == MF_CPU_TIMER) {
        examined->status = status;
        examined->tiers[MF_CPU_STAMP] = status.tiers[MF_CPU_STAMP];
        examined->tiers[MF_CPU_EXACT] = status.tiers[MF_CPU_EXACT];
    }
    return rc;
}

static void write_table(struct mf_buffer *out, const struct examined *examined, bool colored)
{
    struct mf_table table;
    mf_table_init(&table, columns, MF_ARRAY_LEN(columns));
    for (int i = 0; i < MF_CPU_OUTSIDE; i++) {
        const enum mf_cpu_tier tier = (enum mf_cpu_tier)i;
        const struct mf_cpu_tier_status *status = &examined->tiers[tier];
        const struct mf_burst_result *bursts = &examined->bursts[tier];
        char late[2][MF_UNITS_LEN] = {"", ""};
        char seen[48] = "";
        if (status->active && bursts->over > 0) {
            snprintf(seen, sizeof seen, "%llu/%llu", (unsigned long long)bursts->seen_during,
                     (unsigned long long)bursts->over);
            mf_format_duration(late[0], bursts->late_p50_ns);
            mf_format_duration(late[1], bursts->late_p99_ns);
        }
        mf_table_cell(&table, mf_cpu_tier_name(tier));
        mf_table_cell_styled(&table, status->active ? "yes" : "no",
                             status->active ? MF_STYLE_GREEN : MF_STYLE_YELLOW);
        mf_table_cell(&table, seen);
        mf_table_cell(&table, late[0]);
        mf_table_cell(&table, late[1]);
        mf_table_cell(&table, status->active ? mf_cpu_tier_text(tier) : status->why);
    }
    mf_table_write(&table, out, cli_columns(), colored);
    mf_table_free(&table);
    const struct mf_cpu_status *status = &examined->status;
    mf_buffer_printf(out, "\nSEEN: bursts of twice a budget of 0.5 ms (watcher: 5 ms) that were "
                          "seen while they lasted.\n");
    if (status->ticks_per_ns > 0) {
        mf_buffer_printf(out, "time-stamp counter: %.4f ticks per ns\n", status->ticks_per_ns);
    }
    mf_buffer_printf(out, "context switches: %s\n",
                     status->switches_seen
                         ? "told by the kernel (rseq); a scope without one reads no CPU clock"
                         : "not told; each scope reads the CPU clock twice");
    if (status->signal != 0) {
        mf_buffer_printf(out, "signal: %d\n", status->signal);
    }
}

static void write_json(struct mf_buffer *out, const struct examined *examined)
{
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key(&json, "tiers");
    mf_json_begin_array(&json);
    for (int i = 0; i < MF_CPU_OUTSIDE; i++) {
        const struct mf_cpu_tier_status *status = &examined->tiers[i];
        const struct mf_burst_result *bursts = &examined->bursts[i];
        mf_json_begin_object(&json);
        mf_json_key_string(&json, "tier", mf_cpu_tier_name((enum mf_cpu_tier)i));
        mf_json_key_bool(&json, "active", status->active);
        if (!status->active) {
            mf_json_key_string(&json, "why", status->why);
        } else if (bursts->over > 0) {
            mf_json_key_uint(&json, "bursts", bursts->over);
            mf_json_key_uint(&json, "seen", bursts->seen_during);
            mf_json_key_int(&json, "late_p50_ns", bursts->late_p50_ns);
            mf_json_key_int(&json, "late_p99_ns", bursts->late_p99_ns);
        }
        mf_json_end_object(&json);
    }
    mf_json_end_array(&json);
    mf_json_key_double(&json, "ticks_per_ns", examined->status.ticks_per_ns);
    mf_json_key_bool(&json, "switches_seen", examined->status.switches_seen);
    mf_json_key_int(&json, "signal", examined->status.signal);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

static int run(struct cli_context *cli)
{
    static struct examined examined;
    static const enum mf_cpu_tier asked[] = {MF_CPU_TIMER, MF_CPU_PERF, MF_CPU_WATCHER};
    for (size_t i = 0; i < MF_ARRAY_LEN(asked); i++) {
        const int rc = examine_tier(&examined, asked[i], &cli->err);
        if (rc != 0) {
            return rc;
        }
    }
    struct mf_buffer out = MF_BUFFER_INIT;
    if (cli->json) {
        write_json(&out, &examined);
    } else {
        write_table(&out, &examined, cli_colored(cli));
    }
    const int printed = cli_print(cli, &out);
    const bool watched = examined.tiers[MF_CPU_TIMER].active || examined.tiers[MF_CPU_PERF].active;
    return printed != 0 ? printed : watched ? CLI_EXIT_OK : CLI_EXIT_NEGATIVE;
}

const struct cli_verb verb_cpu_doctor = {
    .name = "doctor",
    .summary = "Say which ways of watching CPU budgets work here, and how late they are",
    .description =
        "Opens the library's accounting as a program would and lets threads of its own run bursts "
        "of twice a budget, for about a second. LATE is the CPU time that a burst used beyond its "
        "budget before it was seen. The exit code is 1 when scopes can only be judged when they "
        "end.",
    .has_json = true,
    .examples =
        (const struct cli_example[]){
            {"mayfly cpu doctor", "Shows it."},
            {.command = NULL},
        },
    .run = run,
};
