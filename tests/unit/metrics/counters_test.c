/* SPDX-License-Identifier: Apache-2.0
 * counters_test.c -- totals: many threads without a lock, what a reader in another process sees
 * before the next tick, totals that are kept elsewhere and their resets, and that nothing is lost
 * by a reopen. */
#include "metrics_fixture.h"

#include "os/thread.h"
#include <stdatomic.h>
#include <sys/wait.h>

#define T0 (INT64_C(1700000000) * SECOND)

static double total_of(struct fixture *f, const char *name, double *ret_sum)
{
    struct mf_metrics_result *result =
        fixture_ask(f, name, 0, T0 - 600 * SECOND, T0 + 600 * SECOND);
    assert_int_equal(result->series_count, 1);
    const struct mf_series_result *series = result->series;
    double sum = 0;
    for (size_t i = 0; i < series->point_count; i++) {
        const struct mf_point *point = &series->points[i];
        sum += point->sum;
        assert_double(point->first, point->last - point->sum, 0);
        assert_double(point->min, point->first, 0);
        assert_double(point->max, point->last, 0);
    }
    const double last = series->point_count > 0 ? series->points[series->point_count - 1].last : -1;
    mf_metrics_result_free(result);
    if (ret_sum != NULL) {
        *ret_sum = sum;
    }
    return last;
}

/* --- many threads */

#define THREADS 6
#define ADDS    40000

struct adder {
    struct fixture *f;
    mf_series counters[3];
    struct mf_thread thread;
};

static void *add_from_thread(void *context)
{
    struct adder *adder = context;
    for (int round = 0; round < 4; round++) { /* each time with a writer of its own */
        struct mf_counter_writer writer;
        struct mf_errinfo err;
        if (mf_counter_writer_begin(adder->f->store, &writer, &err) != 0) {
            return err.msg[0] != '\0' ? adder : NULL;
        }
        for (int i = 0; i < ADDS / 4; i++) {
            if (mf_counter_add(&writer, adder->counters[i % 3], (uint64_t)(1 + i % 3)) != 0) {
                return adder;
            }
        }
        mf_counter_writer_end(&writer);
    }
    return NULL;
}

struct watcher {
    struct mf_metrics_reader *reader;
    atomic_bool done;
    struct mf_thread thread;
    uint64_t queries;
};

/* Totals that a reader sees never shrink, and increments add up to them. */
static void *watch(void *context)
{
    struct watcher *watcher = context;
    double before = 0;
    while (!atomic_load(&watcher->done)) {
        const struct mf_metrics_query query = {
            .selector = "c1", .start_ns = T0 - SECOND, .end_ns = T0 + 600 * SECOND, .tier = 0};
        struct mf_metrics_result *result = NULL;
        if (mf_metrics_query(watcher->reader, &query, &result, NULL) != 0) {
            return watcher;
        }
        double sum = 0;
        for (size_t i = 0; i < result->series[0].point_count; i++) {
            sum += result->series[0].points[i].sum;
        }
        const size_t count = result->series[0].point_count;
        const bool wrong =
            sum < before || (count > 0 && result->series[0].points[count - 1].last != sum);
        before = sum;
        mf_metrics_result_free(result);
        if (wrong) {
            return watcher;
        }
        watcher->queries++;
    }
    return NULL;
}

