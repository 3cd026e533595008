/* SPDX-License-Identifier: Apache-2.0
 * netlink.h -- what the two netlink listeners of os share. */
#ifndef OS_NETLINK_H
#define OS_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#define MF_NETLINK_BATCH 16   /* datagrams per system call */
#define MF_NETLINK_LEN   2048 /* longest datagram taken; a taskstats record has about 500 bytes */

/* A socket with a large receive buffer and a queue of datagrams read from it. */
struct mf_netlink {
    int descriptor;
    unsigned count; /* datagrams in the queue */
    unsigned next;  /* the next to give out */
    size_t offset;  /* of the next message in that datagram */
    size_t len[MF_NETLINK_BATCH];
    _Alignas(8) uint8_t bytes[MF_NETLINK_BATCH][MF_NETLINK_LEN];
};

/* 0, or a negative errno. `groups`: multicast groups to join, as in struct sockaddr_nl. */
int mf__netlink_open(struct mf_netlink *netlink, int protocol, uint32_t groups);
void mf__netlink_close(struct mf_netlink *netlink);
int mf__netlink_send(struct mf_netlink *netlink, const void *message, size_t len);
/* The next message that the kernel sent (nlmsghdr and what follows): 1, 0 when none waits,
 * -ENOBUFS. */
int mf__netlink_next(struct mf_netlink *netlink, const void **ret_message, size_t *ret_len);
/* Waits up to 200 ms for a message. */
int mf__netlink_await(struct mf_netlink *netlink, const void **ret_message, size_t *ret_len);

#endif
