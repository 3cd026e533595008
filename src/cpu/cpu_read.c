/* SPDX-License-Identifier: Apache-2.0
 * cpu_read.c -- the CPU time of any thread, and the names of the tiers. */
#include "os/cputime.h"

#include <mayfly/cpu.h>

int mf_cpu_read(int32_t tid, int64_t *ret_cpu_ns)
{
    return mf_cputime_of(tid, ret_cpu_ns);
}

const char *mf_cpu_tier_name(enum mf_cpu_tier tier)
{
    static const char *const names[] = {
#define X(name, word, text) word,
        MF_CPU_TIER_MAP(X)
#undef X
    };
    return (unsigned)tier < MF_CPU_TIERS ? names[tier] : "unknown";
}

const char *mf_cpu_tier_text(enum mf_cpu_tier tier)
{
    static const char *const texts[] = {
#define X(name, word, text) text,
        MF_CPU_TIER_MAP(X)
#undef X
    };
    return (unsigned)tier < MF_CPU_TIERS ? texts[tier] : "unknown";
}
