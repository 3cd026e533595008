/* SPDX-License-Identifier: Apache-2.0
 *
 * defects_test.c -- the defects that were found in the store this one learned from, one test each,
 * named as in its list (D01 ...). D13 and D21 are in series_test.c, D14 in torn_test.c, D15 and D18
 * in files_test.c, D23 with the exporters. */
#include "metrics_fixture.h"

#include "base/rng.h"

#define T0 (INT64_C(1700000000) * SECOND) /* a multiple of 10 s, not of 300 s */

static void assert_point(const struct mf_point *point, uint64_t count, double sum, double min,
                         double max, double first, double last)
{
    assert_int_equal(point->count, count);
    assert_double(point->sum, sum, 1e-9);
    assert_double(point->min, min, 0);
    assert_double(point->max, max, 0);
    assert_double(point->first, first, 0);
    assert_double(point->last, last, 0);
}

/* D01: a window gives its exact aggregates, whenever consolidation is called. */
static void d01_aggregates_at_any_tick_rate(void **state)
{
    static const double window[10] = {9, 1, 2, 3, 100, 5, 6, 7, 8, 4};
    struct fixture *f = *state;
    for (int every = 0; every <= 10; every++) {
        fixture_open(f);
        mf_series series = fixture_series(f, MF_GAUGE, "g");
        for (int i = 0; i < 10; i++) {
            fixture_record(f, series, window[i], T0 + i * SECOND);
            if (every != 0 && i % every == 0) {
                assert_true(mf_metrics_consolidate(f->store) >= 0);
            }
        }
        fixture_record(f, series, 1, T0 + 400 * SECOND);
        struct mf_metrics_result *result = fixture_ask(f, "g", 1, T0, T0 + 10 * SECOND);
        assert_int_equal(result->series[0].point_count, 1);
        assert_point(result->series[0].points, 10, 145, 1, 100, 9, 4);
        mf_metrics_result_free(result);
        result = fixture_ask(f, "g", 2, T0 - 300 * SECOND, T0 + 200 * SECOND);
        assert_int_equal(result->series[0].point_count, 1);
        assert_point(result->series[0].points, 10, 145, 1, 100, 9, 4);
        mf_metrics_result_free(result);
        struct mf_errinfo err;
        assert_int_equal(mf_metrics_unregister(f->store, series, &err), 0);
        fixture_close(f);
    }
}

/* D02: windows are processed in time order: all of 300 s in every tier, 50 times. */
static void d02_cascade_is_complete(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    for (int run = 0; run < 50; run++) {
        mf_series series = fixture_series(f, MF_GAUGE, "g");
        const int64_t start = T0 + run * 600 * SECOND;
        for (int i = 0; i < 301; i++) {
            fixture_record(f, series, i, start + i * SECOND);
        }
        mf_metrics_consolidate(f->store);
        struct mf_metrics_result *result = fixture_ask(f, "g", 1, start, start + 300 * SECOND);
        assert_int_equal(result->series[0].point_count, 30);
        for (size_t i = 0; i < 30; i++) {
            assert_int_equal(result->series[0].points[i].start_ns,
                             start + (int64_t)i * 10 * SECOND);
            assert_int_equal(result->series[0].points[i].count, 10);
        }
        mf_metrics_result_free(result);
        struct mf_errinfo err;
        assert_int_equal(mf_metrics_unregister(f->store, series, &err), 0);
    }
}

/* D03: samples with jitter are all kept, with a consolidation between each. */
static void d03_jitter_loses_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    mf_series series = fixture_series(f, MF_GAUGE, "g");
    struct mf_rng rng;
    mf_rng_seed(&rng, 3);
    for (int i = 0; i < 500; i++) {
        const int64_t jitter = (int64_t)mf_rng_below(&rng, 900) * MF_NS_PER_MS;
        fixture_record(f, series, 1, T0 + i * SECOND + jitter);
        if (i % 5 == 0) {
            mf_metrics_consolidate(f->store);
        }
    }
    for (int tier = 0; tier < 3; tier++) {
        struct mf_metrics_result *result =
            fixture_ask(f, "g", tier, T0 - 300 * SECOND, T0 + 900 * SECOND);
        uint64_t count = 0;
        for (size_t i = 0; i < result->series[0].point_count; i++) {
            count += result->series[0].points[i].count;
        }
        assert_int_equal(count, 500);
        mf_metrics_result_free(result);
    }
}

