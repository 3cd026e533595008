/* SPDX-License-Identifier: Apache-2.0
 *
 * cpu.c -- CPU time of threads and budgets for it. The essay, and opening and closing.
 *
 * What. A scope is a stretch of work of one thread that belongs to a task; a task has a budget. At
 * the end of a scope its CPU time is compared with the budget; while it lasts, something has to
 * notice when the budget is used up. The kernel's CPU-time timers act on its tick (4 ms and
 * coarser), so neither is built on them.
 *
 * Tiers. Each has its cost and its view, and mf_cpu_status() tells which of them work:
 *   stamp    begin and end take a time stamp each. CPU time passes no faster than wall time, so a
 *            scope that was shorter than its budget cannot have used it up. The time-stamp counter
 * is used when the kernel itself keeps time by it; else the monotonic clock. exact    the thread's
 * CPU clock, a system call of 0.4 us. It is read when a scope ends that was longer than its budget,
 * and after context switches, as told below. timer    a one-shot high-resolution timer for each
 * thread, whose signal goes to that thread. It is set by the begin of a scope, but only if it is
 * not to go off sooner anyway, and left alone by the end: a thread that begins many short scopes
 * sets it once per budget. When it goes off it looks at the CPU clock: a thread that slept gets the
 * rest of its budget. perf     the same with a performance event that counts the thread's CPU time.
 * It does not wake sleepers, but needs a privilege and is later than the timer. watcher  a thread
 * of our own that looks at the others' clocks from time to time: for threads that block the signal,
 * or that could get no timer. It sees no stacks.
 *
 * CPU time at the begin. The clock is not read at each begin. A thread has a moment (stamp, CPU
 * time) that was read last, and a mark that the kernel takes away when the thread is switched out
 * or gets a signal (os/switches.h). As long as the mark is there, the thread has run ever since,
 * and its CPU time is what it was then plus what has passed: at most, because interrupts may be
 * charged elsewhere. So what a scope is said to have used is never too large, and too small by at
 * most `uncertain_ns`, the time since that moment, which is kept below 0.25 ms and below a
 * sixteenth of the budget; in practice by interrupts alone, a few microseconds. Without such marks
 * begin and end read the clock each time.
 *
 * Verdicts. End judges by the exact clock whatever could be over the budget, so no finished burst
 * is missed, however short. A windowed budget (within Y) is looked at eight times in its window,
 * and judged by moments that lie in the window for certain: of a window that is full by a margin of
 * less than an eighth nothing may be seen.
 *
 * Concurrency. A thread's state belongs to it; its signal handler interrupts it between any two
 * instructions and is as good as a part of it. A scope becomes visible to the handler and to the
 * watcher by the store of `depth` and disappears by it. The watcher reads levels between two looks
 * at their serial number. Who tells of a scope while it lasts is settled by one exchange. The
 * lists of threads and tasks are under one lock, which the fast path never takes.
 *
 * Memory. A thread costs less than 1 KiB from its first scope until it ends, plus 0.4 KiB when it
 * has had windowed budgets. What waits to be taken lies in slots that are made at the start.
 *
 * Fork. The child goes on with the thread that forked and its open scopes, which are charged anew
 * from the fork on; timers are made again when needed, the watcher too. What waited stays with the
 * parent.
 *
 * Failure. What fails while opening lowers a tier; what fails later is counted, with the name of
 * the call, and lowers the tier of that thread. A scope whose begin could not be measured says so
 * at its end, with an error: nothing that could not be measured passes as "within the budget".
 *
 * Limits. x86-64 for time stamps and marks (elsewhere the clocks are used). A budget below 0.1 ms
 * is judged at the end only. A thread that sleeps inside a scope is looked at more and more rarely,
 * down to every 10 ms, and may use up to that much beyond its budget when it wakes before it is
 * seen. Threads have at most one profile at a time. */
#include "cpu_private.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/utf8.h"

#include <errno.h>
#include <stdio.h>

#define CALIBRATION_NS  (5 * MF_NS_PER_MS)
#define SLOTS_DEFAULT   64
#define SLOTS_MAX       4096
#define HOUR_NS         (3600 * MF_NS_PER_SECOND)
#define INTERVAL_MIN_NS (100 * MF_NS_PER_US)

