/* SPDX-License-Identifier: Apache-2.0
 * report_template.h -- the page of `mayfly report`, in two halves. A report is the head, the
 * flight's JSON (docs/report.md) as mf_html_json() makes it, and the tail. */
#ifndef WEB_REPORT_TEMPLATE_H
#define WEB_REPORT_TEMPLATE_H

#include <stddef.h>

/* UTF-8. Both lengths are zero where the build had no node or no uPlot. A NUL follows, not counted.
 */
extern const unsigned char mf_report_template_head[];
extern const size_t mf_report_template_head_length;
extern const unsigned char mf_report_template_tail[];
extern const size_t mf_report_template_tail_length;

#endif
