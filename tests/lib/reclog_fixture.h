/* SPDX-License-Identifier: Apache-2.0
 * reclog_fixture.h -- a log "log" on a simulated disk, new for each test, and short words for it.
 */
#ifndef RECLOG_FIXTURE_H
#define RECLOG_FIXTURE_H

#include "base/heap.h"
#include "cmocka_all.h"
#include "os/simdisk.h"
#include "reclog_format.h"

#include <mayfly/reclog.h>
#include <stdio.h>
#include <string.h>

static struct mf_errinfo err;
static struct mf_simdisk *disk;
static struct mf_env env;

static inline int setup(void **state)
{
    (void)state;
    disk = mf_simdisk_new(0);
    env = (struct mf_env){.fs = mf_simdisk_fs(disk)};
    return disk == NULL;
}

static inline int teardown(void **state)
{
    (void)state;
    if (mf_simdisk_handles(disk) != 0) {
        return -1; /* a failed test left them */
    }
    mf_simdisk_free(disk);
    return 0;
}

static inline struct mf_reclog_options with(enum mf_reclog_durability durability)
{
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    options.durability = durability;
    return options;
}

static inline struct mf_reclog *opened(const struct mf_reclog_options *options)
{
    struct mf_reclog *log = NULL;
    int code = mf_reclog_open("log", options, &env, &log, &err);
    if (code != 0) {
        print_error("%s\n", err.msg);
    }
    assert_int_equal(code, 0);
    return log;
}

static inline void add(struct mf_reclog *log, const char *text)
{
    int code = mf_reclog_append(log, 7, text, strlen(text), NULL, &err);
    if (code != 0) {
        print_error("%s\n", err.msg);
    }
    assert_int_equal(code, 0);
}

static inline struct mf_reclog_info info_of(struct mf_reclog *log)
{
    struct mf_reclog_info info;
    mf_reclog_info(log, &info);
    return info;
}

/* Writes a log of `count` records "record 1", ... and closes it. */
static inline void make(uint64_t count, enum mf_reclog_durability durability)
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

static inline struct mf_reclog_reader *reading(void)
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
static inline void expect_records(struct mf_reclog_reader *reader, uint64_t first, uint64_t last)
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

static inline int next_code(struct mf_reclog_reader *reader)
{
    struct mf_reclog_record record;
    return mf_reclog_next(reader, &record, &err);
}

/* The file as bytes, to be changed by a test and put back. */
static inline size_t take_file(char **ret_bytes)
{
    size_t len = 0;
    assert_int_equal(mf_fs_read_all(env.fs, "log", 1 << 26, ret_bytes, &len, &err), 0);
    return len;
}

static inline void put_file(char *bytes, size_t len)
{
    assert_int_equal(mf_fs_replace(env.fs, "log", bytes, len, &err), 0);
    mf_free(bytes);
}

/* What each durability means for a process that is killed, and for the power. */
static inline uint64_t surviving(bool power)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