struct mf_cpu *_Atomic mf__cpu;
struct mf_alarm_signal mf__cpu_signal;
struct stamps mf__stamps = {.ns_per_tick = UINT64_C(1) << 32, .ticks_per_ns = 1};

static struct mf_cpu the_accounting;
static uint32_t generation;

/* ---- opening ---- */

static void set_up_stamps(struct mf_cpu *cpu)
{
    double ticks_per_ns = 1;
    double error = 0;
    int rc = mf_tsc_usable(&cpu->stamp_error);
    for (int i = 0; rc == 0 && i < 3; i++) { /* a busy machine may need several tries */
        rc = mf_tsc_calibrate(CALIBRATION_NS, &ticks_per_ns, &error, &cpu->stamp_error);
        if (rc == 0) {
            break;
        }
        rc = i < 2 ? 0 : rc;
    }
    mf__stamps.counter = rc == 0;
    mf__stamps.ticks_per_ns = rc == 0 ? ticks_per_ns : 1;
    mf__stamps.ns_per_tick = (uint64_t)(4294967296.0 / mf__stamps.ticks_per_ns);
    if (rc == 0) {
        cpu->stamp_error.msg[0] = '\0';
    }
    uint64_t quickest = 0;
    for (int i = 0; i < 32; i++) {
        int64_t cpu_ns;
        const uint64_t before = stamp_now();
        (void)mf_cputime_of(0, &cpu_ns);
        const uint64_t ticks = stamp_now() - before;
        quickest = i == 0 || ticks < quickest ? ticks : quickest;
    }
    mf__stamps.reading_ticks = 4 * quickest;
}

static void reset_counters(struct mf_cpu *cpu)
{
    cpu->order = 0;
    cpu->slot_hint = 0;
    cpu->violations = 0;
    cpu->lost = 0;
    cpu->failures = 0;
    cpu->failed_call = NULL;
    cpu->failed_code = 0;
    cpu->arms = 0;
    cpu->fires = 0;
    for (int tier = 0; tier < MF_CPU_TIERS; tier++) {
        struct lateness *late = &cpu->late[tier];
        late->count = 0;
        late->max_ns = 0;
        for (uint32_t i = 0; i < LATENESS_BUCKETS; i++) {
            late->buckets[i] = 0;
        }
    }
}

static int check_config(const struct mf_cpu_config *config, struct mf_errinfo *err)
{
    if ((unsigned)config->detector > MF_CPU_DETECT_NONE) {
        return mf_fail(err, -EINVAL, "%u is no detector", (unsigned)config->detector);
    }
    if (config->watcher_interval_ns != 0 && (config->watcher_interval_ns < INTERVAL_MIN_NS ||
                                             config->watcher_interval_ns > MF_NS_PER_SECOND)) {
        return mf_fail(err, -EINVAL, "the watcher cannot look every %lld ns; 100 us to 1 s",
                       (long long)config->watcher_interval_ns);
    }
    if (config->violations_max > SLOTS_MAX) {
        return mf_fail(err, -EINVAL, "%u violations cannot wait; at most %d",
                       config->violations_max, SLOTS_MAX);
    }
    return 0;
}

static int set_up(struct mf_cpu *cpu, const struct mf_cpu_config *config, struct mf_errinfo *err)
{
    int64_t cpu_ns;
    int rc = mf_cputime_of(0, &cpu_ns);
    if (rc != 0) {
        return mf_fail(err, MF_EUNSUPPORTED, "the CPU clock of the thread cannot be read: %s",
                       mf_strerror(rc));
    }
    rc = mf__cpu_threads_notice(err);
    if (rc != 0) {
        return rc;
    }
    cpu->slot_count = config->violations_max != 0 ? config->violations_max : SLOTS_DEFAULT;
    cpu->slots = mf_calloc(cpu->slot_count, sizeof *cpu->slots);
    if (cpu->slots == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for %u violations", cpu->slot_count);
    }
    set_up_stamps(cpu);
    cpu->switches = mf_switches_usable(&cpu->switches_error) == 0;
    cpu->signal = 0;
    if (config->detector != MF_CPU_DETECT_NONE) {
        rc = mf_alarm_signal_take(config->signal, mf__cpu_on_signal, &mf__cpu_signal,
                                  &cpu->signal_error);
        if (rc == -EINVAL) {
            *err = cpu->signal_error;
            return rc;
        }
        cpu->signal = rc == 0 ? mf__cpu_signal.number : 0;
    }
    mf__cpu_probe_alarms(cpu, config->detector);
    return 0;
}

