/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.c -- a mapped store as a source of points, in any process that may read the file.
 *
 * What moves while it is read is seen exactly once: the open slots are taken first, from the finest tier
 * upwards, each whole; the rings after them. A slot that moved from an open slot into the tier above
 * between two looks is told by `through`; one that moved into its ring is taken from the copy in hand. */
#include "slab.h"
#include "source.h"
#include "store.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

#define READ_ATTEMPTS 1000

struct slab_source {
    struct slab slab;
    struct mf_file *file; /* NULL for a reader of a store that this process writes */
    char *path;
};

/* The open slots of a series, finest first; and what a counter's shards hold beyond its newest sample. */
struct open_set {
    struct open_copy pending;
    struct open_copy tiers[MF_METRICS_TIERS_MAX];
    int64_t slots_per[MF_METRICS_TIERS_MAX]; /* slots of the first tier in one of this */
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
    const int64_t clock_ns = atomic_load(&status->clock_ns);
    const int64_t first_ns = atomic_load(&status->first_ns);
    struct mf_metrics_info info = {
        .state = MF_METRICS_WRITING,
        .created_wall_ns = superblock != NULL ? superblock->created_wall_ns : 0,
        .clock_wall_ns = clock_ns != INT64_MIN ? clock_ns : 0,
        .first_wall_ns = first_ns != INT64_MAX ? first_ns : 0,
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
    if (id >= slab->columns || !mf__slab_entry_valid(slab, id)) {
        return false;
    }
    const struct slab_entry *entry = slab_entry(slab, id);
    const char *text = slab_text(slab, id);
    *ret_series = (struct source_series){
        .text = text,
        .text_len = entry->series_len,
        .unit = text + entry->series_len + 1,
        .help = text + entry->series_len + 1 + entry->unit_len + 1,
        .type = (enum mf_series_type)entry->type,
        .schema = (uint32_t)(mf__slab_schema_of(slab, id) - slab->schemas),
        .id = id,
    };
    return true;
}

/* What was added since the newest sample of a counter belongs to the slot of the clock. */
static void read_pending(const struct slab *slab, const struct slab_schema *schema, uint32_t column,
                         struct open_set *set)
{
    const struct mf__aggregate *open = &set->tiers[0].aggregate;
    const int64_t clock_ns = atomic_load_explicit(&slab_status(slab)->clock_ns, memory_order_acquire);
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

static int read_open_set(const struct slab *slab, const struct slab_schema *schema, uint32_t column,
                         struct open_set *set)
{
    const struct slab_cell *cell = slab_cell(slab, schema, column);
    const bool counter = slab_entry(slab, column)->type == MF_COUNTER;
    set->pending.aggregate.count = 0;
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        const int rc = t == 0 ? mf__open_read(cell->open, sizeof(struct slab_open), &set->tiers[0])
                              : mf__open_read(&cell->upper[t - 1][0].open, sizeof(struct slab_upper),
                                              &set->tiers[t]);
        if (rc < 0) {
            return MF_EBUSY;
        }
        set->slots_per[t] = schema->tiers[t].interval_ns / schema->tiers[0].interval_ns;
        if (t == 0 && counter) {
            read_pending(slab, schema, column, set);
        }
        struct mf__aggregate *a = &set->tiers[t].aggregate;
        if (counter) { /* the fields hold the source's state; a total only grows */
            a->min = a->first;
            a->max = a->last;
        }
    }
    return 0;
}

/* Appends the open slots, down to the first tier, that belong to `slot` of `tier` and are not in a tier
 * above them yet. Coarse before fine is older before newer. */
static void append_open(const struct open_set *set, uint32_t tier, int64_t slot,
                        struct mf__aggregate *into)
{
    for (uint32_t t = tier + 1; t-- > 0;) {
        const struct open_copy *open = &set->tiers[t];
        if (open->aggregate.count > 0 &&
            floor_divide(open->slot * set->slots_per[t], set->slots_per[tier]) == slot &&
            (t == tier || set->tiers[t + 1].through < open->slot)) {
            mf__aggregate_append(into, &open->aggregate);
        }
    }
    const struct open_copy *pending = &set->pending;
    if (pending->aggregate.count > 0 && floor_divide(pending->slot, set->slots_per[tier]) == slot) {
        mf__aggregate_append(into, &pending->aggregate);
    }
}

static int source_points(const void *context, uint32_t id, uint32_t tier, int64_t first, int64_t last,
                         int (*visit)(void *context, const struct source_point *point),
                         void *visit_context)
{
    const struct slab *slab = &((const struct slab_source *)context)->slab;
    const struct slab_schema *schema = mf__slab_schema_of(slab, id);
    struct open_set set;
    int rc = read_open_set(slab, schema, id, &set);
    for (int64_t slot = first; rc == 0 && slot <= last; slot++) {
        struct source_point point = {.slot = slot, .exact = true};
        const bool is_open = set.tiers[tier].aggregate.count > 0 && set.tiers[tier].slot == slot;
        if (!is_open && !mf__ring_get(slab, schema, tier, id, slot, &point.aggregate, &point.exact)) {
            point.aggregate.count = 0;
        }
        append_open(&set, tier, slot, &point.aggregate);
        if (point.aggregate.count > 0) {
            rc = visit(visit_context, &point);
        }
    }
    return rc;
}

/* The live buckets of the open slot of the first tier; *ret_slot is SLOT_NONE when it is empty. */
static int read_dense(const struct slab *slab, const struct slab_schema *schema, uint32_t id,
                      struct mf_histogram *live, int64_t *ret_slot)
{
    const struct slab_cell *cell = slab_cell(slab, schema, id);
    const _Atomic uint64_t *dense = slab_dense(slab, schema, slab_entry(slab, id)->histogram_column);
    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        struct open_copy before;
        struct open_copy after;
        if (mf__open_read(cell->open, sizeof(struct slab_open), &before) < 0) {
            return MF_EBUSY;
        }
        live->count = 0;
        for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
            live->buckets[i] = atomic_load_explicit(&dense[i], memory_order_acquire);
            live->count += live->buckets[i];
        }
        if (mf__open_read(cell->open, sizeof(struct slab_open), &after) < 0) {
            return MF_EBUSY;
        }
        if (before.slot == after.slot && (before.aggregate.count == 0) == (after.aggregate.count == 0)) {
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

/* The buckets of a slot: live, from its blob, or, when its blob is made only when it ends, from the tier
 * below. The depth is the number of tiers. */
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
    if (mf__open_read(&cell->upper[tier - 1][0].open, sizeof(struct slab_upper), &upper) < 0) {
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
    rc = mf__slab_attach(&source->slab, base, info.size_bytes, mf_file_path(source->file), &superblock,
                         err);
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
        rc = mf_file_open(env != NULL ? env->fs : NULL, source->path, MF_OPEN_READ, &source->file, err);
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
        rc = mf_fail(err, MF_ENOTFOUND, "%s: no metrics store here (no " SLAB_FILE " or " ARCHIVE_FILE
                     ")", path);
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

void mf_metrics_reader_info(const struct mf_metrics_reader *reader, struct mf_metrics_info *ret_info)
{
    reader->ops->info(reader->source, ret_info);
}

void mf_metrics_reader_schema(const struct mf_metrics_reader *reader, uint32_t index,
                              struct mf_metrics_schema *ret_schema)
{
    reader->ops->schema(reader->source, index, ret_schema);
}
