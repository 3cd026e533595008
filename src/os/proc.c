/* SPDX-License-Identifier: Apache-2.0
 *
 * proc.c -- see proc.h.
 *
 * A process that vanishes shows up in three ways: open(2) says ENOENT, a read of an open file says
 * ESRCH, or it returns nothing (smaps_rollup of a process without memory). The first two are -ESRCH
 * to the caller; the third is MF_ESYNTAX, which callers treat as "no figure now".
 */
#include "proc_private.h"

#include "base/heap.h"
#include "os/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

int mf__proc_gone(int error)
{
    return error == ENOENT ? -ESRCH : -error;
}

int mf_proc_open(int32_t pid, bool keep, struct mf_proc **ret_proc)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    struct mf_proc *proc = mf_malloc(sizeof *proc);
    if (proc == NULL) {
        return -ENOMEM;
    }
    proc->pid = pid;
    proc->keep = keep;
    proc->tasks = -1;
    for (int i = 0; i < KEPT_FILES; i++) {
        proc->files[i] = -1;
    }
    snprintf(proc->names[KEPT_STAT], sizeof proc->names[0], "stat");
    snprintf(proc->names[KEPT_IO], sizeof proc->names[0], "io");
    snprintf(proc->names[KEPT_THREAD_IO], sizeof proc->names[0], "task/%d/io", (int)pid);
    snprintf(proc->names[KEPT_SCHEDSTAT], sizeof proc->names[0], "schedstat");
    proc->directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc->directory < 0) {
        const int ret = mf__proc_gone(errno);
        mf_free(proc);
        return ret;
    }
    *ret_proc = proc;
    return 0;
}

void mf_proc_close(struct mf_proc *proc)
{
    if (proc == NULL) {
        return;
    }
    for (int i = 0; i < KEPT_FILES; i++) {
        if (proc->files[i] >= 0) {
            close(proc->files[i]);
        }
    }
    if (proc->tasks >= 0) {
        close(proc->tasks);
    }
    close(proc->directory);
    mf_free(proc);
}

