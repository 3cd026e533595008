/* SPDX-License-Identifier: Apache-2.0
 * test_os_child.c -- a command is started with everything as it would have it without us. */
#include "cmocka_all.h"

#include "os/child.h"
#include "os/fd.h"
#include "os/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static struct mf_child_spec spec_of(const char *const *argv)
{
    return (struct mf_child_spec){
        .argv = argv,
        .environment = environ,
        .input = MF_CHILD_SAME,
        .output = MF_CHILD_SAME,
        .error = MF_CHILD_SAME,
        .keep = -1,
        .terminal = -1,
    };
}

static int status_of(const struct mf_child_spec *spec)
{
    struct mf_child child;
    struct mf_errinfo err = {0};
    int exec_error = 0;
    int status = 0;
    if (mf_child_start(spec, &child, &exec_error, &err) != 0) {
        fail_msg("start: %s", err.msg);
    }
    assert_int_equal(exec_error, 0);
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    return status;
}

/* Runs a shell script and gives what it writes to descriptor 1. */
static void output_of(struct mf_child_spec spec, char *text, size_t capacity)
{
    int ends[2];
    assert_int_equal(mf_fd_pipe(ends, 65536), 0);
    spec.output = ends[1];
    struct mf_child child;
    int exec_error = 0;
    assert_int_equal(mf_child_start(&spec, &child, &exec_error, NULL), 0);
    assert_int_equal(exec_error, 0);
    mf_fd_close(&ends[1]);
    size_t used = 0;
    for (size_t len = 1; len > 0 && used < capacity - 1; used += len) {
        assert_int_equal(mf_fd_read(ends[0], text + used, capacity - 1 - used, &len), 0);
    }
    text[used] = '\0';
    mf_fd_close(&ends[0]);
    assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
}

static void ends(void **state)
{
    (void)state;
    const char *const seven[] = {"sh", "-c", "exit 7", NULL};
    const char *const killed[] = {"sh", "-c", "kill -TERM $$", NULL};
    struct mf_child_spec spec = spec_of(seven);
    assert_int_equal(WEXITSTATUS(status_of(&spec)), 7);
    spec = spec_of(killed);
    assert_int_equal(WTERMSIG(status_of(&spec)), SIGTERM);
}

static void failures_to_execute(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int error;
    } cases[] = {{"/nonexistent/command", ENOENT},
                 {"mayfly-no-such-command", ENOENT},
                 {"/etc/passwd", EACCES},
                 {"/", EACCES}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const argv[] = {cases[i].name, NULL};
        struct mf_child_spec spec = spec_of(argv);
        struct mf_child child;
        int exec_error = 0;
        assert_int_equal(mf_child_start(&spec, &child, &exec_error, NULL), 0);
        assert_int_equal(exec_error, cases[i].error);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left of it */
    }
    /* A folder of PATH that may not be looked into hides nothing that others have. */
    char *path = strdup(getenv("PATH"));
    assert_non_null(path);
    setenv("PATH", "/proc/1/fd:/bin:/usr/bin", 1);
    const char *const hidden[] = {"mayfly-no-such-command", NULL};
    struct mf_child_spec nowhere = spec_of(hidden);
    struct mf_child child;
    int exec_error = 0;
    assert_int_equal(mf_child_start(&nowhere, &child, &exec_error, NULL), 0);
    assert_int_equal(exec_error, ENOENT);
    setenv("PATH", path, 1);
    free(path);
    /* A command that itself exits with 127 is not "not found". */
    const char *const argv[] = {"sh", "-c", "exit 127", NULL};
    struct mf_child_spec spec = spec_of(argv);
    assert_int_equal(WEXITSTATUS(status_of(&spec)), 127);
}

static void descriptors(void **state)
{
    (void)state;
    char text[4096];
    const char *const list[] = {"sh", "-c",
                                "ls /proc/self/fd; test -e /proc/self/fd/0 || echo no 0", NULL};
    struct mf_child_spec spec = spec_of(list);
    const int inherited = open("/dev/null", O_RDONLY); /* the caller's, as a jobserver's */
    const int ours = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int kept = fcntl(ours, F_DUPFD_CLOEXEC, 40);
    assert_true(inherited >= 3 && ours >= 3 && kept >= 40);
    spec.keep = kept;
    spec.input = MF_CHILD_CLOSED;
    output_of(spec, text, sizeof text);
    char line[16];
    snprintf(line, sizeof line, "%d\n", inherited);
    assert_non_null(strstr(text, line));
    snprintf(line, sizeof line, "%d\n", kept);
    assert_non_null(strstr(text, line));
    snprintf(line, sizeof line, "\n%d\n", ours);
    assert_null(strstr(text, line));
    close(inherited);
    close(ours);
    close(kept);
}

static void a_closed_stream_stays_closed(void **state)
{
    (void)state;
    char text[256];
    const char *const argv[] = {"sh", "-c", "echo x >&2 || echo failed", NULL};
    struct mf_child_spec spec = spec_of(argv);
    spec.error = MF_CHILD_CLOSED;
    output_of(spec, text, sizeof text);
    assert_string_equal(text, "failed\n");
}

