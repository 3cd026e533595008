/* SPDX-License-Identifier: Apache-2.0
 * statistics.c -- descriptions, bootstrap and shapes; tests on ranks are in rank_tests.c. */
#include "statistics.h"

#include "base/heap.h"
#include "base/rng.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAD_TO_STD_DEV 1.4826
#define PI             3.14159265358979323846

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

void mf__sort_doubles(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare_doubles);
}

double mf__mean(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += values[i];
    }
    return n > 0 ? sum / (double)n : NAN;
}

double mf__std_dev(const double *values, size_t n)
{
    if (n < 2) {
        return 0;
    }
    const double mean = mf__mean(values, n);
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
    }
    return sqrt(squares / (double)(n - 1));
}

double mf__quantile_sorted(const double *sorted, size_t n, double fraction)
{
    const double rank = fraction * (double)(n - 1);
    const size_t below = (size_t)floor(rank);
    if (below + 1 >= n) {
        return sorted[n - 1];
    }
    return sorted[below] + (rank - (double)below) * (sorted[below + 1] - sorted[below]);
}

double mf__median(const double *values, size_t n, double *scratch_n)
{
    memcpy(scratch_n, values, n * sizeof *values);
    mf__sort_doubles(scratch_n, n);
    return mf__quantile_sorted(scratch_n, n, 0.5);
}

double mf__median_abs_dev(const double *values, size_t n, double *scratch_n)
{
    const double median = mf__median(values, n, scratch_n);
    for (size_t i = 0; i < n; i++) {
        scratch_n[i] = fabs(values[i] - median);
    }
    mf__sort_doubles(scratch_n, n);
    return MAD_TO_STD_DEV * mf__quantile_sorted(scratch_n, n, 0.5);
}

struct bench_outliers mf__outliers(const double *sorted, size_t n)
{
    struct bench_outliers outliers = {0};
    if (n == 0) {
        return outliers;
    }
    const double q1 = mf__quantile_sorted(sorted, n, 0.25);
    const double q3 = mf__quantile_sorted(sorted, n, 0.75);
    const double range = q3 - q1;
    for (size_t i = 0; i < n; i++) {
        if (sorted[i] < q1 - 3 * range) {
            outliers.low_severe++;
        } else if (sorted[i] < q1 - 1.5 * range) {
            outliers.low_mild++;
        } else if (sorted[i] > q3 + 3 * range) {
            outliers.high_severe++;
        } else if (sorted[i] > q3 + 1.5 * range) {
            outliers.high_mild++;
        }
    }
    outliers.total =
        outliers.low_severe + outliers.low_mild + outliers.high_mild + outliers.high_severe;
    return outliers;
}

void mf__slope_through_origin(const double *x, const double *y, size_t n, double *ret_slope,
                              double *ret_r_squared)
{
    double xy = 0;
    double xx = 0;
    for (size_t i = 0; i < n; i++) {
        xy += x[i] * y[i];
        xx += x[i] * x[i];
    }
    const double slope = xx > 0 ? xy / xx : NAN;
    const double mean_y = mf__mean(y, n);
    double residual = 0;
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        residual += (y[i] - slope * x[i]) * (y[i] - slope * x[i]);
        total += (y[i] - mean_y) * (y[i] - mean_y);
    }
    *ret_slope = slope;
    *ret_r_squared = total > 0 ? 1 - residual / total : (residual > 0 ? 0 : 1);
}

double mf__theil_sen(const double *x, const double *y, size_t n, double *scratch)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            if (x[j] != x[i]) {
                scratch[count++] = (y[j] - y[i]) / (x[j] - x[i]);
            }
        }
    }
    if (count == 0) {
        return NAN;
    }
    mf__sort_doubles(scratch, count);
    return mf__quantile_sorted(scratch, count, 0.5);
}

/* --- bootstrap. A resample of a sorted sample is how often each of its values was drawn, so that
 * order statistics of it need no sorting. */

struct resample {
    const double *sorted;
    size_t n;
    uint32_t *times; /* how often sorted[i] was drawn */
};

static void draw(struct resample *resample, struct mf_rng *rng)
{
    memset(resample->times, 0, resample->n * sizeof *resample->times);
    for (size_t i = 0; i < resample->n; i++) {
        resample->times[mf_rng_below(rng, resample->n)]++;
    }
}

static double resample_mean(const struct resample *r)
{
    double sum = 0;
    for (size_t i = 0; i < r->n; i++) {
        sum += r->times[i] * r->sorted[i];
    }
    return sum / (double)r->n;
}

