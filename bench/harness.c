/* SPDX-License-Identifier: Apache-2.0
 * harness.c -- options, interleaved repetitions, noise, reports: see harness.h. */
#include "harness.h"

#include "base/fail.h"
#include "base/heap.h"
#include "base/rng.h"
#include "fmt/number.h"

#include <ftw.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define CASES_MAX       64
#define SCRATCH_MAX     64
#define ROUNDS_DEFAULT  101
#define ROUNDS_QUICK    15
#define SAMPLE_NS       2000000 /* short, so that many samples lie between two disturbances */
#define SAMPLE_NS_QUICK 500000
#define WARM_UP_SAMPLES 3
#define ORDER_SEED      42

/* How busy the machine was, from the kernel's counters since boot. */
struct machine_load {
    int64_t at_ns;
    double busy_s;   /* all CPUs, everybody */
    double stolen_s; /* what the hypervisor gave to others */
    double own_s;    /* this process */
    double average;  /* over the last minute */
};

struct measured {
    struct bench_case item;
    uint64_t count;     /* operations of one sample */
    double *samples;    /* ns per operation, one per round */
    double *ratios;     /* to the baseline of the same round */
    uint64_t preempted; /* samples during which the thread lost its CPU */
    struct bench_summary time;
    struct bench_summary ratio;
};

struct bench {
    const char *suite;
    const char *summary;
    struct bench_options options;
    struct measured cases[CASES_MAX];
    size_t case_count;
    size_t baseline; /* CASES_MAX: none */
    struct machine_load before;
    struct mf_buffer json_text;
    struct mf_json json;
    bool json_begun;
    char *paths[SCRATCH_MAX];
    size_t path_count;
};

static char scratch_directory[256]; /* for the exit paths */
static pid_t scratch_owner;

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static void remove_scratch(void)
{
    if (scratch_directory[0] != '\0' && scratch_owner == getpid()) {
        (void)nftw(scratch_directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        scratch_directory[0] = '\0';
    }
}

void bench_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    remove_scratch();
    exit(1);
}

void bench_check(int rc, const struct mf_errinfo *err, const char *what)
{
    if (rc < 0) {
        bench_die("%s: %s", what, err != NULL && err->msg[0] != '\0' ? err->msg : mf_strerror(rc));
    }
}

int64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const char *bench_scratch(struct bench *bench, const char *name)
{
    if (scratch_directory[0] == '\0') {
        const char *parent = getenv("TMPDIR");
        int len = snprintf(scratch_directory, sizeof scratch_directory, "%s/mayfly-bench-XXXXXX",
                           parent != NULL && parent[0] != '\0' ? parent : "/tmp");
        if (len < 0 || (size_t)len >= sizeof scratch_directory ||
            mkdtemp(scratch_directory) == NULL) {
            scratch_directory[0] = '\0';
            bench_die("cannot make a directory below %s", parent != NULL ? parent : "/tmp");
        }
        scratch_owner = getpid();
    }
    char *path = mf_asprintf("%s/%s", scratch_directory, name);
    if (path == NULL || bench->path_count == SCRATCH_MAX) {
        bench_die("no room for the path of %s", name);
    }
    bench->paths[bench->path_count++] = path;
    return path;
}

const char *bench_format_ns(char out[32], double ns)
{
    const struct {
        double limit;
        double divisor;
        const char *unit;
    } scales[] = {{1e3, 1, "ns"}, {1e6, 1e3, "us"}, {1e9, 1e6, "ms"}, {INFINITY, 1e9, "s"}};
    size_t i = 0;
    while (ns >= scales[i].limit) {
        i++;
    }
    const double value = ns / scales[i].divisor;
    snprintf(out, 32, "%.*f %s", value < 10 ? 2 : 1, value, scales[i].unit);
    return out;
}

/* --- options
 * -------------------------------------------------------------------------------------- */

static void usage(const char *program, const char *summary, FILE *out)
{
    fprintf(out,
            "%s\n\n"
            "usage: %s [--json] [--quick] [--filter TEXT] [--rounds N] [--once N]\n"
            "  --json         one JSON document instead of tables\n"
            "  --quick        fewer and shorter samples\n"
            "  --filter TEXT  only cases with TEXT in their names\n"
            "  --rounds N     samples of each case\n"
            "  --once N       N operations of each case, untimed: for valgrind\n",
            summary, program);
}

