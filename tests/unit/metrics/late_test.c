/* SPDX-License-Identifier: Apache-2.0
 * late_test.c -- values in any order count once in every tier. */
#include "metrics_fixture.h"

#include "base/rng.h"

#define T0 (INT64_C(1700000000) * SECOND)

static void late_values_count_once_in_every_tier(void **state)
{
    struct fixture *f = *state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 7);
    fixture_open(f);
    const mf_series gauge = fixture_series(f, MF_GAUGE, "g");
    const mf_series histogram = fixture_series(f, MF_HISTOGRAM, "h");
    f->wall_ns = T0 + 900 * SECOND;
    for (int i = 0; i < 3000; i++) {
        const int64_t at = T0 + 600 * SECOND + (int64_t)mf_rng_below(&rng, 300 * SECOND);
        fixture_record(f, gauge, 1, at);
        fixture_record(f, histogram, 1, at);
    }
    for (int tier = 0; tier < 3; tier++) {
        struct mf_metrics_result *result = fixture_ask(f, NULL, tier, T0, T0 + 900 * SECOND);
        assert_int_equal(result->series_count, 2);
        for (size_t i = 0; i < 2; i++) {
            uint64_t count = 0;
            double sum = 0;
            for (size_t k = 0; k < result->series[i].point_count; k++) {
                count += result->series[i].points[k].count;
                sum += result->series[i].points[k].sum;
            }
            assert_int_equal(count, 3000);
            assert_double(sum, 3000, 1e-6);
        }
        mf_metrics_result_free(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(late_values_count_once_in_every_tier, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
