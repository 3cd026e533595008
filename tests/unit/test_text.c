/* SPDX-License-Identifier: Apache-2.0
 * Text from elsewhere, put into terminals, tables, CSV and HTML. */
#include "fmt/escape.h"
#include "fmt/table.h"
#include "fmt/terminal.h"
#include "fmt/utf8.h"

#include "cmocka_all.h"
#include <string.h>

typedef void escape_function(struct mf_buffer *out, const char *bytes, size_t len);

static void check(escape_function *escape, const char *bytes, size_t len, const char *expected)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    escape(&out, bytes, len);
    assert_string_equal(out.data, expected);
    mf_buffer_free(&out);
}

static void test_terminal(void **state)
{
    (void)state;
    check(mf_terminal_escape, "plain \xc3\xa9\t.", 10, "plain \xc3\xa9\t.");
    check(mf_terminal_escape, "\x1b[2J\n\r", 6, "\\x1b[2J\\n\\r");
    check(mf_terminal_escape,
          "a\x7f\xc2\x9b"
          "b",
          5, "a\\x7f\\u{9b}b");                                  /* DEL, C1 CSI */
    check(mf_terminal_escape, "\xe2\x80\xae.", 4, "\\u{202e}."); /* right-to-left override */
    check(mf_terminal_escape, "\xff\xe2\x82.", 4, "\\xff\\xe2\\x82.");
    check(mf_terminal_escape, "\0x", 2, "\\x00x");
    assert_string_equal(mf_style(true, MF_STYLE_RED), "\x1b[31m");
    assert_string_equal(mf_style(false, MF_STYLE_RED), "");
}

static void test_csv(void **state)
{
    (void)state;
    check(mf_csv_field, "plain", 5, "plain");
    check(mf_csv_field, "", 0, "");
    check(mf_csv_field, "a,b", 3, "\"a,b\"");
    check(mf_csv_field, "say \"x\"", 7, "\"say \"\"x\"\"\"");
    check(mf_csv_field, "a\r\nb", 4, "\"a\r\nb\"");
    check(mf_csv_field, " x", 2, "\" x\"");
}

static void test_html(void **state)
{
    (void)state;
    check(mf_html_text, "<a href=\"x\">'&'", 15, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;");
    check(mf_html_text, "\x01\n\xff\xc3\xa9", 5, "\xef\xbf\xbd\n\xef\xbf\xbd\xc3\xa9");
    check(mf_html_json, "{\"a\":\"</script><!--\xe2\x80\xa8\"}", 24,
          "{\"a\":\"\\u003c/script>\\u003c!--\\u2028\"}");
}

static void test_width(void **state)
{
    (void)state;
    assert_int_equal(mf_utf8_columns("abc", 3), 3);
    assert_int_equal(mf_utf8_columns("e\xcc\x81", 3), 1);                /* e + combining acute */
    assert_int_equal(mf_utf8_columns("\xe6\xbc\xa2\xe5\xad\x97", 6), 4); /* two ideographs */
    assert_int_equal(mf_utf8_columns("\xf0\x9f\x90\x9b", 4), 2);         /* an emoji */
    assert_int_equal(mf_utf8_fit("\xe6\xbc\xa2\xe5\xad\x97", 6, 3), 3);  /* no half character */
    assert_int_equal(mf_utf8_fit("e\xcc\x81z", 4, 1), 3);                /* the mark stays on it */
    char bytes[4];
    assert_int_equal(mf_utf8_put(bytes, 0x1f41b), 4);
    assert_memory_equal(bytes, "\xf0\x9f\x90\x9b", 4);
    assert_int_equal(mf_utf8_put(bytes, 0xd800), 3);
    assert_memory_equal(bytes, "\xef\xbf\xbd", 3);
}

static const struct mf_column columns[] = {
    {"NAME", MF_ALIGN_LEFT, 6}, {"SIZE", MF_ALIGN_RIGHT, 0}, {"NOTE", MF_ALIGN_LEFT, 4}};

static void fill(struct mf_table *table)
{
    mf_table_init(table, columns, 3);
    mf_table_cell(table, "\xe6\xbc\xa2\xe5\xad\x97");
    mf_table_cell(table, "1");
    mf_table_cell(table, NULL);
    mf_table_cell(table, "a long name");
    mf_table_cellf(table, "%d", 12345);
    mf_table_cell_styled(table, "bad\n", MF_STYLE_RED);
    mf_table_cell(table, "last");
}

static void check_table(int width, bool colored, const char *expected)
{
    struct mf_table table;
    struct mf_buffer out = MF_BUFFER_INIT;
    fill(&table);
    mf_table_write(&table, &out, width, colored);
    assert_string_equal(out.data, expected);
    mf_buffer_free(&out);
    mf_table_free(&table);
}

static void test_table(void **state)
{
    (void)state;
    check_table(0, false,
                "NAME          SIZE  NOTE\n"
                "\xe6\xbc\xa2\xe5\xad\x97             1\n"
                "a long name  12345  bad\\n\n"
                "last\n");
    check_table(19, false,
                "NAME     SIZE  NOTE\n"
                "\xe6\xbc\xa2\xe5\xad\x97        1\n"
                "a lon\xe2\x80\xa6  12345  bad\xe2\x80\xa6\n"
                "last\n");
    check_table(0, true,
                "\x1b[1mNAME\x1b[0m          \x1b[1mSIZE\x1b[0m  \x1b[1mNOTE\x1b[0m\n"
                "\xe6\xbc\xa2\xe5\xad\x97             1\n"
                "a long name  12345  \x1b[31mbad\\n\x1b[0m\n"
                "last\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal), cmocka_unit_test(test_csv),   cmocka_unit_test(test_html),
        cmocka_unit_test(test_width),    cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