static uint64_t number_option(const char *program, const char *option, const char *text)
{
    uint64_t value = 0;
    struct mf_errinfo err;
    if (text == NULL || mf_parse_uint64(text, &value, &err) < 0 || value == 0 ||
        value > 1000000000) {
        fprintf(stderr, "%s: %s takes a number from 1 to 1000000000\n", program, option);
        exit(64);
    }
    return value;
}

static void parse_options(struct bench *bench, int argc, char **argv)
{
    struct bench_options *options = &bench->options;
    const char *program = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        const char *value = argv[i + 1]; /* NULL at the end */
        if (strcmp(option, "--json") == 0) {
            options->json = true;
        } else if (strcmp(option, "--quick") == 0) {
            options->quick = true;
        } else if (strcmp(option, "--filter") == 0 && value != NULL) {
            options->filter = value;
            i++;
        } else if (strcmp(option, "--rounds") == 0) {
            options->rounds = number_option(program, option, value);
            i++;
        } else if (strcmp(option, "--once") == 0) {
            options->once = number_option(program, option, value);
            i++;
        } else if (strcmp(option, "--help") == 0) {
            usage(program, bench->summary, stdout);
            exit(0);
        } else {
            fprintf(stderr, "%s: unknown option %s, or its value is missing\n", program, option);
            usage(program, bench->summary, stderr);
            exit(64);
        }
    }
}

/* --- the machine
 * ---------------------------------------------------------------------------------- */

static struct machine_load machine_load_now(void)
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
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        load.own_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    }
    if (getloadavg(&load.average, 1) != 1) {
        load.average = NAN;
    }
    return load;
}

