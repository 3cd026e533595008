/* SPDX-License-Identifier: Apache-2.0
 * report_text.c -- a line for each benchmark. */
#include "bench_report.h"

#include "fmt/units.h"

#include <stdio.h>

static void write_time(struct mf_buffer *out, double ns)
{
    char text[MF_UNITS_LEN];
    if (ns < 1000) {
        mf_buffer_printf(out, "%.3g ns", ns);
    } else {
        mf_buffer_puts(out, mf_format_duration(text, (int64_t)ns));
    }
}

int mf__report_text(const struct bench_report *report, struct mf_buffer *out,
                    struct mf_errinfo *err)
{
    (void)err;
    for (size_t i = 0; i < report->run->result_count; i++) {
        const struct bench_result *result = &report->run->results[i];
        mf_buffer_printf(out, "%s  ", result->name);
        if (result->status != BENCH_OK) {
            mf_buffer_printf(out, "%s: %s\n", result->status == BENCH_FAILED ? "FAILED" : "skipped",
                             result->message != NULL ? result->message : "");
            continue;
        }
        if (result->process_medians == NULL) {
            mf_buffer_puts(out, "ok\n");
            continue;
        }
        const struct bench_estimate *median = &result->median;
        write_time(out, median->point_estimate);
        mf_buffer_puts(out, " [");
        write_time(out, median->confidence_interval.lower_bound);
        mf_buffer_puts(out, " .. ");
        write_time(out, median->confidence_interval.upper_bound);
        mf_buffer_printf(out, "], %zu processes +-%.2g %%\n", result->process_count,
                         100 * result->between_process_fraction);
    }
    return 0;
}
