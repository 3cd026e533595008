/* SPDX-License-Identifier: Apache-2.0
 * histogram_test.c -- buckets: where values go, how blobs are stored, what quantiles answer. Seed:
 * MAYFLY_TEST_SEED. */
#include "cmocka_all.h"

#include "histogram.h"
#include "test_seed.h"

#include "base/hash.h"
#include "base/rng.h"
#include <float.h>
#include <math.h>
#include <mayfly/error.h>
#include <mayfly/metrics.h>
#include <stdio.h>
#include <stdlib.h>

static const struct mf__slot packed = {0x0123456789abcdef, 0xfedcba9876543210};

static void add(struct mf_histogram *h, double value)
{
    h->min = h->count == 0 || value < h->min ? value : h->min;
    h->max = h->count == 0 || value > h->max ? value : h->max;
    h->count++;
    h->sum += value;
    h->buckets[mf__histogram_index(value)]++;
}

static void bounds_and_indexes_agree(void **state)
{
    (void)state;
    assert_true(mf__histogram_bound(0) == 0);
    assert_true(mf__histogram_bound(1) == 0x1p-20);
    assert_true(mf__histogram_bound(HISTOGRAM_BUCKETS - 1) == 0x1p44);
    for (uint32_t i = 1; i < HISTOGRAM_BUCKETS; i++) {
        const double lower = mf__histogram_bound(i);
        assert_true(lower > mf__histogram_bound(i - 1));
        /* The upper bound belongs to the bucket, as `le` asks; the lower to the one before. */
        assert_int_equal(mf__histogram_index(lower), i - 1);
        assert_int_equal(mf__histogram_index(nextafter(lower, INFINITY)), i);
        if (i < HISTOGRAM_BUCKETS - 1) {
            assert_true(mf__histogram_bound(i + 1) / lower - 1 <= 1.0 / 32);
        }
    }
    static const double low[] = {0, -0.0, -1, -DBL_MAX, 5e-324, 0x1p-21, 0x1p-20, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof low / sizeof *low; i++) {
        assert_int_equal(mf__histogram_index(low[i]), 0);
    }
    static const double high[] = {0x1.0000000000001p44, 1e300, DBL_MAX, INFINITY};
    for (size_t i = 0; i < sizeof high / sizeof *high; i++) {
        assert_int_equal(mf__histogram_index(high[i]), HISTOGRAM_BUCKETS - 1);
    }
}

/* The middle of its bucket is within 1/64 of every value, over the whole range. */
static void error_is_bounded(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    double worst = 0;
    for (int i = 0; i < 1000000; i++) {
        const double value =
            ldexp(1 + mf_rng_double(&rng), (int)mf_rng_below(&rng, 64) - 20) * (1 - 0x1p-53);
        const uint32_t index = mf__histogram_index(value);
        assert_in_range(index, 1, HISTOGRAM_BUCKETS - 2);
        const double middle = (mf__histogram_bound(index) + mf__histogram_bound(index + 1)) / 2;
        worst = fmax(worst, fabs(middle - value) / value);
    }
    assert_true(worst <= 1.0 / 64 && worst > 1.0 / 80);
}

/* `le` at powers of two is exact, also where values lie on the bound. */
static void count_below_is_exact_at_powers_of_two(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    struct mf_histogram h = {0};
    static double values[20000];
    for (size_t i = 0; i < 20000; i++) {
        const int exponent = (int)mf_rng_below(&rng, 70) - 22;
        values[i] = i % 3 == 0 ? ldexp(1, exponent) : ldexp(1 + mf_rng_double(&rng), exponent);
        values[i] = i % 100 == 0 ? 0 : values[i];
        add(&h, values[i]);
    }
    for (int exponent = -20; exponent <= 44; exponent++) {
        uint64_t expected = 0;
        for (size_t i = 0; i < 20000; i++) {
            expected += values[i] <= ldexp(1, exponent);
        }
        assert_int_equal(mf_histogram_count_below(&h, ldexp(1, exponent)), expected);
    }
    assert_int_equal(mf_histogram_count_below(&h, INFINITY), 20000);
    assert_int_equal(mf_histogram_count_below(&h, h.max), 20000);
    assert_int_equal(mf_histogram_count_below(&h, -1), 0);
    struct mf_histogram five = {0};
    add(&five, 5);
    assert_int_equal(mf_histogram_count_below(&five, 5.01), 1);
    assert_int_equal(mf_histogram_count_below(&five, 4.99), 0);
}

