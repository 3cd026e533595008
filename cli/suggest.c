/* SPDX-License-Identifier: Apache-2.0
 * suggest.c -- see suggest.h. */
#include "suggest.h"

#include <stdint.h>
#include <string.h>

#define WORD_LEN_MAX 63

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t cli_edit_distance(const char *a, const char *b)
{
    const size_t a_len = strlen(a);
    const size_t b_len = strlen(b);
    if (a_len > WORD_LEN_MAX || b_len > WORD_LEN_MAX) {
        return SIZE_MAX;
    }
    size_t rows[3][WORD_LEN_MAX + 1]; /* of the distance matrix: i - 2, i - 1, i */
    size_t *before = rows[0];
    size_t *above = rows[1];
    size_t *row = rows[2];
    for (size_t j = 0; j <= b_len; j++) {
        above[j] = j;
        before[j] = 0;
    }
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            const size_t replace = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smaller(replace, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = smaller(row[j], before[j - 2] + 1);
            }
        }
        size_t *const oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_len];
}

void cli_suggest(struct cli_suggestion *best, const char *word, const char *candidate)
{
    const size_t len = strlen(word);
    size_t distance = cli_edit_distance(word, candidate);
    if (len >= 2 && strncmp(word, candidate, len) == 0) {
        distance = smaller(distance, 1);
    }
    const size_t longest = len > strlen(candidate) ? len : strlen(candidate);
    if (distance <= (longest + 2) / 3 && (best->word == NULL || distance < best->distance)) {
        best->word = candidate;
        best->distance = distance;
    }
}
