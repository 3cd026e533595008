/* SPDX-License-Identifier: Apache-2.0
 *
 * verdicts.h -- whether what is measured now differs from what was measured before, or beside it.
 */
#ifndef BENCH_VERDICTS_H
#define BENCH_VERDICTS_H

#include "config.h"
#include "model.h"

struct compare_settings {
    bool interleaved;            /* processes of the same index are pairs */
    double threshold_fraction;   /* a change of less does not count */
    double noise_floor_fraction; /* of the machine; NaN: only what the samples themselves say */
    double confidence_level;
    double significance_level; /* after Holm's correction over all benchmarks */
};

/* The settings of a configuration for one of the two kinds of comparison. */
void mf__compare_settings(const struct bench_config *config, bool interleaved,
                          struct compare_settings *ret_settings);

/* One comparison for each result of `now`, in its order, with the result of the same name of
 * `before`; *ret_comparisons is freed with mf_free(). 0 or -ENOMEM. */
int mf__compare(const struct bench_run *now, const struct bench_run *before,
                const struct compare_settings *settings, struct bench_comparison **ret_comparisons,
                struct mf_errinfo *err);

/* What the noise allows to say of one: from its ratio, interval and adjusted p. */
enum bench_verdict mf__verdict(const struct bench_comparison *comparison,
                               double significance_level);

/* For each pair of processes (those of the same index) ln of how much longer an iteration takes
 * now. Returns how many there are; scratch: VERDICT_SCRATCH_LEN values. */
#define VERDICT_SCRATCH_LEN 8192
size_t mf__pair_figures(const struct bench_result *now, const struct bench_result *before,
                        double *ret_logs, size_t max, double *scratch);

/* So many pairs that a difference without exception remains significant among `benchmarks` of them.
 */
unsigned mf__compare_pairs(size_t benchmarks, double significance_level);

/* --- targets */

struct bench_check;
/* The figures that targets speak of: "median_ns", "mean_ns", "p99_ns" (any reported percentile),
 * "maximum_ns", "iterations_per_second", "elements_per_second", "bytes_per_second", resources,
 * counters. NaN when this result has none of that name. */
double mf__metric(const struct bench_result *result, const char *name);
/* *ret_checks is freed with mf_free(): one for each target and each benchmark that it is about. */
int mf__check_targets(const struct bench_run *run, const struct bench_config *config,
                      struct bench_check **ret_checks, size_t *ret_count, struct mf_errinfo *err);

/* --- the exit code */

/* Of a failed benchmark, a regression or a critical target, an inconclusive or absent comparison:
 * the first that there is. */
enum bench_exit mf__gate(const struct bench_run *run, const struct bench_comparison *comparisons,
                         size_t comparison_count, const struct bench_check *checks,
                         size_t check_count, bool lenient);

#endif
