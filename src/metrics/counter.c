/* SPDX-License-Identifier: Apache-2.0
 * counter.c -- totals: increments from many threads, or observed from elsewhere.
 *
 * Each writer thread has a shard, a column of plain 8-byte words in the mapped file, to which
 * nobody else writes; so adding is a load, an addition and a store, and a kill loses nothing. The
 * total of a series is the sum of its shards; it is sampled when a slot of the first tier ends,
 * into that slot. A reader adds what the shards hold beyond the newest sample. Shards are never set
 * back: the next thread that takes one goes on from its values. */
#include "store.h"

#include "base/fail.h"

#include <math.h>

/* Where a counter's total comes from; kept in `max` of its open slot. */
#define SOURCE_OBSERVED 1.0

/* Adds one sample to a counter. Its `min` (what was seen at the source) and `max` (the kind of
 * source) are published with it, in one step. A sample behind the newest one is MF_ELATE and loses
 * nothing: what it would have added is in the next. */
static int add_sample(struct mf_metrics *store, struct store_series *series,
                      const struct mf__aggregate *sample, int64_t slot)
{
    struct open_copy open = mf__open_get(store, series, 0);
    struct mf__aggregate *a = &open.aggregate;
    if (open.slot == slot && a->count > 0) {
        a->count++;
        a->sum += sample->sum;
        a->last = sample->last;
        a->min = sample->min;
        a->max = sample->max;
        mf__open_publish(store, series, 0, slot, a, SLOT_NONE);
        return 0;
    }
    if (slot < open.slot || mf__ring_has(store, series, slot)) {
        return MF_ELATE;
    }
    mf__open_slot(store, series, slot, sample);
    return 0;
}

uint64_t mf__shards_sum(const struct slab *slab, uint32_t column)
{
    const uint32_t used =
        atomic_load_explicit(&slab_status(slab)->shards_used, memory_order_acquire);
    uint64_t sum = 0;
    for (uint32_t shard = 0; shard < used && shard < slab->config->writers_max; shard++) {
        sum += __atomic_load_n(&slab_shard(slab, shard)[column], __ATOMIC_RELAXED);
    }
    return sum;
}

void mf__counters_sample(struct mf_metrics *store, struct store_schema *schema)
{
    const uint32_t first = schema->slab->base;
    for (uint32_t column = first; column < first + schema->fresh; column++) {
        struct store_series *series = &store->series[column];
        if (series->type == 0 || series->type != MF_COUNTER || series->observed) {
            continue;
        }
        const double sum = (double)mf__shards_sum(&store->slab, column);
        const double seen = -series->current->minus_min;
        const double before = series->current->last;
        const double increase = sum > seen ? sum - seen : 0;
        const struct mf__aggregate sample = {
            .count = 1, .sum = increase, .min = sum, .first = before, .last = before + increase};
        (void)add_sample(store, series, &sample, schema->slot); /* late: the next sample has it */
    }
}

static int observe(struct mf_metrics *store, struct store_series *series, double total,
                   int64_t slot)
{
    struct slab_status *status = slab_status(&store->slab);
    const double seen = -series->current->minus_min;
    const double before = series->current->last;
    struct mf__aggregate sample = {.count = 1, .min = total, .max = SOURCE_OBSERVED};
    const bool reset = series->observed && total < seen;
    if (!series->observed) { /* what came before the first sight of it is not ours */
        sample.first = sample.last = total;
    } else {
        sample.sum = reset ? total : total - seen;
        sample.first = before;
        sample.last = before + sample.sum;
    }
    if (!isfinite(sample.last)) {
        count_event(&status->value_refused);
        return MF_EVALUE;
    }
    const int rc = add_sample(store, series, &sample, slot);
    if (rc < 0) {
        count_event(&status->late_refused);
        return rc;
    }
    series->observed = true;
    if (reset) {
        count_event(&status->counter_resets);
    }
    return 0;
}

bool mf__counter_is_observed(const struct slab_open *open)
{
    return open->max == SOURCE_OBSERVED;
}

static int check_observed(struct mf_metrics *store, const struct store_series *series, double total)
{
    if (series == NULL) {
        return MF_ESTALE;
    }
    if (series->type != MF_COUNTER || !isfinite(total) || total < 0) {
        count_event(&slab_status(&store->slab)->value_refused);
        return MF_EVALUE;
    }
    return 0;
}

int mf_metrics_observe_total(struct mf_metrics *store, mf_series handle, double total)
{
    struct store_series *series = mf__series_get(store, handle);
    int rc = check_observed(store, series, total);
    if (rc < 0) {
        return rc;
    }
    if (series->schema->slot == CLOCK_NONE) {
        return MF_EVALUE;
    }
    return observe(store, series, total, series->schema->slot);
}

int mf_metrics_observe_total_at(struct mf_metrics *store, mf_series handle, double total,
                                int64_t wall_ns)
{
    struct store_series *series = mf__series_get(store, handle);
    int rc = check_observed(store, series, total);
    int64_t slot;
    if (rc == 0) {
        rc = mf__time_slot(store, series, wall_ns, &slot);
    }
    return rc < 0 ? rc : observe(store, series, total, slot);
}

int mf_counter_writer_begin(struct mf_metrics *store, struct mf_counter_writer *ret_writer,
                            struct mf_errinfo *err)
{
    const uint32_t shards = store->slab.config->writers_max;
    mf_mutex_lock(&store->writers_lock);
    uint32_t shard = 0;
    while (shard < shards && store->shard_taken[shard] != 0) {
        shard++;
    }
    if (shard < shards) {
        store->shard_taken[shard] = 1;
        _Atomic uint32_t *used = &slab_status(&store->slab)->shards_used;
        if (atomic_load_explicit(used, memory_order_relaxed) <= shard) {
            atomic_store_explicit(used, shard + 1, memory_order_release);
        }
    }
    mf_mutex_unlock(&store->writers_lock);
    if (shard == shards) {
        return mf_fail(err, MF_ELIMIT,
                       "%s: all %u counter writers are in use; end one, or create the "
                       "store with more writers_max",
                       store->path, shards);
    }
    *ret_writer = (struct mf_counter_writer){
        .handles = store->handles,
        .values = slab_shard(&store->slab, shard),
        .count = store->slab.columns,
        .store = store,
        .shard = shard,
    };
    return 0;
}

void mf_counter_writer_end(struct mf_counter_writer *writer)
{
    if (writer->store == NULL) {
        return;
    }
    mf_mutex_lock(&writer->store->writers_lock);
    writer->store->shard_taken[writer->shard] = 0;
    mf_mutex_unlock(&writer->store->writers_lock);
    *writer = (struct mf_counter_writer){0};
}
