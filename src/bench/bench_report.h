/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_report.h -- what is printed of a run. A format is a function that turns the same data into
 * text; they stand in a table under the names of --output-format.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "config.h"
#include "model.h"
#include "trend.h"

#include "base/buffer.h"

/* A target of benchmark.toml, met or not. */
enum bench_band { BAND_GOOD, BAND_WARNING, BAND_CRITICAL };
struct bench_check {
    const struct bench_result *result;
    const struct bench_target *target;
    double value; /* of the metric; NaN: this benchmark does not have it */
    enum bench_band band;
};

/* The stacks that a profiler has found in a benchmark, folded (flame.h). */
struct bench_profile {
    const struct bench_result *result;
    const char *kind; /* "cpu", "alloc" */
    char *folded;
};

struct bench_report {
    const struct bench_run *run;
    const struct bench_comparison *comparisons; /* one for each result, or none at all */
    size_t comparison_count;
    const struct bench_check *checks;
    size_t check_count;
    const char *style;                    /* of --style: "full", "ratio", "overhead", "trend" */
    const char *title;                    /* what it is compared with, "baseline main"; or NULL */
    double threshold_fraction;            /* of stored results: a trend beyond it is "slower" */
    const struct trend *trend;            /* the history; or NULL */
    const struct bench_profile *profiles; /* what profilers have found */
    size_t profile_count;
    bool colored;
    int columns; /* of the terminal; 0: none */
};

/* 0, or an error. Running out of memory may show in out->failed only. */
typedef int bench_report_function(const struct bench_report *report, struct mf_buffer *out,
                                  struct mf_errinfo *err);

struct bench_report_format {
    const char *name;
    bench_report_function *write;
};
extern const struct bench_report_format mf__report_formats[]; /* ends without a name */

bench_report_function mf__report_text;
bench_report_function mf__report_json;
bench_report_function mf__report_markdown;
bench_report_function mf__report_csv;
bench_report_function mf__report_bencher;
bench_report_function mf__report_bmf;
bench_report_function mf__report_github;
bench_report_function mf__report_html;
bench_report_function mf__report_svg;

#endif
