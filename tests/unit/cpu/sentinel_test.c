/* SPDX-License-Identifier: Apache-2.0
 * The sentinel: statistics against a plain model, crises and their causes, cost. */
#include "base/heap.h"
#include "base/rng.h"
#include "test_seed.h"

#include <mayfly/sentinel.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

#define SECOND INT64_C(1000000000)

static int64_t now_ns;
static uint64_t clock_readings;
static int64_t fake_now(void *context)
{
    (void)context;
    clock_readings++;
    return now_ns;
}
static const struct mf_clock clock_of_test = {fake_now, fake_now, NULL};
static const struct mf_env env = {.clock = &clock_of_test};
static struct mf_errinfo err;
static const char *const names[] = {"cpu_ms", "memory_mib"};

static struct mf_sentinel *sentinel_with(const struct mf_sentinel_settings *settings)
{
    struct mf_sentinel *sentinel = NULL;
    now_ns = 1000 * SECOND;
    if (mf_sentinel_new(settings, names, 2, &env, &sentinel, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return sentinel;
}

static uint32_t task_of(struct mf_sentinel *sentinel, const char *name)
{
    uint32_t task = 77;
    assert_int_equal(mf_sentinel_task_add(sentinel, name, &task, &err), 0);
    return task;
}

static double observe(struct mf_sentinel *sentinel, uint32_t task, double cpu_ms, bool violation)
{
    double score = -1;
    const double values[] = {cpu_ms, 100};
    assert_int_equal(mf_sentinel_observe(sentinel, task, values, violation, &score), 0);
    return score;
}

/* Mean and deviation are those of the last `window` values, computed plainly. */
static void statistics_of_the_window(void **state)
{
    (void)state;
    enum { WINDOW = 50, COUNT = 5000 };
    struct mf_sentinel_settings settings = MF_SENTINEL_SETTINGS_INIT;
    settings.window = WINDOW;
    struct mf_sentinel *sentinel = sentinel_with(&settings);
    const uint32_t task = task_of(sentinel, "model");
    struct mf_rng rng;
    static double past[COUNT];
    mf_rng_seed(&rng, test_seed());
    for (int i = 0; i < COUNT; i++) {
        past[i] = 1e6 + mf_rng_double(&rng) * (i % 100 == 7 ? 1e5 : 10); /* with outliers */
        now_ns += SECOND;
        (void)observe(sentinel, task, past[i], false);
        const int first = i + 1 > WINDOW ? i + 1 - WINDOW : 0;
        double mean = 0;
        double squares = 0;
        for (int k = first; k <= i; k++) {
            mean += past[k] / (i + 1 - first);
        }
        for (int k = first; k <= i; k++) {
            squares += (past[k] - mean) * (past[k] - mean);
        }
        struct mf_sentinel_statistics got;
        assert_int_equal(mf_sentinel_statistics(sentinel, task, 0, &got), 0);
        assert_int_equal(got.count, i + 1 - first);
        assert_true(fabs(got.mean - mean) <= 1e-9 * mean);
        const double deviation = sqrt(squares / (i + 1 - first));
        assert_true(fabs(got.deviation - deviation) <= 1e-3 + 1e-6 * deviation);
    }
    mf_sentinel_free(sentinel);
}

static void scores(void **state)
{
    (void)state;
    struct mf_sentinel *sentinel = sentinel_with(NULL);
    const uint32_t task = task_of(sentinel, "scored");
    for (int i = 0; i < 10; i++) { /* too few to judge */
        assert_true(observe(sentinel, task, i == 5 ? 1e9 : 1, false) == 0);
    }
    const uint32_t other = task_of(sentinel, "steady");
    for (int i = 0; i < 100; i++) {
        now_ns += SECOND;
        assert_true(observe(sentinel, other, 10, false) == 0);
    }
    /* All equal: the deviation is taken for a tenth of the mean. 1 ms in 10 is one of them. */
    const double one = observe(sentinel, other, 11, false);
    assert_true(one > 0.32 && one < 0.34);
    assert_true(observe(sentinel, other, 100, false) == 1);
    double score;
    assert_int_equal(mf_sentinel_observe(sentinel, other, (double[]){NAN, 1}, false, &score),
                     MF_EVALUE);
    assert_int_equal(mf_sentinel_observe(sentinel, 2, (double[]){1, 1}, false, &score), MF_ESTALE);
    mf_sentinel_free(sentinel);
}

static struct mf_sentinel_change change_of(struct mf_sentinel *sentinel)
{
    struct mf_sentinel_change change;
    assert_int_equal(mf_sentinel_take(sentinel, &change), 1);
    return change;
}

static void no_change(struct mf_sentinel *sentinel)
{
    struct mf_sentinel_change change;
    assert_int_equal(mf_sentinel_take(sentinel, &change), 0);
}

/* D19: a CPU violation is told as one, not as a request rate of 0. */
static void cpu_violation_names_cpu(void **state)
{
    (void)state;
    struct mf_sentinel *sentinel = sentinel_with(NULL);
    const uint32_t task = task_of(sentinel, "parse");
    char text[200];
    (void)observe(sentinel, task, 1, false);
    no_change(sentinel);
    (void)observe(sentinel, task, 1, true);
    struct mf_sentinel_change change = change_of(sentinel);
    assert_true(change.crisis);
    assert_int_equal(change.causes, MF_SENTINEL_CPU);
    assert_int_equal(change.violations, 1);
    assert_string_equal(change.task, "parse");
    assert_string_equal(mf_sentinel_explain(sentinel, &change, text, sizeof text),
                        "crisis: 1 CPU budget overrun in 60 s (task parse)");
    (void)observe(sentinel, task, 1, true); /* nothing new */
    no_change(sentinel);

    /* It ends 120 s after the last violation has left the period. */
    now_ns += 61 * SECOND;
    mf_sentinel_tick(sentinel);
    now_ns += 119 * SECOND;
    mf_sentinel_tick(sentinel);
    no_change(sentinel);
    now_ns += 2 * SECOND;
    mf_sentinel_tick(sentinel);
    change = change_of(sentinel);
    assert_false(change.crisis);
    assert_int_equal(change.causes, MF_SENTINEL_CPU);
    assert_string_equal(mf_sentinel_explain(sentinel, &change, text, sizeof text),
                        "the crisis is over: better for 120 s");
    mf_sentinel_free(sentinel);
}

static void each_cause_begins_a_crisis(void **state)
{
    (void)state;
    char text[200];
    struct mf_sentinel *sentinel = sentinel_with(NULL);
    const uint32_t task = task_of(sentinel, "t");
    for (int i = 0; i < 999; i++) {
        (void)observe(sentinel, task, 5, false);
    }
    no_change(sentinel);
    (void)observe(sentinel, task, 5, false);
    struct mf_sentinel_change change = change_of(sentinel);
    assert_int_equal(change.causes, MF_SENTINEL_RATE);
    assert_string_equal(mf_sentinel_explain(sentinel, &change, text, sizeof text),
                        "crisis: 1000 observations in a second, 1000 are too many (task t)");
    now_ns += 2 * SECOND; /* anomalies join */
    for (int i = 0; i < 111; i++) {
        (void)observe(sentinel, task, 1e6 * (i + 1) * (i + 1), false);
    }
    no_change(sentinel);
    for (int i = 0; i < 30; i++) {
        (void)observe(sentinel, task, 1e12 * (i + 1) * (i + 1), false);
    }
    change = change_of(sentinel);
    assert_int_equal(change.causes, MF_SENTINEL_ANOMALIES);
    assert_string_equal(change.value, "cpu_ms");
    assert_true(strstr(mf_sentinel_explain(sentinel, &change, text, sizeof text),
                       "observations anomalous in 60 s (task t)") != NULL);
    struct mf_sentinel_state now;
    mf_sentinel_state(sentinel, &now);
    assert_true(now.crisis);
    assert_int_equal(now.causes, MF_SENTINEL_RATE | MF_SENTINEL_ANOMALIES);
    assert_int_equal(now.observations_ever, 1141);
    assert_int_equal(now.rate_per_s, 141);
    mf_sentinel_free(sentinel);
}

static void a_crisis_that_comes_back_starts_the_wait_again(void **state)
{
    (void)state;
    struct mf_sentinel_settings settings = MF_SENTINEL_SETTINGS_INIT;
    settings.leave_after_ns = 10 * SECOND;
    settings.period_ns = 6 * SECOND;
    struct mf_sentinel *sentinel = sentinel_with(&settings);
    const uint32_t task = task_of(sentinel, "t");
    (void)observe(sentinel, task, 1, true);
    (void)change_of(sentinel);
    for (int i = 0; i < 15; i++) {
        now_ns += SECOND;
        mf_sentinel_tick(sentinel);
    }
    (void)observe(sentinel, task, 1, true); /* 9 s of being better are void */
    for (int i = 0; i < 15; i++) {
        now_ns += SECOND;
        mf_sentinel_tick(sentinel);
        no_change(sentinel);
    }
    now_ns += 3 * SECOND;
    mf_sentinel_tick(sentinel);
    assert_false(change_of(sentinel).crisis);
    now_ns -= 1000 * SECOND; /* a clock that steps back loses nothing */
    (void)observe(sentinel, task, 1, true);
    assert_true(change_of(sentinel).crisis);
    mf_sentinel_free(sentinel);
}

static int allocations;
static int count_allocation(void *context, size_t len)
{
    (void)context;
    (void)len;
    allocations++;
    return 0;
}

/* D19: after the window is full an observation does what it did before: no allocation, one reading
 * of the clock, and as many changes wait as there were, not one per observation. */
static void cpu_monitor_cost_flat(void **state)
{
    (void)state;
    struct mf_sentinel_settings settings = MF_SENTINEL_SETTINGS_INIT;
    settings.enter_rate_per_s = 0;
    struct mf_sentinel *sentinel = sentinel_with(&settings);
    const uint32_t task = task_of(sentinel, "flat");
    allocations = 0;
    mf_heap_set_hook(count_allocation, NULL);
    uint64_t readings[2] = {0, 0};
    for (int i = 0; i < 5000; i++) {
        const uint64_t before = clock_readings;
        now_ns += SECOND / 1000;
        (void)observe(sentinel, task, 10 + i % 7, false);
        uint64_t *most = &readings[i >= 1000];
        *most = clock_readings - before > *most ? clock_readings - before : *most;
    }
    mf_heap_set_hook(NULL, NULL);
    assert_int_equal(allocations, 0);
    assert_int_equal(readings[0], 1);
    assert_int_equal(readings[1], 1);
    no_change(sentinel);
    mf_sentinel_free(sentinel);
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
    for (int n = 0; n < 4; n++) {
        struct mf_sentinel *sentinel = NULL;
        uint32_t task;
        fail_at = n;
        mf_heap_set_hook(refuse_memory, NULL);
        int rc = mf_sentinel_new(NULL, names, 2, NULL, &sentinel, &err);
        rc = rc == 0 ? mf_sentinel_task_add(sentinel, "t", &task, &err) : rc;
        mf_heap_set_hook(NULL, NULL);
        assert_int_equal(rc, n < 3 ? -ENOMEM : 0);
        mf_sentinel_free(sentinel);
    }
}

static void settings_that_make_no_sense(void **state)
{
    (void)state;
    struct mf_sentinel *sentinel = NULL;
#define WRONG(field, value)                                                                        \
    do {                                                                                           \
        struct mf_sentinel_settings settings = MF_SENTINEL_SETTINGS_INIT;                          \
        settings.field = (value);                                                                  \
        assert_int_equal(mf_sentinel_new(&settings, names, 2, NULL, &sentinel, &err), MF_EVALUE);  \
    } while (0)
    WRONG(window, 1);
    WRONG(window, 100001);
    WRONG(minimum, 1);
    WRONG(minimum, 1001);
    WRONG(deviations, 0);
    WRONG(deviations, NAN);
    WRONG(anomalous, 1);
    WRONG(floor_part, -1);
    WRONG(floor_amount, NAN);
    WRONG(period_ns, SECOND - 1);
    WRONG(enter_anomalies, 1.5);
    WRONG(leave_anomalies, 0.5);
    WRONG(leave_after_ns, -1);
#undef WRONG
    assert_int_equal(mf_sentinel_new(NULL, names, 0, NULL, &sentinel, &err), MF_EVALUE);
    assert_int_equal(mf_sentinel_new(NULL, names, 9, NULL, &sentinel, &err), MF_EVALUE);
    assert_int_equal(mf_sentinel_new(NULL, (const char *const[]){""}, 1, NULL, &sentinel, &err),
                     MF_EVALUE);
    assert_null(sentinel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_of_the_window),
        cmocka_unit_test(scores),
        cmocka_unit_test(cpu_violation_names_cpu),
        cmocka_unit_test(each_cause_begins_a_crisis),
        cmocka_unit_test(a_crisis_that_comes_back_starts_the_wait_again),
        cmocka_unit_test(cpu_monitor_cost_flat),
        cmocka_unit_test(memory_that_runs_out),
        cmocka_unit_test(settings_that_make_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
