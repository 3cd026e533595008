/* SPDX-License-Identifier: Apache-2.0
 * state_recover.c -- from the files back to the state: checkpoint, then the log; the essay is in
 * state.c.
 */
#include "base/fail.h"
#include "base/heap.h"
#include "state_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_salvage(const struct mf_state *state)
{
    return (state->flags & MF_STATE_SALVAGE) != 0;
}

static void note_damage(struct mf_state_report *report, const struct mf_errinfo *err)
{
    if (report->damage[0] == '\0') {
        (void)snprintf(report->damage, sizeof report->damage, "%s", err->msg);
    }
}

/* --- the checkpoint --- */

static int read_checkpoint(const struct mf_state *state, uint64_t seq,
                           struct checkpoint_damage *salvage, struct version *ret_version,
                           struct mf_errinfo *err)
{
    char *path = mf__store_path(state->path, STORE_CHECKPOINT, seq, NULL);
    int code = path != NULL ? mf__checkpoint_read(&state->env, path, state->kind, seq, salvage,
                                                  ret_version, err)
                            : mf_fail_os(err, -ENOMEM, "cannot read a checkpoint");
    mf_free(path);
    return code;
}

/* Whether a checkpoint with this failure is passed over for the one before. Memory and permission
 * say nothing about the file. */
static bool is_bad(int code)
{
    return code == MF_ECORRUPT || code == MF_ETORN || code == MF_EFORMAT || code == MF_EMISMATCH ||
           code == -EIO;
}

/* The newest good one; none: the empty state. */
static int choose_checkpoint(struct mf_state *state, const struct store_numbers *found,
                             struct mf_state_report *report, struct version *ret_version,
                             struct mf_errinfo *err)
{
    struct mf_errinfo why = {0, ""};
    for (size_t i = found->count; i-- > 0;) {
        int code = read_checkpoint(state, found->numbers[i], NULL, ret_version, &why);
        if (code == 0) {
            report->checkpoint_seq = found->numbers[i];
            return 0;
        }
        if (!is_bad(code)) {
            return mf_fail(err, code, "%s", why.msg);
        }
        note_damage(report, &why);
        report->checkpoints_bad++;
    }
    return 0;
}

/* Of damaged checkpoints only: the newest of which something is whole. */
static int salvage_checkpoint(struct mf_state *state, const struct store_numbers *found,
                              struct mf_state_report *report, struct version *ret_version)
{
    for (size_t i = found->count; i-- > 0;) {
        struct checkpoint_damage damage = {0, ""};
        struct mf_errinfo why = {0, ""};
        if (read_checkpoint(state, found->numbers[i], &damage, ret_version, &why) == 0) {
            report->checkpoint_seq = found->numbers[i];
            report->lost_keys_at_least = damage.lost_keys;
            return 1;
        }
    }
    return 0;
}

/* --- the log --- */

int mf__state_apply(struct mf_state *state, struct version *version, const struct commit *commit,
                    struct mf_errinfo *err)
{
    uint8_t hash[MF_SHA256_LEN];
    mf_sha256(commit->changes, commit->changes_len, hash);
    int code = memcmp(hash, commit->changes_hash, MF_SHA256_LEN) == 0 ? 0 : MF_ECORRUPT;
    if (code == 0 && state->nodes != NULL) {
        code = mf__merkle_log_reserve(state->nodes, 1);
    }
    if (code == 0) {
        code = mf__version_apply(version, commit->changes, commit->changes_len);
    }
    if (code == 0) {
        mf__version_advance(version, commit, commit->leaf, commit->leaf_len);
    }
    if (code == 0 && state->nodes != NULL) {
        mf__merkle_log_append(state->nodes, version->leaf_hash);
    }
    return code == MF_ECORRUPT
               ? mf_fail(err, code, "commit %" PRIu64 " in the log is not what its hash says",
                         commit->seq)
           : code < 0 ? mf_fail_os(err, code, "cannot apply commit %" PRIu64, commit->seq)
                      : 0;
}

