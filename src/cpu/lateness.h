/* SPDX-License-Identifier: Apache-2.0
 * lateness.h -- how late violations were seen: a histogram that a signal handler may add to. */
#ifndef CPU_LATENESS_H
#define CPU_LATENESS_H

#include <stdatomic.h>
#include <stdint.h>

/* Sixteen steps per power of two, from 1 ns; a value is told up to a sixteenth too large. */
#define LATENESS_BUCKETS 640

struct lateness {
    _Atomic uint64_t count;
    _Atomic int64_t max_ns;
    _Atomic uint32_t buckets[LATENESS_BUCKETS];
};

void mf__lateness_add(struct lateness *lateness, int64_t ns); /* [any-thread, async-signal-safe] */
/* At least this fraction was at most so late; never more than the largest. 0 when empty. */
int64_t mf__lateness_quantile(const struct lateness *lateness, double fraction);

#endif
