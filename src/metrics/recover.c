/* SPDX-License-Identifier: Apache-2.0
 * recover.c -- makes a store whole whose writer did not close it. What it relies on is told in the
 * essay of metrics.c; it changes nothing in a store that needs nothing, so it can be interrupted
 * and done again.
 *
 * After a kill, everything is as the instructions up to there left it: a late value is finished
 * from what was written down of it, of the pairs of open slots the newer copies count, and a move
 * that was interrupted goes on from there. After a power cut, each sector is as of some instant
 * since the last sync: what the upper tiers lack is merged from the rings below, and what
 * contradicts is settled in favour of what says more. */
#include "store.h"

#include "os/clock.h"

int64_t mf__ring_newest(const struct slab *slab, const struct slab_schema *schema,
                        uint32_t tier_index, uint32_t column, int64_t below)
{
    const struct slab_tier *tier = &schema->tiers[tier_index];
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
            __builtin_add_overflow(slot, (int64_t)position, &slot) || slot >= below ||
            !slot_exists(tier, slot)) {
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

/* Whether one count is more than another, beyond what rounding of large ones can make of it. */
static bool is_more(uint64_t count, uint64_t than)
{
    return count > than && count - than > (than < 16384 ? 0 : than / 64);
}

static bool ring_get(const struct mf_metrics *store, const struct store_series *series,
                     uint32_t tier, int64_t slot, struct mf__aggregate *ret_aggregate)
{
    bool exact;
    if (slot != SLOT_NONE && mf__ring_get(&store->slab, series->schema->slab, tier, series->column,
                                          slot, ret_aggregate, &exact)) {
        return true;
    }
    ret_aggregate->count = 0;
    return false;
}

/* Both copies of every open slot become the same, as recording wants it, and possible. */
static void recover_copies(struct mf_metrics *store, struct store_series *series)
{
    for (uint32_t tier = 0; tier < series->schema->slab->tier_count; tier++) {
        const struct open_copy open = mf__open_get(store, series, tier);
        const int64_t slot = tier == 0 && open.aggregate.count == 0 ? SLOT_NONE : open.slot;
        mf__open_publish(store, series, tier, slot, &open.aggregate, open.through);
    }
}

static void drop_open(struct mf_metrics *store, struct store_series *series)
{
    struct open_copy open = mf__open_get(store, series, 0);
    open.aggregate.count = 0; /* a counter's total and source stay */
    mf__open_publish(store, series, 0, SLOT_NONE, &open.aggregate, SLOT_NONE);
}

/* The live buckets of a histogram against the open slot that they belong to. */
static void recover_buckets(struct mf_metrics *store, struct store_series *series)
{
    const struct open_copy open = mf__open_get(store, series, 0);
    _Atomic uint64_t *dense =
        slab_dense(&store->slab, series->schema->slab, series->histogram_column);
    uint64_t sum = 0;
    for (uint32_t i = 0; open.aggregate.count > 0 && i < HISTOGRAM_BUCKETS; i++) {
        sum += atomic_load_explicit(&dense[i], memory_order_relaxed);
    }
    if (sum == open.aggregate.count && sum > 0) {
        return;
    }
    if (sum + 1 == open.aggregate.count) { /* killed between the two steps of recording */
        atomic_fetch_add(&dense[mf__histogram_index(open.aggregate.last)], 1);
        return;
    }
    if (open.aggregate.count > 0) { /* power cut: the last sync left both in the ring */
        drop_open(store, series);
        repaired(store);
    }
    mf__dense_clear(store, series);
}

/* The open slot of the first tier against its ring and the tier above. */
static void recover_open(struct mf_metrics *store, struct store_series *series,
                         int64_t newest_in_ring)
{
    const struct open_copy open = mf__open_get(store, series, 0);
    if (open.aggregate.count == 0) {
        return;
    }
    struct mf__aggregate in_ring;
    ring_get(store, series, 0, open.slot, &in_ring);
    const bool ring_has_more = is_more(in_ring.count, open.aggregate.count);
    const bool merged =
        series->schema->slab->tier_count > 1 && mf__open_get(store, series, 1).through >= open.slot;
    if (!merged && !ring_has_more && newest_in_ring <= open.slot) {
        return; /* still open */
    }
    if (ring_has_more) {
        repaired(store);
    } else {
        mf__ring_put(store, series, 0, open.slot, &open.aggregate);
    }
    drop_open(store, series);
    if (series->type == MF_HISTOGRAM) {
        mf__dense_clear(store, series);
    }
}

/* Counters keep their total in the open slot: it must not be behind the ring's, and what was seen
 * of the shards not ahead of them. */
static void recover_total(struct mf_metrics *store, struct store_series *series, int64_t newest)
{
    struct mf__aggregate in_ring;
    struct open_copy open = mf__open_get(store, series, 0);
    struct mf__aggregate *a = &open.aggregate;
    bool changed = false;
    if (ring_get(store, series, 0, newest, &in_ring) && in_ring.last > a->last) {
        a->min += in_ring.last - a->last; /* what was seen grew by as much as the total did */
        a->last = in_ring.last;
        changed = true;
    }
    const double sum = (double)mf__shards_sum(&store->slab, series->column);
    if (!series->observed && a->min > sum) {
        a->min = sum;
        changed = true;
    }
    if (changed) {
        mf__open_publish(store, series, 0, open.slot, a, SLOT_NONE);
        repaired(store);
    }
}

/* What the tier below has for one slot of this tier, in its ring. */
static struct mf__aggregate merge_children(const struct mf_metrics *store,
                                           const struct store_series *series, uint32_t tier,
                                           int64_t slot)
{
    const int64_t children = series->schema->slab->tiers[tier].children;
    struct mf__aggregate merged = {0};
    for (int64_t child = slot * children; child < (slot + 1) * children; child++) {
        struct mf__aggregate aggregate;
        if (ring_get(store, series, tier - 1, child, &aggregate)) {
            mf__aggregate_append(&merged, &aggregate);
        }
    }
    return merged;
}

/* One slot of an upper tier that is over: has its ring less than the tier below? */
static void recover_closed(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                           int64_t slot)
{
    const struct mf__aggregate merged = merge_children(store, series, tier, slot);
    struct mf__aggregate have;
    ring_get(store, series, tier, slot, &have);
    if (is_more(merged.count, have.count)) {
        mf__ring_put(store, series, tier, slot, &merged);
        repaired(store);
    }
}

/* An upper tier against the tier below, which is in order. Slots of that one from `below_open` on
 * are not in its ring, or only as a sync left them. */
static void recover_upper(struct mf_metrics *store, struct store_series *series, uint32_t tier)
{
    const struct slab_schema *schema = series->schema->slab;
    const struct slab_tier *finer = &schema->tiers[tier - 1];
    const int64_t children = schema->tiers[tier].children;
    const struct open_copy below = mf__open_get(store, series, tier - 1);
    const int64_t below_open = below.slot != SLOT_NONE ? below.slot : INT64_MAX;
    const int64_t newest =
        mf__ring_newest(&store->slab, schema, tier - 1, series->column, below_open);
    if (newest != SLOT_NONE) {
        const int64_t oldest = newest - (int64_t)finer->slots + 1;
        const struct open_copy open = mf__open_get(store, series, tier);
        int64_t child =
            open.through != SLOT_NONE && open.through >= oldest ? open.through + 1 : oldest;
        for (; child <= newest; child++) {
            struct mf__aggregate aggregate;
            if (ring_get(store, series, tier - 1, child, &aggregate)) {
                mf__upper_merge(store, series, tier, child, &aggregate);
                repaired(store);
            }
        }
        const int64_t open_slot = mf__open_get(store, series, tier).slot;
        for (int64_t slot = floor_divide(oldest - 1, children) + 1;
             slot <= floor_divide(newest, children) && slot < open_slot; slot++) {
            if (mf__tier_retains(store, series, tier, slot)) {
                recover_closed(store, series, tier, slot);
            }
        }
    }
    /* The last sync left its state of the open slot in the ring. What it has and the cells have not
     * is of slots that the tiers below do not retain. */
    struct open_copy copies[MF_METRICS_TIERS_MAX];
    for (uint32_t t = 0; t <= tier; t++) {
        copies[t] = mf__open_get(store, series, t);
    }
    struct mf__aggregate in_ring;
    struct mf__aggregate all = {0};
    const int64_t slot = copies[tier].slot;
    mf__open_merge(schema, copies, tier, slot, &all);
    if (ring_get(store, series, tier, slot, &in_ring) && is_more(in_ring.count, all.count)) {
        mf__open_publish(store, series, tier, slot, &in_ring, copies[tier].through);
        repaired(store);
    }
}

/* Forgets slots of a ring beyond the open one: of a time that the power cut took from the tiers
 * below. */
static void forget_beyond(struct mf_metrics *store, const struct store_series *series,
                          uint32_t tier)
{
    const struct slab_schema *schema = series->schema->slab;
    const int64_t open_slot = mf__open_get(store, series, tier).slot;
    for (;;) {
        const int64_t newest =
            mf__ring_newest(&store->slab, schema, tier, series->column, INT64_MAX);
        if (newest == SLOT_NONE || newest <= open_slot) {
            return;
        }
        const struct slab_tier *in = &schema->tiers[tier];
        slot_store(
            slab_row_slot(&store->slab, schema, in, slot_position(in, newest), series->column),
            (struct mf__slot){0, 0});
        repaired(store);
    }
}

/* The blob of a slot in a ring. A power cut may have kept one of the two in an earlier state: the
 * blob says which slot it was made with. Or it tore the blob: then it is made from the tier below,
 * or, when that has not all of it, says no more than how many there were between the minimum and
 * the maximum. */
static void mend_blob(struct mf_metrics *store, const struct store_series *series, uint32_t tier,
                      int64_t slot, const struct mf__aggregate *aggregate)
{
    const struct slab_schema *schema = series->schema->slab;
    const struct slab_tier *in = &schema->tiers[tier];
    const uint32_t position = slot_position(in, slot);
    const uint32_t room = schema->config->histogram_bytes;
    uint8_t *blob = slab_blob(&store->slab, schema, in, position, series->histogram_column);
    struct mf__slot *where = slab_row_slot(&store->slab, schema, in, position, series->column);
    struct mf_histogram stored = {0};
    struct mf__aggregate with;
    bool exact;
    if (mf__histogram_decode(blob, room, slot, &stored) == 1) {
        const struct mf__slot packed = mf__histogram_packed(blob);
        if (packed.hi == where->hi && packed.lo == where->lo) {
            return;
        }
        if (mf__slot_unpack(packed, slot_lap(in, slot), &with, &exact)) {
            slot_store(where, packed);
            repaired(store);
            return;
        }
    }
    struct mf_histogram merged = {0};
    if (tier > 0) {
        mf__blobs_merge(store, series, tier, slot, &merged);
    }
    if (is_more(merged.count, aggregate->count) || is_more(aggregate->count, merged.count)) {
        merged = (struct mf_histogram){.halvings = HISTOGRAM_HALVINGS_MAX};
        merged.buckets[mf__histogram_index(aggregate->sum / (double)aggregate->count)] =
            aggregate->count;
    }
    mf__histogram_encode(merged.buckets, merged.halvings, slot, *where, blob, room);
    repaired(store);
}

static void recover_blobs(struct mf_metrics *store, const struct store_series *series,
                          uint32_t tier)
{
    const struct slab_tier *in = &series->schema->slab->tiers[tier];
    const int64_t newest =
        mf__ring_newest(&store->slab, series->schema->slab, tier, series->column, INT64_MAX);
    if (newest == SLOT_NONE) {
        return;
    }
    for (int64_t slot = newest - (int64_t)in->slots + 1; slot <= newest; slot++) {
        struct mf__aggregate aggregate;
        if (ring_get(store, series, tier, slot, &aggregate)) {
            mend_blob(store, series, tier, slot, &aggregate);
        }
    }
}

static void recover_series(struct mf_metrics *store, struct store_series *series, int64_t newest)
{
    const struct slab_schema *schema = series->schema->slab;
    recover_copies(store, series);
    if (series->type == MF_HISTOGRAM) {
        recover_buckets(store, series);
    }
    recover_open(store, series, newest);
    if (series->type == MF_COUNTER) {
        recover_total(store, series, newest);
    }
    for (uint32_t tier = 0; tier < schema->tier_count; tier++) {
        if (tier > 0) {
            recover_upper(store, series, tier);
            forget_beyond(store, series, tier);
        }
        if (series->type == MF_HISTOGRAM) {
            recover_blobs(store, series, tier);
        }
    }
}

/* The newest slot of the first tier that a series has anywhere. */
static int64_t newest_slot(const struct mf_metrics *store, const struct store_series *series,
                           int64_t limit_ns, int64_t *ret_in_ring)
{
    const struct slab_schema *schema = series->schema->slab;
    const int64_t limit = limit_ns / schema->tiers[0].interval_ns;
    const struct open_copy open = mf__open_get(store, series, 0);
    *ret_in_ring = mf__ring_newest(&store->slab, schema, 0, series->column, limit);
    return open.aggregate.count > 0 && open.slot > *ret_in_ring && open.slot < limit ? open.slot
                                                                                     : *ret_in_ring;
}

static void clear_unused_histograms(struct mf_metrics *store)
{
    for (uint32_t i = 0; i < store->slab.schema_count; i++) {
        const struct store_schema *schema = &store->schemas[i];
        for (uint32_t h = 0; h < schema->slab->config->histograms_max; h++) {
            if (schema->histogram_used[h] == 0) {
                mf__histogram_column_clear(store, schema->slab, h);
            }
        }
    }
}

void mf__clear_damaged(struct mf_metrics *store)
{
    bool any = false;
    for (uint32_t column = 0; column < store->slab.columns; column++) {
        struct slab_entry *entry = slab_entry(&store->slab, column);
        if (store->series[column].type == 0 &&
            atomic_load_explicit(&entry->state, memory_order_relaxed) != ENTRY_FREE) {
            mf__column_clear(store, column);
            atomic_store_explicit(&entry->state, ENTRY_FREE, memory_order_release);
            repaired(store);
            any = true;
        }
    }
    if (any) {
        clear_unused_histograms(store);
    }
}

void mf__recover(struct mf_metrics *store)
{
    struct slab_status *status = slab_status(&store->slab);
    int64_t limit_ns = mf_clock_wall_ns(store->env.clock); /* nothing was recorded beyond */
    limit_ns = store->clock_ns > limit_ns ? store->clock_ns : limit_ns;
    limit_ns = limit_ns < TIME_LIMIT_NS ? limit_ns : TIME_LIMIT_NS;
    limit_ns += store->slab.config->future_ns_max;
    /* A power cut may have kept additions and lost the count of shards. */
    atomic_store(&status->shards_used, store->slab.config->writers_max);
    mf__late_finish(store);
    int64_t in_ring;
    uint32_t live = 0;
    for (uint32_t column = 0; column < store->slab.columns; column++) {
        const struct store_series *series = &store->series[column];
        if (series->type == 0) {
            mf__column_clear(store, column); /* its removal may have been interrupted */
            continue;
        }
        const int64_t interval_ns = series_tier(series, 0)->interval_ns;
        const int64_t newest = newest_slot(store, series, limit_ns, &in_ring);
        if (newest != SLOT_NONE && newest * interval_ns > store->clock_ns) {
            store->clock_ns = newest * interval_ns;
        }
        live++;
    }
    clear_unused_histograms(store);
    for (uint32_t column = 0; column < store->slab.columns; column++) {
        struct store_series *series = &store->series[column];
        if (series->type != 0) {
            (void)newest_slot(store, series, limit_ns, &in_ring);
            recover_series(store, series, in_ring);
        }
    }
    atomic_store(&status->series, live);
    atomic_store(&status->clock_ns, store->clock_ns);
}
