/* SPDX-License-Identifier: Apache-2.0
 * verb_state_compact.c -- mayfly state compact DIR */
#include "state_store.h"

#include "fmt/units.h"

static int run(struct cli_context *cli)
{
    struct mf_state *state = NULL;
    struct mf_state_info before;
    struct mf_state_info after;
    struct mf_buffer out = MF_BUFFER_INIT;
    int rc = state_open(cli, 0, &state);
    if (rc < 0) {
        return rc;
    }
    mf_state_info(state, &before);
    rc = mf_state_checkpoint(state, &cli->err);
    mf_state_info(state, &after);
    rc = state_close(cli, state, rc);
    if (rc < 0) {
        return rc;
    }
    if (cli->json) {
        struct mf_json json;
        mf_json_init(&json, &out, MF_JSON_PRETTY);
        mf_json_begin_object(&json);
        mf_json_key_uint(&json, "checkpoint_seq", after.checkpoint_seq);
        mf_json_key_uint(&json, "log_bytes_before", before.wal_bytes);
        mf_json_key_uint(&json, "log_bytes", after.wal_bytes);
        mf_json_key_uint(&json, "log_files", after.wal_files);
        mf_json_end_object(&json);
        mf_json_finish(&json);
    } else {
        char was[MF_UNITS_LEN];
        char is[MF_UNITS_LEN];
        mf_buffer_printf(&out, "checkpoint of commit %llu; log %s, was %s\n",
                         (unsigned long long)after.checkpoint_seq,
                         mf_format_size(is, after.wal_bytes),
                         mf_format_size(was, before.wal_bytes));
    }
    return cli_print(cli, &out);
}

const struct cli_verb verb_state_compact = {
    .name = "compact",
    .summary = "Write a checkpoint and drop the log that is no longer needed",
    .description = "A writer does this by itself when the log has half of its permitted size. The "
                   "checkpoint before stays, with the log since, to fall back to.",
    .options = (const struct cli_option[]){STATE_WAIT_OPTION, {.name = NULL}},
    .operands = (const struct cli_operand[]){STATE_STORE_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly state compact settings", "Before a backup, for instance."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
