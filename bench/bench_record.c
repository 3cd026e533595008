/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_record.c -- microbenchmarks of the metrics store: recording, the clock, registering,
 * querying. An iteration is one value, or one value of each of N series ("elements" counts values).
 *
 *   record::atomic_increment       what the others are put in relation to: one lock-prefixed
 *                                  addition to one word
 *   record::single_series          a value of one gauge at the ticked clock, within one second
 *   record::series_count/N         the same, N gauges in turn
 *   record::30_series_throughput   30 gauges in turn 1,000 times a second: the clock goes on by
 *                                  1 ms with every 30 values, so closing each second is in it
 *   record::with_reader            record::single_series while another process queries that series
 *   record_at::single_series       with the caller's time, within one second
 *   record_batch::series_count/N   a batch of N
 *   next_second::...               the same calls, but each value is the only one of its second:
 *                                  every call closes a slot, packs it and merges it upwards
 *   counter::...                   mf_counter_add(): one counter; 30 in turn
 *   histogram::record              an observation of one histogram, within one second
 *   consolidate::...               tick and consolidate, each a second later: of 30 idle gauges; of
 *                                  30 idle counters; of 30 gauges with one value each (recording it
 *                                  included)
 *   register::10000_series         all 10,000 registrations in an empty store
 *   query::...                     open a reader and close it; 60 points of one series; 30 series x
 *                                  600 points
 */
#include "bench_store.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define REGISTER_COUNT 10000
#define ATOMIC         "record::atomic_increment"

static const int64_t series_counts[] = {1, 10, 30, 100};
#define OVER_SERIES_COUNTS .params = series_counts, .param_count = 4, .param_name = ""

MF_BENCH(record, atomic_increment)
{
    static _Atomic uint64_t word __attribute__((aligned(64)));
    MF_LOOP(bench)
    {
        atomic_fetch_add_explicit(&word, 1, memory_order_relaxed);
    }
    if (atomic_load(&word) != mf_bench_iterations(bench)) {
        mf_bench_fail(bench, "some additions are missing");
    }
}

/* ---- within one second ---- */

/* What was recorded must be there: the sum of the open slot's count over all series. */
static void expect_count(struct mf_bench *bench, struct bench_store *store, uint64_t wanted)
{
    struct mf_errinfo err;
    struct mf_metrics_reader *reader;
    struct mf_metrics_result *result;
    const struct mf_metrics_query query = {.start_ns = 0, .end_ns = INT64_MAX / 4, .tier = 0};
    if (!bench_ok(bench, mf_metrics_reader_of(store->store, &reader, &err), &err, "reader")) {
        return;
    }
    if (bench_ok(bench, mf_metrics_query(reader, &query, &result, &err), &err, "query")) {
        uint64_t count = 0;
        for (size_t s = 0; s < result->series_count; s++) {
            for (size_t i = 0; i < result->series[s].point_count; i++) {
                count += result->series[s].points[i].count;
            }
        }
        if (count != wanted) {
            mf_bench_fail(bench, "the store has %llu values of %llu", (unsigned long long)count,
                          (unsigned long long)wanted);
        }
        mf_metrics_result_free(result);
    }
    mf_metrics_reader_close(reader);
}

static void record_single(struct mf_bench *bench, struct bench_store *store)
{
    struct mf_metrics *metrics = store->store;
    const mf_series series = store->series[0];
    const double *values = store->values;
    uint64_t i = 0;
    MF_LOOP(bench)
    {
        (void)mf_metrics_record(metrics, series, values[i++ % BENCH_VALUES]);
    }
    expect_count(bench, store, mf_bench_iterations(bench));
}

MF_BENCH(record, single_series, .ratio_to = ATOMIC)
{
    struct bench_store store;
    if (bench_store_open(bench, &store, MF_GAUGE, 1)) {
        record_single(bench, &store);
    }
    bench_store_close(bench, &store);
}

