/* SPDX-License-Identifier: Apache-2.0
 * late.c -- values behind the newest of their series.
 *
 * A late value goes into the ring of each tier that retains its slot, up to the first tier in which
 * that slot is still open; the tiers above have it from there. That is more than one place, so it
 * is written down first (struct slab_late): what the slots and blobs will be, and what the open
 * slot will. Doing it again gives the same, so the next open finishes what a kill interrupted.
 *
 * A value counts in count, sum, min and max of slots that are over; `first` and `last` are left
 * alone, unless nothing of its series is newer: because the newest slot was moved into the rings
 * early, or the first tier does not retain it any more. */
#include "store.h"

#include "base/hash.h"

#include <string.h>

/* One late value on its way. */
struct late_value {
    struct mf_metrics *store;
    struct store_series *series;
    double value;
    bool newest; /* nothing of the series is newer: its slot was closed early, or never opened */
    struct slab_late *plan;
};

static bool retained(const struct mf_metrics *store, const struct slab_tier *tier, int64_t slot)
{
    return slot > floor_divide(store->clock_ns, tier->interval_ns) - (int64_t)tier->slots;
}

bool mf__tier_retains(const struct mf_metrics *store, const struct store_series *series,
                      uint32_t tier, int64_t slot)
{
    return retained(store, series_tier(series, tier), slot);
}

bool mf__any_tier_retains(const struct mf_metrics *store, const struct store_series *series,
                          int64_t slot)
{
    for (uint32_t t = 0; t < series->schema->slab->tier_count; t++) {
        if (mf__tier_retains(store, series, t, series_slot(series, t, slot))) {
            return true;
        }
    }
    return false;
}

static void merge_value(const struct late_value *late, struct mf__aggregate *into)
{
    const double value = late->value;
    if (late->newest) {
        const struct mf__aggregate one = {1, value, value, value, value, value};
        mf__aggregate_append(into, &one);
    } else {
        mf__aggregate_add_late(into, value);
    }
}

/* Large counts are stored in steps. One more would always or never be a step more; so it is one as
 * often as its share of a step. */
static void round_count(const struct late_value *late, struct mf__aggregate *a, uint64_t before)
{
    const uint64_t step = mf__slot_count_step(before);
    const uint64_t nth = late->store->late_rounded++;
    const bool up = mf_hash64(&nth, sizeof nth) % step == 0;
    const double mean = a->sum / (double)a->count;
    a->count = before + (up ? step : 0);
    a->sum = mean * (double)a->count;
}

static struct mf__slot changed_slot(const struct late_value *late, uint32_t tier_index,
                                    int64_t slot)
{
    const struct slab_schema *schema = late->series->schema->slab;
    struct mf__aggregate before = {0};
    bool exact = true;
    if (!mf__ring_get(&late->store->slab, schema, tier_index, late->series->column, slot, &before,
                      &exact)) {
        before.count = 0;
    }
    struct mf__aggregate after = before;
    merge_value(late, &after);
    if (!exact && mf__slot_count_step(before.count) > 1) {
        round_count(late, &after, before.count);
    }
    return mf__slot_pack(&after, false, slot_lap(&schema->tiers[tier_index], slot));
}

static uint8_t *blob_of(const struct late_value *late, uint32_t tier_index, int64_t slot)
{
    const struct slab_schema *schema = late->series->schema->slab;
    const struct slab_tier *tier = &schema->tiers[tier_index];
    return slab_blob(&late->store->slab, schema, tier, slot_position(tier, slot),
                     late->series->histogram_column);
}

/* `packed` is NULL when the slot itself does not change. */
static void plan_blob(const struct late_value *late, uint32_t tier, int64_t slot,
                      const struct mf__slot *packed)
{
    const uint32_t room = late->series->schema->slab->config->histogram_bytes;
    const uint8_t *blob = blob_of(late, tier, slot);
    struct mf_histogram merged = {0};
    struct mf__slot with = {0, 0};
    if (mf__histogram_decode(blob, room, slot, &merged) == 1) {
        with = mf__histogram_packed(blob);
    }
    with = packed != NULL ? *packed : with;
    merged.buckets[mf__histogram_index(late->value)]++;
    mf__histogram_encode(merged.buckets, merged.halvings, slot, with,
                         slab_late_blob(&late->store->slab, tier), room);
    late->plan->rings[tier].slot = slot;
    late->plan->rings[tier].parts |= LATE_BLOB;
}

static void plan_ring(const struct late_value *late, uint32_t tier, int64_t slot)
{
    struct slab_late_ring *ring = &late->plan->rings[tier];
    ring->slot = slot;
    ring->packed = changed_slot(late, tier, slot);
    ring->parts |= LATE_SLOT;
    if (late->series->type == MF_HISTOGRAM) {
        plan_blob(late, tier, slot, &ring->packed);
    }
}

static void plan_open(const struct late_value *late, uint32_t tier, const struct open_copy *open,
                      int64_t child)
{
    struct slab_late *plan = late->plan;
    plan->open_tier = tier;
    plan->open_slot = open->slot;
    /* A gap that is filled is merged as well, and not to be merged again by a recovery. */
    plan->open_through = child > open->through ? child : open->through;
    plan->open_sequence = mf__open_sequence(late->store, late->series, tier);
    plan->aggregate = open->aggregate;
    if (plan->aggregate.count == 0) {
        /* What is still open below comes first, or this was the first of all. */
        struct open_copy copies[MF_METRICS_TIERS_MAX];
        for (uint32_t t = 0; t <= tier; t++) {
            copies[t] = mf__open_get(late->store, late->series, t);
        }
        struct mf__aggregate below = {0};
        mf__open_merge(late->series->schema->slab, copies, tier, open->slot, &below);
        merge_value(late, &plan->aggregate);
        plan->aggregate.first = below.count > 0 ? below.first : late->value;
        plan->aggregate.last = plan->aggregate.first;
    } else {
        merge_value(late, &plan->aggregate);
    }
    if (late->series->type == MF_HISTOGRAM && (plan->rings[tier - 1].parts & LATE_BLOB) == 0) {
        /* Its buckets are made of those below, retained or not. */
        plan_blob(late, tier - 1, child, NULL);
    }
}