/* D04: a series that was written once does not come back when the ring has wrapped. */
static void d04_old_laps_stay_old(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    mf_series once = fixture_series(f, MF_GAUGE, "once");
    mf_series often = fixture_series(f, MF_GAUGE, "often");
    fixture_record(f, once, 42, T0);
    fixture_record(f, once, 43, T0 + SECOND);
    for (int64_t i = 0; i < 300000; i += 7) { /* laps beyond what a tag can tell apart */
        fixture_record(f, often, (double)i, T0 + i * SECOND);
        if (i % 6000 == 0) {
            struct mf_metrics_result *result =
                fixture_ask(f, "once", 0, T0 + (i - 500) * SECOND, T0 + (i + 1) * SECOND);
            for (size_t p = 0; p < result->series[0].point_count; p++) {
                assert_true(result->series[0].points[p].start_ns <= T0 + SECOND);
            }
            if (i > 600) {
                assert_int_equal(result->series[0].point_count, 0);
            }
            mf_metrics_result_free(result);
        }
    }
}

/* D05: a sample older than all that is retained is refused and counted, and moves nothing. */
static void d05_too_late_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = {
        .name = "short", .series_max = 4, .tier_count = 1, .tiers = {{SECOND, 10}}};
    fixture_open_with(f, &schema);
    mf_series series = fixture_series(f, MF_GAUGE, "g");
    for (int i = 0; i < 10; i++) {
        fixture_record(f, series, i, T0 + i * SECOND);
    }
    assert_int_equal(mf_metrics_record_at(f->store, series, -1, T0 - 5 * SECOND), MF_ELATE);
    struct mf_metrics_result *result = fixture_ask(f, "g", 0, T0 - 20 * SECOND, T0 + 20 * SECOND);
    assert_int_equal(result->series[0].point_count, 10);
    assert_int_equal(result->series[0].points[9].start_ns, T0 + 9 * SECOND);
    assert_double(result->series[0].points[5].last, 5, 0);
    mf_metrics_result_free(result);
    struct mf_metrics_reader *reader = NULL;
    struct mf_metrics_info info;
    assert_int_equal(mf_metrics_reader_of(f->store, &reader, NULL), 0);
    mf_metrics_reader_info(reader, &info);
    assert_int_equal(info.stats.late_refused, 1);
    assert_int_equal(info.stats.late_merged, 0);
    mf_metrics_reader_close(reader);
}

/* D06: the clock steps back 55 minutes: recording, tiers and queries go on. */
static void d06_clock_steps_back(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    mf_series series = fixture_series(f, MF_GAUGE, "g");
    int64_t now = T0;
    for (int i = 0; i < 60; i++, now += SECOND) {
        mf_metrics_tick(f->store, now);
        assert_int_equal(mf_metrics_record(f->store, series, 1), 0);
    }
    now -= 3300 * SECOND;
    for (int i = 0; i < 60; i++, now += SECOND) {
        mf_metrics_tick(f->store, now);
        assert_int_equal(mf_metrics_record(f->store, series, 2), 0);
    }
    struct mf_metrics_result *result = fixture_ask(f, "g", 0, T0, T0 + 1000 * SECOND);
    /* The first sample after the step falls into the slot that was open. */
    assert_int_equal(result->series[0].point_count, 119);
    assert_int_equal(result->series[0].missing, 0);
    mf_metrics_result_free(result);
    result = fixture_ask(f, "g", 1, T0, T0 + 1000 * SECOND);
    assert_int_equal(result->series[0].point_count, 12);
    mf_metrics_result_free(result);
    struct mf_metrics_reader *reader = NULL;
    struct mf_metrics_info info;
    assert_int_equal(mf_metrics_reader_of(f->store, &reader, NULL), 0);
    mf_metrics_reader_info(reader, &info);
    assert_int_equal(info.stats.backward_steps, 1);
    mf_metrics_reader_close(reader);
    /* Values with times of their own go where their time says. */
    assert_int_equal(mf_metrics_record_at(f->store, series, 5, T0 - 3300 * SECOND), 0);
}

