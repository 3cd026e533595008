/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_catalog.c -- what an archive says of the store as a whole.
 *
 * Numbers are varints, signed ones zigzag; a string is a varint length, its bytes and a NUL.
 *   signed   created, clock, first; then the counts of mf_metrics_stats from late_merged to
 * repaired schemas  number; each: name, selector, series_max, histograms_max, histogram_bytes,
 * tiers; each tier: interval, slots series   number; each: text, unit, help, type, schema; per
 * tier: number of chunks; each chunk: signed first slot, last - first, points, block, offset in it,
 * length blocks   number; each: length in the file. The first begins behind the header.
 */
#include "archive.h"

#include "base/heap.h"
#include "base/varint.h"

#include <errno.h>
#include <string.h>

void mf__catalog_free(struct catalog *catalog)
{
    mf_free(catalog->series);
    mf_free(catalog->chunks);
    mf_free(catalog->blocks);
    mf_free(catalog->text);
    *catalog = (struct catalog){0};
}

static void *add(void **items, size_t *count, size_t *capacity, size_t size)
{
    if (*count == *capacity) {
        const size_t more = *capacity == 0 ? 64 : *capacity * 2;
        void *grown = mf_realloc(*items, more * size);
        if (grown == NULL) {
            return NULL;
        }
        *items = grown;
        *capacity = more;
    }
    void *item = (char *)*items + *count * size;
    memset(item, 0, size);
    (*count)++;
    return item;
}

struct catalog_series *mf__catalog_add_series(struct catalog *catalog)
{
    void *items = catalog->series;
    void *item =
        add(&items, &catalog->series_count, &catalog->series_capacity, sizeof *catalog->series);
    catalog->series = items;
    return item;
}

struct catalog_chunk *mf__catalog_add_chunk(struct catalog *catalog)
{
    void *items = catalog->chunks;
    void *item =
        add(&items, &catalog->chunk_count, &catalog->chunk_capacity, sizeof *catalog->chunks);
    catalog->chunks = items;
    return item;
}

uint64_t *mf__catalog_add_block(struct catalog *catalog)
{
    void *items = catalog->blocks;
    void *item =
        add(&items, &catalog->block_count, &catalog->block_capacity, sizeof *catalog->blocks);
    catalog->blocks = items;
    return item;
}

/* ---- encoding ---- */

static void put(struct mf_buffer *out, uint64_t value)
{
    uint8_t bytes[MF_VARINT_LEN_MAX];
    mf_buffer_append(out, bytes, mf_varint_put(bytes, value));
}

static void put_signed(struct mf_buffer *out, int64_t value)
{
    put(out, mf_zigzag(value));
}

static void put_string(struct mf_buffer *out, const char *text)
{
    const size_t len = strlen(text);
    put(out, len);
    mf_buffer_append(out, text, len + 1);
}

#define STATS 8

static void stats_of(struct mf_metrics_stats *stats, uint64_t *members[STATS])
{
    uint64_t *const all[STATS] = {&stats->late_merged,    &stats->late_refused,
                                  &stats->future_refused, &stats->value_refused,
                                  &stats->backward_steps, &stats->counter_resets,
                                  &stats->recoveries,     &stats->repaired};
    memcpy(members, all, sizeof all);
}

static void put_info(struct mf_buffer *out, const struct mf_metrics_info *info)
{
    struct mf_metrics_stats stats = info->stats;
    uint64_t *members[STATS];
    put_signed(out, info->created_wall_ns);
    put_signed(out, info->clock_wall_ns);
    put_signed(out, info->first_wall_ns);
    stats_of(&stats, members);
    for (size_t i = 0; i < STATS; i++) {
        put(out, *members[i]);
    }
}

static void put_schema(struct mf_buffer *out, const struct mf_metrics_schema *schema)
{
    put_string(out, schema->name);
    put_string(out, schema->selector != NULL ? schema->selector : "");
    put(out, schema->series_max);
    put(out, schema->histograms_max);
    put(out, schema->histogram_bytes);
    put(out, schema->tier_count);
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        put(out, (uint64_t)schema->tiers[t].interval_ns);
        put(out, schema->tiers[t].slots);
    }
}

