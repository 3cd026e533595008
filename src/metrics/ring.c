/* SPDX-License-Identifier: Apache-2.0
 * ring.c -- open slots on their way into the rings.
 *
 * A value goes into the open slot of the first tier only. When the next slot of its series begins, the
 * old one is packed into the ring and merged into the open slot of the tier above, which in turn, when
 * it is over, goes the same way. Each step can be done twice without harm: packing writes the same bytes
 * again, and `through` in the upper slot tells what is in it already. */
#include "store.h"

#include "base/check.h"

#include <string.h>

static struct slab_open *upper_copy(struct slab_cell *cell, uint32_t tier, unsigned which)
{
    return &cell->upper[tier - 1][which].open;
}

static void write_copy(struct slab_open *open, uint64_t sequence, int64_t slot,
                       const struct mf__aggregate *a, int64_t *through_at, int64_t through)
{
    atomic_thread_fence(memory_order_release); /* behind the publication of the other copy */
    __atomic_store_n(&open->before, sequence - a->count, __ATOMIC_RELAXED);
    __atomic_store_n(&open->slot, slot, __ATOMIC_RELAXED);
    store_double(&open->sum, a->sum);
    store_double(&open->minus_min, -a->min);
    store_double(&open->max, a->max);
    store_double(&open->first, a->first);
    store_double(&open->last, a->last);
    if (through_at != NULL) {
        __atomic_store_n(through_at, through, __ATOMIC_RELAXED);
    }
}

void mf__open_publish(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                      int64_t slot, const struct mf__aggregate *aggregate, int64_t through)
{
    struct slab_cell *cell = slab_cell(&store->slab, series->schema->slab, series->column);
    struct slab_open *copies[2];
    int64_t *throughs[2] = {NULL, NULL};
    for (unsigned i = 0; i < 2; i++) {
        copies[i] = tier == 0 ? &cell->open[i] : upper_copy(cell, tier, i);
        throughs[i] = tier == 0 ? NULL : &cell->upper[tier - 1][i].through;
    }
    const unsigned newer = copies[1]->sequence > copies[0]->sequence ? 1 : 0;
    const unsigned older = 1 - newer;
    const uint64_t sequence = copies[newer]->sequence + 1 + aggregate->count;
    write_copy(copies[older], sequence, slot, aggregate, throughs[older], through);
    __atomic_store_n(&copies[older]->sequence, sequence, __ATOMIC_RELEASE);
    /* The other, which does not count any more, gets the same: the fast path changes only some fields. */
    write_copy(copies[newer], sequence, slot, aggregate, throughs[newer], through);
    if (tier == 0) {
        series->current = copies[older];
    }
}

struct open_copy mf__open_get(struct mf_metrics *store, const struct store_series *series,
                              uint32_t tier)
{
    const struct slab_cell *cell = slab_cell(&store->slab, series->schema->slab, series->column);
    struct open_copy copy;
    int which = tier == 0 ? mf__open_read(cell->open, sizeof(struct slab_open), &copy)
                          : mf__open_read(&cell->upper[tier - 1][0].open, sizeof(struct slab_upper),
                                          &copy);
    MF_ASSERT(which >= 0); /* nobody else writes */
    return copy;
}

/* Makes the row ready for a slot; false when it holds a newer lap already. A row that was left alone for
 * 255 laps or more is cleared, since the tags in its slots have come round. */
static bool row_open(const struct slab *slab, const struct slab_schema *schema,
                     const struct slab_tier *tier, int64_t slot)
{
    const uint32_t position = slot_position(tier, slot);
    _Atomic uint64_t *row = slab_row(slab, tier, position);
    /* Laps are stored plus 2^63, so that a row of zeros is older than any. */
    const uint64_t lap = slot_lap(tier, slot) + (UINT64_C(1) << 63);
    const uint64_t stored = atomic_load_explicit(row, memory_order_relaxed);
    if (stored == lap) {
        return true;
    }
    if (stored > lap) {
        return false;
    }
    if (stored != 0 && lap - stored >= 255) {
        atomic_store_explicit(row, 0, memory_order_release);
        memset(slab_row_slot(slab, schema, tier, position, schema->base), 0,
               tier->row_bytes - 16);
    }
    atomic_store_explicit(row, lap, memory_order_release);
    return true;
}

bool mf__ring_get(const struct slab *slab, const struct slab_schema *schema, uint32_t tier_index,
                  uint32_t column, int64_t slot, struct mf__aggregate *ret_aggregate,
                  bool *ret_exact)
{
    const struct slab_tier *tier = &schema->tiers[tier_index];
    const uint32_t position = slot_position(tier, slot);
    const _Atomic uint64_t *row = slab_row(slab, tier, position);
    const uint64_t lap = slot_lap(tier, slot);
    const uint64_t row_lap = lap + (UINT64_C(1) << 63);
    if (atomic_load_explicit(row, memory_order_acquire) != row_lap) {
        return false;
    }
    const struct mf__slot packed = slot_load(slab_row_slot(slab, schema, tier, position, column));
    if (atomic_load_explicit(row, memory_order_acquire) != row_lap) {
        return false; /* the writer lapped us: the slot is out of the window now */
    }
    return mf__slot_unpack(packed, lap, ret_aggregate, ret_exact);
}

