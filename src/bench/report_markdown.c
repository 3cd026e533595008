/* SPDX-License-Identifier: Apache-2.0
 * report_markdown.c -- tables of GitHub's Markdown. */
#include "figures.h"
#include "report_tables.h"

#include "fmt/markdown.h"
#include "fmt/rfc3339.h"

#include <string.h>

#define LINE_COLUMNS 600

struct markdown_writer {
    struct mf_buffer *out;
    bool list;
};

static void take(void *context, const char *title, const struct sheet *sheet, const char *remark)
{
    struct markdown_writer *writer = context;
    if (title != NULL) {
        mf_buffer_puts(writer->out, "### ");
        mf_markdown_text(writer->out, title, LINE_COLUMNS);
        mf_buffer_puts(writer->out, "\n\n");
    }
    mf__sheet_markdown(sheet, writer->out);
    if (remark != NULL) {
        mf_buffer_putc(writer->out, '\n');
        mf_markdown_text(writer->out, remark, LINE_COLUMNS);
        mf_buffer_putc(writer->out, '\n');
    }
    mf_buffer_putc(writer->out, '\n');
}

static void say(void *context, const char *sentence)
{
    struct markdown_writer *writer = context;
    mf_buffer_puts(writer->out, "- ");
    mf_markdown_text(writer->out, sentence, LINE_COLUMNS);
    mf_buffer_putc(writer->out, '\n');
    writer->list = true;
}

static const char *pair_of(const struct bench_environment *environment, const char *key)
{
    for (size_t i = 0; i < environment->pair_count; i++) {
        if (strcmp(environment->pairs[i].key, key) == 0) {
            return environment->pairs[i].value;
        }
    }
    return NULL;
}

/* On what, and when. */
static void write_origin(const struct bench_run *run, struct mf_buffer *out)
{
    static const char *const keys[] = {"cpu_model", "cpus", "kernel", "compiler"};
    static const char *const names[] = {"", " processors", "", ""};
    char started[MF_RFC3339_LEN];
    mf_buffer_puts(out, "Measured ");
    mf_buffer_puts(out, mf_format_rfc3339(started, run->started_wall_ns, 0, 0));
    if (run->commit != NULL && run->commit[0] != '\0') {
        mf_buffer_puts(out, " at ");
        mf_markdown_code(out, run->commit, LINE_COLUMNS);
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *value = pair_of(&run->environment, keys[i]);
        if (value != NULL) {
            mf_buffer_puts(out, i == 0 ? " on " : ", ");
            mf_markdown_text(out, value, LINE_COLUMNS);
            mf_buffer_puts(out, names[i]);
        }
    }
    mf_buffer_puts(out, ".\n");
}

int mf__report_markdown(const struct bench_report *report, struct mf_buffer *out,
                        struct mf_errinfo *err)
{
    (void)err;
    struct markdown_writer writer = {.out = out};
    const struct table_taker taker = {take, &writer};
    mf__report_tables(report, &taker);
    mf__table_targets(report, &taker);
    mf__report_remarks(report, say, &writer);
    mf_buffer_puts(out, writer.list ? "\n" : "");
    write_origin(report->run, out);
    return 0;
}
