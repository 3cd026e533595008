/* SPDX-License-Identifier: Apache-2.0
 * fd.c -- see fd.h. */
#include "os/fd.h"

#include "base/check.h"
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define POLL_MAX 16

void mf_fd_close(int *descriptor)
{
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

int mf_fd_set_nonblocking(int descriptor)
{
    const int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int mf_fd_set_close_on_exec(int descriptor)
{
    return fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0 ? -errno : 0;
}

int mf_fd_null(void)
{
    const int descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    return descriptor >= 0 ? descriptor : -errno;
}

bool mf_fd_is_terminal(int descriptor)
{
    return isatty(descriptor) == 1;
}

int mf_fd_columns(int descriptor)
{
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0) {
        return 0;
    }
    return size.ws_col != 0 ? size.ws_col : 80;
}

bool mf_fd_is_closed(int descriptor)
{
    struct stat info;
    if (fstat(descriptor, &info) != 0) {
        return true;
    }
    const int flags = fcntl(descriptor, F_GETFL);
    const int wrong = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    return S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3) && (flags & O_ACCMODE) == wrong;
}

int mf_fd_pipe(int ret_ends[2], int size_bytes)
{
    if (pipe2(ret_ends, O_CLOEXEC) != 0) {
        return -errno;
    }
    for (int size = size_bytes; size > 65536; size /= 2) {
        if (fcntl(ret_ends[1], F_SETPIPE_SZ, size) >= 0) {
            break;
        }
    }
    return 0;
}

int mf_fd_read(int descriptor, void *bytes, size_t capacity, size_t *ret_len)
{
    for (;;) {
        const ssize_t n = read(descriptor, bytes, capacity);
        if (n >= 0) {
            *ret_len = (size_t)n;
            return 0;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

int mf_fd_write(int descriptor, const void *bytes, size_t len, size_t *ret_len)
{
    for (;;) {
        const ssize_t n = write(descriptor, bytes, len);
        if (n >= 0) {
            *ret_len = (size_t)n;
            return 0;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

int mf_fd_write_all(int descriptor, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        size_t written = 0;
        const int ret = mf_fd_write(descriptor, at, len, &written);
        if (ret == -EAGAIN) {
            struct pollfd item = {.fd = descriptor, .events = POLLOUT};
            (void)poll(&item, 1, -1);
        } else if (ret < 0) {
            return ret;
        }
        at += written;
        len -= written;
    }
    return 0;
}

int mf_fd_event(int *ret_descriptor)
{
    const int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (descriptor < 0) {
        return -errno;
    }
    *ret_descriptor = descriptor;
    return 0;
}

void mf_fd_event_set(int descriptor)
{
    (void)eventfd_write(descriptor, 1);
}

void mf_fd_event_clear(int descriptor)
{
    eventfd_t value;
    (void)eventfd_read(descriptor, &value);
}

int mf_fd_poll(struct mf_poll_item *items, size_t count, int64_t timeout_ns)
{
    struct pollfd raw[POLL_MAX];
    MF_ASSERT(count <= POLL_MAX);
    for (size_t i = 0; i < count; i++) {
        raw[i] = (struct pollfd){
            .fd = items[i].descriptor,
            .events =
                (short)((items[i].want_read ? POLLIN : 0) | (items[i].want_write ? POLLOUT : 0)),
        };
        if (raw[i].events == 0) {
            raw[i].fd = -1; /* a hang-up would be reported, and nobody asked */
        }
        items[i].ret_readable = items[i].ret_writable = false;
    }
    const struct timespec timeout = {.tv_sec = timeout_ns / MF_NS_PER_SECOND,
                                     .tv_nsec = timeout_ns % MF_NS_PER_SECOND};
    const int ready = ppoll(raw, (nfds_t)count, timeout_ns < 0 ? NULL : &timeout, NULL);
    for (size_t i = 0; ready > 0 && i < count; i++) {
        const short events = raw[i].revents;
        items[i].ret_readable =
            items[i].want_read && (events & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0;
        items[i].ret_writable =
            items[i].want_write && (events & (POLLOUT | POLLHUP | POLLERR | POLLNVAL)) != 0;
    }
    return ready > 0 ? ready : 0;
}
