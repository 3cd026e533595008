/* SPDX-License-Identifier: Apache-2.0
 * rng.c -- see rng.h. */
#include "base/rng.h"

static uint64_t rotate_left(uint64_t v, int bits)
{
    return (v << bits) | (v >> (64 - bits));
}

void mf_rng_seed(struct mf_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) { /* splitmix64 */
        seed += 0x9E3779B97F4A7C15u;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        rng->s[i] = z ^ (z >> 31);
    }
}

uint64_t mf_rng_next(struct mf_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t mf_rng_below(struct mf_rng *rng, uint64_t bound)
{
    __extension__ typedef unsigned __int128 u128;
    u128 product = (u128)mf_rng_next(rng) * bound;
    uint64_t low = (uint64_t)product;
    if (low < bound) {
        uint64_t threshold = -bound % bound;
        while (low < threshold) {
            product = (u128)mf_rng_next(rng) * bound;
            low = (uint64_t)product;
        }
    }
    return (uint64_t)(product >> 64);
}

double mf_rng_double(struct mf_rng *rng)
{
    return (double)(mf_rng_next(rng) >> 11) * 0x1.0p-53;
}
