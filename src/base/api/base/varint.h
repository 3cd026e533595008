/* SPDX-License-Identifier: Apache-2.0
 * varint.h -- LEB128 variable-length integers (the encoding of Protocol Buffers). */
#ifndef BASE_VARINT_H
#define BASE_VARINT_H

#include <stddef.h>
#include <stdint.h>

#define MF_VARINT_LEN_MAX 10

/* Writes `value` to `out` (at least MF_VARINT_LEN_MAX bytes); returns the number of bytes. */
size_t mf_varint_put(uint8_t *out, uint64_t value);

/* Reads one from [in, in + len). Returns the bytes used, or 0 when it is cut off or longer than ten
 * bytes; *ret_value is untouched then. */
size_t mf_varint_get(const uint8_t *in, size_t len, uint64_t *ret_value);

static inline uint64_t mf_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t mf_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

#endif
