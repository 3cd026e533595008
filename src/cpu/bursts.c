/* SPDX-License-Identifier: Apache-2.0
 * bursts.c -- see bursts.h. */
#include "cpu/bursts.h"

#include "cpu_private.h"

#include "base/check.h"
#include "base/fail.h"

#include <errno.h>
#include <stdio.h>

#define WORK_STEPS 200 /* of computing between two looks at the clock: well below 1 us */
#define CERTAIN_NS (4 * MF_NS_PER_US)

const char *mf_burst_word(enum mf_burst_work work)
{
    static const char *const words[] = {
#define X(name, word, text) word,
        MF_BURST_MAP(X)
#undef X
    };
    return (unsigned)work < MF_BURST_WORKS ? words[work] : "unknown";
}

static int64_t own_ns(void)
{
    int64_t ns = 0;
    MF_ASSERT(mf_cputime_of(0, &ns) == 0);
    return ns;
}

__attribute__((noinline)) void mf_burst(int64_t cpu_ns, bool calls)
{
    const int64_t until_ns = own_ns() + cpu_ns;
    volatile uint64_t state = 1;
    while (own_ns() < until_ns) { /* a system call itself */
        for (int i = 0; !calls && i < WORK_STEPS; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
        }
    }
}

struct gang {
    struct mf_cpu *cpu;
    const struct mf_burst_case *burst;
    struct mf_cpu_task *task;
    struct mf_cpu_task *around;
    struct mf_cpu_task *inside;
    struct mf_burst_result result; /* under `lock` */
    struct lateness late;
    struct mf_mutex lock;
};

/* What the callback of a task is told is about a burst of the calling thread, or, from the watcher,
 * about one of another; the threads find theirs by their ids. */
struct member {
    struct gang *gang;
    struct mf_thread thread;
    _Atomic int32_t tid;
    _Atomic int64_t late_ns; /* -1: nothing was told during the burst */
};

static struct member members[MF_BURST_THREADS_MAX];

static void violated(void *context, const struct mf_cpu_violation *violation)
{
    const struct gang *gang = context;
    for (unsigned i = 0; !violation->ended && i < gang->burst->threads; i++) {
        if (atomic_load(&members[i].tid) == violation->tid) {
            atomic_store(&members[i].late_ns, violation->late_ns);
        }
    }
}

static void work(const struct gang *gang)
{
    const struct mf_burst_case *burst = gang->burst;
    const bool calls = burst->work == MF_BURST_CALLS;
    if (burst->work == MF_BURST_SLEEPING) {
        mf_burst(burst->burst_ns / 2, false);
        const int64_t until_ns = mf_clock_monotonic_ns(NULL) + 2 * burst->budget_ns;
        while (mf_clock_sleep_until_ns(until_ns) == -EINTR) {
        }
        mf_burst(burst->burst_ns - burst->burst_ns / 2, false);
    } else if (burst->work == MF_BURST_NESTED) {
        const mf_cpu_scope inside = mf_cpu_begin(gang->inside);
        mf_burst(burst->burst_ns / 2, false);
        (void)mf_cpu_end(inside);
        mf_burst(burst->burst_ns - burst->burst_ns / 2, false);
    } else {
        mf_burst(burst->burst_ns, calls);
    }
}

