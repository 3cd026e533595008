/* SPDX-License-Identifier: Apache-2.0
 * match.c -- which series of a source a selector means, in the order of answers. */
#include "selector.h"
#include "source.h"

#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static size_t name_length(const struct source_series *series)
{
    const char *brace = memchr(series->text, '{', series->text_len);
    return brace != NULL ? (size_t)(brace - series->text) : series->text_len;
}

/* By name, so that the series of one name stand together; then by labels. */
static int compare_series(const void *a, const void *b)
{
    const struct source_series *x = a;
    const struct source_series *y = b;
    const size_t x_len = name_length(x);
    const size_t y_len = name_length(y);
    const int order = compare_bytes(x->text, x_len, y->text, y_len);
    return order != 0 ? order
                      : compare_bytes(x->text + x_len, x->text_len - x_len, y->text + y_len,
                                      y->text_len - y_len);
}

/* 1, 0, or -ENOMEM. A text that cannot be read had a checksum that held a moment ago: the series is
 * being forgotten. */
static int matches(const struct mf__selector *selector, const struct source_series *series)
{
    struct mf__labels *labels;
    int rc = mf__labels_take(series->text, series->text_len, &labels);
    if (rc != 0) {
        return rc == -ENOMEM ? rc : 0;
    }
    rc = mf__selector_matches(selector, labels) ? 1 : 0;
    mf_free(labels);
    return rc;
}

int mf__match(const struct mf_metrics_reader *reader, const char *selector_text,
              struct source_series **ret_list, size_t *ret_count, struct mf_errinfo *err)
{
    struct mf__selector *selector;
    int rc = mf__selector_parse(selector_text, &selector, err);
    if (rc < 0) {
        return rc;
    }
    const uint32_t ids = reader->ops->series_count(reader->source);
    struct source_series *list = NULL;
    size_t count = 0;
    size_t capacity = 0;
    for (uint32_t id = 0; rc >= 0 && id < ids; id++) {
        struct source_series series;
        rc = reader->ops->series(reader->source, id, &series) ? matches(selector, &series) : 0;
        if (rc == 1 && count == capacity) {
            capacity = capacity == 0 ? 64 : capacity * 2;
            struct source_series *longer = mf_realloc(list, capacity * sizeof *list);
            rc = longer == NULL ? -ENOMEM : 1;
            list = longer != NULL ? longer : list;
        }
        if (rc == 1) {
            list[count++] = series;
        }
    }
    mf__selector_free(selector);
    if (rc < 0) {
        mf_free(list);
        return rc;
    }
    if (count > 1) {
        qsort(list, count, sizeof *list, compare_series);
    }
    *ret_list = list;
    *ret_count = count;
    return 0;
}
