/* SPDX-License-Identifier: Apache-2.0
 * watch.c -- the detector inside the thread: its alarm, and what it does when it goes off.
 *
 * Everything here runs in the thread that it is about, some of it inside its signal handler. The
 * handler owns what it writes: the levels are written by begin and end, which make a scope visible
 * and invisible by one store of `depth`. */
#include "cpu_private.h"

#include <errno.h>

#define ALARM_SLACK_NS  (2 * MF_NS_PER_US) /* so that the budget is used up when it goes off */
#define STEP_MIN_NS     (20 * MF_NS_PER_US)
#define RETRY_NS        MF_NS_PER_MS
#define IDLE_MIN_NS     (250 * MF_NS_PER_US)
#define IDLE_MAX_NS     (10 * MF_NS_PER_MS)
#define SAMPLING_MIN_NS (250 * MF_NS_PER_US)
#define SAMPLING_MAX_NS (10 * MF_NS_PER_MS)
#define WINDOW_STEPS    8 /* a windowed scope is looked at this often in its window */

void mf__cpu_failed(struct mf_cpu *cpu, const char *call, int code)
{
    atomic_store_explicit(&cpu->failed_code, code, memory_order_relaxed);
    atomic_store_explicit(&cpu->failed_call, call, memory_order_relaxed);
    atomic_fetch_add_explicit(&cpu->failures, 1, memory_order_relaxed);
}

static const char *const opening_call[] = {
    [MF_ALARM_NONE] = "none",
    [MF_ALARM_TIMER] = "timer_create",
    [MF_ALARM_PERF] = "perf_event_open",
};

static enum mf_cpu_tier tier_of(enum mf_alarm_kind kind)
{
    return kind == MF_ALARM_PERF ? MF_CPU_PERF : MF_CPU_TIMER;
}

/* ---- looking at the scopes ---- */

/* Samples are kept at equal steps: when there is no more room every second one goes, and the step
 * is doubled. */
static void sample(struct thread *thread, const void *context, int64_t used_ns, int64_t cpu_ns)
{
    struct mf_cpu_profile *profile = &thread->slot->profile;
    if (profile->count > 0 && cpu_ns - thread->sampled_cpu_ns < profile->interval_ns / 2) {
        return;
    }
    if (profile->count == MF_CPU_SAMPLES_MAX) {
        for (uint32_t i = 0; i < MF_CPU_SAMPLES_MAX / 2; i++) {
            profile->samples[i] = profile->samples[2 * i];
        }
        profile->count = MF_CPU_SAMPLES_MAX / 2;
        profile->interval_ns *= 2;
    }
    struct mf_cpu_sample *taken = &profile->samples[profile->count];
    taken->cpu_ns = used_ns;
    taken->depth = mf__stack_capture(thread, context, NULL, taken->stack, MF_CPU_SAMPLE_DEPTH);
    profile->count++;
    thread->sampled_cpu_ns = cpu_ns;
}

static void begin_profile(struct thread *thread, struct sighting *sighting)
{
    if (thread->slot != NULL) {
        return; /* of a scope around this one */
    }
    struct slot *slot = mf__slot_take(sighting->cpu);
    if (slot == NULL) {
        return;
    }
    int64_t step_ns = sighting->task->budget.cpu_ns / 4;
    step_ns = step_ns < SAMPLING_MIN_NS ? SAMPLING_MIN_NS : step_ns;
    slot->profile.interval_ns = step_ns > SAMPLING_MAX_NS ? SAMPLING_MAX_NS : step_ns;
    thread->slot_serial = sighting->scope;
    thread->slot = slot;
    sighting->slot = slot;
}

struct looking {
    struct mf_cpu *cpu;
    struct thread *thread;
    const void *context; /* of the signal; NULL: only to find when to look again */
    uint64_t now;
    int64_t cpu_ns;
    int64_t next_ns; /* until the next look */
};

static void sooner(struct looking *looking, int64_t delay_ns)
{
    looking->next_ns = delay_ns < looking->next_ns ? delay_ns : looking->next_ns;
}

