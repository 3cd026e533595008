/* SPDX-License-Identifier: Apache-2.0
 *
 * flight_thread_series.c -- time series of the threads of a flight: see flight_threads.h; the list
 * of series is in docs/run.md.
 *
 * A name gets series of its own when its threads have used 20 ms, as long as there is room; what it
 * used before stays with "(other)". "(unattributed)" is what the tree used and no thread that was
 * seen: it is written when it has stood for three samples, because exit records take that away
 * again.
 */
#include "flight_threads.h"

#define SHOW_CPU_NS  20000000U
#define OTHER        MF_THREAD_NAMES_SHOWN
#define UNATTRIBUTED (MF_THREAD_NAMES_SHOWN + 1)

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static bool is_label(const char *comm)
{
    bool printable = comm[0] != '\0';
    for (; *comm != '\0'; comm++) {
        printable = printable && *comm >= ' ' && *comm < 0x7f;
    }
    return printable;
}

static void put_cpu(struct mf_thread_series *own, struct mf_flight_series *series, unsigned at,
                    const char *name, uint64_t cpu_ns, int64_t wall_ns)
{
    const struct mf_label label = {"thread", name};
    const struct mf_series_spec cpu = {
        .type = MF_COUNTER,
        .name = "flight_thread_cpu_seconds_total",
        .labels = &label,
        .label_count = 1,
        .unit = "seconds",
        .help = "CPU time of the threads of one name",
    };
    own->highest_cpu_ns[at] = cpu_ns > own->highest_cpu_ns[at] ? cpu_ns : own->highest_cpu_ns[at];
    mf__series_put(series, &own->cpu[at], &cpu, seconds(own->highest_cpu_ns[at]), wall_ns);
}

static void put_wait(struct mf_thread_series *own, struct mf_flight_series *series, unsigned at,
                     const char *name, uint64_t wait_ns, int64_t wall_ns)
{
    const struct mf_label label = {"thread", name};
    const struct mf_series_spec wait = {
        .type = MF_COUNTER,
        .name = "flight_thread_wait_seconds_total",
        .labels = &label,
        .label_count = 1,
        .unit = "seconds",
        .help = "Time that the threads of one name waited for a processor",
    };
    mf__series_put(series, &own->wait[at], &wait, seconds(wait_ns), wall_ns);
}

static bool is_shown(const struct mf_thread_series *own, const struct mf_watch_name *name)
{
    for (unsigned i = 0; i < own->shown; i++) {
        if (own->names[i] == name) {
            return true;
        }
    }
    return false;
}

static void show(struct mf_thread_series *own, struct mf_flight_series *series,
                 struct mf_watch_name *name, int64_t wall_ns)
{
    const unsigned at = own->shown++;
    own->names[at] = name;
    own->unshown_cpu_ns[at] = name->figures.cpu_ns;
    own->unshown_wait_ns[at] = name->figures.wait_ns;
    put_cpu(own, series, at, name->comm, 0, wall_ns);
    put_wait(own, series, at, name->comm, 0, wall_ns);
}

static void put_totals(struct mf_thread_series *own, struct mf_flight_series *series,
                       const struct mf_watch_totals *totals, int64_t wall_ns)
{
    const struct mf_series_spec wait = {
        .type = MF_COUNTER,
        .name = "flight_runqueue_wait_seconds_total",
        .unit = "seconds",
        .help = "Time that threads were ready to run, but waited for a processor",
    };
    const struct mf_series_spec violations = {
        .type = MF_COUNTER,
        .name = "flight_cpu_budget_violations_total",
        .help = "Times that a CPU budget began to be exceeded",
    };
    mf__series_put(series, &own->wait_all, &wait, seconds(totals->figures.wait_ns), wall_ns);
    mf__series_put(series, &own->violations, &violations, (double)totals->violations, wall_ns);
    uint64_t least_ns = totals->unattributed_ns;
    for (unsigned i = 0; i < 2; i++) {
        least_ns =
            own->last_unattributed_ns[i] < least_ns ? own->last_unattributed_ns[i] : least_ns;
    }
    own->last_unattributed_ns[0] = own->last_unattributed_ns[1];
    own->last_unattributed_ns[1] = totals->unattributed_ns;
    put_cpu(own, series, UNATTRIBUTED, "(unattributed)", least_ns, wall_ns);
}

void mf__thread_series_record(struct mf_thread_series *own, struct mf_flight_series *series,
                              struct mf_watch *watch, int64_t wall_ns)
{
    struct mf_watch_name *names = NULL;
    struct mf_watch_totals totals;
    uint64_t other_cpu_ns = 0;
    uint64_t other_wait_ns = 0;
    if (series == NULL) {
        return;
    }
    const size_t count = mf_watch_names(watch, &names);
    for (size_t i = 0; i < count; i++) {
        const bool fits = own->shown < MF_THREAD_NAMES_SHOWN && is_label(names[i].comm);
        if (is_shown(own, &names[i])) {
            continue;
        }
        if (fits && names[i].figures.cpu_ns >= SHOW_CPU_NS) {
            show(own, series, &names[i], wall_ns);
        } else {
            other_cpu_ns += names[i].figures.cpu_ns;
            other_wait_ns += names[i].figures.wait_ns;
        }
    }
    for (unsigned i = 0; i < own->shown; i++) {
        const struct mf_watch_figures *figures = &own->names[i]->figures;
        put_cpu(own, series, i, own->names[i]->comm, figures->cpu_ns - own->unshown_cpu_ns[i],
                wall_ns);
        put_wait(own, series, i, own->names[i]->comm, figures->wait_ns - own->unshown_wait_ns[i],
                 wall_ns);
        other_cpu_ns += own->unshown_cpu_ns[i];
        other_wait_ns += own->unshown_wait_ns[i];
    }
    put_cpu(own, series, OTHER, "(other)", other_cpu_ns, wall_ns);
    put_wait(own, series, OTHER, "(other)", other_wait_ns, wall_ns);
    mf_watch_totals(watch, &totals);
    put_totals(own, series, &totals, wall_ns);
}

void mf__thread_series_burst(struct mf_thread_series *own, struct mf_flight_series *series,
                             uint64_t cpu_ns, int64_t wall_ns)
{
    const struct mf_label label = {"thread", "(each)"};
    const struct mf_series_spec spec = {
        .type = MF_HISTOGRAM,
        .name = "flight_thread_burst_seconds",
        .labels = &label,
        .label_count = 1,
        .unit = "seconds",
        .help = "CPU time of one thread between two samples, of those that used any",
    };
    if (series != NULL) {
        mf__series_put(series, &own->bursts, &spec, seconds(cpu_ns), wall_ns);
    }
}
