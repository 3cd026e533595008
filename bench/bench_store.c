/* SPDX-License-Identifier: Apache-2.0
 * bench_store.c -- see bench_store.h. */
#include "bench_store.h"

#include "base/heap.h"
#include "base/rng.h"

#include <errno.h>
#include <stdio.h>

static bool register_series(struct mf_bench *bench, struct bench_store *store,
                            enum mf_series_type type)
{
    struct mf_errinfo err;
    for (size_t i = 0; i < store->count; i++) {
        char id[24];
        snprintf(id, sizeof id, "%zu", i);
        const struct mf_label label = {"id", id};
        const struct mf_series_spec spec = {.type = type,
                                            .name = type == MF_COUNTER ? "metric_total" : "metric",
                                            .labels = &label,
                                            .label_count = 1};
        if (!bench_ok(bench, mf_metrics_register(store->store, &spec, &store->series[i], &err),
                      &err, "register")) {
            return false;
        }
    }
    return type != MF_COUNTER ||
           bench_ok(bench, mf_counter_writer_begin(store->store, &store->writer, &err), &err,
                    "counters");
}

bool bench_store_open(struct mf_bench *bench, struct bench_store *store, enum mf_series_type type,
                      size_t count)
{
    struct mf_errinfo err;
    struct mf_metrics_schema schema = mf_metrics_schema_default((uint32_t)count);
    schema.histograms_max = type == MF_HISTOGRAM ? (uint32_t)count : 0;
    *store = (struct bench_store){.count = count, .now_ns = BENCH_START_NS};
    store->series = mf_calloc(count, sizeof *store->series);
    store->values = mf_calloc(BENCH_VALUES + count, sizeof *store->values);
    if (store->series == NULL || store->values == NULL) {
        return bench_ok(bench, -ENOMEM, NULL, "store");
    }
    struct mf_rng rng;
    mf_rng_seed(&rng, mf_bench_seed(bench));
    for (size_t i = 0; i < BENCH_VALUES + count; i++) {
        store->values[i] = mf_rng_double(&rng) * 1000;
    }
    if (!bench_scratch_begin(bench, &store->scratch)) {
        return false;
    }
    bench_scratch_path(&store->scratch, "store", store->path);
    if (!bench_ok(bench, mf_metrics_open(store->path, &schema, 1, NULL, NULL, &store->store, &err),
                  &err, "open") ||
        !register_series(bench, store, type)) {
        return false;
    }
    bench_store_tick(store, 0);
    return true;
}

void bench_store_close(struct mf_bench *bench, struct bench_store *store)
{
    struct mf_errinfo err;
    if (store->writer.store != NULL) {
        mf_counter_writer_end(&store->writer);
    }
    if (store->store != NULL) {
        (void)bench_ok(bench, mf_metrics_close(store->store, &err), &err, "close");
    }
    bench_scratch_end(&store->scratch);
    mf_free(store->series);
    mf_free(store->values);
}
