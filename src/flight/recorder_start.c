/* SPDX-License-Identifier: Apache-2.0
 *
 * recorder_start.c -- what the command gets as 0, 1 and 2, and starting it.
 *
 * 0 and 1 are terminals: a session of its own on a pseudo-terminal. Colours, window size, line
 * editing, Ctrl-C and Ctrl-Z work there as they would on ours, which is in raw mode meanwhile. 2,
 * too, when it is a terminal.
 *
 * 1 or 2 is a terminal: it gets a pseudo-terminal in place of that stream only, so that it still
 * colours; it stays in our session and group, and signals of the terminal reach it directly. Output
 * processing is switched off: ours does it.
 *
 * Else a pipe for each stream, or one for both (--merge). A stream that is closed stays closed. 0
 * is otherwise inherited untouched.
 *
 * The pumps run before the command does: where there are no threads to be had, nothing is started.
 * The process between fork and exec only makes calls that are allowed beside threads.
 */
#include "recorder.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_PIPE_BYTES (1 << 20)
#define EVENT_PIPE_BYTES  (1 << 18)

extern char **environ;

static void add_pump(struct mf_recorder *recorder, int source, int sink,
                     enum mf_flight_stream stream)
{
    (void)mf_fd_set_nonblocking(source);
    recorder->pumps[recorder->pump_count++] = (struct mf_pump){
        .source = source,
        .sink = sink,
        .stream = stream,
        .output = recorder->output,
        .started_monotonic_ns = recorder->info->started_monotonic_ns,
        .notify = recorder->notify,
    };
}

/* A terminal for output only. */
static int make_output_terminal(struct mf_recorder *recorder, int number,
                                enum mf_flight_stream stream, int *ret_slave,
                                struct mf_errinfo *err)
{
    int master = -1;
    const int ret = mf_pty_open(&master, ret_slave, err);
    if (ret < 0) {
        return ret;
    }
    (void)mf_terminal_copy_modes(number, *ret_slave, true);
    (void)mf_terminal_copy_size(number, master);
    recorder->output_terminals[recorder->output_terminals[0] >= 0 ? 1 : 0] = master;
    add_pump(recorder, master, number, stream);
    return 0;
}

/* What becomes of one of 1 and 2; *ret_slave is to be closed by us after the start. */
static int plumb(struct mf_recorder *recorder, int number, enum mf_flight_stream stream,
                 int *ret_end, struct mf_errinfo *err)
{
    if (mf_fd_is_closed(number)) {
        *ret_end = MF_CHILD_CLOSED;
        return 0;
    }
    if (mf_fd_is_terminal(number)) {
        return make_output_terminal(recorder, number, stream, ret_end, err);
    }
    int ends[2];
    const int ret = mf_fd_pipe(ends, OUTPUT_PIPE_BYTES);
    if (ret < 0) {
        return mf_fail_os(err, ret, "cannot make a pipe");
    }
    add_pump(recorder, ends[0], number, stream);
    *ret_end = ends[1];
    return 0;
}

static int plumb_session(struct mf_recorder *recorder, struct mf_child_spec *spec,
                         struct mf_errinfo *err)
{
    struct mf_terminal_link *link = &recorder->terminal;
    int ret = mf_pty_open(&link->master, &spec->terminal, err);
    if (ret < 0) {
        return ret;
    }
    ret = mf_terminal_save(STDIN_FILENO, &link->ours);
    if (ret < 0) {
        return mf_fail_os(err, ret, "cannot read the modes of the terminal");
    }
    (void)mf_terminal_copy_modes(STDIN_FILENO, spec->terminal, false);
    (void)mf_terminal_copy_size(STDIN_FILENO, link->master);
    link->active = true;
    recorder->info->terminal = true;
    spec->input = spec->output = spec->terminal;
    spec->outer = &link->ours;
    /* The pump reads from a copy: its end closes that one, and typing goes on or fails by itself.
     */
    const int copy = dup(link->master);
    if (copy < 0) {
        return mf_fail_os(err, -errno, "cannot copy a descriptor");
    }
    add_pump(recorder, copy, STDOUT_FILENO, MF_STREAM_TTY);
    if (mf_fd_is_terminal(STDERR_FILENO)) {
        spec->error = spec->terminal;
        return 0;
    }
    return plumb(recorder, STDERR_FILENO, MF_STREAM_STDERR, &spec->error, err);
}

static int plumb_all(struct mf_recorder *recorder, struct mf_child_spec *spec,
                     struct mf_errinfo *err)
{
    const bool terminal_in = mf_fd_is_terminal(STDIN_FILENO);
    const bool terminal_out = mf_fd_is_terminal(STDOUT_FILENO);
    const bool terminal_error = mf_fd_is_terminal(STDERR_FILENO);
    if (terminal_in && terminal_out) {
        return plumb_session(recorder, spec, err);
    }
    spec->input = mf_fd_is_closed(STDIN_FILENO) ? MF_CHILD_CLOSED : MF_CHILD_SAME;
    const bool merge = recorder->options.merge_streams || (terminal_out && terminal_error);
    int ret = plumb(recorder, STDOUT_FILENO, merge ? MF_STREAM_TTY : MF_STREAM_STDOUT,
                    &spec->output, err);
    if (ret == 0 && merge && spec->output != MF_CHILD_CLOSED) {
        spec->error = spec->output;
    } else if (ret == 0) {
        ret = plumb(recorder, STDERR_FILENO, MF_STREAM_STDERR, &spec->error, err);
    }
    return ret;
}

