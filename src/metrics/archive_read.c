/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_read.c -- an archive as a source of points.
 *
 * The catalog is read and checked when the file is opened; blocks when they are asked for. For each
 * tier the chunk that was used last stays in memory, so that reading on, and deriving a coarse slot
 * from the finer tiers, costs one decoding per chunk. */
#include "archive.h"

#include "base/bytes.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

#define NO_CHUNK SIZE_MAX

struct cached_chunk {
    size_t index; /* in catalog.chunks, or NO_CHUNK */
    struct chunk chunk;
};

struct archive {
    struct mf_file *file;
    char *path;
    uint64_t file_bytes;
    struct catalog catalog;
    struct cached_chunk *cache[MF_METRICS_TIERS_MAX]; /* made when needed */
    uint8_t *block;                                   /* the block that was unpacked last */
    size_t block_len;
    size_t block_index; /* or NO_CHUNK */
};

static void archive_close(void *context)
{
    struct archive *archive = context;
    for (size_t i = 0; i < MF_METRICS_TIERS_MAX; i++) {
        if (archive->cache[i] != NULL) {
            mf_buffer_free(&archive->cache[i]->chunk.buckets);
            mf_free(archive->cache[i]);
        }
    }
    mf__catalog_free(&archive->catalog);
    mf_file_close(archive->file);
    mf_free(archive->block);
    mf_free(archive->path);
    mf_free(archive);
}

/* Reads the frame in [at, at + len) of the file; the content is the caller's. */
static int read_frame(const struct archive *archive, uint64_t at, uint64_t len, size_t content_max,
                      uint8_t **ret_content, size_t *ret_len, struct mf_errinfo *err)
{
    if (len <= ARCHIVE_FRAME_BYTES || at > archive->file_bytes || len > archive->file_bytes - at) {
        return mf_fail(err, MF_ECORRUPT, "%s: the block at %llu is %llu bytes long", archive->path,
                       (unsigned long long)at, (unsigned long long)len);
    }
    uint8_t *frame = mf_malloc(len);
    if (frame == NULL) {
        return mf_fail_os(err, -ENOMEM, "%s", archive->path);
    }
    size_t got = 0;
    uint8_t *content = NULL;
    size_t content_len = 0;
    int rc = mf_file_read(archive->file, frame, len, at, &got, err);
    if (rc == 0 && (got != len || mf_load_u32(frame) != mf_crc32c(0, frame + 4, len - 4) ||
                    mf_load_u32(frame + 8) != len - ARCHIVE_FRAME_BYTES ||
                    mf_load_u32(frame + 12) > content_max)) {
        rc = mf_fail(err, MF_ECORRUPT, "%s: the block at %llu fails its checksum", archive->path,
                     (unsigned long long)at);
    }
    if (rc == 0) {
        content_len = mf_load_u32(frame + 12);
        content = mf_malloc(content_len + 1);
        rc = content == NULL ? mf_fail_os(err, -ENOMEM, "%s", archive->path) : 0;
    }
    if (rc == 0) {
        rc = mf__unpack(mf_load_u32(frame + 4), frame + ARCHIVE_FRAME_BYTES,
                        len - ARCHIVE_FRAME_BYTES, content, content_len);
        if (rc != 0) {
            rc = mf_fail(err, rc, "%s: the block at %llu cannot be unpacked%s", archive->path,
                         (unsigned long long)at,
                         rc == MF_EUNSUPPORTED ? ": this build is without zstd" : "");
        }
    }
    mf_free(frame);
    if (rc != 0) {
        mf_free(content);
        return rc;
    }
    *ret_content = content;
    *ret_len = content_len;
    return 0;
}

static int load_block(struct archive *archive, size_t index, struct mf_errinfo *err)
{
    if (archive->block_index == index) {
        return 0;
    }
    const uint64_t *blocks = archive->catalog.blocks;
    uint8_t *block;
    size_t len;
    int rc = read_frame(archive, blocks[index], blocks[index + 1] - blocks[index],
                        ARCHIVE_BLOCK_MAX, &block, &len, err);
    if (rc == 0) {
        mf_free(archive->block);
        archive->block = block;
        archive->block_len = len;
        archive->block_index = index;
    }
    return rc;
}