static void see(struct looking *looking, struct level *level, int64_t used_ns, int64_t wall_ns,
                bool again)
{
    struct mf_cpu_task *task = atomic_load_explicit(&level->task, memory_order_relaxed);
    struct sighting sighting = {
        .cpu = looking->cpu,
        .thread = looking->thread,
        .task = task,
        .scope = atomic_load_explicit(&level->serial, memory_order_relaxed),
        .tier = tier_of(looking->thread->alarm.kind),
        .cpu_ns = used_ns,
        .wall_ns = wall_ns,
        .late_ns = used_ns - task->budget.cpu_ns,
        .uncertain_ns = atomic_load_explicit(&level->uncertain_ns, memory_order_relaxed),
        .context = looking->context,
    };
    sighting.first = mf__cpu_claim(level, sighting.scope, sighting.tier, sighting.late_ns) || again;
    if (sighting.first) {
        begin_profile(looking->thread, &sighting);
        mf__cpu_tell(&sighting);
    }
}

static void look_at_window(struct looking *looking, struct level *level, uint64_t serial)
{
    const struct mf_cpu_task *task = atomic_load_explicit(&level->task, memory_order_relaxed);
    const struct mf_cpu_budget *budget = &task->budget;
    struct window *window = mf__window_of(looking->thread, serial);
    int64_t left_ns = budget->window_ns;
    if (window != NULL && looking->context != NULL) {
        int64_t wall_ns;
        const int64_t used_ns =
            mf__window_add(window, budget, looking->now, looking->cpu_ns, &wall_ns);
        left_ns = budget->cpu_ns - used_ns;
        if (used_ns > window->worst_cpu_ns && used_ns > budget->cpu_ns) {
            window->worst_cpu_ns = used_ns;
            window->worst_wall_ns = wall_ns;
        }
        if (left_ns < 0 && looking->now >= window->quiet_until) {
            const bool again = window->quiet_until != 0;
            window->quiet_until = looking->now + stamp_ticks(budget->window_ns);
            see(looking, level, used_ns, wall_ns, again);
        }
    }
    const int64_t step_ns = budget->window_ns / WINDOW_STEPS;
    sooner(looking, left_ns > 0 && left_ns < step_ns ? left_ns : step_ns);
}

static void look_at(struct looking *looking, struct level *level)
{
    const struct mf_cpu_task *task = atomic_load_explicit(&level->task, memory_order_relaxed);
    const uint64_t serial = atomic_load_explicit(&level->serial, memory_order_relaxed);
    struct thread *thread = looking->thread;
    const int64_t used_ns =
        looking->cpu_ns - atomic_load_explicit(&level->cpu_ns, memory_order_relaxed);
    if (task->watch_ticks > NEVER) {
        return;
    }
    if (task->budget.window_ns != 0) {
        look_at_window(looking, level, serial);
    } else if (atomic_load_explicit(&level->told, memory_order_relaxed) != serial) {
        if (used_ns <= task->budget.cpu_ns) {
            sooner(looking, task->budget.cpu_ns - used_ns);
        } else if (looking->context != NULL) {
            const uint64_t started = atomic_load_explicit(&level->started, memory_order_relaxed);
            see(looking, level, used_ns, stamp_ns(looking->now - started), false);
        } else {
            sooner(looking, 0);
        }
    }
    if (thread->slot != NULL && thread->slot_serial == serial) {
        if (looking->context != NULL) {
            sample(thread, looking->context, used_ns, looking->cpu_ns);
        }
        sooner(looking, thread->slot->profile.interval_ns);
    }
}

/* A thread that sleeps is not woken at the rate of its budget: the delay is doubled each time that
 * it has hardly run since the last look. One that only had to let others run is no sleeper, and is
 * not woken either: it gets the signal when it goes on. */
