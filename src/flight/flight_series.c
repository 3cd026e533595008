/* SPDX-License-Identifier: Apache-2.0
 *
 * flight_series.c -- see flight_series.h; the list of series is in docs/run.md.
 *
 * Names. A build starts hundreds of programs, of which few matter. A name gets series of its own
 * when it has used 50 ms of CPU time or 16 MiB, as long as there is room; what it used before stays
 * with
 * "(other)", so that all names together are the whole at any time.
 */
#include "flight_series.h"

#include "base/fail.h"
#include "base/heap.h"
#include "base/hash.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define SHOW_CPU_NS    50000000U
#define SHOW_RSS_BYTES (16U << 20)
#define BUCKETS        1024 /* a power of two, more than MF_NAMES_MAX */

/* name, label, value, type, unit, member of struct mf_tree_figures, help */
#define TREE_SERIES_MAP(X)                                                                         \
    X("flight_cpu_seconds_total", "mode", "user", MF_COUNTER, "seconds", cpu_user_ns,              \
      "CPU time of all processes")                                                                 \
    X("flight_cpu_seconds_total", "mode", "system", MF_COUNTER, "seconds", cpu_system_ns,          \
      "CPU time of all processes")                                                                 \
    X("flight_memory_bytes", NULL, NULL, MF_GAUGE, "bytes", memory_bytes,                          \
      "Memory charged to the cgroup, page cache included")                                         \
    X("flight_memory_anonymous_bytes", NULL, NULL, MF_GAUGE, "bytes", memory_anonymous_bytes,      \
      "Memory of the cgroup that is not backed by files")                                          \
    X("flight_memory_rss_bytes", NULL, NULL, MF_GAUGE, "bytes", rss_bytes,                         \
      "Sum of resident sizes; shared pages count in each process")                                 \
    X("flight_memory_pss_bytes", NULL, NULL, MF_GAUGE, "bytes", pss_bytes,                         \
      "Sum of proportional sizes: shared pages count once; sampled seldom")                        \
    X("flight_read_bytes_total", NULL, NULL, MF_COUNTER, "bytes", read_bytes, "Read from storage") \
    X("flight_write_bytes_total", NULL, NULL, MF_COUNTER, "bytes", write_bytes,                    \
      "Written to storage")                                                                        \
    X("flight_read_chars_total", NULL, NULL, MF_COUNTER, "bytes", read_chars,                      \
      "Returned by read calls, from the page cache and pipes too")                                 \
    X("flight_write_chars_total", NULL, NULL, MF_COUNTER, "bytes", write_chars,                    \
      "Passed to write calls")                                                                     \
    X("flight_faults_total", "kind", "minor", MF_COUNTER, NULL, faults_minor, "Page faults")       \
    X("flight_faults_total", "kind", "major", MF_COUNTER, NULL, faults_major, "Page faults")       \
    X("flight_switches_total", "kind", "voluntary", MF_COUNTER, NULL, switches_voluntary,          \
      "Context switches")                                                                          \
    X("flight_switches_total", "kind", "involuntary", MF_COUNTER, NULL, switches_involuntary,      \
      "Context switches")                                                                          \
    X("flight_processes", NULL, NULL, MF_GAUGE, NULL, processes, "Processes alive")                \
    X("flight_threads", NULL, NULL, MF_GAUGE, NULL, threads, "Threads alive")                      \
    X("flight_descriptors", NULL, NULL, MF_GAUGE, NULL, descriptors,                               \
      "Open descriptors of all processes; sampled seldom")                                         \
    X("flight_processes_started_total", NULL, NULL, MF_COUNTER, NULL, processes_started,           \
      "Processes started")

enum {
#define X(name, label, value, type, unit, member, help) +1
    TREE_SERIES = 0 TREE_SERIES_MAP(X)
#undef X
};

struct mf_flight_series {
    struct mf_metrics *store;
    mf_series tree[TREE_SERIES]; /* 0: nothing was known yet */
    uint64_t highest[TREE_SERIES];
    mf_series output_bytes[MF_STREAMS], output_lines[MF_STREAMS];
    struct mf_name_total names[MF_NAMES_MAX + 1]; /* the last is "(other)" */
    unsigned name_count;
    unsigned shown;
    uint16_t buckets[BUCKETS]; /* index + 1; open addressing */
    int failure;
};

struct tree_series {
    struct mf_series_spec spec;
    struct mf_label label;
    size_t offset;
};

static const struct tree_series tree_series[TREE_SERIES] = {
#define X(name_, label_, value_, type_, unit_, member_, help_)                                     \
    {.spec = {.type = type_, .name = name_, .unit = unit_, .help = help_},                         \
     .label = {label_, value_},                                                                    \
     .offset = offsetof(struct mf_tree_figures, member_)},
    TREE_SERIES_MAP(X)
#undef X
};

