/* SPDX-License-Identifier: Apache-2.0
 * slot_test.c -- packing of slots: what slot.h promises of every mode, at the ends of what a double
 * can say and for random aggregates. Seed: MAYFLY_TEST_SEED. */
#include "cmocka_all.h"

#include "slot.h"
#include "test_seed.h"

#include "base/rng.h"
#include <float.h>
#include <math.h>
#include <string.h>

#define LAP 77

static uint64_t bits_of_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static struct mf__aggregate round_trip(const struct mf__aggregate *a, bool counter, bool *ret_exact)
{
    const struct mf__slot packed = mf__slot_pack(a, counter, LAP);
    struct mf__aggregate back;
    assert_true(mf__slot_unpack(packed, LAP, &back, ret_exact));
    return back;
}

static void empty_is_empty(void **state)
{
    (void)state;
    const struct mf__aggregate none = {0, 1, 2, 3, 4, 5};
    const struct mf__slot packed = mf__slot_pack(&none, false, LAP);
    struct mf__aggregate back;
    bool exact;
    assert_int_equal(packed.lo, 0);
    assert_int_equal(packed.hi, 0);
    for (uint64_t lap = 0; lap < 300; lap++) {
        assert_false(mf__slot_unpack(packed, lap, &back, &exact));
    }
}

/* Only the lap it was packed for, and those 256 apart, see a slot. */
static void a_slot_is_of_one_lap(void **state)
{
    (void)state;
    const struct mf__aggregate a = {3, 6, 1, 3, 1, 3};
    struct mf__aggregate back;
    bool exact;
    for (int counter = 0; counter < 2; counter++) {
        const struct mf__slot packed = mf__slot_pack(&a, counter != 0, LAP);
        for (uint64_t lap = 0; lap < 1024; lap++) {
            assert_int_equal(mf__slot_unpack(packed, lap, &back, &exact), lap % 256 == LAP);
        }
    }
}

static void constants_are_exact(void **state)
{
    (void)state;
    static const double values[] = {0.0,     -0.0,    1,           -1,
                                    1.0 / 3, DBL_MIN, DBL_MAX,     -DBL_MAX,
                                    5e-324,  -5e-324, DBL_MIN / 2, 9007199254740993.0};
    static const uint64_t counts[] = {
        1, 2, 16383, 16384, 1 << 20, UINT64_C(1) << 53, (UINT64_C(1) << 54) - 1};
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            const double x = values[v];
            const struct mf__aggregate a = {counts[c], x * (double)counts[c], x, x, x, x};
            bool exact = false;
            const struct mf__aggregate back = round_trip(&a, false, &exact);
            assert_true(exact);
            assert_int_equal(back.count, counts[c]);
            assert_int_equal(bits_of_double(back.last), bits_of_double(x));
            assert_true(back.min == x && back.max == x && back.first == x);
            assert_true(back.sum == x * (double)counts[c] ||
                        (isinf(x * (double)counts[c]) && fabs(back.sum) == DBL_MAX));
        }
    }
    /* More of them than the field holds: still the value. */
    const struct mf__aggregate many = {UINT64_C(1) << 60, 0x1p60 * 0.1, 0.1, 0.1, 0.1, 0.1};
    bool exact = true;
    const struct mf__aggregate back = round_trip(&many, false, &exact);
    assert_false(exact);
    assert_true(fabs(back.min - 0.1) <= 0.1 / 8388608 && fabs(back.max - 0.1) <= 0.1 / 8388608);
}

static void ends_of_doubles_stay_finite(void **state)
{
    (void)state;
    const double ends[][2] = {{-DBL_MAX, DBL_MAX},
                              {0, DBL_MAX},
                              {DBL_MAX / 2, DBL_MAX},
                              {-DBL_MAX, 0},
                              {-DBL_MAX, 1},
                              {-5e-324, 5e-324},
                              {0, 5e-324},
                              {DBL_MIN / 4, DBL_MIN},
                              {-0.0, 0.0},
                              {-1e-320, 1e300},
                              {nextafter(DBL_MAX, 0), DBL_MAX}};
    static const double sums[] = {0, 1, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        for (size_t s = 0; s < sizeof sums / sizeof *sums; s++) {
            const double min = ends[i][0];
            const double max = ends[i][1];
            const struct mf__aggregate a = {5, sums[s], min, max, max, min};
            bool exact;
            const struct mf__aggregate back = round_trip(&a, false, &exact);
            assert_true(isfinite(back.min) && isfinite(back.max) && isfinite(back.sum));
            assert_true(back.min <= back.last && back.last <= back.first && back.first <= back.max);
            const long double bound = fmaxl(((long double)max - min) / 32768, fabsl(min) / 8388608);
            assert_true(fabsl((long double)back.min - min) <= fmaxl(bound, 0x1p-1031L));
            assert_true(fabsl((long double)back.max - max) <= fmaxl(bound, 0x1p-1031L));
        }
    }
}

