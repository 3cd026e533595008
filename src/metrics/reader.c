/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.c -- a mapped store as a source of points, in any process that may read the file.
 *
 * What moves while it is read is seen exactly once: the open slots are taken first, from the finest
 * tier upwards, each whole; the rings after them. A slot that moved from an open slot into a tier
 * above between two looks is told by `through` of any of these; one that moved into its ring is
 * taken from the copy in hand. */
#include "slab.h"
#include "source.h"
#include "store.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

#define READ_ATTEMPTS 1000

struct slab_source {
    struct slab slab;
    struct mf_file *file; /* NULL for a reader of a store that this process writes */
    char *path;
};

/* The open slots of a series, finest first; and what a counter's shards hold beyond its newest
 * sample. */
struct open_set {
    bool counter;
    uint64_t sequence[2]; /* of both copies of the first tier's open slot, when this was read */
    struct open_copy pending;
    struct open_copy tiers[MF_METRICS_TIERS_MAX];
};

static void source_close(void *context)
{
    struct slab_source *source = context;
    if (source->file != NULL && source->slab.base != NULL) {
        (void)mf_file_unmap(source->file, source->slab.base, source->slab.bytes);
    }
    mf_file_close(source->file);
    mf_free(source->path);
    mf_free(source);
}

static void source_info(const void *context, struct mf_metrics_info *ret_info)
{
    const struct slab_source *source = context;
    const struct slab_status *status = slab_status(&source->slab);
    const struct slab_superblock *superblock =
        mf__superblock_find(source->slab.base, source->slab.bytes);
    const int64_t clock_ns = mf__slab_clock(&source->slab);
    const int64_t first_ns = atomic_load(&status->first_ns);
    struct mf_metrics_info info = {
        .state = MF_METRICS_WRITING,
        .created_wall_ns = superblock != NULL ? superblock->created_wall_ns : 0,
        .clock_wall_ns = clock_ns != INT64_MIN ? clock_ns : 0,
        .first_wall_ns = first_ns > -TIME_LIMIT_NS && first_ns < TIME_LIMIT_NS ? first_ns : 0,
        .schema_count = source->slab.schema_count,
        .stats = {.late_merged = atomic_load(&status->late_merged),
                  .late_refused = atomic_load(&status->late_refused),
                  .future_refused = atomic_load(&status->future_refused),
                  .value_refused = atomic_load(&status->value_refused),
                  .backward_steps = atomic_load(&status->backward_steps),
                  .counter_resets = atomic_load(&status->counter_resets),
                  .recoveries = superblock != NULL ? superblock->recoveries : 0,
                  .repaired = superblock != NULL ? superblock->repaired : 0,
                  .file_bytes = source->slab.bytes,
                  .series = atomic_load(&status->series),
                  .series_max = source->slab.columns},
    };
    if (source->file != NULL && mf_file_is_locked(source->file, NULL) != 1) {
        info.state = superblock != NULL && superblock->state == SLAB_CLOSED ? MF_METRICS_CLOSED
                                                                            : MF_METRICS_ABANDONED;
    }
    *ret_info = info;
}

static void source_schema(const void *context, uint32_t index, struct mf_metrics_schema *ret_schema)
{
    const struct slab_source *source = context;
    const struct slab_schema_config *config = source->slab.schemas[index].config;
    *ret_schema = (struct mf_metrics_schema){
        .name = config->name,
        .selector = config->selector,
        .series_max = config->series_max,
        .histograms_max = config->histograms_max,
        .histogram_bytes = config->histogram_bytes,
        .tier_count = config->tier_count,
    };
    for (uint32_t t = 0; t < config->tier_count; t++) {
        ret_schema->tiers[t].interval_ns = config->tiers[t].interval_ns;
        ret_schema->tiers[t].slots = config->tiers[t].slots;
    }
}

static uint32_t source_series_count(const void *context)
{
    return ((const struct slab_source *)context)->slab.columns;
}

