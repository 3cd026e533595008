/* SPDX-License-Identifier: Apache-2.0
 * escape.h -- text from elsewhere put into CSV and HTML. JSON strings are in json_write.h,
 * terminals in terminal.h. [any-thread] */
#ifndef FMT_ESCAPE_H
#define FMT_ESCAPE_H

#include "base/buffer.h"

#include <stddef.h>

/* Appends one CSV field (RFC 4180): quoted when it holds a comma, a quote, a line end, or begins or
 * ends with a blank; other bytes go through unchanged. Separators and line ends are the caller's.
 */
void mf_csv_field(struct mf_buffer *out, const char *bytes, size_t len);

/* Appends text for an HTML element or a quoted attribute: & < > " ' are escaped; ill-formed UTF-8,
 * U+0000 and the control characters that HTML forbids become U+FFFD. */
void mf_html_text(struct mf_buffer *out, const char *bytes, size_t len);

/* Appends JSON for the inside of a <script> element: with '<' as \u003c nothing in it can end the
 * element or begin a comment, and U+2028 and U+2029 are escaped for old parsers. `json` must be
 * well-formed. */
void mf_html_json(struct mf_buffer *out, const char *json, size_t len);

#endif
