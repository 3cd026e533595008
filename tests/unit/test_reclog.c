/* SPDX-License-Identifier: Apache-2.0
 * The record log on the simulated disk: what each call promises. */
#include "base/bytes.h"
#include "base/hash.h"
#include "os/clock.h"
#include "reclog_fixture.h"

#include <errno.h>

static void test_write_and_read(void **state)
{
    (void)state;
    for (int durability = 0; durability < 4; durability++) {
        (void)mf_fs_unlink(env.fs, "log", NULL);
        make(1000, (enum mf_reclog_durability)durability);
        struct mf_reclog_reader *reader = reading();
        expect_records(reader, 1, 1000);
        assert_int_equal(next_code(reader), 0);
        mf_reclog_reader_rewind(reader);
        expect_records(reader, 1, 5);
        mf_reclog_reader_close(reader);
    }
    mf_reclog_reader_close(NULL);
    assert_int_equal(mf_reclog_close(NULL, &err), 0);
}

static void test_reopen_appends(void **state)
{
    (void)state;
    make(10, MF_RECLOG_SYNC);
    struct mf_reclog_options options = with(MF_RECLOG_PAGE);
    options.kind = 0;
    struct mf_reclog *log = opened(&options);
    struct mf_reclog_info info = info_of(log);
    assert_false(info.created);
    assert_int_equal(info.recovered, 10);
    assert_int_equal(info.last_seq, 10);
    assert_int_equal(info.durable_seq, 10); /* the mark of the close says so */
    assert_int_equal(info.cut_bytes, 0);
    uint64_t seq = 0;
    assert_int_equal(mf_reclog_append(log, 7, "record 11", 9, &seq, &err), 0);
    assert_int_equal(seq, 11);
    assert_int_equal(mf_reclog_close(log, &err), 0);
    struct mf_reclog_reader *reader = reading();
    expect_records(reader, 1, 11);
    mf_reclog_reader_close(reader);
}

static void test_payload_shapes(void **state)
{
    (void)state;
    struct mf_reclog *log = opened(NULL);
    static char big[300000];
    memset(big, 'b', sizeof big);
    struct mf_reclog_part parts[4] = {{"ab", 2}, {NULL, 0}, {"c", 1}, {big, 5}};
    assert_int_equal(mf_reclog_append(log, 0, NULL, 0, NULL, &err), 0);
    assert_int_equal(mf_reclog_append_parts(log, 255, parts, 4, NULL, &err), 0);
    assert_int_equal(mf_reclog_append_parts(log, 1, NULL, 0, NULL, &err), 0);
    assert_int_equal(mf_reclog_append(log, 2, big, sizeof big, NULL, &err), 0);
    parts[0] = (struct mf_reclog_part){big, MF_RECLOG_PAYLOAD_MAX};
    assert_int_equal(mf_reclog_append_parts(log, 1, parts, 3, NULL, &err), MF_ELIMIT);
    assert_non_null(strstr(err.msg, "67108864"));
    parts[1] = (struct mf_reclog_part){big, SIZE_MAX};
    assert_int_equal(mf_reclog_append_parts(log, 1, parts, 2, NULL, &err), MF_ELIMIT);
    assert_int_equal(info_of(log).last_seq, 4);
    assert_int_equal(mf_reclog_close(log, &err), 0);

    struct mf_reclog_reader *reader = reading();
    struct mf_reclog_record record;
    assert_int_equal(mf_reclog_next(reader, &record, &err), 1);
    assert_int_equal(record.len, 0);
    assert_int_equal(record.type, 0);
    assert_int_equal(record.offset, RECLOG_HEADER_LEN);
    assert_int_equal(mf_reclog_next(reader, &record, &err), 1);
    assert_int_equal(record.len, 8);
    assert_int_equal(record.type, 255);
    assert_memory_equal(record.payload, "abcbbbbb", 8);
    assert_int_equal(mf_reclog_next(reader, &record, &err), 1);
    assert_int_equal(record.len, 0);
    assert_int_equal(mf_reclog_next(reader, &record, &err), 1);
    assert_int_equal(record.len, sizeof big);
    assert_memory_equal(record.payload, big, sizeof big);
    assert_int_equal(mf_reclog_next(reader, &record, &err), 0);
    mf_reclog_reader_close(reader);
}

