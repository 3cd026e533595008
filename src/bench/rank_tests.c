/* SPDX-License-Identifier: Apache-2.0
 * rank_tests.c -- exact tests on ranks and signs, and the intervals that belong to them. */
#include "statistics.h"

#include "base/heap.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define RANKED_MAX       64
#define BINOMIAL_EXACT_N 1000

/* --- quantiles */

/* P(Binomial(n, p) <= k), summed from logarithms, so that nothing underflows. */
static double binomial_at_most(uint64_t n, double p, int64_t k)
{
    if (k < 0) {
        return 0;
    }
    if ((uint64_t)k >= n) {
        return 1;
    }
    double log_term = (double)n * log1p(-p); /* of i = 0 */
    double sum = exp(log_term);
    for (int64_t i = 1; i <= k; i++) {
        log_term += log((double)(n - (uint64_t)i + 1) / (double)i) + log(p) - log1p(-p);
        sum += exp(log_term);
    }
    return sum < 1 ? sum : 1;
}

/* The quantile of the standard normal distribution, by bisection on erfc: exact enough, never hot.
 */
static double normal_quantile(double probability)
{
    double low = -40;
    double high = 40;
    for (int i = 0; i < 200; i++) {
        const double middle = (low + high) / 2;
        if (0.5 * erfc(-middle / sqrt(2)) < probability) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (low + high) / 2;
}

uint64_t mf__quantile_n_needed(double fraction, double level)
{
    const double further = fraction > 0.5 ? fraction : 1 - fraction;
    return (uint64_t)ceil(log((1 - level) / 2) / log(further));
}

bool mf__quantile_ranks(uint64_t n, double fraction, double level, uint64_t *ret_low,
                        uint64_t *ret_high)
{
    if (!(fraction > 0 && fraction < 1) || n < mf__quantile_n_needed(fraction, level)) {
        return false;
    }
    const double tail = (1 - level) / 2;
    if (n >= BINOMIAL_EXACT_N) {
        const double z = normal_quantile(1 - tail);
        const double middle = (double)n * fraction;
        const double reach = z * sqrt((double)n * fraction * (1 - fraction));
        const double low = floor(middle - reach);
        const double high = ceil(middle + reach) + 1;
        *ret_low = low < 1 ? 1 : (uint64_t)low;
        *ret_high = high > (double)n ? n : (uint64_t)high;
        return true;
    }
    /* The lower end is below the quantile unless fewer than `low` values are: P(B <= low - 1) <=
     * tail. */
    uint64_t low = 1;
    while (low < n && binomial_at_most(n, fraction, (int64_t)low) <= tail) {
        low++;
    }
    uint64_t high = n;
    while (high > 1 && 1 - binomial_at_most(n, fraction, (int64_t)high - 2) <= tail) {
        high--;
    }
    *ret_low = low;
    *ret_high = high;
    return true;
}

bool mf__median_interval(const double *sorted, size_t n, double level,
                         struct bench_interval *ret_interval)
{
    /* [rank k, rank n + 1 - k] has the level 1 - 2 P(B < k): the largest k for which that is
     * enough.
     */
    size_t k = 0;
    double wide = 1; /* level of the interval with k */
    double narrow = 1 - 2 * binomial_at_most(n, 0.5, 0);
    while (2 * (k + 2) <= n && narrow >= level) {
        k++;
        wide = narrow;
        narrow = 1 - 2 * binomial_at_most(n, 0.5, (int64_t)k);
    }
    if (k == 0) {
        return false;
    }
    const double part = fmin((wide - level) / (wide - narrow), 1);
    const double m = (double)n;
    const double weight = (m - (double)k) * part / ((double)k + (m - 2 * (double)k) * part);
    *ret_interval = (struct bench_interval){
        .confidence_level = level,
        .lower_bound = (1 - weight) * sorted[k - 1] + weight * sorted[k],
        .upper_bound = (1 - weight) * sorted[n - k] + weight * sorted[n - k - 1],
    };
    return true;
}

/* --- Mann-Whitney */

/* Twice the midranks of the pooled values, so that they are whole numbers; those of `a` first. */
static void double_ranks(const double *a, size_t n1, const double *b, size_t n2, uint32_t *ranks)
{
    const size_t n = n1 + n2;
    for (size_t i = 0; i < n; i++) {
        const double value = i < n1 ? a[i] : b[i - n1];
        uint32_t below = 0;
        uint32_t equal = 0;
        for (size_t k = 0; k < n; k++) {
            const double other = k < n1 ? a[k] : b[k - n1];
            below += other < value;
            equal += other == value;
        }
        ranks[i] = 2 * below + equal + 1;
    }
}

double mf__mann_whitney(const double *a, size_t n1, const double *b, size_t n2)
{
    const size_t n = n1 + n2;
    if (n1 == 0 || n2 == 0 || n > RANKED_MAX) {
        return NAN;
    }
    uint32_t ranks[RANKED_MAX];
    double_ranks(a, n1, b, n2, ranks);
    uint32_t observed = 0;
    uint32_t total = 0;
    for (size_t i = 0; i < n; i++) {
        observed += i < n1 ? ranks[i] : 0;
        total += ranks[i];
    }
    /* ways[k][s]: in how many ways k of the ranks have the sum s. */
    const size_t sums = (size_t)total + 1;
    double *ways = mf_calloc((n1 + 1) * sums, sizeof *ways);
    if (ways == NULL) {
        return NAN;
    }
    ways[0] = 1;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1 < n1 ? i + 1 : n1; k >= 1; k--) {
            for (size_t s = sums; s-- > ranks[i];) {
                ways[k * sums + s] += ways[(k - 1) * sums + s - ranks[i]];
            }
        }
    }
    /* Two-sided: everything at least as far from the expected sum. */
    const double expected = (double)total * (double)n1 / (double)n;
    const double distance = fabs((double)observed - expected);
    double all = 0;
    double extreme = 0;
    for (size_t s = 0; s < sums; s++) {
        const double count = ways[n1 * sums + s];
        all += count;
        if (fabs((double)s - expected) >= distance - 1e-9) {
            extreme += count;
        }
    }
    mf_free(ways);
    return extreme / all;
}

