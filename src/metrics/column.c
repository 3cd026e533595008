/* SPDX-License-Identifier: Apache-2.0
 *
 * column.c -- the column codec of sealed archives.
 *
 * A column is `count` 64-bit words whose number the reader knows. Its first byte names the form of
 * the rest; the encoder tries every form that fits and keeps the one that is smallest after the
 * general compressor behind it. Differences wrap modulo 2^64, so that each form is exact for every
 * input.
 *
 *   CONSTANT   8 bytes: the word
 *   PLAIN      8 bytes each
 *   PLANES     byte 0 of all words, then byte 1 of all, ...
 *   XOR_PLANES the words XORed with the one before (the first with 0), as PLANES
 *   XOR        a bit stream, most significant bit first, in the manner of Gorilla (Pelkonen et al.,
 *              VLDB 2015): the first word in 64 bits; then each word XORed with the one before:
 *                0          the same word
 *                10 bits    within the window of significant bits of the one before
 *                11 l5 n6 bits   a new window: l leading zeros (0..31), n + 1 significant bits
 *              padded with zeros to a byte
 *   DELTA      e8, 8 bytes first, varint g, then zigzag varints of (m[i] - m[i-1]) / g
 *   DELTA2     e8, 8 bytes first, varint g, then zigzag varints of the differences of those
 * quotients (before the first difference stands 0) e is 255 when m is the word itself; otherwise
 * the word is the double m / 10^e with |m| <= 2^53, e 0..9, which division rounds to exactly the
 * same bits. g >= 1 is the greatest common divisor of the differences: page counts in bytes become
 * page counts.
 *
 * Slot numbers: varint first, then alternating varints "how many more follow without a gap" and
 * "how many numbers are left out before the next" until all are named.
 */
#include "column.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/heap.h"
#include "base/varint.h"

#include <errno.h>
#include <math.h>
#include <mayfly/error.h>
#include <stdbool.h>
#include <string.h>

enum form {
    FORM_CONSTANT = 1,
    FORM_PLAIN = 2,
    FORM_PLANES = 3,
    FORM_XOR_PLANES = 4,
    FORM_XOR = 5,
    FORM_DELTA = 6,
    FORM_DELTA2 = 7
};

#define SCALE_WORD      255 /* DELTA's e: the words as they are */
#define DECIMALS_MAX    9
#define MANTISSA_MAX    9007199254740992.0 /* 2^53 */
#define XOR_LEADING_MAX 31

static const double power_of_ten[DECIMALS_MAX + 1] = {1e0, 1e1, 1e2, 1e3, 1e4,
                                                      1e5, 1e6, 1e7, 1e8, 1e9};

static double double_of(uint64_t word)
{
    double value;
    memcpy(&value, &word, sizeof value);
    return value;
}

