/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_write.c -- from a reader to an archive file.
 *
 * Chunks are gathered in blocks of 64 KiB or a little more before they are packed, first all chunks
 * of the first tier, then of the second and so on: series of one tier are alike, and a query wants
 * one tier. */
#include "archive.h"

#include "base/bytes.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

struct writing {
    const struct mf_metrics_reader *reader;
    const char *path;
    struct mf_errinfo *err;
    struct mf_file *file;
    uint64_t at; /* end of the file so far */
    struct mf__packer *packer;
    struct catalog catalog;
    struct mf_buffer block; /* chunks, one after the other */
    struct mf_buffer frame;
    struct chunk *chunk;
    struct mf_histogram *actual;
    struct mf_histogram *merged;
    struct mf_metrics_seal_report *report;
    /* the series and tier that is being read */
    struct catalog_series *series;
    uint32_t tier;
};

static int out_of_memory(const struct writing *w)
{
    return mf_fail_os(w->err, -ENOMEM, "%s", w->path);
}

/* Writes a frame: crc32c of the rest, packing, packed length, length; then the packed bytes. */
static int write_frame(struct writing *w, const struct mf_buffer *content)
{
    char head[ARCHIVE_FRAME_BYTES] = {0};
    enum archive_packing packing;
    mf_buffer_clear(&w->frame);
    mf_buffer_append(&w->frame, head, sizeof head);
    int rc = mf__pack(w->packer, content->data, content->len, &w->frame, &packing);
    if (rc != 0) {
        return out_of_memory(w);
    }
    char *frame = w->frame.data;
    mf_store_u32(frame + 4, (uint32_t)packing);
    mf_store_u32(frame + 8, (uint32_t)(w->frame.len - ARCHIVE_FRAME_BYTES));
    mf_store_u32(frame + 12, (uint32_t)content->len);
    mf_store_u32(frame, mf_crc32c(0, frame + 4, w->frame.len - 4));
    rc = mf_file_write(w->file, frame, w->frame.len, w->at, w->err);
    w->at += w->frame.len;
    return rc;
}

static int end_block(struct writing *w)
{
    if (w->block.len == 0) {
        return 0;
    }
    uint64_t *begin = mf__catalog_add_block(&w->catalog);
    if (begin == NULL || w->block.failed) {
        return out_of_memory(w);
    }
    *begin = w->at;
    int rc = write_frame(w, &w->block);
    mf_buffer_clear(&w->block);
    return rc;
}

static int end_chunk(struct writing *w)
{
    struct chunk *chunk = w->chunk;
    if (chunk->count == 0) {
        return 0;
    }
    const size_t offset = w->block.len;
    int rc = mf__chunk_encode(chunk, w->packer, &w->block);
    struct catalog_chunk *entry = rc == 0 ? mf__catalog_add_chunk(&w->catalog) : NULL;
    if (entry == NULL) {
        return out_of_memory(w);
    }
    *entry = (struct catalog_chunk){
        .first_slot = chunk->points[0].slot,
        .last_slot = chunk->points[chunk->count - 1].slot,
        .points = (uint32_t)chunk->count,
        .block = (uint32_t)w->catalog.block_count,
        .offset = (uint32_t)offset,
        .len = (uint32_t)(w->block.len - offset),
    };
    w->series->chunk_count[w->tier]++;
    w->report->points += chunk->count;
    w->report->finest_points += w->tier == 0 ? chunk->count : 0;
    chunk->count = 0;
    mf_buffer_clear(&chunk->buckets);
    return w->block.len >= ARCHIVE_BLOCK_BYTES ? end_block(w) : 0;
}

/* ---- what follows from the tier below ---- */

struct children {
    struct writing *writing;
    struct mf__aggregate merged;
    bool with_buckets;
};

static int merge_child(void *context, const struct source_point *point)
{
    struct children *children = context;
    const struct writing *w = children->writing;
    mf__aggregate_append(&children->merged, &point->aggregate);
    return children->with_buckets ? w->reader->ops->buckets(w->reader->source, w->series->source.id,
                                                            w->tier - 1, point->slot, w->merged)
                                  : 0;
}

/* The points of the next finer tier in the time of a slot, merged: exactly what the reader of the
 * archive will do. */
