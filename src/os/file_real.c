/* SPDX-License-Identifier: Apache-2.0
 * file_real.c -- os/file.h on Linux. Interrupted calls are repeated, short ones continued. */
#include "file_table.h"
#include "base/heap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A test of the lock by someone else (real_is_locked) takes it for an instant, so a refusal only
 * counts when it lasts. */
#define LOCK_ATTEMPTS 10
#define LOCK_PAUSE_NS 1000000

struct real_file {
    struct mf_file head;
    int descriptor;
    bool locked;
};

static struct real_file *real(struct mf_file *file)
{
    return (struct real_file *)file;
}

static int fd(const struct mf_file *file)
{
    return ((const struct real_file *)file)->descriptor;
}

static int open_descriptor(const char *path, unsigned flags)
{
    int how = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    how |= (flags & MF_OPEN_WRITE) != 0 ? O_RDWR : O_RDONLY;
    how |= (flags & MF_OPEN_CREATE) != 0 ? O_CREAT : 0;
    how |= (flags & MF_OPEN_EXCLUSIVE) != 0 ? O_EXCL : 0;
    how |= (flags & MF_OPEN_TRUNCATE) != 0 ? O_TRUNC : 0;
    how |= (flags & MF_OPEN_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;
    int descriptor;
    do {
        descriptor = open(path, how, 0600);
    } while (descriptor < 0 && errno == EINTR);
    return descriptor >= 0 ? descriptor : -errno;
}

static int real_open(const struct mf_fs *fs, const char *path, unsigned flags,
                     struct mf_file **ret_file)
{
    (void)fs;
    int descriptor = open_descriptor(path, flags);
    if (descriptor < 0) {
        return descriptor == -ENXIO ? MF_EVALUE
                                    : descriptor; /* a socket, or a FIFO without reader */
    }
    struct stat status;
    int code = fstat(descriptor, &status) == 0 ? 0 : -errno;
    if (code == 0 && !S_ISREG(status.st_mode)) {
        code = S_ISDIR(status.st_mode) ? -EISDIR : MF_EVALUE;
    }
    struct real_file *file = code == 0 ? mf_calloc(1, sizeof *file) : NULL;
    if (file == NULL) {
        close(descriptor);
        return code < 0 ? code : -ENOMEM;
    }
    file->descriptor = descriptor;
    *ret_file = &file->head;
    return 0;
}

static void real_close(struct mf_file *file)
{
    if (real(file)->locked) {
        /* A mapping keeps the open file, and with it the lock, alive; so closing is not enough. */
        (void)flock(fd(file), LOCK_UN);
    }
    close(fd(file));
    real(file)->descriptor = -1;
}

static void real_release(struct mf_file *file)
{
    mf_free(real(file));
}

static int real_read(struct mf_file *file, void *bytes, size_t len, uint64_t offset,
                     size_t *ret_len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(fd(file), (char *)bytes + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    *ret_len = done;
    return 0;
}

static int write_all(int descriptor, const void *bytes, size_t len, uint64_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n =
            pwrite(descriptor, (const char *)bytes + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        done += (size_t)n;
    }
    return 0;
}

static int real_write(struct mf_file *file, const void *bytes, size_t len, uint64_t offset)
{
    return write_all(fd(file), bytes, len, offset);
}

static int real_sync(struct mf_file *file)
{
    int code;
    do {
        code = fdatasync(fd(file)) == 0 ? 0 : -errno;
    } while (code == -EINTR); /* interrupted, not failed: nothing was given up */
    return code;
}

static void real_forget(struct mf_file *file)
{
    (void)posix_fadvise(fd(file), 0, 0, POSIX_FADV_DONTNEED);
}

static int real_truncate(struct mf_file *file, uint64_t size_bytes)
{
    int code;
    do {
        code = ftruncate(fd(file), (off_t)size_bytes) == 0 ? 0 : -errno;
    } while (code == -EINTR);
    return code;
}

static int write_zeros(int descriptor, uint64_t from, uint64_t to)
{
    static const char zeros[65536];
    while (from < to) {
        size_t len = to - from < sizeof zeros ? (size_t)(to - from) : sizeof zeros;
        int code = write_all(descriptor, zeros, len, from);
        if (code < 0) {
            return code;
        }
        from += len;
    }
    return 0;
}

/* For file systems without fallocate: zeros into every hole below `old_size`, and from there on. */
static int reserve_by_writing(int descriptor, uint64_t old_size, uint64_t size_bytes)
{
    uint64_t inside = old_size < size_bytes ? old_size : size_bytes;
    uint64_t at = 0;
    while (at < inside) {
        off_t hole = lseek(descriptor, (off_t)at, SEEK_HOLE);
        if (hole < 0 || (uint64_t)hole >= inside) {
            break; /* no hole, or a file system that knows of none */
        }
        off_t data = lseek(descriptor, hole, SEEK_DATA);
        uint64_t end = data < 0 || (uint64_t)data > inside ? inside : (uint64_t)data;
        int code = write_zeros(descriptor, (uint64_t)hole, end);
        if (code < 0) {
            return code;
        }
        at = end;
    }
    return write_zeros(descriptor, inside, size_bytes);
}

static int real_allocate(struct mf_file *file, uint64_t size_bytes)
{
    struct stat status;
    if (fstat(fd(file), &status) != 0) {
        return -errno;
    }
    uint64_t old_size = (uint64_t)status.st_size;
    int code = 0;
    do {
        code = size_bytes == 0 || fallocate(fd(file), 0, 0, (off_t)size_bytes) == 0 ? 0 : -errno;
    } while (code == -EINTR);
    if (code == -EOPNOTSUPP || code == -ENOSYS) {
        code = reserve_by_writing(fd(file), old_size, size_bytes);
    }
    if (code < 0) {
        (void)real_truncate(file, old_size); /* the first failure is the one to report */
    }
    return code;
}

static void fill_info(const struct stat *status, struct mf_file_info *ret_info)
{
    ret_info->kind = S_ISREG(status->st_mode)   ? MF_KIND_FILE
                     : S_ISDIR(status->st_mode) ? MF_KIND_DIRECTORY
                                                : MF_KIND_OTHER;
    ret_info->size_bytes = (uint64_t)status->st_size;
    ret_info->allocated_bytes = (uint64_t)status->st_blocks * 512;
    ret_info->modified_wall_ns =
        (int64_t)status->st_mtim.tv_sec * INT64_C(1000000000) + status->st_mtim.tv_nsec;
    ret_info->mode = status->st_mode & 07777;
}

static int real_info(struct mf_file *file, struct mf_file_info *ret_info)
{
    struct stat status;
    if (fstat(fd(file), &status) != 0) {
        return -errno;
    }
    fill_info(&status, ret_info);
    return 0;
}

static int try_lock(int descriptor, int how)
{
    int code;
    do {
        code = flock(descriptor, how | LOCK_NB) == 0 ? 0 : -errno;
    } while (code == -EINTR);
    return code;
}

static int real_lock(struct mf_file *file)
{
    int code = try_lock(fd(file), LOCK_EX);
    for (int attempt = 1; code == -EWOULDBLOCK && attempt < LOCK_ATTEMPTS; attempt++) {
        nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
        code = try_lock(fd(file), LOCK_EX);
    }
    if (code == 0) {
        real(file)->locked = true;
    }
    return code == -EWOULDBLOCK ? MF_ELOCKED : code;
}

static int real_is_locked(struct mf_file *file)
{
    if (real(file)->locked) {
        return 1; /* asking the kernel would turn our own lock into a shared one */
    }
    int code = try_lock(fd(file), LOCK_SH);
    if (code == 0) {
        (void)flock(fd(file), LOCK_UN);
    }
    return code == -EWOULDBLOCK ? 1 : code;
}

static int real_map(struct mf_file *file, size_t len, bool writable, void **ret_address)
{
    void *address =
        mmap(NULL, len, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd(file), 0);
    if (address == MAP_FAILED) {
        return -errno;
    }
    *ret_address = address;
    return 0;
}

static int real_unmap(struct mf_file *file, void *address, size_t len)
{
    (void)file;
    return munmap(address, len) == 0 ? 0 : -errno;
}

static int real_map_sync(struct mf_file *file, void *address, size_t len)
{
    (void)file;
    uintptr_t page_mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
    uintptr_t begin = (uintptr_t)address & ~page_mask;
    len += (uintptr_t)address - begin;
    int code;
    do {
        code =
            msync((char *)address - ((uintptr_t)address - begin), len, MS_SYNC) == 0 ? 0 : -errno;
    } while (code == -EINTR);
    return code;
}

static int real_descriptor(const struct mf_file *file)
{
    return fd(file);
}

static int real_path_info(const struct mf_fs *fs, const char *path, struct mf_file_info *ret_info)
{
    (void)fs;
    struct stat status;
    if (lstat(path, &status) != 0) {
        return -errno;
    }
    fill_info(&status, ret_info);
    return 0;
}

static int real_rename(const struct mf_fs *fs, const char *from, const char *to)
{
    (void)fs;
    return rename(from, to) == 0 ? 0 : -errno;
}

static int real_unlink(const struct mf_fs *fs, const char *path)
{
    (void)fs;
    return unlink(path) == 0 ? 0 : -errno;
}

static int real_mkdir(const struct mf_fs *fs, const char *path)
{
    (void)fs;
    return mkdir(path, 0700) == 0 ? 0 : -errno;
}

static int real_rmdir(const struct mf_fs *fs, const char *path)
{
    (void)fs;
    return rmdir(path) == 0 ? 0 : -errno;
}

static int real_sync_directory(const struct mf_fs *fs, const char *path)
{
    (void)fs;
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return -errno;
    }
    int code;
    do {
        code = fsync(directory) == 0 ? 0 : -errno;
    } while (code == -EINTR);
    close(directory);
    /* Some network and FUSE file systems have no such call and say so; there is nothing to wait
     * for. */
    return code == -EINVAL || code == -EOPNOTSUPP ? 0 : code;
}

static enum mf_file_kind entry_kind(DIR *directory, const struct dirent *entry)
{
    unsigned char type = entry->d_type;
    struct stat status;
    if (type == DT_UNKNOWN &&
        fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        type = S_ISREG(status.st_mode) ? DT_REG : S_ISDIR(status.st_mode) ? DT_DIR : DT_UNKNOWN;
    }
    return type == DT_REG ? MF_KIND_FILE : type == DT_DIR ? MF_KIND_DIRECTORY : MF_KIND_OTHER;
}

static int real_list(const struct mf_fs *fs, const char *path, struct mf__listing *listing)
{
    (void)fs;
    DIR *directory = opendir(path); /* sets close-on-exec */
    if (directory == NULL) {
        return -errno;
    }
    int code = 0;
    while (code == 0) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            code = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            code = mf__listing_add(listing, entry->d_name, entry_kind(directory, entry));
        }
    }
    closedir(directory);
    return code;
}

