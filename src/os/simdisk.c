/* SPDX-License-Identifier: Apache-2.0
 *
 * simdisk.c -- the simulated disk: the table of os/file.h over memory, with faults.
 *
 * Model
 *   A file has the content that programs see, the content that is durable, and between the two a
 *   list of changes: writes (split at pages of 4096 bytes) and changes of length. A sync applies
 *   the list to the durable content and empties it. A directory has visible and durable entries;
 *   between them lies one list of operations for the whole disk: a name taken away, a name added,
 *   or both at once (rename, which is atomic). Syncing a file does not make its name durable, nor
 *   the reverse.
 *
 * Power cut
 *   Data.  Each sector of 512 bytes decides for itself how many of the changes that touch it it
 *   got: all (1/2), none (1/4), some (1/8), or some with the last one only up to a random byte
 *   (1/8). In one cut out of four all sectors stop at the same change instead, as on a disk that
 *   keeps the order.
 *   Length.  Takes the value after a random change, because it is metadata and kept in order. A
 *   sector cannot show what was cut off before that point; nor, in pages that were cut off after
 *   it, what was written there later.
 *   Names.  Each operation is kept or dropped (in one cut out of four: a beginning of the list is
 *   kept), but one that touches a name whose earlier operation was dropped is dropped too.
 *   Everything is drawn from the seed of the cut.
 *
 * Mapped memory
 *   A file that is mapped moves into a memory file, so that mappings, reads and writes see the
 *   same bytes. What programs store through a mapping is found by comparison with what was
 *   noticed before, at every operation on the file and at the cut, and becomes changes sector by
 *   sector. Versions that come and go between two such moments are not seen. Syncing a part of a
 *   mapping makes the pages of that part durable, and the length; when the file also changed its
 *   length, all of it (as a file system may at any time).
 *
 * Failed syncs
 *   Some of the changes get through and all are forgotten: they can be read, but no later sync
 *   writes them. Linux behaves so on ext4, xfs and btrfs, which mark the pages clean.
 *
 * Full disk
 *   Space is counted per page of visible content; holes take none. A write takes the pages that
 *   fit and fails with -ENOSPC then. A page of a hole that is stored to through a mapping while
 *   there is no room is an -ENOSPC of the next sync (the real thing is a SIGBUS).
 *
 * Concurrency
 *   One lock per disk around every operation. The hook runs outside of it.
 *
 * Limits
 *   No permissions, symbolic or hard links; times of modification count calls; 16 GiB per file.
 */
#include "simdisk_private.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct sim_mapping {
    void *address;
    size_t len;
};

struct sim_file {
    struct mf_file head;
    struct mf_simdisk *disk;
    struct sim_inode *inode;
    bool writable;
    struct sim_mapping *maps;
    size_t map_count;
};

static struct mf_simdisk *disk_of(const struct mf_fs *fs)
{
    return (struct mf_simdisk *)(uintptr_t)fs; /* the table is the first member of the disk */
}

static struct sim_file *sim(struct mf_file *file)
{
    return (struct sim_file *)file;
}

/* Begins an operation that can fail: counts it, takes the lock, returns the planned failure if any.
 */
static int enter(struct mf_simdisk *disk, const char *operation, const char *path)
{
    mf_mutex_lock(&disk->lock);
    mf_simdisk_hook *hook = disk->hook;
    void *context = disk->hook_context;
    mf_mutex_unlock(&disk->lock);
    if (hook != NULL) {
        hook(context, operation, path, false);
    }
    mf_mutex_lock(&disk->lock);
    disk->calls++;
    if (strstr(operation, "sync") != NULL) {
        disk->syncs++;
    }
    bool failing = disk->fail_at != 0 && (disk->calls == disk->fail_at ||
                                          (disk->fail_sticky && disk->calls > disk->fail_at));
    return failing ? disk->fail_code : 0;
}

static int leave(struct mf_simdisk *disk, const char *operation, const char *path, int code)
{
    mf_simdisk_hook *hook = disk->hook;
    void *context = disk->hook_context;
    mf_mutex_unlock(&disk->lock);
    if (hook != NULL) {
        hook(context, operation, path, true);
    }
    return code;
}

