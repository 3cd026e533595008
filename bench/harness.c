/* SPDX-License-Identifier: Apache-2.0
 * harness.c -- options, and interleaved repetitions: see harness.h. */
#include "harness.h"
#include "harness_internal.h"

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
#include <time.h>
#include <unistd.h>

#define ROUNDS_DEFAULT  41 /* of one process */
#define ROUNDS_QUICK    5
#define SAMPLE_NS       2000000 /* short, so that many samples lie between two disturbances */
#define SAMPLE_NS_QUICK 500000
#define WARM_UP_SAMPLES 3
#define ORDER_SEED      42
#define NUMBER_MAX      1000000000

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
        bench_die("%s: %s", what, err != NULL ? err->msg : mf_strerror(rc));
    }
}

int64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const char *bench__keep(struct bench *bench, char *text)
{
    if (text == NULL || bench->string_count == STRINGS_MAX) {
        bench_die("no room for names");
    }
    bench->strings[bench->string_count++] = text;
    return text;
}

const char *bench_scratch(struct bench *bench, const char *name)
{
    if (scratch_directory[0] == '\0') {
        const char *parent = getenv("TMPDIR");
        parent = parent != NULL && parent[0] != '\0' ? parent : "/tmp";
        const int len =
            snprintf(scratch_directory, sizeof scratch_directory, "%s/mayfly-bench-XXXXXX", parent);
        if (len < 0 || (size_t)len >= sizeof scratch_directory ||
            mkdtemp(scratch_directory) == NULL) {
            scratch_directory[0] = '\0';
            bench_die("cannot make a directory below %s", parent);
        }
        scratch_owner = getpid();
    }
    return bench__keep(bench, mf_asprintf("%s/%s", scratch_directory, name));
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

/* ---- options ---- */

static void usage(const char *program, const char *summary, enum bench_suite_kind kind, FILE *out)
{
    fprintf(out,
            "%s\n\nusage: %s [OPTION]...\n"
            "  --json         one JSON document instead of tables\n"
            "  --quick        fewer and shorter samples\n",
            summary, program);
    if (kind >= BENCH_ROUNDS) {
        fputs("  --rounds N     samples of each case, in each process\n"
              "  --once N       N operations of each case, untimed: for valgrind\n",
              out);
    }
    if (kind >= BENCH_CASES) {
        fputs("  --filter TEXT  only cases with TEXT in their names; =NAME: that one\n"
              "  --processes N  how many processes measure, one after the other\n",
              out);
    }
}

static uint64_t number_option(const char *program, const char *option, const char *text,
                              uint64_t most)
{
    uint64_t value = 0;
    if (mf_parse_uint64(text, &value, NULL) < 0 || value == 0 || value > most) {
        fprintf(stderr, "%s: %s takes a number from 1 to %llu\n", program, option,
                (unsigned long long)most);
        exit(64);
    }
    return value;
}

/* Whether it was an option with a value that this kind of suite has. */
static bool parse_valued(struct bench_options *options, enum bench_suite_kind kind,
                         const char *program, const char *option, const char *value)
{
    if (value == NULL || kind < BENCH_ROUNDS) {
        return false;
    }
    if (strcmp(option, "--rounds") == 0) {
        options->rounds = number_option(program, option, value, NUMBER_MAX);
    } else if (strcmp(option, "--once") == 0) {
        options->once = number_option(program, option, value, NUMBER_MAX);
    } else if (kind == BENCH_CASES && strcmp(option, "--filter") == 0) {
        options->filter = value;
    } else if (kind == BENCH_CASES && strcmp(option, "--processes") == 0) {
        options->processes = number_option(program, option, value, PROCESSES_MAX);
    } else {
        return false;
    }
    return true;
}

static void parse_options(struct bench *bench, enum bench_suite_kind kind, int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *program = slash != NULL ? slash + 1 : argv[0];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            bench->options.json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            bench->options.quick = true;
        } else if (strcmp(argv[i], "--help") == 0) {
            usage(program, bench->summary, kind, stdout);
            exit(0);
        } else if (parse_valued(&bench->options, kind, program, argv[i], argv[i + 1])) {
            i++;
        } else {
            fprintf(stderr, "%s: unknown option %s, or its value is missing\n", program, argv[i]);
            usage(program, bench->summary, kind, stderr);
            exit(64);
        }
    }
}

struct bench *bench_begin(const char *suite, const char *summary, enum bench_suite_kind kind,
                          int argc, char **argv)
{
    struct bench *bench = mf_calloc(1, sizeof *bench);
    if (bench == NULL) {
        bench_die("out of memory");
    }
    bench->suite = suite;
    bench->summary = summary;
    bench->argv = argv;
    bench->baseline = CASES_MAX;
    parse_options(bench, kind, argc, argv);
    bench->before = bench__load_now();
    return bench;
}

const struct bench_options *bench_options(const struct bench *bench)
{
    return &bench->options;
}

