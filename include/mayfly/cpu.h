/* SPDX-License-Identifier: Apache-2.0
 *
 * cpu.h -- CPU time of threads, and budgets for it: "5 ms of CPU", "50 ms of CPU within 100 ms".
 *
 *     struct mf_cpu *cpu;
 *     struct mf_cpu_task *parse;
 *     mf_cpu_open(NULL, &cpu, &err);
 *     struct mf_cpu_task_spec spec = {.name = "parse", .budget = {.cpu_ns = 2000000}};
 *     mf_cpu_task_add(cpu, &spec, &parse, &err);
 *     mf_cpu_scope scope = mf_cpu_begin(parse); // any thread, as often as you like: some 15 ns
 *     ... work; mf_cpu_exceeded() turns true inside the burst ...
 *     if (mf_cpu_end(scope) == 1) { ... it was over its budget ... }
 *     while (mf_cpu_take(cpu, &violation, &profile) == 1) { ... }
 *
 * A scope that has ended is always judged by the thread's exact CPU time. While it lasts it is
 * watched by the best detector that the machine permits; mf_cpu_status() tells which one that is,
 * why a better one is not there, and how late it has been. docs/cpu.md has the figures.
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

/* ---- accounting inside this process ---- */

struct mf_cpu;      /* the accounting; one per process at a time */
struct mf_cpu_task; /* a kind of work, with a name and a budget */

/* Which detector watches scopes while they last. */
enum mf_cpu_detector {
    MF_CPU_DETECT_AUTO = 0,  /* the timer; where it cannot be had, performance events */
    MF_CPU_DETECT_TIMER = 1, /* the timer only */
    MF_CPU_DETECT_PERF = 2,  /* performance events; where they are not permitted, the timer */
    MF_CPU_DETECT_NONE = 3   /* none: no signal is taken; scopes are judged when they end */
};

struct mf_cpu_config {
    enum mf_cpu_detector detector;
    int signal; /* the real-time signal of the detector; 0: the highest one that nobody handles */
    /* Also start a thread that looks at the others from time to time, and so sees bursts of threads
     * that have the signal blocked. It has all signals blocked itself. */
    bool watcher;
    int64_t watcher_interval_ns; /* 0: 1 ms; 100 us .. 1 s */
    uint32_t violations_max;     /* how many wait to be taken; 0: 64; at most 4096 */
};

/* Starts the accounting. config NULL: as all zero. Takes about 5 ms, in which the time-stamp
 * counter is compared with the clock. What cannot be had lowers a tier and is told by
 * mf_cpu_status(); errors: -EINVAL (signal out of range), MF_EEXISTS (it is open already),
 * MF_EUNSUPPORTED (no CPU clock of threads: nothing could be judged), -ENOMEM, errors of starting a
 * thread.
 * The library is a guest: without MF_CPU_DETECT_NONE it handles one real-time signal, passes on
 * what is not its own to the handler that was there before, and puts that back on close. Sleeping
 * system calls of a thread with an open scope, and once more within the length of a budget after
 * its last one, may be interrupted, as by any signal: those that SA_RESTART restarts are restarted,
 * others (poll, nanosleep, ...) return EINTR. */
MF_API MF_MUST_CHECK int mf_cpu_open(const struct mf_cpu_config *config, struct mf_cpu **ret_cpu,
                                     struct mf_errinfo *err);
/* Ends it and frees all tasks. All scopes must have ended, and no other thread may use it any more.
 * NULL is allowed. */
MF_API void mf_cpu_close(struct mf_cpu *cpu);

struct mf_cpu_task_spec {
    const char *name; /* 1 to 31 bytes of UTF-8 without control characters; copied */
    struct mf_cpu_budget budget;

    /* What happens on a violation, besides that it waits in mf_cpu_take(). All may be combined. */
    int *flag;  /* set to 1 as soon as it is seen (atomically); may serve to cancel the work */
    int signal; /* sent to the thread as soon as it is seen; 0: none */
    /* Called as soon as it is seen, with violation->ended false, and after the scope ended, with
     * true. The first may come inside a signal handler of the thread: it may call only what is
     * async-signal-safe; or, with MF_CPU_WATCHER as seen_by, from the watcher's thread. The second
     * always comes from mf_cpu_end(). */
    void (*violated)(void *context, const struct mf_cpu_violation *violation);
    void *context;
};

/* Adds a task; it lives until mf_cpu_close(). Budgets: cpu_ns 0 or 1 us .. 1 h; window_ns 0, or
 * from cpu_ns to 1 h. Below 100 us a budget is judged at the end only. Errors: MF_EVALUE,
 * MF_EEXISTS (the name), MF_ELIMIT (1024 tasks), -ENOMEM. [any-thread] */
