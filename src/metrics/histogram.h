/* SPDX-License-Identifier: Apache-2.0
 *
 * histogram.h -- buckets of a distribution: where a value goes, how the buckets of a slot are
 * stored, and how they answer for a quantile.
 *
 * Every power of two is divided into 32 equal buckets (the upper five bits of a double's mantissa),
 * from 2^-20 to 2^44. A bucket is at most 1/32 of its lower bound wide, so its middle is within
 * 1/64 (1.5625 %) of every value in it. A bucket holds its upper bound and not its lower, as `le`
 * asks. Bucket 0 takes what is below, the last what is above.
 *
 * Stored buckets ("blob") of one slot, self-validating:
 *   0  crc32c   of all that follows, 4 bytes
 *   4  slot     low 32 bits of the slot index
 *   8  length   of the payload in bytes, 2 bytes
 *  10  halvings how often neighbouring buckets were merged to make it fit; see mf_histogram_error()
 *  11  zero
 *  12  packed   the slot of the ring that it was made with (slot.h), 16 bytes
 *  28  payload  pairs of varints: distance to the next non-empty bucket, its count
 */
#ifndef METRICS_HISTOGRAM_H
#define METRICS_HISTOGRAM_H

#include "slot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HISTOGRAM_STEPS_LOG2   5
#define HISTOGRAM_EXPONENT_MIN (-20)
#define HISTOGRAM_EXPONENT_MAX 44
#define HISTOGRAM_BUCKETS                                                                          \
    (((HISTOGRAM_EXPONENT_MAX - HISTOGRAM_EXPONENT_MIN) << HISTOGRAM_STEPS_LOG2) + 2)
#define HISTOGRAM_BLOB_HEADER  28
#define HISTOGRAM_BLOB_MAX     16384
#define HISTOGRAM_HALVINGS_MAX 11 /* 2050 buckets become three */

struct mf_histogram {
    uint64_t count;
    double sum;
    double min;
    double max;
    unsigned halvings; /* the coarsest that was merged in */
    bool rounded;      /* min and max are of a packed slot */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline uint32_t mf__histogram_index(double value)
{
    if (!(value > 0x1p-20)) {
        return 0;
    }
    if (value > 0x1p44) {
        return HISTOGRAM_BUCKETS - 1;
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint32_t)(((bits - 1) >> (52 - HISTOGRAM_STEPS_LOG2)) -
                      ((uint64_t)(1023 + HISTOGRAM_EXPONENT_MIN) << HISTOGRAM_STEPS_LOG2)) +
           1;
}

/* Lower bound of a bucket; bucket 0 begins at 0, the last at 2^44. */
double mf__histogram_bound(uint32_t index);

/* Writes the buckets as a blob of at most room_bytes (>= 64). halvings: of what they were merged
 * from. */
void mf__histogram_encode(const uint64_t *buckets, unsigned halvings, int64_t slot,
                          struct mf__slot packed, uint8_t *blob, size_t room_bytes);
/* The packed slot in a blob that was decoded. */
struct mf__slot mf__histogram_packed(const uint8_t *blob);

/* Adds a blob's buckets to `into` (counts and halvings only). Returns 1, 0 when the blob is not of
 * that slot (another lap, or empty), MF_ECORRUPT when its checksum fails. */
int mf__histogram_decode(const uint8_t *blob, size_t room_bytes, int64_t slot,
                         struct mf_histogram *into);

/* Merges counts, sum, min, max. Callers that merge buckets only set min and max afterwards. */
void mf__histogram_merge(struct mf_histogram *into, const struct mf_histogram *from);

#endif
