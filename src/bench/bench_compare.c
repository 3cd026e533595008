/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_compare.c -- see verdicts.h.
 *
 * Interleaved. The k-th processes of both programs are a pair; its figure is the logarithm of how
 * much longer the one took: where they took turns the median over their samples of ln(a_i / b_i),
 * each a few milliseconds apart, else the logarithm of the ratio of their medians. From the K
 * figures come the ratio (Hodges-Lehmann), its interval and p (Wilcoxon's signed ranks, exact).
 *
 * Stored. The logarithms of the processes' medians are two independent samples: Mann-Whitney's
 * exact p and the shift and interval that belong to it.
 *
 * Logarithms, because a change is a factor: half as fast and twice as fast are equally far from the
 * same.
 *
 * Verdicts. The threshold is never below the noise floor: the larger of what was measured for the
 * machine and the standard error of this ratio. REGRESSED: the ratio is beyond the threshold, its
 * interval beyond the noise floor, and p, corrected by Holm for the number of benchmarks,
 * significant. IMPROVED: the same on the other side. SAME: the interval lies within the threshold.
 * Everything else is INCONCLUSIVE.
 */
#include "verdicts.h"
#include "statistics.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define PAIRS_MIN   8
#define PAIRS_MAX   32
#define PROCESS_MAX 64 /* that the exact tests take */
_Static_assert(VERDICT_SCRATCH_LEN >= PROCESS_MAX * PROCESS_MAX, "all differences fit");

void mf__compare_settings(const struct bench_config *config, bool interleaved,
                          struct compare_settings *ret_settings)
{
    const enum bench_key key =
        interleaved ? BENCH_KEY_threshold_pct : BENCH_KEY_stored_threshold_pct;
    const bool fraction = mf__config_given(config, BENCH_KEY_noise_threshold);
    const bool floor = mf__config_given(config, BENCH_KEY_noise_floor_pct);
    *ret_settings = (struct compare_settings){
        .interleaved = interleaved,
        .threshold_fraction = fraction ? mf__config_number(config, NULL, BENCH_KEY_noise_threshold)
                                       : mf__config_number(config, NULL, key) / 100,
        .noise_floor_fraction =
            floor ? mf__config_number(config, NULL, BENCH_KEY_noise_floor_pct) / 100 : NAN,
        .confidence_level = mf__config_number(config, NULL, BENCH_KEY_confidence_level),
        .significance_level = mf__config_number(config, NULL, BENCH_KEY_significance_level),
    };
}

unsigned mf__compare_pairs(size_t benchmarks, double significance_level)
{
    /* p of K differences of the same sign is 2 / 2^K; Holm multiplies the smallest by `benchmarks`.
     */
    const double needed = ceil(1 + log2((double)benchmarks / significance_level));
    return needed < PAIRS_MIN ? PAIRS_MIN : needed > PAIRS_MAX ? PAIRS_MAX : (unsigned)needed;
}

/* ---- one benchmark ---- */

static const struct bench_result *find_result(const struct bench_run *run, const char *name)
{
    for (size_t i = 0; i < run->result_count; i++) {
        if (strcmp(run->results[i].name, name) == 0) {
            return &run->results[i];
        }
    }
    return NULL;
}

static bool is_measured(const struct bench_result *result)
{
    return result->status == BENCH_OK && result->process_count > 0 &&
           result->process_medians != NULL;
}

/* ln of how much longer an iteration of `a` takes. */
static double pair_figure(const struct bench_process *a, double a_median,
                          const struct bench_process *b, double b_median, double *scratch)
{
    const size_t n = a->sample_count;
    if (!a->paired || !b->paired || n != b->sample_count || n == 0 || 2 * n > VERDICT_SCRATCH_LEN) {
        return log(a_median / b_median);
    }
    for (size_t i = 0; i < n; i++) {
        const double time_a = a->samples[i].time_ns / (double)a->samples[i].iterations;
        const double time_b = b->samples[i].time_ns / (double)b->samples[i].iterations;
        scratch[i] = log(time_a / time_b);
    }
    return mf__median(scratch, n, scratch + n);
}

struct figures {
    double a[PROCESS_MAX]; /* of pairs: differences; else logarithms of the medians */
    double b[PROCESS_MAX];
    size_t a_count, b_count;
};

size_t mf__pair_figures(const struct bench_result *now, const struct bench_result *before,
                        double *ret_logs, size_t max, double *scratch)
{
    size_t count = 0;
    for (size_t i = 0; i < now->process_count && count < max; i++) {
        for (size_t k = 0; k < before->process_count; k++) {
            if (now->processes[i].index == before->processes[k].index) {
                ret_logs[count++] =
                    pair_figure(&now->processes[i], now->process_medians[i], &before->processes[k],
                                before->process_medians[k], scratch);
                break;
            }
        }
    }
    return count;
}

static void collect_medians(const struct bench_result *result, double *logs, size_t *ret_count)
{
    /* The exact test takes PROCESS_MAX of both together. */
    for (size_t i = 0; i < result->process_count && *ret_count < PROCESS_MAX / 2; i++) {
        logs[(*ret_count)++] = log(result->process_medians[i]);
    }
}

/* Ratio, interval, p, and the standard error of the logarithm of the ratio. The scratch holds
 * VERDICT_SCRATCH_LEN values. */
static double estimate_ratio(struct bench_comparison *comparison, struct figures *figures,
                             double level, double *scratch)
{
    double shift = NAN;
    double error = NAN;
    struct bench_interval interval = {level, -INFINITY, INFINITY};
    if (comparison->interleaved) {
        const size_t n = figures->a_count;
        (void)mf__signed_rank_interval(figures->a, n, level, scratch, &shift, &interval);
        comparison->p_value = mf__signed_rank(figures->a, n);
        error = mf__median_abs_dev(figures->a, n, scratch) / sqrt((double)n);
    } else {
        const size_t n = figures->a_count;
        const size_t m = figures->b_count;
        const double spread_a = mf__median_abs_dev(figures->a, n, scratch);
        const double spread_b = mf__median_abs_dev(figures->b, m, scratch);
        (void)mf__hodges_lehmann(figures->a, n, figures->b, m, level, scratch, &shift, &interval);
        comparison->p_value = mf__mann_whitney(figures->a, n, figures->b, m);
        error = sqrt(spread_a * spread_a / (double)n + spread_b * spread_b / (double)m);
    }
    comparison->ratio = exp(shift);
    comparison->ratio_interval =
        (struct bench_interval){level, exp(interval.lower_bound), exp(interval.upper_bound)};
    return error;
}

static int compare_one(const struct bench_result *now, const struct bench_result *before,
                       const struct compare_settings *settings, double *scratch,
                       struct bench_comparison *comparison)
{
    *comparison = (struct bench_comparison){
        .now = now,
        .before = before != NULL && is_measured(before) ? before : NULL,
        .ratio = NAN,
        .ratio_interval = {settings->confidence_level, NAN, NAN},
        .p_value = NAN,
        .p_value_adjusted = NAN,
        .threshold_fraction = settings->threshold_fraction,
        .noise_floor_fraction =
            isnan(settings->noise_floor_fraction) ? 0 : settings->noise_floor_fraction,
        .interleaved = settings->interleaved,
        .verdict = VERDICT_NO_BASELINE,
    };
    if (comparison->before == NULL || !is_measured(now)) {
        return 0;
    }
    struct figures *figures = mf_calloc(1, sizeof *figures);
    if (figures == NULL) {
        return -ENOMEM;
    }
    if (settings->interleaved) {
        figures->a_count = mf__pair_figures(now, before, figures->a, PROCESS_MAX, scratch);
    } else {
        collect_medians(now, figures->a, &figures->a_count);
        collect_medians(before, figures->b, &figures->b_count);
    }
    comparison->advisory = strcmp(now->fingerprint, before->fingerprint) != 0;
    comparison->verdict = VERDICT_INCONCLUSIVE;
    if (figures->a_count > 0 && (settings->interleaved || figures->b_count > 0)) {
        const double error =
            estimate_ratio(comparison, figures, settings->confidence_level, scratch);
        comparison->noise_floor_fraction = fmax(comparison->noise_floor_fraction, expm1(error));
        comparison->threshold_fraction =
            fmax(comparison->threshold_fraction, comparison->noise_floor_fraction);
    }
    mf_free(figures);
    return 0;
}

/* ---- verdicts ---- */

enum bench_verdict mf__verdict(const struct bench_comparison *comparison, double significance_level)
{
    const struct bench_interval *interval = &comparison->ratio_interval;
    const double threshold = 1 + comparison->threshold_fraction;
    const double floor = 1 + comparison->noise_floor_fraction;
    const bool significant = comparison->p_value_adjusted < significance_level;
    if (significant && comparison->ratio >= threshold && interval->lower_bound > floor) {
        return VERDICT_REGRESSED;
    }
    if (significant && comparison->ratio <= 1 / threshold && interval->upper_bound < 1 / floor) {
        return VERDICT_IMPROVED;
    }
    return interval->lower_bound >= 1 / threshold && interval->upper_bound <= threshold
               ? VERDICT_SAME
               : VERDICT_INCONCLUSIVE;
}

static int adjust(struct bench_comparison *comparisons, size_t count, double significance_level)
{
    double *p_values = mf_malloc((count + 1) * sizeof *p_values);
    if (p_values == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        p_values[i] = comparisons[i].p_value;
    }
    const int rc = mf__holm(p_values, count);
    for (size_t i = 0; i < count && rc == 0; i++) {
        comparisons[i].p_value_adjusted = p_values[i];
        if (comparisons[i].verdict != VERDICT_NO_BASELINE) {
            comparisons[i].verdict = mf__verdict(&comparisons[i], significance_level);
        }
    }
    mf_free(p_values);
    return rc;
}

int mf__compare(const struct bench_run *now, const struct bench_run *before,
                const struct compare_settings *settings, struct bench_comparison **ret_comparisons,
                struct mf_errinfo *err)
{
    struct bench_comparison *comparisons = mf_calloc(now->result_count + 1, sizeof *comparisons);
    double *scratch = mf_malloc(VERDICT_SCRATCH_LEN * sizeof *scratch);
    int rc = comparisons != NULL && scratch != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; i < now->result_count && rc == 0; i++) {
        const struct bench_result *result = &now->results[i];
        rc = compare_one(result, find_result(before, result->name), settings, scratch,
                         &comparisons[i]);
    }
    if (rc == 0) {
        rc = adjust(comparisons, now->result_count, settings->significance_level);
    }
    mf_free(scratch);
    if (rc < 0) {
        mf_free(comparisons);
        return mf_fail_os(err, rc, "cannot compare");
    }
    *ret_comparisons = comparisons;
    return 0;
}
