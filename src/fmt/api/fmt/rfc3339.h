/* SPDX-License-Identifier: Apache-2.0
 * rfc3339.h -- points in time as RFC 3339 text and back. Nanoseconds since 1970-01-01T00:00:00Z
 * without leap seconds, in an int64_t: 1677-09-21 to 2262-04-11. [any-thread] */
#ifndef FMT_RFC3339_H
#define FMT_RFC3339_H

#include <mayfly/error.h>
#include <stddef.h>
#include <stdint.h>

#define MF_RFC3339_LEN 40 /* room for any text written here, with its NUL */

/* "2024-05-01T12:00:00.250Z", or with `offset_s` seconds east of UTC
 * "2024-05-01T14:00:00.250+02:00". `digits`, 0 to 9, of the fraction are written; the rest is cut
 * off. The offset is rounded down to whole minutes and must be within a day. Returns out. */
char *mf_format_rfc3339(char out[MF_RFC3339_LEN], int64_t wall_ns, int32_t offset_s, int digits);

/* Reads date, 'T' (or 't', or a blank), time, an optional fraction of any length (nanoseconds are
 * kept), and 'Z' (or 'z') or an offset. Second 60, a leap second, is read as the first of the next
 * minute. Errors: MF_ESYNTAX, with a message that quotes the text; *ret_wall_ns is untouched then.
 */
int mf_parse_rfc3339(const char *text, int64_t *ret_wall_ns, struct mf_errinfo *err);

#endif
