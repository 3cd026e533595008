/* SPDX-License-Identifier: Apache-2.0
 *
 * sampler.h -- looks at the living processes and at the cgroup at every tick, sums up the tree, and
 * writes time series and sample records. One thread.
 */
#ifndef FLIGHT_SAMPLER_H
#define FLIGHT_SAMPLER_H

#include "event_writer.h"
#include "os/cgroup.h"
#include "output_writer.h"
#include "process_table.h"
#include "flight_series.h"

#include <stdbool.h>
#include <stdint.h>

struct mf_sampler {
    /* set by the owner; all borrowed */
    struct mf_process_table *processes;
    struct mf_flight_series *series;
    struct mf_event_writer *events;
    struct mf_output_writer *output;
    struct mf_cgroup *cgroup; /* NULL: none */
    bool scan;                /* who is there has to be looked up: no events */
    bool members_by_cgroup;   /* the cgroup knows who is there */
    int32_t recorder_pid;
    int64_t interval_ns;
    int64_t started_monotonic_ns;
    int64_t started_wall_ns;
    uint64_t descriptors_max; /* open files that samples may keep */

    /* its own */
    uint64_t tick;
    uint64_t open_handles;
    uint64_t cpu_user_ns, cpu_system_ns; /* of the tree by samples and records, never falling */
    struct mf_cgroup_figures cgroup_figures;
    struct mf_tree_figures tree;
    uint64_t rss_peak_bytes;
    uint64_t memory_peak_bytes; /* of the cgroup, by samples: where the kernel keeps none */
    int64_t next_rows_ns;
    int64_t next_pss_ns, next_slow_ns;
    int64_t active_ns; /* when the tree last used CPU time */
    uint64_t active_cpu_ns;
    bool by_proc; /* no children files: all of /proc is looked through */
};

/* One tick; the `last` one looks at everything. */
void mf__sample(struct mf_sampler *sampler, int64_t t_ns, bool last);
/* Looks who is there: after events were lost. */
void mf__sampler_scan(struct mf_sampler *sampler, int64_t t_ns);
/* What a process has used beyond what was counted of it goes to the tree and to its name: to be
 * called from the table's on_end and on_rename. */
void mf__sampler_count(struct mf_sampler *sampler, struct mf_process *process);
void mf__sampler_ended(struct mf_sampler *sampler, const struct mf_process *process);
/* One process, now, at its end: a zombie still has its figures. */
void mf__sampler_look(struct mf_sampler *sampler, struct mf_process *process, int64_t t_ns);

#endif
