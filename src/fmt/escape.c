/* SPDX-License-Identifier: Apache-2.0
 * escape.c -- see escape.h. */
#include "fmt/escape.h"
#include "fmt/utf8.h"

#include <stdbool.h>
#include <string.h>

void mf_csv_field(struct mf_buffer *out, const char *bytes, size_t len)
{
    bool quoted = len != 0 && (bytes[0] == ' ' || bytes[len - 1] == ' ');
    for (size_t i = 0; i < len && !quoted; i++) {
        quoted = bytes[i] == ',' || bytes[i] == '"' || bytes[i] == '\n' || bytes[i] == '\r';
    }
    if (!quoted) {
        mf_buffer_append(out, bytes, len);
        return;
    }
    mf_buffer_putc(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '"') {
            mf_buffer_putc(out, '"');
        }
        mf_buffer_putc(out, bytes[i]);
    }
    mf_buffer_putc(out, '"');
}

/* What stands for a code point in HTML; NULL when it stands for itself. */
static const char *html_entity(uint32_t code_point)
{
    switch (code_point) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\t':
    case '\n':
    case '\r':
    case '\f':
        return NULL;
    default:
        break;
    }
    const bool control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
    return control || code_point == MF_UTF8_INVALID ? "\xef\xbf\xbd" : NULL;
}

void mf_html_text(struct mf_buffer *out, const char *bytes, size_t len)
{
    size_t plain = 0;
    size_t at = 0;
    for (size_t used; at < len; at += used) {
        const char *entity = html_entity(mf_utf8_get(bytes + at, len - at, &used));
        if (entity != NULL) {
            mf_buffer_append(out, bytes + plain, at - plain);
            mf_buffer_puts(out, entity);
            plain = at + used;
        }
    }
    mf_buffer_append(out, bytes + plain, at - plain);
}

void mf_html_json(struct mf_buffer *out, const char *json, size_t len)
{
    size_t plain = 0;
    size_t at = 0;
    for (size_t used; at < len; at += used) {
        const uint32_t code_point = mf_utf8_get(json + at, len - at, &used);
        const char *escape = code_point == '<'      ? "\\u003c"
                             : code_point == 0x2028 ? "\\u2028"
                             : code_point == 0x2029 ? "\\u2029"
                                                    : NULL;
        if (escape != NULL) {
            mf_buffer_append(out, json + plain, at - plain);
            mf_buffer_puts(out, escape);
            plain = at + used;
        }
    }
    mf_buffer_append(out, json + plain, at - plain);
}
