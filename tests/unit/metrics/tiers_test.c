/* SPDX-License-Identifier: Apache-2.0
 * tiers_test.c -- what random operations meet seldom: laps that come round, gaps as long as a ring,
 * histograms that are recorded once in a while, very many late values, clocks that step. */
#include "metrics_fixture.h"

#define T0 (INT64_C(1700000000) * SECOND)

static size_t points_of(struct fixture *f, const char *selector, int tier, int64_t start_ns,
                        int64_t end_ns)
{
    struct mf_metrics_result *result = fixture_ask(f, selector, tier, start_ns, end_ns);
    assert_int_equal(result->series_count, 1);
    const size_t count = result->series[0].point_count;
    mf_metrics_result_free(result);
    return count;
}

/* Tags have 8 bits: also after 256, 512 and more laps a series that went quiet stays quiet, whether
 * others use each lap or only some. */
static void quiet_series_stay_quiet(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = {
        .name = "s", .series_max = 3, .tier_count = 1, .tiers = {{SECOND, 4}}};
    static const int64_t steps[] = {1, 3, 4 * 127, 4 * 128, 4 * 255, 4 * 256, 4 * 257, 2};
    fixture_open_with(f, &schema);
    const mf_series quiet = fixture_series(f, MF_GAUGE, "quiet");
    const mf_series busy = fixture_series(f, MF_GAUGE, "busy");
    int64_t slot = 0;
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        for (int i = 0; i < 4; i++, slot++) {
            fixture_record(f, quiet, 42, T0 + slot * SECOND);
        }
        const int64_t begin = slot;
        while (slot < begin + 4 * 600) {
            slot += steps[s];
            fixture_record(f, busy, 1, T0 + slot * SECOND);
            const size_t expected = slot - begin < 3 ? (size_t)(3 - (slot - begin)) : 0;
            assert_int_equal(
                points_of(f, "quiet", 0, T0 + (slot - 3) * SECOND, T0 + (slot + 1) * SECOND),
                expected);
        }
        slot += 5;
    }
}

/* The rows of a slot may be taken by others long before the next value of a histogram comes. */
static void seldom_histograms_reach_every_tier(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = {
        .name = "s",
        .series_max = 2,
        .histograms_max = 1,
        .tier_count = 3,
        .tiers = {{SECOND, 10}, {10 * SECOND, 6}, {60 * SECOND, 100}}};
    fixture_open_with(f, &schema);
    const mf_series histogram = fixture_series(f, MF_HISTOGRAM, "h");
    const mf_series busy = fixture_series(f, MF_GAUGE, "busy");
    for (int i = 0; i < 3600; i++) {
        fixture_record(f, busy, 1, T0 + i * SECOND);
        if (i % 400 == 0) {
            fixture_record(f, histogram, 1 + i / 400.0, T0 + i * SECOND);
        }
    }
    struct mf_metrics_reader *reader = NULL;
    assert_int_equal(mf_metrics_reader_of(f->store, &reader, NULL), 0);
    const struct mf_metrics_query query = {.selector = "h",
                                           .start_ns = T0 - 60 * SECOND,
                                           .end_ns = T0 + 3600 * SECOND,
                                           .tier = 2,
                                           .function = MF_FUNCTION_QUANTILE,
                                           .quantile = 0.5};
    struct mf_metrics_result *result = NULL;
    assert_int_equal(mf_metrics_query(reader, &query, &result, NULL), 0);
    assert_int_equal(result->series[0].point_count, 9);
    for (size_t i = 0; i < 9; i++) {
        assert_double(result->series[0].values[i], 1 + (double)i, (1 + (double)i) / 64);
    }
    mf_metrics_result_free(result);
    struct mf_histogram *all = NULL;
    assert_int_equal(mf_metrics_query_histogram(reader, &query, &all, NULL), 0);
    assert_int_equal(mf_histogram_count(all), 9);
    mf_histogram_free(all);
    mf_metrics_reader_close(reader);
}

/* A gap after which the next values take the places of those that the upper tiers have yet to
 * merge: every length around the size of the rings. */
