/* SPDX-License-Identifier: Apache-2.0
 * verb_seal.c -- mayfly seal [FLIGHT]... */
#include "cli.h"
#include "flight_operand.h"
#include "flight_seal.h"
#include "verbs.h"

#include "fmt/units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct sealing {
    struct cli_context *cli;
    const char *home;
    bool all;
    struct mf_json json;
    size_t sealed;
    int failure; /* the first */
};

static void tell(struct sealing *sealing, const char *dir, const struct mf_seal_record *record,
                 bool fresh)
{
    char hash[CLI_HASH_TEXT_LEN];
    char size[MF_UNITS_LEN];
    if (sealing->cli->json) {
        mf_json_begin_object(&sealing->json);
        mf_json_key_string(&sealing->json, "id", cli_base_name(dir));
        mf_json_key_bool(&sealing->json, "was_sealed", !fresh);
        cli_seal_json(&sealing->json, record);
        mf_json_end_object(&sealing->json);
    } else if (fresh) {
        printf("sealed %s, root %s, %llu files, %s\n", record->id,
               cli_hash_text(record->root, hash), (unsigned long long)record->files,
               mf_format_size(size, record->bytes));
    } else if (!sealing->all) {
        printf("%s is sealed already, root %s\n", record->id, cli_hash_text(record->root, hash));
    }
}

static int seal_one(void *context, const char *dir, const struct mf_flight_info *info)
{
    struct sealing *sealing = context;
    struct mf_errinfo *err = &sealing->cli->err;
    struct mf_seal_record record;
    bool fresh = false;
    if (sealing->all && (info == NULL || info->state == MF_FLIGHT_RUNNING)) {
        return 0;
    }
    const int rc =
        mf_flight_seal(sealing->home, dir, cli_int(sealing->cli, "wait"), &record, &fresh, err);
    if (rc < 0) {
        cli_note("%s", err->msg);
        MF_KEEP_FIRST(sealing->failure, rc);
        return rc == -ENOMEM ? rc : 0;
    }
    sealing->sealed += fresh;
    tell(sealing, dir, &record, fresh);
    return 0;
}

static int run(struct cli_context *cli)
{
    struct sealing sealing = {.cli = cli, .all = cli_flag(cli, "all")};
    struct mf_buffer out = MF_BUFFER_INIT;
    char *home = NULL;
    if (sealing.all && cli->operand_count > 0) {
        return cli_usage(cli, "either --all or flights");
    }
    mf_json_init(&sealing.json, &out, MF_JSON_PRETTY);
    mf_json_begin_array(&sealing.json);
    int rc = mf_flight_home(NULL, &home, &cli->err);
    sealing.home = home;
    rc = rc == 0 ? cli_flights_each(cli, sealing.all, seal_one, &sealing) : rc;
    mf_json_end_array(&sealing.json);
    mf_json_finish(&sealing.json);
    if (rc == 0 && cli->json) {
        rc = cli_print(cli, &out);
    } else if (rc == 0 && sealing.all && sealing.sealed == 0 && sealing.failure == 0) {
        cli_note("all flights are sealed");
    }
    mf_buffer_free(&out);
    mf_flight_free_text(home);
    return rc < 0 ? rc : cli_exit_code(sealing.failure);
}

const struct cli_verb verb_seal = {
    .name = "seal",
    .section = "Flights",
    .summary = "Commit the root over a flight's files to the ledger",
    .description =
        "`mayfly run` does this at its end. What it could not do (the ledger was busy, the disk "
        "full, the recorder killed) is made up for here. The files are listed in seal.json of the "
        "flight, and the root over them is committed to the ledger below MAYFLY_HOME; from then on "
        "`mayfly verify` finds any byte that changes. A flight of which "
        "the ledger has a seal and that has changed is not sealed again.",
    .options =
        (const struct cli_option[]){
            {.name = "all",
             .letter = 'a',
             .kind = CLI_FLAG,
             .help = "All that are not, but those that are being recorded"},
            {.name = "wait",
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .default_text = "10s",
             .min = 1000000,
             .max = 86400000000000,
             .help = "How long to wait for the ledger while others write to it"},
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "FLIGHT", .optional = true, .repeated = true, .help = CLI_FLIGHT_OR_LAST_HELP},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly seal --all", "Whatever is not sealed yet."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