static void many_threads_add_exactly(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct adder adders[THREADS];
    mf_series counters[3] = {fixture_series(f, MF_COUNTER, "c0"),
                             fixture_series(f, MF_COUNTER, "c1"),
                             fixture_series(f, MF_COUNTER, "c2")};
    const mf_series gauge = fixture_series(f, MF_GAUGE, "g");
    assert_int_equal(mf_metrics_tick(f->store, T0), 0);
    struct watcher watcher = {0};
    assert_int_equal(mf_metrics_reader_of(f->store, &watcher.reader, NULL), 0);
    assert_int_equal(mf_thread_start(&watcher.thread, "watch", watch, &watcher, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        adders[i] = (struct adder){.f = f, .counters = {counters[0], counters[1], counters[2]}};
        assert_int_equal(
            mf_thread_start(&adders[i].thread, "add", add_from_thread, &adders[i], NULL), 0);
    }
    for (int i = 1; i <= 500; i++) {
        assert_int_equal(mf_metrics_tick(f->store, T0 + i * SECOND), 0);
        assert_int_equal(mf_metrics_record(f->store, gauge, i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_null(mf_thread_join(&adders[i].thread));
    }
    assert_int_equal(mf_metrics_tick(f->store, T0 + 501 * SECOND), 0);
    atomic_store(&watcher.done, true);
    assert_null(mf_thread_join(&watcher.thread));
    mf_metrics_reader_close(watcher.reader);
    printf("%llu queries meanwhile\n", (unsigned long long)watcher.queries);
    for (int c = 0; c < 3; c++) {
        double expected = 0;
        for (int i = 0; i < ADDS / 4; i++) {
            expected += i % 3 == c ? (double)THREADS * 4 * (1 + i % 3) : 0;
        }
        char name[4];
        snprintf(name, sizeof name, "c%d", c);
        double sum;
        assert_double(total_of(f, name, &sum), expected, 0);
        assert_double(sum, expected, 0);
    }
}

static void writers_are_limited(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = fixture_schema(4, 0);
    struct mf_metrics_options options = MF_METRICS_OPTIONS_INIT;
    options.writers_max = 2;
    struct mf_errinfo err = {0};
    assert_int_equal(mf_metrics_open(f->path, &schema, 1, &options, &f->env, &f->store, &err), 0);
    const mf_series counter = fixture_series(f, MF_COUNTER, "c");
    assert_int_equal(mf_metrics_tick(f->store, T0), 0);
    struct mf_counter_writer writers[3];
    assert_int_equal(mf_counter_writer_begin(f->store, &writers[0], &err), 0);
    assert_int_equal(mf_counter_writer_begin(f->store, &writers[1], &err), 0);
    assert_int_equal(mf_counter_writer_begin(f->store, &writers[2], &err), MF_ELIMIT);
    assert_non_null(strstr(err.msg, "all 2 counter writers are in use"));
    assert_int_equal(mf_counter_add(&writers[0], counter, 10), 0);
    mf_counter_writer_end(&writers[0]);
    mf_counter_writer_end(&writers[0]); /* twice does nothing */
    assert_int_equal(mf_counter_add(&writers[0], counter, 1), MF_ESTALE);
    assert_int_equal(mf_counter_writer_begin(f->store, &writers[2], &err), 0);
    assert_int_equal(mf_counter_add(&writers[2], counter, 5), 0);
    assert_int_equal(mf_counter_add(&writers[1], counter, 7), 0);
    assert_double(total_of(f, "c", NULL), 22, 0);
    mf_counter_writer_end(&writers[1]);
    mf_counter_writer_end(&writers[2]);
}

/* Runs `check` in a process of its own. */
static void in_another_process(struct fixture *f, double expected)
{
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct mf_metrics_reader *reader = NULL;
        const struct mf_metrics_query query = {
            .selector = "c", .start_ns = T0, .end_ns = T0 + 60 * SECOND, .tier = 1};
        struct mf_metrics_result *result = NULL;
        int rc = mf_metrics_reader_open(f->path, &f->env, &reader, NULL);
        rc = rc == 0 ? mf_metrics_query(reader, &query, &result, NULL) : rc;
        const bool good =
            rc == 0 && result->series_count == 1 && result->series[0].point_count > 0 &&
            result->series[0].points[result->series[0].point_count - 1].last == expected;
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void pending_increments_are_seen_elsewhere(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const mf_series counter = fixture_series(f, MF_COUNTER, "c");
    struct mf_counter_writer writer;
    assert_int_equal(mf_counter_writer_begin(f->store, &writer, NULL), 0);
    assert_int_equal(mf_metrics_tick(f->store, T0), 0);
    double expected = 0;
    for (int i = 0; i < 30; i++) {
        assert_int_equal(mf_counter_add(&writer, counter, (uint64_t)i + 1), 0);
        expected += i + 1;
        in_another_process(f, expected); /* before the tick that samples it */
        assert_int_equal(mf_metrics_tick(f->store, T0 + (i + 1) * SECOND), 0);
        in_another_process(f, expected);
    }
    mf_counter_writer_end(&writer);
}

static void increments_survive_a_reopen(void **state)
{
    struct fixture *f = *state;
    double expected = 0;
    for (int round = 0; round < 10; round++) {
        fixture_open(f);
        const mf_series counter = fixture_series(f, MF_COUNTER, "c");
        struct mf_counter_writer writers[3];
        for (int w = 0; w <= round % 3; w++) {
            assert_int_equal(mf_counter_writer_begin(f->store, &writers[w], NULL), 0);
        }
        for (int i = 0; i < 5; i++) {
            assert_int_equal(mf_metrics_tick(f->store, T0 + (round * 5 + i) * SECOND), 0);
            for (int w = 0; w <= round % 3; w++) {
                assert_int_equal(mf_counter_add(&writers[w], counter, 3), 0);
                expected += 3;
            }
        }
        for (int w = 0; w <= round % 3; w++) {
            mf_counter_writer_end(&writers[w]);
        }
        fixture_close(f);
        double sum;
        assert_double(total_of(f, "c", &sum), expected, 0);
        assert_double(sum, expected, 0);
    }
}

static void observed_totals_and_resets(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    mf_series counter = fixture_series(f, MF_COUNTER, "c");
    assert_int_equal(mf_metrics_observe_total(f->store, counter, 5), MF_EVALUE); /* no time yet */
    assert_int_equal(mf_metrics_tick(f->store, T0), 0);
    static const double totals[] = {1000, 1010, 1010, 5, 6, 0, 4, 2.5};
    static const double stored[] = {1000, 1010, 1010, 1015, 1016, 1016, 1020, 1022.5};
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
        assert_int_equal(mf_metrics_tick(f->store, T0 + (int64_t)i * SECOND), 0);
        assert_int_equal(mf_metrics_observe_total(f->store, counter, totals[i]), 0);
        double sum;
        assert_double(total_of(f, "c", &sum), stored[i], 0);
        assert_double(sum, stored[i] - 1000, 0);
        if (i % 2 == 0) { /* what was seen of the source is remembered */
            fixture_close(f);
            fixture_open(f);
            counter = fixture_series(f, MF_COUNTER, "c");
        }
    }
    assert_int_equal(mf_metrics_observe_total_at(f->store, counter, 9, T0 + 3 * SECOND), MF_ELATE);
    assert_int_equal(mf_metrics_observe_total(f->store, counter, -1), MF_EVALUE);
    assert_int_equal(mf_metrics_observe_total(f->store, counter, NAN), MF_EVALUE);
    assert_int_equal(mf_metrics_observe_total(f->store, counter, INFINITY), MF_EVALUE);
    assert_int_equal(mf_metrics_record(f->store, counter, 1), MF_EVALUE);
    const mf_series gauge = fixture_series(f, MF_GAUGE, "g");
    assert_int_equal(mf_metrics_observe_total(f->store, gauge, 1), MF_EVALUE);
    assert_double(total_of(f, "c", NULL), 1022.5, 0); /* nothing of that left a trace */
    struct mf_metrics_reader *reader = NULL;
    struct mf_metrics_info info;
    assert_int_equal(mf_metrics_reader_of(f->store, &reader, NULL), 0);
    mf_metrics_reader_info(reader, &info);
    assert_int_equal(info.stats.counter_resets, 3);
    assert_int_equal(info.stats.late_refused, 1);
    mf_metrics_reader_close(reader);
}

static void rates_and_increases(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const mf_series counter = fixture_series(f, MF_COUNTER, "c");
    for (int i = 0; i <= 40; i++) {
        assert_int_equal(mf_metrics_tick(f->store, T0 + i * SECOND), 0);
        assert_int_equal(mf_metrics_observe_total(f->store, counter, i * 50), 0);
    }
    assert_int_equal(mf_metrics_tick(f->store, T0 + 40 * SECOND + SECOND / 2), 0);
    struct mf_metrics_reader *reader = NULL;
    assert_int_equal(mf_metrics_reader_of(f->store, &reader, NULL), 0);
    for (int tier = 0; tier < 2; tier++) {
        for (int function = MF_FUNCTION_INCREASE; function <= MF_FUNCTION_RATE; function++) {
            const struct mf_metrics_query query = {.selector = "c",
                                                   .start_ns = T0,
                                                   .end_ns = T0 + 60 * SECOND,
                                                   .tier = tier,
                                                   .function = (enum mf_metrics_function)function};
            struct mf_metrics_result *result = NULL;
            assert_int_equal(mf_metrics_query(reader, &query, &result, NULL), 0);
            const struct mf_series_result *series = result->series;
            assert_int_equal(series->point_count, tier == 0 ? 41 : 5);
            const double seconds = tier == 0 ? 1 : 10;
            for (size_t i = 1; i < series->point_count; i++) {
                const bool open = i + 1 == series->point_count;
                assert_int_equal((series->points[i].flags & MF_POINT_OPEN) != 0, open);
                const double increase = open ? 50 : 50 * seconds;
                const double elapsed = open ? 0.5 : seconds; /* rates of open slots: so far */
                assert_double(series->values[i],
                              function == MF_FUNCTION_RATE ? increase / elapsed : increase, 1e-9);
            }
            mf_metrics_result_free(result);
        }
    }
    mf_metrics_reader_close(reader);
}

/* What was pending when a reader began can be in the ring when it comes there: it counts once. */
struct slow_reader {
    struct mf_metrics *store;
    size_t points;
    double sum;
};

static int any_series(void *context, const struct mf_series_result *series, int64_t *start_ns)
{
    (void)context;
    (void)series;
    (void)start_ns;
    return 0;
}

static int two_ticks_pass(void *context, const struct mf_point *point, int64_t interval_ns,
                          const struct mf_histogram *buckets)
{
    struct slow_reader *reader = context;
    (void)interval_ns;
    (void)buckets;
    reader->sum += point->sum;
    if (reader->points++ == 0) {
        assert_int_equal(mf_metrics_tick(reader->store, T0 + 2 * SECOND), 0);
        assert_int_equal(mf_metrics_tick(reader->store, T0 + 3 * SECOND), 0);
    }
    return 0;
}

static void a_slow_reader_counts_once(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const mf_series counter = fixture_series(f, MF_COUNTER, "c");
    struct mf_counter_writer writer;
    struct mf_errinfo err;
    assert_int_equal(mf_counter_writer_begin(f->store, &writer, &err), 0);
    assert_int_equal(mf_metrics_tick(f->store, T0), 0);
    assert_int_equal(mf_counter_add(&writer, counter, 5), 0);
    assert_int_equal(mf_metrics_tick(f->store, T0 + SECOND), 0);
    assert_int_equal(mf_counter_add(&writer, counter, 7), 0);
    struct slow_reader slow = {.store = f->store};
    const struct mf_metrics_visitor visitor = {
        .series = any_series, .point = two_ticks_pass, .context = &slow};
    const struct mf_metrics_query query = {
        .start_ns = T0 - 10 * SECOND, .end_ns = T0 + 60 * SECOND, .tier = 0};
    struct mf_metrics_reader *reader = NULL;
    assert_int_equal(mf_metrics_reader_open(f->path, &f->env, &reader, &err), 0);
    assert_int_equal(mf_metrics_visit(reader, &query, &visitor, &err), 0);
    mf_metrics_reader_close(reader);
    assert_int_equal(slow.points, 2);
    assert_double(slow.sum, 12, 0);
    mf_counter_writer_end(&writer);
    assert_double(total_of(f, "c", &slow.sum), 12, 0);
    assert_double(slow.sum, 12, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_threads_add_exactly),
        TEST(writers_are_limited),
        TEST(pending_increments_are_seen_elsewhere),
        TEST(increments_survive_a_reopen),
        TEST(observed_totals_and_resets),
        TEST(rates_and_increases),
        TEST(a_slow_reader_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
