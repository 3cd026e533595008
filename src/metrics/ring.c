/* SPDX-License-Identifier: Apache-2.0
 * ring.c -- open slots on their way into the rings.
 *
 * A value goes into the open slot of the first tier only. When the next slot of its series begins,
 * the old one is packed into the ring and merged into the open slot of the tier above, which in
 * turn, when it is over, goes the same way. Each step can be done twice without harm: packing
 * writes the same bytes again, and `through` in the upper slot tells what is in it already.
 *
 * A sync also packs what is still open, as it stands, into the rings: cells are overwritten by the
 * next slot while the ring may not have reached the disk, so what was synced must be in both.
 * Nobody looks at that copy while the slot is open. */
#include "store.h"

#include "base/check.h"

#include <string.h>

#define ROW_LAPS 128 /* a row is cleared when a multiple of so many laps has passed */

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
    /* The other, which does not count any more, gets the same: the fast path changes only some
     * fields. */
    write_copy(copies[newer], sequence, slot, aggregate, throughs[newer], through);
    if (tier == 0) {
        series->current = copies[older];
    }
}

uint64_t mf__open_sequence(const struct mf_metrics *store, const struct store_series *series,
                           uint32_t tier)
{
    struct slab_cell *cell = slab_cell(&store->slab, series->schema->slab, series->column);
    const uint64_t a = tier == 0 ? cell->open[0].sequence : upper_copy(cell, tier, 0)->sequence;
    const uint64_t b = tier == 0 ? cell->open[1].sequence : upper_copy(cell, tier, 1)->sequence;
    return a > b ? a : b;
}

struct open_copy mf__open_get(const struct mf_metrics *store, const struct store_series *series,
                              uint32_t tier)
{
    const struct slab_schema *schema = series->schema->slab;
    struct open_copy copy;
    const int rc =
        mf__cell_read(schema, slab_cell(&store->slab, schema, series->column), tier, &copy);
    MF_ASSERT(rc == 0); /* nobody else writes */
    return copy;
}

