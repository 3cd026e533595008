/* SPDX-License-Identifier: Apache-2.0
 * labels.h -- names and labels: what is valid, and the one canonical text of a series:
 * `name{a="x",b="y"}` with labels sorted by name and \, " and newline escaped. */
#ifndef METRICS_LABELS_H
#define METRICS_LABELS_H

#include "base/buffer.h"
#include <mayfly/metrics.h>

bool mf__metric_name_valid(const char *name, size_t len);
bool mf__label_name_valid(const char *name, size_t len);
bool mf__utf8_valid(const char *text, size_t len);

/* Appends the canonical text to `text`. MF_EVALUE names the label that is wrong. */
int mf__labels_format(const char *name, const struct mf_label *labels, size_t label_count,
                      struct mf_buffer *text, struct mf_errinfo *err);

/* A canonical text taken apart. One allocation: free with mf_free(). */
struct mf__labels {
    const char *name;
    size_t label_count;
    struct mf_label labels[];
};

/* MF_ESYNTAX when `text` is not canonical; -ENOMEM. */
int mf__labels_parse(const char *text, size_t len, struct mf__labels **ret_labels);

/* The value of a label, "" when there is none. `__name__` is the name. */
const char *mf__labels_value(const struct mf__labels *labels, const char *name);

#endif
