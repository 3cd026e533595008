/* SPDX-License-Identifier: Apache-2.0
 *
 * buckets.h -- the classic buckets of an exported histogram, added up over slots.
 *
 * Bound i is 2^(i / n - 20) x (1 + (i % n) / n), i = 0 .. 64 n, n buckets per octave: 2^-20 ..
 * 2^44, edges of the store's own finer buckets, so that counts are exact. Bucket i holds what is at
 * most bound i and more than the one before; bucket 64 n + 1 what is above all bounds. Only the
 * bounds from the first to the last bucket with an observation are shown: below, the cumulative
 * count is 0; above, it is the count. As observations are only added, a bound that was shown once
 * is shown ever after.
 */
#ifndef EXPORT_BUCKETS_H
#define EXPORT_BUCKETS_H

#include <mayfly/export.h>

#define BUCKETS_OCTAVES  64
#define BUCKETS_EXPONENT (-20)
#define BUCKETS_MAX      (BUCKETS_OCTAVES * MF_EXPORT_BUCKETS_PER_OCTAVE_MAX + 2)

struct buckets {
    double sum;
    uint64_t count;
    uint32_t per_octave;
    uint32_t low; /* buckets [low, high) have observations at their ends; low == high: none */
    uint32_t high;
    uint64_t counts[BUCKETS_MAX];
};

void mf__buckets_init(struct buckets *buckets, uint32_t per_octave);
/* Number of bounds; the bucket after the last bound is "above all". */
static inline uint32_t buckets_bounds(const struct buckets *buckets)
{
    return BUCKETS_OCTAVES * buckets->per_octave + 1;
}
double mf__buckets_bound(const struct buckets *buckets, uint32_t index);
/* Adds `count` observations to bucket `index`, which is at most buckets_bounds(). */
void mf__buckets_add(struct buckets *buckets, uint32_t index, uint64_t count);
/* Adds the observations of a slot. */
void mf__buckets_merge(struct buckets *buckets, const struct mf_histogram *slot);
/* The bounds to show are [low, this): those with observations, but never "above all". */
uint32_t mf__buckets_shown(const struct buckets *buckets);

/* "0.5", "1.0", "+Inf": the text of a bound in labels, as OpenMetrics has it. */
#define BUCKETS_TEXT 40
void mf__buckets_text(char text[BUCKETS_TEXT], double bound);

#endif
