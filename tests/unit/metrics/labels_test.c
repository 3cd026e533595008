/* SPDX-License-Identifier: Apache-2.0
 * labels_test.c -- the canonical text of a series, there and back, and what is refused. Seed:
 * MAYFLY_TEST_SEED. */
#include "cmocka_all.h"

#include "labels.h"
#include "test_seed.h"

#include "base/heap.h"
#include "base/rng.h"
#include <stdio.h>
#include <string.h>

static struct mf_buffer text;

static const char *format(const char *name, const struct mf_label *labels, size_t count)
{
    struct mf_errinfo err = {0};
    mf_buffer_clear(&text);
    const int rc = mf__labels_format(name, labels, count, &text, &err);
    if (rc != 0) {
        fail_msg("%s", err.msg);
    }
    return text.data;
}

static void refused(const char *name, const struct mf_label *labels, size_t count, const char *why)
{
    struct mf_errinfo err = {0};
    mf_buffer_clear(&text);
    assert_int_equal(mf__labels_format(name, labels, count, &text, &err), MF_EVALUE);
    if (strstr(err.msg, why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
    }
}

static void labels_are_sorted_and_escaped(void **state)
{
    (void)state;
    assert_string_equal(format("up", NULL, 0), "up");
    const struct mf_label three[] = {{"zone", "x"}, {"a", "1"}, {"disk", "s\\d\"a\n"}};
    assert_string_equal(format("io:ops", three, 3),
                        "io:ops{a=\"1\",disk=\"s\\\\d\\\"a\\n\",zone=\"x\"}");
    const struct mf_label order[] = {{"b", "2"}, {"aa", "1"}, {"B", "3"}, {"_", "4"}, {"a", "5"}};
    assert_string_equal(format("m", order, 5), "m{B=\"3\",_=\"4\",a=\"5\",aa=\"1\",b=\"2\"}");
}

static void bad_names_and_labels_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"", "1a", "a b", "a-b", "a{", "\xC3\xA4", "a\n", NULL};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        refused(names[i], NULL, 0, "is not valid");
    }
    static const char *const label_names[] = {"", "1", "a:b", "__a", "a-b", "a b", NULL};
    for (size_t i = 0; i < sizeof label_names / sizeof *label_names; i++) {
        const struct mf_label label = {label_names[i], "v"};
        refused("m", &label, 1, "is not valid");
    }
    static const char *const values[] = {
        "",     "\xFF", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "a\xC3", "\xF4\x90\x80\x80",
        "\x80", NULL};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct mf_label label = {"l", values[i]};
        refused("m", &label, 1, "empty or not UTF-8");
    }
    const struct mf_label twice[] = {{"a", "1"}, {"b", "2"}, {"a", "1"}};
    refused("m", twice, 3, "label a is given twice");
    struct mf_label many[MF_METRICS_LABELS_MAX + 1];
    char name_of[MF_METRICS_LABELS_MAX + 1][8];
    for (size_t i = 0; i <= MF_METRICS_LABELS_MAX; i++) {
        snprintf(name_of[i], sizeof name_of[i], "l%zu", i);
        many[i] = (struct mf_label){name_of[i], "v"};
    }
    refused("m", many, MF_METRICS_LABELS_MAX + 1, "33 labels; 32 are possible");
    const char *whole = format("m", many, MF_METRICS_LABELS_MAX);
    struct mf__labels *parsed = NULL;
    assert_int_equal(mf__labels_parse(whole, strlen(whole), &parsed), 0);
    assert_int_equal(parsed->label_count, MF_METRICS_LABELS_MAX);
    mf_free(parsed);
}

static void valid_utf8_is_taken(void **state)
{
    (void)state;
    static const char *const values[] = {"\xC3\xA4",
                                         "\xE2\x82\xAC",
                                         "\xF0\x9F\x98\x80",
                                         "\xF4\x8F\xBF\xBF",
                                         "\xED\x9F\xBF",
                                         "\xEE\x80\x80",
                                         "\x7F",
                                         "\x01"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct mf_label label = {"l", values[i]};
        format("m", &label, 1);
    }
}

static void random_labels_survive_the_round_trip(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    static const char alphabet[] = "a\\\"\n,={}~! \t0";
    for (int round = 0; round < 20000; round++) {
        struct mf_label labels[6];
        char values[6][24];
        static const char *const keys[] = {"a", "b", "c", "d", "e", "f"};
        const size_t count = (size_t)mf_rng_below(&rng, 7);
        for (size_t i = 0; i < count; i++) {
            const size_t len = 1 + (size_t)mf_rng_below(&rng, 20);
            for (size_t c = 0; c < len; c++) {
                values[i][c] = alphabet[mf_rng_below(&rng, sizeof alphabet - 1)];
            }
            values[i][len] = '\0';
            labels[i] = (struct mf_label){keys[i], values[i]};
        }
        const char *whole = format("name", labels, count);
        struct mf__labels *parsed = NULL;
        assert_int_equal(mf__labels_parse(whole, strlen(whole), &parsed), 0);
        assert_string_equal(parsed->name, "name");
        assert_int_equal(parsed->label_count, count);
        for (size_t i = 0; i < count; i++) {
            assert_string_equal(mf__labels_value(parsed, keys[i]), values[i]);
        }
        assert_string_equal(mf__labels_value(parsed, "other"), "");
        assert_string_equal(mf__labels_value(parsed, "__name__"), "name");
        mf_free(parsed);
    }
}

static void what_is_not_canonical_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "{",
                                      "m{",
                                      "m{}",
                                      "m}",
                                      "m{a}",
                                      "m{a=}",
                                      "m{a=b}",
                                      "m{a=\"b\"",
                                      "m{a=\"b\"}x",
                                      "m{a=\"b\",}",
                                      "m{a=\"b\",,c=\"d\"}",
                                      "m{a=\"b\" }",
                                      "m{ a=\"b\"}",
                                      "m{a=\"b\\\"}",
                                      "m{a=\"b\\x\"}",
                                      "m{__a=\"b\"}",
                                      "m{1=\"b\"}",
                                      "m{a=\"b\"}}",
                                      "m{a=\"b\"c=\"d\"}",
                                      "m{a=\"",
                                      "m{a=\"\\"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct mf__labels *parsed = NULL;
        if (mf__labels_parse(bad[i], strlen(bad[i]), &parsed) != MF_ESYNTAX || parsed != NULL) {
            fail_msg("`%s` was taken", bad[i]);
        }
    }
    /* Every beginning of a good text is refused but those that are good themselves. */
    static const char good[] = "m{a=\"b\\n\",c=\"d\"}";
    for (size_t len = 0; len < sizeof good - 1; len++) {
        struct mf__labels *parsed = NULL;
        assert_int_equal(mf__labels_parse(good, len, &parsed), len == 1 ? 0 : MF_ESYNTAX);
        mf_free(parsed);
    }
}

static int free_text(void **state)
{
    (void)state;
    mf_buffer_free(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_sorted_and_escaped),
        cmocka_unit_test(bad_names_and_labels_are_refused),
        cmocka_unit_test(valid_utf8_is_taken),
        cmocka_unit_test(random_labels_survive_the_round_trip),
        cmocka_unit_test(what_is_not_canonical_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, free_text);
}
