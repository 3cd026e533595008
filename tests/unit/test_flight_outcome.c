/* SPDX-License-Identifier: Apache-2.0
 * test_flight_outcome.c -- how an ending is told, and TRACEPARENT. */
#include "cmocka_all.h"

#include "outcome.h"
#include "trace_context.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct mf_ending plain(int status)
{
    return (struct mf_ending){
        .command = "./job",
        .status_known = true,
        .status = status,
        .cgroup_oom_kills = UINT64_MAX,
        .cgroup_counter = "memory.events",
        .memory_limit_bytes = UINT64_MAX,
        .memory_peak_bytes = UINT64_MAX,
        .limit_hits = UINT64_MAX,
        .victim_at_ns = -1,
    };
}

static void expect(const struct mf_ending *ending, enum mf_flight_outcome outcome, int exit_code,
                   int signal, const char *reason)
{
    struct mf_verdict verdict;
    mf__ending_judge(ending, &verdict);
    assert_string_equal(verdict.reason.data, reason);
    assert_int_equal(verdict.outcome, outcome);
    assert_int_equal(verdict.exit_code, exit_code);
    assert_int_equal(verdict.signal, signal);
    mf__verdict_free(&verdict);
}

static bool has_evidence(const struct mf_ending *ending, const char *part)
{
    struct mf_verdict verdict;
    bool found = false;
    mf__ending_judge(ending, &verdict);
    for (unsigned i = 0; i < verdict.evidence_count; i++) {
        found = found || strstr(verdict.evidence[i].data, part) != NULL;
    }
    mf__verdict_free(&verdict);
    return found;
}

static void exits_and_signals(void **state)
{
    (void)state;
    struct mf_ending e = plain(0);
    expect(&e, MF_OUTCOME_EXITED, 0, 0, "exit code 0");
    e = plain(2 << 8);
    expect(&e, MF_OUTCOME_EXITED, 2, 0, "exit code 2");
    e = plain(137 << 8);
    expect(&e, MF_OUTCOME_EXITED, 137, 0, "exit code 137 (a shell's word for SIGKILL)");
    e = plain(SIGSEGV | 0x80);
    expect(&e, MF_OUTCOME_SIGNALED, 139, SIGSEGV, "ended by SIGSEGV (core dumped)");
    e = plain(SIGINT);
    e.forwarded_signal = SIGINT;
    expect(&e, MF_OUTCOME_SIGNALED, 130, SIGINT, "ended by SIGINT from the terminal");
    e = plain(SIGTERM);
    e.forwarded_signal = SIGTERM;
    e.forwarded_from = 77;
    expect(&e, MF_OUTCOME_SIGNALED, 143, SIGTERM, "ended by SIGTERM that process 77 sent");
    e.forwarded_signal = SIGINT; /* another one */
    expect(&e, MF_OUTCOME_SIGNALED, 143, SIGTERM, "ended by SIGTERM");
    e = plain(SIGKILL);
    assert_true(has_evidence(&e, "somebody sent SIGKILL"));
    e = plain(0);
    e.status_known = false;
    expect(&e, MF_OUTCOME_RECORDER_LOST, 125, 0, "how the command ended is not known");
}

static void starts_that_fail(void **state)
{
    (void)state;
    struct mf_ending e = plain(0);
    e.exec_error = ENOENT;
    expect(&e, MF_OUTCOME_NOT_FOUND, 127, 0, "command not found: ./job");
    e.exec_error = EACCES;
    expect(&e, MF_OUTCOME_NOT_EXECUTABLE, 126, 0, "./job cannot be executed: Permission denied");
    e.exec_error = ENOEXEC;
    expect(&e, MF_OUTCOME_NOT_EXECUTABLE, 126, 0, "./job cannot be executed: Exec format error");
}

static void timeouts(void **state)
{
    (void)state;
    struct mf_ending e = plain(SIGTERM);
    e.timeout_ns = INT64_C(30000000000);
    expect(&e, MF_OUTCOME_TIMEOUT, 124, 0, "ended after the timeout of 30 s");
    e = plain(3 << 8);
    e.timeout_ns = INT64_C(30000000000);
    expect(&e, MF_OUTCOME_TIMEOUT, 124, 0, "ended after the timeout of 30 s with exit code 3");
    e = plain(SIGKILL);
    e.timeout_ns = INT64_C(90000000000);
    e.kill_after_ns = INT64_C(5000000000);
    expect(&e, MF_OUTCOME_TIMEOUT, 124, 0,
           "ended after the timeout of 1 min 30 s by SIGKILL, for it outlived SIGTERM by 5 s");
}

