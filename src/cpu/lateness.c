/* SPDX-License-Identifier: Apache-2.0
 * lateness.c -- see lateness.h. */
#include "lateness.h"

#include <math.h>

#define STEP_BITS 4
#define STEPS     (1u << STEP_BITS)

static uint32_t bucket_of(int64_t ns)
{
    if (ns < STEPS) {
        return (uint32_t)(ns < 0 ? 0 : ns);
    }
    const uint32_t power = 63u - (uint32_t)__builtin_clzll((uint64_t)ns);
    const uint32_t step = (uint32_t)((uint64_t)ns >> (power - STEP_BITS)) & (STEPS - 1);
    const uint32_t bucket = (power - STEP_BITS + 1) * STEPS + step;
    return bucket < LATENESS_BUCKETS ? bucket : LATENESS_BUCKETS - 1;
}

static int64_t highest_of(uint32_t bucket)
{
    if (bucket < STEPS) {
        return bucket;
    }
    const uint32_t power = bucket / STEPS + STEP_BITS - 1;
    return (INT64_C(1) << power) + ((int64_t)(bucket % STEPS + 1) << (power - STEP_BITS)) - 1;
}

void mf__lateness_add(struct lateness *lateness, int64_t ns)
{
    atomic_fetch_add_explicit(&lateness->buckets[bucket_of(ns)], 1, memory_order_relaxed);
    int64_t max_ns = atomic_load_explicit(&lateness->max_ns, memory_order_relaxed);
    while (ns > max_ns &&
           !atomic_compare_exchange_weak_explicit(&lateness->max_ns, &max_ns, ns,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
    atomic_fetch_add_explicit(&lateness->count, 1, memory_order_relaxed);
}

int64_t mf__lateness_quantile(const struct lateness *lateness, double fraction)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < LATENESS_BUCKETS; i++) {
        count += atomic_load_explicit(&lateness->buckets[i], memory_order_relaxed);
    }
    const uint64_t rank = (uint64_t)ceil(fraction * (double)count);
    const int64_t max_ns = atomic_load_explicit(&lateness->max_ns, memory_order_relaxed);
    uint64_t below = 0;
    for (uint32_t i = 0; i < LATENESS_BUCKETS && count > 0; i++) {
        below += atomic_load_explicit(&lateness->buckets[i], memory_order_relaxed);
        if (below >= rank) {
            const int64_t ns = highest_of(i);
            return ns < max_ns ? ns : max_ns;
        }
    }
    return count > 0 ? max_ns : 0;
}
