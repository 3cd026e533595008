/* SPDX-License-Identifier: Apache-2.0
 * flight_threads.h -- the threads of a flight while it is recorded: their CPU time by name, and the
 * budgets for it. One thread. `threads` may be NULL: nothing is done then. */
#ifndef FLIGHT_FLIGHT_THREADS_H
#define FLIGHT_FLIGHT_THREADS_H

#include "process_table.h"

#include "cpu/outside.h"
#include "flight_series.h"

#include <mayfly/error.h>
#include <stdint.h>

struct mf_recorder;
struct mf_flight_threads;

/* The number of budgets, or the error of the first that is none. `texts` may be NULL. */
int mf__threads_check_budgets(const char *const *texts, struct mf_errinfo *err);

int mf__threads_new(struct mf_recorder *recorder, struct mf_flight_threads **ret_threads,
                    struct mf_errinfo *err);
void mf__threads_free(struct mf_flight_threads *threads);

/* From the table of processes. */
void mf__threads_add(struct mf_flight_threads *threads, const struct mf_process *process);
void mf__threads_remove(struct mf_flight_threads *threads, const struct mf_process *process,
                        uint64_t cpu_ns);
void mf__threads_rename(struct mf_flight_threads *threads, const struct mf_process *process);
void mf__threads_record(struct mf_flight_threads *threads, const struct mf_task_record *record);
/* What the kernel told of a process of the flight. */
void mf__threads_event(struct mf_flight_threads *threads, const struct mf_procevent *event);
/* A zombie, before it is reaped. */
void mf__threads_last_look(struct mf_flight_threads *threads, int32_t pid);

void mf__threads_sample(struct mf_flight_threads *threads, int64_t t_ns);
/* In the flight's time: when mf__threads_check() is due; INT64_MAX: not. */
int64_t mf__threads_due_ns(const struct mf_flight_threads *threads);
void mf__threads_check(struct mf_flight_threads *threads);
/* The last sample, and the sums by name as an event. */
void mf__threads_finish(struct mf_flight_threads *threads, int64_t t_ns);
/* In words, which budget was exceeded when the command was ended for it. */
const char *mf__threads_why(const struct mf_flight_threads *threads);

/* flight_thread_series.c: the time series. */
struct mf_thread_series {
    struct mf_watch_name *names[MF_WATCH_NAMES_MAX + 1]; /* that have series, in this order */
    unsigned shown;
    mf_series cpu[MF_THREAD_NAMES_SHOWN + 2], wait[MF_THREAD_NAMES_SHOWN + 2];
    uint64_t unshown_cpu_ns[MF_THREAD_NAMES_SHOWN], unshown_wait_ns[MF_THREAD_NAMES_SHOWN];
    uint64_t highest_cpu_ns[MF_THREAD_NAMES_SHOWN + 2];
    uint64_t last_unattributed_ns[2];
    mf_series bursts, wait_all, violations;
};
void mf__thread_series_record(struct mf_thread_series *own, struct mf_flight_series *series,
                              struct mf_watch *watch, int64_t wall_ns);
void mf__thread_series_burst(struct mf_thread_series *own, struct mf_flight_series *series,
                             uint64_t cpu_ns, int64_t wall_ns);

#endif
