/* SPDX-License-Identifier: Apache-2.0
 * chart.c -- frame, axes and shapes of charts; see chart.h. */
#include "chart.h"

#include "base/check.h"
#include "base/hash.h"
#include "fmt/escape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TICKS_MAX   12
#define TICKS_GOOD  7
#define LEFT        54
#define RIGHT       12
#define TOP         10
#define BOTTOM      40
#define BOTTOM_BARE 16

struct anchor mf__anchor(const char *name)
{
    struct anchor anchor;
    snprintf(anchor.text, sizeof anchor.text, "b%016llx",
             (unsigned long long)mf_hash64(name, strlen(name)));
    return anchor;
}

void mf__chart_number(struct mf_buffer *out, double value)
{
    char text[32];
    const double bounded = fmin(fmax(value, -1e6), 1e6);
    int len = snprintf(text, sizeof text, "%.1f", bounded);
    if (len > 2 && text[len - 1] == '0' && text[len - 2] == '.') {
        len -= 2;
    }
    if (len == 2 && memcmp(text, "-0", 2) == 0) {
        memcpy(text, "0", 2);
        len = 1;
    }
    mf_buffer_append(out, text, (size_t)len);
}

static void attribute(struct mf_buffer *out, const char *name, double value)
{
    mf_buffer_printf(out, " %s=\"", name);
    mf__chart_number(out, value);
    mf_buffer_putc(out, '"');
}

/* ---- ticks ---- */

static size_t linear_ticks(double low, double high, double *ticks, size_t max)
{
    const double raw = (high - low) / TICKS_GOOD;
    const double power = pow(10, floor(log10(raw)));
    const double part = raw / power;
    const double step = power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
    size_t count = 0;
    for (double k = ceil(low / step - 1e-9); k * step <= high + 1e-9 * step && count < max; k++) {
        ticks[count++] = k * step;
    }
    return count;
}

static size_t log_ticks(double low, double high, double *ticks, size_t max)
{
    const double decades = log10(high / low);
    const double stride = decades > 8 ? 3 : decades > 5 ? 2 : 1;
    const bool fine = decades < 2.6;
    size_t count = 0;
    for (double power = floor(log10(low)); power <= ceil(log10(high)); power++) {
        for (int m = 1; m <= 5; m = m == 1 ? 2 : m + 3) {
            const double value = m * pow(10, power);
            const bool wanted = (m == 1 && fmod(fabs(power), stride) == 0) || (m > 1 && fine);
            if (wanted && value >= low * 0.999 && value <= high * 1.001 && count < max) {
                ticks[count++] = value;
            }
        }
    }
    return count;
}

size_t mf__chart_ticks(double low, double high, enum chart_scale scale, double *ret_ticks,
                       size_t max)
{
    if (scale == CHART_LOG && high / low > 3) {
        return log_ticks(low, high, ret_ticks, max);
    }
    return linear_ticks(low, high, ret_ticks, max);
}

/* ---- labels ---- */

struct time_unit {
    double scale;
    const char *name;
};

static struct time_unit time_unit(double ns)
{
    static const struct time_unit units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}, {1, "ns"}};
    size_t i = 0;
    while (i + 1 < sizeof units / sizeof units[0] && ns < units[i].scale) {
        i++;
    }
    return units[i];
}

/* Ticks of a linear axis of times share the unit that stands in its title. */
static void tick_label(char *out, size_t capacity, const struct chart_axis *axis, double value)
{
    const bool shared = axis->scale == CHART_LINEAR;
    value = fabs(value) < 1e-9 * fabs(axis->high - axis->low) ? 0 : value; /* and never -0 */
    struct time_unit unit = time_unit(shared ? axis->high : value);
    switch (axis->unit) {
    case CHART_TIME:
        snprintf(out, capacity, "%.6g%s%s", value / unit.scale, shared ? "" : " ",
                 shared ? "" : unit.name);
        return;
    case CHART_PERCENT:
        snprintf(out, capacity, value != 0 ? "%+.4g %%" : "%.4g %%", 100 * value);
        return;
    case CHART_COUNT:
        unit = value >= 1e9   ? (struct time_unit){1e9, " G"}
               : value >= 1e6 ? (struct time_unit){1e6, " M"}
               : value >= 1e4 ? (struct time_unit){1e3, " k"}
                              : (struct time_unit){1, ""};
        snprintf(out, capacity, "%.6g%s", value / unit.scale, unit.name);
        return;
    case CHART_NONE:
        break;
    }
    out[0] = '\0';
}

static void axis_title(char *out, size_t capacity, const struct chart_axis *axis)
{
    const bool unit = axis->unit == CHART_TIME && axis->scale == CHART_LINEAR;
    snprintf(out, capacity, "%s%s%s", axis->title, unit ? ", " : "",
             unit ? time_unit(axis->high).name : "");
}

/* ---- frame ---- */

static void widen(struct chart_axis *axis)
{
    if (!isfinite(axis->low) || !isfinite(axis->high) || axis->high < axis->low) {
        axis->low = 0;
        axis->high = 1;
    }
    if (axis->scale == CHART_LOG) {
        axis->low = fmax(axis->low, 1e-3);
        axis->high = fmax(axis->high, axis->low * 1.0001);
    }
    const double size = fmax(fabs(axis->low), fabs(axis->high));
    if (axis->high - axis->low < 1e-6 * size || axis->high == axis->low) {
        const double middle = (axis->high + axis->low) / 2;
        const double half = size > 0 ? 0.05 * size : 0.5;
        axis->low = middle - half;
        axis->high = middle + half;
    }
}

