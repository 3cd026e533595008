/* SPDX-License-Identifier: Apache-2.0
 * alarm.c -- see alarm.h. */
#include "os/alarm.h"

#include "base/fail.h"
#include "os/clock.h"
#include "os/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* libc 2.36 has the field, but not its name. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* Its address is the value of our timers' signals. */
static const char cookie;

/* ---- the signal ---- */

static int refused_action(int number, const struct sigaction *action, struct sigaction *before)
{
    const int refused = mf__refused("sigaction");
    return refused != 0 ? refused : sigaction(number, action, before) != 0 ? -errno : 0;
}

static bool is_default(int number)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 &&
           now.sa_handler == SIG_DFL;
}

int mf_alarm_signal_take(int wanted, mf_alarm_handler handler, struct mf_alarm_signal *ret_signal,
                         struct mf_errinfo *err)
{
    struct mf_alarm_signal taken = {.number = wanted, .handler = handler};
    if (wanted != 0 && (wanted < SIGRTMIN || wanted > SIGRTMAX)) {
        return mf_fail(err, -EINVAL, "signal %d is not one of the real-time signals %d .. %d",
                       wanted, SIGRTMIN, SIGRTMAX);
    }
    for (int number = SIGRTMAX; taken.number == 0 && number >= SIGRTMIN; number--) {
        taken.number = is_default(number) ? number : 0;
    }
    if (taken.number == 0) {
        return mf_fail(err, MF_ELIMIT, "all real-time signals have handlers");
    }
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    const int rc = refused_action(taken.number, &action, &taken.before);
    if (rc != 0) {
        return mf_fail_os(err, rc, "cannot handle signal %d", taken.number);
    }
    *ret_signal = taken;
    return 0;
}

void mf_alarm_signal_release(struct mf_alarm_signal *signal)
{
    struct sigaction now;
    if (sigaction(signal->number, NULL, &now) != 0 || (now.sa_flags & SA_SIGINFO) == 0 ||
        now.sa_sigaction != signal->handler) {
        return;
    }
    if ((signal->before.sa_flags & SA_SIGINFO) == 0 && signal->before.sa_handler == SIG_DFL) {
        /* The default would end the process; to ignore a signal discards what is pending. */
        struct sigaction ignore;
        memset(&ignore, 0, sizeof ignore);
        ignore.sa_handler = SIG_IGN;
        sigaction(signal->number, &ignore, NULL);
    }
    sigaction(signal->number, &signal->before, NULL);
}

void mf_alarm_signal_pass(const struct mf_alarm_signal *signal, int number, siginfo_t *info,
                          void *context)
{
    const struct sigaction *before = &signal->before;
    if ((before->sa_flags & SA_SIGINFO) != 0) {
        before->sa_sigaction(number, info, context);
    } else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN) {
        before->sa_handler(number);
    }
}

bool mf_alarm_signal_blocked(int number)
{
    sigset_t mask;
    return pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, number) == 1;
}

void mf_alarm_signal_block(int number, bool blocked)
{
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, number);
    (void)pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &only, NULL);
}

int mf_alarm_signal_send(int32_t tid, int number)
{
    const int saved = errno;
    const int rc = tgkill(getpid(), tid, number) != 0 ? -errno : 0;
    errno = saved;
    return rc;
}

bool mf_alarm_sent(const struct mf_alarm *alarm, const siginfo_t *info)
{
    if (info->si_code == SI_TIMER) {
        return info->si_value.sival_ptr == &cookie;
    }
    return alarm != NULL && alarm->kind == MF_ALARM_PERF && info->si_fd == alarm->descriptor &&
           (info->si_code == POLL_IN || info->si_code == POLL_HUP);
}

/* ---- alarms ---- */

static int open_timer(int number, timer_t *ret_timer)
{
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = number;
    event.sigev_value.sival_ptr = (void *)(uintptr_t)&cookie;
    event.sigev_notify_thread_id = gettid();
    const int refused = mf__refused("timer_create");
    return refused != 0                                            ? refused
           : timer_create(CLOCK_MONOTONIC, &event, ret_timer) != 0 ? -errno
                                                                   : 0;
}