static int create_file(struct mf_simdisk *disk, const struct sim_name *name,
                       struct sim_inode **ret_inode)
{
    struct sim_inode *inode = mf__sim_inode_new(disk, MF_KIND_FILE);
    int code = inode != NULL ? mf__sim_link(disk, name, inode) : -ENOMEM;
    if (code == 0) {
        *ret_inode = inode; /* its name keeps it */
    }
    if (inode != NULL) {
        mf__sim_inode_put(inode, false);
    }
    return code;
}

static int open_locked(struct mf_simdisk *disk, const char *path, unsigned flags,
                       struct mf_file **ret_file)
{
    struct sim_name name;
    int code = mf__sim_walk(disk, path, &name);
    if (code < 0) {
        return code;
    }
    struct sim_inode *inode = mf__sim_look(&name);
    if (inode != NULL && (flags & MF_OPEN_EXCLUSIVE) != 0) {
        return -EEXIST;
    }
    if (inode != NULL && inode->kind != MF_KIND_FILE) {
        return -EISDIR;
    }
    if (inode == NULL && (flags & MF_OPEN_CREATE) == 0) {
        return -ENOENT;
    }
    struct sim_file *file = mf_calloc(1, sizeof *file);
    if (file == NULL) {
        return -ENOMEM;
    }
    if (inode == NULL) {
        code = create_file(disk, &name, &inode);
    } else if ((flags & MF_OPEN_TRUNCATE) != 0 && inode->size != 0) {
        code = mf__sim_resize(inode, 0);
    }
    if (code < 0) {
        mf_free(file);
        return code;
    }
    file->disk = disk;
    file->inode = inode;
    file->writable = (flags & MF_OPEN_WRITE) != 0;
    mf__sim_inode_get(inode, true);
    disk->handles++;
    *ret_file = &file->head;
    return 0;
}

static int sim_open(const struct mf_fs *fs, const char *path, unsigned flags,
                    struct mf_file **ret_file)
{
    struct mf_simdisk *disk = disk_of(fs);
    int code = enter(disk, "open", path);
    if (code == 0) {
        code = open_locked(disk, path, flags, ret_file);
    }
    return leave(disk, "open", path, code);
}

static void sim_close(struct mf_file *file)
{
    struct sim_file *self = sim(file);
    mf_mutex_lock(&self->disk->lock);
    if (self->inode->lock_owner == self) {
        self->inode->lock_owner = NULL;
    }
    mf_mutex_unlock(&self->disk->lock);
}

static void sim_release(struct mf_file *file)
{
    struct sim_file *self = sim(file);
    mf_mutex_lock(&self->disk->lock);
    mf__sim_inode_put(self->inode, true);
    self->disk->handles--;
    mf_mutex_unlock(&self->disk->lock);
    mf_free(self->maps);
    mf_free(self);
}

static int sim_read(struct mf_file *file, void *bytes, size_t len, uint64_t offset, size_t *ret_len)
{
    const struct sim_inode *inode = sim(file)->inode;
    int code = enter(sim(file)->disk, "read", file->path);
    if (code == 0) {
        size_t left = offset < inode->size ? (size_t)(inode->size - offset) : 0;
        *ret_len = len < left ? len : left;
        if (*ret_len != 0) {
            memcpy(bytes, inode->now.data + offset, *ret_len);
        }
    }
    return leave(sim(file)->disk, "read", file->path, code);
}

static int sim_write(struct mf_file *file, const void *bytes, size_t len, uint64_t offset)
{
    struct mf_simdisk *disk = sim(file)->disk;
    int planned = enter(disk, "write", file->path);
    int code = sim(file)->writable ? 0 : -EBADF;
    if (code == 0 && planned < 0) {
        struct mf_rng rng;
        mf_rng_seed(&rng, disk->calls);
        len = (size_t)mf_rng_below(&rng, len + 1);
    }
    if (code == 0) {
        code = mf__sim_write(sim(file)->inode, bytes, len, offset);
    }
    return leave(disk, "write", file->path, planned < 0 ? planned : code);
}

