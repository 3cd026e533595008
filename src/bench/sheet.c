/* SPDX-License-Identifier: Apache-2.0
 * sheet.c -- see sheet.h. */
#include "sheet.h"
#include "chart.h"

#include "base/check.h"
#include "fmt/escape.h"
#include "fmt/markdown.h"
#include "fmt/utf8.h"

#include <stdio.h>
#include <string.h>

#define GAP          2
#define CELL_COLUMNS 400
#define NAME_LEAST   12 /* columns that a name keeps on a narrow terminal */

struct sheet_cell {
    size_t offset;
    enum sheet_cell_kind kind;
};

void mf__sheet_init(struct sheet *sheet)
{
    *sheet = (struct sheet){.text = MF_BUFFER_INIT, .cells = MF_BUFFER_INIT};
}

void mf__sheet_free(struct sheet *sheet)
{
    mf_buffer_free(&sheet->text);
    mf_buffer_free(&sheet->cells);
}

void mf__sheet_column(struct sheet *sheet, const char *title, enum mf_align align, int rank)
{
    MF_ASSERT(sheet->column_count < SHEET_COLUMNS_MAX && sheet->cell_count == 0);
    struct sheet_column *column = &sheet->columns[sheet->column_count++];
    snprintf(column->title, sizeof column->title, "%s", title);
    column->align = align;
    column->rank = rank;
}

void mf__sheet_cell(struct sheet *sheet, const char *text, enum sheet_cell_kind kind)
{
    const struct sheet_cell cell = {sheet->text.len, kind};
    mf_buffer_append(&sheet->text, text, strlen(text) + 1);
    mf_buffer_append(&sheet->cells, &cell, sizeof cell);
    sheet->cell_count++;
}

static bool has_failed(const struct sheet *sheet, struct mf_buffer *out)
{
    out->failed = out->failed || sheet->text.failed || sheet->cells.failed;
    return out->failed;
}

static const char *cell_at(const struct sheet *sheet, size_t index, enum sheet_cell_kind *ret_kind)
{
    struct sheet_cell cell;
    memcpy(&cell, sheet->cells.data + index * sizeof cell, sizeof cell);
    *ret_kind = cell.kind;
    return sheet->text.data + cell.offset;
}

static size_t row_count(const struct sheet *sheet)
{
    return sheet->cell_count / sheet->column_count;
}

/* Which columns have content, and how wide they are. */
static void look(const struct sheet *sheet, bool *shown, size_t *width)
{
    enum sheet_cell_kind kind;
    for (size_t c = 0; c < sheet->column_count; c++) {
        const char *title = sheet->columns[c].title;
        width[c] = mf_utf8_columns(title, strlen(title));
        shown[c] = false;
        for (size_t r = 0; r < row_count(sheet); r++) {
            const char *text = cell_at(sheet, r * sheet->column_count + c, &kind);
            const size_t columns = mf_utf8_columns(text, strlen(text));
            shown[c] = shown[c] || columns > 0;
            width[c] = columns > width[c] ? columns : width[c];
        }
    }
}

static void drop_columns(const struct sheet *sheet, bool *shown, const size_t *width,
                         size_t line_max)
{
    for (;;) {
        size_t line = 0;
        size_t worst = SIZE_MAX;
        for (size_t c = 0; c < sheet->column_count; c++) {
            if (!shown[c]) {
                continue;
            }
            const bool name = c == 0 && width[c] > NAME_LEAST; /* may be cut */
            line += (name ? NAME_LEAST + (width[c] - NAME_LEAST) / 2 : width[c]) + GAP;
            if (sheet->columns[c].rank > 0 &&
                (worst == SIZE_MAX || sheet->columns[c].rank >= sheet->columns[worst].rank)) {
                worst = c;
            }
        }
        if (line <= line_max + GAP || worst == SIZE_MAX) {
            return;
        }
        shown[worst] = false;
    }
}

static enum mf_style style_of(enum sheet_cell_kind kind)
{
    switch (kind) {
    case SHEET_BEST:
        return MF_STYLE_BOLD;
    case SHEET_GOOD:
        return MF_STYLE_GREEN;
    case SHEET_BAD:
        return MF_STYLE_RED;
    case SHEET_DOUBTFUL:
        return MF_STYLE_YELLOW;
    case SHEET_FAINT:
        return MF_STYLE_FAINT;
    case SHEET_PLAIN:
    case SHEET_NAME:
        break;
    }
    return MF_STYLE_RESET;
}

static const char *shout(char out[48], const char *title)
{
    size_t i = 0;
    for (; title[i] != '\0' && i < 47; i++) {
        out[i] = (char)(title[i] >= 'a' && title[i] <= 'z' ? title[i] - 'a' + 'A' : title[i]);
    }
    out[i] = '\0';
    return out;
}