/* ---- the store ---- */

/* Four tiers that keep a day: with 100 ms the first two minutes, then seconds for 20 minutes, 10 s
 * for four hours, 2 minutes for a day; a slot of every tier still has its minimum and maximum. */
static void set_tiers(struct mf_metrics_schema *schema, int64_t interval_ns, uint32_t finest_slots)
{
    const int64_t second = INT64_C(1000000000);
    const int64_t next_ns = interval_ns >= second / 2
                                ? interval_ns * 10
                                : interval_ns * ((second + interval_ns - 1) / interval_ns);
    schema->tier_count = 4;
    schema->tiers[0] = (struct mf_metrics_tier){interval_ns, finest_slots};
    schema->tiers[1] = (struct mf_metrics_tier){next_ns, 1200};
    schema->tiers[2] = (struct mf_metrics_tier){next_ns * 10, 1440};
    schema->tiers[3] = (struct mf_metrics_tier){next_ns * 120, 720};
}

int mf__series_open(const char *path, int64_t interval_ns, const struct mf_env *env,
                    struct mf_flight_series **ret_series, struct mf_errinfo *err)
{
    struct mf_flight_series *series = mf_calloc(1, sizeof *series);
    if (series == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for the time series");
    }
    struct mf_metrics_schema schemas[3] = {
        {.name = "names", .selector = "{name!=\"\"}", .series_max = 2 * (MF_NAMES_SHOWN + 1)},
        {.name = "threads",
         .selector = "{thread!=\"\"}",
         .series_max = MF_THREAD_SERIES_MAX,
         .histograms_max = 1,
         .histogram_bytes = 512},
        {.name = "tree", .series_max = TREE_SERIES + 2 * MF_STREAMS + MF_THREAD_TREE_SERIES},
    };
    set_tiers(&schemas[0], interval_ns, 600);
    set_tiers(&schemas[1], interval_ns, 300);
    set_tiers(&schemas[2], interval_ns, 1200);
    struct mf_metrics_options options = MF_METRICS_OPTIONS_INIT;
    options.writers_max = 1;
    const int ret = mf_metrics_open(path, schemas, 3, &options, env, &series->store, err);
    if (ret < 0) {
        mf_free(series);
        return ret;
    }
    struct mf_name_total *other = &series->names[MF_NAMES_MAX];
    snprintf(other->comm, sizeof other->comm, "(other)");
    *ret_series = series;
    return 0;
}

static void note(struct mf_flight_series *series, int ret)
{
    if (ret < 0 && series->failure == 0) {
        series->failure = ret;
    }
}

/* Records one value; the series is made when its first value comes, so that what a rung cannot see
 * is absent and not zero. */
void mf__series_put(struct mf_flight_series *series, mf_series *handle,
                    const struct mf_series_spec *spec, double value, int64_t wall_ns)
{
    if (*handle == 0) {
        const int ret = mf_metrics_register(series->store, spec, handle, NULL);
        if (ret < 0) {
            note(series, ret);
            return;
        }
    }
    note(series, spec->type == MF_COUNTER
                     ? mf_metrics_observe_total_at(series->store, *handle, value, wall_ns)
                     : mf_metrics_record_at(series->store, *handle, value, wall_ns));
}

/* ---- names ---- */

/* A label must be UTF-8 and not empty; a command's name can be anything. */
static bool is_label(const char *comm)
{
    bool printable = comm[0] != '\0';
    for (; *comm != '\0'; comm++) {
        printable = printable && *comm >= ' ' && *comm < 0x7f;
    }
    return printable;
}

struct mf_name_total *mf__series_name(struct mf_flight_series *series, const char *comm)
{
    if (series == NULL) {
        return NULL;
    }
    struct mf_name_total *other = &series->names[MF_NAMES_MAX];
    if (!is_label(comm)) {
        return other;
    }
    size_t at = mf_hash64(comm, strlen(comm)) & (BUCKETS - 1);
    for (; series->buckets[at] != 0; at = (at + 1) & (BUCKETS - 1)) {
        struct mf_name_total *name = &series->names[series->buckets[at] - 1];
        if (strcmp(name->comm, comm) == 0) {
            return name;
        }
    }
    if (series->name_count == MF_NAMES_MAX) {
        return other;
    }
    struct mf_name_total *name = &series->names[series->name_count++];
    series->buckets[at] = (uint16_t)series->name_count;
    snprintf(name->comm, sizeof name->comm, "%s", comm);
    return name;
}

void mf__series_clear_sizes(struct mf_flight_series *series)
{
    if (series == NULL) {
        return;
    }
    for (unsigned i = 0; i < series->name_count; i++) {
        series->names[i].rss_bytes = 0;
    }
    series->names[MF_NAMES_MAX].rss_bytes = 0;
}

