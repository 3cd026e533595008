/* SPDX-License-Identifier: Apache-2.0
 * proc_thread.c -- the threads of a process: see proc.h. */
#include "proc_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The clock of a process as in include/linux/posix-timers_types.h of Linux: the inverted pid, and
 * the scheduler's own sum (CPUCLOCK_SCHED). clock_getcpuclockid(3) makes the same, with a check. */
#define CLOCK_SCHED 2

static clockid_t clock_of(int32_t pid)
{
    return (clockid_t)((~(uint32_t)pid << 3) | CLOCK_SCHED);
}

static int open_tasks(struct mf_proc *proc, int *ret_descriptor)
{
    if (proc->tasks >= 0) {
        *ret_descriptor = proc->tasks;
        return 0;
    }
    const int descriptor = openat(proc->directory, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return mf__proc_gone(errno);
    }
    if (proc->keep) {
        proc->tasks = descriptor;
    }
    *ret_descriptor = descriptor;
    return 0;
}

static void done_with_tasks(const struct mf_proc *proc, int descriptor)
{
    if (descriptor != proc->tasks) {
        close(descriptor);
    }
}

int mf_proc_count_threads(struct mf_proc *proc, uint32_t *ret_count)
{
    int tasks = -1;
    struct stat info;
    int ret = open_tasks(proc, &tasks);
    if (ret < 0) {
        return ret;
    }
    ret = fstat(tasks, &info) == 0 ? 0 : mf__proc_gone(errno);
    done_with_tasks(proc, tasks);
    /* Each thread is a folder with a link to its parent; a dead process has the two of its own. */
    if (ret == 0 && info.st_nlink <= 2) {
        ret = -ESRCH;
    }
    if (ret == 0) {
        *ret_count = (uint32_t)(info.st_nlink - 2);
    }
    return ret;
}

int mf_proc_read_cpu(struct mf_proc *proc, uint64_t *ret_ns)
{
    struct timespec cpu;
    uint32_t threads = 0;
    if (clock_gettime(clock_of(proc->pid), &cpu) != 0) {
        return errno == EINVAL ? -ESRCH : -errno;
    }
    /* If ours is alive now, the pid was its own a moment ago. */
    const int ret = mf_proc_count_threads(proc, &threads);
    if (ret == 0) {
        *ret_ns = (uint64_t)cpu.tv_sec * UINT64_C(1000000000) + (uint64_t)cpu.tv_nsec;
    }
    return ret;
}

int mf_proc_each_thread(struct mf_proc *proc, int (*visit)(void *context, int32_t tid),
                        void *context)
{
    const int descriptor = openat(proc->directory, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return mf__proc_gone(errno);
    }
    DIR *tasks = fdopendir(descriptor);
    if (tasks == NULL) {
        const int ret = -errno;
        close(descriptor);
        return ret;
    }
    int ret = 0;
    for (struct dirent *entry; ret == 0 && (entry = readdir(tasks)) != NULL;) {
        if (mf__proc_is_number(entry->d_name)) {
            ret = visit(context, (int32_t)strtol(entry->d_name, NULL, 10));
        }
    }
    closedir(tasks);
    return ret;
}

static int open_file(struct mf_proc *proc, int32_t tid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "task/%d/%s", (int)tid, name);
    const int descriptor = openat(proc->directory, path, O_RDONLY | O_CLOEXEC);
    return descriptor >= 0 ? descriptor : mf__proc_gone(errno);
}

static int read_file(struct mf_proc *proc, int32_t tid, const char *name, char *text,
                     size_t capacity, size_t *ret_len)
{
    const int descriptor = open_file(proc, tid, name);
    if (descriptor < 0) {
        return descriptor;
    }
    const int ret = mf__proc_read_from_start(descriptor, text, capacity, ret_len);
    close(descriptor);
    return ret;
}

int mf_proc_thread_open(struct mf_proc *proc, int32_t tid)
{
    return open_file(proc, tid, "schedstat");
}

int mf_proc_thread_read_schedstat(struct mf_proc *proc, int32_t tid, int descriptor,
                                  struct mf_proc_schedstat *ret_schedstat)
{
    char text[128];
    size_t len = 0;
    const int ret = descriptor >= 0 ? mf__proc_read_once(descriptor, text, sizeof text, &len)
                                    : read_file(proc, tid, "schedstat", text, sizeof text, &len);
    return ret < 0 ? ret : mf_proc_parse_schedstat(text, len, ret_schedstat);
}

int mf_proc_thread_read_stat(struct mf_proc *proc, int32_t tid, struct mf_proc_stat *ret_stat)
{
    char text[1024];
    size_t len = 0;
    const int ret = read_file(proc, tid, "stat", text, sizeof text, &len);
    return ret < 0 ? ret : mf_proc_parse_stat(text, len, ret_stat);
}

int mf_proc_thread_read_status(struct mf_proc *proc, int32_t tid, struct mf_proc_status *ret_status)
{
    char text[4096];
    size_t len = 0;
    const int ret = read_file(proc, tid, "status", text, sizeof text, &len);
    return ret < 0 ? ret : mf_proc_parse_status(text, len, ret_status);
}

int mf_proc_thread_read_text(struct mf_proc *proc, int32_t tid, const char *name, char *text,
                             size_t capacity)
{
    size_t len = 0;
    const int ret = read_file(proc, tid, name, text, capacity - 1, &len);
    if (ret == 0) {
        len -= len > 0 && text[len - 1] == '\n';
        text[len] = '\0';
    }
    return ret;
}

int mf_proc_thread_read_comm(struct mf_proc *proc, int32_t tid, char comm[MF_PROC_COMM_LEN])
{
    return mf_proc_thread_read_text(proc, tid, "comm", comm, MF_PROC_COMM_LEN);
}
