/* SPDX-License-Identifier: Apache-2.0
 *
 * simdisk.h -- a disk in memory for crash tests, behind the same table as the real file system.
 *
 * It remembers for every file what is durable and each change since the last sync, and for every
 * directory which creations, renames and removals were not synced. A power cut builds the disk that
 * a machine might find after it: of all that was not synced each 512-byte sector is kept, dropped,
 * left at a version in between or torn, and directory operations are kept or dropped as a file
 * system could have chosen, from a seed. Mapped memory takes part: each dirty page may or may not
 * have been written back. simdisk.c has the model in full.
 *
 * Paths are taken from the root of the disk, with or without a leading slash. Every function may be
 * called from any thread, but for mf_simdisk_free(). The disk's memory comes from base/heap.h; when
 * that is out, an operation fails with -ENOMEM.
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
void mf_simdisk_free(struct mf_simdisk *disk); /* NULL is allowed; every handle must be closed */
const struct mf_fs *mf_simdisk_fs(struct mf_simdisk *disk);

/* The Nth call from now (1 = the next) of any operation that can fail on a disk fails with
 * negative_code; 0 switches it off. `sticky`: every later one fails too. A write that fails leaves
 * some of its bytes; a sync that fails leaves some of the changes durable and forgets the others,
 * as Linux does: they can be read, but no later sync writes them. Others have no effect. */
void mf_simdisk_fail_nth(struct mf_simdisk *disk, uint64_t nth, int negative_code, bool sticky);
/* Operations that could have failed since creation, and how many of them were syncs (of a file, a
 * mapping or a directory). */
uint64_t mf_simdisk_operations(struct mf_simdisk *disk);
uint64_t mf_simdisk_syncs(struct mf_simdisk *disk);
/* Handles and mappings that are open now. */
unsigned mf_simdisk_handles(struct mf_simdisk *disk);
/* Room for this many bytes of file content, in blocks of 4096; may be less than what is taken now.
 */
void mf_simdisk_set_capacity(struct mf_simdisk *disk, uint64_t capacity_bytes);

/* Runs just before and just after each operation that could fail, on its thread and without a lock,
 * so that it may call mf_simdisk_power_cut(). `operation` is the name of the function without its
 * prefix: "open", "write", "sync", "map_sync", "rename", "sync_directory", ... */
typedef void mf_simdisk_hook(void *context, const char *operation, const char *path, bool after);
void mf_simdisk_set_hook(struct mf_simdisk *disk, mf_simdisk_hook *hook, void *context);

/* The disk after a power cut now, as a new disk; `disk` itself goes on. NULL: out of memory. */
struct mf_simdisk *mf_simdisk_power_cut(struct mf_simdisk *disk, const struct mf_simdisk_cut *cut);
/* Flips one bit of the content, durable and visible, for corruption tests: 0, -ENOENT or -EINVAL.
 */
int mf_simdisk_flip_bit(struct mf_simdisk *disk, const char *path, uint64_t bit_offset);

#endif
