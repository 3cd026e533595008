/* SPDX-License-Identifier: Apache-2.0
 *
 * hdr.h -- a histogram of times with fixed relative error, after Gil Tene's HdrHistogram: 1 ns to 1
 * h with three significant digits. 2048 linear steps up to 2048 ns, then 1024 steps per power of
 * two, so that a bucket is at most 1/1024 of its values wide. Adding is a shift and an increment;
 * two are merged by addition. 264 KiB each.
 */
#ifndef FMT_HDR_H
#define FMT_HDR_H

#include <stddef.h>
#include <stdint.h>

#define MF_HDR_VALUE_MAX UINT64_C(3600000000000) /* one hour; more is counted as this */
#define MF_HDR_BUCKETS   33792                   /* (32 + 1) * 1024 */

struct mf_hdr {
    uint64_t count;
    uint64_t min; /* exact; of an empty one UINT64_MAX */
    uint64_t max; /* exact */
    double sum;
    uint64_t buckets[MF_HDR_BUCKETS];
};

struct mf_hdr *mf_hdr_new(void); /* NULL: out of memory; free with mf_free() */
void mf_hdr_add(struct mf_hdr *hdr, uint64_t value_ns);
void mf_hdr_merge(struct mf_hdr *into, const struct mf_hdr *from);

/* The largest value that is counted like the one of rank ceil(fraction * count), at most max; 0
 * when empty. fraction in [0, 1]. */
uint64_t mf_hdr_quantile(const struct mf_hdr *hdr, double fraction);
/* The value of a 1-based rank, as above. */
uint64_t mf_hdr_rank(const struct mf_hdr *hdr, uint64_t rank);

/* Bucket of a value, and the range of a bucket. For walking over non-empty buckets. */
size_t mf_hdr_index(uint64_t value_ns);
uint64_t mf_hdr_lowest(size_t index);
uint64_t mf_hdr_highest(size_t index);

#endif
