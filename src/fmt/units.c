/* SPDX-License-Identifier: Apache-2.0
 * units.c -- see units.h. Whole-number arithmetic throughout: no locale, and no rounding but the
 * one that is meant. */
#include "fmt/units.h"
#include "base/fail.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

struct unit {
    const char *name;
    uint64_t scale;
};

#define SECOND_NS UINT64_C(1000000000)

/* Ascending; the first of a scale is the one that is written. */
static const struct unit duration_units[] = {
    {"ns", 1},
    {"µs", 1000}, /* U+00B5, micro sign */
    {"us", 1000},
    {"μs", 1000}, /* U+03BC, Greek mu */
    {"ms", 1000000},
    {"s", SECOND_NS},
    {"min", 60 * SECOND_NS},
    {"m", 60 * SECOND_NS},
    {"h", 3600 * SECOND_NS},
    {"d", 86400 * SECOND_NS},
    {"w", 604800 * SECOND_NS},
};

static const struct unit size_units[] = {
    {"B", 1},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
    {"PiB", UINT64_C(1) << 50},
    {"EiB", UINT64_C(1) << 60},
    {"K", UINT64_C(1) << 10},
    {"k", UINT64_C(1) << 10},
    {"M", UINT64_C(1) << 20},
    {"G", UINT64_C(1) << 30},
    {"T", UINT64_C(1) << 40},
    {"P", UINT64_C(1) << 50},
    {"E", UINT64_C(1) << 60},
    {"kB", UINT64_C(1000)},
    {"KB", UINT64_C(1000)},
    {"MB", UINT64_C(1000000)},
    {"GB", UINT64_C(1000000000)},
    {"TB", UINT64_C(1000000000000)},
    {"PB", UINT64_C(1000000000000000)},
    {"EB", UINT64_C(1000000000000000000)},
};

static const struct unit count_units[] = {
    {"", 1},
    {"k", UINT64_C(1000)},
    {"M", UINT64_C(1000000)},
    {"G", UINT64_C(1000000000)},
    {"T", UINT64_C(1000000000000)},
    {"P", UINT64_C(1000000000000000)},
    {"E", UINT64_C(1000000000000000000)},
};

/* value / scale with three significant digits and no trailing zeros, rounded half up. Returns the
 * whole part after rounding. */
static uint64_t format_scaled(char *out, size_t len, uint64_t value, uint64_t scale)
{
    const wide hundredths = ((wide)value * 100 + scale / 2) / scale;
    const wide tenths = ((wide)value * 10 + scale / 2) / scale;
    const uint64_t whole = (uint64_t)(((wide)value + scale / 2) / scale);
    if (hundredths < 1000) {
        const uint64_t fraction = (uint64_t)hundredths % 100;
        if (fraction % 10 != 0) {
            snprintf(out, len, "%llu.%02llu", (unsigned long long)(hundredths / 100),
                     (unsigned long long)fraction);
        } else if (fraction != 0) {
            snprintf(out, len, "%llu.%llu", (unsigned long long)(hundredths / 100),
                     (unsigned long long)(fraction / 10));
        } else {
            snprintf(out, len, "%llu", (unsigned long long)(hundredths / 100));
        }
        return (uint64_t)hundredths / 100;
    }
    if (tenths < 1000 && tenths % 10 != 0) {
        snprintf(out, len, "%llu.%llu", (unsigned long long)(tenths / 10),
                 (unsigned long long)(tenths % 10));
        return (uint64_t)tenths / 10;
    }
    snprintf(out, len, "%llu", (unsigned long long)whole);
    return whole;
}

/* The number in the largest unit of `units` in which it is at least one, after rounding. `step` is
 * the factor from one unit to the next. */
static void format_largest(char out[MF_UNITS_LEN], const struct unit *units, size_t count,
                           uint64_t value, uint64_t step)
{
    char number[24];
    size_t i = 0;
    while (i + 1 < count && format_scaled(number, sizeof number, value, units[i].scale) >= step) {
        i++;
    }
    format_scaled(number, sizeof number, value, units[i].scale);
    snprintf(out, MF_UNITS_LEN, units[i].name[0] != '\0' ? "%s %s" : "%s%s", number, units[i].name);
}

char *mf_format_size(char out[MF_UNITS_LEN], uint64_t size_bytes)
{
    format_largest(out, size_units, 7, size_bytes, 1024);
    return out;
}

char *mf_format_count(char out[MF_UNITS_LEN], uint64_t count)
{
    format_largest(out, count_units, MF_ARRAY_LEN(count_units), count, 1000);
    return out;
}

/* "2 min 5 s", or "2 min" when there is no rest. */
static void format_pair(char *out, size_t len, uint64_t value, uint64_t minor_per_major,
                        const char *major, const char *minor)
{
    const unsigned long long whole = value / minor_per_major;
    const unsigned long long rest = value % minor_per_major;
    if (rest != 0) {
        snprintf(out, len, "%llu %s %llu %s", whole, major, rest, minor);
    } else {
        snprintf(out, len, "%llu %s", whole, major);
    }
}

