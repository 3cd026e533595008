/* SPDX-License-Identifier: Apache-2.0
 * clock.h -- time. Library code asks mf_clock_* of its environment; tests give a clock of their
 * own. */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <mayfly/env.h>

#define MF_NS_PER_SECOND INT64_C(1000000000)
#define MF_NS_PER_MS     INT64_C(1000000)
#define MF_NS_PER_US     INT64_C(1000)

const struct mf_clock *mf_clock_real(void);
/* `clock` NULL means the real one. */
int64_t mf_clock_wall_ns(const struct mf_clock *clock);
int64_t mf_clock_monotonic_ns(const struct mf_clock *clock);
/* CLOCK_MONOTONIC_COARSE: a few ns, resolution of a kernel tick. Real clock only. */
int64_t mf_clock_coarse_ns(void);
/* Length of that tick: how far behind the scheduler's figures of a running thread can be. */
int64_t mf_clock_tick_ns(void);
/* Sleeps until the monotonic time; returns early with -EINTR on a signal. Real clock only. */
int mf_clock_sleep_until_ns(int64_t monotonic_ns);
/* Seconds that local time (TZ, else /etc/localtime) is east of UTC at that moment; 0 when it cannot
 * be told. [any-thread] */
int32_t mf_clock_local_offset_s(int64_t wall_ns);

#endif
