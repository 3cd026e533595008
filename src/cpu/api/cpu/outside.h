/* SPDX-License-Identifier: Apache-2.0
 *
 * outside.h -- the CPU time of the threads of other processes, and budgets for it, from the
 * kernel's own counters. The essay is in outside.c.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC, CPU times nanoseconds. One thread per object; the
 * functions of budgets are [any-thread].
 */
#ifndef CPU_OUTSIDE_H
#define CPU_OUTSIDE_H

#include "base/buffer.h"
#include "os/proc.h"
#include "os/taskstats.h"

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- budgets ------------------------------------------------------------------------------------
 */

enum mf_watch_action { MF_WATCH_MARK, MF_WATCH_STOP, MF_WATCH_KILL };

/* At most limit_ns of CPU time within any within_ns. */
struct mf_watch_budget {
    int64_t limit_ns;
    int64_t within_ns;
    bool together;    /* of all threads that match, as one; else of each by itself */
    char pattern[64]; /* of thread names, as a shell's; "": all */
    enum mf_watch_action action;
};

#define MF_WATCH_BUDGETS_MAX 16

/* "50ms/100ms[,thread=PATTERN][,of=each|all][,action=mark|stop|kill]". A comma within the pattern
 * is written "\,". MF_ESYNTAX, or MF_EVALUE for a budget that cannot be exceeded. */
int mf_watch_budget_parse(const char *text, struct mf_watch_budget *ret_budget,
                          struct mf_errinfo *err);
/* The same text, without what is the default. */
void mf_watch_budget_write(const struct mf_watch_budget *budget, struct mf_buffer *out);
const char *mf_watch_action_name(enum mf_watch_action action);

/* ---- what is told -------------------------------------------------------------------------------
 */

/* A budget begins to be exceeded, or, with `ended`, is kept again. */
struct mf_watch_violation {
    const struct mf_watch_budget *budget;
    bool ended;
    int64_t t_ns;       /* when it was seen */
    uint64_t tag;       /* of the process, as given to mf_watch_add(); 0: of all together */
    int32_t pid;        /* 0: of all together */
    int32_t tid;        /* the thread; of all together the one that used most, 0 where not known */
    const char *comm;   /* its name; any bytes */
    uint64_t cpu_ns;    /* used, at least, within ... */
    int64_t wall_ns;    /* ... this time, which is not longer than the budget's */
    uint64_t excess_ns; /* over the limit */
    uint64_t over_ns;   /* `ended`: CPU time since it began */
    int64_t lasted_ns;  /* `ended` */
    bool thread_ended;  /* it was seen by the exit record of the thread, which is gone */
    uint64_t begin;     /* `ended`: what on_violation returned for the beginning */
    struct mf_proc *proc; /* of the process, for evidence; NULL when it is gone. Borrowed */
};

/* ---- the watch ----------------------------------------------------------------------------------
 */

struct mf_watch;

struct mf_watch_spec {
    const struct mf_watch_budget *budgets; /* copied */
    size_t budget_count;
    int64_t interval_ns;      /* between mf_watch_sample() for the figures */
    uint32_t cpus;            /* that the processes can use at a time; 0: those of the machine */
    uint64_t descriptors_max; /* files that may be held open; beyond, they are opened anew */
    bool with_records;        /* exit records will be given */
    /* Returns a number to find it by again, given back when it ends. */
    uint64_t (*on_violation)(void *context, const struct mf_watch_violation *violation);
    /* CPU time of the tree as somebody knows who misses nothing (a cgroup); NULL: nobody. False
     * when it cannot be had now. */
    bool (*read_total)(void *context, uint64_t *ret_cpu_ns);
    /* CPU time of one thread between two samples; NULL: not wanted. */
    void (*on_burst)(void *context, uint64_t cpu_ns);
    void *context;
};

int mf_watch_new(const struct mf_watch_spec *spec, struct mf_watch **ret_watch,
                 struct mf_errinfo *err);
void mf_watch_free(struct mf_watch *watch); /* NULL is allowed */

/* ---- who is watched ---- */

/* A process, with a number of the caller's. What its threads used before counts if `from_start`.
 * Where it is gone already it is known all the same: by what records will say. */
void mf_watch_add(struct mf_watch *watch, int32_t pid, uint64_t tag, bool from_start);
/* It has ended, or is to be forgotten, if the process of that pid is the one with the number `tag`.
 * Its CPU time as known otherwise, ended threads included; 0: not known. */
