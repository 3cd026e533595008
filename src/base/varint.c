/* SPDX-License-Identifier: Apache-2.0
 * varint.c -- see varint.h. */
#include "base/varint.h"

size_t mf_varint_put(uint8_t *out, uint64_t value)
{
    size_t len = 0;
    while (value >= 0x80) {
        out[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[len++] = (uint8_t)value;
    return len;
}

size_t mf_varint_get(const uint8_t *in, size_t len, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len && i < MF_VARINT_LEN_MAX; i++) {
        uint64_t bits = in[i] & 0x7F;
        if (i == MF_VARINT_LEN_MAX - 1 && bits > 1) {
            return 0; /* would not fit 64 bits */
        }
        value |= bits << (7 * i);
        if ((in[i] & 0x80) == 0) {
            *ret_value = value;
            return i + 1;
        }
    }
    return 0;
}
