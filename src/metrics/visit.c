/* SPDX-License-Identifier: Apache-2.0
 * visit.c -- streams the points of matching series to callbacks, one at a time.
 *
 * MF_TIER_FINEST: the tiers are joined at slot boundaries of the coarser one, so that every time is
 * in one point only. A tier gives what begins at or after its border; the border of the coarsest is
 * the begin of time, that of every other is the first end of a slot of the next coarser tier that
 * does not lie before its own retention. */
#include "match.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

#define LATEST_SLOTS 32 /* looked at first for the newest point; then twice as many, and so on */

struct visiting {
    const struct mf_metrics_reader *reader;
    const struct mf_metrics_query *query;
    const struct mf_metrics_visitor *visitor;
    struct mf_metrics_info info;
    struct mf_metrics_schema schema; /* of the current series */
    struct source_series series;
    struct mf_histogram *slot_buckets;
    uint32_t tier;
    int64_t start_ns; /* of the part that is being read */
    int64_t end_ns;
    bool latest_only;
    bool latest_found;
    struct source_point latest;
};

static int64_t divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* Times of the outermost slots may not fit 64 bits. */
static int64_t slot_start_ns(int64_t slot, int64_t interval_ns)
{
    int64_t start;
    if (__builtin_mul_overflow(slot, interval_ns, &start)) {
        return slot < 0 ? INT64_MIN : INT64_MAX;
    }
    return start;
}

/* The oldest slot that a tier retains. */
static int64_t retained_slot(const struct visiting *v, uint32_t tier)
{
    const struct mf_metrics_tier *t = &v->schema.tiers[tier];
    return divide_down(v->info.clock_wall_ns, t->interval_ns) - (int64_t)t->slots + 1;
}

static int deliver(struct visiting *v, const struct source_point *point)
{
    const int64_t interval_ns = v->schema.tiers[v->tier].interval_ns;
    const struct mf__aggregate *a = &point->aggregate;
    const struct mf_point out = {
        .start_ns = slot_start_ns(point->slot, interval_ns),
        .count = a->count,
        .sum = a->sum,
        .min = a->min,
        .max = a->max,
        .first = a->first,
        .last = a->last,
        .flags =
            (divide_down(v->info.clock_wall_ns, interval_ns) == point->slot ? MF_POINT_OPEN : 0) |
            (point->exact ? 0 : MF_POINT_APPROXIMATE),
    };
    const struct mf_histogram *buckets = NULL;
    if (v->series.type == MF_HISTOGRAM) {
        memset(v->slot_buckets, 0, sizeof *v->slot_buckets);
        int rc = v->reader->ops->buckets(v->reader->source, v->series.id, v->tier, point->slot,
                                         v->slot_buckets);
        if (rc < 0) {
            return rc;
        }
        /* Count, sum and ends are of the slot as a whole. */
        v->slot_buckets->sum = a->sum;
        v->slot_buckets->min = a->min;
        v->slot_buckets->max = a->max;
        v->slot_buckets->rounded = !point->exact;
        buckets = v->slot_buckets;
    }
    return v->visitor->point(v->visitor->context, &out, interval_ns, buckets);
}

static int on_point(void *context, const struct source_point *point)
{
    struct visiting *v = context;
    if (v->latest_only) {
        v->latest = *point;
        v->latest_found = true;
        return 0;
    }
    return deliver(v, point);
}

/* The slots of a tier that overlap [start_ns, end_ns), as far as they are retained. */
static int read_tier(struct visiting *v, uint32_t tier, int64_t start_ns, int64_t end_ns)
{
    if (start_ns >= end_ns) {
        return 0;
    }
    const int64_t interval_ns = v->schema.tiers[tier].interval_ns;
    const int64_t oldest = retained_slot(v, tier);
    const int64_t newest = divide_down(v->info.clock_wall_ns, interval_ns);
    int64_t first = divide_down(start_ns, interval_ns);
    int64_t last = divide_down(end_ns - 1, interval_ns);
    first = first > oldest ? first : oldest;
    last = last < newest ? last : newest;
    v->tier = tier;
    if (first > last) {
        return 0;
    }
    return v->reader->ops->points(v->reader->source, v->series.id, tier, first, last, on_point, v);
}

static int read_finest(struct visiting *v, int64_t start_ns, int64_t end_ns)
{
    int rc = 0;
    int64_t border = start_ns;
    for (uint32_t tier = v->schema.tier_count; rc == 0 && tier-- > 0;) {
        int64_t next = end_ns;
        if (tier > 0) { /* where the tier below takes over */
            const int64_t interval_ns = v->schema.tiers[tier].interval_ns;
            const int64_t retained_ns =
                slot_start_ns(retained_slot(v, tier - 1), v->schema.tiers[tier - 1].interval_ns);
            next = slot_start_ns(divide_down(retained_ns - 1, interval_ns) + 1, interval_ns);
            next = next < end_ns ? next : end_ns;
        }
        if (next > border) {
            rc = read_tier(v, tier, border, next);
            border = next;
        }
    }
    return rc;
}

