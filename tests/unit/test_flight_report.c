/* SPDX-License-Identifier: Apache-2.0
 * Reports: whole and bounded whatever the flight, and nothing in them can pass for their own
 * markup. */
#include "cmocka_all.h"

#include "fmt/markdown.h"
#include "flights.h"
#include "scratch.h"

#include "base/fail.h"
#include "base/rng.h"
#include "flight/report.h"
#include "fmt/json_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS     INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define START  (INT64_C(1790251200) * SECOND)

static char home[300];

static int set_up(void **state)
{
    (void)state;
    static int turn;
    snprintf(home, sizeof home, "%s/report%d", scratch_directory(), turn++);
    return 0;
}

static void read_story(const char *id, struct mf_story *story)
{
    char dir[400];
    struct mf_errinfo err = {0};
    snprintf(dir, sizeof dir, "%s/flights/%s", home, id);
    if (mf_story_read(dir, story, &err) < 0) {
        fail_msg("%s", err.msg);
    }
}

static struct mf_json_document *report(const struct mf_story *story, size_t *ret_len)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    struct mf_json_document *document = NULL;
    struct mf_errinfo err = {0};
    mf_json_init(&json, &out, MF_JSON_COMPACT);
    assert_int_equal(mf_report_json(&json, story, NULL), 0);
    mf_json_finish(&json);
    if (mf_json_parse(out.data, out.len, NULL, "report", &document, &err) < 0) {
        fail_msg("%s", err.msg);
    }
    *ret_len = out.len;
    mf_buffer_free(&out);
    return document;
}

static struct mf_json_node at(struct mf_json_node node, const char *a, const char *b)
{
    node = mf_json_member(node, a);
    return b != NULL ? mf_json_member(node, b) : node;
}

static void json_has_the_members_of_the_schema(void **state)
{
    (void)state;
    struct mf_story story;
    size_t len = 0;
    const char *text = NULL;
    double number = 0;
    test_flight_failing_build(home, "f", START);
    read_story("f", &story);
    struct mf_json_document *document = report(&story, &len);
    const struct mf_json_node root = mf_json_root(document);
    assert_int_equal(mf_json_as_string(at(root, "outcome", "kind"), &text, NULL), 0);
    assert_string_equal(text, "exited");
    assert_int_equal(mf_json_as_string(at(root, "flight", "id"), &text, NULL), 0);
    assert_string_equal(text, "f");
    assert_int_equal(mf_json_as_double(at(root, "flight", "duration_ms"), &number, NULL), 0);
    assert_true(number == (double)story.info->duration_ns / 1e6);
    assert_int_equal(mf_json_len(at(root, "processes", NULL)), story.processes.count);
    assert_int_equal(mf_json_len(at(root, "output", "lines")), 10);
    assert_int_equal(mf_json_len(at(root, "series", NULL)), story.timeline.count);
    assert_int_equal(mf_json_len(at(root, "outcome", "evidence")), 2); /* and the culprit */
    mf_json_free(document);
    mf_story_free(&story);
}

