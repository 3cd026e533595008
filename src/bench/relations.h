/* SPDX-License-Identifier: Apache-2.0
 *
 * relations.h -- what the results of a run are to each other: one that another is put in relation
 * to, several of one benchmark with different parameters or threads.
 */
#ifndef BENCH_RELATIONS_H
#define BENCH_RELATIONS_H

#include "model.h"

/* Whether it has figures: neither failed, nor skipped, nor run as a test only. */
bool mf__is_measured(const struct bench_result *result);
/* The length of the name without parameter and threads. */
size_t mf__base_len(const struct bench_result *result);
/* The parameter and threads of a name, "bytes:64/threads:2"; "" without. Within result->name. */
const char *mf__variant(const struct bench_result *result);
const struct bench_result *mf__find_result(const struct bench_run *run, const char *name);
/* The result that this one has named by ratio_to: of that name, or of that benchmark with the same
 * parameter and threads. NULL: none, or without figures. */
const struct bench_result *mf__reference_of(const struct bench_run *run,
                                            const struct bench_result *result);
/* The one with the smallest parameter and fewest threads among those of one benchmark; the result
 * itself when it is alone. */
const struct bench_result *mf__first_of_series(const struct bench_run *run,
                                               const struct bench_result *result);
/* How much longer than its reference it takes, in percent; NaN without one. */
double mf__overhead_pct(const struct bench_run *run, const struct bench_result *result);

/* Sorts by name, numbers in it by their value. */
void mf__sort_results(struct bench_run *run);
int mf__compare_names(const char *a, const char *b);

#endif
