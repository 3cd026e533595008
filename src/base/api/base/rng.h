/* SPDX-License-Identifier: Apache-2.0
 * rng.h -- xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64: repeatable from a
 * printed seed. Not for secrets. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct mf_rng {
    uint64_t s[4];
};

void mf_rng_seed(struct mf_rng *rng, uint64_t seed);
uint64_t mf_rng_next(struct mf_rng *rng);
/* Uniform in [0, bound); bound > 0. Without modulo bias (Lemire, 2019). */
uint64_t mf_rng_below(struct mf_rng *rng, uint64_t bound);
/* Uniform in [0, 1), 53 bits. */
double mf_rng_double(struct mf_rng *rng);

#endif
