/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_record.c -- microbenchmarks of the metrics store: recording, the clock, registering,
 * querying.
 *
 * Groups, one operation each unless said otherwise:
 *   record/atomic_increment       the baseline: one lock-prefixed addition to one word
 *   record/single_series          a value of one gauge at the ticked clock, within one second
 *   record/series_count/N         the same, N gauges in turn
 *   record/30_series_throughput   30 gauges in turn 1,000 times a second: the clock goes on by 1 ms
 * with every 30 values, so closing each second is in it record/with_reader record/single_series
 * while another process queries that series record_at/single_series       with the caller's time,
 * within one second record_batch/series_count/N   one value of a batch of N next_second/... the
 * same calls, but each value is the only one of its second: every call closes a slot, packs it and
 * merges it upwards counter/...                   mf_counter_add(): one counter; 30 in turn
 *   histogram/record              an observation of one histogram, within one second
 *   consolidate/...               tick and consolidate, each a second later: of 30 idle gauges; of
 * 30 idle counters; of 30 gauges with one value each (recording it included) register/10000_series
 * all 10,000 registrations in an empty store (the store is made before) query/... open a reader and
 * close it; 60 points of one series; 30 series x 600 points
 */
#include "harness.h"
#include "bench_store.h"

#include <stdatomic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define REGISTER_COUNT 10000

static void run_atomic(void *context, uint64_t count)
{
    _Atomic uint64_t *word = context;
    for (uint64_t i = 0; i < count; i++) {
        atomic_fetch_add_explicit(word, 1, memory_order_relaxed);
    }
}

/* ---- within one second ---- */

static void next_second(void *context)
{
    bench_store_tick(context, BENCH_SECOND_NS);
}

static void run_single(void *context, uint64_t count)
{
    const struct bench_store *store = context;
    struct mf_metrics *metrics = store->store;
    const mf_series series = store->series[0];
    for (uint64_t i = 0; i < count; i++) {
        (void)mf_metrics_record(metrics, series, store->values[i % BENCH_VALUES]);
    }
}

/* One value of each gauge; `i` counts all values so far. */
static inline void record_turn(const struct bench_store *store, size_t series_count, uint64_t i)
{
    struct mf_metrics *metrics = store->store;
    const double *values = &store->values[i % (BENCH_VALUES / 2)];
    for (size_t s = 0; s < series_count; s++) {
        (void)mf_metrics_record(metrics, store->series[s], values[s]);
    }
}

static void run_turns(void *context, uint64_t count)
{
    const struct bench_store *store = context;
    const size_t series_count = store->count;
    for (uint64_t i = 0; i < count; i += series_count) {
        record_turn(store, series_count, i);
    }
}

static void run_throughput(void *context, uint64_t count)
{
    struct bench_store *store = context;
    const size_t series_count = store->count;
    for (uint64_t i = 0; i < count; i += series_count) {
        bench_store_tick(store, BENCH_SECOND_NS / 1000);
        record_turn(store, series_count, i);
    }
}

static void run_record_at(void *context, uint64_t count)
{
    const struct bench_store *store = context;
    struct mf_metrics *metrics = store->store;
    const mf_series series = store->series[0];
    const int64_t now_ns = store->now_ns;
    for (uint64_t i = 0; i < count; i++) {
        (void)mf_metrics_record_at(metrics, series, store->values[i % BENCH_VALUES], now_ns);
    }
}

static void run_batch(void *context, uint64_t count)
{
    const struct bench_store *store = context;
    const size_t series_count = store->count;
    for (uint64_t i = 0; i < count; i += series_count) {
        (void)mf_metrics_record_batch(store->store, store->series,
                                      &store->values[i % (BENCH_VALUES / 2)], series_count,
                                      store->now_ns);
    }
}

static void run_counters(void *context, uint64_t count)
{
    struct bench_store *store = context;
    struct mf_counter_writer writer = store->writer;
    const size_t series_count = store->count;
    for (uint64_t i = 0; i < count; i += series_count) {
        for (size_t s = 0; s < series_count; s++) {
            (void)mf_counter_add(&writer, store->series[s], 1);
        }
    }
}

/* ---- each value in a second of its own ---- */

static void run_turns_seconds(void *context, uint64_t count)
{
    struct bench_store *store = context;
    const size_t series_count = store->count;
    for (uint64_t i = 0; i < count; i += series_count) {
        bench_store_tick(store, BENCH_SECOND_NS);
        record_turn(store, series_count, i);
    }
}