MF_BENCH(record, series_count, OVER_SERIES_COUNTS)
{
    struct bench_store store;
    const size_t count = (size_t)mf_bench_param(bench);
    mf_bench_set_elements(bench, count);
    if (bench_store_open(bench, &store, MF_GAUGE, count)) {
        uint64_t i = 0;
        MF_LOOP(bench)
        {
            bench_store_turn(&store, i++);
        }
        expect_count(bench, &store, count * mf_bench_iterations(bench));
    }
    bench_store_close(bench, &store);
}

MF_BENCH(record, 30_series_throughput, .elements = 30)
{
    struct bench_store store;
    if (bench_store_open(bench, &store, MF_GAUGE, 30)) {
        uint64_t i = 0;
        MF_LOOP(bench)
        {
            bench_store_tick(&store, BENCH_SECOND_NS / 1000);
            bench_store_turn(&store, i++);
        }
    }
    bench_store_close(bench, &store);
}

MF_BENCH(record_at, single_series, .ratio_to = ATOMIC)
{
    struct bench_store store;
    if (bench_store_open(bench, &store, MF_GAUGE, 1)) {
        uint64_t i = 0;
        MF_LOOP(bench)
        {
            (void)mf_metrics_record_at(store.store, store.series[0],
                                       store.values[i++ % BENCH_VALUES], store.now_ns);
        }
        expect_count(bench, &store, mf_bench_iterations(bench));
    }
    bench_store_close(bench, &store);
}

MF_BENCH(record_batch, series_count, OVER_SERIES_COUNTS)
{
    struct bench_store store;
    const size_t count = (size_t)mf_bench_param(bench);
    mf_bench_set_elements(bench, count);
    if (bench_store_open(bench, &store, MF_GAUGE, count)) {
        uint64_t i = 0;
        MF_LOOP(bench)
        {
            (void)mf_metrics_record_batch(store.store, store.series,
                                          bench_store_values(&store, i++), count, store.now_ns);
        }
        expect_count(bench, &store, count * mf_bench_iterations(bench));
    }
    bench_store_close(bench, &store);
}

static void add_to_counters(struct mf_bench *bench, size_t count)
{
    struct bench_store store;
    mf_bench_set_elements(bench, count);
    if (bench_store_open(bench, &store, MF_COUNTER, count)) {
        struct mf_counter_writer writer = store.writer;
        MF_LOOP(bench)
        {
            for (size_t s = 0; s < count; s++) {
                (void)mf_counter_add(&writer, store.series[s], 1);
            }
        }
    }
    bench_store_close(bench, &store);
}

MF_BENCH(counter, single, .ratio_to = ATOMIC)
{
    add_to_counters(bench, 1);
}

MF_BENCH(counter, count, .params = (const int64_t[]){30}, .param_count = 1, .param_name = "")
{
    add_to_counters(bench, (size_t)mf_bench_param(bench));
}

MF_BENCH(histogram, record, .ratio_to = ATOMIC)
{
    struct bench_store store;
    if (bench_store_open(bench, &store, MF_HISTOGRAM, 1)) {
        record_single(bench, &store);
    }
    bench_store_close(bench, &store);
}

/* ---- each value in a second of its own ---- */

static void record_seconds(struct mf_bench *bench, size_t count)
{
    struct bench_store store;
    mf_bench_set_elements(bench, count);
    if (bench_store_open(bench, &store, MF_GAUGE, count)) {
        uint64_t i = 0;
        MF_LOOP(bench)
        {
            bench_store_tick(&store, BENCH_SECOND_NS);
            bench_store_turn(&store, i++);
        }
    }
    bench_store_close(bench, &store);
}

MF_BENCH(next_second, record, .params = (const int64_t[]){1, 30}, .param_count = 2,
         .param_name = "")
{
    record_seconds(bench, (size_t)mf_bench_param(bench));
}

