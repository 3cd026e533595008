/* SPDX-License-Identifier: Apache-2.0
 * harness_report.c -- the machine, and what is printed at the end. */
#include "harness_internal.h"

#include "base/fail.h"
#include "base/heap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#define LOAD_SECONDS_MIN 1.0 /* the kernel's counters go in steps of 10 ms */

/* --- the machine */

static double cpu_seconds(int who)
{
    struct rusage usage;
    if (getrusage(who, &usage) != 0) {
        return 0;
    }
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct machine_load bench__load_now(void)
{
    struct machine_load load = {.at_ns = bench_now_ns()};
    FILE *file = fopen("/proc/stat", "re");
    char line[512];
    if (file != NULL && fgets(line, sizeof line, file) != NULL) {
        /* cpu user nice system idle iowait irq softirq steal */
        char *at = line + strcspn(line, " ");
        double ticks[8] = {0};
        for (size_t i = 0; i < MF_ARRAY_LEN(ticks); i++) {
            ticks[i] = strtod(at, &at);
        }
        const double per_second = (double)sysconf(_SC_CLK_TCK);
        load.busy_s = (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / per_second;
        load.stolen_s = ticks[7] / per_second;
    }
    if (file != NULL) {
        fclose(file);
    }
    load.own_s = cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN);
    if (getloadavg(&load.average, 1) != 1) {
        load.average = NAN;
    }
    return load;
}

/* CPUs that others used during the run, on average; NAN when it was too short to tell. */
static double others_cpus(const struct machine_load *from, const struct machine_load *to)
{
    const double seconds = (double)(to->at_ns - from->at_ns) / 1e9;
    const double others = (to->busy_s - from->busy_s) - (to->own_s - from->own_s);
    if (seconds < LOAD_SECONDS_MIN) {
        return NAN;
    }
    return others > 0 ? others / seconds : 0;
}

static void processor_name(char *out, size_t len)
{
    snprintf(out, len, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[512];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL) {
            char *name = strchr(line, ':') + 1;
            name += strspn(name, " ");
            name[strcspn(name, "\n")] = '\0';
            snprintf(out, len, "%s", name);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void print_machine(const struct bench *bench)
{
    const struct machine_load after = bench__load_now();
    const double others = others_cpus(&bench->before, &after);
    char processor[128];
    processor_name(processor, sizeof processor);
    printf("machine: %ld x %s; load %.2f before, %.2f after", sysconf(_SC_NPROCESSORS_ONLN),
           processor, bench->before.average, after.average);
    if (!isnan(others)) {
        printf("; others used %.2f CPUs, %.2f s stolen", others,
               after.stolen_s - bench->before.stolen_s);
    }
    putchar('\n');
}

static void json_machine(struct bench *bench)
{
    const struct machine_load after = bench__load_now();
    char processor[128];
    processor_name(processor, sizeof processor);
    struct utsname name = {.release = "unknown"};
    (void)uname(&name);
    struct mf_json *json = &bench->json;
    mf_json_key(json, "machine");
    mf_json_begin_object(json);
    mf_json_key_string(json, "processor", processor);
    mf_json_key_int(json, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
    mf_json_key_string(json, "kernel", name.release);
    mf_json_key_string(json, "compiler", __VERSION__);
    mf_json_key_double(json, "load_before", bench->before.average);
    mf_json_key_double(json, "load_after", after.average);
    mf_json_key_double(json, "others_cpus", others_cpus(&bench->before, &after));
    mf_json_key_double(json, "stolen_seconds", after.stolen_s - bench->before.stolen_s);
    mf_json_end_object(json);
}

/* --- reports */

struct mf_json *bench_json(struct bench *bench)
{
    if (!bench->json_begun) {
        bench->json_begun = true;
        mf_json_init(&bench->json, &bench->json_text, MF_JSON_PRETTY);
        mf_json_begin_object(&bench->json);
        mf_json_key_string(&bench->json, "schema", "mayfly-bench/1");
        mf_json_key_string(&bench->json, "suite", bench->suite);
        json_machine(bench);
    }
    return &bench->json;
}

/* What the samples of a case say. */
struct figures {
    struct bench_summary time;
    struct bench_summary ratio;   /* NANs when there is none */
    struct bench_summary medians; /* of the processes */
};

static struct figures figures_of(const struct bench *bench, const struct measured *measured)
{
    const size_t count = measured->sample_count;
    double *copy = mf_calloc(count, sizeof *copy);
    double medians[PROCESSES_MAX];
    if (copy == NULL) {
        bench_die("out of memory");
    }
    struct figures figures = {.ratio = {NAN, NAN, NAN, NAN}};
    memcpy(copy, measured->samples, count * sizeof *copy);
    figures.time = bench_summarize(copy, count);
    if (bench->baseline < CASES_MAX && !measured->item.without_ratio) {
        const struct measured *baseline = &bench->cases[bench->baseline];
        for (size_t i = 0; i < count; i++) {
            copy[i] = measured->samples[i] / baseline->samples[i];
        }
        figures.ratio = bench_summarize(copy, count);
    }
    mf_free(copy);
    memcpy(medians, measured->process_medians, sizeof medians);
    figures.medians = bench_summarize(medians, bench->processes);
    figures.medians.p90 = medians[bench->processes - 1]; /* the slowest of a few */
    return figures;
}

static void json_summary(struct mf_json *json, const char *key, const struct bench_summary *summary)
{
    mf_json_key(json, key);
    mf_json_begin_object(json);
    mf_json_key_double(json, "min", summary->min);
    mf_json_key_double(json, "p10", summary->p10);
    mf_json_key_double(json, "median", summary->median);
    mf_json_key_double(json, "p90", summary->p90);
    mf_json_key_double(json, "spread_percent", bench_spread_percent(summary));
    mf_json_end_object(json);
}

static void json_case(struct bench *bench, const struct measured *measured)
{
    struct mf_json *json = &bench->json;
    const struct figures figures = figures_of(bench, measured);
    mf_json_begin_object(json);
    mf_json_key_string(json, "name", measured->item.name);
    mf_json_key_uint(json, "operations_per_sample", measured->count);
    mf_json_key_uint(json, "preempted_samples", measured->preempted);
    json_summary(json, "ns_per_operation", &figures.time);
    if (!isnan(figures.ratio.median)) {
        json_summary(json, "ratio_to_baseline", &figures.ratio);
    }
    mf_json_key(json, "process_medians_ns");
    mf_json_begin_array(json);
    for (size_t i = 0; i < bench->processes; i++) {
        mf_json_double(json, measured->process_medians[i]);
    }
    mf_json_end_array(json);
    mf_json_key(json, "samples_ns");
    mf_json_begin_array(json);
    for (size_t i = 0; i < measured->sample_count; i++) {
        mf_json_double(json, measured->samples[i]);
    }
    mf_json_end_array(json);
    mf_json_end_object(json);
}

static void json_cases(struct bench *bench)
{
    struct mf_json *json = bench_json(bench);
    mf_json_key_uint(json, "processes", bench->processes);
    if (bench->baseline < CASES_MAX) {
        mf_json_key_string(json, "baseline", bench->cases[bench->baseline].item.name);
    }
    mf_json_key(json, "benchmarks");
    mf_json_begin_array(json);
    for (size_t i = 0; i < bench->case_count; i++) {
        json_case(bench, &bench->cases[i]);
    }
    mf_json_end_array(json);
}

static void print_case(const struct bench *bench, const struct measured *measured)
{
    const struct figures figures = figures_of(bench, measured);
    char text[5][32];
    char spread[16];
    snprintf(spread, sizeof spread, "%.0f %%", bench_spread_percent(&figures.time));
    printf("%-32s %9s %9s %9s %7s %9s .. %-9s", measured->item.name,
           bench_format_ns(text[0], figures.time.min),
           bench_format_ns(text[1], figures.time.median),
           bench_format_ns(text[2], figures.time.p90), spread,
           bench_format_ns(text[3], figures.medians.min),
           bench_format_ns(text[4], figures.medians.p90));
    if (!isnan(figures.ratio.median)) {
        printf(" %.3f (%.3f..%.3f)", figures.ratio.median, figures.ratio.p10, figures.ratio.p90);
    }
    putchar('\n');
}

static void print_cases(const struct bench *bench)
{
    const bool ratios = bench->baseline < CASES_MAX;
    printf("%-32s %9s %9s %9s %7s %22s %s\n", bench->suite, "min", "median", "p90", "spread",
           "medians of processes", ratios ? " ratio (p10..p90)" : "");
    for (size_t i = 0; i < bench->case_count; i++) {
        print_case(bench, &bench->cases[i]);
    }
    printf("\nTimes are per operation: %zu samples of each case, interleaved, from %zu processes.\n"
           "spread: (p90 - p10) / median.",
           bench->cases[0].sample_count, bench->processes);
    if (ratios) {
        printf(" ratio: to %s, of samples of one\nround; noise/same_again is that case once more.",
               bench->cases[bench->baseline].item.name);
    }
    putchar('\n');
}

void bench__report(struct bench *bench)
{
    const bool measured = bench->case_count > 0 && bench->processes > 0;
    if (!bench->options.json) {
        if (measured) {
            print_cases(bench);
        }
        print_machine(bench);
        return;
    }
    if (measured) {
        json_cases(bench);
    }
    struct mf_json *json = bench_json(bench);
    mf_json_end_object(json);
    mf_json_finish(json);
    if (bench->json_text.failed) {
        bench_die("out of memory for the report");
    }
    fwrite(bench->json_text.data, 1, bench->json_text.len, stdout);
}
