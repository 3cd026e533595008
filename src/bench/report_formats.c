/* SPDX-License-Identifier: Apache-2.0
 * report_formats.c -- the table of formats, and JSON. */
#include "bench_report.h"
#include "run_json.h"

const struct bench_report_format mf__report_formats[] = {
    {"text", mf__report_text},         {"json", mf__report_json},
    {"markdown", mf__report_markdown}, {"html", mf__report_html},
    {"svg", mf__report_svg},           {"csv", mf__report_csv},
    {"bencher", mf__report_bencher},   {"bmf", mf__report_bmf},
    {"github", mf__report_github},     {NULL, NULL},
};

int mf__report_json(const struct bench_report *report, struct mf_buffer *out,
                    struct mf_errinfo *err)
{
    (void)err;
    mf__run_json_write(out, report->run, report->comparisons, report->comparison_count,
                       MF_JSON_PRETTY, RUN_JSON_SUMMARY);
    return 0;
}
