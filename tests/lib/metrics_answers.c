/* SPDX-License-Identifier: Apache-2.0
 * metrics_answers.c -- see metrics_answers.h. */
#include "metrics_answers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct taking {
    struct answers *answers;
    uint32_t tier;
    uint32_t series;
    bool counter;
    bool full;
};

static int on_series(void *context, const struct mf_series_result *series, int64_t *start_ns)
{
    struct taking *t = context;
    struct answers *a = t->answers;
    (void)start_ns;
    t->counter = series->type == MF_COUNTER;
    for (t->series = 0; t->series < a->name_count; t->series++) {
        if (strcmp(a->names[t->series], series->text) == 0) {
            return 0;
        }
    }
    if (a->name_count == ANSWER_SERIES_MAX) {
        t->full = true;
        return MF_VISIT_SKIP;
    }
    snprintf(a->names[a->name_count++], sizeof a->names[0], "%s", series->text);
    return 0;
}

static int on_point(void *context, const struct mf_point *point, int64_t interval_ns,
                    const struct mf_histogram *buckets)
{
    struct taking *t = context;
    struct answers *a = t->answers;
    (void)interval_ns;
    if (a->count == ANSWER_POINTS_MAX) {
        t->full = true;
        return MF_ELIMIT;
    }
    a->points[a->count++] = (struct answer_point){
        .series = t->series,
        .counter = t->counter,
        .tier = t->tier,
        .start_ns = point->start_ns,
        .count = point->count,
        .sum = point->sum,
        .min = point->min,
        .max = point->max,
        .first = point->first,
        .last = point->last,
        .bucketed = buckets != NULL ? mf_histogram_count(buckets) : 0,
        .median = buckets != NULL ? mf_histogram_quantile(buckets, 0.5) : 0,
    };
    return 0;
}

int answers_take(struct mf_metrics_reader *reader, struct answers *ret_answers,
                 struct mf_errinfo *err)
{
    struct mf_metrics_info info;
    mf_metrics_reader_info(reader, &info);
    uint32_t tiers = 0;
    for (uint32_t i = 0; i < info.schema_count; i++) {
        struct mf_metrics_schema schema;
        mf_metrics_reader_schema(reader, i, &schema);
        tiers = schema.tier_count > tiers ? schema.tier_count : tiers;
    }
    ret_answers->count = ret_answers->name_count = 0;
    int rc = 0;
    for (uint32_t tier = 0; rc == 0 && tier < tiers; tier++) {
        struct taking t = {.answers = ret_answers, .tier = tier};
        const struct mf_metrics_visitor visitor = {
            .series = on_series, .point = on_point, .context = &t};
        const struct mf_metrics_query query = {
            .start_ns = INT64_MIN / 4, .end_ns = INT64_MAX / 4, .tier = (int)tier};
        rc = mf_metrics_visit(reader, &query, &visitor, err);
        rc = rc == 0 && t.full ? MF_ELIMIT : rc;
    }
    return rc;
}

int answers_of(const char *path, const struct mf_env *env, struct answers *ret_answers,
               struct mf_errinfo *err)
{
    struct mf_metrics_reader *reader = NULL;
    int rc = mf_metrics_reader_open(path, env, &reader, err);
    if (rc == 0) {
        rc = answers_take(reader, ret_answers, err);
        mf_metrics_reader_close(reader);
    }
    return rc;
}

static uint32_t index_of(const struct answers *a, const char *name)
{
    uint32_t i = 0;
    while (i < a->name_count && strcmp(a->names[i], name) != 0) {
        i++;
    }
    return i;
}

bool answers_have(const struct answers *a, const char *name)
{
    return index_of(a, name) < a->name_count;
}

/* The next point of a series at or after *at, or NULL. */
static const struct answer_point *next_point(const struct answers *a, uint32_t series,
                                             const int64_t *first_ns, size_t *at)
{
    for (; *at < a->count; ++*at) {
        const struct answer_point *p = &a->points[*at];
        if (p->series == series && (first_ns == NULL || p->start_ns >= first_ns[p->tier])) {
            return &a->points[(*at)++];
        }
    }
    return NULL;
}

bool answers_agree(const struct answers *a, const struct answers *b, const char *name,
                   const int64_t *first_ns)
{
    const uint32_t in_a = index_of(a, name);
    const uint32_t in_b = index_of(b, name);
    if ((in_a < a->name_count) != (in_b < b->name_count)) {
        return false;
    }
    size_t at_a = 0;
    size_t at_b = 0;
    for (;;) {
        const struct answer_point *x = next_point(a, in_a, first_ns, &at_a);
        const struct answer_point *y = next_point(b, in_b, first_ns, &at_b);
        if (x == NULL || y == NULL) {
            return x == y;
        }
        /* How often a counter was sampled is no answer; a median is as good as its bucket. */
        if (x->tier != y->tier || x->start_ns != y->start_ns ||
            (x->count != y->count && !x->counter) || x->min != y->min || x->max != y->max ||
            x->first != y->first || x->last != y->last || x->bucketed != y->bucketed ||
            !(fabs(x->median - y->median) <= x->median / 32) ||
            !(fabs(x->sum - y->sum) <= (x->counter ? 0 : (double)x->count / 32))) {
            return false;
        }
    }
}

void answers_print(const struct answers *a, const char *name)
{
    const uint32_t series = index_of(a, name);
    size_t at = 0;
    const struct answer_point *p;
    while ((p = next_point(a, series, NULL, &at)) != NULL) {
        fprintf(stderr,
                "  %s tier %u at %lld: count %llu sum %g min %g max %g first %g last %g, %llu\n",
                name, p->tier, (long long)(p->start_ns / 1000000000), (unsigned long long)p->count,
                p->sum, p->min, p->max, p->first, p->last, (unsigned long long)p->bucketed);
    }
}