static void test_durability_as_named(void **state)
{
    (void)state;
    struct mf_reclog_options options = with(MF_RECLOG_NONE);
    struct mf_reclog *log = opened(&options);
    add(log, "1");
    assert_int_equal(surviving(false), 0);
    assert_int_equal(mf_reclog_flush(log, &err), 0);
    assert_int_equal(surviving(false), 1);
    assert_int_equal(surviving(true), 0);
    assert_int_equal(mf_reclog_sync(log, 1, &err), 0);
    assert_int_equal(surviving(true), 1);
    assert_int_equal(mf_reclog_close(log, &err), 0);

    options = with(MF_RECLOG_PAGE);
    log = opened(&options);
    add(log, "2");
    assert_int_equal(surviving(false), 2);
    assert_int_equal(surviving(true), 1);
    struct mf_reclog_info info = info_of(log);
    assert_int_equal(info.flushed_seq, 2);
    assert_int_equal(info.durable_seq, 1);
    assert_int_equal(mf_reclog_close(log, &err), 0);

    options = with(MF_RECLOG_SYNC);
    log = opened(&options);
    assert_int_equal(info_of(log).durable_seq, 2); /* open made it so */
    add(log, "3");
    assert_int_equal(surviving(true), 3);
    assert_int_equal(info_of(log).durable_seq, 3);
    assert_int_equal(mf_reclog_close(log, &err), 0);
}

static void wait_for(struct mf_reclog *log, uint64_t flushed, uint64_t durable)
{
    const int64_t until = mf_clock_monotonic_ns(NULL) + 60 * MF_NS_PER_SECOND;
    struct mf_reclog_info info = info_of(log);
    while (info.flushed_seq < flushed || info.durable_seq < durable) {
        assert_true(mf_clock_monotonic_ns(NULL) < until);
        (void)mf_clock_sleep_until_ns(mf_clock_monotonic_ns(NULL) + MF_NS_PER_MS);
        info = info_of(log);
    }
}

static void test_delays_end_by_themselves(void **state)
{
    (void)state;
    struct mf_reclog_options options = with(MF_RECLOG_PAGE);
    options.flush_delay_ns = 2 * MF_NS_PER_MS;
    struct mf_reclog *log = opened(&options);
    add(log, "1");
    wait_for(log, 1, 0);
    add(log, "2");
    wait_for(log, 2, 0);
    assert_int_equal(mf_reclog_close(log, &err), 0);

    options = with(MF_RECLOG_INTERVAL);
    options.sync_interval_ns = 2 * MF_NS_PER_MS;
    log = opened(&options);
    add(log, "3");
    wait_for(log, 3, 3);
    assert_int_equal(mf_reclog_close(log, &err), 0);

    options.flush_delay_ns = 1000 * MF_NS_PER_SECOND; /* a sync does not wait for the flush */
    log = opened(&options);
    add(log, "4");
    wait_for(log, 4, 4);
    assert_int_equal(mf_reclog_close(log, &err), 0);
}

/* Many appends, one write: the calls on the file are counted. */
static void test_buffered_appends_share_writes(void **state)
{
    (void)state;
    struct mf_reclog_options options = with(MF_RECLOG_PAGE);
    options.flush_delay_ns = 1000 * MF_NS_PER_SECOND;
    options.buffer_bytes = 65536;
    struct mf_reclog *log = opened(&options);
    uint64_t before = mf_simdisk_operations(disk);
    for (int i = 0; i < 10000; i++) {
        add(log, "a line of output that is about as long as lines of output are");
    }
    uint64_t calls = mf_simdisk_operations(disk) - before;
    assert_true(calls >= 10 && calls <= 20);
    assert_int_equal(mf_reclog_close(log, &err), 0);
    struct mf_reclog_reader *reader = reading();
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(next_code(reader), 1);
    }
    assert_int_equal(next_code(reader), 0);
    mf_reclog_reader_close(reader);
}

static void test_second_writer_is_refused(void **state)
{
    (void)state;
    struct mf_reclog *log = opened(NULL);
    struct mf_reclog *second = NULL;
    assert_int_equal(mf_reclog_open("log", NULL, &env, &second, &err), MF_ELOCKED);
    assert_non_null(strstr(err.msg, "log"));
    assert_null(second);
    assert_int_equal(mf_reclog_close(log, &err), 0);
    assert_int_equal(mf_reclog_close(opened(NULL), &err), 0);
}