static void put_name(struct mf_flight_series *series, struct mf_name_total *name, double cpu_s,
                     double rss_bytes, int64_t wall_ns)
{
    const struct mf_label label = {"name", name->comm};
    const struct mf_series_spec cpu = {
        .type = MF_COUNTER,
        .name = "flight_name_cpu_seconds_total",
        .labels = &label,
        .label_count = 1,
        .unit = "seconds",
        .help = "CPU time of the processes of one command name",
    };
    const struct mf_series_spec memory = {
        .type = MF_GAUGE,
        .name = "flight_name_memory_rss_bytes",
        .labels = &label,
        .label_count = 1,
        .unit = "bytes",
        .help = "Sum of resident sizes of the processes of one command name",
    };
    mf__series_put(series, &name->cpu_series, &cpu, cpu_s, wall_ns);
    mf__series_put(series, &name->memory_series, &memory, rss_bytes, wall_ns);
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void record_names(struct mf_flight_series *series, int64_t wall_ns)
{
    struct mf_name_total *other = &series->names[MF_NAMES_MAX];
    uint64_t other_cpu_ns = other->cpu_ns;
    uint64_t other_rss_bytes = other->rss_bytes;
    for (unsigned i = 0; i < series->name_count; i++) {
        struct mf_name_total *name = &series->names[i];
        name->rss_peak_bytes =
            name->rss_bytes > name->rss_peak_bytes ? name->rss_bytes : name->rss_peak_bytes;
        if (name->cpu_series == 0 && series->shown < MF_NAMES_SHOWN &&
            (name->cpu_ns >= SHOW_CPU_NS || name->rss_peak_bytes >= SHOW_RSS_BYTES)) {
            name->unshown_cpu_ns = name->cpu_ns;
            series->shown++;
            put_name(series, name, 0, (double)name->rss_bytes, wall_ns);
        }
        if (name->cpu_series == 0) {
            other_cpu_ns += name->cpu_ns;
            other_rss_bytes += name->rss_bytes;
        } else {
            put_name(series, name, seconds(name->cpu_ns - name->unshown_cpu_ns),
                     (double)name->rss_bytes, wall_ns);
            other_cpu_ns += name->unshown_cpu_ns;
        }
    }
    put_name(series, other, seconds(other_cpu_ns), (double)other_rss_bytes, wall_ns);
}

/* ---- recording ---- */

static void record_output(struct mf_flight_series *series, const struct mf_tree_figures *figures,
                          int64_t wall_ns)
{
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        if (figures->output[i].bytes == 0) {
            continue;
        }
        const struct mf_label label = {"stream", mf_flight_stream_name(i)};
        struct mf_series_spec spec = {
            .type = MF_COUNTER,
            .name = "flight_output_bytes_total",
            .labels = &label,
            .label_count = 1,
            .unit = "bytes",
            .help = "Output of the command",
        };
        mf__series_put(series, &series->output_bytes[i], &spec, (double)figures->output[i].bytes,
                       wall_ns);
        spec.name = "flight_output_lines_total";
        spec.unit = NULL;
        mf__series_put(series, &series->output_lines[i], &spec, (double)figures->output[i].lines,
                       wall_ns);
    }
}

void mf__series_record(struct mf_flight_series *series, const struct mf_tree_figures *figures,
                       int64_t wall_ns)
{
    if (series == NULL) {
        return;
    }
    note(series, mf_metrics_tick(series->store, wall_ns));
    for (unsigned i = 0; i < TREE_SERIES; i++) {
        const struct tree_series *one = &tree_series[i];
        uint64_t value = 0;
        memcpy(&value, (const char *)figures + one->offset, sizeof value);
        if (value == UINT64_MAX) {
            continue;
        }
        /* A total made of samples may sink a little when exact figures replace them; for a store of
         * counters that would be a reset. */
        if (one->spec.type == MF_COUNTER) {
            value = value > series->highest[i] ? value : series->highest[i];
            series->highest[i] = value;
        }
        struct mf_series_spec spec = one->spec;
        spec.labels = &one->label;
        spec.label_count = one->label.name != NULL ? 1 : 0;
        const bool is_time = one->spec.unit != NULL && strcmp(one->spec.unit, "seconds") == 0;
        mf__series_put(series, &series->tree[i], &spec, is_time ? seconds(value) : (double)value,
                       wall_ns);
    }
    record_output(series, figures, wall_ns);
    record_names(series, wall_ns);
}

int mf__series_failure(const struct mf_flight_series *series)
{
    return series != NULL ? series->failure : 0;
}

void mf__series_close(struct mf_flight_series *series, const char *path, const struct mf_env *env)
{
    if (series != NULL) {
        if (mf_metrics_close(series->store, NULL) == 0 && path != NULL) {
            /* A failure leaves the store as it is, which is as good, only larger. */
            (void)!mf_metrics_seal(path, env, NULL, NULL);
        }
        mf_free(series);
    }
}
