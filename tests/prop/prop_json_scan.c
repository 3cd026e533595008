/* SPDX-License-Identifier: Apache-2.0
 * The scanner of JSON against the reader: on any text, right or broken, both say the same. */
#include "cmocka_all.h"

#include "base/buffer.h"
#include "base/fail.h"
#include "base/heap.h"
#include "base/rng.h"
#include "fmt/json_read.h"
#include "fmt/json_scan.h"
#include "fmt/json_write.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- both trees are the same ---- */

static void check_same(struct mf_scan_value scanned, struct mf_json_node read);

static void check_number(struct mf_scan_value scanned, struct mf_json_node read)
{
    int64_t a = 0;
    int64_t b = 0;
    uint64_t positive = 0;
    const bool whole = mf_json_type(read) == MF_JSON_INT;
    assert_int_equal(mf_scan_int(scanned, &a), whole);
    if (whole) {
        assert_int_equal(mf_json_as_int(read, &b, NULL), 0);
        assert_true(a == b);
        assert_int_equal(mf_scan_uint(scanned, &positive), b >= 0);
    }
}

static void check_string(struct mf_scan_value scanned, const char *wanted)
{
    char *copy = mf_scan_copy(scanned);
    assert_non_null(copy);
    assert_string_equal(copy, wanted);
    assert_true(mf_scan_is(scanned, wanted));
    for (size_t capacity = 1; capacity <= strlen(wanted) + 2; capacity += 3) {
        char cut[64];
        memset(cut, 'x', sizeof cut);
        const size_t room = capacity < sizeof cut ? capacity : sizeof cut;
        assert_true(mf_scan_copy_to(scanned, cut, room));
        assert_true(strlen(cut) < room);
        assert_memory_equal(cut, wanted, strlen(cut));
        assert_true(((unsigned char)wanted[strlen(cut)] & 0xc0) != 0x80); /* no half characters */
    }
    mf_free(copy);
}

static void check_array(struct mf_scan_value scanned, struct mf_json_node read)
{
    struct mf_scan_value element;
    size_t cursor = 0;
    size_t count = 0;
    while (mf_scan_next_element(scanned, &cursor, &element)) {
        check_same(element, mf_json_element(read, count++));
    }
    assert_int_equal(count, mf_json_len(read));
}

static void check_object(struct mf_scan_value scanned, struct mf_json_node read)
{
    struct mf_scan_member member;
    size_t cursor = 0;
    size_t count = 0;
    while (mf_scan_next_member(scanned, &cursor, &member)) {
        char *key = mf_scan_copy(member.key);
        check_same(member.value, mf_json_member(read, key));
        assert_ptr_equal(mf_scan_member(scanned, key).text, member.value.text);
        mf_free(key);
        count++;
    }
    assert_int_equal(count, mf_json_len(read));
}

static void check_same(struct mf_scan_value scanned, struct mf_json_node read)
{
    const char *text = NULL;
    bool a = false;
    bool b = false;
    switch (scanned.type) {
    case MF_SCAN_ABSENT:
        fail();
        break;
    case MF_SCAN_NULL:
        assert_int_equal(mf_json_type(read), MF_JSON_NULL);
        break;
    case MF_SCAN_BOOL:
        assert_true(mf_scan_bool(scanned, &a));
        assert_int_equal(mf_json_as_bool(read, &b, NULL), 0);
        assert_int_equal(a, b);
        break;
    case MF_SCAN_NUMBER:
        check_number(scanned, read);
        break;
    case MF_SCAN_STRING:
        assert_int_equal(mf_json_as_string(read, &text, NULL), 0);
        check_string(scanned, text);
        break;
    case MF_SCAN_ARRAY:
        assert_int_equal(mf_json_type(read), MF_JSON_ARRAY);
        check_array(scanned, read);
        break;
    case MF_SCAN_OBJECT:
        assert_int_equal(mf_json_type(read), MF_JSON_OBJECT);
        check_object(scanned, read);
        break;
    }
}

/* Whether both take the text. `same_keys`: it may have a key twice, or numbers too large, which
 * only the scanner takes. */
