/* SPDX-License-Identifier: Apache-2.0
 *
 * taskstats.h -- the kernel's exit records: one for every thread that ends on the machine, with its
 * exact CPU time, peak memory, I/O, faults and switches, however short it lived. Needs
 * CAP_NET_ADMIN in the initial namespaces and CONFIG_TASKSTATS.
 *
 * Format: linux/taskstats.h in generic netlink; the structure grows from kernel to kernel (version
 * in its first bytes), and fields beyond what a kernel sends are unknown. One thread per object.
 */
#ifndef OS_TASKSTATS_H
#define OS_TASKSTATS_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mf_task_record {
    int32_t tid;
    int32_t tgid; /* 0 before Linux 5.19 */
    int32_t parent;
    char comm[33];
    uint32_t status;      /* as from wait(2); of the thread */
    uint64_t cpu_user_ns; /* user + system is exact; their ratio is that of the ticks */
    uint64_t cpu_system_ns;
    uint64_t elapsed_ns;
    uint64_t rss_peak_bytes; /* of the address space, so the same for each thread */
    uint64_t read_chars, write_chars;
    uint64_t read_bytes, write_bytes; /* cancelled writes taken off */
    uint64_t faults_minor, faults_major;
    uint64_t switches_voluntary, switches_involuntary;
};

struct mf_taskstats;

/* Registers for the exits on all CPUs. Errors: MF_EUNSUPPORTED, -EPERM. */
int mf_taskstats_open(struct mf_taskstats **ret_taskstats, struct mf_errinfo *err);
void mf_taskstats_close(struct mf_taskstats *taskstats); /* NULL is allowed */
int mf_taskstats_descriptor(const struct mf_taskstats *taskstats);
/* 1 and *ret_record, 0 when none is waiting, -ENOBUFS when the kernel had to drop some. */
int mf_taskstats_next(struct mf_taskstats *taskstats, struct mf_task_record *ret_record);

/* One generic netlink message: 1 and *ret_record for a thread's record, 0 for others (the sums of a
 * thread group, errors, answers), MF_ESYNTAX. */
int mf_taskstats_parse(const void *message, size_t len, struct mf_task_record *ret_record);

#endif
