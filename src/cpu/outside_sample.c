/* SPDX-License-Identifier: Apache-2.0
 * outside_sample.c -- reading: what a sample looks at, and what a check between two samples. The
 * reasons are in outside.c. */
#include "outside_private.h"

#include "base/heap.h"
#include "os/clock.h"

#include <errno.h>
#include <string.h>

#define SLOW_NS          (1 * MF_NS_PER_SECOND) /* switches and names */
#define YOUNG_NS         (300 * MF_NS_PER_MS)   /* threads get their names when they have begun */
#define PASSES_TO_WAIT   2
#define IMPOSSIBLE_NS    (20 * MF_NS_PER_MS)
#define DESCRIPTOR_SHARE 4

static int64_t now_ns(void)
{
    return mf_clock_monotonic_ns(NULL);
}

static uint64_t less(uint64_t whole, uint64_t part)
{
    return whole > part ? whole - part : 0;
}

/* ---- counting -----------------------------------------------------------------------------------
 */

static void add(struct mf_watch_figures *sum, const struct mf_watch_figures *more)
{
    sum->cpu_ns += more->cpu_ns;
    sum->wait_ns += more->wait_ns;
    sum->slices += more->slices;
    sum->switches_voluntary += more->switches_voluntary;
    sum->switches_involuntary += more->switches_involuntary;
}

static void add_everywhere(struct mf_watch *watch, struct watch_thread *thread,
                           const struct mf_watch_figures *more)
{
    add(&thread->figures, more);
    add(&thread->name->figures, more);
    add(&watch->totals.figures, more);
}

void mf__watch_count(struct mf_watch *watch, struct watch_thread *thread, uint64_t cpu_ns,
                     int64_t earliest_ns)
{
    const struct mf_watch_figures more = {.cpu_ns = cpu_ns};
    if (cpu_ns == 0) {
        return;
    }
    const int64_t still_ns = thread->process->full_at_ns;
    thread->process->attributed_ns += cpu_ns;
    add_everywhere(watch, thread, &more);
    mf__watch_count_group(watch, thread, cpu_ns, still_ns > earliest_ns ? still_ns : earliest_ns);
}

void mf__watch_count_process(struct mf_watch *watch, uint64_t cpu_ns, int64_t earliest_ns)
{
    if (cpu_ns > 0) {
        mf__watch_count_group(watch, NULL, cpu_ns, earliest_ns);
    }
}

/* ---- one thread ---------------------------------------------------------------------------------
 */

static bool open_thread(struct mf_watch *watch, struct watch_thread *thread)
{
    if (thread->opened) {
        return true;
    }
    thread->opened = true;
    if (watch->by_ticks || watch->held * DESCRIPTOR_SHARE >= watch->spec.descriptors_max) {
        watch->opened_anew++;
        return true;
    }
    const int descriptor = mf_proc_thread_open(thread->process->handle, thread->tid);
    if (descriptor >= 0) {
        thread->descriptor = descriptor;
        thread->held = true;
        watch->held++;
        return true;
    }
    const bool none_left = descriptor == -EMFILE || descriptor == -ENFILE;
    watch->opened_anew += none_left;
    return none_left;
}

static int read_counters(struct mf_watch *watch, struct watch_thread *thread,
                         struct mf_proc_schedstat *ret_schedstat)
{
    struct mf_proc *proc = thread->process->handle;
    if (!watch->by_ticks) {
        return mf_proc_thread_read_schedstat(proc, thread->tid, thread->descriptor, ret_schedstat);
    }
    struct mf_proc_stat stat;
    const int ret = mf_proc_thread_read_stat(proc, thread->tid, &stat);
    if (ret == 0) {
        *ret_schedstat =
            (struct mf_proc_schedstat){.run_ns = stat.cpu_user_ns + stat.cpu_system_ns};
    }
    return ret;
}

/* Another task stands where this one stood: the counter says nothing of what was used meanwhile. */
static bool is_another(const struct watch_thread *thread, const struct mf_proc_schedstat *now,
                       int64_t until_ns)
{
    const int64_t wall_ns = until_ns - thread->seen_ns;
    return now->run_ns < thread->run_ns ||
           (thread->run_ns > 0 &&
            now->run_ns - thread->run_ns > (uint64_t)(wall_ns + IMPOSSIBLE_NS));
}

