/* SPDX-License-Identifier: Apache-2.0
 *
 * state.h -- an ordered key-value state whose commits are atomic, durable and provable.
 *
 * A store is a directory. One process writes, from any number of threads; any number of processes
 * read at the same time with read permission only. The state is held in memory; each commit is one
 * record in a write-ahead log and one flush, whatever the size of the state. Every commit has a
 * number (1, 2, ...), the root of an authenticated tree over all keys and values, and the root of
 * an append-only Merkle log over all commits (proof.h makes and checks proofs of both).
 *
 *     struct mf_state_options options = MF_STATE_OPTIONS_INIT;
 *     options.flags = MF_STATE_CREATE;
 *     mf_state_open("ledger", &options, NULL, &state, &err);
 *     mf_state_begin(state, &tx, &err);
 *     mf_state_put(tx, MF_STATE_TEXT("answer"), MF_STATE_TEXT("42"), &err);
 *     mf_state_commit(tx, &result, &err);                 returns when it is on disk
 *     mf_state_close(state, &err);
 *
 * What is lost, of the commits that were reported as COMMITTED:
 *
 *     mode      acknowledged when                        SIGKILL takes   a power cut takes
 *     DURABLE   its record is synced                     nothing         nothing
 *     GROUP     the same, after waiting up to            nothing         nothing
 *               max_delay_ns for others to share it
 *     RELAXED   its record is in the page cache          nothing         what is not synced yet, at
 *                                                                        most loss_window_ns (1)
 *
 *     A failed sync takes what a power cut would.
 *     (1) With a thread of its own (MF_STATE_BACKGROUND) or an owner who calls mf_state_maintain()
 *     that often. mf_state_info().durable_seq says at any time how far the commits are safe, and
 *     mf_state_sync() makes them so.
 *
 * Isolation: a transaction reads the state as it was when it began, with its own changes on top.
 * Commits are serialisable: one whose reads (keys found or absent, ranges scanned) no longer hold
 * is refused with MF_ECONFLICT and changes nothing; run the transaction again. What is read is
 * always committed as the mode says, never a commit on its way.
 *
 * Keys are ordered as bytes (memcmp, then the shorter first).
 *
 * Thread words: [any-thread] safe at any time from any thread; [tx-thread] one thread at a time per
 * transaction or cursor; [owner-thread] no other call on the store may run.
 */
#ifndef MAYFLY_STATE_H
#define MAYFLY_STATE_H

#include <mayfly/env.h>
#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mf_state;        /* an open store */
struct mf_state_tx;     /* a transaction, or a snapshot: a transaction that only reads */
struct mf_state_cursor; /* a walk over a range */

#define MF_STATE_KEY_MAX   4096u       /* bytes; a key has at least one */
#define MF_STATE_VALUE_MAX (16u << 20) /* bytes; may be none */
#define MF_STATE_COMMIT_MAX                                                                        \
    (63u << 20)                 /* bytes of one commit: keys, values, 16 for each change           \
                                 */
#define MF_STATE_NOTE_MAX 1024u /* bytes of a commit's note */
#define MF_STATE_HASH_LEN 32u   /* SHA-256 */
#define MF_STATE_ID_LEN   16u

/* Bytes of the caller's: [borrow] for the call. Bytes given to the caller: see each function. */
struct mf_state_bytes {
    const void *bytes;
    size_t len;
};
/* A string without its end. */
#ifdef __cplusplus
#define MF_STATE_TEXT(text) (mf_state_bytes{(text), __builtin_strlen(text)})
#define MF_STATE_NONE       (mf_state_bytes{nullptr, 0})
#else
#define MF_STATE_TEXT(text) ((struct mf_state_bytes){(text), __builtin_strlen(text)})
#define MF_STATE_NONE       ((struct mf_state_bytes){NULL, 0})
#endif

/* --- opening
 * ------------------------------------------------------------------------------------- */

enum mf_state_flags {
    MF_STATE_CREATE = 1,     /* make the store when there is none; otherwise that is -ENOENT */
    MF_STATE_EXCLUSIVE = 2,  /* with CREATE: MF_EEXISTS when there is one */
    MF_STATE_READ_ONLY = 4,  /* no lock, nothing is written; follows a writer by refresh */
    MF_STATE_SALVAGE = 8,    /* READ_ONLY, and damage does not refuse: what is whole is there, and
                                mf_state_report() says what is not */
    MF_STATE_BACKGROUND = 16 /* a thread of the store's own does what mf_state_maintain() does;
                                without it, checkpoints are written by the commit that is due */
};

enum mf_state_mode { MF_STATE_DURABLE = 0, MF_STATE_GROUP = 1, MF_STATE_RELAXED = 2 };