static bool source_series(const void *context, uint32_t id, struct source_series *ret_series)
{
    const struct slab *slab = &((const struct slab_source *)context)->slab;
    struct slab_entry entry;
    if (id >= slab->columns || !mf__slab_entry_read(slab, id, &entry)) {
        return false;
    }
    const char *text = slab_text(slab, id);
    *ret_series = (struct source_series){
        .text = text,
        .text_len = entry.series_len,
        .unit = text + entry.series_len + 1,
        .unit_len = entry.unit_len,
        .help = text + entry.series_len + 1 + entry.unit_len + 1,
        .help_len = entry.help_len,
        .type = (enum mf_series_type)entry.type,
        .schema = (uint32_t)(mf__slab_schema_of(slab, id) - slab->schemas),
        .id = id,
        .generation = entry.generation,
    };
    return true;
}

/* What was added since the newest sample of a counter belongs to the slot of the clock. */
static void read_pending(const struct slab *slab, const struct slab_schema *schema, uint32_t column,
                         struct open_set *set)
{
    const struct mf__aggregate *open = &set->tiers[0].aggregate;
    const int64_t clock_ns = mf__slab_clock(slab);
    if (clock_ns == INT64_MIN || open->max != 0) {
        return; /* no time yet, or its total is kept elsewhere */
    }
    const double sum = (double)mf__shards_sum(slab, column);
    if (sum > open->min) { /* `min` is what was seen of it */
        const double increase = sum - open->min;
        set->pending.slot = floor_divide(clock_ns, schema->tiers[0].interval_ns);
        set->pending.aggregate = (struct mf__aggregate){
            1, increase, open->last, open->last + increase, open->last, open->last + increase};
    }
}

static int read_open_once(const struct slab *slab, const struct slab_schema *schema,
                          uint32_t column, struct open_set *set)
{
    const struct slab_cell *cell = slab_cell(slab, schema, column);
    set->pending.aggregate.count = 0;
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        const int rc = mf__cell_read(schema, cell, t, &set->tiers[t]);
        if (rc < 0) {
            return rc;
        }
        if (t == 0 && set->counter) {
            read_pending(slab, schema, column, set);
        }
    }
    return 0;
}

/* Of a counter that is added to, shards and newest sample must belong together: else the sample was
 * taken in between. */
static int read_open_set(const struct slab *slab, const struct slab_schema *schema, uint32_t column,
                         struct open_set *set)
{
    const struct slab_open *open = slab_cell(slab, schema, column)->open;
    set->counter = slab_entry(slab, column)->type == MF_COUNTER;
    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        set->sequence[0] = __atomic_load_n(&open[0].sequence, __ATOMIC_ACQUIRE);
        set->sequence[1] = __atomic_load_n(&open[1].sequence, __ATOMIC_ACQUIRE);
        const int rc = read_open_once(slab, schema, column, set);
        atomic_thread_fence(memory_order_acquire);
        if (rc < 0 || !set->counter || set->tiers[0].aggregate.max != 0 ||
            (set->sequence[0] == __atomic_load_n(&open[0].sequence, __ATOMIC_RELAXED) &&
             set->sequence[1] == __atomic_load_n(&open[1].sequence, __ATOMIC_RELAXED))) {
            return rc;
        }
    }
    return MF_EBUSY;
}

/* Whether what a ring has now still belongs to the open slots that were read: 1, 0, or a code. Of
 * a counter no sample may have been taken since, of the others no slot may have ended. */
static int open_set_is_current(const struct slab *slab, const struct slab_schema *schema,
                               uint32_t column, const struct open_set *set)
{
    const struct slab_cell *cell = slab_cell(slab, schema, column);
    atomic_thread_fence(memory_order_acquire);
    if (set->counter) {
        return set->sequence[0] == __atomic_load_n(&cell->open[0].sequence, __ATOMIC_RELAXED) &&
               set->sequence[1] == __atomic_load_n(&cell->open[1].sequence, __ATOMIC_RELAXED);
    }
    struct open_copy now;
    const int rc = mf__cell_read(schema, cell, 0, &now);
    return rc < 0 ? rc : now.slot == set->tiers[0].slot;
}

/* One slot of a tier. What its ring has of slots before the open one is all there is of them. Of
 * the open one the ring may have an earlier state, which does not count. Of later ones it has what
 * moved there since the open slots were read, and with it all that was in them. */
