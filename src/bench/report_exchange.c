/* SPDX-License-Identifier: Apache-2.0
 *
 * report_exchange.c -- formats that other programs read.
 *
 *   csv      a line for each benchmark; RFC 4180; an empty field is not known
 *   bencher  the lines of Rust's libtest, which most services know:
 *            test NAME ... bench: 1,234 ns/iter (+/- 56)
 *   bmf      Bencher Metric Format (bencher.dev): {NAME: {"latency": {"value": 1234.5,
 *            "lower_value": .., "upper_value": ..}, "throughput": {...}}}
 *   github   github-action-benchmark, tool customSmallerIsBetter: [{"name": NAME, "unit": "ns",
 *            "value": 1234.5, "range": "± 56", "extra": ".."}]
 */
#include "bench_report.h"
#include "figures.h"
#include "relations.h"
#include "run_json.h"

#include "base/fail.h"
#include "fmt/escape.h"
#include "fmt/json_write.h"
#include "fmt/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- CSV ---- */

static void csv_text(struct mf_buffer *out, const char *text)
{
    mf_csv_field(out, text, strlen(text));
    mf_buffer_putc(out, ',');
}

static void csv_number(struct mf_buffer *out, double value)
{
    char text[MF_NUMBER_LEN];
    if (isfinite(value)) {
        mf_format_double(text, value);
        mf_buffer_puts(out, text);
    }
    mf_buffer_putc(out, ',');
}

static void csv_end(struct mf_buffer *out)
{
    if (!out->failed) {
        out->data[out->len - 1] = '\n'; /* in place of the last comma */
    }
}

static const struct bench_comparison *comparison_of(const struct bench_report *report, size_t index)
{
    const struct bench_result *result = &report->run->results[index];
    for (size_t i = 0; i < report->comparison_count; i++) {
        if (report->comparisons[i].now == result) {
            return &report->comparisons[i];
        }
    }
    return NULL;
}

static void csv_row(const struct bench_report *report, size_t index,
                    const struct bench_result *model, struct mf_buffer *out)
{
    static const char *const statuses[] = {"ok", "failed", "skipped"};
    const struct bench_result *result = &report->run->results[index];
    const bool measured = mf__is_measured(result);
    const double per_second = measured ? 1e9 / result->median.point_estimate : NAN;
    csv_text(out, result->name);
    csv_text(out, statuses[result->status]);
    csv_number(out, measured ? result->median.point_estimate : NAN);
    csv_number(out, measured ? result->median.confidence_interval.lower_bound : NAN);
    csv_number(out, measured ? result->median.confidence_interval.upper_bound : NAN);
    csv_number(out, measured ? result->mean.point_estimate : NAN);
    csv_number(out, measured ? result->std_dev.point_estimate : NAN);
    csv_number(out, measured ? result->minimum_ns : NAN);
    csv_number(out, measured ? result->maximum_ns : NAN);
    for (size_t i = 0; model != NULL && i < model->percentile_count; i++) {
        csv_number(out,
                   measured && i < result->percentile_count && result->percentiles[i].n_needed == 0
                       ? result->percentiles[i].value_ns
                       : NAN);
    }
    csv_number(out, result->elements != 0 ? per_second * (double)result->elements : NAN);
    csv_number(out, result->bytes != 0 ? per_second * (double)result->bytes : NAN);
    csv_number(
        out, mf__bench_named_get(result->resources, result->resource_count, "allocations_per_op"));
    csv_number(out,
               mf__bench_named_get(result->resources, result->resource_count, "peak_memory_bytes"));
    csv_number(out, measured ? (double)result->process_count : NAN);
    csv_number(out, measured ? result->between_process_fraction : NAN);
    if (report->comparison_count > 0) {
        const struct bench_comparison *comparison = comparison_of(report, index);
        csv_number(out, comparison != NULL ? comparison->ratio : NAN);
        csv_number(out, comparison != NULL ? comparison->ratio_interval.lower_bound : NAN);
        csv_number(out, comparison != NULL ? comparison->ratio_interval.upper_bound : NAN);
        csv_number(out, comparison != NULL ? comparison->p_value_adjusted : NAN);
        csv_text(out, comparison != NULL ? mf__verdict_name(comparison->verdict) : "");
    }
    csv_end(out);
}

int mf__report_csv(const struct bench_report *report, struct mf_buffer *out, struct mf_errinfo *err)
{
    (void)err;
    const struct bench_result *model = NULL;
    for (size_t i = 0; i < report->run->result_count && model == NULL; i++) {
        model = mf__is_measured(&report->run->results[i]) ? &report->run->results[i] : NULL;
    }
    mf_buffer_puts(out, "name,status,median_ns,median_lower_ns,median_upper_ns,mean_ns,std_dev_ns,"
                        "minimum_ns,maximum_ns,");
    for (size_t i = 0; model != NULL && i < model->percentile_count; i++) {
        mf_buffer_printf(out, "p%.10g_ns,", model->percentiles[i].percent);
    }
    mf_buffer_puts(out, "elements_per_second,bytes_per_second,allocations_per_op,"
                        "peak_memory_bytes,processes,between_process_fraction,");
    if (report->comparison_count > 0) {
        mf_buffer_puts(out, "ratio,ratio_lower,ratio_upper,p_value,verdict,");
    }
    csv_end(out);
    for (size_t i = 0; i < report->run->result_count; i++) {
        csv_row(report, i, model, out);
    }
    return 0;
}

