/* SPDX-License-Identifier: Apache-2.0
 * resources.h -- what the system says this process has used, at two moments, and the difference. */
#ifndef BENCH_RESOURCES_H
#define BENCH_RESOURCES_H

#include "model.h"

#include "os/child.h"
#include "os/proc.h"

struct resource_reading {
    int64_t wall_ns;
    struct mf_usage usage;
    struct mf_proc_io io;
    bool has_io;
    uint64_t network_received_bytes, network_sent_bytes;
    bool has_network;
    uint64_t steal_ticks, all_ticks; /* of the machine's processors; 0 of all: unknown */
};

void mf__resources_read(struct resource_reading *ret_reading);

/* Bytes of all interfaces in the text of /proc/net/dev. False when it is not of that form. */
bool mf__parse_network(const char *text, uint64_t *ret_received, uint64_t *ret_sent);
/* Ticks of the first line of /proc/stat. */
bool mf__parse_cpu_ticks(const char *text, uint64_t *ret_steal, uint64_t *ret_all);

/* Appends to process->resources what lies between the two, for each of `iterations`; sets
 * steal_fraction and load_average. */
void mf__resources_between(const struct resource_reading *before,
                           const struct resource_reading *after, uint64_t iterations,
                           struct bench_process *process);
/* Of this process, by malloc's own account; 0 where another malloc stands in its place. */
double mf__live_heap_bytes(void);
void mf__resource_add(struct bench_process *process, const char *name, double value);

#endif
