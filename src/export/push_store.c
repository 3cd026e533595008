/* SPDX-License-Identifier: Apache-2.0
 *
 * push_store.c -- one store to one peer.
 *
 * The points beyond the cursor are read series by series and gathered in a batch. With the batch
 * goes a list of what the cursor will say once the peer has acknowledged it: only then is it
 * entered there, and the file replaced. A push that ends at any moment has thus sent at most one
 * batch more than its cursor knows of.
 *
 * The slot that is not over yet is sent when its store has ended (or by `flush`), under the store's
 * own time instead of the end of the slot. Should the store be opened again and the slot go on, its
 * final content has a later time and is not a duplicate.
 */
#include "cursor.h"
#include "names.h"
#include "pusher.h"
#include "sink.h"

#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* What of one point goes to the peer. */
struct row {
    int64_t time_ms;
    double value;
    double avg;
    double min;
    double max;
};

/* What the cursor will say of a series. */
struct commit {
    size_t entry;
    int64_t until_ns;
    int64_t open_ms;
    struct buckets *totals; /* owned; NULL but for histograms */
};

struct push {
    struct mf_pusher *pusher;
    struct mf_push_report *report;
    struct mf_errinfo *err;
    const char *path;
    char *cursor_path;
    struct cursor cursor;
    bool dirty;            /* the cursor is ahead of its file */
    uint64_t acknowledged; /* samples since the file was written */
    struct names names;
    int64_t clock_ns;
    bool flush;
    struct commit *commits;
    size_t commit_count;
    size_t commit_capacity;
    uint64_t batch_points;

    /* The series being read. Its rows since the last batch are gathered, because the samples of one
     * exported series must stand together. */
    const struct mf_series_result *series;
    const struct names_family *family;
    size_t entry;
    int64_t until_ns;
    int64_t open_ms;
    int64_t last_ms; /* newest time sent or gathered */
    bool touched;    /* until_ns or open_ms differs from the cursor's */
    bool counted;    /* in report->series */
    struct buckets totals;
    struct row *rows;
    struct buckets *row_buckets; /* of a histogram, one for each row */
    size_t row_count;
    size_t row_capacity;
    size_t bucket_capacity;
    size_t row_samples; /* that the rows will make */
};

static int out_of_memory(struct push *p)
{
    return mf_fail_os(p->err, -ENOMEM, "%s", p->path);
}

/* ---- from rows to the batch ---- */

static void begin(struct push *p, const char *suffix, const char *le)
{
    const struct mf_push_config *config = &p->pusher->config;
    struct wire_batch *batch = &p->pusher->batch;
    mf__wire_batch_series(batch, p->family->base, suffix, le, p->series->labels,
                          p->series->label_count, config->labels,
                          config->label_count + (config->store_label != NULL ? 1 : 0));
    mf__wire_batch_metadata(batch, p->series->type, p->series->help, p->series->unit);
}

static void emit_values(struct push *p, const char *suffix, size_t member_offset)
{
    begin(p, suffix, NULL);
    for (size_t i = 0; i < p->row_count; i++) {
        double value;
        memcpy(&value, (const char *)&p->rows[i] + member_offset, sizeof value);
        mf__wire_batch_sample(&p->pusher->batch, value, p->rows[i].time_ms);
    }
}

static int emit_buckets(struct push *p)
{
    struct wire_batch *batch = &p->pusher->batch;
    const struct buckets *newest = &p->row_buckets[p->row_count - 1];
    uint64_t *below = mf_calloc(p->row_count, sizeof *below);
    if (below == NULL) {
        return -ENOMEM;
    }
    char le[BUCKETS_TEXT];
    for (uint32_t i = newest->low; i < mf__buckets_shown(newest); i++) {
        mf__buckets_text(le, mf__buckets_bound(newest, i));
        begin(p, "_bucket", le);
        for (size_t k = 0; k < p->row_count; k++) {
            below[k] += p->row_buckets[k].counts[i];
            mf__wire_batch_sample(batch, (double)below[k], p->rows[k].time_ms);
        }
    }
    mf_free(below);
    begin(p, "_bucket", "+Inf");
    for (size_t k = 0; k < p->row_count; k++) {
        mf__wire_batch_sample(batch, (double)p->row_buckets[k].count, p->rows[k].time_ms);
    }
    begin(p, "_sum", "");
    for (size_t k = 0; k < p->row_count; k++) {
        mf__wire_batch_sample(batch, p->row_buckets[k].sum, p->rows[k].time_ms);
    }
    begin(p, "_count", "");
    for (size_t k = 0; k < p->row_count; k++) {
        mf__wire_batch_sample(batch, (double)p->row_buckets[k].count, p->rows[k].time_ms);
    }
    return 0;
}

