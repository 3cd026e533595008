/* SPDX-License-Identifier: Apache-2.0
 *
 * switches.h -- whether a thread has kept its processor since a moment, told without a system call.
 *
 * The kernel keeps a word for each thread that glibc (2.35 and later) has registered with rseq(2):
 * `rseq_cs`. When a thread is preempted, blocks or gets a signal while it is not inside the
 * instructions that the word describes, the kernel sets the word to NULL (linux/rseq.h says so).
 * We let it describe instructions that are never executed: as long as the word is still ours, the
 * thread has run without interruption, and its CPU time has passed as fast as wall time. Other
 * users of rseq in the process write the word for themselves, which looks to us like a switch.
 */
#ifndef OS_SWITCHES_H
#define OS_SWITCHES_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <stdint.h>

/* Of one thread. Where it does not work, `kept` never equals what is written, so that every moment
 * looks as if there had been a switch. */
struct mf_switches {
    volatile uint64_t *word;
    uint64_t mark;
    uint64_t kept;
    uint64_t unused; /* the word where there is none */
};

/* Tries it out, the first time; 0, or MF_EUNSUPPORTED with the reason. [any-thread] */
int mf_switches_usable(struct mf_errinfo *err);
/* For the calling thread. `usable`: what mf_switches_usable() said is 0. The object must not be
 * moved. */
void mf_switches_init(struct mf_switches *switches, bool usable);

static inline void mf_switches_mark(struct mf_switches *switches)
{
    *switches->word = switches->mark;
}
/* False when there may have been one since the mark. */
static inline bool mf_switches_none(const struct mf_switches *switches)
{
    return *switches->word == switches->kept;
}

#endif