int mf__proc_read_from_start(int file, char *text, size_t capacity, size_t *ret_len)
{
    size_t len = 0;
    while (len < capacity) {
        const ssize_t n = pread(file, text + len, capacity - len, (off_t)len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return mf__proc_gone(errno);
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    *ret_len = len;
    return 0;
}

int mf__proc_read_once(int file, char *text, size_t capacity, size_t *ret_len)
{
    const ssize_t n = pread(file, text, capacity, 0);
    if (n < 0) {
        return mf__proc_gone(errno);
    }
    *ret_len = (size_t)n;
    return 0;
}

static int read_name(struct mf_proc *proc, const char *name, char *text, size_t capacity,
                     size_t *ret_len)
{
    const int file = openat(proc->directory, name, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return mf__proc_gone(errno);
    }
    const int ret = mf__proc_read_from_start(file, text, capacity, ret_len);
    close(file);
    return ret;
}

static int read_kept(struct mf_proc *proc, enum mf_proc_kept which, char *text, size_t capacity,
                     size_t *ret_len)
{
    int file = proc->files[which];
    if (file < 0) {
        file = openat(proc->directory, proc->names[which], O_RDONLY | O_CLOEXEC);
        if (file < 0) {
            return mf__proc_gone(errno);
        }
    }
    const int ret = mf__proc_read_once(file, text, capacity, ret_len);
    if (proc->keep) {
        proc->files[which] = file;
    } else {
        close(file);
    }
    return ret;
}

int mf_proc_read_stat(struct mf_proc *proc, struct mf_proc_stat *ret_stat)
{
    char text[1024];
    size_t len = 0;
    const int ret = read_kept(proc, KEPT_STAT, text, sizeof text, &len);
    return ret < 0 ? ret : mf_proc_parse_stat(text, len, ret_stat);
}

int mf_proc_read_io(struct mf_proc *proc, struct mf_proc_io *ret_io)
{
    char text[512];
    size_t len = 0;
    const int ret = read_kept(proc, KEPT_IO, text, sizeof text, &len);
    return ret < 0 ? ret : mf_proc_parse_io(text, len, ret_io);
}

int mf_proc_read_thread_io(struct mf_proc *proc, struct mf_proc_io *ret_io)
{
    char text[512];
    size_t len = 0;
    const int ret = read_kept(proc, KEPT_THREAD_IO, text, sizeof text, &len);
    return ret < 0 ? ret : mf_proc_parse_io(text, len, ret_io);
}

int mf_proc_read_schedstat(struct mf_proc *proc, struct mf_proc_schedstat *ret_schedstat)
{
    char text[128];
    size_t len = 0;
    const int ret = read_kept(proc, KEPT_SCHEDSTAT, text, sizeof text, &len);
    return ret < 0 ? ret : mf_proc_parse_schedstat(text, len, ret_schedstat);
}

int mf_proc_read_status(struct mf_proc *proc, struct mf_proc_status *ret_status)
{
    char text[4096];
    size_t len = 0;
    const int ret = read_name(proc, "status", text, sizeof text, &len);
    return ret < 0 ? ret : mf_proc_parse_status(text, len, ret_status);
}

int mf_proc_read_pss(struct mf_proc *proc, uint64_t *ret_bytes)
{
    char text[2048];
    size_t len = 0;
    const int ret = read_name(proc, "smaps_rollup", text, sizeof text, &len);
    return ret < 0 ? ret : mf_proc_parse_pss(text, len, ret_bytes);
}

bool mf__proc_is_number(const char *name)
{
    return name[0] >= '1' && name[0] <= '9' && name[strspn(name, "0123456789")] == '\0';
}

int mf_proc_read_switches(struct mf_proc *proc, unsigned threads_max, uint64_t *ret_voluntary,
                          uint64_t *ret_involuntary)
{
    const int directory = openat(proc->directory, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return mf__proc_gone(errno);
    }
    DIR *tasks = fdopendir(directory);
    if (tasks == NULL) {
        const int ret = -errno;
        close(directory);
        return ret;
    }
    uint64_t voluntary = 0;
    uint64_t involuntary = 0;
    unsigned threads = 0;
    for (struct dirent *entry; threads < threads_max && (entry = readdir(tasks)) != NULL;) {
        if (!mf__proc_is_number(entry->d_name)) {
            continue;
        }
        char name[sizeof entry->d_name + 16];
        char text[4096];
        size_t len = 0;
        struct mf_proc_status status;
        snprintf(name, sizeof name, "task/%s/status", entry->d_name);
        if (read_name(proc, name, text, sizeof text, &len) == 0 &&
            mf_proc_parse_status(text, len, &status) == 0) {
            voluntary += status.switches_voluntary;
            involuntary += status.switches_involuntary;
            threads++;
        }
    }
    closedir(tasks);
    if (threads == 0) {
        return -ESRCH;
    }
    *ret_voluntary = voluntary;
    *ret_involuntary = involuntary;
    return 0;
}

int mf_proc_read_descriptors(struct mf_proc *proc, uint64_t *ret_count)
{
    /* Since Linux 6.2 the size of the directory is the number of open descriptors; before, it is 0.
     */
    struct stat info;
    if (fstatat(proc->directory, "fd", &info, 0) != 0) {
        return mf__proc_gone(errno);
    }
    if (info.st_size <= 0) {
        return MF_EUNSUPPORTED;
    }
    *ret_count = (uint64_t)info.st_size;
    return 0;
}

int mf_proc_read_args(struct mf_proc *proc, char *bytes, size_t capacity, size_t *ret_len)
{
    return read_name(proc, "cmdline", bytes, capacity, ret_len);
}

int mf_proc_read_wchan(struct mf_proc *proc, char *text, size_t capacity)
{
    size_t len = 0;
    const int ret = read_name(proc, "wchan", text, capacity - 1, &len);
    if (ret == 0) {
        text[len] = '\0';
    }
    return ret;
}

int mf_proc_each(int (*visit)(void *context, int32_t pid), void *context)
{
    DIR *directory = opendir("/proc");
    if (directory == NULL) {
        return -errno;
    }
    int ret = 0;
    for (struct dirent *entry; ret == 0 && (entry = readdir(directory)) != NULL;) {
        if (mf__proc_is_number(entry->d_name)) {
            ret = visit(context, (int32_t)strtol(entry->d_name, NULL, 10));
        }
    }
    closedir(directory);
    return ret;
}

/* The children file of one thread: pids separated by blanks, of any length. */
static int each_in_children(const char *path, int (*visit)(void *context, int32_t pid),
                            void *context)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno == ENOENT ? MF_EUNSUPPORTED : mf__proc_gone(errno);
    }
    int ret = 0;
    int pid = 0;
    bool digits = false;
    for (int c; ret == 0 && (c = fgetc(file)) != EOF;) {
        if (c >= '0' && c <= '9' && pid < INT32_MAX / 10) {
            pid = pid * 10 + (c - '0');
            digits = true;
        } else if (digits) {
            ret = visit(context, pid);
            pid = 0;
            digits = false;
        }
    }
    fclose(file);
    return ret;
}