static void take_counters(struct mf_watch *watch, struct watch_thread *thread,
                          const struct mf_proc_schedstat *now, int64_t until_ns)
{
    if (thread->rebase || is_another(thread, now, until_ns)) {
        thread->rebase = false;
        thread->base_ns = now->run_ns - thread->figures.cpu_ns;
        thread->wait_base_ns = now->wait_ns - thread->figures.wait_ns;
        thread->slices_base = now->slices - thread->figures.slices;
        thread->stale_name = true;
    }
    const struct mf_watch_figures *known = &thread->figures;
    const struct mf_watch_figures more = {
        .wait_ns = less(now->wait_ns - thread->wait_base_ns, known->wait_ns),
        .slices = less(now->slices - thread->slices_base, known->slices),
    };
    const uint64_t cpu_ns = less(now->run_ns - thread->base_ns, known->cpu_ns);
    thread->run_ns = now->run_ns;
    add_everywhere(watch, thread, &more);
    mf__watch_count(watch, thread, cpu_ns, thread->seen_ns);
}

/* Switches, and the name in passing. */
static void read_status(struct mf_watch *watch, struct watch_thread *thread)
{
    struct mf_proc_status status;
    if (mf_proc_thread_read_status(thread->process->handle, thread->tid, &status) < 0) {
        return;
    }
    const bool first = thread->status_run_ns == UINT64_MAX;
    if (first && thread->rebase) {
        thread->voluntary_base = status.switches_voluntary;
        thread->involuntary_base = status.switches_involuntary;
    }
    const struct mf_watch_figures more = {
        .switches_voluntary = less(status.switches_voluntary - thread->voluntary_base,
                                   thread->figures.switches_voluntary),
        .switches_involuntary = less(status.switches_involuntary - thread->involuntary_base,
                                     thread->figures.switches_involuntary),
    };
    thread->status_run_ns = thread->run_ns;
    if (strcmp(thread->comm, status.comm) != 0) {
        mf__watch_name_thread(watch, thread, status.comm);
    }
    add_everywhere(watch, thread, &more);
}

bool mf__watch_read(struct mf_watch *watch, struct watch_thread *thread)
{
    struct mf_proc_schedstat counters;
    if (thread->gone) {
        return false;
    }
    const int64_t from_ns = now_ns();
    if (!open_thread(watch, thread) || read_counters(watch, thread, &counters) < 0) {
        mf__watch_mark_gone(thread);
        return false;
    }
    const int64_t until_ns = now_ns();
    if (thread->stale_name) {
        read_status(watch, thread); /* before anything is counted: it is to have the right name */
        thread->stale_name = from_ns - thread->born_ns < YOUNG_NS;
    }
    take_counters(watch, thread, &counters, until_ns);
    thread->seen_ns = from_ns;
    mf__watch_judge(watch, thread, from_ns, until_ns);
    return true;
}

/* ---- one process --------------------------------------------------------------------------------
 */

bool mf__watch_read_clock(struct mf_watch *watch, struct watch_process *process)
{
    uint64_t clock_ns = 0;
    const int64_t from_ns = now_ns();
    if (!mf__watch_open(watch, process) || mf_proc_read_cpu(process->handle, &clock_ns) < 0) {
        process->gone = true;
        return false;
    }
    if (clock_ns > process->clock_ns) {
        mf__watch_count_process(watch, clock_ns - process->clock_ns, process->clock_at_ns);
        process->clock_ns = clock_ns;
    }
    process->clock_at_ns = from_ns;
    return true;
}

struct found {
    struct mf_watch *watch;
    struct watch_process *process;
};

static int found_thread(void *context, int32_t tid)
{
    struct found *found = context;
    struct watch_process *process = found->process;
    struct watch_thread *thread = mf__watch_find_thread(found->watch, tid);
    if (thread != NULL && thread->process == process && (!thread->gone || thread->recorded)) {
        return 0;
    }
    struct mf_proc_stat stat;
    if (tid == process->pid && process->leader_ended &&
        (mf_proc_thread_read_stat(process->handle, tid, &stat) < 0 || stat.state == 'Z')) {
        process->zombie_leader = true; /* it stays in the list as long as the process */
        return 0;
    }
    if (thread != NULL) {
        mf__watch_thread_end(found->watch, thread); /* its number is used again */
    }
    thread = mf__watch_thread_new(found->watch, process, tid, process->complete_ns);
    if (thread == NULL) {
        return -ENOMEM;
    }
    thread->rebase = process->adopting || (tid == process->pid && process->leader_ended);
    (void)mf__watch_read(found->watch, thread);
    return 0;
}

