/* SPDX-License-Identifier: Apache-2.0
 * terminal.h -- text for terminals: colours, and text from elsewhere made harmless. */
#ifndef FMT_TERMINAL_H
#define FMT_TERMINAL_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

enum mf_style {
    MF_STYLE_RESET,
    MF_STYLE_BOLD,
    MF_STYLE_FAINT,
    MF_STYLE_RED,
    MF_STYLE_GREEN,
    MF_STYLE_YELLOW,
    MF_STYLE_BLUE,
    MF_STYLE_MAGENTA,
    MF_STYLE_CYAN
};

/* The SGR sequence (ECMA-48) that switches a style on, or "" when `colored` is false. */
const char *mf_style(bool colored, enum mf_style style);

/* Appends text that others wrote (file names, command output, labels) so that it shows what it is
 * and does nothing: control characters (C0 but tab, DEL, C1), bidirectional overrides, line
 * separators and ill-formed bytes appear as \n, \x1b, \u{202e}. */
void mf_terminal_escape(struct mf_buffer *out, const char *bytes, size_t len);

#endif
