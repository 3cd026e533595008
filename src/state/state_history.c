/* SPDX-License-Identifier: Apache-2.0
 * state_history.c -- what is kept of every commit for ever: its leaf in the Merkle log (number,
 * time, root, hash of the changes, note), in record files of HISTORY_FILE_COMMITS each.
 *
 * It is extended before each checkpoint, from the log that the checkpoint makes dispensable; so
 * the leaf of every commit stands in the history or in the log, or in both. */
#include "base/fail.h"
#include "base/heap.h"
#include "state_private.h"
#include "wal_follower.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define RECORD_LEAF 1u

static int open_file(struct mf_state *state, uint64_t first_seq, uint64_t expect_seq,
                     struct mf_errinfo *err)
{
    char *path = mf__store_path(state->path, STORE_HISTORY, first_seq, NULL);
    if (path == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot open the history in %.200s", state->path);
    }
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    options.durability = MF_RECLOG_NONE;
    options.flags = MF_RECLOG_PROVE;
    options.kind = mf__store_role_kind(state->kind, STORE_ROLE_HISTORY);
    options.first_seq = first_seq;
    options.expect_seq = expect_seq;
    int code = mf_reclog_open(path, &options, &state->env, &state->history, err);
    mf_free(path);
    if (code == 0) {
        struct mf_reclog_info info;
        mf_reclog_info(state->history, &info);
        state->history_seq = info.last_seq;
        if (info.first_seq != first_seq) {
            code = mf_fail(err, MF_ECORRUPT,
                           "%.160s/" STORE_HISTORY "%016" PRIx64 " begins with commit %" PRIu64
                           " at offset 0; restore it from a copy",
                           state->path, first_seq, info.first_seq);
        }
    }
    return code;
}

int mf__history_open(struct mf_state *state, uint64_t expect_seq, struct mf_errinfo *err)
{
    struct store_numbers found = {NULL, 0};
    int code = mf__store_list(state->env.fs, state->path, STORE_HISTORY, &found, err);
    if (code == 0 && found.count == 0 && expect_seq != 0) {
        code = mf_fail(err, MF_ECORRUPT,
                       "%.200s has no history, although %" PRIu64
                       " commits are in a checkpoint; restore the files " STORE_HISTORY
                       "* from a copy",
                       state->path, expect_seq);
    }
    if (code == 0 && found.count != 0) {
        code = open_file(state, found.numbers[found.count - 1], expect_seq, err);
    }
    mf_free(found.numbers);
    return code;
}

/* The file that the next commit belongs into. */
static int choose_file(struct mf_state *state, struct mf_errinfo *err)
{
    if (state->history != NULL) {
        struct mf_reclog_info info;
        mf_reclog_info(state->history, &info);
        if (info.last_seq - info.first_seq + 1 < HISTORY_FILE_COMMITS) {
            return 0;
        }
        int code = mf_reclog_sync(state->history, MF_RECLOG_ALL, err);
        if (code < 0) {
            return code;
        }
        (void)mf_reclog_close(state->history, NULL); /* all of it is on disk */
        state->history = NULL;
    }
    return open_file(state, state->history_seq + 1, 0, err);
}

static int copy_commits(struct mf_state *state, uint64_t seq, struct mf_errinfo *err)
{
    struct wal_follower follower;
    int code = 0;
    mf__follower_init(&follower, &state->env, state->wal_path, state->kind, state->history_seq + 1);
    while (code == 0 && state->history_seq < seq) {
        struct commit commit;
        code = choose_file(state, err);
        if (code == 0) {
            code = mf__follower_next(&follower, &commit, err);
            code = code == 0
                       ? mf_fail(err, MF_ECORRUPT, "the log in %.200s ends before commit %" PRIu64,
                                 state->wal_path, seq)
                       : code;
        }
        if (code == 1) {
            code = mf_reclog_append(state->history, RECORD_LEAF, commit.leaf, commit.leaf_len,
                                    &state->history_seq, err);
        }
    }
    mf__follower_fini(&follower);
    return code == 0 && state->history != NULL ? mf_reclog_sync(state->history, MF_RECLOG_ALL, err)
                                               : code;
}

int mf__history_extend(struct mf_state *state, uint64_t seq, struct mf_errinfo *err)
{
    int code = 0;
    if (state->history_unknown) {
        state->history_seq = 0;
        code = mf__history_open(state, state->checkpoint_seq, err);
        state->history_unknown = code < 0;
    }
    if (code == 0) {
        code = copy_commits(state, seq, err);
    }
    if (code < 0) {
        /* What of it is on disk is found out by opening it again, at the next attempt. */
        (void)mf_reclog_close(state->history, NULL);
        state->history = NULL;
        state->history_unknown = true;
    }
    return code;
}

