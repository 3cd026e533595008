/* SPDX-License-Identifier: Apache-2.0
 * dispatch.h -- from the words of a command line to a verb, and from its result to the exit code.
 */
#ifndef CLI_DISPATCH_H
#define CLI_DISPATCH_H

#include "verb.h"

struct cli_found {
    const struct cli_verb
        *verb;     /* the deepest one that the words lead to; a group when they end there */
    char path[64]; /* "mayfly metrics info" */
    int used;      /* words that name it */
};

/* Follows words[0..count) down the groups. False when a word within a group names none of its
 * members (ret_found is the group then); options end the search. */
bool cli_dispatch_find(int count, char **words, struct cli_found *ret_found);

/* Says that `word` is not in the group found, with the nearest one that is; returns CLI_EXIT_USAGE.
 */
int cli_dispatch_unknown(const struct cli_found *found, const char *word);

/* Runs the command line and returns the exit code. */
int cli_dispatch(int argc, char **argv);

#endif
