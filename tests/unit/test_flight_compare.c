/* SPDX-License-Identifier: Apache-2.0
 * Two flights beside each other, and one beside its history. */
#include "cmocka_all.h"

#include "flights.h"
#include "scratch.h"

#include "flight/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define START  (INT64_C(1790251200) * SECOND)

static void check_change(double a, double b, const char *wanted)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_change_text(&out, a, b);
    assert_string_equal(out.data, wanted);
    mf_buffer_free(&out);
}

static void says_changes(void **state)
{
    (void)state;
    check_change(100, 100, "same");
    check_change(0, 0, "same");
    check_change(1000, 1004, "same");
    check_change(1000, 1006, "+0.6 %");
    check_change(100, 112, "+12 %");
    check_change(100, 50, "-50 %");
    check_change(100, 299, "+199 %");
    check_change(100, 310, "x3.1");
    check_change(1, 1234, "x1234");
    check_change(0, 5, "new");
    check_change(5, 0, "gone");
    check_change(NAN, 5, "-");
    check_change(5, NAN, "-");
}

static void check_figure(enum mf_figure_unit unit, double value, const char *wanted)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_figure_text(&out, unit, value);
    assert_string_equal(out.data, wanted);
    mf_buffer_free(&out);
}

static void says_figures(void **state)
{
    (void)state;
    check_figure(MF_UNIT_NS, 1.25e9, "1.25 s");
    check_figure(MF_UNIT_BYTES, 1536, "1.5 KiB");
    check_figure(MF_UNIT_COUNT, 99999, "99999");
    check_figure(MF_UNIT_COUNT, 1234567, "1.23 M");
    check_figure(MF_UNIT_CORES, 1.725, "1.73");
    check_figure(MF_UNIT_NS, NAN, "-");
    check_figure(MF_UNIT_BYTES, -1, "-");
}

static void distributions(void **state)
{
    (void)state;
    double values[] = {5, 1, NAN, 4, 2, 3};
    struct mf_distribution d = mf_distribution_of(values, 6, 3.5);
    assert_int_equal(d.count, 5);
    assert_true(d.min == 1 && d.quarter == 2 && d.median == 3 && d.three_quarters == 4 &&
                d.max == 5);
    assert_int_equal(d.below, 3);
    assert_int_equal(d.above, 2);
    double pair[] = {10, 20};
    d = mf_distribution_of(pair, 2, NAN);
    assert_true(d.median == 15 && d.quarter == 12.5);
    assert_int_equal(d.below + d.above, 0);
    double none[] = {NAN};
    d = mf_distribution_of(none, 1, 1);
    assert_int_equal(d.count, 0);
    assert_true(isnan(d.median));
}

static enum mf_standing standing(double value, size_t count)
{
    double values[] = {10, 11, 12, 13, 14, 100}; /* quarters of the first five: 11, 13 */
    const struct mf_distribution d = mf_distribution_of(values, count, value);
    return mf_standing_of(&d);
}

static void standings(void **state)
{
    (void)state;
    assert_int_equal(standing(12, 5), MF_STANDING_USUAL);
    assert_int_equal(standing(16, 5), MF_STANDING_USUAL); /* 13 + 1.5 * 2 */
    assert_int_equal(standing(16.1, 5), MF_STANDING_HIGHEST);
    assert_int_equal(standing(7.9, 5), MF_STANDING_LOWEST);
    assert_int_equal(standing(50, 6), MF_STANDING_HIGH); /* there was a 100 */
    assert_int_equal(standing(12, 4), MF_STANDING_UNKNOWN);
    assert_int_equal(standing(NAN, 5), MF_STANDING_UNKNOWN);
    double same[] = {7, 7, 7, 7, 7};
    const struct mf_distribution d = mf_distribution_of(same, 5, 7);
    assert_int_equal(mf_standing_of(&d), MF_STANDING_USUAL);
}

static char home[300];

static void finish(struct test_flight *flight, int64_t duration_ms, int exit_code)
{
    test_flight_no_metrics(flight);
    test_flight_end(flight, &(struct test_end){.duration_ms = duration_ms,
                                               .kind = "exited",
                                               .exit_code = exit_code,
                                               .reason = exit_code == 0 ? "fine" : "not fine"});
}

static void run(struct test_flight *flight, uint64_t number, const char *comm, const char *args,
                double cores)
{
    test_flight_process(flight, &(struct test_process){.number = number,
                                                       .comm = comm,
                                                       .args = args,
                                                       .end_ms = 1000,
                                                       .cores = cores,
                                                       .rss_mib = 1});
}

