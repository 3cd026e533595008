/* SPDX-License-Identifier: Apache-2.0
 * launch.c -- see launch.h. */
#include "launch.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/turn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PADDING_NAME    "MAYFLY_BENCH_PADDING="
#define PREFIX_MAX      32
#define END_PATIENCE_NS (10 * MF_NS_PER_SECOND)

struct running {
    const struct bench_launch *launch; /* NULL: it does not run */
    struct mf_child child;
    int pipe; /* the end that is read */
    struct mf_buffer answer;
    bool complete;
    int signal; /* that interrupted us; 0: none */
    bool timed_out;
};

/* ---- starting ---- */

static char **make_environment(size_t padding)
{
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **environment = mf_calloc(count + 2, sizeof *environment);
    char *pad = mf_malloc(sizeof PADDING_NAME + padding);
    if (environment == NULL || pad == NULL) {
        mf_free(environment);
        mf_free(pad);
        return NULL;
    }
    memcpy(pad, PADDING_NAME, sizeof PADDING_NAME - 1);
    memset(pad + sizeof PADDING_NAME - 1, 'x', padding);
    pad[sizeof PADDING_NAME - 1 + padding] = '\0';
    environment[0] = pad; /* the only string of ours */
    memcpy(environment + 1, environ, count * sizeof *environment);
    return environment;
}

/* `input` becomes its standard input; the caller's. */
static int start(const struct bench_launch *launch, const char *request_text, int input,
                 struct running *running, struct mf_errinfo *err)
{
    int ends[2];
    int rc = mf_fd_pipe(ends, 1 << 20);
    if (rc < 0) {
        return mf_fail_os(err, rc, "cannot make a pipe");
    }
    char number[16];
    snprintf(number, sizeof number, "%d", ends[1]);
    const char *argv[PREFIX_MAX + 5];
    size_t count = 0;
    for (; launch->prefix != NULL && launch->prefix[count] != NULL && count < PREFIX_MAX; count++) {
        argv[count] = launch->prefix[count];
    }
    argv[count++] = launch->program;
    argv[count++] = BENCH_CHILD_WORD;
    argv[count++] = number;
    argv[count++] = request_text;
    argv[count] = NULL;
    char **environment = make_environment(launch->environment_padding);
    const struct mf_child_spec spec = {
        .argv = argv,
        .environment = environment,
        .input = input,
        .output = STDERR_FILENO,
        .error = MF_CHILD_SAME,
        .keep = ends[1],
        .death_signal = SIGKILL,
        .own_group = true,
        .signals = launch->signals,
        .terminal = -1,
    };
    int exec_error = 0;
    rc = environment == NULL ? mf_fail_os(err, -ENOMEM, "cannot start %s", launch->program)
                             : mf_child_start(&spec, &running->child, &exec_error, err);
    if (environment != NULL) {
        mf_free(environment[0]);
    }
    mf_free(environment);
    mf_fd_close(&ends[1]);
    if (rc == 0 && exec_error != 0) {
        rc = mf_fail_os(err, -exec_error, "cannot start %s", argv[0]);
    }
    if (rc < 0) {
        mf_fd_close(&ends[0]);
        return rc;
    }
    running->launch = launch;
    running->pipe = ends[0];
    return 0;
}

/* With the request as text, and /dev/null for a negative input. */
static int begin(const struct bench_launch *launch, int input, struct running *running,
                 struct mf_errinfo *err)
{
    struct mf_buffer request = MF_BUFFER_INIT;
    int null = -1;
    *running = (struct running){.answer = MF_BUFFER_INIT, .pipe = -1};
    mf__request_write(&request, launch->request);
    int rc = request.failed ? mf_fail_os(err, -ENOMEM, "cannot start %s", launch->program) : 0;
    if (rc == 0 && input < 0) {
        null = mf_fd_null();
        rc = null < 0 ? mf_fail_os(err, null, "cannot open /dev/null") : 0;
    }
    if (rc == 0) {
        rc = start(launch, request.data, input < 0 ? null : input, running, err);
    }
    mf_fd_close(&null);
    mf_buffer_free(&request);
    return rc;
}