struct mf_state_options {
    uint32_t size;           /* sizeof this struct */
    uint32_t flags;          /* enum mf_state_flags */
    enum mf_state_mode mode; /* see above */
    uint32_t wal_files_max;  /* log files kept, together with wal_bytes_max; 0: 10; at least 4 */
    uint64_t wal_bytes_max;  /* of the log: a checkpoint is written at half of it, and the log up to
                                the checkpoint before can then go; 0: 100 MB; at least 64 KiB */
    int64_t max_delay_ns;    /* GROUP: 0: 1 ms */
    int64_t loss_window_ns;  /* RELAXED: 0: 1 s */
    const char *wal_path;    /* directory of the log, may be on another file system; relative to the
                                store. At creation it is stored, NULL: the store itself; later NULL:
                                the stored one, otherwise this (for a log that was moved) */
    uint64_t reserved[4];    /* zero */
};
#define MF_STATE_OPTIONS_INIT                                                                      \
    {                                                                                              \
        sizeof(struct mf_state_options), 0, MF_STATE_DURABLE, 0, 0, 0, 0, NULL,                    \
        {                                                                                          \
            0, 0, 0, 0                                                                             \
        }                                                                                          \
    }

/* Opens the store in the directory `path`, recovers it (checkpoint, then the log), checks its root
 * and, unless READ_ONLY, locks it. options, env: [borrow] for the call, may be NULL; env's members
 * must outlive the store. Everything recovered is durable on return. Errors:
 *   -ENOENT        no store there and no CREATE; nothing is made
 *   MF_EEXISTS     EXCLUSIVE and there is one
 *   MF_ELOCKED     another process writes
 *   MF_ECORRUPT    something is damaged that was durable, or missing; the message names file and
 *                  offset, nothing is changed: restore it from a copy or use SALVAGE
 *   MF_EFORMAT, MF_EVERSION   foreign, newer
 *   MF_EMISMATCH   the log belongs to another store
 *   MF_EVALUE      bad options; -ENOSPC, -ENOMEM, -errno
 * [any-thread] */
MF_API MF_MUST_CHECK int mf_state_open(const char *path, const struct mf_state_options *options,
                                       const struct mf_env *env, struct mf_state **ret_state,
                                       struct mf_errinfo *err);

/* Syncs what RELAXED left, ends the thread, unlocks and frees. NULL is allowed. Transactions and
 * cursors must have ended. A failure means that commits after durable_seq may be lost; the store is
 * closed all the same. [owner-thread] */
MF_API int mf_state_close(struct mf_state *state, struct mf_errinfo *err);

struct mf_state_info {
    uint64_t seq;         /* of the last commit that can be read */
    uint64_t durable_seq; /* safe against a power cut up to here (READ_ONLY: as far as is known) */
    uint64_t keys;
    uint64_t bytes;                      /* of all keys and values */
    uint8_t root[MF_STATE_HASH_LEN];     /* of the state at seq */
    uint8_t log_root[MF_STATE_HASH_LEN]; /* of the Merkle log over the commits 1 .. seq */
    uint8_t id[MF_STATE_ID_LEN];         /* of the store, random */
    int64_t created_wall_ns;
    uint64_t checkpoint_seq; /* of the newest checkpoint; 0: none yet */
    uint64_t wal_bytes;      /* of the log files */
    uint32_t wal_files;
    uint32_t flags; /* as opened */
    enum mf_state_mode mode;
    bool poisoned;       /* a sync has failed: close and open again */
    uint64_t syncs;      /* of the log since open */
    uint64_t conflicts;  /* commits refused since open */
    int checkpoint_code; /* of the last checkpoint: 0, or why it failed (tried again) */
};
/* A view of the store as it is now. [any-thread] */
MF_API void mf_state_info(struct mf_state *state, struct mf_state_info *ret_info);

/* What opening found and did. */
struct mf_state_report {
    bool created;                /* by this open */
    bool clean;                  /* the log ended in a proper close */
    bool root_verified;          /* the root was computed anew and is the one that was committed */
    uint64_t checkpoint_seq;     /* of the checkpoint that was used; 0: from the beginning */
    uint32_t checkpoints_bad;    /* newer ones that could not be used */
    uint64_t replayed;           /* commits taken from the log */
    uint64_t seq;                /* of the last commit found */
    uint64_t torn_bytes;         /* cut off the end of the log: of commits never acknowledged */
    uint64_t torn_commits;       /* whole ones among them, which followed an incomplete one */
    uint64_t torn_offset;        /* where that began in torn_file */
    uint32_t temporary_files;    /* of a checkpoint in progress, removed */
    uint64_t audit_seq;          /* the commit that keeps this report in the log; 0: there was
                                    nothing to keep */
    uint64_t lost_keys_at_least; /* SALVAGE: entries of the checkpoint that were damaged */
    int64_t duration_ns;
    char torn_file[64]; /* name inside the log's directory, empty: none */
    char damage[380];   /* SALVAGE, checkpoints_bad: a sentence with file and offset */
};
/* Of the last open, or of the last mf_state_refresh() that started anew. [any-thread] */
MF_API void mf_state_report(struct mf_state *state, struct mf_state_report *ret_report);

