/* SPDX-License-Identifier: Apache-2.0
 *
 * file.h -- every file that Mayfly writes is written through this table, so that the same library
 * code runs on the real file system and on the simulated disk (simdisk.h) that drops, tears and
 * reorders what was not synced.
 *
 * All functions return 0 (or a count) or a negative code, and fill `err` (may be NULL) with a
 * sentence that names the path, the operation and what to do. A handle may be used from several
 * threads at once for positioned reads and writes; everything else is the owner's. `fs` NULL means
 * the real file system.
 */
#ifndef OS_FILE_H
#define OS_FILE_H

#include <mayfly/env.h>
#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mf_file;

enum mf_open_flags {
    MF_OPEN_READ = 1,      /* always set */
    MF_OPEN_WRITE = 2,     /* open for writing too */
    MF_OPEN_CREATE = 4,    /* create when absent (mode 0600) */
    MF_OPEN_EXCLUSIVE = 8, /* with CREATE: -EEXIST when present */
    MF_OPEN_TRUNCATE = 16, /* cut to length 0 */
    MF_OPEN_NOFOLLOW = 32  /* a symbolic link as last component is -ELOOP */
};

enum mf_file_kind { MF_KIND_FILE, MF_KIND_DIRECTORY, MF_KIND_OTHER };

struct mf_file_info {
    enum mf_file_kind kind;
    uint64_t size_bytes;
    uint64_t allocated_bytes; /* what it takes on disk */
    int64_t modified_wall_ns;
    uint32_t mode; /* permission bits */
};

const struct mf_fs *mf_fs_real(void);
/* The real one, whose syncs do nothing: for an owner who syncs the same files himself, at another
 * time and in another thread. What is written survives the process, not a power cut. A record file
 * that is opened over it must not be synced through its own calls: its records would then attest
 * what is not true. */
const struct mf_fs *mf_fs_unsynced(void);

/* On success *ret_file is the caller's, to be closed with mf_file_close(). A directory is -EISDIR;
 * any other thing that is not a regular file is MF_EVALUE. Never waits (as an open of a FIFO
 * could). */
int mf_file_open(const struct mf_fs *fs, const char *path, unsigned flags,
                 struct mf_file **ret_file, struct mf_errinfo *err);
void mf_file_close(struct mf_file *file); /* NULL is allowed; releases locks; syncs nothing */
const char *mf_file_path(const struct mf_file *file);

/* Reads up to len bytes at offset; short only at the end of the file. Returns 0 and *ret_len. */
int mf_file_read(struct mf_file *file, void *bytes, size_t len, uint64_t offset, size_t *ret_len,
                 struct mf_errinfo *err);
/* Writes all of it, or fails; after a failure any part may have been written. */
int mf_file_write(struct mf_file *file, const void *bytes, size_t len, uint64_t offset,
                  struct mf_errinfo *err);
/* Makes content (and the size) durable: fdatasync. After a failure the content of the file since
 * the last good sync is unknown; the caller must poison itself, not retry. */
int mf_file_sync(struct mf_file *file, struct mf_errinfo *err);
/* Forgets what memory holds of the file, but for what is still to be written, so that it is read
 * from the disk: after a failed sync the page cache shows what the disk never got. Where the system
 * does not do it nothing happens. */
void mf_file_forget(struct mf_file *file);
int mf_file_truncate(struct mf_file *file, uint64_t size_bytes, struct mf_errinfo *err);
/* Reserves disk blocks for [0, size_bytes) and extends the file with zeros; never shortens it.
 * -ENOSPC here, never SIGBUS later: where the file system cannot reserve, zeros are written. After
 * a failure the file has its old size. */
int mf_file_allocate(struct mf_file *file, uint64_t size_bytes, struct mf_errinfo *err);
int mf_file_info(struct mf_file *file, struct mf_file_info *ret_info, struct mf_errinfo *err);
/* Exclusive advisory lock (flock) without waiting: MF_ELOCKED when another handle has it. Held
 * until close or the end of the process; not inherited by programs that it starts. */
int mf_file_lock(struct mf_file *file, struct mf_errinfo *err);
/* Whether some handle holds the lock now (this one included): 1 or 0, or a negative code. */
int mf_file_is_locked(struct mf_file *file, struct mf_errinfo *err);

/* Shared mapping of [0, len). It stays valid after the file is closed, until mf_file_unmap; `file`
 * may then still be given to mf_file_map_sync and mf_file_unmap, and to nothing else. */
int mf_file_map(struct mf_file *file, size_t len, bool writable, void **ret_address,
                struct mf_errinfo *err);
int mf_file_unmap(struct mf_file *file, void *address, size_t len);
/* Makes [address, address + len) of a mapping durable (msync); the range is widened to pages. */
int mf_file_map_sync(struct mf_file *file, void *address, size_t len, struct mf_errinfo *err);

/* The descriptor of a real file (for poll, sendfile), -1 on the simulated disk. Borrowed. */
int mf_file_descriptor(const struct mf_file *file);

int mf_fs_info(const struct mf_fs *fs, const char *path, struct mf_file_info *ret_info,
               struct mf_errinfo *err); /* -ENOENT when absent; follows no final symbolic link */
/* "ext4", "tmpfs", .. of the real file system that a path is on, or will be when it is made; one
 * without a name here is its number, "0x...". 0 or a negative errno. */
int mf_fs_type(const char *path, char *out, size_t capacity);
int mf_fs_rename(const struct mf_fs *fs, const char *from, const char *to, struct mf_errinfo *err);
int mf_fs_unlink(const struct mf_fs *fs, const char *path, struct mf_errinfo *err);
int mf_fs_mkdir(const struct mf_fs *fs, const char *path,
                struct mf_errinfo *err); /* mode 0700; -EEXIST */
/* As mkdir -p. What it makes is durable on return. */
int mf_fs_mkdirs(const struct mf_fs *fs, const char *path, struct mf_errinfo *err);
int mf_fs_rmdir(const struct mf_fs *fs, const char *path, struct mf_errinfo *err);
/* Makes creations, renames and removals in a directory durable. */
int mf_fs_sync_directory(const struct mf_fs *fs, const char *path, struct mf_errinfo *err);
/* The same for the directory that holds `path`. */
int mf_fs_sync_parent(const struct mf_fs *fs, const char *path, struct mf_errinfo *err);
/* Calls visit for each entry but . and .., sorted by name; stops at a non-zero return, which it
 * returns. */
int mf_fs_list(const struct mf_fs *fs, const char *path,
               int (*visit)(void *context, const char *name, enum mf_file_kind kind), void *context,
               struct mf_errinfo *err);

/* Replaces or creates the file `path` (mode 0600) with the given content in one step: temporary
 * file beside it, sync, rename, sync of the directory. After any crash the old or the new content
 * is there, whole; a file `path`MF_TEMPORARY_MARK* may be left then, which nobody reads and anybody
 * may remove. After a failure the temporary file is gone and the old content still there, unless it
 * is the last sync that failed: then it is unknown which of the two a crash would leave. Any other
 * kind of thing under that name (directory, symbolic link, device) is refused. */
#define MF_TEMPORARY_MARK ".tmp-"
int mf_fs_replace(const struct mf_fs *fs, const char *path, const void *bytes, size_t len,
                  struct mf_errinfo *err);
/* Reads a whole file of at most len_max bytes (MF_ELIMIT beyond); *ret_bytes is NUL-terminated and
 * the caller's (mf_free). */
int mf_fs_read_all(const struct mf_fs *fs, const char *path, size_t len_max, char **ret_bytes,
                   size_t *ret_len, struct mf_errinfo *err);

#endif
