/* SPDX-License-Identifier: Apache-2.0
 * scope.c -- the begin and the end of scopes: the fast path, and the verdict. */
#include "cpu_private.h"

#include "base/heap.h"

#include <errno.h>

/* A scope is its level (4 bits) and its serial number in the thread; or, with the highest bit, the
 * error with which it could not begin. */
#define LEVEL_BITS   4
#define FAILED_SCOPE (UINT64_C(1) << 63)
#define KNOW_TRIES   8
_Static_assert(MF_CPU_DEPTH_MAX <= 1 << LEVEL_BITS, "levels fit");

static mf_cpu_scope failed_scope(int code)
{
    return FAILED_SCOPE | (uint32_t)-code;
}

int mf__cpu_refresh(struct mf_cpu *cpu, struct thread *thread)
{
    int64_t cpu_ns = 0;
    mf_switches_mark(&thread->switches);
    const uint64_t before = stamp_now();
    const int rc = mf_cputime_of(0, &cpu_ns);
    if (rc != 0) {
        mf__cpu_failed(cpu, "clock_gettime", rc);
        return rc;
    }
    thread->known_at = before;
    thread->known_cpu_ns = cpu_ns;
    /* Where the signal was blocked, it may not be any more. */
    if (UNLIKELY(atomic_load_explicit(&thread->alarm_at, memory_order_relaxed) == 0) &&
        !atomic_load_explicit(&thread->broken, memory_order_relaxed)) {
        atomic_store_explicit(&thread->alarm_at, NEVER, memory_order_relaxed);
    }
    return 0;
}

/* ---- begin ---- */

/* The alarm does not look for the window before the scope is there. */
static int begin_window(struct thread *thread, uint64_t serial, uint64_t now, int64_t cpu_ns)
{
    struct window *window = mf__window_of(thread, 0); /* one that is not in use */
    if (window == NULL) {
        window = mf_calloc(1, sizeof *window);
        if (window == NULL) {
            return -ENOMEM;
        }
        window->next = thread->windows;
        atomic_signal_fence(memory_order_seq_cst);
        thread->windows = window;
    }
    mf__window_begin(window, serial, now, cpu_ns);
    return 0;
}

static __attribute__((noinline)) mf_cpu_scope arm(struct mf_cpu_task *task, struct thread *thread,
                                                  uint64_t watch_at, mf_cpu_scope scope)
{
    mf__cpu_arm(task->cpu, thread, watch_at);
    return scope;
}

/* In a thread whose CPU time is known, at a depth that is free. */
static inline mf_cpu_scope begin(struct mf_cpu_task *task, struct thread *thread, uint32_t depth,
                                 uint64_t serial, uint64_t now)
{
    struct level *level = &thread->levels[depth];
    const int64_t since_ns = stamp_ns_positive(now - thread->known_at);
    atomic_store_explicit(&thread->serial, serial, memory_order_relaxed);
    atomic_store_explicit(&level->serial, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&level->started, now, memory_order_relaxed);
    atomic_store_explicit(&level->cpu_ns, thread->known_cpu_ns + since_ns, memory_order_relaxed);
    atomic_store_explicit(&level->task, task, memory_order_relaxed);
    atomic_store_explicit(&level->uncertain_ns, (uint32_t)since_ns, memory_order_relaxed);
    atomic_store_explicit(&level->serial, serial, memory_order_release);
    atomic_store_explicit(&thread->depth, depth + 1, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst); /* from here on the alarm sees it */
    const uint64_t watch_at = now + task->watch_ticks;
    const mf_cpu_scope scope = serial << LEVEL_BITS | depth;
    if (UNLIKELY(watch_at < atomic_load_explicit(&thread->alarm_at, memory_order_relaxed))) {
        return arm(task, thread, watch_at, scope);
    }
    return scope;
}

/* Reads the CPU clock and then a stamp, with nothing between the two, neither a switch nor an
 * interrupt: what passes there would be taken for CPU time that was used before. */
static int know(struct mf_cpu *cpu, struct thread *thread, uint64_t *ret_now)
{
    for (int i = 0; i < KNOW_TRIES; i++) {
        const int rc = mf__cpu_refresh(cpu, thread);
        if (rc != 0) {
            return rc;
        }
        *ret_now = stamp_now();
        if (*ret_now - thread->known_at <= mf__stamps.reading_ticks) {
            break; /* or else uncertain_ns tells it */
        }
    }
    return 0;
}