static double random_duration(struct mf_rng *rng, unsigned shape)
{
    switch (shape) {
    case 0: /* a narrow peak with a long tail */
        return 0.001 * (1 + 0.1 * mf_rng_double(rng)) /
               (mf_rng_below(rng, 50) == 0 ? mf_rng_double(rng) + 1e-3 : 1);
    case 1:
        return mf_rng_double(rng) * 100;
    case 2:
        return ldexp(1 + mf_rng_double(rng), (int)mf_rng_below(rng, 60) - 20);
    default:
        return (double)mf_rng_below(rng, 5);
    }
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Quantiles are within 1/64 of the value of that rank in the sorted list; the ends are exact. */
static void quantiles_against_sorted_lists(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    static double values[3000];
    static const double quantiles[] = {0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};
    for (int round = 0; round < 400; round++) {
        struct mf_histogram h = {0};
        const size_t count = 1 + (size_t)mf_rng_below(&rng, round % 2 == 0 ? 5 : 3000);
        for (size_t i = 0; i < count; i++) {
            values[i] = random_duration(&rng, (unsigned)round % 4);
            add(&h, values[i]);
        }
        qsort(values, count, sizeof *values, compare_doubles);
        assert_true(mf_histogram_quantile(&h, 0) == values[0]);
        assert_true(mf_histogram_quantile(&h, 1) == values[count - 1]);
        double before = 0;
        for (size_t q = 0; q < sizeof quantiles / sizeof *quantiles; q++) {
            size_t rank = (size_t)ceil(quantiles[q] * (double)count);
            rank = rank == 0 ? 1 : rank;
            const double got = mf_histogram_quantile(&h, quantiles[q]);
            assert_true(got >= before && got >= values[0] && got <= values[count - 1]);
            before = got;
            if (values[rank - 1] > 0x1p-20) {
                assert_true(fabs(got - values[rank - 1]) <=
                            values[rank - 1] * mf_histogram_error(&h));
            }
        }
    }
    struct mf_histogram empty = {0};
    assert_true(isnan(mf_histogram_quantile(&empty, 0.5)));
    struct mf_histogram one = {0};
    add(&one, 1);
    assert_true(isnan(mf_histogram_quantile(&one, -0.1)) &&
                isnan(mf_histogram_quantile(&one, 1.1)));
    assert_true(isnan(mf_histogram_quantile(&one, NAN)));
}

/* A minimum that was rounded with its slot is not taken for a value. */
static void rounded_minimum_is_not_trusted(void **state)
{
    (void)state;
    struct mf_histogram h = {0};
    for (int i = 0; i < 100; i++) {
        add(&h, 0.001 + i * 1e-6);
    }
    add(&h, 100);
    h.min = 0.00305; /* what a packed slot may say: within (100 - 0.001) / 2^15 */
    h.rounded = true;
    assert_true(fabs(mf_histogram_quantile(&h, 0.5) - 0.00105) <= 0.00105 / 64);
    assert_true(fabs(mf_histogram_quantile(&h, 0) - 0.001) <= 0.001 / 64);
    assert_true(mf_histogram_quantile(&h, 1) == 100);
}

static void check_blob(const struct mf_histogram *h, size_t room, int64_t slot)
{
    static uint8_t blob[HISTOGRAM_BLOB_MAX + 64];
    memset(blob, 0xA5, sizeof blob);
    mf__histogram_encode(h->buckets, 0, slot, packed, blob, room);
    for (size_t i = room; i < sizeof blob; i++) {
        assert_int_equal(blob[i], 0xA5); /* nothing behind its room */
    }
    struct mf_histogram back = {0};
    assert_int_equal(mf__histogram_decode(blob, room, slot, &back), h->count != 0);
    assert_int_equal(back.count, h->count);
    if (back.halvings == 0) {
        assert_memory_equal(back.buckets, h->buckets, sizeof back.buckets);
    }
    uint64_t seen = 0;
    uint64_t seen_back = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        /* Whole groups of neighbours were merged, so at the end of a group the sums agree. */
        seen += h->buckets[i];
        seen_back += back.buckets[i];
        const bool group_end =
            i == 0 || i == HISTOGRAM_BUCKETS - 1 || i % (1u << back.halvings) == 0;
        assert_true(!group_end || seen == seen_back);
    }
    if (h->count != 0) {
        assert_int_equal(mf__histogram_packed(blob).lo, packed.lo);
        assert_int_equal(mf__histogram_packed(blob).hi, packed.hi);
    }
    struct mf_histogram other = {0};
    assert_int_equal(mf__histogram_decode(blob, room, slot + 1, &other), 0);
}

