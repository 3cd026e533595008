/* SPDX-License-Identifier: Apache-2.0
 * record.c -- the hot path, and what it leaves to the slow one: a new slot, a late value, the
 * clock.
 *
 * The fast path of a gauge reads the newer copy of its open slot and writes the other: five stores,
 * no lock, no allocation, no system call. A reader always finds one whole copy, and so does the
 * next open after a kill between any two instructions. */
#include "store.h"

#include "os/clock.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#if defined(__SANITIZE_THREAD__)
#define SANITIZE_THREAD
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZE_THREAD
#endif
#endif

/* The pair of copies is aligned to 128 bytes, each is 64. */
static inline struct slab_open *other_copy(struct slab_open *copy)
{
    return (struct slab_open *)((uintptr_t)copy ^ sizeof(struct slab_open));
}

static inline bool value_finite(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits << 1 < UINT64_C(0x7FF) << 53;
}

#if defined(__SSE2__) && !defined(SANITIZE_THREAD)
/* sum and last: one addition to the old sum, and to minus zero, which changes no value. */
static inline void add_sum_and_last(struct slab_open *to, const struct slab_open *from,
                                    double value)
{
    const __m128d before = _mm_loadl_pd(_mm_set1_pd(-0.0), &from->sum);
    _mm_store_pd(&to->sum, _mm_add_pd(before, _mm_set1_pd(value)));
}

/* min and max: one maximum of the old ones and of -value, value. */
static inline void add_min_and_max(struct slab_open *to, const struct slab_open *from, double value)
{
    const __m128d both = _mm_xor_pd(_mm_set1_pd(value), _mm_set_pd(0.0, -0.0));
    _mm_store_pd(&to->minus_min, _mm_max_pd(both, _mm_load_pd(&from->minus_min)));
}
#else
static inline void add_sum_and_last(struct slab_open *to, const struct slab_open *from,
                                    double value)
{
    store_double(&to->sum, load_double(&from->sum) + value);
    store_double(&to->last, value);
}

static inline void add_min_and_max(struct slab_open *to, const struct slab_open *from, double value)
{
    const double minus_min = load_double(&from->minus_min);
    const double max = load_double(&from->max);
    store_double(&to->minus_min, -value > minus_min ? -value : minus_min);
    store_double(&to->max, value > max ? value : max);
}
#endif

static inline void add_to_open(struct store_series *series, const struct slab_open *from,
                               double value)
{
    struct slab_open *to = other_copy(series->current);
    atomic_thread_fence(memory_order_release); /* behind the publication of `from` */
    add_sum_and_last(to, from, value);
    add_min_and_max(to, from, value);
    __atomic_store_n(&to->sequence, from->sequence + 1, __ATOMIC_RELEASE);
    series->current = to;
}

/* After the open slot was published: a kill in between is mended from `last`. */
static inline void add_to_dense(struct mf_metrics *store, const struct store_series *series,
                                double value)
{
    _Atomic uint64_t *bucket = &slab_dense(&store->slab, series->schema->slab,
                                           series->histogram_column)[mf__histogram_index(value)];
    atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1,
                          memory_order_release);
}

/* The table has a power of two of entries; one without a series holds a handle that does not lead
 * there. */
static inline struct store_series *series_get(const struct mf_metrics *store, mf_series handle)
{
    struct store_series *series = &store->series[handle & store->series_mask];
    return __builtin_expect(series->handle == handle, 1) ? series : NULL;
}

