/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_reclog.c -- what a record costs in a record file, by its durability, beside the bare system
 * calls that it cannot go below. An iteration is one record; payloads are 80 bytes (a line of
 * output), 256 where they are synced.
 *
 *   reclog::raw/write, write_fdatasync, write_fdatasync_reserved   the bare calls, the last into
 *                                  reserved room
 *   reclog::page/each_written, delay_10ms   in the page cache, at once or within 10 ms
 *   reclog::sync/unreserved        on the disk, each
 *   reclog::sync/threads:N         the same in reserved room, from N threads, which share syncs
 *   reclog::read                   reading them back
 *   reclog::recover/n:N            opening a file of N records that was not closed
 */
#include "bench_scratch.h"

#include "os/file.h"

#include <errno.h>
#include <mayfly/reclog.h>
#include <pthread.h>
#include <string.h>

#define LINE_LEN    80
#define COMMIT_LEN  256
#define RECORDS_MAX 200000 /* then a new file: it stays below 25 MB, or 64 where they are synced   \
                            */
#define DELAY_NS      10000000
#define ROOM          (16 << 20)
#define RECORD_HEADER 32 /* about: the bare calls write as much as a record with that payload */
#define RAW           "reclog::raw/write_fdatasync_reserved"

static const char payload[COMMIT_LEN + RECORD_HEADER];

/* ---- the bare calls ---- */

struct raw {
    struct bench_scratch scratch;
    char path[BENCH_PATH_LEN];
    struct mf_file *file;
    uint64_t at;
    bool reserved;
};

static bool raw_open(struct mf_bench *bench, struct raw *raw)
{
    struct mf_errinfo err;
    int rc = mf_file_open(NULL, raw->path, MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE,
                          &raw->file, &err);
    if (rc == 0 && raw->reserved) {
        rc = mf_file_allocate(raw->file, ROOM, &err);
    }
    if (rc == 0 && raw->reserved) {
        rc = mf_file_sync(raw->file, &err);
    }
    raw->at = 0;
    return bench_ok(bench, rc, &err, "open");
}

static bool raw_write(struct mf_bench *bench, struct raw *raw, size_t len, bool sync)
{
    struct mf_errinfo err;
    int rc = mf_file_write(raw->file, payload, len, raw->at, &err);
    if (rc >= 0 && sync) {
        rc = mf_file_sync(raw->file, &err);
    }
    raw->at = raw->at + 2 * len < ROOM ? raw->at + len : 0;
    return bench_ok(bench, rc, &err, "write");
}

static void raw_all(struct mf_bench *bench, size_t payload_len, bool sync, bool reserved)
{
    struct raw raw = {.reserved = reserved};
    const size_t len = payload_len + RECORD_HEADER;
    mf_bench_set_bytes(bench, payload_len);
    if (bench_scratch_begin(bench, &raw.scratch)) {
        bench_scratch_path(&raw.scratch, "raw", raw.path);
        if (raw_open(bench, &raw)) {
            MF_LOOP(bench)
            {
                if (!raw_write(bench, &raw, len, sync)) {
                    break;
                }
            }
        }
        mf_file_close(raw.file);
    }
    bench_scratch_end(&raw.scratch);
}

MF_BENCH(reclog, write, .group = "raw")
{
    raw_all(bench, LINE_LEN, false, false);
}

MF_BENCH(reclog, write_fdatasync, .group = "raw", .mode = MF_BENCH_LATENCY)
{
    raw_all(bench, COMMIT_LEN, true, false);
}

MF_BENCH(reclog, write_fdatasync_reserved, .group = "raw", .mode = MF_BENCH_LATENCY)
{
    raw_all(bench, COMMIT_LEN, true, true);
}

/* ---- record files ---- */

struct subject {
    struct bench_scratch scratch;
    char path[BENCH_PATH_LEN];
    struct mf_reclog_options options;
    size_t len;
    struct mf_reclog *log;
};

static bool log_open(struct mf_bench *bench, struct subject *subject)
{
    struct mf_errinfo err;
    return bench_ok(bench,
                    mf_reclog_open(subject->path, &subject->options, NULL, &subject->log, &err),
                    &err, "open");
}

static bool log_close(struct mf_bench *bench, struct subject *subject)
{
    struct mf_errinfo err;
    const int rc = subject->log != NULL ? mf_reclog_close(subject->log, &err) : 0;
    subject->log = NULL;
    return bench_ok(bench, rc, &err, "close");
}

static bool append(struct mf_bench *bench, struct subject *subject)
{
    struct mf_errinfo err;
    return bench_ok(bench, mf_reclog_append(subject->log, 1, payload, subject->len, NULL, &err),
                    &err, "append");
}

static bool subject_begin(struct mf_bench *bench, struct subject *subject,
                          enum mf_reclog_durability durability, int64_t flush_delay_ns,
                          uint64_t reserve_bytes)
{
    *subject = (struct subject){
        .options = MF_RECLOG_OPTIONS_INIT,
        .len = durability == MF_RECLOG_SYNC ? COMMIT_LEN : LINE_LEN,
    };
    subject->options.durability = durability;
    subject->options.flush_delay_ns = flush_delay_ns;
    subject->options.reserve_bytes = reserve_bytes;
    mf_bench_set_bytes(bench, subject->len);
    if (!bench_scratch_begin(bench, &subject->scratch)) {
        return false;
    }
    bench_scratch_path(&subject->scratch, "log", subject->path);
    return log_open(bench, subject);
}

