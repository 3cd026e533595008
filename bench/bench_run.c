/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_run.c -- what `mayfly run` costs the command.
 *
 *   cpu      a command that computes for about a second
 *   lines    one that writes 100,000 lines, one write(2) each, to a reader that throws them away:
 *            about 100,000 lines a second
 *   start    /bin/true, from the start of the program to its end
 *
 * Each is run plain, plain a second time (the noise) and recorded, in an order drawn anew in every
 * round; a ratio is taken between two runs of one round. The command measures itself with the
 * monotonic clock and says so over a pipe, so that cpu and lines are without the start. The
 * recorder's own CPU time is what the tree of processes has used beyond the command.
 */
#include "harness.h"

#include "base/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS       15
#define ROUNDS_QUICK 3
#define LINES        100000
#define ROUNDS_MAX   1000

enum mode { PLAIN, AGAIN, RECORDED, MODES };
enum kind { CPU, LINES_OUT, START, KINDS };

static const char *const kind_names[KINDS] = {"cpu", "lines", "start"};
static const char *const mode_names[MODES] = {"plain", "plain again", "recorded"};

struct measured {
    double wall_ns;
    double cpu_ns; /* of the command */
    double recorder_cpu_ns;
};

struct table {
    struct measured runs[KINDS][MODES][ROUNDS_MAX];
    size_t rounds;
};

/* ---- the command ---- */

static volatile uint64_t result;