/* READ_ONLY: takes in what was committed since. *ret_changed may be NULL. What a writer has written
 * and not yet synced is seen too; durable_seq says how far it is known to be safe. Transactions
 * that are open keep what they see. MF_ECORRUPT: as in open; the store keeps what it has.
 * [any-thread] */
MF_API MF_MUST_CHECK int mf_state_refresh(struct mf_state *state, bool *ret_changed,
                                          struct mf_errinfo *err);

/* --- transactions
 * ---------------------------------------------------------------------------------- */

/* Begins a transaction on the state as it is now. It must end in commit or abort. MF_EREADONLY on a
 * READ_ONLY store; MF_EPOISONED. [any-thread] */
MF_API MF_MUST_CHECK int mf_state_begin(struct mf_state *state, struct mf_state_tx **ret_tx,
                                        struct mf_errinfo *err);
/* Begins a transaction that only reads: it never conflicts, works on every store, also on a
 * poisoned one, costs nothing to keep but the memory of what changes meanwhile, and ends in
 * mf_state_abort(). [any-thread] */
MF_API MF_MUST_CHECK int mf_state_snapshot(struct mf_state *state, struct mf_state_tx **ret_tx,
                                           struct mf_errinfo *err);
/* The commit that the transaction sees; root (MF_STATE_HASH_LEN bytes) may be NULL. [tx-thread] */
MF_API uint64_t mf_state_tx_seq(const struct mf_state_tx *tx, uint8_t *ret_root);

/* Sets the value of a key. key, value: [copy]. MF_ELIMIT: a limit above. [tx-thread] */
MF_API MF_MUST_CHECK int mf_state_put(struct mf_state_tx *tx, struct mf_state_bytes key,
                                      struct mf_state_bytes value, struct mf_errinfo *err);
/* Removes a key; one that is absent stays so. [tx-thread] */
MF_API MF_MUST_CHECK int mf_state_delete(struct mf_state_tx *tx, struct mf_state_bytes key,
                                         struct mf_errinfo *err);
/* Commits only if the key has this value just before, whatever this transaction read. [copy].
 * [tx-thread] */
MF_API MF_MUST_CHECK int mf_state_expect(struct mf_state_tx *tx, struct mf_state_bytes key,
                                         struct mf_state_bytes value, struct mf_errinfo *err);
/* Commits only if the key is absent just before. [tx-thread] */
MF_API MF_MUST_CHECK int mf_state_expect_absent(struct mf_state_tx *tx, struct mf_state_bytes key,
                                                struct mf_errinfo *err);
/* A remark that is kept in the Merkle log with the commit, at most MF_STATE_NOTE_MAX bytes; the
 * last one counts. [tx-thread] */
MF_API MF_MUST_CHECK int mf_state_note(struct mf_state_tx *tx, struct mf_state_bytes note,
                                       struct mf_errinfo *err);

/* The value of a key: 1 and *ret_value, 0 when it is absent, or negative. The bytes are valid until
 * the next change in this transaction, or its end. [tx-thread] */
MF_API MF_MUST_CHECK int mf_state_get(struct mf_state_tx *tx, struct mf_state_bytes key,
                                      struct mf_state_bytes *ret_value, struct mf_errinfo *err);

/* Walks over the keys from `from` (MF_STATE_NONE: the first) up to, not including, `to`
 * (MF_STATE_NONE: the end), as they are now; later changes of the transaction are not seen. [copy].
 * [tx-thread] */
MF_API MF_MUST_CHECK int mf_state_scan(struct mf_state_tx *tx, struct mf_state_bytes from,
                                       struct mf_state_bytes to,
                                       struct mf_state_cursor **ret_cursor, struct mf_errinfo *err);
/* The same over all keys that begin with `prefix`. */
MF_API MF_MUST_CHECK int mf_state_scan_prefix(struct mf_state_tx *tx, struct mf_state_bytes prefix,
                                              struct mf_state_cursor **ret_cursor,
                                              struct mf_errinfo *err);
/* The next entry: 1, 0 at the end, or negative. The bytes are valid until the cursor is closed.
 * [tx-thread] */
MF_API MF_MUST_CHECK int mf_state_next(struct mf_state_cursor *cursor,
                                       struct mf_state_bytes *ret_key,
                                       struct mf_state_bytes *ret_value, struct mf_errinfo *err);
