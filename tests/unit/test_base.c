/* SPDX-License-Identifier: Apache-2.0
 * base: checksums and hashes against published vectors, variable-length integers, random numbers,
 * buffers, the heap's hook, error texts. */
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/rng.h"
#include "base/varint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "hash_private.h"

/* RFC 3720, B.4 */
static void test_crc32c_vectors(void **state)
{
    (void)state;
    uint8_t bytes[48] = {0};
    assert_int_equal(mf_crc32c(0, bytes, 32), 0x8A9136AA);
    memset(bytes, 0xFF, 32);
    assert_int_equal(mf_crc32c(0, bytes, 32), 0x62A8AB43);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    assert_int_equal(mf_crc32c(0, bytes, 32), 0x46DD794E);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(mf_crc32c(0, bytes, 32), 0x113FDB5C);
    static const uint8_t scsi_read[48] = {0x01, 0xC0, 0, 0,    0,    0, 0, 0,    0,    0, 0,    0,
                                          0,    0,    0, 0,    0x14, 0, 0, 0,    0,    0, 0x04, 0,
                                          0,    0,    0, 0x14, 0,    0, 0, 0x18, 0x28, 0, 0,    0,
                                          0,    0,    0, 0,    0x02, 0, 0, 0,    0,    0, 0,    0};
    assert_int_equal(mf_crc32c(0, scsi_read, sizeof scsi_read), 0xD9963A56);
    assert_int_equal(mf_crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(mf_crc32c(0, NULL, 0), 0);
}

/* One bit at a time, the definition; against every length and alignment, and in two pieces. */
static uint32_t crc_by_bits(const uint8_t *bytes, size_t len)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0);
        }
    }
    return ~crc;
}

static void test_crc32c_any_length(void **state)
{
    (void)state;
    struct mf_rng rng;
    uint8_t bytes[300];
    mf_rng_seed(&rng, 7);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)mf_rng_next(&rng);
    }
    for (size_t from = 0; from < 9; from++) {
        for (size_t len = 0; len <= 260; len++) {
            uint32_t expected = crc_by_bits(bytes + from, len);
            assert_int_equal(mf_crc32c(0, bytes + from, len), expected);
            assert_int_equal(~mf__crc32c_by_table(0xFFFFFFFFu, bytes + from, len), expected);
            size_t half = (size_t)mf_rng_below(&rng, len + 1);
            uint32_t first = mf_crc32c(0, bytes + from, half);
            assert_int_equal(mf_crc32c(first, bytes + from + half, len - half), expected);
        }
    }
}

/* The published FNV-1a test values. */
static void test_hash64_vectors(void **state)
{
    (void)state;
    assert_true(mf_hash64("", 0) == 0xcbf29ce484222325u);
    assert_true(mf_hash64("a", 1) == 0xaf63dc4c8601ec8cu);
    assert_true(mf_hash64("foobar", 6) == 0x85944171f73967e8u);
}

static void test_varint(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        size_t len;
        uint8_t bytes[MF_VARINT_LEN_MAX];
    } cases[] = {
        {0, 1, {0}},
        {1, 1, {1}},
        {127, 1, {0x7F}},
        {128, 2, {0x80, 0x01}},
        {300, 2, {0xAC, 0x02}},
        {UINT64_MAX, 10, {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        uint8_t out[MF_VARINT_LEN_MAX];
        uint64_t value = 99;
        assert_int_equal(mf_varint_put(out, cases[i].value), cases[i].len);
        assert_memory_equal(out, cases[i].bytes, cases[i].len);
        for (size_t len = 0; len < cases[i].len; len++) { /* cut off */
            assert_int_equal(mf_varint_get(out, len, &value), 0);
        }
        assert_true(value == 99);
        assert_int_equal(mf_varint_get(out, cases[i].len, &value), cases[i].len);
        assert_true(value == cases[i].value);
    }
    static const uint8_t too_big[10] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02};
    static const uint8_t endless[11] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                        0x80, 0x80, 0x80, 0x80, 0x00};
    uint64_t value = 99;
    assert_int_equal(mf_varint_get(too_big, sizeof too_big, &value), 0);
    assert_int_equal(mf_varint_get(endless, sizeof endless, &value), 0);
    assert_true(value == 99);
}

