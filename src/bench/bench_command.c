/* SPDX-License-Identifier: Apache-2.0
 * bench_command.c -- which commands there are, and what they share. */
#include "command_private.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/terminal.h"
#include "os/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct command_entry mf__commands[] = {
    {"run", BENCH_EVERY, "[FILTER]...", "Measure benchmarks", mf__command_run},
    {"list", BENCH_SELECT, "[FILTER]...", "List benchmarks", mf__command_list},
    {"compare", BENCH_SELECT | BENCH_MEASURE | BENCH_COMPARE | BENCH_OUTPUT,
     "BEFORE NOW [FILTER]...", "Compare two programs, or two files of results",
     mf__command_compare},
    {"report", BENCH_SELECT | BENCH_COMPARE | BENCH_OUTPUT, "[FILTER]...",
     "Print the results of the last run again", mf__command_report_stored},
    {"history", BENCH_HISTORY | BENCH_OUTPUT, "[FILTER]...",
     "Show how results have changed from commit to commit", mf__command_history},
    {"gate", BENCH_EVERY, "[FILTER]...", "Fail when something has become slower", mf__command_gate},
    {"doctor", BENCH_PROCESS | BENCH_NOISE | BENCH_STORE | BENCH_OUTPUT, "",
     "Look for what makes measurements worse, and measure the noise", mf__command_doctor},
    {"env", BENCH_OUTPUT | BENCH_STORE, "", "Print what is known of this machine", mf__command_env},
    {NULL, 0, NULL, NULL, NULL},
};

