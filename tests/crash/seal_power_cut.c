/* SPDX-License-Identifier: Apache-2.0
 *
 * seal_power_cut.c -- a store is being sealed when a disk operation fails and the power goes, at
 * every operation in turn. What is found afterwards answers as before, and can be sealed. */
#include "metrics_fixture.h"
#include "test_seed.h"

#include "base/rng.h"
#include "os/simdisk.h"

#include <errno.h>

#define T0      (INT64_C(1700000000) * SECOND)
#define SECONDS 40
#define ROUNDS  3 /* power cuts of different luck at each operation */

static int64_t wall_ns(void *context)
{
    (void)context;
    return T0 + SECONDS * SECOND;
}

static const struct mf_clock clock_of_test = {wall_ns, wall_ns, NULL};

static struct mf_env env_of(struct mf_simdisk *disk)
{
    return (struct mf_env){.fs = mf_simdisk_fs(disk), .clock = &clock_of_test};
}

static void make_store(struct mf_simdisk *disk)
{
    struct mf_env env = env_of(disk);
    struct mf_metrics_schema schema = {.name = "small",
                                       .series_max = 3,
                                       .histograms_max = 1,
                                       .histogram_bytes = 256,
                                       .tier_count = 2,
                                       .tiers = {{SECOND, 64}, {10 * SECOND, 8}}};
    const struct mf_metrics_options options = {
        .size = sizeof options, .writers_max = 1, .series_text_bytes = 64};
    struct mf_metrics *store;
    mf_series series[3];
    assert_int_equal(mf_metrics_open("/store", &schema, 1, &options, &env, &store, NULL), 0);
    for (int type = MF_GAUGE; type <= MF_HISTOGRAM; type++) {
        char name[] = {(char)('a' + type), '\0'};
        const struct mf_series_spec spec = {.type = (enum mf_series_type)type, .name = name};
        assert_int_equal(mf_metrics_register(store, &spec, &series[type - 1], NULL), 0);
    }
    for (int i = 0; i < SECONDS; i++) {
        const int64_t at = T0 + i * SECOND;
        assert_int_equal(mf_metrics_record_at(store, series[0], i, at), 0);
        assert_int_equal(mf_metrics_observe_total_at(store, series[1], 3 * i, at), 0);
        assert_int_equal(mf_metrics_record_at(store, series[2], 1 + i % 5, at), 0);
    }
    assert_int_equal(mf_metrics_close(store, NULL), 0);
}

static int add_up(void *context, const struct mf_point *point, int64_t interval_ns,
                  const struct mf_histogram *buckets)
{
    (void)interval_ns;
    double *sum = context;
    *sum += point->sum + point->last * 3 + (double)point->count;
    *sum += buckets != NULL ? (double)mf_histogram_count_below(buckets, 2) : 0;
    return 0;
}

static int any(void *context, const struct mf_series_result *series, int64_t *start_ns)
{
    (void)context, (void)series, (void)start_ns;
    return 0;
}

/* A number that stands for everything in the store. */
static double content_of(struct mf_simdisk *disk)
{
    const struct mf_env env = env_of(disk);
    struct mf_metrics_reader *reader;
    struct mf_errinfo err = {0};
    double sum = 0;
    if (mf_metrics_reader_open("/store", &env, &reader, &err) != 0) {
        fail_msg("after the power cut: %s", err.msg);
    }
    for (int tier = 0; tier < 2; tier++) {
        const struct mf_metrics_query all = {.end_ns = INT64_MAX, .tier = tier};
        const struct mf_metrics_visitor visitor = {any, add_up, NULL, &sum};
        assert_int_equal(mf_metrics_visit(reader, &all, &visitor, NULL), 0);
    }
    mf_metrics_reader_close(reader);
    return sum;
}

static void power_goes_while_sealing(void **state)
{
    (void)state;
    static const struct mf_simdisk_cut copy = {.keep_all = true};
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    struct mf_simdisk *original = mf_simdisk_new(0);
    make_store(original);
    const double content = content_of(original);
    assert_true(content > 0);
    int rc = -1;
    for (uint64_t n = 1; rc != 0; n++) {
        for (int round = 0; round < ROUNDS; round++) {
            struct mf_simdisk *disk = mf_simdisk_power_cut(original, &copy);
            struct mf_env env = env_of(disk);
            mf_simdisk_fail_nth(disk, n, -EIO, true);
            rc = mf_metrics_seal("/store", &env, NULL, NULL);
            const struct mf_simdisk_cut cut = {.seed = mf_rng_next(&rng),
                                               .keep_nothing = round == 1};
            struct mf_simdisk *after = mf_simdisk_power_cut(disk, &cut);
            struct mf_env env_after = env_of(after);
            struct mf_errinfo err = {0};
            assert_double(content_of(after), content, 0);
            const int again = mf_metrics_seal("/store", &env_after, NULL, &err);
            if (again != 0 && again != MF_ECLOSED) {
                fail_msg("operation %llu: %s", (unsigned long long)n, err.msg);
            }
            assert_double(content_of(after), content, 0);
            if (mf_metrics_verify("/store", &env_after, NULL, &err) != 0) {
                fail_msg("operation %llu: %s", (unsigned long long)n, err.msg);
            }
            mf_simdisk_free(after);
            mf_simdisk_free(disk);
        }
        assert_true(n < 10000);
    }
    mf_simdisk_free(original);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(power_goes_while_sealing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
