/* SPDX-License-Identifier: Apache-2.0
 * bench_fixture.h -- runs made up for tests of the laboratory. */
#ifndef BENCH_FIXTURE_H
#define BENCH_FIXTURE_H

#include "estimate.h"
#include "model.h"

#include "base/heap.h"
#include "base/rng.h"
#include "fmt/hdr.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static inline double fixture_normal(struct mf_rng *rng)
{
    const double u = mf_rng_double(rng);
    const double v = mf_rng_double(rng);
    return sqrt(-2 * log1p(-u)) * cos(6.283185307179586 * v);
}

/* A result of `processes` processes with `samples` samples each, around `median` ns: processes
 * differ by a fraction `between`, their samples by `within`. NULL when memory is out. */
static inline int fixture_result(struct bench_result *result, const char *name, size_t processes,
                                 size_t samples, double median, double between, double within,
                                 bool with_operations, struct mf_rng *rng)
{
    memset(result, 0, sizeof *result);
    result->name = mf_strdup(name);
    result->unit = mf_strdup("ns");
    result->options.group = mf_strdup("");
    result->options.param_name = mf_strdup("n");
    result->options.ratio_to = mf_strdup("");
    snprintf(result->suite, sizeof result->suite, "suite");
    snprintf(result->fingerprint, sizeof result->fingerprint, "0123456789abcdef");
    result->threads = 1;
    result->elements = 10;
    result->mode = MF_BENCH_FLAT;
    result->processes_planned = (uint32_t)processes;
    result->processes = mf_calloc(processes + 1, sizeof *result->processes);
    if (result->name == NULL || result->unit == NULL || result->options.group == NULL ||
        result->options.param_name == NULL || result->options.ratio_to == NULL ||
        result->processes == NULL) {
        return -1;
    }
    for (size_t i = 0; i < processes; i++) {
        struct bench_process *process = &result->processes[i];
        const double level = median * (1 + between * fixture_normal(rng));
        process->index = (uint32_t)i;
        process->binary = 'A';
        process->mode = result->mode;
        process->timer_cost_ns = 20;
        process->steal_fraction = 0.25;
        process->load_average = NAN;
        process->samples = mf_calloc(samples + 1, sizeof *process->samples);
        process->latency = with_operations ? mf_hdr_new() : NULL;
        result->process_count++;
        if (process->samples == NULL || (with_operations && process->latency == NULL)) {
            return -1;
        }
        process->sample_count = samples;
        for (size_t k = 0; k < samples; k++) {
            const double time = fabs(level * (1 + within * fixture_normal(rng))) + 1e-3;
            process->samples[k] = (struct bench_sample){1000, 1000 * time};
            if (with_operations) {
                mf_hdr_add(process->latency, (uint64_t)time);
            }
        }
        snprintf(process->resources[0].name, sizeof process->resources[0].name, "%s",
                 "allocations_per_op");
        process->resources[0].value = 2;
        process->resource_count = 1;
        snprintf(process->counters[0].name, sizeof process->counters[0].name, "fsyncs");
        process->counters[0].value = (double)i;
        process->counter_count = 1;
    }
    return 0;
}

static const double fixture_percents[] = {50, 99, 99.9};

static inline int fixture_estimate(struct bench_result *result)
{
    const struct estimate_settings settings = {
        .resamples = 200,
        .confidence_level = 0.95,
        .seed = 1,
        .percentiles = fixture_percents,
        .percentile_count = 3,
    };
    return mf__estimate(result, &settings, NULL);
}

#endif
