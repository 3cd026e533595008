/* SPDX-License-Identifier: Apache-2.0
 * relations.c -- see relations.h. */
#include "relations.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool mf__is_measured(const struct bench_result *result)
{
    return result->status == BENCH_OK && result->process_medians != NULL &&
           result->process_count > 0;
}

static size_t suffix_len(const char *name, size_t len, const char *suffix)
{
    const size_t n = strlen(suffix);
    return len >= n && memcmp(name + len - n, suffix, n) == 0 ? n : 0;
}

size_t mf__base_len(const struct bench_result *result)
{
    char suffix[BENCH_SUITE_LEN + 64];
    size_t len = strlen(result->name);
    snprintf(suffix, sizeof suffix, "/threads:%d", result->threads);
    len -= suffix_len(result->name, len, suffix);
    if (result->options.param_count > 0) {
        const char *name = result->options.param_name;
        const bool bare = name == NULL || name[0] == '\0';
        snprintf(suffix, sizeof suffix, "/%s%s%lld", bare ? "" : name, bare ? "" : ":",
                 (long long)result->param);
        len -= suffix_len(result->name, len, suffix);
    }
    return len;
}

const char *mf__variant(const struct bench_result *result)
{
    const char *rest = result->name + mf__base_len(result);
    return *rest == '/' ? rest + 1 : rest;
}

const struct bench_result *mf__find_result(const struct bench_run *run, const char *name)
{
    for (size_t i = 0; i < run->result_count; i++) {
        if (strcmp(run->results[i].name, name) == 0) {
            return &run->results[i];
        }
    }
    return NULL;
}

const struct bench_result *mf__reference_of(const struct bench_run *run,
                                            const struct bench_result *result)
{
    const char *name = result->options.ratio_to;
    if (name == NULL || name[0] == '\0') {
        return NULL;
    }
    const struct bench_result *found = mf__find_result(run, name);
    const char *variant = mf__variant(result);
    for (size_t i = 0; i < run->result_count && found == NULL; i++) {
        const struct bench_result *other = &run->results[i];
        const size_t len = mf__base_len(other);
        if (strlen(name) == len && memcmp(other->name, name, len) == 0 &&
            strcmp(mf__variant(other), variant) == 0) {
            found = other;
        }
    }
    return found != NULL && found != result && mf__is_measured(found) ? found : NULL;
}

const struct bench_result *mf__first_of_series(const struct bench_run *run,
                                               const struct bench_result *result)
{
    const struct bench_result *first = result;
    const size_t len = mf__base_len(result);
    for (size_t i = 0; i < run->result_count; i++) {
        const struct bench_result *other = &run->results[i];
        if (mf__is_measured(other) && mf__base_len(other) == len &&
            memcmp(other->name, result->name, len) == 0 &&
            (other->param < first->param ||
             (other->param == first->param && other->threads < first->threads))) {
            first = other;
        }
    }
    return first;
}

double mf__overhead_pct(const struct bench_run *run, const struct bench_result *result)
{
    const struct bench_result *reference = mf__reference_of(run, result);
    return reference == NULL || !mf__is_measured(result)
               ? NAN
               : 100 * (result->median.point_estimate / reference->median.point_estimate - 1);
}

int mf__compare_names(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            a += strspn(a, "0");
            b += strspn(b, "0");
            const size_t n = strspn(a, "0123456789");
            const size_t m = strspn(b, "0123456789");
            const int order = n != m ? (n > m) - (n < m) : memcmp(a, b, n);
            if (order != 0) {
                return order;
            }
            a += n;
            b += m;
        } else if (*a != *b) {
            return (unsigned char)*a - (unsigned char)*b;
        } else {
            a++;
            b++;
        }
    }
    return (unsigned char)*a - (unsigned char)*b;
}

static int by_name(const void *a, const void *b)
{
    const char *x = ((const struct bench_result *)a)->name;
    const char *y = ((const struct bench_result *)b)->name;
    const int order = mf__compare_names(x, y);
    return order != 0 ? order : strcmp(x, y);
}

void mf__sort_results(struct bench_run *run)
{
    if (run->result_count > 1) {
        qsort(run->results, run->result_count, sizeof *run->results, by_name);
    }
}