/* A software event that counts the CPU time of the calling thread, in user and kernel. */
static int open_event(void)
{
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.size = sizeof attributes;
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.config = PERF_COUNT_SW_TASK_CLOCK;
    attributes.sample_period = (uint64_t)MF_NS_PER_SECOND;
    attributes.wakeup_events = 1;
    attributes.disabled = 1;
    const int refused = mf__refused("perf_event_open");
    if (refused != 0) {
        return refused;
    }
    const long descriptor =
        syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return descriptor < 0 ? -errno : (int)descriptor;
}

static int open_perf(int number, int *ret_descriptor)
{
    const int descriptor = open_event();
    if (descriptor < 0) {
        return descriptor;
    }
    const struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = gettid()};
    int rc = mf__refused("fcntl");
    if (rc == 0 &&
        (fcntl(descriptor, F_SETOWN_EX, &owner) != 0 || fcntl(descriptor, F_SETSIG, number) != 0 ||
         fcntl(descriptor, F_SETFL, O_ASYNC | O_NONBLOCK) != 0)) {
        rc = -errno;
    }
    if (rc != 0) {
        close(descriptor);
        return rc;
    }
    *ret_descriptor = descriptor;
    return 0;
}

int mf_alarm_open(enum mf_alarm_kind kind, int number, struct mf_alarm *ret_alarm)
{
    struct mf_alarm alarm = {.kind = kind, .descriptor = -1};
    int rc = 0;
    if (kind == MF_ALARM_TIMER) {
        rc = open_timer(number, &alarm.timer);
    } else if (kind == MF_ALARM_PERF) {
        rc = open_perf(number, &alarm.descriptor);
    }
    if (rc == 0) {
        *ret_alarm = alarm;
    }
    return rc;
}

static int set_timer(timer_t timer, int64_t delay_ns)
{
    const struct itimerspec setting = {.it_value = {.tv_sec = delay_ns / MF_NS_PER_SECOND,
                                                    .tv_nsec = delay_ns % MF_NS_PER_SECOND}};
    return timer_settime(timer, 0, &setting, NULL) != 0 ? -errno : 0;
}

/* The period must be written before each use: the event otherwise goes on with what was left of the
 * last one. */
static int set_perf(int descriptor, int64_t delay_ns)
{
    uint64_t period = (uint64_t)delay_ns;
    return ioctl(descriptor, PERF_EVENT_IOC_DISABLE, 0) != 0 ||
                   ioctl(descriptor, PERF_EVENT_IOC_PERIOD, &period) != 0 ||
                   ioctl(descriptor, PERF_EVENT_IOC_REFRESH, 1) != 0
               ? -errno
               : 0;
}

int mf_alarm_set(struct mf_alarm *alarm, int64_t delay_ns)
{
    const int saved = errno;
    int rc = mf__refused(alarm->kind == MF_ALARM_TIMER ? "timer_settime" : "ioctl");
    if (rc == 0 && alarm->kind != MF_ALARM_NONE) {
        delay_ns = delay_ns < 1 ? 1 : delay_ns;
        rc = alarm->kind == MF_ALARM_TIMER ? set_timer(alarm->timer, delay_ns)
                                           : set_perf(alarm->descriptor, delay_ns);
    }
    errno = saved;
    return rc;
}

void mf_alarm_close(struct mf_alarm *alarm)
{
    if (alarm->kind == MF_ALARM_TIMER) {
        timer_delete(alarm->timer);
    } else if (alarm->kind == MF_ALARM_PERF) {
        close(alarm->descriptor);
    }
    mf_alarm_forget(alarm);
}

void mf_alarm_abandon(struct mf_alarm *alarm)
{
    if (alarm->kind == MF_ALARM_PERF) {
        close(alarm->descriptor);
    }
    mf_alarm_forget(alarm);
}

void mf_alarm_forget(struct mf_alarm *alarm)
{
    *alarm = (struct mf_alarm){.kind = MF_ALARM_NONE, .descriptor = -1};
}

int mf_alarm_perf_permitted(void)
{
    const int descriptor = open_event();
    if (descriptor < 0) {
        return descriptor;
    }
    close(descriptor);
    return 0;
}