static double resample_std_dev(const struct resample *r)
{
    const double mean = resample_mean(r);
    double squares = 0;
    for (size_t i = 0; i < r->n; i++) {
        squares += r->times[i] * (r->sorted[i] - mean) * (r->sorted[i] - mean);
    }
    return r->n > 1 ? sqrt(squares / (double)(r->n - 1)) : 0;
}

static double resample_median(const struct resample *r)
{
    const size_t low = (r->n - 1) / 2; /* 0-based ranks around the middle */
    const size_t high = r->n / 2;
    size_t seen = 0;
    double low_value = r->sorted[0];
    bool have_low = false;
    for (size_t i = 0; i < r->n; i++) {
        seen += r->times[i];
        if (!have_low && seen > low) {
            low_value = r->sorted[i];
            have_low = true;
        }
        if (seen > high) {
            return (low_value + r->sorted[i]) / 2;
        }
    }
    return low_value;
}

/* Distances from the median in rising order, by walking outwards from it on both sides. */
static double resample_median_abs_dev(const struct resample *r)
{
    const double median = resample_median(r);
    size_t right = 0;
    while (right < r->n && r->sorted[right] < median) {
        right++;
    }
    size_t left = right; /* one past the next on the left */
    const size_t low = (r->n - 1) / 2;
    const size_t high = r->n / 2;
    size_t seen = 0;
    double low_value = 0;
    bool have_low = false;
    while (left > 0 || right < r->n) {
        const double to_left = left > 0 ? median - r->sorted[left - 1] : INFINITY;
        const double to_right = right < r->n ? r->sorted[right] - median : INFINITY;
        const size_t i = to_left < to_right ? --left : right++;
        seen += r->times[i];
        const double distance = to_left < to_right ? to_left : to_right;
        if (!have_low && seen > low) {
            low_value = distance;
            have_low = true;
        }
        if (seen > high) {
            return MAD_TO_STD_DEV * (low_value + distance) / 2;
        }
    }
    return MAD_TO_STD_DEV * low_value;
}

static double resample_statistic(const struct resample *resample, enum statistic statistic)
{
    switch (statistic) {
    case STATISTIC_MEAN:
        return resample_mean(resample);
    case STATISTIC_MEDIAN:
        return resample_median(resample);
    case STATISTIC_STD_DEV:
        return resample_std_dev(resample);
    case STATISTIC_MEDIAN_ABS_DEV:
        return resample_median_abs_dev(resample);
    }
    return NAN;
}

/* From the distribution of an estimate: its standard error and percentile interval. Sorts it. */
static void summarize(double *distribution, size_t resamples, double level,
                      struct bench_estimate *estimate)
{
    estimate->standard_error = mf__std_dev(distribution, resamples);
    mf__sort_doubles(distribution, resamples);
    estimate->confidence_interval = (struct bench_interval){
        .confidence_level = level,
        .lower_bound = mf__quantile_sorted(distribution, resamples, (1 - level) / 2),
        .upper_bound = mf__quantile_sorted(distribution, resamples, (1 + level) / 2),
    };
}

int mf__bootstrap(const double *values, size_t n, enum statistic statistic, size_t resamples,
                  double level, uint64_t seed, struct bench_estimate *ret_estimate)
{
    double *sorted = mf_malloc(n * sizeof *sorted);
    uint32_t *times = mf_malloc(n * sizeof *times);
    double *distribution = mf_malloc(resamples * sizeof *distribution);
    int rc = -ENOMEM;
    if (sorted != NULL && times != NULL && distribution != NULL) {
        memcpy(sorted, values, n * sizeof *sorted);
        mf__sort_doubles(sorted, n);
        struct resample resample = {sorted, n, times};
        for (size_t i = 0; i < n; i++) {
            times[i] = 1;
        }
        struct bench_estimate estimate = {.point_estimate =
                                              resample_statistic(&resample, statistic)};
        struct mf_rng rng;
        mf_rng_seed(&rng, seed);
        for (size_t i = 0; i < resamples; i++) {
            draw(&resample, &rng);
            distribution[i] = resample_statistic(&resample, statistic);
        }
        summarize(distribution, resamples, level, &estimate);
        *ret_estimate = estimate;
        rc = 0;
    }
    mf_free(sorted);
    mf_free(times);
    mf_free(distribution);
    return rc;
}

