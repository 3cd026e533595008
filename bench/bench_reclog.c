/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_reclog.c -- what a record costs in a record file, by its durability, beside the bare system
 * calls that it cannot go below. Payloads are 80 bytes (a line of output), 256 where they are
 * synced.
 */
#include "harness.h"
#include "os/file.h"
#include "os/thread.h"

#include <mayfly/reclog.h>
#include <string.h>

#define LINE_LEN    80
#define COMMIT_LEN  256
#define THREADS     16
#define RECORDS_MAX 200000 /* of one sample: the file stays below 25 MB */

struct subject {
    const char *path;
    struct mf_reclog_options options;
    size_t len;
    bool raw_sync; /* the bare calls: with fdatasync */
    bool reserved; /* the bare calls: into reserved room */
    struct mf_file *file;
    uint64_t at;
    struct mf_reclog *log;
    struct mf_reclog_reader *reader;
    uint64_t each; /* appends of one thread */
};

static const char payload[COMMIT_LEN + 32];

static void open_log(void *context)
{
    struct subject *subject = context;
    struct mf_errinfo err;
    (void)mf_fs_unlink(NULL, subject->path, NULL);
    bench_check(mf_reclog_open(subject->path, &subject->options, NULL, &subject->log, &err), &err,
                "open");
}

static void close_log(void *context)
{
    struct subject *subject = context;
    struct mf_errinfo err;
    bench_check(mf_reclog_close(subject->log, &err), &err, "close");
}

static void append(void *context, uint64_t count)
{
    struct subject *subject = context;
    struct mf_errinfo err;
    for (uint64_t i = 0; i < count; i++) {
        bench_check(mf_reclog_append(subject->log, 1, payload, subject->len, NULL, &err), &err,
                    "append");
    }
}

static void *append_share(void *context)
{
    struct subject *subject = context;
    append(subject, subject->each);
    return NULL;
}

static void append_from_threads(void *context, uint64_t count)
{
    struct subject *subject = context;
    struct mf_thread threads[THREADS];
    struct mf_errinfo err;
    subject->each = count / THREADS;
    for (int i = 0; i < THREADS; i++) {
        bench_check(mf_thread_start(&threads[i], "bench", append_share, subject, &err), &err,
                    "thread");
    }
    for (int i = 0; i < THREADS; i++) {
        (void)mf_thread_join(&threads[i]);
    }
}

static void open_file(void *context)
{
    struct subject *subject = context;
    struct mf_errinfo err;
    (void)mf_fs_unlink(NULL, subject->path, NULL);
    bench_check(mf_file_open(NULL, subject->path, MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE,
                             &subject->file, &err),
                &err, "open");
    if (subject->reserved) {
        bench_check(mf_file_allocate(subject->file, 16 << 20, &err), &err, "allocate");
        bench_check(mf_file_sync(subject->file, &err), &err, "sync");
    }
    subject->at = 0;
}

static void close_file(void *context)
{
    struct subject *subject = context;
    mf_file_close(subject->file);
}

static void write_file(void *context, uint64_t count)
{
    struct subject *subject = context;
    struct mf_errinfo err;
    const size_t len = subject->len + 32; /* as much as a record with that payload */
    for (uint64_t i = 0; i < count; i++) {
        bench_check(mf_file_write(subject->file, payload, len, subject->at, &err), &err, "write");
        subject->at += len;
        if (subject->raw_sync) {
            bench_check(mf_file_sync(subject->file, &err), &err, "sync");
        }
    }
}

static void open_reader(void *context)
{
    struct subject *subject = context;
    struct mf_errinfo err;
    open_log(subject);
    append(subject, RECORDS_MAX);
    close_log(subject);
    bench_check(mf_reclog_reader_open(subject->path, NULL, &subject->reader, &err), &err, "open");
}

static void close_reader(void *context)
{
    struct subject *subject = context;
    mf_reclog_reader_close(subject->reader);
}

static void read_records(void *context, uint64_t count)
{
    struct subject *subject = context;
    struct mf_errinfo err;
    struct mf_reclog_record record;
    for (uint64_t i = 0; i < count; i++) {
        if (mf_reclog_next(subject->reader, &record, &err) != 1) {
            bench_die("reading ended after %llu records", (unsigned long long)i);
        }
    }
}

static void add_log(struct bench *bench, struct subject *subject, const char *name,
                    enum mf_reclog_durability durability, int64_t flush_delay_ns,
                    uint64_t reserve_bytes, bool threads)
{
    subject->path = bench_scratch(bench, "log");
    subject->options = (struct mf_reclog_options)MF_RECLOG_OPTIONS_INIT;
    subject->options.durability = durability;
    subject->options.flush_delay_ns = flush_delay_ns;
    subject->options.reserve_bytes = reserve_bytes;
    subject->len = durability == MF_RECLOG_SYNC ? COMMIT_LEN : LINE_LEN;
    bench_add(bench, &(struct bench_case){.name = name,
                                          .run = threads ? append_from_threads : append,
                                          .before = open_log,
                                          .after = close_log,
                                          .context = subject,
                                          .step = threads ? THREADS : 1,
                                          .count_max = RECORDS_MAX,
                                          .without_ratio = durability != MF_RECLOG_SYNC});
}

static void add_raw(struct bench *bench, struct subject *subject, const char *name, bool sync,
                    bool reserved)
{
    subject->path = bench_scratch(bench, "raw");
    subject->len = sync ? COMMIT_LEN : LINE_LEN;
    subject->raw_sync = sync;
    subject->reserved = reserved;
    bench_add(bench, &(struct bench_case){.name = name,
                                          .run = write_file,
                                          .before = open_file,
                                          .after = close_file,
                                          .context = subject,
                                          .count_max = RECORDS_MAX,
                                          .baseline = sync && reserved,
                                          .without_ratio = !sync});
}

int main(int argc, char **argv)
{
    struct bench *bench = bench_begin(
        "reclog", "What a record costs, by durability, beside bare write and fdatasync.",
        BENCH_CASES, argc, argv);
    if (bench_replicate(bench)) {
        return bench_finish(bench);
    }
    static struct subject subjects[9];
    const int64_t delay_ns = 10000000;
    const uint64_t room = 16 << 20;
    add_raw(bench, &subjects[0], "raw/write", false, false);
    add_log(bench, &subjects[1], "page/each_written", MF_RECLOG_PAGE, 0, 0, false);
    add_log(bench, &subjects[2], "page/delay_10ms", MF_RECLOG_PAGE, delay_ns, 0, false);
    add_raw(bench, &subjects[3], "raw/write_fdatasync", true, false);
    add_raw(bench, &subjects[4], "raw/write_fdatasync_reserved", true, true);
    add_log(bench, &subjects[5], "sync/1_thread", MF_RECLOG_SYNC, 0, 0, false);
    add_log(bench, &subjects[6], "sync/1_thread_reserved", MF_RECLOG_SYNC, 0, room, false);
    add_log(bench, &subjects[7], "sync/16_threads_reserved", MF_RECLOG_SYNC, 0, room, true);
    subjects[8].path = bench_scratch(bench, "log");
    subjects[8].options = (struct mf_reclog_options)MF_RECLOG_OPTIONS_INIT;
    subjects[8].options.flush_delay_ns = delay_ns;
    subjects[8].len = LINE_LEN;
    bench_add(bench, &(struct bench_case){.name = "read",
                                          .run = read_records,
                                          .before = open_reader,
                                          .after = close_reader,
                                          .context = &subjects[8],
                                          .count_max = RECORDS_MAX,
                                          .without_ratio = true});
    bench_run(bench);
    return bench_finish(bench);
}
