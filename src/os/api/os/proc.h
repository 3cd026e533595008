/* SPDX-License-Identifier: Apache-2.0
 *
 * proc.h -- what /proc says of a process. Parsers (bytes in, figures out, no system calls) and a
 * reader that keeps its descriptors open, so that a sample costs one pread(2) per file and can
 * never be about another process that got the same pid: a descriptor stays bound to the process it
 * was opened for, and reads of a dead one fail with -ESRCH.
 *
 * Formats: proc(5); Documentation/filesystems/proc.rst, Documentation/scheduler/sched-stats.rst of
 * Linux. One thread per object; the parsers are [any-thread].
 */
#ifndef OS_PROC_H
#define OS_PROC_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MF_PROC_COMM_LEN 64 /* kernel threads have up to 63 bytes, others 15 */
#define MF_PROC_UNKNOWN  UINT64_MAX

struct mf_proc_stat {
    int32_t pid;
    int32_t parent_pid;
    int32_t group;
    int32_t session;
    char comm[MF_PROC_COMM_LEN]; /* any bytes but NUL */
    char state;                  /* R S D T t Z X I */
    uint32_t threads;
    uint64_t faults_minor;
    uint64_t faults_major;
    uint64_t cpu_user_ns; /* of all threads, dead ones included; steps of a clock tick, 10 ms */
    uint64_t cpu_system_ns;
    uint64_t children_user_ns; /* of children that were waited for */
    uint64_t children_system_ns;
    uint64_t start_ticks; /* since boot; with the pid it names a process for ever */
    uint64_t rss_bytes;
};

struct mf_proc_io {
    uint64_t read_chars;
    uint64_t write_chars;
    uint64_t read_bytes;
    uint64_t write_bytes; /* cancelled writes already taken off */
};

struct mf_proc_status {
    char comm[MF_PROC_COMM_LEN]; /* any bytes but NUL */
    int32_t thread_group;
    uint32_t uid;
    uint64_t rss_peak_bytes;     /* VmHWM; MF_PROC_UNKNOWN for kernel threads and zombies */
    uint64_t switches_voluntary; /* of this one thread */
    uint64_t switches_involuntary;
};

struct mf_proc_schedstat {
    uint64_t run_ns; /* of this one thread, exact */
    uint64_t wait_ns;
    uint64_t slices;
};

/* Each: 0, or MF_ESYNTAX with *ret untouched. `text` need not end with a NUL. */
int mf_proc_parse_stat(const char *text, size_t len, struct mf_proc_stat *ret_stat);
int mf_proc_parse_io(const char *text, size_t len, struct mf_proc_io *ret_io);
int mf_proc_parse_status(const char *text, size_t len, struct mf_proc_status *ret_status);
int mf_proc_parse_schedstat(const char *text, size_t len, struct mf_proc_schedstat *ret_schedstat);
/* The sum of all "Pss:" lines of smaps_rollup. */
int mf_proc_parse_pss(const char *text, size_t len, uint64_t *ret_bytes);

/* "<key> <number>\n" files (cpu.stat, memory.events, /proc/vmstat): the value of `key`.
 * 0, or MF_ENOTFOUND. */
int mf_proc_parse_keyed(const char *text, size_t len, const char *key, uint64_t *ret_value);

struct mf_proc; /* one process, opened */

/* -ESRCH when there is no such process. `keep`: keep the descriptors of stat, io and schedstat open
 * after their first use (three per process); else each read opens and closes. */
int mf_proc_open(int32_t pid, bool keep, struct mf_proc **ret_proc);
void mf_proc_close(struct mf_proc *proc); /* NULL is allowed */

/* 0, -ESRCH when the process is gone, -EACCES where not permitted, MF_ESYNTAX. Without errinfo: a
 * vanished process is no news to the caller. */
int mf_proc_read_stat(struct mf_proc *proc, struct mf_proc_stat *ret_stat);
/* Of all threads, and of all children that were waited for. */
int mf_proc_read_io(struct mf_proc *proc, struct mf_proc_io *ret_io);
/* Of the first thread alone: all that a process of one thread has done itself. */
int mf_proc_read_thread_io(struct mf_proc *proc, struct mf_proc_io *ret_io);
int mf_proc_read_schedstat(struct mf_proc *proc, struct mf_proc_schedstat *ret_schedstat);
int mf_proc_read_status(struct mf_proc *proc, struct mf_proc_status *ret_status);
int mf_proc_read_pss(struct mf_proc *proc, uint64_t *ret_bytes);
/* Voluntary and involuntary switches of the living threads, at most `threads_max` of them. */
int mf_proc_read_switches(struct mf_proc *proc, unsigned threads_max, uint64_t *ret_voluntary,
                          uint64_t *ret_involuntary);
