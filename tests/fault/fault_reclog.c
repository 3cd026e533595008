/* SPDX-License-Identifier: Apache-2.0
 *
 * fault_reclog.c -- one life of a log in which the Nth file call fails, or the Nth allocation, for
 * every N. A failure is returned, never swallowed; nothing acknowledged is lost; nothing leaks
 * (handles are counted, memory is the sanitizer's); and afterwards everything works again.
 */
#include "base/heap.h"
#include "cmocka_all.h"
#include "os/simdisk.h"

#include <errno.h>
#include <mayfly/reclog.h>
#include <stdio.h>
#include <string.h>

#define RECORDS 12

struct outcome {
    uint64_t durable; /* acknowledged as such */
    uint64_t tried;   /* appends that were called */
    int failures;     /* calls that failed */
};

static size_t payload_of(uint64_t seq, char *bytes)
{
    size_t len = seq % 4 == 0 ? 5000 : (size_t)(seq * 13);
    memset(bytes, (int)('a' + seq), len);
    return len;
}

static void note(struct outcome *outcome, int code, const struct mf_errinfo *err)
{
    if (code < 0) {
        outcome->failures++;
        assert_int_equal(err->code, code);
        assert_true(strlen(err->msg) > 10);
    }
}

static struct mf_reclog *open_log(struct mf_simdisk *disk, const struct mf_reclog_options *options,
                                  struct outcome *outcome)
{
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_errinfo err = {0, ""};
    struct mf_reclog *log = NULL;
    note(outcome, mf_reclog_open("d/log", options, &env, &log, &err), &err);
    if (log == NULL) { /* whoever tries again succeeds, since one call fails */
        note(outcome, mf_reclog_open("d/log", options, &env, &log, &err), &err);
    }
    return log;
}

static void append_some(struct mf_reclog *log, struct outcome *outcome, bool durable,
                        uint64_t until)
{
    struct mf_reclog_info info;
    mf_reclog_info(log, &info);
    for (uint64_t seq = info.last_seq + 1; seq <= until; seq++) {
        static char payload[5000];
        struct mf_errinfo err = {0, ""};
        uint64_t got = 0;
        size_t len = payload_of(seq, payload);
        outcome->tried = seq;
        int code = mf_reclog_append(log, (uint8_t)seq, payload, len, &got, &err);
        note(outcome, code, &err);
        if (code < 0 && code != MF_EPOISONED) {
            mf_reclog_info(log, &info);
            assert_int_equal(info.last_seq, seq - 1); /* nothing was appended */
            code = mf_reclog_append(log, (uint8_t)seq, payload, len, &got, &err);
            note(outcome, code, &err);
        }
        if (code == 0) {
            assert_int_equal(got, seq);
        }
        if (code == 0 && durable) {
            outcome->durable = seq;
        }
        if (code < 0) {
            return;
        }
    }
}

/* Opens, appends, closes; opens again in another way, appends, syncs, closes; reads. */
static struct outcome live(struct mf_simdisk *disk, bool reserve)
{
    struct outcome outcome = {0, 0, 0};
    struct mf_errinfo err = {0, ""};
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    options.durability = MF_RECLOG_SYNC;
    options.reserve_bytes = reserve ? 16384 : 0;
    options.buffer_bytes = 4096;
    struct mf_reclog *log = open_log(disk, &options, &outcome);
    if (log != NULL) {
        append_some(log, &outcome, true, RECORDS / 2);
        note(&outcome, mf_reclog_close(log, &err), &err);
    }
    options.durability = MF_RECLOG_NONE;
    log = open_log(disk, &options, &outcome);
    if (log != NULL) {
        append_some(log, &outcome, false, RECORDS);
        struct mf_reclog_info info;
        mf_reclog_info(log, &info);
        int code = mf_reclog_sync(log, MF_RECLOG_ALL, &err);
        note(&outcome, code, &err);
        outcome.durable = code == 0 ? info.last_seq : outcome.durable;
        note(&outcome, mf_reclog_close(log, &err), &err);
    }
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_reclog_reader *reader = NULL;
    int code = mf_reclog_reader_open("d/log", &env, &reader, &err);
    note(&outcome, code, &err);
    for (int i = 0; code >= 0 && i <= RECORDS; i++) {
        struct mf_reclog_record record;
        code = mf_reclog_next(reader, &record, &err);
        note(&outcome, code, &err);
    }
    mf_reclog_reader_close(reader);
    return outcome;
}