static void large_flights_are_bounded(void **state)
{
    (void)state;
    struct mf_story story;
    size_t len = 0;
    struct test_flight *flight = test_flight_begin(home, "f", "big", NULL, START);
    test_flight_no_metrics(flight);
    static char line[2000];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 3000; i++) {
        test_flight_output(flight, i, i % 2, line, sizeof line);
    }
    test_flight_process(flight,
                        &(struct test_process){.number = 1, .comm = "root", .end_ms = 9000});
    for (uint64_t i = 2; i < 7000; i++) {
        test_flight_process(flight, &(struct test_process){.number = i,
                                                           .parent = i / 2,
                                                           .comm = "child",
                                                           .start_ms = (int64_t)i,
                                                           .end_ms = (int64_t)i + 1,
                                                           .cores = (double)(i % 97) / 97,
                                                           .status = i == 5000 ? 256 : 0});
    }
    test_flight_end(flight, &(struct test_end){.duration_ms = 300, .kind = "exited", .reason = ""});
    read_story("f", &story);
    struct mf_json_document *document = report(&story, &len);
    const struct mf_json_node root = mf_json_root(document);
    const struct mf_json_node processes = at(root, "processes", NULL);
    assert_int_equal(mf_json_len(processes), MF_REPORT_PROCESSES_MAX);
    /* All parents are there, and the one that failed. */
    bool *seen = test_calloc(7001, sizeof *seen);
    bool failed = false;
    for (size_t i = 0; i < MF_REPORT_PROCESSES_MAX; i++) {
        int64_t id = 0;
        int64_t parent = 0;
        int64_t exit_code = 0;
        const struct mf_json_node process = mf_json_element(processes, i);
        assert_int_equal(mf_json_get_int(process, "id", &id, NULL), 0);
        seen[id] = true;
        failed = failed ||
                 (mf_json_get_int(process, "exit_code", &exit_code, NULL) == 0 && exit_code == 1);
        if (id > 1) {
            assert_int_equal(mf_json_get_int(process, "parent_id", &parent, NULL), 0);
            assert_true(seen[parent]);
        }
    }
    assert_true(failed);
    test_free(seen);
    int64_t lines = 0;
    int64_t bytes = 0;
    const char *note = NULL;
    const struct mf_json_node omitted = at(root, "output", "omitted");
    const size_t kept = mf_json_len(at(root, "output", "lines"));
    assert_int_equal(mf_json_get_int(omitted, "lines", &lines, NULL), 0);
    assert_int_equal(mf_json_get_int(omitted, "bytes", &bytes, NULL), 0);
    assert_int_equal(mf_json_get_string(omitted, "note", &note, NULL), 0);
    assert_int_equal((size_t)lines + kept, 3000);
    assert_int_equal(bytes, lines * (int64_t)sizeof line);
    assert_true(kept * sizeof line <= MF_REPORT_HEAD_BYTES + MF_REPORT_TAIL_BYTES + sizeof line);
    mf_json_free(document);

    struct mf_buffer markdown = MF_BUFFER_INIT;
    assert_int_equal(mf_report_markdown(&markdown, &story, 1000, NULL), 0);
    assert_true(markdown.len < 60000);
    mf_buffer_free(&markdown);
    mf_story_free(&story);
}

static void long_series_are_reduced(void **state)
{
    (void)state;
    struct mf_story story;
    size_t len = 0;
    struct test_flight *flight = test_flight_begin(home, "f", "long", NULL, START);
    test_flight_no_metrics(flight);
    test_flight_process(flight, &(struct test_process){.number = 1, .comm = "x", .cores = 0.5});
    test_flight_end(flight,
                    &(struct test_end){.duration_ms = 600000, .kind = "exited", .reason = ""});
    read_story("f", &story);
    assert_true(story.timeline.tracks[0].count == 6000);
    struct mf_json_document *document = report(&story, &len);
    const struct mf_json_node series = at(mf_json_root(document), "series", NULL);
    for (size_t i = 0; i < mf_json_len(series); i++) {
        assert_int_equal(mf_json_len(at(mf_json_element(series, i), "value", NULL)),
                         MF_REPORT_POINTS_MAX);
    }
    mf_json_free(document);
    mf_story_free(&story);
}

static void check_markdown(void (*put)(struct mf_buffer *out, const char *text, size_t columns),
                           const char *text, const char *wanted)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    put(&out, text, 40);
    assert_string_equal(out.data != NULL ? out.data : "", wanted);
    mf_buffer_free(&out);
}

static void markdown_text_is_only_text(void **state)
{
    (void)state;
    check_markdown(mf_markdown_text, "plain text", "plain text");
    check_markdown(mf_markdown_text, "<script>&", "&lt;script\\>&amp;");
    check_markdown(mf_markdown_text, "a|b [x](y) *z* `c` #1 @me",
                   "a\\|b \\[x\\](y) \\*z\\* "
                   "\\`c\\` \\#1 \\@me");
    check_markdown(mf_markdown_text, "two\nlines\x1b[31m", "two\\\\nlines\\\\x1b\\[31m");
    check_markdown(mf_markdown_code, "make -j2", "`make -j2`");
    check_markdown(mf_markdown_code, "a `b` | c", "``a `b` \\| c``");
    check_markdown(mf_markdown_code, "`", "`` ` ``");
    check_markdown(mf_markdown_code, "", "");
    check_markdown(mf_mermaid_text, "x: y, z; #1 <b>", "x  y  z   1  b ");
    check_markdown(mf_mermaid_text, "", "-");
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_markdown_block(&out, "a\n````\nb", 8);
    assert_string_equal(out.data, "`````text\na\n````\nb\n`````\n");
    mf_buffer_free(&out);
}

