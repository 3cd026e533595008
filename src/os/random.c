/* SPDX-License-Identifier: Apache-2.0
 * random.c -- see random.h. */
#include "os/random.h"
#include "base/fail.h"

#include <errno.h>
#include <sys/random.h>

int mf_random_bytes(void *bytes, size_t len, struct mf_errinfo *err)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = getrandom((char *)bytes + done, len - done, 0);
        if (n < 0 && errno != EINTR) {
            return mf_fail_os(err, -errno, "cannot get random bytes from the kernel");
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}
