/* SPDX-License-Identifier: Apache-2.0
 * cpu_private.h -- what the files of cpu share. The essay in cpu.c explains it. */
#ifndef CPU_PRIVATE_H
#define CPU_PRIVATE_H

#include "lateness.h"

#include "os/alarm.h"
#include "os/clock.h"
#include "os/cputime.h"
#include "os/switches.h"
#include "os/thread.h"

#include <mayfly/cpu.h>
#include <stdatomic.h>
#include <string.h>

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define WATCHED_BUDGET_MIN_NS (100 * MF_NS_PER_US) /* smaller ones are judged at the end only */
/* How long a known CPU time is built upon, at most: that, and a part of the budget. */
#define FRESH_NS     (250 * MF_NS_PER_US)
#define FRESH_PART   16
#define CLOCK_MARGIN 1e-3 /* the error of stamps against the scheduler's clock, at most */
#define TASKS_MAX    1024
#define RECENT_TASKS 4
#define NEVER        ((uint64_t)INT64_MAX) /* a stamp that is never reached */

/* ---- stamps: the time-stamp counter, or nanoseconds of the monotonic clock ---- */

struct stamps {
    bool counter;         /* the time-stamp counter */
    uint64_t ns_per_tick; /* as a fraction of 2^32 */
    double ticks_per_ns;
    uint64_t reading_ticks; /* reading the CPU clock takes less, if nothing comes between */
};
extern struct stamps mf__stamps;

static inline uint64_t stamp_now(void)
{
    return LIKELY(mf__stamps.counter) ? mf_tsc_read() : (uint64_t)mf_clock_monotonic_ns(NULL);
}

static inline int64_t stamp_ns_positive(uint64_t ticks)
{
    return (int64_t)(((unsigned __int128)ticks * mf__stamps.ns_per_tick) >> 32);
}

/* Of a difference of stamps; one that is negative (a counter that differs between processors) is
 * nothing. */
static inline int64_t stamp_ns(uint64_t ticks)
{
    return UNLIKELY((int64_t)ticks < 0) ? 0 : stamp_ns_positive(ticks);
}

static inline uint64_t stamp_ticks(int64_t ns)
{
    return (uint64_t)((double)ns * mf__stamps.ticks_per_ns);
}

/* ---- tasks ---- */

struct mf_cpu_task {
    /* Read on the fast path. The generation is that of the accounting, or 0 to take always the
     * slow path, which windows and the monotonic clock need. */
    uint32_t fast_generation;
    uint32_t recent;      /* which of a thread's recent totals is its own */
    uint64_t safe_ticks;  /* wall time in which the budget cannot be used up */
    uint64_t watch_ticks; /* after which a scope is looked at; above NEVER: it is not */
    uint64_t fresh_ticks; /* how long a known CPU time may be built upon */
    struct mf_cpu_budget budget;
    struct mf_cpu *cpu;
    uint32_t generation;

    char name[MF_CPU_NAME_LEN];
    int *flag;
    int signal;
    void (*violated)(void *context, const struct mf_cpu_violation *violation);
    void *context;
    struct mf_cpu_task *next;

    /* totals that threads have handed over */
    _Atomic uint64_t scopes;
    _Atomic uint64_t violations;
    _Atomic int64_t cpu_ns;
    _Atomic int64_t wall_ns;
    _Atomic int64_t cpu_max_ns;
};

/* ---- threads ---- */

/* An open scope. Written by its thread; the watcher reads it, and knows by `serial`, before and
 * after, whether what it read belongs together. */
struct level {
    _Atomic uint64_t serial;  /* 0 while it is written */
    _Atomic uint64_t started; /* stamp */
    _Atomic int64_t cpu_ns;   /* of the thread, at the begin; never too small */
    struct mf_cpu_task *_Atomic task;
    _Atomic uint64_t told;         /* == serial: it was seen over its budget */
    _Atomic uint32_t uncertain_ns; /* cpu_ns may be too large by this much */
    _Atomic uint32_t told_by;      /* enum mf_cpu_tier; the first who saw it, and how late */
    _Atomic int64_t told_late_ns;
};

