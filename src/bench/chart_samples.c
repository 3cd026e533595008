/* SPDX-License-Identifier: Apache-2.0
 * chart_samples.c -- charts of what was measured of one benchmark; see chart.h. */
#include "chart.h"
#include "figures.h"
#include "relations.h"
#include "statistics.h"

#include "base/heap.h"
#include "fmt/hdr.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DENSITY_POINTS 160
#define DOTS_MAX       600 /* of a chart; of more samples every nth is drawn */
#define HEIGHT         230
#define STRIP          34 /* of the samples, below a density */

static size_t sample_count(const struct bench_result *result)
{
    size_t count = 0;
    for (size_t i = 0; result != NULL && i < result->process_count; i++) {
        count += result->processes[i].sample_count;
    }
    return count;
}

/* The time of an iteration of each sample, in the order of measuring; for mf_free(). */
static double *collect(const struct bench_result *result, size_t *ret_count)
{
    double *values = mf_malloc((sample_count(result) + 1) * sizeof *values);
    size_t count = 0;
    for (size_t i = 0; values != NULL && result != NULL && i < result->process_count; i++) {
        for (size_t k = 0; k < result->processes[i].sample_count; k++) {
            const struct bench_sample *sample = &result->processes[i].samples[k];
            values[count++] = sample->time_ns / (double)sample->iterations;
        }
    }
    *ret_count = count;
    return values;
}

/* ---- distribution ---- */

struct shape {
    double *values; /* in the order of measuring */
    double *sorted;
    size_t count;
    double density[DENSITY_POINTS];
};

static bool shape_of(const struct bench_result *result, struct shape *shape)
{
    memset(shape, 0, sizeof *shape);
    shape->values = collect(result, &shape->count);
    shape->sorted = collect(result, &shape->count);
    if (shape->values == NULL || shape->sorted == NULL) {
        return false;
    }
    if (shape->count > 0) {
        mf__sort_doubles(shape->sorted, shape->count);
    }
    return true;
}

static void free_shape(struct shape *shape)
{
    mf_free(shape->values);
    mf_free(shape->sorted);
}

/* From where to where: without what lies far outside, which would leave the rest one line. */
static void range_of(const struct shape *shape, double *low, double *high)
{
    if (shape->count == 0) {
        return;
    }
    const double q1 = mf__quantile_sorted(shape->sorted, shape->count, 0.25);
    const double q3 = mf__quantile_sorted(shape->sorted, shape->count, 0.75);
    const double reach = fmax(3 * (q3 - q1), 0.002 * q3);
    *low = fmin(*low, fmax(shape->sorted[0], q1 - reach) - 0.7 * (q3 - q1));
    *high = fmax(*high, fmin(shape->sorted[shape->count - 1], q3 + reach) + 0.7 * (q3 - q1));
}

static void draw_density(struct chart *chart, const struct shape *shape, const char *kind)
{
    char name[32];
    snprintf(name, sizeof name, "area %s", kind);
    mf__chart_path_begin(chart, name);
    for (size_t i = 0; i < DENSITY_POINTS; i++) {
        const double part = (double)i / (DENSITY_POINTS - 1);
        const double x = chart->left + part * (chart->right - chart->left);
        if (i == 0) {
            mf__chart_path_to(chart, x, chart->bottom, true);
        }
        mf__chart_path_to(chart, x, mf__chart_y(chart, shape->density[i]), false);
    }
    mf__chart_path_to(chart, chart->right, chart->bottom, false);
    mf__chart_path_end(chart, true);
}

/* Below the axis of the density, spread so that equal ones can be seen. */
static void draw_strip(struct chart *chart, const struct shape *shape, double top, const char *kind)
{
    const size_t stride = 1 + shape->count / DOTS_MAX;
    char name[32];
    snprintf(name, sizeof name, "dot %s", kind);
    for (size_t i = 0; i < shape->count; i += stride) {
        const double spread = fmod((double)i * 0.618033988749895, 1);
        mf__chart_dot(chart, mf__chart_x(chart, shape->values[i]), top + spread * (STRIP - 8) + 4,
                      1.8, name, NULL);
    }
}

static void draw_median(struct chart *chart, const struct bench_result *result, const char *kind)
{
    char name[32];
    const struct bench_interval *interval = &result->median.confidence_interval;
    const double left = mf__chart_x(chart, interval->lower_bound);
    const double right = mf__chart_x(chart, interval->upper_bound);
    mf_buffer_printf(chart->out,
                     "<rect class=\"band %s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                     "height=\"%.1f\"/>",
                     kind, left, chart->top, fmax(right - left, 1), chart->bottom - chart->top);
    const double x = mf__chart_x(chart, result->median.point_estimate);
    snprintf(name, sizeof name, "middle %s", kind);
    mf__chart_line(chart, x, chart->top, x, chart->bottom, name);
}

