/* SPDX-License-Identifier: Apache-2.0
 * match.c -- see match.h. A writer may forget a series and give its place to another while we look:
 * what is copied counts when the place has the same generation before and after. */
#include "match.h"
#include "selector.h"

#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool mf__match_stands(const struct mf_metrics_reader *reader, const struct match *match)
{
    struct source_series now;
    return reader->ops->series(reader->source, match->series.id, &now) &&
           now.generation == match->series.generation;
}

static void match_free(struct match *match)
{
    mf_free(match->labels);
    mf_free(match->strings);
}

static const char *copy_string(char **to, const char *text, size_t len)
{
    char *copy = *to;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *to += len + 1;
    return copy;
}

/* 1 and a copy of the series, 0 when it is none (any more), -ENOMEM. */
static int copy_series(const struct mf_metrics_reader *reader, uint32_t id, struct match *ret_match)
{
    struct source_series series;
    if (!reader->ops->series(reader->source, id, &series)) {
        return 0;
    }
    struct match match = {.series = series};
    match.strings = mf_malloc(series.text_len + series.unit_len + series.help_len + 3);
    if (match.strings == NULL) {
        return -ENOMEM;
    }
    char *to = match.strings;
    match.series.text = copy_string(&to, series.text, series.text_len);
    match.series.unit = copy_string(&to, series.unit, series.unit_len);
    match.series.help = copy_string(&to, series.help, series.help_len);
    if (!mf__match_stands(reader, &match)) {
        mf_free(match.strings);
        return 0;
    }
    const int rc = mf__labels_parse(match.series.text, series.text_len, &match.labels);
    if (rc < 0) {
        mf_free(match.strings);
        return rc == -ENOMEM ? rc : 0; /* not a text that we wrote */
    }
    *ret_match = match;
    return 1;
}

static int compare_matches(const void *a, const void *b)
{
    const struct match *x = a;
    const struct match *y = b;
    const int order = strcmp(x->labels->name, y->labels->name);
    return order != 0 ? order : strcmp(x->series.text, y->series.text);
}

void mf__matches_free(struct match *matches, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        match_free(&matches[i]);
    }
    mf_free(matches);
}

static int keep(struct match **matches, size_t count, size_t *capacity, const struct match *match)
{
    if (count == *capacity) {
        const size_t larger = *capacity != 0 ? *capacity * 2 : 64;
        struct match *moved = mf_realloc(*matches, larger * sizeof **matches);
        if (moved == NULL) {
            return -ENOMEM;
        }
        *matches = moved;
        *capacity = larger;
    }
    (*matches)[count] = *match;
    return 0;
}

int mf__matches_find(const struct mf_metrics_reader *reader, const char *selector_text,
                     struct match **ret_matches, size_t *ret_count, struct mf_errinfo *err)
{
    struct mf__selector *selector = NULL;
    int rc = mf__selector_parse(selector_text, &selector, err);
    if (rc < 0) {
        return rc;
    }
    const uint32_t ids = reader->ops->series_count(reader->source);
    struct match *matches = NULL;
    size_t count = 0;
    size_t capacity = 0;
    for (uint32_t id = 0; rc == 0 && id < ids; id++) {
        struct match match;
        rc = copy_series(reader, id, &match);
        if (rc != 1) {
            continue;
        }
        const bool wanted = mf__selector_matches(selector, match.labels);
        rc = wanted ? keep(&matches, count, &capacity, &match) : 0;
        if (wanted && rc == 0) {
            count++;
        } else {
            match_free(&match);
        }
    }
    mf__selector_free(selector);
    if (rc < 0) {
        mf__matches_free(matches, count);
        return rc;
    }
    if (count > 1) {
        qsort(matches, count, sizeof *matches, compare_matches);
    }
    *ret_matches = matches;
    *ret_count = count;
    return 0;
}