/* P(U <= u) for samples without ties, as counts of ways over all; u counts pairs with a > b. */
static double u_at_most(size_t n1, size_t n2, size_t u, bool *ret_ok)
{
    const size_t pairs = n1 * n2;
    double *ways = mf_calloc((n1 + 1) * (pairs + 1), sizeof *ways);
    *ret_ok = ways != NULL;
    if (ways == NULL) {
        return NAN;
    }
    /* After the i-th element of b was placed among k of a. The distribution of rank sums less its
     * minimum: choose n1 of n1 + n2 ranks. */
    ways[0] = 1;
    for (size_t rank = 0; rank < n1 + n2; rank++) {
        for (size_t k = rank + 1 < n1 ? rank + 1 : n1; k >= 1; k--) {
            const size_t step = rank - (k - 1); /* how many of b lie below the k-th of a */
            for (size_t s = pairs + 1; s-- > step;) {
                if (step <= n2) {
                    ways[k * (pairs + 1) + s] += ways[(k - 1) * (pairs + 1) + s - step];
                }
            }
        }
    }
    double all = 0;
    double most = 0;
    for (size_t s = 0; s <= pairs; s++) {
        all += ways[n1 * (pairs + 1) + s];
        most += s <= u ? ways[n1 * (pairs + 1) + s] : 0;
    }
    mf_free(ways);
    return most / all;
}

bool mf__hodges_lehmann(const double *a, size_t n1, const double *b, size_t n2, double level,
                        double *scratch, double *ret_shift, struct bench_interval *ret_interval)
{
    if (n1 == 0 || n2 == 0 || n1 + n2 > RANKED_MAX) {
        return false;
    }
    const size_t pairs = n1 * n2;
    for (size_t i = 0; i < n1; i++) {
        for (size_t k = 0; k < n2; k++) {
            scratch[i * n2 + k] = a[i] - b[k];
        }
    }
    mf__sort_doubles(scratch, pairs);
    *ret_shift = mf__quantile_sorted(scratch, pairs, 0.5);
    const double tail = (1 - level) / 2;
    /* The largest count of differences that may lie outside on one side. */
    size_t outside = 0;
    bool ok = true;
    while (ok && outside < pairs / 2 && u_at_most(n1, n2, outside, &ok) <= tail) {
        outside++;
    }
    if (!ok || outside == 0) {
        return false;
    }
    *ret_interval = (struct bench_interval){level, scratch[outside - 1], scratch[pairs - outside]};
    return true;
}

/* --- signs */