static void run_batch_seconds(void *context, uint64_t count)
{
    struct bench_store *store = context;
    const size_t series_count = store->count;
    for (uint64_t i = 0; i < count; i += series_count) {
        store->now_ns += BENCH_SECOND_NS;
        (void)mf_metrics_record_batch(store->store, store->series,
                                      &store->values[i % (BENCH_VALUES / 2)], series_count,
                                      store->now_ns);
    }
}

static void run_consolidate(void *context, uint64_t count)
{
    struct bench_store *store = context;
    for (uint64_t i = 0; i < count; i++) {
        bench_store_tick(store, BENCH_SECOND_NS);
        (void)mf_metrics_consolidate(store->store);
    }
}

static void run_record_consolidate(void *context, uint64_t count)
{
    struct bench_store *store = context;
    for (uint64_t i = 0; i < count; i++) {
        record_turn(store, store->count, i);
        bench_store_tick(store, BENCH_SECOND_NS);
        (void)mf_metrics_consolidate(store->store);
    }
}

/* ---- registering ---- */

struct registering {
    const char *path;
    struct mf_metrics *store;
};

static void registering_open(void *context)
{
    struct registering *registering = context;
    struct mf_errinfo err;
    struct mf_metrics_schema schema = mf_metrics_schema_default(REGISTER_COUNT);
    schema.tier_count = 1; /* the rings are not what is measured: 9.8 MB instead of 770 */
    schema.tiers[0].slots = 60;
    bench_check(
        mf_metrics_open(registering->path, &schema, 1, NULL, NULL, &registering->store, &err), &err,
        registering->path);
}

static void registering_close(void *context)
{
    struct registering *registering = context;
    struct mf_errinfo err;
    bench_check(mf_metrics_close(registering->store, &err), &err, registering->path);
    bench_store_remove(registering->path);
}

static void run_register(void *context, uint64_t count)
{
    struct registering *registering = context;
    struct mf_errinfo err;
    for (uint64_t done = 0; done < count; done++) { /* count is 1 */
        for (unsigned i = 0; i < REGISTER_COUNT; i++) {
            char id[24];
            snprintf(id, sizeof id, "%u", i);
            const struct mf_label labels[] = {{"id", id}, {"job", "bench"}};
            const struct mf_series_spec spec = {
                .type = MF_GAUGE, .name = "metric", .labels = labels, .label_count = 2};
            mf_series series;
            bench_check(mf_metrics_register(registering->store, &spec, &series, &err), &err,
                        registering->path);
        }
    }
}

/* ---- querying ---- */

struct querying {
    struct bench_store store;
    struct mf_metrics_reader *reader;
    struct mf_metrics_query query;
    size_t points; /* that the answer must have */
};

static void querying_open(struct bench *bench, struct querying *querying, const char *name,
                          size_t count)
{
    struct mf_errinfo err;
    bench_store_open(bench, &querying->store, name, MF_GAUGE, count);
    run_turns_seconds(&querying->store, 900 * count);
    bench_check(mf_metrics_reader_open(querying->store.path, NULL, &querying->reader, &err), &err,
                querying->store.path);
}

static void querying_close(struct querying *querying)
{
    mf_metrics_reader_close(querying->reader);
    bench_store_close(&querying->store);
}

static void ask(struct querying *querying, const char *selector, int64_t seconds)
{
    querying->query = (struct mf_metrics_query){
        .selector = selector,
        .start_ns = querying->store.now_ns - (seconds - 1) * BENCH_SECOND_NS,
        .end_ns = querying->store.now_ns + BENCH_SECOND_NS,
        .tier = 0,
    };
}

static void run_open(void *context, uint64_t count)
{
    struct bench_store *store = context;
    for (uint64_t i = 0; i < count; i++) {
        struct mf_metrics_reader *reader;
        struct mf_errinfo err;
        bench_check(mf_metrics_reader_open(store->path, NULL, &reader, &err), &err, store->path);
        mf_metrics_reader_close(reader);
    }
}

