/* SPDX-License-Identifier: Apache-2.0
 * watcher.c -- the thread that looks at the CPU clocks of the others, for those that have the
 * detector's signal blocked or could get no alarm. It steps back where an alarm works: it looks at
 * a scope only some time after its alarm should have gone off. */
#include "cpu_private.h"

#include "base/fail.h"
#include "base/heap.h"

#define GRACE_NS       (500 * MF_NS_PER_US)
#define IDLE_INTERVALS 10 /* how much longer it sleeps when no scope is open */

struct looked {
    uint64_t serial;
    uint64_t started;
    int64_t cpu_ns;
    uint32_t uncertain_ns;
    struct mf_cpu_task *task;
};

/* What belongs together, or false. */
static bool read_level(const struct thread *thread, uint32_t at, struct looked *looked)
{
    const struct level *level = &thread->levels[at];
    looked->serial = atomic_load_explicit(&level->serial, memory_order_acquire);
    looked->started = atomic_load_explicit(&level->started, memory_order_relaxed);
    looked->cpu_ns = atomic_load_explicit(&level->cpu_ns, memory_order_relaxed);
    looked->uncertain_ns = atomic_load_explicit(&level->uncertain_ns, memory_order_relaxed);
    looked->task = atomic_load_explicit(&level->task, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    return looked->serial != 0 && looked->task != NULL &&
           looked->serial == atomic_load_explicit(&level->serial, memory_order_relaxed);
}

/* CPU time of the scope, or of its window; and how long that is. */
static int64_t used(struct thread *thread, const struct looked *looked, uint64_t now,
                    int64_t cpu_ns, int64_t *ret_wall_ns)
{
    const struct mf_cpu_budget *budget = &looked->task->budget;
    *ret_wall_ns = stamp_ns(now - looked->started);
    if (budget->window_ns == 0 || *ret_wall_ns <= budget->window_ns) {
        return cpu_ns - looked->cpu_ns;
    }
    if (thread->watcher_window == NULL) {
        thread->watcher_window = mf_calloc(1, sizeof *thread->watcher_window);
        if (thread->watcher_window == NULL) {
            return 0; /* the next look may have memory */
        }
    }
    if (thread->watcher_window->serial != looked->serial) {
        mf__window_begin(thread->watcher_window, looked->serial, now, cpu_ns);
    }
    return mf__window_add(thread->watcher_window, budget, now, cpu_ns, ret_wall_ns);
}

static void look_at(struct mf_cpu *cpu, struct thread *thread, uint32_t at)
{
    struct looked looked;
    struct level *level = &thread->levels[at];
    if (!read_level(thread, at, &looked) || looked.task->budget.cpu_ns == 0 ||
        atomic_load_explicit(&level->told, memory_order_relaxed) == looked.serial) {
        return;
    }
    uint64_t now = stamp_now();
    const bool alone = mf__cpu_watched_by(cpu, thread) == MF_CPU_WATCHER;
    int64_t wall_ns = stamp_ns(now - looked.started);
    if (wall_ns < looked.task->budget.cpu_ns + (alone ? 0 : GRACE_NS)) {
        return;
    }
    int64_t cpu_ns;
    if (mf_cputime_of(thread->tid, &cpu_ns) != 0) {
        return; /* it is about to end, and will judge its scopes itself */
    }
    /* The scope was open when the clock was read: else what it says may be of something else. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&thread->depth, memory_order_acquire) <= at ||
        atomic_load_explicit(&level->serial, memory_order_acquire) != looked.serial) {
        return;
    }
    now = stamp_now();
    struct sighting sighting = {
        .cpu = cpu,
        .thread = thread,
        .task = looked.task,
        .scope = looked.serial,
        .tier = MF_CPU_WATCHER,
        .first = true,
        .uncertain_ns = looked.uncertain_ns,
    };
    sighting.cpu_ns = used(thread, &looked, now, cpu_ns, &sighting.wall_ns);
    sighting.late_ns = sighting.cpu_ns - looked.task->budget.cpu_ns;
    if (sighting.late_ns > 0 &&
        mf__cpu_claim(level, looked.serial, MF_CPU_WATCHER, sighting.late_ns)) {
        mf__cpu_tell(&sighting);
    }
}

static bool look_at_all(struct mf_cpu *cpu)
{
    bool open = false;
    for (struct thread *thread = cpu->threads; thread != NULL; thread = thread->next) {
        const uint32_t depth = atomic_load_explicit(&thread->depth, memory_order_acquire);
        for (uint32_t i = 0; i < depth; i++) {
            look_at(cpu, thread, i);
        }
        open = open || depth > 0;
    }
    return open;
}

static void *watch(void *context)
{
    struct mf_cpu *cpu = context;
    mf_mutex_lock(&mf__cpu_lock);
    while (!cpu->watcher_stop) {
        const bool open = look_at_all(cpu);
        const int64_t pause_ns = cpu->watcher_interval_ns * (open ? 1 : IDLE_INTERVALS);
        const int64_t until_ns = mf_clock_monotonic_ns(NULL) + pause_ns;
        while (!cpu->watcher_stop &&
               mf_condition_wait_until(&cpu->watcher_wakes, &mf__cpu_lock, until_ns)) {
        }
    }
    mf_mutex_unlock(&mf__cpu_lock);
    return NULL;
}

int mf__watcher_start(struct mf_cpu *cpu, struct mf_errinfo *err)
{
    mf_condition_init(&cpu->watcher_wakes);
    cpu->watcher_stop = false;
    const int rc = mf_thread_start(&cpu->watcher, "mf-cpu-watcher", watch, cpu, err);
    atomic_store_explicit(&cpu->watcher_runs, rc == 0, memory_order_relaxed);
    if (rc != 0) {
        mf_condition_fini(&cpu->watcher_wakes);
    }
    return rc;
}

void mf__watcher_stop(struct mf_cpu *cpu)
{
    if (!atomic_load_explicit(&cpu->watcher_runs, memory_order_relaxed)) {
        return;
    }
    mf_mutex_lock(&mf__cpu_lock);
    cpu->watcher_stop = true;
    mf_condition_broadcast(&cpu->watcher_wakes);
    mf_mutex_unlock(&mf__cpu_lock);
    mf_thread_join(&cpu->watcher);
    mf_condition_fini(&cpu->watcher_wakes);
    atomic_store_explicit(&cpu->watcher_runs, false, memory_order_relaxed);
}

void mf__watcher_forget(struct mf_cpu *cpu)
{
    atomic_store_explicit(&cpu->watcher_runs, false, memory_order_relaxed);
}

void mf__watcher_restart(struct mf_cpu *cpu)
{
    mf_mutex_lock(&mf__cpu_lock);
    if (cpu->watcher_wanted && !atomic_load_explicit(&cpu->watcher_runs, memory_order_relaxed)) {
        const int rc = mf__watcher_start(cpu, NULL);
        if (rc != 0) { /* once is enough */
            cpu->watcher_wanted = false;
            cpu->watcher_error = rc;
            mf__cpu_failed(cpu, "pthread_create", rc);
        }
    }
    mf_mutex_unlock(&mf__cpu_lock);
}