/* Ours with the flight's variables in it; NULL: no memory. Only the array and the last entries are
 * new. */
static char **make_environment(const struct mf_recorder *recorder, char *added[4])
{
    char traceparent[MF_TRACEPARENT_LEN];
    mf__trace_context_format(&recorder->trace, traceparent);
    added[0] = mf_asprintf("TRACEPARENT=%s", traceparent);
    added[1] = mf_asprintf("MAYFLY_FLIGHT=%s", recorder->dir);
    added[2] = mf_asprintf("MAYFLY_EVENT_FD=%d", recorder->event_pipe[1]);
    added[3] = NULL;
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **environment = mf_calloc(count + 4, sizeof *environment);
    if (environment == NULL || added[0] == NULL || added[1] == NULL || added[2] == NULL) {
        mf_free(environment);
        return NULL;
    }
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        bool replaced = false;
        for (size_t k = 0; k < 3; k++) {
            const size_t name_len = strcspn(added[k], "=") + 1;
            replaced = replaced || strncmp(environ[i], added[k], name_len) == 0;
        }
        if (!replaced) {
            environment[used++] = environ[i];
        }
    }
    for (size_t k = 0; k < 3; k++) {
        environment[used++] = added[k];
    }
    return environment;
}

static int start_pumps(struct mf_recorder *recorder, unsigned *ret_started, struct mf_errinfo *err)
{
    for (*ret_started = 0; *ret_started < recorder->pump_count; ++*ret_started) {
        const int ret = mf__pump_start(&recorder->pumps[*ret_started], err);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

/* There was no command, so there was no output. */
static void end_pumps(struct mf_recorder *recorder, unsigned started)
{
    for (unsigned i = 0; i < started; i++) {
        mf__pump_stop(&recorder->pumps[i]);
        mf__pump_join(&recorder->pumps[i]);
    }
}

int mf__recorder_start(struct mf_recorder *recorder, struct mf_errinfo *err)
{
    struct mf_child_spec spec = {
        .argv = recorder->options.command,
        .input = MF_CHILD_SAME,
        .output = MF_CHILD_SAME,
        .error = MF_CHILD_SAME,
        .keep = recorder->event_pipe[1],
        .death_signal = SIGHUP,
        .signals = &recorder->signals,
        .terminal = -1,
    };
    struct mf_cgroup_entrance entrance;
    char *added[4] = {NULL};
    char **environment = NULL;
    unsigned pumps_started = 0;
    int ret = mf_fd_event(&recorder->notify);
    if (ret < 0) {
        return mf_fail_os(err, ret, "cannot make an event");
    }
    ret = plumb_all(recorder, &spec, err);
    if (ret == 0) {
        environment = make_environment(recorder, added);
        ret = environment != NULL ? 0 : mf_fail(err, -ENOMEM, "no memory for the environment");
    }
    if (ret == 0) {
        ret = start_pumps(recorder, &pumps_started, err);
    }
    if (ret == 0) {
        spec.environment = environment;
        if (recorder->cgroup != NULL) {
            entrance = mf_cgroup_entrance(recorder->cgroup);
            spec.cgroup = &entrance;
        }
        recorder->start_event = mf__events_begin(&recorder->events, 0, "flight.start", 0, 0);
        mf__events_end(&recorder->events);
        mf__terminal_enter(recorder); /* before the first output can come */
        const int64_t start_ns = mf__recorder_now_ns(recorder);
        ret = mf_child_start(&spec, &recorder->child, &recorder->exec_error, err);
        if (ret == 0 && recorder->exec_error == 0) {
            mf__processes_add_command(recorder->processes, recorder->child.pid,
                                      recorder->child.monitor_pid, recorder->options.command,
                                      start_ns);
        }
    }
    /* The command's ends are its own now. */
    if (spec.error != spec.output && spec.error != spec.terminal) {
        mf_fd_close(&spec.error);
    }
    if (spec.output != spec.terminal) {
        mf_fd_close(&spec.output);
    }
    mf_fd_close(&spec.terminal);
    mf_fd_close(&recorder->event_pipe[1]);
    for (size_t i = 0; i < MF_ARRAY_LEN(added); i++) {
        mf_free(added[i]);
    }
    mf_free(environment);
    if (ret == 0) {
        mf__flight_sync_start(&recorder->sync, recorder->dir);
    } else {
        end_pumps(recorder, pumps_started);
    }
    return ret;
}