static void test_bad_options(void **state)
{
    (void)state;
    struct mf_reclog *log = NULL;
    struct mf_reclog_options options = {0};
    assert_int_equal(mf_reclog_open("log", &options, &env, &log, &err), MF_EVALUE);
    options = with((enum mf_reclog_durability)4);
    assert_int_equal(mf_reclog_open("log", &options, &env, &log, &err), MF_EVALUE);
    options = with(MF_RECLOG_PAGE);
    options.flush_delay_ns = -1;
    assert_int_equal(mf_reclog_open("log", &options, &env, &log, &err), MF_EVALUE);
    options = with(MF_RECLOG_PAGE);
    options.reserved[2] = 1;
    assert_int_equal(mf_reclog_open("log", &options, &env, &log, &err), MF_EVALUE);
    assert_null(log);
    struct mf_file_info info;
    assert_int_equal(mf_fs_info(env.fs, "log", &info, &err), -ENOENT); /* nothing was made */
}

static void test_kind_and_first_seq(void **state)
{
    (void)state;
    struct mf_reclog_options options = with(MF_RECLOG_SYNC);
    options.kind = 77;
    options.first_seq = 1000;
    struct mf_reclog *log = opened(&options);
    assert_true(info_of(log).created);
    assert_int_equal(info_of(log).last_seq, 999);
    uint64_t seq = 0;
    assert_int_equal(mf_reclog_append(log, 1, "x", 1, &seq, &err), 0);
    assert_int_equal(seq, 1000);
    assert_int_equal(mf_reclog_close(log, &err), 0);
    options.kind = 78;
    log = NULL;
    assert_int_equal(mf_reclog_open("log", &options, &env, &log, &err), MF_EMISMATCH);
    assert_non_null(strstr(err.msg, "kind 77"));
    options.kind = 0;
    options.first_seq = 1;
    log = opened(&options);
    assert_int_equal(info_of(log).kind, 77);
    assert_int_equal(info_of(log).first_seq, 1000);
    assert_int_equal(mf_reclog_close(log, &err), 0);
    struct mf_reclog_reader *reader = reading();
    assert_int_equal(mf_reclog_reader_kind(reader), 77);
    struct mf_reclog_record record;
    assert_int_equal(mf_reclog_next(reader, &record, &err), 1);
    assert_int_equal(record.seq, 1000);
    mf_reclog_reader_close(reader);

    options.expect_seq = 1001;
    assert_int_equal(mf_reclog_open("log", &options, &env, &log, &err), MF_ECORRUPT);
    assert_non_null(strstr(err.msg, "1001"));
    options.expect_seq = 1000;
    assert_int_equal(mf_reclog_close(opened(&options), &err), 0);
}

static void test_reader_follows(void **state)
{
    (void)state;
    struct mf_reclog_reader *reader = NULL;
    assert_int_equal(mf_reclog_reader_open("log", &env, &reader, &err), -ENOENT);
    struct mf_file *empty = NULL; /* as the writer leaves it for an instant */
    assert_int_equal(
        mf_file_open(env.fs, "log", MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE, &empty, &err),
        0);
    mf_file_close(empty);
    reader = reading();
    assert_int_equal(next_code(reader), 0);
    assert_int_equal(mf_reclog_reader_kind(reader), 0);
    struct mf_reclog_options options = with(MF_RECLOG_NONE);
    options.kind = 5;
    options.reserve_bytes = 4096;
    struct mf_reclog *log = opened(&options);
    assert_int_equal(next_code(reader), 0);
    assert_int_equal(mf_reclog_reader_kind(reader), 5);
    for (uint64_t i = 1; i <= 300; i++) {
        char text[40];
        snprintf(text, sizeof text, "record %llu", (unsigned long long)i);
        add(log, text);
        if (i % 7 == 0) {
            assert_int_equal(next_code(reader), 0);
            assert_int_equal(mf_reclog_flush(log, &err), 0);
            expect_records(reader, i - 6, i);
            assert_int_equal(next_code(reader), 0);
        }
    }
    assert_int_equal(mf_reclog_close(log, &err), 0);
    expect_records(reader, 295, 300);
    assert_int_equal(next_code(reader), 0);
    log = opened(&options);
    add(log, "record 301");
    assert_int_equal(mf_reclog_close(log, &err), 0);
    expect_records(reader, 301, 301);
    mf_reclog_reader_close(reader);
}

