/* SPDX-License-Identifier: Apache-2.0
 *
 * test_statistics.c -- the laboratory's statistics against values that are known: worked by hand,
 * from tables in print, or by counting all cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "statistics.h"

#include <math.h>

#define assert_near(a, b, tolerance)                                                               \
    do {                                                                                           \
        const double a_ = (a);                                                                     \
        const double b_ = (b);                                                                     \
        if (!(fabs(a_ - b_) <= (tolerance))) {                                                     \
            fail_msg("%s is %.12g, not %.12g", #a, a_, b_);                                        \
        }                                                                                          \
    } while (0)

static void descriptions(void **state)
{
    (void)state;
    const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    double scratch[8];
    assert_near(mf__mean(values, 8), 5, 0);
    assert_near(mf__std_dev(values, 8), sqrt(32.0 / 7), 1e-12);
    assert_near(mf__median(values, 8, scratch), 4.5, 0);
    assert_near(mf__median_abs_dev(values, 8, scratch), 1.4826 * 0.5, 1e-12);
    /* R: quantile(c(1, 2, 3, 4), c(0.25, 0.9)) is 1.75, 3.7 */
    const double four[] = {1, 2, 3, 4};
    assert_near(mf__quantile_sorted(four, 4, 0.25), 1.75, 1e-12);
    assert_near(mf__quantile_sorted(four, 4, 0.9), 3.7, 1e-12);
    assert_near(mf__quantile_sorted(four, 4, 1), 4, 0);
    /* A large common part must not eat the variance. */
    const double shifted[] = {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16};
    assert_near(mf__std_dev(shifted, 4), sqrt(30.0), 1e-9);
}

static void outliers_are_labelled(void **state)
{
    (void)state;
    const double sorted[] = {-100, -12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 22, 100};
    const struct bench_outliers outliers = mf__outliers(sorted, 13);
    /* Quartiles 2 and 8: fences at -7, -16, 17, 26. */
    assert_int_equal(outliers.low_severe, 1);
    assert_int_equal(outliers.low_mild, 1);
    assert_int_equal(outliers.high_mild, 1);
    assert_int_equal(outliers.high_severe, 1);
    assert_int_equal(outliers.total, 4);
}

static void regression(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4};
    const double exact[] = {3, 6, 9, 12};
    const double noisy[] = {3, 5, 10, 12};
    double slope;
    double r_squared;
    mf__slope_through_origin(x, exact, 4, &slope, &r_squared);
    assert_near(slope, 3, 1e-12);
    assert_near(r_squared, 1, 1e-12);
    mf__slope_through_origin(x, noisy, 4, &slope, &r_squared);
    assert_near(slope, 91.0 / 30, 1e-12);
    const double residual = 278 - 91.0 * 91 / 30;
    assert_near(r_squared, 1 - residual / 53, 1e-12);
    double scratch[6];
    assert_near(mf__theil_sen(x, exact, 4, scratch), 3, 1e-12);
    const double one_wrong[] = {3, 6, 9, 9}; /* slopes 3 3 3 2 1.5 0: the median of six */
    assert_near(mf__theil_sen(x, one_wrong, 4, scratch), 2.5, 1e-12);
}

static void smallest_samples_for_quantiles(void **state)
{
    (void)state;
    assert_int_equal(mf__quantile_n_needed(0.5, 0.95), 6);
    assert_int_equal(mf__quantile_n_needed(0.95, 0.95), 72);
    assert_int_equal(mf__quantile_n_needed(0.99, 0.95), 368);
    assert_int_equal(mf__quantile_n_needed(0.999, 0.95), 3688);
    uint64_t low;
    uint64_t high;
    assert_false(mf__quantile_ranks(5, 0.5, 0.95, &low, &high));
    assert_true(mf__quantile_ranks(6, 0.5, 0.95, &low, &high));
    assert_int_equal(low, 1);
    assert_int_equal(high, 6);
    /* Tables of the sign test: n = 20, 95 %: the 6th and the 15th value. */
    assert_true(mf__quantile_ranks(20, 0.5, 0.95, &low, &high));
    assert_int_equal(low, 6);
    assert_int_equal(high, 15);
    assert_true(mf__quantile_ranks(72, 0.95, 0.95, &low, &high));
    assert_int_equal(high, 72);
    assert_true(mf__quantile_ranks(100000, 0.99, 0.95, &low, &high));
    assert_in_range(low, 98930, 98940);
    assert_in_range(high, 99060, 99070);
}

