/* SPDX-License-Identifier: Apache-2.0
 * verb_state_salvage.c -- mayfly state salvage DIR [NEW] */
#include "state_store.h"

#include <errno.h>
#include <inttypes.h>

/* Of one commit while copying, well below what one may have. */
#define BATCH_BYTES   (16u << 20)
#define BATCH_CHANGES 65536u

struct copying {
    struct cli_context *cli;
    struct mf_state_cursor *cursor;
    struct mf_state *to;
    uint64_t keys;
};

/* As many entries as fit one commit: 1 when there may be more, 0 at the end. */
static int copy_some(struct copying *copying, struct mf_state_tx *tx)
{
    struct mf_errinfo *err = &copying->cli->err;
    size_t bytes = 0;
    int rc = 1;
    for (size_t count = 0; rc == 1 && count < BATCH_CHANGES && bytes < BATCH_BYTES; count++) {
        struct mf_state_bytes key;
        struct mf_state_bytes value;
        rc = mf_state_next(copying->cursor, &key, &value, err);
        if (rc == 1) {
            const int put = mf_state_put(tx, key, value, err);
            bytes += key.len + value.len;
            copying->keys += put == 0;
            rc = put < 0 ? put : 1;
        }
    }
    return rc;
}

static int copy_all(struct copying *copying)
{
    struct mf_errinfo *err = &copying->cli->err;
    int more = 1;
    while (more == 1) {
        struct mf_state_tx *tx = NULL;
        int rc = mf_state_begin(copying->to, &tx, err);
        if (rc < 0) {
            return rc;
        }
        more = copy_some(copying, tx);
        rc = more >= 0 ? mf_state_note(tx, MF_STATE_TEXT("salvaged"), err) : more;
        if (rc < 0) {
            mf_state_abort(tx);
            return rc;
        }
        rc = mf_state_commit(tx, NULL, err);
        if (rc < 0) {
            return rc;
        }
    }
    return more;
}

static int copy_to(struct cli_context *cli, struct mf_state *state, const char *path,
                   uint64_t *ret_keys)
{
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    struct copying copying = {.cli = cli};
    struct mf_state_tx *tx = NULL;
    options.flags = MF_STATE_CREATE | MF_STATE_EXCLUSIVE;
    int rc = mf_state_snapshot(state, &tx, &cli->err);
    rc = rc == 0 ? mf_state_scan(tx, MF_STATE_NONE, MF_STATE_NONE, &copying.cursor, &cli->err) : rc;
    rc = rc == 0 ? mf_state_open(path, &options, NULL, &copying.to, &cli->err) : rc;
    if (rc == 0) {
        rc = state_close(cli, copying.to, copy_all(&copying));
    }
    mf_state_cursor_close(copying.cursor);
    mf_state_abort(tx);
    *ret_keys = copying.keys;
    return rc;
}

static int print_report(struct cli_context *cli, const struct mf_state_info *info,
                        const struct mf_state_report *report, const char *path, uint64_t copied)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    const bool whole = report->damage[0] == '\0' && report->lost_keys_at_least == 0;
    if (cli->json) {
        struct mf_json json;
        mf_json_init(&json, &out, MF_JSON_PRETTY);
        mf_json_begin_object(&json);
        mf_json_key_bool(&json, "whole", whole);
        mf_json_key_uint(&json, "seq", info->seq);
        mf_json_key_uint(&json, "keys", info->keys);
        mf_json_key_uint(&json, "lost_keys_at_least", report->lost_keys_at_least);
        mf_json_key_string(&json, "damage", report->damage);
        if (path != NULL) {
            mf_json_key_string(&json, "copied_to", path);
            mf_json_key_uint(&json, "copied_keys", copied);
        }
        mf_json_end_object(&json);
        mf_json_finish(&json);
    } else {
        mf_buffer_printf(&out, "%" PRIu64 " keys as of commit %" PRIu64 " can be read\n",
                         info->keys, info->seq);
        if (!whole) {
            state_put_bytes(&out, MF_STATE_TEXT(report->damage), false);
            mf_buffer_printf(&out, "\nat least %" PRIu64 " keys are lost\n",
                             report->lost_keys_at_least);
        }
        if (path != NULL) {
            mf_buffer_printf(&out, "copied %" PRIu64 " keys to ", copied);
            state_put_bytes(&out, MF_STATE_TEXT(path), false);
            mf_buffer_putc(&out, '\n');
        }
    }
    const int printed = cli_print(cli, &out);
    return printed < 0 ? printed : whole ? 0 : CLI_EXIT_NEGATIVE;
}

static int run(struct cli_context *cli)
{
    const char *path = cli->operand_count > 1 ? cli->operands[1] : NULL;
    struct mf_state *state = NULL;
    struct mf_state_info info;
    struct mf_state_report report;
    uint64_t copied = 0;
    int rc = state_open(cli, MF_STATE_READ_ONLY | MF_STATE_SALVAGE, &state);
    if (rc < 0) {
        return rc;
    }
    mf_state_info(state, &info);
    mf_state_report(state, &report);
    rc = path != NULL ? copy_to(cli, state, path, &copied) : 0;
    rc = state_close(cli, state, rc);
    return rc == 0 ? print_report(cli, &info, &report, path, copied) : rc;
}

const struct cli_verb verb_state_salvage = {
    .name = "salvage",
    .summary = "Read what is left of a damaged store, and copy it into a new one",
    .description =
        "The store itself is not changed. Says what can be read and what is lost; exit code 1 when "
        "something is. The new store has the keys and values, but not the history: its commits and "
        "roots are its own.",
    .operands =
        (const struct cli_operand[]){
            STATE_STORE_OPERAND,
            {.name = "NEW", .optional = true, .help = "The new store, made for it"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly state salvage settings", "What there is to save."},
            {"mayfly state salvage settings settings.saved", "Saves it."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
