/* SPDX-License-Identifier: Apache-2.0
 * help.c -- the --help texts, from the tables. */
#include "help.h"
#include "cli.h"
#include "options.h"

#include "fmt/utf8.h"

#include <stdio.h>
#include <string.h>

#define WIDTH       80 /* columns of the help text, whatever the terminal has */
#define TITLE_WIDTH 28 /* columns of what stands left of an explanation */

/* Appends `text` wrapped at WIDTH. The cursor stands at column `at`; further lines begin at
 * `indent`. An empty line in the text separates paragraphs. Ends with a line feed. */
static void wrap(struct mf_buffer *out, const char *text, size_t at, size_t indent)
{
    bool line_begins = true;
    for (const char *p = text; *p != '\0';) {
        if (p[0] == '\n' && p[1] == '\n') {
            mf_buffer_puts(out, "\n\n");
            mf_buffer_printf(out, "%*s", (int)indent, "");
            at = indent;
            line_begins = true;
            p += 2;
            continue;
        }
        if (*p == ' ' || *p == '\n') {
            p++;
            continue;
        }
        const size_t len = strcspn(p, " \n");
        const size_t columns = mf_utf8_columns(p, len);
        if (!line_begins && at + 1 + columns > WIDTH) {
            mf_buffer_printf(out, "\n%*s", (int)indent, "");
            at = indent;
            line_begins = true;
        }
        if (!line_begins) {
            mf_buffer_putc(out, ' ');
            at++;
        }
        mf_buffer_append(out, p, len);
        at += columns;
        line_begins = false;
        p += len;
    }
    mf_buffer_putc(out, '\n');
}

/* "  title      explanation", the explanation on a line of its own below a title that is too long.
 */
static void entry(struct mf_buffer *out, const char *title, const char *text)
{
    const size_t columns = 2 + mf_utf8_columns(title, strlen(title));
    if (columns + 2 > TITLE_WIDTH) {
        mf_buffer_printf(out, "  %s\n%*s", title, TITLE_WIDTH, "");
    } else {
        mf_buffer_printf(out, "  %s%*s", title, (int)(TITLE_WIDTH - columns), "");
    }
    wrap(out, text, TITLE_WIDTH, TITLE_WIDTH);
}

void cli_help_option_title(struct mf_buffer *out, const struct cli_option *option)
{
    if (option->letter != 0) {
        mf_buffer_printf(out, "-%c, ", option->letter);
    } else {
        mf_buffer_puts(out, "    ");
    }
    mf_buffer_printf(out, "--%s", option->name);
    if (option->kind != CLI_FLAG) {
        mf_buffer_printf(out, " %s", option->metavar);
    }
}

void cli_help_option_text(struct mf_buffer *out, const struct cli_option *option)
{
    mf_buffer_puts(out, option->help);
    if (option->kind == CLI_CHOICE) {
        mf_buffer_puts(out, ": ");
        for (const char *p = option->choices; *p != '\0'; p++) {
            if (*p == '|') {
                mf_buffer_puts(out, strchr(p + 1, '|') != NULL ? ", " : " or ");
            } else {
                mf_buffer_putc(out, *p);
            }
        }
    }
    if (option->repeatable) {
        mf_buffer_puts(out, " (may be repeated)");
    }
    if (option->default_text != NULL) {
        mf_buffer_printf(out, " [default: %s]", option->default_text);
    }
}

void cli_help_synopsis(struct mf_buffer *out, const struct cli_verb *verb)
{
    if (verb->verbs != NULL) {
        mf_buffer_puts(out, "VERB [OPTION]...");
        return;
    }
    mf_buffer_puts(out, verb->command_follows ? "[OPTION]... [--]" : "[OPTION]...");
    for (const struct cli_operand *o = verb->operands; o != NULL && o->name != NULL; o++) {
        mf_buffer_printf(out, o->optional ? " [%s]%s" : " %s%s", o->name, o->repeated ? "..." : "");
    }
}

static void options(struct mf_buffer *out, const struct cli_option *table,
                    const struct cli_verb *verb)
{
    struct mf_buffer title = MF_BUFFER_INIT;
    struct mf_buffer text = MF_BUFFER_INIT;
    for (const struct cli_option *o = table; o != NULL && o->name != NULL; o++) {
        if (table == cli_common_options && !cli_common_applies(o, verb)) {
            continue;
        }
        mf_buffer_clear(&title);
        mf_buffer_clear(&text);
        cli_help_option_title(&title, o);
        cli_help_option_text(&text, o);
        if (title.failed || text.failed) {
            out->failed = true;
            break;
        }
        entry(out, title.data, text.data);
    }
    mf_buffer_free(&title);
    mf_buffer_free(&text);
}

static void members(struct mf_buffer *out, const struct cli_verb *group)
{
    const char *section = NULL;
    for (const struct cli_verb *const *v = group->verbs; *v != NULL; v++) {
        const char *heading = (*v)->section != NULL ? (*v)->section : "Verbs";
        if (section == NULL || strcmp(section, heading) != 0) {
            mf_buffer_printf(out, "\n%s:\n", heading);
            section = heading;
        }
        entry(out, (*v)->name, (*v)->summary);
    }
}

static void exit_codes(struct mf_buffer *out)
{
    mf_buffer_puts(out, "\nExit codes:\n");
    char number[16];
#define X(name, code, text)                                                                        \
    snprintf(number, sizeof number, "%d", code);                                                   \
    entry(out, number, text);
    CLI_EXIT_MAP(X)
#undef X
}

void cli_help_verb(struct mf_buffer *out, const struct cli_verb *verb, const char *path)
{
    mf_buffer_printf(out, "Usage: %s ", path);
    cli_help_synopsis(out, verb);
    mf_buffer_printf(out, "\n\n%s.\n", verb->summary);
    if (verb->description != NULL) {
        mf_buffer_putc(out, '\n');
        wrap(out, verb->description, 0, 0);
    }
    if (verb->verbs != NULL) {
        members(out, verb);
    }
    if (verb->operands != NULL && verb->operands[0].name != NULL) {
        mf_buffer_puts(out, "\nOperands:\n");
        for (const struct cli_operand *o = verb->operands; o->name != NULL; o++) {
            entry(out, o->name, o->help);
        }
    }
    mf_buffer_puts(out, "\nOptions:\n");
    if (verb == &cli_program) {
        entry(out, "-h, --help", "Show this help and exit");
        entry(out, "    --version", "Show the version and exit");
    } else if (verb->verbs != NULL) {
        entry(out, "-h, --help", "Show this help and exit");
    } else {
        options(out, verb->options, verb);
        options(out, cli_common_options, verb);
    }
    if (verb->examples != NULL && verb->examples[0].command != NULL) {
        mf_buffer_puts(out, "\nExamples:\n");
        for (const struct cli_example *e = verb->examples; e->command != NULL; e++) {
            mf_buffer_printf(out, "  %s\n      ", e->command);
            wrap(out, e->help, 6, 6);
        }
    }
    if (verb == &cli_program) {
        exit_codes(out);
    }
    if (verb->verbs != NULL) {
        mf_buffer_printf(out, "\n'%s VERB --help' explains a verb.\n", path);
    }
}
