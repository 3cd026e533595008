/* SPDX-License-Identifier: Apache-2.0
 *
 * cpu.h -- CPU time of threads, and budgets for it: "5 ms of CPU", "50 ms of CPU within 100 ms".
 */
#ifndef MAYFLY_CPU_H
#define MAYFLY_CPU_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- CPU time of threads; needs no mf_cpu_open() ---- */

/* CPU time (user and system) that a thread of this process has used since it was started, in ns, by
 * the kernel's own counter. `tid` as from gettid(2); 0 is the calling thread. Returns 0; -ESRCH
 * when this process has no such thread (it has ended, or never was); another negated errno when the
 * kernel refuses. *ret_cpu_ns is untouched then: a failure is never a time of 0.
 * [any-thread, async-signal-safe] */
MF_API MF_MUST_CHECK int mf_cpu_read(int32_t tid, int64_t *ret_cpu_ns);

/* ---- budgets and violations; the same for those inside a process and for those who watch from
 * outside ---- */

struct mf_cpu_budget {
    int64_t cpu_ns;    /* CPU time that may be used; 0: no budget, the time is only counted */
    int64_t window_ns; /* within any stretch of wall time of this length; 0: within the scope */
};

/* Name, word, what it is. The order is from the cheapest to the one farthest away. */
#define MF_CPU_TIER_MAP(X)                                                                         \
    X(STAMP, "stamp", "time stamps prove that a budget cannot have been used up")                  \
    X(EXACT, "exact", "the thread's CPU clock when the scope ends")                                \
    X(TIMER, "timer", "a high-resolution timer that interrupts the thread")                        \
    X(PERF, "perf", "the kernel's performance events interrupt the thread, by CPU time")           \
    X(WATCHER, "watcher", "a thread of its own that looks at the clocks of the others")            \
    X(OUTSIDE, "outside", "another process that looks at this one")

enum mf_cpu_tier {
#define X(name, word, text) MF_CPU_##name,
    MF_CPU_TIER_MAP(X)
#undef X
        MF_CPU_TIERS
};

/* "timer", ... and the text. Never NULL. [any-thread] */
MF_API const char *mf_cpu_tier_name(enum mf_cpu_tier tier);
MF_API const char *mf_cpu_tier_text(enum mf_cpu_tier tier);

#define MF_CPU_NAME_LEN     32 /* of a task, with its NUL */
#define MF_CPU_THREAD_LEN   16 /* of a thread's name, with its NUL */
#define MF_CPU_STACK_MAX    32
#define MF_CPU_SAMPLES_MAX  32
#define MF_CPU_SAMPLE_DEPTH 8

struct mf_cpu_violation {
    uint64_t scope; /* which one: the same in what is told during the burst and after it */
    int32_t pid;
    int32_t tid;
    char thread[MF_CPU_THREAD_LEN];
    char task[MF_CPU_NAME_LEN];
    struct mf_cpu_budget budget;
    enum mf_cpu_tier seen_by; /* who saw it first */
    bool ended;               /* false: the scope still lasts, the figures are those so far */
    int64_t started_ns;       /* wall clock, ns since 1970: begin of the scope or of the window */
    int64_t seen_ns;          /* wall clock: when it was seen first */
    int64_t cpu_ns;           /* used in the scope, or in the fullest window */
    int64_t wall_ns;          /* passed meanwhile */
    int64_t excess_ns;        /* cpu_ns - budget.cpu_ns */
    int64_t late_ns;          /* CPU time beyond the budget when it was seen first */
    int64_t uncertain_ns;     /* cpu_ns may be too small by at most this much; never too large */
    uint32_t stack_depth;     /* 0 when the stack could not be seen (seen_by tells why) */
    uintptr_t stack[MF_CPU_STACK_MAX]; /* where it was when it was seen; the innermost first */
};

/* Where the burst was, at equal steps of CPU time from the moment it was seen on; long bursts are
 * thinned out, so that the samples always cover all of it. */
struct mf_cpu_sample {
    int64_t cpu_ns; /* of the scope, at the sample */
    uint32_t depth;
    uintptr_t stack[MF_CPU_SAMPLE_DEPTH]; /* the innermost first */
};

struct mf_cpu_profile {
    int64_t interval_ns; /* between samples */
    uint32_t count;
    struct mf_cpu_sample samples[MF_CPU_SAMPLES_MAX];
};

#ifdef __cplusplus
}
#endif
#endif
