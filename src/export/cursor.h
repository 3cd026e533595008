/* SPDX-License-Identifier: Apache-2.0
 *
 * cursor.h -- how far one peer has acknowledged the series of one store, kept in a file.
 *
 *   0  magic "MFCURS\r\n"
 *   8  version u32 = 1
 *  12  flags u32: 1 the peer knows remote write 1.0 only
 *  16  created i64: the store's creation time; of another store the cursor says nothing
 *  24  buckets per octave u32; with others, histograms begin anew
 *  28  entries u32
 *  32  entries, each:
 *        hash u64, check u32 (FNV-1a and CRC-32C of the series' text `name{a="b"}`)
 *        until i64, in ns: the end of the last acknowledged slot
 *        open i64, in ms: the time under which the open slot after it was sent; INT64_MIN: not
 *        buckets u16, and when not 0: sum f64, then that many pairs of varints
 *          (distance to the next bucket with observations, observations)
 *  ..  crc32c u32 of everything before
 *
 * The file is replaced in one step (mf_fs_replace), so a crash leaves the old or the new one. A
 * file that is damaged or of another store is as good as none: the push begins at the oldest slot,
 * and what the peer has already it refuses (push.c says how that ends).
 */
#ifndef EXPORT_CURSOR_H
#define EXPORT_CURSOR_H

#include "buckets.h"

#include "os/file.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CURSOR_PEER_V1 1u

struct cursor_entry {
    uint64_t hash;
    uint32_t check;
    bool seen; /* its series is in the store */
    int64_t until_ns;
    int64_t open_ms;
    struct buckets *totals; /* of a histogram: what was acknowledged; else NULL */
};

struct cursor {
    uint32_t flags;
    int64_t created_ns;
    uint32_t per_octave;
    struct cursor_entry *entries;
    size_t count;
    size_t capacity;
    uint32_t *table; /* index + 1 by hash, open addressing; a power of two */
    size_t mask;
    bool discarded; /* there was a file, but nothing in it could be used */
};

/* Reads the cursor file, or begins an empty one. -ENOMEM and errors of reading only. */
int mf__cursor_load(struct cursor *cursor, const struct mf_fs *fs, const char *path,
                    int64_t created_ns, uint32_t per_octave, struct mf_errinfo *err);
void mf__cursor_free(struct cursor *cursor);

/* The entry of a series, made when it is new; NULL when memory is out. Valid until the next call.
 */
struct cursor_entry *mf__cursor_entry_of(struct cursor *cursor, const char *series_text);

/* Drops the entries of series that were not asked for since the cursor was loaded; whether there
 * were any. */
bool mf__cursor_forget_unseen(struct cursor *cursor);

/* Writes all entries durably. */
int mf__cursor_save(const struct cursor *cursor, const struct mf_fs *fs, const char *path,
                    struct mf_errinfo *err);

#endif
