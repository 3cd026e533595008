/* SPDX-License-Identifier: Apache-2.0
 * estimate.h -- from what the processes measured to figures with intervals. */
#ifndef BENCH_ESTIMATE_H
#define BENCH_ESTIMATE_H

#include "model.h"

struct estimate_settings {
    size_t resamples;
    double confidence_level;
    uint64_t seed;
    const double *percentiles;
    size_t percentile_count;
};

/* Fills the estimates of a result from its processes; one without samples is left as it is. */
int mf__estimate(struct bench_result *result, const struct estimate_settings *settings,
                 struct mf_errinfo *err);

/* The time of one iteration as one process has it: of single operations the median, else the median
 * over its samples. NaN without samples. */
double mf__process_median(const struct bench_process *process);

/* Quantiles of a histogram with distribution-free intervals. */
void mf__percentiles(const struct mf_hdr *hdr, const double *percents, size_t count, double level,
                     struct bench_percentile *ret_percentiles);

#endif
