/* SPDX-License-Identifier: Apache-2.0
 *
 * profile.h -- `--profile`: after measuring, each benchmark runs once more for each kind of
 * profile.
 *
 *   <target-dir>/<benchmark>/profile/cpu.folded, flamegraph.svg      stacks by CPU time
 *                                    alloc.folded, .svg, .folded.txt  by bytes allocated; places
 *                                    callgrind.out, perfctr.txt, dhat-heap.json, heaptrack.*
 *   <target-dir>/<benchmark>/<baseline>/callgrind.json                counts, for --limit
 *   <target-dir>/../benchmark-<suite>.svg                             CPU time of a whole suite
 */
#ifndef BENCH_PROFILE_H
#define BENCH_PROFILE_H

#include "session.h"

/* Whether --profile and --limit make sense; before anything is measured. */
int mf__profile_check(struct command *command);
/* Profiles what the session has measured. What cannot be had is told once and left out. Returns 0,
 * or an error; session->limit_exceeded is set when a --limit was. */
int mf__session_profile(struct session *session);

/* Folded stacks of the results from earlier profiles, for the page. Freed with
 * mf__profiles_free(). */
int mf__profiles_load(const char *target_dir, const struct bench_run *run,
                      struct bench_profile **ret_profiles, size_t *ret_count,
                      struct mf_errinfo *err);
void mf__profiles_free(struct bench_profile *profiles, size_t count);

/* --- pieces, for tests */

/* What `perf script -F comm,ip,sym` prints as folded stacks, of benchmarks only. */
void mf__perf_fold(const char *text, size_t len, struct mf_buffer *out);

struct callgrind_counts {
    double ir;     /* instructions */
    double cycles; /* estimated: L1 hits + 5 * last-level hits + 35 * memory */
};
/* The totals of a callgrind.out. MF_ESYNTAX when there are none. */
int mf__callgrind_parse(const char *text, size_t len, const char *origin,
                        struct callgrind_counts *ret_counts, struct mf_errinfo *err);
/* "ir=0.5" or "ir=0.5%". */
int mf__limit_parse(const char *text, const char **ret_event, double *ret_fraction,
                    struct mf_errinfo *err);

#endif