static void note_torn(const struct wal_follower *follower, struct mf_state_report *report)
{
    mf__follower_place(follower, report->torn_file, sizeof report->torn_file, &report->torn_offset);
}

/* Applies what the log has after the version: 0, MF_ETORN, or why it cannot go on. */
static int replay(struct mf_state *state, struct mf_state_report *report,
                  struct wal_follower *follower, struct version *version, struct mf_errinfo *err)
{
    for (;;) {
        struct commit commit;
        int code = mf__follower_next(follower, &commit, err);
        if (code == 1) {
            code = mf__state_apply(state, version, &commit, err);
            report->replayed += code == 0;
            if (code == 0) {
                continue;
            }
        }
        return code;
    }
}

/* The highest number that some file says was durable. */
static uint64_t attested_seq(const struct store_numbers *checkpoints)
{
    return checkpoints->count != 0 ? checkpoints->numbers[checkpoints->count - 1] : 0;
}

/* Opens the nodes of the Merkle log as the checkpoint attests them; the log brings the rest. */
static int open_nodes(struct mf_state *state, const struct version *version,
                      struct mf_merkle_log **ret_nodes, struct mf_errinfo *err)
{
    char *path = mf__store_join(state->path, STORE_NODES);
    if (path == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot open the nodes of the Merkle log");
    }
    bool read_only = (state->flags & MF_STATE_READ_ONLY) != 0;
    unsigned flags = read_only                ? MF_MERKLE_LOG_READ_ONLY
                     : version->log.size == 0 ? MF_MERKLE_LOG_CREATE
                                              : 0;
    int code = mf__merkle_log_open(state->env.fs, path, flags, state->identity.id, &version->log,
                                   ret_nodes, err);
    mf_free(path);
    return code;
}

static int load(struct mf_state *state, const struct store_numbers *checkpoints,
                struct mf_state_report *report, struct wal_follower *follower,
                struct version *version, struct mf_errinfo *err)
{
    int code = choose_checkpoint(state, checkpoints, report, version, err);
    if (code == 0) {
        code = open_nodes(state, version, &state->nodes, err);
        if (code < 0 && is_salvage(state)) {
            note_damage(report, err);
            code = 0; /* without proofs */
        }
    }
    if (code < 0) {
        return code;
    }
    mf__follower_init(follower, &state->env, state->wal_path, state->kind, version->seq + 1);
    code = replay(state, report, follower, version, err);
    bool salvage = is_salvage(state);
    if (code == MF_ESTALE && salvage && version->seq == 0 &&
        salvage_checkpoint(state, checkpoints, report, version) != 0) {
        mf__follower_fini(follower);
        mf__follower_init(follower, &state->env, state->wal_path, state->kind, version->seq + 1);
        code = replay(state, report, follower, version, err);
    }
    if (code == MF_ETORN) {
        note_torn(follower, report);
    }
    if ((code == 0 || code == MF_ETORN) && version->seq < attested_seq(checkpoints)) {
        char place[64];
        uint64_t offset = 0;
        mf__follower_place(follower, place, sizeof place, &offset);
        code = mf_fail(err, MF_ECORRUPT,
                       "%.140s/%s ends with commit %" PRIu64 " at offset %" PRIu64
                       ", but commit %" PRIu64
                       " was on disk, as a checkpoint says; restore the file from a copy, or open "
                       "the store for salvage",
                       state->wal_path, place, version->seq, offset, attested_seq(checkpoints));
    }
    if (code == MF_ECORRUPT || code == MF_ESTALE) {
        if (!salvage) {
            err->code = MF_ECORRUPT; /* to the caller nothing is stale: it is lost */
            return err->code;
        }
        note_damage(report, err);
        code = 0;
    }
    if (code == 0 || code == MF_ETORN) {
        struct mf_errinfo why = {0, ""};
        int root = mf__version_check(version, &why);
        report->root_verified = root == 0;
        if (root < 0 && !salvage) {
            return mf_fail(err, root, "%s", why.msg);
        }
        if (root < 0) {
            note_damage(report, &why);
        }
    }
    return code;
}

