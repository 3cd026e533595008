/* SPDX-License-Identifier: Apache-2.0
 *
 * archive.c -- sealing a store, and what a sealed store is.
 *
 * WHAT
 *   A store that is no longer written, in one file of a tenth of the size or less, with everything
 * that a query can see: series, types, units, help, every retained slot of every tier bit for bit,
 * buckets.
 *
 * FILE: metrics.archive, little-endian
 *   0        header, 16 bytes: magic "MFARCH\r\n", version u32 = 1, CRC-32C of these 12 bytes
 *   16       blocks, then the catalog, each in a frame:
 *              0  CRC-32C of all that follows in the frame
 *              4  packing u32: 0 plain, 1 zstd
 *              8  packed length u32
 *             12  length u32
 *             16  packed bytes
 *            a block is a row of chunks (archive_chunk.c), the catalog is in archive_catalog.c
 *   end-32   footer: magic "MFARCHED", offset of the catalog u64, length of its frame u64, zero
 * u32, CRC-32C of these 28 bytes
 *
 *   A chunk holds up to 4096 points of one series and tier, field by field, each in the form that
 * packs smallest (column.c). A coarse point that follows exactly from the finer ones in the archive
 * is not stored; it is derived when it is read.
 *
 * VALIDITY
 *   Each byte is under a CRC-32C. What passes is checked for sense all the same: lengths, order,
 * that slots lie where the catalog says, that numbers are finite. The unpacked length of a block is
 * at most 1 MiB, so that a damaged file cannot make a reader take much memory.
 *
 * WRITE PATH
 *   Lock the slab -> write metrics.archive.new -> sync -> open it and compare every point with the
 * slab
 *   -> rename -> sync the directory -> remove the slab -> sync the directory. Until the rename the
 * store is the slab; from then on sealing again only removes the slab.
 *
 * RECOVERY
 *   A store with slab and archive is one whose sealing was interrupted between the last two steps:
 * the slab answers queries, writers are refused, sealing completes. A metrics.archive.new is
 * overwritten by the next sealing.
 *
 * CONCURRENCY
 *   The lock on the slab keeps writers and other sealers away. Readers that have the slab mapped
 * keep it.
 *
 * LIMITS
 *   The catalog is read into memory as a whole: about 100 bytes per series and a few per chunk.
 * Full- precision random values do not compress: a series of them takes 7 bytes a sample.
 */
#include "archive.h"
#include "slab.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

struct slot_range mf__retained(const struct mf_metrics_info *info,
                               const struct mf_metrics_tier *tier)
{
    const int64_t newest = floor_divide(info->clock_wall_ns, tier->interval_ns);
    return (struct slot_range){newest - (int64_t)tier->slots + 1, newest};
}

/* ---- comparison of two sources ---- */

struct comparison {
    const struct mf_metrics_reader *slab;
    const struct mf_metrics_reader *archive;
    struct source_point *points; /* of one window of the slab */
    size_t count;
    size_t next;
    struct mf_histogram *a;
    struct mf_histogram *b;
    uint32_t slab_id;
    uint32_t archive_id;
    uint32_t tier;
    bool histogram;
};

static int keep_point(void *context, const struct source_point *point)
{
    struct comparison *c = context;
    c->points[c->count++] = *point;
    return 0;
}

static int compare_point(void *context, const struct source_point *point)
{
    struct comparison *c = context;
    if (c->next == c->count || !mf__points_equal(point, &c->points[c->next])) {
        return MF_EMISMATCH;
    }
    c->next++;
    if (!c->histogram) {
        return 0;
    }
    memset(c->a, 0, sizeof *c->a);
    memset(c->b, 0, sizeof *c->b);
    int rc = c->slab->ops->buckets(c->slab->source, c->slab_id, c->tier, point->slot, c->a);
    rc = rc == 0 ? c->archive->ops->buckets(c->archive->source, c->archive_id, c->tier, point->slot,
                                            c->b)
                 : rc;
    const bool same = c->a->halvings == c->b->halvings &&
                      memcmp(c->a->buckets, c->b->buckets, sizeof c->a->buckets) == 0;
    return rc == 0 && !same ? MF_EMISMATCH : rc;
}

