/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_export.c -- what it costs to take points out of a store: visited, as OpenMetrics, CSV and
 * JSON, from the slab and from the sealed archive; and to seal. The store has 30 gauges, one value
 * a second for 600 s: CPU in per cent with two decimals. An iteration is all 18,000 points.
 */
#include "bench_store.h"

#include "base/rng.h"
#include "os/file.h"

#include <math.h>
#include <mayfly/export.h>
#include <string.h>

#define SERIES  30
#define SECONDS 600
#define POINTS  (SERIES * SECONDS)

/* A closed store at store->path; its files are removed by bench_store_close(). */
static bool make_store(struct mf_bench *bench, struct bench_store *store)
{
    struct mf_rng rng;
    struct mf_errinfo err;
    double level[SERIES] = {0};
    mf_rng_seed(&rng, mf_bench_seed(bench));
    if (!bench_store_open(bench, store, MF_GAUGE, SERIES)) {
        return false;
    }
    for (int second = 0; second < SECONDS; second++) {
        for (int i = 0; i < SERIES; i++) {
            level[i] = fabs(level[i] + 12 * (mf_rng_double(&rng) - 0.5));
            level[i] = level[i] > 100 ? 200 - level[i] : level[i];
            (void)mf_metrics_record(store->store, store->series[i], round(level[i] * 100) / 100);
        }
        bench_store_tick(store, second + 1 < SECONDS ? BENCH_SECOND_NS : 0);
    }
    const int rc = mf_metrics_close(store->store, &err);
    store->store = NULL;
    return bench_ok(bench, rc, &err, "close");
}

/* ---- taking points out ---- */

struct counted {
    uint64_t bytes, points;
};

static int swallow(void *context, const char *bytes, size_t len)
{
    (void)bytes;
    ((struct counted *)context)->bytes += len;
    return 0;
}

static int on_series(void *context, const struct mf_series_result *series, int64_t *start_ns)
{
    (void)context, (void)series, (void)start_ns;
    return 0;
}

static int on_point(void *context, const struct mf_point *point, int64_t interval_ns,
                    const struct mf_histogram *buckets)
{
    (void)point, (void)interval_ns, (void)buckets;
    ((struct counted *)context)->points++;
    return 0;
}

static void take_out(struct mf_bench *bench, struct mf_metrics_reader *reader,
                     enum mf_export_format format)
{
    const struct mf_metrics_query all = {.end_ns = INT64_MAX};
    struct counted counted = {0};
    const struct mf_metrics_visitor visitor = {on_series, on_point, NULL, &counted};
    struct mf_errinfo err;
    MF_LOOP(bench)
    {
        counted = (struct counted){0};
        const int rc = format == 0 ? mf_metrics_visit(reader, &all, &visitor, &err)
                                   : mf_export_range(reader, &all, format, swallow, &counted, &err);
        if (!bench_ok(bench, rc, &err, "read")) {
            break;
        }
    }
    mf_bench_set_bytes(bench, counted.bytes);
    if (format == 0 ? counted.points != POINTS : counted.bytes < 5 * POINTS) {
        mf_bench_fail(bench, "%llu points and %llu bytes came out",
                      (unsigned long long)counted.points, (unsigned long long)counted.bytes);
    }
}

static void take_out_of(struct mf_bench *bench, enum mf_export_format format, bool sealed)
{
    struct bench_store store;
    struct mf_metrics_reader *reader;
    struct mf_errinfo err;
    if (make_store(bench, &store) &&
        (!sealed || bench_ok(bench, mf_metrics_seal(store.path, NULL, NULL, &err), &err, "seal")) &&
        bench_ok(bench, mf_metrics_reader_open(store.path, NULL, &reader, &err), &err, "open")) {
        take_out(bench, reader, format);
        mf_metrics_reader_close(reader);
    }
    bench_store_close(bench, &store);
}

MF_BENCH(export, visit_slab, .elements = POINTS)
{
    take_out_of(bench, (enum mf_export_format)0, false);
}

MF_BENCH(export, visit_archive, .elements = POINTS, .ratio_to = "export::visit_slab")
{
    take_out_of(bench, (enum mf_export_format)0, true);
}

MF_BENCH(export, openmetrics_slab, .elements = POINTS, .ratio_to = "export::visit_slab")
{
    take_out_of(bench, MF_EXPORT_OPENMETRICS, false);
}

MF_BENCH(export, openmetrics_archive, .elements = POINTS, .ratio_to = "export::visit_slab")
{
    take_out_of(bench, MF_EXPORT_OPENMETRICS, true);
}

MF_BENCH(export, csv_slab, .elements = POINTS, .ratio_to = "export::visit_slab")
{
    take_out_of(bench, MF_EXPORT_CSV, false);
}

MF_BENCH(export, json_slab, .elements = POINTS, .ratio_to = "export::visit_slab")
{
    take_out_of(bench, MF_EXPORT_JSON, false);
}

/* ---- sealing ---- */

/* The store is made in a pause, as sealing uses it up. */
static bool seal_once(struct mf_bench *bench)
{
    struct bench_store store;
    struct mf_errinfo err;
    mf_bench_pause(bench);
    bool ok = make_store(bench, &store);
    mf_bench_resume(bench);
    ok = ok && bench_ok(bench, mf_metrics_seal(store.path, NULL, NULL, &err), &err, "seal");
    mf_bench_pause(bench);
    bench_store_close(bench, &store);
    mf_bench_resume(bench);
    return ok;
}

MF_BENCH(export, seal, .elements = POINTS)
{
    MF_LOOP(bench)
    {
        if (!seal_once(bench)) {
            break;
        }
    }
}

MF_BENCH_MAIN
