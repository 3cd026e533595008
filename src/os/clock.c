/* SPDX-License-Identifier: Apache-2.0
 * clock.c -- see clock.h. */
#include "os/clock.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * MF_NS_PER_SECOND + now.tv_nsec;
}

static int64_t real_wall_ns(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME);
}

static int64_t real_monotonic_ns(void *context)
{
    (void)context;
    return read_clock(CLOCK_MONOTONIC);
}

static const struct mf_clock real_clock = {real_wall_ns, real_monotonic_ns, NULL};

const struct mf_clock *mf_clock_real(void)
{
    return &real_clock;
}

int64_t mf_clock_wall_ns(const struct mf_clock *clock)
{
    return clock != NULL ? clock->wall_ns(clock->context) : real_wall_ns(NULL);
}

int64_t mf_clock_monotonic_ns(const struct mf_clock *clock)
{
    return clock != NULL ? clock->monotonic_ns(clock->context) : real_monotonic_ns(NULL);
}

int64_t mf_clock_coarse_ns(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t mf_clock_tick_ns(void)
{
    struct timespec tick;
    return clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0
               ? (int64_t)tick.tv_sec * MF_NS_PER_SECOND + tick.tv_nsec
               : 10 * MF_NS_PER_MS;
}

int mf_clock_sleep_until_ns(int64_t monotonic_ns)
{
    if (monotonic_ns <= real_monotonic_ns(NULL)) {
        return 0;
    }
    struct timespec until = {.tv_sec = monotonic_ns / MF_NS_PER_SECOND,
                             .tv_nsec = monotonic_ns % MF_NS_PER_SECOND};
    return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

int32_t mf_clock_local_offset_s(int64_t wall_ns)
{
    const time_t seconds = wall_ns / MF_NS_PER_SECOND - (wall_ns % MF_NS_PER_SECOND < 0);
    struct tm local;
    tzset(); /* localtime_r() need not look at TZ */
    return localtime_r(&seconds, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
}
