/* SPDX-License-Identifier: Apache-2.0
 *
 * verb.h -- the tables that describe the command line. Parsing, --help, the manual page and the
 * shell completions are all made from them, so that they cannot differ.
 *
 * A verb is one file, cli/verb_<name>.c, that defines a `const struct cli_verb` and has a line in
 * cli/verbs.h. A group (`mayfly metrics ...`) is a verb whose `verbs` lists its members and whose
 * `run` is NULL.
 */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include <stdbool.h>
#include <stdint.h>

struct cli_context;

enum cli_kind {
    CLI_FLAG,     /* takes no argument; cli_flag() */
    CLI_STRING,   /* any text; cli_string() */
    CLI_FILE,     /* a path, completed by the shell; cli_string() */
    CLI_DIR,      /* a directory, completed by the shell; cli_string() */
    CLI_INT,      /* a whole number; cli_int() */
    CLI_NUMBER,   /* any finite number; cli_number() */
    CLI_DURATION, /* "100ms", "1h30m"; cli_int() in nanoseconds */
    CLI_SIZE,     /* "512M"; cli_int() in bytes */
    CLI_CHOICE    /* one word of `choices`; cli_choice() is its index, cli_string() the word */
};

/* Tables of options end with an entry without name. */
struct cli_option {
    const char *name; /* the long one, without dashes */
    char letter;      /* the short one, or 0 */
    enum cli_kind kind;
    bool repeatable;          /* may be given more than once; see cli_count() and cli_string_at() */
    const char *metavar;      /* the name of its argument in the help: "DIR" */
    const char *choices;      /* CLI_CHOICE: "auto|always|never" */
    const char *default_text; /* the value when it is not given; read like a given one; or NULL */
    int64_t min, max;         /* bounds of a CLI_INT, CLI_DURATION or CLI_SIZE; both 0: none */
    const char *help;         /* a phrase; begins with a capital, ends without a full stop */
};

/* Tables of operands end with an entry without name; only the last may be repeated. */
struct cli_operand {
    const char *name; /* "FLIGHT"; "FILE" and "DIR" are completed by the shell */
    bool optional;
    bool repeated;
    const char *help;
};

/* Tables of examples end with an entry without command. */
struct cli_example {
    const char *command; /* the whole line, "mayfly run -- make" */
    const char *help;
};

struct cli_verb {
    const char *name;
    const char *section;     /* heading in `mayfly --help`; needed at the top level only */
    const char *summary;     /* one line; begins with a capital, ends without a full stop */
    const char *description; /* paragraphs separated by empty lines, wrapped when shown; or NULL */
    const struct cli_option *options;
    const struct cli_operand *operands;
    const struct cli_example *examples;
    bool has_json;        /* takes --json */
    bool command_follows; /* options end at the first operand; the rest is a command to run */

    /* Returns an exit code (0, or EXIT_NEGATIVE..), or a negative code of mayfly/error.h, whose
     * message in cli->err (or else its standard text) is printed and turned into an exit code by
     * cli_exit_code(). */
    int (*run)(struct cli_context *cli);

    const struct cli_verb *const *verbs; /* a group: its members, NULL at the end */
};

#endif
