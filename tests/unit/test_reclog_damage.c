/* SPDX-License-Identifier: Apache-2.0
 * What a record log makes of foreign, torn and damaged files, and of failed syncs. */
#include "base/bytes.h"
#include "base/hash.h"
#include "reclog_fixture.h"

#include <errno.h>

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
        /* A rest of zeros is room that was reserved: the end, not a torn record. The first bytes of
         * a record are its checksum, which depends on a random salt. */
        bool torn = false;
        for (size_t i = RECLOG_HEADER_LEN + whole * record; i < cut; i++) {
            torn = torn || bytes[i] != 0;
        }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_foreign_files_are_left_alone),
        TEST(test_unfinished_header),
        TEST(test_damaged_header),
        TEST(test_torn_at_every_byte),
        TEST(test_every_bit_of_a_durable_log),
        TEST(test_unattested_damage_is_torn),
        TEST(test_stale_blocks_are_refused),
        TEST(test_half_a_record_of_a_live_writer),
        TEST(test_damage_under_a_live_writer),
        TEST(test_failed_sync_poisons),
        TEST(test_reopen_after_failed_sync),
    };
    return cmocka_run_group_tests_name("reclog_damage", tests, NULL, NULL);
}
