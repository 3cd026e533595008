/* SPDX-License-Identifier: Apache-2.0
 * record.c -- the hot path, and what it leaves to the slow one: a new slot, a late value, the clock.
 *
 * The fast path of a gauge reads the newer copy of its open slot and writes the other: seven stores, no
 * lock, no allocation, no system call. A reader always finds one whole copy, and so does the next open
 * after a kill between any two instructions. */
#include "store.h"

#include "os/clock.h"

/* The pair of copies is aligned to 128 bytes, each is 64. */
static inline struct slab_open *other_copy(struct slab_open *copy)
{
    return (struct slab_open *)((uintptr_t)copy ^ sizeof(struct slab_open));
}

static inline bool value_finite(double value)
{
    return value - value == 0;
}

static inline void add_to_open(struct store_series *series, const struct slab_open *from, double value)
{
    const memory_order relaxed = memory_order_relaxed;
    struct slab_open *to = other_copy(series->current);
    const uint64_t sequence = atomic_load_explicit(&from->sequence, relaxed);
    atomic_store_explicit(&to->sequence, sequence + 1, relaxed);
    atomic_thread_fence(memory_order_release);
    const double min = atomic_load_explicit(&from->min, relaxed);
    const double max = atomic_load_explicit(&from->max, relaxed);
    atomic_store_explicit(&to->count, atomic_load_explicit(&from->count, relaxed) + 1, relaxed);
    atomic_store_explicit(&to->sum, atomic_load_explicit(&from->sum, relaxed) + value, relaxed);
    atomic_store_explicit(&to->min, value < min ? value : min, relaxed);
    atomic_store_explicit(&to->max, value > max ? value : max, relaxed);
    atomic_store_explicit(&to->last, value, relaxed);
    atomic_store_explicit(&to->sequence, sequence + 2, memory_order_release);
    series->current = to;
}

/* After the open slot was published: a kill in between is mended from `last`. */
static inline void add_to_dense(struct mf_metrics *store, const struct store_series *series,
                                double value)
{
    _Atomic uint64_t *bucket =
        &slab_dense(&store->slab, series->schema->slab,
                    series->histogram_column)[mf__histogram_index(value)];
    atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1,
                          memory_order_release);
}

struct store_series *mf__series_get(struct mf_metrics *store, mf_series handle)
{
    const uint64_t index = handle & 0xFFFFFFFFu;
    if (index >= store->slab.columns || store->series[index].handle != handle || handle == 0) {
        return NULL;
    }
    return &store->series[index];
}

void mf__clock_set_slot(struct store_schema *schema, int64_t wall_ns)
{
    const int64_t interval_ns = schema->slab->tiers[0].interval_ns;
    schema->slot = floor_divide(wall_ns, interval_ns);
    schema->start_ns = schema->slot * interval_ns;
    schema->end_ns = schema->start_ns + interval_ns;
}

void mf__clock_advance(struct mf_metrics *store, int64_t wall_ns)
{
    for (uint32_t i = 0; i < store->slab.schema_count; i++) {
        struct store_schema *schema = &store->schemas[i];
        if (schema->slot == SLOT_NONE) {
            mf__clock_set_slot(schema, wall_ns);
        } else if (wall_ns >= schema->end_ns) {
            mf__counters_sample(store, schema);
            mf__clock_set_slot(schema, wall_ns);
        }
    }
    store->clock_ns = wall_ns;
    atomic_store_explicit(&slab_status(&store->slab)->clock_ns, wall_ns, memory_order_release);
}

void mf__first_seen(struct mf_metrics *store, const struct store_series *series, int64_t slot)
{
    struct slab_status *status = slab_status(&store->slab);
    const int64_t start_ns = slot * series->schema->slab->tiers[0].interval_ns;
    if (start_ns < atomic_load_explicit(&status->first_ns, memory_order_relaxed)) {
        atomic_store_explicit(&status->first_ns, start_ns, memory_order_relaxed);
    }
}

void mf__open_slot(struct mf_metrics *store, struct store_series *series, int64_t slot,
                   const struct mf__aggregate *aggregate)
{
    mf__ring_close_open(store, series);
    if (series->type == MF_HISTOGRAM) {
        /* Empty before the buckets are: recovery clears the buckets of an empty slot. */
        const struct mf__aggregate empty = {0};
        mf__open_publish(store, series, 0, SLOT_NONE, &empty, SLOT_NONE);
        mf__dense_clear(store, series);
    }
    mf__open_publish(store, series, 0, slot, aggregate, SLOT_NONE);
    mf__first_seen(store, series, slot);
}

/* The slot of a value is not the open one of its series. */
static int record_elsewhere(struct mf_metrics *store, struct store_series *series, double value,
                            int64_t slot)
{
    struct slab_status *status = slab_status(&store->slab);
    const struct mf__aggregate one = {1, value, value, value, value, value};
    const int64_t newest = atomic_load_explicit(&series->current->slot, memory_order_relaxed);
    if (slot > newest && !mf__ring_has(store, series, slot)) {
        mf__open_slot(store, series, slot, &one);
        if (series->type == MF_HISTOGRAM) {
            add_to_dense(store, series, value);
        }
        return 0;
    }
    if (mf__ring_merge_late(store, series, slot, &one) == 0) {
        count_event(&status->late_refused);
        return MF_ELATE;
    }
    count_event(&status->late_merged);
    mf__first_seen(store, series, slot);
    return 0;
}

static inline int record_value(struct mf_metrics *store, struct store_series *series, double value,
                               int64_t slot)
{
    const struct slab_open *open = series->current;
    if (__builtin_expect(atomic_load_explicit(&open->slot, memory_order_relaxed) != slot, 0)) {
        return record_elsewhere(store, series, value, slot);
    }
    add_to_open(series, open, value);
    if (series->type == MF_HISTOGRAM) {
        add_to_dense(store, series, value);
    }
    return 0;
}

