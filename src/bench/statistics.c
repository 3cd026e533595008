/* SPDX-License-Identifier: Apache-2.0
 *
 * statistics.c -- descriptions, bootstrap and shapes; tests on ranks are in rank_tests.c.
 *
 * Intervals. A run has 8 processes, so an interval that is right only for large samples is wrong
 * here: of 95 % intervals by the percentiles of the bootstrap 84 to 89 % hold the mean of 8 values
 * (normal to exponential), 92 % their median, and of 100 values still only 93 to 94 %. Therefore:
 *
 *   mean, slope         studentized bootstrap (Efron 1982; Hall 1988): what is resampled is
 *                       t = (estimate - truth) / error, whose distribution depends least on what is
 *                       not known; the interval follows the skew of the data
 *   median              order statistics with interpolation between two of them (Hettmansperger and
 *                       Sheather 1986): right for any distribution, from 6 values on
 *   standard deviation  studentized bootstrap of its logarithm, with the error by the fourth moment
 *   MAD                 percentiles of the bootstrap
 *
 * Simulated coverage (tests/prop/prop_statistics.c; normal, log-normal and exponential data) is 94
 * to 96 % for the first two from 8 values on; the mean of 8 values that are skewed as log-normal
 * ones are is a little below 94 %. Intervals of the two spreads describe, nothing is
 * decided by them: 92 to 95 % at 100 values. Below 5 values (6 for a median at 95 %) no interval of
 * that level exists; the range is given instead, with the level that it has. */
#include "statistics.h"

#include "base/heap.h"
#include "base/rng.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAD_TO_STD_DEV  1.4826
#define PI              3.14159265358979323846
#define BEYOND          1e12 /* t of a resample without spread */
#define STUDENTIZED_MIN 5    /* of 4 values 1 resample in 64 has no spread, which is too many */

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

/* Half of the difference of the logarithms of two standard deviations that sampling makes likely,
 * by the fourth moment (delta method); of a resample. */
static double resample_log_spread_error(const struct resample *r)
{
    const double mean = resample_mean(r);
    double second = 0;
    double fourth = 0;
    for (size_t i = 0; i < r->n; i++) {
        const double square = (r->sorted[i] - mean) * (r->sorted[i] - mean);
        second += r->times[i] * square;
        fourth += r->times[i] * square * square;
    }
    second /= (double)r->n;
    fourth /= (double)r->n;
    const double variance = fourth - second * second;
    return second > 0 && variance > 0 ? sqrt(variance / (double)r->n) / (2 * second) : 0;
}

/* The error of the statistic (of its logarithm, for the standard deviation) as one sample knows it;
 * 0 where only the whole distribution does. */
static double resample_error(const struct resample *resample, enum statistic statistic)
{
    switch (statistic) {
    case STATISTIC_MEAN:
        return resample_std_dev(resample) / sqrt((double)resample->n);
    case STATISTIC_STD_DEV:
        return resample_log_spread_error(resample);
    case STATISTIC_MEDIAN:
    case STATISTIC_MEDIAN_ABS_DEV:
        break;
    }
    return 0;
}

static double on_scale(double value, enum statistic statistic)
{
    return statistic == STATISTIC_STD_DEV ? log(value) : value;
}

/* (estimate of the resample - estimate) / error of the resample: the distribution of this is nearly
 * that of (estimate - truth) / error. Of a resample without spread it is as good as infinite. */
static double studentize(double difference, double error)
{
    if (error > 0) {
        return difference / error;
    }
    return difference > 0 ? BEYOND : difference < 0 ? -BEYOND : 0;
}

/* Sorts the values. */
static struct bench_interval percentile_interval(double *distribution, size_t resamples,
                                                 double level)
{
    /* Rank p (R + 1), so that few resamples do not make it narrower (Davison and Hinkley
     * 1997, 2.4).
     */
    const double tail = (1 - level) / 2 * (double)(resamples + 1) - 1;
    const double from = fmax(tail, 0) / (double)(resamples - 1);
    mf__sort_doubles(distribution, resamples);
    return (struct bench_interval){
        .confidence_level = level,
        .lower_bound = mf__quantile_sorted(distribution, resamples, from),
        .upper_bound = mf__quantile_sorted(distribution, resamples, 1 - from),
    };
}

/* From the sorted distribution of t = (estimate - truth) / error to truth = estimate - t * error.
 */
static struct bench_interval studentized_interval(double *t, size_t resamples, double level,
                                                  double estimate, double error)
{
    const struct bench_interval of_t = percentile_interval(t, resamples, level);
    return (struct bench_interval){
        .confidence_level = level,
        .lower_bound = estimate - of_t.upper_bound * error,
        .upper_bound = estimate - of_t.lower_bound * error,
    };
}

/* Few values: nothing is known but their range, which holds the median with 1 - 2^(1 - n). */
static struct bench_interval range_interval(const double *sorted, size_t n)
{
    return (struct bench_interval){
        .confidence_level = 1 - ldexp(1, 1 - (int)(n < 1000 ? n : 1000)),
        .lower_bound = sorted[0],
        .upper_bound = sorted[n - 1],
    };
}

/* What the resamples of a bootstrap come to. */
struct distribution {
    double *values; /* of the statistic */
    double *t;      /* studentized */
    size_t resamples;
};

