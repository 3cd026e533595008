/* SPDX-License-Identifier: Apache-2.0
 *
 * child.c -- see child.h.
 *
 * Between fork and exec the child puts everything back that we changed for ourselves: signal mask
 * and dispositions, the limit of open files, closed standard descriptors. A pipe that closes on
 * exec brings back the errno of a failed one, so that "not found" is told apart from a command that
 * exits with 127.
 *
 * The monitor (only with a terminal): job control needs a process in the command's session that is
 * its parent and not in its group, else the kernel takes the group for orphaned and ignores Ctrl-Z.
 * It also must outlive the command: when a session's leader ends, the terminal is hung up for all.
 * It waits for the command, reports each change over a socket, and ends when the other side of the
 * socket is gone. Gone without a word of farewell means that we were killed: then it puts our
 * terminal's modes back and sends the command SIGHUP, as a terminal that is closed does.
 */
#include "os/child.h"

#include "base/fail.h"
#include "os/fd.h"
#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static struct rlimit original_files;
static bool files_raised;

uint64_t mf_raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 256;
    }
    if (!files_raised && limit.rlim_cur < limit.rlim_max) {
        original_files = limit;
        /* Not beyond reason: some systems have a billion. */
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        if (limit.rlim_cur > original_files.rlim_cur && setrlimit(RLIMIT_NOFILE, &limit) == 0) {
            files_raised = true;
        } else {
            limit = original_files;
        }
    }
    return limit.rlim_cur;
}

static int not_started(int code, struct mf_errinfo *err)
{
    if (code == -EAGAIN) {
        return mf_fail(err, code,
                       "cannot start a process: %s; a limit of processes is reached (ulimit -u, "
                       "pids.max)",
                       mf_strerror(code));
    }
    return mf_fail_os(err, code, "cannot start a process");
}

/* ---- the child, before exec ---- */

static void place(int descriptor, int number)
{
    if (descriptor == MF_CHILD_CLOSED) {
        close(number);
    } else if (descriptor >= 0 && descriptor != number) {
        dup2(descriptor, number);
    }
}

/* execvpe() says "permission denied" also when all that was denied is a look into one folder of
 * PATH. A name that is in none of those that can be seen is not found. */
static int why_not_executed(const char *name, int error)
{
    if (error != EACCES || strchr(name, '/') != NULL) {
        return error;
    }
    const char *path = getenv("PATH");
    for (size_t len; path != NULL && *path != '\0'; path += len + (path[len] == ':')) {
        char file[PATH_MAX];
        len = strcspn(path, ":");
        snprintf(file, sizeof file, "%.*s%s%s", (int)len, path, len > 0 ? "/" : "", name);
        if (access(file, F_OK) == 0) {
            return error;
        }
    }
    return ENOENT;
}

/* From the monitor's side to ours. */
struct started {
    int32_t pid;        /* or a negative errno */
    int32_t exec_error; /* NOT_EXECUTED_YET, 0, or an errno */
};

#define NOT_EXECUTED_YET (-1)

/* announce: a socket on which it says its number before it executes; -1: nowhere. */
static _Noreturn void become_command(const struct mf_child_spec *spec, int announce, int report,
                                     pid_t parent, bool born_inside)
{
    if (announce >= 0) {
        const struct started started = {(int32_t)getpid(), NOT_EXECUTED_YET};
        (void)!send(announce, &started, sizeof started, MSG_NOSIGNAL);
    }
    if (spec->terminal >= 0) {
        setpgid(0, 0);
        tcsetpgrp(spec->terminal, getpid()); /* from the background; SIGTTOU is blocked */
    }
    if (spec->own_group) {
        setpgid(0, 0);
    }
    if (spec->cgroup != NULL) {
        if (spec->cgroup->door >= 0 && !born_inside) {
            (void)!write(spec->cgroup->door, "0", 1);
        }
        if (spec->cgroup->door_v1 >= 0) {
            (void)!write(spec->cgroup->door_v1, "0", 1);
        }
    }
    if (spec->death_signal != 0) {
        prctl(PR_SET_PDEATHSIG, spec->death_signal);
        if (getppid() != parent) {
            _exit(127); /* it died before */
        }
    }
    if (files_raised) {
        setrlimit(RLIMIT_NOFILE, &original_files);
    }
    if (spec->keep >= 0) {
        fcntl(spec->keep, F_SETFD, 0);
    }
    place(spec->input, STDIN_FILENO);
    place(spec->output, STDOUT_FILENO);
    place(spec->error, STDERR_FILENO);
    if (spec->signals != NULL) {
        mf_signals_restore_in_child(spec->signals);
    }
    execvpe(spec->argv[0], (char *const *)(uintptr_t)spec->argv, spec->environment);
    const int error = why_not_executed(spec->argv[0], errno);
    (void)!write(report, &error, sizeof error);
    _exit(error == ENOENT ? 127 : 126);
}

