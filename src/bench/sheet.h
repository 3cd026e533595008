/* SPDX-License-Identifier: Apache-2.0
 *
 * sheet.h -- a table that is filled once and written as text, Markdown or HTML.
 */
#ifndef BENCH_SHEET_H
#define BENCH_SHEET_H

#include "base/buffer.h"
#include "fmt/table.h"

#define SHEET_COLUMNS_MAX 24

enum sheet_cell_kind {
    SHEET_PLAIN,
    SHEET_NAME, /* of a benchmark: code in Markdown */
    SHEET_BEST, /* bold */
    SHEET_GOOD,
    SHEET_BAD,
    SHEET_DOUBTFUL,
    SHEET_FAINT
};

struct sheet_column {
    char title[48];
    enum mf_align align;
    int rank; /* columns of a low rank stay longest when a terminal is narrow; 0: always */
};

struct sheet {
    struct sheet_column columns[SHEET_COLUMNS_MAX];
    size_t column_count;
    size_t cell_count;
    struct mf_buffer text;  /* cells, each followed by NUL */
    struct mf_buffer cells; /* struct sheet_cell */
};

void mf__sheet_init(struct sheet *sheet); /* freed with mf__sheet_free() */
void mf__sheet_free(struct sheet *sheet);
/* All columns before the first cell. */
void mf__sheet_column(struct sheet *sheet, const char *title, enum mf_align align, int rank);
/* The next cell, row by row from the left. */
void mf__sheet_cell(struct sheet *sheet, const char *text, enum sheet_cell_kind kind);

/* Columns without content are left out. `width` of the terminal: columns are left out by their rank
 * until it fits; 0: everything. */
void mf__sheet_text(const struct sheet *sheet, struct mf_buffer *out, int width, bool colored);
void mf__sheet_markdown(const struct sheet *sheet, struct mf_buffer *out);
/* With the class of its kind at each cell. */
void mf__sheet_html(const struct sheet *sheet, struct mf_buffer *out);

#endif
