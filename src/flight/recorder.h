/* SPDX-License-Identifier: Apache-2.0
 *
 * recorder.h -- the parts of one recording. Made by recorder_start.c, kept going by
 * recorder_loop.c, closed by recorder.c. Everything is the main thread's, but the pumps' own
 * threads.
 */
#ifndef FLIGHT_RECORDER_H
#define FLIGHT_RECORDER_H

#include "event_writer.h"
#include "flight_json.h"
#include "flight_sync.h"
#include "outcome.h"
#include "output_writer.h"
#include "process_table.h"
#include "pump.h"
#include "sampler.h"
#include "flight_series.h"
#include "flight_threads.h"
#include "trace_context.h"
#include "user_events.h"

#include "os/cgroup.h"
#include "os/child.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/kernellog.h"
#include "os/proc.h"
#include "os/procevents.h"
#include "os/pty.h"
#include "os/signals.h"
#include "os/taskstats.h"

#include <mayfly/flight.h>

#define MF_PUMPS_MAX 2

/* The terminal that the command gets in place of ours, and what passes between them. */
struct mf_terminal_link {
    bool active; /* the command has a session on `master` */
    int master;  /* -1: none; with a pump on it */
    bool raw;    /* ours is in raw mode now */
    struct mf_terminal ours;
    char typed[4096]; /* read from ours, not yet written to the master */
    size_t typed_len;
};

struct mf_recorder {
    struct mf_flight_options options; /* with the defaults filled in */
    struct mf_flight_info *info;      /* what will be flight.json */
    struct mf_flight_extra extra;
    struct mf_host host;
    char *dir;
    struct mf_file *lock;
    struct mf_trace_context trace;

    struct mf_cgroup_places places;
    struct mf_cgroup *cgroup;
    struct mf_procevents *connector;
    struct mf_taskstats *taskstats;
    struct mf_kernellog kernel_log;
    uint64_t ancestor_oom_kills; /* at the start */
    uint64_t machine_oom_kills;

    struct mf_event_writer events;
    struct mf_output_writer *output;
    struct mf_flight_series *series;
    struct mf_process_table *processes;
    struct mf_sampler sampler;
    struct mf_flight_threads *threads;
    struct mf_user_events *user;
    struct mf_flight_sync sync;

    struct mf_signals signals;
    bool signals_open;
    struct mf_child child;
    int exec_error;
    int event_pipe[2];
    struct mf_terminal_link terminal;
    int output_terminals[2]; /* masters of output-only terminals; -1 */
    struct mf_pump pumps[MF_PUMPS_MAX];
    unsigned pump_count;
    bool pump_gone_told[MF_PUMPS_MAX];
    int notify; /* event: a pump has changed its state */

    /* the loop's */
    uint64_t start_event;
    int64_t next_tick_ns;
    int64_t netlink_spent_ns;  /* in this tick */
    int64_t netlink_pause_ns;  /* how long the last pause was */
    int64_t netlink_resume_ns; /* messages are not waited for before */
    uint64_t lost_messages;
    bool ended; /* the command has */
    int status;
    bool status_known;
    int64_t ended_ns;
    struct mf_usage reaped;   /* sums over all that was reaped */
    int64_t term_ns, kill_ns; /* when SIGTERM and SIGKILL were sent for time; -1 */
    bool kill_followed;
    bool ended_for_budget; /* these were for a CPU budget */
    int forwarded_signal;
    int32_t forwarded_from;
    int64_t forwarded_ns;
    bool continued; /* within this tick: the signal that did it may still be to come */
    bool hanging;
    bool limit_told;
    bool opened;    /* the directory is there */
    bool started;   /* the command, too */
    bool leave_now; /* a signal came after the command's end: wait for nobody */
    struct mf_oom_message logged[8];
    unsigned logged_count;
    uint64_t logged_oom_kills; /* of our processes */
    uint64_t told_oom_kills;
    uint64_t killed_processes;
    struct mf_oom_message victim;
    int64_t victim_at_ns;
};

static inline int64_t mf__recorder_now_ns(const struct mf_recorder *recorder)
{
    return mf_clock_monotonic_ns(NULL) - recorder->info->started_monotonic_ns;
}

/* recorder_open.c: directory, ladder, logs. On failure the recorder is to be closed all the same.
 */
int mf__recorder_open(struct mf_recorder *recorder, struct mf_errinfo *err);
/* recorder_start.c: descriptors, terminals, the command itself. */
int mf__recorder_start(struct mf_recorder *recorder, struct mf_errinfo *err);
/* recorder_loop.c: until the command has ended and nobody is waited for. */
void mf__recorder_loop(struct mf_recorder *recorder);
/* Whether any stream is still passed on; tells of those whose consumer has gone. */
bool mf__pumps_run(struct mf_recorder *recorder);
/* Takes the signals that are there; whether one of them, an earlier one or the timeout wants the
 * flight to end. */
bool mf__recorder_told_to_end(struct mf_recorder *recorder);
/* Reads what the kernel has sent; for the loop and for the end. */
bool mf__recorder_drain(struct mf_recorder *recorder); /* true when some were of the flight */
void mf__recorder_reap(struct mf_recorder *recorder);
/* A budget was exceeded that ends the command: SIGTERM to all, or SIGKILL at once. */
void mf__recorder_end_for_budget(struct mf_recorder *recorder, bool kill);
void mf__recorder_look_for_oom(struct mf_recorder *recorder);
void mf__recorder_check_limit(struct mf_recorder *recorder); /* of the output */
/* recorder_seal.c: syncs and seals what is closed now; the answer goes into the info. */
void mf__recorder_seal(struct mf_recorder *recorder);
/* recorder_terminal.c */
void mf__terminal_enter(struct mf_recorder *recorder); /* raw mode, when we are in the foreground */
void mf__terminal_leave(struct mf_recorder *recorder);
void mf__terminal_read(struct mf_recorder *recorder); /* from ours to the command's */
void mf__terminal_write(struct mf_recorder *recorder);
void mf__terminal_resized(struct mf_recorder *recorder);
/* The command was stopped. On a terminal of ours that is job control: we stop, too, and continue it
 * when we are. */
void mf__terminal_stopped(struct mf_recorder *recorder, int signal);
void mf__terminal_continued(struct mf_recorder *recorder);
void mf__recorder_tell_continued(struct mf_recorder *recorder);

#endif
