/* SPDX-License-Identifier: Apache-2.0
 * recover.c -- makes a store whole whose writer did not close it. What it relies on is told in the
 * essay of metrics.c; it changes nothing in a store that needs nothing, so it can be interrupted and done
 * again. */
#include "store.h"

#include "os/clock.h"

/* Rounded counts of a child slot are within this part of the exact ones. */
#define COUNT_ROUNDING 4096

int64_t mf__ring_newest(const struct slab *slab, const struct slab_schema *schema, uint32_t tier_index,
                        uint32_t column, int64_t limit_ns)
{
    const struct slab_tier *tier = &schema->tiers[tier_index];
    const int64_t limit = floor_divide(limit_ns, tier->interval_ns);
    int64_t newest = SLOT_NONE;
    for (uint32_t position = 0; position < tier->slots; position++) {
        const uint64_t row_lap =
            atomic_load_explicit(slab_row(slab, tier, position), memory_order_relaxed);
        if (row_lap == 0) {
            continue;
        }
        const int64_t lap = (int64_t)(row_lap - (UINT64_C(1) << 63));
        int64_t slot;
        if (__builtin_mul_overflow(lap, (int64_t)tier->slots, &slot) ||
            __builtin_add_overflow(slot, (int64_t)position, &slot) || slot > limit) {
            continue;
        }
        struct mf__aggregate aggregate;
        bool exact;
        if (slot > newest &&
            mf__ring_get(slab, schema, tier_index, column, slot, &aggregate, &exact)) {
            newest = slot;
        }
    }
    return newest;
}

static void repaired(struct mf_metrics *store)
{
    store->superblock.repaired++;
}

/* The open slot of the first tier against its ring, and against its buckets. */
static void recover_open(struct mf_metrics *store, struct store_series *series)
{
    const struct slab_schema *schema = series->schema->slab;
    const struct open_copy open = mf__open_get(store, series, 0);
    struct mf__aggregate in_ring;
    bool exact;
    if (open.aggregate.count > 0 &&
        mf__ring_get(&store->slab, schema, 0, series->column, open.slot, &in_ring, &exact)) {
        /* It was on its way (finish that), or it is older than the ring (drop it). */
        const uint64_t count = open.aggregate.count;
        if (in_ring.count <= count + count / COUNT_ROUNDING) {
            mf__ring_close_open(store, series);
        } else {
            repaired(store);
        }
        struct mf__aggregate empty = open.aggregate;
        empty.count = 0;
        mf__open_publish(store, series, 0, SLOT_NONE, &empty, SLOT_NONE);
    }
}

static void recover_buckets(struct mf_metrics *store, struct store_series *series)
{
    const struct open_copy open = mf__open_get(store, series, 0);
    if (open.aggregate.count == 0) {
        mf__dense_clear(store, series);
        return;
    }
    _Atomic uint64_t *dense =
        slab_dense(&store->slab, series->schema->slab, series->histogram_column);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        sum += atomic_load_explicit(&dense[i], memory_order_relaxed);
    }
    if (sum + 1 == open.aggregate.count) { /* killed between the two steps of recording */
        atomic_fetch_add(&dense[mf__histogram_index(open.aggregate.last)], 1);
    } else if (sum != open.aggregate.count) { /* power cut: one page is older than the other */
        struct mf__aggregate empty = {0};
        mf__open_publish(store, series, 0, SLOT_NONE, &empty, SLOT_NONE);
        mf__dense_clear(store, series);
        repaired(store);
    }
}

/* Counters keep their total in the open slot: it must not be behind the ring's. */
static void recover_total(struct mf_metrics *store, struct store_series *series, int64_t newest)
{
    struct mf__aggregate in_ring;
    bool exact;
    if (newest == SLOT_NONE || !mf__ring_get(&store->slab, series->schema->slab, 0, series->column,
                                             newest, &in_ring, &exact)) {
        return;
    }
    struct open_copy open = mf__open_get(store, series, 0);
    if (in_ring.last <= open.aggregate.last) {
        return;
    }
    /* What was seen of the source grew by as much as the total did. */
    const double missing = in_ring.last - open.aggregate.last;
    open.aggregate.min += missing;
    open.aggregate.last = in_ring.last;
    open.aggregate.count = 0;
    mf__open_publish(store, series, 0, SLOT_NONE, &open.aggregate, SLOT_NONE);
    repaired(store);
}

