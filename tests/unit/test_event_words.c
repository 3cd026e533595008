/* SPDX-License-Identifier: Apache-2.0
 * test_event_words.c -- the events as the recorder writes them (docs/formats.md), in words. */
#include "cmocka_all.h"

#include "flight_event_words.h"

#include <string.h>

static void check(const char *json, const char *wanted)
{
    static struct mf_flight_process items[] = {
        {.number = 1, .pid = 100, .comm = "make"},
        {.number = 2, .pid = 101, .comm = "cc1"},
    };
    const struct mf_flight_processes processes = {items, 2};
    struct mf_json_document *document = NULL;
    struct mf_errinfo err = {0};
    if (mf_json_parse(json, strlen(json), NULL, "event", &document, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    const char *kind = NULL;
    struct mf_buffer out = MF_BUFFER_INIT;
    assert_int_equal(mf_json_get_string(mf_json_root(document), "kind", &kind, NULL), 0);
    (void)mf__event_words(&out, kind, mf_json_root(document), &processes);
    assert_string_equal(out.data, wanted);
    mf_buffer_free(&out);
    mf_json_free(document);
}

static void signals_and_job_control(void **state)
{
    (void)state;
    check("{\"kind\":\"signal\",\"signal\":\"SIGTERM\",\"action\":\"forwarded\",\"sender\":7}",
          "SIGTERM came and was passed on to the command");
    check("{\"kind\":\"signal\",\"signal\":\"SIGINT\",\"action\":\"seen\"}", "SIGINT came");
    check("{\"kind\":\"signal\"}", "a signal came");
    check("{\"kind\":\"stopped\",\"signal\":\"SIGTSTP\"}", "the command was stopped by SIGTSTP");
    check("{\"kind\":\"stopped\"}", "the command was stopped by job control");
    check("{\"kind\":\"continued\"}", "the command was continued");
}

static void what_was_lost(void **state)
{
    (void)state;
    check("{\"kind\":\"lost\",\"what\":\"time series\",\"why\":\"x: No space left on device\"}",
          "time series lost: x: No space left on device");
    check("{\"kind\":\"lost\",\"what\":\"process events\"}", "process events lost");
    check("{\"kind\":\"lost\",\"what\":\"samples\",\"count\":3}", "3 samples lost");
    check("{\"kind\":\"lost\"}", "records lost");
}

static void who_is_left(void **state)
{
    (void)state;
    check("{\"kind\":\"processes.left\",\"alive\":[2]}",
          "a process was still running when the recorder left: cc1 (pid 101)");
    check("{\"kind\":\"processes.left\",\"alive\":[1,2,3,4,5,6]}",
          "processes were still running when the recorder left: make (pid 100), cc1 (pid 101), "
          "process 3, process 4 and 2 more");
    check("{\"kind\":\"output.left\",\"alive\":[2]}",
          "processes kept the output open when the recorder left: cc1 (pid 101)");
    check("{\"kind\":\"output.left\"}", "processes kept the output open when the recorder left");
}

static void hangs(void **state)
{
    (void)state;
    check("{\"kind\":\"hang\",\"idle_ns\":30000000000,\"states\":[[1,\"S\",\"do_wait\"],[2,\"D\","
          "\"\"]]}",
          "no CPU time and no output for 30 s: make (pid 100) in do_wait, cc1 (pid 101)");
    check("{\"kind\":\"hang.end\"}", "something happens again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_and_job_control),
        cmocka_unit_test(what_was_lost),
        cmocka_unit_test(who_is_left),
        cmocka_unit_test(hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
