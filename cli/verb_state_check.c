/* SPDX-License-Identifier: Apache-2.0
 * verb_state_check.c -- mayfly state check DIR */
#include "state_store.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct checking {
    uint64_t commits;
    uint64_t keys;
    uint64_t bytes;
    uint64_t last_seq;
    uint8_t last_root[MF_STATE_HASH_LEN];
    struct mf_errinfo *err;
};

static int take_commit(void *context, const struct mf_state_commit_info *info)
{
    struct checking *checking = context;
    if (checking->last_seq != 0 && info->seq != checking->last_seq + 1) {
        return mf_fail(checking->err, MF_ECORRUPT,
                       "commit %" PRIu64 " follows commit %" PRIu64 " in the log", info->seq,
                       checking->last_seq);
    }
    checking->commits++;
    checking->last_seq = info->seq;
    memcpy(checking->last_root, info->root, sizeof checking->last_root);
    return 0;
}

static int count_entries(struct mf_state *state, struct checking *checking)
{
    struct mf_state_tx *tx = NULL;
    struct mf_state_cursor *cursor = NULL;
    struct mf_state_bytes key;
    struct mf_state_bytes value;
    int rc = mf_state_snapshot(state, &tx, checking->err);
    rc = rc == 0 ? mf_state_scan(tx, MF_STATE_NONE, MF_STATE_NONE, &cursor, checking->err) : rc;
    while (rc == 0 && (rc = mf_state_next(cursor, &key, &value, checking->err)) == 1) {
        checking->keys++;
        checking->bytes += key.len + value.len;
        rc = 0;
    }
    mf_state_cursor_close(cursor);
    mf_state_abort(tx);
    return rc;
}

/* The log, entry by entry, and the state that it leads to. */
static int check_content(struct mf_state *state, const struct mf_state_info *info,
                         struct checking *checking)
{
    int rc =
        info->seq > 0 ? mf_state_log(state, 1, info->seq, take_commit, checking, checking->err) : 0;
    rc = rc == 0 ? count_entries(state, checking) : rc;
    if (rc < 0) {
        return rc;
    }
    if (checking->commits != info->seq ||
        (info->seq > 0 && memcmp(checking->last_root, info->root, sizeof info->root) != 0)) {
        return mf_fail(checking->err, MF_ECORRUPT,
                       "the log has %" PRIu64 " of %" PRIu64
                       " commits, or leads to another root than that of the state",
                       checking->commits, info->seq);
    }
    if (checking->keys != info->keys || checking->bytes != info->bytes) {
        return mf_fail(checking->err, MF_ECORRUPT,
                       "the state has %" PRIu64 " keys instead of %" PRIu64, checking->keys,
                       info->keys);
    }
    return 0;
}

static bool is_damage(int rc)
{
    return rc == MF_ECORRUPT || rc == MF_ETORN || rc == MF_EFORMAT || rc == MF_EVERSION ||
           rc == MF_EMISMATCH;
}

static int print_verdict(struct cli_context *cli, int rc, const struct mf_state_info *info,
                         const struct mf_state_report *report)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    const bool good = rc == 0 && report->checkpoints_bad == 0;
    if (cli->json) {
        struct mf_json json;
        mf_json_init(&json, &out, MF_JSON_PRETTY);
        mf_json_begin_object(&json);
        mf_json_key_bool(&json, "good", good);
        if (rc < 0) {
            mf_json_key_string(&json, "error", mf_error_name(rc));
            mf_json_key_string(&json, "message", cli->err.msg);
        } else {
            mf_json_key_uint(&json, "seq", info->seq);
            mf_json_key_uint(&json, "keys", info->keys);
            mf_json_key_uint(&json, "bytes", info->bytes);
            state_json_hash(&json, "root", info->root);
            mf_json_key_bool(&json, "clean", report->clean);
            mf_json_key_uint(&json, "torn_bytes", report->torn_bytes);
            mf_json_key_uint(&json, "checkpoints_bad", report->checkpoints_bad);
            mf_json_key_string(&json, "damage", report->damage);
        }
        mf_json_end_object(&json);
        mf_json_finish(&json);
    } else if (rc < 0) {
        cli_note("%s", cli->err.msg);
    } else {
        mf_buffer_printf(&out, "%s: %" PRIu64 " commits, %" PRIu64 " keys, %" PRIu64 " bytes\n",
                         good ? "good" : "readable, but damaged", info->seq, info->keys,
                         info->bytes);
        if (report->torn_bytes > 0) {
            mf_buffer_printf(&out,
                             "%" PRIu64 " bytes of a commit that was never acknowledged lie at the "
                             "end of the log; the next writer removes them\n",
                             report->torn_bytes);
        }
        if (report->checkpoints_bad > 0) {
            state_put_bytes(&out, MF_STATE_TEXT(report->damage), false);
            mf_buffer_putc(&out, '\n');
        }
    }
    const int printed = cli_print(cli, &out);
    return printed < 0 ? printed : good ? 0 : CLI_EXIT_NEGATIVE;
}

static int run(struct cli_context *cli)
{
    struct mf_state *state = NULL;
    struct mf_state_info info = {0};
    struct mf_state_report report = {0};
    struct checking checking = {.err = &cli->err};
    int rc = state_open(cli, MF_STATE_READ_ONLY, &state);
    if (rc == 0) {
        mf_state_info(state, &info);
        mf_state_report(state, &report);
        rc = check_content(state, &info, &checking);
        rc = state_close(cli, state, rc);
    }
    return rc < 0 && !is_damage(rc) ? rc : print_verdict(cli, rc, &info, &report);
}

const struct cli_verb verb_state_check = {
    .name = "check",
    .summary = "Read all of a store and check it",
    .description =
        "Checkpoint, log and Merkle log are read; the root over all keys and values is computed "
        "anew and compared with the one that was committed. Nothing is changed. Exit code 1 when "
        "something is damaged; file and offset are named.",
    .operands = (const struct cli_operand[]){STATE_STORE_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly state check settings", "After a crash, or before a copy is relied upon."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