struct store_series *mf__series_get(struct mf_metrics *store, mf_series handle)
{
    return series_get(store, handle);
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
        if (schema->slot == CLOCK_NONE) {
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
    mf__first_seen(store, series, slot);
    mf__open_publish(store, series, 0, slot, aggregate, SLOT_NONE);
}

static int refuse_late(struct mf_metrics *store)
{
    count_event(&slab_status(&store->slab)->late_refused);
    return MF_ELATE;
}

/* The slot of a value is not the open one of its series. */
static int record_elsewhere(struct mf_metrics *store, struct store_series *series, double value,
                            int64_t slot)
{
    const struct mf__aggregate one = {1, value, value, value, value, value};
    if (slot > series->current->slot && mf__tier_retains(store, series, 0, slot) &&
        !mf__ring_has(store, series, slot)) {
        mf__open_slot(store, series, slot, &one);
        if (series->type == MF_HISTOGRAM) {
            add_to_dense(store, series, value);
        }
        return 0;
    }
    if (!mf__any_tier_retains(store, series, slot)) {
        return refuse_late(store);
    }
    if (mf__late_merge(store, series, slot, value)) {
        count_event(&slab_status(&store->slab)->late_merged);
    }
    mf__first_seen(store, series, slot);
    return 0;
}

/* `value` fits the series, which is a gauge or a histogram. */
static inline int record_value(struct mf_metrics *store, struct store_series *series, double value,
                               int64_t slot)
{
    const struct slab_open *open = series->current;
    if (__builtin_expect(open->slot != slot, 0)) {
        return record_elsewhere(store, series, value, slot);
    }
    add_to_open(series, open, value);
    if (__builtin_expect(series->type != MF_GAUGE, 0)) {
        add_to_dense(store, series, value);
    }
    return 0;
}

/* Whether a series takes this value by mf_metrics_record(). */
static inline bool value_fits(const struct store_series *series, double value)
{
    return value_finite(value) && (__builtin_expect(series->type == MF_GAUGE, 1) ||
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
    if (wall_ns <= -TIME_LIMIT_NS || wall_ns >= TIME_LIMIT_NS) {
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

static int record_uncommon(struct mf_metrics *store, struct store_series *series, double value)
{
    const int64_t slot = series->schema->slot;
    if (!value_fits(series, value) || slot == CLOCK_NONE) {
        return refuse_value(store);
    }
    return record_value(store, series, value, slot);
}

int mf_metrics_record(struct mf_metrics *store, mf_series handle, double value)
{
    struct store_series *series = series_get(store, handle);
    if (__builtin_expect(series == NULL, 0)) {
        return MF_ESTALE;
    }
    const struct slab_open *open = series->current;
    if (__builtin_expect(open->slot == *series->gauge_slot && value_finite(value), 1)) {
        add_to_open(series, open, value);
        return 0;
    }
    return record_uncommon(store, series, value);
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
    if (rc < 0) {
        return rc;
    }
    if (slot < schema->slot && !mf__any_tier_retains(store, series, slot)) {
        return refuse_late(store); /* also when it is the open slot of a series that went quiet */
    }
    return record_value(store, series, value, slot);
}

int mf_metrics_record_at(struct mf_metrics *store, mf_series handle, double value, int64_t wall_ns)
{
    struct store_series *series = series_get(store, handle);
    if (__builtin_expect(series == NULL, 0)) {
        return MF_ESTALE;
    }
    if (__builtin_expect(!value_fits(series, value), 0)) {
        return refuse_value(store);
    }
    return record_at(store, series, value, wall_ns);
}

/* Whether every value is for a gauge of one schema, whose open slot is the one that wall_ns is in.
 */
static bool batch_is_common(const struct mf_metrics *store, const mf_series *handles,
                            const double *values, size_t count, int64_t wall_ns)
{
    const struct store_series *table = store->series;
    const uint64_t mask = store->series_mask;
    const struct store_schema *schema = count > 0 ? table[handles[0] & mask].schema : NULL;
    if (schema == NULL || wall_ns < schema->start_ns || wall_ns >= schema->end_ns) {
        return false;
    }
    const int64_t slot = schema->slot;
    for (size_t i = 0; i < count; i++) {
        const struct store_series *series = &table[handles[i] & mask];
        if (__builtin_expect(series->handle != handles[i] || series->gauge_slot != &schema->slot ||
                                 series->current->slot != slot || !value_finite(values[i]),
                             0)) {
            return false;
        }
    }
    return true;
}

static int batch_check(struct mf_metrics *store, const mf_series *handles, const double *values,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct store_series *series = series_get(store, handles[i]);
        if (series == NULL) {
            return MF_ESTALE;
        }
        if (!value_fits(series, values[i])) {
            return refuse_value(store);
        }
    }
    return 0;
}

int mf_metrics_record_batch(struct mf_metrics *store, const mf_series *handles,
                            const double *values, size_t count, int64_t wall_ns)
{
    if (__builtin_expect(batch_is_common(store, handles, values, count, wall_ns), 1)) {
        struct store_series *table = store->series;
        const uint64_t mask = store->series_mask;
        for (size_t i = 0; i < count; i++) {
            struct store_series *series = &table[handles[i] & mask];
            add_to_open(series, series->current, values[i]);
        }
        return 0;
    }
    int rc = batch_check(store, handles, values, count);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        int refusal = record_at(store, series_get(store, handles[i]), values[i], wall_ns);
        rc = rc == 0 ? refusal : rc;
    }
    return rc;
}

/* Kept in the file, so that the clock goes on at the caller's pace after a reopen, too. */
static void set_ahead(struct mf_metrics *store, int64_t ahead_ns)
{
    store->ahead_ns = ahead_ns;
    atomic_store_explicit(&slab_status(&store->slab)->ahead_ns, ahead_ns, memory_order_relaxed);
}

int mf_metrics_tick(struct mf_metrics *store, int64_t now_wall_ns)
{
    struct slab_status *status = slab_status(&store->slab);
    if (now_wall_ns <= -TIME_LIMIT_NS || now_wall_ns >= TIME_LIMIT_NS) {
        return refuse_value(store);
    }
    const memory_order relaxed = memory_order_relaxed;
    const int64_t before_ns = atomic_load_explicit(&status->caller_clock_ns, relaxed);
    atomic_store_explicit(&status->caller_clock_ns, now_wall_ns, relaxed);
    if (now_wall_ns < before_ns) {
        /* A step back: go on from where the store's clock stands, at the caller's pace. */
        count_event(&status->backward_steps);
        set_ahead(store, store->clock_ns > now_wall_ns ? store->clock_ns - now_wall_ns : 0);
    }
    if (now_wall_ns >= store->clock_ns && store->ahead_ns != 0) {
        set_ahead(store, 0); /* caught up */
    }
    int64_t wall_ns = now_wall_ns + store->ahead_ns;
    if (wall_ns < store->clock_ns || wall_ns >= TIME_LIMIT_NS) {
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
        /* Of a counter, and where there is no tier above, the open slot is where it would be
         * anyway. */
        if (series->type == 0 || series->type == MF_COUNTER ||
            series->schema->slab->tier_count == 1) {
            continue;
        }
        const struct open_copy open = mf__open_get(store, series, 0);
        if (open.aggregate.count == 0 || open.slot >= series->schema->slot) {
            continue;
        }
        mf__ring_empty_open(store, series);
        moved++;
    }
    return moved;
}