/* ---- waiting ---- */

static void kill_group(struct running *running)
{
    (void)mf_process_signal(-running->child.pid, SIGKILL);
}

/* Reads what is there. False at the end of the answer. */
static bool read_some(struct running *running)
{
    char *room = mf_buffer_reserve(&running->answer, 65536);
    size_t len = 0;
    if (room == NULL || running->answer.len > BENCH_ANSWER_LEN_MAX ||
        mf_fd_read(running->pipe, room, 65536, &len) < 0 || len == 0) {
        return false;
    }
    running->answer.len += len;
    running->answer.data[running->answer.len] = '\0';
    return true;
}

static int take_signals(struct mf_signals *signals)
{
    struct mf_signal signal;
    int number = 0;
    while (mf_signals_next(signals, &signal) == 1) {
        if (signal.number == SIGINT || signal.number == SIGTERM || signal.number == SIGHUP ||
            signal.number == SIGQUIT) {
            number = signal.number;
        }
    }
    return number;
}

/* Until each answer is whole, or there will be none. */
static void wait_for_answers(struct running *running, size_t count, struct mf_signals *signals,
                             int64_t timeout_ns)
{
    const int64_t began = mf_clock_monotonic_ns(NULL);
    for (;;) {
        struct mf_poll_item items[3] = {
            {.descriptor = signals != NULL ? signals->descriptor : -1, .want_read = true},
        };
        size_t open = 0;
        for (size_t i = 0; i < count; i++) {
            const bool reads = running[i].launch != NULL && !running[i].complete;
            items[1 + i] = (struct mf_poll_item){
                .descriptor = reads ? running[i].pipe : -1,
                .want_read = true,
            };
            open += reads;
        }
        const int64_t left =
            timeout_ns == 0 ? -1 : began + timeout_ns - mf_clock_monotonic_ns(NULL);
        const bool late = timeout_ns != 0 && left <= 0;
        if (open == 0) {
            return;
        }
        int signal = 0;
        if (!late) {
            (void)mf_fd_poll(items, 1 + count, left);
            signal = items[0].ret_readable ? take_signals(signals) : 0;
        }
        for (size_t i = 0; i < count; i++) {
            if (late || signal != 0) {
                running[i].timed_out = late && !running[i].complete;
                running[i].signal = signal;
                running[i].complete = true;
            } else if (items[1 + i].ret_readable && !read_some(&running[i])) {
                running[i].complete = true;
            }
        }
    }
}

/* The child is at its end, or killed. One that does not come to its end is made to. */
static int wait_for_end(struct running *running)
{
    const int64_t patience = mf_clock_monotonic_ns(NULL) + END_PATIENCE_NS;
    struct mf_reaped reaped;
    for (int64_t pause = 50 * MF_NS_PER_US;;
         pause = pause < 10 * MF_NS_PER_MS ? 2 * pause : pause) {
        if (mf_reap(running->child.pid, &reaped) == 1 && reaped.ended) {
            return reaped.status;
        }
        if (mf_clock_monotonic_ns(NULL) > patience) {
            kill_group(running);
        }
        (void)mf_clock_sleep_until_ns(mf_clock_monotonic_ns(NULL) + pause);
    }
}

static int judge(const struct running *running, int status, struct mf_errinfo *err)
{
    const struct bench_launch *launch = running->launch;
    if (running->signal != 0) {
        if (launch->ret_signal != NULL) {
            *launch->ret_signal = running->signal;
        }
        return mf_fail(err, -EINTR, "interrupted by %s", mf_signal_name(running->signal));
    }
    if (running->timed_out) {
        return mf_fail(err, -ETIMEDOUT, "it was stopped after %.0f s without a result",
                       (double)launch->timeout_ns / 1e9);
    }
    if (running->answer.failed || running->answer.len > BENCH_ANSWER_LEN_MAX) {
        return mf_fail(err, MF_ELIMIT, "its answer is too large");
    }
    if (WIFSIGNALED(status)) {
        return mf_fail(err, MF_EREMOTE, "it was killed by %s", mf_signal_name(WTERMSIG(status)));
    }
    if (running->answer.len == 0) {
        return mf_fail(err, MF_EREMOTE, "it ended with exit code %d and without a result",
                       WEXITSTATUS(status));
    }
    return 0;
}