/* All points of one tier, window by window. */
static int compare_tier(struct comparison *c, struct slot_range range)
{
    int rc = 0;
    for (int64_t first = range.first; rc == 0 && first <= range.last;) {
        const int64_t last = range.last - first < ARCHIVE_CHUNK_POINTS
                                 ? range.last
                                 : first + ARCHIVE_CHUNK_POINTS - 1;
        c->count = 0;
        c->next = 0;
        rc = c->slab->ops->points(c->slab->source, c->slab_id, c->tier, first, last, keep_point, c);
        rc = rc == 0 ? c->archive->ops->points(c->archive->source, c->archive_id, c->tier, first,
                                               last, compare_point, c)
                     : rc;
        if (rc == 0 && c->next != c->count) {
            rc = MF_EMISMATCH;
        }
        first = last + 1;
    }
    return rc;
}

static int compare_series(struct comparison *c, const struct source_series *of_slab)
{
    struct source_series of_archive;
    struct mf_metrics_info info;
    struct mf_metrics_schema schema;
    if (!c->archive->ops->series(c->archive->source, c->archive_id, &of_archive) ||
        strcmp(of_slab->text, of_archive.text) != 0 ||
        strcmp(of_slab->unit, of_archive.unit) != 0 ||
        strcmp(of_slab->help, of_archive.help) != 0 || of_slab->type != of_archive.type ||
        of_slab->schema != of_archive.schema) {
        return MF_EMISMATCH;
    }
    c->slab->ops->info(c->slab->source, &info);
    c->slab->ops->schema(c->slab->source, of_slab->schema, &schema);
    c->histogram = of_slab->type == MF_HISTOGRAM;
    int rc = 0;
    for (c->tier = 0; rc == 0 && info.clock_wall_ns != 0 && c->tier < schema.tier_count;
         c->tier++) {
        rc = compare_tier(c, mf__retained(&info, &schema.tiers[c->tier]));
    }
    return rc;
}

static int compare(const struct mf_metrics_reader *slab, const struct mf_metrics_reader *archive,
                   const char *path, struct mf_errinfo *err)
{
    struct comparison c = {
        .slab = slab,
        .archive = archive,
        .points = mf_calloc(ARCHIVE_CHUNK_POINTS, sizeof *c.points),
        .a = mf_calloc(1, sizeof *c.a),
        .b = mf_calloc(1, sizeof *c.b),
    };
    int rc = c.points == NULL || c.a == NULL || c.b == NULL ? -ENOMEM : 0;
    struct source_series series = {.text = ""};
    const uint32_t ids = slab->ops->series_count(slab->source);
    for (uint32_t id = 0; rc == 0 && id < ids; id++) {
        if (slab->ops->series(slab->source, id, &series)) {
            c.slab_id = id;
            rc = compare_series(&c, &series);
            c.archive_id++;
        }
    }
    if (rc == 0 && c.archive_id != archive->ops->series_count(archive->source)) {
        rc = MF_EMISMATCH;
    }
    mf_free(c.points);
    mf_free(c.a);
    mf_free(c.b);
    if (rc == MF_EMISMATCH) {
        return mf_fail(err, MF_ECORRUPT, "%s: reads back different from the slab at %.160s", path,
                       series.text);
    }
    return rc == 0 ? 0 : mf_fail(err, rc, "%s: reading it back: %s", path, mf_strerror(rc));
}

/* ---- sealing ---- */

struct sealing {
    const char *path;
    const struct mf_env *env;
    const struct mf_fs *fs;
    char *slab;
    char *archive;
    char *archive_new;
    struct mf_metrics_seal_report report;
    struct mf_errinfo *err;
};

static int write_and_compare(struct sealing *s, const struct mf_metrics_reader *slab)
{
    struct mf_metrics_reader *archive;
    int rc = mf__archive_write(slab, s->fs, s->archive_new, &s->report, s->err);
    if (rc == 0) {
        rc = mf__archive_open_file(s->archive_new, s->fs, &archive, s->err);
    }
    if (rc == 0) {
        rc = compare(slab, archive, s->archive_new, s->err);
        mf_metrics_reader_close(archive);
    }
    if (rc != 0) {
        (void)mf_fs_unlink(s->fs, s->archive_new, NULL);
        return rc;
    }
    rc = mf_fs_rename(s->fs, s->archive_new, s->archive, s->err);
    return rc == 0 ? mf_fs_sync_directory(s->fs, s->path, s->err) : rc;
}

