/* SPDX-License-Identifier: Apache-2.0
 * flight_series.h -- the time series of a flight: the tree as a whole, and its busiest command
 * names. One thread. Recording never fails for the caller; the first failure is kept. */
#ifndef FLIGHT_SERIES_H
#define FLIGHT_SERIES_H

#include "os/proc.h"

#include <mayfly/env.h>
#include <mayfly/error.h>
#include <mayfly/flight.h>
#include <mayfly/metrics.h>
#include <stdbool.h>
#include <stdint.h>

/* The tree at one moment; totals since the start. UINT64_MAX: not known. */
struct mf_tree_figures {
    uint64_t cpu_user_ns, cpu_system_ns;
    uint64_t memory_bytes; /* of the cgroup */
    uint64_t memory_anonymous_bytes;
    uint64_t rss_bytes;
    uint64_t pss_bytes;
    uint64_t read_bytes, write_bytes, read_chars, write_chars;
    uint64_t faults_minor, faults_major;
    uint64_t switches_voluntary, switches_involuntary;
    uint64_t processes, threads, descriptors;
    uint64_t processes_started;
    struct mf_flight_stream_totals output[MF_STREAMS];
};

/* The processes of one command name together. */
struct mf_name_total {
    char comm[MF_PROC_COMM_LEN];
    uint64_t cpu_ns;
    uint64_t rss_bytes; /* now; filled anew at each sample */
    uint64_t rss_peak_bytes;
    mf_series cpu_series, memory_series; /* 0: counted in "(other)" so far */
    uint64_t unshown_cpu_ns;             /* of cpu_ns, what went into "(other)" */
};

#define MF_NAMES_MAX   512 /* known at all; the rest is "(other)" */
#define MF_NAMES_SHOWN 11  /* with series of their own, beside "(other)" */

#define MF_THREAD_NAMES_SHOWN 9 /* of threads, beside "(other)" and "(unattributed)" */
#define MF_THREAD_SERIES_MAX  (2 * (MF_THREAD_NAMES_SHOWN + 2) + 1)
#define MF_THREAD_TREE_SERIES 2 /* without a name */

struct mf_flight_series;

int mf__series_open(const char *path, int64_t interval_ns, const struct mf_env *env,
                    struct mf_flight_series **ret_series, struct mf_errinfo *err);
/* From here on `series` may be NULL: nothing is recorded then.
 * The total of a name, "(other)" at worst; NULL without series. */
struct mf_name_total *mf__series_name(struct mf_flight_series *series, const char *comm);
/* For each name before a sample is summed up. */
void mf__series_clear_sizes(struct mf_flight_series *series);
void mf__series_record(struct mf_flight_series *series, const struct mf_tree_figures *figures,
                       int64_t wall_ns);
/* One value of a series of the caller's, which is registered with its first value. Its type is that
 * of the spec: of a counter the total is given, of a histogram one observation. */
void mf__series_put(struct mf_flight_series *series, mf_series *handle,
                    const struct mf_series_spec *spec, double value, int64_t wall_ns);
/* 0, or the first failure of recording. */
int mf__series_failure(const struct mf_flight_series *series);
/* With `path` not NULL the store there is compressed after that. */
void mf__series_close(struct mf_flight_series *series, const char *path, const struct mf_env *env);

#endif