char *mf_format_duration(char out[MF_UNITS_LEN], int64_t duration_ns)
{
    static const struct unit short_units[] = {
        {"ns", 1}, {"µs", 1000}, {"ms", 1000000}, {"s", SECOND_NS}};
    const uint64_t magnitude = duration_ns < 0 ? 0 - (uint64_t)duration_ns : (uint64_t)duration_ns;
    const uint64_t seconds = (magnitude + SECOND_NS / 2) / SECOND_NS;
    const uint64_t minutes = (magnitude + 30 * SECOND_NS) / (60 * SECOND_NS);
    const uint64_t hours = (magnitude + 1800 * SECOND_NS) / (3600 * SECOND_NS);
    char text[MF_UNITS_LEN];
    if (magnitude == 0) {
        snprintf(text, sizeof text, "0 s");
    } else if (magnitude < 60 * SECOND_NS - SECOND_NS / 20) { /* 59.95 s is shown as 1 min */
        format_largest(text, short_units, MF_ARRAY_LEN(short_units), magnitude, 1000);
    } else if (seconds < 3600) {
        format_pair(text, sizeof text, seconds, 60, "min", "s");
    } else if (minutes < 1440) {
        format_pair(text, sizeof text, minutes, 60, "h", "min");
    } else {
        format_pair(text, sizeof text, hours, 24, "d", "h");
    }
    snprintf(out, MF_UNITS_LEN, "%s%.*s", duration_ns < 0 ? "-" : "", MF_UNITS_LEN - 2, text);
    return out;
}

/* Reads "12" or "12.5" at *cursor as whole + numerator / denominator; false when there is no digit
 * or too many. */
static bool read_decimal(const char **cursor, uint64_t *ret_whole, uint64_t *ret_numerator,
                         uint64_t *ret_denominator)
{
    const char *p = *cursor;
    uint64_t whole = 0;
    uint64_t numerator = 0;
    uint64_t denominator = 1;
    size_t digits = 0;
    for (; *p >= '0' && *p <= '9'; p++, digits++) {
        const uint64_t digit = (uint64_t)(*p - '0');
        if (whole > (UINT64_MAX - digit) / 10) {
            return false;
        }
        whole = whole * 10 + digit;
    }
    if (*p == '.' && p[1] >= '0' && p[1] <= '9') {
        for (p++; *p >= '0' && *p <= '9'; p++, digits++) {
            if (denominator >= UINT64_C(1000000000000000000)) {
                return false;
            }
            numerator = numerator * 10 + (uint64_t)(*p - '0');
            denominator *= 10;
        }
    }
    *cursor = p;
    *ret_whole = whole;
    *ret_numerator = numerator;
    *ret_denominator = denominator;
    return digits != 0;
}

/* The unit that *cursor starts with and that no letter follows; NULL when there is none. */
static const struct unit *read_unit(const char **cursor, const struct unit *units, size_t count)
{
    const size_t len = strcspn(*cursor, " 0123456789.+-");
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == len && memcmp(*cursor, units[i].name, len) == 0) {
            *cursor += len;
            return &units[i];
        }
    }
    return NULL;
}

/* Adds (whole + numerator / denominator) * scale to *total; false on overflow beyond `limit`. */
static bool add_scaled(wide *total, uint64_t whole, uint64_t numerator, uint64_t denominator,
                       uint64_t scale, uint64_t limit)
{
    *total += (wide)whole * scale + (wide)numerator * scale / denominator;
    return *total <= limit;
}

int mf_parse_duration(const char *text, int64_t *ret_duration_ns, struct mf_errinfo *err)
{
    if (strcmp(text, "0") == 0) {
        *ret_duration_ns = 0;
        return 0;
    }
    wide total = 0;
    const char *p = text;
    do {
        uint64_t whole = 0;
        uint64_t numerator = 0;
        uint64_t denominator = 1;
        if (!read_decimal(&p, &whole, &numerator, &denominator)) {
            return mf_fail(err, MF_ESYNTAX, "'%.80s' is not a duration such as 100ms or 1h30m",
                           text);
        }
        p += *p == ' ';
        const struct unit *unit = read_unit(&p, duration_units, MF_ARRAY_LEN(duration_units));
        if (unit == NULL) {
            return mf_fail(err, MF_ESYNTAX,
                           "'%.80s' is not a duration: it needs a unit (ns, us, ms, s, m, h, d, w)",
                           text);
        }
        if (!add_scaled(&total, whole, numerator, denominator, unit->scale, INT64_MAX)) {
            return mf_fail(err, MF_ESYNTAX, "the duration '%.80s' is too long", text);
        }
        p += *p == ' ' && p[1] != '\0';
    } while (*p != '\0');
    *ret_duration_ns = (int64_t)total;
    return 0;
}

int mf_parse_size(const char *text, uint64_t *ret_size_bytes, struct mf_errinfo *err)
{
    uint64_t whole = 0;
    uint64_t numerator = 0;
    uint64_t denominator = 1;
    uint64_t scale = 1;
    const char *p = text;
    if (!read_decimal(&p, &whole, &numerator, &denominator)) {
        return mf_fail(err, MF_ESYNTAX, "'%.80s' is not a size such as 512M or 1.5GiB", text);
    }
    if (*p != '\0') {
        p += *p == ' ';
        const struct unit *unit = read_unit(&p, size_units, MF_ARRAY_LEN(size_units));
        if (unit == NULL || *p != '\0') {
            return mf_fail(err, MF_ESYNTAX,
                           "'%.80s' is not a size: its unit must be B, K, M, G, T, P, E, KiB.. or "
                           "kB, MB..",
                           text);
        }
        scale = unit->scale;
    }
    wide total = 0;
    if (!add_scaled(&total, whole, numerator, denominator, scale, UINT64_MAX)) {
        return mf_fail(err, MF_ESYNTAX, "the size '%.80s' is too large", text);
    }
    *ret_size_bytes = (uint64_t)total;
    return 0;
}