static void gaps_take_nothing_from_upper_tiers(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = {
        .name = "s",
        .series_max = 1,
        .histograms_max = 1,
        .tier_count = 4,
        .tiers = {{SECOND, 3}, {3 * SECOND, 2}, {6 * SECOND, 3}, {18 * SECOND, 50}}};
    for (int gap = 1; gap < 80; gap++) {
        snprintf(f->path, sizeof f->path, "%s/gap-%d", f->directory, gap);
        fixture_open_with(f, &schema);
        const mf_series histogram = fixture_series(f, MF_HISTOGRAM, "h");
        int64_t at = T0;
        for (int run = 0; run < 3; run++) {
            for (int i = 0; i < 7; i++, at += SECOND) {
                fixture_record(f, histogram, 1 + i, at);
            }
            at += gap * SECOND;
        }
        struct mf_metrics_reader *reader = NULL;
        assert_int_equal(mf_metrics_reader_of(f->store, &reader, NULL), 0);
        const struct mf_metrics_query query = {
            .selector = "h", .start_ns = T0 - 100 * SECOND, .end_ns = at, .tier = 3};
        struct mf_histogram *all = NULL;
        assert_int_equal(mf_metrics_query_histogram(reader, &query, &all, NULL), 0);
        assert_int_equal(mf_histogram_count(all), 21);
        mf_histogram_free(all);
        mf_metrics_reader_close(reader);
        fixture_close(f);
        struct mf_errinfo err = {0};
        assert_int_equal(mf_metrics_verify(f->path, &f->env, NULL, &err), 0);
    }
}

/* A hundred thousand late values in one slot: counts beyond 16383 are stored in steps, which must
 * neither stand still nor run away. */
static void very_many_late_values(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const mf_series gauge = fixture_series(f, MF_GAUGE, "g");
    fixture_record(f, gauge, 1, T0);
    fixture_record(f, gauge, 1, T0 + 400 * SECOND);
    const int late = 100000;
    for (int i = 0; i < late; i++) {
        fixture_record(f, gauge, (double)(i % 3), T0);
    }
    for (int tier = 0; tier < 3; tier++) {
        struct mf_metrics_result *result =
            fixture_ask(f, "g", tier, T0 - 300 * SECOND, T0 + SECOND);
        const struct mf_point *point = &result->series[0].points[result->series[0].point_count - 1];
        assert_double((double)point->count, late + 1, late * 0.03);
        assert_double(point->sum / (double)point->count, 1, 0.05);
        assert_true(point->min == 0 && point->max == 2);
        mf_metrics_result_free(result);
    }
}

/* What no tier has room for any more is refused, also of a series that is new, or was moved. */
static void too_late_is_refused_in_every_state(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = {
        .name = "s", .series_max = 4, .tier_count = 1, .tiers = {{SECOND, 10}}};
    fixture_open_with(f, &schema);
    const mf_series a = fixture_series(f, MF_GAUGE, "a");
    const mf_series b = fixture_series(f, MF_GAUGE, "b");
    fixture_record(f, a, 1, T0);
    assert_int_equal(mf_metrics_record_at(f->store, b, 1, T0 - 10 * SECOND), MF_ELATE);
    assert_int_equal(mf_metrics_record_at(f->store, b, 1, T0 - 9 * SECOND), 0);
    fixture_record(f, a, 1, T0 + 20 * SECOND);
    assert_true(mf_metrics_consolidate(f->store) >= 0);
    assert_int_equal(mf_metrics_record_at(f->store, b, 1, T0 - 9 * SECOND), MF_ELATE);
    assert_int_equal(mf_metrics_record_at(f->store, b, 1, T0 + 10 * SECOND), MF_ELATE);
    assert_int_equal(mf_metrics_record_at(f->store, b, 1, T0 + 11 * SECOND), 0);
    const mf_series series[2] = {a, b};
    const double values[2] = {1, 1};
    assert_int_equal(mf_metrics_record_batch(f->store, series, values, 2, T0), MF_ELATE);
}

