/* SPDX-License-Identifier: Apache-2.0
 * markdown.h -- text from elsewhere put into GitHub-flavoured Markdown. */
#ifndef FMT_MARKDOWN_H
#define FMT_MARKDOWN_H

#include "base/buffer.h"

#include <stddef.h>

/* As plain text on one line: what Markdown or HTML would take for its own is escaped; control
 * sequences are gone, at most `columns_max` columns are kept. */
void mf_markdown_text(struct mf_buffer *out, const char *text, size_t columns_max);
/* The same as a code span that is also safe in a table. */
void mf_markdown_code(struct mf_buffer *out, const char *text, size_t columns_max);
/* As a label in a mermaid chart. */
void mf_mermaid_text(struct mf_buffer *out, const char *text, size_t columns_max);
/* A fenced block with the lines of `text`. */
void mf_markdown_block(struct mf_buffer *out, const char *text, size_t len);

#endif
