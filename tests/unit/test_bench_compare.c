/* SPDX-License-Identifier: Apache-2.0
 * Verdicts, by their definition and by simulation: how often an unchanged program is blamed, how
 * often a planted change is found. Targets and exit codes. */
#include "bench_fixture.h"
#include "bench_report.h"
#include "cmocka_all.h"
#include "verdicts.h"

#include "base/fail.h"

#include <stdio.h>

/* ---- the definition ---- */

static void verdicts(void **state)
{
    (void)state;
    static const struct {
        double ratio, low, high, p, threshold, floor;
        enum bench_verdict verdict;
    } table[] = {
        {1.05, 1.03, 1.07, 0.001, 0.01, 0.002, VERDICT_REGRESSED},
        {1.05, 1.03, 1.07, 0.2, 0.01, 0.002, VERDICT_INCONCLUSIVE},    /* not significant */
        {1.05, 1.001, 1.09, 0.001, 0.01, 0.002, VERDICT_INCONCLUSIVE}, /* below the floor */
        {1.008, 1.005, 1.009, 0.001, 0.01, 0.002, VERDICT_SAME},       /* too small to count */
        {0.95, 0.93, 0.97, 0.001, 0.01, 0.002, VERDICT_IMPROVED},
        {0.95, 0.93, 0.999, 0.001, 0.01, 0.002, VERDICT_INCONCLUSIVE},
        {1.0, 0.995, 1.005, 0.9, 0.01, 0.002, VERDICT_SAME},
        {1.0, 0.98, 1.005, 0.9, 0.01, 0.002, VERDICT_INCONCLUSIVE},
        {1.0, 0.0, INFINITY, NAN, 0.01, 0.002, VERDICT_INCONCLUSIVE}, /* too few */
        {1.05, 1.03, 1.07, 0.001, 0.1, 0.002, VERDICT_SAME},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(table); i++) {
        const struct bench_comparison comparison = {
            .ratio = table[i].ratio,
            .ratio_interval = {0.95, table[i].low, table[i].high},
            .p_value_adjusted = table[i].p,
            .threshold_fraction = table[i].threshold,
            .noise_floor_fraction = table[i].floor,
        };
        if (mf__verdict(&comparison, 0.05) != table[i].verdict) {
            fail_msg("row %zu", i);
        }
    }
}

static void enough_pairs(void **state)
{
    (void)state;
    assert_int_equal(mf__compare_pairs(1, 0.05), 8);
    assert_int_equal(mf__compare_pairs(30, 0.05), 11); /* 30 * 2 / 2^11 < 0.05 < 30 * 2 / 2^10 */
    assert_int_equal(mf__compare_pairs(100, 0.05), 12);
    assert_int_equal(mf__compare_pairs((size_t)1 << 40, 0.05), 32);
}

/* ---- simulation ---- */

struct counts {
    unsigned verdicts[VERDICT_NO_BASELINE + 1];
};

/* Compares two made-up runs of several benchmarks; `pairs` share what happens to a process. */
static void simulate(struct counts *counts, size_t benchmarks, double change, bool interleaved,
                     double between, double within, unsigned rounds, uint64_t seed)
{
    struct mf_rng rng;
    mf_rng_seed(&rng, seed);
    memset(counts, 0, sizeof *counts);
    const struct compare_settings settings = {
        .interleaved = interleaved,
        .threshold_fraction = 0.01,
        .noise_floor_fraction = NAN,
        .confidence_level = 0.95,
        .significance_level = 0.01,
    };
    const size_t processes = mf__compare_pairs(benchmarks, 0.01);
    for (unsigned round = 0; round < rounds; round++) {
        struct bench_run runs[2] = {{0}, {0}};
        for (int side = 0; side < 2; side++) {
            runs[side].results = mf_calloc(benchmarks, sizeof *runs[side].results);
            runs[side].result_count = benchmarks;
            for (size_t i = 0; i < benchmarks; i++) {
                char name[32];
                struct bench_result *result = &runs[side].results[i];
                snprintf(name, sizeof name, "suite::%zu", i);
                const double level = side == 0 ? 100 * (1 + change) : 100;
                assert_int_equal(fixture_result(result, name, processes, 11, level, between, within,
                                                false, &rng),
                                 0);
                result->process_medians = mf_calloc(processes, sizeof(double));
                for (size_t k = 0; k < processes; k++) {
                    result->process_medians[k] = mf__process_median(&result->processes[k]);
                    result->processes[k].paired = interleaved;
                }
            }
        }
        struct bench_comparison *comparisons = NULL;
        assert_int_equal(mf__compare(&runs[0], &runs[1], &settings, &comparisons, NULL), 0);
        for (size_t i = 0; i < benchmarks; i++) {
            counts->verdicts[comparisons[i].verdict]++;
        }
        mf_free(comparisons);
        mf__bench_run_free(&runs[0]);
        mf__bench_run_free(&runs[1]);
    }
}

