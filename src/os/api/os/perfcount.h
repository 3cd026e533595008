/* SPDX-License-Identifier: Apache-2.0
 *
 * perfcount.h -- hardware and software counters of this thread and of those that it starts;
 * perf_event_open(2). Each event stands alone, because threads inherit only such ones; where there
 * are more than the processor has counters, the kernel lets them take turns, and each tells for how
 * long it ran. One set for a process, one thread at a time.
 */
#ifndef OS_PERFCOUNT_H
#define OS_PERFCOUNT_H

#include <mayfly/error.h>
#include <stddef.h>
#include <stdint.h>

#define MF_PERFCOUNT_MAX 16

struct mf_perfcount {
    const char *name; /* "cycles", "instructions", .. */
    double value;     /* scaled to the whole time */
    double share;     /* of the time that it ran: below 1 it was scaled */
};

/* Opens what there is. Returns how many; with 0 the message says why the first one could not be
 * opened, and what would help. */
int mf_perfcount_open(struct mf_errinfo *err);
/* How many of them are counted by the processor itself. */
int mf_perfcount_hardware(void);
void mf_perfcount_start(void); /* from zero */
void mf_perfcount_stop(void);
/* Returns how many. */
size_t mf_perfcount_read(struct mf_perfcount ret_counts[MF_PERFCOUNT_MAX]);
void mf_perfcount_close(void);

#endif