static uint64_t word_of(double value)
{
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

static void put_word(struct mf_buffer *out, uint64_t word)
{
    mf_buffer_append(out, &word, sizeof word);
}

static void put_varint(struct mf_buffer *out, uint64_t value)
{
    uint8_t bytes[MF_VARINT_LEN_MAX];
    mf_buffer_append(out, bytes, mf_varint_put(bytes, value));
}

/* ---- bit streams ---- */

struct bit_writer {
    struct mf_buffer *out;
    uint64_t pending; /* low `held` bits are not written yet */
    unsigned held;
};

static void put_bits(struct bit_writer *w, uint64_t bits, unsigned count)
{
    while (count > 0) {
        unsigned take = count < 8 - w->held ? count : 8 - w->held;
        uint64_t part = (bits >> (count - take)) & ((1u << take) - 1);
        w->pending = (w->pending << take) | part;
        w->held += take;
        count -= take;
        if (w->held == 8) {
            mf_buffer_putc(w->out, (char)(uint8_t)w->pending);
            w->pending = 0;
            w->held = 0;
        }
    }
}

static void put_bits_end(struct bit_writer *w)
{
    if (w->held > 0) {
        put_bits(w, 0, 8 - w->held);
    }
}

struct bit_reader {
    const uint8_t *in;
    size_t len;
    size_t at; /* in bits */
};

static bool get_bits(struct bit_reader *r, unsigned count, uint64_t *ret_bits)
{
    if (r->len * 8 - r->at < count) {
        return false;
    }
    uint64_t bits = 0;
    while (count > 0) {
        unsigned left = 8 - (unsigned)(r->at % 8);
        unsigned take = count < left ? count : left;
        uint8_t byte = r->in[r->at / 8];
        bits = (bits << take) | ((byte >> (left - take)) & ((1u << take) - 1));
        r->at += take;
        count -= take;
    }
    *ret_bits = bits;
    return true;
}

/* ---- XOR ---- */

static void encode_xor(const uint64_t *words, size_t count, struct mf_buffer *out)
{
    struct bit_writer w = {out, 0, 0};
    unsigned leading = 0;
    unsigned significant = 0; /* 0: no window yet */
    put_bits(&w, words[0], 64);
    for (size_t i = 1; i < count; i++) {
        uint64_t x = words[i] ^ words[i - 1];
        if (x == 0) {
            put_bits(&w, 0, 1);
            continue;
        }
        unsigned lead = (unsigned)__builtin_clzll(x);
        unsigned trail = (unsigned)__builtin_ctzll(x);
        lead = lead > XOR_LEADING_MAX ? XOR_LEADING_MAX : lead;
        if (significant > 0 && lead >= leading && trail >= 64 - leading - significant) {
            put_bits(&w, 2, 2);
        } else {
            leading = lead;
            significant = 64 - lead - trail;
            put_bits(&w, 3, 2);
            put_bits(&w, leading, 5);
            put_bits(&w, significant - 1, 6);
        }
        put_bits(&w, x >> (64 - leading - significant), significant);
    }
    put_bits_end(&w);
}

static bool decode_xor(const uint8_t *in, size_t len, size_t count, uint64_t *words)
{
    struct bit_reader r = {in, len, 0};
    unsigned leading = 0;
    unsigned significant = 0;
    if (!get_bits(&r, 64, &words[0])) {
        return false;
    }
    for (size_t i = 1; i < count; i++) {
        uint64_t bit;
        uint64_t x = 0;
        if (!get_bits(&r, 1, &bit)) {
            return false;
        }
        if (bit != 0) {
            if (!get_bits(&r, 1, &bit)) {
                return false;
            }
            if (bit != 0) {
                uint64_t l;
                uint64_t n;
                if (!get_bits(&r, 5, &l) || !get_bits(&r, 6, &n) || l + n + 1 > 64) {
                    return false;
                }
                leading = (unsigned)l;
                significant = (unsigned)n + 1;
            }
            if (significant == 0 || !get_bits(&r, significant, &x)) {
                return false;
            }
            x <<= 64 - leading - significant;
        }
        words[i] = words[i - 1] ^ x;
    }
    uint64_t padding = 0;
    size_t left = len * 8 - r.at;
    return left < 8 && get_bits(&r, (unsigned)left, &padding) && padding == 0;
}

/* ---- integers ---- */

/* Finds the smallest e for which every word is the double m[i] / 10^e, exactly. */
static bool decimals_of(const uint64_t *words, size_t count, uint64_t *m, unsigned *ret_e)
{
    size_t done = 0; /* words[0, done) fit with the current e */
    unsigned e = 0;
    size_t verified = 0;
    while (verified < count) {
        double value = double_of(words[done]);
        if (!(fabs(value) <= MANTISSA_MAX)) {
            return false;
        }
        double scaled = nearbyint(value * power_of_ten[e]);
        if (fabs(scaled) <= MANTISSA_MAX &&
            word_of((double)(int64_t)scaled / power_of_ten[e]) == words[done]) {
            m[done] = (uint64_t)(int64_t)scaled;
            done = done + 1 == count ? 0 : done + 1;
            verified++;
            continue;
        }
        if (e == DECIMALS_MAX) {
            return false;
        }
        e++;
        verified = 0; /* all words once more, beginning with this one */
    }
    *ret_e = e;
    return true;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t magnitude(uint64_t difference)
{
    return (int64_t)difference < 0 ? 0 - difference : difference;
}

static void encode_delta(const uint64_t *m, size_t count, unsigned e, bool second,
                         struct mf_buffer *out)
{
    uint64_t g = 0;
    for (size_t i = 1; i < count && g != 1; i++) {
        g = gcd(g, magnitude(m[i] - m[i - 1]));
    }
    g = g == 0 ? 1 : g;
    mf_buffer_putc(out, (char)(uint8_t)e);
    put_word(out, m[0]);
    put_varint(out, g);
    uint64_t before = 0;
    for (size_t i = 1; i < count; i++) {
        uint64_t difference = m[i] - m[i - 1];
        uint64_t quotient = magnitude(difference) / g;
        quotient = (int64_t)difference < 0 ? 0 - quotient : quotient;
        put_varint(out, mf_zigzag((int64_t)(second ? quotient - before : quotient)));
        before = quotient;
    }
}

static bool decode_delta(const uint8_t *in, size_t len, size_t count, bool second, uint64_t *words)
{
    uint64_t g;
    if (len < 1 + sizeof(uint64_t)) {
        return false;
    }
    unsigned e = in[0];
    uint64_t m = mf_load_u64(in + 1);
    size_t at = 1 + sizeof(uint64_t);
    size_t used = mf_varint_get(in + at, len - at, &g);
    if (used == 0 || g == 0 || (e > DECIMALS_MAX && e != SCALE_WORD)) {
        return false;
    }
    at += used;
    uint64_t quotient = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            uint64_t coded;
            used = mf_varint_get(in + at, len - at, &coded);
            if (used == 0) {
                return false;
            }
            at += used;
            uint64_t step = (uint64_t)mf_unzigzag(coded);
            quotient = second ? quotient + step : step;
            m += quotient * g;
        }
        words[i] = e == SCALE_WORD ? m : word_of((double)(int64_t)m / power_of_ten[e]);
    }
    return at == len;
}

