/* SPDX-License-Identifier: Apache-2.0
 *
 * merkle_log.h -- the nodes of the Merkle tree over all commits of a store, in one file that only
 * grows, so that a proof is a few reads.
 *
 * What its owner does:
 *   - Opening: tells the frontier that a checkpoint attests (all zero: none). What the file has
 * beyond that counts for nothing and comes again from the write-ahead log, commit by commit, by
 * append(); the owner compares the roots with those in the records.
 *   - A commit: calculates on a frontier of its own what the root will be; reserve(); makes the
 * commit durable; append(), which cannot fail. Nothing here is written or synced by a commit.
 *   - Now and then, when buffered() is much: write().
 *   - A checkpoint: sync(), then the checkpoint with the frontier as it was at that moment, and
 * only when that is durable may the write-ahead log of these commits go. So the file never holds
 * anything that is not attested or still to be replayed.
 *
 * Thread rule: proofs from any thread at any time; everything else from one thread at a time.
 */
#ifndef STATE_MERKLE_LOG_H
#define STATE_MERKLE_LOG_H

#include "merkle.h"
#include "os/file.h"

#define MF_MERKLE_ID_LEN 16

struct mf_merkle_log;

enum mf_merkle_log_flags {
    MF_MERKLE_LOG_CREATE = 1,   /* make the file when there is none; *attested must be empty then */
    MF_MERKLE_LOG_READ_ONLY = 2 /* nothing is written: what is appended stays in memory */
};

/* `id` is the store's; fs and path: [borrow] for the call, fs must outlive the log. Errors:
 *   -ENOENT        no file, and no CREATE
 *   MF_EFORMAT, MF_EVERSION   foreign, newer;  MF_EMISMATCH: of another store
 *   MF_ECORRUPT    the file does not have what *attested says; the message names the offset
 *   -errno, -ENOMEM */
int mf__merkle_log_open(const struct mf_fs *fs, const char *path, unsigned flags,
                        const uint8_t id[MF_MERKLE_ID_LEN],
                        const struct mf_merkle_frontier *attested, struct mf_merkle_log **ret_log,
                        struct mf_errinfo *err);
/* NULL is allowed. Writes and syncs nothing. */
void mf__merkle_log_close(struct mf_merkle_log *log);

/* Room for so many more leaves: 0 or -ENOMEM. */
int mf__merkle_log_reserve(struct mf_merkle_log *log, size_t leaves);
/* Room must have been reserved. */
void mf__merkle_log_append(struct mf_merkle_log *log, const uint8_t leaf[MF_SHA256_LEN]);
/* The list as it is now. */
void mf__merkle_log_frontier(struct mf_merkle_log *log, struct mf_merkle_frontier *ret_frontier);

/* Bytes that are in memory only. */
size_t mf__merkle_log_buffered(struct mf_merkle_log *log);
/* Hands them to the system. After a failure (a full disk) they stay and nothing is lost; call
 * again. */
int mf__merkle_log_write(struct mf_merkle_log *log, struct mf_errinfo *err);
/* The same, and makes them durable. After a failed sync: MF_EPOISONED for ever; close and open. */
int mf__merkle_log_sync(struct mf_merkle_log *log, struct mf_errinfo *err);

/* Proofs for the list of `size` leaves, at most as many as there are (MF_EVALUE). Each is verified
 * before it is handed out, up to the root that is known in memory: MF_ECORRUPT when the file no
 * longer has what it had. The roots are those at `size` and at `old_size`. */
int mf__merkle_log_prove_leaf(struct mf_merkle_log *log, uint64_t index, uint64_t size,
                              struct mf_merkle_path *ret_path, uint8_t ret_leaf[MF_SHA256_LEN],
                              uint8_t ret_root[MF_SHA256_LEN], struct mf_errinfo *err);
int mf__merkle_log_prove_extension(struct mf_merkle_log *log, uint64_t old_size, uint64_t size,
                                   struct mf_merkle_path *ret_path,
                                   uint8_t ret_old_root[MF_SHA256_LEN],
                                   uint8_t ret_root[MF_SHA256_LEN], struct mf_errinfo *err);
int mf__merkle_log_root_at(struct mf_merkle_log *log, uint64_t size,
                           uint8_t ret_root[MF_SHA256_LEN], struct mf_errinfo *err);

/* Reads everything and calculates it anew: 0, or MF_ECORRUPT with the offset of the first node that
 * is not the hash of the two below it. */
int mf__merkle_log_check(struct mf_merkle_log *log, struct mf_errinfo *err);

#endif