/* What the tier below has for one slot of this tier, from its ring. */
static struct mf__aggregate merge_children(const struct mf_metrics *store,
                                           const struct store_series *series, uint32_t tier,
                                           int64_t slot)
{
    const struct slab_schema *schema = series->schema->slab;
    const int64_t children = schema->tiers[tier].children;
    struct mf__aggregate merged = {0};
    for (int64_t child = slot * children; child < (slot + 1) * children; child++) {
        struct mf__aggregate aggregate;
        bool exact;
        if (mf__ring_get(&store->slab, schema, tier - 1, series->column, child, &aggregate, &exact)) {
            mf__aggregate_append(&merged, &aggregate);
        }
    }
    return merged;
}

/* Slots of an upper tier that have less than the tier below are merged again. */
static void recover_upper(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                          int64_t newest_child)
{
    const struct slab_schema *schema = series->schema->slab;
    if (newest_child == SLOT_NONE) {
        return;
    }
    const int64_t children = schema->tiers[tier].children;
    const int64_t newest = floor_divide(newest_child, children);
    const int64_t oldest =
        floor_divide(newest_child - (int64_t)schema->tiers[tier - 1].slots, children) + 1;
    for (int64_t slot = oldest; slot <= newest; slot++) {
        const struct mf__aggregate merged = merge_children(store, series, tier, slot);
        const struct open_copy open = mf__open_get(store, series, tier);
        const bool is_open = open.slot == slot && open.aggregate.count > 0;
        struct mf__aggregate have = {0};
        bool exact;
        if (is_open) {
            have = open.aggregate;
        } else if (!mf__ring_get(&store->slab, schema, tier, series->column, slot, &have, &exact)) {
            have.count = 0;
        }
        const bool enough = merged.count <= have.count + have.count / COUNT_ROUNDING + 1;
        if (merged.count == 0 || (have.count > 0 && enough)) {
            continue;
        }
        if (slot == newest && open.slot <= slot) {
            mf__open_publish(store, series, tier, slot, &merged, newest_child);
        } else {
            mf__ring_put(store, series, tier, slot, &merged);
        }
        repaired(store);
    }
}

static void recover_series(struct mf_metrics *store, struct store_series *series, int64_t limit_ns)
{
    const struct slab_schema *schema = series->schema->slab;
    if (series->type == MF_HISTOGRAM) {
        recover_buckets(store, series);
    }
    recover_open(store, series);
    int64_t newest = mf__ring_newest(&store->slab, schema, 0, series->column, limit_ns);
    if (series->type == MF_COUNTER) {
        recover_total(store, series, newest);
    }
    for (uint32_t tier = 1; tier < schema->tier_count; tier++) {
        recover_upper(store, series, tier, newest);
        newest = mf__ring_newest(&store->slab, schema, tier, series->column, limit_ns);
    }
}

static void advance_clock(struct mf_metrics *store, const struct store_series *series,
                          int64_t limit_ns)
{
    const struct slab_schema *schema = series->schema->slab;
    const struct open_copy open = mf__open_get(store, series, 0);
    int64_t newest = mf__ring_newest(&store->slab, schema, 0, series->column, limit_ns);
    if (open.aggregate.count > 0 && open.slot > newest) {
        newest = open.slot;
    }
    if (newest != SLOT_NONE && newest * schema->tiers[0].interval_ns > store->clock_ns) {
        store->clock_ns = newest * schema->tiers[0].interval_ns;
    }
}

void mf__recover(struct mf_metrics *store)
{
    struct slab_status *status = slab_status(&store->slab);
    int64_t limit_ns = mf_clock_wall_ns(store->env.clock);
    limit_ns = store->clock_ns > limit_ns ? store->clock_ns : limit_ns;
    limit_ns += store->slab.config->future_ns_max;
    uint32_t live = 0;
    for (uint32_t i = 0; i < store->slab.schema_count; i++) {
        struct store_schema *schema = &store->schemas[i];
        const uint32_t base = schema->slab->base;
        for (uint32_t column = base; column < base + schema->slab->config->series_max; column++) {
            struct store_series *series = &store->series[column];
            if (series->type != 0) {
                recover_series(store, series, limit_ns);
                advance_clock(store, series, limit_ns);
                live++;
                continue;
            }
            struct slab_entry *entry = slab_entry(&store->slab, column);
            if (atomic_load_explicit(&entry->state, memory_order_relaxed) != ENTRY_FREE) {
                atomic_store_explicit(&entry->state, ENTRY_FREE, memory_order_release);
                repaired(store);
            }
            mf__column_clear(store, schema->slab, column);
        }
        for (uint32_t h = 0; h < schema->slab->config->histograms_max; h++) {
            if (schema->histogram_used[h] == 0) {
                mf__histogram_column_clear(store, schema->slab, h);
            }
        }
    }
    atomic_store(&status->series, live);
    atomic_store(&status->clock_ns, store->clock_ns);
    /* A power cut may have kept additions and lost the count of shards. */
    atomic_store(&status->shards_used, store->slab.config->writers_max);
}
