/* SPDX-License-Identifier: Apache-2.0
 * pty.c -- see pty.h. */
#include "os/pty.h"

#include "base/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

int mf_pty_open(int *ret_master, int *ret_slave, struct mf_errinfo *err)
{
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0) {
        return mf_fail_os(err, -errno, "cannot make a pseudo-terminal");
    }
    /* TIOCGPTPEER needs no look at /dev/pts, which may be another one inside a container. */
    int unlock = 0;
    int slave = -1;
    if (grantpt(master) == 0 && ioctl(master, TIOCSPTLCK, &unlock) == 0) {
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    if (slave < 0) {
        const int ret = mf_fail_os(err, -errno, "cannot open a pseudo-terminal");
        close(master);
        return ret;
    }
    *ret_master = master;
    *ret_slave = slave;
    return 0;
}

int mf_terminal_save(int descriptor, struct mf_terminal *ret_terminal)
{
    struct mf_terminal terminal = {.descriptor = descriptor};
    if (tcgetattr(descriptor, &terminal.modes) != 0) {
        return -errno;
    }
    *ret_terminal = terminal;
    return 0;
}

/* Changing modes from the background would stop us (SIGTTOU); callers have that signal blocked,
 * which lets the change through instead, and ask mf_terminal_in_foreground() first. */
static int set_modes(int descriptor, const struct termios *modes)
{
    for (;;) {
        if (tcsetattr(descriptor, TCSADRAIN, modes) == 0) {
            return 0;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

int mf_terminal_raw(const struct mf_terminal *terminal)
{
    struct termios modes = terminal->modes;
    cfmakeraw(&modes);
    return set_modes(terminal->descriptor, &modes);
}

int mf_terminal_restore(const struct mf_terminal *terminal)
{
    return set_modes(terminal->descriptor, &terminal->modes);
}

bool mf_terminal_in_foreground(int descriptor)
{
    return tcgetpgrp(descriptor) == getpgrp();
}

int mf_terminal_copy_modes(int from, int to, bool output_raw)
{
    struct termios modes;
    if (tcgetattr(from, &modes) != 0) {
        return -errno;
    }
    if (output_raw) {
        modes.c_oflag &= ~(tcflag_t)OPOST;
    }
    return set_modes(to, &modes);
}

int mf_terminal_set_output_processing(int master, bool on)
{
    struct termios modes;
    if (tcgetattr(master, &modes) != 0) {
        return -errno;
    }
    const tcflag_t flags = on ? modes.c_oflag | OPOST : modes.c_oflag & ~(tcflag_t)OPOST;
    if (flags == modes.c_oflag) {
        return 0;
    }
    modes.c_oflag = flags;
    return tcsetattr(master, TCSANOW, &modes) != 0 ? -errno : 0;
}

int mf_terminal_copy_size(int from, int to)
{
    struct winsize size;
    if (ioctl(from, TIOCGWINSZ, &size) != 0 || ioctl(to, TIOCSWINSZ, &size) != 0) {
        return -errno;
    }
    return 0;
}
