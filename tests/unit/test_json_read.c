/* SPDX-License-Identifier: Apache-2.0
 * Reading JSON: types, defaults, limits, and messages that name the place. */
#include "fmt/json_read.h"

#include "cmocka_all.h"
#include <stdio.h>
#include <string.h>

static struct mf_json_document *parse(const char *text)
{
    struct mf_json_document *document = NULL;
    struct mf_errinfo err = {0};
    if (mf_json_parse(text, strlen(text), NULL, "test.json", &document, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return document;
}

static void test_types(void **state)
{
    (void)state;
    struct mf_json_document *document = parse(
        "{\"s\":\"x\",\"i\":-5,\"u\":7,\"d\":1.5,\"b\":true,\"n\":null,\"a\":[1,2],\"o\":{\"k\":"
        "1}}");
    const struct mf_json_node root = mf_json_root(document);
    const char *text = NULL;
    int64_t integer = 0;
    uint64_t natural = 0;
    double number = 0;
    bool flag = false;
    struct mf_json_node node;
    assert_int_equal(mf_json_get_string(root, "s", &text, NULL), 0);
    assert_string_equal(text, "x");
    assert_int_equal(mf_json_get_int(root, "i", &integer, NULL), 0);
    assert_int_equal(integer, -5);
    assert_int_equal(mf_json_get_uint(root, "u", &natural, NULL), 0);
    assert_int_equal(natural, 7);
    assert_int_equal(mf_json_get_double(root, "d", &number, NULL), 0);
    assert_true(number == 1.5);
    assert_int_equal(mf_json_get_double(root, "i", &number, NULL), 0);
    assert_true(number == -5);
    assert_int_equal(mf_json_get_bool(root, "b", &flag, NULL), 0);
    assert_true(flag);
    assert_int_equal(mf_json_get_array(root, "a", &node, NULL), 0);
    assert_int_equal(mf_json_len(node), 2);
    assert_int_equal(mf_json_as_int(mf_json_element(node, 1), &integer, NULL), 0);
    assert_int_equal(integer, 2);
    assert_int_equal(mf_json_type(mf_json_element(node, 2)), MF_JSON_ABSENT);
    assert_int_equal(mf_json_get_object(root, "o", &node, NULL), 0);
    assert_int_equal(mf_json_len(node), 1);
    /* defaults, for what is absent and for null */
    assert_int_equal(mf_json_get_int_or(root, "n", 9, &integer, NULL), 0);
    assert_int_equal(integer, 9);
    assert_int_equal(mf_json_get_string_or(root, "zz", "d", &text, NULL), 0);
    assert_string_equal(text, "d");
    mf_json_free(document);
}

static void test_order(void **state)
{
    (void)state;
    struct mf_json_document *document = parse("{\"z\":1,\"a\":2,\"m\":3}");
    struct mf_json_node member;
    char keys[8] = "";
    for (void *cursor = NULL; mf_json_next(mf_json_root(document), &cursor, &member);) {
        strncat(keys, member.key, 1);
    }
    assert_string_equal(keys, "zam");
    mf_json_free(document);
}

static void test_messages(void **state)
{
    (void)state;
    struct mf_json_document *document = parse("{\"name\":5,\"count\":-1,\"list\":[true]}");
    const struct mf_json_node root = mf_json_root(document);
    struct mf_errinfo err;
    const char *text = "untouched";
    uint64_t natural = 0;
    int64_t integer = 0;
    struct mf_json_node node;
    assert_int_equal(mf_json_get_string(root, "name", &text, &err), MF_ESYNTAX);
    assert_string_equal(err.msg, "test.json: 'name' must be a string, not a whole number");
    assert_string_equal(text, "untouched");
    assert_int_equal(mf_json_get_string_or(root, "name", "d", &text, &err), MF_ESYNTAX);
    assert_int_equal(mf_json_get_string(root, "title", &text, &err), MF_ENOTFOUND);
    assert_string_equal(err.msg, "test.json: 'title' is missing; it must be a string");
    assert_int_equal(mf_json_get_uint(root, "count", &natural, &err), MF_ESYNTAX);
    assert_string_equal(err.msg, "test.json: 'count' must not be negative, but is -1");
    assert_int_equal(mf_json_get_array(root, "list", &node, &err), 0);
    assert_int_equal(mf_json_as_int(mf_json_element(node, 0), &integer, &err), MF_ESYNTAX);
    assert_string_equal(err.msg, "test.json: a value must be a whole number, not a boolean");
    assert_int_equal(mf_json_get_string(node, "x", &text, &err), MF_ENOTFOUND); /* not an object */
    mf_json_free(document);
}

static void refuse(const char *text, size_t len, const struct mf_json_limits *limits, int code,
                   const char *message)
{
    struct mf_json_document *document = NULL;
    struct mf_errinfo err = {0};
    assert_int_equal(mf_json_parse(text, len, limits, "f", &document, &err), code);
    assert_null(document);
    if (strstr(err.msg, message) == NULL) {
        fail_msg("'%s' lacks '%s'", err.msg, message);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    const struct mf_json_limits tight = {.len_max_bytes = 10, .depth_max = 2};
    refuse("", 0, NULL, MF_ESYNTAX, "f:1:0: not JSON");
    refuse("{\"a\":1,\n\"a\":2}", 14, NULL, MF_ESYNTAX, "f:2:");
    refuse("[1] x", 5, NULL, MF_ESYNTAX, "not JSON");
    refuse("[9223372036854775808]", 21, NULL, MF_ESYNTAX, "not JSON");
    refuse("[1e999]", 7, NULL, MF_ESYNTAX, "not JSON");
    refuse("\"\xff\"", 3, NULL, MF_ESYNTAX, "not JSON");
    refuse("\"\\u0000\"", 8, NULL, MF_ESYNTAX, "not JSON");
    refuse("[1,2,3,4,5]", 11, &tight, MF_ELIMIT, "f: 11 bytes of JSON; at most 10 are read");
    refuse("[[[1]]]", 7, &tight, MF_ELIMIT, "nested deeper than 2 levels");
    /* brackets in strings are no nesting, escaped quotes do not end strings */
    struct mf_json_document *document = NULL;
    assert_int_equal(mf_json_parse("[\"[[\\\"[\"]", 9, &tight, "f", &document, NULL), 0);
    mf_json_free(document);
    static char deep[1 << 20];
    memset(deep, '[', sizeof deep);
    refuse(deep, sizeof deep, NULL, MF_ELIMIT, "nested deeper than 64 levels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
