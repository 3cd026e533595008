/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_estimate.c -- see estimate.h.
 *
 * The unit of sampling is the process: mean and median are those over the processes' own, and their
 * intervals come from resampling processes. Samples of one process are alike because they share its
 * layout; to resample them as if they were independent would make the intervals too narrow. Only
 * where there is one process are its samples resampled, for want of anything better. Spread
 * (standard deviation, MAD), slope and outliers describe all samples together.
 */
#include "estimate.h"
#include "statistics.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/hdr.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define POOL_DRAWS_MAX     20000000
#define POOL_RESAMPLES_MIN 1000

/* ---- one process ---- */

static double per_iteration(const struct bench_sample *sample)
{
    return sample->time_ns / (double)sample->iterations;
}

/* The median of a histogram, by interpolation inside of its bucket. */
static double histogram_median(const struct mf_hdr *hdr)
{
    const double rank = (double)hdr->count / 2;
    double before = 0;
    for (size_t i = 0; i < MF_HDR_BUCKETS; i++) {
        const double here = (double)hdr->buckets[i];
        if (here > 0 && before + here >= rank) {
            const double low = (double)mf_hdr_lowest(i);
            const double width = (double)mf_hdr_highest(i) + 1 - low;
            return low + width * (rank - before) / here;
        }
        before += here;
    }
    return NAN;
}

double mf__process_median(const struct bench_process *process)
{
    if (process->mode == MF_BENCH_LATENCY && process->latency != NULL) {
        return histogram_median(process->latency);
    }
    double *values = mf_malloc((2 * process->sample_count + 1) * sizeof *values);
    if (values == NULL || process->sample_count == 0) {
        mf_free(values);
        return NAN;
    }
    for (size_t i = 0; i < process->sample_count; i++) {
        values[i] = per_iteration(&process->samples[i]);
    }
    const double median = mf__median(values, process->sample_count, values + process->sample_count);
    mf_free(values);
    return median;
}

static double process_mean(const struct bench_process *process)
{
    double iterations = 0;
    double time = 0;
    for (size_t i = 0; i < process->sample_count; i++) {
        iterations += (double)process->samples[i].iterations;
        time += process->samples[i].time_ns;
    }
    return time / iterations;
}

/* ---- all of them ---- */

void mf__percentiles(const struct mf_hdr *hdr, const double *percents, size_t count, double level,
                     struct bench_percentile *ret_percentiles)
{
    for (size_t i = 0; i < count; i++) {
        const double fraction = percents[i] / 100;
        struct bench_percentile *percentile = &ret_percentiles[i];
        uint64_t low = 0;
        uint64_t high = 0;
        *percentile = (struct bench_percentile){
            .percent = percents[i],
            .value_ns = NAN,
            .confidence_interval = {level, NAN, NAN},
        };
        if (!(fraction > 0 && fraction < 1)) { /* the ends themselves */
            percentile->value_ns = (double)(fraction > 0 ? hdr->max : hdr->min);
        } else if (mf__quantile_ranks(hdr->count, fraction, level, &low, &high)) {
            percentile->value_ns = (double)mf_hdr_quantile(hdr, fraction);
            percentile->confidence_interval.lower_bound = (double)mf_hdr_rank(hdr, low);
            percentile->confidence_interval.upper_bound = (double)mf_hdr_rank(hdr, high);
        } else {
            percentile->n_needed = mf__quantile_n_needed(fraction, level);
        }
    }
}

/* The same of samples, when there are no single operations. */
static void sample_percentiles(const double *sorted, size_t n,
                               const struct estimate_settings *settings,
                               struct bench_result *result)
{
    for (size_t i = 0; i < settings->percentile_count; i++) {
        const double fraction = settings->percentiles[i] / 100;
        struct bench_percentile *percentile = &result->percentiles[i];
        uint64_t low = 0;
        uint64_t high = 0;
        *percentile = (struct bench_percentile){
            .percent = settings->percentiles[i],
            .value_ns = NAN,
            .confidence_interval = {settings->confidence_level, NAN, NAN},
        };
        if (!(fraction > 0 && fraction < 1)) {
            percentile->value_ns = fraction > 0 ? sorted[n - 1] : sorted[0];
        } else if (mf__quantile_ranks(n, fraction, settings->confidence_level, &low, &high)) {
            percentile->value_ns = mf__quantile_sorted(sorted, n, fraction);
            percentile->confidence_interval.lower_bound = sorted[low - 1];
            percentile->confidence_interval.upper_bound = sorted[high - 1];
        } else {
            percentile->n_needed = mf__quantile_n_needed(fraction, settings->confidence_level);
        }
    }
}

