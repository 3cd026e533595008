/* SPDX-License-Identifier: Apache-2.0
 * slot.c -- packing of slots; the format is in slot.h. */
#include "slot.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum slot_mode { MODE_EMPTY = 0, MODE_CONST = 1, MODE_RANGE = 2, MODE_TOTAL = 3 };

#define MODE_SHIFT      62
#define TAG_SHIFT       54
#define EXPONENT_BIAS   1030
#define COUNT_BITS      19
#define COUNT_MANTISSA  14
#define COUNT_SHIFT_MAX UINT64_C(31)
#define OFFSET_MAX      32767   /* 15 bits */
#define MINIMUM_MAX     8388607 /* 24 bits, signed */
#define MEAN_STEPS      16      /* of a quantum */
#define INCREASE_BITS   35
#define INCREASE_DROP   (63 - INCREASE_BITS) /* low mantissa bits that are rounded away */
#define INCREASE_MAX    (UINT64_C(0x7FEFFFFFFFFFFFFF) >> INCREASE_DROP) /* of a finite one */

static uint64_t double_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static double bits_double(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static uint64_t bits_of(uint64_t word, unsigned shift, unsigned width)
{
    return (word >> shift) & ((UINT64_C(1) << width) - 1);
}

uint64_t mf__slot_count_step(uint64_t count)
{
    const int excess = 64 - __builtin_clzll(count | 1) - COUNT_MANTISSA;
    return excess > 0 ? UINT64_C(1) << excess : 1;
}

static uint64_t count_pack(uint64_t count)
{
    const uint64_t limit = UINT64_C(1) << COUNT_MANTISSA;
    uint64_t step = mf__slot_count_step(count);
    uint64_t steps = count / step + (count % step + step / 2) / step;
    if (steps == limit) {
        steps /= 2;
        step *= 2;
    }
    const uint64_t shift = (uint64_t)__builtin_ctzll(step);
    if (shift > COUNT_SHIFT_MAX) {
        return (COUNT_SHIFT_MAX << COUNT_MANTISSA) | (limit - 1);
    }
    return (shift << COUNT_MANTISSA) | steps;
}

static uint64_t count_unpack(uint64_t packed)
{
    return bits_of(packed, 0, COUNT_MANTISSA) << (packed >> COUNT_MANTISSA);
}

/* Rounding at the end of the range must not end in infinity. */
static double to_finite(long double v)
{
    return v > DBL_MAX ? DBL_MAX : v < -DBL_MAX ? -DBL_MAX : (double)v;
}

/* Finite differences of doubles may overflow a double; a long double holds them. */
static struct mf__slot pack_range(const struct mf__aggregate *a, uint64_t head)
{
    const long double min = a->min;
    const long double range = (long double)a->max - min;
    int exponent_range = 0;
    int exponent_min = 0;
    frexpl(range, &exponent_range);
    frexp(a->min, &exponent_min);
    int exponent = range > 0 ? exponent_range - 15 : -EXPONENT_BIAS;
    if (a->min != 0 && exponent_min - 23 > exponent) {
        exponent = exponent_min - 23;
    }
    if (exponent < -EXPONENT_BIAS) {
        exponent = -EXPONENT_BIAS;
    }
    /* Rounding up of the largest may need one more bit. */
    while (fabsl(roundl(ldexpl(min, -exponent))) > MINIMUM_MAX ||
           roundl(ldexpl(a->max, -exponent)) - roundl(ldexpl(min, -exponent)) > OFFSET_MAX) {
        exponent++;
    }
    const long double base = roundl(ldexpl(min, -exponent));
    long double mean = (long double)a->sum / (long double)a->count;
    if (!(mean >= min)) {
        mean = min;
    } else if (mean > a->max) {
        mean = a->max;
    }
    const uint64_t max_steps = (uint64_t)(roundl(ldexpl(a->max, -exponent)) - base);
    const long double mean_max = (long double)(max_steps * MEAN_STEPS);
    const uint64_t first_steps = (uint64_t)(roundl(ldexpl(a->first, -exponent)) - base);
    const uint64_t last_steps = (uint64_t)(roundl(ldexpl(a->last, -exponent)) - base);
    long double mean_steps = roundl((ldexpl(mean, -exponent) - base) * MEAN_STEPS);
    mean_steps = mean_steps < 0 ? 0 : mean_steps > mean_max ? mean_max : mean_steps;
    return (struct mf__slot){
        .hi = head | (count_pack(a->count) << 35) | ((uint64_t)(exponent + EXPONENT_BIAS) << 24) |
              ((uint64_t)(int64_t)base & 0xFFFFFF),
        .lo = (max_steps << 49) | (first_steps << 34) | (last_steps << 19) | (uint64_t)mean_steps,
    };
}

static void unpack_range(struct mf__slot slot, struct mf__aggregate *a)
{
    const int exponent = (int)bits_of(slot.hi, 24, 11) - EXPONENT_BIAS;
    const int64_t base = (int64_t)(bits_of(slot.hi, 0, 24) << 40) >> 40;
    a->count = count_unpack(bits_of(slot.hi, 35, COUNT_BITS));
    a->min = to_finite(ldexpl((long double)base, exponent));
    a->max = to_finite(ldexpl((long double)base + bits_of(slot.lo, 49, 15), exponent));
    a->first = to_finite(ldexpl((long double)base + bits_of(slot.lo, 34, 15), exponent));
    a->last = to_finite(ldexpl((long double)base + bits_of(slot.lo, 19, 15), exponent));
    const long double mean =
        ldexpl((long double)base + (long double)bits_of(slot.lo, 0, 19) / MEAN_STEPS, exponent);
    a->sum = to_finite(mean * (long double)a->count);
}

struct mf__slot mf__slot_pack(const struct mf__aggregate *a, bool counter, uint64_t lap)
{
    const uint64_t tag = (lap & 0xFF) << TAG_SHIFT;
    if (a->count == 0) {
        return (struct mf__slot){0, 0};
    }
    if (counter) {
        uint64_t increase = double_bits(a->sum > 0 ? to_finite(a->sum) : 0);
        increase = (increase + (UINT64_C(1) << (INCREASE_DROP - 1))) >> INCREASE_DROP;
        increase = increase > INCREASE_MAX ? INCREASE_MAX : increase;
        return (struct mf__slot){
            .lo = double_bits(a->last),
            .hi = ((uint64_t)MODE_TOTAL << MODE_SHIFT) | tag |
                  (count_pack(a->count) << INCREASE_BITS) | increase,
        };
    }
    if (double_bits(a->min) == double_bits(a->max) && a->count < (UINT64_C(1) << TAG_SHIFT)) {
        return (struct mf__slot){
            .lo = double_bits(a->last),
            .hi = ((uint64_t)MODE_CONST << MODE_SHIFT) | tag | a->count,
        };
    }
    return pack_range(a, ((uint64_t)MODE_RANGE << MODE_SHIFT) | tag);
}

bool mf__slot_unpack(struct mf__slot slot, uint64_t lap, struct mf__aggregate *ret_aggregate,
                     bool *ret_exact)
{
    const enum slot_mode mode = (enum slot_mode)(slot.hi >> MODE_SHIFT);
    if (mode == MODE_EMPTY || bits_of(slot.hi, TAG_SHIFT, 8) != (lap & 0xFF)) {
        return false;
    }
    struct mf__aggregate *a = ret_aggregate;
    *ret_exact = mode != MODE_RANGE;
    if (mode == MODE_CONST) {
        a->count = bits_of(slot.hi, 0, TAG_SHIFT);
        a->min = a->max = a->first = a->last = bits_double(slot.lo);
        a->sum = to_finite((long double)a->last * (long double)a->count);
    } else if (mode == MODE_RANGE) {
        unpack_range(slot, a);
    } else {
        a->count = count_unpack(bits_of(slot.hi, INCREASE_BITS, COUNT_BITS));
        a->sum = bits_double(bits_of(slot.hi, 0, INCREASE_BITS) << INCREASE_DROP);
        a->last = a->max = bits_double(slot.lo);
        a->first = a->min = to_finite((long double)a->last - a->sum);
    }
    return a->count != 0 && isfinite(a->last) && isfinite(a->sum);
}

void mf__aggregate_append(struct mf__aggregate *into, const struct mf__aggregate *later)
{
    if (later->count == 0) {
        return;
    }
    if (into->count == 0) {
        *into = *later;
        return;
    }
    into->count += later->count;
    into->sum += later->sum;
    into->min = later->min < into->min ? later->min : into->min;
    into->max = later->max > into->max ? later->max : into->max;
    into->last = later->last;
}

void mf__aggregate_add_late(struct mf__aggregate *into, double value)
{
    if (into->count == 0) {
        *into = (struct mf__aggregate){1, value, value, value, value, value};
        return;
    }
    into->count++;
    into->sum += value;
    into->min = value < into->min ? value : into->min;
    into->max = value > into->max ? value : into->max;
}
