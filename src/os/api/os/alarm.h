/* SPDX-License-Identifier: Apache-2.0
 *
 * alarm.h -- interrupts one thread after some time, by a signal: the kernel's high-resolution timer
 * (wall time), or a performance event (CPU time of that thread). And the real-time signal for it.
 */
#ifndef OS_ALARM_H
#define OS_ALARM_H

#include <mayfly/error.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef void (*mf_alarm_handler)(int number, siginfo_t *info, void *context);

struct mf_alarm_signal {
    int number;
    struct sigaction before;
    mf_alarm_handler handler;
};

/* Handles `wanted`, a real-time signal, or with 0 the highest one that has the default action. The
 * handler is installed with SA_SIGINFO, SA_RESTART and SA_ONSTACK. -EINVAL: not a real-time signal;
 * MF_ELIMIT: none is free; other negated errno. One thread at a time. */
int mf_alarm_signal_take(int wanted, mf_alarm_handler handler, struct mf_alarm_signal *ret_signal,
                         struct mf_errinfo *err);
/* Puts back what was there before, unless someone else has replaced our handler meanwhile. Signals
 * that are still pending are dropped if there was no handler before. */
void mf_alarm_signal_release(struct mf_alarm_signal *signal);
/* From inside the handler: what came is for who was there before. [async-signal-safe] */
void mf_alarm_signal_pass(const struct mf_alarm_signal *signal, int number, siginfo_t *info,
                          void *context);
/* Whether the calling thread has the signal blocked. */
bool mf_alarm_signal_blocked(int number);
/* Blocks it for the calling thread, or no longer. */
void mf_alarm_signal_block(int number, bool blocked);
/* Sends a signal to a thread of this process. 0 or a negated errno. [async-signal-safe] */
int mf_alarm_signal_send(int32_t tid, int number);

enum mf_alarm_kind { MF_ALARM_NONE, MF_ALARM_TIMER, MF_ALARM_PERF };

struct mf_alarm {
    enum mf_alarm_kind kind;
    int descriptor; /* of the performance event */
    timer_t timer;
};

/* For the calling thread; it goes off only after mf_alarm_set(). Errors: -EAGAIN
 * (RLIMIT_SIGPENDING), -EACCES (performance events that count the kernel are not permitted), other
 * negated errno. */
int mf_alarm_open(enum mf_alarm_kind kind, int number, struct mf_alarm *ret_alarm);
/* Once, after `delay_ns` (at least 1) of wall time, or of CPU time of the thread; replaces an
 * earlier setting. [async-signal-safe] */
int mf_alarm_set(struct mf_alarm *alarm, int64_t delay_ns);
/* [any-thread] */
void mf_alarm_close(struct mf_alarm *alarm);
/* In a child after fork: the timer was not inherited, the event is the parent's. */
void mf_alarm_abandon(struct mf_alarm *alarm);
/* None. */
void mf_alarm_forget(struct mf_alarm *alarm);
/* Whether a signal came from this alarm, or from a timer that another such alarm once was. NULL:
 * from any timer. [async-signal-safe] */
bool mf_alarm_sent(const struct mf_alarm *alarm, const siginfo_t *info);

/* Whether performance events that count the kernel's work are permitted: 0, or a negated errno. */
int mf_alarm_perf_permitted(void);

#endif