static int merge_children(struct writing *w, int64_t slot, struct children *children)
{
    const struct mf_metrics_schema *schema = &w->catalog.schemas[w->series->source.schema];
    const struct mf_metrics_tier *finer = &schema->tiers[w->tier - 1];
    const int64_t factor = schema->tiers[w->tier].interval_ns / finer->interval_ns;
    const struct slot_range retained = mf__retained(&w->catalog.info, finer);
    int64_t first;
    int64_t last;
    *children =
        (struct children){.writing = w, .with_buckets = w->series->source.type == MF_HISTOGRAM};
    if (__builtin_mul_overflow(slot, factor, &first) ||
        __builtin_add_overflow(first, factor - 1, &last)) {
        return 0;
    }
    first = first > retained.first ? first : retained.first;
    last = last < retained.last ? last : retained.last;
    if (first > last) {
        return 0;
    }
    memset(w->merged, 0, sizeof *w->merged);
    return w->reader->ops->points(w->reader->source, w->series->source.id, w->tier - 1, first, last,
                                  merge_child, children);
}

static bool same_buckets(const struct mf_histogram *a, const struct mf_histogram *b)
{
    return a->halvings == b->halvings && memcmp(a->buckets, b->buckets, sizeof a->buckets) == 0;
}

static enum chunk_kind choose_kind(const struct source_point *point, const struct children *from,
                                   bool counter)
{
    if (from->merged.count > 0) {
        struct source_point derived = {
            .slot = point->slot, .aggregate = from->merged, .exact = true};
        if (mf__points_equal(point, &derived)) {
            return CHUNK_DERIVED;
        }
        if (mf__chunk_packed(&from->merged, counter, &derived) &&
            mf__points_equal(point, &derived)) {
            return CHUNK_DERIVED_PACKED;
        }
    }
    return mf__chunk_kind(point, counter);
}

/* ---- series by series ---- */

static int on_point(void *context, const struct source_point *point)
{
    struct writing *w = context;
    struct chunk *chunk = w->chunk;
    struct children children = {0};
    const bool histogram = w->series->source.type == MF_HISTOGRAM;
    int rc = w->tier > 0 ? merge_children(w, point->slot, &children) : 0;
    if (rc < 0) {
        return rc;
    }
    unsigned kind = choose_kind(point, &children, w->series->source.type == MF_COUNTER);
    if (histogram) {
        memset(w->actual, 0, sizeof *w->actual);
        rc = w->reader->ops->buckets(w->reader->source, w->series->source.id, w->tier, point->slot,
                                     w->actual);
        if (rc < 0) {
            return rc;
        }
        if (w->tier == 0 || children.merged.count == 0 || !same_buckets(w->actual, w->merged)) {
            kind |= CHUNK_BUCKETS;
            mf__buckets_encode(w->actual, &chunk->buckets);
        }
    }
    chunk->points[chunk->count] = *point;
    chunk->kinds[chunk->count] = (uint8_t)kind;
    chunk->count++;
    return chunk->count == ARCHIVE_CHUNK_POINTS || chunk->buckets.len >= ARCHIVE_CHUNK_BUCKETS
               ? end_chunk(w)
               : 0;
}

static int write_tier(struct writing *w, uint32_t tier)
{
    w->tier = tier;
    for (size_t i = 0; i < w->catalog.series_count; i++) {
        w->series = &w->catalog.series[i];
        const struct mf_metrics_schema *schema = &w->catalog.schemas[w->series->source.schema];
        if (tier >= schema->tier_count || w->catalog.info.clock_wall_ns == 0) {
            continue;
        }
        const struct slot_range range = mf__retained(&w->catalog.info, &schema->tiers[tier]);
        w->series->chunk_first[tier] = w->catalog.chunk_count;
        int rc = w->reader->ops->points(w->reader->source, w->series->source.id, tier, range.first,
                                        range.last, on_point, w);
        rc = rc == 0 ? end_chunk(w) : rc;
        if (rc != 0) {
            return rc;
        }
    }
    return end_block(w);
}

static int list_series(struct writing *w)
{
    const uint32_t ids = w->reader->ops->series_count(w->reader->source);
    for (uint32_t id = 0; id < ids; id++) {
        struct source_series source;
        if (w->reader->ops->series(w->reader->source, id, &source)) {
            struct catalog_series *series = mf__catalog_add_series(&w->catalog);
            if (series == NULL) {
                return out_of_memory(w);
            }
            series->source = source;
        }
    }
    w->report->series = w->catalog.series_count;
    return 0;
}