/* The CPU time at moments of the last stretch of a windowed budget's length. */
#define WINDOW_POINTS 16
struct window {
    struct window *next;  /* of the same thread */
    uint64_t serial;      /* of the scope it is about; 0: none */
    uint64_t quiet_until; /* what was told is not told again before */
    uint32_t count;
    uint32_t newest;
    uint64_t stamps[WINDOW_POINTS];
    int64_t cpu_ns[WINDOW_POINTS];
    int64_t worst_cpu_ns; /* the fullest stretch that was seen over the budget */
    int64_t worst_wall_ns;
};

/* Totals of a task in one thread that are not handed over yet; written by the thread alone. */
struct recent {
    struct mf_cpu_task *_Atomic task;
    _Atomic uint64_t scopes;
    _Atomic int64_t cpu_ns;
    _Atomic int64_t off_ns; /* wall time without CPU time */
};

struct slot;

struct thread {
    uint32_t generation;
    _Atomic uint32_t depth;
    _Atomic uint64_t serial; /* of the newest scope */
    struct mf_switches switches;
    uint64_t known_at; /* a stamp, and the CPU time at it */
    int64_t known_cpu_ns;
    /* the stamp at which the alarm goes off at the latest; NEVER: it is not set; 0: it cannot be
     * used, and is not tried before the CPU clock is read next */
    _Atomic uint64_t alarm_at;
    _Atomic uint32_t fires;
    _Atomic bool blocked; /* the signal was, when it was looked at */
    _Atomic bool broken;  /* no alarm can be had */
    _Atomic uint8_t kind; /* enum mf_alarm_kind, of the alarm */

    int32_t tid;
    struct mf_alarm alarm;
    uint64_t fired_at; /* the last alarm: stamp and CPU time, to see whether the thread sleeps */
    int64_t fired_cpu_ns;
    int64_t fired_waits; /* how often it had waited by then */
    int64_t idle_ns;     /* how long an alarm waits for a thread that sleeps; doubled each time */
    uintptr_t stack_low;
    uintptr_t stack_high;
    struct window *windows;        /* of its windowed scopes, open or to be used again */
    struct window *watcher_window; /* the watcher's own, of the outermost windowed scope */
    struct slot *slot;             /* where the profile of a burst is gathered */
    uint64_t slot_serial;          /* of the scope that it is about */
    int64_t sampled_cpu_ns;
    _Atomic uint64_t violations;
    _Atomic uint32_t recent_seq; /* odd while a recent total changes its task */
    struct thread *next;
    struct thread *previous;

    struct recent recent[RECENT_TASKS];
    struct level levels[MF_CPU_DEPTH_MAX];
};
_Static_assert(sizeof(struct thread) <= 1024, "the memory of a thread");

/* ---- violations that wait ---- */

enum slot_state { SLOT_FREE, SLOT_TAKEN, SLOT_READY };
struct slot {
    _Atomic uint32_t state;
    uint64_t order;
    struct mf_cpu_violation violation;
    struct mf_cpu_profile profile;
};

/* ---- the accounting ---- */

struct mf_cpu {
    _Atomic uint32_t generation;        /* 0: not open */
    enum mf_alarm_kind kinds[2];        /* of alarms, in the order in which they are tried */
    int kind_errors[MF_ALARM_PERF + 1]; /* what trying them out said; 1: not asked for */
    struct mf_errinfo stamp_error;
    struct mf_errinfo switches_error;
    struct mf_errinfo signal_error;
    bool switches;
    int signal;

    struct thread *threads; /* under mf__cpu_lock, like the tasks */
    struct mf_cpu_task *tasks;
    uint32_t task_count;
    uint64_t thread_count; /* ever */

    bool watcher_wanted;
    _Atomic bool watcher_runs;
    bool watcher_stop;
    int watcher_error;
    int64_t watcher_interval_ns;
    struct mf_thread watcher;
    struct mf_condition watcher_wakes;

    struct mf_mutex take_lock;
    struct slot *slots;
    uint32_t slot_count;

    /* counters: atomics only */
    _Atomic uint64_t order;
    _Atomic uint32_t slot_hint;
    _Atomic uint64_t violations;
    _Atomic uint64_t lost;
    _Atomic uint64_t failures;
    const char *_Atomic failed_call;
    _Atomic int failed_code;
    _Atomic uint64_t arms;
    _Atomic uint64_t fires;
    struct lateness late[MF_CPU_TIERS];
};

/* The one that is open, or NULL. Its memory is static: an alarm of a thread that was idle may go
 * off while the accounting is being closed. */