/* Syncs [from, to) of the file; the part that sync and map_sync share. */
static int sync_range(struct mf_file *file, const char *operation, uint64_t from, uint64_t to)
{
    struct mf_simdisk *disk = sim(file)->disk;
    struct sim_inode *inode = sim(file)->inode;
    int code = enter(disk, operation, file->path);
    if (code == 0) {
        code = mf__sim_notice(inode);
    }
    if (code == 0) {
        code = mf__sim_sync(inode, from, to);
    } else {
        struct mf_rng rng;
        mf_rng_seed(&rng, disk->calls);
        (void)mf__sim_notice(inode); /* its failure is not the one to report */
        mf__sim_sync_failed(inode, from, to, &rng);
    }
    return leave(disk, operation, file->path, code);
}

static int sim_sync(struct mf_file *file)
{
    return sync_range(file, "sync", 0, UINT64_MAX);
}

static int sim_truncate(struct mf_file *file, uint64_t size_bytes)
{
    int code = enter(sim(file)->disk, "truncate", file->path);
    if (code == 0) {
        code = sim(file)->writable ? mf__sim_resize(sim(file)->inode, size_bytes) : -EINVAL;
    }
    return leave(sim(file)->disk, "truncate", file->path, code);
}

static int sim_allocate(struct mf_file *file, uint64_t size_bytes)
{
    int code = enter(sim(file)->disk, "allocate", file->path);
    if (code == 0) {
        code = sim(file)->writable ? mf__sim_allocate(sim(file)->inode, size_bytes) : -EBADF;
    }
    return leave(sim(file)->disk, "allocate", file->path, code);
}

static void fill_info(const struct sim_inode *inode, struct mf_file_info *ret_info)
{
    ret_info->kind = inode->kind;
    ret_info->size_bytes = inode->size;
    ret_info->allocated_bytes = (uint64_t)inode->blocks_taken * SIM_PAGE;
    ret_info->modified_wall_ns = inode->modified_ns;
    ret_info->mode = inode->kind == MF_KIND_DIRECTORY ? 0700 : 0600;
}

static int sim_info(struct mf_file *file, struct mf_file_info *ret_info)
{
    int code = enter(sim(file)->disk, "info", file->path);
    if (code == 0) {
        fill_info(sim(file)->inode, ret_info);
    }
    return leave(sim(file)->disk, "info", file->path, code);
}

static int sim_lock(struct mf_file *file)
{
    struct sim_inode *inode = sim(file)->inode;
    int code = enter(sim(file)->disk, "lock", file->path);
    if (code == 0) {
        code = inode->lock_owner != NULL && inode->lock_owner != sim(file) ? MF_ELOCKED : 0;
    }
    if (code == 0) {
        inode->lock_owner = sim(file);
    }
    return leave(sim(file)->disk, "lock", file->path, code);
}

static int sim_is_locked(struct mf_file *file)
{
    mf_mutex_lock(&sim(file)->disk->lock);
    int locked = sim(file)->inode->lock_owner != NULL;
    mf_mutex_unlock(&sim(file)->disk->lock);
    return locked;
}

static int map_locked(struct sim_file *file, size_t len, bool writable, void **ret_address)
{
    if (writable && !file->writable) {
        return -EACCES;
    }
    struct sim_mapping *maps = mf_realloc(file->maps, (file->map_count + 1) * sizeof *maps);
    if (maps == NULL) {
        return -ENOMEM;
    }
    file->maps = maps;
    int code = mf__sim_map(file->inode, len, writable, ret_address);
    if (code == 0) {
        file->maps[file->map_count++] = (struct sim_mapping){*ret_address, len};
    }
    return code;
}

static int sim_map(struct mf_file *file, size_t len, bool writable, void **ret_address)
{
    int code = enter(sim(file)->disk, "map", file->path);
    if (code == 0) {
        code = map_locked(sim(file), len, writable, ret_address);
    }
    return leave(sim(file)->disk, "map", file->path, code);
}

/* The mapping that `address` lies in, or NULL. */
static struct sim_mapping *find_mapping(struct sim_file *file, const void *address)
{
    for (size_t i = 0; i < file->map_count; i++) {
        const char *begin = file->maps[i].address;
        if ((const char *)address >= begin && (const char *)address < begin + file->maps[i].len) {
            return &file->maps[i];
        }
    }
    return NULL;
}

