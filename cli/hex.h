/* SPDX-License-Identifier: Apache-2.0
 * hex.h -- bytes as hexadecimal digits. */
#ifndef CLI_HEX_H
#define CLI_HEX_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void cli_hex_put(struct mf_buffer *out, const void *bytes, size_t len);
/* Reads 2 * len digits, small or capital ones; false when one of them is none. */
bool cli_hex_get(const char *digits, uint8_t *out, size_t len);

#endif