static void read_story(const char *id, struct mf_story *story)
{
    char dir[400];
    snprintf(dir, sizeof dir, "%s/flights/%s", home, id);
    assert_int_equal(mf_story_read(dir, story, NULL), 0);
}

static void commands_and_what_only_one_ran(void **state)
{
    (void)state;
    struct mf_story a;
    struct mf_story b;
    struct mf_comparison comparison;
    snprintf(home, sizeof home, "%s/pair", scratch_directory());
    struct test_flight *flight = test_flight_begin(home, "a", "x", NULL, START);
    run(flight, 1, "make", "make", 0.1);
    run(flight, 2, "cc", "cc -o /tmp/ccAAAA.o x.c", 0.5);
    run(flight, 3, "cc", "cc y.c", 0.2);
    run(flight, 4, "old", "old --port 41234 deadbeef0123", 0.3);
    finish(flight, 1000, 0);
    flight = test_flight_begin(home, "b", "x", NULL, START + SECOND);
    run(flight, 1, "make", "make", 0.1);
    run(flight, 2, "cc", "cc -o /tmp/ccZZZZ.o x.c", 0.9);
    run(flight, 3, "new", "new thing", 0.1);
    run(flight, 4, "old", "old --port 55555 cafebabe4567", 0.3);
    finish(flight, 2000, 0);
    read_story("a", &a);
    read_story("b", &b);
    assert_int_equal(mf_compare(&a, &b, &comparison, NULL), 0);
    assert_int_equal(comparison.axis_ns, 2 * SECOND);
    assert_int_equal(comparison.command_count, 4);
    assert_string_equal(comparison.commands[0].comm, "cc"); /* 0.7 to 0.9 */
    assert_int_equal(comparison.commands[0].count[0], 2);
    assert_int_equal(comparison.commands[0].count[1], 1);
    assert_string_equal(comparison.commands[1].comm, "new");
    assert_int_equal(comparison.commands[1].cpu_ns[0], 0);
    /* Temporary names and numbers of the moment do not make a difference. */
    assert_int_equal(comparison.only_count, 2);
    assert_string_equal(comparison.only[0].title, "cc y.c");
    assert_int_equal(comparison.only[0].side, 0);
    assert_string_equal(comparison.only[1].title, "new thing");
    assert_int_equal(comparison.only[1].side, 1);
    mf_compare_free(&comparison);
    mf_story_free(&a);
    mf_story_free(&b);
}

static void history_is_of_earlier_ones_of_the_name(void **state)
{
    (void)state;
    struct mf_flight_info *info = NULL;
    struct mf_history history;
    char dir[400];
    snprintf(home, sizeof home, "%s/history", scratch_directory());
    for (int i = 0; i < 8; i++) {
        char id[64];
        snprintf(id, sizeof id, "20260924-12000%d-t-000%d", i, i);
        struct test_flight *flight =
            test_flight_begin(home, id, i == 6 ? "other" : "t", NULL, START + i * SECOND);
        run(flight, 1, "t", "t", 0.1);
        finish(flight, 1000 + 100 * i, i == 2 ? 3 : 0);
    }
    snprintf(dir, sizeof dir, "%s/flights/20260924-120005-t-0005", home);
    assert_int_equal(mf_flight_info_read(dir, &info, NULL), 0);
    assert_int_equal(mf_history_read(home, info, 100, &history, NULL), 0);
    const struct mf_distribution *duration = &history.figures[MF_FIGURE_DURATION];
    assert_int_equal(history.flights, 5);
    assert_int_equal(history.successes, 4);
    assert_true(history.of_successes);
    assert_string_equal(history.last_failure_id, "20260924-120002-t-0002");
    assert_string_equal(history.last_failure_reason, "not fine");
    assert_int_equal(duration->count, 4); /* the failure's does not count */
    assert_true(duration->min == 1e9 && duration->max == 1.4e9 && duration->value == 1.5e9);
    assert_int_equal(duration->below, 4);
    mf_history_free(&history);
    assert_int_equal(mf_history_read(home, info, 2, &history, NULL), 0);
    assert_int_equal(history.flights, 2);
    assert_null(history.last_failure_id);
    mf_history_free(&history);
    mf_flight_info_free(info);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_changes),
        cmocka_unit_test(says_figures),
        cmocka_unit_test(distributions),
        cmocka_unit_test(standings),
        cmocka_unit_test(commands_and_what_only_one_ran),
        cmocka_unit_test(history_is_of_earlier_ones_of_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
