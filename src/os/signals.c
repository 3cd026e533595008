/* SPDX-License-Identifier: Apache-2.0
 * signals.c -- see signals.h. */
#include "os/signals.h"

#include "base/fail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int taken[] = {SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM, SIGUSR1,
                            SIGUSR2, SIGALRM, SIGWINCH, SIGCONT, SIGCHLD};

/* They would end us in the middle of a write; the write says the same by its error. */
static const int ignored[] = {SIGPIPE, SIGXFSZ};

int mf_signals_open(struct mf_signals *ret_signals, struct mf_errinfo *err)
{
    struct mf_signals signals = {.descriptor = -1};
    sigset_t wanted;
    sigemptyset(&wanted);
    sigemptyset(&signals.ignored);
    for (size_t i = 0; i < MF_ARRAY_LEN(taken); i++) {
        struct sigaction action;
        sigaction(taken[i], NULL, &action);
        if (action.sa_handler == SIG_IGN) {
            sigaddset(&signals.ignored, taken[i]);
        }
        /* An ignored SIGCHLD would reap children behind our back. */
        if (action.sa_handler != SIG_IGN || taken[i] == SIGCHLD) {
            action.sa_handler = SIG_DFL;
            action.sa_flags = 0;
            sigaction(taken[i], &action, NULL);
            sigaddset(&wanted, taken[i]);
        }
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(ignored); i++) {
        struct sigaction action;
        sigaction(ignored[i], NULL, &action);
        if (action.sa_handler == SIG_IGN) {
            sigaddset(&signals.ignored, ignored[i]);
        }
        action.sa_handler = SIG_IGN;
        sigaction(ignored[i], &action, NULL);
    }

    sigset_t blocked = wanted;
    sigaddset(&blocked, SIGTTOU);
    if (sigprocmask(SIG_BLOCK, &blocked, &signals.mask) != 0) {
        return mf_fail_os(err, -errno, "cannot block signals");
    }
    signals.descriptor = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals.descriptor < 0) {
        const int ret = mf_fail_os(err, -errno, "cannot take signals as input");
        mf_signals_close(&signals);
        return ret;
    }
    *ret_signals = signals;
    return 0;
}

int mf_signals_next(struct mf_signals *signals, struct mf_signal *ret_signal)
{
    struct signalfd_siginfo info;
    if (read(signals->descriptor, &info, sizeof info) != (ssize_t)sizeof info) {
        return 0;
    }
    *ret_signal = (struct mf_signal){
        .number = (int)info.ssi_signo,
        .from_terminal = info.ssi_code == SI_KERNEL,
        .sender = info.ssi_code == SI_KERNEL ? 0 : (int32_t)info.ssi_pid,
    };
    return 1;
}

static void restore(const struct mf_signals *signals)
{
    const size_t count = MF_ARRAY_LEN(taken) + MF_ARRAY_LEN(ignored);
    for (size_t i = 0; i < count; i++) {
        const int number = i < MF_ARRAY_LEN(taken) ? taken[i] : ignored[i - MF_ARRAY_LEN(taken)];
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_handler = sigismember(&signals->ignored, number) == 1 ? SIG_IGN : SIG_DFL;
        sigaction(number, &action, NULL);
    }
    sigprocmask(SIG_SETMASK, &signals->mask, NULL);
}

void mf_signals_close(struct mf_signals *signals)
{
    if (signals->descriptor >= 0) {
        struct mf_signal dropped;
        while (mf_signals_next(signals, &dropped) == 1) {
        }
        close(signals->descriptor);
        signals->descriptor = -1;
    }
    restore(signals);
}

void mf_signals_restore_in_child(const struct mf_signals *signals)
{
    restore(signals);
}

const char *mf_signal_name(int number)
{
    static const char *const names[] = {
        [SIGHUP] = "SIGHUP",       [SIGINT] = "SIGINT",       [SIGQUIT] = "SIGQUIT",
        [SIGILL] = "SIGILL",       [SIGTRAP] = "SIGTRAP",     [SIGABRT] = "SIGABRT",
        [SIGBUS] = "SIGBUS",       [SIGFPE] = "SIGFPE",       [SIGKILL] = "SIGKILL",
        [SIGUSR1] = "SIGUSR1",     [SIGSEGV] = "SIGSEGV",     [SIGUSR2] = "SIGUSR2",
        [SIGPIPE] = "SIGPIPE",     [SIGALRM] = "SIGALRM",     [SIGTERM] = "SIGTERM",
        [SIGSTKFLT] = "SIGSTKFLT", [SIGCHLD] = "SIGCHLD",     [SIGCONT] = "SIGCONT",
        [SIGSTOP] = "SIGSTOP",     [SIGTSTP] = "SIGTSTP",     [SIGTTIN] = "SIGTTIN",
        [SIGTTOU] = "SIGTTOU",     [SIGURG] = "SIGURG",       [SIGXCPU] = "SIGXCPU",
        [SIGXFSZ] = "SIGXFSZ",     [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF",
        [SIGWINCH] = "SIGWINCH",   [SIGIO] = "SIGIO",         [SIGPWR] = "SIGPWR",
        [SIGSYS] = "SIGSYS",
    };
    return number > 0 && (size_t)number < MF_ARRAY_LEN(names) && names[number] != NULL
               ? names[number]
               : "a real-time signal";
}

void mf_stop_group(void)
{
    kill(0, SIGTSTP);
}

void mf_die_of(int number)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0); /* a core pattern that is a pipe ignores the limit */
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigaction(number, &action, NULL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, number);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    raise(number);
}