static void blobs_round_trip(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    static const size_t rooms[] = {64, 72, 256, 1024, 16384};
    for (int round = 0; round < 3000; round++) {
        struct mf_histogram h = {0};
        const uint64_t values = mf_rng_below(&rng, round % 5 == 0 ? 5000 : 60);
        for (uint64_t i = 0; i < values; i++) {
            add(&h, random_duration(&rng, (unsigned)round % 4));
        }
        if (round % 7 == 0) { /* enormous counts */
            for (int i = 0; i < 50; i++) {
                const uint64_t n = mf_rng_next(&rng) >> (10 + mf_rng_below(&rng, 50));
                h.buckets[mf_rng_below(&rng, HISTOGRAM_BUCKETS)] += n;
                h.count += n;
            }
        }
        check_blob(&h, rooms[round % 5], (int64_t)mf_rng_next(&rng));
    }
    struct mf_histogram full = {0}; /* every bucket: never fits without halving */
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        full.buckets[i] = UINT64_C(1) << 52;
        full.count += full.buckets[i];
    }
    for (size_t r = 0; r < sizeof rooms / sizeof *rooms; r++) {
        check_blob(&full, rooms[r], -5);
    }
}

/* What was merged to fit is within the error that is stated then. */
static void halved_buckets_keep_the_stated_error(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    static double values[4000];
    bool seen_halvings[16] = {false};
    for (int round = 0; round < 600; round++) {
        struct mf_histogram h = {0};
        const size_t count = 1 + (size_t)mf_rng_below(&rng, round % 3 == 0 ? 30 : 4000);
        for (size_t i = 0; i < count; i++) {
            values[i] = ldexp(1 + mf_rng_double(&rng), (int)mf_rng_below(&rng, 64) - 20);
            add(&h, values[i]);
        }
        qsort(values, count, sizeof *values, compare_doubles);
        uint8_t blob[2048];
        const size_t room = 64 + 8 * (size_t)mf_rng_below(&rng, round % 2 == 0 ? 16 : 240);
        mf__histogram_encode(h.buckets, 0, round, packed, blob, room);
        struct mf_histogram back = {0};
        assert_int_equal(mf__histogram_decode(blob, room, round, &back), 1);
        back.min = h.min;
        back.max = h.max;
        seen_halvings[back.halvings] = true;
        for (int q = 0; q <= 100; q++) {
            size_t rank = (size_t)ceil(q / 100.0 * (double)count);
            rank = rank == 0 ? 1 : rank;
            const double got = mf_histogram_quantile(&back, q / 100.0);
            assert_true(fabs(got - values[rank - 1]) <=
                        values[rank - 1] * mf_histogram_error(&back));
        }
        for (int exponent = -20; back.halvings <= 5 && exponent <= 44; exponent++) {
            uint64_t expected = 0;
            for (size_t i = 0; i < count; i++) {
                expected += values[i] <= ldexp(1, exponent);
            }
            assert_int_equal(mf_histogram_count_below(&back, ldexp(1, exponent)), expected);
        }
    }
    for (unsigned halvings = 0; halvings <= 7; halvings++) {
        assert_true(seen_halvings[halvings]);
    }
}

