/* SPDX-License-Identifier: Apache-2.0
 * state_commit.c -- from a transaction's changes to a durable commit; the essay is in state.c. */
#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "state_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* GROUP: so many commits are not kept waiting for more. */
#define GATHER_MAX 64u

static int64_t now_ns(void)
{
    return mf_clock_monotonic_ns(NULL); /* what conditions wait by */
}

static void observe(const struct mf_state *state, const char *name, uint64_t increment)
{
    if (state->observer.count != NULL) {
        state->observer.count(state->observer.context, name, increment);
    }
}

int mf__state_poisoned(const struct mf_state *state, struct mf_errinfo *err)
{
    return mf_fail(err, MF_EPOISONED,
                   "a sync of the log in %.150s failed (%s): commits after %" PRIu64
                   " may be lost; close the store, look at the disk, and open it again",
                   state->wal_path, mf_strerror(state->poison), state->durable_seq);
}

/* --- the queue of commits on their way, all with the lock held
 * --------------------------------------- */

static void enqueue(struct mf_state *state, struct pending *pending)
{
    if (state->last != NULL) {
        state->last->next = pending;
    } else {
        state->first = pending;
    }
    state->last = pending;
    state->pending_count++;
}

/* Takes the first one out, and wakes its thread, which owns it again. */
static void resolve(struct mf_state *state, int code, enum mf_state_outcome outcome)
{
    struct pending *pending = state->first;
    state->first = pending->next;
    if (state->first == NULL) {
        state->last = NULL;
    }
    state->pending_count--;
    pending->code = code;
    pending->outcome = outcome;
    pending->resolved = true;
}

/* Everything up to `seq` is on disk. */
static void resolve_durable(struct mf_state *state, uint64_t seq)
{
    struct pending *newest = NULL;
    state->durable_seq = seq > state->durable_seq ? seq : state->durable_seq;
    while (state->first != NULL && state->first->version.seq <= seq) {
        newest = state->first;
        mf__merkle_log_append(state->nodes, newest->version.leaf_hash);
        resolve(state, 0, MF_STATE_COMMITTED);
    }
    if (newest != NULL) {
        struct version version = mf__version_share(&newest->version);
        mf__state_publish(state, &version);
    }
}

static void resolve_rest(struct mf_state *state, int code, enum mf_state_outcome outcome)
{
    while (state->first != NULL) {
        resolve(state, code, outcome);
    }
}

static void poison(struct mf_state *state, int code)
{
    state->poison = code;
    resolve_rest(state, MF_EPOISONED, MF_STATE_INDETERMINATE);
}

/* The log could not be written (a full disk, say), and no sync failed. What could not be written is
 * taken back, so that it is certain that it never happened; what was written is made durable. */
static void take_back(struct mf_state *state, int code)
{
    int failure = mf_reclog_discard(state->wal.log, NULL);
    struct mf_reclog_info info;
    mf_reclog_info(state->wal.log, &info);
    state->wal.current.last_seq = info.last_seq;
    state->wal.current.bytes = info.size_bytes;
    if (failure < 0) {
        poison(state, failure);
        return;
    }
    resolve_durable(state, info.last_seq);
    resolve_rest(state, code, MF_STATE_ABORTED);
    struct version head = mf__state_visible(state);
    mf__version_release(&state->head);
    state->head = head;
}

/* Syncs all that is in the log now; the lock is not held meanwhile. `leading` is set by the caller,
 * who also wakes the others. */
static int sync_log(struct mf_state *state, struct mf_errinfo *err)
{
    uint64_t records = state->head.seq - state->durable_seq;
    int64_t begin = now_ns();
    mf_mutex_unlock(&state->lock);
    int code = mf_reclog_sync(state->wal.log, MF_RECLOG_ALL, err);
    mf_mutex_lock(&state->lock);
    struct mf_reclog_info info;
    mf_reclog_info(state->wal.log, &info);
    if (code == 0 || code == MF_EPOISONED) {
        resolve_durable(state, info.durable_seq);
    }
    if (code == MF_EPOISONED) {
        poison(state, -EIO);
    } else if (code < 0) {
        take_back(state, code);
    } else {
        state->unsynced_since_ns = state->head.seq > state->durable_seq ? begin : 0;
        observe(state, "state.synced_commits", records);
        if (state->observer.duration != NULL) {
            state->observer.duration(state->observer.context, "state.sync",
                                     (uint64_t)(now_ns() - begin));
        }
    }
    return code;
}

/* Lets others join this sync for a while. */
static void gather(struct mf_state *state)
{
    int64_t deadline = now_ns() + state->max_delay_ns;
    while (!state->hurry && !state->stopping && state->pending_count < GATHER_MAX &&
           now_ns() < deadline) {
        (void)mf_condition_wait_until(&state->changed, &state->lock, deadline);
    }
}