void mf__command_note(const struct command *command, const char *format, ...)
{
    char raw[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    struct mf_buffer line = MF_BUFFER_INIT;
    mf_buffer_printf(&line, "%s: ", command->line->program);
    mf_terminal_escape(&line, raw, strlen(raw));
    mf_buffer_putc(&line, '\n');
    fputs(line.failed ? "out of memory\n" : line.data, stderr);
    mf_buffer_free(&line);
}

int mf__command_open_signals(struct command *command)
{
    const int rc = mf_signals_open(&command->signals, &command->err);
    command->has_signals = rc == 0;
    return rc;
}

void mf__command_close_signals(struct command *command)
{
    if (command->has_signals) {
        mf_signals_close(&command->signals);
        command->has_signals = false;
    }
}

void mf__command_filter(const struct command *command, struct bench_filter *ret_filter)
{
    const struct bench_value *skips = mf__config_value(&command->config, NULL, BENCH_KEY_skip);
    *ret_filter = (struct bench_filter){
        .patterns = (const char *const *)command->line->operands,
        .pattern_count = command->line->operand_count,
        .skips = (const char *const *)skips->texts,
        .skip_count = skips->count,
        .exact = mf__config_flag(&command->config, BENCH_KEY_exact),
    };
}

static bench_report_function *find_format(const char *name)
{
    for (const struct bench_report_format *format = mf__report_formats; format->name != NULL;
         format++) {
        if (strcmp(format->name, name) == 0) {
            return format->write;
        }
    }
    return NULL;
}

const char *mf__command_output(const struct command *command, size_t index)
{
    const struct bench_value *paths = mf__config_value(&command->config, NULL, BENCH_KEY_output);
    return index < paths->count ? paths->texts[index] : NULL;
}

/* A page on a terminal helps nobody: it goes to a file, of which is told. NULL: it is none, or it
 * goes elsewhere. For mf_free(). */
static char *page_path(const struct command *command, size_t index)
{
    const char *format =
        mf__config_value(&command->config, NULL, BENCH_KEY_output_format)->texts[index];
    const bool page = strcmp(format, "html") == 0;
    if (command->line->columns == 0 || (!page && strcmp(format, "svg") != 0)) {
        return NULL;
    }
    return mf_asprintf("%s/report/%s", mf__config_text(&command->config, BENCH_KEY_target_dir),
                       !page                                            ? "summary.svg"
                       : strcmp(command->line->command, "history") == 0 ? "history.html"
                                                                        : "index.html");
}

static int write_page(struct command *command, const char *path, const struct mf_buffer *text)
{
    char *directory = mf_strndup(path, (size_t)(strrchr(path, '/') - path));
    int rc = directory != NULL ? mf_fs_mkdirs(NULL, directory, &command->err)
                               : mf_fail_os(&command->err, -ENOMEM, "cannot write %s", path);
    if (rc == 0) {
        rc = mf_fs_replace(NULL, path, text->data, text->len, &command->err);
    }
    if (rc == 0) {
        mf__command_note(command, "written to %s", path);
    }
    mf_free(directory);
    return rc;
}

int mf__command_write(struct command *command, size_t index, const struct mf_buffer *text)
{
    const char *path = mf__command_output(command, index);
    if (text->failed) {
        return mf_fail_os(&command->err, -ENOMEM, "cannot write the report");
    }
    if (path != NULL) {
        return mf_fs_replace(NULL, path, text->data, text->len, &command->err);
    }
    char *page = page_path(command, index);
    if (page != NULL) {
        const int rc = write_page(command, page, text);
        mf_free(page);
        return rc;
    }
    if (text->len > 0) {                          /* nothing was measured before a signal came */
        fwrite(text->data, 1, text->len, stdout); /* checked by the program at its end */
    }
    return 0;
}

/* Each --output belongs to the --output-format at the same place. */
static int check_outputs(struct command *command, size_t format_count)
{
    const struct bench_value *paths = mf__config_value(&command->config, NULL, BENCH_KEY_output);
    return paths->count <= format_count
               ? 0
               : mf_fail(&command->err, MF_ESYNTAX,
                         "%zu times --output, but %zu times --output-format: each file has one",
                         paths->count, format_count);
}

int mf__command_report(struct command *command, const struct bench_report *report)
{
    const struct bench_value *formats =
        mf__config_value(&command->config, NULL, BENCH_KEY_output_format);
    int rc = check_outputs(command, formats->count);
    for (size_t i = 0; i < formats->count && rc == 0; i++) {
        struct bench_report one = *report;
        bench_report_function *format = find_format(formats->texts[i]);
        struct mf_buffer out = MF_BUFFER_INIT;
        if (mf__command_output(command, i) != NULL) { /* a file is no terminal */
            one.colored = false;
            one.columns = 0;
        }
        rc = format != NULL ? format(&one, &out, &command->err)
                            : mf_fail(&command->err, MF_EUNSUPPORTED, "no output format '%s'",
                                      formats->texts[i]);
        if (rc == 0) {
            rc = mf__command_write(command, i, &out);
        }
        mf_buffer_free(&out);
    }
    return rc;
}

/* ---- the way in ---- */

/* The exit codes of the laboratory have no room for kinds of failure. */
static int exit_code(int rc)
{
    switch (rc) {
    case MF_ESYNTAX:
    case MF_EVALUE:
    case MF_EFORMAT:
    case MF_EEXISTS:
        return BENCH_EXIT_USAGE;
    default:
        return rc < 0 ? BENCH_EXIT_FAILED : rc;
    }
}

int mf__bench_command(const struct bench_command_line *line)
{
    struct command command = {.line = line};
    const struct command_entry *entry = mf__commands;
    while (entry->name != NULL && strcmp(entry->name, line->command) != 0) {
        entry++;
    }
    int rc = entry->name != NULL
                 ? mf__config_load(&command.config, line->words, line->word_count, &command.err)
                 : mf_fail(&command.err, MF_ESYNTAX, "unknown command '%.60s'", line->command);
    if (rc < 0) {
        rc = rc == -ENOMEM ? rc : MF_ESYNTAX;
    } else {
        rc = entry->run(&command);
    }
    mf__command_close_signals(&command);
    if (rc < 0) {
        mf__command_note(&command, "%s",
                         command.err.msg[0] != '\0' ? command.err.msg : mf_strerror(rc));
    }
    mf__config_free(&command.config);
    return exit_code(rc);
}
