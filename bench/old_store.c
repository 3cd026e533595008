/* SPDX-License-Identifier: Apache-2.0
 * bench_store.c -- a metrics store to measure with: see old_store.h. */
#include "old_store.h"

#include "base/rng.h"

#include <stdio.h>
#include <unistd.h>

#define VALUES_SEED 42

void bench_store_open(struct bench *bench, struct bench_store *store, const char *name,
                      enum mf_series_type type, size_t count)
{
    struct mf_errinfo err;
    struct mf_metrics_schema schema = mf_metrics_schema_default((uint32_t)count);
    schema.histograms_max = type == MF_HISTOGRAM ? (uint32_t)count : 0;
    *store = (struct bench_store){.path = bench_scratch(bench, name), .count = count};
    bench_check(mf_metrics_open(store->path, &schema, 1, NULL, NULL, &store->store, &err), &err,
                store->path);
    for (size_t i = 0; i < count; i++) {
        char id[24];
        snprintf(id, sizeof id, "%zu", i);
        const struct mf_label label = {"id", id};
        const struct mf_series_spec spec = {.type = type,
                                            .name = type == MF_COUNTER ? "metric_total" : "metric",
                                            .labels = &label,
                                            .label_count = 1};
        bench_check(mf_metrics_register(store->store, &spec, &store->series[i], &err), &err,
                    store->path);
    }
    if (type == MF_COUNTER) {
        bench_check(mf_counter_writer_begin(store->store, &store->writer, &err), &err, store->path);
    }
    struct mf_rng rng;
    mf_rng_seed(&rng, VALUES_SEED);
    for (size_t i = 0; i < BENCH_VALUES; i++) {
        store->values[i] = mf_rng_double(&rng) * 1000;
    }
    store->now_ns = BENCH_START_NS;
    bench_store_tick(store, 0);
}

void bench_store_close(struct bench_store *store)
{
    struct mf_errinfo err;
    if (store->writer.store != NULL) {
        mf_counter_writer_end(&store->writer);
    }
    bench_check(mf_metrics_close(store->store, &err), &err, store->path);
}

void bench_store_remove(const char *path)
{
    char file[512];
    const int len = snprintf(file, sizeof file, "%s/metrics.slab", path);
    if (len < 0 || (size_t)len >= sizeof file || unlink(file) != 0 || rmdir(path) != 0) {
        bench_die("cannot remove the store %s", path);
    }
}
