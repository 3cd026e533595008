/* SPDX-License-Identifier: Apache-2.0
 * outside_private.h -- the parts of a watch: see outside.c. */
#ifndef CPU_OUTSIDE_PRIVATE_H
#define CPU_OUTSIDE_PRIVATE_H

#include "cpu/outside.h"
#include "outside_window.h"

#define WATCH_BUCKETS 4096 /* of threads and of processes; a power of two */

struct watch_process;

/* One budget on one thread, or on all that match together. */
struct watch_subject {
    unsigned budget;
    bool over;
    int64_t over_since_ns;
    uint64_t over_cpu_ns; /* the counter when it began, the proven part taken off */
    uint64_t begin;       /* what on_violation returned */
    int64_t due_ns;
    struct mf_window window;
    struct watch_subject *next; /* of the same thread */
};

struct watch_thread {
    int32_t tid;
    int descriptor; /* of its schedstat; -1: opened anew for each reading */
    bool opened;    /* an attempt was made */
    bool held;      /* counted against the limit of descriptors */
    bool gone;      /* no more there; its exit record may be on its way */
    bool recorded;  /* that has come */
    bool stale_name;
    bool rebase;     /* the next reading says nothing of what was used: another task stands there */
    bool born_exact; /* by an event */
    unsigned passes_gone;
    int64_t born_ns;  /* not later than its start */
    int64_t seen_ns;  /* when it was read last; not later than that */
    int64_t due_ns;   /* the earliest of its subjects' */
    uint64_t run_ns;  /* its counter */
    uint64_t base_ns; /* of that, what was before the watch */
    struct mf_watch_figures figures;
    uint64_t wait_base_ns, slices_base;
    uint64_t voluntary_base, involuntary_base;
    uint64_t status_run_ns;  /* run_ns when its status was read last */
    uint64_t sampled_cpu_ns; /* figures.cpu_ns at the last sample */
    uint64_t sampled_wait_ns;
    uint64_t last_cpu_ns, last_wait_ns; /* of the last interval */
    bool sampled;
    char comm[MF_PROC_COMM_LEN];
    struct mf_watch_name *name;
    struct watch_subject *subjects;
    struct watch_process *process;
    struct watch_thread *next;        /* of the process */
    struct watch_thread *bucket_next; /* by tid */
};

/* A thread that ended since the last sample and may have used more than its record says. */
struct watch_ended {
    struct mf_watch_name *name;
    uint64_t room_ns;
    struct watch_ended *next;
};

struct watch_process {
    int32_t pid;
    uint64_t tag;
    bool gone;
    unsigned passes_gone;
    bool from_start;
    bool adopting;          /* threads that are found now were there before */
    bool changed;           /* whatever its clock says, its threads have to be looked at */
    bool zombie_leader;     /* which stays in the list of threads until the last has ended */
    bool leader_ended;      /* a thread that stands at its pid is another one */
    struct mf_proc *handle; /* NULL: not looked at yet, or gone already */
    struct watch_thread *threads;
    uint32_t alive; /* of these, not gone */
    uint64_t threads_total;
    int64_t added_ns;
    int64_t complete_ns;    /* when the list of threads was known to be complete */
    uint64_t clock_ns;      /* its clock, when it was read last */
    int64_t clock_at_ns;    /* and when that was; not later */
    uint64_t clock_base_ns; /* of that, what was before the watch */
    uint64_t
        full_clock_ns;  /* when all threads were read last: while it stands there, none has run */
    int64_t full_at_ns; /* when that was known last */
    uint64_t attributed_ns;
    int64_t due_ns;
    char comm[MF_PROC_COMM_LEN]; /* for threads that nobody saw */
    struct watch_ended *ended;
    struct watch_process *next, *previous;
    struct watch_process *bucket_next;
};

/* A budget for several threads together. */
struct watch_group {
    bool used;
    uint64_t cpu_ns;
    struct watch_subject subject;
};

