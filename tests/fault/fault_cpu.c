/* SPDX-License-Identifier: Apache-2.0
 * System calls and allocations that fail, each in turn: opening says what it could not have, or
 * fails; a scope is judged, or its end returns an error. Nothing passes unmeasured as "within". */
#include "base/heap.h"
#include "cpu/bursts.h"
#include "os/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

#define US INT64_C(1000)

struct refusing {
    int after; /* so many calls succeed */
    bool once;
    const char *only; /* NULL: any call */
    int error;
    int asked;
    char refused[64];
};

static int refuse(void *context, const char *call)
{
    struct refusing *refusing = context;
    if (refusing->only != NULL && strcmp(refusing->only, call) != 0) {
        return 0;
    }
    const int number = refusing->asked++;
    if (number < refusing->after || (refusing->once && number > refusing->after)) {
        return 0;
    }
    snprintf(refusing->refused, sizeof refusing->refused, "%s", call);
    return refusing->error;
}

/* One scope of three times its budget. Returns what opening returned. */
static int try_one(const struct mf_cpu_config *config, struct mf_cpu_status *ret_status,
                   int *ret_verdict)
{
    struct mf_errinfo err = {0};
    struct mf_cpu *cpu = NULL;
    struct mf_cpu_task *task = NULL;
    const int rc = mf_cpu_open(config, &cpu, &err);
    if (rc != 0) {
        assert_true(err.msg[0] != '\0');
        assert_null(cpu);
        return rc;
    }
    assert_int_equal(
        mf_cpu_task_add(cpu,
                        &(struct mf_cpu_task_spec){.name = "t", .budget = {.cpu_ns = 500 * US}},
                        &task, &err),
        0);
    const mf_cpu_scope scope = mf_cpu_begin(task);
    volatile uint64_t state = 1;
    for (int i = 0; i < 3000000; i++) { /* some ms; the clock may be the one that fails */
        state = state * 3 + 1;
    }
    *ret_verdict = mf_cpu_end(scope);
    mf_cpu_status(cpu, ret_status);
    mf_cpu_close(cpu);
    return 0;
}

/* What each call is needed for. */
static void check(const struct refusing *refusing, int opened, const struct mf_cpu_status *status,
                  int verdict)
{
    const char *call = refusing->refused;
    if (opened != 0) {
        assert_true(strcmp(call, "clock_gettime") == 0 || strcmp(call, "pthread_key_create") == 0);
        return;
    }
    if (call[0] == '\0') {
        assert_int_equal(verdict, 1);
        return;
    }
    assert_true(verdict != 0); /* over, or an error; never "within" */
    if (strcmp(call, "clocksource") == 0) {
        assert_false(status->tiers[MF_CPU_STAMP].active);
        assert_true(strlen(status->tiers[MF_CPU_STAMP].why) > 0);
        assert_int_equal(verdict, 1);
    } else if (strcmp(call, "rseq") == 0) {
        assert_false(status->switches_seen);
        assert_int_equal(verdict, 1);
    } else if (strcmp(call, "sigaction") == 0) {
        assert_int_equal(status->signal, 0);
        assert_int_equal(status->in_burst, MF_CPU_EXACT);
        assert_true(strlen(status->tiers[MF_CPU_TIMER].why) > 0);
        assert_int_equal(verdict, 1);
    } else if (status->failures == 0) { /* while opening: a tier is missing, with a reason */
        const bool timer = status->tiers[MF_CPU_TIMER].active;
        assert_true(timer || strlen(status->tiers[MF_CPU_TIMER].why) > 0);
    } else {
        const char *told = strcmp(call, "fcntl") == 0 ? "perf_event_open" : call;
        assert_true(strstr(status->last_failure, told) == status->last_failure);
    }
}

static void each_call_fails(const struct mf_cpu_config *config, bool once)
{
    struct refusing counting = {.after = 1 << 30};
    struct mf_cpu_status status;
    int verdict = 0;
    mf_refusal_set_hook(refuse, &counting);
    assert_int_equal(try_one(config, &status, &verdict), 0);
    mf_refusal_set_hook(NULL, NULL);
    assert_int_equal(verdict, 1);
    const int calls = counting.asked < 400 ? counting.asked : 400;
    assert_true(calls > 10);
    for (int n = 0; n < calls; n++) {
        struct refusing refusing = {.after = n, .once = once, .error = n % 2 ? EAGAIN : EINVAL};
        memset(&status, 0, sizeof status);
        mf_refusal_set_hook(refuse, &refusing);
        const int opened = try_one(config, &status, &verdict);
        mf_refusal_set_hook(NULL, NULL);
        if (once) {
            check(&refusing, opened, &status, verdict);
        } else if (opened == 0 && refusing.refused[0] != '\0') {
            assert_true(verdict != 0);
        }
    }
}

static void the_nth_call_fails(void **state)
{
    (void)state;
    each_call_fails(NULL, true);
}

static void all_calls_from_the_nth_on_fail(void **state)
{
    (void)state;
    each_call_fails(NULL, false);
}

