/* SPDX-License-Identifier: Apache-2.0
 * tool.c -- runs other programs; see tool.h. */
#include "tool.h"

#include "base/fail.h"
#include "os/child.h"
#include "os/clock.h"
#include "os/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_interrupt(int number)
{
    return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

/* Reads until the pipe ends. Returns the number of a signal that interrupted it, or 0. */
static int read_output(int pipe, struct mf_signals *signals, struct mf_buffer *output)
{
    for (;;) {
        struct mf_poll_item items[2] = {
            {.descriptor = pipe, .want_read = true},
            {.descriptor = signals != NULL ? signals->descriptor : -1, .want_read = true},
        };
        (void)mf_fd_poll(items, MF_ARRAY_LEN(items), -1);
        struct mf_signal signal;
        while (items[1].ret_readable && mf_signals_next(signals, &signal) == 1) {
            if (is_interrupt(signal.number)) {
                return signal.number;
            }
        }
        if (items[0].ret_readable) {
            char *room = mf_buffer_reserve(output, 4096);
            size_t len = 0;
            if (room == NULL || mf_fd_read(pipe, room, 4096, &len) < 0 || len == 0) {
                return 0;
            }
            output->len += len;
            output->data[output->len] = '\0';
        }
    }
}

static int start(const char *const *argv, struct mf_signals *signals, int output,
                 struct mf_child *child, struct mf_errinfo *err)
{
    int null = mf_fd_null();
    if (null < 0) {
        return mf_fail_os(err, null, "cannot open /dev/null");
    }
    const struct mf_child_spec spec = {
        .argv = argv,
        .environment = environ,
        .input = null,
        .output = output,
        .error = MF_CHILD_SAME,
        .keep = -1,
        .death_signal = SIGTERM,
        .own_group = true,
        .signals = signals,
        .terminal = -1,
    };
    int exec_error = 0;
    const int rc = mf_child_start(&spec, child, &exec_error, err);
    mf_fd_close(&null);
    if (rc == 0 && exec_error != 0) {
        return mf_fail_os(err, exec_error == ENOENT ? MF_ENOTFOUND : -exec_error, "cannot run %s",
                          argv[0]);
    }
    return rc;
}

/* Until it has ended; it is killed when a signal comes. Returns that signal, or 0. */
static int wait_for_end(const struct mf_child *child, struct mf_signals *signals, int signal,
                        struct mf_reaped *reaped)
{
    while (!(mf_reap(child->pid, reaped) == 1 && reaped->ended)) {
        if (signal != 0) {
            (void)mf_process_signal(-child->pid, SIGKILL);
        }
        struct mf_poll_item item = {
            .descriptor = signals != NULL ? signals->descriptor : -1,
            .want_read = true,
        };
        struct mf_signal taken;
        (void)mf_fd_poll(&item, 1, 10 * MF_NS_PER_MS);
        while (item.ret_readable && mf_signals_next(signals, &taken) == 1) {
            signal = is_interrupt(taken.number) ? taken.number : signal;
        }
    }
    return signal;
}

int mf__tool_run(const char *const *argv, struct mf_signals *signals, struct mf_buffer *ret_output,
                 int *ret_signal, struct mf_errinfo *err)
{
    int ends[2] = {-1, -1};
    struct mf_child child;
    int rc = ret_output != NULL ? mf_fd_pipe(ends, 0) : 0;
    if (rc < 0) {
        return mf_fail_os(err, rc, "cannot run %s", argv[0]);
    }
    rc = start(argv, signals, ret_output != NULL ? ends[1] : STDERR_FILENO, &child, err);
    mf_fd_close(&ends[1]);
    int signal = 0;
    if (rc == 0 && ret_output != NULL) {
        signal = read_output(ends[0], signals, ret_output);
    }
    mf_fd_close(&ends[0]);
    if (rc < 0) {
        return rc;
    }
    struct mf_reaped reaped = {0};
    signal = wait_for_end(&child, signals, signal, &reaped);
    if (signal != 0) {
        *ret_signal = signal;
        return mf_fail(err, -EINTR, "interrupted by %s", mf_signal_name(signal));
    }
    if (!WIFEXITED(reaped.status)) {
        return mf_fail(err, MF_EREMOTE, "%s was killed by %s", argv[0],
                       mf_signal_name(WTERMSIG(reaped.status)));
    }
    return WEXITSTATUS(reaped.status);
}