static int merge_histograms(struct bench_result *result)
{
    for (size_t i = 0; i < result->process_count; i++) {
        const struct bench_process *process = &result->processes[i];
        if (process->latency != NULL) {
            result->latency = result->latency != NULL ? result->latency : mf_hdr_new();
            if (result->latency == NULL) {
                return -ENOMEM;
            }
            mf_hdr_merge(result->latency, process->latency);
        }
        if (process->service != NULL) {
            result->service = result->service != NULL ? result->service : mf_hdr_new();
            if (result->service == NULL) {
                return -ENOMEM;
            }
            mf_hdr_merge(result->service, process->service);
        }
    }
    return 0;
}

/* For each figure that any process has: the median over those that have it. */
static void merge_named(const struct bench_result *result, bool counters, size_t max,
                        struct bench_named *ret_named, size_t *ret_count, double *scratch)
{
    size_t count = 0;
    for (size_t i = 0; i < result->process_count; i++) {
        const struct bench_process *from = &result->processes[i];
        const struct bench_named *named = counters ? from->counters : from->resources;
        const size_t named_count = counters ? from->counter_count : from->resource_count;
        for (size_t k = 0; k < named_count; k++) {
            if (count == max || !isnan(mf__bench_named_get(ret_named, count, named[k].name))) {
                continue; /* done already */
            }
            size_t n = 0;
            for (size_t p = 0; p < result->process_count; p++) {
                const struct bench_process *process = &result->processes[p];
                const double value =
                    counters ? mf__bench_named_get(process->counters, process->counter_count,
                                                   named[k].name)
                             : mf__bench_named_get(process->resources, process->resource_count,
                                                   named[k].name);
                if (!isnan(value)) {
                    scratch[n++] = value;
                }
            }
            ret_named[count] = named[k];
            ret_named[count++].value = mf__median(scratch, n, scratch + result->process_count);
        }
    }
    *ret_count = count;
}

/* What the estimates are made from. */
struct pool {
    double *values; /* of all samples, for one iteration */
    double *x, *y;  /* iterations and times */
    size_t n;
    double *means, *scratch;
    size_t processes;
};

static void free_pool(struct pool *pool)
{
    mf_free(pool->values);
    mf_free(pool->x);
    mf_free(pool->y);
    mf_free(pool->means);
    mf_free(pool->scratch);
}

static int make_pool(struct bench_result *result, struct pool *pool)
{
    size_t n = 0;
    for (size_t i = 0; i < result->process_count; i++) {
        n += result->processes[i].sample_count;
    }
    pool->values = mf_malloc((n + 1) * sizeof(double));
    pool->x = mf_malloc((n + 1) * sizeof(double));
    pool->y = mf_malloc((n + 1) * sizeof(double));
    pool->means = mf_malloc((result->process_count + 1) * sizeof(double));
    pool->scratch = mf_malloc(2 * (n + result->process_count + 1) * sizeof(double));
    mf_free(result->process_medians);
    result->process_medians = mf_malloc((result->process_count + 1) * sizeof(double));
    if (pool->values == NULL || pool->x == NULL || pool->y == NULL || pool->means == NULL ||
        pool->scratch == NULL || result->process_medians == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < result->process_count; i++) {
        const struct bench_process *process = &result->processes[i];
        pool->means[i] = process_mean(process);
        result->process_medians[i] = mf__process_median(process);
        if (isnan(result->process_medians[i]) && process->sample_count > 0) {
            return -ENOMEM;
        }
        for (size_t k = 0; k < process->sample_count; k++) {
            pool->values[pool->n] = per_iteration(&process->samples[k]);
            pool->x[pool->n] = (double)process->samples[k].iterations;
            pool->y[pool->n++] = process->samples[k].time_ns;
        }
    }
    pool->processes = result->process_count;
    return 0;
}

/* A large pool has as many resamples as come to so many draws: it needs fewer of them, and two
 * programs that took turns have thousands of samples. */
static size_t pool_resamples(size_t resamples, size_t n)
{
    const size_t affordable =
        POOL_DRAWS_MAX / n > POOL_RESAMPLES_MIN ? POOL_DRAWS_MAX / n : POOL_RESAMPLES_MIN;
    return resamples < affordable ? resamples : affordable;
}

