/* SPDX-License-Identifier: Apache-2.0
 * table.c -- see table.h. */
#include "fmt/table.h"
#include "base/check.h"
#include "fmt/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct cell {
    size_t offset; /* in table->text */
    size_t len;
    size_t columns;
    enum mf_style style; /* MF_STYLE_RESET: none */
};

#define GAP           2
#define ELLIPSIS      "\xe2\x80\xa6"
#define CELL_TEXT_MAX 512

void mf_table_init(struct mf_table *table, const struct mf_column *columns, size_t column_count)
{
    MF_ASSERT(column_count > 0 && column_count <= MF_TABLE_COLUMNS_MAX);
    *table = (struct mf_table){.columns = columns, .column_count = column_count};
    for (size_t i = 0; i < column_count; i++) {
        table->width[i] = mf_utf8_columns(columns[i].title, strlen(columns[i].title));
    }
}

void mf_table_free(struct mf_table *table)
{
    mf_buffer_free(&table->text);
    mf_buffer_free(&table->cells);
    table->cell_count = 0;
}

void mf_table_cell_styled(struct mf_table *table, const char *text, enum mf_style style)
{
    struct cell cell = {.offset = table->text.len, .style = style};
    if (text != NULL) {
        mf_terminal_escape(&table->text, text, strlen(text));
    }
    cell.len = table->text.len - cell.offset;
    if (cell.len != 0) {
        cell.columns = mf_utf8_columns(table->text.data + cell.offset, cell.len);
    }
    mf_buffer_append(&table->cells, &cell, sizeof cell);
    size_t *width = &table->width[table->cell_count % table->column_count];
    if (cell.columns > *width) {
        *width = cell.columns;
    }
    table->cell_count++;
}

void mf_table_cell(struct mf_table *table, const char *text)
{
    mf_table_cell_styled(table, text, MF_STYLE_RESET);
}

void mf_table_cellf(struct mf_table *table, const char *format, ...)
{
    char text[CELL_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    mf_table_cell(table, text);
}

/* Takes columns away from the widest of those that may shrink until the line fits or none is left.
 */
static void shrink(const struct mf_table *table, size_t *width, size_t line_max)
{
    size_t line = GAP * (table->column_count - 1);
    for (size_t i = 0; i < table->column_count; i++) {
        line += width[i];
    }
    while (line > line_max) {
        size_t widest = SIZE_MAX;
        for (size_t i = 0; i < table->column_count; i++) {
            const size_t least = table->columns[i].shrink_to;
            if (least != 0 && width[i] > least &&
                (widest == SIZE_MAX || width[i] > width[widest])) {
                widest = i;
            }
        }
        if (widest == SIZE_MAX) {
            return;
        }
        width[widest]--;
        line--;
    }
}

/* Blanks are held back in *pending until something follows them, so that no line ends in one. */
static void put_cell(struct mf_buffer *out, const char *text, size_t len, size_t columns,
                     size_t width, enum mf_align align, const char *style, size_t *pending)
{
    const bool cut = columns > width;
    size_t shown = len;
    size_t shown_columns = columns;
    if (cut) {
        shown = mf_utf8_fit(text, len, width - 1);
        shown_columns = mf_utf8_columns(text, shown) + 1;
    }
    const size_t fill = width - shown_columns;
    if (align == MF_ALIGN_RIGHT) {
        *pending += fill;
    }
    if (len != 0) {
        mf_buffer_printf(out, "%*s%s", (int)*pending, "", style);
        mf_buffer_append(out, text, shown);
        mf_buffer_puts(out, cut ? ELLIPSIS : "");
        mf_buffer_puts(out, style[0] != '\0' ? mf_style(true, MF_STYLE_RESET) : "");
        *pending = 0;
    } else {
        *pending += shown_columns;
    }
    if (align == MF_ALIGN_LEFT) {
        *pending += fill;
    }
}

void mf_table_write(const struct mf_table *table, struct mf_buffer *out, int width, bool colored)
{
    if (table->text.failed || table->cells.failed) {
        out->failed = true;
        return;
    }
    size_t widths[MF_TABLE_COLUMNS_MAX];
    memcpy(widths, table->width, sizeof widths);
    if (width > 0) {
        shrink(table, widths, (size_t)width);
    }
    size_t pending = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        const char *title = table->columns[i].title;
        const size_t len = strlen(title);
        put_cell(out, title, len, mf_utf8_columns(title, len), widths[i], table->columns[i].align,
                 mf_style(colored, MF_STYLE_BOLD), &pending);
        pending += GAP;
    }
    mf_buffer_putc(out, '\n');
    for (size_t at = 0; at < table->cell_count; at++) {
        const size_t column = at % table->column_count;
        struct cell cell;
        memcpy(&cell, table->cells.data + at * sizeof cell, sizeof cell);
        if (column == 0) {
            pending = 0;
        }
        put_cell(out, cell.len != 0 ? table->text.data + cell.offset : "", cell.len, cell.columns,
                 widths[column], table->columns[column].align,
                 mf_style(colored && cell.style != MF_STYLE_RESET, cell.style), &pending);
        pending += GAP;
        if (column == table->column_count - 1 || at == table->cell_count - 1) {
            mf_buffer_putc(out, '\n');
        }
    }
}
