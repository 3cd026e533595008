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

static void assert_share(const char *what, double share, double low, double high)
{
    printf("%s: %.2f %%\n", what, 100 * share);
    if (share < low || share > high) {
        fail_msg("%s is %.2f %%, outside %.2f to %.2f", what, 100 * share, 100 * low, 100 * high);
    }
}

static void bootstrap_covers(void **state)
{
    (void)state;
    const int runs = 1200;
    int mean_in = 0;
    int median_in = 0;
    struct mf_rng rng;
    mf_rng_seed(&rng, 20261);
    const double true_mean = 100 * exp(0.3 * 0.3 / 2);
    for (int run = 0; run < runs; run++) {
        double values[100];
        for (int i = 0; i < 100; i++) {
            values[i] = log_normal(&rng);
        }
        struct bench_estimate e;
        assert_int_equal(mf__bootstrap(values, 100, STATISTIC_MEAN, 500, 0.95, (uint64_t)run, &e),
                         0);
        mean_in += e.confidence_interval.lower_bound <= true_mean &&
                   true_mean <= e.confidence_interval.upper_bound;
        assert_int_equal(mf__bootstrap(values, 100, STATISTIC_MEDIAN, 500, 0.95, (uint64_t)run, &e),
                         0);
        median_in +=
            e.confidence_interval.lower_bound <= 100 && 100 <= e.confidence_interval.upper_bound;
    }
    assert_share("95 % bootstrap intervals that hold the mean", mean_in / (double)runs, 0.93, 0.96);
    assert_share("95 % bootstrap intervals that hold the median", median_in / (double)runs, 0.935,
                 0.965);
}

static void quantile_intervals_cover(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 20262);
    const int runs = 4000;
    int in = 0;
    for (int run = 0; run < runs; run++) {
        double values[500];
        for (int i = 0; i < 500; i++) {
            values[i] = mf_rng_double(&rng);
        }
        mf__sort_doubles(values, 500);
        uint64_t low;
        uint64_t high;
        assert_true(mf__quantile_ranks(500, 0.95, 0.95, &low, &high));
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
        cmocka_unit_test(bootstrap_covers),
        cmocka_unit_test(quantile_intervals_cover),
        cmocka_unit_test(tests_keep_their_level),
        cmocka_unit_test(hdr_agrees_with_sorting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