static void unchanged_programs_are_not_blamed(void **state)
{
    (void)state;
    struct counts counts;
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        simulate(&counts, 10, 0, interleaved, 0.005, 0.005, 100, 7);
        assert_true(counts.verdicts[VERDICT_REGRESSED] <= 1); /* of 1000 */
        assert_true(counts.verdicts[VERDICT_IMPROVED] <= 1);
        assert_true(counts.verdicts[VERDICT_SAME] >= 800);
        /* A noisy machine makes it undecided, not wrong: of 200 runs 1 % may have one wrong
         * verdict, which is more than 8 once in 10000 times. */
        simulate(&counts, 10, 0, interleaved, 0.05, 0.05, 200, 8);
        assert_true(counts.verdicts[VERDICT_REGRESSED] + counts.verdicts[VERDICT_IMPROVED] <= 8);
        assert_true(counts.verdicts[VERDICT_SAME] <= 1800);
    }
}

static void planted_changes_are_found(void **state)
{
    (void)state;
    struct counts counts;
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        simulate(&counts, 1, 0.02, interleaved, 0.005, 0.005, 200, 9);
        assert_true(counts.verdicts[VERDICT_REGRESSED] >= 180); /* 90 % */
        assert_int_equal(counts.verdicts[VERDICT_IMPROVED] + counts.verdicts[VERDICT_SAME], 0);
        simulate(&counts, 1, -0.02, interleaved, 0.005, 0.005, 200, 10);
        assert_true(counts.verdicts[VERDICT_IMPROVED] >= 180);
        assert_int_equal(counts.verdicts[VERDICT_REGRESSED] + counts.verdicts[VERDICT_SAME], 0);
    }
}

/* ---- what cannot be compared ---- */

static void missing_and_failed(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 1);
    struct bench_result now[3];
    struct bench_result before[2];
    const char *names[] = {"suite::a", "suite::b", "suite::c"};
    for (int i = 0; i < 3; i++) {
        fixture_result(&now[i], names[i], 8, 11, 100, 0.001, 0.001, false, &rng);
        fixture_estimate(&now[i]);
    }
    for (int i = 0; i < 2; i++) {
        fixture_result(&before[i], names[i], 8, 11, 100, 0.001, 0.001, false, &rng);
        fixture_estimate(&before[i]);
    }
    now[1].status = BENCH_SKIPPED;
    snprintf(before[0].fingerprint, sizeof before[0].fingerprint, "another");
    const struct bench_run now_run = {.results = now, .result_count = 3};
    const struct bench_run before_run = {.results = before, .result_count = 2};
    const struct compare_settings settings = {
        .threshold_fraction = 0.1,
        .noise_floor_fraction = 0.2,
        .confidence_level = 0.95,
        .significance_level = 0.05,
    };
    struct bench_comparison *comparisons = NULL;
    assert_int_equal(mf__compare(&now_run, &before_run, &settings, &comparisons, NULL), 0);
    assert_int_equal(comparisons[0].verdict, VERDICT_SAME);
    assert_true(comparisons[0].advisory);
    assert_true(comparisons[0].threshold_fraction == 0.2);         /* not below the noise floor */
    assert_int_equal(comparisons[1].verdict, VERDICT_NO_BASELINE); /* skipped now */
    assert_int_equal(comparisons[2].verdict, VERDICT_NO_BASELINE);

    assert_int_equal(mf__gate(&now_run, comparisons, 3, NULL, 0, false), BENCH_EXIT_NO_BASELINE);
    assert_int_equal(mf__gate(&now_run, comparisons, 3, NULL, 0, true), BENCH_EXIT_OK);
    comparisons[0].verdict = VERDICT_REGRESSED; /* on another machine: told, not held against it */
    assert_int_equal(mf__gate(&now_run, comparisons, 3, NULL, 0, true), BENCH_EXIT_OK);
    comparisons[0].advisory = false;
    assert_int_equal(mf__gate(&now_run, comparisons, 3, NULL, 0, true), BENCH_EXIT_REGRESSED);
    assert_int_equal(mf__gate(&now_run, comparisons, 3, NULL, 0, false), BENCH_EXIT_REGRESSED);
    comparisons[0].verdict = VERDICT_INCONCLUSIVE;
    assert_int_equal(mf__gate(&now_run, comparisons, 3, NULL, 0, true), BENCH_EXIT_INCONCLUSIVE);
    now[2].status = BENCH_FAILED;
    assert_int_equal(mf__gate(&now_run, comparisons, 3, NULL, 0, true), BENCH_EXIT_FAILED);
    mf_free(comparisons);
    for (int i = 0; i < 3; i++) {
        mf__bench_result_free(&now[i]);
    }
    mf__bench_result_free(&before[0]);
    mf__bench_result_free(&before[1]);
}