/* Whether a series takes this value by mf_metrics_record(). */
static inline bool value_fits(const struct store_series *series, double value)
{
    return value_finite(value) && (series->type == MF_GAUGE ||
                                   (series->type == MF_HISTOGRAM && value >= 0));
}

static int refuse_value(struct mf_metrics *store)
{
    count_event(&slab_status(&store->slab)->value_refused);
    return MF_EVALUE;
}

int mf__time_slot(struct mf_metrics *store, const struct store_series *series, int64_t wall_ns,
                  int64_t *ret_slot)
{
    const int64_t limit_ns = store->slab.config->future_ns_max;
    if (wall_ns <= INT64_MIN / 2 || wall_ns >= INT64_MAX / 2) {
        return refuse_value(store);
    }
    if (wall_ns > store->clock_ns) {
        /* Asking for the time only when a value is far ahead of all before it. */
        if ((store->clock_ns == INT64_MIN || wall_ns - limit_ns > store->clock_ns) &&
            wall_ns - limit_ns > mf_clock_wall_ns(store->env.clock)) {
            count_event(&slab_status(&store->slab)->future_refused);
            return MF_EFUTURE;
        }
        mf__clock_advance(store, wall_ns);
    }
    *ret_slot = floor_divide(wall_ns, series->schema->slab->tiers[0].interval_ns);
    return 0;
}

int mf_metrics_record(struct mf_metrics *store, mf_series handle, double value)
{
    struct store_series *series = mf__series_get(store, handle);
    if (__builtin_expect(series == NULL, 0)) {
        return MF_ESTALE;
    }
    const int64_t slot = series->schema->slot;
    if (__builtin_expect(!value_fits(series, value) || slot == SLOT_NONE, 0)) {
        return refuse_value(store);
    }
    return record_value(store, series, value, slot);
}

/* `series` was checked, and `value` fits. */
static inline int record_at(struct mf_metrics *store, struct store_series *series, double value,
                            int64_t wall_ns)
{
    const struct store_schema *schema = series->schema;
    if (__builtin_expect(wall_ns >= schema->start_ns && wall_ns < schema->end_ns, 1)) {
        return record_value(store, series, value, schema->slot);
    }
    int64_t slot;
    int rc = mf__time_slot(store, series, wall_ns, &slot);
    return rc < 0 ? rc : record_value(store, series, value, slot);
}

int mf_metrics_record_at(struct mf_metrics *store, mf_series handle, double value, int64_t wall_ns)
{
    struct store_series *series = mf__series_get(store, handle);
    if (__builtin_expect(series == NULL, 0)) {
        return MF_ESTALE;
    }
    if (__builtin_expect(!value_fits(series, value), 0)) {
        return refuse_value(store);
    }
    return record_at(store, series, value, wall_ns);
}

int mf_metrics_record_batch(struct mf_metrics *store, const mf_series *handles, const double *values,
                            size_t count, int64_t wall_ns)
{
    for (size_t i = 0; i < count; i++) {
        const struct store_series *series = mf__series_get(store, handles[i]);
        if (series == NULL) {
            return MF_ESTALE;
        }
        if (!value_fits(series, values[i])) {
            return refuse_value(store);
        }
    }
    int first_refusal = 0;
    for (size_t i = 0; i < count; i++) {
        int rc = record_at(store, &store->series[handles[i] & 0xFFFFFFFFu], values[i], wall_ns);
        first_refusal = first_refusal == 0 ? rc : first_refusal;
    }
    return first_refusal;
}

int mf_metrics_tick(struct mf_metrics *store, int64_t now_wall_ns)
{
    struct slab_status *status = slab_status(&store->slab);
    if (now_wall_ns <= INT64_MIN / 2 || now_wall_ns >= INT64_MAX / 2) {
        return refuse_value(store);
    }
    const memory_order relaxed = memory_order_relaxed;
    const int64_t before_ns = atomic_load_explicit(&status->caller_clock_ns, relaxed);
    atomic_store_explicit(&status->caller_clock_ns, now_wall_ns, relaxed);
    if (now_wall_ns < before_ns) {
        /* A step back: go on from where the store's clock stands, at the caller's pace. */
        count_event(&status->backward_steps);
        store->ahead_ns = store->clock_ns > now_wall_ns ? store->clock_ns - now_wall_ns : 0;
    }
    if (now_wall_ns >= store->clock_ns) {
        store->ahead_ns = 0; /* caught up */
    }
    int64_t wall_ns = now_wall_ns + store->ahead_ns;
    if (wall_ns < store->clock_ns) {
        wall_ns = store->clock_ns; /* values with times of their own were ahead of this tick */
    }
    mf__clock_advance(store, wall_ns);
    return 0;
}

int mf_metrics_consolidate(struct mf_metrics *store)
{
    int moved = 0;
    for (uint32_t column = 0; column < store->slab.columns; column++) {
        struct store_series *series = &store->series[column];
        if (series->handle == 0) {
            continue;
        }
        const struct open_copy open = mf__open_get(store, series, 0);
        if (open.aggregate.count == 0 || open.slot >= series->schema->slot) {
            continue;
        }
        mf__ring_close_open(store, series);
        struct mf__aggregate empty = open.aggregate; /* a counter's total and source stay */
        empty.count = 0;
        mf__open_publish(store, series, 0, SLOT_NONE, &empty, SLOT_NONE);
        if (series->type == MF_HISTOGRAM) {
            mf__dense_clear(store, series);
        }
        moved++;
    }
    return moved;
}
