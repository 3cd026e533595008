/* SPDX-License-Identifier: Apache-2.0
 * verb_state_commit.c -- mayfly state commit DIR */
#include "state_batch.h"
#include "state_store.h"

static int run(struct cli_context *cli)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    struct state_batch batch;
    struct mf_state *state = NULL;
    int rc = state_read_input(cli, cli_string(cli, "file"), STATE_BATCH_LEN_MAX, &text);
    rc = rc == 0 ? state_batch_parse(text.data, text.len, &batch, &cli->err) : rc;
    mf_buffer_free(&text);
    if (rc < 0) {
        return rc;
    }
    rc = state_open(cli, 0, &state);
    if (rc == 0) {
        rc = state_commit(cli, state, batch.changes, batch.count, batch.note);
        rc = state_close(cli, state, rc);
    }
    state_batch_free(&batch);
    return rc;
}

const struct cli_verb verb_state_commit = {
    .name = "commit",
    .summary = "Commit several changes as one, under conditions",
    .description =
        "Reads JSON, one change per line: {\"op\":\"put\",\"key\":\"k\",\"value\":\"v\"}, "
        "{\"op\":\"delete\",\"key\":\"k\"}; conditions: "
        "{\"op\":\"expect\",\"key\":\"k\",\"value\":\"v\"}, {\"op\":\"absent\",\"key\":\"k\"}; and "
        "one {\"op\":\"note\",\"note\":\"why\"}. \"key_hex\", \"value_hex\" and \"note_hex\" take "
        "any bytes as hexadecimal digits.\n\n"
        "All of it happens or nothing: exit code 0 and COMMITTED, or 75 when a condition does not "
        "hold, or 3 and INDETERMINATE when the disk failed while it was written.",
    .options =
        (const struct cli_option[]){
            {.name = "file",
             .letter = 'f',
             .kind = CLI_FILE,
             .metavar = "FILE",
             .default_text = "-",
             .help = "Where the lines are; '-' is standard input"},
            STATE_WAIT_OPTION,
            {.name = NULL},
        },
    .operands = (const struct cli_operand[]){STATE_STORE_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly state commit accounts < transfer.jsonl", "Both accounts, or none of them."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
