/* SPDX-License-Identifier: Apache-2.0
 * suggest.h -- the nearest known word to a misspelt one. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include <stddef.h>

/* Insertions, deletions, replacements and swaps of neighbours that make `b` of `a` (optimal string
 * alignment). Words beyond 63 bytes are as far apart as can be. */
size_t cli_edit_distance(const char *a, const char *b);

struct cli_suggestion {
    const char *word; /* the best so far, or NULL */
    size_t distance;
};

/* Takes `candidate` when it is nearer to `word` than what is held, and near enough to be meant:
 * within a third of the length, or `word` is how it begins. */
void cli_suggest(struct cli_suggestion *best, const char *word, const char *candidate);

#endif