static void test_varint_round_trip(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 11);
    for (int i = 0; i < 100000; i++) {
        uint64_t value = mf_rng_next(&rng) >> mf_rng_below(&rng, 64);
        uint8_t out[MF_VARINT_LEN_MAX];
        uint64_t back = 0;
        size_t len = mf_varint_put(out, value);
        assert_int_equal(mf_varint_get(out, sizeof out, &back), len);
        assert_true(back == value);
        int64_t negative = (int64_t)value;
        assert_true(mf_unzigzag(mf_zigzag(negative)) == negative);
        assert_true(mf_unzigzag(mf_zigzag(-negative)) == -negative);
    }
    assert_true(mf_zigzag(0) == 0 && mf_zigzag(-1) == 1 && mf_zigzag(1) == 2);
    assert_true(mf_zigzag(INT64_MIN) == UINT64_MAX && mf_unzigzag(UINT64_MAX) == INT64_MIN);
}

static void test_bytes(void **state)
{
    (void)state;
    uint8_t bytes[12] = {0};
    mf_store_u64(bytes + 1, 0x0807060504030201u);
    for (uint8_t i = 1; i <= 8; i++) {
        assert_int_equal(bytes[i], i);
    }
    assert_true(mf_load_u64(bytes + 1) == 0x0807060504030201u);
    mf_store_u32(bytes + 3, 0xDDCCBBAAu);
    assert_int_equal(mf_load_u32(bytes + 3), 0xDDCCBBAAu);
    mf_store_u16(bytes + 5, 0x1122);
    assert_int_equal(mf_load_u16(bytes + 5), 0x1122);
    assert_int_equal(bytes[5], 0x22);
    assert_true(mf_align_up(0, 8) == 0 && mf_align_up(1, 8) == 8 && mf_align_up(8, 8) == 8);
}

/* The generator's values are part of every printed seed: splitmix64 and xoshiro256** as published,
 * by an independent computation of the first values. */
static void test_rng(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 0);
    assert_true(rng.s[0] == 0xE220A8397B1DCDAFu); /* splitmix64 from 0 */
    assert_true(rng.s[1] == 0x6E789E6AA1B965F4u);
    assert_true(rng.s[2] == 0x06C45D188009454Fu);
    assert_true(rng.s[3] == 0xF88BB8A8724C81ECu);
    rng = (struct mf_rng){{1, 2, 3, 4}};
    assert_true(mf_rng_next(&rng) == 11520u); /* rotl(2 * 5, 7) * 9 */
    assert_true(mf_rng_next(&rng) == 0u);
    assert_true(mf_rng_next(&rng) == 1509978240u);

    struct mf_rng other;
    mf_rng_seed(&rng, 42);
    mf_rng_seed(&other, 42);
    unsigned seen[10] = {0};
    for (int i = 0; i < 100000; i++) {
        uint64_t below = mf_rng_below(&rng, 10);
        assert_true(below < 10 && below == mf_rng_below(&other, 10));
        seen[below]++;
        double fraction = mf_rng_double(&rng);
        assert_true(fraction >= 0 && fraction < 1);
        (void)mf_rng_next(&other);
        assert_true(mf_rng_below(&rng, 1) == 0);
        (void)mf_rng_next(&other);
    }
    for (int i = 0; i < 10; i++) {
        assert_true(seen[i] > 9500 && seen[i] < 10500); /* 5 sigma; the seed is fixed */
    }
    uint64_t bound = (UINT64_C(1) << 63) + 1; /* about half of the draws are thrown away */
    for (int i = 0; i < 1000; i++) {
        assert_true(mf_rng_below(&rng, bound) < bound);
    }
}

static void test_buffer(void **state)
{
    (void)state;
    struct mf_buffer buffer = MF_BUFFER_INIT;
    mf_buffer_append(&buffer, NULL, 0);
    assert_string_equal(buffer.data, "");
    mf_buffer_puts(&buffer, "one ");
    mf_buffer_putc(&buffer, '2');
    mf_buffer_printf(&buffer, " %s %d", "three", 4);
    assert_string_equal(buffer.data, "one 2 three 4");
    assert_int_equal(buffer.len, 13);
    for (int i = 0; i < 1000; i++) {
        mf_buffer_printf(&buffer, "%d,", i);
    }
    assert_int_equal(buffer.len, strlen(buffer.data));
    assert_int_equal(buffer.len, 13 + 10 * 2 + 90 * 3 + 900 * 4);
    char *room = mf_buffer_reserve(&buffer, 5000);
    memset(room, 'r', 5000);
    buffer.len += 5000;
    mf_buffer_clear(&buffer);
    assert_int_equal(buffer.len, 0);
    assert_string_equal(buffer.data, "");
    assert_null(mf_buffer_reserve(&buffer, SIZE_MAX));
    assert_true(buffer.failed);
    mf_buffer_puts(&buffer, "nothing happens any more");
    assert_int_equal(buffer.len, 0);
    mf_buffer_clear(&buffer);
    assert_false(buffer.failed);
    mf_buffer_free(&buffer);
    assert_null(buffer.data);
}