/* --- reading --- */

typedef int log_visit(void *context, const struct mf_state_commit_info *info);

static int show(const struct commit *commit, log_visit *visit, void *context)
{
    struct mf_state_commit_info info = {
        .seq = commit->seq,
        .wall_ns = commit->wall_ns,
        .kind = commit->kind,
        .changes = commit->change_count,
        .note = {commit->note, commit->note_len},
        .leaf = {commit->leaf, commit->leaf_len},
    };
    memcpy(info.root, commit->root, MF_SHA256_LEN);
    memcpy(info.changes_hash, commit->changes_hash, MF_SHA256_LEN);
    return visit(context, &info);
}

/* Visits what one file of the history has of *seq .. to, and moves *seq on. */
static int read_file(const struct mf_state *state, uint64_t first_seq, uint64_t *seq, uint64_t to,
                     log_visit *visit, void *context, struct mf_errinfo *err)
{
    char *path = mf__store_path(state->path, STORE_HISTORY, first_seq, NULL);
    struct mf_reclog_reader *reader = NULL;
    int code = path != NULL ? mf_reclog_reader_open(path, &state->env, &reader, err)
                            : mf_fail_os(err, -ENOMEM, "cannot read the history");
    while (code == 0 && *seq <= to) {
        struct mf_reclog_record record;
        struct commit commit;
        code = mf_reclog_next(reader, &record, err);
        if (code != 1) {
            code = code == MF_ETORN ? 0 : code; /* of an extension that is going on, or ended */
            break;
        }
        code = 0;
        if (record.seq < *seq) {
            continue;
        }
        if (record.seq != *seq || !mf__commit_leaf_get(record.payload, record.len, &commit) ||
            commit.seq != record.seq) {
            code = mf_fail(err, MF_ECORRUPT,
                           "%.200s: record %" PRIu64 " at offset %" PRIu64 " is not commit %" PRIu64
                           "; restore the file from a copy",
                           path, record.seq, record.offset, *seq);
        } else {
            code = show(&commit, visit, context);
            *seq += code == 0;
        }
    }
    mf_reclog_reader_close(reader);
    mf_free(path);
    return code;
}

/* As far as the history goes. */
static int read_history(const struct mf_state *state, uint64_t *seq, uint64_t to, log_visit *visit,
                        void *context, struct mf_errinfo *err)
{
    struct store_numbers found = {NULL, 0};
    int code = mf__store_list(state->env.fs, state->path, STORE_HISTORY, &found, err);
    for (size_t i = 0; code == 0 && i < found.count && *seq <= to; i++) {
        bool last = i + 1 == found.count;
        if (found.numbers[i] <= *seq && (last || found.numbers[i + 1] > *seq)) {
            code = read_file(state, found.numbers[i], seq, to, visit, context, err);
        }
    }
    mf_free(found.numbers);
    return code;
}

static int read_log(const struct mf_state *state, uint64_t *seq, uint64_t to, log_visit *visit,
                    void *context, struct mf_errinfo *err)
{
    struct wal_follower follower;
    int code = 0;
    mf__follower_init(&follower, &state->env, state->wal_path, state->kind, *seq);
    while (code == 0 && *seq <= to) {
        struct commit commit;
        code = mf__follower_next(&follower, &commit, err);
        if (code == 0) {
            code = mf_fail(err, MF_ECORRUPT,
                           "the log in %.200s ends before commit %" PRIu64 ", which was read",
                           state->wal_path, *seq);
        } else if (code == 1) {
            code = show(&commit, visit, context);
            *seq += code == 0;
        }
    }
    mf__follower_fini(&follower);
    return code;
}

int mf_state_log(struct mf_state *state, uint64_t from, uint64_t to, log_visit *visit,
                 void *context, struct mf_errinfo *err)
{
    mf_mutex_lock(&state->visible_lock);
    uint64_t last = state->visible.seq;
    mf_mutex_unlock(&state->visible_lock);
    uint64_t seq = from != 0 ? from : 1;
    to = to < last ? to : last;
    for (int attempt = 0;; attempt++) {
        uint64_t begin = seq;
        int code = seq <= to ? read_history(state, &seq, to, visit, context, err) : 0;
        if (code == 0 && seq <= to) {
            code = read_log(state, &seq, to, visit, context, err);
        }
        /* A checkpoint may have moved commits from the log to the history between the two. */
        if (code != MF_ESTALE || (seq == begin && attempt >= 3)) {
            return code;
        }
    }
}
