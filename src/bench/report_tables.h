/* SPDX-License-Identifier: Apache-2.0
 *
 * report_tables.h -- what the tables of a report say, whatever they are written as: the styles of
 * --style, and the remarks below them.
 */
#ifndef BENCH_REPORT_TABLES_H
#define BENCH_REPORT_TABLES_H

#include "bench_report.h"
#include "sheet.h"

/* Gets the tables one by one; `title` and `remark` may be NULL. */
struct table_taker {
    void (*take)(void *context, const char *title, const struct sheet *sheet, const char *remark);
    void *context;
};

/* The tables of the report's style. */
void mf__report_tables(const struct bench_report *report, const struct table_taker *taker);
/* Every benchmark with its figures, a line each. */
void mf__table_full(const struct bench_report *report, const struct table_taker *taker);
/* The targets, if there are any. */
void mf__table_targets(const struct bench_report *report, const struct table_taker *taker);

/* What a reader must know before believing the figures: a sentence each, through `say`. */
void mf__report_remarks(const struct bench_report *report,
                        void (*say)(void *context, const char *sentence), void *context);

const struct bench_comparison *mf__comparison_of(const struct bench_report *report,
                                                 const struct bench_result *result);
enum sheet_cell_kind mf__verdict_kind(const struct bench_comparison *comparison);
const char *mf__band_name(enum bench_band band); /* "good", "warning", "critical" */

#endif
