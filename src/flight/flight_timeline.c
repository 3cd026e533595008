/* SPDX-License-Identifier: Apache-2.0
 * flight_timeline.c -- the series of a flight out of its metrics store. See flight/timeline.h.
 *
 * The slots of the store lie on multiples of its interval in wall time; the recorder takes its
 * samples at multiples of the interval since the start of the flight, and one at the end. So a slot
 * speaks of the time up to the last sample in it, and that is where its point is put. What a
 * counter grew by is divided by the time since the point before, whatever the length of the slot:
 * now and then a sample is late and falls into the next slot, which has two then and the one before
 * has none. A sliver at the end, with the last sample right after the one before, is joined to the
 * point before it.
 */
#include "flight_track.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <math.h>
#include <mayfly/metrics.h>
#include <string.h>

/* What the recorder's series (docs/run.md) are called where they are shown. Seconds of CPU per
 * second are cores. */
struct shown {
    const char *series;
    const char
        *label_value; /* of its one label, which the name then stands for; NULL: labels are kept */
    const char *name;
    const char *unit;
};

static const struct shown all_shown[] = {
    {"flight_cpu_seconds_total", "user", "cpu_user", "cores"},
    {"flight_cpu_seconds_total", "system", "cpu_system", "cores"},
    {"flight_memory_bytes", NULL, "memory", "bytes"},
    {"flight_memory_anonymous_bytes", NULL, "memory_anonymous", "bytes"},
    {"flight_memory_rss_bytes", NULL, "memory_rss", "bytes"},
    {"flight_memory_pss_bytes", NULL, "memory_pss", "bytes"},
    {"flight_read_bytes_total", NULL, "io_read", "bytes_per_second"},
    {"flight_write_bytes_total", NULL, "io_write", "bytes_per_second"},
    {"flight_read_chars_total", NULL, "calls_read", "bytes_per_second"},
    {"flight_write_chars_total", NULL, "calls_write", "bytes_per_second"},
    {"flight_faults_total", NULL, "faults", "per_second"},
    {"flight_switches_total", NULL, "switches", "per_second"},
    {"flight_processes", NULL, "processes", "count"},
    {"flight_threads", NULL, "threads", "count"},
    {"flight_descriptors", NULL, "descriptors", "count"},
    {"flight_processes_started_total", NULL, "processes_started", "per_second"},
    {"flight_output_bytes_total", NULL, "output", "bytes_per_second"},
    {"flight_output_lines_total", NULL, "output_lines", "per_second"},
    {"flight_name_cpu_seconds_total", NULL, "command_cpu", "cores"},
    {"flight_name_memory_rss_bytes", NULL, "command_memory", "bytes"},
    {"flight_thread_cpu_seconds_total", NULL, "thread_cpu", "cores"},
    {"flight_thread_wait_seconds_total", NULL, "thread_wait", "cores"},
    {"flight_runqueue_wait_seconds_total", NULL, "runqueue_wait", "cores"},
    {"flight_cpu_budget_violations_total", NULL, "budget_violations", "per_second"},
};

static const struct shown *shown_as(const struct mf_series_result *result)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(all_shown); i++) {
        const struct shown *shown = &all_shown[i];
        if (strcmp(shown->series, result->name) == 0 &&
            (shown->label_value == NULL ||
             (result->label_count == 1 &&
              strcmp(result->labels[0].value, shown->label_value) == 0))) {
            return shown;
        }
    }
    return NULL;
}

static const char *rate_unit(const char *unit)
{
    return strcmp(unit, "bytes") == 0 ? "bytes_per_second" : "per_second";
}

static const char *level_unit(const char *unit)
{
    return strcmp(unit, "bytes") == 0     ? "bytes"
           : strcmp(unit, "seconds") == 0 ? "seconds"
                                          : "count";
}

/* The time on the axis of the last sample in a slot that ends at `slot_end_ns` after the start. */
static int64_t sample_time(int64_t slot_end_ns, int64_t interval_ns, int64_t duration_ns)
{
    if (slot_end_ns > duration_ns) {
        return duration_ns;
    }
    const int64_t last_ns = slot_end_ns > 0 ? slot_end_ns - 1 : 0;
    return interval_ns > 0 ? last_ns / interval_ns * interval_ns : last_ns;
}