static int sim_unmap(struct mf_file *file, void *address, size_t len)
{
    struct sim_file *self = sim(file);
    mf_mutex_lock(&self->disk->lock);
    struct sim_mapping *mapping = find_mapping(self, address);
    int code = mapping != NULL && mapping->address == address && mapping->len == len ? 0 : -EINVAL;
    if (code == 0) {
        code = munmap(address, len) == 0 ? 0 : -errno;
    }
    if (code == 0) {
        *mapping = self->maps[--self->map_count];
    }
    mf_mutex_unlock(&self->disk->lock);
    return code;
}

static int sim_map_sync(struct mf_file *file, void *address, size_t len)
{
    struct sim_file *self = sim(file);
    mf_mutex_lock(&self->disk->lock);
    const struct sim_mapping *mapping = find_mapping(self, address);
    uint64_t offset = mapping != NULL ? (uint64_t)((char *)address - (char *)mapping->address) : 0;
    bool inside = mapping != NULL && len <= mapping->len - offset;
    mf_mutex_unlock(&self->disk->lock);
    if (!inside) {
        return -ENOMEM; /* as msync says it */
    }
    return sync_range(file, "map_sync", offset - offset % SIM_PAGE,
                      mf_align_up(offset + len, SIM_PAGE));
}

static void sim_forget(struct mf_file *file)
{
    mf_mutex_lock(&sim(file)->disk->lock);
    mf__sim_forget(sim(file)->inode);
    mf_mutex_unlock(&sim(file)->disk->lock);
}

static int sim_descriptor(const struct mf_file *file)
{
    (void)file;
    return -1;
}

static int sim_path_info(const struct mf_fs *fs, const char *path, struct mf_file_info *ret_info)
{
    struct mf_simdisk *disk = disk_of(fs);
    struct sim_name name;
    int code = enter(disk, "info", path);
    if (code == 0) {
        code = mf__sim_walk(disk, path, &name);
    }
    const struct sim_inode *inode = code == 0 ? mf__sim_look(&name) : NULL;
    if (inode != NULL) {
        fill_info(inode, ret_info);
    }
    return leave(disk, "info", path, code == 0 && inode == NULL ? -ENOENT : code);
}

static int sim_rename(const struct mf_fs *fs, const char *from, const char *to)
{
    struct mf_simdisk *disk = disk_of(fs);
    struct sim_name from_name;
    struct sim_name to_name;
    int code = enter(disk, "rename", from);
    if (code == 0) {
        code = mf__sim_walk(disk, from, &from_name);
    }
    if (code == 0) {
        code = mf__sim_walk(disk, to, &to_name);
    }
    if (code == 0) {
        code = mf__sim_rename(disk, &from_name, &to_name);
    }
    return leave(disk, "rename", from, code);
}

/* unlink and rmdir: takes the name away when it names something of that kind. */
static int remove_name(struct mf_simdisk *disk, const char *path, enum mf_file_kind kind)
{
    struct sim_name name;
    int code = mf__sim_walk(disk, path, &name);
    if (code < 0) {
        return code;
    }
    struct sim_inode *inode = mf__sim_look(&name);
    if (inode == NULL) {
        return -ENOENT;
    }
    if (inode->kind != kind) {
        return kind == MF_KIND_DIRECTORY ? -ENOTDIR : -EISDIR;
    }
    if (inode == disk->root) {
        return -EBUSY;
    }
    return inode->entries.count != 0 ? -ENOTEMPTY : mf__sim_unlink(disk, &name, inode);
}

static int sim_unlink(const struct mf_fs *fs, const char *path)
{
    int code = enter(disk_of(fs), "unlink", path);
    if (code == 0) {
        code = remove_name(disk_of(fs), path, MF_KIND_FILE);
    }
    return leave(disk_of(fs), "unlink", path, code);
}