static void test_seek(void **state)
{
    (void)state;
    make(20, MF_RECLOG_PAGE);
    struct mf_reclog_reader *reader = reading();
    uint64_t offsets[21] = {0};
    for (int i = 1; i <= 20; i++) {
        struct mf_reclog_record record;
        assert_int_equal(mf_reclog_reader_offset(reader),
                         i == 1 ? RECLOG_HEADER_LEN : mf_reclog_reader_offset(reader));
        assert_int_equal(mf_reclog_next(reader, &record, &err), 1);
        offsets[i] = record.offset;
    }
    uint64_t end = mf_reclog_reader_offset(reader);
    assert_int_equal(mf_reclog_reader_seek(reader, offsets[13], &err), 0);
    expect_records(reader, 13, 20);
    assert_int_equal(mf_reclog_reader_seek(reader, offsets[2], &err), 0);
    expect_records(reader, 2, 4);
    assert_int_equal(mf_reclog_reader_seek(reader, end, &err), 0);
    assert_int_equal(next_code(reader), 0);
    assert_int_equal(mf_reclog_reader_seek(reader, end + 8, &err), MF_EVALUE);
    assert_int_equal(mf_reclog_reader_seek(reader, offsets[3] + 1, &err), MF_EVALUE);
    assert_int_equal(mf_reclog_reader_seek(reader, 0, &err), MF_EVALUE);
    assert_int_equal(next_code(reader), 0);
    struct mf_reclog *log = opened(NULL);
    add(log, "record 21");
    assert_int_equal(mf_reclog_close(log, &err), 0);
    expect_records(reader, 21, 21);
    assert_int_equal(mf_reclog_reader_seek(reader, offsets[3] + 8, &err), 0);
    assert_true(next_code(reader) < 0);
    mf_reclog_reader_close(reader);
}

static void test_full_disk(void **state)
{
    (void)state;
    for (int durability = 0; durability < 4; durability++) {
        (void)mf_fs_unlink(env.fs, "log", NULL);
        mf_simdisk_set_capacity(disk, 8 * 4096);
        struct mf_reclog_options options = with((enum mf_reclog_durability)durability);
        options.reserve_bytes = durability == MF_RECLOG_SYNC ? 3 * 4096 : 0;
        options.buffer_bytes = 4096;
        options.sync_interval_ns = 1000 * MF_NS_PER_SECOND;
        struct mf_reclog *log = opened(&options);
        uint64_t accepted = 0;
        int code = 0;
        while (code == 0) {
            char text[40];
            int len = snprintf(text, sizeof text, "record %llu", (unsigned long long)accepted + 1);
            code = mf_reclog_append(log, 7, text, (size_t)len, NULL, &err);
            accepted += code == 0;
        }
        assert_int_equal(code, -ENOSPC);
        assert_non_null(strstr(err.msg, "free space"));
        assert_int_equal(info_of(log).last_seq, accepted);
        assert_true(accepted > 500);
        struct mf_reclog_reader *reader = reading();
        uint64_t flushed = info_of(log).flushed_seq;
        assert_true(durability == MF_RECLOG_NONE || flushed == accepted);
        expect_records(reader, 1, flushed);
        assert_int_equal(next_code(reader), 0); /* no half record */
        uint64_t there = surviving(false);
        assert_int_equal(there, flushed);

        mf_simdisk_set_capacity(disk, 20 * 4096);
        char text[40];
        snprintf(text, sizeof text, "record %llu", (unsigned long long)accepted + 1);
        add(log, text);
        assert_int_equal(mf_reclog_close(log, &err), 0);
        expect_records(reader, flushed + 1, accepted + 1);
        assert_int_equal(next_code(reader), 0);
        mf_reclog_reader_close(reader);
    }
}

static void test_close_tells_what_is_lost(void **state)
{
    (void)state;
    struct mf_reclog_options options = with(MF_RECLOG_NONE);
    struct mf_reclog *log = opened(&options);
    add(log, "1");
    add(log, "2");
    mf_simdisk_set_capacity(disk, 1);
    mf_simdisk_fail_nth(disk, 1, -ENOSPC, true);
    assert_int_equal(mf_reclog_close(log, &err), -ENOSPC);
    assert_non_null(strstr(err.msg, "2 records of log were lost"));
    mf_simdisk_fail_nth(disk, 0, 0, false);
}

