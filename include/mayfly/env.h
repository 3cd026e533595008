/* SPDX-License-Identifier: Apache-2.0
 *
 * env.h -- what a module takes from outside, given at open. NULL for the whole, or for a member,
 * means the process's default (real files, real clock, nobody observing).
 */
#ifndef MAYFLY_ENV_H
#define MAYFLY_ENV_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mf_fs; /* a file system: the real one, or the simulated disk of the tests */

/* Times are nanoseconds; wall time counts from 1970-01-01T00:00:00Z, without leap seconds. */
struct mf_clock {
    int64_t (*wall_ns)(void *context);      /* may step */
    int64_t (*monotonic_ns)(void *context); /* never goes back; its origin is arbitrary */
    void *context;
};

/* Measurements of a module by itself, flowing upwards. Any member may be NULL. Called from the
 * thread that did the work; must not call back into the module. */
struct mf_observer {
    void (*count)(void *context, const char *name, uint64_t increment);
    void (*duration)(void *context, const char *name, uint64_t duration_ns);
    void *context;
};

struct mf_env {
    const struct mf_fs *fs;
    const struct mf_clock *clock;
    const struct mf_observer *observer;
};

#ifdef __cplusplus
}
#endif
#endif
