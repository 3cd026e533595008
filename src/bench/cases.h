/* SPDX-License-Identifier: Apache-2.0
 *
 * cases.h -- which programs have benchmarks, and which single measurements they come to: a
 * benchmark once for each of its parameters and thread counts.
 */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include "child_protocol.h"
#include "config.h"
#include "filter.h"

#include "os/signals.h"

struct bench_program {
    char *path;
    struct bench_listed *listed;
    size_t listed_count;
};

struct bench_case {
    char name[BENCH_NAME_LEN];
    const struct bench_program *program;
    const struct bench_listed *listed;
    int64_t param;
    int threads; /* 1 without */
};

struct bench_cases {
    struct bench_program *programs;
    size_t program_count;
    struct bench_case *cases; /* sorted by program and registration */
    size_t case_count;
};

/* The programs named by --binary; else, with `own`, this one; else what is found below
 * MAYFLY_BENCH_PATH (directories separated by colons) or build/<any>/bench. Asks each for its list.
 */
int mf__cases_find(const struct bench_config *config, bool own, const struct bench_filter *filter,
                   struct mf_signals *signals, struct bench_cases *ret_cases,
                   struct mf_errinfo *err);
/* The same for these programs, for the other side of a comparison. */
int mf__cases_of_programs(const struct bench_config *config, const char *const *programs,
                          size_t count, const struct bench_filter *filter,
                          struct mf_signals *signals, struct bench_cases *ret_cases,
                          struct mf_errinfo *err);
void mf__cases_free(struct bench_cases *cases);

/* Whether a file is a benchmark program: an ELF file with the note that mf_bench_main() leaves. 1,
 * 0 or an error of reading it. */
int mf__is_bench_program(const char *path, struct mf_errinfo *err);
/* The same of its first bytes, for tests. */
bool mf__has_bench_note(const unsigned char *bytes, size_t len);

#endif