/* ---- targets ---- */

static void targets_and_bands(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 1);
    struct bench_result result;
    fixture_result(&result, "suite::a", 8, 100, 100, 0, 0, true, &rng);
    fixture_estimate(&result);
    assert_true(fabs(mf__metric(&result, "median_ns") - 100) < 0.01);
    assert_true(fabs(mf__metric(&result, "elements_per_second") - 1e8) < 1e5);
    assert_true(mf__metric(&result, "allocations_per_op") == 2);
    assert_true(mf__metric(&result, "fsyncs") == 3.5); /* the median of 0 .. 7 */
    assert_true(fabs(mf__metric(&result, "p99_ns") - 100) <= 1);
    assert_true(isnan(mf__metric(&result, "p98_ns")));
    assert_true(isnan(mf__metric(&result, "bytes_per_second")));
    assert_true(isnan(mf__metric(&result, "p_ns")));

    char pattern[] = "suite::*";
    char median[] = "median_ns";
    char rate[] = "elements_per_second";
    char unknown[] = "nonsense";
    struct bench_target targets[] = {
        {pattern, median, 120, 150, false}, {pattern, median, 80, 150, false},
        {pattern, median, 80, 90, false},   {pattern, rate, 8e7, 5e7, true},
        {pattern, rate, 2e8, 5e7, true},    {pattern, rate, 3e8, 2e8, true},
        {pattern, unknown, 1, 1, false},
    };
    static const enum bench_band bands[] = {BAND_GOOD,    BAND_WARNING,  BAND_CRITICAL, BAND_GOOD,
                                            BAND_WARNING, BAND_CRITICAL, BAND_WARNING};
    const struct bench_config config = {.targets = targets, .target_count = MF_ARRAY_LEN(targets)};
    const struct bench_run run = {.results = &result, .result_count = 1};
    struct bench_check *checks = NULL;
    size_t count = 0;
    assert_int_equal(mf__check_targets(&run, &config, &checks, &count, NULL), 0);
    assert_int_equal(count, MF_ARRAY_LEN(targets));
    for (size_t i = 0; i < count; i++) {
        if (checks[i].band != bands[i]) {
            fail_msg("target %zu", i);
        }
    }
    assert_int_equal(mf__gate(&run, NULL, 0, checks, 2, false), BENCH_EXIT_OK);
    assert_int_equal(mf__gate(&run, NULL, 0, checks, 3, false), BENCH_EXIT_REGRESSED);
    mf_free(checks);
    mf__bench_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(enough_pairs),
        cmocka_unit_test(unchanged_programs_are_not_blamed),
        cmocka_unit_test(planted_changes_are_found),
        cmocka_unit_test(missing_and_failed),
        cmocka_unit_test(targets_and_bands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
