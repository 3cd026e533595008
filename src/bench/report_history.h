/* SPDX-License-Identifier: Apache-2.0
 * report_history.h -- what `bench history` writes. */
#ifndef BENCH_REPORT_HISTORY_H
#define BENCH_REPORT_HISTORY_H

#include "sheet.h"
#include "trend.h"

struct history_report {
    const struct trend *trend;
    double threshold_fraction; /* against the first run; beyond it is "slower" */
    bool colored;
    int columns; /* of the terminal; 0: none */
};

/* In a format of --output-format. Running out of memory may show in out->failed only. */
int mf__history_write(const struct history_report *report, const char *format,
                      struct mf_buffer *out, struct mf_errinfo *err);

void mf__history_html(const struct history_report *report, struct mf_buffer *out);

/* Date, commit, median, trend of each run; the sheet is empty before. */
void mf__history_sheet(const struct trend_series *series, double threshold, struct sheet *sheet);

#endif
