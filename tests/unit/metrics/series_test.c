/* SPDX-License-Identifier: Apache-2.0
 * series_test.c -- registering and forgetting: D13 (schemas do not touch each other), D21 (many
 * series, duplicate labels), columns that are used again, limits and their words. */
#include "metrics_fixture.h"

#include <time.h>

#define T0 (INT64_C(1700000000) * SECOND)

static int try_register(struct fixture *f, enum mf_series_type type, const char *name,
                        const struct mf_label *labels, size_t label_count, mf_series *ret_series,
                        struct mf_errinfo *err)
{
    const struct mf_series_spec spec = {
        .type = type, .name = name, .labels = labels, .label_count = label_count};
    return mf_metrics_register(f->store, &spec, ret_series, err);
}

static void assert_says(const struct mf_errinfo *err, const char *words)
{
    if (strstr(err->msg, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err->msg, words);
    }
}

/* D13: 100 series in the first schema, then some in the second: nobody's data changes. */
static void d13_schemas_are_isolated(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schemas[] = {
        {.name = "one",
         .selector = "{s=\"1\"}",
         .series_max = 101,
         .histograms_max = 1,
         .tier_count = 2,
         .tiers = {{SECOND, 20}, {10 * SECOND, 5}}},
        {.name = "two",
         .selector = "{s=\"2\"}",
         .series_max = 7,
         .histograms_max = 7,
         .tier_count = 1,
         .tiers = {{SECOND, 20}}},
        {.name = "rest", .series_max = 3, .tier_count = 1, .tiers = {{MF_NS_PER_MS, 50}}}};
    struct mf_errinfo err = {0};
    assert_int_equal(mf_metrics_open(f->path, schemas, 3, NULL, &f->env, &f->store, &err), 0);
    mf_series series[110];
    for (int i = 0; i < 110; i++) {
        const int schema = i < 100 ? 0 : i < 107 ? 1 : 2;
        const struct mf_label label = {"s", schema == 0 ? "1" : schema == 1 ? "2" : "3"};
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        const enum mf_series_type type = schema == 1 ? MF_HISTOGRAM : MF_GAUGE;
        assert_int_equal(try_register(f, type, name, &label, 1, &series[i], &err), 0);
        fixture_record(f, series[i], i + 1, T0);
        for (int k = 0; k <= i; k++) { /* everything so far is as it was */
            snprintf(name, sizeof name, "m%d", k);
            struct mf_metrics_result *result = fixture_ask(f, name, 0, T0, T0 + 1);
            assert_int_equal(result->series_count, 1);
            assert_int_equal(result->series[0].schema, k < 100 ? 0 : k < 107 ? 1 : 2);
            assert_int_equal(result->series[0].point_count, 1);
            assert_int_equal(result->series[0].points[0].start_ns, T0);
            assert_double(result->series[0].points[0].last, k + 1, 0);
            mf_metrics_result_free(result);
        }
    }
    for (int round = 1; round < 30; round++) {
        for (int i = 0; i < 110; i++) {
            fixture_record(f, series[i], i + 1, T0 + round * SECOND);
        }
    }
    struct mf_metrics_result *result = fixture_ask(f, "", 0, T0 + 20 * SECOND, T0 + 30 * SECOND);
    for (size_t i = 0; i < result->series_count; i++) {
        const struct mf_series_result *got = &result->series[i];
        const double expected = strtod(got->name + 1, NULL) + 1;
        assert_int_equal(got->point_count, got->schema == 2 ? 1 : 10);
        for (size_t k = 0; k < got->point_count; k++) {
            assert_double(got->points[k].sum, expected, 0);
        }
    }
    mf_metrics_result_free(result);
}

