/* SPDX-License-Identifier: Apache-2.0
 *
 * table.h -- text tables with aligned columns for terminals.
 *
 *     static const struct mf_column columns[] = {{"NAME", MF_ALIGN_LEFT, 8}, {"SIZE",
 * MF_ALIGN_RIGHT, 0}}; struct mf_table table; mf_table_init(&table, columns, 2);
 *     mf_table_cell(&table, name);
 *     mf_table_cell(&table, mf_format_size(text, size));
 *     mf_table_write(&table, &out, cli_columns(), cli_colored(cli));
 *     mf_table_free(&table);
 *
 * Cells are made harmless (terminal.h) and measured in terminal columns. One table belongs to one
 * thread. Running out of memory shows in the `failed` of the buffer that is written.
 */
#ifndef FMT_TABLE_H
#define FMT_TABLE_H

#include "base/buffer.h"
#include "fmt/terminal.h"

#include <stdbool.h>
#include <stddef.h>

enum mf_align { MF_ALIGN_LEFT, MF_ALIGN_RIGHT };

struct mf_column {
    const char *title;
    enum mf_align align;
    size_t shrink_to; /* may be cut to this many columns, with an ellipsis, when space is short; 0:
                         never */
};

#define MF_TABLE_COLUMNS_MAX 32

struct mf_table {
    const struct mf_column *columns; /* borrowed */
    size_t column_count;
    size_t cell_count;
    size_t width[MF_TABLE_COLUMNS_MAX];
    struct mf_buffer text;  /* the cells, each followed by NUL */
    struct mf_buffer cells; /* struct cell for each */
};

/* `columns` stays the caller's; 1 to MF_TABLE_COLUMNS_MAX of them. */
void mf_table_init(struct mf_table *table, const struct mf_column *columns, size_t column_count);
void mf_table_free(struct mf_table *table);

/* The next cell, row by row from the left. NULL is an empty one. */
void mf_table_cell(struct mf_table *table, const char *text);
void mf_table_cell_styled(struct mf_table *table, const char *text, enum mf_style style);
void mf_table_cellf(struct mf_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends the titles and all rows, two blanks between columns, no blanks at line ends. `width` > 0:
 * columns that may shrink are cut, the widest first, until the line fits. An incomplete last row is
 * filled up. */
void mf_table_write(const struct mf_table *table, struct mf_buffer *out, int width, bool colored);

#endif
