/* SPDX-License-Identifier: Apache-2.0
 * store.h -- a store opened for writing, as its parts see it: open and close (metrics.c), series
 * (series.c), recording (record.c), counters (counter.c), rings (ring.c), repair (recover.c). */
#ifndef METRICS_STORE_H
#define METRICS_STORE_H

#include "selector.h"
#include "slab.h"

#include "os/thread.h"

/* A handle: type (2 bits), generation (30), column (32). */
#define HANDLE_TYPE_SHIFT 62
#define GENERATION_MAX    0x3FFFFFFFu

#define CLOCK_NONE (INT64_MIN + 1) /* differs from SLOT_NONE, so that no open slot has it */

/* What recording needs of a series, in the process's own memory. */
struct store_series {
    _Alignas(64) mf_series handle; /* of a free entry: one that does not lead here */
    struct slab_open *current;     /* the newer of the two copies of its open slot */
    struct store_schema *schema;
    uint32_t column;
    uint32_t histogram_column;
    uint8_t type;              /* enum mf_series_type; 0: the column is free */
    bool observed;             /* a counter whose total is kept elsewhere */
    const int64_t *gauge_slot; /* of a gauge: the current slot; of others: one that never opens */
    uint64_t reserved[2];
};
_Static_assert(sizeof(struct store_series) == 64, "one cache line, found by a shift");

struct store_schema {
    const struct slab_schema *slab;
    struct mf__selector *selector;
    int64_t slot; /* the first tier's slot at the store's clock; CLOCK_NONE before the first time */
    int64_t start_ns; /* of that slot */
    int64_t end_ns;
    uint32_t fresh; /* columns from here on were never used */
    uint32_t released_count;
    uint32_t *released;      /* columns that are free again */
    uint8_t *histogram_used; /* per histogram column */
};

struct mf_metrics {
    struct store_series *series;
    uint64_t series_mask; /* the table has this + 1 entries */
    struct slab slab;
    struct slab_superblock superblock; /* as last written */
    struct mf_file *file;
    char *path; /* of the directory */
    struct mf_env env;
    bool poisoned;
    int64_t clock_ns;      /* same as in the status page; INT64_MIN before the first time */
    int64_t ahead_ns;      /* of the caller's clock, after a step back of it */
    uint64_t late_rounded; /* how many late values met a rounded count */
    mf_series *handles;    /* what the counter writers compare with */
    uint32_t *index;       /* hash of the text -> column + 1 */
    uint32_t index_mask;
    struct mf_buffer text;        /* for canonical texts */
    struct mf_mutex writers_lock; /* guards shard_taken and status.shards_used */
    uint8_t *shard_taken;
    struct store_schema schemas[MF_METRICS_SCHEMAS_MAX];
};

/* --- ring.c: from open slots to rings */

static inline struct slab_tier const *series_tier(const struct store_series *series, uint32_t tier)
{
    return &series->schema->slab->tiers[tier];
}

/* Writes both copies of an open slot. `through` is for upper slots (tier > 0). */
void mf__open_publish(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                      int64_t slot, const struct mf__aggregate *aggregate, int64_t through);
/* The open slot of a tier, as the owner sees it. */
struct open_copy mf__open_get(const struct mf_metrics *store, const struct store_series *series,
                              uint32_t tier);
/* Of its newer copy; grows with every change. */
uint64_t mf__open_sequence(const struct mf_metrics *store, const struct store_series *series,
                           uint32_t tier);
/* Makes `slot` the open one of an upper tier, after what was, or leaves a newer one. */
struct open_copy mf__upper_at(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                              int64_t slot);
/* Merges a closed slot of the tier below into an upper tier, unless `through` says that it is
 * there. */
void mf__upper_merge(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                     int64_t child, const struct mf__aggregate *aggregate);
/* Moves the open slot of the first tier into its ring and into the tiers above. Done again after an
 * interruption at any point it has the same result. The open slot itself is left as it is. */
void mf__ring_close_open(struct mf_metrics *store, struct store_series *series);
/* The same, and the open slot is empty then. */
void mf__ring_empty_open(struct mf_metrics *store, struct store_series *series);
/* Packs what is open in every tier into the rings, as it stands. */
void mf__ring_checkpoint(struct mf_metrics *store, struct store_series *series);
/* Whether the first tier's ring, or the tier above, has this slot already: then it is not opened
 * again. */