extern struct mf_cpu *_Atomic mf__cpu;
extern struct mf_alarm_signal mf__cpu_signal;
/* Guards the lists of threads and tasks, and the watcher's state. */
extern struct mf_mutex mf__cpu_lock;
/* The calling thread's. In static thread-local storage, so that a signal handler may look at it. */
extern _Thread_local struct thread *mf__cpu_self __attribute__((tls_model("initial-exec")));

/* threads.c */
/* The calling thread's, made when it has none for this accounting; NULL when memory is out. */
struct thread *mf__cpu_thread_get(struct mf_cpu *cpu);
/* What a process needs once: the end of threads, and forks, are noticed from now on. */
int mf__cpu_threads_notice(struct mf_errinfo *err);
void mf__cpu_threads_close(struct mf_cpu *cpu);
/* Makes room for a task in the recent totals. */
void mf__cpu_hand_over(struct thread *thread, struct mf_cpu_task *task);

/* The best tier that works for a thread. */
enum mf_cpu_tier mf__cpu_watched_by(const struct mf_cpu *cpu, const struct thread *thread);

/* scope.c */
/* Reads the CPU clock and marks the moment; 0 or a negated errno. */
int mf__cpu_refresh(struct mf_cpu *cpu, struct thread *thread);
/* Ends scopes that were left open, down to `depth`. */
void mf__cpu_unwind(struct thread *thread, uint32_t depth);

/* watch.c */
void mf__cpu_on_signal(int number, siginfo_t *info, void *context);
/* Sets the alarm for a scope that has just begun and is to be looked at by that stamp. */
void mf__cpu_arm(struct mf_cpu *cpu, struct thread *thread, uint64_t watch_at);
/* For the scopes that are open, when there is no alarm yet. */
void mf__cpu_arm_again(struct mf_cpu *cpu, struct thread *thread);
/* What the alarms can be; gives kinds and kind_errors. */
void mf__cpu_probe_alarms(struct mf_cpu *cpu, enum mf_cpu_detector detector);
void mf__cpu_failed(struct mf_cpu *cpu, const char *call, int code); /* async-signal-safe */

/* windows.c */
struct window *mf__window_of(const struct thread *thread, uint64_t serial); /* NULL: none */
void mf__window_begin(struct window *window, uint64_t serial, uint64_t stamp, int64_t cpu_ns);
/* Adds a moment. Returns the CPU time of the stretch of at most window_ns that ends now, and how
 * long that is; all of it has been used for certain. */
int64_t mf__window_add(struct window *window, const struct mf_cpu_budget *budget, uint64_t stamp,
                       int64_t cpu_ns, int64_t *ret_wall_ns);

/* violation.c */
struct sighting {
    struct mf_cpu *cpu;
    struct thread *thread;
    struct mf_cpu_task *task;
    uint64_t scope;
    enum mf_cpu_tier tier;
    bool ended;
    bool first; /* nobody has told of it before */
    int64_t cpu_ns;
    int64_t wall_ns;
    int64_t late_ns;
    uint32_t uncertain_ns;
    const void *context; /* the ucontext_t of the signal, or NULL */
    const void *frame;   /* else the frame to begin with; NULL: the stack cannot be seen */
    struct slot *slot; /* taken when it was seen first, with what was seen and a profile; or NULL */
};
/* Tells of it: flag, signal, the queue, the callback. [async-signal-safe, but for the callback] */
void mf__cpu_tell(const struct sighting *sighting);
/* Whoever comes first may tell of a scope while it lasts. */
bool mf__cpu_claim(struct level *level, uint64_t serial, enum mf_cpu_tier tier, int64_t late_ns);
struct slot *mf__slot_take(struct mf_cpu *cpu);
void mf__slot_release(struct slot *slot);

/* stack.c */
/* From the ucontext_t of a signal, or from a frame of the caller. [async-signal-safe] */
uint32_t mf__stack_capture(const struct thread *thread, const void *context, const void *frame,
                           uintptr_t *ret_stack, uint32_t capacity);

/* watcher.c */
int mf__watcher_start(struct mf_cpu *cpu, struct mf_errinfo *err);
void mf__watcher_stop(struct mf_cpu *cpu);
void mf__watcher_forget(struct mf_cpu *cpu);  /* in a child after fork: it is not there */
void mf__watcher_restart(struct mf_cpu *cpu); /* there, when the next scope begins */

#endif
