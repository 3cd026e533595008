/* SPDX-License-Identifier: Apache-2.0
 * empty_template.c -- stands in for the generated page in a build without node or uPlot. */
#include "web/report_template.h"

const unsigned char mf_report_template_head[] = {0};
const size_t mf_report_template_head_length = 0;
const unsigned char mf_report_template_tail[] = {0};
const size_t mf_report_template_tail_length = 0;