static int sim_rmdir(const struct mf_fs *fs, const char *path)
{
    int code = enter(disk_of(fs), "rmdir", path);
    if (code == 0) {
        code = remove_name(disk_of(fs), path, MF_KIND_DIRECTORY);
    }
    return leave(disk_of(fs), "rmdir", path, code);
}

static int sim_mkdir(const struct mf_fs *fs, const char *path)
{
    struct mf_simdisk *disk = disk_of(fs);
    struct sim_name name;
    int code = enter(disk, "mkdir", path);
    if (code == 0) {
        code = mf__sim_walk(disk, path, &name);
    }
    if (code == 0) {
        code = mf__sim_look(&name) != NULL ? -EEXIST : 0;
    }
    if (code == 0) {
        struct sim_inode *inode = mf__sim_inode_new(disk, MF_KIND_DIRECTORY);
        code = inode != NULL ? mf__sim_link(disk, &name, inode) : -ENOMEM;
        if (inode != NULL) {
            mf__sim_inode_put(inode, false);
        }
    }
    return leave(disk, "mkdir", path, code);
}

/* The directory `path`, or a negative code. */
static int find_directory(struct mf_simdisk *disk, const char *path, struct sim_inode **ret_inode)
{
    struct sim_name name;
    int code = mf__sim_walk(disk, path, &name);
    struct sim_inode *inode = code == 0 ? mf__sim_look(&name) : NULL;
    if (inode == NULL) {
        return code < 0 ? code : -ENOENT;
    }
    *ret_inode = inode;
    return inode->kind == MF_KIND_DIRECTORY ? 0 : -ENOTDIR;
}

static int sim_sync_directory(const struct mf_fs *fs, const char *path)
{
    struct mf_simdisk *disk = disk_of(fs);
    struct sim_inode *directory = NULL;
    int code = enter(disk, "sync_directory", path);
    if (code == 0) {
        code = find_directory(disk, path, &directory);
    }
    if (code == 0) {
        code = mf__sim_sync_directory(disk, directory);
    }
    return leave(disk, "sync_directory", path, code);
}

static int sim_list(const struct mf_fs *fs, const char *path, struct mf__listing *listing)
{
    struct mf_simdisk *disk = disk_of(fs);
    struct sim_inode *directory = NULL;
    int code = enter(disk, "list", path);
    if (code == 0) {
        code = find_directory(disk, path, &directory);
    }
    for (size_t i = 0; code == 0 && i < directory->entries.count; i++) {
        const struct sim_entry *entry = &directory->entries.list[i];
        code = mf__listing_add(listing, entry->name, entry->inode->kind);
    }
    return leave(disk, "list", path, code);
}

static const struct mf_fs sim_table = {
    .open = sim_open,
    .close = sim_close,
    .release = sim_release,
    .read = sim_read,
    .write = sim_write,
    .sync = sim_sync,
    .truncate = sim_truncate,
    .allocate = sim_allocate,
    .info = sim_info,
    .lock = sim_lock,
    .is_locked = sim_is_locked,
    .map = sim_map,
    .unmap = sim_unmap,
    .map_sync = sim_map_sync,
    .forget = sim_forget,
    .descriptor = sim_descriptor,
    .path_info = sim_path_info,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .rmdir = sim_rmdir,
    .sync_directory = sim_sync_directory,
    .list = sim_list,
};

struct mf_simdisk *mf_simdisk_new(uint64_t capacity_bytes)
{
    struct mf_simdisk *disk = mf_calloc(1, sizeof *disk);
    if (disk == NULL) {
        return NULL;
    }
    disk->fs = sim_table;
    disk->capacity_bytes = capacity_bytes;
    mf_mutex_init(&disk->lock);
    disk->root = mf__sim_inode_new(disk, MF_KIND_DIRECTORY);
    if (disk->root == NULL) {
        mf_simdisk_free(disk);
        return NULL;
    }
    return disk;
}

