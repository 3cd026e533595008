/* SPDX-License-Identifier: Apache-2.0
 * number.h -- numbers as text and back, the same in every locale. All parsers take the whole text:
 * leading or trailing blanks, empty text and a value out of range are refused with MF_ESYNTAX and a
 * message that quotes the text; *ret is untouched then. [any-thread] */
#ifndef FMT_NUMBER_H
#define FMT_NUMBER_H

#include <mayfly/error.h>
#include <stddef.h>
#include <stdint.h>

#define MF_NUMBER_LEN 32 /* room for any number written here, with its NUL */

/* The fewest digits that read back as the same double: "0.1", "1e+300", "-0", "NaN", "+Inf", "-Inf"
 * (the spellings of OpenMetrics). NUL-terminated; returns the length. */
size_t mf_format_double(char out[MF_NUMBER_LEN], double value);

/* Decimal digits with an optional sign. */
int mf_parse_int64(const char *text, int64_t *ret_value, struct mf_errinfo *err);
/* Decimal digits without a sign. */
int mf_parse_uint64(const char *text, uint64_t *ret_value, struct mf_errinfo *err);
/* Decimal or exponent notation, and the spellings of mf_format_double() in any case. A finite text
 * beyond the range of a double is refused. */
int mf_parse_double(const char *text, double *ret_value, struct mf_errinfo *err);

#endif
