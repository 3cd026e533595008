/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.h -- the benchmarks that this program has registered, and their names.
 */
#ifndef BENCH_REGISTRY_H
#define BENCH_REGISTRY_H

#include "base/buffer.h"

#include <mayfly/bench.h>

#define BENCH_NAME_LEN 256 /* of a full name, with its NUL; longer ones are refused, never cut */

struct bench_entry {
    const char *suite;
    const char *name;
    struct mf_bench_options options;
    mf_bench_function function;
};

extern const struct bench_entry mf__noise_entry; /* of `doctor`; found by its name, never listed */

size_t mf__registry_count(void);
const struct bench_entry *mf__registry_at(size_t index);
/* The entry of a base name, "suite::group/name"; NULL when there is none. */
const struct bench_entry *mf__registry_find(const char *base_name);

/* 0, or an error that names the first entry with an unusable or repeated name or option. */
int mf__registry_check(struct mf_errinfo *err);

/* "suite::group/name", without a group "suite::name". Returns the length that is needed without
 * NUL. */
size_t mf__base_name(const struct bench_entry *entry, char *out, size_t capacity);

#endif
