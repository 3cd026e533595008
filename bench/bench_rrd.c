/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_rrd.c -- librrd beside the metrics store, with the schema of the documents: 30 gauges;
 * 1 s x 600, 10 s x 2160, 300 s x 2016.
 *
 * Files: librrd keeps one function (average) or four (average, min, max, last); a store keeps
 * count, sum, min, max, first and last. Updates: 30 values of the next second, each closing 30
 * slots. librrd opens, locks and closes its file with each update, as its programs do; a store
 * stays open.
 */
#include "old_store.h"
#include "harness.h"

#include <errno.h>
#include <rrd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SERIES    30
#define FUNCTIONS 4
#define TIERS     3

static void create(const char *path, bool every_function)
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
        bench_die("rrd_create_r: %s", rrd_get_error());
    }
}

struct updating {
    const char *path;
    int64_t second;
    double values[BENCH_VALUES];
};

static void update(struct updating *updating)
{
    char text[32 + SERIES * 32];
    const double *values = &updating->values[updating->second % (BENCH_VALUES / 2)];
    int len = snprintf(text, sizeof text, "%lld", (long long)++updating->second);
    for (int i = 0; i < SERIES; i++) {
        len += snprintf(text + len, sizeof text - (size_t)len, ":%.6f", values[i]);
    }
    const char *arguments[] = {text};
    if (rrd_update_r(updating->path, NULL, 1, arguments) != 0) {
        bench_die("rrd_update_r: %s", rrd_get_error());
    }
}

static void run_rrd(void *context, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        update(context);
    }
}

static void run_store(void *context, uint64_t count)
{
    struct bench_store *store = context;
    for (uint64_t i = 0; i < count; i++) {
        store->now_ns += BENCH_SECOND_NS;
        (void)mf_metrics_record_batch(store->store, store->series,
                                      &store->values[i % (BENCH_VALUES / 2)], SERIES,
                                      store->now_ns);
    }
}

struct files {
    uint64_t rrd;
    uint64_t rrd_every_function;
    uint64_t store;
};

static uint64_t size_of(const char *path, const char *name)
{
    char file[512];
    struct stat info;
    snprintf(file, sizeof file, "%s%s", path, name);
    if (stat(file, &info) != 0) {
        bench_die("%s: %s", file, strerror(errno));
    }
    return (uint64_t)info.st_size;
}

static void report_files(struct bench *bench, const struct files *files)
{
    if (bench_options(bench)->json) {
        struct mf_json *json = bench_json(bench);
        mf_json_key(json, "file_bytes");
        mf_json_begin_object(json);
        mf_json_key_uint(json, "store", files->store);
        mf_json_key_uint(json, "rrd_average", files->rrd);
        mf_json_key_uint(json, "rrd_average_min_max_last", files->rrd_every_function);
        mf_json_end_object(json);
    } else {
        printf("file of librrd, average               %9llu bytes\n"
               "file of librrd, average min max last  %9llu bytes\n"
               "store                                 %9llu bytes\n\n",
               (unsigned long long)files->rrd, (unsigned long long)files->rrd_every_function,
               (unsigned long long)files->store);
    }
}

int main(int argc, char **argv)
{
    struct bench *bench = bench_begin(
        "rrd", "librrd beside the metrics store, with the same tiers.", BENCH_CASES, argc, argv);
    static struct bench_store store;
    static struct updating updating;
    const char *every_function = bench_scratch(bench, "every_function.rrd");
    updating.path = bench_scratch(bench, "average.rrd");
    updating.second = BENCH_START_NS / BENCH_SECOND_NS;
    create(updating.path, false);
    create(every_function, true);
    bench_store_open(bench, &store, "store", MF_GAUGE, SERIES);
    memcpy(updating.values, store.values, sizeof updating.values);
    const struct files files = {.rrd = size_of(updating.path, ""),
                                .rrd_every_function = size_of(every_function, ""),
                                .store = size_of(store.path, "/metrics.slab")};
    if (!bench_replicate(bench)) {
        bench_add(bench, &(struct bench_case){.name = "rrd/update_30_values",
                                              .run = run_rrd,
                                              .context = &updating,
                                              .baseline = true});
        bench_add(bench, &(struct bench_case){
                             .name = "store/batch_30_values", .run = run_store, .context = &store});
        bench_run(bench);
    }
    bench_store_close(&store);
    if (bench_options(bench)->once == 0) {
        report_files(bench, &files);
    }
    return bench_finish(bench);
}