void mf_watch_remove(struct mf_watch *watch, int32_t pid, uint64_t tag, uint64_t cpu_ns);
bool mf_watch_has(const struct mf_watch *watch, int32_t pid);
/* Those that are there, in the order in which they were added; what `visit` adds comes, too. Stops
 * at non-zero and returns it. */
int mf_watch_each_process(const struct mf_watch *watch,
                          int (*visit)(void *context, int32_t pid, struct mf_proc *proc),
                          void *context);
/* Removes processes that were found gone, as soon as their records can have come. */
void mf_watch_forget_gone(struct mf_watch *watch);
/* Of a living one: while it is a zombie its figures can still be had. */
void mf_watch_last_look(struct mf_watch *watch, int32_t pid);

/* What events tell; each may be left out. */
void mf_watch_clone(struct mf_watch *watch, int32_t pid, int32_t tid, int64_t t_ns);
void mf_watch_rename(struct mf_watch *watch, int32_t tid, const char *comm);
void mf_watch_exec(struct mf_watch *watch, int32_t pid);
/* True when it was of a thread of ours. */
bool mf_watch_record(struct mf_watch *watch, const struct mf_task_record *record);

/* ---- sampling ---- */

/* Looks at all of them: once per interval. */
void mf_watch_sample(struct mf_watch *watch);
/* When mf_watch_check() has to be called for the budgets' sake; INT64_MAX: not. */
int64_t mf_watch_due_ns(const struct mf_watch *watch);
/* Looks at those that may exceed a budget by now. */
void mf_watch_check(struct mf_watch *watch);

/* ---- what was found ---- */

struct mf_watch_figures {
    uint64_t cpu_ns;
    uint64_t wait_ns; /* ready to run, but waiting for a processor */
    uint64_t slices;  /* times that it was put on a processor */
    uint64_t switches_voluntary, switches_involuntary;
};

/* All threads of one name, also those that have ended. */
struct mf_watch_name {
    char comm[MF_PROC_COMM_LEN]; /* any bytes */
    struct mf_watch_figures figures;
    uint64_t threads; /* in all */
    uint64_t alive;
    uint64_t burst_ns; /* the most that one of them used between two samples */
    void *user;        /* the caller's */
};

#define MF_WATCH_NAMES_MAX                                                                         \
    512 /* beyond, threads are counted as "(other)", the last in the list                          \
         */

/* In the order of their appearance; `other` at last. Valid until the next call on the watch. */
size_t mf_watch_names(struct mf_watch *watch, struct mf_watch_name **ret_names);

struct mf_watch_totals {
    struct mf_watch_figures figures; /* of all threads that were seen */
    uint64_t cpu_ns;                 /* of the tree, as far as anybody knows */
    uint64_t unattributed_ns;        /* of that, what is of no thread that was seen */
    uint64_t estimated_ns;           /* of what was attributed, dealt out among ended threads */
    uint64_t threads;                /* seen in all */
    uint64_t threads_by_record;      /* of these known by their exit record alone */
    uint64_t alive;
    uint64_t opened_anew; /* threads without a file that is held open, at most */
    uint64_t violations;  /* begun */
};
void mf_watch_totals(const struct mf_watch *watch, struct mf_watch_totals *ret_totals);

/* One living thread. */
struct mf_watch_thread {
    uint64_t tag;
    int32_t pid, tid;
    const char *comm;
    struct mf_watch_figures figures;
    uint64_t last_cpu_ns; /* of the last interval */
    uint64_t last_wait_ns;
    int64_t last_wall_ns; /* its length; 0: new */
};
void mf_watch_each(struct mf_watch *watch,
                   void (*visit)(void *context, const struct mf_watch_thread *thread),
                   void *context);

/* True when CPU time is known in steps of clock ticks only: the kernel keeps no schedstat. */
bool mf_watch_by_ticks(const struct mf_watch *watch);

/* ---- evidence ---- */

/* What can be had of a thread at this moment; "" for what is not permitted or not there. */
struct mf_watch_evidence {
    char state;            /* R, S, D, ...; 0: not known */
    char wait[64];         /* the function in the kernel in which it sleeps */
    char system_call[128]; /* "running", or number and arguments, as the kernel writes them */
    char stack[1024];      /* of the kernel, a line each */
    char denied[128];      /* which of these were not permitted */
};
void mf_watch_look_at(struct mf_proc *proc, int32_t tid, struct mf_watch_evidence *ret_evidence);

#endif
