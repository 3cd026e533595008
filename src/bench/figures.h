/* SPDX-License-Identifier: Apache-2.0
 *
 * figures.h -- figures as people read them: three digits and a unit. What is not known is "n/a".
 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include "model.h"

#define FIGURE_LEN 56

struct figure {
    char text[FIGURE_LEN];
};

struct figure mf__figure_number(double value);              /* "0.25", "12 300" without the blank */
struct figure mf__figure_time(double ns);                   /* "0.58 ns", "12.3 µs", "1.25 s" */
struct figure mf__figure_size(double bytes);                /* "1.5 KiB" */
struct figure mf__figure_percent(double fraction);          /* "0.55 %" */
struct figure mf__figure_change(double ratio);              /* 1.0078: "+0.78 %" */
struct figure mf__figure_ratio(double ratio);               /* of times: "49.7× slower" */
struct figure mf__figure_speedup(double ratio);             /* "6.4×" */
struct figure mf__figure_interval(struct bench_interval i); /* of times: "25.9 .. 37.6 ns" */
/* Elements, or bytes, or nothing, in a second. */
struct figure mf__figure_throughput(const struct bench_result *result);
/* "43 ns"; "<25 ns" of single operations below what reading the clock costs; "n/a (need n >=
 * 368)". */
struct figure mf__figure_percentile(const struct bench_percentile *percentile,
                                    double timer_cost_ns);
/* A metric, resource or counter in the unit that its name ends with. */
struct figure mf__figure_metric(const char *name, double value);

#endif