/* D07: points come in time order, within retention, gaps left out and counted. */
static void d07_order_and_gaps(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = {
        .name = "short", .series_max = 4, .tier_count = 1, .tiers = {{SECOND, 20}}};
    fixture_open_with(f, &schema);
    mf_series series = fixture_series(f, MF_GAUGE, "g");
    static const int seconds[] = {0, 1, 2, 3, 4, 7, 8, 9, 25, 26};
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        fixture_record(f, series, seconds[i], T0 + seconds[i] * SECOND);
    }
    struct mf_metrics_result *result = fixture_ask(f, "g", 0, T0 - 50 * SECOND, T0 + 50 * SECOND);
    const struct mf_series_result *got = &result->series[0];
    static const int kept[] = {7, 8, 9, 25, 26};
    assert_int_equal(got->point_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(got->points[i].start_ns, T0 + kept[i] * SECOND);
        assert_double(got->points[i].last, kept[i], 0);
    }
    assert_int_equal(got->missing, 15);
    assert_true(got->partial);
    mf_metrics_result_free(result);
}

/* D08: 45 of 45 points after a reopen, for all 600 phases of the ring. */
static void d08_reopen_at_every_phase(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = {
        .name = "s", .series_max = 1, .tier_count = 2, .tiers = {{SECOND, 600}, {10 * SECOND, 60}}};
    for (int phase = 0; phase < 600; phase++) {
        snprintf(f->path, sizeof f->path, "%s/phase-%d", f->directory, phase);
        fixture_open_with(f, &schema);
        mf_series series = fixture_series(f, MF_GAUGE, "g");
        const int64_t start = T0 + phase * SECOND;
        for (int i = 0; i < 45; i++) {
            fixture_record(f, series, i, start + i * SECOND);
        }
        fixture_close(f);
        fixture_open_with(f, &schema);
        struct mf_metrics_result *result = fixture_ask(f, "g", 0, start, start + 45 * SECOND);
        assert_int_equal(result->series[0].point_count, 45);
        for (int i = 0; i < 45; i++) {
            assert_double(result->series[0].points[i].last, i, 0);
        }
        mf_metrics_result_free(result);
        fixture_close(f);
        char file[128];
        snprintf(file, sizeof file, "%s/metrics.slab", f->path);
        unlink(file);
    }
}

/* D09: "the last 60 s, ending now" is answered from the finest tier. */
static void d09_last_minute_from_the_finest_tier(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    mf_series series = fixture_series(f, MF_GAUGE, "g");
    for (int i = 0; i < 5000; i++) {
        fixture_record(f, series, i, T0 + i * SECOND);
    }
    const int64_t now = T0 + 4999 * SECOND + SECOND / 2;
    struct mf_metrics_result *result = fixture_ask(f, "g", MF_TIER_AUTO, now - 60 * SECOND, now);
    assert_int_equal(result->series[0].tier, 0);
    assert_int_equal(result->series[0].point_count, 61);
    assert_false(result->series[0].partial);
    mf_metrics_result_free(result);
    result = fixture_ask(f, "g", MF_TIER_AUTO, now - 3600 * SECOND, now);
    assert_int_equal(result->series[0].tier, 1);
    assert_int_equal(result->series[0].point_count, 361);
    mf_metrics_result_free(result);
}

