/* SPDX-License-Identifier: Apache-2.0
 * names.c -- see names.h. */
#include "names.h"

#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define SUFFIXES_MAX 4

static const char *const counter_suffixes[SUFFIXES_MAX + 1] = {"", "_total"};
static const char *const gauge_suffixes[SUFFIXES_MAX + 1] = {""};
static const char *const aggregate_suffixes[SUFFIXES_MAX + 1] = {"", ":avg", ":min", ":max"};
static const char *const histogram_suffixes[SUFFIXES_MAX + 1] = {"", "_bucket", "_sum", "_count"};

static const char *const *suffixes_of(enum mf_series_type type, bool aggregates)
{
    switch (type) {
    case MF_COUNTER:
        return counter_suffixes;
    case MF_HISTOGRAM:
        return histogram_suffixes;
    case MF_GAUGE:
        break;
    }
    return aggregates ? aggregate_suffixes : gauge_suffixes;
}

static const char *type_suffix(enum mf_series_type type)
{
    switch (type) {
    case MF_COUNTER:
        return "_counter";
    case MF_HISTOGRAM:
        return "_histogram";
    case MF_GAUGE:
        break;
    }
    return "_gauge";
}

/* ---- the names in use ---- */

static size_t taken_place(const struct names *names, const char *name)
{
    size_t at = mf_hash64(name, strlen(name)) & (names->taken_slots - 1);
    while (names->taken[at] != NULL && strcmp(names->taken[at], name) != 0) {
        at = (at + 1) & (names->taken_slots - 1);
    }
    return at;
}

static bool is_taken(const struct names *names, const char *name)
{
    return names->taken_slots != 0 && names->taken[taken_place(names, name)] != NULL;
}

/* Takes over `name`. */
static int take(struct names *names, char *name)
{
    if (name == NULL) {
        return -ENOMEM;
    }
    if (names->taken_count * 2 >= names->taken_slots) {
        const size_t old_slots = names->taken_slots;
        char **old = names->taken;
        char **slots = mf_calloc(old_slots == 0 ? 64 : old_slots * 2, sizeof *slots);
        if (slots == NULL) {
            mf_free(name);
            return -ENOMEM;
        }
        names->taken = slots;
        names->taken_slots = old_slots == 0 ? 64 : old_slots * 2;
        for (size_t i = 0; i < old_slots; i++) {
            if (old[i] != NULL) {
                names->taken[taken_place(names, old[i])] = old[i];
            }
        }
        mf_free(old);
    }
    names->taken[taken_place(names, name)] = name;
    names->taken_count++;
    return 0;
}

/* 1 when a base and its sample names are free, 0 when not. */
static int is_free(const struct names *names, const char *base, const char *const *suffixes)
{
    for (; *suffixes != NULL; suffixes++) {
        char *name = mf_asprintf("%s%s", base, *suffixes);
        if (name == NULL) {
            return -ENOMEM;
        }
        const bool taken = is_taken(names, name);
        mf_free(name);
        if (taken) {
            return 0;
        }
    }
    return 1;
}

/* ---- families ---- */

static char *natural_base(const char *name, enum mf_series_type type)
{
    const size_t len = strlen(name);
    const size_t total = strlen("_total");
    if (type == MF_COUNTER && len > total && strcmp(name + len - total, "_total") == 0) {
        return mf_strndup(name, len - total);
    }
    return mf_strdup(name);
}

static int choose_base(struct names *names, struct names_family *family, bool aggregates)
{
    const char *const *suffixes = suffixes_of(family->type, aggregates);
    family->base = natural_base(family->name, family->type);
    while (family->base != NULL) {
        int rc = is_free(names, family->base, suffixes);
        if (rc != 0) {
            for (; rc > 0 && *suffixes != NULL; suffixes++) {
                int taken = take(names, mf_asprintf("%s%s", family->base, *suffixes));
                rc = taken != 0 ? taken : rc;
            }
            return rc > 0 ? 0 : rc;
        }
        char *longer = mf_asprintf("%s%s", family->base, type_suffix(family->type));
        mf_free(family->base);
        family->base = longer;
    }
    return -ENOMEM;
}

int mf__names_add(struct names *names, const char *name, enum mf_series_type type, bool aggregates)
{
    unsigned round = 0;
    for (size_t i = names->count; i > 0 && strcmp(names->families[i - 1].name, name) == 0; i--) {
        if (names->families[i - 1].type == type) {
            return 0;
        }
        round++;
    }
    if (names->count == names->capacity) {
        const size_t capacity = names->capacity == 0 ? 64 : names->capacity * 2;
        struct names_family *families =
            mf_realloc(names->families, capacity * sizeof *names->families);
        if (families == NULL) {
            return -ENOMEM;
        }
        names->families = families;
        names->capacity = capacity;
    }
    struct names_family family = {mf_strdup(name), NULL, type, round};
    int rc = family.name == NULL ? -ENOMEM : choose_base(names, &family, aggregates);
    if (rc != 0) {
        mf_free(family.name);
        mf_free(family.base);
        return rc;
    }
    names->families[names->count++] = family;
    names->rounds = round + 1 > names->rounds ? round + 1 : names->rounds;
    return 0;
}

const struct names_family *mf__names_find(const struct names *names, const char *name,
                                          enum mf_series_type type)
{
    size_t low = 0;
    size_t high = names->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(names->families[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < names->count && strcmp(names->families[low].name, name) == 0; low++) {
        if (names->families[low].type == type) {
            return &names->families[low];
        }
    }
    return NULL;
}

struct reading {
    struct names *names;
    bool aggregates;
};

static int on_series(void *context, const struct mf_series_result *series, int64_t *start_ns)
{
    (void)start_ns;
    const struct reading *reading = context;
    int rc = mf__names_add(reading->names, series->name, series->type, reading->aggregates);
    return rc != 0 ? rc : MF_VISIT_SKIP;
}

int mf__names_read(struct names *names, struct mf_metrics_reader *reader, const char *selector,
                   bool aggregates, struct mf_errinfo *err)
{
    *names = (struct names){0};
    struct reading reading = {names, aggregates};
    const struct mf_metrics_query query = {
        .selector = selector, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .tier = MF_TIER_FINEST};
    const struct mf_metrics_visitor visitor = {.series = on_series, .context = &reading};
    int rc = mf_metrics_visit(reader, &query, &visitor, err);
    if (rc != 0) {
        mf__names_free(names);
    }
    return rc;
}

void mf__names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        mf_free(names->families[i].name);
        mf_free(names->families[i].base);
    }
    for (size_t i = 0; i < names->taken_slots; i++) {
        mf_free(names->taken[i]);
    }
    mf_free(names->families);
    mf_free(names->taken);
    *names = (struct names){0};
}
