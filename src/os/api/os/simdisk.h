/* SPDX-License-Identifier: Apache-2.0
 *
 * simdisk.h -- a disk in memory for crash tests, behind the same table as the real file system.
 *
 * It remembers for every file what is durable and what was written since the last sync, page by page
 * and write by write, and for every directory which creations, renames and removals were not synced.
 * A power cut builds the disk that a machine might find after it: of all that was not synced each
 * 512-byte sector is kept, dropped or torn, and directory operations are kept or dropped in any order
 * that the file system could have chosen, from a seed. Mapped memory takes part: each dirty page may or
 * may not have been written back.
 */
#ifndef OS_SIMDISK_H
#define OS_SIMDISK_H

#include "os/file.h"

struct mf_simdisk;

struct mf_simdisk_cut {
    uint64_t seed;
    bool keep_nothing; /* only what was synced survives */
    bool keep_all;     /* everything survives (as after a process kill) */
};

struct mf_simdisk *mf_simdisk_new(uint64_t capacity_bytes); /* 0: unlimited. NULL: out of memory */
void mf_simdisk_free(struct mf_simdisk *disk);
const struct mf_fs *mf_simdisk_fs(struct mf_simdisk *disk);

/* The Nth call from now (1 = the next) of any operation that can fail on a disk fails with -code and
 * has an unspecified partial effect; 0 switches it off. `sticky`: every later one fails too. */
void mf_simdisk_fail_nth(struct mf_simdisk *disk, uint64_t nth, int negative_code, bool sticky);
/* Operations that could have failed since creation. */
uint64_t mf_simdisk_operations(const struct mf_simdisk *disk);
/* Number of syncs so far, and a hook that runs just before and after each (for a cut at any sync). */
uint64_t mf_simdisk_syncs(const struct mf_simdisk *disk);
void mf_simdisk_set_capacity(struct mf_simdisk *disk, uint64_t capacity_bytes);

/* The disk after a power cut now, as a new disk; `disk` itself is unchanged and may go on. */
struct mf_simdisk *mf_simdisk_power_cut(const struct mf_simdisk *disk,
                                        const struct mf_simdisk_cut *cut);
/* Flips one bit of durable content, for corruption tests: 0, -ENOENT or -EINVAL. */
int mf_simdisk_flip_bit(struct mf_simdisk *disk, const char *path, uint64_t bit_offset);

#endif
