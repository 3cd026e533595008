/* SPDX-License-Identifier: Apache-2.0
 * simdisk_private.h -- the parts of the simulated disk; the model is described in simdisk.c. */
#ifndef SIMDISK_PRIVATE_H
#define SIMDISK_PRIVATE_H

#include "base/rng.h"
#include "file_table.h"
#include "os/simdisk.h"
#include "os/thread.h"

#define SIM_SECTOR 512u  /* what a disk writes as one, or tears */
#define SIM_PAGE   4096u /* what memory and free space are counted in */

/* One change of a file since its last sync. A write lies within one page. */
struct sim_change {
    bool resize;         /* the file got the length `offset`; what lay beyond is gone */
    uint64_t offset;     /* of a write */
    uint32_t len;        /* of a write */
    uint8_t *bytes;      /* of a write */
    uint64_t size_after; /* of the file */
};

struct sim_bytes {
    uint8_t *data; /* zero beyond the length of the file */
    size_t capacity;
};

struct sim_entry {
    char *name;
    struct sim_inode *inode;
};
struct sim_entries {
    struct sim_entry *list;
    size_t count;
    size_t capacity;
};

struct sim_file;

struct sim_inode {
    struct mf_simdisk *disk;
    struct sim_inode *next;
    struct sim_inode *previous;
    struct sim_inode *copy; /* its counterpart while a power cut builds the other disk */
    enum mf_file_kind kind;
    unsigned refs;      /* handles, entries of either kind, pending operations */
    unsigned live_refs; /* handles and visible entries: what keeps its blocks taken */
    int64_t modified_ns;

    /* A file. */
    struct sim_bytes now; /* as programs see it; the whole of `map_descriptor` once it was mapped */
    uint64_t size;
    int map_descriptor;       /* memory file behind `now`, or -1 while it is plain memory */
    struct sim_bytes noticed; /* `now` as far as it is in `changes`, once it was mapped */
    struct sim_bytes durable;
    uint64_t durable_size;
    struct sim_change *changes;
    size_t change_count;
    size_t change_capacity;
    uint8_t *blocks; /* one byte per page: has disk space */
    size_t block_count;
    size_t blocks_taken;
    const struct sim_file *lock_owner;

    /* A directory. */
    struct sim_entries entries;
    struct sim_entries durable_entries;
};

/* A directory operation that was not synced: takes `from` away, and lets `to` name the inode. */
struct sim_operation {
    struct sim_inode *from; /* NULL: nothing is taken away */
    char *from_name;
    struct sim_inode *to; /* NULL: nothing is added */
    char *to_name;
    struct sim_inode *inode;
};

struct mf_simdisk {
    struct mf_fs fs; /* first: the table of this disk is the disk */
    struct mf_mutex lock;
    struct sim_inode *inodes;
    struct sim_inode *root;
    struct sim_operation *operations;
    size_t operation_count;
    size_t operation_capacity;
    uint64_t capacity_bytes;
    uint64_t taken_bytes;
    uint64_t calls;
    uint64_t syncs;
    uint64_t fail_at; /* value of `calls`, 0: never */
    int fail_code;
    bool fail_sticky;
    unsigned handles;
    mf_simdisk_hook *hook;
    void *hook_context;
};

/* simdisk_inode.c: files. All are called with the lock held. */
struct sim_inode *mf__sim_inode_new(struct mf_simdisk *disk, enum mf_file_kind kind);
void mf__sim_inode_get(struct sim_inode *inode, bool live);
void mf__sim_inode_put(struct sim_inode *inode, bool live);
int mf__sim_write(struct sim_inode *inode, const void *bytes, size_t len, uint64_t offset);
int mf__sim_resize(struct sim_inode *inode, uint64_t size_bytes);
int mf__sim_allocate(struct sim_inode *inode, uint64_t size_bytes);
int mf__sim_map(struct sim_inode *inode, size_t len, bool writable, void **ret_address);
/* Turns what was written through mappings into changes. */
int mf__sim_notice(struct sim_inode *inode);
/* Makes the changes that lie in [from, to) durable; all of them and the size when to is UINT64_MAX.
 */
int mf__sim_sync(struct sim_inode *inode, uint64_t from, uint64_t to);
/* The same range after a sync that failed: some got through; the rest is forgotten, as the page
 * cache forgets it, although it can still be read. */
void mf__sim_sync_failed(struct sim_inode *inode, uint64_t from, uint64_t to, struct mf_rng *rng);
/* Pages without a change that is still to be written are as on the disk again. */
void mf__sim_forget(struct sim_inode *inode);
/* Fills `copy` with what a power cut leaves of `inode`. */
int mf__sim_cut_file(const struct sim_inode *inode, struct sim_inode *copy,
                     const struct mf_simdisk_cut *cut, struct mf_rng *rng);

/* simdisk_tree.c: names. All are called with the lock held. */
struct sim_name {
    struct sim_inode *directory;
    char text[256]; /* "" for the root itself */
};
/* Finds the directory of the last component: 0, -ENOENT, -ENOTDIR, -ENAMETOOLONG. */
int mf__sim_walk(struct mf_simdisk *disk, const char *path, struct sim_name *ret_name);
struct sim_inode *mf__sim_look(const struct sim_name *name); /* NULL when absent */
int mf__sim_link(struct mf_simdisk *disk, const struct sim_name *name, struct sim_inode *inode);
int mf__sim_unlink(struct mf_simdisk *disk, const struct sim_name *name, struct sim_inode *inode);
int mf__sim_rename(struct mf_simdisk *disk, const struct sim_name *from, const struct sim_name *to);
int mf__sim_sync_directory(struct mf_simdisk *disk, struct sim_inode *directory);
void mf__sim_operations_free(struct mf_simdisk *disk);
void mf__sim_entries_free(struct sim_entries *entries, bool live);
int mf__sim_cut_tree(struct mf_simdisk *disk, struct mf_simdisk *copy,
                     const struct mf_simdisk_cut *cut, struct mf_rng *rng);

#endif
