/* SPDX-License-Identifier: Apache-2.0
 *
 * signals.h -- signals as input of a loop: blocked for the whole process and read from a
 * descriptor. For a program's main thread, before any other thread starts.
 */
#ifndef OS_SIGNALS_H
#define OS_SIGNALS_H

#include <mayfly/error.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct mf_signals {
    int descriptor;   /* for poll */
    sigset_t mask;    /* as it was found; a child gets it back */
    sigset_t ignored; /* of those that we changed: ignored when we came; a child gets that back */
};

struct mf_signal {
    int number;
    bool from_terminal; /* sent by the kernel to the whole foreground group: the command has it, too
                         */
    int32_t sender;     /* pid; 0 from the kernel */
};

/* Takes HUP INT QUIT TERM USR1 USR2 ALRM WINCH CONT and CHLD; blocks TTOU; ignores PIPE and XFSZ. A
 * signal that we were started with as ignored (nohup) stays so. */
int mf_signals_open(struct mf_signals *ret_signals, struct mf_errinfo *err);
/* 1 and *ret_signal, or 0. */
int mf_signals_next(struct mf_signals *signals, struct mf_signal *ret_signal);
/* Mask and dispositions as they were found. */
void mf_signals_close(struct mf_signals *signals);
/* The same in a freshly forked child, which may then execute something. */
void mf_signals_restore_in_child(const struct mf_signals *signals);

/* "SIGTERM", "a real-time signal". Never NULL. [any-thread] */
const char *mf_signal_name(int number);

/* Stops our process group as the terminal would have (SIGTSTP), and returns when it is continued;
 * at once when nobody could continue it (an orphaned group). */
void mf_stop_group(void);

/* Ends this process by the signal, without a core file of its own. Does not return unless the
 * signal does not end processes. */
void mf_die_of(int number);

#endif
