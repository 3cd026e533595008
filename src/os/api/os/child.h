/* SPDX-License-Identifier: Apache-2.0
 *
 * child.h -- starting a command with everything as it would have it without us, and learning how it
 * and its descendants end. For a program's main thread, before any other thread starts.
 */
#ifndef OS_CHILD_H
#define OS_CHILD_H

#include "os/cgroup.h"
#include "os/pty.h"
#include "os/signals.h"

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MF_CHILD_SAME   (-1) /* the descriptor as we have it */
#define MF_CHILD_CLOSED (-2) /* closed */

struct mf_child_spec {
    const char *const *argv;  /* NULL-terminated; argv[0] is looked up in PATH */
    char *const *environment; /* NULL-terminated */
    int input, output, error; /* what becomes 0, 1 and 2 */
    int keep;                 /* a descriptor that it keeps under its number; -1: none */
    const struct mf_cgroup_entrance *cgroup; /* to enter; NULL: it stays in ours */
    int death_signal;                        /* sent to it when this process dies; 0: none */
    bool own_group;                   /* a process group of its own: Ctrl-C does not reach it */
    const struct mf_signals *signals; /* restored in it; may be NULL */

    /* A pseudo-terminal that becomes its controlling terminal; -1: it stays in our session. It then
     * runs under a monitor process of ours, the leader of the new session, so that it can be
     * stopped and continued by job control, and so that background processes keep the terminal when
     * it ends. */
    int terminal;
    const struct mf_terminal *outer; /* restored by the monitor when this process is killed */
};

struct mf_child {
    int32_t pid;
    int32_t monitor_pid; /* 0 without a monitor */
    int monitor;         /* socket to it, for poll; -1 without */
};

/* Starts it. When the command cannot be executed *ret_exec_error is an errno (ENOENT: not found),
 * and the child is gone; else it is 0. Errors: of fork. */
int mf_child_start(const struct mf_child_spec *spec, struct mf_child *ret_child,
                   int *ret_exec_error, struct mf_errinfo *err);
/* Lets the monitor go: the session's terminal is hung up when no copy of the socket is left. */
void mf_child_release(struct mf_child *child);

struct mf_usage {
    uint64_t cpu_user_ns,
        cpu_system_ns;       /* of the process and of the descendants that were waited for */
    uint64_t rss_peak_bytes; /* of the largest among them */
    uint64_t faults_minor, faults_major;
    uint64_t switches_voluntary, switches_involuntary;
    uint64_t read_bytes, write_bytes; /* storage */
};

struct mf_reaped {
    int32_t pid;
    int status; /* as from wait(2): ended, stopped or continued */
    bool ended;
    struct mf_usage usage; /* when ended */
};

/* Of this process since it began, all its threads; peak memory includes what was before exec. */
void mf_usage_self(struct mf_usage *ret_usage);

/* Adopted orphans come to this process instead of init. 0 or a negative errno. */
int mf_become_subreaper(void);
/* The next change of a child of this process: 1, 0 when there is none, -ECHILD without any child.
 */
int mf_reap_next(struct mf_reaped *ret_reaped);
/* The pid of a child that has ended but was not reaped, so that /proc still has it; 0: none. */
int32_t mf_reap_peek(void);
/* The end of one child. 1, or 0. */
int mf_reap(int32_t pid, struct mf_reaped *ret_reaped);
/* The next change of the command that the monitor reports: 1, 0 when none waits. */
int mf_child_monitor_next(struct mf_child *child, struct mf_reaped *ret_reaped);
/* Whether it is a child of this process, alive or not yet reaped. */
bool mf_is_child(int32_t pid);

/* kill(2); a negative pid is a group. 0 or a negative errno. */
int mf_process_signal(int32_t pid, int number);
/* The same, but only when the process that has the pid started at `start_ticks`. -ESRCH else. */
int mf_process_signal_exact(int32_t pid, uint64_t start_ticks, int number);

/* Forks a process that runs `run` and ends, in place of a thread that would end with us. It keeps
 * only the descriptors listed, and 0, 1, 2. Returns its pid or a negative errno. */
int mf_process_leave_behind(const int *descriptors, size_t count, void (*run)(void *context),
                            void *context);

/* The soft limit of open files raised to the hard one; children get the old one back.
 * Returns the limit now. */
uint64_t mf_raise_descriptor_limit(void);

#endif
