/* SPDX-License-Identifier: Apache-2.0
 *
 * statistics.h -- estimates with intervals, and tests, for timings. No distribution is assumed
 * anywhere. Values are finite doubles; n is stated where too few are refused. Random choices come
 * from a seed.
 */
#ifndef BENCH_STATISTICS_H
#define BENCH_STATISTICS_H

#include "model.h"

#define STATISTICS_RESAMPLES 100000

/* --- descriptions */

void mf__sort_doubles(double *values, size_t n);
double mf__mean(const double *values, size_t n);
double mf__std_dev(const double *values, size_t n); /* n - 1 in the denominator; 0 for n < 2 */
/* Rank fraction * (n - 1) with linear interpolation (R's type 7). n >= 1. */
double mf__quantile_sorted(const double *sorted, size_t n, double fraction);
double mf__median(const double *values, size_t n, double *scratch_n);
/* Median of the distances from the median, times 1.4826 (which makes it the standard deviation of
 * normal data). */
double mf__median_abs_dev(const double *values, size_t n, double *scratch_n);
/* Tukey's fences: beyond 1.5 (mild) and 3 (severe) interquartile ranges. Labels, never drops. */
struct bench_outliers mf__outliers(const double *sorted, size_t n);
/* Least squares through the origin: slope = sum(xy) / sum(xx); R^2 = 1 - sum((y - slope x)^2) /
 * sum((y - mean y)^2). */
void mf__slope_through_origin(const double *x, const double *y, size_t n, double *ret_slope,
                              double *ret_r_squared);
/* Median of the slopes of all pairs (Theil 1950, Sen 1968), against x. n >= 2; scratch: n (n - 1)
 * / 2. */
double mf__theil_sen(const double *x, const double *y, size_t n, double *scratch);

/* ---- intervals by bootstrap: `resamples` draws of n of n with replacement ---- */

enum statistic { STATISTIC_MEAN, STATISTIC_MEDIAN, STATISTIC_STD_DEV, STATISTIC_MEDIAN_ABS_DEV };

/* 0 or -ENOMEM. Which interval for which statistic: statistics.c. With n == 1 it is the point;
 * where n is too small for `level`, the interval's own confidence_level is what it has. */
int mf__bootstrap(const double *values, size_t n, enum statistic statistic, size_t resamples,
                  double level, uint64_t seed, struct bench_estimate *ret_estimate);
int mf__bootstrap_slope(const double *x, const double *y, size_t n, size_t resamples, double level,
                        uint64_t seed, struct bench_estimate *ret_estimate);

/* --- intervals without any assumption, for a quantile */

/* For the median of the distribution that the sorted values come from, with interpolation between
 * order statistics, so that its level is nearly `level` and not the next one that ranks have.
 * Hettmansperger and Sheather, Statistics & Probability Letters 4 (1986). False when n is too
 * small.
 */
bool mf__median_interval(const double *sorted, size_t n, double level,
                         struct bench_interval *ret_interval);

/* Smallest n for which such an interval exists at this level: ceil(ln((1 - level) / 2) / ln(max(p,
 * 1 - p))). */
uint64_t mf__quantile_n_needed(double fraction, double level);
/* 1-based ranks of the interval's ends among n sorted values, from the binomial distribution (exact
 * below n = 1000, normal above). False when n is too small. */
bool mf__quantile_ranks(uint64_t n, double fraction, double level, uint64_t *ret_low,
                        uint64_t *ret_high);

/* --- tests */

/* Mann-Whitney, two-sided, exact with ties (the permutation distribution of the rank sum). n1 + n2
 * <= 64; NaN beyond that, or when either is empty. */
double mf__mann_whitney(const double *a, size_t n1, const double *b, size_t n2);
/* The estimate and interval of the shift a - b that belongs to it (Hodges and Lehmann 1963): the
 * median and two order statistics of all differences. scratch: n1 * n2. False when the level cannot
 * be had. */
bool mf__hodges_lehmann(const double *a, size_t n1, const double *b, size_t n2, double level,
                        double *scratch, double *ret_shift, struct bench_interval *ret_interval);
/* Sign test, two-sided, exact; zero differences are left out. */
double mf__sign_test(const double *differences, size_t n);
/* The interval for the median difference that belongs to it. False when n is too small (< 6 at 95
 * %). */
bool mf__sign_interval(const double *differences, size_t n, double level, double *scratch_n,
                       struct bench_interval *ret_interval);
/* Wilcoxon's signed-rank test of paired differences, two-sided, exact with ties; zero differences
 * are left out. n <= 64, NaN beyond. Sharper than the sign test where differences lie symmetrically
 * around their middle, as those of pairs do whose members could be exchanged. */
double mf__signed_rank(const double *differences, size_t n);
/* The estimate and interval of the difference that belong to it (Hodges and Lehmann 1963): median
 * and order statistics of the means of all pairs of differences. scratch: n (n + 1) / 2. The
 * interval is false when n is too small (< 6 at 95 %); the estimate is given for every n >= 1. */
bool mf__signed_rank_interval(const double *differences, size_t n, double level, double *scratch,
                              double *ret_shift, struct bench_interval *ret_interval);

/* Holm's adjustment (1979), in place: reject where the adjusted p is below alpha. NaN stays NaN. */
int mf__holm(double *p_values, size_t n);

/* --- trends and shapes */

/* Indices at which the level of a series changed: the medians of up to `window` values before and
 * behind differ by more than `factor` of the pooled median absolute deviation and by more than
 * min_fraction. Returns how many were written (at most max). */
size_t mf__change_points(const double *values, size_t n, size_t window, double factor,
                         double min_fraction, size_t *ret_indices, size_t max);
/* Gaussian kernel density with Silverman's bandwidth, at `points` places evenly over [low, high].
 */
void mf__density(const double *sorted, size_t n, double low, double high, size_t points,
                 double *ret_density);

#endif
