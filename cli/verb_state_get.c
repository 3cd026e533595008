/* SPDX-License-Identifier: Apache-2.0
 * verb_state_get.c -- mayfly state get DIR KEY */
#include "hex.h"
#include "state_store.h"

#include "os/fd.h"

#include <unistd.h>

static int print_value(struct cli_context *cli, struct mf_state_bytes key,
                       struct mf_state_bytes value, uint64_t seq)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    if (cli->json) {
        struct mf_json json;
        mf_json_init(&json, &out, MF_JSON_PRETTY);
        mf_json_begin_object(&json);
        state_json_bytes(&json, "key", key);
        state_json_bytes(&json, "value", value);
        mf_json_key_uint(&json, "seq", seq);
        mf_json_end_object(&json);
        mf_json_finish(&json);
    } else if (cli_flag(cli, "hex")) {
        cli_hex_put(&out, value.bytes, value.len);
        mf_buffer_putc(&out, '\n');
    } else {
        mf_buffer_append(&out, value.bytes, value.len);
        if (mf_fd_is_terminal(STDOUT_FILENO)) {
            mf_buffer_putc(&out, '\n');
        }
    }
    return cli_print(cli, &out);
}

static int get(struct cli_context *cli, struct mf_state *state, struct mf_state_bytes key)
{
    struct mf_state_tx *tx = NULL;
    struct mf_state_bytes value;
    int rc = mf_state_snapshot(state, &tx, &cli->err);
    if (rc < 0) {
        return rc;
    }
    rc = mf_state_get(tx, key, &value, &cli->err);
    if (rc == 1) {
        rc = print_value(cli, key, value, mf_state_tx_seq(tx, NULL));
    } else if (rc == 0) {
        cli_note("there is no such key");
        rc = CLI_EXIT_NEGATIVE;
    }
    mf_state_abort(tx);
    return rc;
}

static int run(struct cli_context *cli)
{
    struct mf_buffer key = MF_BUFFER_INIT;
    struct mf_state *state = NULL;
    int rc = state_bytes(cli, cli->operands[1], &key);
    rc = rc == 0 ? state_open(cli, MF_STATE_READ_ONLY, &state) : rc;
    if (rc == 0) {
        rc = get(cli, state, (struct mf_state_bytes){key.data, key.len});
        rc = state_close(cli, state, rc);
    }
    mf_buffer_free(&key);
    return rc;
}

const struct cli_verb verb_state_get = {
    .name = "get",
    .summary = "Print the value of a key",
    .description = "Exactly its bytes; on a terminal a line feed follows. Exit code 1 when there "
                   "is no such key.",
    .options = (const struct cli_option[]){STATE_HEX_OPTION, {.name = NULL}},
    .operands =
        (const struct cli_operand[]){
            STATE_STORE_OPERAND,
            {.name = "KEY", .help = "The key"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly state get settings colour", "Its value."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