static void out_of_memory_in_the_cgroup(void **state)
{
    (void)state;
    struct mf_ending e = plain(SIGKILL);
    e.cgroup_oom_kills = 1;
    e.memory_limit_bytes = 512u << 20;
    e.memory_peak_bytes = 511u << 20;
    e.limit_hits = 9;
    snprintf(e.victim_comm, sizeof e.victim_comm, "cc1plus");
    e.victim_rss_bytes = 402u << 20;
    e.victim_at_ns = INT64_C(41234000000);
    expect(&e, MF_OUTCOME_OOM, 137, 9,
           "killed by the kernel: out of memory (limit 512 MiB, peak 511 MiB, largest: cc1plus 402 "
           "MiB "
           "at 00:41.2)");
    assert_true(has_evidence(&e, "memory.events of the flight's cgroup counts 1 kill for memory"));
    assert_true(has_evidence(&e, "the limit of 512 MiB was hit 9 times"));
    /* make is told by its child's death and exits with 2. */
    e.status = 2 << 8;
    e.logged_oom_kills = 1;
    e.victim_known = true;
    expect(&e, MF_OUTCOME_OOM, 2, 0,
           "exit code 2 after the kernel killed for memory: out of memory (limit 512 MiB, peak 511 "
           "MiB, "
           "killed: cc1plus 402 MiB at 00:41.2)");
    /* It survived its child's death. */
    e.status = 0;
    expect(&e, MF_OUTCOME_EXITED, 0, 0, "exit code 0");
    assert_true(has_evidence(&e, "the kernel log says that cc1plus was killed for memory"));
}

static void out_of_memory_by_weaker_evidence(void **state)
{
    (void)state;
    struct mf_ending e = plain(SIGKILL);
    e.machine_oom_kills = 1;
    /* Somebody else's kill, unless one of ours ended by SIGKILL. */
    expect(&e, MF_OUTCOME_SIGNALED, 137, 9, "ended by SIGKILL");
    e.killed_processes = 1;
    expect(&e, MF_OUTCOME_OOM, 137, 9, "killed by the kernel: out of memory");
    assert_true(has_evidence(&e, "the machine counted 1 kill for memory"));
    e.machine_oom_kills = 0;
    e.ancestor_oom_kills = 2;
    expect(&e, MF_OUTCOME_OOM, 137, 9, "killed by the kernel: out of memory");
    assert_true(has_evidence(&e, "a cgroup above counted 2 kills"));
    /* A timeout is a timeout: the SIGKILL was ours. */
    e.timeout_ns = INT64_C(1000000000);
    expect(&e, MF_OUTCOME_TIMEOUT, 124, 0, "ended after the timeout of 1 s");
}

static void moments(void **state)
{
    (void)state;
    char out[32];
    assert_string_equal(mf__format_moment(out, 0), "00:00.0");
    assert_string_equal(mf__format_moment(out, INT64_C(59999999999)), "00:59.9");
    assert_string_equal(mf__format_moment(out, INT64_C(3723450000000)), "1:02:03.4");
}

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void a_trace_that_goes_on(void **state)
{
    (void)state;
    static const char *const good[] = {"00-" TRACE "-" PARENT "-00", "cc-" TRACE "-" PARENT "-00",
                                       "cc-" TRACE "-" PARENT "-00-what-comes-later"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct mf_trace_context context;
        char text[MF_TRACEPARENT_LEN];
        assert_int_equal(mf__trace_context_new(good[i], &context, NULL), 0);
        assert_string_equal(context.trace_id, TRACE);
        assert_string_equal(context.parent_span_id, PARENT);
        assert_string_not_equal(context.span_id, PARENT);
        mf__trace_context_format(&context, text);
        assert_int_equal(strlen(text), 55);
        assert_int_equal(strncmp(text, "00-" TRACE "-", 36), 0);
        assert_string_equal(text + 52, "-00"); /* not sampled stays not sampled */
    }
}

static void a_trace_that_begins(void **state)
{
    (void)state;
    static const char *const bad[] = {
        NULL,
        "",
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-0",
        "00-" TRACE "-" PARENT "-000",
        "ff-" TRACE "-" PARENT "-00",
        "00-00000000000000000000000000000000-" PARENT "-00",
        "00-" TRACE "-0000000000000000-00",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-00",
        "00_" TRACE "-" PARENT "-00",
        "cc-" TRACE "-" PARENT "-00x",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct mf_trace_context context;
        char text[MF_TRACEPARENT_LEN];
        assert_int_equal(mf__trace_context_new(bad[i], &context, NULL), 0);
        assert_string_not_equal(context.trace_id, TRACE);
        assert_int_equal(strlen(context.trace_id), 32);
        assert_string_equal(context.parent_span_id, "");
        mf__trace_context_format(&context, text);
        assert_string_equal(text + 52, "-01");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exits_and_signals),
        cmocka_unit_test(starts_that_fail),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(out_of_memory_in_the_cgroup),
        cmocka_unit_test(out_of_memory_by_weaker_evidence),
        cmocka_unit_test(moments),
        cmocka_unit_test(a_trace_that_goes_on),
        cmocka_unit_test(a_trace_that_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