/* Those that nobody told of. */
static void find_threads(struct mf_watch *watch, struct watch_process *process, int64_t from_ns)
{
    uint32_t count = 0;
    struct found found = {watch, process};
    if (mf_proc_count_threads(process->handle, &count) == 0 &&
        count != process->alive + process->zombie_leader) {
        (void)mf_proc_each_thread(process->handle, found_thread, &found);
    }
    process->complete_ns = from_ns;
}

static void read_all(struct mf_watch *watch, struct watch_process *process)
{
    const int64_t from_ns = process->clock_at_ns;
    for (struct watch_thread *t = process->threads; t != NULL; t = t->next) {
        (void)mf__watch_read(watch, t);
    }
    find_threads(watch, process, from_ns);
    process->changed = false;
}

/* Looks at all threads, unless none of them has run since. */
static void pass(struct mf_watch *watch, struct watch_process *process)
{
    if (process->gone || !mf__watch_read_clock(watch, process)) {
        return;
    }
    if (!process->changed && process->clock_ns == process->full_clock_ns) {
        const int64_t until_ns = now_ns();
        process->full_at_ns = process->complete_ns = process->clock_at_ns;
        for (struct watch_thread *t = process->threads; t != NULL; t = t->next) {
            if (t->subjects != NULL && t->due_ns <= until_ns) {
                mf__watch_judge(watch, t, process->clock_at_ns, until_ns);
            }
        }
    } else {
        const uint64_t clock_ns = process->clock_ns;
        const int64_t at_ns = process->clock_at_ns;
        read_all(watch, process);
        process->full_clock_ns = clock_ns;
        process->full_at_ns = at_ns;
    }
}

/* ---- what ended ---------------------------------------------------------------------------------
 */

void mf__watch_deal(struct mf_watch *watch, struct watch_process *process, uint64_t rest_ns)
{
    uint64_t room_ns = 0;
    for (const struct watch_ended *e = process->ended; e != NULL; e = e->next) {
        room_ns += e->room_ns;
    }
    const double share = room_ns == 0        ? 0
                         : rest_ns < room_ns ? (double)rest_ns / (double)room_ns
                                             : 1;
    while (process->ended != NULL) {
        struct watch_ended *ended = process->ended;
        const uint64_t cpu_ns = (uint64_t)((double)ended->room_ns * share);
        process->ended = ended->next;
        process->attributed_ns += cpu_ns;
        ended->name->figures.cpu_ns += cpu_ns;
        watch->totals.figures.cpu_ns += cpu_ns;
        watch->totals.estimated_ns += cpu_ns;
        mf_free(ended);
    }
}

static void bury(struct mf_watch *watch, struct watch_process *process)
{
    for (struct watch_thread *t = process->threads; t != NULL;) {
        struct watch_thread *next = t->next;
        if (t->gone && (!watch->spec.with_records || t->passes_gone++ >= PASSES_TO_WAIT)) {
            mf__watch_thread_end(watch, t);
        }
        t = next;
    }
}

/* ---- sample and check ---------------------------------------------------------------------------
 */

static void close_interval(struct mf_watch *watch, struct watch_thread *thread)
{
    thread->last_cpu_ns = thread->figures.cpu_ns - thread->sampled_cpu_ns;
    thread->last_wait_ns = thread->figures.wait_ns - thread->sampled_wait_ns;
    thread->sampled_cpu_ns = thread->figures.cpu_ns;
    thread->sampled_wait_ns = thread->figures.wait_ns;
    thread->sampled = true;
    if (thread->last_cpu_ns > thread->name->burst_ns) {
        thread->name->burst_ns = thread->last_cpu_ns;
    }
    if (thread->last_cpu_ns > 0 && watch->spec.on_burst != NULL) {
        watch->spec.on_burst(watch->spec.context, thread->last_cpu_ns);
    }
}