/* CPUs that others used during the run, on average. */
static double others_cpus(const struct machine_load *from, const struct machine_load *to)
{
    const double seconds = (double)(to->at_ns - from->at_ns) / 1e9;
    const double others = (to->busy_s - from->busy_s) - (to->own_s - from->own_s);
    return seconds > 0 && others > 0 ? others / seconds : 0;
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

struct bench *bench_begin(const char *suite, const char *summary, int argc, char **argv)
{
    struct bench *bench = mf_calloc(1, sizeof *bench);
    if (bench == NULL) {
        bench_die("out of memory");
    }
    bench->suite = suite;
    bench->summary = summary;
    bench->baseline = CASES_MAX;
    parse_options(bench, argc, argv);
    bench->before = machine_load_now();
    return bench;
}

const struct bench_options *bench_options(const struct bench *bench)
{
    return &bench->options;
}

bool bench_wants(const struct bench *bench, const char *name)
{
    return bench->options.filter == NULL || strstr(name, bench->options.filter) != NULL;
}

/* --- measuring
 * ------------------------------------------------------------------------------------ */

void bench_add(struct bench *bench, const struct bench_case *item)
{
    /* The baseline is needed whatever the filter says. */
    if (!bench_wants(bench, item->name) && (!item->baseline || bench->options.once > 0)) {
        return;
    }
    if (bench->case_count == CASES_MAX) {
        bench_die("more than %d cases", CASES_MAX);
    }
    if (item->baseline) {
        bench->baseline = bench->case_count;
    }
    struct measured *measured = &bench->cases[bench->case_count++];
    measured->item = *item;
    if (measured->item.step == 0) {
        measured->item.step = 1;
    }
}

static void empty_timer(void *context, uint64_t count)
{
    int64_t *sum = context;
    for (uint64_t i = 0; i < count; i++) {
        *sum += bench_now_ns() - bench_now_ns();
    }
}

static double take_sample(const struct measured *measured, uint64_t count)
{
    const struct bench_case *item = &measured->item;
    if (item->before != NULL) {
        item->before(item->context);
    }
    const int64_t start_ns = bench_now_ns();
    item->run(item->context, count);
    const int64_t end_ns = bench_now_ns();
    if (item->after != NULL) {
        item->after(item->context);
    }
    return (double)(end_ns - start_ns);
}

/* Finds how many operations fill a sample, then warms up with that many. */
static void calibrate(struct measured *measured, double sample_ns)
{
    const struct bench_case *item = &measured->item;
    const uint64_t most = item->count_max > 0 ? item->count_max : UINT64_MAX / 4;
    uint64_t count = item->step;
    while (count * 2 <= most && take_sample(measured, count) < sample_ns) {
        count *= 2;
    }
    measured->count = count;
    for (int i = 0; i < WARM_UP_SAMPLES && item->count_max == 0; i++) {
        (void)take_sample(measured, count);
    }
}

static uint64_t preemptions(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? (uint64_t)usage.ru_nivcsw : 0;
}

static void shuffle(struct mf_rng *rng, size_t *order, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        const size_t other = mf_rng_below(rng, i);
        const size_t swapped = order[i - 1];
        order[i - 1] = order[other];
        order[other] = swapped;
    }
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

struct bench_summary bench_summarize(double *samples, size_t n)
{
    if (n == 0) {
        return (struct bench_summary){NAN, NAN, NAN, NAN};
    }
    qsort(samples, n, sizeof *samples, compare_doubles);
    const double last = (double)(n - 1);
    double quantiles[3];
    const double wanted[3] = {0.1, 0.5, 0.9};
    for (int i = 0; i < 3; i++) {
        const double rank = wanted[i] * last;
        const size_t below = (size_t)rank;
        const double rest = rank - (double)below;
        const double above = samples[below + 1 < n ? below + 1 : below];
        quantiles[i] = samples[below] + rest * (above - samples[below]);
    }
    return (struct bench_summary){samples[0], quantiles[1], quantiles[0], quantiles[2]};
}

double bench_spread_percent(const struct bench_summary *summary)
{
    return (summary->p90 - summary->p10) / summary->median * 100;
}

static void add_noise_cases(struct bench *bench)
{
    static int64_t sum;
    const char *filter = bench->options.filter;
    bench->options.filter = NULL;
    if (bench->baseline < CASES_MAX) {
        struct bench_case again = bench->cases[bench->baseline].item;
        again.name = "noise/same_again";
        again.baseline = false;
        bench_add(bench, &again);
    }
    bench_add(bench, &(struct bench_case){.name = "noise/empty_timer",
                                          .run = empty_timer,
                                          .context = &sum,
                                          .without_ratio = true});
    bench->options.filter = filter;
}

static void measure(struct bench *bench, size_t rounds)
{
    struct mf_rng rng;
    mf_rng_seed(&rng, ORDER_SEED);
    size_t order[CASES_MAX];
    for (size_t i = 0; i < bench->case_count; i++) {
        order[i] = i;
    }
    for (size_t round = 0; round < rounds; round++) {
        shuffle(&rng, order, bench->case_count);
        for (size_t i = 0; i < bench->case_count; i++) {
            struct measured *measured = &bench->cases[order[i]];
            const uint64_t before = preemptions();
            measured->samples[round] =
                take_sample(measured, measured->count) / (double)measured->count;
            measured->preempted += preemptions() > before;
        }
        const double base =
            bench->baseline < CASES_MAX ? bench->cases[bench->baseline].samples[round] : NAN;
        for (size_t i = 0; i < bench->case_count; i++) {
            bench->cases[i].ratios[round] = bench->cases[i].samples[round] / base;
        }
    }
}

void bench_run(struct bench *bench)
{
    if (bench->options.once > 0) {
        for (size_t i = 0; i < bench->case_count; i++) {
            const struct bench_case *item = &bench->cases[i].item;
            const uint64_t steps = bench->options.once / item->step;
            (void)take_sample(&bench->cases[i], (steps > 0 ? steps : 1) * item->step);
        }
        return;
    }
    add_noise_cases(bench);
    const uint64_t standard = bench->options.quick ? ROUNDS_QUICK : ROUNDS_DEFAULT;
    const size_t rounds = bench->options.rounds > 0 ? bench->options.rounds : standard;
    for (size_t i = 0; i < bench->case_count; i++) {
        struct measured *measured = &bench->cases[i];
        measured->samples = mf_calloc(rounds, sizeof *measured->samples);
        measured->ratios = mf_calloc(rounds, sizeof *measured->ratios);
        if (measured->samples == NULL || measured->ratios == NULL) {
            bench_die("out of memory for %zu rounds", rounds);
        }
        calibrate(measured, bench->options.quick ? SAMPLE_NS_QUICK : SAMPLE_NS);
    }
    measure(bench, rounds);
    bench->options.rounds = rounds;
    for (size_t i = 0; i < bench->case_count; i++) {
        struct measured *measured = &bench->cases[i];
        measured->time = bench_summarize(measured->samples, rounds);
        measured->ratio = bench_summarize(measured->ratios, rounds);
    }
}

/* --- reports
 * -------------------------------------------------------------------------------------- */

static void json_machine(struct bench *bench, const struct machine_load *after)
{
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
    mf_json_key_double(json, "load_after", after->average);
    mf_json_key_double(json, "others_cpus", others_cpus(&bench->before, after));
    mf_json_key_double(json, "stolen_seconds", after->stolen_s - bench->before.stolen_s);
    mf_json_end_object(json);
}

struct mf_json *bench_json(struct bench *bench)
{
    if (!bench->json_begun) {
        bench->json_begun = true;
        mf_json_init(&bench->json, &bench->json_text, MF_JSON_PRETTY);
        mf_json_begin_object(&bench->json);
        mf_json_key_string(&bench->json, "schema", "mayfly-bench/1");
        mf_json_key_string(&bench->json, "suite", bench->suite);
        const struct machine_load after = machine_load_now();
        json_machine(bench, &after);
    }
    return &bench->json;
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

static void json_cases(struct bench *bench)
{
    struct mf_json *json = bench_json(bench);
    mf_json_key_uint(json, "rounds", bench->options.rounds);
    if (bench->baseline < CASES_MAX) {
        mf_json_key_string(json, "baseline", bench->cases[bench->baseline].item.name);
    }
    mf_json_key(json, "benchmarks");
    mf_json_begin_array(json);
    for (size_t i = 0; i < bench->case_count; i++) {
        const struct measured *measured = &bench->cases[i];
        mf_json_begin_object(json);
        mf_json_key_string(json, "name", measured->item.name);
        mf_json_key_uint(json, "operations_per_sample", measured->count);
        mf_json_key_uint(json, "preempted_samples", measured->preempted);
        json_summary(json, "ns_per_operation", &measured->time);
        if (!measured->item.without_ratio && bench->baseline < CASES_MAX) {
            json_summary(json, "ratio_to_baseline", &measured->ratio);
        }
        mf_json_end_object(json);
    }
    mf_json_end_array(json);
}

static void print_machine(const struct bench *bench)
{
    const struct machine_load after = machine_load_now();
    char processor[128];
    processor_name(processor, sizeof processor);
    printf(
        "machine: %ld x %s; load %.2f before, %.2f after; others used %.2f CPUs, %.2f s stolen\n",
        sysconf(_SC_NPROCESSORS_ONLN), processor, bench->before.average, after.average,
        others_cpus(&bench->before, &after), after.stolen_s - bench->before.stolen_s);
}

static void print_cases(const struct bench *bench)
{
    printf("%-34s %10s %10s %10s %8s %6s  %s\n", bench->suite, "min", "median", "p90", "spread",
           "lost", bench->baseline < CASES_MAX ? "ratio (p10..p90)" : "");
    for (size_t i = 0; i < bench->case_count; i++) {
        const struct measured *measured = &bench->cases[i];
        char text[3][32];
        char spread[16];
        snprintf(spread, sizeof spread, "%.0f %%", bench_spread_percent(&measured->time));
        printf("%-34s %10s %10s %10s %8s %6llu", measured->item.name,
               bench_format_ns(text[0], measured->time.min),
               bench_format_ns(text[1], measured->time.median),
               bench_format_ns(text[2], measured->time.p90), spread,
               (unsigned long long)measured->preempted);
        if (bench->baseline < CASES_MAX && !measured->item.without_ratio) {
            printf("  %.3f (%.3f..%.3f)", measured->ratio.median, measured->ratio.p10,
                   measured->ratio.p90);
        }
        putchar('\n');
    }
    printf(
        "\nTimes are per operation; %llu samples of each case, interleaved. spread: (p90 - p10) /\n"
        "median. lost: samples during which the thread lost its CPU.",
        (unsigned long long)bench->options.rounds);
    if (bench->baseline < CASES_MAX) {
        printf(" ratio: to %s,\nof samples of one round; noise/same_again is that case once more.",
               bench->cases[bench->baseline].item.name);
    }
    putchar('\n');
}

int bench_finish(struct bench *bench)
{
    const bool measured = bench->case_count > 0 && bench->cases[0].samples != NULL;
    int code = 0;
    if (bench->options.json) {
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
    } else if (bench->options.once == 0) {
        if (measured) {
            print_cases(bench);
        }
        print_machine(bench);
    }
    if (fflush(stdout) != 0) {
        fputs("bench: cannot write the report\n", stderr);
        code = 1;
    }
    remove_scratch();
    for (size_t i = 0; i < bench->case_count; i++) {
        mf_free(bench->cases[i].samples);
        mf_free(bench->cases[i].ratios);
    }
    for (size_t i = 0; i < bench->path_count; i++) {
        mf_free(bench->paths[i]);
    }
    mf_buffer_free(&bench->json_text);
    mf_free(bench);
    return code;
}
