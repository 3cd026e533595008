/* SPDX-License-Identifier: Apache-2.0
 * What fmt writes, fmt reads: random values there and back, from a printed seed. */
#include "base/hash.h"
#include "base/rng.h"
#include "fmt/escape.h"
#include "fmt/json_read.h"
#include "fmt/json_write.h"
#include "fmt/number.h"
#include "fmt/rfc3339.h"
#include "fmt/table.h"
#include "fmt/units.h"
#include "fmt/utf8.h"

#include "cmocka_all.h"
#include "test_seed.h"
#include <math.h>
#include <string.h>

#define ROUNDS 20000

static struct mf_rng rng;

/* Evenly over the magnitudes. */
static uint64_t any_uint(void)
{
    return mf_rng_next(&rng) >> mf_rng_below(&rng, 64);
}

static double any_double(void)
{
    union {
        uint64_t bits;
        double value;
    } any = {.bits = mf_rng_next(&rng)};
    switch (mf_rng_below(&rng, 4)) {
    case 0:
        return (double)(int64_t)any.bits / 1000;
    case 1:
        return (double)mf_rng_below(&rng, 100000) / 100;
    case 2:
        any.bits &= UINT64_C(0x800fffffffffffff); /* subnormal */
        return any.value;
    default:
        return any.value;
    }
}

static void test_doubles(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const double value = any_double();
        char text[MF_NUMBER_LEN];
        double back = 0;
        const size_t len = mf_format_double(text, value);
        assert_int_equal(len, strlen(text));
        assert_int_equal(mf_parse_double(text, &back, NULL), 0);
        if (memcmp(&value, &back, sizeof back) != 0 && !(isnan(value) && isnan(back))) {
            fail_msg("%a became %s became %a", value, text, back);
        }
    }
}

/* A formatter shows three digits, so its text is read back within half of the third. */
static void test_durations(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const int64_t value = (int64_t)(any_uint() >> 2);
        char text[MF_UNITS_LEN];
        int64_t back = 0;
        mf_format_duration(text, value);
        assert_int_equal(mf_parse_duration(text, &back, NULL), 0);
        const double bound = value < 60000000000 ? 0.005 : 0.021;
        if (fabs((double)back - (double)value) > bound * (double)value) {
            fail_msg("%lld became %s became %lld", (long long)value, text, (long long)back);
        }
    }
}

static void test_sizes(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const uint64_t value = any_uint() >> 1;
        char text[MF_UNITS_LEN];
        uint64_t back = 0;
        mf_format_size(text, value);
        assert_int_equal(mf_parse_size(text, &back, NULL), 0);
        if (fabs((double)back - (double)value) > 0.00502 * (double)value + 1) {
            fail_msg("%llu became %s became %llu", (unsigned long long)value, text,
                     (unsigned long long)back);
        }
    }
}

static void test_times(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const int64_t value = (int64_t)mf_rng_next(&rng) >> mf_rng_below(&rng, 32);
        const int32_t offset_s = ((int32_t)mf_rng_below(&rng, 2879) - 1439) * 60;
        char text[MF_RFC3339_LEN];
        int64_t back = 0;
        mf_format_rfc3339(text, value, offset_s, 9);
        assert_int_equal(mf_parse_rfc3339(text, &back, NULL), 0);
        if (back != value) {
            fail_msg("%lld became %s became %lld", (long long)value, text, (long long)back);
        }
    }
}

static size_t any_bytes(char *bytes, size_t len_max)
{
    const size_t len = mf_rng_below(&rng, len_max + 1);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(mf_rng_below(&rng, 2) != 0 ? mf_rng_below(&rng, 128) : mf_rng_next(&rng));
    }
    return len;
}

/* One random document of at most `depth` levels. The writer's stream of values goes into a hash;
 * reading it back must give the same hash. */
static void write_value(struct mf_json *json, int depth, uint64_t *hash)
{
    char bytes[24];
    static const uint64_t kinds[] = {0, 1, 2, 3, 4, 6, 7};
    const uint64_t kind = kinds[mf_rng_below(&rng, depth > 0 ? 7 : 5)];
    *hash = mf_hash64(hash, sizeof *hash) + kind;
    switch (kind) {
    case 0:
        mf_json_null(json);
        break;
    case 1: {
        const bool value = mf_rng_below(&rng, 2) != 0;
        *hash += value;
        mf_json_bool(json, value);
        break;
    }
    case 2: {
        const int64_t value = (int64_t)any_uint();
        *hash += (uint64_t)value;
        mf_json_int(json, value);
        break;
    }
    case 3: {
        double value = any_double();
        value = isfinite(value) ? value + 0.5 : 0.5;
        value = fabs(value) < 1e15 && value != floor(value) ? value : 0.5;
        *hash += mf_hash64(&value, sizeof value);
        mf_json_double(json, value);
        break;
    }
    case 4: {
        const size_t len = (size_t)snprintf(bytes, sizeof bytes, "\"\\\xc3\xa9%u",
                                            (unsigned)mf_rng_below(&rng, 1000000));
        *hash += mf_hash64(bytes, len);
        mf_json_string_len(json, bytes, len);
        break;
    }
    case 6:
    default: {
        const uint64_t count = mf_rng_below(&rng, 5);
        if (kind == 6) {
            mf_json_begin_array(json);
        } else {
            mf_json_begin_object(json);
        }
        for (uint64_t i = 0; i < count; i++) {
            if (kind == 7) {
                snprintf(bytes, sizeof bytes, "k%u", (unsigned)i);
                mf_json_key(json, bytes);
            }
            write_value(json, depth - 1, hash);
        }
        *hash += count;
        if (kind == 6) {
            mf_json_end_array(json);
        } else {
            mf_json_end_object(json);
        }
        break;
    }
    }
}

