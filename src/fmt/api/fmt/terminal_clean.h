/* SPDX-License-Identifier: Apache-2.0
 *
 * terminal_clean.h -- the output of other programs, line by line, so that it can be shown on a
 * terminal as its author meant it to look, but cannot do anything: colours stay (if wanted), other
 * control sequences (ECMA-48: cursor movement, titles, links, modes) go, and what is left of
 * control characters is made visible as in terminal.h. Of a line that was overwritten by carriage
 * returns, as progress bars do it, the last state is shown.
 *
 * A cleaner carries the colours from one line to the next. One thread each.
 */
#ifndef FMT_TERMINAL_CLEAN_H
#define FMT_TERMINAL_CLEAN_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

struct mf_terminal_cleaner {
    bool colors;
    char active[120]; /* the sequences since the last reset */
    size_t active_len;
};

/* Appends one line, given without its newline. With colours on, the terminal is back to normal
 * after it, whatever the line did. Tabs stay. */
void mf_terminal_clean_line(struct mf_terminal_cleaner *cleaner, struct mf_buffer *out,
                            const char *bytes, size_t len);

/* The same without colours and with tabs as blanks (to every eighth column), cut to `columns_max`
 * terminal columns; an ellipsis stands for what is missing. */
void mf_terminal_clean_fit(struct mf_buffer *out, const char *bytes, size_t len,
                           size_t columns_max);

/* Names, arguments, labels, messages: nothing goes, all control characters are made visible as in
 * terminal.h; cut in the same way. */
void mf_terminal_escape_fit(struct mf_buffer *out, const char *bytes, size_t len,
                            size_t columns_max);

#endif
