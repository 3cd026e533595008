/* SPDX-License-Identifier: Apache-2.0
 *
 * chart.h -- charts as SVG, for the HTML page (which has their colours) and as files of their own.
 *
 * A chart is 480 units wide, so that its text can be read on a telephone as well as in two columns
 * on a desk. Everything in it has a class; page.css gives the classes colours, light and dark.
 */
#ifndef BENCH_CHART_H
#define BENCH_CHART_H

#include "bench_report.h"

#include "base/buffer.h"

#define CHART_WIDTH 480.0

enum chart_scale { CHART_LINEAR, CHART_LOG };

/* What the numbers of an axis are: decides how they are written. */
enum chart_unit { CHART_TIME, CHART_COUNT, CHART_PERCENT, CHART_NONE };

struct chart_axis {
    double low, high; /* of the data */
    enum chart_scale scale;
    enum chart_unit unit;
    const char *title;
};

struct chart {
    struct mf_buffer *out;
    struct chart_axis x, y;
    double left, right, top, bottom; /* of the plotted area */
    double height;
};

/* <svg> with title, grid and axes; the y axis is left out when its unit is CHART_NONE. Ranges
 * without extent are widened. `left`: room for what stands beside the y axis, 0: as usual. */
void mf__chart_begin(struct chart *chart, struct mf_buffer *out, const char *title,
                     const struct chart_axis *x, const struct chart_axis *y, double height,
                     double left);
void mf__chart_end(struct chart *chart);
double mf__chart_x(const struct chart *chart, double value); /* clamped to the plotted area */
double mf__chart_y(const struct chart *chart, double value);
/* Text at a place; escaped. `anchor` "start", "middle" or "end". */
void mf__chart_text(struct chart *chart, double x, double y, const char *anchor, const char *kind,
                    const char *text);
void mf__chart_line(struct chart *chart, double x1, double y1, double x2, double y2,
                    const char *kind);
/* A dot with a text that shows when it is pointed at; NULL: none. */
void mf__chart_dot(struct chart *chart, double x, double y, double radius, const char *kind,
                   const char *tip);
/* The points of a path: "M" or "L" before each. */
void mf__chart_path_begin(struct chart *chart, const char *kind);
void mf__chart_path_to(struct chart *chart, double x, double y, bool first);
void mf__chart_path_end(struct chart *chart, bool closed);
/* A coordinate or length with one digit behind the point. */
void mf__chart_number(struct mf_buffer *out, double value);

/* Values of round numbers in [low, high], at most `max`. Returns how many. */
size_t mf__chart_ticks(double low, double high, enum chart_scale scale, double *ret_ticks,
                       size_t max);

/* --- charts of one benchmark; each returns false, and writes nothing, when it has no data */

/* Density of the time of an iteration with its samples; `before` may be NULL. */
bool mf__chart_distribution(struct mf_buffer *out, const struct bench_result *now,
                            const struct bench_result *before);
/* Time against iterations, with slope and its interval; linear sampling only. */
bool mf__chart_regression(struct mf_buffer *out, const struct bench_result *result);
/* The time of an iteration in the order of measuring, process after process. */
bool mf__chart_order(struct mf_buffer *out, const struct bench_result *result);
/* Percentiles of single operations; with a rate also of the service alone. */
bool mf__chart_percentiles(struct mf_buffer *out, const struct bench_result *now,
                           const struct bench_result *before);
/* The ratio with its interval between the thresholds. */
bool mf__chart_ratio(struct mf_buffer *out, const struct bench_comparison *comparison);
/* From run to run, with intervals and changes of level. */
bool mf__chart_history(struct mf_buffer *out, const struct trend_series *series);

/* --- charts of a run */

/* All medians with their intervals, or with comparisons all changes. */
bool mf__chart_summary(struct mf_buffer *out, const struct bench_report *report);

/* The link to a benchmark within a page: "b" and 16 digits. */
struct anchor {
    char text[20];
};
struct anchor mf__anchor(const char *name);

/* --- resources of the page, generated from src/bench/page at configure time */
extern const char mf__chart_css[];
extern const char mf__page_css[]; /* with that of the charts */
extern const char mf__page_js[];
extern const char mf__flame_js[];

#endif
