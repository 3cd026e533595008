/* SPDX-License-Identifier: Apache-2.0
 * histogram.c -- see histogram.h. */
#include "histogram.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/varint.h"
#include <mayfly/metrics.h>

#include <math.h>

double mf__histogram_bound(uint32_t index)
{
    if (index == 0) {
        return 0;
    }
    const uint64_t bits = ((uint64_t)(index - 1) +
                           ((uint64_t)(1023 + HISTOGRAM_EXPONENT_MIN) << HISTOGRAM_STEPS_LOG2))
                          << (52 - HISTOGRAM_STEPS_LOG2);
    double bound;
    memcpy(&bound, &bits, sizeof bound);
    return bound;
}

/* Bucket i of the full resolution lies in bucket halved(i, n) after n halvings; the outer two stay.
 */
static uint32_t halved(uint32_t index, unsigned halvings)
{
    if (index == 0 || index == HISTOGRAM_BUCKETS - 1) {
        return index;
    }
    return ((index - 1) >> halvings) + 1;
}

/* The middle of the full-resolution buckets that a halved bucket stands for. */
static uint32_t unhalved(uint32_t index, unsigned halvings)
{
    if (index == 0 || index == HISTOGRAM_BUCKETS - 1 || halvings == 0) {
        return index;
    }
    uint32_t middle = ((index - 1) << halvings) + (UINT32_C(1) << (halvings - 1)) + 1;
    return middle < HISTOGRAM_BUCKETS - 1 ? middle : HISTOGRAM_BUCKETS - 2;
}

/* Payload bytes, or 0 when it does not fit. */
static size_t encode_pairs(const uint64_t *buckets, unsigned halvings, uint8_t *out, size_t room)
{
    size_t len = 0;
    uint32_t written = 0; /* bucket index after the last one written */
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS;) {
        const uint32_t index = halved(i, halvings);
        uint64_t count = 0;
        for (; i < HISTOGRAM_BUCKETS && halved(i, halvings) == index; i++) {
            count += buckets[i];
        }
        if (count == 0) {
            continue;
        }
        uint8_t pair[2 * MF_VARINT_LEN_MAX];
        size_t pair_len = mf_varint_put(pair, index - written);
        pair_len += mf_varint_put(pair + pair_len, count);
        if (len + pair_len > room) {
            return 0;
        }
        memcpy(out + len, pair, pair_len);
        len += pair_len;
        written = index + 1;
    }
    return len;
}

struct mf__slot mf__histogram_packed(const uint8_t *blob)
{
    return (struct mf__slot){.lo = mf_load_u64(blob + 12), .hi = mf_load_u64(blob + 20)};
}

void mf__histogram_encode(const uint64_t *buckets, unsigned halvings, int64_t slot,
                          struct mf__slot packed, uint8_t *blob, size_t room_bytes)
{
    size_t len = 0;
    for (; halvings <= HISTOGRAM_HALVINGS_MAX; halvings++) {
        len = encode_pairs(buckets, halvings, blob + HISTOGRAM_BLOB_HEADER,
                           room_bytes - HISTOGRAM_BLOB_HEADER);
        if (len != 0) {
            break;
        }
    }
    mf_store_u32(blob + 4, (uint32_t)slot);
    mf_store_u16(blob + 8, (uint16_t)len);
    blob[10] = (uint8_t)halvings;
    blob[11] = 0;
    mf_store_u64(blob + 12, packed.lo);
    mf_store_u64(blob + 20, packed.hi);
    mf_store_u32(blob, mf_crc32c(0, blob + 4, HISTOGRAM_BLOB_HEADER - 4 + len));
}

int mf__histogram_decode(const uint8_t *blob, size_t room_bytes, int64_t slot,
                         struct mf_histogram *into)
{
    const size_t len = mf_load_u16(blob + 8);
    const unsigned halvings = blob[10];
    if (mf_load_u32(blob + 4) != (uint32_t)slot || len == 0) {
        return 0;
    }
    if (len > room_bytes - HISTOGRAM_BLOB_HEADER || halvings > HISTOGRAM_HALVINGS_MAX ||
        mf_crc32c(0, blob + 4, HISTOGRAM_BLOB_HEADER - 4 + len) != mf_load_u32(blob)) {
        return MF_ECORRUPT;
    }
    const uint8_t *p = blob + HISTOGRAM_BLOB_HEADER;
    const uint8_t *end = p + len;
    uint64_t index = 0;
    while (p < end) {
        uint64_t distance;
        uint64_t count;
        size_t used = mf_varint_get(p, (size_t)(end - p), &distance);
        p += used;
        size_t used_count = used != 0 ? mf_varint_get(p, (size_t)(end - p), &count) : 0;
        p += used_count;
        if (used_count == 0 || distance >= HISTOGRAM_BUCKETS - index) {
            return MF_ECORRUPT;
        }
        index += distance;
        into->buckets[unhalved((uint32_t)index, halvings)] += count;
        into->count += count;
        index++;
    }
    if (halvings > into->halvings) {
        into->halvings = halvings;
    }
    return 1;
}

