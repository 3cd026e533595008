/* SPDX-License-Identifier: Apache-2.0
 * Which benchmarks a pattern means. */
#include "cmocka_all.h"
#include "filter.h"

#include "base/fail.h"

static void substrings(void **state)
{
    (void)state;
    assert_true(mf__pattern_matches("record", "series::hot/record/n:10", false));
    assert_true(mf__pattern_matches("series::hot", "series::hot/record/n:10", false));
    assert_true(mf__pattern_matches("series/hot", "series::hot/record/n:10", false));
    assert_true(mf__pattern_matches("hot::record", "series::hot/record/n:10", false));
    assert_true(mf__pattern_matches("", "series::hot", false));
    assert_false(mf__pattern_matches("Record", "series::hot/record", false));
    assert_false(mf__pattern_matches("series:hot", "series::hot", false));
}

static void exact_names(void **state)
{
    (void)state;
    assert_true(mf__pattern_matches("series::hot", "series::hot", true));
    assert_true(mf__pattern_matches("series/hot", "series::hot", true));
    assert_false(mf__pattern_matches("series", "series::hot", true));
    assert_false(mf__pattern_matches("series::hot/record", "series::hot", true));
    assert_false(mf__pattern_matches("series::*", "series::hot", true));
}

static void globs(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool matches;
    } table[] = {
        {"series/*", "series::hot/record", true},
        {"series::*", "series::hot", true},
        {"*/record", "series::hot/record", true},
        {"*/record", "series::hot/record/n:1", false},
        {"s*s::h*d", "series::hot/record", true},
        {"series?hot", "series::hot", true},
        {"series::ho[a-z]", "series::hot", true},
        {"series::ho[!a-z]", "series::hot", false},
        {"series::ho[]t]", "series::hot", true},
        {"series::ho[t", "series::hot", false},
        {"*", "", true},
        {"?*", "", false},
        {"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(table); i++) {
        if (mf__pattern_matches(table[i].pattern, table[i].name, false) != table[i].matches) {
            fail_msg("'%s' and '%s'", table[i].pattern, table[i].name);
        }
    }
}

static void several(void **state)
{
    (void)state;
    const char *patterns[] = {"hot", "cold"};
    const char *skips[] = {"record"};
    const struct bench_filter filter = {patterns, 2, skips, 1, false};
    assert_true(mf__filter_matches(&filter, "series::hot/query"));
    assert_true(mf__filter_matches(&filter, "series::cold"));
    assert_false(mf__filter_matches(&filter, "series::hot/record"));
    assert_false(mf__filter_matches(&filter, "series::warm"));
    const struct bench_filter everything = {0};
    assert_true(mf__filter_matches(&everything, "series::hot"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(substrings),
        cmocka_unit_test(exact_names),
        cmocka_unit_test(globs),
        cmocka_unit_test(several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
