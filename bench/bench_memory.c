/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_memory.c -- what a store takes on disk and in memory.
 *
 *   bench_memory             prints the size of a store with the schema of the documents (30
 * series; 1 s x 600, 10 s x 2160, 300 s x 2016), and what the kernel says of processes of this
 * program in four states: without a store; with an open one; after ten minutes of one value per
 * second and series; after all rings went round once (seven days of it). The difference to the
 * first is what the library costs bench_memory state NAME  is one of those processes
 */
#include "old_store.h"
#include "harness.h"

#include "base/fail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERIES         30
#define SECONDS_TIER_0 600
#define SECONDS_ALL    (300 * 2016)

struct resident {
    uint64_t total_kib;
    uint64_t file_kib;      /* of mapped files: the program itself, and the store */
    uint64_t anonymous_kib; /* heap and stack */
};

struct state {
    const char *name;
    const char *text;
    bool open;
    uint64_t seconds; /* recorded */
};

static const struct state states[] = {
    {"without", "without a store", false, 0},
    {"open", "a store opened, 30 series registered", true, 0},
    {"ten_minutes", "ten minutes recorded", true, SECONDS_TIER_0},
    {"seven_days", "seven days recorded, every slot used", true, SECONDS_ALL},
};
#define STATES (sizeof states / sizeof states[0])

static uint64_t status_kib(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at != NULL ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static struct resident resident_now(void)
{
    char text[8192];
    FILE *file = fopen("/proc/self/status", "re");
    const size_t len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    text[len] = '\0';
    return (struct resident){.total_kib = status_kib(text, "\nVmRSS:"),
                             .file_kib = status_kib(text, "\nRssFile:"),
                             .anonymous_kib = status_kib(text, "\nRssAnon:")};
}

static void record_seconds(struct bench_store *store, uint64_t seconds)
{
    for (uint64_t i = 0; i < seconds; i++) {
        store->now_ns += BENCH_SECOND_NS;
        bench_check(mf_metrics_record_batch(store->store, store->series,
                                            &store->values[i % (BENCH_VALUES / 2)], store->count,
                                            store->now_ns),
                    NULL, store->path);
    }
}

/* In a process of its own: gets into the state and says what it takes. */
static int be_in_state(const char *name, char **argv)
{
    static struct bench_store store;
    size_t i = 0;
    while (i < STATES && strcmp(states[i].name, name) != 0) {
        i++;
    }
    if (i == STATES) {
        bench_die("there is no state %s", name);
    }
    struct bench *bench = bench_begin("memory", "", BENCH_PLAIN, 1, argv);
    if (states[i].open) {
        bench_store_open(bench, &store, "store", MF_GAUGE, SERIES);
        record_seconds(&store, states[i].seconds);
    }
    const struct resident resident = resident_now();
    printf("%llu %llu %llu\n", (unsigned long long)resident.total_kib,
           (unsigned long long)resident.file_kib, (unsigned long long)resident.anonymous_kib);
    if (states[i].open) {
        bench_store_close(&store);
    }
    return bench_end(bench);
}

static struct resident resident_in(const struct state *state)
{
    int ends[2];
    if (pipe(ends) != 0) {
        bench_die("pipe: %s", strerror(errno));
    }
    const pid_t child = fork();
    if (child < 0) {
        bench_die("fork: %s", strerror(errno));
    }
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "bench_memory", "state", state->name, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    char text[128];
    FILE *output = fdopen(ends[0], "r");
    const bool got = output != NULL && fgets(text, sizeof text, output) != NULL;
    if (output != NULL) {
        fclose(output);
    }
    int status;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0 ||
        !got) {
        bench_die("the process %s failed", state->text);
    }
    struct resident resident;
    char *at = text;
    resident.total_kib = strtoull(at, &at, 10);
    resident.file_kib = strtoull(at, &at, 10);
    resident.anonymous_kib = strtoull(at, &at, 10);
    return resident;
}

struct on_disk {
    const char *name;
    const char *text;
    uint32_t histograms; /* of the 30 series */
    uint64_t bytes;
    uint64_t allocated;
};

static void look_at_store(struct bench *bench, struct on_disk *store_file)
{
    const char *path = bench_scratch(bench, store_file->name);
    struct mf_errinfo err;
    struct mf_metrics *store;
    struct mf_metrics_schema schema = mf_metrics_schema_default(SERIES);
    schema.histograms_max = store_file->histograms;
    bench_check(mf_metrics_open(path, &schema, 1, NULL, NULL, &store, &err), &err, path);
    bench_check(mf_metrics_close(store, &err), &err, path);
    char file[512];
    struct stat info;
    snprintf(file, sizeof file, "%s/metrics.slab", path);
    if (stat(file, &info) != 0) {
        bench_die("%s: %s", file, strerror(errno));
    }
    store_file->bytes = (uint64_t)info.st_size;
    store_file->allocated = (uint64_t)info.st_blocks * 512;
}

static void print_findings(const struct on_disk *files, size_t file_count,
                           const struct resident *resident)
{
    printf("%-58s %12s %12s\n", "disk: 30 series; 1 s x 600, 10 s x 2160, 300 s x 2016", "bytes",
           "allocated");
    for (size_t i = 0; i < file_count; i++) {
        printf("  %-56s %12llu %12llu\n", files[i].text, (unsigned long long)files[i].bytes,
               (unsigned long long)files[i].allocated);
    }
    printf("\n%-58s %12s %12s %12s %12s\n", "memory: resident KiB of a process", "all", "files",
           "anonymous", "difference");
    for (size_t i = 0; i < STATES; i++) {
        printf("  %-56s %12llu %12llu %12llu %+12lld\n", states[i].text,
               (unsigned long long)resident[i].total_kib, (unsigned long long)resident[i].file_kib,
               (unsigned long long)resident[i].anonymous_kib,
               (long long)(resident[i].total_kib - resident[0].total_kib));
    }
    printf("\nThe store's pages are pages of its file: the kernel can write them back and drop "
           "them.\n");
}

static void json_findings(struct bench *bench, const struct on_disk *files, size_t file_count,
                          const struct resident *resident)
{
    struct mf_json *json = bench_json(bench);
    mf_json_key(json, "file_bytes");
    mf_json_begin_object(json);
    for (size_t i = 0; i < file_count; i++) {
        mf_json_key_uint(json, files[i].name, files[i].bytes);
    }
    mf_json_end_object(json);
    mf_json_key(json, "resident_kib");
    mf_json_begin_object(json);
    for (size_t i = 0; i < STATES; i++) {
        mf_json_key_uint(json, states[i].name, resident[i].total_kib);
    }
    mf_json_end_object(json);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "state") == 0) {
        return be_in_state(argv[2], argv);
    }
    struct bench *bench =
        bench_begin("memory", "What a store takes on disk and in memory.", BENCH_PLAIN, argc, argv);
    struct on_disk files[] = {
        {.name = "store", .text = "30 gauges or counters; all aggregates of every slot"},
        {.name = "store_4_histograms", .text = "26 and 4 histograms of 1 KiB", .histograms = 4},
    };
    struct resident resident[STATES];
    for (size_t i = 0; i < MF_ARRAY_LEN(files); i++) {
        look_at_store(bench, &files[i]);
    }
    for (size_t i = 0; i < STATES; i++) {
        resident[i] = resident_in(&states[i]);
    }
    if (bench_options(bench)->json) {
        json_findings(bench, files, MF_ARRAY_LEN(files), resident);
    } else {
        print_findings(files, MF_ARRAY_LEN(files), resident);
    }
    return bench_finish(bench);
}
