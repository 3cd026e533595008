/* SPDX-License-Identifier: Apache-2.0
 *
 * prop_statistics.c -- the intervals and tests hold what they promise, by simulation: 95 %
 * intervals cover in 94 to 96 %, and tests reject a true null at most as often as they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap.h"
#include "base/rng.h"
#include "fmt/hdr.h"
#include "statistics.h"
#include "test_seed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double normal(struct mf_rng *rng)
{
    const double u = 1 - mf_rng_double(rng);
    const double v = mf_rng_double(rng);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* Timings look like this: a floor and a long tail. */
static double log_normal(struct mf_rng *rng)
{
    return 100 * exp(0.3 * normal(rng));
}

static double around_100(struct mf_rng *rng)
{
    return 100 + normal(rng);
}

static double exponential(struct mf_rng *rng)
{
    return 100 - 10 * log1p(-mf_rng_double(rng));
}

static void assert_share(const char *what, double share, double low, double high)
{
    printf("%s: %.2f %%\n", what, 100 * share);
    if (share < low || share > high) {
        fail_msg("%s is %.2f %%, outside %.2f to %.2f", what, 100 * share, 100 * low, 100 * high);
    }
}

#define SAMPLE_MAX 100

/* How many of `runs` 95 % intervals hold the truth. */
static double coverage(double (*draw)(struct mf_rng *rng), size_t n, enum statistic statistic,
                       double truth, int runs, size_t resamples)
{
    struct mf_rng rng;
    mf_rng_seed(&rng, 20261 + n);
    int in = 0;
    for (int run = 0; run < runs; run++) {
        double values[SAMPLE_MAX];
        struct bench_estimate e;
        for (size_t i = 0; i < n; i++) {
            values[i] = draw(&rng);
        }
        assert_int_equal(mf__bootstrap(values, n, statistic, resamples, 0.95, (uint64_t)run, &e),
                         0);
        assert_true(e.confidence_interval.lower_bound <= e.point_estimate);
        assert_true(e.confidence_interval.upper_bound >= e.point_estimate);
        in += e.confidence_interval.lower_bound <= truth &&
              truth <= e.confidence_interval.upper_bound;
    }
    return in / (double)runs;
}

/* What the figures of a run are decided by: 94 to 96 %, from the 8 processes of a run on. */
static void intervals_cover(void **state)
{
    (void)state;
    const double log_normal_mean = 100 * exp(0.3 * 0.3 / 2);
    assert_share("mean of 8, normal", coverage(around_100, 8, STATISTIC_MEAN, 100, 4000, 400), 0.94,
                 0.96);
    assert_share("mean of 16, log-normal",
                 coverage(log_normal, 16, STATISTIC_MEAN, log_normal_mean, 2500, 400), 0.94, 0.96);
    assert_share("mean of 24, exponential",
                 coverage(exponential, 24, STATISTIC_MEAN, 110, 2000, 400), 0.94, 0.96);
    assert_share("mean of 100, log-normal",
                 coverage(log_normal, 100, STATISTIC_MEAN, log_normal_mean, 1000, 300), 0.94, 0.96);
    assert_share("median of 8, normal", coverage(around_100, 8, STATISTIC_MEDIAN, 100, 4000, 2),
                 0.94, 0.96);
    assert_share("median of 8, exponential",
                 coverage(exponential, 8, STATISTIC_MEDIAN, 100 + 10 * log(2), 4000, 2), 0.94,
                 0.96);
    assert_share("median of 9, log-normal", coverage(log_normal, 9, STATISTIC_MEDIAN, 100, 4000, 2),
                 0.94, 0.96);
    assert_share("median of 100, log-normal",
                 coverage(log_normal, 100, STATISTIC_MEDIAN, 100, 4000, 2), 0.94, 0.96);
}

/* The spreads only describe. */
static void intervals_of_spreads_cover(void **state)
{
    (void)state;
    const double spread = 100 * sqrt((exp(0.09) - 1) * exp(0.09));
    assert_share("standard deviation of 100, normal",
                 coverage(around_100, 100, STATISTIC_STD_DEV, 1, 250, 300), 0.92, 0.97);
    assert_share("standard deviation of 100, log-normal",
                 coverage(log_normal, 100, STATISTIC_STD_DEV, spread, 250, 300), 0.90, 0.96);
    assert_share("MAD of 100, normal",
                 coverage(around_100, 100, STATISTIC_MEDIAN_ABS_DEV, 1, 250, 300), 0.92, 1);
}

/* Samples of d, 2d, ... iterations, each disturbed by a part of its length. */
static void slopes_are_covered(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 20264);
    const int runs = 1000;
    int in = 0;
    const double truth = 100 * exp(0.3 * 0.3 / 2);
    for (int run = 0; run < runs; run++) {
        double x[100];
        double y[100];
        struct bench_estimate e;
        for (int i = 0; i < 100; i++) {
            x[i] = i + 1;
            y[i] = x[i] * log_normal(&rng);
        }
        assert_int_equal(mf__bootstrap_slope(x, y, 100, 300, 0.95, (uint64_t)run, &e), 0);
        in += e.confidence_interval.lower_bound <= truth &&
              truth <= e.confidence_interval.upper_bound;
    }
    assert_share("slope of 100, log-normal", in / (double)runs, 0.94, 0.96);
}

