/* SPDX-License-Identifier: Apache-2.0
 * series.c -- the directory: which series exist, in which column, and handles to them.
 *
 * A column belongs to one schema. Its directory entry is written in full, then its state; so a
 * reader, or the next open, finds it whole or free. The generation grows when a series is
 * forgotten, which makes old handles stale. In memory, an open-addressed table finds a column by
 * the text of its series. */
#include "store.h"

#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

static mf_series make_handle(uint32_t column, uint32_t generation, uint8_t type)
{
    return ((uint64_t)type << HANDLE_TYPE_SHIFT) | ((uint64_t)(generation & GENERATION_MAX) << 32) |
           column;
}

/* A handle that mf__series_get() never finds at entry i: its low half leads elsewhere. */
static mf_series no_handle(uint64_t i)
{
    return ~i;
}

/* The place of a text in the index: of its column, or the empty place where it would go. */
static uint32_t index_find(const struct mf_metrics *store, const char *text, size_t len)
{
    uint32_t at = (uint32_t)mf_hash64(text, len) & store->index_mask;
    for (;; at = (at + 1) & store->index_mask) {
        if (store->index[at] == 0) {
            return at;
        }
        const uint32_t column = store->index[at] - 1;
        if (slab_entry(&store->slab, column)->series_len == len &&
            memcmp(slab_text(&store->slab, column), text, len) == 0) {
            return at;
        }
    }
}

/* Linear probing without tombstones: what follows the hole moves up where it may. */
static void index_remove(struct mf_metrics *store, uint32_t hole)
{
    for (uint32_t at = (hole + 1) & store->index_mask; store->index[at] != 0;
         at = (at + 1) & store->index_mask) {
        const uint32_t column = store->index[at] - 1;
        const uint32_t home = (uint32_t)mf_hash64(slab_text(&store->slab, column),
                                                  slab_entry(&store->slab, column)->series_len) &
                              store->index_mask;
        if (((at - home) & store->index_mask) >= ((at - hole) & store->index_mask)) {
            store->index[hole] = store->index[at];
            hole = at;
        }
    }
    store->index[hole] = 0;
}

static struct slab_open *newer_copy(struct slab_cell *cell)
{
    struct open_copy copy;
    const int which = mf__open_read(cell->open, sizeof(struct slab_open), &copy);
    return &cell->open[which == 1 ? 1 : 0];
}

/* Takes a live directory entry into the tables in memory. */
static void series_attach(struct mf_metrics *store, struct store_schema *schema, uint32_t column)
{
    const struct slab_entry *entry = slab_entry(&store->slab, column);
    struct store_series *series = &store->series[column];
    static const int64_t never_open = CLOCK_NONE;
    struct slab_cell *cell = slab_cell(&store->slab, schema->slab, column);
    *series = (struct store_series){
        .handle = make_handle(column, entry->generation, entry->type),
        .current = newer_copy(cell),
        .schema = schema,
        .column = column,
        .histogram_column = entry->histogram_column,
        .type = entry->type,
        .gauge_slot = entry->type == MF_GAUGE ? &schema->slot : &never_open,
    };
    series->observed = entry->type == MF_COUNTER && mf__counter_is_observed(series->current);
    if (entry->type == MF_HISTOGRAM) {
        schema->histogram_used[entry->histogram_column] = 1;
    }
    __atomic_store_n(&store->handles[column], entry->type == MF_COUNTER ? series->handle : 0,
                     __ATOMIC_RELAXED);
    store->index[index_find(store, slab_text(&store->slab, column), entry->series_len)] =
        column + 1;
}

static int load_schema(struct mf_metrics *store, uint32_t i, struct mf_errinfo *err)
{
    struct store_schema *schema = &store->schemas[i];
    const struct slab_schema_config *config = store->slab.schemas[i].config;
    schema->slab = &store->slab.schemas[i];
    schema->slot = CLOCK_NONE;
    schema->start_ns = schema->end_ns = INT64_MIN;
    schema->released = mf_calloc(config->series_max, sizeof *schema->released);
    schema->histogram_used = mf_calloc(config->histograms_max, 1);
    if (schema->released == NULL || schema->histogram_used == NULL) {
        return mf_fail_os(err, -ENOMEM, "%s", store->path);
    }
    int rc = mf__selector_parse(config->selector, &schema->selector, err);
    if (rc < 0) {
        return rc;
    }
    const uint32_t base = schema->slab->base;
    for (uint32_t column = base; column < base + config->series_max; column++) {
        if (mf__slab_entry_read(&store->slab, column, NULL)) {
            schema->fresh = column - base + 1;
            series_attach(store, schema, column);
        } else if (slab_entry(&store->slab, column)->generation != 0) {
            schema->fresh = column - base + 1;
        }
    }
    for (uint32_t column = base + schema->fresh; column-- > base;) {
        if (store->series[column].type == 0) {
            schema->released[schema->released_count++] = column;
        }
    }
    return 0;
}

