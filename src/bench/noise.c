/* SPDX-License-Identifier: Apache-2.0
 *
 * noise.c -- the benchmark by which `doctor` knows the noise of a machine: it is in every program
 * of the laboratory, and in none of its lists. What it does is what programs do: arithmetic, walks
 * through memory that fits into a cache of the second level, branches that cannot be foreseen.
 */
#include "registry.h"

#include "base/hash.h"
#include "base/rng.h"

#define NODES 16384 /* of 8 bytes */

static void measure_noise(struct mf_bench *bench)
{
    static uint32_t next[NODES];
    static unsigned char text[1024];
    struct mf_rng rng;
    mf_rng_seed(&rng, mf_bench_seed(bench));
    for (uint32_t i = 0; i < NODES; i++) {
        next[i] = i;
        text[i % sizeof text] = (unsigned char)mf_rng_next(&rng);
    }
    for (uint32_t i = NODES - 1; i > 0; i--) { /* one cycle through all (Sattolo) */
        const uint32_t at = (uint32_t)mf_rng_below(&rng, i);
        const uint32_t swap = next[i];
        next[i] = next[at];
        next[at] = swap;
    }
    uint32_t at = 0;
    uint64_t sum = 0;
    MF_LOOP(bench)
    {
        for (int i = 0; i < 64; i++) {
            at = next[at];
            sum += (at & 4) != 0 ? at : 1;
        }
        sum += mf_hash64(text, sizeof text);
        text[at % sizeof text] ^= 1;
        mf_keep(sum);
    }
}

const struct bench_entry mf__noise_entry = {
    .suite = "mayfly",
    .name = "noise",
    .function = measure_noise,
};