/* Leads one sync for all that wait. */
static int lead(struct mf_state *state, struct mf_errinfo *err)
{
    state->leading = true;
    if (state->mode == MF_STATE_GROUP) {
        gather(state);
    }
    int code = sync_log(state, err);
    state->leading = false;
    state->hurry = false;
    mf_condition_broadcast(&state->changed);
    return code;
}

static int wait_resolved(struct mf_state *state, struct pending *pending, struct mf_errinfo *err)
{
    if (state->mode == MF_STATE_GROUP && state->pending_count >= GATHER_MAX) {
        mf_condition_broadcast(&state->changed);
    }
    while (!pending->resolved) {
        if (state->leading) {
            mf_condition_wait(&state->changed, &state->lock);
        } else {
            (void)lead(state, NULL);
        }
    }
    if (pending->code == MF_EPOISONED) {
        return mf__state_poisoned(state, err);
    }
    return pending->code == 0
               ? 0
               : mf_fail_os(err, pending->code, "cannot write the log in %.200s", state->wal_path);
}

/* --- segments --- */

/* Starts a new file of the log. While the old one is synced the lock is given up, and `rotating`
 * keeps others from appending. */
static int rotate(struct mf_state *state, struct mf_errinfo *err)
{
    state->leading = true;
    state->rotating = true;
    int code = mf__wal_reserve(&state->wal, err);
    if (code == 0 && state->wal.log != NULL && state->durable_seq < state->head.seq) {
        code = sync_log(state, err);
    }
    if (code == 0) {
        if (state->wal.log != NULL) {
            mf__wal_close_segment(&state->wal);
        }
        code = mf__wal_open(&state->wal, state->head.seq + 1, 0, err);
    }
    state->rotating = false;
    state->leading = false;
    mf_condition_broadcast(&state->changed);
    mf_condition_signal(&state->work);
    return code;
}

/* Waits until a record with such a payload can be appended to the current file. */
static int make_room(struct mf_state *state, size_t len, struct mf_errinfo *err)
{
    for (;;) {
        if (state->poison != 0) {
            return mf__state_poisoned(state, err);
        }
        if (state->rotating) {
            mf_condition_wait(&state->changed, &state->lock);
        } else if (!mf__wal_is_full(&state->wal, len)) {
            return 0;
        } else if (state->leading) {
            state->hurry = true;
            mf_condition_wait(&state->changed, &state->lock);
        } else {
            int code = rotate(state, err);
            if (code < 0) {
                return code;
            }
        }
    }
}

/* --- one commit --- */

/* The head with the changes on top. */
static int build(struct mf_state *state, const struct commit_request *request,
                 struct commit *commit, uint8_t *leaf, struct version *ret_version,
                 struct mf_errinfo *err)
{
    struct version version = mf__version_share(&state->head);
    int code = mf__version_apply(&version, request->changes, request->changes_len);
    if (code < 0) {
        mf__version_release(&version);
        return mf_fail_os(err, code, "cannot apply a commit of %zu bytes", request->changes_len);
    }
    commit->seq = state->head.seq + 1;
    mf__tree_root(&version.tree, commit->root);
    mf__commit_put(leaf, commit);
    if (request->note_len != 0) {
        memcpy(leaf + COMMIT_FIXED_LEN, request->note, request->note_len);
    }
    mf__version_advance(&version, commit, leaf, COMMIT_FIXED_LEN + request->note_len);
    *ret_version = version;
    return 0;
}

/* Appends the record and makes it the head. In RELAXED it is then committed. */
static int append(struct mf_state *state, const struct commit_request *request, const uint8_t *leaf,
                  struct pending *pending, struct mf_errinfo *err)
{
    struct version *version = &pending->version;
    const struct mf_reclog_part parts[] = {
        {leaf, COMMIT_FIXED_LEN + request->note_len},
        {version->log_root, MF_SHA256_LEN},
        {request->changes, request->changes_len},
    };
    size_t len = parts[0].len + parts[1].len + parts[2].len;
    uint64_t seq = 0;
    int code = mf__merkle_log_reserve(state->nodes, state->pending_count + 1);
    if (code < 0) {
        return mf_fail_os(err, code, "cannot commit");
    }
    code = mf_reclog_append_parts(state->wal.log, WAL_RECORD_COMMIT, parts, 3, &seq, err);
    if (code < 0) {
        return code == MF_EPOISONED ? mf__state_poisoned(state, err) : code;
    }
    struct version old = state->head;
    state->head = mf__version_share(version);
    mf__version_release(&old);
    state->wal.current.last_seq = seq;
    state->wal.current.bytes += 32 + ((len + 7) & ~(size_t)7);
    state->logged_bytes += len;
    enqueue(state, pending);
    if (state->mode != MF_STATE_RELAXED) {
        return 0;
    }
    code = mf_reclog_flush(state->wal.log, err);
    if (code < 0) {
        /* Only this one is in memory. A sync that is running covers earlier ones and ends first. */
        take_back(state, code);
        return 0; /* pending->code has it */
    }
    if (state->unsynced_since_ns == 0) {
        state->unsynced_since_ns = now_ns();
        mf_condition_signal(&state->work);
    }
    mf__merkle_log_append(state->nodes, version->leaf_hash);
    resolve(state, 0, MF_STATE_COMMITTED);
    struct version visible = mf__version_share(&state->head);
    mf__state_publish(state, &visible);
    return 0;
}