/* Names and output that would like to be markup. */
static void hostile_flights_stay_inside(void **state)
{
    (void)state;
    struct mf_story story;
    struct mf_buffer out = MF_BUFFER_INIT;
    size_t len = 0;
    static const char evil[] = "</details><img src=x onerror=alert(1)>`|\n## no\n```\x1b]0;t\x07";
    struct test_flight *flight = test_flight_begin(home, "f", "<b>|`evil`", "t|ag", START);
    test_flight_process(flight,
                        &(struct test_process){
                            .number = 1, .comm = "<i>", .args = evil, .end_ms = 90, .status = 256});
    test_flight_process(
        flight,
        &(struct test_process){
            .number = 2, .parent = 1, .comm = "x:y", .args = "x \" ' % ; { }", .end_ms = 80});
    test_flight_output(flight, 5, MF_STREAM_STDERR, evil, sizeof evil); /* with its NUL */
    test_flight_event(flight, 7, "user", 1,
                      "\"data\":{\"level\":\"error\",\"text\":\"</details> **x** <!-- \"}");
    test_flight_end(flight, &(struct test_end){.duration_ms = 100,
                                               .kind = "exited",
                                               .exit_code = 1,
                                               .reason = "<reason> | `x`"});
    read_story("f", &story);
    assert_int_equal(mf_report_markdown(&out, &story, 40, NULL), 0);
    for (const char *p = out.data; (p = strstr(p, "</details>")) != NULL; p++) {
        /* only ours, on lines of their own; behind backticks it is code */
        assert_true(p[-1] == '\n' || p[-1] == '`' || (p[-1] == ' ' && p[-2] == '`'));
    }
    assert_null(strstr(out.data, "\x1b"));
    assert_non_null(strstr(out.data, "````text")); /* a fence that the output cannot close */
    assert_non_null(strstr(out.data, "&lt;reason\\> \\| \\`x\\`"));
    assert_non_null(strstr(out.data, "&lt;/details\\> \\*\\*x\\*\\*"));
    mf_buffer_free(&out);
    mf_json_free(report(&story, &len));
    mf_story_free(&story);
}

/* ---- damage ---- */

/* Overwrites, cuts or removes parts of the files of a flight. */
static void damage(struct mf_rng *rng, const char *dir)
{
    static const char *const names[] = {"flight.json", "output.log", "events.log",
                                        "metrics/metrics.slab"};
    char path[500];
    snprintf(path, sizeof path, "%s/%s", dir, names[mf_rng_below(rng, 4)]);
    FILE *file = fopen(path, "r+");
    if (file == NULL) {
        return;
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const long size = ftell(file);
    assert_true(size >= 0);
    if (mf_rng_below(rng, 4) == 0) {
        fclose(file);
        (void)remove(path);
        return;
    }
    for (uint64_t i = 1 + mf_rng_below(rng, 20); i > 0 && size > 0; i--) {
        const long where = (long)mf_rng_below(rng, (uint64_t)size < 9000 ? (uint64_t)size : 9000);
        assert_int_equal(fseek(file, where, SEEK_SET), 0);
        fputc((int)mf_rng_below(rng, 256), file);
    }
    fclose(file);
}

static void damaged_flights_tell_what_they_can(void **state)
{
    (void)state;
    struct mf_rng rng;
    size_t readable = 0;
    mf_rng_seed(&rng, 11);
    for (int round = 0; round < 120; round++) {
        char id[32];
        char dir[400];
        struct mf_story story;
        struct mf_errinfo err = {0};
        snprintf(id, sizeof id, "f%d", round);
        snprintf(dir, sizeof dir, "%s/flights/%s", home, id);
        test_flight_failing_build(home, id, START);
        for (uint64_t i = mf_rng_below(&rng, 4); i > 0; i--) {
            damage(&rng, dir);
        }
        const int rc = mf_story_read(dir, &story, &err);
        if (rc < 0) {
            assert_true(err.msg[0] != '\0');
            continue;
        }
        struct mf_buffer out = MF_BUFFER_INIT;
        size_t len = 0;
        readable++;
        mf_json_free(report(&story, &len));
        assert_int_equal(mf_report_markdown(&out, &story, 40, NULL), 0);
        mf_buffer_free(&out);
        mf_story_free(&story);
    }
    assert_true(readable > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(json_has_the_members_of_the_schema, set_up),
        cmocka_unit_test_setup(large_flights_are_bounded, set_up),
        cmocka_unit_test_setup(long_series_are_reduced, set_up),
        cmocka_unit_test(markdown_text_is_only_text),
        cmocka_unit_test_setup(hostile_flights_stay_inside, set_up),
        cmocka_unit_test_setup(damaged_flights_tell_what_they_can, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