MF_BENCH(next_second, record_batch, .params = (const int64_t[]){30}, .param_count = 1,
         .param_name = "")
{
    struct bench_store store;
    const size_t count = (size_t)mf_bench_param(bench);
    mf_bench_set_elements(bench, count);
    if (bench_store_open(bench, &store, MF_GAUGE, count)) {
        uint64_t i = 0;
        MF_LOOP(bench)
        {
            store.now_ns += BENCH_SECOND_NS;
            (void)mf_metrics_record_batch(store.store, store.series,
                                          bench_store_values(&store, i++), count, store.now_ns);
        }
    }
    bench_store_close(bench, &store);
}

static void consolidate(struct mf_bench *bench, enum mf_series_type type, bool active)
{
    struct bench_store store;
    if (bench_store_open(bench, &store, type, 30)) {
        uint64_t i = 0;
        MF_LOOP(bench)
        {
            if (active) {
                bench_store_turn(&store, i++);
            }
            bench_store_tick(&store, BENCH_SECOND_NS);
            (void)mf_metrics_consolidate(store.store);
        }
    }
    bench_store_close(bench, &store);
}

MF_BENCH(consolidate, idle_30_series)
{
    consolidate(bench, MF_GAUGE, false);
}

MF_BENCH(consolidate, idle_30_counters)
{
    consolidate(bench, MF_COUNTER, false);
}

MF_BENCH(consolidate, active_30_series)
{
    consolidate(bench, MF_GAUGE, true);
}

/* ---- registering ---- */

static bool register_all(struct mf_bench *bench, struct mf_metrics *store)
{
    struct mf_errinfo err;
    bool ok = true;
    for (unsigned i = 0; i < REGISTER_COUNT && ok; i++) {
        char id[24];
        snprintf(id, sizeof id, "%u", i);
        const struct mf_label labels[] = {{"id", id}, {"job", "bench"}};
        const struct mf_series_spec spec = {
            .type = MF_GAUGE, .name = "metric", .labels = labels, .label_count = 2};
        mf_series series;
        ok = bench_ok(bench, mf_metrics_register(store, &spec, &series, &err), &err, "register");
    }
    return ok;
}

/* The store is made and removed in pauses; its rings, which are not what is measured, are short. */
static bool register_once(struct mf_bench *bench, const struct bench_scratch *scratch)
{
    char path[BENCH_PATH_LEN];
    char file[BENCH_PATH_LEN];
    struct mf_errinfo err;
    struct mf_metrics *store;
    struct mf_metrics_schema schema = mf_metrics_schema_default(REGISTER_COUNT);
    schema.tier_count = 1; /* 9.8 MB instead of 770 */
    schema.tiers[0].slots = 60;
    mf_bench_pause(bench);
    bench_scratch_path(scratch, "store", path);
    bench_scratch_path(scratch, "store/metrics.slab", file);
    bool ok =
        bench_ok(bench, mf_metrics_open(path, &schema, 1, NULL, NULL, &store, &err), &err, "open");
    mf_bench_resume(bench);
    if (!ok) {
        return false;
    }
    ok = register_all(bench, store);
    mf_bench_pause(bench);
    ok = bench_ok(bench, mf_metrics_close(store, &err), &err, "close") && ok;
    ok = bench_ok(bench, unlink(file) == 0 ? 0 : -errno, NULL, file) && ok;
    mf_bench_resume(bench);
    return ok;
}

MF_BENCH(register, 10000_series, .elements = REGISTER_COUNT)
{
    struct bench_scratch scratch;
    if (bench_scratch_begin(bench, &scratch)) {
        MF_LOOP(bench)
        {
            if (!register_once(bench, &scratch)) {
                break;
            }
        }
    }
    bench_scratch_end(&scratch);
}

/* ---- querying ---- */

MF_BENCH(query, open)
{
    struct bench_store store;
    if (bench_store_open(bench, &store, MF_GAUGE, 30)) {
        struct mf_errinfo err;
        MF_LOOP(bench)
        {
            struct mf_metrics_reader *reader;
            if (!bench_ok(bench, mf_metrics_reader_open(store.path, NULL, &reader, &err), &err,
                          "open")) {
                break;
            }
            mf_metrics_reader_close(reader);
        }
    }
    bench_store_close(bench, &store);
}

