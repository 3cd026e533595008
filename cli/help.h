/* SPDX-License-Identifier: Apache-2.0
 * help.h -- what is generated from the tables: help, manual page, shell completions. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "verb.h"

#include "base/buffer.h"

/* The whole program, as a group whose members are all verbs. */
extern const struct cli_verb cli_program;

/* `path` is how the verb is called, "mayfly metrics info". */
void cli_help_verb(struct mf_buffer *out, const struct cli_verb *verb, const char *path);

/* The manual page mayfly(1), in the man macros of roff. */
void cli_help_manual(struct mf_buffer *out);

void cli_completion_bash(struct mf_buffer *out);
void cli_completion_zsh(struct mf_buffer *out);
void cli_completion_fish(struct mf_buffer *out);

/* "[OPTION]... FLIGHT [FILE]..." */
void cli_help_synopsis(struct mf_buffer *out, const struct cli_verb *verb);
/* "-n, --name NAME" */
void cli_help_option_title(struct mf_buffer *out, const struct cli_option *option);
/* The help phrase with the choices and the default in brackets. */
void cli_help_option_text(struct mf_buffer *out, const struct cli_option *option);

#endif