struct mf_watch {
    struct mf_watch_spec spec;
    struct mf_watch_budget budgets[MF_WATCH_BUDGETS_MAX];
    struct watch_group groups[MF_WATCH_BUDGETS_MAX]; /* of those that are for all together */
    unsigned cpus;
    bool by_ticks;
    int64_t tick_ns;
    uint64_t stale_ns;    /* what a thread that runs may have used beyond its counter */
    uint64_t held;        /* descriptors */
    uint64_t opened_anew; /* threads without one */
    int64_t slow_ns;      /* when switches and names are read next */
    int64_t due_ns;
    int64_t sampled_at_ns, interval_ns;
    struct watch_process *first, *last;
    struct watch_process *processes[WATCH_BUCKETS];
    struct watch_thread *threads[WATCH_BUCKETS];
    struct mf_watch_name names[MF_WATCH_NAMES_MAX + 1]; /* the last is "(other)" */
    uint16_t name_buckets[2 * MF_WATCH_NAMES_MAX];      /* index + 1; open addressing */
    size_t name_count;
    uint64_t ended_ns;      /* CPU time of processes that were removed */
    uint64_t total_base_ns; /* of what read_total says, what was before the watch */
    bool total_known;
    struct mf_watch_totals totals;
};

static inline unsigned mf__watch_bucket(int32_t id)
{
    return (uint32_t)id & (WATCH_BUCKETS - 1);
}

/* outside.c */
struct watch_thread *mf__watch_find_thread(struct mf_watch *watch, int32_t tid);
struct watch_thread *mf__watch_thread_new(struct mf_watch *watch, struct watch_process *process,
                                          int32_t tid, int64_t born_ns);
void mf__watch_mark_gone(struct watch_thread *thread);
/* False when it is gone. */
bool mf__watch_open(struct mf_watch *watch, struct watch_process *process);
/* Ends it, with what was known at last, and frees it. */
void mf__watch_thread_end(struct mf_watch *watch, struct watch_thread *thread);
/* Gives it a name, and the budgets that go by it. */
void mf__watch_name_thread(struct mf_watch *watch, struct watch_thread *thread, const char *comm);

/* outside_names.c */
struct mf_watch_name *mf__watch_name(struct mf_watch *watch, const char *comm);

/* outside_sample.c */
/* Counts what a thread used since it was known last; not before earliest_ns. */
void mf__watch_count(struct mf_watch *watch, struct watch_thread *thread, uint64_t cpu_ns,
                     int64_t earliest_ns);
/* Counts CPU time of a process that is of no thread that is known. */
void mf__watch_count_process(struct mf_watch *watch, uint64_t cpu_ns, int64_t earliest_ns);
/* Reads its schedstat; false when it is gone. */
bool mf__watch_read(struct mf_watch *watch, struct watch_thread *thread);
/* Reads what a process's clock says; false when it is gone. */
bool mf__watch_read_clock(struct mf_watch *watch, struct watch_process *process);
/* Deals out what ended threads have used beyond their records; at most rest_ns. */
void mf__watch_deal(struct mf_watch *watch, struct watch_process *process, uint64_t rest_ns);

/* outside_judge.c: budgets */
/* Makes the subjects of a thread what its name asks for. */
void mf__watch_match(struct mf_watch *watch, struct watch_thread *thread);
/* After a reading between from_ns and until_ns. */
void mf__watch_judge(struct mf_watch *watch, struct watch_thread *thread, int64_t from_ns,
                     int64_t until_ns);
/* By its exit record alone: it lived elapsed_ns. */
void mf__watch_judge_record(struct mf_watch *watch, struct watch_thread *thread,
                            int64_t elapsed_ns);
/* Ends what goes on for a thread that ends, and frees its subjects. */
void mf__watch_drop_subjects(struct mf_watch *watch, struct watch_thread *thread);
bool mf__watch_has_group(const struct mf_watch *watch);
/* Adds to the groups; to no point in time before earliest_ns. `thread` NULL: of the process. */
void mf__watch_count_group(struct mf_watch *watch, const struct watch_thread *thread,
                           uint64_t cpu_ns, int64_t earliest_ns);
/* After a pass over all processes that began at from_ns. */
void mf__watch_judge_groups(struct mf_watch *watch, int64_t from_ns, int64_t until_ns);
/* The earliest moment at which something has to be looked at. */
void mf__watch_find_due(struct mf_watch *watch);

#endif
