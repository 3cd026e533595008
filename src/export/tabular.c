/* SPDX-License-Identifier: Apache-2.0
 *
 * tabular.c -- points as CSV lines or as JSON.
 *
 * CSV: [store,]time_ns,series,type,interval_ns,count,sum,min,max,first,last,p50,p90,p99,value,flags
 * -- the percentiles are of histograms, the value is that of the query's function, flags are O (the
 * slot is open) and A (rounded).
 */
#include "tabular.h"

#include "base/fail.h"
#include "fmt/escape.h"
#include "fmt/number.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

static const double percentiles[] = {0.5, 0.9, 0.99};
static const char *const percentile_names[] = {"p50", "p90", "p99"};

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

/* ---- CSV ---- */

static void csv_number(struct mf_buffer *out, double value)
{
    char text[MF_NUMBER_LEN];
    mf_buffer_putc(out, ',');
    if (!isnan(value)) {
        mf_buffer_append(out, text, mf_format_double(text, value));
    }
}

static void csv_point(struct tabular *t, const struct mf_point *point, int64_t interval_ns,
                      const struct mf_histogram *buckets, const double *value)
{
    struct mf_buffer *out = &t->sink.text;
    if (t->store != NULL) {
        mf_csv_field(out, t->store, strlen(t->store));
        mf_buffer_putc(out, ',');
    }
    mf_buffer_printf(out, "%" PRId64 ",", point->start_ns);
    mf_csv_field(out, t->series->text, strlen(t->series->text));
    mf_buffer_printf(out, ",%s,%" PRId64 ",%" PRIu64, type_word(t->series->type), interval_ns,
                     point->count);
    csv_number(out, point->sum);
    csv_number(out, point->min);
    csv_number(out, point->max);
    csv_number(out, point->first);
    csv_number(out, point->last);
    for (size_t i = 0; i < MF_ARRAY_LEN(percentiles); i++) {
        csv_number(out, buckets != NULL ? mf_histogram_quantile(buckets, percentiles[i]) : NAN);
    }
    csv_number(out, value != NULL ? *value : NAN);
    mf_buffer_printf(out, ",%s%s\r\n", (point->flags & MF_POINT_OPEN) != 0 ? "O" : "",
                     (point->flags & MF_POINT_APPROXIMATE) != 0 ? "A" : "");
}

/* ---- JSON ---- */

static void json_series(struct tabular *t)
{
    struct mf_json *json = &t->json;
    const struct mf_series_result *series = t->series;
    mf_json_begin_object(json);
    if (t->store != NULL) {
        mf_json_key_string(json, "store", t->store);
    }
    mf_json_key_string(json, "name", series->name);
    mf_json_key(json, "labels");
    mf_json_begin_object(json);
    for (size_t i = 0; i < series->label_count; i++) {
        mf_json_key_string(json, series->labels[i].name, series->labels[i].value);
    }
    mf_json_end_object(json);
    mf_json_key_string(json, "series", series->text);
    mf_json_key_string(json, "type", type_word(series->type));
    mf_json_key_string(json, "unit", series->unit);
    mf_json_key_string(json, "help", series->help);
    mf_json_key(json, "points");
    mf_json_begin_array(json);
}

static void json_point(struct tabular *t, const struct mf_point *point, int64_t interval_ns,
                       const struct mf_histogram *buckets, const double *value)
{
    struct mf_json *json = &t->json;
    mf_json_begin_object(json);
    mf_json_key_int(json, "time_ns", point->start_ns);
    mf_json_key_int(json, "interval_ns", interval_ns);
    mf_json_key_uint(json, "count", point->count);
    mf_json_key_double(json, "sum", point->sum);
    mf_json_key_double(json, "min", point->min);
    mf_json_key_double(json, "max", point->max);
    mf_json_key_double(json, "first", point->first);
    mf_json_key_double(json, "last", point->last);
    for (size_t i = 0; buckets != NULL && i < MF_ARRAY_LEN(percentiles); i++) {
        mf_json_key_double(json, percentile_names[i],
                           mf_histogram_quantile(buckets, percentiles[i]));
    }
    if (value != NULL) {
        mf_json_key_double(json, "value", *value);
    }
    if ((point->flags & MF_POINT_OPEN) != 0) {
        mf_json_key_bool(json, "open", true);
    }
    if ((point->flags & MF_POINT_APPROXIMATE) != 0) {
        mf_json_key_bool(json, "approximate", true);
    }
    mf_json_end_object(json);
}

/* ---- both ---- */

void mf__tabular_begin(struct tabular *t)
{
    t->begun = true;
    if (t->format == MF_EXPORT_CSV) {
        mf_buffer_printf(&t->sink.text,
                         "%stime_ns,series,type,interval_ns,count,sum,min,max,first,last,"
                         "p50,p90,p99,value,flags\r\n",
                         t->store != NULL ? "store," : "");
        return;
    }
    mf_json_init(&t->json, &t->sink.text, MF_JSON_COMPACT);
    mf_json_begin_object(&t->json);
    mf_json_key(&t->json, "series");
    mf_json_begin_array(&t->json);
}

int mf__tabular_finish(struct tabular *t)
{
    if (t->format == MF_EXPORT_JSON) {
        mf_json_end_array(&t->json);
        mf_json_end_object(&t->json);
        mf_json_finish(&t->json);
    }
    return sink_flush(&t->sink);
}

static int put_point(struct tabular *t, const struct mf_point *point, int64_t interval_ns,
                     const struct mf_histogram *buckets, const double *value)
{
    if (t->format == MF_EXPORT_CSV) {
        csv_point(t, point, interval_ns, buckets, value);
    } else {
        json_point(t, point, interval_ns, buckets, value);
    }
    return sink_drain(&t->sink);
}

static int on_series(void *context, const struct mf_series_result *series, int64_t *start_ns)
{
    (void)start_ns;
    struct tabular *t = context;
    t->series = series;
    if (t->format == MF_EXPORT_JSON) {
        json_series(t);
    }
    return sink_drain(&t->sink);
}

static int on_point(void *context, const struct mf_point *point, int64_t interval_ns,
                    const struct mf_histogram *buckets)
{
    return put_point(context, point, interval_ns, buckets, NULL);
}

static int on_end(void *context)
{
    struct tabular *t = context;
    if (t->format == MF_EXPORT_JSON) {
        mf_json_end_array(&t->json);
        mf_json_end_object(&t->json);
    }
    return sink_drain(&t->sink);
}

/* A function looks at more than one point: the answer is taken whole. */
static int with_function(struct tabular *t, struct mf_metrics_reader *reader,
                         const struct mf_metrics_query *query, struct mf_errinfo *err)
{
    struct mf_metrics_result *result;
    int64_t start_ns = query->start_ns;
    int rc = mf_metrics_query(reader, query, &result, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < result->series_count; i++) {
        const struct mf_series_result *series = &result->series[i];
        rc = on_series(t, series, &start_ns);
        for (size_t k = 0; rc == 0 && k < series->point_count; k++) {
            rc = put_point(t, &series->points[k], series->interval_ns, NULL, &series->values[k]);
        }
        rc = rc == 0 ? on_end(t) : rc;
    }
    mf_metrics_result_free(result);
    return rc;
}

int mf__tabular_add(struct tabular *t, struct mf_metrics_reader *reader,
                    const struct mf_metrics_query *query, struct mf_errinfo *err)
{
    const struct mf_metrics_visitor visitor = {on_series, on_point, on_end, t};
    return query->function != MF_FUNCTION_NONE ? with_function(t, reader, query, err)
                                               : mf_metrics_visit(reader, query, &visitor, err);
}