static int add_commit(struct push *p)
{
    if (p->commit_count == p->commit_capacity) {
        const size_t capacity = p->commit_capacity == 0 ? 64 : p->commit_capacity * 2;
        struct commit *commits = mf_realloc(p->commits, capacity * sizeof *commits);
        if (commits == NULL) {
            return -ENOMEM;
        }
        p->commits = commits;
        p->commit_capacity = capacity;
    }
    struct buckets *totals = NULL;
    if (p->series->type == MF_HISTOGRAM) {
        totals = mf_malloc(sizeof *totals);
        if (totals == NULL) {
            return -ENOMEM;
        }
        *totals = p->totals;
    }
    p->commits[p->commit_count++] = (struct commit){p->entry, p->until_ns, p->open_ms, totals};
    return 0;
}

/* Puts the gathered rows of the current series into the batch. */
static int close_rows(struct push *p)
{
    int rc = 0;
    if (p->row_count > 0) {
        switch (p->series->type) {
        case MF_COUNTER:
            emit_values(p, "_total", offsetof(struct row, value));
            break;
        case MF_GAUGE:
            emit_values(p, "", offsetof(struct row, value));
            if (p->pusher->config.aggregates != 0) {
                emit_values(p, ":avg", offsetof(struct row, avg));
                emit_values(p, ":min", offsetof(struct row, min));
                emit_values(p, ":max", offsetof(struct row, max));
            }
            break;
        case MF_HISTOGRAM:
            rc = emit_buckets(p);
            break;
        }
        p->report->series += p->counted ? 0 : 1;
        p->counted = true;
        p->batch_points += p->row_count;
        p->row_count = 0;
        p->row_samples = 0;
    }
    if (rc == 0 && p->touched) {
        rc = add_commit(p);
        p->touched = false;
    }
    return rc == 0 ? 0 : out_of_memory(p);
}

static void drop_commits(struct push *p)
{
    for (size_t i = 0; i < p->commit_count; i++) {
        mf_free(p->commits[i].totals);
    }
    p->commit_count = 0;
}

static int save_cursor(struct push *p, struct mf_errinfo *err)
{
    const struct mf_pusher *pusher = p->pusher;
    int rc = mf__cursor_save(&p->cursor, pusher->fs, p->cursor_path, err);
    if (rc == 0) {
        p->dirty = false;
        p->acknowledged = 0;
    }
    return rc;
}

/* Sends the batch, and moves the cursor when the peer has acknowledged it. The file is written when
 * as many samples were sent as it has entries, so that its size does not matter; and at the end. */
static int send_batch(struct push *p)
{
    struct mf_pusher *pusher = p->pusher;
    const uint64_t samples = pusher->batch.sample_count;
    int rc = mf__push_batch(pusher, p->report, p->err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < p->commit_count; i++) {
        struct cursor_entry *entry = &p->cursor.entries[p->commits[i].entry];
        entry->until_ns = p->commits[i].until_ns;
        entry->open_ms = p->commits[i].open_ms;
        if (p->commits[i].totals != NULL) {
            mf_free(entry->totals);
            entry->totals = p->commits[i].totals;
        }
        p->dirty = true;
    }
    p->commit_count = 0; /* their totals belong to the entries now */
    p->report->points += p->batch_points;
    p->batch_points = 0;
    p->acknowledged += samples;
    mf__wire_batch_clear(&pusher->batch);
    if (pusher->v1_only && (p->cursor.flags & CURSOR_PEER_V1) == 0) {
        p->cursor.flags |= CURSOR_PEER_V1;
        p->dirty = true;
    }
    return p->dirty && p->acknowledged >= p->cursor.count ? save_cursor(p, p->err) : 0;
}

/* ---- reading ---- */

