/* SPDX-License-Identifier: Apache-2.0
 * rfc3339.c -- see rfc3339.h. The calendar is the proleptic Gregorian one of ISO 8601; the
 * conversion counts from March 1st of year 0, so that the leap day is the last of its year, as
 * described by H. Hinnant in "chrono-Compatible Low-Level Date Algorithms" (2013). */
#include "fmt/rfc3339.h"
#include "base/fail.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS    INT64_C(1000000000)
#define DAY_S        INT64_C(86400)
#define ERA_DAYS     INT64_C(146097) /* 400 years */
#define EPOCH_OFFSET INT64_C(719468) /* days from 0000-03-01 to 1970-01-01 */

struct civil {
    int64_t year;
    unsigned month; /* 1 to 12 */
    unsigned day;   /* 1 to 31 */
};

static int64_t divide_down(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0);
}

static struct civil civil_of_days(int64_t days)
{
    const int64_t shifted = days + EPOCH_OFFSET;
    const int64_t era = divide_down(shifted, ERA_DAYS);
    const unsigned day_of_era = (unsigned)(shifted - era * ERA_DAYS);
    const unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const unsigned day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const unsigned month_from_march = (5 * day_of_year + 2) / 153;
    struct civil civil;
    civil.day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    civil.month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    civil.year = era * 400 + year_of_era + (civil.month <= 2);
    return civil;
}

static int64_t days_of_civil(struct civil civil)
{
    const int64_t year = civil.year - (civil.month <= 2);
    const int64_t era = divide_down(year, 400);
    const unsigned year_of_era = (unsigned)(year - era * 400);
    const unsigned month_from_march = civil.month > 2 ? civil.month - 3 : civil.month + 9;
    const unsigned day_of_year = (153 * month_from_march + 2) / 5 + civil.day - 1;
    const unsigned day_of_era =
        365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - EPOCH_OFFSET;
}

char *mf_format_rfc3339(char out[MF_RFC3339_LEN], int64_t wall_ns, int32_t offset_s, int digits)
{
    const int32_t offset_minutes = (int32_t)divide_down(offset_s, 60);
    const int64_t utc_s = divide_down(wall_ns, SECOND_NS);
    const int64_t rest_ns = wall_ns % SECOND_NS;
    const unsigned fraction_ns = (unsigned)(rest_ns < 0 ? rest_ns + SECOND_NS : rest_ns);
    const int64_t local_s = utc_s + (int64_t)offset_minutes * 60;
    const int64_t days = divide_down(local_s, DAY_S);
    const unsigned second_of_day = (unsigned)(local_s - days * DAY_S);
    const struct civil civil = civil_of_days(days);

    char fraction[16] = "";
    if (digits > 0) {
        snprintf(fraction, sizeof fraction, ".%09u", fraction_ns);
        fraction[1 + (digits < 9 ? digits : 9)] = '\0';
    }
    char zone[16] = "Z";
    if (offset_minutes != 0) {
        const unsigned magnitude =
            (unsigned)(offset_minutes < 0 ? -offset_minutes : offset_minutes);
        snprintf(zone, sizeof zone, "%c%02u:%02u", offset_minutes < 0 ? '-' : '+',
                 magnitude / 60 % 24, magnitude % 60);
    }
    snprintf(out, MF_RFC3339_LEN, "%04u-%02u-%02uT%02u:%02u:%02u%s%s", (unsigned)civil.year % 10000,
             civil.month % 100, civil.day % 100, second_of_day / 3600 % 100,
             second_of_day / 60 % 60, second_of_day % 60, fraction, zone);
    return out;
}