static void signals_are_put_back(void **state)
{
    (void)state;
    char before[512];
    char after[512];
    const char *const argv[] = {"grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status", NULL};
    signal(SIGUSR2, SIG_IGN); /* as nohup does with SIGHUP */
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    output_of(spec_of(argv), before, sizeof before);
    struct mf_signals signals;
    assert_int_equal(mf_signals_open(&signals, NULL), 0);
    struct mf_child_spec spec = spec_of(argv);
    spec.signals = &signals;
    output_of(spec, after, sizeof after);
    assert_string_equal(after, before);
    mf_signals_close(&signals);
    output_of(spec_of(argv), after, sizeof after);
    assert_string_equal(after, before);
    signal(SIGUSR2, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
}

static void signals_as_input(void **state)
{
    (void)state;
    struct mf_signals signals;
    struct mf_signal signal_in;
    assert_int_equal(mf_signals_open(&signals, NULL), 0);
    assert_int_equal(mf_signals_next(&signals, &signal_in), 0);
    kill(getpid(), SIGTERM);
    assert_int_equal(mf_signals_next(&signals, &signal_in), 1);
    assert_int_equal(signal_in.number, SIGTERM);
    assert_int_equal(signal_in.sender, getpid());
    assert_false(signal_in.from_terminal);
    mf_signals_close(&signals);
    assert_string_equal(mf_signal_name(SIGKILL), "SIGKILL");
    assert_string_equal(mf_signal_name(SIGRTMIN + 3), "a real-time signal");
    assert_string_equal(mf_signal_name(-1), "a real-time signal");
}

static void the_limit_of_files_is_put_back(void **state)
{
    (void)state;
    char text[64];
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < 300) {
        skip();
    }
    limit.rlim_cur = 256;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(mf_raise_descriptor_limit() > 256);
    const char *const argv[] = {"sh", "-c", "ulimit -n", NULL};
    output_of(spec_of(argv), text, sizeof text);
    assert_string_equal(text, "256\n");
}

static void children_that_are_reaped(void **state)
{
    (void)state;
    struct mf_reaped reaped;
    assert_int_equal(mf_become_subreaper(), 0);
    assert_int_equal(mf_reap_peek(), 0);
    assert_int_equal(mf_reap_next(&reaped), -ECHILD);
    /* A grandchild whose parent is gone comes to us. */
    const char *const argv[] = {"sh", "-c", "sh -c 'sleep 0.05; exit 5' & exit 4", NULL};
    struct mf_child_spec spec = spec_of(argv);
    struct mf_child child;
    int exec_error = 0;
    assert_int_equal(mf_child_start(&spec, &child, &exec_error, NULL), 0);
    int codes = 0;
    for (int i = 0; i < 12000 && codes != 45 && codes != 54; i++) {
        const int32_t pid = mf_reap_peek();
        if (pid > 0) {
            assert_int_equal(mf_reap(pid, &reaped), 1);
            assert_true(reaped.ended);
            assert_true(reaped.usage.rss_peak_bytes > 0);
            codes = codes * 10 + WEXITSTATUS(reaped.status);
        }
        usleep(5000);
    }
    assert_int_equal(codes, 45);
}

static void a_signal_for_one_process_only(void **state)
{
    (void)state;
    const pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    assert_int_equal(mf_process_signal_exact(pid, 1, SIGKILL),
                     -ESRCH); /* another had started then */
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    char path[64];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    const char *at = strrchr(text, ')') + 2;
    for (int field = 3; field < 22; field++) {
        at = strchr(at, ' ') + 1;
    }
    assert_int_equal(mf_process_signal_exact(pid, strtoull(at, NULL, 10), SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(mf_process_signal_exact(pid, 1, SIGKILL), -ESRCH);
}

static void write_when_everything_is_closed(void *context)
{
    const int *ends = context;
    (void)!write(ends[1], fcntl(ends[0], F_GETFD) < 0 ? "gone" : "open", 4);
}

static void what_stays_behind(void **state)
{
    (void)state;
    int pipe_ends[2];
    char text[8] = "";
    size_t len = 0;
    assert_int_equal(mf_fd_pipe(pipe_ends, 0), 0);
    const int pid =
        mf_process_leave_behind(&pipe_ends[1], 1, write_when_everything_is_closed, pipe_ends);
    assert_true(pid > 0);
    mf_fd_close(&pipe_ends[1]);
    assert_int_equal(mf_fd_read(pipe_ends[0], text, sizeof text, &len), 0);
    assert_string_equal(text, "gone");
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    mf_fd_close(&pipe_ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends),
        cmocka_unit_test(failures_to_execute),
        cmocka_unit_test(descriptors),
        cmocka_unit_test(a_closed_stream_stays_closed),
        cmocka_unit_test(signals_are_put_back),
        cmocka_unit_test(signals_as_input),
        cmocka_unit_test(the_limit_of_files_is_put_back),
        cmocka_unit_test(children_that_are_reaped),
        cmocka_unit_test(a_signal_for_one_process_only),
        cmocka_unit_test(what_stays_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