static int skip_sync(struct mf_file *file)
{
    (void)file;
    return 0;
}

static int skip_map_sync(struct mf_file *file, void *address, size_t len)
{
    (void)file;
    (void)address;
    (void)len;
    return 0;
}

static int skip_sync_directory(const struct mf_fs *fs, const char *path)
{
    (void)fs;
    (void)path;
    return 0;
}

/* Everything but the syncs. */
#define COMMON_OPERATIONS                                                                          \
    .open = real_open, .close = real_close, .release = real_release, .read = real_read,            \
    .write = real_write, .forget = real_forget, .truncate = real_truncate,                         \
    .allocate = real_allocate, .info = real_info, .lock = real_lock, .is_locked = real_is_locked,  \
    .map = real_map, .unmap = real_unmap, .descriptor = real_descriptor,                           \
    .path_info = real_path_info, .rename = real_rename, .unlink = real_unlink,                     \
    .mkdir = real_mkdir, .rmdir = real_rmdir, .list = real_list

static const struct mf_fs real_fs = {
    COMMON_OPERATIONS,
    .sync = real_sync,
    .map_sync = real_map_sync,
    .sync_directory = real_sync_directory,
};

static const struct mf_fs unsynced_fs = {
    COMMON_OPERATIONS,
    .sync = skip_sync,
    .map_sync = skip_map_sync,
    .sync_directory = skip_sync_directory,
};

const struct mf_fs *mf_fs_real(void)
{
    return &real_fs;
}

const struct mf_fs *mf_fs_unsynced(void)
{
    return &unsynced_fs;
}