int mf__series_load(struct mf_metrics *store, struct mf_errinfo *err)
{
    const uint32_t columns = store->slab.columns;
    uint32_t index_size = 16;
    while (index_size < columns * 2) {
        index_size *= 2;
    }
    store->index_mask = index_size - 1;
    store->series_mask = index_size / 2 - 1;
    store->series =
        mf_calloc_aligned(index_size / 2, sizeof *store->series, _Alignof(struct store_series));
    store->handles = mf_calloc(columns, sizeof *store->handles);
    store->index = mf_calloc(index_size, sizeof *store->index);
    if (store->series == NULL || store->handles == NULL || store->index == NULL) {
        return mf_fail_os(err, -ENOMEM, "%s: tables for %u series", store->path, columns);
    }
    for (uint64_t i = 0; i <= store->series_mask; i++) {
        store->series[i].handle = no_handle(i);
    }
    for (uint32_t i = 0; i < store->slab.schema_count; i++) {
        int rc = load_schema(store, i, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

void mf__series_unload(struct mf_metrics *store)
{
    for (uint32_t i = 0; i < store->slab.schema_count; i++) {
        mf__selector_free(store->schemas[i].selector);
        mf_free(store->schemas[i].released);
        mf_free(store->schemas[i].histogram_used);
    }
    mf_free(store->series);
    mf_free(store->handles);
    mf_free(store->index);
}

/* The schema for a series text; NULL when none takes it. */
static int schema_for(struct mf_metrics *store, const char *text, size_t len,
                      struct store_schema **ret_schema)
{
    struct mf__labels *labels;
    int rc = mf__labels_parse(text, len, &labels);
    if (rc < 0) {
        return rc;
    }
    struct store_schema *found = NULL;
    for (uint32_t i = 0; i < store->slab.schema_count && found == NULL; i++) {
        if (mf__selector_matches(store->schemas[i].selector, labels)) {
            found = &store->schemas[i];
        }
    }
    mf_free(labels);
    *ret_schema = found;
    return 0;
}

static int take_column(struct mf_metrics *store, struct store_schema *schema,
                       const struct mf_series_spec *spec, uint32_t *ret_column,
                       uint32_t *ret_histogram_column, struct mf_errinfo *err)
{
    const struct slab_schema_config *config = schema->slab->config;
    uint32_t histogram_column = 0;
    if (spec->type == MF_HISTOGRAM) {
        while (histogram_column < config->histograms_max &&
               schema->histogram_used[histogram_column] != 0) {
            histogram_column++;
        }
        if (histogram_column == config->histograms_max) {
            return mf_fail(err, MF_ELIMIT,
                           "%s: schema %s is full: it holds %u histograms; no room for "
                           "%s",
                           store->path, config->name, config->histograms_max, store->text.data);
        }
    }
    if (schema->released_count == 0 && schema->fresh == config->series_max) {
        return mf_fail(err, MF_ELIMIT,
                       "%s: schema %s is full: it holds %u series; no room for %s. Is "
                       "a label taking too many values?",
                       store->path, config->name, config->series_max, store->text.data);
    }
    *ret_column = schema->released_count > 0 ? schema->released[--schema->released_count]
                                             : schema->slab->base + schema->fresh++;
    *ret_histogram_column = histogram_column;
    return 0;
}

static void write_entry(struct mf_metrics *store, uint32_t column, uint32_t histogram_column,
                        const struct mf_series_spec *spec)
{
    struct slab_entry *entry = slab_entry(&store->slab, column);
    const char *unit = spec->unit != NULL ? spec->unit : "";
    const char *help = spec->help != NULL ? spec->help : "";
    char *text = slab_text(&store->slab, column);
    memcpy(text, store->text.data, store->text.len + 1);
    memcpy(text + store->text.len + 1, unit, strlen(unit) + 1);
    memcpy(text + store->text.len + 1 + strlen(unit) + 1, help, strlen(help) + 1);
    struct slab_entry next = {
        .generation = entry->generation != 0 ? entry->generation : 1,
        .state = ENTRY_LIVE,
        .type = (uint8_t)spec->type,
        .series_len = (uint16_t)store->text.len,
        .unit_len = (uint16_t)strlen(unit),
        .help_len = (uint16_t)strlen(help),
        .histogram_column = histogram_column,
        .registered_ns = store->clock_ns,
    };
    next.crc = mf__slab_entry_crc(&next, text);
    atomic_store_explicit(&next.state, ENTRY_FREE, memory_order_relaxed);
    memcpy(entry, &next, sizeof next);
    atomic_store_explicit(&entry->state, ENTRY_LIVE, memory_order_release);
}

static int check_spec(struct mf_metrics *store, const struct mf_series_spec *spec,
                      struct mf_errinfo *err)
{
    if (spec->type < MF_GAUGE || spec->type > MF_HISTOGRAM) {
        return mf_fail(err, MF_EVALUE, "%s: series type %d does not exist", store->path,
                       (int)spec->type);
    }
    const char *unit = spec->unit != NULL ? spec->unit : "";
    const char *help = spec->help != NULL ? spec->help : "";
    if (unit[0] != '\0' && !mf__metric_name_valid(unit, strlen(unit))) {
        return mf_fail(err, MF_EVALUE,
                       "%s: unit \"%.40s\" of %.80s is not valid: use [a-zA-Z0-9_:]", store->path,
                       unit, spec->name);
    }
    if (!mf__utf8_valid(help, strlen(help))) {
        return mf_fail(err, MF_EVALUE, "%s: the help of %.80s is not UTF-8", store->path,
                       spec->name);
    }
    mf_buffer_clear(&store->text);
    int rc = mf__labels_format(spec->name, spec->labels, spec->label_count, &store->text, err);
    if (rc < 0) {
        return rc;
    }
    const size_t bytes = store->text.len + strlen(unit) + strlen(help) + 3;
    if (bytes > store->slab.config->series_text_bytes) {
        return mf_fail(err, MF_ELIMIT,
                       "%s: name, labels, unit and help of %.100s take %zu bytes; the "
                       "store has room for %u each (series_text_bytes)",
                       store->path, store->text.data, bytes, store->slab.config->series_text_bytes);
    }
    return 0;
}

int mf_metrics_register(struct mf_metrics *store, const struct mf_series_spec *spec,
                        mf_series *ret_series, struct mf_errinfo *err)
{
    int rc = check_spec(store, spec, err);
    if (rc < 0) {
        return rc;
    }
    const uint32_t known = store->index[index_find(store, store->text.data, store->text.len)];
    if (known != 0) {
        if (store->series[known - 1].type != spec->type) {
            return mf_fail(err, MF_EMISMATCH, "%s: %.160s exists with another type", store->path,
                           store->text.data);
        }
        *ret_series = store->series[known - 1].handle;
        return 0;
    }
    struct store_schema *schema = NULL;
    rc = schema_for(store, store->text.data, store->text.len, &schema);
    if (rc < 0) {
        return mf_fail_os(err, rc, "%s: %.160s", store->path, store->text.data);
    }
    if (schema == NULL) {
        return mf_fail(err, MF_ENOTFOUND, "%s: no schema of the store takes %.160s", store->path,
                       store->text.data);
    }
    uint32_t column = 0;
    uint32_t histogram_column = 0;
    rc = take_column(store, schema, spec, &column, &histogram_column, err);
    if (rc < 0) {
        return rc;
    }
    mf__cells_clear(store, column);
    write_entry(store, column, histogram_column, spec);
    series_attach(store, schema, column);
    count_event_u32(&slab_status(&store->slab)->series, 1);
    *ret_series = store->series[column].handle;
    return 0;
}

int mf_metrics_unregister(struct mf_metrics *store, mf_series handle, struct mf_errinfo *err)
{
    struct store_series *series = mf__series_get(store, handle);
    if (series == NULL) {
        return mf_fail(err, MF_ESTALE, "%s: handle %#llx names no series", store->path,
                       (unsigned long long)handle);
    }
    if (store->poisoned) {
        return mf_fail(err, MF_EPOISONED, "%s: an earlier sync failed; close and reopen the store",
                       store->path);
    }
    struct store_schema *schema = series->schema;
    const uint32_t column = series->column;
    struct slab_entry *entry = slab_entry(&store->slab, column);
    index_remove(store, index_find(store, slab_text(&store->slab, column), entry->series_len));
    __atomic_store_n(&store->handles[column], 0, __ATOMIC_RELAXED);
    atomic_store_explicit(&entry->state, ENTRY_FREE, memory_order_release);
    entry->generation = entry->generation < GENERATION_MAX ? entry->generation + 1 : 1;
    const bool histogram = series->type == MF_HISTOGRAM;
    const uint32_t histogram_column = series->histogram_column;
    *series = (struct store_series){.handle = no_handle(column)};
    mf__column_clear(store, column);
    if (histogram) {
        mf__histogram_column_clear(store, schema->slab, histogram_column);
    }
    count_event_u32(&slab_status(&store->slab)->series, -1);
    /* Durable before the column is used again: its data must not turn up under another name. */
    int rc = mf_metrics_sync(store, err);
    if (rc == 0) {
        schema->released[schema->released_count++] = column;
        if (histogram) {
            schema->histogram_used[histogram_column] = 0;
        }
    }
    return rc;
}