static bool check_text(const char *text, size_t len, bool lenient)
{
    struct mf_json_document *document = NULL;
    struct mf_scan_value value;
    char *exact = mf_malloc(len > 0 ? len : 1); /* so that reading beyond the end is seen */
    memcpy(exact, text, len);
    const int scan_rc = mf_scan(exact, len, &value, NULL);
    const int read_rc = mf_json_parse(exact, len, NULL, "test", &document, NULL);
    if (read_rc == 0) {
        if (scan_rc != 0) {
            fail_msg("only the reader takes '%.*s'", (int)len, text);
        }
        check_same(value, mf_json_root(document));
    } else if (!lenient && read_rc != MF_ELIMIT) {
        assert_int_not_equal(scan_rc, 0);
    }
    mf_json_free(document);
    mf_free(exact);
    return read_rc == 0;
}

/* ---- texts ---- */

static void put_blanks(struct mf_rng *rng, struct mf_buffer *out)
{
    while (mf_rng_below(rng, 4) == 0) {
        mf_buffer_putc(out, " \n\t\r"[mf_rng_below(rng, 4)]);
    }
}

static void put_string(struct mf_rng *rng, struct mf_buffer *out)
{
    static const char *const pieces[] = {
        "a", "key", "\\n",          "\\\"", "\\\\", "\\/",    "\\u00e9", "\\ud83d\\ude00",
        "é", "😀",   "\\b\\f\\r\\t", " ",    "]},:", "\\u0041"};
    mf_buffer_putc(out, '"');
    while (mf_rng_below(rng, 3) != 0) {
        mf_buffer_puts(out, pieces[mf_rng_below(rng, MF_ARRAY_LEN(pieces))]);
    }
    mf_buffer_putc(out, '"');
}

static void put_value(struct mf_rng *rng, struct mf_buffer *out, unsigned depth)
{
    static const char *const scalars[] = {
        "0",    "-1",   "12345678901", "1.5",  "-0.0e-3",
        "1E+5", "true", "false",       "null", "9223372036854775807"};
    const uint64_t kind = mf_rng_below(rng, depth > 5 ? 2 : 4);
    put_blanks(rng, out);
    if (kind == 0) {
        mf_buffer_puts(out, scalars[mf_rng_below(rng, MF_ARRAY_LEN(scalars))]);
    } else if (kind == 1) {
        put_string(rng, out);
    } else {
        const uint64_t count = mf_rng_below(rng, 5);
        mf_buffer_putc(out, kind == 2 ? '[' : '{');
        put_blanks(rng, out);
        for (uint64_t i = 0; i < count; i++) {
            mf_buffer_puts(out, i > 0 ? "," : "");
            put_blanks(rng, out);
            if (kind == 3) {
                mf_buffer_printf(out, "\"%llu", (unsigned long long)i); /* keys differ */
                struct mf_buffer rest = MF_BUFFER_INIT;
                put_string(rng, &rest);
                mf_buffer_puts(out, rest.data + 1);
                mf_buffer_free(&rest);
                put_blanks(rng, out);
                mf_buffer_putc(out, ':');
            }
            put_value(rng, out, depth + 1);
        }
        mf_buffer_putc(out, kind == 2 ? ']' : '}');
    }
    put_blanks(rng, out);
}

static void right_texts(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 1);
    for (int round = 0; round < 5000; round++) {
        struct mf_buffer text = MF_BUFFER_INIT;
        put_value(&rng, &text, 0);
        assert_true(check_text(text.data, text.len, false));
        mf_buffer_free(&text);
    }
}

/* A right text with a few bytes changed, dropped or cut off. (NUL is left out: jansson takes one
 * for the end of the text.) */