static size_t points_of(const struct mf_metrics_result *result)
{
    size_t points = 0;
    for (size_t s = 0; s < result->series_count; s++) {
        points += result->series[s].point_count;
    }
    return points;
}

static void query(struct mf_bench *bench, size_t count, int64_t seconds)
{
    struct bench_store store;
    struct mf_metrics_reader *reader = NULL;
    struct mf_errinfo err;
    const size_t wanted = count * (size_t)seconds;
    mf_bench_set_elements(bench, wanted);
    bool ok = bench_store_open(bench, &store, MF_GAUGE, count);
    for (uint64_t i = 0; ok && i < 900; i++) {
        bench_store_tick(&store, BENCH_SECOND_NS);
        bench_store_turn(&store, i);
    }
    ok = ok &&
         bench_ok(bench, mf_metrics_reader_open(store.path, NULL, &reader, &err), &err, "open");
    if (ok) {
        const struct mf_metrics_query all = {
            .start_ns = store.now_ns - (seconds - 1) * BENCH_SECOND_NS,
            .end_ns = store.now_ns + BENCH_SECOND_NS,
        };
        MF_LOOP(bench)
        {
            struct mf_metrics_result *result;
            if (!bench_ok(bench, mf_metrics_query(reader, &all, &result, &err), &err, "query")) {
                break;
            }
            const size_t points = points_of(result);
            mf_metrics_result_free(result);
            if (points != wanted) {
                mf_bench_fail(bench, "an answer has %zu points instead of %zu", points, wanted);
                break;
            }
        }
        mf_metrics_reader_close(reader);
    }
    bench_store_close(bench, &store);
}

MF_BENCH(query, 60_points)
{
    query(bench, 1, 60);
}

MF_BENCH(query, 30_series_x_600_points)
{
    query(bench, 30, 600);
}

/* ---- a reader in another process ---- */

static _Noreturn void query_for_ever(const char *path, _Atomic uint64_t *queries)
{
    struct mf_metrics_reader *reader;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mf_metrics_reader_open(path, NULL, &reader, NULL) < 0) {
        _exit(1);
    }
    for (;;) {
        const struct mf_metrics_query all = {.start_ns = 0, .end_ns = INT64_MAX / 4, .tier = 0};
        struct mf_metrics_result *result;
        if (mf_metrics_query(reader, &all, &result, NULL) == 0) {
            mf_metrics_result_free(result);
        }
        atomic_fetch_add(queries, 1);
    }
}

/* Until the other process queries. */
static bool reader_is_up(struct mf_bench *bench, pid_t child, _Atomic uint64_t *queries)
{
    while (atomic_load(queries) == 0) {
        if (waitpid(child, NULL, WNOHANG) != 0) {
            mf_bench_fail(bench, "the reading process ended early");
            return false;
        }
    }
    return true;
}

MF_BENCH(record, with_reader, .ratio_to = ATOMIC)
{
    struct bench_store store;
    _Atomic uint64_t *queries =
        mmap(NULL, sizeof *queries, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (queries == MAP_FAILED) {
        mf_bench_fail(bench, "mmap: %s", strerror(errno));
        return;
    }
    if (bench_store_open(bench, &store, MF_GAUGE, 1)) {
        const pid_t child = fork();
        if (child == 0) {
            query_for_ever(store.path, queries);
        }
        if (child > 0 && reader_is_up(bench, child, queries)) {
            record_single(bench, &store);
        } else if (child < 0) {
            mf_bench_fail(bench, "fork: %s", strerror(errno));
        }
        if (child > 0) {
            (void)kill(child, SIGKILL);
            (void)waitpid(child, NULL, 0);
        }
    }
    bench_store_close(bench, &store);
    (void)munmap(queries, sizeof *queries);
}

MF_BENCH_MAIN
