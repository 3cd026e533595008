/* SPDX-License-Identifier: Apache-2.0
 * Numbers, durations, sizes, counts and times as text, and back. */
#include "base/fail.h"
#include "fmt/number.h"
#include "fmt/rfc3339.h"
#include "fmt/units.h"

#include "cmocka_all.h"
#include <math.h>
#include <string.h>

#define S INT64_C(1000000000)

static void test_format_duration(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0 s"},
        {1, "1 ns"},
        {-1, "-1 ns"},
        {999, "999 ns"},
        {1500, "1.5 µs"},
        {12345678, "12.3 ms"},
        {999499999, "999 ms"},
        {999999999, "1 s"},
        {1250000000, "1.25 s"},
        {1005 * S / 1000, "1.01 s"},
        {59949999999, "59.9 s"},
        {59950000000, "1 min"},
        {125 * S, "2 min 5 s"},
        {5400 * S, "1 h 30 min"},
        {3599 * S + S / 2, "1 h"},
        {86399 * S + S / 2, "1 d"},
        {276480 * S, "3 d 5 h"},
        {INT64_MAX, "106752 d"},
        {INT64_MIN, "-106752 d"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char text[MF_UNITS_LEN];
        assert_string_equal(mf_format_duration(text, cases[i].ns), cases[i].text);
    }
}

static void test_parse_duration(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0", 0},
        {"100ms", S / 10},
        {"1h30m", 5400 * S},
        {"1.5s", 3 * S / 2},
        {"1.5 s", 3 * S / 2},
        {"2 min 5 s", 125 * S},
        {"10us", 10000},
        {"10µs", 10000},
        {"10μs", 10000},
        {"2w", 14 * 86400 * S},
        {"0.000000001s", 1},
        {"1d1ns", 86400 * S + 1},
        {"9223372036854775807ns", INT64_MAX},
    };
    static const char *const bad[] = {
        "",
        " ",
        "5",
        "s",
        "-1s",
        "+1s",
        "1 s ",
        " 1s",
        "1s5",
        "1hm",
        "1.s",
        ".",
        "1e3s",
        "1xs",
        "1ss",
        "9223372036854775808ns",
        "99999999999999999999s",
        "1s  2s",
        "1.1234567890123456789s",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(good); i++) {
        int64_t ns = -1;
        assert_int_equal(mf_parse_duration(good[i].text, &ns, NULL), 0);
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        int64_t ns = -7;
        struct mf_errinfo err = {0};
        if (mf_parse_duration(bad[i], &ns, &err) != MF_ESYNTAX || ns != -7 ||
            strstr(err.msg, bad[i]) == NULL) {
            fail_msg("'%s' gave %lld, '%s'", bad[i], (long long)ns, err.msg);
        }
    }
}