static uint32_t plan_crc(const struct slab *slab, const struct slab_schema *schema)
{
    const struct slab_late *plan = slab_late(slab);
    uint32_t crc =
        mf_crc32c(0, (const uint8_t *)plan + sizeof plan->crc, sizeof *plan - sizeof plan->crc);
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        if ((plan->rings[t].parts & LATE_BLOB) != 0) {
            crc = mf_crc32c(crc, slab_late_blob(slab, t), schema->config->histogram_bytes);
        }
    }
    return crc != 0 ? crc : 1;
}

static void plan_set(struct slab_late *plan, uint32_t crc)
{
    __atomic_store_n(&plan->crc, crc, __ATOMIC_RELEASE);
    atomic_signal_fence(memory_order_seq_cst);
}

static void carry_out(struct mf_metrics *store, struct store_series *series)
{
    const struct slab *slab = &store->slab;
    const struct slab_schema *schema = series->schema->slab;
    struct slab_late *plan = slab_late(slab);
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        const struct slab_tier *tier = &schema->tiers[t];
        const struct slab_late_ring *ring = &plan->rings[t];
        const uint32_t position = slot_position(tier, ring->slot);
        if ((ring->parts & LATE_BLOB) != 0) {
            memcpy(slab_blob(slab, schema, tier, position, series->histogram_column),
                   slab_late_blob(slab, t), schema->config->histogram_bytes);
        }
        if ((ring->parts & LATE_SLOT) != 0 && mf__ring_row_open(store, series, t, ring->slot)) {
            slot_store(slab_row_slot(slab, schema, tier, position, series->column), ring->packed);
        }
    }
    if (plan->open_tier != 0 &&
        mf__open_sequence(store, series, plan->open_tier) == plan->open_sequence) {
        mf__open_publish(store, series, plan->open_tier, plan->open_slot, &plan->aggregate,
                         plan->open_through);
    }
    plan_set(plan, 0);
}

/* The tiers above the first must have open what the newest values will go to, before it can be told
 * whether a slot is in a ring already. */
static void move_uppers(struct mf_metrics *store, struct store_series *series, int64_t slot)
{
    const uint32_t tiers = series->schema->slab->tier_count;
    const struct open_copy first = mf__open_get(store, series, 0);
    int64_t until = slot;
    if (first.aggregate.count > 0) {
        until = first.slot > until ? first.slot : until;
    } else if (tiers > 1) { /* the newest has left the first tier already */
        const int64_t newest = mf__open_get(store, series, 1).through;
        until = newest > until ? newest : until;
    }
    for (uint32_t t = 1; t < tiers; t++) {
        (void)mf__upper_at(store, series, t, series_slot(series, t, until));
    }
}

bool mf__late_merge(struct mf_metrics *store, struct store_series *series, int64_t slot,
                    double value)
{
    const struct slab_schema *schema = series->schema->slab;
    struct open_copy first = mf__open_get(store, series, 0);
    if (first.aggregate.count > 0 && slot > first.slot) {
        mf__ring_empty_open(store,
                            series); /* what is newer than it has left the first tier already */
        first = mf__open_get(store, series, 0);
    }
    struct slab_late *plan = slab_late(&store->slab);
    *plan = (struct slab_late){.column = series->column};
    const struct late_value late = {
        .store = store,
        .series = series,
        .value = value,
        .newest = first.aggregate.count == 0 && schema->tier_count > 1 &&
                  mf__open_get(store, series, 1).through <= slot,
        .plan = plan,
    };
    plan->generation = slab_entry(&store->slab, series->column)->generation;
    move_uppers(store, series, slot);
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        const int64_t at = series_slot(series, t, slot);
        const struct open_copy open = mf__open_get(store, series, t);
        if (t > 0 && open.slot == at) {
            plan_open(&late, t, &open, series_slot(series, t - 1, slot));
            break;
        }
        if (retained(store, &schema->tiers[t], at)) {
            plan_ring(&late, t, at);
        }
    }
    plan_set(plan, plan_crc(&store->slab, schema));
    carry_out(store, series);
    return !late.newest;
}

void mf__late_finish(struct mf_metrics *store)
{
    struct slab_late *plan = slab_late(&store->slab);
    if (plan->crc == 0) {
        return;
    }
    struct store_series *series =
        plan->column < store->slab.columns ? &store->series[plan->column] : NULL;
    if (series == NULL || series->type == 0 || series->type == MF_COUNTER ||
        slab_entry(&store->slab, plan->column)->generation != plan->generation) {
        plan_set(plan, 0);
        return;
    }
    const struct slab_schema *schema = series->schema->slab;
    bool sound = plan->open_tier < schema->tier_count;
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        sound = sound &&
                (plan->rings[t].parts == 0 || slot_exists(&schema->tiers[t], plan->rings[t].slot));
        sound = sound && ((plan->rings[t].parts & LATE_BLOB) == 0 || series->type == MF_HISTOGRAM);
    }
    if (sound && plan->crc == plan_crc(&store->slab, schema)) {
        carry_out(store, series);
    }
    plan_set(plan, 0);
}
