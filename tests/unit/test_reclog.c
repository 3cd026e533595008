/* SPDX-License-Identifier: Apache-2.0
 * The record log on the simulated disk: what each call promises. */
#include "base/bytes.h"
#include "base/hash.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/simdisk.h"
#include "reclog_format.h"

#include <errno.h>
#include <mayfly/reclog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static struct mf_errinfo err;
static struct mf_simdisk *disk;
static struct mf_env env;

static int setup(void **state)
{
    (void)state;
    disk = mf_simdisk_new(0);
    env = (struct mf_env){.fs = mf_simdisk_fs(disk)};
    return disk == NULL;
}

static int teardown(void **state)
{
    (void)state;
    if (mf_simdisk_handles(disk) != 0) {
        return -1; /* a failed test left them */
    }
    mf_simdisk_free(disk);
    return 0;
}

static struct mf_reclog_options with(enum mf_reclog_durability durability)
{
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    options.durability = durability;
    return options;
}

static struct mf_reclog *opened(const struct mf_reclog_options *options)
{
    struct mf_reclog *log = NULL;
    int code = mf_reclog_open("log", options, &env, &log, &err);
    if (code != 0) {
        print_error("%s\n", err.msg);
    }
    assert_int_equal(code, 0);
    return log;
}

static void add(struct mf_reclog *log, const char *text)
{
    int code = mf_reclog_append(log, 7, text, strlen(text), NULL, &err);
    if (code != 0) {
        print_error("%s\n", err.msg);
    }
    assert_int_equal(code, 0);
}

static struct mf_reclog_info info_of(struct mf_reclog *log)
{
    struct mf_reclog_info info;
    mf_reclog_info(log, &info);
    return info;
}

/* Writes a log of `count` records "record 1", ... and closes it. */
static void make(uint64_t count, enum mf_reclog_durability durability)
{
    struct mf_reclog_options options = with(durability);
    struct mf_reclog *log = opened(&options);
    for (uint64_t i = 1; i <= count; i++) {
        char text[40];
        snprintf(text, sizeof text, "record %llu", (unsigned long long)i);
        add(log, text);
    }
    assert_int_equal(mf_reclog_close(log, &err), 0);
}

static struct mf_reclog_reader *reading(void)
{
    struct mf_reclog_reader *reader = NULL;
    int code = mf_reclog_reader_open("log", &env, &reader, &err);
    if (code != 0) {
        print_error("%s\n", err.msg);
    }
    assert_int_equal(code, 0);
    return reader;
}

/* Reads "record N", N = first .. last, and leaves the reader behind them. */
static void expect_records(struct mf_reclog_reader *reader, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++) {
        struct mf_reclog_record record;
        int code = mf_reclog_next(reader, &record, &err);
        if (code != 1) {
            print_error("record %llu: %d %s\n", (unsigned long long)i, code,
                        code < 0 ? err.msg : "");
        }
        assert_int_equal(code, 1);
        char text[40];
        int len = snprintf(text, sizeof text, "record %llu", (unsigned long long)i);
        assert_int_equal(record.seq, i);
        assert_int_equal(record.type, 7);
        assert_int_equal(record.len, len);
        assert_memory_equal(record.payload, text, (size_t)len);
        assert_int_equal((uintptr_t)record.payload % 8, 0);
    }
}

static int next_code(struct mf_reclog_reader *reader)
{
    struct mf_reclog_record record;
    return mf_reclog_next(reader, &record, &err);
}

/* The file as bytes, to be changed by a test and put back. */
static size_t take_file(char **ret_bytes)
{
    size_t len = 0;
    assert_int_equal(mf_fs_read_all(env.fs, "log", 1 << 26, ret_bytes, &len, &err), 0);
    return len;
}

static void put_file(char *bytes, size_t len)
{
    assert_int_equal(mf_fs_replace(env.fs, "log", bytes, len, &err), 0);
    mf_free(bytes);
}

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