/* As fork(), into the cgroup when the kernel can. What comes after in the child does not need what
 * the C library does around its own fork: it allocates nothing and executes at once. */
static pid_t fork_into(const struct mf_cgroup_entrance *cgroup, bool *ret_inside)
{
    if (cgroup != NULL && cgroup->directory >= 0) {
        struct clone_args args = {.flags = CLONE_INTO_CGROUP,
                                  .exit_signal = SIGCHLD,
                                  .cgroup = (uint64_t)cgroup->directory};
        const long pid = syscall(SYS_clone3, &args, sizeof args);
        if (pid >= 0) {
            *ret_inside = true;
            return (pid_t)pid;
        }
    }
    *ret_inside = false;
    return fork();
}

/* Forks the command and waits until it runs. Returns its pid, or a negative errno of fork. */
static int32_t fork_command(const struct mf_child_spec *spec, int announce, int *ret_exec_error)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        return -errno;
    }
    const pid_t parent = getpid();
    bool born_inside = false;
    const pid_t pid = fork_into(spec->cgroup, &born_inside);
    if (pid == 0) {
        close(report[0]);
        become_command(spec, announce, report[1], parent, born_inside);
    }
    const int fork_error = errno;
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return -fork_error;
    }
    int exec_error = 0;
    size_t len = 0;
    if (mf_fd_read(report[0], &exec_error, sizeof exec_error, &len) != 0 ||
        len != sizeof exec_error) {
        exec_error = 0;
    }
    close(report[0]);
    if (exec_error != 0) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    *ret_exec_error = exec_error;
    return (int32_t)pid;
}

/* ---- waiting ---- */

static uint64_t timeval_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_usec * 1000U;
}

static struct mf_usage usage_of(const struct rusage *raw)
{
    return (struct mf_usage){
        .cpu_user_ns = timeval_ns(raw->ru_utime),
        .cpu_system_ns = timeval_ns(raw->ru_stime),
        .rss_peak_bytes = (uint64_t)raw->ru_maxrss * 1024,
        .faults_minor = (uint64_t)raw->ru_minflt,
        .faults_major = (uint64_t)raw->ru_majflt,
        .switches_voluntary = (uint64_t)raw->ru_nvcsw,
        .switches_involuntary = (uint64_t)raw->ru_nivcsw,
        .read_bytes = (uint64_t)raw->ru_inblock * 512,
        .write_bytes = (uint64_t)raw->ru_oublock * 512,
    };
}

void mf_usage_self(struct mf_usage *ret_usage)
{
    struct rusage raw;
    memset(&raw, 0, sizeof raw);
    (void)getrusage(RUSAGE_SELF, &raw);
    *ret_usage = usage_of(&raw);
}

int32_t mf_reap_peek(void)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? (int32_t)info.si_pid : 0;
}

static int reap(pid_t which, struct mf_reaped *ret_reaped)
{
    int status = 0;
    struct rusage raw;
    const pid_t pid = wait4(which, &status, WNOHANG | WUNTRACED | WCONTINUED, &raw);
    if (pid < 0) {
        return errno == ECHILD ? -ECHILD : 0;
    }
    if (pid == 0) {
        return 0;
    }
    memset(ret_reaped, 0, sizeof *ret_reaped);
    ret_reaped->pid = pid;
    ret_reaped->status = status;
    ret_reaped->ended = WIFEXITED(status) || WIFSIGNALED(status);
    if (ret_reaped->ended) {
        ret_reaped->usage = usage_of(&raw);
    }
    return 1;
}

bool mf_is_child(int32_t pid)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int mf_become_subreaper(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ? -errno : 0;
}

