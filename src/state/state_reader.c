/* SPDX-License-Identifier: Apache-2.0
 * state_reader.c -- a store that another process may be writing: loading it, and following it.
 *
 * Nothing locks the writer out. What is read is judged whole by its own checksums; a file that was
 * dropped between finding its name and opening it means that a newer checkpoint is there, so the
 * loading begins anew. */
#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "state_private.h"

#include <errno.h>

#define ATTEMPTS 20 /* each one needs another checkpoint of the writer to fail */

static uint64_t newest_checkpoint(const struct mf_state *state)
{
    struct store_numbers found = {NULL, 0};
    uint64_t newest = 0;
    if (mf__store_list(state->env.fs, state->path, STORE_CHECKPOINT, &found, NULL) == 0) {
        newest = found.count != 0 ? found.numbers[found.count - 1] : 0;
    }
    mf_free(found.numbers);
    return newest;
}

/* How far the files say that the commits are durable. */
static void note_durable(struct mf_state *state)
{
    uint64_t seq =
        state->follower.reader != NULL ? mf_reclog_reader_durable_seq(state->follower.reader) : 0;
    mf_mutex_lock(&state->lock);
    seq = seq > state->checkpoint_seq ? seq : state->checkpoint_seq;
    seq = seq < state->head.seq ? seq : state->head.seq;
    state->durable_seq = seq > state->durable_seq ? seq : state->durable_seq;
    mf_mutex_unlock(&state->lock);
}

int mf__state_read(struct mf_state *state, struct mf_errinfo *err)
{
    int64_t begin = mf_clock_monotonic_ns(&state->clock);
    for (int attempt = 1;; attempt++) {
        struct mf_state_report report = {.created = false};
        struct wal_follower follower;
        struct version version = {.seq = 0};
        struct mf_merkle_log *nodes = state->nodes;
        uint64_t newest = newest_checkpoint(state);
        state->nodes = NULL;
        int code = mf__state_load(state, &report, &follower, &version, err);
        if (code == 0 || code == MF_ETORN) {
            mf__merkle_log_close(nodes);
            mf__follower_fini(&state->follower);
            state->follower = follower;
            report.duration_ns = mf_clock_monotonic_ns(&state->clock) - begin;
            mf__version_release(&state->head);
            state->head = version;
            mf_mutex_lock(&state->lock);
            state->report = report;
            state->checkpoint_seq = report.checkpoint_seq;
            mf_mutex_unlock(&state->lock);
            note_durable(state);
            struct version visible = mf__version_share(&state->head);
            mf__state_publish(state, &visible);
            return 0;
        }
        mf__follower_fini(&follower);
        mf__merkle_log_close(state->nodes);
        state->nodes = nodes;
        bool moved = newest_checkpoint(state) != newest;
        if (!moved || attempt == ATTEMPTS) {
            return code;
        }
    }
}

/* Takes in what the log has more: 0 and how many, or what stopped it. */
static int follow(struct mf_state *state, uint64_t *ret_count, struct mf_errinfo *err)
{
    struct version version = mf__version_share(&state->head);
    int code;
    do {
        struct commit commit;
        code = mf__follower_next(&state->follower, &commit, err);
        if (code == 1) {
            code = mf__state_apply(state, &version, &commit, err);
            *ret_count += code == 0;
            code = code == 0 ? 1 : code;
        }
    } while (code == 1);
    code = code == MF_ETORN ? 0 : code;
    if (code == 0 && *ret_count != 0) {
        code = mf__version_check(&version, err);
    }
    if (code == 0) {
        mf_mutex_lock(&state->lock);
        struct version old = state->head;
        state->head = version;
        mf_mutex_unlock(&state->lock);
        mf__version_release(&old);
    } else {
        mf__version_release(&version);
    }
    return code;
}

int mf_state_refresh(struct mf_state *state, bool *ret_changed, struct mf_errinfo *err)
{
    if ((state->flags & MF_STATE_READ_ONLY) == 0) {
        return mf_fail(err, MF_EVALUE, "%.200s is open for writing: it is always up to date",
                       state->path);
    }
    struct mf_errinfo local = {0, ""};
    err = err != NULL ? err : &local;
    mf_mutex_lock(&state->refresh_lock);
    uint64_t before = state->head.seq;
    uint64_t count = 0;
    int code = state->follow_anew ? MF_ESTALE : follow(state, &count, err);
    if (code == 0) {
        note_durable(state);
        if (count != 0) {
            struct version visible = mf__version_share(&state->head);
            mf__state_publish(state, &visible);
        }
    } else {
        /* The files were dropped meanwhile, or what they have cannot be taken: from the beginning,
         * which also tells what is wrong with them. */
        code = mf__state_read(state, err);
        state->follow_anew = code < 0;
    }
    bool changed = state->head.seq != before;
    mf_mutex_unlock(&state->refresh_lock);
    if (code == 0 && ret_changed != NULL) {
        *ret_changed = changed;
    }
    return code;
}
