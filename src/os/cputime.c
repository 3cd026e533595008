/* SPDX-License-Identifier: Apache-2.0
 * cputime.c -- see cputime.h. */
#include "os/cputime.h"

#include "base/fail.h"
#include "os/clock.h"
#include "os/proc.h"
#include "os/refusal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The kernel's encoding of a thread's CPU clock (linux/posix-timers_types.h): the complement of the
 * id, then bit 2 for "one thread" and 2 for the scheduler's exact count. pthread_getcpuclockid(3)
 * makes the same from a pthread_t, which one has not of every thread. */
#define TID_MAX ((1 << 22) - 1) /* PID_MAX_LIMIT; three bits fewer than an int are left for it */

static clockid_t clock_of(int32_t tid)
{
    return (clockid_t)(~(uint32_t)tid << 3 | 4u | 2u);
}

int mf_cputime_of(int32_t tid, int64_t *ret_ns)
{
    struct timespec now;
    const int refused = mf__refused("clock_gettime");
    if (refused != 0 || tid < 0 || tid > TID_MAX) {
        return refused != 0 ? refused : -ESRCH;
    }
    const int saved = errno;
    if (clock_gettime(tid == 0 ? CLOCK_THREAD_CPUTIME_ID : clock_of(tid), &now) != 0) {
        int error = errno;
        /* EINVAL says "no such thread here" and "no such clock"; this tells which. */
        if (error == EINVAL && tid != 0 && tgkill(getpid(), tid, 0) != 0 && errno == ESRCH) {
            error = ESRCH;
        }
        errno = saved;
        return -error;
    }
    *ret_ns = (int64_t)now.tv_sec * MF_NS_PER_SECOND + now.tv_nsec;
    return 0;
}

int mf_tsc_usable(struct mf_errinfo *err)
{
#if defined(__x86_64__)
    static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    char text[32];
    size_t len = 0;
    int rc = mf__refused("clocksource");
    rc = rc == 0 ? mf_proc_read_text(path, text, sizeof text, &len) : rc;
    if (rc != 0) {
        return mf_fail(err, MF_EUNSUPPORTED,
                       "%s: %s; without it the time-stamp counter is not trusted", path,
                       mf_strerror(rc));
    }
    text[strcspn(text, "\n")] = '\0';
    if (strcmp(text, "tsc") != 0) {
        return mf_fail(err, MF_EUNSUPPORTED, "the kernel's clock source is %s, not tsc", text);
    }
    return 0;
#else
    return mf_fail(err, MF_EUNSUPPORTED, "no time-stamp counter is known for this processor");
#endif
}

/* Both clocks at one moment; *ret_bracket_ns is how wide that moment was. */
static int64_t read_both(uint64_t *ret_ticks, int64_t *ret_bracket_ns)
{
    int64_t best_ns = 0;
    *ret_bracket_ns = INT64_MAX;
    for (int i = 0; i < 32; i++) {
        const int64_t before_ns = mf_clock_monotonic_ns(NULL);
        const uint64_t ticks = mf_tsc_read();
        const int64_t after_ns = mf_clock_monotonic_ns(NULL);
        if (after_ns - before_ns < *ret_bracket_ns) {
            *ret_bracket_ns = after_ns - before_ns;
            *ret_ticks = ticks;
            best_ns = before_ns + (after_ns - before_ns) / 2;
        }
    }
    return best_ns;
}

int mf_tsc_calibrate(int64_t length_ns, double *ret_ticks_per_ns, double *ret_error,
                     struct mf_errinfo *err)
{
    uint64_t first = 0;
    uint64_t last = 0;
    int64_t first_bracket_ns;
    int64_t last_bracket_ns;
    const int64_t first_ns = read_both(&first, &first_bracket_ns);
    while (mf_clock_sleep_until_ns(first_ns + length_ns) == -EINTR) {
    }
    const int64_t last_ns = read_both(&last, &last_bracket_ns);
    const double error =
        (double)(first_bracket_ns + last_bracket_ns) / 2.0 / (double)(last_ns - first_ns);
    if (last <= first || error > 5e-4) {
        return mf_fail(err, MF_EUNSUPPORTED,
                       "the time-stamp counter could not be compared with the clock closely enough "
                       "(%.2g of %.2g)",
                       error, 5e-4);
    }
    *ret_ticks_per_ns = (double)(last - first) / (double)(last_ns - first_ns);
    *ret_error = error;
    return 0;
}