static double position(const struct chart_axis *axis, double value)
{
    const double part = axis->scale == CHART_LOG
                            ? log(fmax(value, 1e-9) / axis->low) / log(axis->high / axis->low)
                            : (value - axis->low) / (axis->high - axis->low);
    return isnan(part) ? 0 : fmin(fmax(part, 0), 1);
}

double mf__chart_x(const struct chart *chart, double value)
{
    return chart->left + position(&chart->x, value) * (chart->right - chart->left);
}

double mf__chart_y(const struct chart *chart, double value)
{
    return chart->bottom - position(&chart->y, value) * (chart->bottom - chart->top);
}

void mf__chart_line(struct chart *chart, double x1, double y1, double x2, double y2,
                    const char *kind)
{
    mf_buffer_printf(chart->out, "<line class=\"%s\"", kind);
    attribute(chart->out, "x1", x1);
    attribute(chart->out, "y1", y1);
    attribute(chart->out, "x2", x2);
    attribute(chart->out, "y2", y2);
    mf_buffer_puts(chart->out, "/>");
}

void mf__chart_text(struct chart *chart, double x, double y, const char *anchor, const char *kind,
                    const char *text)
{
    mf_buffer_printf(chart->out, "<text class=\"%s\" text-anchor=\"%s\"", kind, anchor);
    attribute(chart->out, "x", x);
    attribute(chart->out, "y", y);
    mf_buffer_putc(chart->out, '>');
    mf_html_text(chart->out, text, strlen(text));
    mf_buffer_puts(chart->out, "</text>");
}

void mf__chart_dot(struct chart *chart, double x, double y, double radius, const char *kind,
                   const char *tip)
{
    mf_buffer_printf(chart->out, "<circle class=\"%s\"", kind);
    attribute(chart->out, "cx", x);
    attribute(chart->out, "cy", y);
    attribute(chart->out, "r", radius);
    if (tip == NULL) {
        mf_buffer_puts(chart->out, "/>");
        return;
    }
    mf_buffer_puts(chart->out, "><title>");
    mf_html_text(chart->out, tip, strlen(tip));
    mf_buffer_puts(chart->out, "</title></circle>");
}

void mf__chart_path_begin(struct chart *chart, const char *kind)
{
    mf_buffer_printf(chart->out, "<path class=\"%s\" d=\"", kind);
}

void mf__chart_path_to(struct chart *chart, double x, double y, bool first)
{
    mf_buffer_putc(chart->out, first ? 'M' : 'L');
    mf__chart_number(chart->out, x);
    mf_buffer_putc(chart->out, ' ');
    mf__chart_number(chart->out, y);
}

void mf__chart_path_end(struct chart *chart, bool closed)
{
    mf_buffer_puts(chart->out, closed ? "Z\"/>" : "\"/>");
}

static void draw_x(struct chart *chart)
{
    double ticks[TICKS_MAX];
    char text[64];
    const size_t count =
        mf__chart_ticks(chart->x.low, chart->x.high, chart->x.scale, ticks, TICKS_MAX);
    for (size_t i = 0; i < count && chart->x.unit != CHART_NONE; i++) {
        const double x = mf__chart_x(chart, ticks[i]);
        mf__chart_line(chart, x, chart->top, x, chart->bottom, "grid");
        tick_label(text, sizeof text, &chart->x, ticks[i]);
        const bool edge = x > chart->right - 14; /* where half of it would lie outside */
        mf__chart_text(chart, edge ? CHART_WIDTH - 2 : x, chart->bottom + 14,
                       edge ? "end" : "middle", "tick", text);
    }
    mf__chart_line(chart, chart->left, chart->bottom, chart->right, chart->bottom, "axis");
    if (chart->x.title != NULL) {
        axis_title(text, sizeof text, &chart->x);
        mf__chart_text(chart, (chart->left + chart->right) / 2, chart->bottom + 31, "middle",
                       "label", text);
    }
}

static void draw_y(struct chart *chart)
{
    double ticks[TICKS_MAX];
    char text[64];
    const size_t count =
        mf__chart_ticks(chart->y.low, chart->y.high, chart->y.scale, ticks, TICKS_MAX);
    for (size_t i = 0; i < count; i++) {
        const double y = mf__chart_y(chart, ticks[i]);
        mf__chart_line(chart, chart->left, y, chart->right, y, "grid");
        tick_label(text, sizeof text, &chart->y, ticks[i]);
        mf__chart_text(chart, chart->left - 6, y + 4, "end", "tick", text);
    }
    if (chart->y.title != NULL) {
        axis_title(text, sizeof text, &chart->y);
        mf__chart_text(chart, 2, chart->top - 8, "start", "label", text);
    }
}

void mf__chart_begin(struct chart *chart, struct mf_buffer *out, const char *title,
                     const struct chart_axis *x, const struct chart_axis *y, double height,
                     double left)
{
    *chart = (struct chart){.out = out, .x = *x, .y = *y, .height = height};
    widen(&chart->x);
    widen(&chart->y);
    const bool titled = y->unit != CHART_NONE && y->title != NULL;
    chart->left = left > 0 ? left : y->unit != CHART_NONE ? LEFT : RIGHT;
    chart->right = CHART_WIDTH - RIGHT;
    chart->top = titled ? TOP + 14 : TOP;
    chart->bottom = height - (x->unit != CHART_NONE ? BOTTOM : BOTTOM_BARE);
    mf_buffer_printf(out,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" "
                     "viewBox=\"0 0 %.0f %.0f\"><title>",
                     CHART_WIDTH, height);
    mf_html_text(out, title, strlen(title));
    mf_buffer_puts(out, "</title>");
    if (y->unit != CHART_NONE) {
        draw_y(chart);
    }
    draw_x(chart);
}

void mf__chart_end(struct chart *chart)
{
    mf_buffer_puts(chart->out, "</svg>\n");
}
