/* SPDX-License-Identifier: Apache-2.0
 * threads.c -- the threads that have begun scopes: from their first one until they end. */
#include "cpu_private.h"

#include "base/fail.h"
#include "base/heap.h"

_Thread_local struct thread *mf__cpu_self __attribute__((tls_model("initial-exec")));
struct mf_mutex mf__cpu_lock = {PTHREAD_MUTEX_INITIALIZER};

static struct mf_thread_local ending;
static bool noticing;

static void link_thread(struct mf_cpu *cpu, struct thread *thread)
{
    thread->previous = NULL;
    thread->next = cpu->threads;
    if (cpu->threads != NULL) {
        cpu->threads->previous = thread;
    }
    cpu->threads = thread;
}

static void unlink_thread(struct mf_cpu *cpu, struct thread *thread)
{
    if (thread->next != NULL) {
        thread->next->previous = thread->previous;
    }
    if (thread->previous != NULL) {
        thread->previous->next = thread->next;
    } else {
        cpu->threads = thread->next;
    }
}

static void free_windows(struct thread *thread)
{
    while (thread->windows != NULL) {
        struct window *window = thread->windows;
        thread->windows = window->next;
        mf_free(window);
    }
    mf_free(thread->watcher_window);
    thread->watcher_window = NULL;
}

/* ---- totals ---- */

static void give(struct mf_cpu_task *task, uint64_t scopes, int64_t cpu_ns, int64_t off_ns)
{
    atomic_fetch_add_explicit(&task->scopes, scopes, memory_order_relaxed);
    atomic_fetch_add_explicit(&task->cpu_ns, cpu_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&task->wall_ns, cpu_ns + off_ns, memory_order_relaxed);
}

/* Empties a recent total, and makes it `task`'s (or nobody's, with NULL). */
static void replace(struct thread *thread, struct recent *recent, struct mf_cpu_task *task)
{
    struct mf_cpu_task *before = atomic_load_explicit(&recent->task, memory_order_relaxed);
    const uint64_t scopes = atomic_load_explicit(&recent->scopes, memory_order_relaxed);
    const int64_t cpu_ns = atomic_load_explicit(&recent->cpu_ns, memory_order_relaxed);
    const int64_t off_ns = atomic_load_explicit(&recent->off_ns, memory_order_relaxed);
    const uint32_t seq = atomic_load_explicit(&thread->recent_seq, memory_order_relaxed);
    atomic_store_explicit(&thread->recent_seq, seq + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&recent->task, task, memory_order_relaxed);
    atomic_store_explicit(&recent->scopes, 0, memory_order_relaxed);
    atomic_store_explicit(&recent->cpu_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&recent->off_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&thread->recent_seq, seq + 2, memory_order_release);
    if (before != NULL) {
        give(before, scopes, cpu_ns, off_ns);
    }
}

void mf__cpu_hand_over(struct thread *thread, struct mf_cpu_task *task)
{
    replace(thread, &thread->recent[task->recent], task);
}

static void hand_over_all(struct thread *thread)
{
    for (int i = 0; i < RECENT_TASKS; i++) {
        replace(thread, &thread->recent[i], NULL);
    }
}