bool mf__chart_distribution(struct mf_buffer *out, const struct bench_result *now,
                            const struct bench_result *before)
{
    struct shape shapes[2];
    const bool whole = shape_of(now, &shapes[0]) && shape_of(before, &shapes[1]);
    if (!whole || shapes[0].count < 2) {
        out->failed = out->failed || !whole;
        free_shape(&shapes[0]);
        free_shape(&shapes[1]);
        return false;
    }
    double low = INFINITY;
    double high = 0;
    range_of(&shapes[0], &low, &high);
    range_of(&shapes[1], &low, &high);
    low = fmax(low, 0);
    const struct chart_axis x = {low, high, CHART_LINEAR, CHART_TIME, "time of an iteration"};
    double peak = 0;
    for (size_t i = 0; i < 2; i++) {
        if (shapes[i].count >= 2) {
            mf__density(shapes[i].sorted, shapes[i].count, low, high, DENSITY_POINTS,
                        shapes[i].density);
        }
        for (size_t k = 0; k < DENSITY_POINTS; k++) {
            peak = fmax(peak, isfinite(shapes[i].density[k]) ? shapes[i].density[k] : 0);
        }
    }
    const struct chart_axis y = {0, 1.05 * peak, CHART_LINEAR, CHART_NONE, NULL};
    const bool two = shapes[1].count >= 2;
    struct chart chart;
    const double strips = two ? 2 * STRIP : STRIP;
    mf__chart_begin(&chart, out, "Distribution of the time of an iteration", &x, &y,
                    HEIGHT + strips, 0);
    chart.bottom -= strips; /* the samples stand between density and axis */
    if (two) {
        draw_density(&chart, &shapes[1], "before");
        draw_median(&chart, before, "before");
        draw_strip(&chart, &shapes[1], chart.bottom + STRIP, "before");
    }
    draw_density(&chart, &shapes[0], "now");
    draw_median(&chart, now, "now");
    draw_strip(&chart, &shapes[0], chart.bottom, "now");
    mf__chart_line(&chart, chart.left, chart.bottom, chart.right, chart.bottom, "axis");
    mf__chart_end(&chart);
    free_shape(&shapes[0]);
    free_shape(&shapes[1]);
    return true;
}

/* ---- regression ---- */

bool mf__chart_regression(struct mf_buffer *out, const struct bench_result *result)
{
    const size_t count = sample_count(result);
    if (result->mode != MF_BENCH_LINEAR || count < 2 || !isfinite(result->slope.point_estimate)) {
        return false;
    }
    double most = 0;
    double longest = 0;
    for (size_t i = 0; i < result->process_count; i++) {
        for (size_t k = 0; k < result->processes[i].sample_count; k++) {
            most = fmax(most, (double)result->processes[i].samples[k].iterations);
            longest = fmax(longest, result->processes[i].samples[k].time_ns);
        }
    }
    const struct chart_axis x = {0, most, CHART_LINEAR, CHART_COUNT, "iterations of a sample"};
    const struct chart_axis y = {0, longest, CHART_LINEAR, CHART_TIME, "time of a sample"};
    const struct bench_interval *interval = &result->slope.confidence_interval;
    struct chart chart;
    mf__chart_begin(&chart, out, "Time against iterations", &x, &y, HEIGHT + 20, 0);
    mf__chart_path_begin(&chart, "band now");
    mf__chart_path_to(&chart, mf__chart_x(&chart, 0), mf__chart_y(&chart, 0), true);
    mf__chart_path_to(&chart, chart.right, mf__chart_y(&chart, interval->lower_bound * most),
                      false);
    mf__chart_path_to(&chart, chart.right, mf__chart_y(&chart, interval->upper_bound * most),
                      false);
    mf__chart_path_end(&chart, true);
    const size_t stride = 1 + count / DOTS_MAX;
    size_t at = 0;
    for (size_t i = 0; i < result->process_count; i++) {
        for (size_t k = 0; k < result->processes[i].sample_count; k++) {
            const struct bench_sample *sample = &result->processes[i].samples[k];
            if (at++ % stride == 0) {
                mf__chart_dot(&chart, mf__chart_x(&chart, (double)sample->iterations),
                              mf__chart_y(&chart, sample->time_ns), 2, "dot now", NULL);
            }
        }
    }
    mf__chart_line(&chart, mf__chart_x(&chart, 0), mf__chart_y(&chart, 0), chart.right,
                   mf__chart_y(&chart, result->slope.point_estimate * most), "middle now");
    char text[160];
    snprintf(text, sizeof text, "%s an iteration, R² %.4f",
             mf__figure_time(result->slope.point_estimate).text, result->r_squared);
    mf__chart_text(&chart, chart.left + 8, chart.top + 14, "start", "label", text);
    mf__chart_end(&chart);
    return true;
}

/* ---- order ---- */

