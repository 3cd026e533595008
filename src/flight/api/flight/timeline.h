/* SPDX-License-Identifier: Apache-2.0
 *
 * timeline.h -- the time series of a flight, ready to be drawn: on the time axis of the flight
 * (t_ns from its start), totals already turned into growth per second.
 *
 * They come from the metrics store of the flight. Where that cannot be read they are rebuilt from
 * the samples and exit records of the processes, which is less (no memory of the cgroup, no
 * pressure), and says so.
 *
 * Objects belong to one thread at a time.
 */
#ifndef FLIGHT_TIMELINE_H
#define FLIGHT_TIMELINE_H

#include <mayfly/flight.h>

struct mf_track_label {
    char *name;
    char *value;
};

/* One series. A rate at t_ns is the mean since the point before; a level is what was seen last
 * before t_ns. Times rise strictly and lie within the flight. */
struct mf_track {
    char *name; /* "cpu_user", "memory", ... or the series' own */
    struct mf_track_label *labels;
    size_t label_count;
    const char
        *unit; /* "cores", "bytes", "bytes_per_second", "per_second", "count", "percent", "" */
    bool rate;
    size_t count;
    int64_t *t_ns;
    double *value;
    double *min; /* within the point; equal to value where no more is known */
    double *max;
};

struct mf_timeline {
    int64_t duration_ns;   /* the end of the axis; > 0 */
    bool from_samples;     /* rebuilt without the store */
    struct mf_errinfo why; /* from_samples: why the store was not used; code 0: there is none */
    struct mf_track *tracks;
    size_t count;
};

/* `processes` of the same flight, used where the store is of no use; NULL: do without. */
MF_MUST_CHECK int mf_timeline_read(const struct mf_flight_info *info,
                                   const struct mf_flight_processes *processes,
                                   struct mf_timeline *ret_timeline, struct mf_errinfo *err);
void mf_timeline_free(struct mf_timeline *timeline);

/* The first of that name, or NULL. */
const struct mf_track *mf_timeline_find(const struct mf_timeline *timeline, const char *name);

/* The series as `columns` equal pieces of [from_ns, to_ns): of a rate the mean over the piece, of a
 * level the largest value in it. NaN where nothing is known. Each piece is added to out[i], unless
 * that is NaN, so that several series can be summed; begin with all NaN. */
void mf_track_add(const struct mf_track *track, int64_t from_ns, int64_t to_ns, size_t columns,
                  double *out);
/* The sum of all series of that name; "cpu" is user and system. Fills out with NaN first. */
void mf_timeline_columns(const struct mf_timeline *timeline, const char *name, int64_t from_ns,
                         int64_t to_ns, size_t columns, double *out);

/* The same series with at most count_max points (>= 1), each standing for an equal share of the
 * points: its time is that of the last, its value the mean (a rate's weighed by time), min and max
 * the extremes. */
MF_MUST_CHECK int mf_track_reduce(const struct mf_track *track, size_t count_max,
                                  struct mf_track *ret_track, struct mf_errinfo *err);
void mf_track_free(struct mf_track *track);

#endif