static int on_series(void *context, const struct mf_series_result *series, int64_t *start_ns)
{
    struct push *p = context;
    const struct mf_push_config *config = &p->pusher->config;
    if (config->cancelled != NULL && config->cancelled(config->cancelled_context)) {
        return mf_fail_os(p->err, -ECANCELED, "%s: push stopped", p->path);
    }
    p->family = mf__names_find(&p->names, series->name, series->type);
    if (p->family == NULL) {
        return MF_VISIT_SKIP; /* registered this moment: next time */
    }
    const struct cursor_entry *entry = mf__cursor_entry_of(&p->cursor, series->text);
    if (entry == NULL) {
        return out_of_memory(p);
    }
    p->series = series;
    p->entry = (size_t)(entry - p->cursor.entries);
    p->until_ns = entry->until_ns;
    p->open_ms = entry->open_ms;
    p->last_ms = entry->open_ms;
    if (entry->until_ns != INT64_MIN && floor_ms(entry->until_ns) > p->last_ms) {
        p->last_ms = floor_ms(entry->until_ns);
    }
    p->touched = false;
    p->counted = false;
    if (series->type == MF_HISTOGRAM) {
        if (entry->totals != NULL) {
            p->totals = *entry->totals;
        } else {
            mf__buckets_init(&p->totals, config->buckets_per_octave);
        }
    }
    *start_ns = *start_ns > entry->until_ns ? *start_ns : entry->until_ns;
    return 0;
}

static int grow_rows(struct push *p)
{
    if (p->row_count == p->row_capacity) {
        const size_t capacity = p->row_capacity == 0 ? 64 : p->row_capacity * 2;
        struct row *rows = mf_realloc(p->rows, capacity * sizeof *rows);
        if (rows == NULL) {
            return -ENOMEM;
        }
        p->rows = rows;
        p->row_capacity = capacity;
    }
    if (p->series->type == MF_HISTOGRAM && p->row_count == p->bucket_capacity) {
        const size_t capacity = p->bucket_capacity == 0 ? 16 : p->bucket_capacity * 2;
        struct buckets *buckets = mf_realloc(p->row_buckets, capacity * sizeof *buckets);
        if (buckets == NULL) {
            return -ENOMEM;
        }
        p->row_buckets = buckets;
        p->bucket_capacity = capacity;
    }
    return 0;
}

/* How many samples the next point of this series makes, given what is gathered. */
static size_t samples_per_row(const struct push *p, const struct buckets *totals)
{
    switch (p->series->type) {
    case MF_HISTOGRAM:
        return mf__buckets_shown(totals) - totals->low + 3;
    case MF_GAUGE:
        return p->pusher->config.aggregates != 0 ? 4 : 1;
    case MF_COUNTER:
        break;
    }
    return 1;
}

static int gather(struct push *p, const struct mf_point *point, int64_t time_ms,
                  const struct buckets *totals)
{
    int rc = grow_rows(p);
    if (rc != 0) {
        return out_of_memory(p);
    }
    p->rows[p->row_count] = (struct row){
        .time_ms = time_ms,
        .value = point->last,
        .avg = point->sum / (double)point->count,
        .min = point->min,
        .max = point->max,
    };
    if (totals != NULL) {
        p->row_buckets[p->row_count] = *totals;
    }
    p->row_count++;
    p->row_samples = p->row_count * samples_per_row(p, totals);
    p->last_ms = time_ms;
    return 0;
}

static int on_point(void *context, const struct mf_point *point, int64_t interval_ns,
                    const struct mf_histogram *slot)
{
    struct push *p = context;
    const bool open = (point->flags & MF_POINT_OPEN) != 0;
    if (point->start_ns < p->until_ns || (open && !p->flush)) {
        return 0;
    }
    const int64_t end_ns = point->start_ns + interval_ns;
    const int64_t time_ms = sample_time_ms(point, interval_ns, p->clock_ns);
    struct buckets with_open;
    const struct buckets *totals = NULL;
    if (p->series->type == MF_HISTOGRAM) {
        /* What is open counts again when it is complete: it does not enter the totals to be kept.
         */
        with_open = p->totals;
        mf__buckets_merge(&with_open, slot);
        if (!open) {
            p->totals = with_open;
        }
        totals = &with_open;
    }
    int rc = time_ms > p->last_ms ? gather(p, point, time_ms, totals) : 0;
    if (rc != 0) {
        return rc;
    }
    if (!open) {
        p->until_ns = end_ns;
        p->open_ms = INT64_MIN;
        p->touched = true;
    } else if (time_ms > p->open_ms) {
        p->open_ms = time_ms;
        p->touched = true;
    }
    if (p->pusher->batch.sample_count + p->row_samples >= p->pusher->batch_samples_max) {
        rc = close_rows(p);
        return rc != 0 ? rc : send_batch(p);
    }
    return 0;
}

static int on_end(void *context)
{
    return close_rows(context);
}

/* ---- a whole push ---- */