static void read_slot(const struct slab *slab, const struct slab_schema *schema, uint32_t column,
                      uint32_t tier, const struct open_set *set, struct source_point *point)
{
    struct mf__aggregate *a = &point->aggregate;
    const int64_t open_slot = set->tiers[tier].slot;
    point->exact = true;
    a->count = 0;
    if (point->slot == open_slot ||
        !mf__ring_get(slab, schema, tier, column, point->slot, a, &point->exact)) {
        point->exact = true;
        a->count = 0;
        if (point->slot >= open_slot) {
            mf__open_merge(schema, set->tiers, tier, point->slot, a);
        }
    }
    const int64_t first_tier_slots = schema->tiers[tier].interval_ns / schema->tiers[0].interval_ns;
    const bool sampled_since = a->count > 0 && a->last > set->tiers[0].aggregate.last;
    if (set->pending.aggregate.count > 0 && !sampled_since &&
        floor_divide(set->pending.slot, first_tier_slots) == point->slot) {
        mf__aggregate_append(a, &set->pending.aggregate);
    }
    a->sum = isnan(a->sum) ? 0 : fmin(fmax(a->sum, -DBL_MAX), DBL_MAX);
    if (set->counter) { /* open slots keep other things in these fields; a total only grows */
        a->first = a->min = fmax(a->last - a->sum, -DBL_MAX);
        a->max = a->last;
    }
}

/* The slots first .. last that are not settled: from the open one to that of the clock. They are
 * read again when a slot has ended meanwhile; else what moved from an open slot into the ring would
 * be missing, or, of a counter, be there twice. *points: [own], grown as needed. */
static int read_tail(const struct slab_source *source, uint32_t id, uint32_t tier, int64_t first,
                     int64_t last, struct source_point **points, size_t *ret_count)
{
    const struct slab *slab = &source->slab;
    const struct slab_schema *schema = mf__slab_schema_of(slab, id);
    size_t capacity = 0;
    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        struct open_set set;
        int rc = read_open_set(slab, schema, id, &set);
        size_t count = 0;
        const int64_t now = floor_divide(mf__slab_clock(slab), schema->tiers[tier].interval_ns);
        for (int64_t slot = first; rc == 0 && slot <= last && slot <= now; slot++) {
            struct source_point point = {.slot = slot};
            read_slot(slab, schema, id, tier, &set, &point);
            if (point.aggregate.count == 0) {
                continue;
            }
            if (count == capacity) {
                capacity = capacity != 0 ? capacity * 2 : 4;
                struct source_point *grown = mf_realloc(*points, capacity * sizeof *grown);
                if (grown == NULL) {
                    return -ENOMEM;
                }
                *points = grown;
            }
            (*points)[count++] = point;
        }
        rc = rc < 0 ? rc : open_set_is_current(slab, schema, id, &set);
        if (rc != 0) {
            *ret_count = count;
            return rc < 0 ? rc : 0;
        }
    }
    return MF_EBUSY;
}

static int source_points(const void *context, uint32_t id, uint32_t tier, int64_t first,
                         int64_t last,
                         int (*visit)(void *context, const struct source_point *point),
                         void *visit_context)
{
    const struct slab_source *source = context;
    const struct slab *slab = &source->slab;
    const struct slab_schema *schema = mf__slab_schema_of(slab, id);
    struct open_set set;
    int rc = read_open_set(slab, schema, id, &set);
    const int64_t first_tier_slots = schema->tiers[tier].interval_ns / schema->tiers[0].interval_ns;
    int64_t tail = set.tiers[tier].slot;
    if (set.pending.aggregate.count > 0) {
        const int64_t pending = floor_divide(set.pending.slot, first_tier_slots);
        tail = pending < tail ? pending : tail;
    }
    int64_t slot = first;
    for (; rc == 0 && slot <= last && slot < tail; slot++) {
        struct source_point point = {.slot = slot};
        read_slot(slab, schema, id, tier, &set, &point);
        if (point.aggregate.count > 0) {
            rc = visit(visit_context, &point);
        }
    }
    struct source_point *points = NULL;
    size_t count = 0;
    if (rc == 0 && slot <= last) {
        rc = read_tail(source, id, tier, slot, last, &points, &count);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = visit(visit_context, &points[i]);
    }
    mf_free(points);
    return rc;
}