int mf_reap(int32_t pid, struct mf_reaped *ret_reaped)
{
    return reap(pid, ret_reaped) == 1 ? 1 : 0;
}

int mf_reap_next(struct mf_reaped *ret_reaped)
{
    return reap(-1, ret_reaped);
}

/* ---- the monitor ---- */

/* Everything but the socket, our terminal and the signals is closed; what was open is not ours to
 * keep open. They move to 3, 4 and 5. */
static void keep_only(int *socket, int *outer, int *signals)
{
    int *const kept[] = {socket, outer, signals};
    for (size_t i = 0; i < MF_ARRAY_LEN(kept); i++) { /* out of the way of each other first */
        *kept[i] = *kept[i] >= 0 ? fcntl(*kept[i], F_DUPFD_CLOEXEC, 16) : -1;
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(kept); i++) {
        if (*kept[i] >= 0) {
            *kept[i] = dup3(*kept[i], (int)(3 + i), O_CLOEXEC);
        } else {
            close((int)(3 + i));
        }
    }
    syscall(SYS_close_range, 6U, ~0U, 0U);
    const int null = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; i++) {
        dup2(null, i);
    }
    if (null > 2) {
        close(null);
    }
}

static void report_changes(int socket, pid_t command)
{
    struct mf_reaped reaped;
    while (reap(command, &reaped) == 1) {
        (void)!send(socket, &reaped, sizeof reaped, MSG_NOSIGNAL);
        if (reaped.ended) {
            return;
        }
    }
}

static _Noreturn void monitor_loop(int socket, int signals, pid_t command, int outer,
                                   const struct termios *modes)
{
    bool farewell = false;
    for (;;) {
        struct pollfd items[2] = {{.fd = socket, .events = POLLIN},
                                  {.fd = signals, .events = POLLIN}};
        (void)poll(items, 2, -1);
        if (items[1].revents != 0) {
            struct signalfd_siginfo info;
            (void)!read(signals, &info, sizeof info);
            report_changes(socket, command);
        }
        if (items[0].revents != 0) {
            char word = 0;
            const ssize_t n = recv(socket, &word, sizeof word, MSG_DONTWAIT);
            if (n > 0) {
                farewell = true;
            } else if (n == 0 || errno != EAGAIN) {
                break;
            }
        }
    }
    if (!farewell) {
        if (outer >= 0) {
            tcsetattr(outer, TCSADRAIN, modes);
        }
        kill(-command, SIGHUP);
        kill(-command, SIGCONT);
    }
    _exit(0);
}

static _Noreturn void become_monitor(const struct mf_child_spec *spec, int socket)
{
    setsid();
    ioctl(spec->terminal, TIOCSCTTY, 0);
    struct mf_child_spec command = *spec;
    command.death_signal = 0; /* this process sees to it */
    struct started started = {0, 0};
    /* Blocked before the fork, so that no exit is missed; the command gets its own mask back. */
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, NULL);
    int signals = signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK);
    started.pid = fork_command(&command, socket, &started.exec_error);
    int outer = spec->outer != NULL ? spec->outer->descriptor : -1;
    const struct termios modes = spec->outer != NULL ? spec->outer->modes : (struct termios){0};
    keep_only(&socket, &outer, &signals);
    (void)!send(socket, &started, sizeof started, MSG_NOSIGNAL);
    if (started.pid < 0 || started.exec_error != 0) {
        _exit(0);
    }
    monitor_loop(socket, signals, started.pid, outer, &modes);
}

