/* SPDX-License-Identifier: Apache-2.0
 * hex.c -- see hex.h. */
#include "hex.h"

void cli_hex_put(struct mf_buffer *out, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    char *to = mf_buffer_reserve(out, 2 * len);
    if (to == NULL) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        to[2 * i] = digits[from[i] >> 4];
        to[2 * i + 1] = digits[from[i] & 15];
    }
    out->len += 2 * len;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool cli_hex_get(const char *digits, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const int high = digit_of(digits[2 * i]);
        const int low = high < 0 ? -1 : digit_of(digits[2 * i + 1]);
        if (low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}