static void broken_texts(void **state)
{
    (void)state;
    static const char bytes[] = "{}[],:\"\\0123-+.eEutrnfalsé \n\x01\x80\xff/";
    struct mf_rng rng;
    size_t taken = 0;
    mf_rng_seed(&rng, 2);
    for (int round = 0; round < 40000; round++) {
        struct mf_buffer text = MF_BUFFER_INIT;
        put_value(&rng, &text, 2);
        for (uint64_t changes = 1 + mf_rng_below(&rng, 3); changes > 0 && text.len > 0; changes--) {
            const size_t at = mf_rng_below(&rng, text.len);
            switch (mf_rng_below(&rng, 3)) {
            case 0:
                text.data[at] = bytes[mf_rng_below(&rng, sizeof bytes - 1)];
                break;
            case 1:
                memmove(text.data + at, text.data + at + 1, text.len - at - 1);
                text.len--;
                break;
            default:
                text.len = at;
                break;
            }
        }
        taken += check_text(text.data, text.len, true);
        mf_buffer_free(&text);
    }
    assert_true(taken > 100); /* some stay right */
}

static void chosen_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool right;
    } texts[] = {
        {"", false},
        {" ", false},
        {"{}", true},
        {"[]", true},
        {" [ ] ", true},
        {"[1,]", false},
        {"{\"a\":1,}", false},
        {"[,1]", false},
        {"{\"a\"}", false},
        {"{\"a\":}", false},
        {"{a:1}", false},
        {"[1 2]", false},
        {"01", false},
        {"-", false},
        {"1.", false},
        {".5", false},
        {"1e", false},
        {"+1", false},
        {"-0", true},
        {"nul", false},
        {"truex", false},
        {"true false", false},
        {"[}", false},
        {"{]", false},
        {"]", false},
        {"\"\\ud800\"", false},
        {"\"\\u0000\"", false},
        {"\"\\udc00\"", false},
        {"\"\\u12\"", false},
        {"\"\\x41\"", false},
        {"\"a\nb\"", false},
        {"\"\xff\"", false},
        {"\"open", false},
        {"[\"a\":1]", false},
        {"{\"a\":1 \"b\":2}", false},
        {"\"\\\"", false},
        {"[[[[]]]]", true},
        {"\xef\xbb\xbf{}", false},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(texts); i++) {
        if (check_text(texts[i].text, strlen(texts[i].text), false) != texts[i].right) {
            fail_msg("'%s'", texts[i].text);
        }
    }
}

static void depth_is_bounded(void **state)
{
    (void)state;
    struct mf_scan_value value;
    for (size_t depth = MF_SCAN_DEPTH_MAX; depth <= MF_SCAN_DEPTH_MAX + 1; depth++) {
        struct mf_buffer text = MF_BUFFER_INIT;
        for (size_t i = 0; i < 2 * depth; i++) {
            mf_buffer_putc(&text, i < depth ? '[' : ']');
        }
        assert_int_equal(mf_scan(text.data, text.len, &value, NULL),
                         depth <= MF_SCAN_DEPTH_MAX ? 0 : MF_ESYNTAX);
        mf_buffer_free(&text);
    }
}

static void tells_where(void **state)
{
    (void)state;
    struct mf_scan_value value;
    size_t offset = 0;
    assert_int_equal(mf_scan("{\"a\": nul}", 10, &value, &offset), MF_ESYNTAX);
    assert_int_equal(offset, 6);
    assert_int_equal(mf_scan("[1] x", 5, &value, &offset), MF_ESYNTAX);
    assert_int_equal(offset, 4);
}

static void finds_members(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":1,\"\\u0062\":\"x\",\"a\":2,\"big\":99999999999999999999}";
    struct mf_scan_value value;
    struct mf_scan_member members[8];
    int64_t number = 0;
    assert_int_equal(mf_scan(text, strlen(text), &value, NULL), 0);
    const size_t count = mf_scan_members(value, members, 8);
    assert_int_equal(count, 4);
    assert_int_equal(mf_scan_members(value, members, 2), 2);
    assert_true(mf_scan_int(mf_scan_find(members, 2, "a"), &number));
    assert_int_equal(number, 1); /* the first of two */
    assert_true(mf_scan_is(mf_scan_find(members, 2, "b"), "x"));
    assert_int_equal(mf_scan_find(members, 2, "c").type, MF_SCAN_ABSENT);
    assert_false(mf_scan_int(mf_scan_member(value, "big"), &number));
    assert_false(mf_scan_int(mf_scan_member(value, "b"), &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_texts),  cmocka_unit_test(broken_texts),
        cmocka_unit_test(chosen_texts), cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(tells_where),  cmocka_unit_test(finds_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
