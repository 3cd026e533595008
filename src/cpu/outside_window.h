/* SPDX-License-Identifier: Apache-2.0
 * outside_window.h -- a sliding window over a counter of CPU time that is read now and then. No
 * system calls. */
#ifndef CPU_OUTSIDE_WINDOW_H
#define CPU_OUTSIDE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define MF_WINDOW_POINTS 40

struct mf_window_point {
    int64_t t_ns;     /* not later than the counter was read */
    int64_t until_ns; /* and not earlier */
    uint64_t cpu_ns;
    uint64_t stale_ns; /* at most so much had been used by then beyond cpu_ns */
};

struct mf_window {
    int64_t limit_ns;
    int64_t within_ns;
    unsigned first, count;
    struct mf_window_point points[MF_WINDOW_POINTS]; /* a ring */
};

struct mf_window_verdict {
    bool exceeded;    /* proven */
    uint64_t cpu_ns;  /* used, at least ... */
    int64_t wall_ns;  /* ... within this time, not longer than the window */
    uint64_t seen_ns; /* booked since the last reading before the window that ends now */
    uint64_t most_ns; /* at most in that window */
};

void mf__outside_window_open(struct mf_window *window, int64_t limit_ns, int64_t within_ns,
                             int64_t t_ns, uint64_t cpu_ns, uint64_t stale_ns);
/* The counter was cpu_ns at some moment from `from_ns` to `until_ns`, or up to stale_ns more.
 * `parallel`: how many processors can have added to it at a time. */
void mf__outside_window_add(struct mf_window *window, int64_t from_ns, int64_t until_ns,
                            uint64_t cpu_ns, unsigned parallel, uint64_t stale_ns,
                            struct mf_window_verdict *ret_verdict);
/* cpu_ns more became known late: it was used after earliest_ns, perhaps before readings that do not
 * have it. */
void mf__outside_window_correct(struct mf_window *window, int64_t earliest_ns, uint64_t cpu_ns);
/* When to look next: before that the limit cannot be exceeded. At least eight times in a window, so
 * that it is known well enough when something was used; four times where little was. */
int64_t mf__window_due_ns(const struct mf_window *window, const struct mf_window_verdict *verdict,
                          int64_t t_ns, unsigned parallel);

#endif
