/* SPDX-License-Identifier: Apache-2.0
 * utf8.c -- see utf8.h. */
#include "fmt/utf8.h"
#include "base/fail.h"

#include <stdbool.h>

struct range {
    uint32_t first;
    uint32_t last;
};

/* Blocks of combining and other zero-width characters, in order. */
static const struct range zero_width[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489},   {0x0591, 0x05bd},   {0x05bf, 0x05bf}, {0x05c1, 0x05c2},
    {0x05c4, 0x05c5}, {0x0610, 0x061a},   {0x064b, 0x065f},   {0x06d6, 0x06dc}, {0x06df, 0x06e4},
    {0x06e7, 0x06e8}, {0x06ea, 0x06ed},   {0x0900, 0x0902},   {0x093c, 0x093c}, {0x0941, 0x0948},
    {0x094d, 0x094d}, {0x0e31, 0x0e31},   {0x0e34, 0x0e3a},   {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x200b, 0x200f},   {0x202a, 0x202e},   {0x2060, 0x2064}, {0x2066, 0x206f},
    {0x20d0, 0x20f0}, {0x302a, 0x302d},   {0x3099, 0x309a},   {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
    {0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff}, {0xe0001, 0xe01ef},
};

/* East Asian Wide and Fullwidth, and the emoji that terminals draw over two columns, in order. */
static const struct range double_width[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},
    {0x23f0, 0x23f0},   {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x267f, 0x267f},   {0x2693, 0x2693},   {0x26a1, 0x26a1},
    {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},   {0x26ce, 0x26ce},
    {0x26d4, 0x26d4},   {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},
    {0x26fa, 0x26fa},   {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},
    {0x2728, 0x2728},   {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},
    {0x2757, 0x2757},   {0x2795, 0x2797},   {0x27b0, 0x27b0},   {0x27bf, 0x27bf},
    {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},   {0x2e80, 0x3029},
    {0x302e, 0x303e},   {0x3041, 0x3096},   {0x309b, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0xa4cf},   {0xa960, 0xa97c},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe10, 0xfe19},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6},
    {0x16fe0, 0x18aff}, {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf},
    {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f335},
    {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3},
    {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f3fa}, {0x1f400, 0x1f43e},
    {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e},
    {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4},
    {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d2},
    {0x1f6d5, 0x1f6d7}, {0x1f6dc, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc},
    {0x1f7e0, 0x1f7eb}, {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff},
    {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

uint32_t mf_utf8_get(const char *bytes, size_t len, size_t *ret_len)
{
    const unsigned char first = (unsigned char)bytes[0];
    *ret_len = 1;
    if (first < 0x80) {
        return first;
    }
    if (first < 0xc2 || first > 0xf4) {
        return MF_UTF8_INVALID;
    }
    const size_t wanted = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t code_point = first & (0xffu >> (wanted + 1));
    for (size_t i = 1; i < wanted; i++) {
        if (i == len) {
            return MF_UTF8_INVALID;
        }
        const unsigned char c = (unsigned char)bytes[i];
        unsigned char low = 0x80;
        unsigned char high = 0xbf;
        if (i == 1) { /* no overlong forms, no surrogates, nothing beyond U+10FFFF */
            low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : low;
            high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : high;
        }
        if (c < low || c > high) {
            return MF_UTF8_INVALID;
        }
        code_point = code_point << 6 | (c & 0x3fu);
        *ret_len = i + 1;
    }
    return code_point;
}

size_t mf_utf8_put(char out[4], uint32_t code_point)
{
    if (code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff)) {
        code_point = 0xfffd;
    }
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    const size_t len = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    out[0] = (char)((0xf00u >> len & 0xf0u) | code_point);
    return len;
}

static bool within(const struct range *ranges, size_t count, uint32_t code_point)
{
    size_t low = 0;
    while (low < count) {
        const size_t middle = low + (count - low) / 2;
        if (code_point > ranges[middle].last) {
            low = middle + 1;
        } else if (code_point < ranges[middle].first) {
            count = middle;
        } else {
            return true;
        }
    }
    return false;
}

int mf_utf8_width(uint32_t code_point)
{
    if (code_point < 0x300) {
        return code_point >= 0x20 && (code_point < 0x7f || code_point >= 0xa0) ? 1 : 0;
    }
    if (within(zero_width, MF_ARRAY_LEN(zero_width), code_point)) {
        return 0;
    }
    return within(double_width, MF_ARRAY_LEN(double_width), code_point) ? 2 : 1;
}

size_t mf_utf8_columns(const char *bytes, size_t len)
{
    size_t columns = 0;
    for (size_t at = 0, used; at < len; at += used) {
        const uint32_t code_point = mf_utf8_get(bytes + at, len - at, &used);
        columns += code_point == MF_UTF8_INVALID ? 1 : (size_t)mf_utf8_width(code_point);
    }
    return columns;
}

size_t mf_utf8_fit(const char *bytes, size_t len, size_t columns_max)
{
    size_t columns = 0;
    size_t at = 0;
    for (size_t used; at < len; at += used) {
        const uint32_t code_point = mf_utf8_get(bytes + at, len - at, &used);
        columns += code_point == MF_UTF8_INVALID ? 1 : (size_t)mf_utf8_width(code_point);
        if (columns > columns_max) {
            break;
        }
    }
    return at;
}
