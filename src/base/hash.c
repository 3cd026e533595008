/* SPDX-License-Identifier: Apache-2.0
 * hash.c -- CRC-32C with the CPU's instruction where there is one, by table elsewhere; FNV-1a. */
#include "hash_private.h"
#include "base/hash.h"
#include "base/bytes.h"

#define CRC32C_POLYNOMIAL 0x82F63B78u

/* crc_table[k][b]: the CRC of byte b followed by k zero bytes ("slicing by 8"). */
static uint32_t crc_table[8][256];

__attribute__((constructor)) static void crc_table_fill(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? CRC32C_POLYNOMIAL : 0);
        }
        crc_table[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int k = 1; k < 8; k++) {
            uint32_t before = crc_table[k - 1][byte];
            crc_table[k][byte] = (before >> 8) ^ crc_table[0][before & 0xFF];
        }
    }
}

uint32_t mf__crc32c_by_table(uint32_t crc, const uint8_t *p, size_t len)
{
    while (len >= 8) {
        uint64_t word = mf_load_u64(p) ^ crc;
        crc = 0;
        for (int k = 0; k < 8; k++) {
            crc ^= crc_table[7 - k][(word >> (8 * k)) & 0xFF];
        }
        p += 8;
        len -= 8;
    }
    for (; len > 0; len--) {
        crc = (crc >> 8) ^ crc_table[0][(crc ^ *p++) & 0xFF];
    }
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc_by_instruction(uint32_t crc, const uint8_t *p,
                                                                     size_t len)
{
    uint64_t wide = crc;
    for (; len >= 8; len -= 8, p += 8) {
        wide = _mm_crc32_u64(wide, mf_load_u64(p));
    }
    crc = (uint32_t)wide;
    for (; len > 0; len--) {
        crc = _mm_crc32_u8(crc, *p++);
    }
    return crc;
}

static int has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

static uint32_t crc_by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
    for (; len >= 8; len -= 8, p += 8) {
        crc = __crc32cd(crc, mf_load_u64(p));
    }
    for (; len > 0; len--) {
        crc = __crc32cb(crc, *p++);
    }
    return crc;
}

static int has_instruction(void)
{
    return 1;
}
#else
static uint32_t crc_by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
    return mf__crc32c_by_table(crc, p, len);
}

static int has_instruction(void)
{
    return 0;
}
#endif

uint32_t mf_crc32c(uint32_t crc, const void *bytes, size_t len)
{
    crc = ~crc;
    crc = has_instruction() ? crc_by_instruction(crc, bytes, len)
                            : mf__crc32c_by_table(crc, bytes, len);
    return ~crc;
}

uint64_t mf_hash64(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * 0x100000001b3u;
    }
    return hash;
}
