/* SPDX-License-Identifier: Apache-2.0
 * flight_track.c -- one series of a timeline: fewer points of it, and pieces of it for drawing. */
#include "flight_track.h"

#include "base/check.h"
#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <math.h>

int mf__track_init(struct mf_track *track, const char *name, const char *unit, bool rate,
                   size_t capacity)
{
    const size_t room = capacity > 0 ? capacity : 1;
    *track = (struct mf_track){
        .name = mf_strdup(name),
        .unit = unit,
        .rate = rate,
        .t_ns = mf_calloc(room, sizeof *track->t_ns),
        .value = mf_calloc(room, sizeof *track->value),
        .min = mf_calloc(room, sizeof *track->min),
        .max = mf_calloc(room, sizeof *track->max),
    };
    if (track->name == NULL || track->t_ns == NULL || track->value == NULL || track->min == NULL ||
        track->max == NULL) {
        mf_track_free(track);
        return -ENOMEM;
    }
    return 0;
}

int mf__track_label(struct mf_track *track, const struct mf_label *labels, size_t count)
{
    track->labels = mf_calloc(count + 1, sizeof *track->labels);
    for (size_t i = 0; track->labels != NULL && i < count; i++) {
        struct mf_track_label *label = &track->labels[track->label_count++];
        label->name = mf_strdup(labels[i].name);
        label->value = mf_strdup(labels[i].value);
        if (label->name == NULL || label->value == NULL) {
            return -ENOMEM;
        }
    }
    return track->labels != NULL ? 0 : -ENOMEM;
}

void mf__track_push(struct mf_track *track, int64_t t_ns, double value, double min, double max)
{
    if (track->count > 0 && track->t_ns[track->count - 1] >= t_ns) {
        return; /* only the rounding of the last slot does that */
    }
    track->t_ns[track->count] = t_ns;
    track->value[track->count] = value;
    track->min[track->count] = min;
    track->max[track->count] = max;
    track->count++;
}

void mf_track_free(struct mf_track *track)
{
    for (size_t i = 0; i < track->label_count; i++) {
        mf_free(track->labels[i].name);
        mf_free(track->labels[i].value);
    }
    mf_free(track->labels);
    mf_free(track->name);
    mf_free(track->t_ns);
    mf_free(track->value);
    mf_free(track->min);
    mf_free(track->max);
    *track = (struct mf_track){0};
}

/* ---- fewer points ---- */

/* Where the interval begins that the rate at point i stands for. A series has no gaps worth
 * keeping, so that is the point before; before the first one the distance to the second is the best
 * guess. */
static int64_t begin_of(const struct mf_track *track, size_t i)
{
    if (i > 0) {
        return track->t_ns[i - 1];
    }
    const int64_t step = track->count > 1 ? track->t_ns[1] - track->t_ns[0] : track->t_ns[0];
    return track->t_ns[0] > step ? track->t_ns[0] - step : 0;
}

static double mean_of(const struct mf_track *track, size_t begin, size_t end)
{
    double sum = 0;
    double weight = 0;
    for (size_t i = begin; i < end; i++) {
        const double share = track->rate ? (double)(track->t_ns[i] - begin_of(track, i)) : 1;
        sum += track->value[i] * share;
        weight += share;
    }
    return weight > 0 ? sum / weight : track->value[end - 1];
}

static int copy_labels(struct mf_track *to, const struct mf_track *from)
{
    struct mf_label labels[MF_METRICS_LABELS_MAX];
    const size_t count =
        from->label_count < MF_METRICS_LABELS_MAX ? from->label_count : MF_METRICS_LABELS_MAX;
    for (size_t i = 0; i < count; i++) {
        labels[i] = (struct mf_label){from->labels[i].name, from->labels[i].value};
    }
    return mf__track_label(to, labels, count);
}

int mf_track_reduce(const struct mf_track *track, size_t count_max, struct mf_track *ret_track,
                    struct mf_errinfo *err)
{
    MF_ASSERT(count_max >= 1);
    const size_t count = track->count < count_max ? track->count : count_max;
    struct mf_track reduced;
    if (mf__track_init(&reduced, track->name, track->unit, track->rate, count) < 0 ||
        copy_labels(&reduced, track) < 0) {
        mf_track_free(&reduced);
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        const size_t begin = track->count / count * i + track->count % count * i / count;
        const size_t end = track->count / count * (i + 1) + track->count % count * (i + 1) / count;
        double min = track->min[begin];
        double max = track->max[begin];
        for (size_t k = begin + 1; k < end; k++) {
            min = fmin(min, track->min[k]);
            max = fmax(max, track->max[k]);
        }
        mf__track_push(&reduced, track->t_ns[end - 1], mean_of(track, begin, end), min, max);
    }
    *ret_track = reduced;
    return 0;
}

/* ---- pieces ---- */

/* The first point with t_ns > t, or count. */
static size_t first_after(const struct mf_track *track, int64_t t_ns)
{
    size_t low = 0;
    size_t high = track->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (track->t_ns[middle] <= t_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static double rate_between(const struct mf_track *track, int64_t from_ns, int64_t to_ns)
{
    double sum = 0;
    double weight = 0;
    for (size_t i = first_after(track, from_ns); i < track->count; i++) {
        const int64_t begin_ns = begin_of(track, i) > from_ns ? begin_of(track, i) : from_ns;
        const int64_t end_ns = track->t_ns[i] < to_ns ? track->t_ns[i] : to_ns;
        if (begin_ns >= to_ns) {
            break;
        }
        if (end_ns > begin_ns) {
            sum += track->value[i] * (double)(end_ns - begin_ns);
            weight += (double)(end_ns - begin_ns);
        }
    }
    return weight > 0 ? sum / weight : NAN;
}

/* How far a point speaks for the time before the first one and after the last. */
static int64_t reach(const struct mf_track *track)
{
    return track->count > 1 ? track->t_ns[1] - track->t_ns[0] : track->t_ns[0];
}

static double level_between(const struct mf_track *track, int64_t from_ns, int64_t to_ns)
{
    const size_t first = first_after(track, from_ns);
    double largest = NAN;
    for (size_t i = first; i < track->count && track->t_ns[i] <= to_ns; i++) {
        largest = fmax(largest, track->max[i]); /* fmax prefers a number to NaN */
    }
    if (isnan(largest) && first > 0) {
        const size_t last = first - 1;
        if (first < track->count || from_ns - track->t_ns[last] <= 2 * reach(track)) {
            largest = track->max[last];
        }
    } else if (isnan(largest) && track->count > 0 && track->t_ns[0] - to_ns <= reach(track)) {
        largest = track->max[0];
    }
    return largest;
}

void mf_track_add(const struct mf_track *track, int64_t from_ns, int64_t to_ns, size_t columns,
                  double *out)
{
    const double width = (double)(to_ns - from_ns) / (double)columns;
    for (size_t i = 0; i < columns; i++) {
        const int64_t begin_ns = from_ns + (int64_t)(width * (double)i);
        const int64_t end_ns =
            i + 1 == columns ? to_ns : from_ns + (int64_t)(width * (double)(i + 1));
        const double value = track->rate ? rate_between(track, begin_ns, end_ns)
                                         : level_between(track, begin_ns, end_ns);
        out[i] = isnan(out[i]) ? value : isnan(value) ? out[i] : out[i] + value;
    }
}