static int start_under_monitor(const struct mf_child_spec *spec, struct mf_child *ret_child,
                               int *ret_exec_error, struct mf_errinfo *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return mf_fail_os(err, -errno, "cannot make a socket pair");
    }
    const pid_t monitor = fork();
    if (monitor == 0) {
        close(ends[0]);
        become_monitor(spec, ends[1]);
    }
    const int fork_error = errno;
    close(ends[1]);
    if (monitor < 0) {
        close(ends[0]);
        return not_started(-fork_error, err);
    }
    /* The command tells its number, then the monitor whether it runs; unless the command was quick
     * to kill it. */
    struct started started = {-EIO, 0};
    ssize_t n = 0;
    do {
        struct started next;
        n = recv(ends[0], &next, sizeof next, 0);
        if (n == (ssize_t)sizeof next) {
            started = next;
        }
    } while ((n < 0 && errno == EINTR) || (n > 0 && started.exec_error == NOT_EXECUTED_YET));
    if (started.exec_error == NOT_EXECUTED_YET) {
        started.exec_error = 0;
        n = (ssize_t)sizeof started;
    }
    if (n != (ssize_t)sizeof started || started.pid < 0 || started.exec_error != 0) {
        close(ends[0]);
        while (waitpid(monitor, NULL, 0) < 0 && errno == EINTR) {
        }
        if (n == (ssize_t)sizeof started && started.pid >= 0) {
            *ret_child = (struct mf_child){.pid = started.pid, .monitor = -1};
            *ret_exec_error = started.exec_error;
            return 0;
        }
        return not_started(started.pid < 0 ? started.pid : -EIO, err);
    }
    (void)mf_fd_set_nonblocking(ends[0]);
    *ret_child =
        (struct mf_child){.pid = started.pid, .monitor_pid = (int32_t)monitor, .monitor = ends[0]};
    *ret_exec_error = 0;
    return 0;
}

int mf_child_start(const struct mf_child_spec *spec, struct mf_child *ret_child,
                   int *ret_exec_error, struct mf_errinfo *err)
{
    if (spec->terminal >= 0) {
        return start_under_monitor(spec, ret_child, ret_exec_error, err);
    }
    int exec_error = 0;
    const int32_t pid = fork_command(spec, -1, &exec_error);
    if (pid < 0) {
        return not_started(pid, err);
    }
    *ret_child = (struct mf_child){.pid = pid, .monitor = -1};
    *ret_exec_error = exec_error;
    return 0;
}

void mf_child_release(struct mf_child *child)
{
    if (child->monitor >= 0) {
        (void)!send(child->monitor, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        mf_fd_close(&child->monitor);
    }
}

int mf_child_monitor_next(struct mf_child *child, struct mf_reaped *ret_reaped)
{
    if (child->monitor < 0) {
        return 0;
    }
    struct mf_reaped reaped;
    const ssize_t n = recv(child->monitor, &reaped, sizeof reaped, MSG_DONTWAIT);
    if (n != (ssize_t)sizeof reaped) {
        if (n == 0) { /* the monitor was killed; the command's end is not told any more */
            mf_fd_close(&child->monitor);
        }
        return 0;
    }
    *ret_reaped = reaped;
    return 1;
}

/* ---- signals, and what stays behind ---- */

int mf_process_signal(int32_t pid, int number)
{
    return kill(pid, number) != 0 ? -errno : 0;
}

int mf_process_signal_exact(int32_t pid, uint64_t start_ticks, int number)
{
    const int descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
    if (descriptor < 0) {
        return -errno;
    }
    /* The descriptor names one process for ever; whether it is the one that is meant is asked
     * after. */
    struct mf_proc *proc = NULL;
    struct mf_proc_stat stat;
    int ret = mf_proc_open(pid, false, &proc);
    if (ret == 0) {
        ret = mf_proc_read_stat(proc, &stat);
        mf_proc_close(proc);
    }
    if (ret == 0 && stat.start_ticks != start_ticks) {
        ret = -ESRCH;
    }
    if (ret == 0 && syscall(SYS_pidfd_send_signal, descriptor, number, NULL, 0) != 0) {
        ret = -errno;
    }
    close(descriptor);
    return ret;
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int mf_process_leave_behind(const int *descriptors, size_t count, void (*run)(void *context),
                            void *context)
{
    int kept[8];
    if (count > MF_ARRAY_LEN(kept)) {
        return -EINVAL;
    }
    if (count > 0) {
        memcpy(kept, descriptors, count * sizeof *kept);
        qsort(kept, count, sizeof *kept, by_number);
    }
    const pid_t pid = fork();
    if (pid != 0) {
        return pid < 0 ? -errno : (int)pid;
    }
    unsigned from = 3;
    for (size_t i = 0; i < count; i++) {
        if (kept[i] >= 3 && (unsigned)kept[i] >= from) {
            if ((unsigned)kept[i] > from) {
                syscall(SYS_close_range, from, (unsigned)kept[i] - 1, 0U);
            }
            from = (unsigned)kept[i] + 1;
        }
    }
    syscall(SYS_close_range, from, ~0U, 0U);
    run(context);
    _exit(0);
}
