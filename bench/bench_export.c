/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_export.c -- what it costs to take points out of a store, per point: visited, as
 * OpenMetrics, CSV and JSON, from the slab and from the sealed archive; and to seal. The store has
 * 30 gauges, one value a second for 600 s: CPU in per cent with two decimals.
 */
#include "harness.h"
#include "old_store.h"

#include "base/rng.h"
#include "os/file.h"

#include <math.h>
#include <mayfly/export.h>
#include <stdio.h>
#include <string.h>

#define SERIES  30
#define SECONDS 600
#define POINTS  (SERIES * SECONDS)

struct subject {
    struct bench *bench;
    const char *path;
    enum mf_export_format format; /* 0: only visited */
    bool sealed;
    struct mf_metrics_reader *reader;
    uint64_t bytes;
    uint64_t points;
};

static void make_store(struct subject *subject)
{
    struct bench_store store;
    struct mf_rng rng;
    struct mf_errinfo err;
    double level[SERIES] = {0};
    mf_rng_seed(&rng, 42);
    bench_store_open(subject->bench, &store, strrchr(subject->path, '/') + 1, MF_GAUGE, SERIES);
    for (int second = 0; second < SECONDS; second++) {
        for (int i = 0; i < SERIES; i++) {
            level[i] = fabs(level[i] + 12 * (mf_rng_double(&rng) - 0.5));
            level[i] = level[i] > 100 ? 200 - level[i] : level[i];
            (void)mf_metrics_record(store.store, store.series[i], round(level[i] * 100) / 100);
        }
        bench_store_tick(&store, BENCH_SECOND_NS);
    }
    bench_store_close(&store);
    if (subject->sealed) {
        bench_check(mf_metrics_seal(subject->path, NULL, NULL, &err), &err, "seal");
    }
}

static void remove_store(struct subject *subject)
{
    char file[512];
    snprintf(file, sizeof file, "%s/%s", subject->path,
             subject->sealed ? "metrics.archive" : "metrics.slab");
    if (mf_fs_unlink(NULL, file, NULL) != 0 || mf_fs_rmdir(NULL, subject->path, NULL) != 0) {
        bench_die("cannot remove %s", file);
    }
}

/* --- taking points out --- */

static void before_read(void *context)
{
    struct subject *subject = context;
    struct mf_errinfo err;
    make_store(subject);
    bench_check(mf_metrics_reader_open(subject->path, NULL, &subject->reader, &err), &err, "open");
}

static void after_read(void *context)
{
    struct subject *subject = context;
    mf_metrics_reader_close(subject->reader);
    remove_store(subject);
}

static int swallow(void *context, const char *bytes, size_t len)
{
    (void)bytes;
    ((struct subject *)context)->bytes += len;
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
    ((struct subject *)context)->points++;
    return 0;
}

static void read_points(void *context, uint64_t count)
{
    struct subject *subject = context;
    const struct mf_metrics_query all = {.end_ns = INT64_MAX};
    const struct mf_metrics_visitor visitor = {on_series, on_point, NULL, subject};
    struct mf_errinfo err;
    for (uint64_t done = 0; done < count; done += POINTS) {
        bench_check(subject->format == 0 ? mf_metrics_visit(subject->reader, &all, &visitor, &err)
                                         : mf_export_range(subject->reader, &all, subject->format,
                                                           swallow, subject, &err),
                    &err, "read");
    }
}

/* --- sealing --- */

static void before_seal(void *context)
{
    make_store(context);
}

static void seal(void *context, uint64_t count)
{
    struct subject *subject = context;
    struct mf_errinfo err;
    (void)count;
    bench_check(mf_metrics_seal(subject->path, NULL, NULL, &err), &err, "seal");
    subject->sealed = true;
}

static void after_seal(void *context)
{
    struct subject *subject = context;
    remove_store(subject);
    subject->sealed = false;
}

static void add_read(struct bench *bench, struct subject *subject, const char *name,
                     enum mf_export_format format, bool sealed)
{
    *subject = (struct subject){
        .bench = bench, .path = bench_scratch(bench, "export"), .format = format, .sealed = sealed};
    bench_add(bench, &(struct bench_case){.name = name,
                                          .run = read_points,
                                          .before = before_read,
                                          .after = after_read,
                                          .context = subject,
                                          .step = POINTS,
                                          .baseline = format == 0 && !sealed});
}

int main(int argc, char **argv)
{
    struct bench *bench =
        bench_begin("export", "What it costs to take a point out of a store, and to seal it.",
                    BENCH_CASES, argc, argv);
    if (bench_replicate(bench)) {
        return bench_finish(bench);
    }
    static struct subject subjects[8];
    add_read(bench, &subjects[0], "visit/slab", (enum mf_export_format)0, false);
    add_read(bench, &subjects[1], "visit/archive", (enum mf_export_format)0, true);
    add_read(bench, &subjects[2], "openmetrics/slab", MF_EXPORT_OPENMETRICS, false);
    add_read(bench, &subjects[3], "openmetrics/archive", MF_EXPORT_OPENMETRICS, true);
    add_read(bench, &subjects[4], "csv/slab", MF_EXPORT_CSV, false);
    add_read(bench, &subjects[5], "json/slab", MF_EXPORT_JSON, false);
    subjects[6] = (struct subject){.bench = bench, .path = bench_scratch(bench, "export")};
    bench_add(bench, &(struct bench_case){.name = "seal",
                                          .run = seal,
                                          .before = before_seal,
                                          .after = after_seal,
                                          .context = &subjects[6],
                                          .step = POINTS,
                                          .count_max = POINTS});
    bench_run(bench);
    return bench_finish(bench);
}
