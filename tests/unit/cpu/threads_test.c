/* SPDX-License-Identifier: Apache-2.0
 * Threads by the thousand, scopes at the rate of their alarms, and no privileges. MAYFLY_CHURN=N
 * runs N threads instead of 2,000 (`make cpu-soak`: 100,000). */
#include "cpu/bursts.h"
#include "os/alarm.h"
#include "os/clock.h"
#include "os/thread.h"

#include <dirent.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmocka_all.h"

#define US       INT64_C(1000)
#define LIMIT_NS INT64_C(60000000000)

static struct mf_errinfo err;

static struct mf_cpu *opened(enum mf_cpu_detector detector)
{
    struct mf_cpu *cpu = NULL;
    const struct mf_cpu_config config = {.detector = detector, .watcher = true};
    if (mf_cpu_open(&config, &cpu, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return cpu;
}

static struct mf_cpu_task *task_with(struct mf_cpu *cpu, const char *name,
                                     struct mf_cpu_budget budget)
{
    struct mf_cpu_task *task = NULL;
    const struct mf_cpu_task_spec spec = {.name = name, .budget = budget};
    if (mf_cpu_task_add(cpu, &spec, &task, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return task;
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

/* Signals that are queued or set aside for timers, of all processes of this user. */
static long queued_signals(void)
{
    char line[256];
    long count = -1;
    FILE *file = fopen("/proc/self/status", "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "SigQ:", 5) == 0) {
            count = strtol(line + 5, NULL, 10);
        }
    }
    fclose(file);
    return count;
}

struct churn {
    struct mf_cpu_task *short_task;
    struct mf_cpu_task *windowed;
    int signal;
    unsigned count; /* threads, one after the other */
};

/* Ends with its alarm still to come; one in sixteen in the middle of a scope. */
static void *live_briefly(void *context)
{
    struct churn *churn = context;
    mf_alarm_signal_block(churn->signal, false);
    (void)mf_cpu_end(mf_cpu_begin(churn->windowed));
    const mf_cpu_scope scope = mf_cpu_begin(churn->short_task);
    if (mf_thread_id() % 16 != 0) {
        (void)mf_cpu_end(scope);
    }
    return NULL;
}

static void *start_many(void *context)
{
    struct churn *churn = context;
    for (unsigned i = 0; i < churn->count; i++) {
        struct mf_thread thread;
        if (mf_thread_start(&thread, "brief", live_briefly, churn, &err) != 0) {
            return NULL;
        }
        mf_thread_join(&thread);
    }
    return churn;
}

static void churn_with(enum mf_cpu_detector detector)
{
    enum { STARTERS = 4 };
    const char *given = getenv("MAYFLY_CHURN");
    const unsigned count = given != NULL ? (unsigned)strtoul(given, NULL, 10) : 2000;
    struct mf_cpu *cpu = opened(detector);
    struct mf_cpu_status status;
    mf_cpu_status(cpu, &status);
    struct churn churn = {
        .short_task = task_with(cpu, "short", (struct mf_cpu_budget){.cpu_ns = 100 * US}),
        .windowed = task_with(cpu, "windowed", (struct mf_cpu_budget){500 * US, 1000 * US}),
        .signal = status.signal,
        .count = 8,
    };
    assert_ptr_equal(start_many(&churn), &churn); /* what the C library keeps is there */
    const unsigned descriptors = open_descriptors();
    const long queued = queued_signals();
    const size_t used = mallinfo2().uordblks;
    struct mf_thread starters[STARTERS];
    churn.count = count / STARTERS;
    for (int i = 0; i < STARTERS; i++) {
        assert_int_equal(mf_thread_start(&starters[i], "starter", start_many, &churn, &err), 0);
    }
    for (int i = 0; i < STARTERS; i++) {
        assert_ptr_equal(mf_thread_join(&starters[i]), &churn);
    }
    assert_int_equal(mf_cpu_threads(cpu, NULL, 0), 0);
    mf_cpu_status(cpu, &status);
    assert_int_equal(status.threads, 8 + churn.count * STARTERS);
    struct mf_cpu_task_totals totals;
    mf_cpu_task_totals(churn.short_task, &totals);
    assert_int_equal(totals.scopes, status.threads);
    const size_t used_now = mallinfo2().uordblks;
    assert_true(used_now < used + 64 * 1024); /* a thread is 1 KiB: 64 of them at most */
    assert_int_equal(open_descriptors(), descriptors);
    assert_true(queued_signals() < queued + (long)(count / 2));
    print_message("%llu threads, %zu bytes more in use, %llu arms, %llu failures\n",
                  (unsigned long long)status.threads, used_now > used ? used_now - used : 0,
                  (unsigned long long)status.arms, (unsigned long long)status.failures);
    mf_cpu_close(cpu);
}

static void threads_leave_nothing(void **state)
{
    (void)state;
    churn_with(MF_CPU_DETECT_TIMER);
}

static void threads_with_events_leave_nothing(void **state)
{
    (void)state;
    churn_with(MF_CPU_DETECT_PERF);
}

/* ---- begins and ends between which the alarm goes off anywhere ---- */

struct racer {
    struct mf_thread thread;
    struct mf_cpu_task *outer;
    struct mf_cpu_task *inner;
    int signal;
    unsigned number;
    int wrong;
};

static void *race(void *context)
{
    struct racer *racer = context;
    uint64_t state = racer->number + 1;
    mf_alarm_signal_block(racer->signal, false);
    const int64_t until_ns = mf_clock_monotonic_ns(NULL) + 100 * 1000 * US;
    while (mf_clock_monotonic_ns(NULL) < until_ns) {
        const mf_cpu_scope around = mf_cpu_begin(racer->outer);
        for (int i = 0; i < 50; i++) {
            const mf_cpu_scope scope = mf_cpu_begin(racer->inner);
            state = state * 6364136223846793005u + 1442695040888963407u;
            for (volatile unsigned k = 0; k < (state >> 50); k++) { /* 0 to 16,383 steps */
            }
            racer->wrong += mf_cpu_end(scope) < 0;
        }
        racer->wrong += mf_cpu_end(around) < 0;
    }
    /* After all that the alarm still works: it was never left "set" without being so. */
    const mf_cpu_scope scope = mf_cpu_begin(racer->inner);
    const int64_t limit_ns = mf_clock_monotonic_ns(NULL) + LIMIT_NS;
    while (!mf_cpu_exceeded() && mf_clock_monotonic_ns(NULL) < limit_ns) {
        mf_burst(50 * US, false);
    }
    racer->wrong += !mf_cpu_exceeded();
    racer->wrong += mf_cpu_end(scope) != 1;
    return NULL;
}

static void scopes_at_the_rate_of_alarms(void **state)
{
    (void)state;
    enum { RACERS = 8 };
    struct mf_cpu *cpu = NULL;
    struct racer racers[RACERS];
    struct mf_cpu_status status;
    assert_int_equal(mf_cpu_open(NULL, &cpu, &err), 0);
    mf_cpu_status(cpu, &status);
    struct mf_cpu_task *outer = task_with(cpu, "outer", (struct mf_cpu_budget){.cpu_ns = 150 * US});
    struct mf_cpu_task *inner = task_with(cpu, "inner", (struct mf_cpu_budget){.cpu_ns = 100 * US});
    for (unsigned i = 0; i < RACERS; i++) {
        racers[i] =
            (struct racer){.outer = outer, .inner = inner, .signal = status.signal, .number = i};
        assert_int_equal(mf_thread_start(&racers[i].thread, "racer", race, &racers[i], &err), 0);
    }
    for (unsigned i = 0; i < RACERS; i++) {
        mf_thread_join(&racers[i].thread);
        assert_int_equal(racers[i].wrong, 0);
    }
    mf_cpu_status(cpu, &status);
    assert_true(status.fires > 0);
    assert_int_equal(status.failures, 0);
    mf_cpu_close(cpu);
}

/* ---- an ordinary user ---- */

static int seen_by_nobody(void)
{
    struct mf_cpu *cpu = NULL;
    struct mf_cpu_task *task = NULL;
    struct mf_cpu_status status;
    if (getuid() == 0 && setuid(65534) != 0) {
        return 2;
    }
    if (mf_cpu_open(NULL, &cpu, &err) != 0 ||
        mf_cpu_task_add(cpu,
                        &(struct mf_cpu_task_spec){.name = "t", .budget = {.cpu_ns = 500 * US}},
                        &task, &err) != 0) {
        return 3;
    }
    mf_cpu_status(cpu, &status);
    if (status.in_burst != MF_CPU_TIMER) {
        return 4;
    }
    const mf_cpu_scope scope = mf_cpu_begin(task);
    const int64_t limit_ns = mf_clock_monotonic_ns(NULL) + LIMIT_NS;
    while (!mf_cpu_exceeded()) {
        mf_burst(50 * US, false);
        if (mf_clock_monotonic_ns(NULL) > limit_ns) {
            return 5;
        }
    }
    const int verdict = mf_cpu_end(scope);
    mf_cpu_close(cpu);
    return verdict == 1 ? 0 : 6;
}

static void without_privileges(void **state)
{
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        _exit(seen_by_nobody());
    }
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_leave_nothing),
        cmocka_unit_test(threads_with_events_leave_nothing),
        cmocka_unit_test(scopes_at_the_rate_of_alarms),
        cmocka_unit_test(without_privileges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