/* Before the transaction ends. NULL is allowed. */
MF_API void mf_state_cursor_close(struct mf_state_cursor *cursor);

enum mf_state_outcome {
    MF_STATE_ABORTED = 0,      /* nothing happened, and never will */
    MF_STATE_COMMITTED = 1,    /* as safe as the mode says */
    MF_STATE_INDETERMINATE = 2 /* a sync failed: it may or may not be there after the next open */
};

struct mf_state_result {
    enum mf_state_outcome outcome;
    uint64_t seq;                    /* COMMITTED: its number; INDETERMINATE: the one it may have */
    uint8_t root[MF_STATE_HASH_LEN]; /* of the state after it */
};

/* Commits all changes of the transaction as one, and ends it in every case. 0: COMMITTED. Otherwise
 * a negative code; *ret_result (may be NULL) is filled in both cases.
 *   MF_ECONFLICT   ABORTED: what was read or expected does not hold any more; try again
 *   MF_EPOISONED   INDETERMINATE when this commit was in the sync that failed, ABORTED when that
 *                  was before; close the store and open it again
 *   -ENOSPC, -ENOMEM, -EIO ...   ABORTED: nothing changed; it can be tried again
 * A transaction without changes and without a note writes nothing; what it expects is checked, and
 * seq is that of the state in which it holds. [tx-thread] */
MF_API MF_MUST_CHECK int mf_state_commit(struct mf_state_tx *tx, struct mf_state_result *ret_result,
                                         struct mf_errinfo *err);
/* Ends the transaction; nothing happens. NULL is allowed. [tx-thread] */
MF_API void mf_state_abort(struct mf_state_tx *tx);

enum mf_state_change_kind {
    MF_STATE_PUT = 1,
    MF_STATE_DELETE = 2,
    MF_STATE_EXPECT = 3,
    MF_STATE_EXPECT_ABSENT = 4
};
struct mf_state_change {
    enum mf_state_change_kind kind;
    struct mf_state_bytes key;
    struct mf_state_bytes value; /* of PUT and EXPECT */
};
/* Begin, changes, commit in one call; errors as for each of them. [any-thread] */
MF_API MF_MUST_CHECK int mf_state_batch(struct mf_state *state,
                                        const struct mf_state_change *changes, size_t count,
                                        struct mf_state_result *ret_result, struct mf_errinfo *err);

/* --- upkeep
 * --------------------------------------------------------------------------------------- */

/* Waits until the commits up to `seq` (UINT64_MAX: all so far) are durable. [any-thread] */
MF_API MF_MUST_CHECK int mf_state_sync(struct mf_state *state, uint64_t seq,
                                       struct mf_errinfo *err);
/* Writes a checkpoint of the state as it is now and drops the log that is no longer needed; commits
 * go on meanwhile. Nothing to do when nothing was committed since the last one. [any-thread] */
MF_API MF_MUST_CHECK int mf_state_checkpoint(struct mf_state *state, struct mf_errinfo *err);
/* Does what is due, for an owner who gives it a thread of his own: the sync of RELAXED, a
 * checkpoint, zeros for the next log file. *ret_wait_ns (may be NULL): when to come again, at the
 * latest. [any-thread] */
MF_API MF_MUST_CHECK int mf_state_maintain(struct mf_state *state, int64_t *ret_wait_ns,
                                           struct mf_errinfo *err);

/* --- the log of commits
 * --------------------------------------------------------------------------- */

enum mf_state_commit_kind {
    MF_STATE_COMMIT_CHANGES = 1, /* of a transaction */
    MF_STATE_COMMIT_AUDIT = 2    /* an event of the store itself: created, recovered; see note */
};
struct mf_state_commit_info {
    uint64_t seq;
    int64_t wall_ns; /* when it was made, by the writer's clock */
    enum mf_state_commit_kind kind;
    uint64_t changes;                        /* how many puts and deletes */
    struct mf_state_bytes note;              /* valid during the call */
    uint8_t root[MF_STATE_HASH_LEN];         /* of the state after it */
    uint8_t changes_hash[MF_STATE_HASH_LEN]; /* SHA-256 of its changes as written in the log */
    struct mf_state_bytes leaf; /* the bytes that are the leaf `seq - 1` of the Merkle log */
};
/* Calls visit for the commits from .. to (UINT64_MAX: the last that can be read), in order; stops
 * at a non-zero return, which it returns. [any-thread] */
MF_API MF_MUST_CHECK int mf_state_log(struct mf_state *state, uint64_t from, uint64_t to,
                                      int (*visit)(void *context,
                                                   const struct mf_state_commit_info *info),
                                      void *context, struct mf_errinfo *err);

#ifdef __cplusplus
}
#endif
#endif