static void counts_are_rounded_to_the_nearest(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 1);
    for (int i = 0; i < 200000; i++) {
        const uint64_t count =
            i < 70000 ? (uint64_t)i + 1 : 1 + (mf_rng_next(&rng) >> (20 + i % 43));
        const struct mf__aggregate a = {count, (double)count, 0, 2, 0, 2};
        bool exact;
        const struct mf__aggregate back = round_trip(&a, false, &exact);
        const uint64_t wrong = back.count > count ? back.count - count : count - back.count;
        if (count < 16384) {
            assert_int_equal(back.count, count);
        } else if (count < UINT64_C(16383) << 31) {
            assert_true(wrong <= count / 16384);
        }
    }
}

/* A value of a shape that programs have: integers, fractions, any exponent, or close together. */
static double random_value(struct mf_rng *rng, unsigned shape, double base)
{
    switch (shape) {
    case 0:
        return (double)(int64_t)mf_rng_below(rng, 32768) - 1000;
    case 1:
        return mf_rng_double(rng);
    case 2:
        return (mf_rng_double(rng) - 0.5) * 1e12;
    case 3:
        return base * (1 + mf_rng_double(rng) * 1e-9);
    case 4:
        return (double)(1000000 + mf_rng_below(rng, 100));
    case 5:
        return (double)mf_rng_below(rng, 1u << 30) * 4096;
    default:
        for (;;) {
            const double any = double_of_bits(mf_rng_next(rng));
            if (isfinite(any)) {
                return any;
            }
        }
    }
}

static struct mf__aggregate random_aggregate(struct mf_rng *rng, unsigned shape, bool *ret_integers)
{
    struct mf__aggregate a = {0};
    const uint64_t count = 1 + mf_rng_below(rng, mf_rng_below(rng, 4) == 0 ? 2000 : 12);
    const double base = ldexp(mf_rng_double(rng) + 0.1, (int)mf_rng_below(rng, 60) - 30);
    *ret_integers = shape == 0 || shape == 4;
    for (uint64_t i = 0; i < count; i++) {
        const double v = random_value(rng, shape, base);
        const struct mf__aggregate one = {1, v, v, v, v, v};
        mf__aggregate_append(&a, &one);
    }
    return a;
}

static void check_bounds(const struct mf__aggregate *a, const struct mf__aggregate *back,
                         bool integers)
{
    assert_int_equal(back->count, a->count);
    assert_true(back->min <= back->first && back->first <= back->max);
    assert_true(back->min <= back->last && back->last <= back->max);
    const long double bound =
        fmaxl(fmaxl(((long double)a->max - a->min) / 32768, fabsl(a->min) / 8388608), 0x1p-1031L);
    assert_true(fabsl((long double)back->min - a->min) <= bound);
    assert_true(fabsl((long double)back->max - a->max) <= bound);
    assert_true(fabsl((long double)back->first - a->first) <= bound);
    assert_true(fabsl((long double)back->last - a->last) <= bound);
    if (integers && a->max - a->min < 32768 && fabs(a->min) < 8388608) {
        assert_true(back->min == a->min && back->max == a->max);
        assert_true(back->first == a->first && back->last == a->last);
    }
    if (isfinite(a->sum)) {
        const long double mean = (long double)a->sum / (long double)a->count;
        const long double mean_back = (long double)back->sum / (long double)back->count;
        /* A sum of large and small values was rounded before it came here. */
        const long double sum_noise = fmaxl(fabsl(a->max), fabsl(a->min)) * 0x1p-50L;
        const long double inside = fminl(fmaxl(mean, back->min), back->max);
        assert_true(fabsl(mean_back - inside) <= bound / 16 + sum_noise);
        assert_true(mean_back >= back->min - sum_noise && mean_back <= back->max + sum_noise);
    }
}

