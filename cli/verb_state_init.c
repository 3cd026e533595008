/* SPDX-License-Identifier: Apache-2.0
 * verb_state_init.c -- mayfly state init DIR */
#include "hex.h"
#include "state_store.h"

static int run(struct cli_context *cli)
{
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    struct mf_state_info info;
    struct mf_state *state = NULL;
    struct mf_buffer out = MF_BUFFER_INIT;
    options.flags = MF_STATE_CREATE | MF_STATE_EXCLUSIVE;
    options.wal_path = cli_string(cli, "log-dir");
    int rc = mf_state_open(cli->operands[0], &options, NULL, &state, &cli->err);
    if (rc < 0) {
        return rc;
    }
    mf_state_info(state, &info);
    if (cli->json) {
        struct mf_json json;
        mf_json_init(&json, &out, MF_JSON_PRETTY);
        mf_json_begin_object(&json);
        mf_json_key_string(&json, "store", cli->operands[0]);
        mf_json_key(&json, "id");
        mf_json_raw(&json, "\"", 1);
        cli_hex_put(&out, info.id, sizeof info.id);
        mf_buffer_putc(&out, '"');
        mf_json_end_object(&json);
        mf_json_finish(&json);
    } else {
        mf_buffer_puts(&out, "made the store ");
        state_put_bytes(&out, MF_STATE_TEXT(cli->operands[0]), false);
        mf_buffer_puts(&out, ", id ");
        cli_hex_put(&out, info.id, sizeof info.id);
        mf_buffer_putc(&out, '\n');
    }
    rc = state_close(cli, state, 0);
    const int printed = cli_print(cli, &out);
    return rc == 0 ? printed : rc;
}

const struct cli_verb verb_state_init = {
    .name = "init",
    .summary = "Make a store",
    .description = "Exit code 73 when there is one already.",
    .options =
        (const struct cli_option[]){
            {.name = "log-dir",
             .kind = CLI_DIR,
             .metavar = "DIR",
             .help = "Keep the log in this directory, which may be on another file system; "
                     "a relative path counts from the store (default: in the store)"},
            {.name = NULL},
        },
    .operands = (const struct cli_operand[]){STATE_STORE_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly state init settings", "Then `mayfly state put settings colour green`."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
