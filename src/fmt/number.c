/* SPDX-License-Identifier: Apache-2.0
 * number.c -- see number.h.
 *
 * printf() and strtod() follow LC_NUMERIC, which belongs to the program that embeds the library.
 * Writing therefore replaces whatever the locale used as decimal point; reading puts the locale's
 * point in. */
#include "fmt/number.h"
#include "base/fail.h"

#include <errno.h>
#include <float.h>
#include <langinfo.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The longest number that is read; longer ones are refused. */
#define NUMBER_TEXT_LEN_MAX 400

size_t mf_format_double(char out[MF_NUMBER_LEN], double value)
{
    if (isnan(value)) {
        memcpy(out, "NaN", 4);
        return 3;
    }
    if (isinf(value)) {
        memcpy(out, value > 0 ? "+Inf" : "-Inf", 5);
        return 4;
    }
    /* A double holds any 15 digits, unless it is subnormal. */
    int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG;
    for (; digits < DBL_DECIMAL_DIG; digits++) {
        snprintf(out, MF_NUMBER_LEN, "%.*g", digits, value);
        if (strtod(out, NULL) == value) {
            break;
        }
    }
    if (digits == DBL_DECIMAL_DIG) {
        snprintf(out, MF_NUMBER_LEN, "%.*g", digits, value);
    }
    size_t point = strspn(out, "+-0123456789");
    if (out[point] != '\0' && out[point] != 'e') {
        size_t rest = point + strcspn(out + point, "+-0123456789e");
        out[point] = '.';
        memmove(out + point + 1, out + rest, strlen(out + rest) + 1);
    }
    return strlen(out);
}

static int refuse(struct mf_errinfo *err, const char *text, const char *why)
{
    return mf_fail(err, MF_ESYNTAX, "'%.80s' %s", text, why);
}

/* The digits at `text` up to its end, at most `limit`. */
static int read_digits(const char *text, const char *digits, uint64_t limit, uint64_t *ret_value,
                       struct mf_errinfo *err)
{
    uint64_t value = 0;
    if (*digits == '\0') {
        return refuse(err, text, "is not a whole number");
    }
    for (const char *p = digits; *p != '\0'; p++) {
        if (*p < '0' || *p > '9') {
            return refuse(err, text, "is not a whole number");
        }
        const unsigned digit = (unsigned)(*p - '0');
        if (value > (limit - digit) / 10) {
            return refuse(err, text, "is too large");
        }
        value = value * 10 + digit;
    }
    *ret_value = value;
    return 0;
}

int mf_parse_uint64(const char *text, uint64_t *ret_value, struct mf_errinfo *err)
{
    return read_digits(text, text, UINT64_MAX, ret_value, err);
}

int mf_parse_int64(const char *text, int64_t *ret_value, struct mf_errinfo *err)
{
    const bool negative = text[0] == '-';
    const uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    uint64_t magnitude = 0;
    int rc = read_digits(text, text + (negative || text[0] == '+'), limit, &magnitude, err);
    if (rc < 0) {
        return rc;
    }
    *ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return 0;
}

/* The form of a decimal number: [sign] digits [. digits] [e [sign] digits], with a digit before the
 * e. */
static bool looks_decimal(const char *text)
{
    const char *p = text + (*text == '+' || *text == '-');
    size_t digits = strspn(p, "0123456789");
    p += digits;
    if (*p == '.') {
        const size_t fraction = strspn(p + 1, "0123456789");
        digits += fraction;
        p += 1 + fraction;
    }
    if (digits == 0) {
        return false;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        const size_t exponent = strspn(p, "0123456789");
        if (exponent == 0) {
            return false;
        }
        p += exponent;
    }
    return *p == '\0';
}

int mf_parse_double(const char *text, double *ret_value, struct mf_errinfo *err)
{
    const char *word = text + (*text == '+' || *text == '-');
    if (strcasecmp(word, "inf") == 0 || strcasecmp(word, "infinity") == 0) {
        *ret_value = *text == '-' ? -HUGE_VAL : HUGE_VAL;
        return 0;
    }
    if (strcasecmp(text, "nan") == 0) {
        *ret_value = (double)NAN;
        return 0;
    }
    if (!looks_decimal(text) || strlen(text) > NUMBER_TEXT_LEN_MAX) {
        return refuse(err, text, "is not a number");
    }
    char local[NUMBER_TEXT_LEN_MAX + 16];
    const char *point = strchr(text, '.');
    const char *radix = nl_langinfo(RADIXCHAR);
    if (point != NULL && strlen(radix) < 8) {
        snprintf(local, sizeof local, "%.*s%s%s", (int)(point - text), text, radix, point + 1);
    } else {
        snprintf(local, sizeof local, "%s", text);
    }
    errno = 0;
    const double value = strtod(local, NULL);
    if (isinf(value)) {
        return refuse(err, text, "is too large for a number");
    }
    *ret_value = value;
    return 0;
}
