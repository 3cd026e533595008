/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_profiler.h -- profilers that run inside the measured process. The runner asks the child for
 * one by name; it is switched on for the timed part only, and writes what it has found to a file
 * after that.
 */
#ifndef BENCH_PROFILER_H
#define BENCH_PROFILER_H

#include "base/buffer.h"

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_profiler {
    const char *name;
    int (*prepare)(struct mf_errinfo *err); /* before the benchmark begins; 0, or why it cannot */
    void (*begin)(void);
    void (*end)(void);
    int (*write)(const char *path, struct mf_errinfo *err);
};

/* All of them; ends with NULL. */
extern const struct bench_profiler *const mf__profilers[];
extern const struct bench_profiler mf__profiler_cpu;     /* folded stacks, of samples */
extern const struct bench_profiler mf__profiler_alloc;   /* folded stacks, of bytes; and "PATH.txt",
                                                            a table of the places */
extern const struct bench_profiler mf__profiler_perfctr; /* lines "NAME VALUE SHARE" */

/* A benchmark is called by this function and no other, so that stacks can be cut there. */
#define BENCH_SUBJECT "mf__bench_subject"

/* Appends a stack in folded form, outermost first, without what lies outside of the benchmark; and
 * a blank and a count. `names` are innermost first. False, and nothing: it is not of a benchmark.
 */
bool mf__fold_stack(struct mf_buffer *out, const char *const *names, size_t depth, uint64_t count);
/* Writes folded stacks to a file, those that are equal added up. */
int mf__fold_save(const char *path, const struct mf_buffer *folded, struct mf_errinfo *err);

#endif
