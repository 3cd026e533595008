/* SPDX-License-Identifier: Apache-2.0
 *
 * kernellog.h -- what the kernel says about killing for memory. One thread per object.
 */
#ifndef OS_KERNELLOG_H
#define OS_KERNELLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mf_oom_message {
    int32_t pid;
    char comm[32];
    uint64_t rss_bytes; /* anonymous, file and shared pages at its end */
    bool of_cgroup;     /* a limit of a cgroup; else the whole machine was short */
};

/* One line of the kernel log: 1 when it says that a process was killed for memory. [any-thread] */
int mf_kernellog_parse_oom(const char *line, size_t len, struct mf_oom_message *ret_message);

struct mf_kernellog {
    int descriptor; /* -1: not permitted */
};
/* From now on. */
void mf_kernellog_open(struct mf_kernellog *ret_log);
/* 1 and *ret_message, or 0 when there is none (yet, or not permitted). */
int mf_kernellog_next_oom(struct mf_kernellog *log, struct mf_oom_message *ret_message);
void mf_kernellog_close(struct mf_kernellog *log);

/* Processes that the kernel has killed for memory on this machine since boot; UINT64_MAX: not
 * known. */
uint64_t mf_machine_oom_kills(void);

#endif
