/* SPDX-License-Identifier: Apache-2.0
 * turn.c -- see turn.h. */
#include "os/turn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int mf_turn_pair(int ret_ends[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_ends) != 0 ? -errno : 0;
}

int mf_turn_take_input(void)
{
    const int end = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    const int null = end >= 0 ? open("/dev/null", O_RDONLY) : -1;
    if (null < 0 || dup2(null, STDIN_FILENO) < 0) {
        const int error = errno;
        close(end);
        return -error;
    }
    close(null);
    return end;
}

void mf_turn_pass(int end)
{
    (void)send(end, "", 1, MSG_NOSIGNAL);
}

int mf_turn_wait(int end)
{
    char word;
    ssize_t n;
    do {
        n = recv(end, &word, 1, 0);
    } while (n < 0 && errno == EINTR);
    return n == 1 ? 0 : -EPIPE;
}