/* What is on the disk after all: from the first record on, each with its content. */
static uint64_t survivors(struct mf_simdisk *disk)
{
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_reclog *log = NULL;
    struct mf_reclog_reader *reader = NULL;
    struct mf_reclog_info info;
    struct mf_errinfo err = {0, ""};
    int code = mf_reclog_open("d/log", NULL, &env, &log, &err);
    if (code != 0) {
        print_error("%s\n", err.msg);
    }
    assert_int_equal(code, 0);
    mf_reclog_info(log, &info);
    assert_int_equal(mf_reclog_close(log, &err), 0);
    assert_int_equal(mf_reclog_reader_open("d/log", &env, &reader, &err), 0);
    for (uint64_t seq = 1; seq <= info.last_seq; seq++) {
        static char expected[5000];
        struct mf_reclog_record record;
        assert_int_equal(mf_reclog_next(reader, &record, &err), 1);
        size_t len = payload_of(seq, expected);
        assert_int_equal(record.seq, seq);
        assert_int_equal(record.len, len);
        assert_memory_equal(record.payload, expected, len);
    }
    mf_reclog_reader_close(reader);
    return info.last_seq;
}

static void check(struct mf_simdisk *disk, const struct outcome *outcome)
{
    assert_int_equal(mf_simdisk_handles(disk), 0);
    struct mf_simdisk *after =
        mf_simdisk_power_cut(disk, &(struct mf_simdisk_cut){.keep_nothing = true});
    assert_non_null(after);
    if (outcome->durable > 0) {
        assert_true(survivors(after) >= outcome->durable);
    }
    mf_simdisk_free(after);
    uint64_t left = survivors(disk);
    assert_true(left >= outcome->durable && left <= outcome->tried);
}

static struct mf_simdisk *new_disk(void)
{
    struct mf_simdisk *disk = mf_simdisk_new(0);
    assert_non_null(disk);
    assert_int_equal(mf_fs_mkdirs(mf_simdisk_fs(disk), "d", NULL), 0);
    return disk;
}

static void test_nth_file_call(void **state)
{
    (void)state;
    static const int codes[] = {-EIO, -ENOSPC, -EINTR, -EROFS};
    for (int way = 0; way < 16; way++) {
        int code = codes[way % 4];
        bool sticky = (way & 4) != 0;
        bool reserve = (way & 8) != 0;
        uint64_t nth = 0;
        uint64_t calls = 0;
        do {
            struct mf_simdisk *disk = new_disk();
            uint64_t before = mf_simdisk_operations(disk);
            mf_simdisk_fail_nth(disk, ++nth, code, sticky);
            struct outcome outcome = live(disk, reserve);
            calls = mf_simdisk_operations(disk) - before;
            mf_simdisk_fail_nth(disk, 0, 0, false);
            if (nth > calls) {
                assert_int_equal(outcome.failures, 0);
                assert_int_equal(outcome.durable, RECORDS);
            }
            check(disk, &outcome);
            mf_simdisk_free(disk);
        } while (nth <= calls);
        assert_true(nth > 40);
    }
}

struct counter {
    uint64_t asked;
    uint64_t fail_at;
    bool sticky;
};

static int count_allocation(void *context, size_t len_bytes)
{
    struct counter *counter = context;
    (void)len_bytes;
    counter->asked++;
    return counter->asked == counter->fail_at ||
           (counter->sticky && counter->asked > counter->fail_at);
}

static void test_nth_allocation(void **state)
{
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        struct counter counter = {0, 0, sticky != 0};
        uint64_t nth = 0;
        do {
            struct mf_simdisk *disk = new_disk();
            counter.asked = 0;
            counter.fail_at = ++nth;
            mf_heap_set_hook(count_allocation, &counter);
            struct outcome outcome = live(disk, nth % 2 == 0);
            mf_heap_set_hook(NULL, NULL);
            if (counter.asked < nth) {
                assert_int_equal(outcome.failures, 0);
            }
            check(disk, &outcome);
            mf_simdisk_free(disk);
        } while (counter.asked >= nth);
        assert_true(nth > 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nth_file_call),
        cmocka_unit_test(test_nth_allocation),
    };
    return cmocka_run_group_tests_name("fault/reclog", tests, NULL, NULL);
}