static void compute(uint64_t iterations)
{
    uint64_t x = 88172645463325252U;
    for (uint64_t i = 0; i < iterations; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    result = x;
}

static double own_cpu_ns(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

/* argv: --worker KIND ITERATIONS DESCRIPTOR */
static int work(char **argv)
{
    const uint64_t iterations = strtoull(argv[3], NULL, 10);
    const int64_t begin_ns = bench_now_ns();
    if (strcmp(argv[2], kind_names[CPU]) == 0) {
        compute(iterations);
    } else {
        for (int i = 0; i < LINES; i++) {
            char line[128];
            compute(iterations / LINES);
            const int len = snprintf(
                line, sizeof line,
                "line %d: compiling something somewhere, eighty bytes or so in length\n", i);
            if (write(STDOUT_FILENO, line, (size_t)len) != len) {
                return 1;
            }
        }
    }
    const double said[2] = {(double)(bench_now_ns() - begin_ns), own_cpu_ns(RUSAGE_SELF)};
    return write((int)strtol(argv[4], NULL, 10), said, sizeof said) == sizeof said ? 0 : 1;
}

/* ---- one run ---- */

static char self[512];
static char mayfly[640];

static void drain(int descriptor)
{
    char bytes[65536];
    while (read(descriptor, bytes, sizeof bytes) > 0) {
    }
    close(descriptor);
}

static _Noreturn void execute(enum kind kind, enum mode mode, uint64_t iterations, int report,
                              int output)
{
    char text[2][32];
    snprintf(text[0], sizeof text[0], "%llu", (unsigned long long)iterations);
    snprintf(text[1], sizeof text[1], "%d", report);
    const char *argv[12];
    int used = 0;
    if (mode == RECORDED) {
        argv[used++] = mayfly;
        argv[used++] = "run";
        argv[used++] = "-q";
        argv[used++] = "--";
    }
    if (kind == START) {
        argv[used++] = "/bin/true";
    } else {
        argv[used++] = self;
        argv[used++] = "--worker";
        argv[used++] = kind_names[kind];
        argv[used++] = text[0];
        argv[used++] = text[1];
    }
    argv[used] = NULL;
    dup2(output, STDOUT_FILENO);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static struct measured run_once(enum kind kind, enum mode mode, uint64_t iterations)
{
    int report[2];
    int output[2];
    struct measured measured = {0};
    if (pipe(report) != 0 || pipe2(output, O_CLOEXEC) != 0) {
        bench_die("no pipe: %s", strerror(errno));
    }
    fcntl(report[0], F_SETFD, FD_CLOEXEC);
    const int64_t begin_ns = bench_now_ns();
    const pid_t pid = fork();
    if (pid == 0) {
        execute(kind, mode, iterations, report[1], output[1]);
    }
    close(report[1]);
    close(output[1]);
    drain(output[0]);
    int status = 0;
    struct rusage usage;
    if (wait4(pid, &status, 0, &usage) != pid || status != 0) {
        bench_die("%s, %s: status 0x%x", kind_names[kind], mode_names[mode], status);
    }
    const double elapsed_ns = (double)(bench_now_ns() - begin_ns);
    const double all_ns = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
                          (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
    double said[2] = {elapsed_ns, 0};
    if (kind != START && read(report[0], said, sizeof said) != sizeof said) {
        bench_die("the command said nothing");
    }
    close(report[0]);
    measured.wall_ns = said[0];
    measured.cpu_ns = said[1];
    measured.recorder_cpu_ns = all_ns - said[1];
    return measured;
}

/* ---- rounds and tables ---- */

/* Iterations that take about `wanted_ns` here and now. */
static uint64_t calibrate(double wanted_ns)
{
    const uint64_t probe = 20000000;
    double best_ns = 1e18;
    for (int i = 0; i < 5; i++) {
        const int64_t begin_ns = bench_now_ns();
        compute(probe);
        const double took_ns = (double)(bench_now_ns() - begin_ns);
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    return (uint64_t)(wanted_ns / best_ns * (double)probe);
}

static void measure(struct table *table, bool quick, uint64_t rounds)
{
    const double wanted_ns = quick ? 2e8 : 1e9;
    const uint64_t iterations = calibrate(wanted_ns);
    struct mf_rng rng;
    mf_rng_seed(&rng, (uint64_t)bench_now_ns());
    for (size_t round = 0; round < rounds; round++) {
        int order[KINDS * MODES];
        for (int i = 0; i < KINDS * MODES; i++) {
            const int at = (int)mf_rng_below(&rng, (uint64_t)i + 1);
            order[i] = order[at];
            order[at] = i;
        }
        for (int i = 0; i < KINDS * MODES; i++) {
            const enum kind kind = (enum kind)(order[i] / MODES);
            const enum mode mode = (enum mode)(order[i] % MODES);
            /* Of the ten microseconds of a line half is left for writing it. */
            const uint64_t each = kind == LINES_OUT ? iterations / 10 * 9 : iterations;
            table->runs[kind][mode][round] = run_once(kind, mode, each);
        }
        table->rounds++;
    }
}

static struct bench_summary wall_of(const struct table *table, enum kind kind, enum mode mode)
{
    double samples[ROUNDS_MAX];
    for (size_t i = 0; i < table->rounds; i++) {
        samples[i] = table->runs[kind][mode][i].wall_ns;
    }
    return bench_summarize(samples, table->rounds);
}

static struct bench_summary ratio_of(const struct table *table, enum kind kind, enum mode mode)
{
    double samples[ROUNDS_MAX];
    for (size_t i = 0; i < table->rounds; i++) {
        samples[i] = table->runs[kind][mode][i].wall_ns / table->runs[kind][PLAIN][i].wall_ns;
    }
    return bench_summarize(samples, table->rounds);
}

/* CPU time that the recorder adds, beside what starting the command plainly takes. */
static struct bench_summary recorder_of(const struct table *table, enum kind kind)
{
    double samples[ROUNDS_MAX];
    for (size_t i = 0; i < table->rounds; i++) {
        samples[i] = table->runs[kind][RECORDED][i].recorder_cpu_ns -
                     table->runs[kind][PLAIN][i].recorder_cpu_ns;
    }
    return bench_summarize(samples, table->rounds);
}

static void print_table(const struct table *table)
{
    printf("%-6s %-12s %10s %10s %10s  %s\n", "", "", "min", "median", "p90",
           "ratio to plain (p10..p90)");
    for (enum kind kind = 0; kind < KINDS; kind++) {
        for (enum mode mode = 0; mode < MODES; mode++) {
            char text[3][32];
            const struct bench_summary wall = wall_of(table, kind, mode);
            const struct bench_summary ratio = ratio_of(table, kind, mode);
            printf("%-6s %-12s %10s %10s %10s  ", mode == PLAIN ? kind_names[kind] : "",
                   mode_names[mode], bench_format_ns(text[0], wall.min),
                   bench_format_ns(text[1], wall.median), bench_format_ns(text[2], wall.p90));
            if (mode == PLAIN) {
                printf("1\n");
            } else {
                printf("%.3f (%.3f..%.3f), fastest to fastest %.3f\n", ratio.median, ratio.p10,
                       ratio.p90, wall.min / wall_of(table, kind, PLAIN).min);
            }
        }
        char text[32];
        const struct bench_summary recorder = recorder_of(table, kind);
        printf("%-6s %-12s %10s CPU time of the recorder, median\n", "", "",
               bench_format_ns(text, recorder.median));
    }
}

static void write_summary(struct mf_json *json, const char *key, struct bench_summary summary)
{
    mf_json_key(json, key);
    mf_json_begin_object(json);
    mf_json_key_double(json, "min", summary.min);
    mf_json_key_double(json, "p10", summary.p10);
    mf_json_key_double(json, "median", summary.median);
    mf_json_key_double(json, "p90", summary.p90);
    mf_json_end_object(json);
}

static void write_json(struct bench *bench, const struct table *table)
{
    struct mf_json *json = bench_json(bench);
    mf_json_key_uint(json, "rounds", table->rounds);
    mf_json_key(json, "cases");
    mf_json_begin_array(json);
    for (enum kind kind = 0; kind < KINDS; kind++) {
        for (enum mode mode = 0; mode < MODES; mode++) {
            mf_json_begin_object(json);
            mf_json_key_string(json, "kind", kind_names[kind]);
            mf_json_key_string(json, "mode", mode_names[mode]);
            write_summary(json, "wall_ns", wall_of(table, kind, mode));
            write_summary(json, "ratio_to_plain", ratio_of(table, kind, mode));
            if (mode == RECORDED) {
                write_summary(json, "recorder_cpu_ns", recorder_of(table, kind));
            }
            mf_json_end_object(json);
        }
    }
    mf_json_end_array(json);
}

static void find_programs(void)
{
    const ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len <= 0) {
        bench_die("/proc/self/exe cannot be read");
    }
    self[len] = '\0';
    char *slash = strrchr(self, '/');
    snprintf(mayfly, sizeof mayfly, "%.*s/../bin/mayfly", (int)(slash - self), self);
    if (access(mayfly, X_OK) != 0) {
        bench_die("%s is not there", mayfly);
    }
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--worker") == 0) {
        return work(argv);
    }
    struct bench *bench =
        bench_begin("run", "what mayfly run costs the command", BENCH_ROUNDS, argc, argv);
    const struct bench_options *options = bench_options(bench);
    static struct table table;
    uint64_t rounds = options->rounds > 0 ? options->rounds
                      : options->quick    ? ROUNDS_QUICK
                                          : ROUNDS;
    rounds = rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
    find_programs();
    setenv("MAYFLY_HOME", bench_scratch(bench, "home"), 1);
    measure(&table, options->quick, rounds);
    if (options->json) {
        write_json(bench, &table);
    } else {
        print_table(&table);
    }
    return bench_finish(bench);
}