int mf__bootstrap_slope(const double *x, const double *y, size_t n, size_t resamples, double level,
                        uint64_t seed, struct bench_estimate *ret_estimate)
{
    double *distribution = mf_malloc(resamples * sizeof *distribution);
    if (distribution == NULL) {
        return -ENOMEM;
    }
    struct bench_estimate estimate;
    double r_squared;
    mf__slope_through_origin(x, y, n, &estimate.point_estimate, &r_squared);
    struct mf_rng rng;
    mf_rng_seed(&rng, seed);
    for (size_t i = 0; i < resamples; i++) {
        double xy = 0;
        double xx = 0;
        for (size_t k = 0; k < n; k++) {
            const size_t drawn = mf_rng_below(&rng, n);
            xy += x[drawn] * y[drawn];
            xx += x[drawn] * x[drawn];
        }
        distribution[i] = xy / xx;
    }
    summarize(distribution, resamples, level, &estimate);
    mf_free(distribution);
    *ret_estimate = estimate;
    return 0;
}

/* --- trends and shapes */

static double absolute_residuals(const double *values, size_t n, double middle)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += fabs(values[i] - middle);
    }
    return sum;
}

struct jump {
    double gain;     /* how much nearer the values are to two medians than to one */
    double score;    /* distance of the medians, in median absolute deviations around them */
    double fraction; /* relative distance of the medians */
};

/* What speaks for a change of level just before values[at]. scratch: 2 * (before + after). */
static struct jump jump_at(const double *values, size_t before, size_t at, size_t after,
                           double *scratch)
{
    const double *window = values + at - before;
    const size_t n = before + after;
    const double left = mf__median(window, before, scratch);
    const double right = mf__median(values + at, after, scratch);
    const double both = mf__median(window, n, scratch);
    double *residuals = scratch + n;
    for (size_t i = 0; i < n; i++) {
        residuals[i] = fabs(window[i] - (i < before ? left : right));
    }
    const double spread = MAD_TO_STD_DEV * mf__median(residuals, n, scratch);
    const double distance = fabs(right - left);
    return (struct jump){
        .gain = absolute_residuals(window, n, both) - absolute_residuals(window, before, left) -
                absolute_residuals(values + at, after, right),
        .score = distance == 0 ? 0
                 : spread > 0  ? distance / spread
                               : INFINITY,
        .fraction = left != 0 ? fabs(right / left - 1) : INFINITY,
    };
}

size_t mf__change_points(const double *values, size_t n, size_t window, double factor,
                         double min_fraction, size_t *ret_indices, size_t max)
{
    const size_t fewest = 3; /* on either side */
    double *scratch = mf_malloc(4 * window * sizeof *scratch);
    double *gains = mf_calloc(n + 1, sizeof *gains); /* 0: no candidate */
    size_t found = 0;
    for (size_t at = fewest; scratch != NULL && gains != NULL && at + fewest <= n; at++) {
        const size_t before = at < window ? at : window;
        const size_t after = n - at < window ? n - at : window;
        const struct jump jump = jump_at(values, before, at, after, scratch);
        if (jump.score > factor && jump.fraction > min_fraction) {
            gains[at] = jump.gain;
        }
    }
    /* A candidate counts where it explains more than any other nearby. */
    for (size_t at = 0; gains != NULL && at < n && found < max; at++) {
        bool best = gains[at] > 0;
        for (size_t k = at > window / 2 ? at - window / 2 : 0;
             best && k <= at + window / 2 && k < n; k++) {
            best = gains[k] < gains[at] || k == at || (gains[k] == gains[at] && k > at);
        }
        if (best) {
            ret_indices[found++] = at;
        }
    }
    mf_free(scratch);
    mf_free(gains);
    return found;
}

void mf__density(const double *sorted, size_t n, double low, double high, size_t points,
                 double *ret_density)
{
    const double spread = mf__std_dev(sorted, n);
    const double quartiles =
        (mf__quantile_sorted(sorted, n, 0.75) - mf__quantile_sorted(sorted, n, 0.25)) / 1.34;
    double scale = quartiles > 0 && quartiles < spread ? quartiles : spread;
    if (scale <= 0) {
        scale = (high - low) / 100 > 0 ? (high - low) / 100 : 1;
    }
    const double bandwidth = 0.9 * scale * pow((double)n, -0.2); /* Silverman 1986, 3.31 */
    for (size_t p = 0; p < points; p++) {
        const double x = low + (high - low) * (double)p / (double)(points > 1 ? points - 1 : 1);
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            const double z = (x - sorted[i]) / bandwidth;
            sum += exp(-z * z / 2);
        }
        ret_density[p] = sum / ((double)n * bandwidth * sqrt(2 * PI));
    }
}