static void subject_end(struct mf_bench *bench, struct subject *subject)
{
    (void)log_close(bench, subject);
    bench_scratch_end(&subject->scratch);
}

/* A new file instead of one that is too large; not timed. */
static bool renew(struct mf_bench *bench, struct subject *subject)
{
    mf_bench_pause(bench);
    const bool ok = log_close(bench, subject) &&
                    bench_ok(bench, mf_fs_unlink(NULL, subject->path, NULL), NULL, "unlink") &&
                    log_open(bench, subject);
    mf_bench_resume(bench);
    return ok;
}

static void append_all(struct mf_bench *bench, enum mf_reclog_durability durability,
                       int64_t flush_delay_ns, uint64_t reserve_bytes)
{
    struct subject subject;
    if (subject_begin(bench, &subject, durability, flush_delay_ns, reserve_bytes)) {
        uint64_t records = 0;
        MF_LOOP(bench)
        {
            if (++records % RECORDS_MAX == 0 && !renew(bench, &subject)) {
                break;
            }
            if (!append(bench, &subject)) {
                break;
            }
        }
    }
    subject_end(bench, &subject);
}

MF_BENCH(reclog, each_written, .group = "page", .ratio_to = "reclog::raw/write")
{
    append_all(bench, MF_RECLOG_PAGE, 0, 0);
}

MF_BENCH(reclog, delay_10ms, .group = "page", .ratio_to = "reclog::raw/write")
{
    append_all(bench, MF_RECLOG_PAGE, DELAY_NS, 0);
}

MF_BENCH(reclog, unreserved, .group = "sync", .mode = MF_BENCH_LATENCY, .ratio_to = RAW)
{
    append_all(bench, MF_RECLOG_SYNC, 0, 0);
}

/* ---- several threads and one file ---- */

static struct {
    pthread_mutex_t lock;
    int users;
    bool ok;
    struct subject subject;
} common = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The first opens, the last closes. */
static bool common_begin(struct mf_bench *bench)
{
    pthread_mutex_lock(&common.lock);
    if (common.users++ == 0) {
        common.ok = subject_begin(bench, &common.subject, MF_RECLOG_SYNC, 0, ROOM);
    }
    const bool ok = common.ok;
    pthread_mutex_unlock(&common.lock);
    return ok;
}

static void common_end(struct mf_bench *bench)
{
    pthread_mutex_lock(&common.lock);
    if (--common.users == 0) {
        subject_end(bench, &common.subject);
    }
    pthread_mutex_unlock(&common.lock);
}

MF_BENCH(reclog, sync, .threads = (const int[]){1, 4, 16}, .thread_count = 3,
         .mode = MF_BENCH_LATENCY, .ratio_to = RAW)
{
    if (common_begin(bench)) {
        MF_LOOP(bench)
        {
            if (!append(bench, &common.subject)) {
                break;
            }
        }
    }
    common_end(bench);
}

/* ---- reading ---- */

static bool fill(struct mf_bench *bench, struct subject *subject, int64_t records)
{
    bool ok = true;
    for (int64_t i = 0; ok && i < records; i++) {
        ok = append(bench, subject);
    }
    return ok;
}

static bool reader_open(struct mf_bench *bench, const struct subject *subject,
                        struct mf_reclog_reader **ret_reader)
{
    struct mf_errinfo err;
    return bench_ok(bench, mf_reclog_reader_open(subject->path, NULL, ret_reader, &err), &err,
                    "open");
}

static void read_all(struct mf_bench *bench, const struct subject *subject)
{
    struct mf_errinfo err;
    struct mf_reclog_reader *reader = NULL;
    uint64_t records = 0;
    if (!reader_open(bench, subject, &reader)) {
        return;
    }
    MF_LOOP(bench)
    {
        struct mf_reclog_record record;
        if (++records % RECORDS_MAX == 0) {
            mf_bench_pause(bench);
            mf_reclog_reader_close(reader);
            const bool ok = reader_open(bench, subject, &reader);
            mf_bench_resume(bench);
            if (!ok) {
                return;
            }
        }
        if (mf_reclog_next(reader, &record, &err) != 1) {
            mf_bench_fail(bench, "reading ended after %llu records", (unsigned long long)records);
            break;
        }
    }
    mf_reclog_reader_close(reader);
}

MF_BENCH(reclog, read)
{
    struct subject subject;
    if (subject_begin(bench, &subject, MF_RECLOG_PAGE, DELAY_NS, 0) &&
        fill(bench, &subject, RECORDS_MAX) && log_close(bench, &subject)) {
        read_all(bench, &subject);
    }
    subject_end(bench, &subject);
}

MF_BENCH(reclog, recover, .params = (const int64_t[]){100, 1000, 10000, 100000}, .param_count = 4)
{
    struct subject subject;
    const int64_t records = mf_bench_param(bench);
    if (subject_begin(bench, &subject, MF_RECLOG_PAGE, DELAY_NS, 0) &&
        fill(bench, &subject, records) && log_close(bench, &subject)) {
        mf_bench_set_elements(bench, (uint64_t)records);
        MF_LOOP(bench)
        {
            if (!log_open(bench, &subject) || !log_close(bench, &subject)) {
                break;
            }
        }
    }
    subject_end(bench, &subject);
}

MF_BENCH_MAIN
