/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_rrd.c -- librrd beside the metrics store, with the schema of the documents: 30 gauges;
 * 1 s x 600, 10 s x 2160, 300 s x 2016. An iteration is 30 values of the next second, closing 30
 * slots.
 *
 *   rrd::update/average         rrd_update_r() on a file of one function
 *   rrd::update/every_function  of four (average, min, max, last)
 *   rrd::store                  a batch in a store, which keeps count, sum, min, max, first and
 * last
 *
 * librrd opens, locks and closes its file with each update, as its programs do; a store stays open.
 * "file_bytes" is the size of the file.
 */
#include "bench_store.h"

#include <errno.h>
#include <rrd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SERIES    30
#define FUNCTIONS 4
#define TIERS     3

static bool create(struct mf_bench *bench, const char *path, bool every_function)
{
    static const char *const functions[FUNCTIONS] = {"AVERAGE", "MIN", "MAX", "LAST"};
    static const unsigned steps[TIERS] = {1, 10, 300};
    static const unsigned rows[TIERS] = {600, 2160, 2016};
    char text[SERIES + FUNCTIONS * TIERS][64];
    const char *arguments[SERIES + FUNCTIONS * TIERS];
    int count = 0;
    for (int i = 0; i < SERIES; i++, count++) {
        snprintf(text[count], sizeof text[count], "DS:metric_%d:GAUGE:2:U:U", i);
    }
    for (int f = 0; f < (every_function ? FUNCTIONS : 1); f++) {
        for (int t = 0; t < TIERS; t++, count++) {
            snprintf(text[count], sizeof text[count], "RRA:%s:0.5:%u:%u", functions[f], steps[t],
                     rows[t]);
        }
    }
    for (int i = 0; i < count; i++) {
        arguments[i] = text[i];
    }
    if (rrd_create_r(path, 1, (time_t)(BENCH_START_NS / BENCH_SECOND_NS), count, arguments) != 0) {
        mf_bench_fail(bench, "rrd_create_r: %s", rrd_get_error());
        return false;
    }
    return true;
}

static void report_size(struct mf_bench *bench, const char *path, const char *name)
{
    char file[BENCH_PATH_LEN + 32];
    struct stat info;
    snprintf(file, sizeof file, "%s%s", path, name);
    if (bench_ok(bench, stat(file, &info) == 0 ? 0 : -errno, NULL, file)) {
        mf_bench_report(bench, "file_bytes", (double)info.st_size);
    }
}

static bool update(struct mf_bench *bench, const char *path, int64_t second)
{
    char text[32 + SERIES * 32];
    int len = snprintf(text, sizeof text, "%lld", (long long)second);
    for (int i = 0; i < SERIES; i++) {
        len += snprintf(text + len, sizeof text - (size_t)len, ":%.6f",
                        (double)(second * 37 % 1009) + i / 7.0);
    }
    const char *arguments[] = {text};
    if (rrd_update_r(path, NULL, 1, arguments) != 0) {
        mf_bench_fail(bench, "rrd_update_r: %s", rrd_get_error());
        return false;
    }
    return true;
}

static void update_all(struct mf_bench *bench, bool every_function)
{
    struct bench_scratch scratch;
    char path[BENCH_PATH_LEN];
    if (!bench_scratch_begin(bench, &scratch)) {
        return;
    }
    bench_scratch_path(&scratch, "values.rrd", path);
    if (create(bench, path, every_function)) {
        int64_t second = BENCH_START_NS / BENCH_SECOND_NS;
        MF_LOOP(bench)
        {
            if (!update(bench, path, ++second)) {
                break;
            }
        }
        report_size(bench, path, "");
    }
    bench_scratch_end(&scratch);
}

MF_BENCH(rrd, average, .group = "update", .elements = SERIES)
{
    update_all(bench, false);
}

MF_BENCH(rrd, every_function, .group = "update", .elements = SERIES)
{
    update_all(bench, true);
}

MF_BENCH(rrd, store, .elements = SERIES, .ratio_to = "rrd::update/average")
{
    struct bench_store store;
    if (bench_store_open(bench, &store, MF_GAUGE, SERIES)) {
        uint64_t i = 0;
        MF_LOOP(bench)
        {
            store.now_ns += BENCH_SECOND_NS;
            (void)mf_metrics_record_batch(store.store, store.series,
                                          bench_store_values(&store, i++), SERIES, store.now_ns);
        }
        report_size(bench, store.path, "/metrics.slab");
    }
    bench_store_close(bench, &store);
}

MF_BENCH_MAIN
