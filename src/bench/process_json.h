/* SPDX-License-Identifier: Apache-2.0
 *
 * process_json.h -- one measured process as JSON, on the way from child to parent and in stored
 * samples:
 *
 *   {"index": 0, "binary": "A", "mode": "linear", "paired": false, "timer_cost_ns": 20.0,
 *    "samples": {"iterations": [10, 20], "times_ns": [52.0, 101.5]},
 *    "latency": {"count": 2, "min_ns": 4, "max_ns": 6, "sum_ns": 10.0, "buckets": [4, 1, 6, 1]},
 *    "service": {...}, "resources": {"allocations_per_op": 0.0}, "counters": {"fsyncs": 1.0},
 *    "steal_fraction": 0.0, "load_average": 0.4}
 *
 * Buckets are pairs of an index of fmt/hdr.h and a count.
 */
#ifndef BENCH_PROCESS_JSON_H
#define BENCH_PROCESS_JSON_H

#include "model.h"

#include "fmt/json_read.h"
#include "fmt/json_write.h"

void mf__process_json_write(struct mf_json *json, const struct bench_process *process);
/* *ret_process is freed with mf__process_free(). Everything is checked: counts add up, times are
 * positive and finite, names fit. */
int mf__process_json_read(struct mf_json_node object, struct bench_process *ret_process,
                          struct mf_errinfo *err);

void mf__hdr_json_write(struct mf_json *json, const struct mf_hdr *hdr);
/* *ret_hdr is freed with mf_free(). */
int mf__hdr_json_read(struct mf_json_node object, struct mf_hdr **ret_hdr, struct mf_errinfo *err);

void mf__named_json_write(struct mf_json *json, const struct bench_named *named, size_t count);
int mf__named_json_read(struct mf_json_node object, size_t max, struct bench_named *ret_named,
                        size_t *ret_count, struct mf_errinfo *err);

/* "auto", "linear", "flat", "latency". */
const char *mf__mode_name(enum mf_bench_mode mode);
int mf__mode_parse(const char *name, enum mf_bench_mode *ret_mode, struct mf_errinfo *err);

#endif