static void test_reserved_room(void **state)
{
    (void)state;
    struct mf_reclog_options options = with(MF_RECLOG_SYNC);
    options.reserve_bytes = 1 << 20;
    struct mf_reclog *log = opened(&options);
    add(log, "record 1");
    struct mf_file_info info;
    assert_int_equal(mf_fs_info(env.fs, "log", &info, &err), 0);
    assert_int_equal(info.size_bytes, 1 << 20);
    assert_int_equal(surviving(false), 1); /* a kill: the zeros are no torn tail */
    assert_int_equal(mf_reclog_close(log, &err), 0);
    assert_int_equal(mf_fs_info(env.fs, "log", &info, &err), 0);
    assert_int_equal(info.size_bytes, RECLOG_HEADER_LEN + mf__reclog_total(8) + RECLOG_FRAME_LEN);
}

struct counts {
    uint64_t written;
    uint64_t records;
    uint64_t syncs;
};

static void count(void *context, const char *name, uint64_t increment)
{
    struct counts *counts = context;
    counts->written += strcmp(name, "reclog.written_bytes") == 0 ? increment : 0;
    counts->records += strcmp(name, "reclog.synced_records") == 0 ? increment : 0;
}

static void duration(void *context, const char *name, uint64_t duration_ns)
{
    struct counts *counts = context;
    assert_string_equal(name, "reclog.sync");
    assert_true(duration_ns < (uint64_t)INT64_MAX);
    counts->syncs++;
}

static void test_observer(void **state)
{
    (void)state;
    struct counts counts = {0, 0, 0};
    struct mf_observer observer = {count, duration, &counts};
    env.observer = &observer;
    make(10, MF_RECLOG_SYNC);
    assert_int_equal(counts.written, 10 * mf__reclog_total(8) + mf__reclog_total(9) -
                                         mf__reclog_total(8) + RECLOG_FRAME_LEN);
    assert_int_equal(counts.records, 10);
    assert_int_equal(counts.syncs, 10);
}

/* Nothing of the format moves by accident: one file, byte by byte (docs/formats.md). */
static void test_bytes(void **state)
{
    (void)state;
    struct mf_reclog_options options = with(MF_RECLOG_SYNC);
    options.kind = 0x01020304;
    struct mf_reclog *log = opened(&options);
    assert_int_equal(mf_reclog_append(log, 9, "abc", 3, NULL, &err), 0);
    assert_int_equal(mf_reclog_append(log, 8, "", 0, NULL, &err), 0);
    assert_int_equal(mf_reclog_close(log, &err), 0);
    char *bytes = NULL;
    assert_int_equal(take_file(&bytes), 64 + 40 + 32 + 32);
    assert_memory_equal(bytes, "MFRECLOG\1\0\0\0\4\3\2\1", 16);
    assert_int_equal(mf_load_u64(bytes + 24), 1);
    uint32_t header_crc = mf_crc32c(0, bytes, 60);
    assert_int_equal(mf_load_u32(bytes + 60), header_crc);
    const char *record = bytes + 64;
    uint32_t crc = mf_crc32c(header_crc, record + 4, 36);
    assert_int_equal(mf_load_u32(record), crc);
    assert_int_equal(mf_load_u32(record + 4), header_crc);
    assert_int_equal(mf_load_u32(record + 8), 3);
    assert_int_equal(record[12], 9);
    assert_int_equal(record[13], 0);
    assert_int_equal(mf_load_u16(record + 14), 0);
    assert_int_equal(mf_load_u64(record + 16), 1);
    assert_int_equal(mf_load_u64(record + 24), 0);
    assert_memory_equal(record + 32, "abc\0\0\0\0\0", 8);
    record += 40;
    assert_int_equal(mf_load_u32(record + 4), crc);
    assert_int_equal(mf_load_u64(record + 16), 2);
    assert_int_equal(mf_load_u64(record + 24), 1);
    crc = mf_load_u32(record);
    record += 32;
    assert_int_equal(mf_load_u32(record + 4), crc);
    assert_int_equal(record[13], 1);
    assert_int_equal(mf_load_u64(record + 16), 2);
    assert_int_equal(mf_load_u64(record + 24), 2);
    mf_free(bytes);
}

