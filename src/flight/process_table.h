/* SPDX-License-Identifier: Apache-2.0
 *
 * process_table.h -- the processes of a flight while it is recorded: who started whom, what each
 * has used so far, and how it ended. Fed with the kernel's events, with exit records, with samples,
 * or with any part of these; writes the process events. One thread.
 */
#ifndef FLIGHT_PROCESS_TABLE_H
#define FLIGHT_PROCESS_TABLE_H

#include "event_writer.h"
#include "os/proc.h"
#include "os/procevents.h"
#include "os/taskstats.h"

#include <mayfly/flight.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Figures of a process; UINT64_MAX: not known. */
struct mf_figures {
    uint64_t cpu_user_ns, cpu_system_ns;
    uint64_t rss_peak_bytes;
    uint64_t read_bytes, write_bytes, read_chars, write_chars;
    uint64_t faults_minor, faults_major;
    uint64_t switches_voluntary, switches_involuntary;
};

struct mf_name_total; /* what the processes of one name have used, see series.h */

struct mf_process {
    uint64_t number;
    uint64_t parent;
    int32_t pid;
    int32_t parent_pid;
    uint64_t start_ticks; /* 0: not known (gone before it could be read) */
    char comm[MF_PROC_COMM_LEN];
    int64_t start_ns;
    int64_t end_ns;
    uint64_t cause; /* id of its latest start or exec event: parent of what it does next */
    uint64_t start_event;
    bool fork_expected; /* made from what we know ourselves; the event is still to come */
    bool exec_expected;
    bool last_name; /* comm is from the exit record */
    bool gone;      /* a sample found that it is no more, and its pid may be somebody else's */
    bool dead;      /* its end was seen; what belongs to it may still be on its way */
    unsigned passes_dead;
    bool status_known;
    uint32_t status;
    uint32_t threads; /* alive, as counted by events or read */
    uint32_t threads_peak;
    uint32_t exits;          /* of its threads, by events */
    uint32_t records;        /* exit records of its threads */
    uint64_t last_seen;      /* round of the last scan that found it */
    struct mf_figures exact; /* sums of the exit records */
    struct mf_figures live;  /* by the last sample */
    struct mf_proc_io
        waited;            /* I/O of descendants that ended: the kernel adds it to their parent's */
    uint64_t schedstat_ns; /* exact CPU time, of a process that never had a second thread */
    uint64_t rss_bytes;
    uint64_t pss_bytes;
    uint64_t counted_cpu_ns; /* of its CPU time what the sums of the tree and of its name have */
    struct mf_name_total *name;

    /* the sampler's */
    struct mf_proc *handle; /* NULL: not open */
    bool unreadable;        /* gone, or not permitted */
    bool io_forbidden;
    uint64_t next_check; /* tick at which it is looked at again */
    uint32_t idle_checks;
    uint64_t written_cpu_ns, written_rss_bytes, written_io_bytes; /* in the last sample record */

    struct mf_process *bucket_next;
    struct mf_process *previous, *next; /* of the living, in the order of their numbers */
};

struct mf_process_totals {
    uint64_t started;
    uint64_t alive;
    uint64_t alive_peak;
    uint64_t threads;
    uint64_t threads_peak;
    uint64_t undetailed; /* started beyond the limit: counted, but without events of their own */
    struct mf_figures ended; /* sums over processes that have ended */
    bool ended_exact;        /* all of these from exit records */
    char largest_comm[MF_PROC_COMM_LEN];
    uint64_t largest_rss_bytes;
    int64_t largest_at_ns; /* its end, or the sample that saw its peak */
    char busiest_comm[MF_PROC_COMM_LEN];
    uint64_t busiest_cpu_ns;
};

struct mf_process_table;

struct mf_process_table_spec {
    struct mf_event_writer *events; /* borrowed */
    const struct mf_host *host;     /* borrowed */
    int64_t started_monotonic_ns;
    int32_t recorder_pid;
    bool with_events;  /* starts and ends come from the connector */
    bool with_records; /* exact totals come from exit records */
    /* Told of each process's start; of its end for good, with the CPU time that is known then. */
    void (*on_start)(void *context, const struct mf_process *process);
    void (*on_close)(void *context, const struct mf_process *process, uint64_t cpu_ns);
    /* Told of each exit record of a thread of ours. */
    void (*on_record)(void *context, const struct mf_task_record *record);
    /* Told of each process's end, when its records have come, and of a change of name. */
    void (*on_end)(void *context, struct mf_process *process);
    void (*on_rename)(void *context, struct mf_process *process);
    void *context;
};

int mf__processes_new(const struct mf_process_table_spec *spec, struct mf_process_table **ret_table,
                      struct mf_errinfo *err);
void mf__processes_free(struct mf_process_table *table);

/* The command, as number 1, and the monitor (0: none), which is not of the flight. */
void mf__processes_add_command(struct mf_process_table *table, int32_t pid, int32_t monitor_pid,
                               const char *const *argv, int64_t t_ns);

/* Input. */
/* True when the event was of a process of the flight. */
bool mf__processes_event(struct mf_process_table *table, const struct mf_procevent *event);
void mf__processes_record(struct mf_process_table *table, const struct mf_task_record *record);
/* A child of ours was reaped: its status, which nothing else tells on rungs without events. */
void mf__processes_reaped(struct mf_process_table *table, int32_t pid, int status, int64_t t_ns);
/* Between reading all events and reading records: for records that came before their process. */
void mf__processes_retry_records(struct mf_process_table *table);
/* After both sources were drained: closes what is complete. */
void mf__processes_settle(struct mf_process_table *table);
/* A round of looking who is there: begin, one call for each process seen, end. Needed without
 * events, and after events were lost. */
void mf__processes_scan_begin(struct mf_process_table *table);
void mf__processes_scan_found(struct mf_process_table *table, int32_t pid, int64_t t_ns);
void mf__processes_scan_end(struct mf_process_table *table, int64_t t_ns);
/* Ends what has ended but is still waiting for records. */
void mf__processes_finish(struct mf_process_table *table);
/* Processes that have ended since the last call of mf__processes_close_ended(), which writes their
 * exit events and forgets them: linked by `next`. Until then their figures may still be completed.
 */
struct mf_process *mf__processes_ended(struct mf_process_table *table);
void mf__processes_close_ended(struct mf_process_table *table);

struct mf_process *mf__processes_find(struct mf_process_table *table, int32_t pid);
struct mf_process *
mf__processes_first(struct mf_process_table *table); /* of the living; NULL: none */
struct mf_process_totals *mf__processes_totals(struct mf_process_table *table);

/* CPU time as far as known, exact where possible. */
uint64_t mf__process_cpu_ns(const struct mf_process *process);
/* Notes what a sample says of size, threads and, without events, of its name. */
void mf__processes_observe(struct mf_process_table *table, struct mf_process *process,
                           const struct mf_proc_stat *stat, int64_t t_ns);

#endif