void mf__histogram_merge(struct mf_histogram *into, const struct mf_histogram *from)
{
    if (from->count == 0) {
        return;
    }
    into->min = into->count == 0 || from->min < into->min ? from->min : into->min;
    into->max = into->count == 0 || from->max > into->max ? from->max : into->max;
    into->count += from->count;
    into->sum += from->sum;
    into->rounded = into->rounded || from->rounded;
    into->halvings = from->halvings > into->halvings ? from->halvings : into->halvings;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
}

void mf_histogram_free(struct mf_histogram *histogram)
{
    mf_free(histogram);
}

uint64_t mf_histogram_count(const struct mf_histogram *histogram)
{
    return histogram->count;
}

double mf_histogram_sum(const struct mf_histogram *histogram)
{
    return histogram->sum;
}

/* A group of 2^h buckets is answered for by the middle of the one behind its middle. Up to 2^5
 * buckets lie within one power of two, from there on a group spans 2^(h-5) of them. */
double mf_histogram_error(const struct mf_histogram *histogram)
{
    const int halvings = (int)histogram->halvings;
    const double half_bucket = 1.0 / (2 << HISTOGRAM_STEPS_LOG2);
    if (halvings == 0) {
        return half_bucket;
    }
    if (halvings <= HISTOGRAM_STEPS_LOG2) {
        return ldexp(half_bucket, halvings) + half_bucket;
    }
    return ldexp(1 + half_bucket, 1 << (halvings - HISTOGRAM_STEPS_LOG2 - 1)) - 1;
}

/* The least value: the recorded minimum, unless that was rounded to steps of the slot's range,
 * which may be many times the minimum; then what the lowest bucket says. */
static double least_value(const struct mf_histogram *histogram)
{
    if (!histogram->rounded) {
        return histogram->min;
    }
    uint32_t lowest = 0;
    while (lowest < HISTOGRAM_BUCKETS - 1 && histogram->buckets[lowest] == 0) {
        lowest++;
    }
    return histogram->halvings == 0 ? mf__histogram_bound(lowest) : 0;
}

double mf_histogram_quantile(const struct mf_histogram *histogram, double quantile)
{
    if (histogram->count == 0 || !(quantile >= 0 && quantile <= 1)) {
        return NAN;
    }
    /* The value of rank ceil(q * count), as for a sorted list; the ends are known exactly. */
    uint64_t rank = (uint64_t)ceil(quantile * (double)histogram->count);
    rank = rank == 0 ? 1 : rank;
    if (rank == 1 && !histogram->rounded) {
        return histogram->min;
    }
    if (rank >= histogram->count) {
        return histogram->max;
    }
    uint64_t seen = 0;
    uint32_t index = 0;
    for (; index < HISTOGRAM_BUCKETS - 1; index++) {
        seen += histogram->buckets[index];
        if (seen >= rank) {
            break;
        }
    }
    double value;
    if (index == 0) {
        value = histogram->min < mf__histogram_bound(1) ? histogram->min : mf__histogram_bound(1);
    } else if (index == HISTOGRAM_BUCKETS - 1) {
        value = histogram->max;
    } else {
        value = (mf__histogram_bound(index) + mf__histogram_bound(index + 1)) / 2;
    }
    const double least = least_value(histogram);
    value = value < least ? least : value;
    return value > histogram->max ? histogram->max : value;
}

uint64_t mf_histogram_count_below(const struct mf_histogram *histogram, double bound)
{
    /* A rounded maximum may lie on the other side of the bound. */
    if (bound >= histogram->max && (!histogram->rounded || isinf(bound))) {
        return histogram->count;
    }
    uint64_t count = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS - 1 && mf__histogram_bound(i + 1) <= bound; i++) {
        count += histogram->buckets[i];
    }
    return count;
}
