/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_scale.c -- the metrics store with more and more series, and with more and more threads.
 *
 *   scale::register/n:N          N series registered in an empty store
 *   scale::record_batch/n:N      a value of each of N series, in one batch, each in a new second
 *   scale::query_one/n:N         the points of one series among N, by its label
 *   scale::open/n:N              a reader of a store with N series opened and closed
 *   concurrent::counter/threads:N    one counter, added to by N threads, each with a shard
 *   concurrent::atomic/threads:N     the same as one atomic word
 *
 * N is 100 to 100,000, and 1 to 8 threads. The rings have one tier of 60 slots, so that 100,000
 * series are 98 MB.
 */
#include "bench_scratch.h"

#include "base/heap.h"

#include <errno.h>
#include <mayfly/metrics.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define START_NS  (INT64_C(1700000000) * SECOND_NS)
#define SLOTS     60

static const int64_t sizes[] = {100, 1000, 10000, 100000};
#define OVER_SIZES .params = sizes, .param_count = 4

struct subject {
    struct bench_scratch scratch;
    char path[BENCH_PATH_LEN];
    char file[BENCH_PATH_LEN];
    struct mf_metrics *store;
    size_t count;
    mf_series *series;
    double *values;
    int64_t now_ns;
};

static bool open_store(struct mf_bench *bench, struct subject *subject)
{
    struct mf_errinfo err;
    struct mf_metrics_schema schema = mf_metrics_schema_default((uint32_t)subject->count);
    schema.tier_count = 1;
    schema.tiers[0].slots = SLOTS;
    return bench_ok(bench,
                    mf_metrics_open(subject->path, &schema, 1, NULL, NULL, &subject->store, &err),
                    &err, "open");
}

static bool close_store(struct mf_bench *bench, struct subject *subject)
{
    struct mf_errinfo err;
    const int rc = subject->store != NULL ? mf_metrics_close(subject->store, &err) : 0;
    subject->store = NULL;
    return bench_ok(bench, rc, &err, "close");
}

static bool register_all(struct mf_bench *bench, struct subject *subject)
{
    struct mf_errinfo err;
    bool ok = true;
    for (size_t i = 0; i < subject->count && ok; i++) {
        char id[24];
        snprintf(id, sizeof id, "%zu", i);
        const struct mf_label labels[] = {{"id", id}, {"job", "bench"}};
        const struct mf_series_spec spec = {
            .type = MF_GAUGE, .name = "metric", .labels = labels, .label_count = 2};
        ok = bench_ok(bench, mf_metrics_register(subject->store, &spec, &subject->series[i], &err),
                      &err, "register");
    }
    return ok;
}

/* An open store without series. To be ended in either case. */
static bool begin(struct mf_bench *bench, struct subject *subject)
{
    *subject = (struct subject){.count = (size_t)mf_bench_param(bench), .now_ns = START_NS};
    subject->series = mf_calloc(subject->count, sizeof *subject->series);
    subject->values = mf_calloc(subject->count, sizeof *subject->values);
    if (subject->series == NULL || subject->values == NULL) {
        return bench_ok(bench, -ENOMEM, NULL, "store");
    }
    for (size_t i = 0; i < subject->count; i++) {
        subject->values[i] = (double)(i * 37 % 1009);
    }
    if (!bench_scratch_begin(bench, &subject->scratch)) {
        return false;
    }
    bench_scratch_path(&subject->scratch, "store", subject->path);
    bench_scratch_path(&subject->scratch, "store/metrics.slab", subject->file);
    return open_store(bench, subject);
}

static void end(struct mf_bench *bench, struct subject *subject)
{
    (void)close_store(bench, subject);
    bench_scratch_end(&subject->scratch);
    mf_free(subject->series);
    mf_free(subject->values);
}

static bool record_second(struct mf_bench *bench, struct subject *subject)
{
    subject->now_ns += SECOND_NS;
    return bench_ok(bench,
                    mf_metrics_record_batch(subject->store, subject->series, subject->values,
                                            subject->count, subject->now_ns),
                    NULL, "record");
}

/* ---- more and more series ---- */

MF_BENCH(scale, register, OVER_SIZES)
{
    struct subject subject;
    bool ok = begin(bench, &subject);
    mf_bench_set_elements(bench, (uint64_t)mf_bench_param(bench));
    if (ok) {
        MF_LOOP(bench)
        {
            ok = register_all(bench, &subject);
            mf_bench_pause(bench); /* an empty store again */
            ok = ok && close_store(bench, &subject) &&
                 bench_ok(bench, unlink(subject.file) == 0 ? 0 : -errno, NULL, subject.file) &&
                 open_store(bench, &subject);
            mf_bench_resume(bench);
            if (!ok) {
                break;
            }
        }
    }
    end(bench, &subject);
}

