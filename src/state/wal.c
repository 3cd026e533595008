/* SPDX-License-Identifier: Apache-2.0
 * wal.c -- see wal.h; the essay is in state.c. */
#include "wal.h"
#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

/* A segment that nobody prepared grows by so many zeros at a time: enough for some hundred commits,
 * little enough not to be felt. */
#define GROWTH_BYTES (256u << 10)
#define BUFFER_BYTES (1u << 20)

/* As much as a record takes in the file. */
static uint64_t record_bytes(size_t len)
{
    return 32 + (((uint64_t)len + 7) & ~UINT64_C(7));
}

/* Gives the prepared file the name of the segment. Where that does not work the segment is made
 * without it. */
static void take_spare(struct wal *wal, const char *path)
{
    struct mf_file_info info;
    if (!wal->spare_ready || mf_fs_info(wal->env.fs, path, &info, NULL) != -ENOENT) {
        return;
    }
    char *spare = mf__store_join(wal->directory, STORE_SPARE);
    if (spare != NULL && mf_fs_rename(wal->env.fs, spare, path, NULL) == 0) {
        wal->spare_ready = false;
    }
    mf_free(spare);
}

int mf__wal_open(struct wal *wal, uint64_t first_seq, uint64_t expect_seq, struct mf_errinfo *err)
{
    char *path = mf__store_path(wal->directory, STORE_WAL, first_seq, NULL);
    if (path == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot open the log in %.200s", wal->directory);
    }
    take_spare(wal, path);
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    options.durability = MF_RECLOG_NONE; /* the owner says when to sync */
    options.flags = MF_RECLOG_PREWRITE | MF_RECLOG_PROVE;
    options.kind = wal->kind;
    options.first_seq = first_seq;
    options.expect_seq = expect_seq;
    options.reserve_bytes = GROWTH_BYTES < wal->segment_bytes ? GROWTH_BYTES : wal->segment_bytes;
    options.buffer_bytes = BUFFER_BYTES;
    int code = mf_reclog_open(path, &options, &wal->env, &wal->log, err);
    mf_free(path);
    if (code == 0) {
        struct mf_reclog_info info;
        mf_reclog_info(wal->log, &info);
        wal->current = (struct wal_segment){first_seq, info.last_seq, info.size_bytes};
    }
    return code;
}

bool mf__wal_is_full(const struct wal *wal, size_t len)
{
    return wal->log == NULL || (wal->current.last_seq >= wal->current.first_seq &&
                                wal->current.bytes + record_bytes(len) > wal->segment_bytes);
}

int mf__wal_reserve(struct wal *wal, struct mf_errinfo *err)
{
    if (wal->closed_count == wal->closed_capacity) {
        size_t capacity = wal->closed_capacity != 0 ? wal->closed_capacity * 2 : 16;
        struct wal_segment *closed = mf_realloc(wal->closed, capacity * sizeof *closed);
        if (closed == NULL) {
            return mf_fail_os(err, -ENOMEM, "cannot keep the log in %.200s", wal->directory);
        }
        wal->closed = closed;
        wal->closed_capacity = capacity;
    }
    return 0;
}

int mf__wal_add_closed(struct wal *wal, const struct wal_segment *segment, struct mf_errinfo *err)
{
    int code = mf__wal_reserve(wal, err);
    if (code == 0) {
        wal->closed[wal->closed_count++] = *segment;
    }
    return code;
}

void mf__wal_close_segment(struct wal *wal)
{
    struct mf_reclog_info info;
    mf_reclog_info(wal->log, &info);
    wal->syncs += info.syncs;
    (void)mf_reclog_close(wal->log, NULL); /* all of it is on disk; the mark is an extra */
    wal->log = NULL;
    wal->closed[wal->closed_count++] = wal->current;
    wal->current = (struct wal_segment){0, 0, 0};
}

int mf__wal_detach(struct wal *wal, uint64_t seq, struct wal_segment **ret_segments,
                   size_t *ret_count, struct mf_errinfo *err)
{
    size_t count = 0;
    while (count < wal->closed_count && wal->closed[count].last_seq <= seq) {
        count++;
    }
    struct wal_segment *segments = NULL;
    if (count != 0) {
        segments = mf_malloc(count * sizeof *segments);
        if (segments == NULL) {
            return mf_fail_os(err, -ENOMEM, "cannot trim the log in %.200s", wal->directory);
        }
        memcpy(segments, wal->closed, count * sizeof *segments);
        wal->closed_count -= count;
        memmove(wal->closed, wal->closed + count, wal->closed_count * sizeof *wal->closed);
    }
    *ret_segments = segments;
    *ret_count = count;
    return 0;
}

int mf__wal_remove(const struct wal *wal, const struct wal_segment *segments, size_t count,
                   struct mf_errinfo *err)
{
    int code = 0;
    for (size_t i = 0; i < count && code == 0; i++) {
        char *path = mf__store_path(wal->directory, STORE_WAL, segments[i].first_seq, NULL);
        code = path != NULL ? mf_fs_unlink(wal->env.fs, path, err)
                            : mf_fail_os(err, -ENOMEM, "cannot trim %.200s", wal->directory);
        mf_free(path);
        code = code == -ENOENT ? 0 : code;
    }
    return code;
}

uint64_t mf__wal_bytes(const struct wal *wal)
{
    uint64_t bytes = wal->current.bytes;
    for (size_t i = 0; i < wal->closed_count; i++) {
        bytes += wal->closed[i].bytes;
    }
    return bytes;
}

int mf__wal_prepare(struct wal *wal, struct mf_errinfo *err)
{
    static const uint8_t zeros[65536];
    char *path = mf__store_join(wal->directory, STORE_SPARE);
    struct mf_file *file = NULL;
    if (path != NULL) {
        (void)mf_fs_unlink(wal->env.fs, path, NULL); /* of an attempt that failed half way */
    }
    int code = path != NULL ? mf_file_open(wal->env.fs, path,
                                           MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE |
                                               MF_OPEN_EXCLUSIVE | MF_OPEN_NOFOLLOW,
                                           &file, err)
                            : mf_fail_os(err, -ENOMEM, "cannot prepare a log file");
    for (uint64_t at = 0; code == 0 && at < wal->segment_bytes;) {
        uint64_t left = wal->segment_bytes - at;
        size_t len = left < sizeof zeros ? (size_t)left : sizeof zeros;
        code = mf_file_write(file, zeros, len, at, err);
        at += len;
    }
    if (code == 0) {
        code = mf_file_sync(file, err);
    }
    mf_file_close(file);
    if (code < 0 && file != NULL) {
        (void)mf_fs_unlink(wal->env.fs, path, NULL);
    }
    mf_free(path);
    return code;
}

int mf__wal_close(struct wal *wal, struct mf_errinfo *err)
{
    int code = mf_reclog_close(wal->log, err);
    wal->log = NULL;
    mf_free(wal->closed);
    wal->closed = NULL;
    wal->closed_count = 0;
    return code;
}