static void run_query(void *context, uint64_t count)
{
    struct querying *querying = context;
    for (uint64_t i = 0; i < count; i++) {
        struct mf_metrics_result *result;
        struct mf_errinfo err;
        bench_check(mf_metrics_query(querying->reader, &querying->query, &result, &err), &err,
                    querying->store.path);
        size_t points = 0;
        for (size_t s = 0; s < result->series_count; s++) {
            points += result->series[s].point_count;
        }
        if (points != querying->points) {
            bench_die("a query answered %zu points instead of %zu", points, querying->points);
        }
        mf_metrics_result_free(result);
    }
}

/* ---- a reader in another process ---- */

struct watching {
    struct bench_store store;
    pid_t child;
    int wake; /* a byte: query until `go` is 0 again */
    struct watching_shared {
        _Atomic int go;
        _Atomic uint64_t queries;
    } * shared;
    uint64_t operations;
    int64_t ns;
};

static _Noreturn void watch(struct watching *watching, int wake)
{
    struct mf_errinfo err;
    struct mf_metrics_reader *reader;
    bench_check(mf_metrics_reader_open(watching->store.path, NULL, &reader, &err), &err, "reader");
    char byte;
    while (read(wake, &byte, 1) == 1) {
        while (atomic_load(&watching->shared->go) != 0) {
            const struct mf_metrics_query query = {
                .selector = "metric", .start_ns = 0, .end_ns = INT64_MAX / 4, .tier = 0};
            struct mf_metrics_result *result;
            if (mf_metrics_query(reader, &query, &result, NULL) == 0) {
                mf_metrics_result_free(result);
            }
            atomic_fetch_add(&watching->shared->queries, 1);
        }
    }
    _exit(0);
}