MF_BENCH(scale, record_batch, OVER_SIZES)
{
    struct subject subject;
    mf_bench_set_elements(bench, (uint64_t)mf_bench_param(bench));
    if (begin(bench, &subject) && register_all(bench, &subject)) {
        MF_LOOP(bench)
        {
            if (!record_second(bench, &subject)) {
                break;
            }
        }
    }
    end(bench, &subject);
}

MF_BENCH(scale, query_one, OVER_SIZES, .elements = SLOTS)
{
    struct subject subject;
    struct mf_metrics_reader *reader;
    struct mf_errinfo err;
    bool ok = begin(bench, &subject) && register_all(bench, &subject);
    for (int second = 0; second < 2 * SLOTS && ok; second++) {
        ok = record_second(bench, &subject);
    }
    if (ok && bench_ok(bench, mf_metrics_reader_open(subject.path, NULL, &reader, &err), &err,
                       "reader")) {
        char selector[64];
        snprintf(selector, sizeof selector, "metric{id=\"%zu\"}", subject.count / 2);
        const struct mf_metrics_query query = {
            .selector = selector,
            .start_ns = subject.now_ns - (SLOTS - 1) * SECOND_NS,
            .end_ns = subject.now_ns + SECOND_NS,
        };
        MF_LOOP(bench)
        {
            struct mf_metrics_result *result;
            if (!bench_ok(bench, mf_metrics_query(reader, &query, &result, &err), &err, "query")) {
                break;
            }
            ok = result->series_count == 1 && result->series[0].point_count == SLOTS;
            mf_metrics_result_free(result);
            if (!ok) {
                mf_bench_fail(bench, "the answer to %s is not one series of %d points", selector,
                              SLOTS);
                break;
            }
        }
        mf_metrics_reader_close(reader);
    }
    end(bench, &subject);
}

MF_BENCH(scale, open, OVER_SIZES)
{
    struct subject subject;
    struct mf_errinfo err;
    if (begin(bench, &subject) && register_all(bench, &subject) && record_second(bench, &subject)) {
        MF_LOOP(bench)
        {
            struct mf_metrics_reader *reader;
            if (!bench_ok(bench, mf_metrics_reader_open(subject.path, NULL, &reader, &err), &err,
                          "reader")) {
                break;
            }
            mf_metrics_reader_close(reader);
        }
    }
    end(bench, &subject);
}

/* ---- more and more threads ---- */

static const int thread_counts[] = {1, 2, 4, 8};
#define OVER_THREADS .threads = thread_counts, .thread_count = 4

static struct {
    pthread_mutex_t lock;
    int users;
    bool ok;
    struct bench_scratch scratch;
    struct mf_metrics *store;
    mf_series series;
} common = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool open_common(struct mf_bench *bench)
{
    char path[BENCH_PATH_LEN];
    struct mf_errinfo err;
    struct mf_metrics_schema schema = mf_metrics_schema_default(1);
    const struct mf_series_spec spec = {.type = MF_COUNTER, .name = "metric_total"};
    struct mf_metrics_options options = MF_METRICS_OPTIONS_INIT;
    options.writers_max = 256;
    return bench_scratch_begin(bench, &common.scratch) &&
           bench_ok(bench,
                    mf_metrics_open(bench_scratch_path(&common.scratch, "store", path), &schema, 1,
                                    &options, NULL, &common.store, &err),
                    &err, "open") &&
           bench_ok(bench, mf_metrics_register(common.store, &spec, &common.series, &err), &err,
                    "register");
}

/* The first thread opens the store, the last one closes it. */
static bool common_begin(struct mf_bench *bench)
{
    pthread_mutex_lock(&common.lock);
    if (common.users++ == 0) {
        common.ok = open_common(bench);
    }
    const bool ok = common.ok;
    pthread_mutex_unlock(&common.lock);
    return ok;
}

static void common_end(struct mf_bench *bench)
{
    struct mf_errinfo err;
    pthread_mutex_lock(&common.lock);
    if (--common.users == 0) {
        if (common.store != NULL) {
            (void)bench_ok(bench, mf_metrics_close(common.store, &err), &err, "close");
            common.store = NULL;
        }
        bench_scratch_end(&common.scratch);
    }
    pthread_mutex_unlock(&common.lock);
}

MF_BENCH(concurrent, counter, OVER_THREADS)
{
    struct mf_counter_writer writer;
    struct mf_errinfo err;
    if (common_begin(bench) &&
        bench_ok(bench, mf_counter_writer_begin(common.store, &writer, &err), &err, "writer")) {
        MF_LOOP(bench)
        {
            (void)mf_counter_add(&writer, common.series, 1);
            mf_clobber();
        }
        mf_counter_writer_end(&writer);
    }
    common_end(bench);
}

MF_BENCH(concurrent, atomic, OVER_THREADS)
{
    static _Atomic uint64_t word __attribute__((aligned(64)));
    MF_LOOP(bench)
    {
        atomic_fetch_add_explicit(&word, 1, memory_order_relaxed);
    }
}

MF_BENCH_MAIN