static void read_value(struct mf_json_node node, uint64_t *hash)
{
    static const uint64_t kinds[] = {
        [MF_JSON_NULL] = 0,   [MF_JSON_BOOL] = 1,  [MF_JSON_INT] = 2,   [MF_JSON_DOUBLE] = 3,
        [MF_JSON_STRING] = 4, [MF_JSON_ARRAY] = 6, [MF_JSON_OBJECT] = 7};
    const enum mf_json_type type = mf_json_type(node);
    assert_int_not_equal(type, MF_JSON_ABSENT);
    *hash = mf_hash64(hash, sizeof *hash) + kinds[type];
    const char *text = NULL;
    bool flag = false;
    int64_t integer = 0;
    double number = 0;
    struct mf_json_node member;
    switch (type) {
    case MF_JSON_BOOL:
        assert_int_equal(mf_json_as_bool(node, &flag, NULL), 0);
        *hash += flag;
        break;
    case MF_JSON_INT:
        assert_int_equal(mf_json_as_int(node, &integer, NULL), 0);
        *hash += (uint64_t)integer;
        break;
    case MF_JSON_DOUBLE:
        assert_int_equal(mf_json_as_double(node, &number, NULL), 0);
        *hash += mf_hash64(&number, sizeof number);
        break;
    case MF_JSON_STRING:
        assert_int_equal(mf_json_as_string(node, &text, NULL), 0);
        *hash += mf_hash64(text, strlen(text));
        break;
    case MF_JSON_ARRAY:
        for (size_t i = 0; i < mf_json_len(node); i++) {
            read_value(mf_json_element(node, i), hash);
        }
        *hash += mf_json_len(node);
        break;
    case MF_JSON_OBJECT:
        for (void *cursor = NULL; mf_json_next(node, &cursor, &member);) {
            read_value(member, hash);
        }
        *hash += mf_json_len(node);
        break;
    case MF_JSON_ABSENT:
    case MF_JSON_NULL:
        break;
    }
}

static void test_documents(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct mf_buffer out = MF_BUFFER_INIT;
        struct mf_json json;
        uint64_t written = 0;
        uint64_t read = 0;
        mf_json_init(&json, &out, mf_rng_below(&rng, 2) != 0 ? MF_JSON_PRETTY : MF_JSON_COMPACT);
        write_value(&json, 5, &written);
        mf_json_finish(&json);
        struct mf_json_document *document = NULL;
        struct mf_errinfo err = {0};
        if (mf_json_parse(out.data, out.len, NULL, "random", &document, &err) != 0) {
            fail_msg("%s\n%s", err.msg, out.data);
        }
        read_value(mf_json_root(document), &read);
        if (read != written) {
            fail_msg("read back differently:\n%s", out.data);
        }
        mf_json_free(document);
        mf_buffer_free(&out);
    }
}

/* Whatever the bytes, what comes out is well-formed and does no harm. */
static void test_hostile_bytes(void **state)
{
    (void)state;
    static const struct mf_column column = {"X", MF_ALIGN_RIGHT, 3};
    for (int i = 0; i < ROUNDS; i++) {
        char bytes[40];
        const size_t len = any_bytes(bytes, sizeof bytes - 1);
        struct mf_buffer out = MF_BUFFER_INIT;
        mf_json_escape(&out, bytes, len);
        for (size_t at = 0, used; at < out.len; at += used) {
            assert_int_not_equal(mf_utf8_get(out.data + at, out.len - at, &used), MF_UTF8_INVALID);
            assert_true((unsigned char)out.data[at] >= 0x20);
        }
        mf_buffer_clear(&out);
        mf_terminal_escape(&out, bytes, len);
        for (size_t at = 0, used; at < out.len; at += used) {
            const uint32_t code_point = mf_utf8_get(out.data + at, out.len - at, &used);
            assert_int_not_equal(code_point, MF_UTF8_INVALID);
            assert_true(code_point == '\t' || (code_point >= 0x20 && code_point < 0x7f) ||
                        code_point >= 0xa0);
        }
        mf_buffer_clear(&out);
        mf_html_text(&out, bytes, len);
        assert_null(out.data != NULL ? memchr(out.data, '<', out.len) : NULL);
        mf_buffer_clear(&out);
        bytes[len] = '\0';
        struct mf_table table;
        mf_table_init(&table, &column, 1);
        mf_table_cell(&table, bytes);
        const int width = (int)mf_rng_below(&rng, 20) + 3;
        mf_table_write(&table, &out, width, false);
        const char *row = strchr(out.data, '\n') + 1;
        assert_true(mf_utf8_columns(row, strcspn(row, "\n")) <= (size_t)width);
        mf_table_free(&table);
        mf_buffer_free(&out);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x10ffff; code_point++) {
        char bytes[4];
        size_t used = 0;
        const size_t len = mf_utf8_put(bytes, code_point);
        const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
        const uint32_t back = mf_utf8_get(bytes, len, &used);
        if (back != (surrogate ? 0xfffd : code_point) || used != len) {
            fail_msg("U+%04X became U+%04X", code_point, back);
        }
    }
}

int main(void)
{
    mf_rng_seed(&rng, test_seed());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles),   cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_times),
        cmocka_unit_test(test_documents), cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
