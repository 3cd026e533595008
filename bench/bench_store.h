/* SPDX-License-Identifier: Apache-2.0
 * bench_store.h -- a metrics store to measure with, and its series. */
#ifndef BENCH_STORE_H
#define BENCH_STORE_H

#include "bench_scratch.h"

#include <mayfly/metrics.h>
#include <stddef.h>

#define BENCH_VALUES    1024 /* a power of two */
#define BENCH_SECOND_NS INT64_C(1000000000)
#define BENCH_START_NS  (INT64_C(1700000000) * BENCH_SECOND_NS)

struct bench_store {
    struct bench_scratch scratch;
    char path[BENCH_PATH_LEN];
    struct mf_metrics *store;
    size_t count;
    mf_series *series;
    double *values; /* BENCH_VALUES, and `count` more, so that a turn can begin anywhere */
    int64_t now_ns; /* the store's clock */
    struct mf_counter_writer writer; /* of counters */
};

/* Makes a store with the schema of the documents (1 s x 600, 10 s x 2160, 300 s x 2016) for `count`
 * series of one type, registers them, and ticks it. False after mf_bench_fail(). To be closed in
 * either case. */
bool bench_store_open(struct mf_bench *bench, struct bench_store *store, enum mf_series_type type,
                      size_t count);
/* Closes the store and removes its files. */
void bench_store_close(struct mf_bench *bench, struct bench_store *store);

/* Lets the clock go on by that much. */
static inline void bench_store_tick(struct bench_store *store, int64_t by_ns)
{
    store->now_ns += by_ns;
    (void)mf_metrics_tick(store->store, store->now_ns);
}

/* The values of one turn over all series; `i` counts turns or values. */
static inline const double *bench_store_values(const struct bench_store *store, uint64_t i)
{
    return &store->values[i % BENCH_VALUES];
}

/* One value of each gauge. */
static inline void bench_store_turn(const struct bench_store *store, uint64_t i)
{
    const double *values = bench_store_values(store, i);
    for (size_t s = 0; s < store->count; s++) {
        (void)mf_metrics_record(store->store, store->series[s], values[s]);
    }
}

#endif