/* The buckets of one slot of a tier above the first: merged from the blobs of the tier below. */
static void merge_blobs(struct mf_metrics *store, const struct store_series *series, uint32_t tier,
                        int64_t slot, struct mf_histogram *into)
{
    const struct slab_schema *schema = series->schema->slab;
    const struct slab_tier *finer = &schema->tiers[tier - 1];
    const int64_t children = schema->tiers[tier].children;
    for (int64_t child = slot * children; child < (slot + 1) * children; child++) {
        const uint8_t *blob = slab_blob(&store->slab, schema, finer, slot_position(finer, child),
                                        series->histogram_column);
        (void)mf__histogram_decode(blob, schema->config->histogram_bytes, child, into);
    }
}

static void put_blob(struct mf_metrics *store, const struct store_series *series, uint32_t tier,
                     int64_t slot, const struct mf_histogram *histogram)
{
    const struct slab_schema *schema = series->schema->slab;
    const struct slab_tier *in = &schema->tiers[tier];
    mf__histogram_encode(histogram->buckets, histogram->halvings, slot,
                         slab_blob(&store->slab, schema, in, slot_position(in, slot),
                                   series->histogram_column),
                         schema->config->histogram_bytes);
}

void mf__ring_put(struct mf_metrics *store, struct store_series *series, uint32_t tier_index,
                  int64_t slot, const struct mf__aggregate *aggregate)
{
    const struct slab_schema *schema = series->schema->slab;
    const struct slab_tier *tier = &schema->tiers[tier_index];
    if (!row_open(&store->slab, schema, tier, slot)) {
        return;
    }
    if (series->type == MF_HISTOGRAM) {
        struct mf_histogram merged = {0};
        if (tier_index == 0) {
            const _Atomic uint64_t *dense =
                slab_dense(&store->slab, schema, series->histogram_column);
            for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
                merged.buckets[i] = atomic_load_explicit(&dense[i], memory_order_relaxed);
            }
        } else {
            merge_blobs(store, series, tier_index, slot, &merged);
        }
        put_blob(store, series, tier_index, slot, &merged);
    }
    const struct mf__slot packed =
        mf__slot_pack(aggregate, series->type == MF_COUNTER, slot_lap(tier, slot));
    slot_store(slab_row_slot(&store->slab, schema, tier, slot_position(tier, slot), series->column),
               packed);
}

static void upper_flush(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                        const struct open_copy *open);

/* Makes `slot` the open one of an upper tier, or leaves a newer one. */
static struct open_copy upper_at(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                                 int64_t slot)
{
    struct open_copy open = mf__open_get(store, series, tier);
    if (open.slot >= slot) {
        return open;
    }
    if (open.aggregate.count > 0) {
        upper_flush(store, series, tier, &open);
    }
    const struct mf__aggregate empty = {0};
    mf__open_publish(store, series, tier, slot, &empty, open.through);
    return mf__open_get(store, series, tier);
}

/* Merges a closed slot of the tier below. */
static void upper_merge(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                        int64_t child, const struct mf__aggregate *aggregate)
{
    const int64_t slot = floor_divide(child, series->schema->slab->tiers[tier].children);
    struct open_copy open = upper_at(store, series, tier, slot);
    if (open.through >= child || open.slot != slot) {
        return;
    }
    mf__aggregate_append(&open.aggregate, aggregate);
    mf__open_publish(store, series, tier, slot, &open.aggregate, child);
}

/* The depth is the number of tiers. */
static void upper_flush(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                        const struct open_copy *open)
{
    mf__ring_put(store, series, tier, open->slot, &open->aggregate);
    if (tier + 1 < series->schema->slab->tier_count) {
        upper_merge(store, series, tier + 1, open->slot, &open->aggregate);
    }
}

void mf__ring_close_open(struct mf_metrics *store, struct store_series *series)
{
    const struct open_copy open = mf__open_get(store, series, 0);
    if (open.aggregate.count == 0) {
        return;
    }
    const bool has_upper = series->schema->slab->tier_count > 1;
    if (has_upper) {
        /* Before the ring of the first tier is overwritten: an upper slot that is over may still have to
         * merge its buckets from there. */
        (void)upper_at(store, series, 1, series_slot(series, 1, open.slot));
    }
    mf__ring_put(store, series, 0, open.slot, &open.aggregate);
    if (has_upper) {
        upper_merge(store, series, 1, open.slot, &open.aggregate);
    }
}

bool mf__ring_has(struct mf_metrics *store, const struct store_series *series, int64_t slot)
{
    const struct slab_schema *schema = series->schema->slab;
    if (schema->tier_count > 1 && mf__open_get(store, series, 1).through >= slot) {
        return true;
    }
    struct mf__aggregate aggregate;
    bool exact;
    return mf__ring_get(&store->slab, schema, 0, series->column, slot, &aggregate, &exact);
}