static int read_latest(struct visiting *v, int64_t start_ns, int64_t end_ns)
{
    v->latest_only = true;
    v->latest_found = false;
    int rc = 0;
    for (uint32_t tier = 0; rc == 0 && !v->latest_found && tier < v->schema.tier_count; tier++) {
        const int64_t interval_ns = v->schema.tiers[tier].interval_ns;
        const int64_t newest = divide_down(v->info.clock_wall_ns, interval_ns);
        const int64_t oldest = retained_slot(v, tier);
        int64_t last = newest;
        for (int64_t slots = LATEST_SLOTS; rc == 0 && !v->latest_found && last >= oldest;
             slots *= 2) {
            const int64_t first = last - oldest < slots ? oldest : last - slots + 1;
            const int64_t from = slot_start_ns(first, interval_ns);
            const int64_t to = slot_start_ns(last + 1, interval_ns);
            rc = read_tier(v, tier, from > start_ns ? from : start_ns, to < end_ns ? to : end_ns);
            last = first - 1;
        }
        if (v->latest_found) {
            rc = rc == 0 ? deliver(v, &v->latest) : rc;
        }
    }
    v->latest_only = false;
    return rc;
}

static int read_series(struct visiting *v, const struct mf__labels *labels)
{
    const struct mf_metrics_query *query = v->query;
    v->reader->ops->schema(v->reader->source, v->series.schema, &v->schema);
    const uint32_t tier = query->tier >= 0 ? (uint32_t)query->tier : 0;
    const struct mf_series_result about = {
        .name = labels->name,
        .labels = labels->labels,
        .label_count = labels->label_count,
        .text = v->series.text,
        .unit = v->series.unit,
        .help = v->series.help,
        .type = v->series.type,
        .schema = v->series.schema,
        .tier = tier,
        .interval_ns = tier < v->schema.tier_count ? v->schema.tiers[tier].interval_ns : 0,
    };
    int64_t start_ns = query->start_ns;
    int rc = v->visitor->series(v->visitor->context, &about, &start_ns);
    const bool skip = rc == MF_VISIT_SKIP;
    if (rc == 0 && v->info.clock_wall_ns != 0 && tier < v->schema.tier_count) {
        switch (query->tier) {
        case MF_TIER_FINEST:
            rc = read_finest(v, start_ns, query->end_ns);
            break;
        case MF_TIER_LATEST:
            rc = read_latest(v, start_ns, query->end_ns);
            break;
        case MF_TIER_AUTO:
            rc = read_tier(v, mf__choose_tier(&v->info, &v->schema, start_ns), start_ns,
                           query->end_ns);
            break;
        default:
            rc = read_tier(v, tier, start_ns, query->end_ns);
            break;
        }
    }
    if (rc == 0 && !skip && v->visitor->end != NULL) {
        rc = v->visitor->end(v->visitor->context);
    }
    return skip ? 0 : rc;
}

int mf_metrics_visit(struct mf_metrics_reader *reader, const struct mf_metrics_query *query,
                     const struct mf_metrics_visitor *visitor, struct mf_errinfo *err)
{
    if (query->tier < MF_TIER_LATEST || query->tier >= MF_METRICS_TIERS_MAX ||
        query->start_ns > query->end_ns) {
        return mf_fail(err, MF_EVALUE, "tier %d, or range from %lld to %lld, does not exist",
                       query->tier, (long long)query->start_ns, (long long)query->end_ns);
    }
    struct match *matches = NULL;
    size_t count = 0;
    if (err != NULL) {
        err->code = 0;
    }
    int rc = mf__matches_find(reader, query->selector, &matches, &count, err);
    if (rc == 0) {
        struct visiting v = {
            .reader = reader,
            .query = query,
            .visitor = visitor,
            .slot_buckets = mf_malloc(sizeof *v.slot_buckets),
        };
        reader->ops->info(reader->source, &v.info);
        rc = v.slot_buckets == NULL ? -ENOMEM : 0;
        for (size_t i = 0; rc == 0 && i < count; i++) {
            v.series = matches[i].series;
            rc = read_series(&v, matches[i].labels);
        }
        mf_free(v.slot_buckets);
        mf__matches_free(matches, count);
    }
    if (rc < 0 && err != NULL && err->code == 0) {
        return mf_fail(err, rc, "%s", mf_strerror(rc));
    }
    return rc;
}