static int bootstrap_all(struct bench_result *result, const struct pool *pool,
                         const struct estimate_settings *settings)
{
    const bool single = pool->processes == 1;
    const double *means = single ? pool->values : pool->means;
    const double *medians = single ? pool->values : result->process_medians;
    const size_t n = single ? pool->n : pool->processes;
    const size_t resamples = settings->resamples;
    const size_t pooled = pool_resamples(resamples, pool->n);
    const double level = settings->confidence_level;
    int rc =
        mf__bootstrap(means, n, STATISTIC_MEAN, resamples, level, settings->seed, &result->mean);
    if (rc == 0) {
        rc = mf__bootstrap(medians, n, STATISTIC_MEDIAN, resamples, level, settings->seed,
                           &result->median);
    }
    if (rc == 0) {
        rc = mf__bootstrap(pool->values, pool->n, STATISTIC_MEDIAN_ABS_DEV, pooled, level,
                           settings->seed, &result->median_abs_dev);
    }
    if (rc == 0) {
        rc = mf__bootstrap(pool->values, pool->n, STATISTIC_STD_DEV, pooled, level, settings->seed,
                           &result->std_dev);
    }
    result->slope = (struct bench_estimate){NAN, NAN, {level, NAN, NAN}};
    result->r_squared = NAN;
    if (rc == 0 && result->mode == MF_BENCH_LINEAR) {
        double slope = 0;
        rc = mf__bootstrap_slope(pool->x, pool->y, pool->n, pooled, level, settings->seed,
                                 &result->slope);
        mf__slope_through_origin(pool->x, pool->y, pool->n, &slope, &result->r_squared);
    }
    if (single) { /* the processes' own is the better point, also when there is one */
        result->mean.point_estimate = pool->means[0];
        result->median.point_estimate = result->process_medians[0];
    }
    return rc;
}

static void describe(struct bench_result *result, struct pool *pool,
                     const struct estimate_settings *settings)
{
    mf__sort_doubles(pool->values, pool->n);
    result->outliers = mf__outliers(pool->values, pool->n);
    result->minimum_ns = pool->values[0];
    result->maximum_ns = pool->values[pool->n - 1];
    result->percentile_count = settings->percentile_count;
    if (result->latency != NULL) {
        result->minimum_ns = (double)result->latency->min;
        result->maximum_ns = (double)result->latency->max;
        mf__percentiles(result->latency, settings->percentiles, settings->percentile_count,
                        settings->confidence_level, result->percentiles);
    } else {
        sample_percentiles(pool->values, pool->n, settings, result);
    }
    if (result->service != NULL) {
        mf__percentiles(result->service, settings->percentiles, settings->percentile_count,
                        settings->confidence_level, result->service_percentiles);
    }
    result->between_process_fraction = mf__std_dev(result->process_medians, pool->processes) /
                                       mf__mean(result->process_medians, pool->processes);
    merge_named(result, false, BENCH_RESOURCES_MAX, result->resources, &result->resource_count,
                pool->scratch);
    merge_named(result, true, BENCH_COUNTERS_MAX, result->counters, &result->counter_count,
                pool->scratch);
}

static void describe_conditions(struct bench_result *result)
{
    result->mode = result->processes[0].mode;
    result->timer_cost_ns = result->processes[0].timer_cost_ns;
    result->steal_fraction = NAN;
    result->load_average = NAN;
    for (size_t i = 0; i < result->process_count; i++) {
        result->steal_fraction =
            fmax(result->steal_fraction, result->processes[i].steal_fraction); /* NaN loses */
        result->load_average = fmax(result->load_average, result->processes[i].load_average);
    }
}

int mf__estimate(struct bench_result *result, const struct estimate_settings *settings,
                 struct mf_errinfo *err)
{
    size_t samples = 0;
    for (size_t i = 0; i < result->process_count; i++) {
        samples += result->processes[i].sample_count;
    }
    if (result->status != BENCH_OK || samples == 0) {
        return 0;
    }
    struct pool pool = {0};
    describe_conditions(result);
    int rc = make_pool(result, &pool);
    if (rc == 0) {
        rc = merge_histograms(result);
    }
    if (rc == 0) {
        rc = bootstrap_all(result, &pool, settings);
    }
    if (rc == 0) {
        describe(result, &pool, settings);
    }
    free_pool(&pool);
    return rc == 0 ? 0 : mf_fail_os(err, rc, "cannot estimate %s", result->name);
}
