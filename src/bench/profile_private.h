/* SPDX-License-Identifier: Apache-2.0
 * profile_private.h -- what the kinds of profiles share. */
#ifndef BENCH_PROFILE_PRIVATE_H
#define BENCH_PROFILE_PRIVATE_H

#include "profile.h"

#include "launch.h"

struct profile_job {
    struct session *session;
    const struct bench_case *one;
    const struct bench_result *result;
    char *directory;                   /* of the benchmark */
    char *into;                        /* directory + "/profile" */
    bool no_counters, counters_absent; /* of the processor, at all; that was said already */
    bool perf, no_perf;                /* what is known of perf so far; kept from job to job */
    struct mf_buffer *suite_stacks;    /* of CPU time, with the benchmark's name before each */
};

typedef int profile_function(struct profile_job *job);
profile_function mf__profile_cpu, mf__profile_callgrind;

/* Runs the benchmark in a process of its own with a profiler ("" none) and under another program
 * (NULL: none). *ret_measured is freed by the caller. */
int mf__profile_run(struct profile_job *job, const char *profiler, const char *output,
                    const char *const *prefix, uint64_t iterations,
                    struct bench_measured *ret_measured, struct mf_errinfo *err);
/* "DIRECTORY/NAME"; NULL when memory is out. */
char *mf__profile_path(const struct profile_job *job, const char *name);
/* Draws a file of folded stacks; the text is returned too, when wanted. */
int mf__profile_draw(struct profile_job *job, const char *folded_path, const char *svg_path,
                     const char *title, const char *unit, char **ret_folded);

#endif
