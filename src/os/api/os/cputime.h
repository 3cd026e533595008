/* SPDX-License-Identifier: Apache-2.0
 *
 * cputime.h -- the CPU clocks of threads, and the time-stamp counter. [any-thread] */
#ifndef OS_CPUTIME_H
#define OS_CPUTIME_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CPU time (user and system) of a thread of this process since it began, in ns: the clock of
 * pthread_getcpuclockid(3), found by the kernel's thread id. `tid` 0 is the calling thread. 0;
 * -ESRCH when this process has no such thread; another negated errno. [async-signal-safe] */
int mf_cputime_of(int32_t tid, int64_t *ret_ns);

/* The time-stamp counter, in ticks. Ordered loosely with the code around it, by some ten ticks. */
static inline uint64_t mf_tsc_read(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

/* Whether the kernel itself keeps time by the time-stamp counter, so that it runs at one speed and
 * is the same on all processors: 0, or MF_EUNSUPPORTED with the reason. */
int mf_tsc_usable(struct mf_errinfo *err);
/* Compares it with the monotonic clock over `length_ns` (sleeping): ticks per ns and the relative
 * error of that figure. 0, or MF_EUNSUPPORTED when the two could not be read close enough to each
 * other. */
int mf_tsc_calibrate(int64_t length_ns, double *ret_ticks_per_ns, double *ret_error,
                     struct mf_errinfo *err);

#endif
