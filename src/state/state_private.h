/* SPDX-License-Identifier: Apache-2.0
 * state_private.h -- an open store; the essay is in state.c. */
#ifndef STATE_PRIVATE_H
#define STATE_PRIVATE_H

#include "base/buffer.h"
#include "commit_record.h"
#include "merkle_log.h"
#include "os/thread.h"
#include "store_files.h"
#include "tree.h"
#include "wal.h"
#include "wal_follower.h"

#include <mayfly/state.h>

#define HISTORY_FILE_COMMITS 65536u /* in one file of the history */

/* The state after a commit. Owns its handle of the tree. */
struct version {
    struct mf_tree tree;
    uint64_t seq;
    uint8_t root[MF_SHA256_LEN];
    uint8_t log_root[MF_SHA256_LEN];
    struct mf_merkle_frontier log;    /* of the commits 1 .. seq */
    uint8_t leaf_hash[MF_SHA256_LEN]; /* of the last of these */
    uint32_t leaf_len;                /* 0: its leaf stands in the history only */
    uint8_t leaf[COMMIT_LEAF_MAX];
};

/* A commit that is in the log and not known to be durable yet; lives on its thread's stack. */
struct pending {
    struct pending *next;
    struct version version;
    bool resolved;
    int code; /* 0: committed */
    enum mf_state_outcome outcome;
};

struct mf_state {
    /* Set at open. */
    char *path;
    char *wal_path; /* the directory of the log */
    uint32_t flags;
    enum mf_state_mode mode;
    uint64_t wal_bytes_max;
    uint32_t wal_files_max;
    int64_t max_delay_ns;
    int64_t loss_window_ns;
    struct mf_env env;
    struct mf_clock clock;
    struct mf_observer observer;
    struct store_identity identity;
    uint32_t kind; /* tag of its record files */
    struct mf_file *lock_file;
    struct mf_state_report report; /* READ_ONLY: under `lock` */

    struct mf_mutex lock;        /* guards what follows */
    struct mf_condition changed; /* a sync, a rotation or a checkpoint ended, or a commit came */
    struct mf_condition work;    /* for the thread: something is due, or stop */
    struct wal wal;
    struct version head;   /* with all that is in the log */
    struct pending *first; /* in order of their numbers */
    struct pending *last;
    size_t pending_count;
    uint64_t durable_seq;
    int poison;   /* code of the failed sync, or 0 */
    bool leading; /* some thread syncs, or changes the segment, without the lock */
    bool rotating;
    bool hurry;                /* somebody waits: no gathering for GROUP */
    int64_t unsynced_since_ns; /* monotonic, RELAXED: the oldest commit not synced; 0: none */
    uint64_t conflicts;
    bool checkpointing;
    bool checkpoint_wanted;    /* at the next occasion, whatever the size of the log */
    uint64_t checkpoint_seq;   /* the newest; 0: none */
    uint64_t checkpoint_prior; /* the one before; 0: none */
    uint64_t checkpoint_mark;  /* bytes ever logged when the last one was tried */
    uint64_t logged_bytes;     /* ever, by this handle */
    int checkpoint_code;
    bool preparing; /* a file for the log */
    bool stopping;

    struct mf_mutex visible_lock; /* guards `visible`; taken last, held shortly */
    struct version visible;       /* what a transaction sees */

    struct mf_merkle_log *nodes; /* of the visible commits; NULL: salvaged without */

    struct mf_reclog *history; /* the file that is appended to; by who is checkpointing */
    uint64_t history_seq;      /* of the last commit in it */
    bool history_unknown;      /* it could not be written; to be opened anew */

    struct mf_mutex refresh_lock; /* READ_ONLY: guards `follower`, and `head` */
    struct wal_follower follower;
    bool follow_anew; /* the follower is not where `head` is */

    bool has_thread;
    struct mf_thread thread;
};

/* --- versions (state_version.c) --- */

/* A second one of the same commit. The first must not be changed at the same time. */
struct version mf__version_share(struct version *version);
void mf__version_release(struct version *version);
/* Adds the leaf of a commit to the version's log, and takes over its number and root. The root of
 * the log is that of the record, where the commit has one, to be checked at the end; otherwise it
 * is calculated. */
void mf__version_advance(struct version *version, const struct commit *commit, const uint8_t *leaf,
                         size_t leaf_len);