struct failing {
    int left; /* allocations until one fails */
    int asked;
};

static int fail_when_zero(void *context, size_t len_bytes)
{
    struct failing *failing = context;
    assert_true(len_bytes > 0);
    failing->asked++;
    return failing->left-- == 0;
}

static void test_heap_hook(void **state)
{
    (void)state;
    struct failing failing = {0, 0};
    mf_heap_set_hook(fail_when_zero, &failing);
    assert_null(mf_malloc(10));
    failing.left = 0;
    assert_null(mf_calloc(2, 5));
    failing.left = 0;
    assert_null(mf_strdup("x"));
    failing.left = 0;
    assert_null(mf_strndup("xyz", 2));
    failing.left = 0;
    assert_null(mf_asprintf("%d", 5));
    failing.left = 0;
    assert_null(mf_realloc(NULL, 5));
    assert_int_equal(failing.asked, 6);

    failing.left = 1;
    struct mf_buffer buffer = MF_BUFFER_INIT;
    mf_buffer_puts(&buffer, "kept");
    char text[500];
    memset(text, 't', sizeof text - 1);
    text[499] = '\0';
    mf_buffer_puts(&buffer, text);
    assert_true(buffer.failed);
    assert_string_equal(buffer.data, "kept");
    mf_buffer_printf(&buffer, "%s", text);
    assert_string_equal(buffer.data, "kept");
    mf_heap_set_hook(NULL, NULL);
    mf_buffer_free(&buffer);

    char *copy = mf_strndup("abcdef", 3);
    assert_string_equal(copy, "abc");
    copy = mf_realloc(copy, 100);
    assert_string_equal(copy, "abc");
    mf_free(copy);
    mf_free(NULL);
    void *nothing = mf_malloc(0);
    assert_non_null(nothing);
    mf_free(nothing);
    assert_null(mf_calloc(SIZE_MAX / 2, 3));
    assert_null(mf_calloc_aligned(SIZE_MAX / 2, 3, 64));
    assert_null(mf_calloc_aligned(1, SIZE_MAX, 64));
    for (size_t count = 0; count < 5; count++) {
        unsigned char *aligned = mf_calloc_aligned(count, 24, 64);
        assert_non_null(aligned);
        assert_int_equal((uintptr_t)aligned % 64, 0);
        for (size_t i = 0; i < count * 24; i++) {
            assert_int_equal(aligned[i], 0);
        }
        mf_free(aligned);
    }
}

static void test_errors(void **state)
{
    (void)state;
    struct mf_errinfo err = {0, ""};
    assert_int_equal(mf_fail(&err, MF_ECORRUPT, "%s at %d", "x", 5), MF_ECORRUPT);
    assert_int_equal(err.code, MF_ECORRUPT);
    assert_string_equal(err.msg, "x at 5");
    assert_int_equal(mf_fail_os(&err, -ENOSPC, "cannot write"), -ENOSPC);
    assert_string_equal(err.msg, "cannot write: No space left on device");
    assert_int_equal(mf_fail(NULL, -5, "%s", "nobody listens"), -5);
    char big[1000];
    memset(big, 'b', sizeof big - 1);
    big[999] = '\0';
    mf_fail_os(&err, -EIO, "%s", big);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);

#define X(name, code, text)                                                                        \
    assert_string_equal(mf_error_name(MF_E##name), "MF_E" #name);                                  \
    assert_string_equal(mf_strerror(MF_E##name), text);                                            \
    assert_int_equal(MF_E##name, code);
    MF_ERROR_MAP(X)
#undef X
    assert_string_equal(mf_error_name(-ENOENT), "ENOENT");
    assert_string_equal(mf_error_name(0), "MF_OK");
    assert_string_equal(mf_error_name(-4000), "MF_EUNKNOWN");
    assert_string_equal(mf_error_name(1), "MF_EUNKNOWN");
    assert_string_equal(mf_strerror(-30000), "unknown error code");
    int first = 0;
    MF_KEEP_FIRST(first, -1);
    MF_KEEP_FIRST(first, -2);
    assert_int_equal(first, -1);
    assert_int_equal(mf_version(), MF_VERSION);
    assert_string_equal(mf_version_string(), MF_VERSION_STRING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c_vectors),
        cmocka_unit_test(test_crc32c_any_length),
        cmocka_unit_test(test_hash64_vectors),
        cmocka_unit_test(test_varint),
        cmocka_unit_test(test_varint_round_trip),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_rng),
        cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_heap_hook),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