MF_API MF_MUST_CHECK int mf_cpu_task_add(struct mf_cpu *cpu, const struct mf_cpu_task_spec *spec,
                                         struct mf_cpu_task **ret_task, struct mf_errinfo *err);

/* A stretch of work of one thread. 0 is none; others are made by mf_cpu_begin() only. */
typedef uint64_t mf_cpu_scope;
#define MF_CPU_DEPTH_MAX 12

/* Begins a scope in the calling thread; scopes may lie in each other, MF_CPU_DEPTH_MAX deep, and
 * each is charged with all CPU time that the thread uses meanwhile. `task` NULL: returns 0, for
 * programs that run without accounting. It cannot fail; what went wrong (memory, depth) is returned
 * by mf_cpu_end(). [any-thread] */
MF_API mf_cpu_scope mf_cpu_begin(struct mf_cpu_task *task);
/* Ends it, and scopes inside of it that were left without (by longjmp, say). Returns 0: within its
 * budget; 1: over it; MF_ESTALE: not an open scope of this thread; MF_ELIMIT, -ENOMEM or another
 * error when it could not be watched at all. A scope of 0 returns 0. */
MF_API int mf_cpu_end(mf_cpu_scope scope);
/* Whether any open scope of the calling thread has been seen over its budget. A load or two: for
 * loops that want to stop in time. [any-thread, async-signal-safe] */
MF_API bool mf_cpu_exceeded(void);

/* The next violation that nobody has taken yet: 1 and *ret_violation, or 0. A scope is told at most
 * twice: when it is seen while it lasts, and when it has ended, then with its profile.
 * `ret_profile` may be NULL. [any-thread] */
MF_API int mf_cpu_take(struct mf_cpu *cpu, struct mf_cpu_violation *ret_violation,
                       struct mf_cpu_profile *ret_profile);

/* ---- totals and status ---- */

struct mf_cpu_task_totals {
    uint64_t scopes; /* that have ended */
    uint64_t violations;
    int64_t cpu_ns; /* of ended scopes, those inside of them included */
    int64_t wall_ns;
    int64_t cpu_max_ns; /* of the longest */
};
/* May miss what ends meanwhile. [any-thread] */
MF_API void mf_cpu_task_totals(struct mf_cpu_task *task, struct mf_cpu_task_totals *ret_totals);

struct mf_cpu_thread {
    int32_t tid;
    char name[MF_CPU_THREAD_LEN];
    int64_t cpu_ns;  /* since the thread was started; -1 when it cannot be read */
    uint64_t scopes; /* begun */
    uint32_t open;   /* scopes open now */
    uint64_t violations;
    enum mf_cpu_tier watched_by; /* the best tier that works for this thread */
};
/* The threads that have begun scopes and still live, at most `capacity` of them. Returns how many
 * there are. [any-thread] */
MF_API size_t mf_cpu_threads(struct mf_cpu *cpu, struct mf_cpu_thread *ret_threads,
                             size_t capacity);

struct mf_cpu_tier_status {
    bool active;
    char why[120];       /* when it is not */
    uint64_t seen;       /* violations that it saw first */
    int64_t late_p50_ns; /* CPU time beyond the budget when it saw them; 0 when it saw none */
    int64_t late_p99_ns;
    int64_t late_max_ns;
};

struct mf_cpu_status {
    struct mf_cpu_tier_status tiers[MF_CPU_TIERS];
    enum mf_cpu_tier in_burst;  /* the best detector; MF_CPU_EXACT: none while scopes last */
    int signal;                 /* the detector's; 0: none */
    double ticks_per_ns;        /* of the time-stamp counter; 0: the monotonic clock is used */
    bool switches_seen;         /* the kernel tells of context switches (rseq), so that a scope
                                   without one reads no CPU clock; else each scope reads it twice */
    uint64_t threads;           /* that have begun scopes, ended ones included */
    uint64_t threads_unwatched; /* of the living: those that no detector can watch now */
    uint64_t violations;
    uint64_t lost;     /* violations that found no room to wait in; flags, signals and callbacks
                          came nevertheless */
    uint64_t failures; /* system calls that failed since mf_cpu_open() */
    char last_failure[120]; /* what it was; "" when there was none */
    uint64_t arms;          /* how often a detector was set */
    uint64_t fires;         /* how often one interrupted a thread */
};
/* [any-thread] */
MF_API void mf_cpu_status(struct mf_cpu *cpu, struct mf_cpu_status *ret_status);

/* "function+0x12 (module)", or "module+0x1234", or "0x1234" for an address of this process, into
 * `text`, which is always ended by a NUL. Returns text. Reads symbol tables: not for signal
 * handlers. [any-thread] */
MF_API char *mf_cpu_symbol(uintptr_t address, char *text, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