int mf_proc_each_child(int32_t pid, int (*visit)(void *context, int32_t pid), void *context)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) {
        return mf__proc_gone(errno);
    }
    int ret = 0;
    for (struct dirent *entry; ret == 0 && (entry = readdir(tasks)) != NULL;) {
        if (!mf__proc_is_number(entry->d_name)) {
            continue;
        }
        char children[sizeof path + sizeof entry->d_name + 16];
        snprintf(children, sizeof children, "%s/%s/children", path, entry->d_name);
        ret = each_in_children(children, visit, context);
        if (ret == MF_EUNSUPPORTED && access("/proc/self/task", F_OK) == 0) {
            /* The thread may just have ended; only a living thread tells that the file is missing.
             */
            char self[64];
            snprintf(self, sizeof self, "/proc/self/task/%d/children", (int)getpid());
            ret = access(self, F_OK) == 0 ? 0 : MF_EUNSUPPORTED;
        }
    }
    closedir(tasks);
    return ret;
}

int mf_proc_read_text(const char *path, char *text, size_t capacity, size_t *ret_len)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return -errno;
    }
    size_t len = 0;
    const int ret = mf__proc_read_from_start(file, text, capacity - 1, &len);
    close(file);
    if (ret == 0) {
        text[len] = '\0';
        *ret_len = len;
    }
    return ret;
}

/* The initial namespaces have fixed inode numbers (include/linux/proc_ns.h of Linux). */
static bool in_initial_namespace(const char *path, unsigned long long inode)
{
    struct stat info;
    return stat(path, &info) == 0 && (unsigned long long)info.st_ino == inode;
}

void mf_host_read(struct mf_host *ret_host)
{
    struct mf_host host = {0};
    struct utsname names;
    if (uname(&names) == 0) {
        snprintf(host.name, sizeof host.name, "%s", names.nodename);
        snprintf(host.kernel, sizeof host.kernel, "%s %s", names.sysname, names.release);
    }
    size_t len = 0;
    if (mf_proc_read_text("/proc/sys/kernel/random/boot_id", host.boot_id, sizeof host.boot_id,
                          &len) == 0) {
        host.boot_id[strcspn(host.boot_id, "\n")] = '\0';
    }
    cpu_set_t usable;
    CPU_ZERO(&usable);
    host.cpus = sched_getaffinity(0, sizeof usable, &usable) == 0 ? (uint32_t)CPU_COUNT(&usable)
                                                                  : (uint32_t)get_nprocs();
    struct sysinfo memory;
    if (sysinfo(&memory) == 0) {
        host.memory_bytes = (uint64_t)memory.totalram * memory.mem_unit;
    }
    struct timespec boot;
    if (clock_gettime(CLOCK_BOOTTIME, &boot) == 0) {
        host.boottime_offset_ns =
            (int64_t)boot.tv_sec * MF_NS_PER_SECOND + boot.tv_nsec - mf_clock_monotonic_ns(NULL);
    }
    host.initial_namespaces = in_initial_namespace("/proc/self/ns/pid", 0xEFFFFFFCULL) &&
                              in_initial_namespace("/proc/self/ns/user", 0xEFFFFFFDULL);
    *ret_host = host;
}

int64_t mf_proc_start_monotonic_ns(uint64_t start_ticks, const struct mf_host *host)
{
    const int64_t tick_ns = MF_NS_PER_SECOND / sysconf(_SC_CLK_TCK);
    return (int64_t)start_ticks * tick_ns - host->boottime_offset_ns;
}

int mf_proc_own_path(char *path, size_t capacity)
{
    const ssize_t len = readlink("/proc/self/exe", path, capacity);
    if (len < 0) {
        return -errno;
    }
    if ((size_t)len >= capacity) {
        return -ENAMETOOLONG;
    }
    path[len] = '\0';
    return access(path, X_OK) == 0 ? 0 : -ENOENT;
}
