/* SPDX-License-Identifier: Apache-2.0
 * The reader of configuration files: what it reads, and where it says that something is wrong. */
#include "cmocka_all.h"
#include "fmt/toml.h"

#include <string.h>

static struct mf_toml *parse(const char *text)
{
    struct mf_toml *toml = NULL;
    struct mf_errinfo err = {0};
    if (mf_toml_parse(text, strlen(text), "x.toml", &toml, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return toml;
}

static const struct mf_toml_value *get(const struct mf_toml *toml, const char *table,
                                       const char *key)
{
    for (size_t i = 0; i < toml->table_count; i++) {
        for (size_t k = 0; k < toml->tables[i].pair_count; k++) {
            if (strcmp(toml->tables[i].name, table) == 0 &&
                strcmp(toml->tables[i].pairs[k].key, key) == 0) {
                return &toml->tables[i].pairs[k].value;
            }
        }
    }
    fail_msg("no %s in [%s]", key, table);
    return NULL;
}

static void scalars(void **state)
{
    (void)state;
    struct mf_toml *toml = parse("a = 10_000_000 # many\n"
                                 "b=-1.5e3\r\n"
                                 "\t c = true\n"
                                 "\"quoted key\" = \"tab\\t \\u00e9 \\\"\"\n"
                                 "'literal' = 'C:\\n'\n"
                                 "hex = 0xDEAD_beef\n"
                                 "oct = 0o17\n"
                                 "bin = 0b1010\n"
                                 "e = 0xe_1\n"
                                 "zero = 0\n"
                                 "plus = +7\n"
                                 "fraction = 0.25\n"
                                 "d.e.f = 3\n"
                                 "[x.y]\n"
                                 "z.k = 1\n"
                                 "[[many]]\n"
                                 "v = 1\n"
                                 "[[many]]\n"
                                 "v = 2");
    assert_int_equal(get(toml, "", "a")->integer, 10000000);
    assert_int_equal(get(toml, "", "a")->type, MF_TOML_INT);
    assert_true(get(toml, "", "b")->number == -1500);
    assert_int_equal(get(toml, "", "b")->type, MF_TOML_FLOAT);
    assert_int_equal(get(toml, "", "c")->type, MF_TOML_BOOL);
    assert_int_equal(get(toml, "", "c")->integer, 1);
    assert_string_equal(get(toml, "", "quoted key")->text, "tab\t \xc3\xa9 \"");
    assert_string_equal(get(toml, "", "literal")->text, "C:\\n");
    assert_int_equal(get(toml, "", "hex")->integer, 0xdeadbeef);
    assert_int_equal(get(toml, "", "oct")->integer, 15);
    assert_int_equal(get(toml, "", "bin")->integer, 10);
    assert_int_equal(get(toml, "", "e")->integer, 0xe1);
    assert_int_equal(get(toml, "", "zero")->integer, 0);
    assert_int_equal(get(toml, "", "plus")->integer, 7);
    assert_true(get(toml, "", "fraction")->number == 0.25);
    assert_int_equal(get(toml, "d.e", "f")->integer, 3);
    assert_int_equal(get(toml, "x.y.z", "k")->integer, 1);
    const struct mf_toml_table *last = &toml->tables[toml->table_count - 1];
    assert_true(last->of_array);
    assert_string_equal(last->name, "many");
    assert_int_equal(last->pairs[0].value.integer, 2);
    assert_int_equal(last->place.line, 18);
    mf_toml_free(toml);
}

static void arrays(void **state)
{
    (void)state;
    struct mf_toml *toml = parse("empty = []\n"
                                 "numbers = [ 1, 2.5, # two\n"
                                 "  3,\n"
                                 "]\n"
                                 "words = ['a', \"b\"]\n");
    assert_int_equal(get(toml, "", "empty")->item_count, 0);
    const struct mf_toml_value *numbers = get(toml, "", "numbers");
    assert_int_equal(numbers->item_count, 3);
    assert_true(numbers->items[1].number == 2.5);
    assert_int_equal(numbers->items[2].place.line, 3);
    assert_int_equal(numbers->items[2].place.column, 3);
    assert_string_equal(get(toml, "", "words")->items[1].text, "b");
    mf_toml_free(toml);
}

static void errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } table[] = {
        {"a = ", "x.toml:1:5: a value is missing"},
        {"\n\na", "x.toml:3:2: '=' is missing behind the key"},
        {"a = 1 2", "x.toml:1:7: unexpected text behind the value"},
        {"a = 1\na = 2", "x.toml:2:1: 'a' is there already, in line 1"},
        {"[t]\n[t]", "x.toml:2:1: the table 't' is there already, in line 1"},
        {"[t]\n[[t]]", "x.toml:2:1: the table 't' is there already, in line 1"},
        {"[t", "x.toml:1:3: ']' is missing behind the name of the table"},
        {"[[t]", "x.toml:1:5: ']]' is missing behind the name of the table"},
        {"a = \"x", "x.toml:1:7: the string has no end on this line"},
        {"a = \"x\ny\"", "x.toml:1:7: the string has no end on this line"},
        {"a = \"\\x41\"", "x.toml:1:7: an unknown escape in a string"},
        {"a = \"\\ud800\"", "x.toml:1:12: an escape that is no character"},
        {"a = \"\"\"x\"\"\"", "x.toml:1:6: strings over several lines are not supported"},
        {"a = 1__0", "x.toml:1:5: '1__0' is not a value"},
        {"a = _1", "x.toml:1:5: '_1' is not a value"},
        {"a = 01", "x.toml:1:5: '01' is not a value; strings need quotes"},
        {"a = 1.", "x.toml:1:5: '1.' is not a value; strings need quotes"},
        {"a = .5", "x.toml:1:5: '.5' is not a value; strings need quotes"},
        {"a = yes", "x.toml:1:5: 'yes' is not a value; strings need quotes"},
        {"a = nan", "x.toml:1:5: a number must be finite"},
        {"a = 9223372036854775808",
         "x.toml:1:5: '9223372036854775808' is not a value; strings need quotes"},
        {"a = 2024-05-01", "x.toml:1:5: dates and times are not supported; write a string"},
        {"a = { b = 1 }", "x.toml:1:5: inline tables are not supported; write [table]"},
        {"a = [1, [2]]", "x.toml:1:9: arrays in arrays are not supported"},
        {"a = [1 2]", "x.toml:1:8: a comma or ']' is missing in the array"},
        {"a = [1,", "x.toml:1:8: the array has no end"},
        {"# bell \a", "x.toml:1:8: the control character 0x07"},
        {"\xc3\xa9 = 1", "x.toml:1:1: a key cannot begin here"},
        {"'\xc3\xa9' = x", "x.toml:1:7: 'x' is not a value; strings need quotes"},
        {"a = '\xff'", "x.toml:1:6: a byte that is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct mf_toml *toml = NULL;
        struct mf_errinfo err = {0};
        assert_int_equal(mf_toml_parse(table[i].text, strlen(table[i].text), "x.toml", &toml, &err),
                         MF_ESYNTAX);
        assert_null(toml);
        assert_string_equal(err.msg, table[i].message);
    }
}

static void limits(void **state)
{
    (void)state;
    static char text[MF_TOML_LEN_MAX + 1];
    struct mf_toml *toml = NULL;
    struct mf_errinfo err = {0};
    memset(text, ' ', sizeof text);
    assert_int_equal(mf_toml_parse(text, sizeof text, "x.toml", &toml, &err), MF_ELIMIT);
    assert_int_equal(mf_toml_parse(text, sizeof text - 1, "x.toml", &toml, &err), 0);
    mf_toml_free(toml);
    toml = NULL;
    memcpy(text, "a=[", 3);
    for (size_t i = 3; i + 2 < sizeof text; i += 2) {
        memcpy(text + i, "1,", 2);
    }
    assert_int_equal(mf_toml_parse(text, sizeof text - 1, "x.toml", &toml, &err), MF_ELIMIT);
    assert_null(toml);
    /* A NUL does not end the text. */
    assert_int_equal(mf_toml_parse("a=1\n\0b=2", 8, "x.toml", &toml, &err), MF_ESYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars),
        cmocka_unit_test(arrays),
        cmocka_unit_test(errors),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
