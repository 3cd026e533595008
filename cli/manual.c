/* SPDX-License-Identifier: Apache-2.0
 * manual.c -- the manual page mayfly(1), from the tables. */
#include "cli.h"
#include "help.h"
#include "options.h"

#include <string.h>

/* Text with everything escaped that roff would take as a request. */
static void roff(struct mf_buffer *out, const char *text)
{
    bool line_begins = true;
    for (const char *p = text; *p != '\0'; p++) {
        if (line_begins && (*p == '.' || *p == '\'')) {
            mf_buffer_puts(out, "\\&");
        }
        line_begins = *p == '\n';
        if (*p == '\n' && p[1] == '\n') {
            mf_buffer_puts(out, "\n.PP");
        } else if (*p == '-') {
            mf_buffer_puts(out, "\\-");
        } else if (*p == '\\') {
            mf_buffer_puts(out, "\\e");
        } else {
            mf_buffer_putc(out, *p);
        }
    }
}

static void request(struct mf_buffer *out, const char *name, const char *text)
{
    mf_buffer_printf(out, "%s ", name);
    roff(out, text);
    mf_buffer_putc(out, '\n');
}

static void options(struct mf_buffer *out, const struct cli_option *table,
                    const struct cli_verb *verb)
{
    for (const struct cli_option *o = table; o != NULL && o->name != NULL; o++) {
        if (verb != NULL && !cli_common_applies(o, verb)) {
            continue;
        }
        struct mf_buffer text = MF_BUFFER_INIT;
        mf_buffer_puts(out, ".TP\n");
        if (o->letter != 0) {
            mf_buffer_printf(out, "\\fB\\-%c\\fR, ", o->letter);
        }
        mf_buffer_puts(out, "\\fB\\-\\-");
        roff(out, o->name);
        mf_buffer_puts(out, "\\fR");
        if (o->kind != CLI_FLAG) {
            mf_buffer_puts(out, " \\fI");
            roff(out, o->metavar);
            mf_buffer_puts(out, "\\fR");
        }
        mf_buffer_putc(out, '\n');
        cli_help_option_text(&text, o);
        if (text.failed) {
            out->failed = true;
        } else {
            roff(out, text.data);
        }
        mf_buffer_puts(out, ".\n");
        mf_buffer_free(&text);
    }
}

static void verb(struct mf_buffer *out, const struct cli_verb *v, const char *path)
{
    struct mf_buffer synopsis = MF_BUFFER_INIT;
    cli_help_synopsis(&synopsis, v);
    mf_buffer_puts(out, ".SS \"");
    roff(out, path);
    mf_buffer_puts(out, "\"\n.B ");
    roff(out, path);
    mf_buffer_puts(out, "\n");
    if (synopsis.failed) {
        out->failed = true;
    } else {
        roff(out, synopsis.data);
    }
    mf_buffer_free(&synopsis);
    mf_buffer_puts(out, "\n.PP\n");
    roff(out, v->summary);
    mf_buffer_puts(out, ".\n");
    if (v->description != NULL) {
        mf_buffer_puts(out, ".PP\n");
        roff(out, v->description);
        mf_buffer_putc(out, '\n');
    }
    for (const struct cli_operand *o = v->operands; o != NULL && o->name != NULL; o++) {
        mf_buffer_puts(out, ".TP\n\\fI");
        roff(out, o->name);
        mf_buffer_puts(out, "\\fR\n");
        roff(out, o->help);
        mf_buffer_puts(out, ".\n");
    }
    options(out, v->options, NULL);
    for (const struct cli_example *e = v->examples; e != NULL && e->command != NULL; e++) {
        mf_buffer_puts(out, ".PP\n.EX\n");
        roff(out, e->command);
        mf_buffer_puts(out, "\n.EE\n.RS\n");
        roff(out, e->help);
        mf_buffer_puts(out, "\n.RE\n");
    }
}

/* All verbs below a group, two levels deep: the program and its groups. */
static void verbs(struct mf_buffer *out)
{
    for (const struct cli_verb *const *v = cli_program.verbs; *v != NULL; v++) {
        struct mf_buffer path = MF_BUFFER_INIT;
        mf_buffer_printf(&path, "%s %s", cli_program.name, (*v)->name);
        const size_t len = path.len;
        if (!path.failed) {
            verb(out, *v, path.data);
        }
        for (const struct cli_verb *const *m = (*v)->verbs; m != NULL && *m != NULL; m++) {
            path.len = len;
            mf_buffer_printf(&path, " %s", (*m)->name);
            if (!path.failed) {
                verb(out, *m, path.data);
            }
        }
        out->failed = out->failed || path.failed;
        mf_buffer_free(&path);
    }
}

void cli_help_manual(struct mf_buffer *out)
{
    mf_buffer_printf(out, ".TH MAYFLY 1 \"\" \"mayfly %s\" \"User Commands\"\n",
                     mf_version_string());
    mf_buffer_puts(out, ".SH NAME\nmayfly \\- ");
    roff(out, cli_program.summary);
    mf_buffer_puts(out, "\n.SH SYNOPSIS\n.B mayfly\n\\fIVERB\\fR [\\fIOPTION\\fR]...\n.br\n"
                        ".B mayfly help\n[\\fIVERB\\fR]...\n.SH DESCRIPTION\n");
    roff(out, cli_program.description);
    mf_buffer_puts(out, "\n.SH VERBS\n");
    verbs(out);
    mf_buffer_puts(out, ".SH COMMON OPTIONS\n");
    options(out, cli_common_options, NULL);
    mf_buffer_puts(out, ".PP\n.B \\-\\-json\nis taken by the verbs whose help lists it.\n"
                        ".SH EXIT STATUS\n");
#define X(name, code, text)                                                                        \
    mf_buffer_puts(out, ".TP\n.B " #code "\n");                                                    \
    roff(out, text);                                                                               \
    mf_buffer_puts(out, ".\n");
    CLI_EXIT_MAP(X)
#undef X
    mf_buffer_puts(out, ".SH ENVIRONMENT\n");
    static const struct {
        const char *name;
        const char *text;
    } variables[] = {
        {"MAYFLY_HOME", "The directory that holds everything"},
        {"XDG_DATA_HOME",
         "Without MAYFLY_HOME, its subdirectory mayfly; by default ~/.local/share"},
        {"NO_COLOR", "When set and not empty, --color auto means never"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(variables); i++) {
        mf_buffer_puts(out, ".TP\n");
        request(out, ".B", variables[i].name);
        roff(out, variables[i].text);
        mf_buffer_puts(out, ".\n");
    }
}
