/* SPDX-License-Identifier: Apache-2.0
 * flight_track.h -- making the series of flight/timeline.h. */
#ifndef FLIGHT_FLIGHT_TRACK_H
#define FLIGHT_FLIGHT_TRACK_H

#include "flight/timeline.h"

#include <mayfly/metrics.h>

/* An empty series with room for `capacity` points; `unit` is borrowed for ever. 0 or -ENOMEM. */
int mf__track_init(struct mf_track *track, const char *name, const char *unit, bool rate,
                   size_t capacity);
/* Copies the labels; -ENOMEM leaves what there is to mf_track_free(). */
int mf__track_label(struct mf_track *track, const struct mf_label *labels, size_t count);
/* Adds a point behind the last; one that is not later is dropped. */
void mf__track_push(struct mf_track *track, int64_t t_ns, double value, double min, double max);

/* flight_rebuild.c: the series out of the process table. *ret_tracks (ret_count of them) is the
 * caller's. */
int mf__timeline_rebuild(const struct mf_flight_processes *processes, int64_t interval_ns,
                         int64_t duration_ns, struct mf_track **ret_tracks, size_t *ret_count,
                         struct mf_errinfo *err);

#endif
