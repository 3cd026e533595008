/* SPDX-License-Identifier: Apache-2.0
 * report_svg.c -- one picture of a run: all medians, or all changes; with colours of its own. */
#include "chart.h"

#include "base/fail.h"

#include <string.h>

int mf__report_svg(const struct bench_report *report, struct mf_buffer *out, struct mf_errinfo *err)
{
    struct mf_buffer chart = MF_BUFFER_INIT;
    if (!mf__chart_summary(&chart, report)) {
        mf_buffer_free(&chart);
        return mf_fail(err, MF_ENOTFOUND, "there is nothing measured to draw");
    }
    if (!chart.failed) {
        const size_t head = strcspn(chart.data, ">") + 1;
        mf_buffer_append(out, chart.data, head);
        mf_buffer_puts(out, "<style>\n");
        mf_buffer_puts(out, mf__chart_css);
        mf_buffer_puts(out, "svg { background: var(--card); }\n</style>\n");
        mf_buffer_append(out, chart.data + head, chart.len - head);
    }
    out->failed = out->failed || chart.failed;
    mf_buffer_free(&chart);
    return 0;
}
