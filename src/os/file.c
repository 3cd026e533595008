/* SPDX-License-Identifier: Apache-2.0
 *
 * file.c -- the front of the file layer: every call of os/file.h goes through here to the table of
 * the file system that it belongs to (file_table.h), and every failure gets its sentence here:
 * operation, path, reason, and what to do about it.
 */
#include "file_table.h"
#include "base/check.h"
#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sentence must keep its end, which has the reason; so a long path loses its beginning. */
#define PATH_SHOWN_MAX 180

static const char *path_shown(const char *path)
{
    size_t len = strlen(path);
    return len <= PATH_SHOWN_MAX ? path : path + (len - PATH_SHOWN_MAX);
}

static const char *path_mark(const char *path)
{
    return strlen(path) <= PATH_SHOWN_MAX ? "" : "...";
}

#define PATH_FORMAT     "%s%s"
#define PATH_ARGS(path) path_mark(path), path_shown(path)

static const char *advice(int code)
{
    switch (code) {
    case -ENOSPC:
        return "; free space on that file system and try again";
    case -EDQUOT:
        return "; free space or raise the quota and try again";
    case -EACCES:
    case -EPERM:
        return "; check the owner and the permissions of the path";
    case -EROFS:
        return "; mount it writable or choose another path";
    case -ENOENT:
        return "; check the path";
    case -ELOOP:
        return "; name the file itself instead of a symbolic link";
    case -EISDIR:
        return "; name a file inside it";
    case -ENOTDIR:
        return "; a part of the path is a file, choose another path";
    case -ENOTEMPTY:
        return "; remove what is in it first";
    case -EMFILE:
        return "; raise the limit of open files (ulimit -n)";
    case -ENFILE:
        return "; the system has no file handles left, close some programs";
    case -EFBIG:
        return "; the file would exceed the limit of the file system or of ulimit -f";
    case -ENAMETOOLONG:
        return "; choose a shorter path";
    case -ENOMEM:
        return "; free memory and try again";
    case -EIO:
        return "; the disk reports a failure, look at the kernel log before using the file again";
    case MF_ELOCKED:
        return "; stop the other process or choose another path";
    case MF_EVALUE:
        return "; it is neither a regular file nor a directory";
    default:
        return "";
    }
}