/* Applies the changes of a record to the tree. 0, -ENOMEM, MF_ELIMIT; MF_ECORRUPT: not changes. */
int mf__version_apply(struct version *version, const uint8_t *changes, size_t len);
/* Whether the tree and the log have the roots that were committed: 0, or MF_ECORRUPT. */
int mf__version_check(struct version *version, struct mf_errinfo *err);
/* What a transaction sees now. */
struct version mf__state_visible(struct mf_state *state);
/* Replaces it; takes `version` over. */
void mf__state_publish(struct mf_state *state, struct version *version);

/* --- committing (state_commit.c) --- */

struct commit_request {
    uint32_t kind;
    uint64_t change_count;
    const uint8_t *changes;
    size_t changes_len;
    const uint8_t *note;
    size_t note_len;
    const struct mf_state_tx *tx; /* to be checked against the head; NULL: nothing */
};
int mf__state_commit(struct mf_state *state, const struct commit_request *request,
                     struct mf_state_result *ret_result, struct mf_errinfo *err);
/* Whether what the transaction read and expects holds in `head`: 0, MF_ECONFLICT. (state_tx.c) */
int mf__tx_check(const struct mf_state_tx *tx, const struct mf_tree *head, struct mf_errinfo *err);
/* Writes an event of the store into the log. */
int mf__state_audit(struct mf_state *state, uint64_t *ret_seq, struct mf_errinfo *err,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
int mf__state_poisoned(const struct mf_state *state, struct mf_errinfo *err);

/* --- checkpoints (state_checkpoint.c, checkpoint_file.c) --- */

/* Whether one is to be written; lock held. */
bool mf__state_checkpoint_due(const struct mf_state *state);
/* mf_state_checkpoint() for a store that is open for writing; how it went is kept. */
int mf__state_checkpoint(struct mf_state *state, struct mf_errinfo *err);
/* Reads the checkpoint `path`. `salvage`: takes what is whole of a damaged one, and counts what is
 * not. The root is computed and compared, unless entries were lost. */
struct checkpoint_damage {
    uint64_t lost_keys;
    char sentence[380];
};
int mf__checkpoint_read(const struct mf_env *env, const char *path, uint32_t kind, uint64_t seq,
                        struct checkpoint_damage *salvage, struct version *ret_version,
                        struct mf_errinfo *err);
int mf__checkpoint_write(const struct mf_env *env, const char *directory, uint32_t kind,
                         const uint8_t *id, struct version *version, struct mf_errinfo *err);

/* --- the history (state_history.c) --- */

/* Opens the newest file of the history for appending; what it must hold: `expect_seq`. */
int mf__history_open(struct mf_state *state, uint64_t expect_seq, struct mf_errinfo *err);
/* Copies the commits up to `seq` from the log into the history and makes them durable. */
int mf__history_extend(struct mf_state *state, uint64_t seq, struct mf_errinfo *err);

/* --- recovery (state_recover.c) --- */

/* Loads the newest checkpoint that is good and what the log has after it, into `ret_version`;
 * nothing is written. The follower, which the caller ends, stays where the log ends. Fills
 * `report`. 0: the log ends there; MF_ETORN: in an incomplete record, err says where; otherwise the
 * store cannot be opened, and *ret_version is empty. */
int mf__state_load(struct mf_state *state, struct mf_state_report *report,
                   struct wal_follower *follower, struct version *ret_version,
                   struct mf_errinfo *err);
/* Adds one commit of the log to the version, and its leaf to the nodes. After a failure the version
 * is good for nothing but its release. */
int mf__state_apply(struct mf_state *state, struct version *version, const struct commit *commit,
                    struct mf_errinfo *err);
/* Makes a new store. (state.c) */
int mf__state_create(struct mf_state *state, const struct mf_state_options *options,
                     struct mf_errinfo *err);
/* The empty state, whose log was just made. */
int mf__state_recover_empty(struct mf_state *state, struct mf_errinfo *err);
/* Loads it for writing: cuts the torn end, makes durable what is there. */
int mf__state_recover(struct mf_state *state, struct mf_errinfo *err);
/* Loads it for reading. (state_reader.c) */
int mf__state_read(struct mf_state *state, struct mf_errinfo *err);

#endif
