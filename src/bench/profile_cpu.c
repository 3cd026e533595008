/* SPDX-License-Identifier: Apache-2.0
 * profile_cpu.c -- `--profile cpu` without perf: this process samples itself (os/stacks.h). */
#include "bench_profiler.h"
#include "function_names.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/stacks.h"

#include <stdio.h>

#define SAMPLES_MAX 100000
#define PERIOD_NS   1000000 /* the kernel makes a tick of it where it cannot do better */
#define NAME_LEN    256

static int prepare(struct mf_errinfo *err)
{
    return mf_sampler_open(SAMPLES_MAX, err);
}

static void begin(void)
{
    (void)mf_sampler_start(PERIOD_NS);
}

static void end(void)
{
    mf_sampler_stop();
}

static void fold(const struct symbols *symbols, struct mf_buffer *out)
{
    static char text[MF_STACK_MAX][NAME_LEN];
    const char *names[MF_STACK_MAX];
    for (size_t i = 0; i < mf_sampler_count(); i++) {
        const uintptr_t *addresses;
        const size_t depth = mf_sampler_stack(i, &addresses);
        for (size_t k = 0; k < depth; k++) {
            mf__symbol_name(symbols, addresses[k], text[k], sizeof text[k]);
            names[k] = text[k];
        }
        (void)mf__fold_stack(out, names, depth, 1);
    }
}

static int write_samples(const char *path, struct mf_errinfo *err)
{
    struct symbols symbols;
    struct mf_buffer out = MF_BUFFER_INIT;
    int rc = mf__symbols_load(&symbols, err);
    if (rc == 0) {
        fold(&symbols, &out);
        rc = mf__fold_save(path, &out, err);
        mf__symbols_free(&symbols);
    }
    mf_buffer_free(&out);
    mf_sampler_close();
    return rc;
}

const struct bench_profiler mf__profiler_cpu = {"cpu", prepare, begin, end, write_samples};
