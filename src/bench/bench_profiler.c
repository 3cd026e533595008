/* SPDX-License-Identifier: Apache-2.0
 * bench_profiler.c -- the table of profilers. */
#include "bench_profiler.h"

#include <stddef.h>

const struct bench_profiler *const mf__profilers[] = {NULL};