/* Coarse buckets stay known as coarse when they are stored once more with plenty of room. */
static void halvings_are_kept(void **state)
{
    (void)state;
    struct mf_histogram h = {0};
    for (uint32_t i = 1; i < HISTOGRAM_BUCKETS; i += 3) {
        h.buckets[i] = 1;
        h.count++;
    }
    uint8_t blob[4096];
    mf__histogram_encode(h.buckets, 0, 1, packed, blob, 256);
    struct mf_histogram coarse = {0};
    assert_int_equal(mf__histogram_decode(blob, 256, 1, &coarse), 1);
    assert_true(coarse.halvings > 2);
    mf__histogram_encode(coarse.buckets, coarse.halvings, 2, packed, blob, sizeof blob);
    struct mf_histogram again = {0};
    assert_int_equal(mf__histogram_decode(blob, sizeof blob, 2, &again), 1);
    assert_int_equal(again.halvings, coarse.halvings);
    assert_memory_equal(again.buckets, coarse.buckets, sizeof again.buckets);
}

/* A blob that was damaged in any bit is refused, or is of another slot; never wrong. */
static void damaged_blobs_are_refused(void **state)
{
    (void)state;
    struct mf_histogram h = {0};
    for (int i = 0; i < 40; i++) {
        add(&h, 0.01 * i);
    }
    uint8_t blob[256] = {0};
    mf__histogram_encode(h.buckets, 0, 9, packed, blob, sizeof blob);
    const size_t used = HISTOGRAM_BLOB_HEADER + blob[8] + 256u * blob[9];
    for (size_t bit = 0; bit < used * 8; bit++) {
        blob[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        struct mf_histogram back = {0};
        const int rc = mf__histogram_decode(blob, sizeof blob, 9, &back);
        assert_true(rc == MF_ECORRUPT || (rc == 0 && back.count == 0));
        blob[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void merging_adds(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    struct mf_histogram all = {0};
    struct mf_histogram merged = {0};
    for (int part = 0; part < 20; part++) {
        struct mf_histogram h = {0};
        for (uint64_t i = mf_rng_below(&rng, 30); i > 0; i--) {
            const double value = random_duration(&rng, (unsigned)part % 4);
            add(&h, value);
            add(&all, value);
        }
        mf__histogram_merge(&merged, &h);
    }
    assert_memory_equal(merged.buckets, all.buckets, sizeof all.buckets);
    assert_int_equal(mf_histogram_count(&merged), all.count);
    assert_true(merged.min == all.min && merged.max == all.max);
    assert_true(fabs(mf_histogram_sum(&merged) - all.sum) <= all.sum * 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_and_indexes_agree),
        cmocka_unit_test(error_is_bounded),
        cmocka_unit_test(count_below_is_exact_at_powers_of_two),
        cmocka_unit_test(quantiles_against_sorted_lists),
        cmocka_unit_test(rounded_minimum_is_not_trusted),
        cmocka_unit_test(blobs_round_trip),
        cmocka_unit_test(halved_buckets_keep_the_stated_error),
        cmocka_unit_test(halvings_are_kept),
        cmocka_unit_test(damaged_blobs_are_refused),
        cmocka_unit_test(merging_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
