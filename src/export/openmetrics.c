/* SPDX-License-Identifier: Apache-2.0
 *
 * openmetrics.c -- OpenMetrics 1.0 text: the newest values for a scrape, or a range with times.
 *
 * A family stands in one piece: the series come sorted by name, and a name that has series of
 * several types is gone through once for each. A unit is only stated when the family's name ends in
 * it, as the format demands.
 */
#include "buckets.h"
#include "names.h"
#include "sink.h"
#include "tabular.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/number.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct exposition {
    struct sink sink;
    struct names names;
    unsigned round;
    bool stamped;
    bool histograms; /* whether this pass is about them, or about the others; both when stamped */
    int64_t clock_ns;
    const struct names_family *begun; /* the family whose head was written last */
    const struct names_family *family;
    const struct mf_series_result *series;
    struct mf_buffer labels; /* of the series: a="b",c="d" */
    struct buckets totals;
    bool has_point;
};

static void put_escaped(struct mf_buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '\n':
            mf_buffer_puts(out, "\\n");
            break;
        case '\\':
        case '"':
            mf_buffer_putc(out, '\\');
            mf_buffer_putc(out, *text);
            break;
        default:
            mf_buffer_putc(out, *text);
            break;
        }
    }
}

static const char *type_word(enum mf_series_type type)
{
    switch (type) {
    case MF_COUNTER:
        return "counter";
    case MF_HISTOGRAM:
        return "histogram";
    case MF_GAUGE:
        break;
    }
    return "gauge";
}

static bool ends_in_unit(const char *base, const char *unit)
{
    const size_t base_len = strlen(base);
    const size_t unit_len = strlen(unit);
    return unit_len > 0 && base_len > unit_len + 1 && base[base_len - unit_len - 1] == '_' &&
           strcmp(base + base_len - unit_len, unit) == 0;
}

static void put_head(struct exposition *e)
{
    struct mf_buffer *out = &e->sink.text;
    const char *base = e->family->base;
    if (e->begun == e->family) {
        return;
    }
    e->begun = e->family;
    mf_buffer_printf(out, "# TYPE %s %s\n", base, type_word(e->family->type));
    if (ends_in_unit(base, e->series->unit)) {
        mf_buffer_printf(out, "# UNIT %s %s\n", base, e->series->unit);
    }
    if (e->series->help[0] != '\0') {
        mf_buffer_printf(out, "# HELP %s ", base);
        put_escaped(out, e->series->help);
        mf_buffer_putc(out, '\n');
    }
}

static void put_sample(struct exposition *e, const char *suffix, const char *le, double value,
                       int64_t time_ms)
{
    struct mf_buffer *out = &e->sink.text;
    char number[MF_NUMBER_LEN];
    mf_buffer_puts(out, e->family->base);
    mf_buffer_puts(out, suffix);
    if (e->labels.len > 0 || le != NULL) {
        mf_buffer_putc(out, '{');
        mf_buffer_append(out, e->labels.data, e->labels.len);
        if (le != NULL) {
            mf_buffer_printf(out, "%sle=\"%s\"", e->labels.len > 0 ? "," : "", le);
        }
        mf_buffer_putc(out, '}');
    }
    mf_buffer_putc(out, ' ');
    mf_buffer_append(out, number, mf_format_double(number, value));
    if (e->stamped) {
        const uint64_t ms = time_ms < 0 ? 0 - (uint64_t)time_ms : (uint64_t)time_ms;
        mf_buffer_printf(out, " %s%" PRIu64 ".%03u", time_ms < 0 ? "-" : "", ms / 1000,
                         (unsigned)(ms % 1000));
    }
    mf_buffer_putc(out, '\n');
}

static void put_histogram(struct exposition *e, int64_t time_ms)
{
    const struct buckets *totals = &e->totals;
    uint64_t below = 0;
    char le[BUCKETS_TEXT];
    for (uint32_t i = totals->low; i < mf__buckets_shown(totals); i++) {
        below += totals->counts[i];
        mf__buckets_text(le, mf__buckets_bound(totals, i));
        put_sample(e, "_bucket", le, (double)below, time_ms);
    }
    put_sample(e, "_bucket", "+Inf", (double)totals->count, time_ms);
    put_sample(e, "_sum", NULL, totals->sum, time_ms);
    put_sample(e, "_count", NULL, (double)totals->count, time_ms);
}

