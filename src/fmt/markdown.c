/* SPDX-License-Identifier: Apache-2.0
 * markdown.c -- see markdown.h. */
#include "fmt/markdown.h"

#include "fmt/terminal_clean.h"

#include <string.h>

/* One line without control characters, for mf_buffer_free(). */
static struct mf_buffer plain(const char *text, size_t columns_max)
{
    struct mf_buffer line = MF_BUFFER_INIT;
    mf_terminal_escape_fit(&line, text, strlen(text), columns_max);
    return line;
}

void mf_markdown_text(struct mf_buffer *out, const char *text, size_t columns_max)
{
    struct mf_buffer line = plain(text, columns_max);
    for (size_t i = 0; i < line.len; i++) {
        const char c = line.data[i];
        if (c == '<') {
            mf_buffer_puts(out, "&lt;");
        } else if (c == '&') {
            mf_buffer_puts(out, "&amp;");
        } else {
            if (strchr("\\`*_[]|~#>@", c) != NULL) {
                mf_buffer_putc(out, '\\');
            }
            mf_buffer_putc(out, c);
        }
    }
    out->failed = out->failed || line.failed;
    mf_buffer_free(&line);
}

/* The longest run of backticks in a text. */
static size_t backticks(const char *text, size_t len)
{
    size_t longest = 0;
    size_t run = 0;
    for (size_t i = 0; i < len; i++) {
        run = text[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void repeat(struct mf_buffer *out, char c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mf_buffer_putc(out, c);
    }
}

void mf_markdown_code(struct mf_buffer *out, const char *text, size_t columns_max)
{
    struct mf_buffer line = plain(text, columns_max);
    if (line.len == 0) {
        mf_buffer_free(&line);
        return;
    }
    const size_t fence = backticks(line.data, line.len) + 1;
    const bool padded =
        line.data[0] == '`' || line.data[line.len - 1] == '`' || line.data[0] == ' ';
    repeat(out, '`', fence);
    mf_buffer_puts(out, padded ? " " : "");
    for (size_t i = 0; i < line.len; i++) {
        mf_buffer_puts(out,
                       line.data[i] == '|' ? "\\" : ""); /* tables are split before code is read */
        mf_buffer_putc(out, line.data[i]);
    }
    mf_buffer_puts(out, padded ? " " : "");
    repeat(out, '`', fence);
    out->failed = out->failed || line.failed;
    mf_buffer_free(&line);
}

void mf_mermaid_text(struct mf_buffer *out, const char *text, size_t columns_max)
{
    struct mf_buffer line = plain(text, columns_max);
    for (size_t i = 0; i < line.len; i++) {
        mf_buffer_putc(out, strchr(":;,#%<>\"'`{}&\\", line.data[i]) != NULL ? ' ' : line.data[i]);
    }
    if (line.len == 0) {
        mf_buffer_putc(out, '-');
    }
    out->failed = out->failed || line.failed;
    mf_buffer_free(&line);
}

void mf_markdown_block(struct mf_buffer *out, const char *text, size_t len)
{
    const size_t longest = backticks(text, len);
    const size_t fence = longest < 3 ? 3 : longest + 1;
    repeat(out, '`', fence);
    mf_buffer_puts(out, "text\n");
    mf_buffer_append(out, text, len);
    mf_buffer_puts(out, len > 0 && text[len - 1] == '\n' ? "" : "\n");
    repeat(out, '`', fence);
    mf_buffer_putc(out, '\n');
}