/* The catalog as one more frame, and behind it the footer: magic, where the catalog begins, how
 * long its frame is, zero, crc32c. */
static int write_catalog(struct writing *w)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    uint64_t *end = mf__catalog_add_block(&w->catalog);
    if (end == NULL) {
        return out_of_memory(w);
    }
    *end = w->at;
    const uint64_t begin = w->at;
    int rc = mf__catalog_encode(&w->catalog, &text);
    if (rc != 0 || text.len > ARCHIVE_CATALOG_MAX) {
        rc = rc != 0 ? out_of_memory(w)
                     : mf_fail(w->err, MF_ELIMIT, "%s: the list of series is longer than 1 GiB",
                               w->path);
    } else {
        rc = write_frame(w, &text);
    }
    mf_buffer_free(&text);
    if (rc != 0) {
        return rc;
    }
    char footer[ARCHIVE_FOOTER_BYTES] = ARCHIVE_FOOTER_MAGIC;
    mf_store_u64(footer + 8, begin);
    mf_store_u64(footer + 16, w->at - begin);
    mf_store_u32(footer + 24, 0);
    mf_store_u32(footer + 28, mf_crc32c(0, footer, 28));
    rc = mf_file_write(w->file, footer, sizeof footer, w->at, w->err);
    w->at += sizeof footer;
    return rc;
}

static int write_all(struct writing *w)
{
    char header[ARCHIVE_HEADER_BYTES] = ARCHIVE_MAGIC;
    uint32_t tiers = 0;
    mf_store_u32(header + 8, ARCHIVE_VERSION);
    mf_store_u32(header + 12, mf_crc32c(0, header, 12));
    int rc = mf_file_write(w->file, header, sizeof header, 0, w->err);
    w->at = sizeof header;
    w->reader->ops->info(w->reader->source, &w->catalog.info);
    w->catalog.schema_count = w->catalog.info.schema_count;
    for (uint32_t i = 0; i < w->catalog.schema_count; i++) {
        struct mf_metrics_schema *schema = &w->catalog.schemas[i];
        w->reader->ops->schema(w->reader->source, i, schema);
        tiers = schema->tier_count > tiers ? schema->tier_count : tiers;
    }
    rc = rc == 0 ? list_series(w) : rc;
    for (uint32_t tier = 0; rc == 0 && tier < tiers; tier++) {
        rc = write_tier(w, tier);
    }
    rc = rc == 0 ? write_catalog(w) : rc;
    rc = rc == 0 ? mf_file_sync(w->file, w->err) : rc;
    w->report->archive_bytes = w->at;
    return rc;
}

int mf__archive_write(const struct mf_metrics_reader *reader, const struct mf_fs *fs,
                      const char *path, struct mf_metrics_seal_report *report,
                      struct mf_errinfo *err)
{
    struct writing w = {
        .reader = reader,
        .path = path,
        .err = err,
        .packer = mf__packer_new(),
        .chunk = mf_calloc(1, sizeof *w.chunk),
        .actual = mf_calloc(1, sizeof *w.actual),
        .merged = mf_calloc(1, sizeof *w.merged),
        .report = report,
    };
    struct mf_errinfo reason = {0};
    int rc = w.packer == NULL || w.chunk == NULL || w.actual == NULL || w.merged == NULL
                 ? out_of_memory(&w)
                 : mf_file_open(fs, path,
                                MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE | MF_OPEN_TRUNCATE,
                                &w.file, err);
    if (rc == 0) {
        w.err = &reason;
        rc = write_all(&w);
        if (rc < 0 && reason.code == 0) { /* from the source, which gives no message */
            rc = mf_fail(&reason, rc, "%s: reading the store: %s", path, mf_strerror(rc));
        }
        if (rc < 0 && err != NULL) {
            *err = reason;
        }
        mf_file_close(w.file);
    }
    mf__catalog_free(&w.catalog);
    mf_buffer_free(&w.block);
    mf_buffer_free(&w.frame);
    mf__packer_free(w.packer);
    if (w.chunk != NULL) {
        mf_buffer_free(&w.chunk->buckets);
    }
    mf_free(w.chunk);
    mf_free(w.actual);
    mf_free(w.merged);
    return rc;
}