static void spare_sleeper(struct looking *looking)
{
    struct thread *thread = looking->thread;
    const int64_t waits = mf_thread_waits();
    const int64_t passed_ns = stamp_ns(looking->now - thread->fired_at);
    const bool slept = looking->cpu_ns - thread->fired_cpu_ns < passed_ns / 8 &&
                       (waits < 0 || waits != thread->fired_waits);
    thread->fired_at = looking->now;
    thread->fired_cpu_ns = looking->cpu_ns;
    thread->fired_waits = waits;
    if (!slept) {
        thread->idle_ns = 0;
    } else {
        const int64_t first_ns = looking->next_ns > IDLE_MIN_NS ? looking->next_ns : IDLE_MIN_NS;
        thread->idle_ns = thread->idle_ns == 0 ? first_ns : 2 * thread->idle_ns;
    }
    thread->idle_ns = thread->idle_ns > IDLE_MAX_NS ? IDLE_MAX_NS : thread->idle_ns;
    if (looking->next_ns < thread->idle_ns) {
        looking->next_ns = thread->idle_ns;
    }
}

/* Returns the stamp of the next look; NEVER when there is nothing to look at. */
static uint64_t look(struct mf_cpu *cpu, struct thread *thread, const void *context)
{
    struct looking looking = {
        .cpu = cpu, .thread = thread, .context = context, .next_ns = INT64_MAX};
    const uint32_t depth = atomic_load_explicit(&thread->depth, memory_order_relaxed);
    if (depth == 0) {
        return NEVER;
    }
    const int rc = mf_cputime_of(0, &looking.cpu_ns);
    looking.now = stamp_now();
    if (rc != 0) {
        mf__cpu_failed(cpu, "clock_gettime", rc);
        return looking.now + stamp_ticks(RETRY_NS);
    }
    for (uint32_t i = 0; i < depth; i++) {
        look_at(&looking, &thread->levels[i]);
    }
    if (looking.next_ns == INT64_MAX) {
        return NEVER;
    }
    looking.next_ns = looking.next_ns < STEP_MIN_NS / 10 ? STEP_MIN_NS / 10 : looking.next_ns;
    if (context != NULL && thread->alarm.kind == MF_ALARM_TIMER) {
        spare_sleeper(&looking);
    }
    return looking.now + stamp_ticks(looking.next_ns);
}

/* ---- the alarm ---- */

/* Sets it for a stamp. The handler may run between any two steps, see that nothing is due and set
 * another time, or none; then what is due is found anew. */
static void set_alarm(struct mf_cpu *cpu, struct thread *thread, uint64_t at)
{
    for (;;) {
        const uint32_t fires = atomic_load_explicit(&thread->fires, memory_order_relaxed);
        /* Before the system call: the other way round, a handler between the two would leave the
         * alarm looking set without being so, for ever. */
        atomic_store_explicit(&thread->alarm_at, at, memory_order_relaxed);
        atomic_signal_fence(memory_order_seq_cst);
        const int rc = mf_alarm_set(&thread->alarm, stamp_ns(at - stamp_now()) + ALARM_SLACK_NS);
        if (rc != 0) {
            mf__cpu_failed(cpu, thread->alarm.kind == MF_ALARM_PERF ? "ioctl" : "timer_settime",
                           rc);
            atomic_store_explicit(&thread->broken, true, memory_order_relaxed);
            atomic_store_explicit(&thread->alarm_at, 0, memory_order_relaxed);
            return;
        }
        atomic_fetch_add_explicit(&cpu->arms, 1, memory_order_relaxed);
        atomic_signal_fence(memory_order_seq_cst);
        if (atomic_load_explicit(&thread->fires, memory_order_relaxed) == fires) {
            return;
        }
        at = look(cpu, thread, NULL);
        if (at == NEVER) {
            return; /* what is set goes off for nothing */
        }
    }
}

static bool open_alarm(struct mf_cpu *cpu, struct thread *thread)
{
    for (int i = 0; i < 2 && cpu->kinds[i] != MF_ALARM_NONE; i++) {
        const int rc = mf_alarm_open(cpu->kinds[i], cpu->signal, &thread->alarm);
        if (rc == 0) {
            atomic_store_explicit(&thread->kind, (uint8_t)cpu->kinds[i], memory_order_relaxed);
            return true;
        }
        mf__cpu_failed(cpu, opening_call[cpu->kinds[i]], rc);
    }
    return false;
}