static void mann_whitney_exact(void **state)
{
    (void)state;
    /* The smallest two-sided p is 2 / C(2K, K). */
    const double low[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const double high[] = {11, 12, 13, 14, 15, 16, 17, 18};
    assert_near(mf__mann_whitney(low, 3, high, 3), 0.1, 1e-12);
    assert_near(mf__mann_whitney(low, 5, high, 5), 2.0 / 252, 1e-12);
    assert_near(mf__mann_whitney(high, 8, low, 8), 2.0 / 12870, 1e-12);
    /* R: wilcox.test(c(1.1,2.2,3.3,4.4), c(2.5,3.5,4.5,5.5,6.5)) : W = 3, p = 0.1111 */
    const double a[] = {1.1, 2.2, 3.3, 4.4};
    const double b[] = {2.5, 3.5, 4.5, 5.5, 6.5};
    assert_near(mf__mann_whitney(a, 4, b, 5), 14.0 / 126, 1e-12);
    /* All equal: no evidence. */
    const double same[] = {3, 3, 3, 3};
    assert_near(mf__mann_whitney(same, 4, same, 4), 1, 1e-12);
    /* Ties, counted by hand: ranks 1, 2.5 | 2.5, 4; of the 6 choices of two, sums are 3.5 3.5 5
     * 5 6.5 6.5. */
    const double tied_a[] = {1, 2};
    const double tied_b[] = {2, 3};
    assert_near(mf__mann_whitney(tied_a, 2, tied_b, 2), 4.0 / 6, 1e-12);
    assert_true(isnan(mf__mann_whitney(a, 0, b, 5)));
}

static void shift_with_interval(void **state)
{
    (void)state;
    const double a[] = {11, 12, 13, 14, 15, 16, 17, 18};
    const double b[] = {1, 2, 3, 4, 5, 6, 7, 8};
    double scratch[64];
    double shift;
    struct bench_interval interval;
    assert_true(mf__hodges_lehmann(a, 8, b, 8, 0.95, scratch, &shift, &interval));
    assert_near(shift, 10, 1e-12);
    /* The critical value of U for 8 and 8 at 0.05 is 13: 14 differences lie outside on either side.
     */
    double differences[64];
    for (int i = 0; i < 64; i++) {
        differences[i] = a[i / 8] - b[i % 8];
    }
    mf__sort_doubles(differences, 64);
    assert_near(interval.lower_bound, differences[13], 0);
    assert_near(interval.upper_bound, differences[50], 0);
    assert_false(mf__hodges_lehmann(a, 3, b, 3, 0.95, scratch, &shift, &interval));
}

static void signs(void **state)
{
    (void)state;
    const double up[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const double mixed[] = {-1, 2, -3, 4, -5, 6, -7, 8};
    const double one_down[] = {1, 2, 3, -4, 5, 6, 7, 8, 0};
    double scratch[9];
    assert_near(mf__sign_test(up, 8), 2.0 / 256, 1e-12);
    assert_near(mf__sign_test(mixed, 8), 1, 1e-12);
    assert_near(mf__sign_test(one_down, 9), 2.0 * 9 / 256, 1e-12);
    assert_near(mf__sign_test(up, 0), 1, 0);
    struct bench_interval interval;
    assert_true(mf__sign_interval(up, 8, 0.95, scratch, &interval));
    assert_near(interval.lower_bound, 1, 0);
    assert_near(interval.upper_bound, 8, 0);
    assert_false(mf__sign_interval(up, 5, 0.95, scratch, &interval));
}

static void signed_ranks(void **state)
{
    (void)state;
    const double up[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const double two_down[] = {-1, -2, 3, 4, 5, 6, 7, 8};    /* W = 3 */
    const double ten[] = {-1, -2, -5, 3, 4, 6, 7, 8, 9, 10}; /* W = 8 */
    const double tied[] = {1, 1, 1, -1};
    double scratch[64];
    double shift = 0;
    struct bench_interval interval;
    assert_near(mf__signed_rank(up, 8), 2.0 / 256, 1e-12);
    assert_near(mf__signed_rank(two_down, 8), 2.0 * 5 / 256, 1e-12);
    assert_near(mf__signed_rank(ten, 10), 2.0 * 25 / 1024, 1e-12); /* tables: 0.0488 */
    assert_near(mf__signed_rank(tied, 4), 2.0 * 5 / 16, 1e-12);    /* as the sign test */
    assert_near(mf__signed_rank(up, 0), 1, 0);
    /* n = 8 at 95 %: the 4th of the 36 means from either end. */
    assert_true(mf__signed_rank_interval(up, 8, 0.95, scratch, &shift, &interval));
    assert_near(shift, 4.5, 1e-12);
    assert_near(interval.lower_bound, 2, 1e-12); /* 1 1.5 2 2 .. */
    assert_near(interval.upper_bound, 7, 1e-12);
    assert_false(mf__signed_rank_interval(up, 5, 0.95, scratch, &shift, &interval));
    assert_near(shift, 3, 1e-12);
}

static void holm(void **state)
{
    (void)state;
    double p[] = {0.01, 0.04, NAN, 0.03, 0.005};
    assert_int_equal(mf__holm(p, 5), 0);
    assert_near(p[4], 0.02, 1e-12);
    assert_near(p[0], 0.03, 1e-12);
    assert_near(p[3], 0.06, 1e-12);
    assert_near(p[1], 0.06, 1e-12);
    assert_true(isnan(p[2]));
}

static void change_points(void **state)
{
    (void)state;
    double values[60];
    for (int i = 0; i < 60; i++) {
        values[i] = (i < 25 ? 100 : i < 45 ? 110 : 105) + (i * 7 % 5) * 0.2;
    }
    size_t indices[8];
    assert_int_equal(mf__change_points(values, 60, 20, 4, 0.01, indices, 8), 2);
    assert_int_equal(indices[0], 25);
    assert_int_equal(indices[1], 45);
    for (int i = 0; i < 60; i++) {
        values[i] = 100 + (i * 7 % 5) * 0.2;
    }
    assert_int_equal(mf__change_points(values, 60, 20, 4, 0.01, indices, 8), 0);
}

static void density_is_one_in_all(void **state)
{
    (void)state;
    double values[200];
    for (int i = 0; i < 200; i++) {
        values[i] = 50 + 10 * sin(i);
    }
    mf__sort_doubles(values, 200);
    double density[501];
    mf__density(values, 200, 0, 100, 501, density);
    double area = 0;
    for (int i = 0; i < 500; i++) {
        area += (density[i] + density[i + 1]) / 2 * 0.2;
    }
    assert_near(area, 1, 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptions),
        cmocka_unit_test(outliers_are_labelled),
        cmocka_unit_test(regression),
        cmocka_unit_test(smallest_samples_for_quantiles),
        cmocka_unit_test(mann_whitney_exact),
        cmocka_unit_test(shift_with_interval),
        cmocka_unit_test(signs),
        cmocka_unit_test(signed_ranks),
        cmocka_unit_test(holm),
        cmocka_unit_test(change_points),
        cmocka_unit_test(density_is_one_in_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
