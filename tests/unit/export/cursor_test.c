/* SPDX-License-Identifier: Apache-2.0
 * cursor_test.c -- how far a peer has come: lost, damaged, foreign and forbidden cursors; folders.
 */
#include "export_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

static size_t read_bytes(const char *path, unsigned char *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t len = fread(bytes, 1, room, file);
    fclose(file);
    return len;
}

static void write_bytes(const char *path, const unsigned char *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* A push after which the peer has everything, once. */
static void assert_whole(struct receiver *receiver, int seconds)
{
    assert_gauge(receiver, 0, seconds);
}

static void lost_cursor_goes_on_where_the_peer_is(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(receiver_strict, NULL);
    const struct mf_push_config config = push_config(receiver);
    struct sample_store s;
    char cursor[512];
    sample_open(f, &s);
    sample_record(f, &s, 0, 20);
    push_ok(f->path, &config);
    cursor_file(f->path, cursor);
    assert_int_equal(unlink(cursor), 0);
    sample_record(f, &s, 20, 30);
    const struct mf_push_report report = push_ok(f->path, &config);
    /* The newest one that the peer has may come again with the same value; it was stored once more.
     */
    assert_int_equal(report.refused, 18);
    assert_int_equal(receiver_count_of(receiver, "g{job=\"vm\"}"), 29 + 1);
    for (int i = 0; i < 29; i++) {
        assert_non_null(receiver_find(receiver, "g{job=\"vm\"}", T0_MS + (i + 1) * 1000));
    }
    receiver_stop(receiver);
}

/* Cut at every length and with every byte changed, a cursor is as good as none. */
static void d18_damaged_cursor_recovers(void **state)
{
    struct fixture *f = *state;
    struct sample_store s;
    char path[512];
    unsigned char bytes[4096];
    sample_open(f, &s);
    sample_record(f, &s, 0, 4);
    struct receiver *receiver = receiver_start(NULL, NULL);
    struct mf_push_config config = push_config(receiver);
    config.selector = NULL;
    push_ok(f->path, &config);
    cursor_file(f->path, path);
    const size_t len = read_bytes(path, bytes, sizeof bytes);
    assert_true(len > 32 && len < sizeof bytes);
    const size_t whole = receiver_count(receiver);
    for (size_t i = 0; i < 2 * len; i++) {
        const bool cut = i < len;
        const size_t before = receiver_count(receiver);
        bytes[i % len] ^= cut ? 0 : 0x40;
        write_bytes(path, bytes, cut ? i : len);
        bytes[i % len] ^= cut ? 0 : 0x40;
        push_ok(f->path, &config);
        assert_int_equal(receiver_count(receiver) - before, whole);
        const struct mf_push_report again = push_ok(f->path, &config);
        assert_int_equal(again.requests, 0);
    }
    receiver_stop(receiver);
}

static void cursor_of_another_store_counts_for_nothing(void **state)
{
    struct fixture *f = *state;
    struct sample_store s;
    char path[512];
    unsigned char bytes[4096];
    sample_open(f, &s);
    sample_record(f, &s, 0, 10);
    struct receiver *receiver = receiver_start(NULL, NULL);
    struct mf_push_config config = push_config(receiver);
    push_ok(f->path, &config);
    fixture_close(f);
    cursor_file(f->path, path);
    const size_t len = read_bytes(path, bytes, sizeof bytes);
    char slab[160];
    snprintf(slab, sizeof slab, "%s/metrics.slab", f->path);
    assert_int_equal(unlink(slab), 0);
    f->wall_ns += SECOND; /* the new store is created at another time */
    sample_open(f, &s);
    sample_record(f, &s, 0, 10);
    write_bytes(path, bytes, len);
    const struct mf_push_report report = push_ok(f->path, &config);
    assert_int_equal(report.points, 9);
    receiver_stop(receiver);
}

static void forbidden_directory_is_told_before_anything_is_sent(void **state)
{
    struct fixture *f = *state;
    struct sample_store s;
    sample_open(f, &s);
    sample_record(f, &s, 0, 10);
    struct receiver *receiver = receiver_start(NULL, NULL);
    struct mf_push_config config = push_config(receiver);
    struct mf_errinfo err = {0};
    config.cursor_directory = "/nonexistent";
    push_fails(f->path, &config, -ENOENT, &err);
    assert_int_equal(receiver_requests(receiver), 0);
    config.cursor_directory = f->directory;
    push_ok(f->path, &config);
    char path[512];
    cursor_file(f->directory, path);
    assert_whole(receiver, 9);
    receiver_stop(receiver);
}

static void each_peer_and_each_label_has_its_cursor(void **state)
{
    struct fixture *f = *state;
    struct sample_store s;
    sample_open(f, &s);
    sample_record(f, &s, 0, 10);
    struct receiver *first = receiver_start(NULL, NULL);
    struct receiver *second = receiver_start(NULL, NULL);
    const struct mf_label labels[] = {{"job", "other"}, {"zone", "a b"}};
    struct mf_push_config config = push_config(first);
    push_ok(f->path, &config);
    config.labels = labels;
    config.label_count = 2;
    push_ok(f->path, &config);
    /* A label of the series stays what it is. */
    assert_int_equal(receiver_count_of(first, "g{job=\"vm\"}"), 9);
    assert_int_equal(receiver_count_of(first, "g{job=\"vm\",zone=\"a b\"}"), 9);
    config = push_config(second);
    config.store_label = "instance";
    push_ok(f->path, &config);
    assert_int_equal(receiver_count_of(second, "g{instance=\"store\",job=\"vm\"}"), 9);
    receiver_stop(first);
    receiver_stop(second);
}

/* Counts of a histogram only grow, over batches, pushes and bounds that are new. */
static void histogram_is_cumulative(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(receiver_strict, NULL);
    struct mf_push_config config = push_config(receiver);
    struct sample_store s;
    config.selector = "h_seconds";
    config.batch_samples_max = 30;
    sample_open(f, &s);
    sample_record(f, &s, 0, 10);
    push_ok(f->path, &config);
    fixture_record(f, s.histogram, 1000, T0 + 9 * SECOND + SECOND / 2);
    fixture_record(f, s.histogram, 0.001, T0 + 9 * SECOND + SECOND / 2);
    sample_record(f, &s, 10, 20);
    push_ok(f->path, &config);
    const struct {
        const char *series;
        int second;
        double value;
    } expected[] = {
        {"h_seconds_count", 9, 9},
        {"h_seconds_count", 10, 12},
        {"h_seconds_count", 19, 21},
        {"h_seconds_bucket{le=\"1.0\"}", 9, 2},
        {"h_seconds_bucket{le=\"8.0\"}", 9, 9},
        {"h_seconds_bucket{le=\"8.0\"}", 10, 11},
        {"h_seconds_bucket{le=\"0.001953125\"}", 10, 1},
        {"h_seconds_bucket{le=\"512.0\"}", 10, 11},
        {"h_seconds_bucket{le=\"1024.0\"}", 10, 12},
        {"h_seconds_bucket{le=\"+Inf\"}", 19, 21},
        {"h_seconds_sum", 9, 37},
        {"h_seconds_sum", 10, 1039.001},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const struct received_sample *sample =
            receiver_find(receiver, expected[i].series, T0_MS + expected[i].second * 1000);
        if (sample == NULL) {
            fail_msg("%s lacks second %d", expected[i].series, expected[i].second);
        } else {
            assert_double(sample->value, expected[i].value, 0.05);
        }
    }
    receiver_stop(receiver);
}

static void gauges_with_aggregates(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(NULL, NULL);
    struct mf_push_config config = push_config(receiver);
    struct sample_store s;
    config.aggregates = 1;
    sample_open(f, &s);
    fixture_record(f, s.gauge, 1, T0);
    fixture_record(f, s.gauge, 9, T0);
    fixture_record(f, s.gauge, 5, T0);
    fixture_record(f, s.gauge, 0, T0 + SECOND);
    push_ok(f->path, &config);
    const char *const names[] = {"g", "g:avg", "g:min", "g:max"};
    const double values[] = {5, 5, 1, 9};
    for (size_t i = 0; i < 4; i++) {
        char series[32];
        snprintf(series, sizeof series, "%s{job=\"vm\"}", names[i]);
        const struct received_sample *sample = receiver_find(receiver, series, T0_MS + 1000);
        assert_non_null(sample);
        assert_double(sample->value, values[i], 0.001);
    }
    receiver_stop(receiver);
}

/* D06: what is recorded after the clock was set back by 55 minutes is pushed like the rest, and a
 * push with a fresh cursor brings everything. */
static void d06_clock_that_stepped_back_is_pushed(void **state)
{
    struct fixture *f = *state;
    struct sample_store s;
    struct receiver *receiver = receiver_start(receiver_strict, NULL);
    struct receiver *second = receiver_start(receiver_strict, NULL);
    struct mf_push_config config = push_config(receiver);
    sample_open(f, &s);
    for (int i = 0; i < 70; i++) {
        const int64_t back_ns = i >= 10 ? 55 * 60 * SECOND : 0;
        f->wall_ns = T0 + i * SECOND - back_ns;
        assert_int_equal(mf_metrics_tick(f->store, f->wall_ns), 0);
        assert_int_equal(mf_metrics_record(f->store, s.gauge, i), 0);
        if (i == 20) {
            push_ok(f->path, &config);
        }
    }
    fixture_close(f);
    struct mf_push_report report = push_ok(f->path, &config);
    assert_int_equal(report.refused, 0);
    config.url = receiver_url(second);
    report = push_ok(f->path, &config);
    assert_int_equal(report.refused, 0);
    assert_true(receiver_count(receiver) >= 69);
    assert_int_equal(receiver_count(second), receiver_count(receiver));
    assert_double(receiver_samples(second)[receiver_count(second) - 1].value, 69, 0);
    receiver_stop(receiver);
    receiver_stop(second);
}

/* --- folders --- */

static void make_store_at(struct fixture *f, const char *name, int seconds, bool close)
{
    struct sample_store s;
    snprintf(f->path, sizeof f->path, "%s/%s", f->directory, name);
    sample_open(f, &s);
    sample_record(f, &s, 0, seconds);
    if (close) {
        fixture_close(f);
    }
}

static void folder_finds_new_stores_and_leaves_ended_ones(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(receiver_strict, NULL);
    struct mf_push_config config = push_config(receiver);
    struct mf_pusher *pusher;
    struct mf_push_report report = {0};
    struct sample_store s;
    config.store_label = "vm";
    assert_int_equal(mf_pusher_new(&config, &pusher, NULL), 0);
    make_store_at(f, "a", 5, true);
    make_store_at(f, "deep", 0, true); /* no store below this one is looked at */
    assert_int_equal(mf_pusher_push_all(pusher, f->directory, &report, NULL), 0);
    assert_int_equal(report.stores, 2);
    assert_int_equal(report.finished, 2);
    assert_int_equal(receiver_count_of(receiver, "g{job=\"vm\",vm=\"a\"}"), 5);
    snprintf(f->path, sizeof f->path, "%s/x", f->directory);
    assert_int_equal(mkdir(f->path, 0700), 0);
    make_store_at(f, "x/metrics", 5, false);
    report = (struct mf_push_report){0};
    assert_int_equal(mf_pusher_push_all(pusher, f->directory, &report, NULL), 0);
    assert_int_equal(report.stores, 3);
    assert_int_equal(report.finished, 2);
    assert_int_equal(receiver_count_of(receiver, "g{job=\"vm\",vm=\"x\"}"), 4);
    fixture_close(f);
    /* One that had ended is written again: its file changes, and it is looked at. */
    snprintf(f->path, sizeof f->path, "%s/a", f->directory);
    sample_open(f, &s);
    sample_record(f, &s, 5, 8);
    report = (struct mf_push_report){0};
    assert_int_equal(mf_pusher_push_all(pusher, f->directory, &report, NULL), 0);
    assert_int_equal(report.finished, 2);
    assert_int_equal(receiver_count_of(receiver, "g{job=\"vm\",vm=\"x\"}"), 5);
    fixture_close(f);
    report = (struct mf_push_report){0};
    assert_int_equal(mf_pusher_push_all(pusher, f->directory, &report, NULL), 0);
    assert_int_equal(report.finished, 3);
    assert_int_equal(report.refused, 0);
    /* The five, the fifth once more when it was over, three, of which the last was not. */
    assert_int_equal(receiver_count_of(receiver, "g{job=\"vm\",vm=\"a\"}"), 9);
    mf_pusher_free(pusher);
    receiver_stop(receiver);
}

static void one_bad_store_does_not_stop_the_others(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(receiver_strict, NULL);
    struct mf_push_config config = push_config(receiver);
    struct mf_pusher *pusher;
    struct mf_push_report report = {0};
    struct mf_errinfo err = {0};
    char slab[160];
    config.store_label = "vm";
    make_store_at(f, "a", 5, true);
    make_store_at(f, "b", 5, true);
    snprintf(slab, sizeof slab, "%s/a/metrics.slab", f->directory);
    assert_int_equal(truncate(slab, 100), 0);
    assert_int_equal(mf_pusher_new(&config, &pusher, NULL), 0);
    assert_int_equal(mf_pusher_push_all(pusher, f->directory, &report, &err), MF_EFORMAT);
    assert_non_null(strstr(err.msg, "/a/"));
    assert_int_equal(report.failed, 1);
    assert_int_equal(report.finished, 1);
    assert_int_equal(receiver_count(receiver), 5);
    mf_pusher_free(pusher);
    receiver_stop(receiver);
}

/* A sealed store is pushed like the one that it was. */
static void sealed_store_is_pushed(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(receiver_strict, NULL);
    struct mf_push_config config = push_config(receiver);
    config.selector = NULL;
    make_store_at(f, "a", 20, true);
    push_ok(f->path, &config);
    const size_t count = receiver_count(receiver);
    assert_int_equal(mf_metrics_seal(f->path, &f->env, NULL, NULL), 0);
    struct mf_push_report report = push_ok(f->path, &config);
    assert_int_equal(report.requests, 0);
    assert_int_equal(report.finished, 1);
    receiver_stop(receiver);
    receiver = receiver_start(receiver_strict, NULL);
    config.url = receiver_url(receiver);
    report = push_ok(f->path, &config);
    assert_int_equal(receiver_count(receiver), count);
    assert_int_equal(report.refused, 0);
    receiver_stop(receiver);
}

static void wrong_configurations_are_refused(void **state)
{
    (void)state;
    static const struct mf_label bad_labels[] = {{"a-b", "x"}, {"__a", "x"}, {"a", ""}, {"", "x"}};
    static const char *const bad_urls[] = {
        "ftp://127.0.0.1/", "not a url",           "",
        "http://",          "http://u@127.0.0.1/", "file:///etc/passwd"};
    struct mf_push_config good = MF_PUSH_CONFIG_INIT;
    struct mf_pusher *pusher;
    struct mf_errinfo err;
    good.url = "http://127.0.0.1:1/";
    assert_int_equal(mf_pusher_new(&good, &pusher, &err), 0);
    mf_pusher_free(pusher);
    for (size_t i = 0; i < sizeof bad_urls / sizeof bad_urls[0]; i++) {
        struct mf_push_config config = good;
        config.url = bad_urls[i];
        assert_int_equal(mf_pusher_new(&config, &pusher, &err), MF_EVALUE);
    }
    for (size_t i = 0; i < sizeof bad_labels / sizeof bad_labels[0]; i++) {
        struct mf_push_config config = good;
        config.labels = &bad_labels[i];
        config.label_count = 1;
        assert_int_equal(mf_pusher_new(&config, &pusher, &err), MF_EVALUE);
    }
    struct mf_push_config config = good;
    config.size--;
    assert_int_equal(mf_pusher_new(&config, &pusher, &err), MF_EVALUE);
    config = good;
    config.user = "me";
    assert_int_equal(mf_pusher_new(&config, &pusher, &err), MF_EVALUE);
    config.password = "p";
    config.bearer_token = "t";
    assert_int_equal(mf_pusher_new(&config, &pusher, &err), MF_EVALUE);
    config = good;
    config.bearer_token = "t\r\nX: y";
    assert_int_equal(mf_pusher_new(&config, &pusher, &err), MF_EVALUE);
    config = good;
    config.buckets_per_octave = 3;
    assert_int_equal(mf_pusher_new(&config, &pusher, &err), MF_EVALUE);
    config = good;
    config.reserved[2] = 1;
    assert_int_equal(mf_pusher_new(&config, &pusher, &err), MF_EVALUE);
    config = good;
    config.store_label = "a b";
    assert_int_equal(mf_pusher_new(&config, &pusher, &err), MF_EVALUE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lost_cursor_goes_on_where_the_peer_is),
        TEST(d18_damaged_cursor_recovers),
        TEST(cursor_of_another_store_counts_for_nothing),
        TEST(forbidden_directory_is_told_before_anything_is_sent),
        TEST(each_peer_and_each_label_has_its_cursor),
        TEST(histogram_is_cumulative),
        TEST(gauges_with_aggregates),
        TEST(d06_clock_that_stepped_back_is_pushed),
        TEST(folder_finds_new_stores_and_leaves_ended_ones),
        TEST(one_bad_store_does_not_stop_the_others),
        TEST(sealed_store_is_pushed),
        cmocka_unit_test(wrong_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
