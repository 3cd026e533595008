/* SPDX-License-Identifier: Apache-2.0
 * Output of strangers on a terminal: looks as it did, does nothing. And small charts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/fail.h"
#include "base/rng.h"
#include "fmt/spark.h"
#include "fmt/terminal_clean.h"
#include "fmt/utf8.h"

#include <math.h>
#include <string.h>

static void check_line(bool colors, const char *line, const char *wanted)
{
    struct mf_terminal_cleaner cleaner = {.colors = colors};
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_buffer_puts(&out, "");
    mf_terminal_clean_line(&cleaner, &out, line, strlen(line));
    assert_string_equal(out.len > 0 ? out.data : "", wanted);
    mf_buffer_free(&out);
}

static void keeps_colors_and_drops_the_rest(void **state)
{
    (void)state;
    check_line(true, "plain", "plain");
    check_line(true, "\x1b[1;31merror\x1b[0m: x", "\x1b[1;31merror\x1b[0m: x");
    check_line(true, "\x1b[38;5;208mno end", "\x1b[38;5;208mno end\x1b[0m");
    check_line(false, "\x1b[1;31merror\x1b[0m: x", "error: x");
    check_line(true, "\x1b[2J\x1b[H\x1b[?1049hgone", "gone");
    check_line(true, "\x1b]0;title\x07text", "text");
    check_line(true, "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link");
    check_line(true, "\x1bPq#0\x1b\\sixel", "sixel");
    check_line(true,
               "\x1b(B\x1b=\x1b"
               "7charset",
               "charset");
    check_line(true, "\x1b[>4;2mxterm", "xterm"); /* ends in m, but is no colour */
}

static void shows_what_is_left(void **state)
{
    (void)state;
    check_line(true, "bell\x07 back\x08", "bell\\x07 back\\x08");
    check_line(true, "open\x1b]0;never closed", "open\\x1b]0;never closed");
    check_line(true, "cut\x1b[31", "cut\\x1b[31");
    check_line(true, "end\x1b", "end\\x1b");
    check_line(true, "bytes\xff", "bytes\\xff");
    check_line(true,
               "c1\xc2\x9b"
               "31m",
               "c1\\u{9b}31m");
    check_line(true,
               "\xe2\x80\xae"
               "txet",
               "\\u{202e}txet");
    check_line(true, "tab\tstays", "tab\tstays");
}

static void shows_the_last_state_of_progress(void **state)
{
    (void)state;
    check_line(true, "10%\r20%\r100%", "100%");
    check_line(true, "windows\r", "windows");
    check_line(true, "10%\r20%\r\r", "20%");
    check_line(true, "\r", "");
}

static void carries_colors_over_lines(void **state)
{
    (void)state;
    struct mf_terminal_cleaner cleaner = {.colors = true};
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_terminal_clean_line(&cleaner, &out, "\x1b[31mone", 8);
    mf_buffer_putc(&out, '|');
    mf_terminal_clean_line(&cleaner, &out, "two", 3);
    mf_buffer_putc(&out, '|');
    mf_terminal_clean_line(&cleaner, &out, "\x1b[mthree", 8);
    mf_buffer_putc(&out, '|');
    mf_terminal_clean_line(&cleaner, &out, "four", 4);
    assert_string_equal(out.data, "\x1b[31mone\x1b[0m|\x1b[31mtwo\x1b[0m|\x1b[31m\x1b[mthree|four");
    mf_buffer_clear(&out);
    for (int i = 0; i < 100; i++) { /* as many colours as anybody may send */
        mf_terminal_clean_line(&cleaner, &out, "\x1b[1m\x1b[38;2;10;20;30m", 20);
    }
    assert_true(cleaner.active_len <= sizeof cleaner.active);
    mf_buffer_free(&out);
}

static void check_fit(const char *line, size_t columns, const char *wanted)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_terminal_clean_fit(&out, line, strlen(line), columns);
    assert_string_equal(out.len > 0 ? out.data : "", wanted);
    mf_buffer_free(&out);
}

static void fits_into_columns(void **state)
{
    (void)state;
    check_fit("\x1b[31mred\x1b[m", 3, "red");
    check_fit("abcdef", 6, "abcdef");
    check_fit("abcdef", 5, "abcd\u2026");
    check_fit("a\tb", 9, "a       b");
    check_fit("a\tb", 8, "a      \u2026");
    check_fit("\u4f60\u597d", 3, "\u4f60\u2026"); /* two columns each */
    check_fit("abc", 0, "");
    check_fit("", 10, "");
}

