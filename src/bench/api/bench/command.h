/* SPDX-License-Identifier: Apache-2.0
 *
 * command.h -- the commands of the laboratory, for `mayfly bench` and for benchmark programs
 * themselves.
 */
#ifndef BENCH_COMMAND_H
#define BENCH_COMMAND_H

#include "bench/keys.h"

#include <stdbool.h>
#include <stddef.h>

/* X(name, option groups, "operand", "summary"). The groups are of keys.h. */
#define BENCH_SELECT  1u
#define BENCH_MEASURE 2u
#define BENCH_COMPARE 4u
#define BENCH_OUTPUT  8u
#define BENCH_PROFILE 16u
#define BENCH_HISTORY 32u
#define BENCH_STORE   64u
#define BENCH_NOISE   128u
#define BENCH_PROCESS 256u
#define BENCH_EVERY   31u

struct bench_word {
    const char *name; /* of an option, without dashes */
    const char *text; /* its argument; "" of a flag */
};

struct bench_command_line {
    const char *program;            /* for messages: "mayfly", or the benchmark program's name */
    const char *command;            /* "run", "list", ... */
    const struct bench_word *words; /* options in the order given */
    size_t word_count;
    char *const *operands;
    size_t operand_count;
    bool own;     /* the benchmarks of this program itself, unless --binary names others */
    bool colored; /* standard output may be coloured */
    int columns;  /* of the terminal at standard output; 0: none */
};

/* Whether the runner has started this program as a measured process, and what it then does:
 * returns the exit code. For the beginning of main(). */
bool mf__bench_is_child(int argc, char *const *argv);
int mf__bench_child(char *const *argv);

/* Writes to standard output (stdio; the caller checks it) and messages to standard error. Returns
 * one of enum bench_exit, or 128 + the number of the signal that interrupted it. For a program's
 * main thread, before any other thread starts. */
int mf__bench_command(const struct bench_command_line *line);

#endif