void mf__sheet_text(const struct sheet *sheet, struct mf_buffer *out, int width, bool colored)
{
    bool shown[SHEET_COLUMNS_MAX];
    size_t widths[SHEET_COLUMNS_MAX];
    char titles[SHEET_COLUMNS_MAX][48];
    struct mf_column columns[SHEET_COLUMNS_MAX];
    size_t count = 0;
    if (has_failed(sheet, out) || sheet->cell_count == 0) {
        return;
    }
    look(sheet, shown, widths);
    if (width > 0) {
        drop_columns(sheet, shown, widths, (size_t)width);
    }
    for (size_t c = 0; c < sheet->column_count; c++) {
        if (shown[c]) {
            columns[count] = (struct mf_column){shout(titles[c], sheet->columns[c].title),
                                                sheet->columns[c].align, c == 0 ? NAME_LEAST : 0};
            count++;
        }
    }
    struct mf_table table;
    mf_table_init(&table, columns, count);
    for (size_t i = 0; i < sheet->cell_count; i++) {
        enum sheet_cell_kind kind;
        const char *text = cell_at(sheet, i, &kind);
        if (shown[i % sheet->column_count]) {
            mf_table_cell_styled(&table, text, style_of(kind));
        }
    }
    mf_table_write(&table, out, width, colored);
    mf_table_free(&table);
}

static void markdown_cell(struct mf_buffer *out, const char *text, enum sheet_cell_kind kind)
{
    const bool bold = (kind == SHEET_BEST || kind == SHEET_BAD) && text[0] != '\0';
    if (kind == SHEET_NAME && text[0] != '\0') {
        mf_markdown_code(out, text, CELL_COLUMNS);
        return;
    }
    mf_buffer_puts(out, bold ? "**" : "");
    mf_markdown_text(out, text, CELL_COLUMNS);
    mf_buffer_puts(out, bold ? "**" : "");
}

void mf__sheet_markdown(const struct sheet *sheet, struct mf_buffer *out)
{
    bool shown[SHEET_COLUMNS_MAX];
    size_t widths[SHEET_COLUMNS_MAX];
    if (has_failed(sheet, out) || sheet->cell_count == 0) {
        return;
    }
    look(sheet, shown, widths);
    for (size_t c = 0; c < sheet->column_count; c++) {
        if (shown[c]) {
            mf_buffer_puts(out, "| ");
            mf_markdown_text(out, sheet->columns[c].title, CELL_COLUMNS);
            mf_buffer_putc(out, ' ');
        }
    }
    mf_buffer_puts(out, "|\n");
    for (size_t c = 0; c < sheet->column_count; c++) {
        if (shown[c]) {
            mf_buffer_puts(out, sheet->columns[c].align == MF_ALIGN_RIGHT ? "|---:" : "|---");
        }
    }
    mf_buffer_puts(out, "|\n");
    for (size_t i = 0; i < sheet->cell_count; i++) {
        enum sheet_cell_kind kind;
        const char *text = cell_at(sheet, i, &kind);
        if (shown[i % sheet->column_count]) {
            mf_buffer_puts(out, "| ");
            markdown_cell(out, text, kind);
            mf_buffer_putc(out, ' ');
        }
        if ((i + 1) % sheet->column_count == 0) {
            mf_buffer_puts(out, "|\n");
        }
    }
}

static const char *class_of(enum sheet_cell_kind kind)
{
    switch (kind) {
    case SHEET_NAME:
        return "name";
    case SHEET_BEST:
        return "best";
    case SHEET_GOOD:
        return "good";
    case SHEET_BAD:
        return "bad";
    case SHEET_DOUBTFUL:
        return "doubtful";
    case SHEET_FAINT:
        return "faint";
    case SHEET_PLAIN:
        break;
    }
    return "";
}

static void html_cell(struct mf_buffer *out, const char *tag, const char *kind, enum mf_align align,
                      const char *text)
{
    const char *number = align == MF_ALIGN_RIGHT ? "num" : "";
    const bool both = kind[0] != '\0' && number[0] != '\0';
    mf_buffer_printf(out, "<%s", tag);
    if (kind[0] != '\0' || number[0] != '\0') {
        mf_buffer_printf(out, " class=\"%s%s%s\"", number, both ? " " : "", kind);
    }
    mf_buffer_putc(out, '>');
    const bool link = strcmp(kind, "name") == 0 && text[0] != '\0';
    if (link) {
        mf_buffer_printf(out, "<a href=\"#%s\">", mf__anchor(text).text);
    }
    mf_html_text(out, text, strlen(text));
    mf_buffer_printf(out, "%s</%s>", link ? "</a>" : "", tag);
}

void mf__sheet_html(const struct sheet *sheet, struct mf_buffer *out)
{
    bool shown[SHEET_COLUMNS_MAX];
    size_t widths[SHEET_COLUMNS_MAX];
    if (has_failed(sheet, out) || sheet->cell_count == 0) {
        return;
    }
    look(sheet, shown, widths);
    mf_buffer_puts(out, "<div class=\"scroll\"><table>\n<thead><tr>");
    for (size_t c = 0; c < sheet->column_count; c++) {
        if (shown[c]) {
            html_cell(out, "th", "", sheet->columns[c].align, sheet->columns[c].title);
        }
    }
    mf_buffer_puts(out, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < sheet->cell_count; i++) {
        enum sheet_cell_kind kind;
        const char *text = cell_at(sheet, i, &kind);
        mf_buffer_puts(out, i % sheet->column_count == 0 ? "<tr>" : "");
        if (shown[i % sheet->column_count]) {
            html_cell(out, "td", class_of(kind), sheet->columns[i % sheet->column_count].align,
                      text);
        }
        mf_buffer_puts(out, (i + 1) % sheet->column_count == 0 ? "</tr>\n" : "");
    }
    mf_buffer_puts(out, "</tbody></table></div>\n");
}
