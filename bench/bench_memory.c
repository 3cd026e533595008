/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_memory.c -- what a store takes on disk and in memory, and that it does not grow.
 *
 * Each is a process that gets into a state and then, as its iterations, records 30 values of the
 * next second (or does nothing). The schema is that of the documents: 30 series; 1 s x 600,
 * 10 s x 2160, 300 s x 2016.
 *
 *   memory::without            no store: what the others are to be compared with
 *   memory::open               a store opened, 30 series registered
 *   memory::open_4_histograms  26 gauges, and room for 4 histograms of 1 KiB
 *   memory::ten_minutes        ten minutes recorded
 *   memory::seven_days         seven days recorded, every slot used
 *
 * Before the first iteration: "resident_bytes" of the process, of these "anonymous_bytes" (heap and
 * stack), "file_bytes" of the store on disk. The laboratory adds allocations, the growth of the
 * live heap and of resident memory per iteration.
 */
#include "bench_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SERIES         30
#define SECONDS_TIER_0 600
#define SECONDS_ALL    (300 * 2016)

static double status_bytes(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at != NULL ? 1024 * (double)strtoull(at + strlen(key), NULL, 10) : 0;
}

static void report_resident(struct mf_bench *bench)
{
    char text[8192];
    FILE *file = fopen("/proc/self/status", "re");
    const size_t len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    text[len] = '\0';
    mf_bench_report(bench, "resident_bytes", status_bytes(text, "\nVmRSS:"));
    mf_bench_report(bench, "anonymous_bytes", status_bytes(text, "\nRssAnon:"));
}

static void report_file(struct mf_bench *bench, const char *directory)
{
    char file[BENCH_PATH_LEN + 32];
    struct stat info;
    snprintf(file, sizeof file, "%s/metrics.slab", directory);
    if (bench_ok(bench, stat(file, &info) == 0 ? 0 : -errno, NULL, file)) {
        mf_bench_report(bench, "file_bytes", (double)info.st_size);
        mf_bench_report(bench, "file_allocated_bytes", (double)info.st_blocks * 512);
    }
}

static void record_second(struct bench_store *store, uint64_t i)
{
    store->now_ns += BENCH_SECOND_NS;
    (void)mf_metrics_record_batch(store->store, store->series, bench_store_values(store, i),
                                  store->count, store->now_ns);
}

static void record_on(struct mf_bench *bench, uint64_t seconds)
{
    struct bench_store store;
    if (bench_store_open(bench, &store, MF_GAUGE, SERIES)) {
        uint64_t i = 0;
        while (i < seconds) {
            record_second(&store, i++);
        }
        report_resident(bench);
        report_file(bench, store.path);
        MF_LOOP(bench)
        {
            record_second(&store, i++);
        }
    }
    bench_store_close(bench, &store);
}

MF_BENCH(memory, without)
{
    uint64_t n = 0;
    report_resident(bench);
    MF_LOOP(bench)
    {
        mf_keep(n++);
    }
}

MF_BENCH(memory, open, .elements = SERIES)
{
    record_on(bench, 0);
}

MF_BENCH(memory, ten_minutes, .elements = SERIES)
{
    record_on(bench, SECONDS_TIER_0);
}

MF_BENCH(memory, seven_days, .elements = SERIES)
{
    record_on(bench, SECONDS_ALL);
}

MF_BENCH(memory, open_4_histograms)
{
    struct bench_scratch scratch;
    char path[BENCH_PATH_LEN];
    struct mf_errinfo err;
    struct mf_metrics *store;
    struct mf_metrics_schema schema = mf_metrics_schema_default(SERIES);
    schema.histograms_max = 4;
    if (bench_scratch_begin(bench, &scratch)) {
        bench_scratch_path(&scratch, "store", path);
        if (bench_ok(bench, mf_metrics_open(path, &schema, 1, NULL, NULL, &store, &err), &err,
                     "open")) {
            int64_t now_ns = BENCH_START_NS;
            report_resident(bench);
            report_file(bench, path);
            MF_LOOP(bench)
            {
                (void)mf_metrics_tick(store, now_ns += BENCH_SECOND_NS);
            }
            (void)bench_ok(bench, mf_metrics_close(store, &err), &err, "close");
        }
    }
    bench_scratch_end(&scratch);
}

MF_BENCH_MAIN
