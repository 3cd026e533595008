/* SPDX-License-Identifier: Apache-2.0
 *
 * report.h -- a flight as a document: the JSON that the HTML page holds (docs/report.md), and
 * Markdown for the summary of a CI job. */
#ifndef FLIGHT_REPORT_H
#define FLIGHT_REPORT_H

#include "flight/compare.h"
#include "flight/story.h"
#include "fmt/json_write.h"

/* Longer series are reduced, keeping minimum and maximum of what each point stands for. */
#define MF_REPORT_POINTS_MAX 2000
/* Of more processes those that failed, used most CPU time or memory, and their ancestors are kept.
 */
#define MF_REPORT_PROCESSES_MAX 5000
#define MF_REPORT_EVENTS_MAX    5000
/* Of longer output the beginning and the end are kept. */
#define MF_REPORT_HEAD_BYTES ((size_t)512 << 10)
#define MF_REPORT_TAIL_BYTES ((size_t)1536 << 10)
#define MF_REPORT_LINES_MAX  20000 /* half of them head, half tail */
#define MF_REPORT_LINE_BYTES ((size_t)16 << 10)

/* Writes the object of the schema. Errors: -ENOMEM; what cannot be read of the output is a note in
 * it. */
MF_MUST_CHECK int mf_report_json(struct mf_json *json, const struct mf_story *story,
                                 struct mf_errinfo *err);

/* Appends GitHub-flavoured Markdown: outcome, totals, a chart of the processes (mermaid), the last
 * lines of stderr, and details to unfold. `lines_max`: of output. At most about 60 KB whatever the
 * flight. */
MF_MUST_CHECK int mf_report_markdown(struct mf_buffer *out, const struct mf_story *story,
                                     size_t lines_max, struct mf_errinfo *err);

/* The same for comparisons. */
void mf_compare_markdown(struct mf_buffer *out, const struct mf_comparison *comparison);
void mf_history_markdown(struct mf_buffer *out, const struct mf_flight_info *info,
                         const struct mf_history *history);

#endif