/* D21: ten thousand series; the time is printed, and not judged here. */
static void d21_ten_thousand_series(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = {
        .name = "s", .series_max = 10000, .tier_count = 1, .tiers = {{SECOND, 2}}};
    fixture_open_with(f, &schema);
    static mf_series series[10000];
    struct timespec begin;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < 10000; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        const struct mf_label labels[] = {{"job", "vm"}, {"id", value}};
        assert_int_equal(try_register(f, MF_GAUGE, "m", labels, 2, &series[i], NULL), 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("10,000 series registered in %.1f ms\n",
           (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6);
    const struct mf_label labels[] = {{"id", "5000"}, {"job", "vm"}};
    mf_series again = 0;
    assert_int_equal(try_register(f, MF_GAUGE, "m", labels, 2, &again, NULL), 0);
    assert_int_equal(again, series[5000]);
    struct mf_errinfo err = {0};
    assert_int_equal(try_register(f, MF_GAUGE, "one_more", NULL, 0, &again, &err), MF_ELIMIT);
    assert_says(&err, "schema s is full: it holds 10000 series; no room for one_more");
    /* After a reopen each is found again, under a handle that works. */
    fixture_close(f);
    fixture_open_with(f, &schema);
    for (int i = 0; i < 10000; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        const struct mf_label both[] = {{"id", value}, {"job", "vm"}};
        assert_int_equal(try_register(f, MF_GAUGE, "m", both, 2, &series[i], &err), 0);
        fixture_record(f, series[i], i, T0);
    }
    struct mf_metrics_result *result = fixture_ask(f, "m{id=~\"(1|77|9999)\"}", 0, T0, T0 + SECOND);
    assert_int_equal(result->series_count, 3);
    assert_double(result->series[0].points[0].last, 1, 0);
    assert_double(result->series[1].points[0].last, 77, 0);
    assert_double(result->series[2].points[0].last, 9999, 0);
    mf_metrics_result_free(result);
}

static void duplicate_labels_are_refused(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const struct mf_label twice[] = {{"a", "1"}, {"a", "2"}};
    struct mf_errinfo err = {0};
    mf_series series = 7;
    assert_int_equal(try_register(f, MF_GAUGE, "m", twice, 2, &series, &err), MF_EVALUE);
    assert_says(&err, "label a is given twice");
    assert_int_equal(series, 7);
}

static void what_cannot_be_registered_says_why(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = {.name = "vms",
                                             .selector = "{job=\"vm\"}",
                                             .series_max = 3,
                                             .histograms_max = 1,
                                             .tier_count = 1,
                                             .tiers = {{SECOND, 10}}};
    fixture_open_with(f, &schema);
    const struct mf_label vm = {"job", "vm"};
    struct mf_errinfo err = {0};
    mf_series series = 0;
    assert_int_equal(try_register(f, MF_GAUGE, "m", NULL, 0, &series, &err), MF_ENOTFOUND);
    assert_says(&err, "no schema of the store takes m");
    assert_int_equal(try_register(f, (enum mf_series_type)0, "m", &vm, 1, &series, &err),
                     MF_EVALUE);
    assert_int_equal(try_register(f, (enum mf_series_type)4, "m", &vm, 1, &series, &err),
                     MF_EVALUE);
    assert_int_equal(try_register(f, MF_HISTOGRAM, "h1", &vm, 1, &series, &err), 0);
    assert_int_equal(try_register(f, MF_HISTOGRAM, "h2", &vm, 1, &series, &err), MF_ELIMIT);
    assert_says(&err, "it holds 1 histograms; no room for h2{job=\"vm\"}");
    assert_int_equal(try_register(f, MF_GAUGE, "h1", &vm, 1, &series, &err), MF_EMISMATCH);
    assert_says(&err, "h1{job=\"vm\"} exists with another type");
    struct mf_series_spec spec = {.type = MF_GAUGE, .name = "u", .labels = &vm, .label_count = 1};
    spec.unit = "m/s";
    assert_int_equal(mf_metrics_register(f->store, &spec, &series, &err), MF_EVALUE);
    spec.unit = "seconds";
    spec.help = "\xFF";
    assert_int_equal(mf_metrics_register(f->store, &spec, &series, &err), MF_EVALUE);
    char long_help[300];
    memset(long_help, 'x', sizeof long_help - 1);
    long_help[sizeof long_help - 1] = '\0';
    spec.help = long_help;
    assert_int_equal(mf_metrics_register(f->store, &spec, &series, &err), MF_ELIMIT);
    assert_says(&err, "room for 256 each (series_text_bytes)");
    long_help[256 - strlen("u{job=\"vm\"}") - strlen("seconds") - 3] = '\0'; /* fits exactly */
    assert_int_equal(mf_metrics_register(f->store, &spec, &series, &err), 0);
    assert_int_equal(try_register(f, MF_GAUGE, "c", &vm, 1, &series, &err), 0);
    assert_int_equal(try_register(f, MF_GAUGE, "d", &vm, 1, &series, &err), MF_ELIMIT);
    assert_says(&err, "it holds 3 series; no room for d{job=\"vm\"}. Is a label taking too many");
    struct mf_metrics_result *result = fixture_ask(f, "u", 0, T0, T0 + 1);
    assert_string_equal(result->series[0].unit, "seconds");
    assert_string_equal(result->series[0].help, long_help);
    mf_metrics_result_free(result);
}

static void expect_empty(struct fixture *f, const char *selector)
{
    for (int tier = 0; tier < 3; tier++) {
        struct mf_metrics_result *result =
            fixture_ask(f, selector, tier, T0 - 10000 * SECOND, T0 + 10000 * SECOND);
        assert_int_equal(result->series_count, 1);
        assert_int_equal(result->series[0].point_count, 0);
        mf_metrics_result_free(result);
    }
}

/* A column that is given out again shows nothing of its former series: of the same type or another,
 * open or closed slots, shards or buckets; in this process or after a reopen. */
static void reused_columns_are_empty(void **state)
{
    struct fixture *f = *state;
    static const enum mf_series_type types[] = {MF_GAUGE, MF_COUNTER, MF_HISTOGRAM};
    const struct mf_metrics_schema schema = fixture_schema(1, 1); /* one column: always the same */
    fixture_open_with(f, &schema);
    struct mf_errinfo err = {0};
    for (int round = 0; round < 18; round++) {
        const enum mf_series_type before = types[round % 3];
        const enum mf_series_type after = types[round / 3 % 3];
        const mf_series old = fixture_series(f, before, "old");
        struct mf_counter_writer writer;
        assert_int_equal(mf_counter_writer_begin(f->store, &writer, &err), 0);
        for (int i = 0; i < 350; i++) {
            assert_int_equal(mf_metrics_tick(f->store, T0 + i * SECOND), 0);
            if (before == MF_COUNTER) {
                assert_int_equal(mf_counter_add(&writer, old, 5), 0);
            } else {
                assert_int_equal(mf_metrics_record(f->store, old, i), 0);
            }
        }
        assert_int_equal(mf_metrics_unregister(f->store, old, &err), 0);
        assert_int_equal(mf_metrics_unregister(f->store, old, &err), MF_ESTALE);
        assert_int_equal(mf_counter_add(&writer, old, 5), MF_ESTALE);
        mf_counter_writer_end(&writer);
        if (round % 2 == 0) {
            fixture_close(f);
            fixture_open_with(f, &schema);
        }
        const mf_series new = fixture_series(f, after, "new");
        assert_true(new != old);
        struct mf_metrics_result *gone = fixture_ask(f, "old", 0, T0, T0 + SECOND);
        assert_int_equal(gone->series_count, 0);
        mf_metrics_result_free(gone);
        expect_empty(f, "new");
        if (after == MF_HISTOGRAM) {
            assert_int_equal(mf_metrics_record(f->store, new, 1000), 0);
            struct mf_metrics_reader *reader = NULL;
            assert_int_equal(mf_metrics_reader_of(f->store, &reader, &err), 0);
            const struct mf_metrics_query query = {
                .selector = "new", .start_ns = T0, .end_ns = T0 + 9999 * SECOND, .tier = 2};
            struct mf_histogram *all = NULL;
            assert_int_equal(mf_metrics_query_histogram(reader, &query, &all, &err), 0);
            assert_int_equal(mf_histogram_count(all), 1);
            mf_histogram_free(all);
            mf_metrics_reader_close(reader);
        } else if (after == MF_COUNTER) {
            assert_int_equal(mf_metrics_tick(f->store, T0 + 360 * SECOND), 0);
            struct mf_metrics_result *result = fixture_ask(f, "new", 0, T0, T0 + 9999 * SECOND);
            for (size_t i = 0; i < result->series[0].point_count; i++) {
                assert_double(result->series[0].points[i].last, 0, 0);
            }
            mf_metrics_result_free(result);
        }
        assert_int_equal(mf_metrics_unregister(f->store, new, &err), 0);
    }
    struct mf_metrics_reader *reader = NULL;
    struct mf_metrics_info info;
    assert_int_equal(mf_metrics_reader_of(f->store, &reader, &err), 0);
    mf_metrics_reader_info(reader, &info);
    assert_int_equal(info.stats.series, 0);
    assert_int_equal(info.stats.series_max, 1);
    assert_int_equal(info.stats.recoveries + info.stats.repaired, 0);
    mf_metrics_reader_close(reader);
}

/* Handles of before a reopen either lead to their own series or nowhere. */
static void handles_do_not_lead_elsewhere_after_a_reopen(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const mf_series a = fixture_series(f, MF_GAUGE, "a");
    struct mf_errinfo err = {0};
    assert_int_equal(mf_metrics_unregister(f->store, a, &err), 0);
    const mf_series b = fixture_series(f, MF_GAUGE, "b");
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(mf_metrics_record_at(f->store, a, 1, T0), MF_ESTALE);
    assert_int_equal(mf_metrics_record_at(f->store, b, 1, T0), 0);
    assert_int_equal(fixture_series(f, MF_GAUGE, "b"), b);
    assert_true(fixture_series(f, MF_GAUGE, "a") != a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(d13_schemas_are_isolated),     TEST(d21_ten_thousand_series),
        TEST(duplicate_labels_are_refused), TEST(what_cannot_be_registered_says_why),
        TEST(reused_columns_are_empty),     TEST(handles_do_not_lead_elsewhere_after_a_reopen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
