/* SPDX-License-Identifier: Apache-2.0
 *
 * outside_window.c -- see outside_window.h.
 *
 * The counter is known at some moments only, and of a thread that runs it is what the scheduler
 * booked last: what may be missing is taken off. What was used since a reading inside the
 * window was used within the window: that is proof. Of what was used since a reading before the
 * window began, the part before it can be no more than that time (times the processors that can
 * have worked on it): the rest is proof, too. So a limit is never said to be exceeded when it was
 * not. Only the last reading before the window needs to be asked, for each step further back adds
 * at least as much time as CPU time.
 *
 * So an excess is seen for sure when it is larger than what can be used between two readings.
 *
 * The other way round, what was used since the last reading before the window is the most that the
 * window can hold; and since CPU time is never more than wall time, the limit cannot be exceeded
 * before the rest of it could have been used. So a thread far from its budget need not be looked
 * at often: the nearer it comes the closer it is watched, and only as many threads as there are
 * processors can be near.
 *
 * Readings that lie closer than 1/32 of the window are merged: the ring always reaches over it.
 */
#include "outside_window.h"

#include "base/fail.h"

#define SPACING    32
#define LOOKS_CALM 4 /* in a window, of what has used less than a quarter of the limit in it */
#define LOOKS      8

static struct mf_window_point *point(struct mf_window *window, unsigned index)
{
    return &window->points[(window->first + index) % MF_WINDOW_POINTS];
}

void mf__outside_window_open(struct mf_window *window, int64_t limit_ns, int64_t within_ns,
                             int64_t t_ns, uint64_t cpu_ns, uint64_t stale_ns)
{
    window->limit_ns = limit_ns;
    window->within_ns = within_ns;
    window->first = 0;
    window->count = 1;
    window->points[0] = (struct mf_window_point){t_ns, t_ns, cpu_ns, stale_ns};
}

static void prove(struct mf_window_verdict *verdict, uint64_t cpu_ns, int64_t wall_ns)
{
    if (cpu_ns > verdict->cpu_ns) {
        verdict->cpu_ns = cpu_ns;
        verdict->wall_ns = wall_ns;
    }
}

static uint64_t less(uint64_t whole, uint64_t part)
{
    return whole > part ? whole - part : 0;
}

static void judge(struct mf_window *window, int64_t until_ns, uint64_t cpu_ns, unsigned parallel,
                  uint64_t stale_ns, struct mf_window_verdict *verdict)
{
    const int64_t begin_ns = until_ns - window->within_ns;
    unsigned inside = 0; /* the first reading within the window */
    while (inside < window->count && point(window, inside)->t_ns < begin_ns) {
        inside++;
    }
    if (inside < window->count) {
        const struct mf_window_point *p = point(window, inside);
        const uint64_t used_ns = less(cpu_ns, p->cpu_ns);
        verdict->seen_ns = used_ns;
        verdict->most_ns = used_ns + (uint64_t)(p->until_ns - p->t_ns) * parallel;
        prove(verdict, less(used_ns, p->stale_ns), until_ns - p->t_ns);
    }
    if (inside > 0) {
        const struct mf_window_point *p = point(window, inside - 1);
        const uint64_t used_ns = less(cpu_ns, p->cpu_ns);
        const uint64_t before_ns = (uint64_t)(begin_ns - p->t_ns) * parallel;
        verdict->seen_ns = used_ns;
        verdict->most_ns = used_ns + (uint64_t)(p->until_ns - p->t_ns) * parallel;
        prove(verdict, less(less(used_ns, before_ns), p->stale_ns), window->within_ns);
    }
    verdict->most_ns += stale_ns;
    verdict->exceeded = verdict->cpu_ns > (uint64_t)window->limit_ns;
}

void mf__outside_window_add(struct mf_window *window, int64_t from_ns, int64_t until_ns,
                            uint64_t cpu_ns, unsigned parallel, uint64_t stale_ns,
                            struct mf_window_verdict *ret_verdict)
{
    struct mf_window_verdict verdict = {.exceeded = false};
    judge(window, until_ns, cpu_ns, parallel, stale_ns, &verdict);
    /* What no window from now on needs: all but the last reading before its begin. */
    while (window->count > 1 && point(window, 1)->t_ns <= until_ns - window->within_ns) {
        window->first = (window->first + 1) % MF_WINDOW_POINTS;
        window->count--;
    }
    const bool close = window->count > 1 && point(window, window->count - 1)->t_ns -
                                                    point(window, window->count - 2)->t_ns <
                                                window->within_ns / SPACING;
    if (!close && window->count < MF_WINDOW_POINTS) {
        window->count++;
    }
    *point(window, window->count - 1) =
        (struct mf_window_point){from_ns, until_ns, cpu_ns, stale_ns};
    *ret_verdict = verdict;
}

void mf__outside_window_correct(struct mf_window *window, int64_t earliest_ns, uint64_t cpu_ns)
{
    for (unsigned i = 0; i < window->count; i++) {
        struct mf_window_point *p = point(window, i);
        if (p->t_ns > earliest_ns) {
            p->cpu_ns += cpu_ns;
        }
    }
}

int64_t mf__window_due_ns(const struct mf_window *window, const struct mf_window_verdict *verdict,
                          int64_t t_ns, unsigned parallel)
{
    const uint64_t rest_ns = less((uint64_t)window->limit_ns, verdict->most_ns);
    const int64_t safe_ns = (int64_t)(rest_ns / (parallel > 0 ? parallel : 1));
    const bool calm = verdict->seen_ns < (uint64_t)window->limit_ns / 4;
    const int64_t pause_ns = window->within_ns / (calm ? LOOKS_CALM : LOOKS);
    return t_ns + (safe_ns < pause_ns ? safe_ns : pause_ns);
}
