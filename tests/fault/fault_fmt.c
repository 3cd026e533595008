/* SPDX-License-Identifier: Apache-2.0
 * The Nth allocation fails, for every N until none does: what fmt and the option parser make is
 * then marked as failed, never cut short in silence, and nothing leaks (AddressSanitizer looks). */
#include "base/heap.h"
#include "fmt/json_read.h"
#include "fmt/json_write.h"
#include "fmt/table.h"
#include "options.h"

#include "cmocka_all.h"
#include <errno.h>
#include <string.h>

static int64_t allocations_left;
static bool refused;

static int refuse_nth(void *context, size_t len_bytes)
{
    (void)context;
    (void)len_bytes;
    allocations_left--;
    refused = refused || allocations_left == 0;
    return allocations_left == 0;
}

/* Runs `scenario`, which returns whether it failed, with the Nth allocation refused, until none is.
 */
static void for_each_allocation(bool (*scenario)(void))
{
    int64_t nth = 0;
    do {
        nth++;
        allocations_left = nth;
        refused = false;
        mf_heap_set_hook(refuse_nth, NULL);
        const bool failed = scenario();
        mf_heap_set_hook(NULL, NULL);
        assert_int_equal(failed, refused);
    } while (refused);
    assert_true(nth > 1);
}

static bool write_json(void)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &out, MF_JSON_PRETTY);
    mf_json_begin_array(&json);
    for (int i = 0; i < 200; i++) {
        mf_json_begin_object(&json);
        mf_json_key_string(&json, "name", "\"\n");
        mf_json_key_double(&json, "value", 0.5);
        mf_json_key_int(&json, "n", -i);
        mf_json_end_object(&json);
    }
    mf_json_end_array(&json);
    mf_json_finish(&json);
    const bool failed = out.failed;
    mf_buffer_free(&out);
    return failed;
}

static bool write_table(void)
{
    static const struct mf_column columns[] = {{"A", MF_ALIGN_LEFT, 3}, {"B", MF_ALIGN_RIGHT, 0}};
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_table table;
    mf_table_init(&table, columns, 2);
    for (int i = 0; i < 200; i++) {
        mf_table_cellf(&table, "cell\t%d", i);
    }
    mf_table_write(&table, &out, 8, true);
    const bool failed = out.failed;
    mf_table_free(&table);
    mf_buffer_free(&out);
    return failed;
}

static bool read_json(void)
{
    static const char text[] = "{\"a\":[1,2,3]}";
    struct mf_json_document *document = NULL;
    struct mf_errinfo err = {0};
    const int rc = mf_json_parse(text, sizeof text - 1, NULL, "f", &document, &err);
    assert_int_equal(rc, refused ? -ENOMEM : 0);
    mf_json_free(document);
    return rc < 0;
}

static bool parse_options(void)
{
    static char word[] = "--color=never";
    static char *words[] = {word, NULL};
    static const struct cli_verb verb = {.name = "v"};
    struct cli_context cli;
    const int rc = cli_options_parse(&cli, &verb, "mayfly v", 1, words);
    assert_int_equal(rc, refused ? -ENOMEM : 0);
    cli_options_free(&cli);
    return rc < 0;
}

static void test_write_json(void **state)
{
    (void)state;
    for_each_allocation(write_json);
}

static void test_write_table(void **state)
{
    (void)state;
    for_each_allocation(write_table);
}

static void test_read_json(void **state)
{
    (void)state;
    for_each_allocation(read_json);
}

static void test_parse_options(void **state)
{
    (void)state;
    for_each_allocation(parse_options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_json),
        cmocka_unit_test(test_write_table),
        cmocka_unit_test(test_read_json),
        cmocka_unit_test(test_parse_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