/* Decodes a chunk into the cache of its tier. */
static int load_chunk(struct archive *archive, uint32_t tier, size_t index,
                      struct chunk **ret_chunk, struct mf_errinfo *err)
{
    const struct catalog_chunk *entry = &archive->catalog.chunks[index];
    if (archive->cache[tier] == NULL) {
        archive->cache[tier] = mf_calloc(1, sizeof *archive->cache[tier]);
        if (archive->cache[tier] == NULL) {
            return mf_fail_os(err, -ENOMEM, "%s", archive->path);
        }
        archive->cache[tier]->index = NO_CHUNK;
    }
    struct cached_chunk *cached = archive->cache[tier];
    *ret_chunk = &cached->chunk;
    if (cached->index == index) {
        return 0;
    }
    cached->index = NO_CHUNK;
    int rc = load_block(archive, entry->block, err);
    if (rc != 0) {
        return rc;
    }
    const bool inside =
        entry->offset <= archive->block_len && entry->len <= archive->block_len - entry->offset;
    rc = inside ? mf__chunk_decode(archive->block + entry->offset, entry->len, &cached->chunk)
                : MF_ECORRUPT;
    const struct chunk *chunk = &cached->chunk;
    if (rc == 0 && (chunk->count != entry->points || chunk->points[0].slot != entry->first_slot ||
                    chunk->points[chunk->count - 1].slot != entry->last_slot)) {
        rc = MF_ECORRUPT;
    }
    if (rc != 0) {
        return mf_fail(err, rc, "%s: a chunk of block %u is not what the catalog says: %s",
                       archive->path, entry->block, mf_strerror(rc));
    }
    cached->index = index;
    return 0;
}

/* The first chunk of a tier that ends at or after a slot. */
static size_t chunk_from(const struct archive *archive, const struct catalog_series *series,
                         uint32_t tier, int64_t slot)
{
    size_t low = series->chunk_first[tier];
    size_t high = low + series->chunk_count[tier];
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (archive->catalog.chunks[middle].last_slot < slot) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The slots of the next finer tier in one slot; false when there are none. */
static bool child_range(const struct archive *archive, const struct catalog_series *series,
                        uint32_t tier, int64_t slot, int64_t *ret_first, int64_t *ret_last)
{
    const struct mf_metrics_schema *schema = &archive->catalog.schemas[series->source.schema];
    if (tier == 0) {
        return false;
    }
    const int64_t factor = schema->tiers[tier].interval_ns / schema->tiers[tier - 1].interval_ns;
    return !__builtin_mul_overflow(slot, factor, ret_first) &&
           !__builtin_add_overflow(*ret_first, factor - 1, ret_last);
}

static int archive_points(const void *context, uint32_t id, uint32_t tier, int64_t first,
                          int64_t last,
                          int (*visit)(void *context, const struct source_point *point),
                          void *visit_context);

static int merge_child(void *context, const struct source_point *point)
{
    mf__aggregate_append(context, &point->aggregate);
    return 0;
}

/* A point that follows from the next finer tier. Goes at most from the last tier to the first. */
static int derive(const struct archive *archive, const struct catalog_series *series, uint32_t tier,
                  uint8_t kind, struct source_point *point)
{
    int64_t first;
    int64_t last;
    struct mf__aggregate merged = {0};
    if (!child_range(archive, series, tier, point->slot, &first, &last)) {
        return MF_ECORRUPT;
    }
    int rc =
        archive_points(archive, series->source.id, tier - 1, first, last, merge_child, &merged);
    if (rc != 0) {
        return rc;
    }
    point->aggregate = merged;
    point->exact = true;
    if (merged.count == 0 ||
        ((kind & CHUNK_KIND) == CHUNK_DERIVED_PACKED &&
         !mf__chunk_packed(&merged, series->source.type == MF_COUNTER, point))) {
        return MF_ECORRUPT;
    }
    return 0;
}

static int archive_points(const void *context, uint32_t id, uint32_t tier, int64_t first,
                          int64_t last,
                          int (*visit)(void *context, const struct source_point *point),
                          void *visit_context)
{
    /* The cache is all that changes; a reader is for one thread at a time. */
    struct archive *archive = (struct archive *)(uintptr_t)context;
    const struct catalog_series *series = &archive->catalog.series[id];
    const size_t end = series->chunk_first[tier] + series->chunk_count[tier];
    int rc = 0;
    for (size_t index = chunk_from(archive, series, tier, first);
         rc == 0 && index < end && archive->catalog.chunks[index].first_slot <= last; index++) {
        for (size_t i = 0; rc == 0 && i < archive->catalog.chunks[index].points; i++) {
            struct chunk *chunk; /* the visitor may have moved the cache on */
            rc = load_chunk(archive, tier, index, &chunk, NULL);
            if (rc != 0 || chunk->points[i].slot < first || chunk->points[i].slot > last) {
                continue;
            }
            struct source_point point = chunk->points[i];
            if ((chunk->kinds[i] & CHUNK_KIND) >= CHUNK_DERIVED) {
                rc = derive(archive, series, tier, chunk->kinds[i], &point);
            }
            rc = rc == 0 ? visit(visit_context, &point) : rc;
        }
    }
    return rc;
}

struct bucket_sum {
    const struct archive *archive;
    uint32_t id;
    uint32_t tier;
    struct mf_histogram *into;
};

static int archive_buckets(const void *context, uint32_t id, uint32_t tier, int64_t slot,
                           struct mf_histogram *into);

static int add_child(void *context, const struct source_point *point)
{
    const struct bucket_sum *sum = context;
    return archive_buckets(sum->archive, sum->id, sum->tier, point->slot, sum->into);
}

static int archive_buckets(const void *context, uint32_t id, uint32_t tier, int64_t slot,
                           struct mf_histogram *into)
{
    struct archive *archive = (struct archive *)(uintptr_t)context;
    const struct catalog_series *series = &archive->catalog.series[id];
    const size_t index = chunk_from(archive, series, tier, slot);
    if (index == series->chunk_first[tier] + series->chunk_count[tier] ||
        archive->catalog.chunks[index].first_slot > slot) {
        return 0;
    }
    struct chunk *chunk;
    int rc = load_chunk(archive, tier, index, &chunk, NULL);
    if (rc != 0) {
        return rc;
    }
    size_t low = 0;
    size_t high = chunk->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (chunk->points[middle].slot < slot) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == chunk->count || chunk->points[low].slot != slot) {
        return 0;
    }
    if ((chunk->kinds[low] & CHUNK_BUCKETS) != 0) {
        size_t used;
        return mf__buckets_decode((const uint8_t *)chunk->buckets.data + chunk->bucket_offsets[low],
                                  chunk->buckets.len - chunk->bucket_offsets[low], into, &used);
    }
    struct bucket_sum sum = {archive, id, tier - 1, into};
    int64_t first;
    int64_t last;
    return child_range(archive, series, tier, slot, &first, &last)
               ? archive_points(archive, id, tier - 1, first, last, add_child, &sum)
               : 0;
}

