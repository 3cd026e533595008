/* SPDX-License-Identifier: Apache-2.0
 * file_table.h -- what a file system is to file.c: a table of operations that return a code and
 * nothing else. The sentences are made in one place, file.c, so that both implementations fail in
 * the same words. The meaning of each operation is the one documented in os/file.h. */
#ifndef FILE_TABLE_H
#define FILE_TABLE_H

#include "os/file.h"

/* Common head of every handle. `maps` counts live mappings plus one while the handle is open; the
 * memory goes when it reaches zero, so that a mapping can be synced and unmapped after the close.
 */
struct mf_file {
    const struct mf_fs *fs;
    char *path;
    unsigned maps;
};

struct mf__listing;

struct mf_fs {
    int (*open)(const struct mf_fs *fs, const char *path, unsigned flags,
                struct mf_file **ret_file);
    void (*close)(struct mf_file *file);   /* gives back all but the memory of the handle */
    void (*release)(struct mf_file *file); /* frees the handle, not its path */
    int (*read)(struct mf_file *file, void *bytes, size_t len, uint64_t offset, size_t *ret_len);
    int (*write)(struct mf_file *file, const void *bytes, size_t len, uint64_t offset);
    int (*sync)(struct mf_file *file);
    void (*forget)(struct mf_file *file);
    int (*truncate)(struct mf_file *file, uint64_t size_bytes);
    int (*allocate)(struct mf_file *file, uint64_t size_bytes);
    int (*info)(struct mf_file *file, struct mf_file_info *ret_info);
    int (*lock)(struct mf_file *file);
    int (*is_locked)(struct mf_file *file);
    int (*map)(struct mf_file *file, size_t len, bool writable, void **ret_address);
    int (*unmap)(struct mf_file *file, void *address, size_t len);
    int (*map_sync)(struct mf_file *file, void *address, size_t len);
    int (*descriptor)(const struct mf_file *file);

    int (*path_info)(const struct mf_fs *fs, const char *path, struct mf_file_info *ret_info);
    int (*rename)(const struct mf_fs *fs, const char *from, const char *to);
    int (*unlink)(const struct mf_fs *fs, const char *path);
    int (*mkdir)(const struct mf_fs *fs, const char *path);
    int (*rmdir)(const struct mf_fs *fs, const char *path);
    int (*sync_directory)(const struct mf_fs *fs, const char *path);
    /* Appends every entry but . and .. to the listing, in any order. */
    int (*list)(const struct mf_fs *fs, const char *path, struct mf__listing *listing);
};

/* A directory's entries, gathered before the visitor runs, so that it may change the directory. */
struct mf__entry {
    char *name;
    enum mf_file_kind kind;
};
struct mf__listing {
    struct mf__entry *entries;
    size_t count;
    size_t capacity;
};
int mf__listing_add(struct mf__listing *listing, const char *name, enum mf_file_kind kind);

/* The directory that holds `path`: the part before the last slash, "." or "/". The caller frees it;
 * NULL when memory is out. */
char *mf__path_parent(const char *path);

#endif