/* ---- planes ---- */

static void encode_planes(const uint64_t *words, size_t count, bool xor_before,
                          struct mf_buffer *out)
{
    char *to = mf_buffer_reserve(out, count * 8);
    if (to == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t word = xor_before && i > 0 ? words[i] ^ words[i - 1] : words[i];
        for (size_t plane = 0; plane < 8; plane++) {
            to[plane * count + i] = (char)(uint8_t)(word >> (8 * plane));
        }
    }
    out->len += count * 8;
}

static bool decode_planes(const uint8_t *in, size_t len, size_t count, bool xor_before,
                          uint64_t *words)
{
    if (len != count * 8) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t word = 0;
        for (size_t plane = 0; plane < 8; plane++) {
            word |= (uint64_t)in[plane * count + i] << (8 * plane);
        }
        words[i] = xor_before && i > 0 ? word ^ words[i - 1] : word;
    }
    return true;
}

/* ---- the choice ---- */

struct trial {
    const uint64_t *words;
    const uint64_t *decimals; /* m of each word when `decimal` */
    size_t count;
    unsigned e;
    bool decimal;
};

/* Appends one form, with its byte; false when it cannot say these words. */
static bool encode_form(const struct trial *t, enum form form, bool decimal, struct mf_buffer *out)
{
    mf_buffer_putc(out, (char)form);
    switch (form) {
    case FORM_CONSTANT:
        for (size_t i = 1; i < t->count; i++) {
            if (t->words[i] != t->words[0]) {
                return false;
            }
        }
        put_word(out, t->words[0]);
        return true;
    case FORM_PLAIN:
        mf_buffer_append(out, t->words, t->count * sizeof t->words[0]);
        return true;
    case FORM_PLANES:
        encode_planes(t->words, t->count, false, out);
        return true;
    case FORM_XOR_PLANES:
        encode_planes(t->words, t->count, true, out);
        return true;
    case FORM_XOR:
        encode_xor(t->words, t->count, out);
        return true;
    case FORM_DELTA:
    case FORM_DELTA2:
        if (decimal && !t->decimal) {
            return false;
        }
        encode_delta(decimal ? t->decimals : t->words, t->count, decimal ? t->e : SCALE_WORD,
                     form == FORM_DELTA2, out);
        return true;
    }
    return false;
}

static const struct {
    enum form form;
    bool decimal;
} candidates[] = {
    {FORM_CONSTANT, false}, {FORM_DELTA, true},       {FORM_DELTA2, true},
    {FORM_DELTA, false},    {FORM_DELTA2, false},     {FORM_XOR, false},
    {FORM_PLANES, false},   {FORM_XOR_PLANES, false}, {FORM_PLAIN, false},
};

