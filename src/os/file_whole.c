/* SPDX-License-Identifier: Apache-2.0
 * file_whole.c -- what is built from the operations of os/file.h and so works on every file system:
 * directories with their parents, replacing a file in one step, reading a file at once. */
#include "file_table.h"
#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

char *mf__path_parent(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    return len == 0 ? mf_strdup(".") : mf_strndup(path, len);
}

int mf_fs_sync_parent(const struct mf_fs *fs, const char *path, struct mf_errinfo *err)
{
    char *parent = mf__path_parent(path);
    if (parent == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot sync the directory of %.200s", path);
    }
    int code = mf_fs_sync_directory(fs, parent, err);
    mf_free(parent);
    return code;
}

/* Makes one directory of the chain; one that exists is fine, also behind a symbolic link. */
static int make_one(const struct mf_fs *fs, const char *path, struct mf_errinfo *err)
{
    struct mf_errinfo failure = {0, ""};
    int code = mf_fs_mkdir(fs, path, &failure);
    if (code == 0) {
        return mf_fs_sync_parent(fs, path, err);
    }
    /* Asked after the failure of any kind: mkdir of what exists may fail with EACCES or EROFS too.
     */
    struct mf_file_info info;
    char *inside = mf_asprintf("%s/.", path);
    bool exists = inside != NULL && mf_fs_info(fs, inside, &info, NULL) == 0;
    mf_free(inside);
    if (exists) {
        return 0;
    }
    if (err != NULL) {
        *err = failure;
    }
    return code;
}

int mf_fs_mkdirs(const struct mf_fs *fs, const char *path, struct mf_errinfo *err)
{
    char *part = mf_strdup(path);
    if (part == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot create the directory %.200s", path);
    }
    int code = 0;
    for (size_t i = 1; part[0] != '\0' && code == 0; i++) {
        if ((part[i] == '/' && part[i - 1] != '/') || part[i] == '\0') {
            char end = part[i];
            part[i] = '\0';
            code = make_one(fs, part, err);
            part[i] = end;
        }
        if (part[i] == '\0') {
            break;
        }
    }
    if (code == 0 && part[0] == '\0') {
        code = mf_fail_os(err, -ENOENT, "cannot create a directory without a name");
    }
    mf_free(part);
    return code;
}

/* Creates a temporary file beside `path` under a name that nobody else uses. */
static int open_temporary(const struct mf_fs *fs, const char *path, char **ret_name,
                          struct mf_file **ret_file, struct mf_errinfo *err)
{
    static atomic_uint counter;
    for (int attempt = 0; attempt < 100; attempt++) {
        char *name = mf_asprintf("%s" MF_TEMPORARY_MARK "%d-%u", path, (int)getpid(),
                                 atomic_fetch_add(&counter, 1));
        if (name == NULL) {
            return mf_fail_os(err, -ENOMEM, "cannot replace %.200s", path);
        }
        int code = mf_file_open(fs, name,
                                MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE | MF_OPEN_EXCLUSIVE |
                                    MF_OPEN_NOFOLLOW,
                                ret_file, err);
        if (code == 0) {
            *ret_name = name;
            return 0;
        }
        mf_free(name);
        if (code != -EEXIST) { /* a name left by a dead process of the same number */
            return code;
        }
    }
    return mf_fail(err, -EEXIST,
                   "cannot replace %.200s: too many files named *" MF_TEMPORARY_MARK
                   "* beside it; remove them",
                   path);
}

int mf_fs_replace(const struct mf_fs *fs, const char *path, const void *bytes, size_t len,
                  struct mf_errinfo *err)
{
    struct mf_file_info info;
    int code = mf_fs_info(fs, path, &info, NULL);
    if (code == 0 && info.kind != MF_KIND_FILE) {
        return mf_fail(err, info.kind == MF_KIND_DIRECTORY ? -EISDIR : MF_EVALUE,
                       "cannot replace %.200s: it is not a regular file; choose another path",
                       path);
    }
    char *name = NULL;
    struct mf_file *file = NULL;
    code = open_temporary(fs, path, &name, &file, err);
    if (code < 0) {
        return code;
    }
    code = mf_file_write(file, bytes, len, 0, err);
    if (code == 0) {
        code = mf_file_sync(file, err);
    }
    mf_file_close(file);
    if (code == 0) {
        code = mf_fs_rename(fs, name, path, err);
    }
    if (code < 0) {
        (void)mf_fs_unlink(fs, name, NULL); /* the first failure is the one to report */
    } else {
        code = mf_fs_sync_parent(fs, path, err);
    }
    mf_free(name);
    return code;
}

int mf_fs_read_all(const struct mf_fs *fs, const char *path, size_t len_max, char **ret_bytes,
                   size_t *ret_len, struct mf_errinfo *err)
{
    struct mf_file *file = NULL;
    struct mf_file_info info = {0};
    int code = mf_file_open(fs, path, MF_OPEN_READ, &file, err);
    if (code < 0) {
        return code;
    }
    char *bytes = NULL;
    size_t len = 0;
    size_t capacity = 0;
    code = mf_file_info(file, &info, err);
    /* The size is a hint: it may change under us, and files of /proc say 0. One byte more than the
     * hint is asked for, so that the end is seen without another round. */
    size_t step = info.size_bytes < 4095 ? 4096 : (size_t)info.size_bytes + 1;
    while (code == 0) {
        if (len == capacity) {
            size_t wanted = capacity == 0 ? step : capacity * 2;
            capacity = wanted <= len_max ? wanted : len_max + 1;
            char *grown = mf_realloc(bytes, capacity + 1);
            if (grown == NULL) {
                code = mf_fail_os(err, -ENOMEM, "cannot read %.200s (%zu bytes)", path, capacity);
                break;
            }
            bytes = grown;
        }
        size_t got = 0;
        code = mf_file_read(file, bytes + len, capacity - len, len, &got, err);
        len += code == 0 ? got : 0;
        if (code == 0 && len > len_max) {
            code = mf_fail(err, MF_ELIMIT,
                           "cannot read %.200s: it is larger than the %zu bytes allowed here", path,
                           len_max);
        } else if (code == 0 && len < capacity) {
            break;
        }
    }
    mf_file_close(file);
    if (code < 0) {
        mf_free(bytes);
        return code;
    }
    bytes[len] = '\0';
    *ret_bytes = bytes;
    *ret_len = len;
    return 0;
}
