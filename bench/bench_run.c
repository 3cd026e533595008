/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_run.c -- what `mayfly run` costs the command. An iteration is one whole run, from the start
 * of the program to its end.
 *
 *   run::cpu_...    a command that computes for about 0.2 s
 *   run::lines_...  one that writes 20,000 lines, one write(2) each, to a reader that throws them
 *                   away: about 100,000 lines a second
 *   run::start_...  /bin/true
 *   _plain          by itself;  _recorded: by `mayfly run`
 *
 * "command_ns" is what the command says of itself, which is without the start; "other_cpu_ns" the
 * CPU time of the tree of processes beyond it: of the recorder, where there is one.
 */
#include "bench_scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES      20000
#define WORKER     "--worker"
#define ITERATIONS 100000000 /* about 0.2 s */

enum kind { CPU, LINES_OUT, START };

static const char *const kind_names[] = {"cpu", "lines", "start"};

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

static double cpu_ns(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e9 +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1e3;
}

/* argv: --worker KIND DESCRIPTOR */
static int work(char **argv)
{
    const int64_t begin_ns = bench_now_ns();
    if (strcmp(argv[2], kind_names[CPU]) == 0) {
        compute(ITERATIONS);
    } else {
        for (int i = 0; i < LINES; i++) {
            char line[128];
            compute(ITERATIONS / LINES / 2);
            const int len = snprintf(
                line, sizeof line,
                "line %d: compiling something somewhere, eighty bytes or so in length\n", i);
            if (write(STDOUT_FILENO, line, (size_t)len) != len) {
                return 1;
            }
        }
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const double said[2] = {(double)(bench_now_ns() - begin_ns), cpu_ns(&usage)};
    return write((int)strtol(argv[3], NULL, 10), said, sizeof said) == sizeof said ? 0 : 1;
}

/* ---- one run ---- */

static void drain(int descriptor)
{
    char bytes[65536];
    while (read(descriptor, bytes, sizeof bytes) > 0) {
    }
    close(descriptor);
}

struct programs {
    char self[512];
    char mayfly[640];
};

static _Noreturn void execute(const struct programs *programs, enum kind kind, bool recorded,
                              int report, int output)
{
    char text[32];
    snprintf(text, sizeof text, "%d", report);
    const char *argv[10];
    int used = 0;
    if (recorded) {
        argv[used++] = programs->mayfly;
        argv[used++] = "run";
        argv[used++] = "-q";
        argv[used++] = "--";
    }
    if (kind == START) {
        argv[used++] = "/bin/true";
    } else {
        argv[used++] = programs->self;
        argv[used++] = WORKER;
        argv[used++] = kind_names[kind];
        argv[used++] = text;
    }
    argv[used] = NULL;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output, STDOUT_FILENO);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

struct told {
    double command_ns, command_cpu_ns, all_cpu_ns;
};

static bool run_once(struct mf_bench *bench, const struct programs *programs, enum kind kind,
                     bool recorded, struct told *told)
{
    int report[2];
    int output[2];
    if (pipe(report) != 0 || pipe2(output, O_CLOEXEC) != 0) {
        mf_bench_fail(bench, "no pipe: %s", strerror(errno));
        return false;
    }
    fcntl(report[0], F_SETFD, FD_CLOEXEC);
    const pid_t pid = fork();
    if (pid == 0) {
        execute(programs, kind, recorded, report[1], output[1]);
    }
    close(report[1]);
    close(output[1]);
    drain(output[0]);
    int status = 0;
    struct rusage usage = {0};
    double said[2] = {0, 0};
    const bool ended = pid > 0 && wait4(pid, &status, 0, &usage) == pid && status == 0;
    const bool spoke = kind == START || read(report[0], said, sizeof said) == sizeof said;
    close(report[0]);
    if (!ended || !spoke) {
        mf_bench_fail(bench, "%s: status 0x%x%s", kind_names[kind], (unsigned)status,
                      spoke ? "" : ", and the command said nothing");
        return false;
    }
    told->command_ns += said[0];
    told->command_cpu_ns += said[1];
    told->all_cpu_ns += cpu_ns(&usage);
    return true;
}

static bool find_programs(struct mf_bench *bench, struct programs *programs)
{
    const ssize_t len = readlink("/proc/self/exe", programs->self, sizeof programs->self - 1);
    if (len <= 0) {
        mf_bench_fail(bench, "/proc/self/exe cannot be read");
        return false;
    }
    programs->self[len] = '\0';
    const char *slash = strrchr(programs->self, '/');
    snprintf(programs->mayfly, sizeof programs->mayfly, "%.*s/../bin/mayfly",
             (int)(slash - programs->self), programs->self);
    if (access(programs->mayfly, X_OK) != 0) {
        mf_bench_skip(bench, "%s is not there", programs->mayfly);
        return false;
    }
    return true;
}

static void run_all(struct mf_bench *bench, enum kind kind, bool recorded)
{
    struct programs programs;
    struct bench_scratch scratch = {.directory = ""};
    struct told told = {0};
    if (find_programs(bench, &programs) && bench_scratch_begin(bench, &scratch)) {
        setenv("MAYFLY_HOME", scratch.directory, 1);
        MF_LOOP(bench)
        {
            if (!run_once(bench, &programs, kind, recorded, &told)) {
                break;
            }
        }
        if (kind != START) {
            mf_bench_count(bench, "command_ns", told.command_ns);
        }
        mf_bench_count(bench, "other_cpu_ns", told.all_cpu_ns - told.command_cpu_ns);
    }
    bench_scratch_end(&scratch);
}

MF_BENCH(run, cpu_plain)
{
    run_all(bench, CPU, false);
}

MF_BENCH(run, cpu_recorded, .ratio_to = "run::cpu_plain")
{
    run_all(bench, CPU, true);
}

MF_BENCH(run, lines_plain, .elements = LINES)
{
    run_all(bench, LINES_OUT, false);
}

MF_BENCH(run, lines_recorded, .elements = LINES, .ratio_to = "run::lines_plain")
{
    run_all(bench, LINES_OUT, true);
}

MF_BENCH(run, start_plain)
{
    run_all(bench, START, false);
}

MF_BENCH(run, start_recorded, .ratio_to = "run::start_plain")
{
    run_all(bench, START, true);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], WORKER) == 0) {
        return work(argv);
    }
    return mf_bench_main(argc, argv);
}
