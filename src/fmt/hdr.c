/* SPDX-License-Identifier: Apache-2.0
 * hdr.c -- see hdr.h. */
#include "fmt/hdr.h"

#include "base/heap.h"

#include <math.h>

#define HALF_LOG2 10 /* steps per power of two above the first 2048 values: 2^10 */

struct mf_hdr *mf_hdr_new(void)
{
    struct mf_hdr *hdr = mf_calloc(1, sizeof *hdr);
    if (hdr != NULL) {
        hdr->min = UINT64_MAX;
    }
    return hdr;
}

size_t mf_hdr_index(uint64_t value_ns)
{
    value_ns = value_ns > MF_HDR_VALUE_MAX ? MF_HDR_VALUE_MAX : value_ns;
    /* How far the value must be shifted to have 11 bits. */
    const unsigned bits = 64 - (unsigned)__builtin_clzll(value_ns | 1);
    const unsigned shift = bits > HALF_LOG2 + 1 ? bits - (HALF_LOG2 + 1) : 0;
    return ((size_t)shift << HALF_LOG2) + (size_t)(value_ns >> shift);
}

uint64_t mf_hdr_lowest(size_t index)
{
    const size_t half = (size_t)1 << HALF_LOG2;
    if (index < 2 * half) {
        return index;
    }
    const size_t shift = (index >> HALF_LOG2) - 1;
    return (uint64_t)(index - (shift << HALF_LOG2)) << shift;
}

uint64_t mf_hdr_highest(size_t index)
{
    return mf_hdr_lowest(index + 1) - 1;
}

void mf_hdr_add(struct mf_hdr *hdr, uint64_t value_ns)
{
    hdr->buckets[mf_hdr_index(value_ns)]++;
    hdr->count++;
    hdr->sum += (double)value_ns;
    hdr->min = value_ns < hdr->min ? value_ns : hdr->min;
    hdr->max = value_ns > hdr->max ? value_ns : hdr->max;
}

void mf_hdr_merge(struct mf_hdr *into, const struct mf_hdr *from)
{
    for (size_t i = 0; i < MF_HDR_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
    into->count += from->count;
    into->sum += from->sum;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
}

uint64_t mf_hdr_rank(const struct mf_hdr *hdr, uint64_t rank)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < MF_HDR_BUCKETS; i++) {
        seen += hdr->buckets[i];
        if (seen >= rank && seen > 0) {
            const uint64_t highest = mf_hdr_highest(i);
            return highest < hdr->max ? highest : hdr->max;
        }
    }
    return hdr->max;
}

uint64_t mf_hdr_quantile(const struct mf_hdr *hdr, double fraction)
{
    if (hdr->count == 0) {
        return 0;
    }
    /* 0.99 * 100 is a little more than 99 in binary; that must not be rank 100. */
    const double rank = ceil(fraction * (double)hdr->count * (1 - 1e-14));
    return mf_hdr_rank(hdr, rank < 1 ? 1 : (uint64_t)rank);
}