int mf__column_encode(const uint64_t *words, size_t count, mf__packed_len packed_len, void *context,
                      struct mf_buffer *out)
{
    MF_ASSERT(count <= MF__COLUMN_WORDS_MAX);
    if (count == 0) {
        return 0;
    }
    struct trial t = {words, NULL, count, 0, false};
    uint64_t *decimals = mf_malloc(count * sizeof *decimals);
    if (decimals == NULL) {
        return -ENOMEM;
    }
    t.decimal = decimals_of(words, count, decimals, &t.e);
    t.decimals = decimals;

    struct mf_buffer best = MF_BUFFER_INIT;
    struct mf_buffer next = MF_BUFFER_INIT;
    size_t best_len = SIZE_MAX;
    bool failed = false;
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        mf_buffer_clear(&next);
        if (!encode_form(&t, candidates[i].form, candidates[i].decimal, &next)) {
            continue;
        }
        failed = failed || next.failed;
        size_t len = packed_len != NULL ? packed_len(context, next.data, next.len) : next.len;
        if (!next.failed && len < best_len) {
            struct mf_buffer swap = best;
            best = next;
            next = swap;
            best_len = len;
        }
        if (candidates[i].form == FORM_CONSTANT) {
            break; /* nothing is smaller */
        }
    }
    if (!failed) {
        mf_buffer_append(out, best.data, best.len);
    }
    mf_buffer_free(&best);
    mf_buffer_free(&next);
    mf_free(decimals);
    return failed || out->failed ? -ENOMEM : 0;
}

int mf__column_decode(const uint8_t *in, size_t len, size_t count, uint64_t *ret_words)
{
    if (count == 0) {
        return len == 0 ? 0 : MF_ECORRUPT;
    }
    if (count > MF__COLUMN_WORDS_MAX || len < 1) {
        return MF_ECORRUPT;
    }
    const uint8_t *rest = in + 1;
    size_t rest_len = len - 1;
    bool whole = false;
    switch (in[0]) {
    case FORM_CONSTANT:
        whole = rest_len == sizeof(uint64_t);
        for (size_t i = 0; whole && i < count; i++) {
            ret_words[i] = mf_load_u64(rest);
        }
        break;
    case FORM_PLAIN:
        whole = rest_len == count * sizeof ret_words[0];
        if (whole) {
            memcpy(ret_words, rest, rest_len);
        }
        break;
    case FORM_PLANES:
        whole = decode_planes(rest, rest_len, count, false, ret_words);
        break;
    case FORM_XOR_PLANES:
        whole = decode_planes(rest, rest_len, count, true, ret_words);
        break;
    case FORM_XOR:
        whole = decode_xor(rest, rest_len, count, ret_words);
        break;
    case FORM_DELTA:
    case FORM_DELTA2:
        whole = decode_delta(rest, rest_len, count, in[0] == FORM_DELTA2, ret_words);
        break;
    default:
        break;
    }
    return whole ? 0 : MF_ECORRUPT;
}

/* ---- slot numbers ---- */

void mf__slots_encode(const uint64_t *slots, size_t count, struct mf_buffer *out)
{
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && slots[end] == slots[end - 1] + 1) {
            end++;
        }
        put_varint(out, i == 0 ? slots[0] : slots[i] - slots[i - 1] - 2);
        put_varint(out, end - i - 1);
        i = end;
    }
}

int mf__slots_decode(const uint8_t *in, size_t len, size_t count, uint64_t *ret_slots)
{
    size_t at = 0;
    size_t done = 0;
    while (done < count) {
        uint64_t gap;
        uint64_t more;
        size_t used = mf_varint_get(in + at, len - at, &gap);
        at += used;
        size_t used_more = used == 0 ? 0 : mf_varint_get(in + at, len - at, &more);
        at += used_more;
        if (used_more == 0 || more >= count - done) {
            return MF_ECORRUPT;
        }
        uint64_t slot = gap;
        if (done > 0 && (__builtin_add_overflow(ret_slots[done - 1], 2, &slot) ||
                         __builtin_add_overflow(slot, gap, &slot))) {
            return MF_ECORRUPT;
        }
        if (slot > UINT64_MAX - more) {
            return MF_ECORRUPT;
        }
        for (uint64_t i = 0; i <= more; i++) {
            ret_slots[done++] = slot + i;
        }
    }
    return at == len ? 0 : MF_ECORRUPT;
}
