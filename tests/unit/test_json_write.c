/* SPDX-License-Identifier: Apache-2.0
 * The JSON writer, byte by byte. */
#include "fmt/json_write.h"

#include "cmocka_all.h"
#include <math.h>

static void test_document(void **state)
{
    (void)state;
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_string(&json, "id", "a");
    mf_json_key(&json, "empty");
    mf_json_begin_array(&json);
    mf_json_end_array(&json);
    mf_json_key(&json, "list");
    mf_json_begin_array(&json);
    mf_json_int(&json, -1);
    mf_json_begin_object(&json);
    mf_json_end_object(&json);
    mf_json_null(&json);
    mf_json_end_array(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
    assert_string_equal(out.data, "{\n  \"id\": \"a\",\n  \"empty\": [],\n  \"list\": [\n    -1,\n"
                                  "    {},\n    null\n  ]\n}\n");
    mf_buffer_free(&out);
}

static void test_lines(void **state)
{
    (void)state;
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &out, MF_JSON_COMPACT);
    for (int i = 0; i < 2; i++) {
        mf_json_begin_object(&json);
        mf_json_key_int(&json, "i", i);
        mf_json_key_bool(&json, "b", i == 1);
        mf_json_end_object(&json);
        mf_json_finish(&json);
    }
    assert_string_equal(out.data, "{\"i\":0,\"b\":false}\n{\"i\":1,\"b\":true}\n");
    mf_buffer_free(&out);
}

static void test_numbers(void **state)
{
    (void)state;
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &out, MF_JSON_COMPACT);
    mf_json_begin_array(&json);
    mf_json_int(&json, INT64_MIN);
    mf_json_int(&json, INT64_MAX);
    mf_json_uint(&json, UINT64_MAX);
    mf_json_uint(&json, 0);
    mf_json_double(&json, 0.1);
    mf_json_double(&json, 1e300);
    mf_json_double(&json, 5e-324);
    mf_json_double(&json, -0.0);
    mf_json_double(&json, (double)NAN);
    mf_json_double(&json, -HUGE_VAL);
    mf_json_end_array(&json);
    assert_string_equal(out.data, "[-9223372036854775808,9223372036854775807,18446744073709551615,"
                                  "0,0.1,1e+300,5e-324,-0,null,null]");
    mf_buffer_free(&out);
}

static void check_escape(const char *bytes, size_t len, const char *expected)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_json_escape(&out, bytes, len);
    assert_string_equal(out.data, expected);
    mf_buffer_free(&out);
}

static void test_escapes(void **state)
{
    (void)state;
    check_escape("", 0, "\"\"");
    check_escape("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    check_escape("\b\t\n\f\r\v", 6, "\"\\b\\t\\n\\f\\r\\u000b\"");
    check_escape("\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\"");
    check_escape("\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9b", 9,
                 "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9b\"");
}

/* The examples of the Unicode standard, table 3-8, and the classes of ill-formed input. */
static void test_ill_formed(void **state)
{
    (void)state;
#define BAD "\xef\xbf\xbd"
    check_escape("\xff", 1, "\"" BAD "\"");
    check_escape("\x80z", 2, "\"" BAD "z\"");
    check_escape("\xc0\xaf", 2, "\"" BAD BAD "\"");                 /* overlong */
    check_escape("\xe0\x80\xaf", 3, "\"" BAD BAD BAD "\"");         /* overlong */
    check_escape("\xed\xa0\x80", 3, "\"" BAD BAD BAD "\"");         /* surrogate */
    check_escape("\xf4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\""); /* beyond U+10FFFF */
    check_escape("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", 9, "\"" BAD BAD BAD BAD "A\"");
    check_escape("\xe2\x82", 2, "\"" BAD "\""); /* cut off */
#undef BAD
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document),   cmocka_unit_test(test_lines),
        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_ill_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
