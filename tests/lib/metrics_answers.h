/* SPDX-License-Identifier: Apache-2.0
 * metrics_answers.h -- everything that a store answers, as a list that can be compared: each point
 * of each tier of each series. For the crash tests. */
#ifndef TESTS_METRICS_ANSWERS_H
#define TESTS_METRICS_ANSWERS_H

#include <mayfly/metrics.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_POINTS_MAX 4096
#define ANSWER_SERIES_MAX 32

struct answer_point {
    uint32_t series; /* index in `names` */
    bool counter;
    uint32_t tier;
    int64_t start_ns;
    uint64_t count;
    double sum;
    double min;
    double max;
    double first;
    double last;
    uint64_t bucketed; /* of a histogram: how many values its buckets hold */
    double median;
};

struct answers {
    char names[ANSWER_SERIES_MAX][48];
    size_t name_count;
    struct answer_point points[ANSWER_POINTS_MAX];
    size_t count;
};

/* Asks a reader for all there is. 0, or the code of what failed, with its message. */
int answers_take(struct mf_metrics_reader *reader, struct answers *ret_answers,
                 struct mf_errinfo *err);
/* The same through a reader of its own. */
int answers_of(const char *path, const struct mf_env *env, struct answers *ret_answers,
               struct mf_errinfo *err);

bool answers_have(const struct answers *a, const char *name);
/* Whether both say the same of one series. Times before first_ns[tier] are left out (NULL: nothing
 * is). Sums of values within 1/32 for each, as packing rounds; all else exactly. */
bool answers_agree(const struct answers *a, const struct answers *b, const char *name,
                   const int64_t *first_ns);
void answers_print(const struct answers *a, const char *name);

#endif
