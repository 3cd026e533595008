/* SPDX-License-Identifier: Apache-2.0
 *
 * bursts.h -- bursts of known CPU time in threads with budgets, and what was seen of them: for the
 * tests, the benchmarks and `mayfly cpu bench`. The truth is the thread's CPU clock, read by the
 * burst itself; bursts end by CPU time, never by wall time.
 */
#ifndef CPU_BURSTS_H
#define CPU_BURSTS_H

#include <mayfly/cpu.h>

#define MF_BURST_MAP(X)                                                                            \
    X(BUSY, "busy", "computes")                                                                    \
    X(CALLS, "calls", "makes short system calls")                                                  \
    X(SLEEPING, "sleeping", "sleeps in its middle for twice the budget")                           \
    X(NESTED, "nested", "lies in a scope of another task, and has one inside")                     \
    X(MASKED, "masked", "has the detector's signal blocked")

enum mf_burst_work {
#define X(name, word, text) MF_BURST_##name,
    MF_BURST_MAP(X)
#undef X
        MF_BURST_WORKS
};
const char *mf_burst_word(enum mf_burst_work work);

#define MF_BURST_THREADS_MAX 64

struct mf_burst_case {
    enum mf_burst_work work;
    unsigned threads; /* at the same time */
    unsigned count;   /* bursts of each */
    int64_t budget_ns;
    int64_t burst_ns; /* CPU time of each */
};

struct mf_burst_result {
    uint64_t bursts;
    uint64_t over;         /* certainly over the budget (by an eighth and 4 us) */
    uint64_t within;       /* certainly within */
    uint64_t seen_during;  /* of those over */
    uint64_t seen_at_end;  /* told by mf_cpu_end(); all of them should be */
    uint64_t false_alarms; /* of those within: told during or at the end */
    uint64_t errors;       /* mf_cpu_end() returned one */
    int64_t late_p50_ns;   /* of those seen during: CPU time beyond the budget */
    int64_t late_p99_ns;
};

/* Adds tasks to the accounting, named after `name` (up to 20 bytes), runs the case and waits for
 * its threads. Violations that wait are taken. 0 or an error of starting. */
int mf_bursts_run(struct mf_cpu *cpu, const char *name, const struct mf_burst_case *burst,
                  struct mf_burst_result *ret_result, struct mf_errinfo *err);

/* Computes until the calling thread has used so much CPU time; `calls`: in system calls. */
void mf_burst(int64_t cpu_ns, bool calls);

#endif
