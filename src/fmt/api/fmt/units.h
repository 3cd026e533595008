/* SPDX-License-Identifier: Apache-2.0
 *
 * units.h -- durations, sizes and counts for people, both ways. What a formatter writes, its parser
 * reads, to the three digits shown. The same in every locale. [any-thread]
 *
 * Parsers take the whole text; errors are MF_ESYNTAX with a message that quotes it, and *ret is
 * untouched then.
 */
#ifndef FMT_UNITS_H
#define FMT_UNITS_H

#include <mayfly/error.h>
#include <stdint.h>

#define MF_UNITS_LEN 40 /* room for any text written here, with its NUL */

/* "0 s", "850 ns", "1.25 s", "2 min 5 s", "1 h 30 min", "3 d 4 h"; negative ones with a minus sign.
 * Returns out. */
char *mf_format_duration(char out[MF_UNITS_LEN], int64_t duration_ns);
/* One or more numbers with their units, added up: "100ms", "1h30m", "1.5 s", "2 min 5 s". Units:
 * ns, us (µs), ms, s, m (min), h, d, w. A number without unit is refused, except 0. Never negative.
 */
int mf_parse_duration(const char *text, int64_t *ret_duration_ns, struct mf_errinfo *err);

/* "0 B", "1.5 KiB", "512 MiB": powers of 1024. Returns out. */
char *mf_format_size(char out[MF_UNITS_LEN], uint64_t size_bytes);
/* As in GNU tools: K, M, G, T, P, E and KiB, MiB.. are powers of 1024; kB, KB, MB.. powers of 1000;
 * B or nothing is bytes. Fractions are allowed ("1.5G") and rounded down to whole bytes. */
int mf_parse_size(const char *text, uint64_t *ret_size_bytes, struct mf_errinfo *err);

/* "950", "1.23 k", "45 M", "2.5 G": powers of 1000. Returns out. */
char *mf_format_count(char out[MF_UNITS_LEN], uint64_t count);

#endif
