/* SPDX-License-Identifier: Apache-2.0
 * cpu_budget.c -- work that is to take 2 ms of CPU, and how it is noticed when it takes more.
 * example_cpu_budget [MS_OF_WORK] */
#include <mayfly/mayfly.h>

#include <stdio.h>
#include <stdlib.h>

static void compute(double ms)
{
    int64_t now_ns = 0;
    int64_t end_ns = 0;
    if (mf_cpu_read(0, &end_ns) == 0) {
        end_ns += (int64_t)(ms * 1e6);
        while (mf_cpu_read(0, &now_ns) == 0 && now_ns < end_ns && !mf_cpu_exceeded()) {
        }
    }
}

int main(int argc, char **argv)
{
    struct mf_cpu *cpu;
    struct mf_cpu_task *task;
    struct mf_errinfo err;
    struct mf_cpu_violation seen;
    const struct mf_cpu_task_spec spec = {.name = "compute", .budget = {.cpu_ns = 2000000}};
    if (mf_cpu_open(NULL, &cpu, &err) < 0 || mf_cpu_task_add(cpu, &spec, &task, &err) < 0) {
        fprintf(stderr, "example_cpu_budget: %s\n", err.msg);
        return 1;
    }
    const mf_cpu_scope scope = mf_cpu_begin(task);
    compute(argc > 1 ? strtod(argv[1], NULL) : 10); /* gives up when it is over its budget */
    const int over = mf_cpu_end(scope);
    while (mf_cpu_take(cpu, &seen, NULL) == 1) {
        char where[256] = "";
        if (seen.stack_depth > 0) {
            (void)mf_cpu_symbol(seen.stack[0], where, sizeof where);
        }
        printf("%s: %.3f ms of CPU, %.3f ms too many, seen by the %s %s%s\n", seen.task,
               (double)seen.cpu_ns / 1e6, (double)seen.excess_ns / 1e6,
               mf_cpu_tier_name(seen.seen_by), seen.ended ? "in all" : "in ",
               seen.ended ? "" : where);
    }
    mf_cpu_close(cpu);
    return over < 0;
}
