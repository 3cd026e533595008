/* SPDX-License-Identifier: Apache-2.0
 * bench_model.c -- the life of the data of model.h. */
#include "model.h"

#include "base/heap.h"

#include <math.h>
#include <string.h>

double mf__bench_named_get(const struct bench_named *named, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(named[i].name, name) == 0) {
            return named[i].value;
        }
    }
    return NAN;
}

void mf__process_free(struct bench_process *process)
{
    mf_free(process->samples);
    mf_free(process->latency);
    mf_free(process->service);
    memset(process, 0, sizeof *process);
}

static void free_text(const char *text)
{
    mf_free((char *)(uintptr_t)text);
}

void mf__bench_result_free(struct bench_result *result)
{
    for (size_t i = 0; i < result->process_count; i++) {
        mf__process_free(&result->processes[i]);
    }
    mf_free(result->processes);
    mf_free(result->process_medians);
    mf_free(result->latency);
    mf_free(result->service);
    mf_free(result->name);
    mf_free(result->unit);
    mf_free(result->message);
    free_text(result->options.group);
    free_text(result->options.param_name);
    free_text(result->options.ratio_to);
}

void mf__bench_run_free(struct bench_run *run)
{
    for (size_t i = 0; i < run->result_count; i++) {
        mf__bench_result_free(&run->results[i]);
    }
    for (size_t i = 0; i < run->environment.pair_count; i++) {
        mf_free(run->environment.pairs[i].key);
        mf_free(run->environment.pairs[i].value);
    }
    mf_free(run->environment.pairs);
    mf_free(run->results);
    mf_free(run->commit);
    memset(run, 0, sizeof *run);
}
