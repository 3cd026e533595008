/* SPDX-License-Identifier: Apache-2.0
 *
 * store_baseline.h -- results on disk.
 *
 *   <target-dir>/<slug>-<hash8>/<baseline>/benchmark.json   the whole result with its samples: a
 * run (run_json.h) of one benchmark; the only file that is read /estimates.json   mean, median,
 * median_abs_dev, slope, std_dev /sample.json      sampling_mode, iters, times /tukey.json the four
 * fences <target-dir>/noise-floor.json          what `doctor` has found on this machine
 *
 * The last three of a benchmark are those of Criterion, for tools that know them. <slug> is the
 * name with everything unusual replaced by '_'; <hash8> is made from the whole name, so that no two
 * names meet
 * ("a/b", "a_b", or long ones). The baseline "new" is always the last run. Each file is replaced in
 * one step.
 */
#ifndef BENCH_STORE_BASELINE_H
#define BENCH_STORE_BASELINE_H

#include "filter.h"
#include "model.h"

#include "base/buffer.h"

#define BENCH_BASELINE_LATEST "new"

/* 0, or MF_EVALUE: a name of up to 64 letters, digits, '.', '_', '-' that does not begin with a
 * dot, and is none of those that the directory needs for itself. */
int mf__baseline_check_name(const char *name, struct mf_errinfo *err);

/* The directory of a benchmark below the target directory; NULL: out of memory. For mf_free(). */
char *mf__baseline_directory(const char *target_dir, const char *benchmark);

/* Stores every result that was measured. */
int mf__baseline_save(const char *target_dir, const char *baseline, const struct bench_run *run,
                      struct mf_errinfo *err);

/* What is stored under that name of the benchmarks that match: one run; *ret_run is freed with
 * mf__bench_run_free(). An empty run is no error. */
int mf__baseline_load(const char *target_dir, const char *baseline,
                      const struct bench_filter *filter, struct bench_run *ret_run,
                      struct mf_errinfo *err);

/* A run from a file: a JSON document of --output-format json, or a line of the history. */
int mf__run_load(const char *path, struct bench_run *ret_run, struct mf_errinfo *err);

/* The noise floor of this machine, as a fraction; for the environment of that fingerprint. Loading:
 * 1 and *ret_fraction, 0 when none was stored or for another environment, or an error. */
int mf__noise_floor_save(const char *target_dir, const char *fingerprint, double fraction,
                         struct mf_errinfo *err);
int mf__noise_floor_load(const char *target_dir, const char *fingerprint, double *ret_fraction,
                         struct mf_errinfo *err);

/* --- the history: results/<commit>.json, a line for each run, only ever added to */

int mf__history_append(const char *results_dir, const struct bench_run *run,
                       struct mf_errinfo *err);
/* All lines of all files, by the time at which they began; a line that was cut off by a crash is
 * left out. *ret_runs is freed with mf__history_free(). */
int mf__history_load(const char *results_dir, struct bench_run **ret_runs, size_t *ret_count,
                     struct mf_errinfo *err);
void mf__history_free(struct bench_run *runs, size_t count);

#endif
