/* SPDX-License-Identifier: Apache-2.0
 * wal_follower.h -- reading the commits of a write-ahead log in order, across its files, also while
 * it is written. */
#ifndef STATE_WAL_FOLLOWER_H
#define STATE_WAL_FOLLOWER_H

#include "commit_record.h"
#include "wal.h"

struct wal_follower {
    struct mf_env env;
    const char *directory; /* borrowed */
    uint32_t kind;
    uint64_t next_seq;
    struct mf_reclog_reader *reader; /* NULL: not at a file yet */
    uint64_t segment_seq;            /* its first */
};

/* Starts at commit `next_seq`; opens nothing yet. */
void mf__follower_init(struct wal_follower *follower, const struct mf_env *env,
                       const char *directory, uint32_t kind, uint64_t next_seq);
void mf__follower_fini(struct wal_follower *follower);

/* The next commit:
 *   1             *ret_commit is filled; its pointers are valid until the next call
 *   0             the end so far
 *   MF_ETORN      the log ends in an incomplete record and nobody is writing
 *   MF_ECORRUPT   damaged, or commits are missing between two files
 *   MF_ESTALE     the file that holds the commit is not there: it was dropped, or is lost
 *   MF_EMISMATCH  the log is of another store
 * After a negative code the follower stays where it is. */
int mf__follower_next(struct wal_follower *follower, struct commit *ret_commit,
                      struct mf_errinfo *err);
/* For messages: the name of the file and the offset where the next record starts. */
void mf__follower_place(const struct wal_follower *follower, char *ret_name, size_t name_len,
                        uint64_t *ret_offset);

#endif