static void one_burst(struct member *member)
{
    struct gang *gang = member->gang;
    const int64_t budget_ns = gang->burst->budget_ns;
    mf_cpu_scope around = 0;
    atomic_store(&member->late_ns, -1);
    const int64_t before_ns = own_ns();
    if (gang->burst->work == MF_BURST_NESTED) {
        around = mf_cpu_begin(gang->around);
    }
    const mf_cpu_scope scope = mf_cpu_begin(gang->task);
    const int64_t begun_ns = own_ns();
    work(gang);
    const int64_t done_ns = own_ns();
    const int rc = mf_cpu_end(scope);
    const int64_t after_ns = own_ns();
    (void)mf_cpu_end(around);
    const int64_t late_ns = atomic_load(&member->late_ns);

    mf_mutex_lock(&gang->lock);
    struct mf_burst_result *result = &gang->result;
    result->bursts++;
    result->errors += rc < 0;
    if (done_ns - begun_ns > budget_ns + budget_ns / 8 + CERTAIN_NS) {
        result->over++;
        result->seen_at_end += rc == 1;
        result->seen_during += late_ns >= 0;
        if (late_ns >= 0) {
            mf__lateness_add(&gang->late, late_ns);
        }
    } else if (after_ns - before_ns <= budget_ns) {
        result->within++;
        result->false_alarms += rc == 1 || late_ns >= 0;
    }
    mf_mutex_unlock(&gang->lock);
}

static void *run_member(void *context)
{
    struct member *member = context;
    const struct gang *gang = member->gang;
    atomic_store(&member->tid, mf_thread_id());
    if (gang->cpu->signal != 0) {
        mf_alarm_signal_block(gang->cpu->signal, gang->burst->work == MF_BURST_MASKED);
    }
    for (unsigned i = 0; i < gang->burst->count; i++) {
        one_burst(member);
    }
    return NULL;
}

static int add_tasks(struct gang *gang, const char *name, struct mf_errinfo *err)
{
    char full[MF_CPU_NAME_LEN];
    struct mf_cpu_task_spec spec = {
        .name = full,
        .budget = {.cpu_ns = gang->burst->budget_ns},
        .violated = violated,
        .context = gang,
    };
    snprintf(full, sizeof full, "%.20s", name);
    int rc = mf_cpu_task_add(gang->cpu, &spec, &gang->task, err);
    spec = (struct mf_cpu_task_spec){.name = full};
    snprintf(full, sizeof full, "%.20s around", name);
    rc = rc == 0 ? mf_cpu_task_add(gang->cpu, &spec, &gang->around, err) : rc;
    snprintf(full, sizeof full, "%.20s inside", name);
    return rc == 0 ? mf_cpu_task_add(gang->cpu, &spec, &gang->inside, err) : rc;
}

int mf_bursts_run(struct mf_cpu *cpu, const char *name, const struct mf_burst_case *burst,
                  struct mf_burst_result *ret_result, struct mf_errinfo *err)
{
    static struct gang gang; /* as the tasks' context it lives as long as they */
    if (burst->threads == 0 || burst->threads > MF_BURST_THREADS_MAX) {
        return mf_fail(err, -EINVAL, "%u threads; 1 to %d", burst->threads, MF_BURST_THREADS_MAX);
    }
    memset(&gang, 0, sizeof gang);
    gang.cpu = cpu;
    gang.burst = burst;
    int rc = add_tasks(&gang, name, err);
    if (rc != 0) {
        return rc;
    }
    mf_mutex_init(&gang.lock);
    unsigned started = 0;
    while (rc == 0 && started < burst->threads) {
        struct member *member = &members[started];
        member->gang = &gang;
        atomic_store(&member->tid, 0);
        rc = mf_thread_start(&member->thread, "burst", run_member, member, err);
        started += rc == 0;
    }
    for (unsigned i = 0; i < started; i++) {
        mf_thread_join(&members[i].thread);
    }
    mf_mutex_lock(&mf__cpu_lock); /* the watcher may still be telling of the last burst */
    mf_mutex_unlock(&mf__cpu_lock);
    struct mf_cpu_violation violation;
    while (mf_cpu_take(cpu, &violation, NULL) == 1) {
    }
    gang.result.late_p50_ns = mf__lateness_quantile(&gang.late, 0.5);
    gang.result.late_p99_ns = mf__lateness_quantile(&gang.late, 0.99);
    mf_mutex_fini(&gang.lock);
    if (rc == 0) {
        *ret_result = gang.result;
    }
    return rc;
}
