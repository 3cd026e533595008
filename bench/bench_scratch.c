/* SPDX-License-Identifier: Apache-2.0
 * bench_scratch.c -- see bench_scratch.h. */
#include "bench_scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool bench_scratch_begin(struct mf_bench *bench, struct bench_scratch *scratch)
{
    const char *parent = getenv("TMPDIR");
    parent = parent != NULL && parent[0] != '\0' ? parent : "/tmp";
    const int len =
        snprintf(scratch->directory, sizeof scratch->directory, "%s/mayfly-bench-XXXXXX", parent);
    if (len < 0 || (size_t)len >= sizeof scratch->directory ||
        mkdtemp(scratch->directory) == NULL) {
        scratch->directory[0] = '\0';
        mf_bench_fail(bench, "cannot make a directory below %.100s: %s", parent, strerror(errno));
        return false;
    }
    return true;
}

const char *bench_scratch_path(const struct bench_scratch *scratch, const char *name, char *out)
{
    snprintf(out, BENCH_PATH_LEN, "%s/%s", scratch->directory, name);
    return out;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

void bench_scratch_end(struct bench_scratch *scratch)
{
    if (scratch->directory[0] != '\0') {
        (void)nftw(scratch->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        scratch->directory[0] = '\0';
    }
}

bool bench_ok(struct mf_bench *bench, int rc, const struct mf_errinfo *err, const char *what)
{
    if (rc < 0) {
        mf_bench_fail(bench, "%s: %s", what, err != NULL ? err->msg : mf_strerror(rc));
    }
    return rc >= 0;
}

int64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
