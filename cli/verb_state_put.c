/* SPDX-License-Identifier: Apache-2.0
 * verb_state_put.c -- mayfly state put DIR KEY [VALUE] */
#include "state_store.h"

#include <string.h>

/* The value comes from the operand or from --file. */
static int read_value(struct cli_context *cli, struct mf_buffer *ret_value)
{
    const char *file = cli_string(cli, "file");
    if (file != NULL) {
        return state_read_input(cli, file, MF_STATE_VALUE_MAX, ret_value);
    }
    return state_bytes(cli, cli->operands[2], ret_value);
}

static int put(struct cli_context *cli, struct mf_state_bytes key, struct mf_state_bytes value,
               const struct mf_state_bytes *expected)
{
    const char *note = cli_string(cli, "note");
    struct mf_state_change changes[2];
    struct mf_state *state = NULL;
    size_t count = 0;
    if (expected != NULL) {
        changes[count++] = (struct mf_state_change){MF_STATE_EXPECT, key, *expected};
    } else if (cli_flag(cli, "if-absent")) {
        changes[count++] = (struct mf_state_change){.kind = MF_STATE_EXPECT_ABSENT, .key = key};
    }
    changes[count++] = (struct mf_state_change){MF_STATE_PUT, key, value};
    const int rc = state_open(cli, 0, &state);
    if (rc < 0) {
        return rc;
    }
    return state_close(cli, state,
                       state_commit(cli, state, changes, count,
                                    note != NULL ? MF_STATE_TEXT(note) : MF_STATE_NONE));
}

static int run(struct cli_context *cli)
{
    const char *if_value = cli_string(cli, "if");
    struct mf_buffer key = MF_BUFFER_INIT;
    struct mf_buffer value = MF_BUFFER_INIT;
    struct mf_buffer expected = MF_BUFFER_INIT;
    if ((cli->operand_count == 3) == (cli_string(cli, "file") != NULL)) {
        return cli_usage(cli, "either VALUE or --file");
    }
    if (if_value != NULL && cli_flag(cli, "if-absent")) {
        return cli_usage(cli, "either --if or --if-absent");
    }
    int rc = state_bytes(cli, cli->operands[1], &key);
    rc = rc == 0 ? read_value(cli, &value) : rc;
    rc = rc == 0 && if_value != NULL ? state_bytes(cli, if_value, &expected) : rc;
    if (rc == 0) {
        const struct mf_state_bytes was = {expected.data, expected.len};
        rc = put(cli, (struct mf_state_bytes){key.data, key.len},
                 (struct mf_state_bytes){value.data, value.len}, if_value != NULL ? &was : NULL);
    }
    mf_buffer_free(&key);
    mf_buffer_free(&value);
    mf_buffer_free(&expected);
    return rc;
}

const struct cli_verb verb_state_put = {
    .name = "put",
    .summary = "Set the value of a key, as one commit",
    .description =
        "It is on the disk when COMMITTED is printed. With a condition that does not hold nothing "
        "changes, and the exit code is 75. When the disk failed while it was written, the exit "
        "code is 3 and the commit is INDETERMINATE: it may or may not be there after the next "
        "open.",
    .options =
        (const struct cli_option[]){
            {.name = "file",
             .letter = 'f',
             .kind = CLI_FILE,
             .metavar = "FILE",
             .help = "The bytes of FILE are the value, '-': of standard input"},
            {.name = "if",
             .kind = CLI_STRING,
             .metavar = "VALUE",
             .help = "Only when the key has this value"},
            {.name = "if-absent", .kind = CLI_FLAG, .help = "Only when there is no such key"},
            {.name = "note",
             .kind = CLI_STRING,
             .metavar = "TEXT",
             .help = "A remark that is kept with the commit"},
            STATE_HEX_OPTION,
            STATE_WAIT_OPTION,
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            STATE_STORE_OPERAND,
            {.name = "KEY", .help = "1 to 4096 bytes"},
            {.name = "VALUE", .optional = true, .help = "Up to 16 MiB"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly state put settings colour green", "One key."},
            {"mayfly state put settings colour red --if green", "Only if nobody was faster."},
            {"mayfly state put settings logo --file logo.png", "Any bytes."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