static struct version empty_version(void)
{
    struct version version = {.seq = 0};
    mf__tree_root(&version.tree, version.root);
    mf__merkle_root(&version.log, version.log_root);
    return version;
}

int mf__state_recover_empty(struct mf_state *state, struct mf_errinfo *err)
{
    state->head = empty_version();
    state->visible = mf__version_share(&state->head);
    return open_nodes(state, &state->head, &state->nodes, err);
}

int mf__state_load(struct mf_state *state, struct mf_state_report *report,
                   struct wal_follower *follower, struct version *ret_version,
                   struct mf_errinfo *err)
{
    struct mf_errinfo local = {0, ""};
    err = err != NULL ? err : &local; /* sentences are passed on */
    struct store_numbers checkpoints = {NULL, 0};
    struct version version = empty_version();
    mf__follower_init(follower, &state->env, state->wal_path, state->kind, 1);
    int code = mf__store_list(state->env.fs, state->path, STORE_CHECKPOINT, &checkpoints, err);
    if (code == 0) {
        code = load(state, &checkpoints, report, follower, &version, err);
    }
    mf_free(checkpoints.numbers);
    report->seq = version.seq;
    if (code < 0 && code != MF_ETORN) {
        mf__version_release(&version);
        return code;
    }
    *ret_version = version;
    return code;
}

/* --- for writing --- */

/* All segments but the last one are complete. */
static int list_segments(struct mf_state *state, uint64_t *ret_last, struct mf_errinfo *err)
{
    struct store_numbers found = {NULL, 0};
    int code = mf__store_list(state->env.fs, state->wal_path, STORE_WAL, &found, err);
    for (size_t i = 0; code == 0 && i + 1 < found.count; i++) {
        struct wal_segment segment = {found.numbers[i], found.numbers[i + 1] - 1, 0};
        char *path = mf__store_path(state->wal_path, STORE_WAL, segment.first_seq, NULL);
        struct mf_file_info info;
        code = path != NULL ? mf_fs_info(state->env.fs, path, &info, err)
                            : mf_fail_os(err, -ENOMEM, "cannot list the log");
        mf_free(path);
        segment.bytes = code == 0 ? info.size_bytes : 0;
        code = code == 0 ? mf__wal_add_closed(&state->wal, &segment, err) : code;
    }
    if (code == 0) {
        *ret_last = found.numbers[found.count - 1];
    }
    mf_free(found.numbers);
    return code;
}

/* Opens the last segment, which cuts the torn end and makes the rest durable. */
static int open_last(struct mf_state *state, struct mf_errinfo *err)
{
    uint64_t first_seq = 0;
    int code = list_segments(state, &first_seq, err);
    if (code == 0) {
        code = mf__wal_open(&state->wal, first_seq, state->head.seq, err);
    }
    if (code < 0) {
        return code;
    }
    struct mf_reclog_info info;
    mf_reclog_info(state->wal.log, &info);
    if (info.last_seq != state->head.seq) {
        return mf_fail(err, MF_ECORRUPT,
                       "%.200s changed while it was opened: commit %" PRIu64 " was the last, now "
                       "it is %" PRIu64,
                       state->wal_path, state->head.seq, info.last_seq);
    }
    state->report.torn_bytes = info.cut_bytes;
    state->report.torn_commits = info.cut_records;
    state->report.clean = info.closed;
    if (info.cut_bytes == 0) {
        state->report.torn_file[0] = '\0';
        state->report.torn_offset = 0;
    }
    return 0;
}

