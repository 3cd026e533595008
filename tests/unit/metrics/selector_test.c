/* SPDX-License-Identifier: Apache-2.0
 * selector_test.c -- which series a selector means, at which character it is wrong, and that no
 * pattern takes the machine down. */
#include "cmocka_all.h"

#include "selector.h"

#include "base/heap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool matches(const char *selector_text, const char *series_text)
{
    struct mf__selector *selector = NULL;
    struct mf_errinfo err = {0};
    if (mf__selector_parse(selector_text, &selector, &err) != 0) {
        fail_msg("`%s`: %s", selector_text, err.msg);
    }
    struct mf__labels *labels = NULL;
    assert_int_equal(mf__labels_parse(series_text, strlen(series_text), &labels), 0);
    const bool result = mf__selector_matches(selector, labels);
    mf_free(labels);
    mf__selector_free(selector);
    return result;
}

static void operators_and_missing_labels(void **state)
{
    (void)state;
    static const struct {
        const char *selector;
        const char *series;
        bool expected;
    } cases[] = {
        {NULL, "m", true},
        {"", "m{a=\"b\"}", true},
        {"  ", "m", true},
        {"{}", "m", true},
        {"m", "m{a=\"b\"}", true},
        {"m", "mm", false},
        {"m{}", "m", true},
        {" m { a = \"b\" , } ", "m{a=\"b\"}", true},
        {"m{a=\"b\"}", "m", false},
        {"{a=\"b\"}", "x{a=\"b\",c=\"d\"}", true},
        {"{__name__=\"m\"}", "m", true},
        {"{__name__=~\"m.*\"}", "more", true},
        {"{a=\"\"}", "m", true},
        {"{a!=\"\"}", "m", false},
        {"{a!=\"x\"}", "m", true},
        {"{a!=\"x\"}", "m{a=\"x\"}", false},
        {"{a=~\"b|c\"}", "m{a=\"c\"}", true},
        {"{a=~\"b|c\"}", "m{a=\"cc\"}", false},
        {"{a=~\"b\"}", "m{a=\"abc\"}", false},
        {"{a=~\".*b.*\"}", "m{a=\"abc\"}", true},
        {"{a!~\"b.\"}", "m{a=\"bc\"}", false},
        {"{a=~\"\"}", "m", true},
        {"{a=~\".+\"}", "m", false},
        {"{a=~\"x*\"}", "m", true},
        {"{a=~\"^b$\"}", "m{a=\"b\"}", true},
        {"{a=~\"a\\\\.b\"}", "m{a=\"a.b\"}", true},
        {"{a=~\"a\\.b\"}", "m{a=\"axb\"}", false},
        {"{a=~\"[])]+\"}", "m{a=\")]\"}", true},
        {"{a=~\"[[:digit:]()]{2,3}\"}", "m{a=\"1(2\"}", true},
        {"{a=~\"(b|c){2}\"}", "m{a=\"bc\"}", true},
        {"{a=\"q\\\"\\\\\\n\"}", "m{a=\"q\\\"\\\\\\n\"}", true},
        {"{a=\"b\",a=\"c\"}", "m{a=\"b\"}", false},
        {"{a=\"b\",a!=\"c\"}", "m{a=\"b\"}", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (matches(cases[i].selector, cases[i].series) != cases[i].expected) {
            fail_msg("`%s` and `%s`", cases[i].selector, cases[i].series);
        }
    }
}

static void expect_error(const char *text, int character, const char *words)
{
    struct mf__selector *selector = NULL;
    struct mf_errinfo err = {0};
    const int rc = mf__selector_parse(text, &selector, &err);
    if (rc != MF_ESYNTAX) {
        fail_msg("`%s` gave %d", text, rc);
    }
    assert_null(selector);
    char at[32];
    snprintf(at, sizeof at, "character %d:", character);
    if (strstr(err.msg, at) == NULL || strstr(err.msg, words) == NULL) {
        fail_msg("`%s`: \"%s\" does not say \"%s\" and \"%s\"", text, err.msg, at, words);
    }
}

static void errors_name_the_character(void **state)
{
    (void)state;
    expect_error("1m", 1, "a series name");
    expect_error("=", 1, "a series name or {");
    expect_error("m n", 3, "{ or the end");
    expect_error("m{", 3, "a label name");
    expect_error("m{a", 4, "one of = != =~ !~");
    expect_error("m{a}", 4, "one of = != =~ !~");
    expect_error("m{a=", 5, "a value in double quotes");
    expect_error("m{a=b}", 5, "a value in double quotes");
    expect_error("m{a=\"b", 7, "a closing quote");
    expect_error("m{a=\"b\\", 8, "a character after \\");
    expect_error("m{a=\"b\"", 8, ", or }");
    expect_error("m{a=\"b\" c=\"d\"}", 9, ", or }");
    expect_error("m{a=\"b\",,c=\"d\"}", 9, "a label name");
    expect_error("m{,}", 3, "a label name");
    expect_error("m{a=\"b\"}}", 9, "{ or the end");
    expect_error("{a=\"b\"}m", 8, "a series name or {");
    expect_error("{1a=\"b\"}", 2, "a label name");
    expect_error("{a:b=\"b\"}", 2, "a label name");
    expect_error("{a-b=\"b\"}", 2, "a label name");
    expect_error("{a=~\"(\"}", 5, ") after (");
    expect_error("{a=~\"x)|(y\"}", 5, "( before )");
    expect_error("{a=~\"[b\"}", 5, "regular expression");
    expect_error("{b=\"c\",a=~\"*{2,1}\"}", 11, "regular expression");
    expect_error("{a=~\"(b)\\\\1\"}", 5, "back-references");
    char many[2048] = "{";
    size_t many_len = 1;
    for (int i = 0; i < 33; i++) {
        many_len += (size_t)snprintf(many + many_len, sizeof many - many_len, "a=\"b\",");
    }
    snprintf(many + many_len, sizeof many - many_len, "}");
    expect_error(many, 2 + 32 * 6, "32 matchers are possible");
}

/* Patterns that take glibc's compiler gigabytes, or its matcher years. */
static void hostile_patterns_are_refused(void **state)
{
    (void)state;
    char nested[512];
    char text[1024];
    static const char *const endings[] = {"+)", "*)", "{9})", "{2,})", "+)?"};
    for (size_t e = 0; e < sizeof endings / sizeof *endings; e++) {
        snprintf(nested, sizeof nested, "a");
        for (int depth = 0; depth < 30; depth++) {
            const int len = snprintf(text, sizeof text, "(%s%s", nested, endings[e]);
            memcpy(nested, text, (size_t)len + 1);
        }
        snprintf(text, sizeof text, "{a=~\"%s\"}", nested);
        expect_error(text, 5, "a simpler regular expression");
    }
    memset(nested, 'x', 200);
    nested[200] = '\0';
    expect_error("{a=~\"(((((a+)*+)*+)*+)*+)*\"}", 5, "a simpler regular expression");
    expect_error("{a=~\"(b|.?(.*|a?|b{0,6})+{0,6})\"}", 5, "a simpler regular expression");
    snprintf(text, sizeof text, "{a=~\"((%s){90}){90}\"}", nested);
    expect_error(text, 5, "a simpler regular expression");
    expect_error("{a=~\"a{32767}\"}", 5, "a simpler regular expression");
    expect_error("{a=~\"a{99999999999999999999}\"}", 5, "a simpler regular expression");
    memset(nested, '(', 40);
    snprintf(nested + 40, sizeof nested - 40, "a");
    memset(nested + 41, ')', 40);
    nested[81] = '\0';
    snprintf(text, sizeof text, "{a=~\"%s\"}", nested);
    expect_error(text, 5, "a simpler regular expression");
    memset(nested, 'x', 257);
    nested[257] = '\0';
    snprintf(text, sizeof text, "{a=~\"%s\"}", nested);
    expect_error(text, 5, "at most 256 bytes");
    nested[256] = '\0';
    snprintf(text, sizeof text, "{a=~\"%s\"}", nested);
    assert_false(matches(text, "m"));
    char *endless = malloc(20000);
    memset(endless, 'm', 19999);
    endless[19999] = '\0';
    struct mf__selector *selector = NULL;
    assert_int_equal(mf__selector_parse(endless, &selector, NULL), MF_ESYNTAX);
    free(endless);
}

/* Ordinary ones are not. */
static void ordinary_patterns_are_taken(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "(eth|wlan|lo)[0-9]+",
        "/(usr|var)(/[^/]+)*",
        "[0-9]{1,3}([.][0-9]{1,3}){3}",
        "([a-z0-9]+[.])+[a-z]{2,10}",
        "((a+)+|b)c*(d|e{2})?",
        "sd[a-z]|nvme[0-9]+n[0-9]+(p[0-9]+)?",
        "[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        char text[512];
        snprintf(text, sizeof text, "{a=~\"%s\"}", patterns[i]);
        (void)matches(text, "m{a=\"b\"}");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_and_missing_labels),
        cmocka_unit_test(errors_name_the_character),
        cmocka_unit_test(hostile_patterns_are_refused),
        cmocka_unit_test(ordinary_patterns_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
