/* SPDX-License-Identifier: Apache-2.0
 * Bursts of known CPU time in threads of every kind, against the CPU clock as the truth: what is
 * over is told at the end, always; what is within never is, asleep or awake. How much is seen while
 * it lasts, and how late, depends on the machine and is printed; the full matrix is bench/run
 * cpu-matrix. With a detector that is switched off the same question must have the answer
 * "nothing". */
#include "cpu/bursts.h"

#include <stdio.h>

#include "cmocka_all.h"

#define US INT64_C(1000)

static struct mf_burst_result run(struct mf_cpu *cpu, struct mf_burst_case burst)
{
    static unsigned number;
    struct mf_errinfo err;
    struct mf_burst_result result;
    char name[20];
    snprintf(name, sizeof name, "case %u", number++);
    if (mf_bursts_run(cpu, name, &burst, &result, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    print_message("%-8s %2u threads, %5lld us of %5lld us: %llu over, %llu at the end, "
                  "%llu before, late %lld us; %llu within, %llu false\n",
                  mf_burst_word(burst.work), burst.threads, (long long)(burst.burst_ns / US),
                  (long long)(burst.budget_ns / US), (unsigned long long)result.over,
                  (unsigned long long)result.seen_at_end, (unsigned long long)result.seen_during,
                  (long long)(result.late_p50_ns / US), (unsigned long long)result.within,
                  (unsigned long long)result.false_alarms);
    assert_int_equal(result.bursts, burst.threads * burst.count);
    assert_int_equal(result.errors, 0);
    assert_int_equal(result.seen_at_end, result.over);
    assert_int_equal(result.false_alarms, 0);
    return result;
}

static void matrix(const struct mf_cpu_config *config, bool detects)
{
    static const int64_t budgets_ns[] = {20 * US, 100 * US, 500 * US, 2000 * US};
    static const unsigned threads[] = {1, 4, 16};
    struct mf_errinfo err;
    struct mf_cpu *cpu = NULL;
    uint64_t over = 0;
    uint64_t within = 0;
    uint64_t during = 0;
    if (mf_cpu_open(config, &cpu, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    for (int work = 0; work < MF_BURST_WORKS; work++) {
        for (size_t b = 0; b < 4; b++) {
            const size_t t = (b + (size_t)work) % 3;
            for (int part = 0; part < 2; part++) { /* twice the budget, half of it */
                const struct mf_burst_result result =
                    run(cpu, (struct mf_burst_case){
                                 .work = (enum mf_burst_work)work,
                                 .threads = threads[t],
                                 .count = 16 / threads[t] + 2,
                                 .budget_ns = budgets_ns[b],
                                 .burst_ns = part == 0 ? 2 * budgets_ns[b] : budgets_ns[b] / 2,
                             });
                over += result.over;
                within += result.within;
                during += result.seen_during;
            }
        }
    }
    struct mf_cpu_status status;
    mf_cpu_status(cpu, &status);
    assert_int_equal(status.failures, 0);
    assert_true(status.violations >= over);
    mf_cpu_close(cpu);
    /* The question itself can be answered wrongly: there were bursts of both kinds. */
    assert_true(over > 0);
    assert_true(within > 0);
    if (!detects) {
        assert_int_equal(during, 0);
    }
}

static void bursts_with_a_detector(void **state)
{
    (void)state;
    matrix(&(struct mf_cpu_config){.watcher = true}, true);
}

/* D20: the matrix turns red when nothing detects. */
static void cpu_tests_can_fail(void **state)
{
    (void)state;
    matrix(&(struct mf_cpu_config){.detector = MF_CPU_DETECT_NONE}, false);
    /* And by one that lets bursts of twice the budget pass: the same count, with a task that has no
     * budget, sees none. */
    struct mf_errinfo err;
    struct mf_cpu *cpu = NULL;
    struct mf_cpu_task *blind = NULL;
    assert_int_equal(mf_cpu_open(NULL, &cpu, &err), 0);
    assert_int_equal(
        mf_cpu_task_add(cpu, &(struct mf_cpu_task_spec){.name = "blind"}, &blind, &err), 0);
    const mf_cpu_scope scope = mf_cpu_begin(blind);
    mf_burst(5000 * US, false);
    assert_false(mf_cpu_exceeded());
    assert_int_equal(mf_cpu_end(scope), 0);
    mf_cpu_close(cpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bursts_with_a_detector),
        cmocka_unit_test(cpu_tests_can_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