static void merge_aggregate(const struct store_series *series, struct mf__aggregate *into,
                            const struct mf__aggregate *late)
{
    if (series->type == MF_COUNTER) {
        mf__aggregate_append(into, late);
    } else {
        mf__aggregate_add_late(into, late->last);
    }
}

static void merge_late_blob(struct mf_metrics *store, const struct store_series *series,
                            uint32_t tier_index, int64_t slot, double value)
{
    const struct slab_schema *schema = series->schema->slab;
    const struct slab_tier *tier = &schema->tiers[tier_index];
    struct mf_histogram merged = {0};
    (void)mf__histogram_decode(slab_blob(&store->slab, schema, tier, slot_position(tier, slot),
                                         series->histogram_column),
                               schema->config->histogram_bytes, slot, &merged);
    merged.buckets[mf__histogram_index(value)]++;
    put_blob(store, series, tier_index, slot, &merged);
}

/* Merges into a slot that is in the ring, or was never opened. */
static void ring_merge(struct mf_metrics *store, struct store_series *series, uint32_t tier_index,
                       int64_t slot, const struct mf__aggregate *late)
{
    const struct slab_schema *schema = series->schema->slab;
    const struct slab_tier *tier = &schema->tiers[tier_index];
    if (!row_open(&store->slab, schema, tier, slot)) {
        return;
    }
    struct mf__aggregate aggregate = {0};
    bool exact;
    if (!mf__ring_get(&store->slab, schema, tier_index, series->column, slot, &aggregate, &exact)) {
        aggregate.count = 0;
    }
    merge_aggregate(series, &aggregate, late);
    if (series->type == MF_HISTOGRAM) {
        merge_late_blob(store, series, tier_index, slot, late->last);
    }
    slot_store(slab_row_slot(&store->slab, schema, tier, slot_position(tier, slot), series->column),
               mf__slot_pack(&aggregate, series->type == MF_COUNTER, slot_lap(tier, slot)));
}

unsigned mf__ring_merge_late(struct mf_metrics *store, struct store_series *series, int64_t slot,
                             const struct mf__aggregate *aggregate)
{
    const struct slab_schema *schema = series->schema->slab;
    const struct open_copy newest = mf__open_get(store, series, 0);
    unsigned merged = 0;
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        const struct slab_tier *tier = &schema->tiers[t];
        const int64_t at = series_slot(series, t, slot);
        if (at <= floor_divide(store->clock_ns, tier->interval_ns) - (int64_t)tier->slots) {
            continue;
        }
        merged++;
        if (t == 0) {
            ring_merge(store, series, 0, at, aggregate);
            continue;
        }
        /* The upper slot that the newest values will go to must be the open one before it can be told
         * whether `at` is in a ring already. */
        int64_t open_at = at;
        if (newest.aggregate.count > 0 && series_slot(series, t, newest.slot) > at) {
            open_at = series_slot(series, t, newest.slot);
        }
        struct open_copy open = upper_at(store, series, t, open_at);
        if (open.slot == at) {
            merge_aggregate(series, &open.aggregate, aggregate);
            mf__open_publish(store, series, t, at, &open.aggregate, open.through);
            break; /* the tiers above have it from this slot, when that is over */
        }
        ring_merge(store, series, t, at, aggregate);
    }
    return merged;
}

void mf__dense_clear(struct mf_metrics *store, const struct store_series *series)
{
    _Atomic uint64_t *dense =
        slab_dense(&store->slab, series->schema->slab, series->histogram_column);
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        atomic_store_explicit(&dense[i], 0, memory_order_relaxed);
    }
}

void mf__histogram_column_clear(struct mf_metrics *store, const struct slab_schema *schema,
                                uint32_t histogram_column)
{
    memset(slab_dense(&store->slab, schema, histogram_column), 0,
           HISTOGRAM_BUCKETS * sizeof(uint64_t));
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        for (uint32_t position = 0; position < schema->tiers[t].slots; position++) {
            memset(slab_blob(&store->slab, schema, &schema->tiers[t], position, histogram_column), 0,
                   HISTOGRAM_BLOB_HEADER);
        }
    }
}

void mf__column_clear(struct mf_metrics *store, const struct slab_schema *schema, uint32_t column)
{
    const struct slab *slab = &store->slab;
    for (uint64_t shard = 0; shard < slab->config->writers_max; shard++) {
        __atomic_store_n(&slab_shard(slab, shard)[column], 0, __ATOMIC_RELAXED);
    }
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        const struct slab_tier *tier = &schema->tiers[t];
        for (uint32_t position = 0; position < tier->slots; position++) {
            struct mf__slot *slot = slab_row_slot(slab, schema, tier, position, column);
            if (slot->hi != 0) {
                slot_store(slot, (struct mf__slot){0, 0});
            }
        }
    }
}