/* An archive beside the slab: when it says the same, the sealing went that far. */
static int complete_earlier(struct sealing *s, const struct mf_metrics_reader *slab, bool *ret_done)
{
    struct mf_metrics_reader *archive;
    int rc = mf__archive_open_file(s->archive, s->fs, &archive, NULL);
    *ret_done = false;
    if (rc != 0) {
        return rc == -ENOMEM ? mf_fail_os(s->err, rc, "%s", s->path) : 0;
    }
    struct mf_metrics_info info;
    archive->ops->info(archive->source, &info);
    s->report.archive_bytes = info.stats.file_bytes;
    s->report.series = info.stats.series;
    rc = compare(slab, archive, s->archive, NULL);
    mf_metrics_reader_close(archive);
    *ret_done = rc == 0;
    return rc == -ENOMEM ? mf_fail_os(s->err, rc, "%s", s->path) : 0;
}

/* With the slab locked. */
static int seal_locked(struct sealing *s)
{
    struct mf_metrics_reader *slab;
    struct mf_metrics_info info;
    bool done;
    int rc = mf_metrics_reader_open(s->path, s->env, &slab, s->err);
    if (rc != 0) {
        return rc;
    }
    slab->ops->info(slab->source, &info);
    rc = complete_earlier(s, slab, &done);
    if (rc == 0 && !done) {
        s->report = (struct mf_metrics_seal_report){0};
        rc = write_and_compare(s, slab);
    }
    s->report.slab_bytes = info.stats.file_bytes;
    mf_metrics_reader_close(slab);
    if (rc == 0) {
        rc = mf_fs_unlink(s->fs, s->slab, s->err);
    }
    return rc == 0 ? mf_fs_sync_directory(s->fs, s->path, s->err) : rc;
}

/* A store whose writer died is opened and closed once, which repairs it. One that is sealed already
 * as far as its archive goes cannot be opened, and needs no repair. */
static int repair(const struct sealing *s)
{
    struct mf_metrics_reader *reader;
    struct mf_metrics_info info;
    struct mf_metrics *store;
    struct mf_file_info archive;
    int rc = mf_metrics_reader_open(s->path, s->env, &reader, s->err);
    if (rc != 0) {
        return rc;
    }
    mf_metrics_reader_info(reader, &info);
    mf_metrics_reader_close(reader);
    if (info.state == MF_METRICS_SEALED) {
        return mf_fail(s->err, MF_ECLOSED, "%s: is sealed already", s->path);
    }
    if (info.state != MF_METRICS_ABANDONED || mf_fs_info(s->fs, s->archive, &archive, NULL) == 0) {
        return 0;
    }
    rc = mf_metrics_open(s->path, NULL, 0, NULL, s->env, &store, s->err);
    return rc == 0 ? mf_metrics_close(store, s->err) : rc;
}

int mf_metrics_seal(const char *path, const struct mf_env *env,
                    struct mf_metrics_seal_report *ret_report, struct mf_errinfo *err)
{
    struct sealing s = {
        .path = path,
        .env = env,
        .fs = env != NULL ? env->fs : NULL,
        .slab = mf_asprintf("%s/" SLAB_FILE, path),
        .archive = mf_asprintf("%s/" ARCHIVE_FILE, path),
        .archive_new = mf_asprintf("%s/" ARCHIVE_FILE_NEW, path),
        .err = err,
    };
    struct mf_file *file = NULL;
    int rc = s.slab == NULL || s.archive == NULL || s.archive_new == NULL
                 ? mf_fail_os(err, -ENOMEM, "%s", path)
                 : repair(&s);
    if (rc == 0) {
        rc = mf_file_open(s.fs, s.slab, MF_OPEN_READ, &file, err);
    }
    if (rc == 0) {
        rc = mf_file_lock(file, err);
        if (rc == MF_ELOCKED) {
            rc = mf_fail(err, rc, "%s: is being written; close it before it is sealed", path);
        }
    }
    if (rc == 0) {
        rc = seal_locked(&s);
    }
    mf_file_close(file);
    mf_free(s.slab);
    mf_free(s.archive);
    mf_free(s.archive_new);
    if (rc == 0 && ret_report != NULL) {
        *ret_report = s.report;
    }
    return rc;
}