static int draw_all(const double *sorted, size_t n, enum statistic statistic, uint64_t seed,
                    struct distribution *distribution, double point)
{
    uint32_t *times = mf_malloc(n * sizeof *times);
    if (times == NULL) {
        return -ENOMEM;
    }
    struct resample resample = {sorted, n, times};
    struct mf_rng rng;
    mf_rng_seed(&rng, seed);
    for (size_t i = 0; i < distribution->resamples; i++) {
        draw(&resample, &rng);
        const double value = resample_statistic(&resample, statistic);
        distribution->values[i] = value;
        distribution->t[i] =
            studentize(value > 0 || statistic != STATISTIC_STD_DEV
                           ? on_scale(value, statistic) - on_scale(point, statistic)
                           : -1,
                       resample_error(&resample, statistic));
    }
    mf_free(times);
    return 0;
}

static struct bench_interval interval_of(const double *sorted, size_t n, enum statistic statistic,
                                         double level, double point, double error,
                                         struct distribution *distribution)
{
    struct bench_interval interval = {level, point, point};
    if (statistic == STATISTIC_MEDIAN) {
        return mf__median_interval(sorted, n, level, &interval) ? interval
                                                                : range_interval(sorted, n);
    }
    if (statistic == STATISTIC_MEDIAN_ABS_DEV) {
        return percentile_interval(distribution->values, distribution->resamples, level);
    }
    if (statistic == STATISTIC_MEAN && n < STUDENTIZED_MIN) {
        return range_interval(sorted, n);
    }
    if (n < STUDENTIZED_MIN) {
        return percentile_interval(distribution->values, distribution->resamples, level);
    }
    if (point > 0 && error > 0) {
        interval = studentized_interval(distribution->t, distribution->resamples, level,
                                        on_scale(point, statistic), error);
    }
    if (statistic == STATISTIC_STD_DEV && point > 0 && error > 0) {
        interval.lower_bound = exp(interval.lower_bound);
        interval.upper_bound = exp(interval.upper_bound);
    }
    return interval;
}

int mf__bootstrap(const double *values, size_t n, enum statistic statistic, size_t resamples,
                  double level, uint64_t seed, struct bench_estimate *ret_estimate)
{
    double *sorted = mf_malloc(n * sizeof *sorted);
    uint32_t *once = mf_malloc(n * sizeof *once);
    struct distribution distribution = {
        .values = mf_malloc(resamples * sizeof(double)),
        .t = mf_malloc(resamples * sizeof(double)),
        .resamples = resamples,
    };
    int rc = -ENOMEM;
    if (sorted != NULL && once != NULL && distribution.values != NULL && distribution.t != NULL) {
        memcpy(sorted, values, n * sizeof *sorted);
        mf__sort_doubles(sorted, n);
        for (size_t i = 0; i < n; i++) {
            once[i] = 1;
        }
        const struct resample whole = {sorted, n, once};
        const double point = resample_statistic(&whole, statistic);
        const double error = resample_error(&whole, statistic);
        rc = draw_all(sorted, n, statistic, seed, &distribution, point);
        if (rc == 0) {
            ret_estimate->point_estimate = point;
            ret_estimate->standard_error = mf__std_dev(distribution.values, resamples);
            ret_estimate->confidence_interval =
                interval_of(sorted, n, statistic, level, point, error, &distribution);
        }
    }
    mf_free(sorted);
    mf_free(once);
    mf_free(distribution.values);
    mf_free(distribution.t);
    return rc;
}

/* The slope through the origin of the drawn points, and its error from their residuals (which need
 * not be equally large everywhere: White 1980). */
static double slope_of(const double *x, const double *y, const uint32_t *times, size_t n,
                       double *ret_error)
{
    double xy = 0;
    double xx = 0;
    for (size_t i = 0; i < n; i++) {
        xy += times[i] * x[i] * y[i];
        xx += times[i] * x[i] * x[i];
    }
    const double slope = xy / xx;
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        const double residual = x[i] * (y[i] - slope * x[i]);
        squares += times[i] * residual * residual;
    }
    *ret_error = sqrt(squares) / xx;
    return slope;
}

int mf__bootstrap_slope(const double *x, const double *y, size_t n, size_t resamples, double level,
                        uint64_t seed, struct bench_estimate *ret_estimate)
{
    double *values = mf_malloc(resamples * sizeof *values);
    double *t = mf_malloc(resamples * sizeof *t);
    uint32_t *times = mf_malloc(n * sizeof *times);
    if (values == NULL || t == NULL || times == NULL) {
        mf_free(values);
        mf_free(t);
        mf_free(times);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        times[i] = 1;
    }
    double error;
    const double slope = slope_of(x, y, times, n, &error);
    struct mf_rng rng;
    mf_rng_seed(&rng, seed);
    for (size_t i = 0; i < resamples; i++) {
        double drawn_error;
        memset(times, 0, n * sizeof *times);
        for (size_t k = 0; k < n; k++) {
            times[mf_rng_below(&rng, n)]++;
        }
        values[i] = slope_of(x, y, times, n, &drawn_error);
        t[i] = studentize(values[i] - slope, drawn_error);
    }
    ret_estimate->point_estimate = slope;
    ret_estimate->standard_error = mf__std_dev(values, resamples);
    ret_estimate->confidence_interval =
        n < STUDENTIZED_MIN ? percentile_interval(values, resamples, level)
                            : studentized_interval(t, resamples, level, slope, error);
    mf_free(values);
    mf_free(t);
    mf_free(times);
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
