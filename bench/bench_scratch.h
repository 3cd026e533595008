/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_scratch.h -- what the suites share: a directory of a benchmark's own, and failures with the
 * reason that the library gave. */
#ifndef BENCH_SCRATCH_H
#define BENCH_SCRATCH_H

#include <mayfly/bench.h>
#include <mayfly/error.h>
#include <stdbool.h>
#include <stdint.h>

#define BENCH_PATH_LEN 512

/* Of one measured process; below TMPDIR, or /tmp. */
struct bench_scratch {
    char directory[256];
};

/* False after mf_bench_fail(): the benchmark returns. */
bool bench_scratch_begin(struct mf_bench *bench, struct bench_scratch *scratch);
/* A path in the directory; the text is `out`, of BENCH_PATH_LEN bytes. */
const char *bench_scratch_path(const struct bench_scratch *scratch, const char *name, char *out);
/* Removes the directory with all that is in it. Also after a begin that failed. */
void bench_scratch_end(struct bench_scratch *scratch);

/* True when `rc` is not negative; else the benchmark fails with the message of `err` (or of `rc`,
 * when that is NULL). */
bool bench_ok(struct mf_bench *bench, int rc, const struct mf_errinfo *err, const char *what);
int64_t bench_now_ns(void);

#endif