static void tear_down(struct mf_cpu *cpu)
{
    if (cpu->signal != 0) {
        mf_alarm_signal_release(&mf__cpu_signal);
    }
    mf_free(cpu->slots);
    cpu->slots = NULL;
    cpu->slot_count = 0;
}

int mf_cpu_open(const struct mf_cpu_config *config, struct mf_cpu **ret_cpu, struct mf_errinfo *err)
{
    static const struct mf_cpu_config none;
    struct mf_errinfo unused;
    struct mf_cpu *cpu = &the_accounting;
    err = err != NULL ? err : &unused;
    config = config != NULL ? config : &none;
    int rc = check_config(config, err);
    if (rc != 0) {
        return rc;
    }
    mf_mutex_lock(&mf__cpu_lock);
    const bool free_now = cpu->generation == 0;
    if (free_now) {
        generation = generation + 1 != 0 ? generation + 1 : 1;
        cpu->generation = generation;
    }
    mf_mutex_unlock(&mf__cpu_lock);
    if (!free_now) {
        return mf_fail(err, MF_EEXISTS, "the CPU accounting of this process is open already");
    }
    cpu->threads = NULL;
    cpu->tasks = NULL;
    cpu->task_count = 0;
    cpu->thread_count = 0;
    cpu->stamp_error.msg[0] = cpu->switches_error.msg[0] = cpu->signal_error.msg[0] = '\0';
    reset_counters(cpu);
    mf_mutex_init(&cpu->take_lock);
    cpu->watcher_wanted = config->watcher;
    cpu->watcher_interval_ns =
        config->watcher_interval_ns != 0 ? config->watcher_interval_ns : MF_NS_PER_MS;
    rc = set_up(cpu, config, err);
    if (rc == 0 && config->watcher) {
        rc = mf__watcher_start(cpu, err);
    }
    if (rc != 0) {
        tear_down(cpu);
        mf_mutex_fini(&cpu->take_lock);
        cpu->generation = 0;
        return rc;
    }
    atomic_store_explicit(&mf__cpu, cpu, memory_order_release);
    *ret_cpu = cpu;
    return 0;
}

void mf_cpu_close(struct mf_cpu *cpu)
{
    if (cpu == NULL) {
        return;
    }
    mf__watcher_stop(cpu);
    mf__cpu_threads_close(cpu);
    atomic_store_explicit(&mf__cpu, NULL, memory_order_release);
    tear_down(cpu);
    while (cpu->tasks != NULL) {
        struct mf_cpu_task *task = cpu->tasks;
        cpu->tasks = task->next;
        mf_free(task);
    }
    mf_mutex_fini(&cpu->take_lock);
    mf_mutex_lock(&mf__cpu_lock);
    cpu->generation = 0;
    mf_mutex_unlock(&mf__cpu_lock);
}

/* ---- tasks ---- */

