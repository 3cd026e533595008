/* SPDX-License-Identifier: Apache-2.0
 * terminal_clean.c -- see terminal_clean.h. */
#include "fmt/terminal_clean.h"
#include "fmt/terminal.h"
#include "fmt/utf8.h"

#include <string.h>

#define ESC 0x1b
#define BEL 0x07

/* The sequence that begins with the ESC at bytes[0]: its length, or 0 when it is none or
 * incomplete. *ret_is_color: it is "select graphic rendition". */
static size_t sequence_len(const char *bytes, size_t len, bool *ret_is_color)
{
    *ret_is_color = false;
    if (len < 2) {
        return 0;
    }
    size_t at = 2;
    if (bytes[1] == '[') {
        bool digits_only = true;
        while (at < len && bytes[at] >= 0x20 && bytes[at] <= 0x3f) {
            digits_only =
                digits_only && ((bytes[at] >= '0' && bytes[at] <= '9') || strchr(";:", bytes[at]));
            at++;
        }
        if (at == len || bytes[at] < 0x40 || bytes[at] > 0x7e) {
            return 0;
        }
        *ret_is_color = bytes[at] == 'm' && digits_only;
        return at + 1;
    }
    if (strchr("]PX^_", bytes[1]) != NULL) { /* strings, up to BEL or ESC \ */
        for (; at < len; at++) {
            if (bytes[at] == BEL && bytes[1] == ']') {
                return at + 1;
            }
            if (bytes[at] == ESC) {
                return at + 1 < len && bytes[at + 1] == '\\' ? at + 2 : 0;
            }
        }
        return 0;
    }
    at = 1;
    while (at < len && bytes[at] >= 0x20 && bytes[at] <= 0x2f) {
        at++;
    }
    return at < len && bytes[at] >= 0x30 && bytes[at] <= 0x7e ? at + 1 : 0;
}

/* Whether a colour sequence ends in a reset: "ESC [ m", "ESC [ 0 m", "ESC [ 1 ; 0 m". */
static bool is_reset(const char *sequence, size_t len)
{
    const char last = sequence[len - 2];
    const char before = len >= 4 ? sequence[len - 3] : '[';
    return last == '[' || last == ';' || (last == '0' && (before == '[' || before == ';'));
}

static void remember_color(struct mf_terminal_cleaner *cleaner, const char *sequence, size_t len)
{
    if (is_reset(sequence, len)) {
        cleaner->active_len = 0;
        return;
    }
    if (cleaner->active_len + len > sizeof cleaner->active) {
        cleaner->active_len = 0; /* more than a line can mean; the newest counts */
    }
    if (len <= sizeof cleaner->active) {
        memcpy(cleaner->active + cleaner->active_len, sequence, len);
        cleaner->active_len += len;
    }
}

/* What a terminal would show of a line with carriage returns in it: what follows the last one that
 * text follows. */
static void last_state(const char **bytes, size_t *len)
{
    while (*len > 0 && (*bytes)[*len - 1] == '\r') {
        --*len;
    }
    const char *last = memrchr(*bytes, '\r', *len);
    if (last != NULL) {
        *len -= (size_t)(last + 1 - *bytes);
        *bytes = last + 1;
    }
}

void mf_terminal_clean_line(struct mf_terminal_cleaner *cleaner, struct mf_buffer *out,
                            const char *bytes, size_t len)
{
    last_state(&bytes, &len);
    bool colored = false;
    if (cleaner->colors && cleaner->active_len > 0) {
        mf_buffer_append(out, cleaner->active, cleaner->active_len);
        colored = true;
    }
    size_t plain = 0; /* start of the text that was not appended yet */
    for (size_t at = 0; at < len;) {
        const char *escape = memchr(bytes + at, ESC, len - at);
        if (escape == NULL) {
            break;
        }
        bool is_color = false;
        at = (size_t)(escape - bytes);
        const size_t sequence = sequence_len(bytes + at, len - at, &is_color);
        if (sequence == 0) {
            at++;
            continue;
        }
        mf_terminal_escape(out, bytes + plain, at - plain);
        if (is_color && cleaner->colors) {
            remember_color(cleaner, bytes + at, sequence);
            mf_buffer_append(out, bytes + at, sequence);
            colored = cleaner->active_len > 0;
        }
        at += sequence;
        plain = at;
    }
    mf_terminal_escape(out, bytes + plain, len - plain);
    if (colored) {
        mf_buffer_puts(out, mf_style(true, MF_STYLE_RESET));
    }
}

/* Beyond that many bytes nothing can be seen in so many columns. */
static size_t enough(size_t len, size_t columns_max)
{
    const size_t len_max = 64 * columns_max + 4096;
    return len < len_max ? len : len_max;
}

/* Harmless text, with tabs as blanks, in so many columns; the line is freed. */
static void fit(struct mf_buffer *out, struct mf_buffer line, size_t columns_max)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    size_t column = 0;
    size_t used = 0;
    for (size_t at = 0; at < line.len; at += used) {
        const uint32_t code_point = mf_utf8_get(line.data + at, line.len - at, &used);
        if (code_point == '\t') {
            const size_t blanks = 8 - column % 8;
            mf_buffer_printf(&text, "%*s", (int)blanks, "");
            column += blanks;
        } else {
            mf_buffer_append(&text, line.data + at, used);
            column += (size_t)mf_utf8_width(code_point);
        }
    }
    if (line.failed || text.failed) {
        out->failed = true;
    } else if (text.len > 0 && column <= columns_max) {
        mf_buffer_append(out, text.data, text.len);
    } else if (text.len > 0 && columns_max > 0) {
        mf_buffer_append(out, text.data, mf_utf8_fit(text.data, text.len, columns_max - 1));
        mf_buffer_puts(out, "\u2026");
    }
    mf_buffer_free(&line);
    mf_buffer_free(&text);
}

void mf_terminal_clean_fit(struct mf_buffer *out, const char *bytes, size_t len, size_t columns_max)
{
    struct mf_terminal_cleaner cleaner = {.colors = false};
    struct mf_buffer line = MF_BUFFER_INIT;
    last_state(&bytes, &len);
    mf_terminal_clean_line(&cleaner, &line, bytes, enough(len, columns_max));
    fit(out, line, columns_max);
}

void mf_terminal_escape_fit(struct mf_buffer *out, const char *bytes, size_t len,
                            size_t columns_max)
{
    struct mf_buffer line = MF_BUFFER_INIT;
    mf_terminal_escape(&line, bytes, enough(len, columns_max));
    fit(out, line, columns_max);
}
