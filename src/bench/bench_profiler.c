/* SPDX-License-Identifier: Apache-2.0
 * bench_profiler.c -- the table of profilers, and folded stacks; see bench_profiler.h. */
#include "bench_profiler.h"
#include "flame.h"

#include "base/fail.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct bench_profiler *const mf__profilers[] = {
    &mf__profiler_cpu,
    &mf__profiler_alloc,
    &mf__profiler_perfctr,
    NULL,
};

bool mf__fold_stack(struct mf_buffer *out, const char *const *names, size_t depth, uint64_t count)
{
    size_t top = depth;
    for (size_t i = 0; i < depth && top == depth; i++) {
        top = strcmp(names[i], BENCH_SUBJECT) == 0 ? i : depth;
    }
    if (top == depth || top == 0) {
        return false;
    }
    for (size_t i = top; i > 0; i--) {
        mf_buffer_puts(out, i < top ? ";" : "");
        mf__folded_name(out, names[i - 1]);
    }
    mf_buffer_printf(out, " %llu\n", (unsigned long long)count);
    return true;
}

int mf__fold_save(const char *path, const struct mf_buffer *folded, struct mf_errinfo *err)
{
    struct flame flame;
    struct mf_buffer text = MF_BUFFER_INIT;
    int rc = folded->failed ? mf_fail_os(err, -ENOMEM, "cannot write %s", path)
                            : mf__flame_read(folded->data != NULL ? folded->data : "", folded->len,
                                             &flame, err);
    if (rc < 0) {
        return rc;
    }
    mf__flame_write(&flame, &text);
    rc = text.failed ? mf_fail_os(err, -ENOMEM, "cannot write %s", path)
                     : mf_fs_replace(NULL, path, text.data != NULL ? text.data : "", text.len, err);
    mf_buffer_free(&text);
    mf__flame_free(&flame);
    return rc;
}