/* RELAXED without a thread: whoever comes after the loss window syncs. */
static void sync_overdue(struct mf_state *state)
{
    if (state->mode == MF_STATE_RELAXED && !state->has_thread && !state->leading &&
        state->unsynced_since_ns != 0 &&
        now_ns() - state->unsynced_since_ns >= state->loss_window_ns) {
        (void)lead(state, NULL);
    }
}

static int commit_locked(struct mf_state *state, const struct commit_request *request,
                         struct commit *commit, struct pending *pending, struct mf_errinfo *err)
{
    uint8_t leaf[COMMIT_LEAF_MAX];
    size_t len = COMMIT_FIXED_LEN + request->note_len + MF_SHA256_LEN + request->changes_len;
    int code = make_room(state, len, err);
    if (code == 0 && request->tx != NULL) {
        code = mf__tx_check(request->tx, &state->head.tree, err);
        if (code == MF_ECONFLICT) {
            state->conflicts++;
            /* The commit that was in the way may still be on its way itself: the next transaction
             * should see it. */
            uint64_t seq = state->head.seq;
            while (state->mode != MF_STATE_RELAXED && state->durable_seq < seq && state->leading &&
                   state->poison == 0) {
                mf_condition_wait(&state->changed, &state->lock);
            }
        }
    }
    if (code == 0) {
        code = build(state, request, commit, leaf, &pending->version, err);
    }
    if (code < 0) {
        return code;
    }
    code = append(state, request, leaf, pending, err);
    if (code == 0) {
        code = wait_resolved(state, pending, err);
    } else {
        pending->code = code;
    }
    if (code == 0) {
        sync_overdue(state);
    }
    return code;
}

int mf__state_commit(struct mf_state *state, const struct commit_request *request,
                     struct mf_state_result *ret_result, struct mf_errinfo *err)
{
    struct pending pending = {.outcome = MF_STATE_ABORTED};
    struct commit commit = {
        .wall_ns = mf_clock_wall_ns(&state->clock),
        .kind = request->kind,
        .note_len = (uint32_t)request->note_len,
        .change_count = request->change_count,
    };
    mf_sha256(request->changes, request->changes_len, commit.changes_hash);
    mf_mutex_lock(&state->lock);
    int code = commit_locked(state, request, &commit, &pending, err);
    bool due = code == 0 && !state->has_thread && mf__state_checkpoint_due(state);
    mf_mutex_unlock(&state->lock);
    ret_result->outcome = pending.outcome;
    ret_result->seq = pending.outcome != MF_STATE_ABORTED ? pending.version.seq : 0;
    memcpy(ret_result->root, pending.version.root, MF_SHA256_LEN);
    mf__version_release(&pending.version);
    if (due) {
        (void)mf__state_checkpoint(state, NULL); /* mf_state_info() says how it went */
    }
    return code;
}

int mf__state_audit(struct mf_state *state, uint64_t *ret_seq, struct mf_errinfo *err,
                    const char *format, ...)
{
    char note[MF_STATE_NOTE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(note, sizeof note, format, arguments);
    va_end(arguments);
    len = len < 0 ? 0 : len;
    struct commit_request request = {
        .kind = MF_STATE_COMMIT_AUDIT,
        .note = (const uint8_t *)note,
        .note_len = (size_t)len < sizeof note ? (size_t)len : sizeof note - 1,
    };
    struct mf_state_result result;
    int code = mf__state_commit(state, &request, &result, err);
    if (code == 0) {
        *ret_seq = result.seq;
    }
    return code;
}

int mf_state_sync(struct mf_state *state, uint64_t seq, struct mf_errinfo *err)
{
    if ((state->flags & MF_STATE_READ_ONLY) != 0) {
        return mf_fail(err, MF_EREADONLY, "%.200s is open for reading only", state->path);
    }
    int code = 0;
    mf_mutex_lock(&state->lock);
    seq = seq < state->head.seq ? seq : state->head.seq;
    while (code == 0 && state->durable_seq < seq) {
        if (state->poison != 0) {
            code = mf__state_poisoned(state, err);
        } else if (state->leading) {
            state->hurry = true;
            mf_condition_broadcast(&state->changed);
            mf_condition_wait(&state->changed, &state->lock);
        } else {
            state->hurry = true;
            code = lead(state, err);
        }
    }
    mf_mutex_unlock(&state->lock);
    return code;
}
