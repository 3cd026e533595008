/* SPDX-License-Identifier: Apache-2.0
 * hash.h -- checksums and hashes whose values are part of the file formats. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli, reflected polynomial 0x82F63B78, initial value and final XOR 0xFFFFFFFF), as
 * in RFC 3720 B.4. `crc` is the value so far (0 at the start), so that pieces can be chained:
 * crc32c(crc32c(0, a), b) == crc32c(0, ab). Uses the SSE4.2 or ARMv8 instruction where there is
 * one. */
uint32_t mf_crc32c(uint32_t crc, const void *bytes, size_t len);

/* FNV-1a, 64 bit (offset basis 0xcbf29ce484222325, prime 0x100000001b3): stable across builds. */
uint64_t mf_hash64(const void *bytes, size_t len);

#endif
