/* SPDX-License-Identifier: Apache-2.0
 * timer.c -- what the clock itself costs. */
#include "measure.h"
#include "statistics.h"

#include "os/clock.h"

#define TIMER_READINGS 1001

static double timer_distances(double fraction)
{
    double distances[TIMER_READINGS];
    size_t count = 0;
    for (size_t i = 0; i < TIMER_READINGS; i++) {
        const int64_t a = mf_clock_monotonic_ns(NULL);
        const int64_t b = mf_clock_monotonic_ns(NULL);
        if (b > a || fraction > 0) {
            distances[count++] = (double)(b - a);
        }
    }
    if (count == 0) {
        return 1;
    }
    mf__sort_doubles(distances, count);
    return mf__quantile_sorted(distances, count, fraction);
}

double mf__timer_cost_ns(void)
{
    return timer_distances(0.5);
}

double mf__timer_step_ns(void)
{
    return timer_distances(0);
}
