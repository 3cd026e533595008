/* SPDX-License-Identifier: Apache-2.0
 * utf8.h -- reading UTF-8 (RFC 3629) that may be broken, and how wide it is on a terminal. */
#ifndef FMT_UTF8_H
#define FMT_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define MF_UTF8_INVALID UINT32_MAX

/* The code point at bytes[0..len), len > 0, and in *ret_len how many bytes it takes. Ill-formed
 * input (stray or missing continuation, overlong form, surrogate, beyond U+10FFFF) gives
 * MF_UTF8_INVALID and the length of its maximal ill-formed piece (Unicode 15, section 3.9,
 * "Substitution of Maximal Subparts"), so that replacing each piece by U+FFFD gives what browsers
 * give. */
uint32_t mf_utf8_get(const char *bytes, size_t len, size_t *ret_len);

/* Writes `code_point` (a Unicode scalar value; else U+FFFD) to out; returns the 1 to 4 bytes
 * written. */
size_t mf_utf8_put(char out[4], uint32_t code_point);

/* Terminal columns of one code point: 0 for combining marks and other invisible ones, 2 for East
 * Asian wide and emoji, else 1. After UAX #11; ambiguous ones count as narrow. */
int mf_utf8_width(uint32_t code_point);

/* Terminal columns of a text; an ill-formed piece counts as one. Control characters count 0. */
size_t mf_utf8_columns(const char *bytes, size_t len);

/* The bytes of the longest beginning of a text that fits into `columns_max`, never half a character
 * and with the combining marks that belong to its last one. */
size_t mf_utf8_fit(const char *bytes, size_t len, size_t columns_max);

#endif
