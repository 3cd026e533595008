/* SPDX-License-Identifier: Apache-2.0
 * wal.h -- the write-ahead log of a store: record files (reclog), each named by the number of the
 * first commit in it. The last one is appended to. */
#ifndef STATE_WAL_H
#define STATE_WAL_H

#include "store_files.h"

#include <mayfly/reclog.h>

#define WAL_RECORD_COMMIT 1u /* the type of its records */

struct wal_segment {
    uint64_t first_seq;
    uint64_t last_seq;
    uint64_t bytes;
};

struct wal {
    struct mf_env env;     /* clock and file system */
    const char *directory; /* borrowed */
    uint32_t kind;
    uint64_t segment_bytes;
    struct mf_reclog *log;      /* the current one; NULL: it could not be made yet */
    struct wal_segment current; /* last_seq and bytes are kept by the owner */
    struct wal_segment *closed; /* ascending */
    size_t closed_count;
    size_t closed_capacity;
    uint64_t syncs;   /* of closed ones */
    bool spare_ready; /* STORE_SPARE is whole */
};

/* Opens (makes, where there is none) the segment for appending that begins with `first_seq`.
 * `expect_seq`: known to be durable, 0: nothing. */
int mf__wal_open(struct wal *wal, uint64_t first_seq, uint64_t expect_seq, struct mf_errinfo *err);
/* Whether a record with a payload of `len` bytes belongs into a new segment. */
bool mf__wal_is_full(const struct wal *wal, size_t len);
/* Room for one more closed segment, so that mf__wal_close_segment() cannot fail. */
int mf__wal_reserve(struct wal *wal, struct mf_errinfo *err);
/* Closes the current segment, all of which is durable. */
void mf__wal_close_segment(struct wal *wal);
int mf__wal_add_closed(struct wal *wal, const struct wal_segment *segment, struct mf_errinfo *err);
/* Takes the closed segments that end at or below `seq` off the list; the caller removes their files
 * with mf__wal_remove(), which needs no lock, and frees the array. */
int mf__wal_detach(struct wal *wal, uint64_t seq, struct wal_segment **ret_segments,
                   size_t *ret_count, struct mf_errinfo *err);
int mf__wal_remove(const struct wal *wal, const struct wal_segment *segments, size_t count,
                   struct mf_errinfo *err);
uint64_t mf__wal_bytes(const struct wal *wal);
/* Makes a file of zeros, on disk, to become the next segment; the owner sets spare_ready then. */
int mf__wal_prepare(struct wal *wal, struct mf_errinfo *err);
int mf__wal_close(struct wal *wal, struct mf_errinfo *err);

#endif
