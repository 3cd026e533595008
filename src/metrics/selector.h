/* SPDX-License-Identifier: Apache-2.0
 * selector.h -- `name{a="b",c!="d",e=~"x.*",f!~"y"}`: which series are meant.
 *
 * As in PromQL: a label that a series lacks has the value ""; regular expressions are anchored at
 * both ends. They are POSIX extended ones, of at most 256 bytes, without back-references, and with
 * nested repetitions as far as they stay small. */
#ifndef METRICS_SELECTOR_H
#define METRICS_SELECTOR_H

#include "labels.h"

struct mf__selector;

/* text: NULL or "" matches every series. MF_ESYNTAX says at which character. */
int mf__selector_parse(const char *text, struct mf__selector **ret_selector,
                       struct mf_errinfo *err);
void mf__selector_free(struct mf__selector *selector); /* NULL is allowed */
bool mf__selector_matches(const struct mf__selector *selector, const struct mf__labels *labels);

#endif