bool bench_wants(const struct bench *bench, const char *name)
{
    const char *filter = bench->options.filter;
    if (filter != NULL && filter[0] == '=') {
        return strcmp(name, filter + 1) == 0;
    }
    return filter == NULL || strstr(name, filter) != NULL;
}

/* ---- measuring ---- */

static void add_unfiltered(struct bench *bench, const struct bench_case *item)
{
    if (bench->case_count == CASES_MAX) {
        bench_die("more than %d cases", CASES_MAX);
    }
    if (item->baseline) {
        bench->baseline = bench->case_count;
    }
    struct measured *measured = &bench->cases[bench->case_count++];
    measured->item = *item;
    measured->item.step = item->step > 0 ? item->step : 1;
}

void bench_add(struct bench *bench, const struct bench_case *item)
{
    /* The baseline is needed for the ratios whatever the filter says. */
    if (bench_wants(bench, item->name) || (item->baseline && bench->options.once == 0)) {
        add_unfiltered(bench, item);
    }
}

static void empty_timer(void *context, uint64_t count)
{
    int64_t *sum = context;
    for (uint64_t i = 0; i < count; i++) {
        *sum += bench_now_ns() - bench_now_ns();
    }
}

static void add_noise_cases(struct bench *bench)
{
    static int64_t sum;
    if (bench->baseline < CASES_MAX) {
        struct bench_case again = bench->cases[bench->baseline].item;
        again.name = "noise/same_again";
        again.baseline = false;
        add_unfiltered(bench, &again);
    }
    add_unfiltered(bench, &(struct bench_case){.name = "noise/empty_timer",
                                               .run = empty_timer,
                                               .context = &sum,
                                               .without_ratio = true});
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
    for (int i = 0; i < WARM_UP_SAMPLES; i++) {
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
    const double wanted[3] = {0.1, 0.5, 0.9};
    double quantiles[3];
    for (int i = 0; i < 3; i++) {
        const double rank = wanted[i] * (double)(n - 1);
        const size_t below = (size_t)rank;
        const double above = samples[below + 1 < n ? below + 1 : below];
        quantiles[i] = samples[below] + (rank - (double)below) * (above - samples[below]);
    }
    return (struct bench_summary){samples[0], quantiles[0], quantiles[1], quantiles[2]};
}

double bench_spread_percent(const struct bench_summary *summary)
{
    return (summary->p90 - summary->p10) / summary->median * 100;
}

void bench__samples_reserve(struct measured *measured, size_t count)
{
    double *samples = mf_realloc(measured->samples, count * sizeof *samples);
    if (samples == NULL) {
        bench_die("out of memory for %zu samples", count);
    }
    measured->samples = samples;
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
            const double ns = take_sample(measured, measured->count);
            measured->samples[measured->sample_count++] = ns / (double)measured->count;
            measured->preempted += preemptions() > before;
        }
    }
}

static void run_once(struct bench *bench)
{
    for (size_t i = 0; i < bench->case_count; i++) {
        const struct bench_case *item = &bench->cases[i].item;
        uint64_t count = (bench->options.once + item->step - 1) / item->step * item->step;
        if (item->count_max > 0 && count > item->count_max) {
            count = item->count_max;
        }
        (void)take_sample(&bench->cases[i], count);
    }
}

void bench_run(struct bench *bench)
{
    if (bench->options.once > 0) {
        run_once(bench);
        return;
    }
    add_noise_cases(bench);
    const uint64_t standard = bench->options.quick ? ROUNDS_QUICK : ROUNDS_DEFAULT;
    const size_t rounds = bench->options.rounds > 0 ? bench->options.rounds : standard;
    for (size_t i = 0; i < bench->case_count; i++) {
        bench__samples_reserve(&bench->cases[i], rounds);
        calibrate(&bench->cases[i], bench->options.quick ? SAMPLE_NS_QUICK : SAMPLE_NS);
    }
    measure(bench, rounds);
    bench->processes = 1;
    for (size_t i = 0; i < bench->case_count; i++) {
        struct measured *measured = &bench->cases[i];
        double *sorted = mf_calloc(rounds, sizeof *sorted);
        if (sorted == NULL) {
            bench_die("out of memory");
        }
        memcpy(sorted, measured->samples, rounds * sizeof *sorted);
        measured->process_medians[0] = bench_summarize(sorted, rounds).median;
        mf_free(sorted);
    }
}

int bench_end(struct bench *bench)
{
    int code = 0;
    if (fflush(stdout) != 0) {
        fputs("bench: cannot write the report\n", stderr);
        code = 1;
    }
    remove_scratch();
    for (size_t i = 0; i < bench->case_count; i++) {
        mf_free(bench->cases[i].samples);
    }
    for (size_t i = 0; i < bench->string_count; i++) {
        mf_free(bench->strings[i]);
    }
    mf_buffer_free(&bench->json_text);
    mf_free(bench);
    return code;
}

int bench_finish(struct bench *bench)
{
    if (bench->options.once == 0) {
        bench__report(bench);
    }
    return bench_end(bench);
}