void mf_simdisk_free(struct mf_simdisk *disk)
{
    if (disk == NULL) {
        return;
    }
    MF_ASSERT(disk->handles == 0);
    mf__sim_operations_free(disk);
    /* Names old and new can form a ring after directories moved, so all names go first. */
    for (struct sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        mf__sim_inode_get(inode, false);
    }
    for (struct sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        mf__sim_entries_free(&inode->entries, true);
        mf__sim_entries_free(&inode->durable_entries, false);
    }
    for (struct sim_inode *inode = disk->inodes; inode != NULL;) {
        struct sim_inode *next = inode->next;
        mf__sim_inode_put(inode, false);
        inode = next;
    }
    if (disk->root != NULL) {
        mf__sim_inode_put(disk->root, false);
    }
    MF_ASSERT(disk->inodes == NULL && disk->taken_bytes == 0);
    mf_mutex_fini(&disk->lock);
    mf_free(disk);
}

const struct mf_fs *mf_simdisk_fs(struct mf_simdisk *disk)
{
    return &disk->fs;
}

void mf_simdisk_fail_nth(struct mf_simdisk *disk, uint64_t nth, int negative_code, bool sticky)
{
    mf_mutex_lock(&disk->lock);
    disk->fail_at = nth != 0 ? disk->calls + nth : 0;
    disk->fail_code = negative_code;
    disk->fail_sticky = sticky;
    mf_mutex_unlock(&disk->lock);
}

uint64_t mf_simdisk_operations(struct mf_simdisk *disk)
{
    mf_mutex_lock(&disk->lock);
    uint64_t calls = disk->calls;
    mf_mutex_unlock(&disk->lock);
    return calls;
}

uint64_t mf_simdisk_syncs(struct mf_simdisk *disk)
{
    mf_mutex_lock(&disk->lock);
    uint64_t syncs = disk->syncs;
    mf_mutex_unlock(&disk->lock);
    return syncs;
}

unsigned mf_simdisk_handles(struct mf_simdisk *disk)
{
    mf_mutex_lock(&disk->lock);
    unsigned handles = disk->handles;
    mf_mutex_unlock(&disk->lock);
    return handles;
}

void mf_simdisk_set_capacity(struct mf_simdisk *disk, uint64_t capacity_bytes)
{
    mf_mutex_lock(&disk->lock);
    disk->capacity_bytes = capacity_bytes;
    mf_mutex_unlock(&disk->lock);
}

void mf_simdisk_set_hook(struct mf_simdisk *disk, mf_simdisk_hook *hook, void *context)
{
    mf_mutex_lock(&disk->lock);
    disk->hook = hook;
    disk->hook_context = context;
    mf_mutex_unlock(&disk->lock);
}

struct mf_simdisk *mf_simdisk_power_cut(struct mf_simdisk *disk, const struct mf_simdisk_cut *cut)
{
    struct mf_simdisk *copy = mf_simdisk_new(0);
    if (copy == NULL) {
        return NULL;
    }
    struct mf_rng rng;
    mf_rng_seed(&rng, cut->seed);
    mf_mutex_lock(&disk->lock);
    for (struct sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        (void)mf__sim_notice(inode); /* what has no room on the disk does not survive the cut */
    }
    copy->capacity_bytes = disk->capacity_bytes;
    int code = mf__sim_cut_tree(disk, copy, cut, &rng);
    mf_mutex_unlock(&disk->lock);
    if (code < 0) {
        mf_simdisk_free(copy);
        return NULL;
    }
    return copy;
}

int mf_simdisk_flip_bit(struct mf_simdisk *disk, const char *path, uint64_t bit_offset)
{
    struct sim_name name;
    mf_mutex_lock(&disk->lock);
    int code = mf__sim_walk(disk, path, &name);
    struct sim_inode *inode = code == 0 ? mf__sim_look(&name) : NULL;
    if (inode == NULL || inode->kind != MF_KIND_FILE) {
        code = -ENOENT;
    } else if (bit_offset / 8 >= inode->size) {
        code = -EINVAL;
    } else {
        uint8_t flip = (uint8_t)(1u << (bit_offset % 8));
        inode->now.data[bit_offset / 8] ^= flip;
        if (inode->noticed.data != NULL) {
            inode->noticed.data[bit_offset / 8] ^= flip;
        }
        if (bit_offset / 8 < inode->durable_size) {
            inode->durable.data[bit_offset / 8] ^= flip;
        }
    }
    mf_mutex_unlock(&disk->lock);
    return code;
}