struct axis {
    int64_t started_ns;
    int64_t interval_ns; /* of the samples */
    int64_t duration_ns;
};

static int64_t point_time(const struct axis *axis, const struct mf_series_result *result, size_t i)
{
    return sample_time(result->points[i].start_ns + result->interval_ns - axis->started_ns,
                       axis->interval_ns, axis->duration_ns);
}

/* Adds growth to the last point, which then ends at t_ns. */
static void join(struct mf_track *track, int64_t t_ns, double growth)
{
    const size_t last = track->count - 1;
    const int64_t begin_ns = last > 0 ? track->t_ns[last - 1] : 0;
    const double before = track->value[last] * (double)(track->t_ns[last] - begin_ns);
    track->t_ns[last] = t_ns;
    track->value[last] = (before + growth) / (double)(t_ns - begin_ns);
    track->min[last] = track->max[last] = track->value[last];
}

/* A recorder makes a series when there is something to count, and its totals begin at zero: the
 * first value is growth too, within the interval before it. */
static void begin_rates(struct mf_track *track, const struct mf_series_result *result,
                        const struct axis *axis, int64_t *before_ns, double *growth)
{
    if (result->partial) {
        return; /* not the first value, but the first one that is kept */
    }
    const int64_t first_ns = point_time(axis, result, 0);
    const double uncounted = result->points[0].last - result->points[0].sum;
    *growth = uncounted > 0 ? uncounted * 1e9 : 0;
    if (first_ns > axis->interval_ns) {
        *before_ns = first_ns - axis->interval_ns;
        mf__track_push(track, *before_ns, 0, 0, 0);
    }
}

static void add_rates(struct mf_track *track, const struct mf_series_result *result,
                      const struct axis *axis)
{
    int64_t before_ns = 0;
    double growth = 0;
    begin_rates(track, result, axis, &before_ns, &growth);
    for (size_t i = 0; i < result->point_count; i++) {
        const int64_t t_ns = point_time(axis, result, i);
        const int64_t width_ns = t_ns - before_ns;
        growth += result->points[i].sum * 1e9;
        if (width_ns <= 0) {
            continue;
        }
        if (track->count > 0 && width_ns < axis->interval_ns / 2) {
            join(track, t_ns, growth);
        } else {
            const double rate = growth / (double)width_ns;
            mf__track_push(track, t_ns, rate, rate, rate);
        }
        before_ns = t_ns;
        growth = 0;
    }
    if (growth > 0 && track->count > 0) {
        join(track, before_ns, growth);
    }
}

static void add_levels(struct mf_track *track, const struct mf_series_result *result,
                       const struct axis *axis)
{
    for (size_t i = 0; i < result->point_count; i++) {
        const struct mf_point *point = &result->points[i];
        if (point->count > 0) {
            mf__track_push(track, point_time(axis, result, i), point->sum / (double)point->count,
                           point->min, point->max);
        }
    }
}

static int add_track(struct mf_timeline *timeline, const struct mf_series_result *result,
                     const struct axis *axis)
{
    if (result->type == MF_HISTOGRAM || result->point_count == 0) {
        return 0;
    }
    const struct shown *shown = shown_as(result);
    const bool rate = result->type == MF_COUNTER;
    const char *unit = shown != NULL ? shown->unit
                       : rate        ? rate_unit(result->unit)
                                     : level_unit(result->unit);
    struct mf_track *track = &timeline->tracks[timeline->count];
    int rc = mf__track_init(track, shown != NULL ? shown->name : result->name, unit, rate,
                            result->point_count + 1);
    if (rc < 0) {
        return rc;
    }
    timeline->count++;
    if (shown == NULL || shown->label_value == NULL) {
        rc = mf__track_label(track, result->labels, result->label_count);
    }
    if (rate) {
        add_rates(track, result, axis);
    } else {
        add_levels(track, result, axis);
    }
    return rc;
}