static void archive_info(const void *context, struct mf_metrics_info *ret_info)
{
    const struct archive *archive = context;
    *ret_info = archive->catalog.info;
    ret_info->stats.file_bytes = archive->file_bytes;
}

static void archive_schema(const void *context, uint32_t index,
                           struct mf_metrics_schema *ret_schema)
{
    *ret_schema = ((const struct archive *)context)->catalog.schemas[index];
}

static uint32_t archive_series_count(const void *context)
{
    return (uint32_t)((const struct archive *)context)->catalog.series_count;
}

static bool archive_series(const void *context, uint32_t id, struct source_series *ret_series)
{
    const struct archive *archive = context;
    if (id >= archive->catalog.series_count) {
        return false;
    }
    *ret_series = archive->catalog.series[id].source;
    return true;
}

static const struct source_ops archive_ops = {
    .close = archive_close,
    .info = archive_info,
    .schema = archive_schema,
    .series_count = archive_series_count,
    .series = archive_series,
    .points = archive_points,
    .buckets = archive_buckets,
};

/* ---- opening ---- */

static int read_ends(struct archive *archive, uint64_t *ret_begin, uint64_t *ret_len,
                     struct mf_errinfo *err)
{
    uint8_t header[ARCHIVE_HEADER_BYTES];
    uint8_t footer[ARCHIVE_FOOTER_BYTES];
    struct mf_file_info info;
    size_t got;
    int rc = mf_file_info(archive->file, &info, err);
    if (rc != 0) {
        return rc;
    }
    archive->file_bytes = info.size_bytes;
    if (info.size_bytes < sizeof header + ARCHIVE_FRAME_BYTES + sizeof footer) {
        return mf_fail(err, MF_EFORMAT, "%s: not a sealed store (%llu bytes long)", archive->path,
                       (unsigned long long)info.size_bytes);
    }
    rc = mf_file_read(archive->file, header, sizeof header, 0, &got, err);
    if (rc != 0) {
        return rc;
    }
    if (got != sizeof header || memcmp(header, ARCHIVE_MAGIC, 8) != 0) {
        return mf_fail(err, MF_EFORMAT, "%s: not a sealed store (magic)", archive->path);
    }
    if (mf_load_u32(header + 8) != ARCHIVE_VERSION) {
        return mf_fail(err, MF_EVERSION, "%s: format version %u; this build reads %u",
                       archive->path, mf_load_u32(header + 8), ARCHIVE_VERSION);
    }
    rc = mf_file_read(archive->file, footer, sizeof footer, info.size_bytes - sizeof footer, &got,
                      err);
    if (rc != 0) {
        return rc;
    }
    if (got != sizeof footer || memcmp(footer, ARCHIVE_FOOTER_MAGIC, 8) != 0 ||
        mf_load_u32(footer + 24) != 0 || mf_load_u32(footer + 28) != mf_crc32c(0, footer, 28) ||
        mf_load_u32(header + 12) != mf_crc32c(0, header, 12)) {
        return mf_fail(err, MF_ECORRUPT, "%s: header or footer fail their checksum: cut off?",
                       archive->path);
    }
    *ret_begin = mf_load_u64(footer + 8);
    *ret_len = mf_load_u64(footer + 16);
    if (*ret_begin > info.size_bytes || *ret_len != info.size_bytes - sizeof footer - *ret_begin) {
        return mf_fail(err, MF_ECORRUPT, "%s: the footer does not tell where the catalog is",
                       archive->path);
    }
    return 0;
}

