/* SPDX-License-Identifier: Apache-2.0
 * sync_fails.c -- for LD_PRELOAD: fdatasync() and fsync() work SYNC_FAILS_AFTER times (0 by
 * default), then they fail with EIO, as a disk does that has lost what it was given. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int sync_or_fail(long call, int descriptor)
{
    static long done;
    const char *after = getenv("SYNC_FAILS_AFTER");
    if (done++ >= (after != NULL ? strtol(after, NULL, 10) : 0)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(call, descriptor);
}

__attribute__((visibility("default"))) int fdatasync(int descriptor)
{
    return sync_or_fail(SYS_fdatasync, descriptor);
}

__attribute__((visibility("default"))) int fsync(int descriptor)
{
    return sync_or_fail(SYS_fsync, descriptor);
}
