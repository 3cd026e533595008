/* SPDX-License-Identifier: Apache-2.0
 * verify.c -- reads everything in a store and says what is wrong first. */
#include "archive.h"
#include "slab.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

struct checking {
    const struct mf_metrics_reader *reader;
    const char *path;
    bool still; /* nobody writes: what is read twice is the same */
    struct mf_errinfo *err;
    struct source_series series;
    uint32_t tier;
    int64_t before; /* the slot of the point before */
    struct mf_histogram *buckets;
    uint64_t points;
};

static int wrong(const struct checking *c, int64_t slot, const char *what)
{
    return mf_fail(c->err, MF_ECORRUPT, "%s: %.160s, tier %u, slot %" PRId64 ": %s", c->path,
                   c->series.text, c->tier, slot, what);
}

/* The number of observations is kept with 14 bits in packed slots. */
static bool counts_agree(uint64_t exact, uint64_t packed)
{
    const uint64_t difference = exact > packed ? exact - packed : packed - exact;
    return difference <= packed >> 13;
}

static int check_point(void *context, const struct source_point *point)
{
    struct checking *c = context;
    const struct mf__aggregate *a = &point->aggregate;
    if (point->slot <= c->before) {
        return wrong(c, point->slot, "is out of order");
    }
    c->before = point->slot;
    c->points++;
    if (a->count == 0 || !isfinite(a->sum) || !isfinite(a->min) || !isfinite(a->max) ||
        !isfinite(a->first) || !isfinite(a->last)) {
        return wrong(c, point->slot, "is empty or has a value that is no number");
    }
    if (a->min > a->max || a->first < a->min || a->first > a->max || a->last < a->min ||
        a->last > a->max) {
        return wrong(c, point->slot, "min, max, first and last contradict each other");
    }
    if (c->series.type == MF_COUNTER && a->sum < 0) {
        return wrong(c, point->slot, "a counter decreased");
    }
    if (c->series.type == MF_HISTOGRAM) {
        memset(c->buckets, 0, sizeof *c->buckets);
        int rc = c->reader->ops->buckets(c->reader->source, c->series.id, c->tier, point->slot,
                                         c->buckets);
        if (rc == MF_ECORRUPT) {
            return wrong(c, point->slot, "the buckets fail their checksum");
        }
        if (rc != 0) {
            return rc;
        }
        if (c->still && !counts_agree(c->buckets->count, a->count)) {
            return wrong(c, point->slot, "the buckets hold another number of observations");
        }
    }
    return 0;
}

static int check_series(struct checking *c)
{
    struct mf_metrics_info info;
    struct mf_metrics_schema schema;
    c->reader->ops->info(c->reader->source, &info);
    c->reader->ops->schema(c->reader->source, c->series.schema, &schema);
    struct mf__labels *labels;
    int rc = mf__labels_parse(c->series.text, c->series.text_len, &labels);
    if (rc == -ENOMEM) {
        return rc;
    }
    if (rc < 0) {
        return mf_fail(c->err, MF_ECORRUPT, "%s: series %u has a name that cannot be read", c->path,
                       c->series.id);
    }
    mf_free(labels);
    for (c->tier = 0; rc == 0 && info.clock_wall_ns != 0 && c->tier < schema.tier_count;
         c->tier++) {
        const struct slot_range range = mf__retained(&info, &schema.tiers[c->tier]);
        c->before = INT64_MIN;
        rc = c->reader->ops->points(c->reader->source, c->series.id, c->tier, range.first,
                                    range.last, check_point, c);
    }
    return rc;
}

int mf__source_check(const struct mf_metrics_reader *reader, const char *path, bool still,
                     uint64_t *ret_series, uint64_t *ret_points, struct mf_errinfo *err)
{
    struct mf_errinfo reason = {0};
    struct checking c = {
        .reader = reader,
        .path = path,
        .still = still,
        .err = &reason,
        .buckets = mf_malloc(sizeof *c.buckets),
    };
    int rc = c.buckets == NULL ? -ENOMEM : 0;
    const uint32_t ids = reader->ops->series_count(reader->source);
    uint64_t series = 0;
    for (uint32_t id = 0; rc == 0 && id < ids; id++) {
        if (reader->ops->series(reader->source, id, &c.series)) {
            series++;
            rc = check_series(&c);
        }
    }
    mf_free(c.buckets);
    *ret_series = series;
    *ret_points = c.points;
    if (rc < 0 && reason.code == 0) {
        rc = mf_fail(&reason, rc, "%s: %s", path, mf_strerror(rc));
    }
    if (rc < 0 && err != NULL) {
        *err = reason;
    }
    return rc;
}

/* A directory entry that is in use and fails its checksum is no series for a reader: look at the
 * file. */
static int check_entries(const char *path, const struct mf_fs *fs, struct mf_errinfo *err)
{
    struct slab slab = {0};
    struct slab_superblock superblock;
    struct mf_file *file;
    struct mf_file_info info;
    void *base = NULL;
    char *name = mf_asprintf("%s/" SLAB_FILE, path);
    int rc = name == NULL ? mf_fail_os(err, -ENOMEM, "%s", path)
                          : mf_file_open(fs, name, MF_OPEN_READ, &file, err);
    if (rc != 0) {
        mf_free(name);
        return rc;
    }
    rc = mf_file_info(file, &info, err);
    rc = rc == 0 ? mf_file_map(file, info.size_bytes, false, &base, err) : rc;
    rc = rc == 0 ? mf__slab_attach(&slab, base, info.size_bytes, name, &superblock, err) : rc;
    for (uint32_t column = 0; rc == 0 && column < slab.columns; column++) {
        const struct slab_entry *entry = slab_entry(&slab, column);
        if (atomic_load_explicit(&entry->state, memory_order_acquire) == ENTRY_LIVE &&
            !mf__slab_entry_read(&slab, column, NULL)) {
            rc = mf_fail(err, MF_ECORRUPT, "%s: the entry of series %u fails its checksum", name,
                         column);
        }
    }
    if (base != NULL) {
        (void)mf_file_unmap(file, base, info.size_bytes);
    }
    mf_file_close(file);
    mf_free(name);
    return rc;
}

int mf_metrics_verify(const char *path, const struct mf_env *env,
                      struct mf_metrics_verify_report *ret_report, struct mf_errinfo *err)
{
    struct mf_metrics_verify_report report = {0};
    struct mf_metrics_reader *reader;
    struct mf_metrics_info info;
    int rc = mf_metrics_reader_open(path, env, &reader, err);
    if (rc != 0) {
        return rc;
    }
    mf_metrics_reader_info(reader, &info);
    report.state = (uint32_t)info.state;
    report.file_bytes = info.stats.file_bytes;
    rc = info.state == MF_METRICS_SEALED
             ? mf__archive_check(reader, &report.blocks, err)
             : (info.state == MF_METRICS_WRITING
                    ? 0
                    : check_entries(path, env != NULL ? env->fs : NULL, err));
    if (rc == 0) {
        rc = mf__source_check(reader, path, info.state != MF_METRICS_WRITING, &report.series,
                              &report.points, err);
    }
    mf_metrics_reader_close(reader);
    if (rc == 0 && ret_report != NULL) {
        *ret_report = report;
    }
    return rc;
}
