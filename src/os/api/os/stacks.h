/* SPDX-License-Identifier: Apache-2.0
 *
 * stacks.h -- call stacks of this process: of the caller, or of whatever runs, by a timer.
 *
 * Stacks are found by the unwinder of the compiler's library from the tables (.eh_frame) that every
 * program for x86-64 has; frame pointers are not needed. Since glibc 2.35 it finds the tables
 * without a lock, so that it may run inside a signal handler.
 */
#ifndef OS_STACKS_H
#define OS_STACKS_H

#include <mayfly/error.h>
#include <stddef.h>
#include <stdint.h>

#define MF_STACK_MAX 64

/* The return addresses of the callers, innermost first, without this function's own and `skip`
 * more. Returns how many, at most max. [async-signal-safe] */
size_t mf_stack_capture(uintptr_t *ret_addresses, size_t max, size_t skip);

/* Samples the process every `period_ns` of its CPU time, all threads together (the kernel rounds up
 * to its tick), into room for `samples_max` stacks; what does not fit is counted. One sampler for a
 * process, by SIGPROF. -EBUSY: there is one already, or somebody else handles that signal. */
int mf_sampler_open(size_t samples_max, struct mf_errinfo *err);
int mf_sampler_start(int64_t period_ns);
void mf_sampler_stop(void);
/* The stacks so far, innermost first; valid until it is closed. */
size_t mf_sampler_count(void);
size_t mf_sampler_stack(size_t index, const uintptr_t **ret_addresses);
uint64_t mf_sampler_lost(void);
void mf_sampler_close(void);

#endif