/* Reads exactly `digits` digits at *cursor. */
static bool read_field(const char **cursor, int digits, unsigned low, unsigned high,
                       unsigned *ret_value)
{
    unsigned value = 0;
    for (int i = 0; i < digits; i++, (*cursor)++) {
        if (**cursor < '0' || **cursor > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(**cursor - '0');
    }
    *ret_value = value;
    return value >= low && value <= high;
}

static bool read_char(const char **cursor, const char *allowed)
{
    if (**cursor == '\0' || strchr(allowed, **cursor) == NULL) {
        return false;
    }
    (*cursor)++;
    return true;
}

static unsigned month_days(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool read_date(const char **cursor, int64_t *ret_days)
{
    unsigned year = 0;
    unsigned month = 0;
    unsigned day = 0;
    if (!read_field(cursor, 4, 0, 9999, &year) || !read_char(cursor, "-") ||
        !read_field(cursor, 2, 1, 12, &month) || !read_char(cursor, "-") ||
        !read_field(cursor, 2, 1, month_days(year, month), &day)) {
        return false;
    }
    *ret_days = days_of_civil((struct civil){.year = year, .month = month, .day = day});
    return true;
}

static bool read_time(const char **cursor, int64_t *ret_second, int64_t *ret_fraction_ns)
{
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    if (!read_field(cursor, 2, 0, 23, &hour) || !read_char(cursor, ":") ||
        !read_field(cursor, 2, 0, 59, &minute) || !read_char(cursor, ":") ||
        !read_field(cursor, 2, 0, 60, &second)) {
        return false;
    }
    int64_t fraction_ns = 0;
    if (read_char(cursor, ".")) {
        int64_t unit_ns = SECOND_NS / 10;
        if (**cursor < '0' || **cursor > '9') {
            return false;
        }
        for (; **cursor >= '0' && **cursor <= '9'; (*cursor)++) {
            fraction_ns += (**cursor - '0') * unit_ns;
            unit_ns /= 10;
        }
    }
    *ret_second = (int64_t)hour * 3600 + (int64_t)minute * 60 + second;
    *ret_fraction_ns = fraction_ns;
    return true;
}

static bool read_zone(const char **cursor, int64_t *ret_offset_s)
{
    if (read_char(cursor, "Zz")) {
        *ret_offset_s = 0;
        return true;
    }
    const int64_t sign = **cursor == '-' ? -1 : 1;
    unsigned hours = 0;
    unsigned minutes = 0;
    if (!read_char(cursor, "+-") || !read_field(cursor, 2, 0, 23, &hours) ||
        !read_char(cursor, ":") || !read_field(cursor, 2, 0, 59, &minutes)) {
        return false;
    }
    *ret_offset_s = sign * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
    return true;
}

int mf_parse_rfc3339(const char *text, int64_t *ret_wall_ns, struct mf_errinfo *err)
{
    const char *p = text;
    int64_t days = 0;
    int64_t second = 0;
    int64_t fraction_ns = 0;
    int64_t offset_s = 0;
    if (!read_date(&p, &days) || !read_char(&p, "Tt ") || !read_time(&p, &second, &fraction_ns) ||
        !read_zone(&p, &offset_s) || *p != '\0') {
        return mf_fail(err, MF_ESYNTAX,
                       "'%.80s' is not a time such as 2024-05-01T12:00:00Z or "
                       "2024-05-01T14:00:00+02:00",
                       text);
    }
    const int64_t utc_s = days * DAY_S + second - offset_s;
    int64_t wall_ns = 0;
    /* Towards zero first: the lowest second of the range does not fit by itself, only with its
     * fraction. */
    const int64_t whole_s = utc_s < 0 ? utc_s + 1 : utc_s;
    const int64_t rest_ns = utc_s < 0 ? fraction_ns - SECOND_NS : fraction_ns;
    if (__builtin_mul_overflow(whole_s, SECOND_NS, &wall_ns) ||
        __builtin_add_overflow(wall_ns, rest_ns, &wall_ns)) {
        return mf_fail(err, MF_ESYNTAX, "the time '%.80s' is outside 1677-09-21 to 2262-04-11",
                       text);
    }
    *ret_wall_ns = wall_ns;
    return 0;
}
