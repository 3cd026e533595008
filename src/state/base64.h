/* SPDX-License-Identifier: Apache-2.0
 * base64.h -- base64 as in RFC 4648, section 4: padded, and in one form only. */
#ifndef STATE_BASE64_H
#define STATE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Characters that so many bytes take, without the NUL. */
#define BASE64_LEN(bytes) (((bytes) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) characters and a NUL. */
void mf__base64_put(const uint8_t *bytes, size_t len, char *out);
/* Reads exactly `len` bytes from `text_len` characters; 0, or -1 when those are not their form. */
int mf__base64_get(const char *text, size_t text_len, uint8_t *out, size_t len);

#endif
