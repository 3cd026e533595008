/* SPDX-License-Identifier: Apache-2.0
 * The report's page as the program carries it: two halves that make the built page around the data.
 */
#include "cmocka_all.h"
#include "web/report_template.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool begins(const unsigned char *bytes, size_t len, const char *text)
{
    return len >= strlen(text) && memcmp(bytes, text, strlen(text)) == 0;
}

static bool ends(const unsigned char *bytes, size_t len, const char *text)
{
    return len >= strlen(text) && memcmp(bytes + len - strlen(text), text, strlen(text)) == 0;
}

static void halves_meet_inside_the_data_element(void **state)
{
    (void)state;
    if (mf_report_template_head_length == 0) {
        assert_int_equal(mf_report_template_tail_length, 0);
        print_message("skipped: built without node or uPlot\n");
        skip();
    }
    const unsigned char *head = mf_report_template_head;
    const unsigned char *tail = mf_report_template_tail;
    assert_true(begins(head, mf_report_template_head_length, "<!doctype html>\n"));
    assert_true(ends(head, mf_report_template_head_length,
                     "<script type=\"application/json\" id=\"flight-data\">"));
    assert_true(begins(tail, mf_report_template_tail_length, "</script>\n<script>"));
    assert_true(ends(tail, mf_report_template_tail_length, "</html>\n"));
    assert_int_equal(head[mf_report_template_head_length], 0);
    assert_int_equal(tail[mf_report_template_tail_length], 0);
}

static void halves_are_the_built_page(void **state)
{
    (void)state;
    const char *build = getenv("MAYFLY_BINARY_DIR");
    if (mf_report_template_head_length == 0 || build == NULL) {
        skip();
    }
    char path[4096];
    assert_true((size_t)snprintf(path, sizeof path, "%s/web/report.html", build) < sizeof path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    static const char marker[] = "@DATA@";
    const struct {
        const unsigned char *bytes;
        size_t len;
    } parts[] = {
        {mf_report_template_head, mf_report_template_head_length},
        {(const unsigned char *)marker, sizeof marker - 1},
        {mf_report_template_tail, mf_report_template_tail_length},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (size_t at = 0; at < parts[i].len; at++) {
            if (getc(file) != parts[i].bytes[at]) {
                fail_msg("part %zu differs from %s at byte %zu", i, path, at);
            }
        }
    }
    assert_int_equal(getc(file), EOF);
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_meet_inside_the_data_element),
        cmocka_unit_test(halves_are_the_built_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