static int open_archive(struct archive *archive, const struct mf_fs *fs, struct mf_errinfo *err)
{
    uint64_t begin = 0;
    uint64_t len = 0;
    uint8_t *text = NULL;
    size_t text_len = 0;
    int rc = mf_file_open(fs, archive->path, MF_OPEN_READ, &archive->file, err);
    rc = rc == 0 ? read_ends(archive, &begin, &len, err) : rc;
    rc = rc == 0 ? read_frame(archive, begin, len, ARCHIVE_CATALOG_MAX, &text, &text_len, err) : rc;
    if (rc != 0) {
        return rc;
    }
    rc = mf__catalog_decode(&archive->catalog, (char *)text, text_len);
    if (rc == 0 && archive->catalog.blocks[archive->catalog.block_count - 1] != begin) {
        rc = MF_ECORRUPT;
    }
    return rc == 0 ? 0
                   : mf_fail(err, rc, "%s: the catalog at %llu cannot be read: %s", archive->path,
                             (unsigned long long)begin, mf_strerror(rc));
}

int mf__archive_open_file(const char *path, const struct mf_fs *fs,
                          struct mf_metrics_reader **ret_reader, struct mf_errinfo *err)
{
    struct archive *archive = mf_calloc(1, sizeof *archive);
    struct mf_metrics_reader *reader = mf_malloc(sizeof *reader);
    if (archive == NULL || reader == NULL || (archive->path = mf_strdup(path)) == NULL) {
        mf_free(archive);
        mf_free(reader);
        return mf_fail_os(err, -ENOMEM, "%s", path);
    }
    archive->block_index = NO_CHUNK;
    int rc = open_archive(archive, fs, err);
    if (rc != 0) {
        archive_close(archive);
        mf_free(reader);
        return rc;
    }
    *reader = (struct mf_metrics_reader){.ops = &archive_ops, .source = archive};
    *ret_reader = reader;
    return 0;
}

int mf__archive_reader_open(const char *path, const struct mf_env *env,
                            struct mf_metrics_reader **ret_reader, struct mf_errinfo *err)
{
    char *file = mf_asprintf("%s/" ARCHIVE_FILE, path);
    if (file == NULL) {
        return mf_fail_os(err, -ENOMEM, "%s", path);
    }
    int rc = mf__archive_open_file(file, env != NULL ? env->fs : NULL, ret_reader, err);
    mf_free(file);
    return rc;
}

int mf__archive_check(const struct mf_metrics_reader *reader, uint64_t *ret_blocks,
                      struct mf_errinfo *err)
{
    if (reader->ops != &archive_ops) {
        *ret_blocks = 0;
        return 0;
    }
    struct archive *archive = reader->source;
    struct chunk *chunk;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i + 1 < archive->catalog.block_count; i++) {
        rc = load_block(archive, i, err);
    }
    for (size_t i = 0; rc == 0 && i < archive->catalog.chunk_count; i++) {
        rc = load_chunk(archive, 0, i, &chunk, err);
    }
    if (archive->cache[0] != NULL) {
        archive->cache[0]->index = NO_CHUNK; /* it may hold one of another tier */
    }
    *ret_blocks = archive->catalog.block_count - 1;
    return rc;
}