bool mf__ring_has(struct mf_metrics *store, const struct store_series *series, int64_t slot);
bool mf__ring_get(const struct slab *slab, const struct slab_schema *schema, uint32_t tier,
                  uint32_t column, int64_t slot, struct mf__aggregate *ret_aggregate,
                  bool *ret_exact);
void mf__ring_put(struct mf_metrics *store, struct store_series *series, uint32_t tier,
                  int64_t slot, const struct mf__aggregate *aggregate);
/* Makes the row ready for a slot; false when it holds a newer lap already. */
bool mf__ring_row_open(struct mf_metrics *store, const struct store_series *series, uint32_t tier,
                       int64_t slot);
/* Adds the buckets of one slot of a tier above the first, from the blobs of the tier below. */
void mf__blobs_merge(const struct mf_metrics *store, const struct store_series *series,
                     uint32_t tier, int64_t slot, struct mf_histogram *into);
/* Empties the open slots of a column. */
void mf__cells_clear(struct mf_metrics *store, uint32_t column);
/* Empties the open slots, rings and shards of a column. */
void mf__column_clear(struct mf_metrics *store, uint32_t column);
/* Empties the buckets of a histogram column. */
void mf__histogram_column_clear(struct mf_metrics *store, const struct slab_schema *schema,
                                uint32_t histogram_column);
void mf__dense_clear(struct mf_metrics *store, const struct store_series *series);

/* --- late.c */

/* Whether a tier still has a slot of its own, or any tier the one that a slot of the first lies in,
 * by the store's clock. */
bool mf__tier_retains(const struct mf_metrics *store, const struct store_series *series,
                      uint32_t tier, int64_t slot);
bool mf__any_tier_retains(const struct mf_metrics *store, const struct store_series *series,
                          int64_t slot);
/* Merges a value that does not belong into the open slot of the first tier into every tier that
 * retains its slot; some tier must. Whether it was late indeed. For gauges and histograms. */
bool mf__late_merge(struct mf_metrics *store, struct store_series *series, int64_t slot,
                    double value);
/* Finishes what a kill interrupted. */
void mf__late_finish(struct mf_metrics *store);

/* --- counter.c */

/* Samples every counter of a schema into its current slot. */
void mf__counters_sample(struct mf_metrics *store, struct store_schema *schema);
bool mf__counter_is_observed(const struct slab_open *open);

/* --- record.c */

/* Moves the store's clock forward. */
void mf__clock_advance(struct mf_metrics *store, int64_t wall_ns);
void mf__clock_set_slot(struct store_schema *schema, int64_t wall_ns);
/* Opens `slot` of the first tier with its first content; what was open goes into the ring. */
void mf__open_slot(struct mf_metrics *store, struct store_series *series, int64_t slot,
                   const struct mf__aggregate *aggregate);
void mf__first_seen(struct mf_metrics *store, const struct store_series *series, int64_t slot);
struct store_series *mf__series_get(struct mf_metrics *store, mf_series handle);
/* The target slot of a time for a series; advances the clock; MF_EVALUE, MF_EFUTURE. */
int mf__time_slot(struct mf_metrics *store, const struct store_series *series, int64_t wall_ns,
                  int64_t *ret_slot);

/* --- series.c */

int mf__series_load(struct mf_metrics *store, struct mf_errinfo *err);
void mf__series_unload(struct mf_metrics *store);

/* --- recover.c */

/* Clears the columns of entries that fail their checksum. */
void mf__clear_damaged(struct mf_metrics *store);
/* Makes a store whole that was not closed: see the essay in metrics.c. */
void mf__recover(struct mf_metrics *store);
/* The newest valid slot of a column in a ring, before `below`; or SLOT_NONE. */
int64_t mf__ring_newest(const struct slab *slab, const struct slab_schema *schema, uint32_t tier,
                        uint32_t column, int64_t below);

static inline void count_event(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static inline void count_event_u32(_Atomic uint32_t *counter, int by)
{
    atomic_store_explicit(counter,
                          atomic_load_explicit(counter, memory_order_relaxed) + (uint32_t)by,
                          memory_order_relaxed);
}

static inline int64_t series_slot(const struct store_series *series, uint32_t tier,
                                  int64_t first_tier_slot)
{
    const struct slab_schema *schema = series->schema->slab;
    return floor_divide(first_tier_slot,
                        schema->tiers[tier].interval_ns / schema->tiers[0].interval_ns);
}

#endif