void mf__cpu_arm(struct mf_cpu *cpu, struct thread *thread, uint64_t watch_at)
{
    if (thread->alarm.kind == MF_ALARM_NONE && !open_alarm(cpu, thread)) {
        atomic_store_explicit(&thread->broken, true, memory_order_relaxed);
        atomic_store_explicit(&thread->alarm_at, 0, memory_order_relaxed);
        return;
    }
    const bool blocked = mf_alarm_signal_blocked(cpu->signal);
    atomic_store_explicit(&thread->blocked, blocked, memory_order_relaxed);
    if (blocked) {
        atomic_store_explicit(&thread->alarm_at, 0, memory_order_relaxed);
        return;
    }
    /* Whether it sleeps is judged from here on. */
    thread->fired_at = stamp_now();
    thread->fired_cpu_ns = thread->known_cpu_ns + stamp_ns(thread->fired_at - thread->known_at);
    thread->fired_waits = mf_thread_waits();
    thread->idle_ns = 0;
    set_alarm(cpu, thread, watch_at);
}

void mf__cpu_arm_again(struct mf_cpu *cpu, struct thread *thread)
{
    const uint64_t at = look(cpu, thread, NULL);
    if (at != NEVER) {
        mf__cpu_arm(cpu, thread, at);
    }
}

void mf__cpu_on_signal(int number, siginfo_t *info, void *context)
{
    const int saved = errno;
    struct mf_cpu *cpu = atomic_load_explicit(&mf__cpu, memory_order_acquire);
    struct thread *thread = mf__cpu_self;
    if (!mf_alarm_sent(thread != NULL ? &thread->alarm : NULL, info)) {
        mf_alarm_signal_pass(&mf__cpu_signal, number, info, context);
    } else if (cpu != NULL && thread != NULL && thread->generation == cpu->generation) {
        atomic_fetch_add_explicit(&cpu->fires, 1, memory_order_relaxed);
        atomic_store_explicit(&thread->fires,
                              atomic_load_explicit(&thread->fires, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        if (!atomic_load_explicit(&thread->broken, memory_order_relaxed)) {
            atomic_store_explicit(&thread->alarm_at, NEVER, memory_order_relaxed);
            const uint64_t at = look(cpu, thread, context);
            if (at != NEVER) {
                set_alarm(cpu, thread, at);
            }
        }
    }
    errno = saved;
}

/* ---- what can be had ---- */

void mf__cpu_probe_alarms(struct mf_cpu *cpu, enum mf_cpu_detector detector)
{
    static const enum mf_alarm_kind orders[][2] = {
        [MF_CPU_DETECT_AUTO] = {MF_ALARM_TIMER, MF_ALARM_PERF},
        [MF_CPU_DETECT_TIMER] = {MF_ALARM_TIMER, MF_ALARM_NONE},
        [MF_CPU_DETECT_PERF] = {MF_ALARM_PERF, MF_ALARM_TIMER},
        [MF_CPU_DETECT_NONE] = {MF_ALARM_NONE, MF_ALARM_NONE},
    };
    int found = 0;
    cpu->kinds[0] = cpu->kinds[1] = MF_ALARM_NONE;
    cpu->kind_errors[MF_ALARM_TIMER] = cpu->kind_errors[MF_ALARM_PERF] = 1;
    for (int i = 0; i < 2; i++) {
        const enum mf_alarm_kind kind = orders[detector][i];
        struct mf_alarm alarm = {.kind = MF_ALARM_NONE};
        if (kind == MF_ALARM_NONE || cpu->signal == 0) {
            continue;
        }
        int rc = mf_alarm_open(kind, cpu->signal, &alarm);
        rc = rc == 0 ? mf_alarm_set(&alarm, MF_NS_PER_SECOND) : rc;
        mf_alarm_close(&alarm);
        cpu->kind_errors[kind] = rc;
        if (rc == 0) {
            cpu->kinds[found++] = kind;
        }
    }
}