static void watching_open(struct bench *bench, struct watching *watching)
{
    bench_store_open(bench, &watching->store, "watched", MF_GAUGE, 1);
    int ends[2];
    watching->shared = mmap(NULL, sizeof *watching->shared, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (watching->shared == MAP_FAILED || pipe(ends) != 0) {
        bench_die("cannot prepare the reading process");
    }
    watching->child = fork();
    if (watching->child < 0) {
        bench_die("cannot start the reading process");
    }
    if (watching->child == 0) {
        close(ends[1]);
        watch(watching, ends[0]);
    }
    close(ends[0]);
    watching->wake = ends[1];
}

static void watching_start(void *context)
{
    struct watching *watching = context;
    bench_store_tick(&watching->store, BENCH_SECOND_NS);
    const uint64_t before = atomic_load(&watching->shared->queries);
    atomic_store(&watching->shared->go, 1);
    if (write(watching->wake, "", 1) != 1) {
        bench_die("the reading process is gone");
    }
    while (atomic_load(&watching->shared->queries) == before) {
        if (waitpid(watching->child, NULL, WNOHANG) != 0) {
            bench_die("the reading process ended early");
        }
    }
}

static void watching_stop(void *context)
{
    struct watching *watching = context;
    atomic_store(&watching->shared->go, 0);
}

static void run_watched(void *context, uint64_t count)
{
    struct watching *watching = context;
    run_single(&watching->store, count);
}

static void watching_close(struct watching *watching)
{
    close(watching->wake);
    (void)waitpid(watching->child, NULL, 0);
    (void)munmap(watching->shared, sizeof *watching->shared);
    bench_store_close(&watching->store);
}

/* ---- the suite ---- */

/* A case on a store of its own. */
struct store_case {
    const char *name;
    enum mf_series_type type;
    size_t count;
    void (*run)(void *context, uint64_t count);
    void (*before)(void *context);
    bool whole; /* one operation is all series, not one */
};

static const struct store_case store_cases[] = {
    {"record/single_series", MF_GAUGE, 1, run_single, next_second, false},
    {"record/series_count/1", MF_GAUGE, 1, run_turns, next_second, false},
    {"record/series_count/10", MF_GAUGE, 10, run_turns, next_second, false},
    {"record/series_count/30", MF_GAUGE, 30, run_turns, next_second, false},
    {"record/series_count/100", MF_GAUGE, 100, run_turns, next_second, false},
    {"record/30_series_throughput", MF_GAUGE, 30, run_throughput, NULL, false},
    {"record_at/single_series", MF_GAUGE, 1, run_record_at, next_second, false},
    {"record_batch/series_count/1", MF_GAUGE, 1, run_batch, next_second, false},
    {"record_batch/series_count/10", MF_GAUGE, 10, run_batch, next_second, false},
    {"record_batch/series_count/30", MF_GAUGE, 30, run_batch, next_second, false},
    {"record_batch/series_count/100", MF_GAUGE, 100, run_batch, next_second, false},
    {"next_second/record/1", MF_GAUGE, 1, run_turns_seconds, NULL, false},
    {"next_second/record/30", MF_GAUGE, 30, run_turns_seconds, NULL, false},
    {"next_second/record_batch/30", MF_GAUGE, 30, run_batch_seconds, NULL, false},
    {"counter/single", MF_COUNTER, 1, run_counters, next_second, false},
    {"counter/count/30", MF_COUNTER, 30, run_counters, next_second, false},
    {"histogram/record", MF_HISTOGRAM, 1, run_single, next_second, false},
    {"consolidate/idle_30_series", MF_GAUGE, 30, run_consolidate, NULL, true},
    {"consolidate/idle_30_counters", MF_COUNTER, 30, run_consolidate, NULL, true},
    {"consolidate/active_30_series", MF_GAUGE, 30, run_record_consolidate, NULL, true},
};
#define STORE_CASES (sizeof store_cases / sizeof store_cases[0])

static void add_store_cases(struct bench *bench, struct bench_store *stores)
{
    for (size_t i = 0; i < STORE_CASES; i++) {
        const struct store_case *it = &store_cases[i];
        if (!bench_wants(bench, it->name)) {
            continue;
        }
        char directory[24];
        snprintf(directory, sizeof directory, "%zu", i);
        bench_store_open(bench, &stores[i], directory, it->type, it->count);
        bench_add(bench, &(struct bench_case){.name = it->name,
                                              .run = it->run,
                                              .before = it->before,
                                              .context = &stores[i],
                                              .step = it->whole ? 1 : it->count,
                                              .without_ratio = it->whole});
    }
}

int main(int argc, char **argv)
{
    struct bench *bench = bench_begin("record", "The metrics store: recording, clock, queries.",
                                      BENCH_CASES, argc, argv);
    if (bench_replicate(bench)) {
        return bench_finish(bench);
    }
    static struct bench_store stores[STORE_CASES];
    static struct watching watching;
    static struct querying one;
    static struct querying thirty;
    static _Atomic uint64_t word __attribute__((aligned(64)));
    struct registering registering = {.path = bench_scratch(bench, "registering")};

    bench_add(bench, &(struct bench_case){.name = "record/atomic_increment",
                                          .run = run_atomic,
                                          .context = &word,
                                          .baseline = true});
    add_store_cases(bench, stores);
    const char *watched = "record/with_reader";
    if (bench_wants(bench, watched)) {
        watching_open(bench, &watching);
        bench_add(bench, &(struct bench_case){.name = watched,
                                              .run = run_watched,
                                              .before = watching_start,
                                              .after = watching_stop,
                                              .context = &watching});
    }
    bench_add(bench, &(struct bench_case){.name = "register/10000_series",
                                          .run = run_register,
                                          .before = registering_open,
                                          .after = registering_close,
                                          .context = &registering,
                                          .count_max = 1,
                                          .without_ratio = true});
    const bool queries =

        bench_wants(bench, "query/open") || bench_wants(bench, "query/60_points") ||
        bench_wants(bench, "query/30_series_x_600_points");
    if (queries) {
        querying_open(bench, &one, "one", 1);
        querying_open(bench, &thirty, "thirty", 30);
        ask(&one, "metric", one.points = 60);
        ask(&thirty, "", 600);
        thirty.points = 30 * 600;
        bench_add(bench, &(struct bench_case){.name = "query/open",
                                              .run = run_open,
                                              .context = &thirty.store,
                                              .without_ratio = true});
        bench_add(bench, &(struct bench_case){.name = "query/60_points",
                                              .run = run_query,
                                              .context = &one,
                                              .without_ratio = true});
        bench_add(bench, &(struct bench_case){.name = "query/30_series_x_600_points",
                                              .run = run_query,
                                              .context = &thirty,
                                              .without_ratio = true});
    }
    bench_run(bench);
    for (size_t i = 0; i < STORE_CASES; i++) {
        if (stores[i].store != NULL) {
            bench_store_close(&stores[i]);
        }
    }
    if (watching.child > 0) {
        watching_close(&watching);
    }
    if (queries) {
        querying_close(&one);
        querying_close(&thirty);
    }
    return bench_finish(bench);
}