/* Sentence for a failed operation; passes success through. */
static int told(struct mf_errinfo *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int told(struct mf_errinfo *err, int code, const char *format, ...)
{
    if (code >= 0 || err == NULL) {
        return code;
    }
    char what[sizeof err->msg];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return mf_fail(err, code, "cannot %s: %s%s", what, mf_strerror(code), advice(code));
}

static const struct mf_fs *table(const struct mf_fs *fs)
{
    return fs != NULL ? fs : mf_fs_real();
}

int mf_file_open(const struct mf_fs *fs, const char *path, unsigned flags,
                 struct mf_file **ret_file, struct mf_errinfo *err)
{
    MF_ASSERT((flags & MF_OPEN_WRITE) != 0 || (flags & (MF_OPEN_CREATE | MF_OPEN_TRUNCATE)) == 0);
    fs = table(fs);
    const char *verb = (flags & MF_OPEN_CREATE) != 0  ? "create"
                       : (flags & MF_OPEN_WRITE) != 0 ? "open for writing"
                                                      : "open";
    char *copy = mf_strdup(path);
    struct mf_file *file = NULL;
    int code = copy != NULL ? fs->open(fs, path, flags, &file) : -ENOMEM;
    if (code < 0) {
        mf_free(copy);
        return told(err, code, "%s " PATH_FORMAT, verb, PATH_ARGS(path));
    }
    file->fs = fs;
    file->path = copy;
    file->maps = 1;
    *ret_file = file;
    return 0;
}

static void drop_reference(struct mf_file *file)
{
    if (__atomic_sub_fetch(&file->maps, 1, __ATOMIC_ACQ_REL) == 0) {
        mf_free(file->path);
        file->fs->release(file);
    }
}

void mf_file_close(struct mf_file *file)
{
    if (file != NULL) {
        file->fs->close(file);
        drop_reference(file);
    }
}

const char *mf_file_path(const struct mf_file *file)
{
    return file->path;
}

int mf_file_read(struct mf_file *file, void *bytes, size_t len, uint64_t offset, size_t *ret_len,
                 struct mf_errinfo *err)
{
    return told(err, file->fs->read(file, bytes, len, offset, ret_len),
                "read %zu bytes at offset %" PRIu64 " of " PATH_FORMAT, len, offset,
                PATH_ARGS(file->path));
}

int mf_file_write(struct mf_file *file, const void *bytes, size_t len, uint64_t offset,
                  struct mf_errinfo *err)
{
    return told(err, file->fs->write(file, bytes, len, offset),
                "write %zu bytes at offset %" PRIu64 " of " PATH_FORMAT, len, offset,
                PATH_ARGS(file->path));
}

int mf_file_sync(struct mf_file *file, struct mf_errinfo *err)
{
    return told(err, file->fs->sync(file), "sync " PATH_FORMAT, PATH_ARGS(file->path));
}

int mf_file_truncate(struct mf_file *file, uint64_t size_bytes, struct mf_errinfo *err)
{
    return told(err, file->fs->truncate(file, size_bytes),
                "set the length of " PATH_FORMAT " to %" PRIu64, PATH_ARGS(file->path), size_bytes);
}

int mf_file_allocate(struct mf_file *file, uint64_t size_bytes, struct mf_errinfo *err)
{
    return told(err, file->fs->allocate(file, size_bytes),
                "reserve %" PRIu64 " bytes for " PATH_FORMAT, size_bytes, PATH_ARGS(file->path));
}

int mf_file_info(struct mf_file *file, struct mf_file_info *ret_info, struct mf_errinfo *err)
{
    return told(err, file->fs->info(file, ret_info), "look at " PATH_FORMAT, PATH_ARGS(file->path));
}

int mf_file_lock(struct mf_file *file, struct mf_errinfo *err)
{
    return told(err, file->fs->lock(file), "lock " PATH_FORMAT, PATH_ARGS(file->path));
}

int mf_file_is_locked(struct mf_file *file, struct mf_errinfo *err)
{
    return told(err, file->fs->is_locked(file), "test the lock of " PATH_FORMAT,
                PATH_ARGS(file->path));
}

int mf_file_map(struct mf_file *file, size_t len, bool writable, void **ret_address,
                struct mf_errinfo *err)
{
    int code = file->fs->map(file, len, writable, ret_address);
    if (code == 0) {
        __atomic_add_fetch(&file->maps, 1, __ATOMIC_RELAXED);
    }
    return told(err, code, "map %zu bytes of " PATH_FORMAT, len, PATH_ARGS(file->path));
}

int mf_file_unmap(struct mf_file *file, void *address, size_t len)
{
    int code = file->fs->unmap(file, address, len);
    if (code == 0) {
        drop_reference(file);
    }
    return code;
}

int mf_file_map_sync(struct mf_file *file, void *address, size_t len, struct mf_errinfo *err)
{
    return told(err, file->fs->map_sync(file, address, len),
                "sync %zu mapped bytes of " PATH_FORMAT, len, PATH_ARGS(file->path));
}

void mf_file_forget(struct mf_file *file)
{
    file->fs->forget(file);
}

int mf_file_descriptor(const struct mf_file *file)
{
    return file->fs->descriptor(file);
}

int mf_fs_info(const struct mf_fs *fs, const char *path, struct mf_file_info *ret_info,
               struct mf_errinfo *err)
{
    fs = table(fs);
    return told(err, fs->path_info(fs, path, ret_info), "look at " PATH_FORMAT, PATH_ARGS(path));
}

int mf_fs_rename(const struct mf_fs *fs, const char *from, const char *to, struct mf_errinfo *err)
{
    fs = table(fs);
    /* Two paths share the room that a sentence has for one. */
    return told(err, fs->rename(fs, from, to), "rename %.90s to %.90s", from, to);
}

int mf_fs_unlink(const struct mf_fs *fs, const char *path, struct mf_errinfo *err)
{
    fs = table(fs);
    return told(err, fs->unlink(fs, path), "remove " PATH_FORMAT, PATH_ARGS(path));
}

int mf_fs_mkdir(const struct mf_fs *fs, const char *path, struct mf_errinfo *err)
{
    fs = table(fs);
    return told(err, fs->mkdir(fs, path), "create the directory " PATH_FORMAT, PATH_ARGS(path));
}

int mf_fs_rmdir(const struct mf_fs *fs, const char *path, struct mf_errinfo *err)
{
    fs = table(fs);
    return told(err, fs->rmdir(fs, path), "remove the directory " PATH_FORMAT, PATH_ARGS(path));
}

int mf_fs_sync_directory(const struct mf_fs *fs, const char *path, struct mf_errinfo *err)
{
    fs = table(fs);
    return told(err, fs->sync_directory(fs, path), "sync the directory " PATH_FORMAT,
                PATH_ARGS(path));
}

int mf__listing_add(struct mf__listing *listing, const char *name, enum mf_file_kind kind)
{
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity != 0 ? listing->capacity * 2 : 32;
        struct mf__entry *entries = mf_realloc(listing->entries, capacity * sizeof *entries);
        if (entries == NULL) {
            return -ENOMEM;
        }
        listing->entries = entries;
        listing->capacity = capacity;
    }
    char *copy = mf_strdup(name);
    if (copy == NULL) {
        return -ENOMEM;
    }
    listing->entries[listing->count++] = (struct mf__entry){copy, kind};
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct mf__entry *left = a;
    const struct mf__entry *right = b;
    return strcmp(left->name, right->name);
}

int mf_fs_list(const struct mf_fs *fs, const char *path,
               int (*visit)(void *context, const char *name, enum mf_file_kind kind), void *context,
               struct mf_errinfo *err)
{
    fs = table(fs);
    struct mf__listing listing = {NULL, 0, 0};
    int code =
        told(err, fs->list(fs, path, &listing), "list the directory " PATH_FORMAT, PATH_ARGS(path));
    if (code == 0 && listing.count > 1) {
        qsort(listing.entries, listing.count, sizeof *listing.entries, by_name);
    }
    for (size_t i = 0; i < listing.count && code == 0; i++) {
        code = visit(context, listing.entries[i].name, listing.entries[i].kind);
    }
    for (size_t i = 0; i < listing.count; i++) {
        mf_free(listing.entries[i].name);
    }
    mf_free(listing.entries);
    return code;
}