static void test_sizes(void **state)
{
    (void)state;
    char text[MF_UNITS_LEN];
    assert_string_equal(mf_format_size(text, 0), "0 B");
    assert_string_equal(mf_format_size(text, 1023), "1023 B");
    assert_string_equal(mf_format_size(text, 1536), "1.5 KiB");
    assert_string_equal(mf_format_size(text, 512u << 20), "512 MiB");
    assert_string_equal(mf_format_size(text, (1u << 20) - 1), "1 MiB");
    assert_string_equal(mf_format_size(text, UINT64_MAX), "16 EiB");
    assert_string_equal(mf_format_count(text, 999), "999");
    assert_string_equal(mf_format_count(text, 1234567), "1.23 M");
    assert_string_equal(mf_format_count(text, UINT64_MAX), "18.4 E");
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"512M", 512ull << 20},
        {"1.5GiB", 3ull << 29},
        {"1.5 GiB", 3ull << 29},
        {"4k", 4096},
        {"4kB", 4000},
        {"2MB", 2000000},
        {"7B", 7},
        {"0.5K", 512},
        {"0.1K", 102},
        {"16E", 0},
        {"18446744073709551615", UINT64_MAX},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(good); i++) {
        uint64_t bytes = 0;
        const int rc = mf_parse_size(good[i].text, &bytes, NULL);
        assert_int_equal(rc, strcmp(good[i].text, "16E") == 0 ? MF_ESYNTAX : 0);
        assert_int_equal(bytes, good[i].bytes);
    }
    static const char *const bad[] = {
        "", "-1", "M", "1X", "1 M ", "1KiBs", "1M1M", "1.", "18446744073709551616"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        uint64_t bytes = 7;
        assert_int_equal(mf_parse_size(bad[i], &bytes, NULL), MF_ESYNTAX);
        assert_int_equal(bytes, 7);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    int64_t integer = 7;
    uint64_t natural = 7;
    double number = 7;
    assert_int_equal(mf_parse_int64("-9223372036854775808", &integer, NULL), 0);
    assert_true(integer == INT64_MIN);
    assert_int_equal(mf_parse_int64("+9223372036854775807", &integer, NULL), 0);
    assert_true(integer == INT64_MAX);
    assert_int_equal(mf_parse_uint64("18446744073709551615", &natural, NULL), 0);
    assert_true(natural == UINT64_MAX);
    static const char *const not_whole[] = {"",    "-",   "+",   " 1",  "1 ",
                                            "1.0", "0x1", "1e2", "--1", "18446744073709551616"};
    for (size_t i = 0; i < MF_ARRAY_LEN(not_whole); i++) {
        assert_int_equal(mf_parse_int64(not_whole[i], &integer, NULL), MF_ESYNTAX);
        assert_int_equal(mf_parse_uint64(not_whole[i], &natural, NULL), MF_ESYNTAX);
    }
    assert_int_equal(mf_parse_int64("9223372036854775808", &integer, NULL), MF_ESYNTAX);
    assert_int_equal(mf_parse_int64("-9223372036854775809", &integer, NULL), MF_ESYNTAX);
    assert_int_equal(mf_parse_double("-1.5e3", &number, NULL), 0);
    assert_true(number == -1500);
    assert_int_equal(mf_parse_double(".5", &number, NULL), 0);
    assert_int_equal(mf_parse_double("5.", &number, NULL), 0);
    assert_int_equal(mf_parse_double("+Inf", &number, NULL), 0);
    assert_true(isinf(number));
    assert_int_equal(mf_parse_double("nan", &number, NULL), 0);
    assert_true(isnan(number));
    static const char *const not_numbers[] = {"",   ".",   "1e",    "1e+",    "0x10", " 1",
                                              "1 ", "1,5", "1e999", "-1e999", "--1",  "infx"};
    for (size_t i = 0; i < MF_ARRAY_LEN(not_numbers); i++) {
        number = 7;
        assert_int_equal(mf_parse_double(not_numbers[i], &number, NULL), MF_ESYNTAX);
        assert_true(number == 7);
    }
}

static void test_times(void **state)
{
    (void)state;
    char text[MF_RFC3339_LEN];
    int64_t ns = 0;
    assert_string_equal(mf_format_rfc3339(text, 0, 0, 0), "1970-01-01T00:00:00Z");
    assert_string_equal(mf_format_rfc3339(text, -1, 0, 9), "1969-12-31T23:59:59.999999999Z");
    assert_string_equal(mf_format_rfc3339(text, INT64_MAX, 0, 9), "2262-04-11T23:47:16.854775807Z");
    assert_string_equal(mf_format_rfc3339(text, INT64_MIN, 0, 9), "1677-09-21T00:12:43.145224192Z");
    assert_string_equal(mf_format_rfc3339(text, 1709164799 * S + 999999999, 3600, 3),
                        "2024-02-29T00:59:59.999+01:00");
    assert_string_equal(mf_format_rfc3339(text, 0, -(3 * 3600 + 1800), 0),
                        "1969-12-31T20:30:00-03:30");
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01 02:00:00+02:00", 0},
        {"1985-04-12T23:20:50.52Z", 482196050 * S + 520000000}, /* RFC 3339, section 5.8 */
        {"1996-12-19T16:39:57-08:00", 851042397 * S},
        {"1990-12-31T23:59:60Z", 662688000 * S},
        {"1990-12-31T15:59:60-08:00", 662688000 * S},
        {"1937-01-01T12:00:27.87+00:20", -1041337173 * S + 870000000},
        {"2024-02-29T00:00:00.1234567899Z", 1709164800 * S + 123456789},
        {"2262-04-11T23:47:16.854775807Z", INT64_MAX},
        {"1677-09-21T00:12:43.145224192Z", INT64_MIN},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(good); i++) {
        assert_int_equal(mf_parse_rfc3339(good[i].text, &ns, NULL), 0);
        assert_int_equal(ns, good[i].ns);
    }
    static const char *const bad[] = {
        "",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-1-01T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "1970-01-32T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:61Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00+0100",
        "1970-01-01T00:00:00Zx",
        "1970-01-01T00:00:00+24:00",
        "2262-04-11T23:47:16.854775808Z",
        "1677-09-21T00:12:43.145224191Z",
        "9999-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        struct mf_errinfo err = {0};
        if (mf_parse_rfc3339(bad[i], &ns, &err) != MF_ESYNTAX || strstr(err.msg, bad[i]) == NULL) {
            fail_msg("'%s' was accepted or misnamed: '%s'", bad[i], err.msg);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format_duration), cmocka_unit_test(test_parse_duration),
        cmocka_unit_test(test_sizes),           cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
