/* SPDX-License-Identifier: Apache-2.0
 * base64.c -- see base64.h. */
#include "base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Up to three bytes as four characters. */
static void put_group(const uint8_t *bytes, size_t len, char out[4])
{
    uint32_t bits = (uint32_t)bytes[0] << 16;
    bits |= len > 1 ? (uint32_t)bytes[1] << 8 : 0;
    bits |= len > 2 ? (uint32_t)bytes[2] : 0;
    out[0] = alphabet[bits >> 18];
    out[1] = alphabet[bits >> 12 & 63];
    out[2] = '=';
    out[3] = '=';
    if (len > 1) {
        out[2] = alphabet[bits >> 6 & 63];
    }
    if (len > 2) {
        out[3] = alphabet[bits & 63];
    }
}

void mf__base64_put(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t at = 0; at < len; at += 3, out += 4) {
        put_group(bytes + at, len - at < 3 ? len - at : 3, out);
    }
    *out = '\0';
}

static int value_of(char c)
{
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? -1 : (int)(at - alphabet);
}

int mf__base64_get(const char *text, size_t text_len, uint8_t *out, size_t len)
{
    if (text_len != BASE64_LEN(len)) {
        return -1;
    }
    for (size_t at = 0; at < len; at += 3, text += 4) {
        size_t here = len - at < 3 ? len - at : 3;
        uint32_t bits = 0;
        for (size_t i = 0; i < 4; i++) {
            int value = i <= here ? value_of(text[i]) : 0;
            if (value < 0) {
                return -1;
            }
            bits = bits << 6 | (uint32_t)value;
        }
        uint8_t group[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
        char again[4];
        put_group(group, here, again);
        if (memcmp(again, text, 4) != 0) { /* bits that no byte has, or other padding */
            return -1;
        }
        memcpy(out + at, group, here);
    }
    return 0;
}
