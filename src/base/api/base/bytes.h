/* SPDX-License-Identifier: Apache-2.0
 * bytes.h -- little-endian loads and stores at any alignment; everything on disk is little-endian.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Mayfly's mapped formats are little-endian; big-endian machines are not supported"
#endif

static inline uint16_t mf_load_u16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t mf_load_u32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint64_t mf_load_u64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void mf_store_u16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof v);
}
static inline void mf_store_u32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}
static inline void mf_store_u64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}
static inline uint64_t mf_align_up(uint64_t v, uint64_t alignment_power_of_two)
{
    return (v + alignment_power_of_two - 1) & ~(alignment_power_of_two - 1);
}

#endif
