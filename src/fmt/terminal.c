/* SPDX-License-Identifier: Apache-2.0
 * terminal.c -- see terminal.h. */
#include "fmt/terminal.h"
#include "fmt/utf8.h"

const char *mf_style(bool colored, enum mf_style style)
{
    static const char *const sequences[] = {
        [MF_STYLE_RESET] = "\x1b[0m",  [MF_STYLE_BOLD] = "\x1b[1m",
        [MF_STYLE_FAINT] = "\x1b[2m",  [MF_STYLE_RED] = "\x1b[31m",
        [MF_STYLE_GREEN] = "\x1b[32m", [MF_STYLE_YELLOW] = "\x1b[33m",
        [MF_STYLE_BLUE] = "\x1b[34m",  [MF_STYLE_MAGENTA] = "\x1b[35m",
        [MF_STYLE_CYAN] = "\x1b[36m",
    };
    return colored ? sequences[style] : "";
}

/* Code points that move the cursor, reverse text or hide what follows. */
static bool is_harmful(uint32_t code_point)
{
    return (code_point < 0x20 && code_point != '\t') || (code_point >= 0x7f && code_point < 0xa0) ||
           (code_point >= 0x202a && code_point <= 0x202e) ||
           (code_point >= 0x2066 && code_point <= 0x2069) || code_point == 0x200e ||
           code_point == 0x200f || code_point == 0x061c || code_point == 0x2028 ||
           code_point == 0x2029;
}

static void append_escaped(struct mf_buffer *out, uint32_t code_point)
{
    switch (code_point) {
    case '\n':
        mf_buffer_puts(out, "\\n");
        break;
    case '\r':
        mf_buffer_puts(out, "\\r");
        break;
    default:
        mf_buffer_printf(out, code_point < 0x80 ? "\\x%02x" : "\\u{%x}", (unsigned)code_point);
        break;
    }
}

void mf_terminal_escape(struct mf_buffer *out, const char *bytes, size_t len)
{
    size_t plain = 0; /* start of what is copied as it is */
    size_t at = 0;
    for (size_t used; at < len; at += used) {
        const uint32_t code_point = mf_utf8_get(bytes + at, len - at, &used);
        if (code_point != MF_UTF8_INVALID && !is_harmful(code_point)) {
            continue;
        }
        mf_buffer_append(out, bytes + plain, at - plain);
        plain = at + used;
        if (code_point != MF_UTF8_INVALID) {
            append_escaped(out, code_point);
        } else {
            for (size_t i = 0; i < used; i++) {
                mf_buffer_printf(out, "\\x%02x", (unsigned char)bytes[at + i]);
            }
        }
    }
    mf_buffer_append(out, bytes + plain, at - plain);
}
