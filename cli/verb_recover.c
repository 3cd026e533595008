/* SPDX-License-Identifier: Apache-2.0
 * verb_recover.c -- mayfly recover [FLIGHT]... */
#include "cli.h"
#include "flight_operand.h"
#include "flight_seal.h"
#include "verbs.h"

#include "fmt/json_write.h"

#include <stdio.h>
#include <string.h>

struct recover {
    struct cli_context *cli;
    struct mf_json json;
    size_t recovered;
    int failure; /* the first */
};

static void tell(struct recover *recover, const char *dir, const struct mf_flight_recovery *what)
{
    if (recover->cli->json) {
        mf_json_begin_object(&recover->json);
        mf_json_key_string(&recover->json, "id", cli_base_name(dir));
        mf_json_key_bool(&recover->json, "was_complete", what->was_complete);
        mf_json_key_uint(&recover->json, "torn_bytes", what->torn_bytes);
        mf_json_key_uint(&recover->json, "corrupt_records", what->corrupt_records);
        mf_json_key_uint(&recover->json, "processes_alive", what->processes_alive);
        mf_json_key_uint(&recover->json, "logs_lost", what->logs_lost);
        mf_json_end_object(&recover->json);
        return;
    }
    if (what->was_complete) {
        printf("%s is complete\n", cli_base_name(dir));
        return;
    }
    printf("recovered %s", cli_base_name(dir));
    if (what->torn_bytes > 0) {
        printf("; %llu bytes of unfinished records dropped", (unsigned long long)what->torn_bytes);
    }
    if (what->corrupt_records > 0) {
        printf("; %llu damaged records passed over", (unsigned long long)what->corrupt_records);
    }
    if (what->logs_lost > 0) {
        printf("; %llu log%s lost (see mayfly show)", (unsigned long long)what->logs_lost,
               what->logs_lost == 1 ? "" : "s");
    }
    if (what->processes_alive > 0) {
        printf("; %llu of its processes still run", (unsigned long long)what->processes_alive);
    }
    putchar('\n');
}

static void recover_one(struct recover *recover, const char *dir)
{
    struct mf_flight_recovery what = {0};
    const int rc = mf_flight_recover(dir, &what, &recover->cli->err);
    if (rc < 0) {
        cli_note("%s", recover->cli->err.msg);
        MF_KEEP_FIRST(recover->failure, rc);
        return;
    }
    recover->recovered += !what.was_complete;
    tell(recover, dir, &what);
    if (!cli_flag(recover->cli, "no-seal")) {
        cli_seal_late(dir);
    }
}

static int recover_dead(struct recover *recover)
{
    struct mf_flight_list list;
    char *home = NULL;
    int rc = mf_flight_home(NULL, &home, &recover->cli->err);
    if (rc == 0) {
        rc = mf_flight_list_read(home, NULL, &list, &recover->cli->err);
    }
    mf_flight_free_text(home);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct mf_flight_info *info = list.items[i].info;
        if (info != NULL && info->state == MF_FLIGHT_DEAD) {
            recover_one(recover, list.items[i].dir);
        }
    }
    mf_flight_list_free(&list);
    if (recover->recovered == 0 && recover->failure == 0 && !recover->cli->json) {
        cli_note("no flight needs it");
    }
    return 0;
}

static int run(struct cli_context *cli)
{
    struct recover recover = {.cli = cli};
    struct mf_buffer out = MF_BUFFER_INIT;
    if (cli_flag(cli, "all") && cli->operand_count > 0) {
        return cli_usage(cli, "either --all or flights");
    }
    mf_json_init(&recover.json, &out, MF_JSON_PRETTY);
    mf_json_begin_array(&recover.json);
    int rc = cli->operand_count == 0 ? recover_dead(&recover) : 0;
    for (int i = 0; rc == 0 && i < cli->operand_count; i++) {
        char *dir = NULL;
        rc = cli_flight_find(cli, cli->operands[i], &dir);
        if (rc == 0) {
            recover_one(&recover, dir);
        }
        mf_flight_free_text(dir);
    }
    mf_json_end_array(&recover.json);
    mf_json_finish(&recover.json);
    if (rc == 0 && cli->json) {
        rc = cli_print(cli, &out);
    }
    mf_buffer_free(&out);
    return rc < 0 ? rc : cli_exit_code(recover.failure);
}

const struct cli_verb verb_recover = {
    .name = "recover",
    .section = "Flights",
    .summary = "Complete flights whose recorder was killed",
    .description =
        "Without a flight: all that need it. They are sealed, too. What the recorder had written "
        "is kept, the ends of "
        "its files are repaired, and totals are added up from them. How the command ended cannot "
        "be known.",
    .options =
        (const struct cli_option[]){
            {.name = "all", .letter = 'a', .kind = CLI_FLAG, .help = "All that need it"},
            {.name = "no-seal", .kind = CLI_FLAG, .help = "Do not seal them"},
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "FLIGHT", .optional = true, .repeated = true, .help = CLI_FLIGHT_HELP},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly recover", "After a crash or a power cut: completes what was being recorded."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
