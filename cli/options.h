/* SPDX-License-Identifier: Apache-2.0
 * options.h -- the parser behind the tables of verb.h.
 *
 * Long options as `--name value` or `--name=value`, never abbreviated; short ones as `-n value`,
 * `-nvalue`, and flags bundled `-ab`. Options and operands mix, up to `--`;
 * a minus sign and a digit begin an operand. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli.h"

/* Options that every verb has; --json only where `has_json` is set. Ends without a name. */
extern const struct cli_option cli_common_options[];

/* Fills `cli` from the words after the verb. On success the caller frees it with
 * cli_options_free(); on failure (MF_ESYNTAX, -ENOMEM; the sentence is in cli->err) there is
 * nothing to free. With --help the rest of the line is not looked at. `words` ends with NULL, is
 * borrowed and must outlive `cli`. */
int cli_options_parse(struct cli_context *cli, const struct cli_verb *verb, const char *path,
                      int word_count, char **words);
void cli_options_free(struct cli_context *cli);

/* Whether a common option applies to a verb. */
bool cli_common_applies(const struct cli_option *option, const struct cli_verb *verb);

#endif