static void put_series(struct mf_buffer *out, const struct catalog *catalog,
                       const struct catalog_series *series)
{
    put_string(out, series->source.text);
    put_string(out, series->source.unit);
    put_string(out, series->source.help);
    put(out, (uint64_t)series->source.type);
    put(out, series->source.schema);
    for (uint32_t t = 0; t < catalog->schemas[series->source.schema].tier_count; t++) {
        put(out, series->chunk_count[t]);
        for (size_t i = 0; i < series->chunk_count[t]; i++) {
            const struct catalog_chunk *chunk = &catalog->chunks[series->chunk_first[t] + i];
            put_signed(out, chunk->first_slot);
            put(out, (uint64_t)(chunk->last_slot - chunk->first_slot));
            put(out, chunk->points);
            put(out, chunk->block);
            put(out, chunk->offset);
            put(out, chunk->len);
        }
    }
}

int mf__catalog_encode(const struct catalog *catalog, struct mf_buffer *out)
{
    put_info(out, &catalog->info);
    put(out, catalog->schema_count);
    for (uint32_t i = 0; i < catalog->schema_count; i++) {
        put_schema(out, &catalog->schemas[i]);
    }
    put(out, catalog->series_count);
    for (size_t i = 0; i < catalog->series_count; i++) {
        put_series(out, catalog, &catalog->series[i]);
    }
    /* The last of catalog->blocks is where the blocks end. */
    put(out, catalog->block_count - 1);
    for (size_t i = 0; i + 1 < catalog->block_count; i++) {
        put(out, catalog->blocks[i + 1] - catalog->blocks[i]);
    }
    return out->failed ? -ENOMEM : 0;
}

/* ---- decoding ---- */

struct input {
    const char *at;
    const char *end;
    bool bad;
};

static uint64_t take(struct input *in, uint64_t max)
{
    uint64_t value = 0;
    const size_t used =
        in->bad ? 0 : mf_varint_get((const uint8_t *)in->at, (size_t)(in->end - in->at), &value);
    in->bad = in->bad || used == 0 || value > max;
    in->at += used;
    return in->bad ? 0 : value;
}

static int64_t take_signed(struct input *in)
{
    return mf_unzigzag(take(in, UINT64_MAX));
}

static const char *take_string(struct input *in, size_t *ret_len)
{
    const uint64_t len = take(in, (uint64_t)(in->end - in->at));
    if (in->bad || (uint64_t)(in->end - in->at) <= len || in->at[len] != '\0' ||
        memchr(in->at, '\0', len) != NULL) {
        in->bad = true;
        *ret_len = 0;
        return "";
    }
    const char *text = in->at;
    in->at += len + 1;
    *ret_len = len;
    return text;
}

static void take_info(struct input *in, struct mf_metrics_info *info)
{
    uint64_t *members[STATS];
    info->state = MF_METRICS_SEALED;
    info->created_wall_ns = take_signed(in);
    info->clock_wall_ns = take_signed(in);
    info->first_wall_ns = take_signed(in);
    stats_of(&info->stats, members);
    for (size_t i = 0; i < STATS; i++) {
        *members[i] = take(in, UINT64_MAX);
    }
}

static void take_schema(struct input *in, struct mf_metrics_schema *schema)
{
    size_t len;
    schema->name = take_string(in, &len);
    schema->selector = take_string(in, &len);
    schema->series_max = (uint32_t)take(in, MF_METRICS_SERIES_MAX);
    schema->histograms_max = (uint32_t)take(in, MF_METRICS_SERIES_MAX);
    schema->histogram_bytes = (uint32_t)take(in, UINT32_MAX);
    schema->tier_count = (uint32_t)take(in, MF_METRICS_TIERS_MAX);
    in->bad = in->bad || schema->tier_count == 0;
    for (uint32_t t = 0; !in->bad && t < schema->tier_count; t++) {
        struct mf_metrics_tier *tier = &schema->tiers[t];
        tier->interval_ns = (int64_t)take(in, INT64_MAX);
        tier->slots = (uint32_t)take(in, MF_METRICS_SLOTS_MAX);
        /* Each a multiple of the one before: derived points rely on it. */
        in->bad = in->bad || tier->interval_ns < MF_METRICS_INTERVAL_NS_MIN || tier->slots == 0 ||
                  (t > 0 && (tier->interval_ns <= schema->tiers[t - 1].interval_ns ||
                             tier->interval_ns % schema->tiers[t - 1].interval_ns != 0));
    }
}

