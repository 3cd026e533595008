/* SPDX-License-Identifier: Apache-2.0
 * match.h -- the series of a source that a selector means, in order, with strings of their own. */
#ifndef METRICS_MATCH_H
#define METRICS_MATCH_H

#include "labels.h"
#include "source.h"

struct match {
    struct source_series series; /* text, unit and help are NUL-terminated copies */
    struct mf__labels *labels;   /* owned */
    char *strings;               /* owned: what `series` points into, text first */
};

/* All series that match, by name, then by labels. MF_ESYNTAX (selector), -ENOMEM. */
int mf__matches_find(const struct mf_metrics_reader *reader, const char *selector,
                     struct match **ret_matches, size_t *ret_count, struct mf_errinfo *err);
void mf__matches_free(struct match *matches, size_t count);

/* Whether the series is still what it was; else its points may be of another one. */
bool mf__match_stands(const struct mf_metrics_reader *reader, const struct match *match);

#endif
