/* SPDX-License-Identifier: Apache-2.0
 * bench_store.h -- a metrics store to measure with, and its series. */
#ifndef BENCH_STORE_H
#define BENCH_STORE_H

#include "harness.h"

#include <mayfly/metrics.h>

#define BENCH_SERIES_MAX 100
#define BENCH_VALUES     1024 /* a power of two */
#define BENCH_SECOND_NS  INT64_C(1000000000)
#define BENCH_START_NS   (INT64_C(1700000000) * BENCH_SECOND_NS)

struct bench_store {
    struct mf_metrics *store;
    const char *path;
    size_t count;
    mf_series series[BENCH_SERIES_MAX];
    double values[BENCH_VALUES];
    int64_t now_ns;                  /* the store's clock */
    struct mf_counter_writer writer; /* of counters */
};

/* Makes a store with the schema of the documents (1 s x 600, 10 s x 2160, 300 s x 2016) for `count`
 * series of one type, registers them, and ticks it. `name` is the directory in the scratch
 * directory. */
void bench_store_open(struct bench *bench, struct bench_store *store, const char *name,
                      enum mf_series_type type, size_t count);
void bench_store_close(struct bench_store *store);
/* Removes the files of a closed store. */
void bench_store_remove(const char *path);

/* Lets the clock go on by that much. */
static inline void bench_store_tick(struct bench_store *store, int64_t by_ns)
{
    store->now_ns += by_ns;
    (void)mf_metrics_tick(store->store, store->now_ns);
}

#endif