bool mf__ring_row_open(struct mf_metrics *store, const struct store_series *series,
                       uint32_t tier_index, int64_t slot)
{
    const struct slab *slab = &store->slab;
    const struct slab_schema *schema = series->schema->slab;
    const struct slab_tier *tier = &schema->tiers[tier_index];
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
    if (stored / ROW_LAPS != lap / ROW_LAPS) {
        /* Long before the tags of slots come round, also those of series that went quiet. */
        struct mf__slot *slots = slab_row_slot(slab, schema, tier, position, schema->base);
        atomic_store_explicit(row, 0, memory_order_release);
        for (uint32_t i = 0; i < series->schema->fresh; i++) {
            if (slots[i].hi != 0) {
                slot_store(&slots[i], (struct mf__slot){0, 0});
            }
        }
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

void mf__blobs_merge(const struct mf_metrics *store, const struct store_series *series,
                     uint32_t tier, int64_t slot, struct mf_histogram *into)
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

/* Stores the buckets of a slot: of the first tier those that are live, above it those of the tier
 * below. Also when the row is gone: the tier above will want them, and the place is this series'
 * own. */
static void put_blob(struct mf_metrics *store, const struct store_series *series,
                     uint32_t tier_index, int64_t slot, struct mf__slot packed)
{
    const struct slab_schema *schema = series->schema->slab;
    const struct slab_tier *tier = &schema->tiers[tier_index];
    struct mf_histogram merged = {0};
    if (tier_index == 0) {
        const _Atomic uint64_t *dense = slab_dense(&store->slab, schema, series->histogram_column);
        for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
            merged.buckets[i] = atomic_load_explicit(&dense[i], memory_order_relaxed);
        }
    } else {
        mf__blobs_merge(store, series, tier_index, slot, &merged);
    }
    mf__histogram_encode(
        merged.buckets, merged.halvings, slot, packed,
        slab_blob(&store->slab, schema, tier, slot_position(tier, slot), series->histogram_column),
        schema->config->histogram_bytes);
}

void mf__ring_put(struct mf_metrics *store, struct store_series *series, uint32_t tier_index,
                  int64_t slot, const struct mf__aggregate *aggregate)
{
    const struct slab_schema *schema = series->schema->slab;
    const struct slab_tier *tier = &schema->tiers[tier_index];
    const struct mf__slot packed =
        mf__slot_pack(aggregate, series->type == MF_COUNTER, slot_lap(tier, slot));
    const bool retained = mf__ring_row_open(store, series, tier_index, slot);
    if (series->type == MF_HISTOGRAM) {
        put_blob(store, series, tier_index, slot, packed);
    }
    if (retained) {
        slot_store(
            slab_row_slot(&store->slab, schema, tier, slot_position(tier, slot), series->column),
            packed);
    }
}

static void move_up(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                    const struct open_copy *open);

struct open_copy mf__upper_at(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                              int64_t slot)
{
    struct open_copy open = mf__open_get(store, series, tier);
    if (open.slot >= slot) {
        return open;
    }
    if (open.aggregate.count > 0) {
        move_up(store, series, tier, &open);
    }
    const struct mf__aggregate empty = {0};
    mf__open_publish(store, series, tier, slot, &empty, open.through);
    return mf__open_get(store, series, tier);
}

void mf__upper_merge(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                     int64_t child, const struct mf__aggregate *aggregate)
{
    const int64_t slot = floor_divide(child, series->schema->slab->tiers[tier].children);
    struct open_copy open = mf__upper_at(store, series, tier, slot);
    if (open.through >= child || open.slot != slot) {
        return;
    }
    mf__aggregate_append(&open.aggregate, aggregate);
    mf__open_publish(store, series, tier, slot, &open.aggregate, child);
}

/* From a tier into its ring and the tier above. What is over there has to merge its buckets first,
 * from places in this ring that may be taken now. The depth of all this is the number of tiers. */
static void move_up(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                    const struct open_copy *open)
{
    const struct slab_schema *schema = series->schema->slab;
    const bool has_upper = tier + 1 < schema->tier_count;
    if (has_upper) {
        (void)mf__upper_at(store, series, tier + 1,
                           floor_divide(open->slot, schema->tiers[tier + 1].children));
    }
    mf__ring_put(store, series, tier, open->slot, &open->aggregate);
    if (has_upper) {
        mf__upper_merge(store, series, tier + 1, open->slot, &open->aggregate);
    }
}

void mf__ring_close_open(struct mf_metrics *store, struct store_series *series)
{
    const struct open_copy open = mf__open_get(store, series, 0);
    if (open.aggregate.count > 0) {
        move_up(store, series, 0, &open);
    }
}

void mf__ring_empty_open(struct mf_metrics *store, struct store_series *series)
{
    const struct open_copy open = mf__open_get(store, series, 0);
    mf__ring_close_open(store, series);
    struct mf__aggregate empty = open.aggregate; /* a counter's total and source stay */
    empty.count = 0;
    mf__open_publish(store, series, 0, SLOT_NONE, &empty, SLOT_NONE);
    if (series->type == MF_HISTOGRAM) {
        mf__dense_clear(store, series);
    }
}

void mf__ring_checkpoint(struct mf_metrics *store, struct store_series *series)
{
    const struct slab_schema *schema = series->schema->slab;
    /* What is over goes where it belongs, before its places are taken. */
    struct open_copy below = mf__open_get(store, series, 0);
    for (uint32_t tier = 1; tier < schema->tier_count; tier++) {
        below = below.slot == SLOT_NONE
                    ? mf__open_get(store, series, tier)
                    : mf__upper_at(store, series, tier,
                                   floor_divide(below.slot, schema->tiers[tier].children));
    }
    struct open_copy copies[MF_METRICS_TIERS_MAX];
    for (uint32_t tier = 0; tier < schema->tier_count; tier++) {
        copies[tier] = mf__open_get(store, series, tier);
        struct mf__aggregate all = {0};
        mf__open_merge(schema, copies, tier, copies[tier].slot, &all);
        if (all.count > 0) {
            mf__ring_put(store, series, tier, copies[tier].slot, &all);
        }
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
            memset(slab_blob(&store->slab, schema, &schema->tiers[t], position, histogram_column),
                   0, HISTOGRAM_BLOB_HEADER);
        }
    }
}

void mf__cells_clear(struct mf_metrics *store, uint32_t column)
{
    const struct slab *slab = &store->slab;
    struct store_schema *schema = &store->schemas[mf__slab_schema_of(slab, column) - slab->schemas];
    /* Sequences go on growing, so that a reader that looks at the cell of a former series notices.
     */
    struct store_series former = {.schema = schema, .column = column};
    const struct mf__aggregate empty = {0};
    for (uint32_t t = 0; t < schema->slab->tier_count; t++) {
        mf__open_publish(store, &former, t, SLOT_NONE, &empty, SLOT_NONE);
    }
}

void mf__column_clear(struct mf_metrics *store, uint32_t column)
{
    const struct slab *slab = &store->slab;
    const struct slab_schema *schema = mf__slab_schema_of(slab, column);
    mf__cells_clear(store, column);
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
