/* SPDX-License-Identifier: Apache-2.0
 *
 * procevents.h -- the kernel's process event connector (CN_PROC): every fork, exec, rename and exit
 * on the machine, as it happens. Needs the initial pid, user and network namespaces,
 * CONFIG_PROC_EVENTS, and CAP_NET_ADMIN before Linux 6.6.
 *
 * Format: linux/cn_proc.h in linux/connector.h in linux/netlink.h. One thread per object.
 */
#ifndef OS_PROCEVENTS_H
#define OS_PROCEVENTS_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mf_procevent_kind {
    MF_PROCEVENT_OTHER, /* of no interest here: uid, gid, sid, ptrace, coredump, acknowledgement */
    MF_PROCEVENT_FORK,  /* a process: tgid is new, parent is its parent's tgid */
    MF_PROCEVENT_CLONE, /* a thread: tid is new in tgid */
    MF_PROCEVENT_EXEC,
    MF_PROCEVENT_COMM,
    MF_PROCEVENT_EXIT /* of one thread; the process has ended when its last thread has */
};

struct mf_procevent {
    enum mf_procevent_kind kind;
    int64_t monotonic_ns;
    int32_t tid;
    int32_t tgid;
    int32_t parent;  /* FORK */
    uint32_t status; /* EXIT: as from wait(2) */
    char comm[17];   /* COMM */
};

struct mf_procevents;

/* Starts listening. Errors: MF_EUNSUPPORTED (namespaces, kernel), -EPERM. */
int mf_procevents_open(struct mf_procevents **ret_events, struct mf_errinfo *err);
void mf_procevents_close(struct mf_procevents *events);           /* NULL is allowed */
int mf_procevents_descriptor(const struct mf_procevents *events); /* for poll; borrowed */
/* The next event: 1 and *ret_event, 0 when none is waiting, -ENOBUFS when the kernel had to drop
 * some (once per overflow; go on calling). */
int mf_procevents_next(struct mf_procevents *events, struct mf_procevent *ret_event);

/* One netlink message: 1 and *ret_event, 0 for a kind that is of no interest, MF_ESYNTAX. */
int mf_procevents_parse(const void *message, size_t len, struct mf_procevent *ret_event);

#endif
