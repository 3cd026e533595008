/* SPDX-License-Identifier: Apache-2.0
 * state_checkpoint.c -- when a checkpoint is written, in which order, and what goes after it. */
#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "state_private.h"

#include <errno.h>
#include <string.h>

/* A checkpoint that failed is tried again after this part of what makes one due. */
#define RETRY_PART 8u

/* Half of the bounds: the log since the checkpoint before is kept too. */
bool mf__state_checkpoint_due(const struct mf_state *state)
{
    if (state->checkpointing || state->poison != 0 || state->durable_seq <= state->checkpoint_seq) {
        return false;
    }
    uint64_t since = state->wal.current.bytes;
    uint32_t files = 1;
    for (size_t i = state->wal.closed_count; i-- > 0;) {
        if (state->wal.closed[i].last_seq <= state->checkpoint_seq) {
            break;
        }
        since += state->wal.closed[i].bytes;
        files++;
    }
    uint64_t logged = state->logged_bytes - state->checkpoint_mark;
    bool waited = state->checkpoint_code == 0 || logged >= state->wal_bytes_max / RETRY_PART;
    return waited && (state->checkpoint_wanted || since >= state->wal_bytes_max / 2 ||
                      files > state->wal_files_max / 2);
}

/* Removes all checkpoints but the two that count. */
static int drop_checkpoints(const struct mf_state *state, uint64_t keep, uint64_t keep_prior,
                            struct mf_errinfo *err)
{
    struct store_numbers found = {NULL, 0};
    int code = mf__store_list(state->env.fs, state->path, STORE_CHECKPOINT, &found, err);
    for (size_t i = 0; code == 0 && i < found.count; i++) {
        if (found.numbers[i] == keep || found.numbers[i] == keep_prior) {
            continue;
        }
        char *path = mf__store_path(state->path, STORE_CHECKPOINT, found.numbers[i], NULL);
        code = path != NULL ? mf_fs_unlink(state->env.fs, path, err)
                            : mf_fail_os(err, -ENOMEM, "cannot remove an old checkpoint");
        mf_free(path);
    }
    mf_free(found.numbers);
    return code;
}

/* What the two newest checkpoints make dispensable. They are durable, with their names. */
static int collect(struct mf_state *state, uint64_t seq, uint64_t prior, struct mf_errinfo *err)
{
    int code = drop_checkpoints(state, seq, prior, err);
    if (code < 0 || prior == 0) {
        return code; /* without a second one all of the log stays, to begin anew from */
    }
    struct wal_segment *segments = NULL;
    size_t count = 0;
    mf_mutex_lock(&state->lock);
    code = mf__wal_detach(&state->wal, prior, &segments, &count, err);
    mf_mutex_unlock(&state->lock);
    if (code == 0) {
        code = mf__wal_remove(&state->wal, segments, count, err);
    }
    mf_free(segments);
    return code;
}

/* Everything that the checkpoint relies on first, then the checkpoint. */
static int write_checkpoint(struct mf_state *state, struct version *version, struct mf_errinfo *err)
{
    int code = mf_state_sync(state, version->seq, err);
    if (code == 0) {
        code = mf__history_extend(state, version->seq, err);
    }
    if (code == 0) {
        mf_mutex_lock(&state->lock);
        code = mf__merkle_log_sync(state->nodes, err);
        mf_mutex_unlock(&state->lock);
    }
    return code == 0 ? mf__checkpoint_write(&state->env, state->path, state->kind,
                                            state->identity.id, version, err)
                     : code;
}

static int checkpoint(struct mf_state *state, struct mf_errinfo *err)
{
    struct version version = mf__state_visible(state);
    uint64_t newest = state->checkpoint_seq;
    uint64_t prior = state->checkpoint_prior;
    int64_t begin = mf_clock_monotonic_ns(&state->clock);
    int code = version.seq > newest ? write_checkpoint(state, &version, err) : 0;
    if (code == 0 && version.seq > newest) {
        prior = newest;
        newest = version.seq;
    }
    mf__version_release(&version);
    mf_mutex_lock(&state->lock);
    state->checkpoint_seq = newest;
    state->checkpoint_prior = prior;
    mf_mutex_unlock(&state->lock);
    if (code == 0) {
        code = collect(state, newest, prior, err);
    }
    if (code == 0 && state->observer.duration != NULL) {
        state->observer.duration(state->observer.context, "state.checkpoint",
                                 (uint64_t)(mf_clock_monotonic_ns(&state->clock) - begin));
    }
    return code;
}

int mf_state_checkpoint(struct mf_state *state, struct mf_errinfo *err)
{
    return (state->flags & MF_STATE_READ_ONLY) != 0
               ? mf_fail(err, MF_EREADONLY, "%.200s is open for reading only", state->path)
               : mf__state_checkpoint(state, err);
}

int mf__state_checkpoint(struct mf_state *state, struct mf_errinfo *err)
{
    mf_mutex_lock(&state->lock);
    while (state->checkpointing) {
        mf_condition_wait(&state->changed, &state->lock);
    }
    state->checkpointing = true;
    mf_mutex_unlock(&state->lock);
    int code = checkpoint(state, err);
    mf_mutex_lock(&state->lock);
    state->checkpointing = false;
    state->checkpoint_wanted = state->checkpoint_wanted && code < 0;
    state->checkpoint_code = code;
    state->checkpoint_mark = state->logged_bytes;
    mf_condition_broadcast(&state->changed);
    mf_mutex_unlock(&state->lock);
    return code;
}
