/* SPDX-License-Identifier: Apache-2.0
 *
 * cli.h -- what a verb needs: its parsed command line, and how to talk to the user.
 *
 * Answers go to standard output, by stdio or as a whole with cli_print(); whether they arrived is
 * checked once, by main(). Everything else goes to standard error as one line `mayfly: <sentence>`.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "verb.h"

#include "base/buffer.h"
#include "base/fail.h"

#include <stdbool.h>
#include <stdint.h>

/* The exit codes and what they mean; documented from here in the help, the manual page and
 * docs/cli.md. Numbers from 64 on are those of sysexits.h. */
#define CLI_EXIT_MAP(X)                                                                            \
    X(OK, 0, "success")                                                                            \
    X(NEGATIVE, 1, "the answer is no: a check found something, or nothing matched")                \
    X(INDETERMINATE, 3,                                                                            \
      "a commit may or may not have happened: the disk failed while it was made")                  \
    X(USAGE, 64, "the command line is wrong")                                                      \
    X(DATA, 65, "input data is damaged or of an unknown format")                                   \
    X(NOINPUT, 66, "an input does not exist")                                                      \
    X(UNAVAILABLE, 69, "not available in this build or on this machine")                           \
    X(INTERNAL, 70, "an error inside Mayfly")                                                      \
    X(OS, 71, "the system is out of memory, processes or descriptors")                             \
    X(CANTCREATE, 73, "an output cannot be created, or exists already")                            \
    X(IO, 74, "reading or writing failed")                                                         \
    X(TEMPORARY, 75, "something else holds it now; try again")                                     \
    X(REMOTE, 76, "the peer refused or failed")                                                    \
    X(NOPERM, 77, "permission is missing")

enum cli_exit {
#define X(name, code, text) CLI_EXIT_##name = code,
    CLI_EXIT_MAP(X)
#undef X
};

/* The exit code for a negative code of mayfly/error.h. */
int cli_exit_code(int rc);

struct cli_value {
    const struct cli_option *option;
    const char *text;
    int64_t integer; /* CLI_INT, CLI_DURATION, CLI_SIZE, and the index of a CLI_CHOICE */
    double number;   /* CLI_NUMBER */
};

enum cli_color { CLI_COLOR_AUTO, CLI_COLOR_ALWAYS, CLI_COLOR_NEVER };

struct cli_context {
    const struct cli_verb *verb;
    char path[64]; /* "mayfly metrics info" */
    struct cli_value *values;
    int value_count;
    char **operands; /* operand_count of them, then NULL */
    int operand_count;
    char **command; /* command_follows: the command and its arguments, then NULL; else empty */
    int command_count;
    bool help; /* --help was given */
    bool json; /* --json was given */
    enum cli_color color;
    struct mf_errinfo err;
};

/* ---- parsed options ----
 * By their long name; a name that the verb's table lacks is a bug and aborts. */

bool cli_flag(const struct cli_context *cli, const char *name);
/* How often it was given; a default does not count. */
int cli_count(const struct cli_context *cli, const char *name);
/* The text of the last one given, else the default, else NULL. */
const char *cli_string(const struct cli_context *cli, const char *name);
/* The text of the one given as number `index`, 0 <= index < cli_count(). */
const char *cli_string_at(const struct cli_context *cli, const char *name, int index);
/* A whole number, nanoseconds or bytes; 0 when it was not given and has no default. */
int64_t cli_int(const struct cli_context *cli, const char *name);
int64_t cli_int_at(const struct cli_context *cli, const char *name, int index);
double cli_number(const struct cli_context *cli, const char *name);
/* The index of the word among the choices; -1 when it was not given and has no default. */
int cli_choice(const struct cli_context *cli, const char *name);

/* ---- talking to the user ---- */

/* Writes the buffer to standard output and frees it. 0, or -ENOMEM when the buffer has failed. */
int cli_print(struct cli_context *cli, struct mf_buffer *buffer);
/* A complaint about the command line that the tables cannot express; returns CLI_EXIT_USAGE. */
int cli_usage(struct cli_context *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A remark on standard error: `mayfly: <sentence>`. Control characters are made visible. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whether to colour what goes to standard output: --color, then NO_COLOR, then whether it is a
 * terminal. */
bool cli_colored(const struct cli_context *cli);
/* Columns of the terminal at standard output; 0 when it is none. */
int cli_columns(void);

#endif