/* What each durability means for a process that is killed, and for the power. */
static uint64_t surviving(bool power)
{
    struct mf_simdisk *after = mf_simdisk_power_cut(
        disk, &(struct mf_simdisk_cut){.keep_nothing = power, .keep_all = !power});
    struct mf_env there = {.fs = mf_simdisk_fs(after)};
    struct mf_reclog *log = NULL;
    assert_int_equal(mf_reclog_open("log", NULL, &there, &log, &err), 0);
    uint64_t last = info_of(log).last_seq;
    assert_int_equal(mf_reclog_close(log, &err), 0);
    mf_simdisk_free(after);
    return last;
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
    struct mf_reclog_info info = info_of(log);
    while (info.flushed_seq < flushed || info.durable_seq < durable) {
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
    options.reserved[3] = 1;
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

static void test_foreign_files_are_left_alone(void **state)
{
    (void)state;
    static const char *const contents[] = {
        "hello", "MFRECLOX and more",
        "0123456789012345678901234567890123456789012345678901234567890123456", "MFREC!"};
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        const char *text = contents[i];
        assert_int_equal(mf_fs_replace(env.fs, "log", text, strlen(text), &err), 0);
        struct mf_reclog *log = NULL;
        struct mf_reclog_reader *reader = NULL;
        assert_int_equal(mf_reclog_open("log", NULL, &env, &log, &err), MF_EFORMAT);
        assert_int_equal(mf_reclog_reader_open("log", &env, &reader, &err), MF_EFORMAT);
        char *bytes = NULL;
        assert_int_equal(take_file(&bytes), strlen(text));
        assert_string_equal(bytes, text);
        mf_free(bytes);
    }
}

/* A crash while the file is made leaves nothing, zeros, or a beginning of the header. */
static void test_unfinished_header(void **state)
{
    (void)state;
    make(0, MF_RECLOG_PAGE);
    char *header = NULL;
    assert_int_equal(take_file(&header), RECLOG_HEADER_LEN);
    for (size_t len = 0; len <= RECLOG_HEADER_LEN; len++) {
        for (size_t zeros = 0; zeros + len <= RECLOG_HEADER_LEN; zeros += 8) {
            char bytes[RECLOG_HEADER_LEN] = {0};
            memcpy(bytes, header, len);
            assert_int_equal(mf_fs_replace(env.fs, "log", bytes, len + zeros, &err), 0);
            struct mf_reclog_reader *reader = reading();
            int code = next_code(reader);
            assert_true(code == 0 || code == MF_ETORN);
            struct mf_reclog *log = opened(NULL);
            assert_int_equal(info_of(log).created, len < RECLOG_HEADER_LEN);
            assert_int_equal(mf_reclog_append(log, 7, "record 1", 8, NULL, &err), 0);
            assert_int_equal(mf_reclog_close(log, &err), 0);
            mf_reclog_reader_close(reader);
            reader = reading();
            expect_records(reader, 1, 1);
            mf_reclog_reader_close(reader);
        }
    }
    mf_free(header);
}

static void test_damaged_header(void **state)
{
    (void)state;
    make(3, MF_RECLOG_PAGE);
    struct mf_reclog *log = NULL;
    struct mf_reclog_reader *reader = NULL;
    for (uint64_t bit = 64; bit < 8 * (uint64_t)RECLOG_HEADER_LEN; bit += 7) {
        assert_int_equal(mf_simdisk_flip_bit(disk, "log", bit), 0);
        assert_int_equal(mf_reclog_open("log", NULL, &env, &log, &err), MF_ECORRUPT);
        assert_int_equal(mf_reclog_reader_open("log", &env, &reader, &err), MF_ECORRUPT);
        assert_int_equal(mf_simdisk_flip_bit(disk, "log", bit), 0);
    }
    char *bytes = NULL;
    size_t len = take_file(&bytes);
    mf_store_u32(bytes + 8, 2); /* a later version, with a good checksum */
    mf_store_u32(bytes + 60, mf_crc32c(0, bytes, 60));
    put_file(bytes, len);
    assert_int_equal(mf_reclog_open("log", NULL, &env, &log, &err), MF_EVERSION);
    assert_int_equal(mf_reclog_reader_open("log", &env, &reader, &err), MF_EVERSION);
    assert_non_null(strstr(err.msg, "version 2"));
}

/* A file cut at any byte is a log that ends with the last whole record. */
static void test_torn_at_every_byte(void **state)
{
    (void)state;
    make(6, MF_RECLOG_PAGE);
    char *bytes = NULL;
    size_t len = take_file(&bytes);
    size_t record = mf__reclog_total(8);
    assert_int_equal(len, RECLOG_HEADER_LEN + 6 * record);
    for (size_t cut = RECLOG_HEADER_LEN; cut < len; cut++) {
        uint64_t whole = (cut - RECLOG_HEADER_LEN) / record;
        bool torn = (cut - RECLOG_HEADER_LEN) % record != 0;
        assert_int_equal(mf_fs_replace(env.fs, "log", bytes, cut, &err), 0);
        struct mf_reclog_reader *reader = reading();
        expect_records(reader, 1, whole);
        assert_int_equal(next_code(reader), torn ? MF_ETORN : 0);
        assert_int_equal(next_code(reader), torn ? MF_ETORN : 0);
        assert_int_equal(mf_reclog_reader_skip(reader, NULL, &err), 0);
        mf_reclog_reader_close(reader);
        struct mf_reclog *log = opened(NULL);
        struct mf_reclog_info info = info_of(log);
        assert_int_equal(info.recovered, whole);
        assert_int_equal(info.last_seq, whole);
        assert_int_equal(info.cut_bytes, torn ? (cut - RECLOG_HEADER_LEN) % record : 0);
        assert_int_equal(info.cut_records, 0);
        char text[40];
        snprintf(text, sizeof text, "record %llu", (unsigned long long)whole + 1);
        add(log, text);
        assert_int_equal(mf_reclog_close(log, &err), 0);
        reader = reading();
        expect_records(reader, 1, whole + 1);
        assert_int_equal(next_code(reader), 0);
        mf_reclog_reader_close(reader);
    }
    mf_free(bytes);
}

/* Every bit of a log whose records are known to be durable: damage is always found, and never
 * mistaken for a torn tail, except in the closing mark itself. */
static void test_every_bit_of_a_durable_log(void **state)
{
    (void)state;
    make(5, MF_RECLOG_SYNC);
    char *bytes = NULL;
    size_t len = take_file(&bytes);
    mf_free(bytes);
    size_t record = mf__reclog_total(8);
    assert_int_equal(len, RECLOG_HEADER_LEN + 5 * record + RECLOG_FRAME_LEN);
    for (uint64_t bit = 8 * (uint64_t)RECLOG_HEADER_LEN;
         bit < 8 * (uint64_t)(len - RECLOG_FRAME_LEN); bit++) {
        uint64_t hurt = (bit / 8 - RECLOG_HEADER_LEN) / record + 1;
        assert_int_equal(mf_simdisk_flip_bit(disk, "log", bit), 0);
        struct mf_reclog *log = NULL;
        assert_int_equal(mf_reclog_open("log", NULL, &env, &log, &err), MF_ECORRUPT);
        char offset[60];
        snprintf(offset, sizeof offset, "record %llu at offset %llu ", (unsigned long long)hurt,
                 (unsigned long long)(RECLOG_HEADER_LEN + (hurt - 1) * record));
        assert_non_null(strstr(err.msg, offset));
        struct mf_reclog_reader *reader = reading();
        expect_records(reader, 1, hurt - 1);
        assert_int_equal(next_code(reader), MF_ECORRUPT);
        assert_non_null(strstr(err.msg, offset));
        uint64_t skipped = 0;
        int more = mf_reclog_reader_skip(reader, &skipped, &err);
        assert_int_equal(more, hurt < 5 ? 1 : 0);
        if (more == 1) {
            assert_int_equal(skipped, record);
            expect_records(reader, hurt + 1, 5);
            assert_int_equal(next_code(reader), 0);
        }
        mf_reclog_reader_close(reader);
        assert_int_equal(mf_simdisk_flip_bit(disk, "log", bit), 0);
    }
    struct mf_reclog_reader *reader = reading();
    expect_records(reader, 1, 5); /* the failed opens changed nothing */
    mf_reclog_reader_close(reader);
}

/* Records that were never synced: a whole one behind a broken one is what a power cut may leave. */
static void test_unattested_damage_is_torn(void **state)
{
    (void)state;
    make(5, MF_RECLOG_PAGE);
    size_t record = mf__reclog_total(8);
    uint64_t third = RECLOG_HEADER_LEN + 2 * record;
    assert_int_equal(mf_simdisk_flip_bit(disk, "log", 8 * (third + 33)), 0);
    struct mf_reclog_reader *reader = reading();
    expect_records(reader, 1, 2);
    assert_int_equal(next_code(reader), MF_ETORN);
    assert_non_null(strstr(err.msg, "2 whole records follow"));
    assert_int_equal(mf_reclog_reader_skip(reader, NULL, &err), 1);
    expect_records(reader, 4, 5);
    mf_reclog_reader_close(reader);
    struct mf_reclog *log = opened(NULL);
    struct mf_reclog_info info = info_of(log);
    assert_int_equal(info.last_seq, 2);
    assert_int_equal(info.cut_bytes, 3 * record);
    assert_int_equal(info.cut_records, 2);
    assert_int_equal(mf_reclog_close(log, &err), 0);
}

/* A record of another log, or one of this log at another place, is never taken for the next one. */
static void test_stale_blocks_are_refused(void **state)
{
    (void)state;
    make(5, MF_RECLOG_PAGE);
    char *first = NULL;
    size_t len = take_file(&first);
    assert_int_equal(mf_fs_unlink(env.fs, "log", &err), 0);
    make(5, MF_RECLOG_PAGE);
    char *second = NULL;
    assert_int_equal(take_file(&second), len);
    size_t record = mf__reclog_total(8);
    memcpy(second + RECLOG_HEADER_LEN + 3 * record, first + RECLOG_HEADER_LEN + 3 * record, record);
    put_file(second, len);
    struct mf_reclog_reader *reader = reading();
    expect_records(reader, 1, 3);
    assert_int_equal(next_code(reader), MF_ETORN);
    mf_reclog_reader_close(reader);

    memmove(first + RECLOG_HEADER_LEN + 2 * record, first + RECLOG_HEADER_LEN + 3 * record, record);
    put_file(first, len);
    reader = reading();
    expect_records(reader, 1, 2);
    assert_int_equal(next_code(reader), MF_ETORN);
    mf_reclog_reader_close(reader);
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

/* While the writer is there, half a record is the end so far; when it is gone, a torn tail. */
static void test_half_a_record_of_a_live_writer(void **state)
{
    (void)state;
    make(3, MF_RECLOG_PAGE);
    struct mf_reclog *log = opened(NULL);
    struct mf_file *file = NULL;
    assert_int_equal(mf_file_open(env.fs, "log", MF_OPEN_READ | MF_OPEN_WRITE, &file, &err), 0);
    size_t record = mf__reclog_total(8);
    assert_int_equal(mf_file_write(file, "garbage of half a record, somewhat longer", 41,
                                   RECLOG_HEADER_LEN + 3 * record, &err),
                     0);
    struct mf_reclog_reader *reader = reading();
    expect_records(reader, 1, 3);
    assert_int_equal(next_code(reader), 0);
    assert_int_equal(mf_reclog_close(log, &err), 0);
    assert_int_equal(next_code(reader), MF_ETORN);
    mf_file_close(file);
    log = opened(NULL); /* cuts it */
    assert_int_equal(next_code(reader), 0);
    add(log, "record 4");
    expect_records(reader, 4, 4);
    assert_int_equal(mf_reclog_close(log, &err), 0);
    mf_reclog_reader_close(reader);
}

/* Damage in the middle is told apart from a record on its way even while the writer goes on. */
static void test_damage_under_a_live_writer(void **state)
{
    (void)state;
    struct mf_reclog_options options = with(MF_RECLOG_SYNC);
    struct mf_reclog *log = opened(&options);
    for (uint64_t i = 1; i <= 3; i++) {
        char text[40];
        snprintf(text, sizeof text, "record %llu", (unsigned long long)i);
        add(log, text);
    }
    assert_int_equal(mf_simdisk_flip_bit(disk, "log", 8 * (RECLOG_HEADER_LEN + 33)), 0);
    struct mf_reclog_reader *reader = reading();
    assert_int_equal(next_code(reader), 0);
    static char big[400000];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(mf_reclog_append(log, 1, big, sizeof big, NULL, &err), 0);
    }
    assert_int_equal(next_code(reader), MF_ECORRUPT);
    mf_reclog_reader_close(reader);
    assert_int_equal(mf_reclog_close(log, &err), 0);
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

static void test_failed_sync_poisons(void **state)
{
    (void)state;
    struct mf_reclog_options options = with(MF_RECLOG_SYNC);
    struct mf_reclog *log = opened(&options);
    add(log, "record 1");
    mf_simdisk_fail_nth(disk, 2, -EIO, false); /* write, sync */
    assert_int_equal(mf_reclog_append(log, 7, "record 2", 8, NULL, &err), MF_EPOISONED);
    assert_non_null(strstr(err.msg, "records after 1 may be lost"));
    assert_non_null(strstr(err.msg, "Input/output error"));
    assert_int_equal(mf_reclog_append(log, 7, "record 3", 8, NULL, &err), MF_EPOISONED);
    assert_int_equal(mf_reclog_flush(log, &err), MF_EPOISONED);
    assert_int_equal(mf_reclog_sync(log, 2, &err), MF_EPOISONED);
    assert_int_equal(mf_reclog_sync(log, 1, &err), 0); /* that one is durable */
    struct mf_reclog_info info = info_of(log);
    assert_true(info.poisoned);
    assert_int_equal(info.durable_seq, 1);
    assert_int_equal(info.last_seq, 2);
    assert_int_equal(mf_reclog_close(log, &err), MF_EPOISONED);
}

/* The page cache forgets what a failed sync had in hand: what the next open finds there must be
 * written again before it is called durable. */
static void test_reopen_after_failed_sync(void **state)
{
    (void)state;
    struct mf_reclog_options options = with(MF_RECLOG_SYNC);
    for (int round = 0; round < 30; round++) {
        (void)mf_fs_unlink(env.fs, "log", NULL);
        struct mf_reclog *log = opened(&options);
        for (uint64_t i = 1; i <= 9; i++) {
            char text[40];
            snprintf(text, sizeof text, "record %llu", (unsigned long long)i);
            add(log, text);
        }
        mf_simdisk_fail_nth(disk, 2, -EIO, false);
        assert_int_equal(mf_reclog_append(log, 7, "record 10", 9, NULL, &err), MF_EPOISONED);
        assert_int_equal(mf_reclog_close(log, &err), MF_EPOISONED);
        log = opened(&options);
        uint64_t last = info_of(log).last_seq;
        assert_true(last == 9 || last == 10);
        assert_int_equal(info_of(log).durable_seq, last);
        assert_int_equal(surviving(true), last); /* and it is true */
        assert_int_equal(mf_reclog_close(log, &err), 0);
    }
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
        TEST(test_foreign_files_are_left_alone),
        TEST(test_unfinished_header),
        TEST(test_damaged_header),
        TEST(test_torn_at_every_byte),
        TEST(test_every_bit_of_a_durable_log),
        TEST(test_unattested_damage_is_torn),
        TEST(test_stale_blocks_are_refused),
        TEST(test_reader_follows),
        TEST(test_half_a_record_of_a_live_writer),
        TEST(test_damage_under_a_live_writer),
        TEST(test_seek),
        TEST(test_full_disk),
        TEST(test_close_tells_what_is_lost),
        TEST(test_failed_sync_poisons),
        TEST(test_reopen_after_failed_sync),
        TEST(test_reserved_room),
        TEST(test_observer),
        TEST(test_bytes),
    };
    return cmocka_run_group_tests_name("reclog", tests, NULL, NULL);
}