/* The live buckets of the open slot of the first tier; *ret_slot is SLOT_NONE when it is empty. */
static int read_dense(const struct slab *slab, const struct slab_schema *schema, uint32_t id,
                      struct mf_histogram *live, int64_t *ret_slot)
{
    const struct slab_cell *cell = slab_cell(slab, schema, id);
    const _Atomic uint64_t *dense =
        slab_dense(slab, schema, slab_entry(slab, id)->histogram_column);
    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        struct open_copy before;
        struct open_copy after;
        if (mf__cell_read(schema, cell, 0, &before) < 0) {
            return MF_EBUSY;
        }
        live->count = 0;
        for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
            live->buckets[i] = atomic_load_explicit(&dense[i], memory_order_acquire);
            live->count += live->buckets[i];
        }
        if (mf__cell_read(schema, cell, 0, &after) < 0) {
            return MF_EBUSY;
        }
        if (before.slot == after.slot &&
            (before.aggregate.count == 0) == (after.aggregate.count == 0)) {
            *ret_slot = before.aggregate.count > 0 ? before.slot : SLOT_NONE;
            return 0;
        }
    }
    return MF_EBUSY;
}

static int add_blob(const struct slab *slab, const struct slab_schema *schema, uint32_t id,
                    uint32_t tier, int64_t slot, struct mf_histogram *into)
{
    const struct slab_tier *in = &schema->tiers[tier];
    const uint8_t *blob = slab_blob(slab, schema, in, slot_position(in, slot),
                                    slab_entry(slab, id)->histogram_column);
    const uint32_t room = schema->config->histogram_bytes;
    uint8_t copy[HISTOGRAM_BLOB_MAX];
    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        /* A blob that is being rewritten fails its checksum; it is whole again a moment later. */
        memcpy(copy, blob, room);
        struct mf_histogram decoded = {0};
        const int rc = mf__histogram_decode(copy, room, slot, &decoded);
        if (rc == 1) {
            mf__histogram_merge(into, &decoded);
        }
        if (rc >= 0) {
            return 0;
        }
    }
    return MF_ECORRUPT;
}

struct bucket_walk {
    const struct slab *slab;
    const struct slab_schema *schema;
    uint32_t id;
    int64_t live_slot; /* of the first tier; its buckets are in `live` */
    struct mf_histogram live;
    struct mf_histogram *into;
};

/* The buckets of a slot: live, from its blob, or, when its blob is made only when it ends, from the
 * tier below. The depth is the number of tiers. */
