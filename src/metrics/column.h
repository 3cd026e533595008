/* SPDX-License-Identifier: Apache-2.0
 * column.h -- how the archive codes a column of 64-bit words and a column of slot numbers. Bytes
 * in, bytes out; what is decoded may come from a damaged file. The forms are described in column.c.
 */
#ifndef METRICS_COLUMN_H
#define METRICS_COLUMN_H

#include "base/buffer.h"

#include <stddef.h>
#include <stdint.h>

#define MF__COLUMN_WORDS_MAX 65536 /* in one column */

/* What `bytes` will take after the stage behind this one (zstd); the encoder compares forms by it.
 */
typedef size_t (*mf__packed_len)(void *context, const void *bytes, size_t len);

/* Appends words[0, count) in the form that packs smallest; count 0 .. MF__COLUMN_WORDS_MAX.
 * packed_len NULL compares the plain lengths. -ENOMEM when memory runs out. */
int mf__column_encode(const uint64_t *words, size_t count, mf__packed_len packed_len, void *context,
                      struct mf_buffer *out);
/* Reads exactly `count` words from exactly `len` bytes. MF_ECORRUPT when they do not say that. */
int mf__column_decode(const uint8_t *in, size_t len, size_t count, uint64_t *ret_words);

/* Appends strictly ascending slot numbers as runs. */
void mf__slots_encode(const uint64_t *slots, size_t count, struct mf_buffer *out);
/* Reads exactly `count` strictly ascending numbers from exactly `len` bytes, or MF_ECORRUPT. */
int mf__slots_decode(const uint8_t *in, size_t len, size_t count, uint64_t *ret_slots);

#endif