/* D10: every series that matches, in one order. */
static void d10_all_matches_in_order(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    static const char *const values[] = {"c", "a", "b"};
    for (size_t i = 0; i < 3; i++) {
        const struct mf_label labels[] = {{"zone", "x"}, {"disk", values[i]}};
        const struct mf_series_spec spec = {
            .type = MF_GAUGE, .name = "g", .labels = labels, .label_count = 2};
        mf_series series = 0;
        assert_int_equal(mf_metrics_register(f->store, &spec, &series, NULL), 0);
        fixture_record(f, series, 1, T0);
    }
    struct mf_metrics_result *result = fixture_ask(f, "g", 0, T0, T0 + SECOND);
    assert_int_equal(result->series_count, 3);
    assert_string_equal(result->series[0].text, "g{disk=\"a\",zone=\"x\"}");
    assert_string_equal(result->series[1].text, "g{disk=\"b\",zone=\"x\"}");
    assert_string_equal(result->series[2].text, "g{disk=\"c\",zone=\"x\"}");
    mf_metrics_result_free(result);
    result = fixture_ask(f, "g{disk=~\"[ab]\",zone!=\"y\",disk!~\"b\"}", 0, T0, T0 + SECOND);
    assert_int_equal(result->series_count, 1);
    mf_metrics_result_free(result);
}

/* D11: averages weigh by count in every tier. */
static void d11_averages_weigh_by_count(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    mf_series series = fixture_series(f, MF_GAUGE, "g");
    for (int i = 0; i < 9; i++) {
        fixture_record(f, series, 10, T0 + i * MF_NS_PER_MS);
    }
    fixture_record(f, series, 110, T0 + SECOND);
    fixture_record(f, series, 0, T0 + 700 * SECOND);
    for (int tier = 1; tier < 3; tier++) {
        struct mf_metrics_result *result =
            fixture_ask(f, "g", tier, T0 - 300 * SECOND, T0 + 10 * SECOND);
        assert_int_equal(result->series[0].point_count, 1);
        const struct mf_point *point = result->series[0].points;
        assert_int_equal(point->count, 10);
        assert_double(point->sum / (double)point->count, 20, 0);
        mf_metrics_result_free(result);
    }
}

/* D12: forged and stale handles are an error on every call. */
static void d12_handles_are_checked(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    mf_series series = fixture_series(f, MF_GAUGE, "g");
    mf_series counter = fixture_series(f, MF_COUNTER, "c");
    struct mf_counter_writer writer;
    assert_int_equal(mf_counter_writer_begin(f->store, &writer, NULL), 0);
    assert_int_equal(mf_counter_add(&writer, counter, 1), 0);
    assert_int_equal(mf_counter_add(&writer, series, 1), MF_ESTALE);
    struct mf_errinfo err;
    assert_int_equal(mf_metrics_unregister(f->store, series, &err), 0);
    struct mf_rng rng;
    mf_rng_seed(&rng, 12);
    for (int i = 0; i < 100000; i++) {
        mf_series forged = i == 0 ? 0 : i == 1 ? series : i == 2 ? UINT64_MAX : mf_rng_next(&rng);
        if (i % 3 == 0) {
            forged &= 0x1FFFFFFFFu; /* index anywhere, a likely generation */
        }
        if (forged == counter) {
            continue;
        }
        const double one = 1;
        assert_int_equal(mf_metrics_record_at(f->store, forged, 1, T0), MF_ESTALE);
        assert_int_equal(mf_metrics_record(f->store, forged, 1), MF_ESTALE);
        assert_int_equal(mf_metrics_record_batch(f->store, &forged, &one, 1, T0), MF_ESTALE);
        assert_int_equal(mf_metrics_observe_total_at(f->store, forged, 1, T0), MF_ESTALE);
        assert_int_equal(mf_counter_add(&writer, forged, 1), MF_ESTALE);
        assert_int_equal(mf_metrics_unregister(f->store, forged, &err), MF_ESTALE);
    }
    mf_series again = fixture_series(f, MF_GAUGE, "g");
    assert_true(again != series);
    assert_int_equal(mf_metrics_record_at(f->store, series, 1, T0), MF_ESTALE);
    mf_counter_writer_end(&writer);
}

