/* SPDX-License-Identifier: Apache-2.0
 *
 * harness.h -- what the benchmark programs share: options, interleaved repetitions in several
 * processes, noise, reports.
 *
 *     struct bench *bench = bench_begin("record", "what the suite shows", BENCH_CASES, argc, argv);
 *     if (bench_replicate(bench)) {
 *         return bench_finish(bench);
 *     }
 *     bench_add(bench, &(struct bench_case){.name = "record/single_series", .run = record_one,
 * ...}); bench_run(bench); return bench_finish(bench);
 *
 * Every round measures each case once, in an order drawn anew, so that what disturbs the machine
 * disturbs all of them alike; a ratio is taken between two samples of the same round. One case is
 * the baseline; it is measured a second time in each round under the name noise/same_again: its
 * ratio to itself is what the machine's noise does to a ratio. noise/empty_timer is the cost of
 * asking for the time twice. The rounds are spread over several processes, started one after the
 * other, because a process can be faster or slower than the next one for as long as it lives.
 * Nothing that was measured is left out.
 *
 * A benchmark that cannot go on says so and ends the program with exit code 1.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include "fmt/json_write.h"

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_options {
    bool json;          /* --json: one JSON document instead of tables */
    bool quick;         /* --quick: fewer and shorter samples */
    const char *filter; /* --filter TEXT: only cases with TEXT in their names; =NAME: that one */
    uint64_t rounds;    /* --rounds N; 0: the suite's default */
    uint64_t processes; /* --processes N; 0: the default */
    uint64_t once;      /* --once N: N operations of each case, untimed (for valgrind) */
};

/* Which options a suite has besides --json, --quick and --help. */
enum bench_suite_kind {
    BENCH_PLAIN = 0,
    BENCH_ROUNDS = 1, /* --rounds, --once */
    BENCH_CASES = 2   /* these, --filter and --processes */
};

struct bench_case {
    const char *name;
    /* Does `count` operations: a multiple of `step`. */
    void (*run)(void *context, uint64_t count);
    void (*before)(void *context); /* untimed, before each sample; may be NULL */
    void (*after)(void *context);  /* untimed, after each sample; may be NULL */
    void *context;
    uint64_t step;      /* operations that belong together (a batch); 0: 1 */
    uint64_t count_max; /* operations of one sample at most; 0: as many as fill it */
    bool baseline;      /* the ratios of the suite are to this one */
    bool without_ratio; /* a ratio to the baseline would say nothing */
};

struct bench;

/* Reads the options (usage errors end the program with 64; --help with 0) and notes the state of
 * the machine. The result lives until bench_finish(). */
struct bench *bench_begin(const char *suite, const char *summary, enum bench_suite_kind kind,
                          int argc, char **argv);
const struct bench_options *bench_options(const struct bench *bench);
/* Runs the program itself as often as --processes says and gathers what it measured: true. False
 * when this process is to measure. */
bool bench_replicate(struct bench *bench);
/* Whether --filter lets a case through: before costly preparations. */
bool bench_wants(const struct bench *bench, const char *name);
/* `item` is copied, its strings and context are borrowed. */
void bench_add(struct bench *bench, const struct bench_case *item);
/* Measures all cases (--once: runs them once). */
void bench_run(struct bench *bench);
/* Prints the report, removes the scratch directory. Returns the exit code. */
int bench_finish(struct bench *bench);
/* bench_finish() without a report. */
int bench_end(struct bench *bench);

/* --- for suites with tables of their own */

/* The JSON document of the report: an object with suite and machine, to which the suite adds
 * members before bench_finish() ends it. Begin it after measuring. */
struct mf_json *bench_json(struct bench *bench);

/* Distribution of n samples; sorts them. */
struct bench_summary {
    double min;
    double p10;
    double median;
    double p90;
};
struct bench_summary bench_summarize(double *samples, size_t n);
/* (p90 - p10) / median, in percent. */
double bench_spread_percent(const struct bench_summary *summary);

int64_t bench_now_ns(void);
/* A path in a directory of the run's own (below TMPDIR or /tmp), which is removed at the end. The
 * string lives as long as the bench. */
const char *bench_scratch(struct bench *bench, const char *name);
/* Prints the message on standard error, removes the scratch directory, exits with 1. */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* bench_die() when `rc` is negative. */
void bench_check(int rc, const struct mf_errinfo *err, const char *what);
/* "1.23 ns", "45.6 us", ... in `out` of 32 bytes; returns it. */
const char *bench_format_ns(char out[32], double ns);

#endif
