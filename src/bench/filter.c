/* SPDX-License-Identifier: Apache-2.0
 * filter.c -- see filter.h. */
#include "filter.h"

#include <stdint.h>
#include <string.h>

/* The character at *p, "::" as "/"; moves *p behind it. */
static char next_char(const char **p)
{
    if ((*p)[0] == ':' && (*p)[1] == ':') {
        *p += 2;
        return '/';
    }
    return *(*p)++;
}

static bool starts_with(const char *pattern, const char *name, bool whole)
{
    while (*pattern != '\0') {
        if (*name == '\0' || next_char(&pattern) != next_char(&name)) {
            return false;
        }
    }
    return !whole || *name == '\0';
}

/* A set "[a-z]" or "[!a-z]" at *pattern (behind the bracket). An unclosed one matches nothing. */
static bool set_matches(const char **pattern, char c)
{
    const char *p = *pattern;
    const bool negated = *p == '!' || *p == '^';
    p += negated;
    bool found = false;
    for (bool first = true; *p != '\0' && (*p != ']' || first); first = false) {
        const unsigned char low = (unsigned char)*p++;
        unsigned char high = low;
        if (p[0] == '-' && p[1] != ']' && p[1] != '\0') {
            high = (unsigned char)p[1];
            p += 2;
        }
        found = found || ((unsigned char)c >= low && (unsigned char)c <= high);
    }
    if (*p != ']') {
        *pattern = p;
        return false;
    }
    *pattern = p + 1;
    return found != negated;
}

/* The last star is the only one to come back to: what an earlier one took cannot make a later match
 * fail. */
static bool glob_matches(const char *pattern, const char *name)
{
    const char *star = NULL;
    const char *star_name = NULL;
    while (*name != '\0') {
        const char *p = pattern;
        const char *n = name;
        bool matches = false;
        if (*p == '*') {
            star = ++pattern;
            star_name = name;
            continue;
        }
        if (*p == '?') {
            next_char(&n);
            p++;
            matches = true;
        } else if (*p == '[') {
            p++;
            matches = set_matches(&p, next_char(&n));
        } else if (*p != '\0') {
            matches = next_char(&p) == next_char(&n);
        }
        if (matches) {
            pattern = p;
            name = n;
        } else if (star != NULL) {
            next_char(&star_name);
            pattern = star;
            name = star_name;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

bool mf__pattern_matches(const char *pattern, const char *name, bool exact)
{
    if (!exact && strpbrk(pattern, "*?[") != NULL) {
        return glob_matches(pattern, name);
    }
    if (exact) {
        return starts_with(pattern, name, true);
    }
    for (const char *at = name;; next_char(&at)) {
        if (starts_with(pattern, at, false)) {
            return true;
        }
        if (*at == '\0') {
            return false;
        }
    }
}

bool mf__filter_matches(const struct bench_filter *filter, const char *name)
{
    for (size_t i = 0; i < filter->skip_count; i++) {
        if (mf__pattern_matches(filter->skips[i], name, filter->exact)) {
            return false;
        }
    }
    bool wanted = filter->pattern_count == 0;
    for (size_t i = 0; i < filter->pattern_count && !wanted; i++) {
        wanted = mf__pattern_matches(filter->patterns[i], name, filter->exact);
    }
    return wanted;
}