/* Of too few values the range is given, with the level that it has. */
static void few_values_have_their_range(void **state)
{
    (void)state;
    const double values[] = {7, 3, 5, 4};
    struct bench_estimate e;
    for (int statistic = STATISTIC_MEAN; statistic <= STATISTIC_MEDIAN; statistic++) {
        assert_int_equal(mf__bootstrap(values, 4, (enum statistic)statistic, 1000, 0.95, 1, &e), 0);
        assert_true(e.confidence_interval.lower_bound == 3 &&
                    e.confidence_interval.upper_bound == 7 &&
                    e.confidence_interval.confidence_level == 1 - 2.0 / 16);
        assert_int_equal(mf__bootstrap(values, 1, (enum statistic)statistic, 1000, 0.95, 1, &e), 0);
        assert_true(e.confidence_interval.lower_bound == 7 &&
                    e.confidence_interval.upper_bound == 7);
    }
    const double same[] = {2, 2, 2, 2, 2, 2, 2, 2};
    for (int statistic = STATISTIC_MEAN; statistic <= STATISTIC_MEDIAN_ABS_DEV; statistic++) {
        assert_int_equal(mf__bootstrap(same, 8, (enum statistic)statistic, 1000, 0.95, 1, &e), 0);
        assert_true(e.confidence_interval.lower_bound == e.point_estimate &&
                    e.confidence_interval.upper_bound == e.point_estimate);
    }
}

static void quantile_intervals_cover(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 20262);
    const int runs = 4000;
    int in = 0;
    uint64_t low;
    uint64_t high;
    assert_true(mf__quantile_ranks(500, 0.95, 0.95, &low, &high));
    for (int run = 0; run < runs; run++) {
        double values[500];
        for (int i = 0; i < 500; i++) {
            values[i] = mf_rng_double(&rng);
        }
        mf__sort_doubles(values, 500);
        in += values[low - 1] <= 0.95 && 0.95 <= values[high - 1];
    }
    /* Exact intervals cover at least their level; ranks are whole, so somewhat more. */
    assert_share("95 % intervals that hold the 95th percentile", in / (double)runs, 0.945, 0.98);
}

/* Eight processes a side, each with an offset of its own, as on a shared machine. */
static void process_medians(struct mf_rng *rng, double factor, double *medians)
{
    for (int k = 0; k < 8; k++) {
        medians[k] = factor * 100 * (1 + 0.005 * normal(rng));
    }
}

static void tests_keep_their_level(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 20263);
    const int runs = 4000;
    int mann_whitney = 0;
    int sign = 0;
    int shift_in = 0;
    int found = 0;
    for (int run = 0; run < runs; run++) {
        double a[8];
        double b[8];
        double differences[8];
        double scratch[64];
        process_medians(&rng, 1, a);
        process_medians(&rng, 1, b);
        for (int k = 0; k < 8; k++) {
            differences[k] = log(a[k] / b[k]);
        }
        mann_whitney += mf__mann_whitney(a, 8, b, 8) <= 0.05;
        sign += mf__sign_test(differences, 8) <= 0.05;
        double shift;
        struct bench_interval interval;
        assert_true(mf__hodges_lehmann(a, 8, b, 8, 0.95, scratch, &shift, &interval));
        shift_in += interval.lower_bound <= 0 && 0 <= interval.upper_bound;
        process_medians(&rng, 1.02, a);
        found += mf__mann_whitney(a, 8, b, 8) <= 0.05;
    }
    assert_share("Mann-Whitney, false positives at 5 %", mann_whitney / (double)runs, 0.03, 0.055);
    assert_share("sign test, false positives at 5 %", sign / (double)runs, 0.0, 0.05);
    assert_share("95 % intervals that hold the shift", shift_in / (double)runs, 0.94, 0.97);
    assert_share("+2 % found with 8 processes", found / (double)runs, 0.9, 1);
}

static int compare_u64(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void hdr_agrees_with_sorting(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    const size_t n = 20000;
    uint64_t *values = malloc(n * sizeof *values);
    struct mf_hdr *hdr = mf_hdr_new();
    struct mf_hdr *half = mf_hdr_new();
    for (size_t i = 0; i < n; i++) {
        values[i] = (uint64_t)exp(mf_rng_double(&rng) * log(3.6e12));
        mf_hdr_add(i % 2 == 0 ? hdr : half, values[i]);
    }
    mf_hdr_merge(hdr, half);
    qsort(values, n, sizeof *values, compare_u64);
    for (int i = 0; i <= 1000; i++) {
        const double fraction = i / 1000.0;
        const size_t rank = (size_t)fmax(1, ceil(fraction * (double)n * (1 - 1e-14)));
        const double truth = (double)values[rank - 1];
        const double got = (double)mf_hdr_quantile(hdr, fraction);
        if (got < truth || got > truth * (1 + 1.0 / 1024) + 1) {
            fail_msg("quantile %g: %g, not %g", fraction, got, truth);
        }
    }
    assert_int_equal(mf_hdr_quantile(hdr, 1), values[n - 1]);
    for (size_t i = 0; i < MF_HDR_BUCKETS; i++) {
        if (mf_hdr_highest(i) <= MF_HDR_VALUE_MAX) {
            assert_int_equal(mf_hdr_index(mf_hdr_lowest(i)), i);
            assert_int_equal(mf_hdr_index(mf_hdr_highest(i)), i);
        }
    }
    mf_free(hdr);
    mf_free(half);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_cover),          cmocka_unit_test(intervals_of_spreads_cover),
        cmocka_unit_test(slopes_are_covered),       cmocka_unit_test(few_values_have_their_range),
        cmocka_unit_test(quantile_intervals_cover), cmocka_unit_test(tests_keep_their_level),
        cmocka_unit_test(hdr_agrees_with_sorting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
