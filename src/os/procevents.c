/* SPDX-License-Identifier: Apache-2.0
 *
 * procevents.c -- see procevents.h.
 *
 * The kernel answers the request to listen at once, within the send, with an event of kind NONE
 * that carries an errno; in other than the initial namespaces it does not answer at all, so those
 * are recognised beforehand by the inode numbers of the namespaces.
 */
#include "os/procevents.h"

#include "base/fail.h"
#include "base/heap.h"
#include "netlink.h"
#include "os/proc.h"

#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <string.h>

struct mf_procevents {
    struct mf_netlink netlink;
};

/* The connector's event inside a netlink message, copied out: it is not aligned there. Members that
 * the kernel did not send are zero. */
static bool take_event(const void *message, size_t len, struct proc_event *ret_event)
{
    const size_t head = NLMSG_HDRLEN + sizeof(struct cn_msg);
    if (len < head + offsetof(struct proc_event, event_data)) {
        return false;
    }
    struct cn_msg connector;
    memcpy(&connector, (const uint8_t *)message + NLMSG_HDRLEN, sizeof connector);
    if (connector.id.idx != CN_IDX_PROC || connector.id.val != CN_VAL_PROC ||
        connector.len < offsetof(struct proc_event, event_data) || connector.len > len - head) {
        return false;
    }
    memset(ret_event, 0, sizeof *ret_event);
    const size_t size = connector.len < sizeof *ret_event ? connector.len : sizeof *ret_event;
    memcpy(ret_event, (const uint8_t *)message + head, size);
    return true;
}

int mf_procevents_parse(const void *message, size_t len, struct mf_procevent *ret_event)
{
    struct proc_event raw;
    if (!take_event(message, len, &raw)) {
        return MF_ESYNTAX;
    }
    struct mf_procevent event = {.monotonic_ns = (int64_t)raw.timestamp_ns};
    switch ((unsigned)raw.what) {
    case PROC_EVENT_FORK:
        event.kind = raw.event_data.fork.child_pid == raw.event_data.fork.child_tgid
                         ? MF_PROCEVENT_FORK
                         : MF_PROCEVENT_CLONE;
        event.tid = raw.event_data.fork.child_pid;
        event.tgid = raw.event_data.fork.child_tgid;
        event.parent = raw.event_data.fork.parent_tgid;
        break;
    case PROC_EVENT_EXEC:
        event.kind = MF_PROCEVENT_EXEC;
        event.tid = raw.event_data.exec.process_pid;
        event.tgid = raw.event_data.exec.process_tgid;
        break;
    case PROC_EVENT_COMM:
        event.kind = MF_PROCEVENT_COMM;
        event.tid = raw.event_data.comm.process_pid;
        event.tgid = raw.event_data.comm.process_tgid;
        memcpy(event.comm, raw.event_data.comm.comm, sizeof raw.event_data.comm.comm);
        break;
    case (unsigned)PROC_EVENT_EXIT:
        event.kind = MF_PROCEVENT_EXIT;
        event.tid = raw.event_data.exit.process_pid;
        event.tgid = raw.event_data.exit.process_tgid;
        event.status = raw.event_data.exit.exit_code;
        break;
    default:
        return 0;
    }
    *ret_event = event;
    return 1;
}

static int subscribe(struct mf_netlink *netlink)
{
    const uint32_t operation = PROC_CN_MCAST_LISTEN;
    const struct cn_msg connector = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = sizeof operation};
    uint8_t request[NLMSG_HDRLEN + sizeof connector + sizeof operation];
    const struct nlmsghdr header = {.nlmsg_len = sizeof request, .nlmsg_type = NLMSG_DONE};
    memcpy(request, &header, sizeof header);
    memcpy(request + NLMSG_HDRLEN, &connector, sizeof connector);
    memcpy(request + NLMSG_HDRLEN + sizeof connector, &operation, sizeof operation);
    int ret = mf__netlink_send(netlink, request, sizeof request);
    while (ret == 0) {
        const void *message = NULL;
        size_t len = 0;
        struct proc_event event;
        ret = mf__netlink_await(netlink, &message, &len);
        if (ret == 0) {
            return -ETIMEDOUT;
        }
        if (ret > 0 && take_event(message, len, &event) && event.what == PROC_EVENT_NONE) {
            return -(int)event.event_data.ack.err;
        }
        ret = ret > 0 || ret == -ENOBUFS ? 0 : ret; /* others' events may come first */
    }
    return ret;
}

int mf_procevents_open(struct mf_procevents **ret_events, struct mf_errinfo *err)
{
    struct mf_host host;
    mf_host_read(&host);
    if (!host.initial_namespaces) {
        return mf_fail(
            err, MF_EUNSUPPORTED,
            "process events are not delivered inside a container (pid or user namespace)");
    }
    struct mf_procevents *events = mf_malloc(sizeof *events);
    if (events == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for the process events");
    }
    int ret = mf__netlink_open(&events->netlink, NETLINK_CONNECTOR, CN_IDX_PROC);
    if (ret == 0) {
        ret = subscribe(&events->netlink);
        if (ret < 0) {
            mf__netlink_close(&events->netlink);
        }
    }
    if (ret < 0) {
        mf_free(events);
        if (ret == -EPERM || ret == -EACCES) {
            return mf_fail(err, -EPERM,
                           "the process event connector needs CAP_NET_ADMIN "
                           "before Linux 6.6");
        }
        return mf_fail(err, MF_EUNSUPPORTED, "the process event connector is not available: %s",
                       mf_strerror(ret));
    }
    *ret_events = events;
    return 0;
}

void mf_procevents_close(struct mf_procevents *events)
{
    if (events != NULL) {
        mf__netlink_close(&events->netlink);
        mf_free(events);
    }
}

int mf_procevents_descriptor(const struct mf_procevents *events)
{
    return events->netlink.descriptor;
}

int mf_procevents_next(struct mf_procevents *events, struct mf_procevent *ret_event)
{
    for (;;) {
        const void *message = NULL;
        size_t len = 0;
        const int ret = mf__netlink_next(&events->netlink, &message, &len);
        if (ret <= 0) {
            return ret;
        }
        if (mf_procevents_parse(message, len, ret_event) == 1) {
            return 1;
        }
    }
}
