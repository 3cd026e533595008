/* SPDX-License-Identifier: Apache-2.0
 * resources.c -- see resources.h. */
#include "resources.h"

#include "os/clock.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_LEN 16384

bool mf__parse_network(const char *text, uint64_t *ret_received, uint64_t *ret_sent)
{
    uint64_t received = 0;
    uint64_t sent = 0;
    bool found = false;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *colon = strpbrk(line, ":\n");
        if (colon == NULL || *colon != ':') {
            continue; /* a heading */
        }
        /* bytes packets errs drop fifo frame compressed multicast | bytes ... */
        const char *p = colon + 1;
        uint64_t fields[9];
        size_t count = 0;
        while (count < 9) {
            char *end = NULL;
            fields[count] = strtoull(p, &end, 10);
            if (end == p) {
                break;
            }
            p = end;
            count++;
        }
        if (count == 9) {
            received += fields[0];
            sent += fields[8];
            found = true;
        }
    }
    if (found) {
        *ret_received = received;
        *ret_sent = sent;
    }
    return found;
}

bool mf__parse_cpu_ticks(const char *text, uint64_t *ret_steal, uint64_t *ret_all)
{
    if (strncmp(text, "cpu ", 4) != 0) {
        return false;
    }
    /* user nice system idle iowait irq softirq steal; guest time is part of user */
    const char *p = text + 4;
    uint64_t all = 0;
    uint64_t steal = 0;
    for (int i = 0; i < 8; i++) {
        char *end = NULL;
        const uint64_t value = strtoull(p, &end, 10);
        if (end == p) {
            return false;
        }
        all += value;
        steal = value;
        p = end;
    }
    *ret_steal = steal;
    *ret_all = all;
    return true;
}

void mf__resources_read(struct resource_reading *ret_reading)
{
    char text[TEXT_LEN];
    size_t len = 0;
    memset(ret_reading, 0, sizeof *ret_reading);
    mf_usage_self(&ret_reading->usage);
    ret_reading->has_io = mf_proc_read_text("/proc/self/io", text, sizeof text, &len) == 0 &&
                          mf_proc_parse_io(text, len, &ret_reading->io) == 0;
    ret_reading->has_network =
        mf_proc_read_text("/proc/self/net/dev", text, sizeof text, &len) == 0 &&
        mf__parse_network(text, &ret_reading->network_received_bytes,
                          &ret_reading->network_sent_bytes);
    if (mf_proc_read_text("/proc/stat", text, sizeof text, &len) == 0) {
        (void)mf__parse_cpu_ticks(text, &ret_reading->steal_ticks, &ret_reading->all_ticks);
    }
    ret_reading->wall_ns = mf_clock_monotonic_ns(NULL);
}

double mf__live_heap_bytes(void)
{
    const struct mallinfo2 info = mallinfo2();
    return (double)info.uordblks + (double)info.hblkhd;
}

void mf__resource_add(struct bench_process *process, const char *name, double value)
{
    if (process->resource_count < BENCH_RESOURCES_MAX && isfinite(value)) {
        struct bench_named *named = &process->resources[process->resource_count++];
        snprintf(named->name, sizeof named->name, "%s", name);
        named->value = value;
    }
}

static void add_difference(struct bench_process *process, const char *name, uint64_t before,
                           uint64_t after, uint64_t iterations)
{
    const double used = after > before ? (double)(after - before) : 0;
    mf__resource_add(process, name, used / (double)iterations);
}

static void add_peak(struct bench_process *process)
{
    char text[TEXT_LEN];
    size_t len = 0;
    struct mf_proc_status status;
    if (mf_proc_read_text("/proc/self/status", text, sizeof text, &len) == 0 &&
        mf_proc_parse_status(text, len, &status) == 0 && status.rss_peak_bytes != MF_PROC_UNKNOWN) {
        mf__resource_add(process, "peak_memory_bytes", (double)status.rss_peak_bytes);
    }
}

void mf__resources_between(const struct resource_reading *before,
                           const struct resource_reading *after, uint64_t iterations,
                           struct bench_process *process)
{
    const struct mf_usage *a = &before->usage;
    const struct mf_usage *b = &after->usage;
    const double user = (double)(b->cpu_user_ns - a->cpu_user_ns);
    const double system = (double)(b->cpu_system_ns - a->cpu_system_ns);
    const double wall = (double)(after->wall_ns - before->wall_ns);
    add_peak(process);
    if (iterations > 0) {
        mf__resource_add(process, "cpu_time_ns_per_op", (user + system) / (double)iterations);
        add_difference(process, "context_switches_voluntary_per_op", a->switches_voluntary,
                       b->switches_voluntary, iterations);
        add_difference(process, "context_switches_involuntary_per_op", a->switches_involuntary,
                       b->switches_involuntary, iterations);
        add_difference(process, "page_faults_minor_per_op", a->faults_minor, b->faults_minor,
                       iterations);
        add_difference(process, "page_faults_major_per_op", a->faults_major, b->faults_major,
                       iterations);
    }
    if (iterations > 0 && before->has_io && after->has_io) {
        add_difference(process, "disk_read_bytes_per_op", before->io.read_bytes,
                       after->io.read_bytes, iterations);
        add_difference(process, "disk_written_bytes_per_op", before->io.write_bytes,
                       after->io.write_bytes, iterations);
    }
    if (iterations > 0 && before->has_network && after->has_network) {
        add_difference(process, "network_received_bytes_per_op", before->network_received_bytes,
                       after->network_received_bytes, iterations);
        add_difference(process, "network_sent_bytes_per_op", before->network_sent_bytes,
                       after->network_sent_bytes, iterations);
    }
    mf__resource_add(process, "cpu_system_fraction", system / (user + system));
    mf__resource_add(process, "cpus_used", (user + system) / wall);

    const uint64_t ticks = after->all_ticks - before->all_ticks;
    process->steal_fraction =
        after->all_ticks > before->all_ticks && after->steal_ticks >= before->steal_ticks
            ? (double)(after->steal_ticks - before->steal_ticks) / (double)ticks
            : NAN;
    double load = NAN;
    process->load_average = getloadavg(&load, 1) == 1 ? load : NAN;
}
