/* SPDX-License-Identifier: Apache-2.0
 *
 * model.h -- what the parts of the laboratory hand to each other: the settings of a run, what the
 * measured processes report, and what is computed from it. All of it is plain data, freed by its
 * _free function; all times are nanoseconds.
 *
 *   config (bench_config.c)  ->  plan, child processes (bench_runner.c, bench_child.c)  ->
 * bench_run bench_run -> estimates (bench_estimate.c, on statistics.h) -> reports (report_*.c),
 * store (baseline_store.c), comparison and verdicts (bench_compare.c), history (bench_history.c)
 */
#ifndef BENCH_MODEL_H
#define BENCH_MODEL_H

#include <mayfly/bench.h>

#define BENCH_SCHEMA_VERSION  1
#define BENCH_PERCENTILES_MAX 16
#define BENCH_RESOURCES_MAX   24
#define BENCH_COUNTERS_MAX    16
#define BENCH_SUITE_LEN       64

/* --- what one measured process says of one benchmark */

struct bench_sample {
    uint64_t iterations;
    double time_ns; /* of all of them */
};

struct bench_named {
    char name[48];
    double value;
};

struct bench_process {
    uint32_t index; /* 0 .. processes - 1 */
    char
        binary; /* 'A' (the one under test) or 'B' (the one compared with, in an interleaved run) */
    struct bench_sample *samples;
    size_t sample_count;
    bool paired; /* each sample directly before or after the same one of the other binary's process
                  */
    /* HDR histogram of single operations, in latency, rate and per-operation modes; NULL otherwise.
     * Opaque here: fmt/hdr.h. With a rate, `service` counts from the actual starts, `latency` from
     * the intended. */
    struct mf_hdr *latency;
    struct mf_hdr *service;
    struct bench_named resources[BENCH_RESOURCES_MAX]; /* BENCH_RESOURCE_MAP; absent: unknown */
    size_t resource_count;
    struct bench_named counters[BENCH_COUNTERS_MAX]; /* of the benchmark's own, per iteration */
    size_t counter_count;
    enum mf_bench_mode mode; /* what AUTO became */
    double timer_cost_ns;    /* of one reading of the clock; already taken off single operations */
    double steal_fraction;   /* of CPU time during the measurement, from /proc/stat; NaN unknown */
    double load_average;
};

/* What is measured beside time. A figure that the machine does not give is absent. */
#define BENCH_RESOURCE_MAP(X)                                                                      \
    X(allocations_per_op, "heap allocations of one iteration")                                     \
    X(allocated_bytes_per_op, "bytes requested by them")                                           \
    X(leaked_bytes_per_op, "growth of the live heap with each iteration (Theil-Sen)")              \
    X(rss_growth_bytes_per_op, "growth of resident memory with each iteration (Theil-Sen)")        \
    X(live_bytes, "live heap after the last iteration")                                            \
    X(peak_memory_bytes, "largest resident memory of the process")                                 \
    X(cpu_time_ns_per_op, "CPU time, user and system, of all threads")                             \
    X(cpu_system_fraction, "part of the CPU time that was spent in the kernel")                    \
    X(cpus_used, "CPU time per wall time")                                                         \
    X(context_switches_voluntary_per_op, "waits")                                                  \
    X(context_switches_involuntary_per_op, "preemptions")                                          \
    X(page_faults_minor_per_op, "page faults without disk")                                        \
    X(page_faults_major_per_op, "page faults that read the disk")                                  \
    X(disk_read_bytes_per_op, "read from storage")                                                 \
    X(disk_written_bytes_per_op, "written to storage")                                             \
    X(network_received_bytes_per_op, "received by all interfaces of the machine, loopback too")    \
    X(network_sent_bytes_per_op, "sent by all of them")

/* --- estimates, with Criterion's names */

struct bench_interval {
    double confidence_level;
    double lower_bound;
    double upper_bound;
};

struct bench_estimate {
    double point_estimate;
    double standard_error;
    struct bench_interval confidence_interval;
};

struct bench_percentile {
    double percent; /* 50, 95, 99, 99.9 */
    double value_ns;
    struct bench_interval
        confidence_interval; /* distribution-free; NaN bounds when n is too small */
    uint64_t n_needed;       /* > 0: the sample was too small; value_ns is NaN */
};

