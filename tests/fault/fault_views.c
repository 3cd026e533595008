/* SPDX-License-Identifier: Apache-2.0
 * The Nth allocation fails, for every N, in everything that looks at flights: an error that says
 * so, or an answer; no crash and nothing leaked (under ASan). */
#include "cmocka_all.h"

#include "flights.h"
#include "scratch.h"

#include "base/heap.h"
#include "flight/gc.h"
#include "flight/lines.h"
#include "flight/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define START  (INT64_C(1790251200) * SECOND)

static char home[300];
static char dirs[2][400];
static long left; /* allocations until one fails; negative: none does */

static int fail_nth(void *context, size_t len)
{
    (void)context;
    (void)len;
    return left >= 0 && left-- == 0;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "%s/home", scratch_directory());
    for (int i = 0; i < 2; i++) {
        char id[32];
        snprintf(id, sizeof id, "20260924-12000%d-f-000%d", i, i);
        snprintf(dirs[i], sizeof dirs[i], "%s/flights/%s", home, id);
        struct test_flight *flight = test_flight_begin(home, id, "f", "a,b=c", START + i * SECOND);
        test_flight_process(
            flight,
            &(struct test_process){
                .number = 1, .comm = "sh", .args = "sh -c x", .end_ms = 250, .status = 256});
        test_flight_process(flight, &(struct test_process){.number = 2,
                                                           .parent = 1,
                                                           .comm = "x",
                                                           .args = "x /tmp/y",
                                                           .end_ms = 240,
                                                           .cores = 1,
                                                           .rss_mib = 3,
                                                           .status = 256});
        test_flight_line(flight, 5, MF_STREAM_STDERR, "no such \x1b[31mthing");
        test_flight_event(flight, 7, "user", 1, "\"data\":{\"text\":\"hello\"}");
        test_flight_event(flight, 8, "hang", 0, "\"idle_ns\":5,\"states\":[[2,\"S\",\"x\"]]");
        test_flight_end(flight, &(struct test_end){.duration_ms = 300,
                                                   .kind = "exited",
                                                   .exit_code = 1,
                                                   .reason = "exit code 1",
                                                   .evidence = "status"});
    }
    return 0;
}

/* ---- what is done with an allocation missing: 0 or a negative code ---- */

static int do_report(struct mf_errinfo *err)
{
    struct mf_story story;
    int rc = mf_story_read(dirs[0], &story, err);
    if (rc < 0) {
        return rc;
    }
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &out, MF_JSON_COMPACT);
    rc = mf_report_json(&json, &story, err);
    if (rc == 0) {
        mf_json_finish(&json);
        rc = out.failed ? -ENOMEM : 0;
    }
    mf_buffer_free(&out);
    mf_story_free(&story);
    return rc;
}

static int do_markdown(struct mf_errinfo *err)
{
    struct mf_story story;
    struct mf_buffer out = MF_BUFFER_INIT;
    int rc = mf_story_read(dirs[0], &story, err);
    if (rc == 0) {
        rc = mf_report_markdown(&out, &story, 10, err);
        mf_story_free(&story);
    }
    mf_buffer_free(&out);
    return rc;
}

static int do_update(struct mf_errinfo *err)
{
    struct mf_story story;
    int rc = mf_story_read(dirs[0], &story, err);
    if (rc == 0) {
        rc = mf_story_update(&story, err);
        mf_story_free(&story);
    }
    return rc;
}

static int do_compare(struct mf_errinfo *err)
{
    struct mf_story a;
    struct mf_story b;
    struct mf_comparison comparison;
    int rc = mf_story_read(dirs[0], &a, err);
    if (rc < 0) {
        return rc;
    }
    rc = mf_story_read(dirs[1], &b, err);
    if (rc == 0) {
        rc = mf_compare(&a, &b, &comparison, err);
        if (rc == 0) {
            mf_compare_free(&comparison);
        }
        mf_story_free(&b);
    }
    mf_story_free(&a);
    return rc;
}

static int do_history(struct mf_errinfo *err)
{
    struct mf_flight_info *info = NULL;
    struct mf_history history;
    int rc = mf_flight_info_read(dirs[1], &info, err);
    if (rc == 0) {
        rc = mf_history_read(home, info, 10, &history, err);
    }
    if (rc == 0) {
        mf_history_free(&history);
    }
    mf_flight_info_free(info);
    return rc;
}

static int do_list(struct mf_errinfo *err)
{
    struct mf_flight_list list;
    const int rc = mf_flight_list_read(home, NULL, &list, err);
    if (rc == 0) {
        assert_int_equal(list.unreadable, 0); /* a lack of memory is not damage */
        mf_flight_list_free(&list);
    }
    return rc;
}

static int do_resolve(struct mf_errinfo *err)
{
    char *dir = NULL;
    const int rc = mf_flight_resolve(home, "0001", &dir, err);
    mf_flight_free_text(dir);
    return rc;
}

static int do_lines(struct mf_errinfo *err)
{
    const struct mf_lines_options options = {.tail_lines_max = 10, .tail_bytes_max = 1000};
    struct mf_lines lines;
    const int rc = mf_lines_read(dirs[0], &options, &lines, err);
    if (rc == 0) {
        mf_lines_free(&lines);
    }
    return rc;
}

static int do_plan(struct mf_errinfo *err)
{
    struct mf_gc_plan plan;
    struct mf_gc_swept swept;
    int rc = mf_gc_plan(home, &(struct mf_gc_rules){.has_keep = true}, START, &plan, err);
    if (rc == 0) {
        mf_gc_plan_free(&plan);
        rc = mf_gc_sweep(home, INT64_MAX, true, &swept, err);
    }
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int (*run)(struct mf_errinfo *err);
    } cases[] = {
        {"report", do_report},   {"markdown", do_markdown}, {"update", do_update},
        {"compare", do_compare}, {"history", do_history},   {"list", do_list},
        {"resolve", do_resolve}, {"lines", do_lines},       {"plan", do_plan},
    };
    mf_heap_set_hook(fail_nth, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool untouched = false;
        long failed = 0;
        for (long n = 0; !untouched; n++) {
            struct mf_errinfo err = {0};
            left = n;
            const int rc = cases[i].run(&err);
            untouched = left >= 0; /* it needed fewer: this was the whole of it */
            left = -1;
            if (rc < 0 && rc != -ENOMEM) {
                fail_msg("%s, allocation %ld: %s: %s", cases[i].name, n, mf_error_name(rc),
                         err.msg);
            }
            failed += rc < 0;
            assert_false(untouched && rc < 0);
        }
        assert_true(failed > 3);
    }
    mf_heap_set_hook(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(every_allocation_may_fail, set_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
