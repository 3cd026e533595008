/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_cpu.c -- what reading CPU time, scopes with budgets and the sentinel cost, beside what they
 * cannot go below. Detection and lateness, which are no costs: `mayfly cpu bench --full`.
 *
 *   cpu::read/bare              clock_gettime(CLOCK_THREAD_CPUTIME_ID)
 *   cpu::read/own, other        mf_cpu_read() of this thread, and of another
 *   cpu::scope/stamps           two readings of the time-stamp counter: what a scope takes at least
 *   cpu::scope/budget/us:N      begin and end of a scope with a budget, its timer included
 *   cpu::scope/post_hoc         the same with 0.5 ms and no detector
 *   cpu::scope/nested           a scope in a scope
 *   cpu::scope/unused           in a program whose accounting is not open
 *   cpu::operation/alone, in_scope  1 ms of fixed work; the same in a scope with a budget of
 *                               100 ms
 *   cpu::transaction/plain, scoped/us:N   2.4 us of fixed work; the same in a scope
 *   cpu::violation              a burst of 20 us in a scope of 10 us: the verdict and its record
 *   cpu::sentinel/observe/past:N    an observation after N others: flat
 */
#include "bench_scratch.h"

#include "os/cputime.h"

#include <mayfly/cpu.h>
#include <mayfly/sentinel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define US INT64_C(1000)

/* ---- reading ---- */

static int64_t read_bare(void)
{
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000 + now.tv_nsec;
}

MF_BENCH(cpu, bare, .group = "read")
{
    MF_LOOP(bench)
    {
        mf_keep(read_bare());
    }
}

static int64_t read_of(struct mf_bench *bench, int32_t tid)
{
    int64_t ns = 0;
    const int rc = mf_cpu_read(tid, &ns);
    if (rc != 0) {
        mf_bench_fail(bench, "mf_cpu_read: %s", mf_strerror(rc));
    }
    return ns;
}

MF_BENCH(cpu, own, .group = "read", .ratio_to = "cpu::read/bare")
{
    MF_LOOP(bench)
    {
        mf_keep(read_of(bench, 0));
    }
}

struct sleeper {
    pthread_t thread;
    _Atomic int32_t tid;
    int ends[2];
};

static void *sleep_until_closed(void *context)
{
    struct sleeper *sleeper = context;
    char nothing;
    atomic_store(&sleeper->tid, gettid());
    return read(sleeper->ends[0], &nothing, 1) == 0 ? sleeper : NULL;
}

MF_BENCH(cpu, other, .group = "read", .ratio_to = "cpu::read/bare")
{
    struct sleeper sleeper = {.tid = 0};
    if (pipe(sleeper.ends) != 0 ||
        pthread_create(&sleeper.thread, NULL, sleep_until_closed, &sleeper) != 0) {
        mf_bench_fail(bench, "no thread to read");
        return;
    }
    while (atomic_load(&sleeper.tid) == 0) {
        usleep(100);
    }
    const int32_t tid = atomic_load(&sleeper.tid);
    MF_LOOP(bench)
    {
        mf_keep(read_of(bench, tid));
    }
    close(sleeper.ends[1]);
    pthread_join(sleeper.thread, NULL);
    close(sleeper.ends[0]);
}

/* ---- scopes ---- */

struct subject {
    struct mf_cpu *cpu;
    struct mf_cpu_task *task;
};

static bool begin_subject(struct mf_bench *bench, struct subject *subject,
                          enum mf_cpu_detector detector, int64_t budget_ns)
{
    struct mf_errinfo err;
    const struct mf_cpu_config config = {.detector = detector};
    const struct mf_cpu_task_spec spec = {.name = "subject", .budget = {.cpu_ns = budget_ns}};
    *subject = (struct subject){.cpu = NULL};
    return bench_ok(bench, mf_cpu_open(&config, &subject->cpu, &err), &err, "open") &&
           bench_ok(bench, mf_cpu_task_add(subject->cpu, &spec, &subject->task, &err), &err,
                    "task");
}

MF_BENCH(cpu, stamps, .group = "scope")
{
    MF_LOOP(bench)
    {
        const uint64_t begin = mf_tsc_read();
        mf_keep(mf_tsc_read() - begin);
    }
}

static void scopes(struct mf_bench *bench, enum mf_cpu_detector detector, int64_t budget_ns)
{
    struct subject subject;
    if (begin_subject(bench, &subject, detector, budget_ns)) {
        int64_t wrong = 0;
        MF_LOOP(bench)
        {
            wrong += mf_cpu_end(mf_cpu_begin(subject.task)) < 0;
        }
        if (wrong != 0) {
            mf_bench_fail(bench, "%lld scopes ended with an error", (long long)wrong);
        }
    }
    mf_cpu_close(subject.cpu);
}

static const int64_t budgets_us[] = {100, 500, 1000, 5000};

MF_BENCH(cpu, budget, .group = "scope", .params = budgets_us, .param_count = 4, .param_name = "us",
         .ratio_to = "cpu::scope/stamps")
{
    scopes(bench, MF_CPU_DETECT_AUTO, mf_bench_param(bench) * US);
}