double mf__sign_test(const double *differences, size_t n)
{
    uint64_t positive = 0;
    uint64_t negative = 0;
    for (size_t i = 0; i < n; i++) {
        positive += differences[i] > 0;
        negative += differences[i] < 0;
    }
    const uint64_t fewer = positive < negative ? positive : negative;
    const double p = 2 * binomial_at_most(positive + negative, 0.5, (int64_t)fewer);
    return positive + negative == 0 || p > 1 ? 1 : p;
}

bool mf__sign_interval(const double *differences, size_t n, double level, double *scratch_n,
                       struct bench_interval *ret_interval)
{
    uint64_t low;
    uint64_t high;
    if (!mf__quantile_ranks(n, 0.5, level, &low, &high)) {
        return false;
    }
    memcpy(scratch_n, differences, n * sizeof *scratch_n);
    mf__sort_doubles(scratch_n, n);
    *ret_interval = (struct bench_interval){level, scratch_n[low - 1], scratch_n[high - 1]};
    return true;
}

/* --- signed ranks */

#define SIGNED_SUM_MAX (RANKED_MAX * (RANKED_MAX + 1)) /* of all ranks, doubled */

/* Of all 2^n ways to give signs to these doubled ranks, the part whose positive ones sum to at most
 * `sum`. */
static double signed_at_most(const unsigned *doubled_ranks, size_t n, unsigned sum)
{
    double ways[SIGNED_SUM_MAX + 1] = {1};
    unsigned highest = 0;
    for (size_t i = 0; i < n; i++) {
        highest += doubled_ranks[i];
        for (unsigned s = highest; s >= doubled_ranks[i]; s--) {
            ways[s] += ways[s - doubled_ranks[i]];
        }
    }
    double total = 0;
    for (unsigned s = 0; s <= sum && s <= highest; s++) {
        total += ways[s];
    }
    return ldexp(total, -(int)n);
}

double mf__signed_rank(const double *differences, size_t n)
{
    unsigned ranks[RANKED_MAX] = {0};
    double values[RANKED_MAX];
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (differences[i] != 0 && count == RANKED_MAX) {
            return NAN;
        }
        if (differences[i] != 0) {
            values[count++] = differences[i];
        }
    }
    unsigned positive = 0;
    unsigned negative = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned below = 0;
        unsigned same = 0;
        for (size_t k = 0; k < count; k++) {
            below += fabs(values[k]) < fabs(values[i]);
            same += fabs(values[k]) == fabs(values[i]);
        }
        ranks[i] = 2 * below + same + 1; /* twice the mean rank */
        *(values[i] > 0 ? &positive : &negative) += ranks[i];
    }
    const double p = 2 * signed_at_most(ranks, count, positive < negative ? positive : negative);
    return count == 0 || p > 1 ? 1 : p;
}

bool mf__signed_rank_interval(const double *differences, size_t n, double level, double *scratch,
                              double *ret_shift, struct bench_interval *ret_interval)
{
    size_t pairs = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i; k < n; k++) {
            scratch[pairs++] = (differences[i] + differences[k]) / 2;
        }
    }
    mf__sort_doubles(scratch, pairs);
    *ret_shift = mf__quantile_sorted(scratch, pairs, 0.5);
    unsigned ranks[RANKED_MAX] = {0};
    size_t outside = 0;
    for (size_t i = 0; i < n && n <= RANKED_MAX; i++) {
        ranks[i] = 2 * (unsigned)(i + 1);
    }
    while (n <= RANKED_MAX && outside < pairs / 2 &&
           signed_at_most(ranks, n, 2 * (unsigned)outside) <= (1 - level) / 2) {
        outside++;
    }
    if (outside == 0) {
        return false;
    }
    *ret_interval = (struct bench_interval){level, scratch[outside - 1], scratch[pairs - outside]};
    return true;
}

int mf__holm(double *p_values, size_t n)
{
    size_t *order = mf_malloc(n * sizeof *order);
    if (order == NULL) {
        return -ENOMEM;
    }
    size_t count = 0;
    for (size_t i = 0; i < n; i++) { /* insertion sort by p, leaving NaN out */
        if (p_values[i] != p_values[i]) {
            continue;
        }
        size_t at = count++;
        for (; at > 0 && p_values[order[at - 1]] > p_values[i]; at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    double largest = 0;
    for (size_t k = 0; k < count; k++) {
        double adjusted = p_values[order[k]] * (double)(count - k);
        adjusted = adjusted > 1 ? 1 : adjusted;
        largest = adjusted > largest ? adjusted : largest;
        p_values[order[k]] = largest;
    }
    mf_free(order);
    return 0;
}