/* Its end, and what has become of it. */
static int finish(struct running *running, struct mf_buffer *ret_answer, struct mf_errinfo *err)
{
    if (running->signal != 0 || running->timed_out) {
        kill_group(running);
    }
    mf_fd_close(&running->pipe);
    const int status = wait_for_end(running);
    kill_group(running); /* what it may have left behind */
    const int rc = judge(running, status, err);
    if (rc < 0) {
        mf_buffer_free(&running->answer);
        return rc;
    }
    *ret_answer = running->answer;
    return 0;
}

int mf__launch(const struct bench_launch *launch, struct mf_buffer *ret_answer,
               struct mf_errinfo *err)
{
    struct running running;
    const int rc = begin(launch, -1, &running, err);
    if (rc < 0) {
        return rc;
    }
    wait_for_answers(&running, 1, launch->signals, launch->timeout_ns);
    return finish(&running, ret_answer, err);
}

int mf__launch_pair(const struct bench_launch launches[2], struct mf_buffer ret_answers[2],
                    int ret_codes[2], struct mf_errinfo errs[2])
{
    int ends[2];
    struct running running[2] = {{.pipe = -1}, {.pipe = -1}};
    int rc = mf_turn_pair(ends);
    if (rc < 0) {
        ret_codes[0] = ret_codes[1] = mf_fail_os(&errs[0], rc, "cannot make a pair of sockets");
        errs[1] = errs[0];
        return rc;
    }
    for (int i = 0; i < 2; i++) {
        ret_codes[i] = begin(&launches[i], ends[i], &running[i], &errs[i]);
        mf_fd_close(&ends[i]); /* so that the end of one is seen by the other */
    }
    wait_for_answers(running, 2, launches[0].signals, launches[0].timeout_ns);
    for (int i = 0; i < 2; i++) {
        if (running[i].launch != NULL) {
            ret_codes[i] = finish(&running[i], &ret_answers[i], &errs[i]);
        }
    }
    return ret_codes[0] < 0 ? ret_codes[0] : ret_codes[1];
}

int mf__launch_background(const struct bench_launch *launch, int32_t *ret_pid,
                          struct mf_errinfo *err)
{
    struct running running;
    int rc = begin(launch, -1, &running, err);
    if (rc < 0) {
        return rc;
    }
    wait_for_answers(&running, 1, launch->signals, launch->timeout_ns);
    mf_fd_close(&running.pipe);
    struct bench_measured measured = {0};
    if (running.signal != 0 || running.timed_out || running.answer.len == 0) {
        rc = mf_fail(err, running.signal != 0 ? -EINTR : MF_EREMOTE,
                     "%s could not be started for stress", launch->program);
        if (running.signal != 0 && launch->ret_signal != NULL) {
            *launch->ret_signal = running.signal;
        }
    } else {
        rc = mf__measured_read(running.answer.data, running.answer.len, launch->program, &measured,
                               err);
    }
    if (rc == 0 && measured.status != BENCH_OK) {
        rc = mf_fail(err, MF_EREMOTE, "%s", measured.message);
    }
    mf__process_free(&measured.process);
    mf_buffer_free(&running.answer);
    if (rc < 0) {
        mf__launch_stop(running.child.pid);
        return rc;
    }
    *ret_pid = running.child.pid;
    return 0;
}

void mf__launch_stop(int32_t pid)
{
    struct running running = {.child = {.pid = pid}};
    kill_group(&running);
    (void)wait_for_end(&running);
}