static int take_chunk(struct input *in, struct catalog *catalog, int64_t *newest)
{
    struct catalog_chunk *chunk = mf__catalog_add_chunk(catalog);
    if (chunk == NULL) {
        return -ENOMEM;
    }
    chunk->first_slot = take_signed(in);
    const uint64_t span = take(in, INT64_MAX);
    chunk->points = (uint32_t)take(in, ARCHIVE_CHUNK_POINTS);
    chunk->block = (uint32_t)take(in, UINT32_MAX);
    chunk->offset = (uint32_t)take(in, ARCHIVE_BLOCK_MAX);
    chunk->len = (uint32_t)take(in, ARCHIVE_BLOCK_MAX);
    in->bad = in->bad ||
              __builtin_add_overflow(chunk->first_slot, (int64_t)span, &chunk->last_slot) ||
              chunk->points == 0 || chunk->first_slot <= *newest;
    *newest = chunk->last_slot;
    return 0;
}

static int take_series(struct input *in, struct catalog *catalog)
{
    struct catalog_series *series = mf__catalog_add_series(catalog);
    if (series == NULL) {
        return -ENOMEM;
    }
    series->source.text = take_string(in, &series->source.text_len);
    series->source.unit = take_string(in, &series->source.unit_len);
    series->source.help = take_string(in, &series->source.help_len);
    series->source.type = (enum mf_series_type)take(in, MF_HISTOGRAM);
    series->source.schema = (uint32_t)take(in, MF_METRICS_SCHEMAS_MAX);
    series->source.id = (uint32_t)catalog->series_count - 1;
    if (in->bad || series->source.type < MF_GAUGE ||
        series->source.schema >= catalog->schema_count) {
        in->bad = true;
        return 0;
    }
    for (uint32_t t = 0; t < catalog->schemas[series->source.schema].tier_count; t++) {
        int64_t newest = INT64_MIN;
        series->chunk_first[t] = catalog->chunk_count;
        series->chunk_count[t] = take(in, (uint64_t)(in->end - in->at));
        for (size_t i = 0; !in->bad && i < series->chunk_count[t]; i++) {
            int rc = take_chunk(in, catalog, &newest);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

static int take_blocks(struct input *in, struct catalog *catalog)
{
    const uint64_t count = take(in, (uint64_t)(in->end - in->at));
    uint64_t at = ARCHIVE_HEADER_BYTES;
    for (uint64_t i = 0; i <= count && !in->bad; i++) {
        uint64_t *block = mf__catalog_add_block(catalog);
        if (block == NULL) {
            return -ENOMEM;
        }
        *block = at;
        if (i < count) {
            const uint64_t len = take(in, UINT32_MAX);
            in->bad = in->bad || len <= ARCHIVE_FRAME_BYTES;
            at += len;
        }
    }
    for (size_t i = 0; i < catalog->chunk_count; i++) {
        in->bad = in->bad || catalog->chunks[i].block >= count;
    }
    return 0;
}

int mf__catalog_decode(struct catalog *catalog, char *text, size_t len)
{
    struct input in = {text, text + len, false};
    *catalog = (struct catalog){.text = text};
    take_info(&in, &catalog->info);
    catalog->schema_count = (uint32_t)take(&in, MF_METRICS_SCHEMAS_MAX);
    for (uint32_t i = 0; i < catalog->schema_count && !in.bad; i++) {
        take_schema(&in, &catalog->schemas[i]);
    }
    const uint64_t series_count = take(&in, MF_METRICS_SERIES_MAX * MF_METRICS_SCHEMAS_MAX);
    int rc = 0;
    for (uint64_t i = 0; i < series_count && !in.bad && rc == 0; i++) {
        rc = take_series(&in, catalog);
    }
    rc = rc == 0 && !in.bad ? take_blocks(&in, catalog) : rc;
    if (rc == 0 && (in.bad || in.at != in.end)) {
        rc = MF_ECORRUPT;
    }
    if (rc != 0) {
        mf__catalog_free(catalog);
        return rc;
    }
    catalog->info.schema_count = catalog->schema_count;
    catalog->info.stats.series = (uint32_t)catalog->series_count;
    for (uint32_t i = 0; i < catalog->schema_count; i++) {
        catalog->info.stats.series_max += catalog->schemas[i].series_max;
    }
    return 0;
}