/* With everything that is not needed each time. */
static __attribute__((noinline)) mf_cpu_scope begin_slowly(struct mf_cpu_task *task)
{
    struct mf_cpu *cpu = task->cpu;
    struct thread *thread = mf__cpu_self;
    if (thread == NULL || thread->generation != task->generation) {
        thread = mf__cpu_thread_get(cpu);
        if (thread == NULL) {
            return failed_scope(-ENOMEM);
        }
    }
    if (cpu->watcher_wanted && !atomic_load_explicit(&cpu->watcher_runs, memory_order_relaxed)) {
        mf__watcher_restart(cpu);
    }
    const uint32_t depth = atomic_load_explicit(&thread->depth, memory_order_relaxed);
    if (depth == MF_CPU_DEPTH_MAX) {
        return failed_scope(MF_ELIMIT);
    }
    uint64_t now = stamp_now();
    if (!mf_switches_none(&thread->switches) || now - thread->known_at > task->fresh_ticks) {
        const int rc = know(cpu, thread, &now);
        if (rc != 0) {
            return failed_scope(rc);
        }
    }
    const uint64_t serial = atomic_load_explicit(&thread->serial, memory_order_relaxed) + 1;
    if (task->budget.window_ns != 0 &&
        begin_window(thread, serial, now,
                     thread->known_cpu_ns + stamp_ns_positive(now - thread->known_at)) != 0) {
        return failed_scope(-ENOMEM);
    }
    return begin(task, thread, depth, serial, now);
}

mf_cpu_scope mf_cpu_begin(struct mf_cpu_task *task)
{
    if (task == NULL) {
        return 0;
    }
    struct thread *thread = mf__cpu_self;
    if (UNLIKELY(thread == NULL || thread->generation != task->fast_generation)) {
        return begin_slowly(task);
    }
    const uint64_t now = mf_tsc_read();
    const uint32_t depth = atomic_load_explicit(&thread->depth, memory_order_relaxed);
    if (UNLIKELY(!mf_switches_none(&thread->switches) || depth == MF_CPU_DEPTH_MAX ||
                 now - thread->known_at > task->fresh_ticks)) {
        return begin_slowly(task);
    }
    return begin(task, thread, depth,
                 atomic_load_explicit(&thread->serial, memory_order_relaxed) + 1, now);
}

/* ---- end ---- */

