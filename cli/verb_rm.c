/* SPDX-License-Identifier: Apache-2.0
 * verb_rm.c -- mayfly rm FLIGHT... */
#include "cli.h"
#include "flight_operand.h"
#include "flight_seal.h"
#include "verbs.h"

#include "base/heap.h"
#include "flight/gc.h"
#include "fmt/json_write.h"
#include "fmt/units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Removes one; what is in the way of it is told, and the others go on. */
static int remove_one(struct cli_context *cli, const char *dir, struct mf_json *json)
{
    char text[MF_UNITS_LEN];
    uint64_t bytes = 0;
    int rc = mf_flight_bytes(dir, &bytes, &cli->err);
    if (rc == 0) {
        cli_seal_removed(dir);
        rc = mf_flight_remove(dir, &cli->err);
    }
    if (rc < 0) {
        cli_note("%s", cli->err.msg);
        return rc;
    }
    if (cli->json) {
        mf_json_begin_object(json);
        mf_json_key_string(json, "id", cli_base_name(dir));
        mf_json_key_uint(json, "freed_bytes", bytes);
        mf_json_end_object(json);
    } else {
        printf("removed %s, %s\n", cli_base_name(dir), mf_format_size(text, bytes));
    }
    return 0;
}

static int remove_all(struct cli_context *cli, char **dirs)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    int failure = 0;
    mf_json_init(&json, &out, MF_JSON_PRETTY);
    mf_json_begin_array(&json);
    for (int i = 0; i < cli->operand_count; i++) {
        bool seen = false;
        for (int k = 0; k < i; k++) {
            seen = seen || strcmp(dirs[i], dirs[k]) == 0;
        }
        if (!seen) {
            MF_KEEP_FIRST(failure, remove_one(cli, dirs[i], &json));
        }
    }
    mf_json_end_array(&json);
    mf_json_finish(&json);
    if (cli->json) {
        MF_KEEP_FIRST(failure, cli_print(cli, &out));
    }
    mf_buffer_free(&out);
    return failure < 0 ? cli_exit_code(failure) : 0;
}

/* All are found before the first is removed: -2 must not become another flight on the way. */
static int run(struct cli_context *cli)
{
    char **dirs = mf_calloc((size_t)cli->operand_count, sizeof *dirs);
    if (dirs == NULL) {
        return mf_fail(&cli->err, -ENOMEM, "out of memory");
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < cli->operand_count; i++) {
        rc = cli_flight_find(cli, cli->operands[i], &dirs[i]);
    }
    if (rc == 0) {
        rc = remove_all(cli, dirs);
    }
    for (int i = 0; i < cli->operand_count; i++) {
        mf_flight_free_text(dirs[i]);
    }
    mf_free(dirs);
    return rc;
}

const struct cli_verb verb_rm = {
    .name = "rm",
    .section = "Flights",
    .summary = "Remove flights",
    .description = "A flight that is being recorded is not removed. When one of several cannot be "
                   "found, none is removed. The ledger keeps the record of a sealed flight, and "
                   "that it was removed.",
    .operands =
        (const struct cli_operand[]){
            {.name = "FLIGHT", .repeated = true, .help = CLI_FLIGHT_HELP},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly rm -1", "Removes the newest flight."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