/* D20: what cannot work is refused when the store is made. */
static void d20_bad_schemas_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema bad[] = {
        {.name = "s", .series_max = 1, .tier_count = 0},
        {.name = "s", .series_max = 1, .tier_count = 9},
        {.name = "s", .series_max = 0, .tier_count = 1, .tiers = {{SECOND, 10}}},
        {.name = "s", .series_max = 1, .tier_count = 1, .tiers = {{0, 10}}},
        {.name = "s", .series_max = 1, .tier_count = 1, .tiers = {{-SECOND, 10}}},
        {.name = "s", .series_max = 1, .tier_count = 1, .tiers = {{SECOND, 1}}},
        {.name = "s", .series_max = 1, .tier_count = 2, .tiers = {{SECOND, 9}, {10 * SECOND, 5}}},
        {.name = "s",
         .series_max = 1,
         .tier_count = 2,
         .tiers = {{2 * SECOND, 9}, {3 * SECOND, 5}}},
        {.name = "s", .series_max = 1, .tier_count = 2, .tiers = {{SECOND, 9}, {SECOND, 5}}},
        {.name = "", .series_max = 1, .tier_count = 1, .tiers = {{SECOND, 10}}},
        {.name = "a b", .series_max = 1, .tier_count = 1, .tiers = {{SECOND, 10}}},
        {.name = "s", .selector = "{", .series_max = 1, .tier_count = 1, .tiers = {{SECOND, 10}}},
        {.name = "s",
         .series_max = 1,
         .histograms_max = 2,
         .tier_count = 1,
         .tiers = {{SECOND, 10}}},
        {.name = "s", .series_max = 1000000, .tier_count = 1, .tiers = {{SECOND, 100000000}}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct mf_errinfo err = {0};
        struct mf_metrics *store = NULL;
        const int rc = mf_metrics_open(f->path, &bad[i], 1, NULL, &f->env, &store, &err);
        assert_true(rc == MF_EVALUE || rc == MF_ESYNTAX);
        assert_null(store);
        assert_true(strlen(err.msg) > 10);
    }
    struct stat info;
    assert_int_equal(stat(f->path, &info), -1);
}

/* D22: a batch is atomic in what it checks. */
static void d22_batch_checks_first(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    mf_series series[3] = {fixture_series(f, MF_GAUGE, "a"), fixture_series(f, MF_GAUGE, "b"), 0};
    const double values[3] = {1, 2, 3};
    const double bad[2] = {1, 0.0 / 0.0};
    assert_int_equal(mf_metrics_record_batch(f->store, series, values, 3, T0), MF_ESTALE);
    assert_int_equal(mf_metrics_record_batch(f->store, series, bad, 2, T0), MF_EVALUE);
    struct mf_metrics_result *result = fixture_ask(f, "", 0, T0 - SECOND, T0 + SECOND);
    assert_int_equal(result->series[0].point_count + result->series[1].point_count, 0);
    mf_metrics_result_free(result);
    assert_int_equal(mf_metrics_record_batch(f->store, series, values, 2, T0), 0);
    result = fixture_ask(f, "b", 0, T0, T0 + SECOND);
    assert_double(result->series[0].points[0].last, 2, 0);
    mf_metrics_result_free(result);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(d01_aggregates_at_any_tick_rate),
        TEST(d02_cascade_is_complete),
        TEST(d03_jitter_loses_nothing),
        TEST(d04_old_laps_stay_old),
        TEST(d05_too_late_is_refused),
        TEST(d06_clock_steps_back),
        TEST(d07_order_and_gaps),
        TEST(d08_reopen_at_every_phase),
        TEST(d09_last_minute_from_the_finest_tier),
        TEST(d10_all_matches_in_order),
        TEST(d11_averages_weigh_by_count),
        TEST(d12_handles_are_checked),
        TEST(d20_bad_schemas_are_refused),
        TEST(d22_batch_checks_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