/* Number of open descriptors (Linux 6.2 and later), else MF_EUNSUPPORTED. */
int mf_proc_read_descriptors(struct mf_proc *proc, uint64_t *ret_count);
/* The arguments, each ended by a NUL, at most `capacity` bytes; 0 bytes for a zombie. */
int mf_proc_read_args(struct mf_proc *proc, char *bytes, size_t capacity, size_t *ret_len);
/* Where it sleeps in the kernel: a function's name, or "0". NUL-terminated. */
int mf_proc_read_wchan(struct mf_proc *proc, char *text, size_t capacity);

/* ---- threads ----
 * A thread is read through its process's directory, so that a tid that was used again in another
 * process is never read. A file that is held open (mf_proc_thread_open) is of that one thread for
 * ever: reads say -ESRCH once it has ended. */

/* Number of threads, without listing them; -ESRCH when the process is gone. */
int mf_proc_count_threads(struct mf_proc *proc, uint32_t *ret_count);
/* CPU time of all its threads, ended ones included, exact; by the process's own CPU clock, which
 * needs no permission. -ESRCH, also when the pid is another process's by now. */
int mf_proc_read_cpu(struct mf_proc *proc, uint64_t *ret_ns);
/* Calls visit for each thread; stops at non-zero and returns it. */
int mf_proc_each_thread(struct mf_proc *proc, int (*visit)(void *context, int32_t tid),
                        void *context);
/* Opens the thread's schedstat and returns the descriptor, the caller's; or -ESRCH, -errno. */
int mf_proc_thread_open(struct mf_proc *proc, int32_t tid);
/* By the descriptor, or opened for this once where it is negative. */
int mf_proc_thread_read_schedstat(struct mf_proc *proc, int32_t tid, int descriptor,
                                  struct mf_proc_schedstat *ret_schedstat);
int mf_proc_thread_read_stat(struct mf_proc *proc, int32_t tid, struct mf_proc_stat *ret_stat);
int mf_proc_thread_read_status(struct mf_proc *proc, int32_t tid,
                               struct mf_proc_status *ret_status);
/* Any bytes but NUL, NUL-terminated. */
int mf_proc_thread_read_comm(struct mf_proc *proc, int32_t tid, char comm[MF_PROC_COMM_LEN]);
/* Another file of it as text ("stack", "syscall", "wchan"), without the newline at its end,
 * NUL-terminated; -EACCES, -EPERM where not permitted. */
int mf_proc_thread_read_text(struct mf_proc *proc, int32_t tid, const char *name, char *text,
                             size_t capacity);

/* Calls visit for each process of the machine that this one can see; stops at non-zero and returns
 * it. */
int mf_proc_each(int (*visit)(void *context, int32_t pid), void *context);
/* For each child of a process (of all its threads); MF_EUNSUPPORTED on kernels without
 * CONFIG_PROC_CHILDREN. */
int mf_proc_each_child(int32_t pid, int (*visit)(void *context, int32_t pid), void *context);

/* Reads the file into `text` (NUL-terminated, at most capacity - 1 bytes). 0 and *ret_len, or
 * -errno. */
int mf_proc_read_text(const char *path, char *text, size_t capacity, size_t *ret_len);

/* The path of this program's file; -ENOENT when it was deleted or replaced since. */
int mf_proc_own_path(char *path, size_t capacity);

/* Facts of the machine, read once per call. */
struct mf_host {
    char name[256];
    char kernel[256];
    char boot_id[64];
    uint32_t cpus; /* that this process may use */
    uint64_t memory_bytes;
    int64_t boottime_offset_ns; /* CLOCK_BOOTTIME less CLOCK_MONOTONIC: start_ticks count from it */
    bool initial_namespaces; /* of pids and users: without them process events are not delivered */
};
void mf_host_read(struct mf_host *ret_host);
/* start_ticks as nanoseconds of CLOCK_MONOTONIC. */
int64_t mf_proc_start_monotonic_ns(uint64_t start_ticks, const struct mf_host *host);

#endif
