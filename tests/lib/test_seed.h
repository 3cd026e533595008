/* SPDX-License-Identifier: Apache-2.0
 * test_seed.h -- the seed of a randomised test: MAYFLY_TEST_SEED, or a fresh one; printed, so that
 * a failure can be repeated. */
#ifndef TEST_SEED_H
#define TEST_SEED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static inline uint64_t test_seed(void)
{
    const char *given = getenv("MAYFLY_TEST_SEED");
    uint64_t seed = 0;
    if (given != NULL) {
        seed = strtoull(given, NULL, 0);
    } else if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
        seed = 1;
    }
    printf("MAYFLY_TEST_SEED=0x%llx\n", (unsigned long long)seed);
    return seed;
}

#endif
