/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_profiler.h -- profilers that run inside the measured process (`--profile cpu`). The runner
 * asks the child for one by name; it is switched on for the timed part only, and writes what it has
 * found to a file after that.
 */
#ifndef BENCH_PROFILER_H
#define BENCH_PROFILER_H

#include <mayfly/error.h>

struct bench_profiler {
    const char *name;
    int (*prepare)(struct mf_errinfo *err); /* before the benchmark begins; 0, or why it cannot */
    void (*begin)(void);
    void (*end)(void);
    int (*write)(const char *path, struct mf_errinfo *err);
};

/* All of them; ends with NULL. */
extern const struct bench_profiler *const mf__profilers[];

#endif