static int check_task(const struct mf_cpu_task_spec *spec, struct mf_errinfo *err)
{
    const struct mf_cpu_budget *budget = &spec->budget;
    const size_t len = spec->name != NULL ? strlen(spec->name) : 0;
    if (len == 0 || len >= MF_CPU_NAME_LEN) {
        return mf_fail(err, MF_EVALUE, "the name of a task has 1 to %d bytes", MF_CPU_NAME_LEN - 1);
    }
    size_t step = 0;
    for (size_t i = 0; i < len; i += step) {
        const uint32_t code_point = mf_utf8_get(spec->name + i, len - i, &step);
        if (code_point == MF_UTF8_INVALID || code_point < ' ' || code_point == 0x7f) {
            return mf_fail(err, MF_EVALUE,
                           "the name of a task is UTF-8 without control characters");
        }
    }
    if (budget->cpu_ns != 0 && (budget->cpu_ns < MF_NS_PER_US || budget->cpu_ns > HOUR_NS)) {
        return mf_fail(err, MF_EVALUE, "%s: a budget of %lld ns; 1 us to 1 h", spec->name,
                       (long long)budget->cpu_ns);
    }
    if (budget->window_ns != 0 && (budget->cpu_ns == 0 || budget->window_ns < budget->cpu_ns ||
                                   budget->window_ns > HOUR_NS)) {
        return mf_fail(err, MF_EVALUE,
                       "%s: a window of %lld ns; from the budget of %lld ns up to 1 h", spec->name,
                       (long long)budget->window_ns, (long long)budget->cpu_ns);
    }
    if (spec->signal < 0 || spec->signal > SIGRTMAX) {
        return mf_fail(err, MF_EVALUE, "%s: there is no signal %d", spec->name, spec->signal);
    }
    return 0;
}

static void fill_task(struct mf_cpu *cpu, const struct mf_cpu_task_spec *spec,
                      struct mf_cpu_task *task)
{
    const struct mf_cpu_budget *budget = &spec->budget;
    task->generation = cpu->generation;
    task->cpu = cpu;
    task->budget = *budget;
    task->fast_generation = mf__stamps.counter && budget->window_ns == 0 ? task->generation : 0;
    const int64_t part_ns = budget->cpu_ns / FRESH_PART;
    task->fresh_ticks = stamp_ticks(budget->cpu_ns != 0 && part_ns < FRESH_NS ? part_ns : FRESH_NS);
    task->safe_ticks = NEVER;
    task->watch_ticks = NEVER + 1;
    if (budget->cpu_ns != 0) {
        task->safe_ticks = stamp_ticks((int64_t)((double)budget->cpu_ns * (1 - CLOCK_MARGIN)));
    }
    if (cpu->kinds[0] != MF_ALARM_NONE && budget->cpu_ns >= WATCHED_BUDGET_MIN_NS) {
        task->watch_ticks = stamp_ticks(budget->cpu_ns);
    }
    memcpy(task->name, spec->name, strlen(spec->name));
    task->flag = spec->flag;
    task->signal = spec->signal;
    task->violated = spec->violated;
    task->context = spec->context;
}

int mf_cpu_task_add(struct mf_cpu *cpu, const struct mf_cpu_task_spec *spec,
                    struct mf_cpu_task **ret_task, struct mf_errinfo *err)
{
    int rc = check_task(spec, err);
    if (rc != 0) {
        return rc;
    }
    struct mf_cpu_task *task = mf_calloc(1, sizeof *task);
    if (task == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for the task %s", spec->name);
    }
    fill_task(cpu, spec, task);
    mf_mutex_lock(&mf__cpu_lock);
    for (const struct mf_cpu_task *other = cpu->tasks; rc == 0 && other != NULL;
         other = other->next) {
        rc = strcmp(other->name, task->name) == 0 ? MF_EEXISTS : 0;
    }
    if (rc != 0) {
        (void)mf_fail(err, rc, "there is a task %s already", spec->name);
    } else if (cpu->task_count == TASKS_MAX) {
        rc = mf_fail(err, MF_ELIMIT, "there are %d tasks already", TASKS_MAX);
    } else {
        task->recent = cpu->task_count++ % RECENT_TASKS;
        task->next = cpu->tasks;
        cpu->tasks = task;
    }
    mf_mutex_unlock(&mf__cpu_lock);
    if (rc != 0) {
        mf_free(task);
        return rc;
    }
    *ret_task = task;
    return 0;
}

/* ---- status ---- */

static void tell_alarm(const struct mf_cpu *cpu, enum mf_alarm_kind kind,
                       struct mf_cpu_tier_status *tier)
{
    static const char *const calls[] = {"", "a timer", "a performance event"};
    const int rc = cpu->kind_errors[kind];
    tier->active = cpu->kinds[0] == kind;
    if (tier->active) {
        return;
    }
    if (cpu->signal == 0 && cpu->signal_error.msg[0] != '\0') {
        snprintf(tier->why, sizeof tier->why, "%.119s", cpu->signal_error.msg);
    } else if (rc == 1) {
        snprintf(tier->why, sizeof tier->why, "not asked for");
    } else if (rc == 0) {
        snprintf(tier->why, sizeof tier->why, "used where the other alarm cannot be had");
    } else {
        snprintf(tier->why, sizeof tier->why, "%s cannot be had: %s", calls[kind], mf_strerror(rc));
    }
}