static char *cursor_path_of(const struct mf_pusher *pusher, const char *path)
{
    if (pusher->config.cursor_directory == NULL) {
        return mf_asprintf("%s/push-%016" PRIx64 ".cursor", path, pusher->identity);
    }
    return mf_asprintf("%s/push-%016" PRIx64 "-%016" PRIx64 ".cursor",
                       pusher->config.cursor_directory, pusher->identity,
                       mf_hash64(path, strlen(path)));
}

/* "vm7" of /vms/vm7 and of /vms/vm7/metrics; whole when there is nothing else. The caller frees it.
 */
static char *store_name(const char *path)
{
    size_t len = strlen(path);
    for (;;) {
        while (len > 1 && path[len - 1] == '/') {
            len--;
        }
        size_t begin = len;
        while (begin > 0 && path[begin - 1] != '/') {
            begin--;
        }
        const bool is_metrics = len - begin == 7 && memcmp(path + begin, "metrics", 7) == 0;
        if (!is_metrics || begin <= 1) {
            return mf_strndup(path + begin, len - begin);
        }
        len = begin;
    }
}

static int load_cursor(struct push *p, int64_t created_ns)
{
    const struct mf_pusher *pusher = p->pusher;
    struct mf_file_info info;
    int rc = mf__cursor_load(&p->cursor, pusher->fs, p->cursor_path, created_ns,
                             pusher->config.buckets_per_octave, p->err);
    if (rc == 0 && mf_fs_info(pusher->fs, p->cursor_path, &info, NULL) == -ENOENT) {
        /* That it can be written must be known before anything is sent. */
        rc = save_cursor(p, p->err);
    }
    return rc;
}

static int push_points(struct push *p, struct mf_metrics_reader *reader)
{
    const struct mf_push_config *config = &p->pusher->config;
    const struct mf_metrics_query query = {.selector = config->selector,
                                           .start_ns = INT64_MIN,
                                           .end_ns = INT64_MAX,
                                           .tier = MF_TIER_FINEST};
    const struct mf_metrics_visitor visitor = {on_series, on_point, on_end, p};
    int rc = mf__names_read(&p->names, reader, config->selector, config->aggregates != 0, p->err);
    if (rc != 0) {
        return rc;
    }
    rc = mf_metrics_visit(reader, &query, &visitor, p->err);
    if (rc == 0) {
        rc = send_batch(p);
    }
    if (rc == 0 && config->selector == NULL) {
        p->dirty = mf__cursor_forget_unseen(&p->cursor) || p->dirty;
    }
    if (p->dirty) { /* also after a failure: what was acknowledged is */
        MF_KEEP_FIRST(rc, save_cursor(p, rc == 0 ? p->err : NULL));
    }
    return rc;
}

int mf__push_store(struct mf_pusher *pusher, const char *path, struct mf_push_report *report,
                   bool *ret_finished, struct mf_errinfo *err)
{
    struct mf_metrics_reader *reader;
    struct push p = {.pusher = pusher, .report = report, .err = err, .path = path};
    report->stores++;
    int rc = mf_metrics_reader_open(path, pusher->config.env, &reader, err);
    if (rc != 0) {
        report->failed++;
        return rc;
    }
    struct mf_metrics_info info;
    mf_metrics_reader_info(reader, &info);
    p.clock_ns = info.clock_wall_ns;
    p.flush = pusher->config.flush != 0 || info.state != MF_METRICS_WRITING;
    p.cursor_path = cursor_path_of(pusher, path);
    char *name = store_name(path);
    pusher->labels[pusher->config.label_count] =
        (struct mf_label){pusher->config.store_label, name};
    rc = p.cursor_path == NULL || name == NULL ? out_of_memory(&p)
                                               : load_cursor(&p, info.created_wall_ns);
    if (rc == 0) {
        pusher->v1_only = pusher->v1_only || (pusher->config.protocol == MF_PUSH_AUTO &&
                                              (p.cursor.flags & CURSOR_PEER_V1) != 0);
        mf__wire_batch_clear(&pusher->batch);
        rc = push_points(&p, reader);
    }
    drop_commits(&p);
    mf__cursor_free(&p.cursor);
    mf__names_free(&p.names);
    mf_free(p.commits);
    mf_free(p.rows);
    mf_free(p.row_buckets);
    mf_free(p.cursor_path);
    mf_free(name);
    mf_metrics_reader_close(reader);
    const bool finished = rc == 0 && info.state != MF_METRICS_WRITING;
    report->finished += finished ? 1 : 0;
    report->failed += rc != 0 ? 1 : 0;
    *ret_finished = finished;
    return rc;
}
