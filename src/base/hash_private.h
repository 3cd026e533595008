/* SPDX-License-Identifier: Apache-2.0
 * hash_private.h -- the portable CRC-32C, apart from the dispatch, so that a test can run it on a
 * CPU that has the instruction. */
#ifndef HASH_PRIVATE_H
#define HASH_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

/* Takes and returns the inner state of the CRC (without the final inversion). */
uint32_t mf__crc32c_by_table(uint32_t crc, const uint8_t *p, size_t len);

#endif
