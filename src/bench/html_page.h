/* SPDX-License-Identifier: Apache-2.0
 * html_page.h -- what the pages of runs and of the history share. */
#ifndef BENCH_HTML_PAGE_H
#define BENCH_HTML_PAGE_H

#include "model.h"

#include "base/buffer.h"

void mf__html_begin(struct mf_buffer *out, const char *title); /* to <body> */
void mf__html_end(struct mf_buffer *out, bool flames);         /* with the scripts */
void mf__html_text(struct mf_buffer *out, const char *text);   /* escaped */
void mf__html_filter(struct mf_buffer *out);                   /* for details.bench[data-name] */
void mf__html_figure(struct mf_buffer *out, const char *caption, const struct mf_buffer *chart);
void mf__html_environment(struct mf_buffer *out, const struct bench_run *run);

#endif