static int on_series(void *context, const struct mf_series_result *series, int64_t *start_ns)
{
    (void)start_ns;
    struct exposition *e = context;
    const bool histogram = series->type == MF_HISTOGRAM;
    e->family = mf__names_find(&e->names, series->name, series->type);
    if (e->family == NULL || e->family->round != e->round ||
        (!e->stamped && histogram != e->histograms)) {
        return MF_VISIT_SKIP;
    }
    e->series = series;
    e->has_point = false;
    mf_buffer_clear(&e->labels);
    for (size_t i = 0; i < series->label_count; i++) {
        const char *name = series->labels[i].name;
        const bool taken = histogram && strcmp(name, "le") == 0;
        mf_buffer_printf(&e->labels, "%s%s=\"", i > 0 ? "," : "", taken ? "exported_le" : name);
        put_escaped(&e->labels, series->labels[i].value);
        mf_buffer_putc(&e->labels, '"');
    }
    mf__buckets_init(&e->totals, 1);
    return e->labels.failed ? -ENOMEM : 0;
}

static int on_point(void *context, const struct mf_point *point, int64_t interval_ns,
                    const struct mf_histogram *slot)
{
    struct exposition *e = context;
    const int64_t time_ms = sample_time_ms(point, interval_ns, e->clock_ns);
    e->has_point = true;
    if (slot != NULL) {
        mf__buckets_merge(&e->totals, slot);
        if (!e->stamped) {
            return 0; /* the sum of all follows at the end */
        }
    }
    put_head(e);
    if (slot != NULL) {
        put_histogram(e, time_ms);
    } else {
        put_sample(e, e->series->type == MF_COUNTER ? "_total" : "", NULL, point->last, time_ms);
    }
    return sink_drain(&e->sink);
}

static int on_end(void *context)
{
    struct exposition *e = context;
    if (e->has_point && !e->stamped && e->series->type == MF_HISTOGRAM) {
        put_head(e);
        put_histogram(e, 0);
    }
    return sink_drain(&e->sink);
}

static int run(struct exposition *e, struct mf_metrics_reader *reader,
               const struct mf_metrics_query *query, struct mf_errinfo *err)
{
    const struct mf_metrics_visitor visitor = {on_series, on_point, on_end, e};
    struct mf_metrics_info info;
    mf_metrics_reader_info(reader, &info);
    e->clock_ns = info.clock_wall_ns;
    int rc = mf__names_read(&e->names, reader, query->selector, false, err);
    for (e->round = 0; rc == 0 && e->round < e->names.rounds; e->round++) {
        if (e->stamped) {
            rc = mf_metrics_visit(reader, query, &visitor, err);
            continue;
        }
        struct mf_metrics_query part = *query;
        e->histograms = false;
        part.tier = MF_TIER_LATEST;
        rc = mf_metrics_visit(reader, &part, &visitor, err);
        e->histograms = true;
        part.tier = MF_TIER_FINEST;
        rc = rc == 0 ? mf_metrics_visit(reader, &part, &visitor, err) : rc;
    }
    if (rc == 0) {
        mf_buffer_puts(&e->sink.text, "# EOF\n");
        rc = sink_flush(&e->sink);
        if (rc != 0) {
            rc = mf_fail_os(err, rc, "OpenMetrics export");
        }
    }
    mf__names_free(&e->names);
    mf_buffer_free(&e->sink.text);
    mf_buffer_free(&e->labels);
    return rc;
}

int mf_export_exposition(struct mf_metrics_reader *reader, const char *selector,
                         mf_export_write write, void *context, struct mf_errinfo *err)
{
    const struct mf_metrics_query all = {
        .selector = selector, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
    struct exposition e = {.sink = {.write = write, .context = context}};
    return run(&e, reader, &all, err);
}

int mf__export_openmetrics_range(struct mf_metrics_reader *reader,
                                 const struct mf_metrics_query *query, mf_export_write write,
                                 void *context, struct mf_errinfo *err)
{
    struct exposition e = {.sink = {.write = write, .context = context}, .stamped = true};
    return run(&e, reader, query, err);
}