static void calls_of_performance_events_fail(void **state)
{
    (void)state;
    each_call_fails(&(struct mf_cpu_config){.detector = MF_CPU_DETECT_PERF}, true);
}

/* Each tier goes away with the call that it needs, and the next one takes over, by name. */
static void a_lower_tier_takes_over(void **state)
{
    (void)state;
    struct mf_cpu_status status;
    int verdict = 0;
    struct refusing no_timer = {.only = "timer_create", .error = EAGAIN};
    mf_refusal_set_hook(refuse, &no_timer);
    assert_int_equal(
        try_one(&(struct mf_cpu_config){.detector = MF_CPU_DETECT_TIMER}, &status, &verdict), 0);
    assert_int_equal(status.in_burst, MF_CPU_EXACT);
    assert_non_null(strstr(status.tiers[MF_CPU_TIMER].why, "Resource temporarily unavailable"));
    assert_int_equal(verdict, 1);
    assert_int_equal(status.tiers[MF_CPU_EXACT].seen, 1);
    assert_int_equal(
        try_one(&(struct mf_cpu_config){.detector = MF_CPU_DETECT_TIMER, .watcher = true}, &status,
                &verdict),
        0);
    assert_int_equal(status.in_burst, MF_CPU_WATCHER);

    struct refusing no_events = {.only = "perf_event_open", .error = EACCES};
    mf_refusal_set_hook(refuse, &no_events);
    assert_int_equal(
        try_one(&(struct mf_cpu_config){.detector = MF_CPU_DETECT_PERF}, &status, &verdict), 0);
    assert_int_equal(status.in_burst, MF_CPU_TIMER);
    assert_non_null(strstr(status.tiers[MF_CPU_PERF].why, "Permission denied"));

    /* The timer can be had at first, but not by this thread. */
    struct refusing later = {.only = "timer_create", .after = 1, .error = EAGAIN};
    mf_refusal_set_hook(refuse, &later);
    assert_int_equal(
        try_one(&(struct mf_cpu_config){.detector = MF_CPU_DETECT_TIMER}, &status, &verdict), 0);
    mf_refusal_set_hook(NULL, NULL);
    assert_int_equal(status.threads_unwatched, 1);
    assert_true(status.failures >= 1);
    assert_string_equal(status.last_failure, "timer_create: Resource temporarily unavailable");
    assert_int_equal(verdict, 1);
}

/* D18 once more: a clock that fails in the middle is an error of the scope. */
static void the_clock_fails_at_the_end(void **state)
{
    (void)state;
    struct mf_errinfo err;
    struct mf_cpu *cpu = NULL;
    struct mf_cpu_task *task = NULL;
    assert_int_equal(
        mf_cpu_open(&(struct mf_cpu_config){.detector = MF_CPU_DETECT_NONE}, &cpu, &err), 0);
    assert_int_equal(
        mf_cpu_task_add(cpu,
                        &(struct mf_cpu_task_spec){.name = "t", .budget = {.cpu_ns = 100 * US}},
                        &task, &err),
        0);
    mf_cpu_scope scope = mf_cpu_begin(task);
    mf_burst(300 * US, false);
    struct refusing refusing = {.only = "clock_gettime", .error = EPERM};
    mf_refusal_set_hook(refuse, &refusing);
    assert_int_equal(mf_cpu_end(scope), -EPERM);
    struct mf_cpu_thread thread;
    assert_int_equal(mf_cpu_threads(cpu, &thread, 1), 1);
    assert_int_equal(thread.cpu_ns, -1);
    mf_refusal_set_hook(NULL, NULL);
    mf_cpu_close(cpu);
}

static int fail_at;
static int refuse_memory(void *context, size_t len)
{
    (void)context;
    (void)len;
    return fail_at-- == 0;
}

static void memory_that_runs_out(void **state)
{
    (void)state;
    for (int n = 0; n < 5; n++) {
        struct mf_errinfo err;
        struct mf_cpu *cpu = NULL;
        struct mf_cpu_task *task = NULL;
        mf_heap_set_hook(NULL, NULL);
        fail_at = n;
        mf_heap_set_hook(refuse_memory, NULL);
        int rc = mf_cpu_open(&(struct mf_cpu_config){.detector = MF_CPU_DETECT_NONE}, &cpu, &err);
        rc = rc == 0 ? mf_cpu_task_add(
                           cpu,
                           &(struct mf_cpu_task_spec){
                               .name = "w", .budget = {.cpu_ns = US, .window_ns = 1000 * US}},
                           &task, &err)
                     : rc;
        if (rc == 0) {
            rc = mf_cpu_end(mf_cpu_begin(task));
        }
        mf_heap_set_hook(NULL, NULL);
        mf_cpu_close(cpu);
        assert_true(rc == -ENOMEM || (rc >= 0 && fail_at >= 0));
    }
    assert_true(fail_at >= 0); /* the last round had enough */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_call_fails),
        cmocka_unit_test(all_calls_from_the_nth_on_fail),
        cmocka_unit_test(calls_of_performance_events_fail),
        cmocka_unit_test(a_lower_tier_takes_over),
        cmocka_unit_test(the_clock_fails_at_the_end),
        cmocka_unit_test(memory_that_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
