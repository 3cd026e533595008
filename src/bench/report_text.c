/* SPDX-License-Identifier: Apache-2.0
 * report_text.c -- tables for a terminal, or a pipe. */
#include "report_tables.h"

#include "fmt/terminal.h"

#include <string.h>

struct text_writer {
    const struct bench_report *report;
    struct mf_buffer *out;
    bool begun;
};

static void put_line(struct text_writer *writer, const char *text, enum mf_style style)
{
    const bool colored = writer->report->colored;
    mf_buffer_puts(writer->out, mf_style(colored, style));
    mf_terminal_escape(writer->out, text, strlen(text));
    mf_buffer_puts(writer->out, mf_style(colored, MF_STYLE_RESET));
    mf_buffer_putc(writer->out, '\n');
}

static void take(void *context, const char *title, const struct sheet *sheet, const char *remark)
{
    struct text_writer *writer = context;
    if (writer->begun) {
        mf_buffer_putc(writer->out, '\n');
    }
    writer->begun = true;
    if (title != NULL) {
        put_line(writer, title, MF_STYLE_BOLD);
    }
    mf__sheet_text(sheet, writer->out, writer->report->columns, writer->report->colored);
    if (remark != NULL) {
        put_line(writer, remark, MF_STYLE_FAINT);
    }
}

static void say(void *context, const char *sentence)
{
    struct text_writer *writer = context;
    if (writer->begun) {
        mf_buffer_putc(writer->out, '\n');
        writer->begun = false;
    }
    put_line(writer, sentence, MF_STYLE_FAINT);
}

int mf__report_text(const struct bench_report *report, struct mf_buffer *out,
                    struct mf_errinfo *err)
{
    (void)err;
    struct text_writer writer = {.report = report, .out = out};
    const struct table_taker taker = {take, &writer};
    mf__report_tables(report, &taker);
    mf__table_targets(report, &taker);
    mf__report_remarks(report, say, &writer);
    return 0;
}