/* After a step back of the caller's clock, and a reopen, the store's clock goes on at his pace. */
static void clock_keeps_pace_after_a_reopen(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    mf_series gauge = fixture_series(f, MF_GAUGE, "g");
    assert_int_equal(mf_metrics_tick(f->store, T0), 0);
    assert_int_equal(mf_metrics_tick(f->store, T0 - 3000 * SECOND), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(mf_metrics_tick(f->store, T0 + (i - 3000) * SECOND), 0);
        assert_int_equal(mf_metrics_record(f->store, gauge, i), 0);
        if (i % 10 == 5) {
            fixture_close(f);
            fixture_open(f);
            gauge = fixture_series(f, MF_GAUGE, "g");
        }
    }
    assert_int_equal(points_of(f, "g", 0, T0 - SECOND, T0 + 200 * SECOND), 100);
    /* When he has caught up, his clock counts again. */
    assert_int_equal(mf_metrics_tick(f->store, T0 + 500 * SECOND), 0);
    assert_int_equal(mf_metrics_record(f->store, gauge, 1), 0);
    assert_int_equal(points_of(f, "g", 0, T0 + 500 * SECOND, T0 + 501 * SECOND), 1);
}

/* Times at the ends of what exists neither overflow nor stick. */
static void extreme_times_are_refused(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const mf_series gauge = fixture_series(f, MF_GAUGE, "g");
    const mf_series counter = fixture_series(f, MF_COUNTER, "c");
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, INT64_MIN / 2, INT64_MAX / 2,
                                    INT64_MAX};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        assert_int_equal(mf_metrics_record_at(f->store, gauge, 1, times[i]), MF_EVALUE);
        assert_int_equal(mf_metrics_observe_total_at(f->store, counter, 1, times[i]), MF_EVALUE);
        assert_int_equal(mf_metrics_tick(f->store, times[i]), MF_EVALUE);
    }
    fixture_record(f, gauge, 1, T0);
    assert_int_equal(mf_metrics_record_at(f->store, gauge, 1, INT64_MIN / 2 + 2), MF_ELATE);
    assert_int_equal(mf_metrics_record_at(f->store, gauge, 1, INT64_MAX / 2 - 1), MF_EFUTURE);
    struct mf_metrics_result *result = fixture_ask(f, "g", 0, INT64_MIN, INT64_MAX);
    assert_int_equal(result->series[0].point_count, 1);
    mf_metrics_result_free(result);
}

/* Before 1970, and across it, slots are what they are elsewhere. */
static void times_before_1970(void **state)
{
    struct fixture *f = *state;
    f->wall_ns = 100 * SECOND;
    fixture_open(f);
    const mf_series gauge = fixture_series(f, MF_GAUGE, "g");
    const mf_series histogram = fixture_series(f, MF_HISTOGRAM, "h");
    for (int i = -50; i < 50; i++) {
        fixture_record(f, gauge, i, i * SECOND);
        fixture_record(f, histogram, i + 50, i * SECOND);
    }
    for (int tier = 0; tier < 3; tier++) {
        for (int s = 0; s < 2; s++) {
            struct mf_metrics_result *result =
                fixture_ask(f, s == 0 ? "g" : "h", tier, -300 * SECOND, 300 * SECOND);
            uint64_t count = 0;
            for (size_t i = 0; i < result->series[0].point_count; i++) {
                count += result->series[0].points[i].count;
            }
            assert_int_equal(count, 100);
            mf_metrics_result_free(result);
        }
    }
}

/* Sums that no double holds, and the largest values there are. */
static void largest_values_are_answered(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const mf_series gauge = fixture_series(f, MF_GAUGE, "g");
    const mf_series counter = fixture_series(f, MF_COUNTER, "c");
    for (int i = 0; i < 400; i++) {
        fixture_record(f, gauge, i % 3 == 0 ? 1.7e308 : -1.7e308, T0 + i * SECOND / 4);
    }
    assert_int_equal(mf_metrics_observe_total(f->store, counter, 1.7e308), 0);
    assert_int_equal(mf_metrics_observe_total(f->store, counter, 0), 0);
    assert_int_equal(mf_metrics_observe_total(f->store, counter, 1.7e308), MF_EVALUE);
    fixture_close(f);
    struct mf_errinfo err = {0};
    if (mf_metrics_verify(f->path, &f->env, NULL, &err) != 0) {
        fail_msg("%s", err.msg);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(quiet_series_stay_quiet),
        TEST(seldom_histograms_reach_every_tier),
        TEST(gaps_take_nothing_from_upper_tiers),
        TEST(very_many_late_values),
        TEST(too_late_is_refused_in_every_state),
        TEST(clock_keeps_pace_after_a_reopen),
        TEST(extreme_times_are_refused),
        TEST(times_before_1970),
        TEST(largest_values_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