static void names_show_what_they_are(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
        const char *wanted;
    } cases[] = {
        {"a\x1b[2Jb", 20, "a\\x1b[2Jb"},
        {"one\rtwo\x07", 20, "one\\rtwo\\x07"},
        {"a\tb", 9, "a       b"},
        {"ab\x1b[31m", 6, "ab\\x1\u2026"},
        {"", 5, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mf_buffer out = MF_BUFFER_INIT;
        mf_terminal_escape_fit(&out, cases[i].text, strlen(cases[i].text), cases[i].columns);
        assert_string_equal(out.len > 0 ? out.data : "", cases[i].wanted);
        mf_buffer_free(&out);
    }
}

/* Whatever comes in, nothing that a terminal obeys comes out but colours. */
static void any_bytes_are_harmless(void **state)
{
    (void)state;
    static const char alphabet[] = "\x1b\x1b[]P\\m;0123?>\x07\r\t a\xc2\x9b\xe2\x80\xae(B\x18\x7f";
    struct mf_rng rng;
    mf_rng_seed(&rng, 20);
    for (int round = 0; round < 20000; round++) {
        char line[40];
        const size_t len = mf_rng_below(&rng, sizeof line);
        for (size_t i = 0; i < len; i++) {
            line[i] = alphabet[mf_rng_below(&rng, sizeof alphabet - 1)];
        }
        struct mf_terminal_cleaner cleaner = {.colors = round % 2 == 0};
        struct mf_buffer out = MF_BUFFER_INIT;
        mf_terminal_clean_line(&cleaner, &out, line, len);
        for (size_t at = 0, used = 0; at < out.len; at += used) {
            const uint32_t code_point = mf_utf8_get(out.data + at, out.len - at, &used);
            if (code_point == 0x1b) {
                assert_true(cleaner.colors);
                assert_int_equal(out.data[at + 1], '[');
                used = 2 + strspn(out.data + at + 2, "0123456789;:");
                assert_int_equal(out.data[at + used], 'm');
                used++;
            } else {
                assert_true(code_point != MF_UTF8_INVALID);
                assert_true((code_point >= 0x20 || code_point == '\t') && code_point != 0x7f);
                assert_false(code_point >= 0x80 && code_point < 0xa0);
                assert_int_not_equal(code_point, 0x202e);
            }
        }
        mf_buffer_free(&out);
    }
}

static void draws_sparklines(void **state)
{
    (void)state;
    const double values[] = {0, 0.001, 1, 4, 8, 9, NAN};
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_spark_row(&out, values, 7, 8, 0, 1, true);
    assert_string_equal(out.data, " ▁▁▄██ ");
    mf_buffer_clear(&out);
    mf_spark_row(&out, values, 7, 8, 0, 1, false);
    assert_string_equal(out.data, " ..=@@ ");
    mf_buffer_clear(&out);
    mf_spark_row(&out, values, 7, 8, 1, 2, true);
    assert_string_equal(out.data, "    ██ ");
    mf_buffer_clear(&out);
    mf_spark_row(&out, values, 7, 8, 0, 2, true);
    assert_string_equal(out.data, " ▁▂███ ");
    mf_buffer_clear(&out);
    mf_spark_row(&out, values, 7, 0, 0, 1, true);
    assert_string_equal(out.data, " ▁▁▁▁▁ ");
    mf_buffer_free(&out);
}

static void check_bar(double from, double to, size_t width, bool unicode, const char *wanted)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_spark_bar(&out, from, to, width, unicode);
    assert_string_equal(out.data, wanted);
    mf_buffer_free(&out);
}

static void draws_bars(void **state)
{
    (void)state;
    check_bar(0, 1, 4, true, "████");
    check_bar(0.25, 0.5, 4, true, " █  ");
    check_bar(0, 0.3125, 4, true, "█▎  ");
    check_bar(0.5, 0.5, 4, true, "  ▏ ");
    check_bar(1, 1, 4, true, "   ▏");
    check_bar(0.5, 0.5, 4, false, "  = ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_colors_and_drops_the_rest),
        cmocka_unit_test(shows_what_is_left),
        cmocka_unit_test(shows_the_last_state_of_progress),
        cmocka_unit_test(carries_colors_over_lines),
        cmocka_unit_test(fits_into_columns),
        cmocka_unit_test(names_show_what_they_are),
        cmocka_unit_test(any_bytes_are_harmless),
        cmocka_unit_test(draws_sparklines),
        cmocka_unit_test(draws_bars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