/* The payloads of all records, with blanks between them. */
static void expect_all(const char *expected)
{
    char all[256] = "";
    struct mf_reclog_record record;
    struct mf_reclog_reader *reader = reading();
    while (mf_reclog_next(reader, &record, &err) == 1) {
        size_t at = strlen(all);
        (void)snprintf(all + at, sizeof all - at, "%s%.*s", at != 0 ? " " : "", (int)record.len,
                       (const char *)record.payload);
    }
    mf_reclog_reader_close(reader);
    assert_string_equal(all, expected);
}

static uint64_t size_of_log(void)
{
    struct mf_file_info info;
    assert_int_equal(mf_fs_info(env.fs, "log", &info, &err), 0);
    return info.size_bytes;
}

/* Zeros stay behind the records, also when it is closed; a file of zeros becomes a log. */
static void test_prewritten_room(void **state)
{
    (void)state;
    struct mf_reclog_options options = with(MF_RECLOG_SYNC);
    options.reserve_bytes = 8192;
    options.flags = MF_RECLOG_PREWRITE | MF_RECLOG_PROVE;
    struct mf_reclog *log = opened(&options);
    add(log, "one");
    assert_int_equal(size_of_log(), 8192);
    assert_int_equal(mf_reclog_close(log, &err), 0);
    assert_int_equal(size_of_log(), 8192);
    log = opened(&options);
    struct mf_reclog_info info;
    mf_reclog_info(log, &info);
    assert_int_equal(info.cut_bytes, 0);
    assert_true(info.closed);
    add(log, "two");
    assert_int_equal(size_of_log(), 8192);
    assert_int_equal(mf_reclog_close(log, &err), 0);
    expect_all("one two");

    static const char zeros[10000];
    assert_int_equal(mf_fs_replace(env.fs, "log", zeros, sizeof zeros, &err), 0);
    struct mf_reclog_options plain = with(MF_RECLOG_PAGE);
    struct mf_reclog *none = NULL;
    assert_int_equal(mf_reclog_open("log", &plain, &env, &none, &err), MF_EFORMAT);
    expect_all(""); /* a log in the making */
    log = opened(&options);
    add(log, "three");
    assert_int_equal(size_of_log(), sizeof zeros);
    assert_int_equal(mf_reclog_close(log, &err), 0);
    expect_all("three");
}

/* What could not be written is taken back for good; what was written stays, and is durable. */
static void test_discard(void **state)
{
    (void)state;
    struct mf_reclog_options options = with(MF_RECLOG_NONE);
    struct mf_reclog *log = opened(&options);
    add(log, "one");
    assert_int_equal(mf_reclog_flush(log, &err), 0);
    mf_simdisk_set_capacity(disk, 1);
    static char large[9000];
    assert_int_equal(mf_reclog_append(log, 7, large, sizeof large, NULL, &err), 0);
    add(log, "two");
    assert_int_equal(mf_reclog_sync(log, MF_RECLOG_ALL, &err), -ENOSPC);
    assert_int_equal(mf_reclog_discard(log, &err), 0);
    struct mf_reclog_info info;
    mf_reclog_info(log, &info);
    assert_int_equal(info.last_seq, 1);
    assert_int_equal(info.durable_seq, 1);
    mf_simdisk_set_capacity(disk, 0);
    add(log, "three");
    assert_int_equal(mf_reclog_close(log, &err), 0);
    expect_all("one three");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_write_and_read),
        TEST(test_reopen_appends),
        TEST(test_payload_shapes),
        TEST(test_durability_as_named),
        TEST(test_delays_end_by_themselves),
        TEST(test_buffered_appends_share_writes),
        TEST(test_second_writer_is_refused),
        TEST(test_bad_options),
        TEST(test_kind_and_first_seq),
        TEST(test_reader_follows),
        TEST(test_seek),
        TEST(test_full_disk),
        TEST(test_close_tells_what_is_lost),
        TEST(test_reserved_room),
        TEST(test_prewritten_room),
        TEST(test_discard),
        TEST(test_observer),
        TEST(test_bytes),
    };
    return cmocka_run_group_tests_name("reclog", tests, NULL, NULL);
}