/* What was found is kept in the log, once: the next open finds nothing of it. */
static int audit(struct mf_state *state, struct mf_errinfo *err)
{
    struct mf_state_report *report = &state->report;
    int code = 0;
    if (report->torn_bytes != 0) {
        code = mf__state_audit(state, &report->audit_seq, err,
                               "recovered: %" PRIu64 " bytes cut off %s at offset %" PRIu64
                               " (%" PRIu64 " whole commits, never acknowledged), %" PRIu64
                               " commits replayed on checkpoint %" PRIu64,
                               report->torn_bytes, report->torn_file, report->torn_offset,
                               report->torn_commits, report->replayed, report->checkpoint_seq);
    }
    if (code == 0 && report->checkpoints_bad != 0) {
        code = mf__state_audit(state, &report->audit_seq, err,
                               "recovered: %" PRIu32 " checkpoints could not be used, %" PRIu64
                               " commits replayed on checkpoint %" PRIu64 ": %s",
                               report->checkpoints_bad, report->replayed, report->checkpoint_seq,
                               report->damage);
    }
    return code;
}

/* The checkpoint before the one that was used. */
static int find_prior(struct mf_state *state, struct mf_errinfo *err)
{
    struct store_numbers found = {NULL, 0};
    int code = mf__store_list(state->env.fs, state->path, STORE_CHECKPOINT, &found, err);
    state->checkpoint_seq = state->report.checkpoint_seq;
    for (size_t i = 0; i < found.count; i++) {
        if (found.numbers[i] < state->checkpoint_seq) {
            state->checkpoint_prior = found.numbers[i];
        }
    }
    mf_free(found.numbers);
    return code;
}

/* A sync of the last segment may have failed: then memory shows what the disk never got, and the
 * recovery is to work with what it got. Earlier segments were synced before the next was made. */
static int forget_last(struct mf_state *state, struct mf_errinfo *err)
{
    struct store_numbers found = {NULL, 0};
    struct mf_file *file = NULL;
    int code = mf__store_list(state->env.fs, state->wal_path, STORE_WAL, &found, err);
    if (code == 0 && found.count != 0) {
        char *path =
            mf__store_path(state->wal_path, STORE_WAL, found.numbers[found.count - 1], NULL);
        code = path != NULL ? mf_file_open(state->env.fs, path, MF_OPEN_READ, &file, err)
                            : mf_fail_os(err, -ENOMEM, "cannot open %.200s", state->wal_path);
        mf_free(path);
    }
    if (file != NULL) {
        mf_file_forget(file);
    }
    mf_file_close(file);
    mf_free(found.numbers);
    return code;
}

int mf__state_recover(struct mf_state *state, struct mf_errinfo *err)
{
    struct wal_follower follower;
    struct version version = {.seq = 0};
    int code = forget_last(state, err);
    if (code < 0) {
        return code;
    }
    code = mf__state_load(state, &state->report, &follower, &version, err);
    mf__follower_fini(&follower);
    if (code < 0 && code != MF_ETORN) {
        return code;
    }
    state->head = version;
    state->visible = mf__version_share(&state->head);
    code = open_last(state, err);
    if (code == 0) {
        state->durable_seq = state->head.seq;
        code = find_prior(state, err);
    }
    if (code == 0) {
        code = mf__history_open(state, state->checkpoint_seq, err);
    }
    if (code == 0 && state->history_seq > state->head.seq) {
        code = mf_fail(err, MF_ECORRUPT,
                       "%.160s ends with commit %" PRIu64 ", but the history has %" PRIu64
                       "; restore the log from a copy",
                       state->wal_path, state->head.seq, state->history_seq);
    }
    if (code == 0) {
        state->checkpoint_wanted = state->report.checkpoints_bad != 0;
        code = audit(state, err);
    }
    if (code == 0 && state->checkpoint_wanted) {
        (void)mf__state_checkpoint(state, NULL); /* tried again later */
    }
    return code;
}