struct bench_outliers {
    uint32_t low_severe, low_mild, high_mild, high_severe, total;
};

enum bench_status { BENCH_OK, BENCH_FAILED, BENCH_SKIPPED };

/* One benchmark of a run. */
struct bench_result {
    char *name; /* suite::group/name/parameter, with /threads:N when it has threads */
    char *unit; /* "ns" */
    char suite[BENCH_SUITE_LEN];
    char fingerprint[17]; /* of the environment in which it was measured */
    enum bench_status status;
    char *message;                   /* of failure or skip, or NULL */
    struct mf_bench_options options; /* its strings are the result's own, arrays are NULL */
    int64_t param;
    int threads;
    uint64_t elements, bytes; /* per iteration */
    bool quick;               /* too few samples for a baseline or a gate */
    struct bench_process *processes;
    size_t process_count;
    uint32_t processes_planned; /* more than process_count: interrupted */

    struct bench_estimate mean, median, median_abs_dev, std_dev,
        slope;        /* slope: linear mode only, else NaN */
    double r_squared; /* of the slope */
    double minimum_ns, maximum_ns;
    struct bench_percentile percentiles[BENCH_PERCENTILES_MAX];
    size_t percentile_count; /* of operations when latency is there, else of samples */
    struct mf_hdr *latency;  /* of all processes; NULL without */
    struct mf_hdr *service;
    struct bench_percentile
        service_percentiles[BENCH_PERCENTILES_MAX]; /* percentile_count of them */
    /* Medians over the processes. */
    struct bench_named resources[BENCH_RESOURCES_MAX];
    size_t resource_count;
    struct bench_named counters[BENCH_COUNTERS_MAX];
    size_t counter_count;
    enum mf_bench_mode mode;
    double timer_cost_ns;
    double steal_fraction; /* the worst of the processes; NaN unknown */
    double load_average;
    struct bench_outliers outliers;
    double *process_medians;         /* process_count of them, in their order */
    double between_process_fraction; /* standard deviation of the process medians / their mean */
};

/* --- a run */

struct bench_environment {
    struct bench_pair {
        char *key;
        char *value;
    } * pairs; /* sorted by key: cpu_model, cores, kernel, governor, compiler, flags, git_commit,
                  ... */
    size_t pair_count;
    char fingerprint[17]; /* hash of the pairs that make runs comparable, hexadecimal */
};

struct bench_run {
    int64_t started_wall_ns;
    char *commit; /* "" when not in a git tree; "-dirty" appended when changed */
    struct bench_environment environment;
    struct bench_result *results;
    size_t result_count;
    uint64_t seed;
    bool interrupted; /* by a signal: some benchmarks are missing or have fewer processes */
    bool quick;
};

/* The figure of that name; NaN when it is absent. */
double mf__bench_named_get(const struct bench_named *named, size_t count, const char *name);

void mf__process_free(struct bench_process *process);
void mf__bench_result_free(struct bench_result *result);
void mf__bench_run_free(struct bench_run *run); /* content and all; NULL members are fine */

/* --- comparison */

enum bench_verdict {
    VERDICT_SAME,
    VERDICT_REGRESSED,
    VERDICT_IMPROVED,
    VERDICT_INCONCLUSIVE,
    VERDICT_NO_BASELINE
};

struct bench_comparison {
    const struct bench_result *now;
    const struct bench_result *before; /* NULL: no baseline */
    double ratio;                      /* now / before, of the medians of processes */
    struct bench_interval ratio_interval;
    double p_value;          /* exact sign or Mann-Whitney test */
    double p_value_adjusted; /* Holm, over the suite */
    double threshold_fraction;
    double noise_floor_fraction;
    bool interleaved;
    bool advisory; /* other fingerprint */
    enum bench_verdict verdict;
};

/* --- exit codes */

enum bench_exit {
    BENCH_EXIT_OK = 0,
    BENCH_EXIT_FAILED = 1,
    BENCH_EXIT_REGRESSED = 3,
    BENCH_EXIT_INCONCLUSIVE = 4,
    BENCH_EXIT_NO_BASELINE = 5,
    BENCH_EXIT_USAGE = 64
};

#endif
