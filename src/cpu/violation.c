/* SPDX-License-Identifier: Apache-2.0
 * violation.c -- telling of violations, and where they wait until someone takes them.
 *
 * What waits lies in a fixed number of slots, made when the accounting is opened. A slot goes from
 * free to taken by one exchange, and to ready when it is filled; so a signal handler can fill one
 * without a lock, and whoever takes violations (under a lock, one at a time) sees whole ones only.
 */
#include "cpu_private.h"

#include <string.h>
#include <unistd.h>

struct slot *mf__slot_take(struct mf_cpu *cpu)
{
    const uint32_t first = atomic_fetch_add_explicit(&cpu->slot_hint, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < cpu->slot_count; i++) {
        struct slot *slot = &cpu->slots[(first + i) % cpu->slot_count];
        uint32_t expected = SLOT_FREE;
        if (atomic_compare_exchange_strong_explicit(&slot->state, &expected, SLOT_TAKEN,
                                                    memory_order_acquire, memory_order_relaxed)) {
            slot->profile.count = 0;
            slot->profile.interval_ns = 0;
            return slot;
        }
    }
    return NULL;
}

void mf__slot_release(struct slot *slot)
{
    atomic_store_explicit(&slot->state, SLOT_FREE, memory_order_release);
}

bool mf__cpu_claim(struct level *level, uint64_t serial, enum mf_cpu_tier tier, int64_t late_ns)
{
    uint64_t told = atomic_load_explicit(&level->told, memory_order_acquire);
    do { /* it changes meanwhile when the watcher tells of an earlier scope */
        if (told == serial) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&level->told, &told, serial,
                                                    memory_order_acq_rel, memory_order_acquire));
    atomic_store_explicit(&level->told_by, (uint32_t)tier, memory_order_relaxed);
    atomic_store_explicit(&level->told_late_ns, late_ns, memory_order_relaxed);
    return true;
}

static void describe(const struct sighting *s, struct mf_cpu_violation *v)
{
    const int64_t now_ns = mf_clock_wall_ns(NULL);
    memset(v, 0, sizeof *v);
    v->scope = s->scope;
    v->pid = getpid();
    v->tid = s->thread->tid;
    memcpy(v->task, s->task->name, sizeof v->task);
    (void)mf_thread_name(s->tier == MF_CPU_WATCHER && !s->ended ? v->tid : 0, v->thread);
    v->budget = s->task->budget;
    v->seen_by = s->tier;
    v->ended = s->ended;
    v->started_ns = now_ns - s->wall_ns;
    v->seen_ns = now_ns;
    v->cpu_ns = s->cpu_ns;
    v->wall_ns = s->wall_ns;
    v->excess_ns = s->cpu_ns - s->task->budget.cpu_ns;
    v->late_ns = s->late_ns;
    v->uncertain_ns = s->uncertain_ns;
    if (s->ended && s->slot != NULL) { /* the first sighting is the one that counts */
        const struct mf_cpu_violation *seen = &s->slot->violation;
        v->seen_ns = seen->seen_ns;
        v->stack_depth = seen->stack_depth;
        memcpy(v->stack, seen->stack, sizeof v->stack);
    } else if (s->context != NULL || s->frame != NULL) {
        v->stack_depth =
            mf__stack_capture(s->thread, s->context, s->frame, v->stack, MF_CPU_STACK_MAX);
    }
}

static void queue(struct mf_cpu *cpu, struct slot *slot, const struct mf_cpu_violation *violation)
{
    slot = slot != NULL ? slot : mf__slot_take(cpu);
    if (slot == NULL) {
        atomic_fetch_add_explicit(&cpu->lost, 1, memory_order_relaxed);
        return;
    }
    slot->violation = *violation;
    slot->order = atomic_fetch_add_explicit(&cpu->order, 1, memory_order_relaxed);
    atomic_store_explicit(&slot->state, SLOT_READY, memory_order_release);
}

void mf__cpu_tell(const struct sighting *s)
{
    struct mf_cpu_violation violation;
    const struct mf_cpu_task *task = s->task;
    describe(s, &violation);
    if (s->first) {
        mf__lateness_add(&s->cpu->late[s->tier], s->late_ns);
        atomic_fetch_add_explicit(&s->cpu->violations, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&s->task->violations, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&s->thread->violations, 1, memory_order_relaxed);
    }
    if (!s->ended && s->slot != NULL) {
        s->slot->violation = violation; /* for the end */
    }
    queue(s->cpu, s->ended ? s->slot : NULL, &violation);
    if (task->flag != NULL) {
        __atomic_store_n(task->flag, 1, __ATOMIC_RELEASE);
    }
    if (task->signal != 0 && s->first) {
        const int rc = mf_alarm_signal_send(s->thread->tid, task->signal);
        if (rc != 0) {
            mf__cpu_failed(s->cpu, "tgkill", rc);
        }
    }
    if (task->violated != NULL) {
        task->violated(task->context, &violation);
    }
}

int mf_cpu_take(struct mf_cpu *cpu, struct mf_cpu_violation *ret_violation,
                struct mf_cpu_profile *ret_profile)
{
    struct slot *oldest = NULL;
    mf_mutex_lock(&cpu->take_lock);
    for (uint32_t i = 0; i < cpu->slot_count; i++) {
        struct slot *slot = &cpu->slots[i];
        if (atomic_load_explicit(&slot->state, memory_order_acquire) == SLOT_READY &&
            (oldest == NULL || slot->order < oldest->order)) {
            oldest = slot;
        }
    }
    if (oldest != NULL) {
        *ret_violation = oldest->violation;
        if (ret_profile != NULL) {
            *ret_profile = oldest->profile;
        }
        mf__slot_release(oldest);
    }
    mf_mutex_unlock(&cpu->take_lock);
    return oldest != NULL;
}
