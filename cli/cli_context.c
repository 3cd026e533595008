/* SPDX-License-Identifier: Apache-2.0
 * cli_context.c -- how a verb talks to the user. See cli.h. */
#include "cli.h"

#include "fmt/terminal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int cli_print(struct cli_context *cli, struct mf_buffer *buffer)
{
    int rc = 0;
    if (buffer->failed) {
        rc = mf_fail(&cli->err, -ENOMEM, "out of memory");
    } else if (buffer->len != 0) {
        fwrite(buffer->data, 1, buffer->len, stdout); /* checked at the end, by main() */
    }
    mf_buffer_free(buffer);
    return rc;
}

/* One line, so that several processes that share standard error do not mix theirs. */
__attribute__((format(printf, 1, 0))) static void complain(const char *format, va_list arguments)
{
    char raw[1024];
    vsnprintf(raw, sizeof raw, format, arguments);
    struct mf_buffer line = MF_BUFFER_INIT;
    mf_buffer_puts(&line, "mayfly: ");
    mf_terminal_escape(&line, raw, strlen(raw));
    mf_buffer_putc(&line, '\n');
    if (line.failed) {
        fputs("mayfly: out of memory\n", stderr);
    } else {
        fwrite(line.data, 1, line.len, stderr);
    }
    mf_buffer_free(&line);
}

void cli_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
}

int cli_usage(struct cli_context *cli, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
    fprintf(stderr, "Try '%s --help'.\n", cli->path);
    return CLI_EXIT_USAGE;
}

bool cli_colored(const struct cli_context *cli)
{
    switch (cli->color) {
    case CLI_COLOR_ALWAYS:
        return true;
    case CLI_COLOR_NEVER:
        return false;
    case CLI_COLOR_AUTO:
        break;
    }
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return (no_color == NULL || no_color[0] == '\0') && isatty(STDOUT_FILENO) == 1 &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

int cli_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
        return 0;
    }
    return size.ws_col != 0 ? size.ws_col : 80;
}