static int walk_buckets(struct bucket_walk *walk, uint32_t tier, int64_t slot)
{
    if (tier == 0) {
        if (slot != walk->live_slot) {
            return add_blob(walk->slab, walk->schema, walk->id, 0, slot, walk->into);
        }
        mf__histogram_merge(walk->into, &walk->live);
        return 0;
    }
    const struct slab_cell *cell = slab_cell(walk->slab, walk->schema, walk->id);
    struct open_copy upper;
    if (mf__cell_read(walk->schema, cell, tier, &upper) < 0) {
        return MF_EBUSY;
    }
    if (upper.slot > slot) {
        return add_blob(walk->slab, walk->schema, walk->id, tier, slot, walk->into);
    }
    const int64_t children = walk->schema->tiers[tier].children;
    for (int64_t child = slot * children; child < (slot + 1) * children; child++) {
        const int rc = walk_buckets(walk, tier - 1, child);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int source_buckets(const void *context, uint32_t id, uint32_t tier, int64_t slot,
                          struct mf_histogram *into)
{
    const struct slab *slab = &((const struct slab_source *)context)->slab;
    struct bucket_walk walk = {.slab = slab, .schema = mf__slab_schema_of(slab, id), .id = id};
    walk.into = into;
    const int rc = read_dense(slab, walk.schema, id, &walk.live, &walk.live_slot);
    return rc < 0 ? rc : walk_buckets(&walk, tier, slot);
}

static const struct source_ops slab_source_ops = {
    .close = source_close,
    .info = source_info,
    .schema = source_schema,
    .series_count = source_series_count,
    .series = source_series,
    .points = source_points,
    .buckets = source_buckets,
};

static int make_reader(struct slab_source *source, struct mf_metrics_reader **ret_reader,
                       struct mf_errinfo *err)
{
    struct mf_metrics_reader *reader = mf_malloc(sizeof *reader);
    if (reader == NULL) {
        return mf_fail_os(err, -ENOMEM, "%s", source->path);
    }
    *reader = (struct mf_metrics_reader){.ops = &slab_source_ops, .source = source};
    *ret_reader = reader;
    return 0;
}

static int map_source(struct slab_source *source, struct mf_errinfo *err)
{
    struct mf_file_info info;
    int rc = mf_file_info(source->file, &info, err);
    if (rc < 0) {
        return rc;
    }
    if (info.size_bytes < SLAB_PAGE * 2 || info.size_bytes > SIZE_MAX / 2) {
        return mf_fail(err, MF_EFORMAT, "%s: not a metrics store (%llu bytes long)",
                       mf_file_path(source->file), (unsigned long long)info.size_bytes);
    }
    void *base;
    rc = mf_file_map(source->file, info.size_bytes, false, &base, err);
    if (rc < 0) {
        return rc;
    }
    struct slab_superblock superblock;
    rc = mf__slab_attach(&source->slab, base, info.size_bytes, mf_file_path(source->file),
                         &superblock, err);
    if (rc < 0) {
        (void)mf_file_unmap(source->file, base, info.size_bytes);
        source->slab.base = NULL;
    }
    return rc;
}

static int open_slab(const char *path, const struct mf_env *env,
                     struct mf_metrics_reader **ret_reader, struct mf_errinfo *err)
{
    struct slab_source *source = mf_calloc(1, sizeof *source);
    if (source == NULL) {
        return mf_fail_os(err, -ENOMEM, "%s", path);
    }
    source->path = mf_asprintf("%s/" SLAB_FILE, path);
    int rc = source->path != NULL ? 0 : mf_fail_os(err, -ENOMEM, "%s", path);
    if (rc == 0) {
        rc = mf_file_open(env != NULL ? env->fs : NULL, source->path, MF_OPEN_READ, &source->file,
                          err);
    }
    if (rc == 0) {
        rc = map_source(source, err);
    }
    if (rc == 0) {
        rc = make_reader(source, ret_reader, err);
    }
    if (rc < 0) {
        source_close(source);
    }
    return rc;
}

int mf_metrics_reader_open(const char *path, const struct mf_env *env,
                           struct mf_metrics_reader **ret_reader, struct mf_errinfo *err)
{
    struct mf_errinfo slab_err = {0}; /* `err` is written on failure only */
    int rc = open_slab(path, env, ret_reader, &slab_err);
    if (rc == -ENOENT) {
        rc = mf__archive_reader_open(path, env, ret_reader, err);
    } else if (rc < 0 && err != NULL) {
        *err = slab_err;
    }
    if (rc == -ENOENT || rc == -ENOTDIR) {
        rc = mf_fail(err, MF_ENOTFOUND,
                     "%s: no metrics store here (no " SLAB_FILE " or " ARCHIVE_FILE ")", path);
    }
    return rc;
}

int mf_metrics_reader_of(struct mf_metrics *store, struct mf_metrics_reader **ret_reader,
                         struct mf_errinfo *err)
{
    struct slab_source *source = mf_calloc(1, sizeof *source);
    if (source == NULL) {
        return mf_fail_os(err, -ENOMEM, "%s", store->path);
    }
    source->slab = store->slab;
    source->path = mf_strdup(store->path);
    int rc = source->path != NULL ? make_reader(source, ret_reader, err)
                                  : mf_fail_os(err, -ENOMEM, "%s", store->path);
    if (rc < 0) {
        source_close(source);
    }
    return rc;
}

void mf_metrics_reader_close(struct mf_metrics_reader *reader)
{
    if (reader != NULL) {
        reader->ops->close(reader->source);
        mf_free(reader);
    }
}

void mf_metrics_reader_info(const struct mf_metrics_reader *reader,
                            struct mf_metrics_info *ret_info)
{
    reader->ops->info(reader->source, ret_info);
}

void mf_metrics_reader_schema(const struct mf_metrics_reader *reader, uint32_t index,
                              struct mf_metrics_schema *ret_schema)
{
    reader->ops->schema(reader->source, index, ret_schema);
}
