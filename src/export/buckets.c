/* SPDX-License-Identifier: Apache-2.0
 * buckets.c -- see buckets.h. */
#include "buckets.h"

#include "base/check.h"
#include "fmt/number.h"

#include <math.h>
#include <string.h>

void mf__buckets_init(struct buckets *buckets, uint32_t per_octave)
{
    memset(buckets, 0, sizeof *buckets);
    buckets->per_octave = per_octave;
}

double mf__buckets_bound(const struct buckets *buckets, uint32_t index)
{
    const uint32_t n = buckets->per_octave;
    if (index >= buckets_bounds(buckets)) {
        return INFINITY;
    }
    return ldexp(1.0 + (double)(index % n) / n, (int)(index / n) + BUCKETS_EXPONENT);
}

void mf__buckets_add(struct buckets *buckets, uint32_t index, uint64_t count)
{
    MF_ASSERT(index <= buckets_bounds(buckets));
    if (count == 0) {
        return;
    }
    const bool empty = buckets->low == buckets->high;
    buckets->counts[index] += count;
    buckets->count += count;
    buckets->low = empty || index < buckets->low ? index : buckets->low;
    buckets->high = empty || index >= buckets->high ? index + 1 : buckets->high;
}

/* The first bucket whose bound is not below `value`. */
static uint32_t bucket_of(const struct buckets *buckets, double value)
{
    uint32_t low = 0;
    uint32_t high = buckets_bounds(buckets);
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (mf__buckets_bound(buckets, middle) < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void mf__buckets_merge(struct buckets *buckets, const struct mf_histogram *slot)
{
    const uint64_t count = mf_histogram_count(slot);
    if (count == 0) {
        return;
    }
    /* The ends of a slot may be rounded: one bucket more on each side, which is empty if they are
     * not. */
    const uint32_t first = bucket_of(buckets, mf_histogram_quantile(slot, 0));
    uint32_t last = bucket_of(buckets, mf_histogram_quantile(slot, 1)) + 1;
    last = last < buckets_bounds(buckets) ? last : buckets_bounds(buckets);
    uint64_t below = 0;
    for (uint32_t i = first > 0 ? first - 1 : 0; i < last; i++) {
        const uint64_t next = mf_histogram_count_below(slot, mf__buckets_bound(buckets, i));
        mf__buckets_add(buckets, i, next - below);
        below = next;
    }
    mf__buckets_add(buckets, last, count - below);
    buckets->sum += mf_histogram_sum(slot);
}

uint32_t mf__buckets_shown(const struct buckets *buckets)
{
    const uint32_t bounds = buckets_bounds(buckets);
    return buckets->high < bounds ? buckets->high : bounds;
}

void mf__buckets_text(char text[BUCKETS_TEXT], double bound)
{
    size_t len = mf_format_double(text, bound);
    if (isfinite(bound) && strpbrk(text, ".e") == NULL) {
        memcpy(text + len, ".0", 3);
    }
}