/* ---- libtest ---- */

/* "230,016"; "0.58" where whole nanoseconds would say nothing. */
static void put_grouped(struct mf_buffer *out, double value)
{
    char digits[64];
    if (value < 100) {
        mf_buffer_printf(out, "%.2f", value);
        return;
    }
    const int len = snprintf(digits, sizeof digits, "%.0f", fmin(value, 1e18));
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            mf_buffer_putc(out, ',');
        }
        mf_buffer_putc(out, digits[i]);
    }
}

int mf__report_bencher(const struct bench_report *report, struct mf_buffer *out,
                       struct mf_errinfo *err)
{
    (void)err;
    for (size_t i = 0; i < report->run->result_count; i++) {
        const struct bench_result *result = &report->run->results[i];
        mf_buffer_printf(out, "test %s ... ", result->name);
        if (result->status == BENCH_FAILED) {
            mf_buffer_puts(out, "FAILED\n");
        } else if (!mf__is_measured(result)) {
            mf_buffer_puts(out, result->status == BENCH_SKIPPED ? "ignored\n" : "ok\n");
        } else {
            mf_buffer_puts(out, "bench: ");
            put_grouped(out, result->median.point_estimate);
            mf_buffer_puts(out, " ns/iter (+/- ");
            put_grouped(out, result->median_abs_dev.point_estimate);
            mf_buffer_puts(out, ")\n");
        }
    }
    return 0;
}

/* ---- JSON of others ---- */

static void bmf_measure(struct mf_json *json, const char *name, double value, double lower,
                        double upper)
{
    mf_json_key(json, name);
    mf_json_begin_object(json);
    mf_json_key_double(json, "value", value);
    if (isfinite(lower) && isfinite(upper)) {
        mf_json_key_double(json, "lower_value", lower);
        mf_json_key_double(json, "upper_value", upper);
    }
    mf_json_end_object(json);
}

int mf__report_bmf(const struct bench_report *report, struct mf_buffer *out, struct mf_errinfo *err)
{
    (void)err;
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    for (size_t i = 0; i < report->run->result_count; i++) {
        const struct bench_result *result = &report->run->results[i];
        if (!mf__is_measured(result)) {
            continue;
        }
        const struct bench_interval *interval = &result->median.confidence_interval;
        const double units = result->bytes != 0      ? (double)result->bytes
                             : result->elements != 0 ? (double)result->elements
                                                     : 1;
        mf_json_key(&json, result->name);
        mf_json_begin_object(&json);
        bmf_measure(&json, "latency", result->median.point_estimate, interval->lower_bound,
                    interval->upper_bound);
        bmf_measure(&json, "throughput", units * 1e9 / result->median.point_estimate,
                    units * 1e9 / interval->upper_bound, units * 1e9 / interval->lower_bound);
        for (size_t k = 0; k < result->percentile_count; k++) {
            const struct bench_percentile *percentile = &result->percentiles[k];
            char name[48];
            snprintf(name, sizeof name, "p%.6g", percentile->percent);
            if (percentile->n_needed == 0) {
                bmf_measure(&json, name, percentile->value_ns,
                            percentile->confidence_interval.lower_bound,
                            percentile->confidence_interval.upper_bound);
            }
        }
        mf_json_end_object(&json);
    }
    mf_json_end_object(&json);
    mf_json_finish(&json);
    return 0;
}

int mf__report_github(const struct bench_report *report, struct mf_buffer *out,
                      struct mf_errinfo *err)
{
    (void)err;
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_PRETTY);
    mf_json_begin_array(&json);
    for (size_t i = 0; i < report->run->result_count; i++) {
        const struct bench_result *result = &report->run->results[i];
        if (!mf__is_measured(result)) {
            continue;
        }
        const struct bench_interval *interval = &result->median.confidence_interval;
        const double half = (interval->upper_bound - interval->lower_bound) / 2;
        char range[FIGURE_LEN + 8];
        char extra[192];
        snprintf(range, sizeof range, "± %s", mf__figure_number(half).text);
        snprintf(extra, sizeof extra, "%zu processes, %s", result->process_count,
                 mf__figure_interval(*interval).text);
        mf_json_begin_object(&json);
        mf_json_key_string(&json, "name", result->name);
        mf_json_key_string(&json, "unit", "ns");
        mf_json_key_double(&json, "value", result->median.point_estimate);
        mf_json_key_string(&json, "range", range);
        mf_json_key_string(&json, "extra", extra);
        mf_json_end_object(&json);
    }
    mf_json_end_array(&json);
    mf_json_finish(&json);
    return 0;
}
