/* SPDX-License-Identifier: Apache-2.0
 *
 * run_json.h -- a run as JSON, the format that others may rely on (docs/bench.md): nanoseconds, the
 * field names of Criterion, `schema_version` raised when a member changes its meaning or goes away.
 *
 *   {"schema_version": 1, "started": "2026-...Z", "commit": "...", "seed": "0x2a", "quick": false,
 *    "interrupted": false, "environment": {"fingerprint": "...", ...}, "benchmarks": [{"name": ...,
 *    "unit": "ns", "estimates": {"median": {"point_estimate": ..., "standard_error": ...,
 *    "confidence_interval": {"confidence_level": ..., "lower_bound": ..., "upper_bound": ...}},
 * ...}, "percentiles": [{"percent": 99.9, "value_ns": ..., "confidence_interval": {...}}, ...],
 * ...}]}
 */
#ifndef BENCH_RUN_JSON_H
#define BENCH_RUN_JSON_H

#include "model.h"

#include "fmt/json_read.h"
#include "fmt/json_write.h"

enum run_json_detail {
    RUN_JSON_SUMMARY, /* estimates and the medians of the processes */
    RUN_JSON_SAMPLES  /* and what each process measured */
};

/* The whole document; `comparisons` (may be NULL) are put beside the benchmarks they are about. */
void mf__run_json_write(struct mf_buffer *out, const struct bench_run *run,
                        const struct bench_comparison *comparisons, size_t comparison_count,
                        enum mf_json_style style, enum run_json_detail detail);
/* One benchmark, an object. */
void mf__result_json_write(struct mf_json *json, const struct bench_result *result,
                           const struct bench_comparison *comparison, enum run_json_detail detail);

#define RUN_JSON_LEN_MAX (256u << 20)

/* Reads what was written, checking types, ranges and that it fits together; `origin` names it in
 * messages. *ret_run is freed with mf__bench_run_free(). */
int mf__run_json_read(const char *text, size_t len, const char *origin, struct bench_run *ret_run,
                      struct mf_errinfo *err);
int mf__result_json_read(struct mf_json_node object, struct bench_result *ret_result,
                         struct mf_errinfo *err);

const char *mf__verdict_name(enum bench_verdict verdict); /* "REGRESSED", ... */

#endif
