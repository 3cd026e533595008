/* SPDX-License-Identifier: Apache-2.0
 *
 * filter.h -- which benchmarks are meant. In names and patterns "::" and "/" are the same. A
 * pattern with * ? or [ must match the whole name (* goes over slashes); any other is looked for
 * inside of it, or must be equal to it when `exact` is set.
 */
#ifndef BENCH_FILTER_H
#define BENCH_FILTER_H

#include <stdbool.h>
#include <stddef.h>

struct bench_filter {
    const char *const *patterns; /* none: everything */
    size_t pattern_count;
    const char *const *skips;
    size_t skip_count;
    bool exact;
};

bool mf__pattern_matches(const char *pattern, const char *name, bool exact);
bool mf__filter_matches(const struct bench_filter *filter, const char *name);

#endif