static __attribute__((noinline)) void count_longest(struct mf_cpu_task *task, int64_t cpu_ns)
{
    int64_t max_ns = atomic_load_explicit(&task->cpu_max_ns, memory_order_relaxed);
    while (cpu_ns > max_ns &&
           !atomic_compare_exchange_weak_explicit(&task->cpu_max_ns, &max_ns, cpu_ns,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* Only this thread writes them, so that an addition need not be one operation. */
static inline void add(_Atomic int64_t *to, int64_t amount)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

static inline void count_in(struct recent *recent, int64_t cpu_ns)
{
    atomic_store_explicit(&recent->scopes,
                          atomic_load_explicit(&recent->scopes, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    add(&recent->cpu_ns, cpu_ns);
}

static void count(struct thread *thread, struct mf_cpu_task *task, int64_t cpu_ns, int64_t wall_ns)
{
    struct recent *recent = &thread->recent[task->recent];
    if (atomic_load_explicit(&recent->task, memory_order_relaxed) != task) {
        mf__cpu_hand_over(thread, task);
    }
    count_in(recent, cpu_ns);
    add(&recent->off_ns, wall_ns - cpu_ns);
    count_longest(task, cpu_ns);
}

/* What a scope has used, as far as it is known. */
struct use {
    uint64_t serial;
    uint64_t now;
    int64_t cpu_ns;  /* of the thread, now */
    int64_t used_ns; /* of the scope */
    int64_t wall_ns;
};

static void tell_end(struct mf_cpu_task *task, struct thread *thread, struct level *level,
                     const struct use *use, const void *frame)
{
    struct sighting sighting = {
        .cpu = task->cpu,
        .thread = thread,
        .task = task,
        .scope = use->serial,
        .ended = true,
        .cpu_ns = use->used_ns,
        .wall_ns = use->wall_ns,
        .uncertain_ns = atomic_load_explicit(&level->uncertain_ns, memory_order_relaxed),
        .frame = frame,
    };
    const struct window *window = mf__window_of(thread, use->serial);
    if (window != NULL && window->worst_cpu_ns > 0) {
        sighting.cpu_ns = window->worst_cpu_ns;
        sighting.wall_ns = window->worst_wall_ns;
    }
    sighting.tier = MF_CPU_EXACT;
    sighting.late_ns = sighting.cpu_ns - task->budget.cpu_ns;
    sighting.first = mf__cpu_claim(level, use->serial, sighting.tier, sighting.late_ns);
    if (!sighting.first) {
        sighting.tier = atomic_load_explicit(&level->told_by, memory_order_relaxed);
        sighting.late_ns = atomic_load_explicit(&level->told_late_ns, memory_order_relaxed);
    }
    if (thread->slot != NULL && thread->slot_serial == use->serial) {
        sighting.slot = thread->slot;
        thread->slot = NULL;
    }
    mf__cpu_tell(&sighting);
}

/* Judges a scope that is not watched any more by the exact CPU time; counts it. */
static __attribute__((noinline)) int end_slowly(struct thread *thread, struct level *level,
                                                const void *frame)
{
    struct mf_cpu_task *task = atomic_load_explicit(&level->task, memory_order_relaxed);
    struct use use = {.serial = atomic_load_explicit(&level->serial, memory_order_relaxed)};
    int rc = mf__cpu_refresh(task->cpu, thread);
    use.now = stamp_now();
    use.wall_ns = stamp_ns(use.now - atomic_load_explicit(&level->started, memory_order_relaxed));
    struct window *window = task->budget.window_ns != 0 ? mf__window_of(thread, use.serial) : NULL;
    if (rc == 0) {
        use.cpu_ns = thread->known_cpu_ns;
        use.used_ns = use.cpu_ns - atomic_load_explicit(&level->cpu_ns, memory_order_relaxed);
        use.used_ns = use.used_ns < 0 ? 0 : use.used_ns;
        count(thread, task, use.used_ns, use.wall_ns);
        int64_t most_ns = use.used_ns;
        if (window != NULL) {
            int64_t wall_ns;
            most_ns = mf__window_add(window, &task->budget, use.now, use.cpu_ns, &wall_ns);
            if (most_ns > window->worst_cpu_ns) {
                window->worst_cpu_ns = most_ns;
                window->worst_wall_ns = wall_ns;
            }
            most_ns = window->worst_cpu_ns;
        }
        if (task->budget.cpu_ns != 0 && most_ns > task->budget.cpu_ns) {
            tell_end(task, thread, level, &use, frame);
            rc = 1;
        }
    }
    if (window != NULL) {
        window->serial = 0;
    }
    if (thread->slot != NULL && thread->slot_serial == use.serial) {
        mf__slot_release(thread->slot);
        thread->slot = NULL;
    }
    return rc;
}

void mf__cpu_unwind(struct thread *thread, uint32_t depth)
{
    for (uint32_t i = atomic_load_explicit(&thread->depth, memory_order_relaxed); i-- > depth;) {
        atomic_store_explicit(&thread->depth, i, memory_order_release);
        atomic_signal_fence(memory_order_seq_cst);
        (void)end_slowly(thread, &thread->levels[i], NULL);
    }
}

static __attribute__((noinline)) int end_outer(struct thread *thread, uint32_t at,
                                               const void *frame)
{
    mf__cpu_unwind(thread, at + 1);
    atomic_store_explicit(&thread->depth, at, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
    return end_slowly(thread, &thread->levels[at], frame);
}

int mf_cpu_end(mf_cpu_scope scope)
{
    const uint32_t at = scope & ((1u << LEVEL_BITS) - 1);
    const uint64_t serial = scope >> LEVEL_BITS;
    struct thread *thread = mf__cpu_self;
    if (UNLIKELY(scope == 0 || (scope & FAILED_SCOPE) != 0)) {
        return -(int)(uint32_t)scope;
    }
    if (UNLIKELY(thread == NULL)) {
        return MF_ESTALE;
    }
    struct level *level = &thread->levels[at];
    const uint32_t depth = atomic_load_explicit(&thread->depth, memory_order_relaxed);
    if (UNLIKELY(at >= depth ||
                 atomic_load_explicit(&level->serial, memory_order_relaxed) != serial)) {
        return MF_ESTALE;
    }
    if (UNLIKELY(depth != at + 1)) {
        return end_outer(thread, at, __builtin_frame_address(0));
    }
    atomic_store_explicit(&thread->depth, at, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst); /* from here on the alarm does not see it */

    /* CPU time never passes faster than wall time; without a switch, as fast. */
    struct mf_cpu_task *task = atomic_load_explicit(&level->task, memory_order_relaxed);
    struct recent *recent = &thread->recent[task->recent];
    const uint64_t started = atomic_load_explicit(&level->started, memory_order_relaxed);
    const uint64_t ticks = mf_tsc_read() - started;
    if (LIKELY(ticks < task->safe_ticks && mf_switches_none(&thread->switches) &&
               thread->known_at <= started && thread->generation == task->fast_generation &&
               atomic_load_explicit(&recent->task, memory_order_relaxed) == task)) {
        const int64_t used_ns = stamp_ns_positive(ticks);
        count_in(recent, used_ns);
        if (UNLIKELY(used_ns > atomic_load_explicit(&task->cpu_max_ns, memory_order_relaxed))) {
            count_longest(task, used_ns);
        }
        return 0;
    }
    return end_slowly(thread, level, __builtin_frame_address(0));
}

bool mf_cpu_exceeded(void)
{
    const struct thread *thread = mf__cpu_self;
    if (thread == NULL) {
        return false;
    }
    const uint32_t depth = atomic_load_explicit(&thread->depth, memory_order_relaxed);
    for (uint32_t i = 0; i < depth; i++) {
        const struct level *level = &thread->levels[i];
        if (atomic_load_explicit(&level->told, memory_order_relaxed) ==
            atomic_load_explicit(&level->serial, memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}
