/* SPDX-License-Identifier: Apache-2.0
 * windows.c -- how much CPU time was used within the last stretch of wall time.
 *
 * A ring of moments (stamp, CPU time), at least a sixteenth of the window apart. The stretch from
 * the oldest moment that is not older than the window until now lies inside the window, so what was
 * used in it was used within the window for certain. What was used between the window's begin and
 * that moment is not counted: at most the distance of two moments. */
#include "cpu_private.h"

struct window *mf__window_of(const struct thread *thread, uint64_t serial)
{
    struct window *window = thread->windows;
    while (window != NULL && window->serial != serial) {
        window = window->next;
    }
    return window;
}

void mf__window_begin(struct window *window, uint64_t serial, uint64_t stamp, int64_t cpu_ns)
{
    *window = (struct window){.next = window->next, .serial = serial, .count = 1};
    window->stamps[0] = stamp;
    window->cpu_ns[0] = cpu_ns;
}

int64_t mf__window_add(struct window *window, const struct mf_cpu_budget *budget, uint64_t stamp,
                       int64_t cpu_ns, int64_t *ret_wall_ns)
{
    int64_t used_ns = 0;
    int64_t wall_ns = 0;
    for (uint32_t i = window->count; i-- > 0;) { /* i moments before the newest: the oldest first */
        const uint32_t at = (window->newest + WINDOW_POINTS - i) % WINDOW_POINTS;
        const int64_t age_ns = stamp_ns(stamp - window->stamps[at]);
        if (age_ns <= budget->window_ns) {
            used_ns = cpu_ns - window->cpu_ns[at];
            wall_ns = age_ns;
            break;
        }
    }
    if (stamp_ns(stamp - window->stamps[window->newest]) >= budget->window_ns / WINDOW_POINTS) {
        window->newest = (window->newest + 1) % WINDOW_POINTS;
        window->count += window->count < WINDOW_POINTS;
        window->stamps[window->newest] = stamp;
        window->cpu_ns[window->newest] = cpu_ns;
    }
    *ret_wall_ns = wall_ns;
    return used_ns;
}