static int read_store(const struct mf_flight_info *info, struct mf_timeline *timeline,
                      struct mf_errinfo *err)
{
    char *path = NULL;
    struct mf_metrics_reader *reader = NULL;
    struct mf_metrics_result *result = NULL;
    int rc = mf_flight_metrics_path(info->dir, &path, err);
    if (rc == 0) {
        rc = mf_metrics_reader_open(path, NULL, &reader, err);
    }
    if (rc == 0) {
        /* The last sample may carry a time just after the end. */
        const struct mf_metrics_query query = {
            .start_ns = info->started_wall_ns,
            .end_ns = info->started_wall_ns + timeline->duration_ns + info->interval_ns + 1,
            .tier = MF_TIER_AUTO,
        };
        rc = mf_metrics_query(reader, &query, &result, err);
    }
    if (rc == 0) {
        timeline->tracks = mf_calloc(result->series_count > 0 ? result->series_count : 1,
                                     sizeof *timeline->tracks);
        rc = timeline->tracks != NULL ? 0 : mf_fail(err, -ENOMEM, "out of memory");
    }
    const struct axis axis = {info->started_wall_ns, info->interval_ns, timeline->duration_ns};
    for (size_t i = 0; rc == 0 && i < result->series_count; i++) {
        rc = add_track(timeline, &result->series[i], &axis);
        rc = rc == -ENOMEM ? mf_fail(err, rc, "out of memory") : rc;
    }
    mf_metrics_result_free(result);
    mf_metrics_reader_close(reader);
    mf_flight_free_text(path);
    return rc;
}

static void free_tracks(struct mf_timeline *timeline)
{
    for (size_t i = 0; i < timeline->count; i++) {
        mf_track_free(&timeline->tracks[i]);
    }
    mf_free(timeline->tracks);
    timeline->tracks = NULL;
    timeline->count = 0;
}

void mf_timeline_free(struct mf_timeline *timeline)
{
    free_tracks(timeline);
    *timeline = (struct mf_timeline){0};
}

/* The end of the axis of a flight whose end was not recorded: the last thing that is known of it.
 */
static int64_t last_known(const struct mf_flight_processes *processes)
{
    int64_t last_ns = 1;
    for (size_t i = 0; processes != NULL && i < processes->count; i++) {
        const struct mf_flight_process *process = &processes->items[i];
        const int64_t times[] = {
            process->start_ns, process->end_ns,
            process->sample_count > 0 ? process->samples[process->sample_count - 1].t_ns : 0};
        for (size_t k = 0; k < MF_ARRAY_LEN(times); k++) {
            last_ns = times[k] > last_ns ? times[k] : last_ns;
        }
    }
    return last_ns;
}

int mf_timeline_read(const struct mf_flight_info *info, const struct mf_flight_processes *processes,
                     struct mf_timeline *ret_timeline, struct mf_errinfo *err)
{
    struct mf_timeline timeline = {
        .duration_ns = info->duration_ns > 0 ? info->duration_ns : last_known(processes),
    };
    int rc = read_store(info, &timeline, &timeline.why);
    if (rc == -ENOMEM) {
        mf_timeline_free(&timeline);
        return mf_fail(err, rc, "out of memory");
    }
    if ((rc < 0 || timeline.count == 0) && processes != NULL) {
        free_tracks(&timeline);
        timeline.from_samples = true;
        rc = mf__timeline_rebuild(processes, info->interval_ns, timeline.duration_ns,
                                  &timeline.tracks, &timeline.count, err);
        if (rc < 0) {
            mf_timeline_free(&timeline);
            return rc;
        }
    } else if (rc < 0) {
        free_tracks(&timeline);
    }
    *ret_timeline = timeline;
    return 0;
}

const struct mf_track *mf_timeline_find(const struct mf_timeline *timeline, const char *name)
{
    for (size_t i = 0; i < timeline->count; i++) {
        if (strcmp(timeline->tracks[i].name, name) == 0) {
            return &timeline->tracks[i];
        }
    }
    return NULL;
}

void mf_timeline_columns(const struct mf_timeline *timeline, const char *name, int64_t from_ns,
                         int64_t to_ns, size_t columns, double *out)
{
    const bool cpu = strcmp(name, "cpu") == 0;
    for (size_t i = 0; i < columns; i++) {
        out[i] = NAN;
    }
    for (size_t i = 0; i < timeline->count && to_ns > from_ns && columns > 0; i++) {
        const struct mf_track *track = &timeline->tracks[i];
        if (cpu ? strcmp(track->name, "cpu_user") == 0 || strcmp(track->name, "cpu_system") == 0
                : strcmp(track->name, name) == 0) {
            mf_track_add(track, from_ns, to_ns, columns, out);
        }
    }
}