static void tell_tiers(const struct mf_cpu *cpu, struct mf_cpu_status *status)
{
    struct mf_cpu_tier_status *tiers = status->tiers;
    tiers[MF_CPU_STAMP].active = mf__stamps.counter;
    snprintf(tiers[MF_CPU_STAMP].why, sizeof tiers->why, "%.80s%s", cpu->stamp_error.msg,
             mf__stamps.counter ? "" : "; the monotonic clock is used");
    tiers[MF_CPU_EXACT].active = true;
    tell_alarm(cpu, MF_ALARM_TIMER, &tiers[MF_CPU_TIMER]);
    tell_alarm(cpu, MF_ALARM_PERF, &tiers[MF_CPU_PERF]);
    tiers[MF_CPU_WATCHER].active = atomic_load_explicit(&cpu->watcher_runs, memory_order_relaxed);
    if (!tiers[MF_CPU_WATCHER].active) {
        snprintf(tiers[MF_CPU_WATCHER].why, sizeof tiers->why, "%s",
                 cpu->watcher_error != 0 ? mf_strerror(cpu->watcher_error)
                 : cpu->watcher_wanted   ? "it starts again with the next scope"
                                         : "not asked for");
    }
    snprintf(tiers[MF_CPU_OUTSIDE].why, sizeof tiers->why,
             "other processes do that: mayfly cpu watch");
    for (int i = 0; i < MF_CPU_TIERS; i++) {
        tiers[i].seen = atomic_load_explicit(&cpu->late[i].count, memory_order_relaxed);
        tiers[i].late_p50_ns = mf__lateness_quantile(&cpu->late[i], 0.5);
        tiers[i].late_p99_ns = mf__lateness_quantile(&cpu->late[i], 0.99);
        tiers[i].late_max_ns = atomic_load_explicit(&cpu->late[i].max_ns, memory_order_relaxed);
    }
    status->in_burst = tiers[MF_CPU_TIMER].active     ? MF_CPU_TIMER
                       : tiers[MF_CPU_PERF].active    ? MF_CPU_PERF
                       : tiers[MF_CPU_WATCHER].active ? MF_CPU_WATCHER
                                                      : MF_CPU_EXACT;
}

void mf_cpu_status(struct mf_cpu *cpu, struct mf_cpu_status *ret_status)
{
    struct mf_cpu_status *status = ret_status;
    memset(status, 0, sizeof *status);
    mf_mutex_lock(&mf__cpu_lock);
    tell_tiers(cpu, status);
    status->threads = cpu->thread_count;
    for (const struct thread *thread = cpu->threads; thread != NULL; thread = thread->next) {
        status->threads_unwatched += mf__cpu_watched_by(cpu, thread) == MF_CPU_EXACT;
    }
    mf_mutex_unlock(&mf__cpu_lock);
    status->signal = cpu->signal;
    status->ticks_per_ns = mf__stamps.counter ? mf__stamps.ticks_per_ns : 0;
    status->switches_seen = cpu->switches;
    status->violations = atomic_load_explicit(&cpu->violations, memory_order_relaxed);
    status->lost = atomic_load_explicit(&cpu->lost, memory_order_relaxed);
    status->failures = atomic_load_explicit(&cpu->failures, memory_order_relaxed);
    status->arms = atomic_load_explicit(&cpu->arms, memory_order_relaxed);
    status->fires = atomic_load_explicit(&cpu->fires, memory_order_relaxed);
    const char *call = atomic_load_explicit(&cpu->failed_call, memory_order_relaxed);
    if (call != NULL) {
        snprintf(status->last_failure, sizeof status->last_failure, "%s: %s", call,
                 mf_strerror(atomic_load_explicit(&cpu->failed_code, memory_order_relaxed)));
    }
}