static void read_total(struct mf_watch *watch)
{
    uint64_t total_ns = watch->ended_ns;
    for (const struct watch_process *p = watch->first; p != NULL; p = p->next) {
        total_ns += p->clock_ns - p->clock_base_ns > p->attributed_ns
                        ? p->clock_ns - p->clock_base_ns
                        : p->attributed_ns;
    }
    uint64_t known_ns = 0;
    if (watch->total_known && watch->spec.read_total(watch->spec.context, &known_ns) &&
        known_ns - watch->total_base_ns > total_ns) {
        total_ns = known_ns - watch->total_base_ns;
    }
    if (total_ns > watch->totals.cpu_ns) {
        watch->totals.cpu_ns = total_ns;
    }
}

void mf_watch_sample(struct mf_watch *watch)
{
    const int64_t from_ns = now_ns();
    const bool slow = from_ns >= watch->slow_ns;
    for (struct watch_process *p = watch->first; p != NULL; p = p->next) {
        p->due_ns = INT64_MAX;
        pass(watch, p);
        for (struct watch_thread *t = p->threads; t != NULL; t = t->next) {
            if (!t->gone && !p->gone && slow && t->run_ns != t->status_run_ns) {
                read_status(watch, t);
            }
            if (t->subjects != NULL && t->due_ns < p->due_ns) {
                p->due_ns = t->due_ns;
            }
            close_interval(watch, t);
        }
        if (watch->spec.with_records && !p->gone) {
            mf__watch_deal(watch, p, less(p->clock_ns - p->clock_base_ns, p->attributed_ns));
        }
        bury(watch, p);
    }
    if (slow) {
        watch->slow_ns = from_ns + SLOW_NS;
    }
    read_total(watch);
    mf__watch_judge_groups(watch, from_ns, now_ns());
    mf__watch_find_due(watch);
    watch->interval_ns = watch->sampled_at_ns > 0 ? from_ns - watch->sampled_at_ns : 0;
    watch->sampled_at_ns = from_ns;
}

/* Only those that are due. */
static void check_process(struct mf_watch *watch, struct watch_process *process, int64_t t_ns)
{
    if (process->gone || !mf__watch_read_clock(watch, process)) {
        return;
    }
    const bool same = !process->changed && process->clock_ns == process->full_clock_ns;
    if (same) {
        process->full_at_ns = process->complete_ns = process->clock_at_ns;
    }
    process->due_ns = INT64_MAX;
    for (struct watch_thread *t = process->threads; t != NULL; t = t->next) {
        if (t->subjects == NULL || t->gone) {
            continue;
        }
        if (t->due_ns <= t_ns && same) {
            mf__watch_judge(watch, t, process->clock_at_ns, now_ns());
        } else if (t->due_ns <= t_ns) {
            (void)mf__watch_read(watch, t);
        }
        process->due_ns = !t->gone && t->due_ns < process->due_ns ? t->due_ns : process->due_ns;
    }
}

void mf_watch_check(struct mf_watch *watch)
{
    const int64_t t_ns = now_ns();
    bool group = false;
    for (unsigned i = 0; i < watch->spec.budget_count; i++) {
        group = group || (watch->groups[i].used && watch->groups[i].subject.due_ns <= t_ns);
    }
    for (struct watch_process *p = watch->first; p != NULL; p = p->next) {
        if (group) {
            p->due_ns = INT64_MAX;
            pass(watch, p);
            for (const struct watch_thread *t = p->threads; t != NULL; t = t->next) {
                p->due_ns = t->subjects != NULL && t->due_ns < p->due_ns ? t->due_ns : p->due_ns;
            }
        } else if (p->due_ns <= t_ns) {
            check_process(watch, p, t_ns);
        }
    }
    if (group) {
        mf__watch_judge_groups(watch, t_ns, now_ns());
    }
    mf__watch_find_due(watch);
}

int64_t mf_watch_due_ns(const struct mf_watch *watch)
{
    return watch->due_ns;
}

void mf_watch_last_look(struct mf_watch *watch, int32_t pid)
{
    struct watch_process *process = watch->processes[mf__watch_bucket(pid)];
    while (process != NULL && process->pid != pid) {
        process = process->bucket_next;
    }
    if (process != NULL && !process->gone) {
        pass(watch, process);
    }
}