/* What a thread has not handed over yet; nothing while it does just that. */
static void add_recent(struct thread *thread, const struct mf_cpu_task *task,
                       struct mf_cpu_task_totals *totals)
{
    struct recent *recent = &thread->recent[task->recent];
    for (int tries = 0; tries < 1000; tries++) {
        const uint32_t seq = atomic_load_explicit(&thread->recent_seq, memory_order_acquire);
        const struct mf_cpu_task *whose = atomic_load_explicit(&recent->task, memory_order_relaxed);
        const uint64_t scopes = atomic_load_explicit(&recent->scopes, memory_order_relaxed);
        const int64_t cpu_ns = atomic_load_explicit(&recent->cpu_ns, memory_order_relaxed);
        const int64_t off_ns = atomic_load_explicit(&recent->off_ns, memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        if (seq % 2 == 0 &&
            seq == atomic_load_explicit(&thread->recent_seq, memory_order_relaxed)) {
            if (whose == task) {
                totals->scopes += scopes;
                totals->cpu_ns += cpu_ns;
                totals->wall_ns += cpu_ns + off_ns;
            }
            return;
        }
        mf_thread_yield();
    }
}

void mf_cpu_task_totals(struct mf_cpu_task *task, struct mf_cpu_task_totals *ret_totals)
{
    struct mf_cpu_task_totals totals;
    mf_mutex_lock(&mf__cpu_lock);
    totals.scopes = atomic_load_explicit(&task->scopes, memory_order_relaxed);
    totals.violations = atomic_load_explicit(&task->violations, memory_order_relaxed);
    totals.cpu_ns = atomic_load_explicit(&task->cpu_ns, memory_order_relaxed);
    totals.wall_ns = atomic_load_explicit(&task->wall_ns, memory_order_relaxed);
    totals.cpu_max_ns = atomic_load_explicit(&task->cpu_max_ns, memory_order_relaxed);
    for (struct thread *thread = task->cpu->threads; thread != NULL; thread = thread->next) {
        add_recent(thread, task, &totals);
    }
    mf_mutex_unlock(&mf__cpu_lock);
    *ret_totals = totals;
}

/* ---- begin and end of threads ---- */

struct thread *mf__cpu_thread_get(struct mf_cpu *cpu)
{
    struct thread *thread = mf__cpu_self;
    if (thread != NULL && thread->generation == cpu->generation) {
        return thread;
    }
    if (thread == NULL) {
        thread = mf_calloc(1, sizeof *thread);
        if (thread == NULL || mf_thread_local_set(&ending, thread) != 0) {
            mf_free(thread);
            return NULL;
        }
    } else { /* of an accounting that was closed */
        free_windows(thread);
        memset(thread, 0, sizeof *thread);
    }
    thread->generation = cpu->generation;
    thread->tid = mf_thread_id();
    mf_alarm_forget(&thread->alarm);
    atomic_store_explicit(&thread->alarm_at, NEVER, memory_order_relaxed);
    mf_switches_init(&thread->switches, cpu->switches);
    if (mf_thread_stack(&thread->stack_low, &thread->stack_high) != 0) {
        thread->stack_low = thread->stack_high = 0; /* no stacks, then */
    }
    mf_mutex_lock(&mf__cpu_lock);
    link_thread(cpu, thread);
    cpu->thread_count++;
    mf_mutex_unlock(&mf__cpu_lock);
    mf__cpu_self = thread;
    return thread;
}

/* Called by the C library when a thread ends that has had scopes. */
static void thread_ends(void *value)
{
    struct thread *thread = value;
    struct mf_cpu *cpu = atomic_load_explicit(&mf__cpu, memory_order_acquire);
    if (cpu != NULL && thread->generation == cpu->generation) {
        mf__cpu_unwind(thread, 0);
    }
    mf_mutex_lock(&mf__cpu_lock);
    cpu = atomic_load_explicit(&mf__cpu, memory_order_acquire);
    if (cpu != NULL && thread->generation == cpu->generation) {
        unlink_thread(cpu, thread);
        hand_over_all(thread);
        mf_alarm_close(&thread->alarm);
    }
    mf_mutex_unlock(&mf__cpu_lock);
    mf__cpu_self = NULL; /* a signal that is still on its way finds nothing */
    atomic_signal_fence(memory_order_seq_cst);
    free_windows(thread);
    mf_free(thread);
}

void mf__cpu_threads_close(struct mf_cpu *cpu)
{
    mf_mutex_lock(&mf__cpu_lock);
    while (cpu->threads != NULL) {
        struct thread *thread = cpu->threads;
        unlink_thread(cpu, thread);
        hand_over_all(thread);
        mf_alarm_close(&thread->alarm);
        atomic_store_explicit(&thread->depth, 0, memory_order_release);
        /* The rest is freed when the thread ends. */
    }
    mf_mutex_unlock(&mf__cpu_lock);
}

/* ---- forks ---- */

static void before_fork(void)
{
    mf_mutex_lock(&mf__cpu_lock);
    struct mf_cpu *cpu = atomic_load_explicit(&mf__cpu, memory_order_relaxed);
    if (cpu != NULL) {
        mf_mutex_lock(&cpu->take_lock);
    }
}

static void after_fork(void)
{
    struct mf_cpu *cpu = atomic_load_explicit(&mf__cpu, memory_order_relaxed);
    if (cpu != NULL) {
        mf_mutex_unlock(&cpu->take_lock);
    }
    mf_mutex_unlock(&mf__cpu_lock);
}

/* The alarm of the parent's thread is not the child's, and the child's CPU clock begins at 0. */
static void restart_thread(struct mf_cpu *cpu, struct thread *thread)
{
    thread->tid = mf_thread_id();
    thread->slot = NULL;
    atomic_store_explicit(&thread->broken, false, memory_order_relaxed);
    atomic_store_explicit(&thread->blocked, false, memory_order_relaxed);
    atomic_store_explicit(&thread->kind, MF_ALARM_NONE, memory_order_relaxed);
    mf_alarm_abandon(&thread->alarm);
    atomic_store_explicit(&thread->alarm_at, NEVER, memory_order_relaxed);
    mf_switches_init(&thread->switches, cpu->switches);
    if (mf__cpu_refresh(cpu, thread) != 0) {
        thread->known_cpu_ns = 0;
    }
    for (uint32_t i = 0; i < atomic_load_explicit(&thread->depth, memory_order_relaxed); i++) {
        struct level *level = &thread->levels[i];
        atomic_store_explicit(&level->cpu_ns, thread->known_cpu_ns, memory_order_relaxed);
    }
    for (struct window *window = thread->windows; window != NULL; window = window->next) {
        if (window->serial != 0) {
            mf__window_begin(window, window->serial, thread->known_at, thread->known_cpu_ns);
        }
    }
    mf__cpu_arm_again(cpu, thread);
}

static void after_fork_in_child(void)
{
    struct mf_cpu *cpu = atomic_load_explicit(&mf__cpu, memory_order_relaxed);
    if (cpu != NULL) {
        while (cpu->threads != NULL) {
            struct thread *thread = cpu->threads;
            unlink_thread(cpu, thread);
            if (thread != mf__cpu_self) {
                mf_alarm_abandon(&thread->alarm);
                free_windows(thread);
                mf_free(thread);
            }
        }
        for (uint32_t i = 0; i < cpu->slot_count; i++) {
            mf__slot_release(&cpu->slots[i]); /* the parent tells of them */
        }
        if (mf__cpu_self != NULL && mf__cpu_self->generation == cpu->generation) {
            restart_thread(cpu, mf__cpu_self);
            link_thread(cpu, mf__cpu_self);
        }
        mf__watcher_forget(cpu);
    }
    after_fork();
}

int mf__cpu_threads_notice(struct mf_errinfo *err)
{
    int rc = 0;
    mf_mutex_lock(&mf__cpu_lock);
    if (!noticing) {
        rc = mf_thread_local_open(&ending, thread_ends);
        if (rc == 0) {
            rc = mf_thread_at_fork(before_fork, after_fork, after_fork_in_child);
            if (rc != 0) {
                mf_thread_local_close(&ending);
            }
        }
        noticing = rc == 0;
    }
    mf_mutex_unlock(&mf__cpu_lock);
    return rc == 0 ? 0 : mf_fail_os(err, rc, "cannot notice when threads end");
}

/* ---- what there is ---- */

enum mf_cpu_tier mf__cpu_watched_by(const struct mf_cpu *cpu, const struct thread *thread)
{
    if (!atomic_load_explicit(&thread->blocked, memory_order_relaxed) &&
        !atomic_load_explicit(&thread->broken, memory_order_relaxed) &&
        cpu->kinds[0] != MF_ALARM_NONE) {
        const uint8_t kind = atomic_load_explicit(&thread->kind, memory_order_relaxed);
        return (kind != MF_ALARM_NONE ? kind : cpu->kinds[0]) == MF_ALARM_PERF ? MF_CPU_PERF
                                                                               : MF_CPU_TIMER;
    }
    return atomic_load_explicit(&cpu->watcher_runs, memory_order_relaxed) ? MF_CPU_WATCHER
                                                                          : MF_CPU_EXACT;
}

size_t mf_cpu_threads(struct mf_cpu *cpu, struct mf_cpu_thread *ret_threads, size_t capacity)
{
    size_t count = 0;
    mf_mutex_lock(&mf__cpu_lock);
    for (struct thread *thread = cpu->threads; thread != NULL; thread = thread->next) {
        if (count < capacity) {
            struct mf_cpu_thread *out = &ret_threads[count];
            *out = (struct mf_cpu_thread){
                .tid = thread->tid,
                .cpu_ns = -1,
                .scopes = atomic_load_explicit(&thread->serial, memory_order_relaxed),
                .open = atomic_load_explicit(&thread->depth, memory_order_relaxed),
                .violations = atomic_load_explicit(&thread->violations, memory_order_relaxed),
                .watched_by = mf__cpu_watched_by(cpu, thread),
            };
            (void)mf_cputime_of(out->tid, &out->cpu_ns); /* it stays -1 */
            (void)mf_thread_name(out->tid, out->name);
        }
        count++;
    }
    mf_mutex_unlock(&mf__cpu_lock);
    return count;
}
