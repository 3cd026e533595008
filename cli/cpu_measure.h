/* SPDX-License-Identifier: Apache-2.0
 * cpu_measure.h -- what `mayfly cpu doctor` and `mayfly cpu bench` measure alike. */
#ifndef CLI_CPU_MEASURE_H
#define CLI_CPU_MEASURE_H

#include "cpu/bursts.h"

/* Opens the accounting, runs one case, tells how it went, closes. */
int cpu_measure(const struct mf_cpu_config *config, const struct mf_burst_case *burst,
                struct mf_burst_result *ret_result, struct mf_cpu_status *ret_status,
                struct mf_errinfo *err);

#endif
