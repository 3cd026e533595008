/* SPDX-License-Identifier: Apache-2.0
 *
 * slot.h -- what one interval of one series holds, exactly (struct mf__aggregate, for open slots)
 * and packed in 16 bytes (struct mf__slot, for the rings).
 *
 * A packed slot is two little-endian words. `hi` begins, from the top, with mode (2 bits) and tag
 * (8 bits: the low byte of the lap, so that a slot of an old lap is never taken for a new one even
 * when a power cut lost the clearing of its row).
 *
 *   mode     hi, after mode and tag                                         lo
 *   EMPTY    0 (all of hi is 0)                                             0
 *   CONST    count 54                                                       the value, as double
 *            all values were the same: min = max = first = last, sum = value x count. Exact.
 *   RANGE    count 19 (as below), exponent 11, minimum 24                   max 15, first 15, last
 * 15, mean 19 values in multiples of a quantum q = 2^(exponent - 1030): the minimum as a signed
 *            integer, max, first and last as distances from it, the mean as a distance in q/16. q
 * is the smallest power of two with (max - min) / q < 2^15 and |min| / q < 2^23, so that integers
 * of a range below 32768 are exact, and others are wrong by at most q / 2, which is at most (max -
 * min) / 2^15 or |min| / 2^23, whichever is more. The mean is wrong by at most q / 32, but stays
 * between the rounded min and max. The least q is 2^-1030. TOTAL    count 19, increase 35 (the
 * upper bits of a double, sign left    the total at the end of out: 24 bits of precision) the slot,
 * as double of a counter; the total is exact.
 *
 * count 19: the top 5 bits are a shift, the low 14 a number: exact up to 16383, then to the
 * nearest, which is within 1/16384. Sums that no double holds are given as the largest.
 */
#ifndef METRICS_SLOT_H
#define METRICS_SLOT_H

#include <stdbool.h>
#include <stdint.h>

struct mf__slot {
    uint64_t lo;
    uint64_t hi;
};

struct mf__aggregate {
    uint64_t count; /* 0: nothing recorded, the rest is unspecified */
    double sum;     /* of a counter: the increase */
    double min;
    double max;
    double first;
    double last;
};

/* lap: slot index / slots of the tier. counter: `first` and `last` are totals, `sum` the increase.
 */
struct mf__slot mf__slot_pack(const struct mf__aggregate *aggregate, bool counter, uint64_t lap);

/* The aggregate of a packed slot of that lap; false when it is empty or of another lap. *ret_exact
 * says whether nothing was rounded away that could have been (CONST, and the total of TOTAL). A
 * slot with a value that is not finite, which no packing makes, counts as empty. */
bool mf__slot_unpack(struct mf__slot slot, uint64_t lap, struct mf__aggregate *ret_aggregate,
                     bool *ret_exact);

/* By how much stored counts differ from each other around `count`: 1 up to 16383. */
uint64_t mf__slot_count_step(uint64_t count);

/* Puts `later` behind `into`. Either may be empty. */
void mf__aggregate_append(struct mf__aggregate *into, const struct mf__aggregate *later);

/* Adds a value that came late: counts in count, sum, min and max, and leaves first and last alone.
 */
void mf__aggregate_add_late(struct mf__aggregate *into, double value);

#endif
