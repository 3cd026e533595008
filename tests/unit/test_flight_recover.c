/* SPDX-License-Identifier: Apache-2.0
 * test_flight_recover.c -- what a power cut can leave of a flight that was never synced, and that
 * recovery does not invent figures. Kills at any moment are in crash/flight. */
#include "cmocka_all.h"

#include "flights.h"
#include "scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define START INT64_C(1790251200000000000)

static char dir[700];

static struct test_flight *begin(void)
{
    static int turn;
    char home[300];
    char id[64];
    snprintf(home, sizeof home, "%s/home", scratch_directory());
    snprintf(id, sizeof id, "20260924-120000-cut-00%02d", turn++);
    snprintf(dir, sizeof dir, "%s/flights/%s", home, id);
    struct test_flight *flight = test_flight_begin(home, id, "cut", NULL, START);
    test_flight_no_metrics(flight);
    return flight;
}

static void begin_and_leave(void)
{
    struct test_flight *flight = begin();
    const struct test_process process = {
        .number = 1, .comm = "make", .cores = 1, .rss_mib = 8, .end_ms = 0};
    test_flight_process(flight, &process);
    test_flight_line(flight, 20, MF_STREAM_STDOUT, "one");
    test_flight_line(flight, 30, MF_STREAM_STDOUT, "two");
    test_flight_event(flight, 40, "user", 1, "\"data\":{\"n\":1}");
    test_flight_end(flight, &(struct test_end){.duration_ms = 1000});
}

/* Makes the first `len` bytes of a file zeros, or cuts it to nothing. */
static void spoil(const char *name, size_t len)
{
    char path[800];
    static const char zeros[65536];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    const int fd = open(path, O_WRONLY | (len == 0 ? O_TRUNC : 0));
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, zeros, len, 0), (ssize_t)len);
    close(fd);
}

static bool there(const char *name)
{
    char path[800];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static struct mf_flight_info *recover(struct mf_flight_recovery *ret_recovery)
{
    struct mf_errinfo err = {0};
    struct mf_flight_info *info = NULL;
    if (mf_flight_recover(dir, ret_recovery, &err) != 0) {
        fail_msg("recover: %s", err.msg);
    }
    assert_false(ret_recovery->was_complete);
    assert_int_equal(mf_flight_info_read(dir, &info, &err), 0);
    assert_int_equal(info->state, MF_FLIGHT_RECOVERED);
    struct mf_flight_recovery again;
    assert_int_equal(mf_flight_recover(dir, &again, &err), 0);
    assert_true(again.was_complete);
    return info;
}

static bool has_evidence(const struct mf_flight_info *info, const char *text)
{
    for (char **evidence = info->evidence; evidence != NULL && *evidence != NULL; evidence++) {
        if (strstr(*evidence, text) != NULL) {
            return true;
        }
    }
    return false;
}

static void a_log_that_lost_its_header(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t zeros; /* the first page, or the file as it was reserved */
    } cases[] = {
        {"output.log", 64}, {"output.log", 65536}, {"events.log", 64}, {"events.log", 65536}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char lost[32];
        char words[64];
        struct mf_flight_recovery recovery;
        begin_and_leave();
        spoil(cases[i].name, cases[i].zeros);
        struct mf_flight_info *info = recover(&recovery);
        snprintf(lost, sizeof lost, "%s.lost", cases[i].name);
        snprintf(words, sizeof words, "%s was lost", cases[i].name);
        assert_int_equal(recovery.logs_lost, 1);
        assert_true(there(lost));
        assert_true(has_evidence(info, words));
        const bool output = strcmp(cases[i].name, "output.log") == 0;
        assert_int_equal(info->totals.output[MF_STREAM_STDOUT].lines, output ? 0 : 2);
        assert_int_equal(info->totals.user_events, output ? 1 : 0);
        mf_flight_info_free(info);
        assert_int_equal(mf_flight_remove(dir, NULL), 0);
    }
}

/* Nothing or only a part of the header arrived, and nothing behind it: nothing was lost with it. */
static void an_empty_log(void **state)
{
    (void)state;
    struct mf_flight_recovery recovery;
    begin_and_leave();
    spoil("output.log", 0);
    struct mf_flight_info *info = recover(&recovery);
    assert_int_equal(recovery.logs_lost, 0);
    assert_int_equal(info->totals.output[MF_STREAM_STDOUT].lines, 0);
    assert_int_equal(info->totals.user_events, 1);
    mf_flight_info_free(info);
}

/* A file that was never a log is no log that lost its header. */
static void something_else_under_its_name(void **state)
{
    (void)state;
    char path[800];
    struct mf_errinfo err = {0};
    begin_and_leave();
    snprintf(path, sizeof path, "%s/output.log", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 100; i++) {
        fputs("somebody's text\n", file);
    }
    fclose(file);
    assert_int_equal(mf_flight_recover(dir, NULL, &err), MF_EFORMAT);
    assert_non_null(strstr(err.msg, "output.log is not a record file"));
    assert_false(there("output.log.lost"));
}

/* A recorder that died before its first sample knows of no memory: that is not 0 bytes. */
static void peaks_that_nobody_saw(void **state)
{
    (void)state;
    struct mf_flight_recovery recovery;
    struct test_flight *flight = begin();
    test_flight_event(flight, 0, "flight.start", 0, "");
    test_flight_end(flight, &(struct test_end){.duration_ms = 10});
    struct mf_flight_info *info = recover(&recovery);
    assert_true(info->totals.memory_peak_bytes == MF_FLIGHT_UNKNOWN);
    assert_true(info->totals.rss_peak_bytes == MF_FLIGHT_UNKNOWN);
    mf_flight_info_free(info);
    begin_and_leave();
    info = recover(&recovery);
    assert_true(info->totals.memory_peak_bytes >= TEST_MIB);
    assert_true(info->totals.memory_peak_bytes <= 8 * TEST_MIB);
    mf_flight_info_free(info);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_that_lost_its_header),
        cmocka_unit_test(an_empty_log),
        cmocka_unit_test(something_else_under_its_name),
        cmocka_unit_test(peaks_that_nobody_saw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