static void random_aggregates_keep_the_bounds(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    for (int i = 0; i < 200000; i++) {
        bool integers;
        const struct mf__aggregate a = random_aggregate(&rng, (unsigned)i % 7, &integers);
        bool exact;
        const struct mf__aggregate back = round_trip(&a, false, &exact);
        if (exact) {
            assert_true(a.min == a.max && back.min == a.min && back.count == a.count);
        }
        check_bounds(&a, &back, integers);
        /* Packed once more it stays what it is: rounding does not creep. */
        const struct mf__aggregate again = round_trip(&back, false, &exact);
        assert_true(again.min == back.min && again.max == back.max);
        assert_true(again.first == back.first && again.last == back.last);
        assert_int_equal(again.count, back.count);
    }
}

static void totals_are_exact(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    for (int i = 0; i < 200000; i++) {
        double total = fabs(random_value(&rng, 6, 0));
        double increase =
            i % 3 == 0 ? (double)mf_rng_below(&rng, 1 << 24) : fabs(random_value(&rng, 6, 0));
        total = i % 1000 == 0 ? DBL_MAX : total;
        increase = i % 1001 == 0 ? DBL_MAX : i % 1002 == 0 ? 0 : increase;
        const struct mf__aggregate a = {
            1 + mf_rng_below(&rng, 16383), increase, total, 0, 0, total};
        bool exact;
        const struct mf__aggregate back = round_trip(&a, true, &exact);
        assert_int_equal(bits_of_double(back.last), bits_of_double(total));
        assert_true(isfinite(back.sum) && isfinite(back.first));
        assert_int_equal(back.count, a.count);
        if (i % 3 == 0 && i % 1001 != 0 && i % 1002 != 0) {
            assert_true(back.sum == increase);
        }
        assert_true(fabs(back.sum - increase) <= fmax(increase * 0x1p-24, DBL_MIN));
    }
}

/* Whatever the bits of a slot are, it is empty or has finite values in order. */
static void any_bits_are_harmless(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    for (int i = 0; i < 500000; i++) {
        const struct mf__slot slot = {mf_rng_next(&rng), mf_rng_next(&rng)};
        struct mf__aggregate a;
        bool exact;
        if (!mf__slot_unpack(slot, slot.hi >> 54, &a, &exact)) {
            continue;
        }
        assert_true(a.count > 0 && isfinite(a.sum));
        assert_true(isfinite(a.min) && isfinite(a.max) && isfinite(a.first) && isfinite(a.last));
    }
}

static void merging_follows_its_words(void **state)
{
    (void)state;
    struct mf__aggregate a = {0};
    const struct mf__aggregate two = {2, 30, 10, 20, 20, 10};
    const struct mf__aggregate none = {0};
    mf__aggregate_append(&a, &none);
    assert_int_equal(a.count, 0);
    mf__aggregate_append(&a, &two);
    assert_memory_equal(&a, &two, sizeof a);
    const struct mf__aggregate later = {1, -5, -5, -5, -5, -5};
    mf__aggregate_append(&a, &later);
    assert_true(a.count == 3 && a.sum == 25 && a.min == -5 && a.max == 20);
    assert_true(a.first == 20 && a.last == -5);
    mf__aggregate_add_late(&a, 100);
    assert_true(a.count == 4 && a.sum == 125 && a.min == -5 && a.max == 100);
    assert_true(a.first == 20 && a.last == -5);
    a = none;
    mf__aggregate_add_late(&a, 7);
    assert_true(a.count == 1 && a.sum == 7 && a.first == 7 && a.last == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_is_empty),
        cmocka_unit_test(a_slot_is_of_one_lap),
        cmocka_unit_test(constants_are_exact),
        cmocka_unit_test(ends_of_doubles_stay_finite),
        cmocka_unit_test(counts_are_rounded_to_the_nearest),
        cmocka_unit_test(random_aggregates_keep_the_bounds),
        cmocka_unit_test(totals_are_exact),
        cmocka_unit_test(any_bits_are_harmless),
        cmocka_unit_test(merging_follows_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