MF_BENCH(cpu, post_hoc, .group = "scope", .ratio_to = "cpu::scope/stamps")
{
    scopes(bench, MF_CPU_DETECT_NONE, 500 * US);
}

MF_BENCH(cpu, nested, .group = "scope", .ratio_to = "cpu::scope/stamps")
{
    struct subject subject;
    if (begin_subject(bench, &subject, MF_CPU_DETECT_AUTO, 5000 * US)) {
        MF_LOOP(bench)
        {
            const mf_cpu_scope outer = mf_cpu_begin(subject.task);
            const mf_cpu_scope inner = mf_cpu_begin(subject.task);
            mf_keep(mf_cpu_end(inner));
            mf_keep(mf_cpu_end(outer));
        }
    }
    mf_cpu_close(subject.cpu);
}

MF_BENCH(cpu, unused, .group = "scope", .ratio_to = "cpu::scope/stamps")
{
    struct mf_cpu_task *none = NULL;
    MF_LOOP(bench)
    {
        mf_keep(none);
        mf_keep(mf_cpu_end(mf_cpu_begin(none)));
    }
}

/* ---- work in scopes ---- */

/* A fixed amount, so that what is added shows. */
static inline uint64_t work(uint64_t steps)
{
    uint64_t state = 1;
    for (uint64_t i = 0; i < steps; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        mf_keep(state);
    }
    return state;
}

#define OPERATION_STEPS   600000 /* about 1 ms */
#define TRANSACTION_STEPS 1400   /* about 2.4 us */

static void work_in_scopes(struct mf_bench *bench, uint64_t steps, int64_t budget_ns)
{
    struct subject subject;
    if (begin_subject(bench, &subject, MF_CPU_DETECT_AUTO, budget_ns)) {
        MF_LOOP(bench)
        {
            const mf_cpu_scope scope = mf_cpu_begin(subject.task);
            mf_keep(work(steps));
            mf_keep(mf_cpu_end(scope));
        }
    }
    mf_cpu_close(subject.cpu);
}

MF_BENCH(cpu, alone, .group = "operation")
{
    MF_LOOP(bench)
    {
        mf_keep(work(OPERATION_STEPS));
    }
}

MF_BENCH(cpu, in_scope, .group = "operation", .ratio_to = "cpu::operation/alone")
{
    work_in_scopes(bench, OPERATION_STEPS, 100000 * US); /* the budget of seed 004 */
}

MF_BENCH(cpu, plain, .group = "transaction")
{
    MF_LOOP(bench)
    {
        mf_keep(work(TRANSACTION_STEPS));
    }
}

MF_BENCH(cpu, scoped, .group = "transaction", .params = budgets_us, .param_count = 4,
         .param_name = "us", .ratio_to = "cpu::transaction/plain")
{
    work_in_scopes(bench, TRANSACTION_STEPS, mf_bench_param(bench) * US);
}

MF_BENCH(cpu, violation)
{
    struct subject subject;
    if (begin_subject(bench, &subject, MF_CPU_DETECT_AUTO, 10 * US)) {
        struct mf_cpu_violation violation;
        uint64_t missed = 0; /* a virtual machine is sometimes charged less than it worked */
        MF_LOOP(bench)
        {
            const mf_cpu_scope scope = mf_cpu_begin(subject.task);
            mf_keep(work(20 * TRANSACTION_STEPS / 2));
            missed += mf_cpu_end(scope) != 1;
            mf_keep(mf_cpu_take(subject.cpu, &violation, NULL));
        }
        if (missed > mf_bench_iterations(bench) / 100 + 1) {
            mf_bench_fail(bench, "%llu violations were not told", (unsigned long long)missed);
        }
    }
    mf_cpu_close(subject.cpu);
}

/* ---- the sentinel ---- */

static const int64_t pasts[] = {0, 1000, 100000};

MF_BENCH(cpu, observe, .group = "sentinel", .params = pasts, .param_count = 3, .param_name = "past")
{
    static const char *const names[] = {"cpu_ms", "memory_mib"};
    struct mf_errinfo err;
    struct mf_sentinel *sentinel = NULL;
    uint32_t task = 0;
    if (bench_ok(bench, mf_sentinel_new(NULL, names, 2, NULL, &sentinel, &err), &err, "sentinel") &&
        bench_ok(bench, mf_sentinel_task_add(sentinel, "task", &task, &err), &err, "task")) {
        uint64_t i = 0;
        for (int64_t k = 0; k < mf_bench_param(bench); k++, i++) {
            (void)mf_sentinel_observe(sentinel, task, (double[]){(double)(i % 97), 10}, false,
                                      NULL);
        }
        MF_LOOP(bench)
        {
            mf_keep(mf_sentinel_observe(sentinel, task, (double[]){(double)(i++ % 97), 10}, false,
                                        NULL));
        }
    }
    mf_sentinel_free(sentinel);
}

MF_BENCH_MAIN