bool mf__chart_order(struct mf_buffer *out, const struct bench_result *result)
{
    struct shape shape;
    const bool whole = shape_of(result, &shape);
    if (!whole || shape.count < 2) {
        out->failed = out->failed || !whole;
        free_shape(&shape);
        return false;
    }
    double low = INFINITY;
    double high = 0;
    range_of(&shape, &low, &high);
    const struct chart_axis x = {0, (double)shape.count, CHART_LINEAR, CHART_COUNT,
                                 "samples in the order of measuring"};
    const struct chart_axis y = {fmax(low, 0), high, CHART_LINEAR, CHART_TIME,
                                 "time of an iteration"};
    const size_t stride = 1 + shape.count / DOTS_MAX;
    struct chart chart;
    mf__chart_begin(&chart, out, "Samples in the order of measuring, process after process", &x, &y,
                    HEIGHT + 20, 0);
    size_t at = 0;
    for (size_t i = 0; i < result->process_count; i++) {
        const size_t begin = at;
        char tip[96];
        snprintf(tip, sizeof tip, "process %u", result->processes[i].index);
        for (size_t k = 0; k < result->processes[i].sample_count; k++, at++) {
            if (at % stride == 0) {
                mf__chart_dot(&chart, mf__chart_x(&chart, (double)at + 0.5),
                              mf__chart_y(&chart, shape.values[at]), 2,
                              i % 2 == 0 ? "dot now" : "dot other", tip);
            }
        }
        const double median = mf__chart_y(&chart, result->process_medians[i]);
        mf__chart_line(&chart, mf__chart_x(&chart, (double)begin), median,
                       mf__chart_x(&chart, (double)at), median, "middle now");
    }
    mf__chart_end(&chart);
    free_shape(&shape);
    return true;
}

/* ---- percentiles ---- */

/* One without its tail: 0 at 0 %, 1 at 90 %, 2 at 99 %, .. */
static double nines(double fraction)
{
    return -log10(fmax(1 - fraction, 1e-9));
}

static void draw_percentiles(struct chart *chart, const struct mf_hdr *hdr, const char *kind)
{
    char name[32];
    snprintf(name, sizeof name, "curve %s", kind);
    mf__chart_path_begin(chart, name);
    const double end = nines(1 - 1 / (double)hdr->count);
    for (int i = 0; i <= 120; i++) {
        const double at = end * i / 120;
        const double fraction = 1 - pow(10, -at);
        mf__chart_path_to(chart, mf__chart_x(chart, at),
                          mf__chart_y(chart, (double)mf_hdr_quantile(hdr, fraction)), i == 0);
    }
    mf__chart_path_end(chart, false);
}

bool mf__chart_percentiles(struct mf_buffer *out, const struct bench_result *now,
                           const struct bench_result *before)
{
    const struct mf_hdr *all[] = {
        before != NULL ? before->latency : NULL,
        now->service,
        now->latency,
    };
    static const char *const kinds[] = {"before", "other", "now"};
    static const char *const labels[] = {"", "0", "90", "99", "99.9", "99.99", "99.999"};
    if (now->latency == NULL || now->latency->count < 20) {
        return false;
    }
    double low = INFINITY;
    double high = 1;
    double end = 1;
    for (size_t i = 0; i < 3; i++) {
        if (all[i] != NULL && all[i]->count > 1) {
            low = fmin(low, (double)all[i]->min);
            high = fmax(high, (double)all[i]->max);
            end = fmax(end, nines(1 - 1 / (double)all[i]->count));
        }
    }
    const struct chart_axis x = {0, end, CHART_LINEAR, CHART_NONE, NULL};
    const struct chart_axis y = {fmax(low, 1), high, CHART_LOG, CHART_TIME,
                                 "time of a single operation"};
    struct chart chart;
    mf__chart_begin(&chart, out, "Percentiles of single operations", &x, &y, HEIGHT + 20, 0);
    const double bottom = chart.bottom;
    for (int i = 0; i < 6 && i <= end; i++) {
        char text[16];
        snprintf(text, sizeof text, "p%s", labels[i + 1]);
        const double at = mf__chart_x(&chart, i);
        mf__chart_line(&chart, at, chart.top, at, bottom, "grid");
        mf__chart_text(&chart, at, bottom + 11, i == 0 ? "start" : "middle", "tick", text);
    }
    for (size_t i = 0; i < 3; i++) {
        if (all[i] != NULL && all[i]->count > 1) {
            draw_percentiles(&chart, all[i], kinds[i]);
        }
    }
    if (now->service != NULL) {
        mf__chart_text(&chart, chart.left + 8, chart.top + 14, "start", "label key-now",
                       "from the intended start");
        mf__chart_text(&chart, chart.left + 8, chart.top + 30, "start", "label key-other",
                       "from the actual start");
    }
    mf__chart_end(&chart);
    return true;
}
