/* SPDX-License-Identifier: Apache-2.0
 * netlink.c -- see netlink.h. */
#include "netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for about 20,000 events or 8,000 exit records: a second of a very busy machine. */
#define RECEIVE_BUFFER_BYTES (16 << 20)

int mf__netlink_open(struct mf_netlink *netlink, int protocol, uint32_t groups)
{
    netlink->count = netlink->next = 0;
    netlink->offset = 0;
    netlink->descriptor = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (netlink->descriptor < 0) {
        return -errno;
    }
    /* Beyond the system's maximum only with CAP_NET_ADMIN; else as much as is allowed. */
    const int size = RECEIVE_BUFFER_BYTES;
    if (setsockopt(netlink->descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
        (void)setsockopt(netlink->descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    if (bind(netlink->descriptor, (const struct sockaddr *)&address, sizeof address) != 0) {
        const int ret = -errno;
        mf__netlink_close(netlink);
        return ret;
    }
    return 0;
}

void mf__netlink_close(struct mf_netlink *netlink)
{
    if (netlink->descriptor >= 0) {
        close(netlink->descriptor);
        netlink->descriptor = -1;
    }
}

int mf__netlink_send(struct mf_netlink *netlink, const void *message, size_t len)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    const ssize_t n = sendto(netlink->descriptor, message, len, 0, (const struct sockaddr *)&kernel,
                             sizeof kernel);
    return n < 0 ? -errno : 0;
}

/* Fills the queue. 1, 0 when nothing waits, or a negative errno. */
static int receive(struct mf_netlink *netlink)
{
    struct mmsghdr batch[MF_NETLINK_BATCH];
    struct iovec parts[MF_NETLINK_BATCH];
    struct sockaddr_nl senders[MF_NETLINK_BATCH];
    memset(batch, 0, sizeof batch);
    for (unsigned i = 0; i < MF_NETLINK_BATCH; i++) {
        parts[i] = (struct iovec){netlink->bytes[i], MF_NETLINK_LEN};
        batch[i].msg_hdr.msg_iov = &parts[i];
        batch[i].msg_hdr.msg_iovlen = 1;
        batch[i].msg_hdr.msg_name = &senders[i];
        batch[i].msg_hdr.msg_namelen = sizeof senders[i];
    }
    int n = 0;
    do {
        n = recvmmsg(netlink->descriptor, batch, MF_NETLINK_BATCH, MSG_DONTWAIT, NULL);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno == EAGAIN ? 0 : -errno;
    }
    netlink->count = 0;
    netlink->next = 0;
    netlink->offset = 0;
    for (int i = 0; i < n; i++) {
        /* Only the kernel (port 0) is believed; a cut datagram is not one of ours. */
        const bool whole = (batch[i].msg_hdr.msg_flags & MSG_TRUNC) == 0;
        netlink->len[i] = whole && senders[i].nl_pid == 0 ? batch[i].msg_len : 0;
        netlink->count++;
    }
    return n > 0 ? 1 : 0;
}

int mf__netlink_next(struct mf_netlink *netlink, const void **ret_message, size_t *ret_len)
{
    for (;;) {
        while (netlink->next < netlink->count) {
            const uint8_t *datagram = netlink->bytes[netlink->next];
            const size_t left = netlink->len[netlink->next] - netlink->offset;
            struct nlmsghdr header;
            if (left >= sizeof header) {
                memcpy(&header, datagram + netlink->offset, sizeof header);
            }
            if (left < sizeof header || header.nlmsg_len < sizeof header ||
                header.nlmsg_len > left) {
                netlink->next++;
                netlink->offset = 0;
                continue;
            }
            *ret_message = datagram + netlink->offset;
            *ret_len = header.nlmsg_len;
            const size_t step = NLMSG_ALIGN(header.nlmsg_len);
            netlink->offset += step < left ? step : left;
            return 1;
        }
        const int ret = receive(netlink);
        if (ret <= 0) {
            return ret;
        }
    }
}

int mf__netlink_await(struct mf_netlink *netlink, const void **ret_message, size_t *ret_len)
{
    int ret = mf__netlink_next(netlink, ret_message, ret_len);
    if (ret == 0) {
        struct pollfd item = {.fd = netlink->descriptor, .events = POLLIN};
        if (poll(&item, 1, 200) > 0) {
            ret = mf__netlink_next(netlink, ret_message, ret_len);
        }
    }
    return ret;
}
