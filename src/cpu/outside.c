/* SPDX-License-Identifier: Apache-2.0
 *
 * outside.c -- threads of other processes, watched from outside.
 *
 * What. A watch has a set of processes, which its owner adds and removes, and finds their threads
 * itself. Of each it keeps what the scheduler counts: CPU time, the time that it waited for a
 * processor, how often it got one; and its context switches and its name. It adds them up by name,
 * and holds budgets against them.
 *
 * Sources, and what they cost here (2 processors, Linux 6.18): the CPU clock of a process (0.2 us,
 * 3.5 us with 100 threads) has the sum of all its threads, ended ones too, and needs no
 * permission; while it stands still nothing else is read. `schedstat` of a thread on a file that
 * is held open (0.4 us) has the same of one. Both are as of the scheduler's last look at those that
 * run: a clock tick ago (4 ms here), twice that where a virtual machine loses one; of those that
 * do not run they are exact. The number of threads is the number of links of the task
 * directory (0.4 us): only when it differs from the number of those known is the directory listed
 * (57 us with 100 threads). `status` (7 us) for switches and the name is read once a second, of
 * threads that have run. Where events of clones and renames are to be had they come sooner.
 *
 * Threads that live shorter than an interval. With exit records each is found, whatever its age;
 * of the CPU time its record lacks what the scheduler had not yet booked (up to a tick). What the
 * clock of the process has beyond all its threads is dealt out among those that ended since, each
 * at most what it can have used: exact in the sum. Without records such a thread is not seen; what
 * it used is, in the clock: it is the `unattributed` time, and its amount is told.
 *
 * Who is who. A file that is held open is of one thread for ever; files are opened below the
 * process's directory, which is bound to the process, so that a pid that is used again is another
 * process here. When a thread other than the first calls execve(2) it takes the first one's number
 * over: what was used around that is unattributed. A counter that falls, or rises faster than time,
 * is another thread's and begins anew.
 *
 * Budgets: outside_judge.c and outside_window.c. Between two samples only those threads are looked
 * at that can have exceeded one by then. What an exit record says of a thread that was never seen
 * alive is judged as well.
 *
 * Limits. A thread is accounted to the name it had when it was last looked at. Beyond a quarter of
 * the descriptors that may be open, files of threads are opened for each reading (7 us). Beyond 512
 * names the rest is "(other)". Without schedstat in the kernel, CPU time comes in clock ticks of
 * `stat`, and budgets allow for that much.
 */
#include "outside_private.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROUNDED_NS (20 * MF_NS_PER_MS) /* user and system time are each rounded down to 10 ms */

/* ---- the watch ----------------------------------------------------------------------------------
 */

/* A kernel without schedstat has no file, or zeros in it. */
static bool has_schedstat(void)
{
    struct mf_proc *self = NULL;
    struct mf_proc_schedstat counters = {0};
    const int32_t pid = (int32_t)getpid();
    bool has = false;
    if (mf_proc_open(pid, false, &self) == 0) {
        has = mf_proc_thread_read_schedstat(self, pid, -1, &counters) == 0 &&
              (counters.run_ns > 0 || counters.slices > 0); /* a new process has only the latter */
        mf_proc_close(self);
    }
    return has;
}

static int check_spec(const struct mf_watch_spec *spec, struct mf_errinfo *err)
{
    if (spec->budget_count > MF_WATCH_BUDGETS_MAX) {
        return mf_fail(err, MF_EVALUE, "at most %d budgets can be watched", MF_WATCH_BUDGETS_MAX);
    }
    return 0;
}

int mf_watch_new(const struct mf_watch_spec *spec, struct mf_watch **ret_watch,
                 struct mf_errinfo *err)
{
    int ret = check_spec(spec, err);
    if (ret < 0) {
        return ret;
    }
    struct mf_watch *watch = mf_calloc(1, sizeof *watch);
    if (watch == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for watching threads");
    }
    const int64_t t_ns = mf_clock_monotonic_ns(NULL);
    watch->spec = *spec;
    watch->due_ns = INT64_MAX;
    watch->slow_ns = t_ns;
    watch->by_ticks = !has_schedstat();
    watch->tick_ns = mf_clock_tick_ns();
    watch->stale_ns = 2 * (uint64_t)watch->tick_ns + (watch->by_ticks ? (uint64_t)ROUNDED_NS : 0);
    watch->total_known =
        spec->read_total != NULL && spec->read_total(spec->context, &watch->total_base_ns);
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    watch->cpus = spec->cpus > 0 ? spec->cpus : online > 0 ? (unsigned)online : 1;
    for (size_t i = 0; i < spec->budget_count; i++) {
        watch->budgets[i] = spec->budgets[i];
        watch->groups[i].used = spec->budgets[i].together;
        watch->groups[i].subject.budget = (unsigned)i;
        mf__outside_window_open(&watch->groups[i].subject.window, spec->budgets[i].limit_ns,
                                spec->budgets[i].within_ns, t_ns, 0, 0);
        watch->groups[i].subject.due_ns = t_ns;
    }
    snprintf(watch->names[MF_WATCH_NAMES_MAX].comm, MF_PROC_COMM_LEN, "(other)");
    mf__watch_find_due(watch);
    *ret_watch = watch;
    return 0;
}

void mf_watch_free(struct mf_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    while (watch->first != NULL) {
        mf_watch_remove(watch, watch->first->pid, watch->first->tag, 0);
    }
    mf_free(watch);
}

/* ---- threads ------------------------------------------------------------------------------------
 */

struct watch_thread *mf__watch_find_thread(struct mf_watch *watch, int32_t tid)
{
    struct watch_thread *thread = watch->threads[mf__watch_bucket(tid)];
    while (thread != NULL && thread->tid != tid) {
        thread = thread->bucket_next;
    }
    return thread;
}

void mf__watch_name_thread(struct mf_watch *watch, struct watch_thread *thread, const char *comm)
{
    struct mf_watch_name *name = mf__watch_name(watch, comm);
    if (comm != thread->comm) {
        snprintf(thread->comm, sizeof thread->comm, "%s", comm);
    }
    if (thread->name != name) {
        if (thread->name != NULL) {
            thread->name->alive--;
            /* A name that it was given by us, or never did anything under, was not its own. */
            thread->name->threads -= thread->figures.cpu_ns == 0;
        }
        name->alive++;
        name->threads++;
        thread->name = name;
    }
    mf__watch_match(watch, thread);
}

struct watch_thread *mf__watch_thread_new(struct mf_watch *watch, struct watch_process *process,
                                          int32_t tid, int64_t born_ns)
{
    struct watch_thread *thread = mf_calloc(1, sizeof *thread);
    if (thread == NULL) {
        return NULL;
    }
    thread->tid = tid;
    thread->descriptor = -1;
    thread->stale_name = true;
    thread->born_ns = thread->seen_ns = born_ns;
    thread->status_run_ns = UINT64_MAX;
    thread->process = process;
    thread->next = process->threads;
    process->threads = thread;
    process->alive++;
    process->threads_total++;
    process->changed = true;
    struct watch_thread **bucket = &watch->threads[mf__watch_bucket(tid)];
    thread->bucket_next = *bucket;
    *bucket = thread;
    watch->totals.threads++;
    watch->totals.alive++;
    mf__watch_name_thread(watch, thread, process->comm);
    return thread;
}

void mf__watch_mark_gone(struct watch_thread *thread)
{
    if (!thread->gone) {
        thread->gone = true;
        thread->process->alive--;
        thread->process->leader_ended =
            thread->process->leader_ended || thread->tid == thread->process->pid;
    }
}

void mf__watch_thread_end(struct mf_watch *watch, struct watch_thread *thread)
{
    struct watch_process *process = thread->process;
    mf__watch_drop_subjects(watch, thread);
    const uint64_t burst_ns = thread->figures.cpu_ns - thread->sampled_cpu_ns;
    if (burst_ns > 0 && watch->spec.on_burst != NULL) {
        watch->spec.on_burst(watch->spec.context, burst_ns);
    }
    if (burst_ns > thread->name->burst_ns) {
        thread->name->burst_ns = burst_ns;
    }
    mf__watch_mark_gone(thread);
    thread->name->alive--;
    watch->totals.alive--;
    mf_fd_close(&thread->descriptor);
    watch->held -= thread->held;
    struct watch_thread **link = &watch->threads[mf__watch_bucket(thread->tid)];
    while (*link != thread) {
        link = &(*link)->bucket_next;
    }
    *link = thread->bucket_next;
    link = &process->threads;
    while (*link != thread) {
        link = &(*link)->next;
    }
    *link = thread->next;
    mf_free(thread);
}

/* ---- processes ----------------------------------------------------------------------------------
 */

static struct watch_process *find_process(const struct mf_watch *watch, int32_t pid)
{
    struct watch_process *process = watch->processes[mf__watch_bucket(pid)];
    while (process != NULL && process->pid != pid) {
        process = process->bucket_next;
    }
    return process;
}

bool mf_watch_has(const struct mf_watch *watch, int32_t pid)
{
    return find_process(watch, pid) != NULL;
}

void mf_watch_add(struct mf_watch *watch, int32_t pid, uint64_t tag, bool from_start)
{
    struct watch_process *process = find_process(watch, pid);
    if (process != NULL) {
        mf_watch_remove(watch, pid, process->tag, 0); /* the number is used again */
    }
    process = mf_calloc(1, sizeof *process);
    if (process == NULL) {
        return; /* what it uses will be unattributed */
    }
    process->pid = pid;
    process->tag = tag;
    process->from_start = from_start;
    process->changed = true;
    process->added_ns = process->complete_ns = process->clock_at_ns = process->full_at_ns =
        mf_clock_monotonic_ns(NULL);
    process->due_ns = process->added_ns;
    struct watch_process **bucket = &watch->processes[mf__watch_bucket(pid)];
    process->bucket_next = *bucket;
    *bucket = process;
    process->previous = watch->last;
    *(watch->last != NULL ? &watch->last->next : &watch->first) = process;
    watch->last = process;
    if (!from_start && mf__watch_open(watch, process)) {
        uint64_t clock_ns = 0;
        process->adopting = true;
        if (mf_proc_read_cpu(process->handle, &clock_ns) == 0) {
            process->clock_ns = process->clock_base_ns = clock_ns;
            mf_watch_last_look(watch, pid);
        }
        process->adopting = false;
    }
}

/* When it is looked at first: many are gone by then. */
bool mf__watch_open(struct mf_watch *watch, struct watch_process *process)
{
    const bool keep = watch->held * 4 < watch->spec.descriptors_max;
    if (process->handle == NULL && !process->gone) {
        process->gone = mf_proc_open(process->pid, keep, &process->handle) < 0;
        watch->held += process->gone ? 0 : 2;
    }
    return !process->gone;
}

/* All that ended without a word of their threads: what the process used is that of its only one. */
static void settle_rest(struct mf_watch *watch, struct watch_process *process, uint64_t rest_ns)
{
    if (process->threads_total == 0 && !watch->spec.with_records) {
        struct watch_thread *thread =
            mf__watch_thread_new(watch, process, process->pid, process->added_ns);
        process->threads_total = thread != NULL;
    }
    if (process->threads_total == 1 && process->threads != NULL) {
        mf__watch_count(watch, process->threads, rest_ns, process->threads->seen_ns);
    } else if (watch->spec.with_records) {
        mf__watch_deal(watch, process, rest_ns);
    }
}

static void unlink_process(struct mf_watch *watch, struct watch_process *process)
{
    struct watch_process **link = &watch->processes[mf__watch_bucket(process->pid)];
    while (*link != process) {
        link = &(*link)->bucket_next;
    }
    *link = process->bucket_next;
    *(process->previous != NULL ? &process->previous->next : &watch->first) = process->next;
    *(process->next != NULL ? &process->next->previous : &watch->last) = process->previous;
}

void mf_watch_remove(struct mf_watch *watch, int32_t pid, uint64_t tag, uint64_t cpu_ns)
{
    struct watch_process *process = find_process(watch, pid);
    if (process == NULL || process->tag != tag) {
        return;
    }
    const uint64_t clock_ns = process->clock_ns - process->clock_base_ns;
    uint64_t total_ns = process->from_start && cpu_ns > clock_ns ? cpu_ns : clock_ns;
    if (total_ns > clock_ns) {
        mf__watch_count_process(watch, total_ns - clock_ns, process->clock_at_ns);
    }
    if (total_ns > process->attributed_ns) {
        settle_rest(watch, process, total_ns - process->attributed_ns);
    }
    mf__watch_deal(watch, process, 0);
    while (process->threads != NULL) {
        mf__watch_thread_end(watch, process->threads);
    }
    watch->ended_ns += total_ns > process->attributed_ns ? total_ns : process->attributed_ns;
    if (process->handle != NULL) {
        mf_proc_close(process->handle);
        watch->held -= 2;
    }
    unlink_process(watch, process);
    mf_free(process);
}

int mf_watch_each_process(const struct mf_watch *watch,
                          int (*visit)(void *context, int32_t pid, struct mf_proc *proc),
                          void *context)
{
    int ret = 0;
    for (const struct watch_process *p = watch->first; ret == 0 && p != NULL; p = p->next) {
        if (!p->gone) {
            ret = visit(context, p->pid, p->handle);
        }
    }
    return ret;
}

void mf_watch_forget_gone(struct mf_watch *watch)
{
    for (struct watch_process *p = watch->first; p != NULL;) {
        struct watch_process *next = p->next;
        if (p->gone && (!watch->spec.with_records || p->passes_gone++ >= 2)) {
            mf_watch_remove(watch, p->pid, p->tag, 0);
        }
        p = next;
    }
}

/* ---- events -------------------------------------------------------------------------------------
 */

void mf_watch_clone(struct mf_watch *watch, int32_t pid, int32_t tid, int64_t t_ns)
{
    struct watch_process *process = find_process(watch, pid);
    struct watch_thread *thread = mf__watch_find_thread(watch, tid);
    if (process == NULL || (thread != NULL && thread->process == process && !thread->gone)) {
        return;
    }
    if (thread != NULL) {
        mf__watch_thread_end(watch, thread);
    }
    thread = mf__watch_thread_new(watch, process, tid, t_ns);
    if (thread != NULL) {
        thread->born_exact = true;
    }
}

void mf_watch_rename(struct mf_watch *watch, int32_t tid, const char *comm)
{
    struct watch_process *process = find_process(watch, tid);
    struct watch_thread *thread = mf__watch_find_thread(watch, tid);
    if (process != NULL) {
        snprintf(process->comm, sizeof process->comm, "%s", comm);
    }
    if (thread != NULL && strcmp(thread->comm, comm) != 0) {
        mf__watch_name_thread(watch, thread, comm);
    }
}

void mf_watch_exec(struct mf_watch *watch, int32_t pid)
{
    struct watch_process *process = find_process(watch, pid);
    if (process == NULL) {
        return;
    }
    process->changed = true;
    process->zombie_leader = false;
    for (struct watch_thread *t = process->threads; t != NULL; t = t->next) {
        t->stale_name = true;
        t->rebase = t->rebase || (t->tid == pid && process->alive > 1);
    }
}

/* ---- exit records -------------------------------------------------------------------------------
 */

/* The process of a thread that nobody knows; old kernels do not say which it was. */
static struct watch_process *owner_of(const struct mf_watch *watch,
                                      const struct mf_task_record *record)
{
    return find_process(watch, record->tgid != 0 ? record->tgid : record->tid);
}

static void note_ended(struct watch_process *process, const struct watch_thread *thread,
                       const struct mf_task_record *record)
{
    struct watch_ended *ended = mf_malloc(sizeof *ended);
    if (ended == NULL) {
        return; /* what its record lacks stays unattributed */
    }
    const uint64_t recorded_ns = record->cpu_user_ns + record->cpu_system_ns;
    const uint64_t room_ns =
        record->elapsed_ns > recorded_ns ? record->elapsed_ns - recorded_ns : 0;
    const uint64_t most_ns = 5 * (uint64_t)MF_NS_PER_MS; /* a tick, and the end */
    *ended =
        (struct watch_ended){thread->name, room_ns < most_ns ? room_ns : most_ns, process->ended};
    process->ended = ended;
}

static void finish_figures(struct mf_watch *watch, struct watch_thread *thread,
                           const struct mf_task_record *record)
{
    const uint64_t run_ns = record->cpu_user_ns + record->cpu_system_ns;
    const uint64_t cpu_ns = run_ns > thread->base_ns ? run_ns - thread->base_ns : 0;
    const uint64_t voluntary = record->switches_voluntary - thread->voluntary_base;
    const uint64_t involuntary = record->switches_involuntary - thread->involuntary_base;
    struct mf_watch_figures *known = &thread->figures;
    if (voluntary > known->switches_voluntary && voluntary <= record->switches_voluntary) {
        thread->name->figures.switches_voluntary += voluntary - known->switches_voluntary;
        watch->totals.figures.switches_voluntary += voluntary - known->switches_voluntary;
        known->switches_voluntary = voluntary;
    }
    if (involuntary > known->switches_involuntary && involuntary <= record->switches_involuntary) {
        thread->name->figures.switches_involuntary += involuntary - known->switches_involuntary;
        watch->totals.figures.switches_involuntary += involuntary - known->switches_involuntary;
        known->switches_involuntary = involuntary;
    }
    if (cpu_ns > known->cpu_ns && !thread->rebase) {
        mf__watch_count(watch, thread, cpu_ns - known->cpu_ns, thread->seen_ns);
    }
}

bool mf_watch_record(struct mf_watch *watch, const struct mf_task_record *record)
{
    struct watch_thread *thread = mf__watch_find_thread(watch, record->tid);
    struct watch_process *process =
        thread != NULL && record->tgid == 0 ? thread->process : owner_of(watch, record);
    if (process == NULL) {
        return false;
    }
    if (thread != NULL && (thread->process != process || thread->recorded)) {
        mf__watch_thread_end(watch, thread); /* its number was used again */
        thread = NULL;
    }
    const int64_t now_ns = mf_clock_monotonic_ns(NULL);
    const int64_t elapsed_ns = (int64_t)record->elapsed_ns + 1000; /* it is rounded down to 1 us */
    if (thread == NULL) {
        thread = mf__watch_thread_new(watch, process, record->tid, now_ns - elapsed_ns);
        if (thread == NULL) {
            return true;
        }
    }
    const bool unseen = !thread->opened;
    watch->totals.threads_by_record += unseen;
    if (strcmp(thread->comm, record->comm) != 0) {
        mf__watch_name_thread(watch, thread, record->comm);
    }
    finish_figures(watch, thread, record);
    if (unseen) {
        mf__watch_judge_record(watch, thread, elapsed_ns);
    } else {
        const int64_t end_ns = thread->born_ns + elapsed_ns;
        const int64_t until_ns =
            thread->born_exact && end_ns < now_ns && end_ns > thread->seen_ns ? end_ns : now_ns;
        mf__watch_judge(watch, thread, until_ns, until_ns);
    }
    note_ended(process, thread, record);
    /* Its record comes before it has left the list of threads: there it must not be found anew. */
    mf__watch_drop_subjects(watch, thread);
    thread->recorded = true;
    mf__watch_mark_gone(thread);
    return true;
}

/* ---- what was found -----------------------------------------------------------------------------
 */

bool mf_watch_by_ticks(const struct mf_watch *watch)
{
    return watch->by_ticks;
}

void mf_watch_totals(const struct mf_watch *watch, struct mf_watch_totals *ret_totals)
{
    *ret_totals = watch->totals;
    ret_totals->opened_anew = watch->opened_anew;
    ret_totals->unattributed_ns = watch->totals.cpu_ns > watch->totals.figures.cpu_ns
                                      ? watch->totals.cpu_ns - watch->totals.figures.cpu_ns
                                      : 0;
}

void mf_watch_each(struct mf_watch *watch,
                   void (*visit)(void *context, const struct mf_watch_thread *thread),
                   void *context)
{
    for (struct watch_process *p = watch->first; p != NULL; p = p->next) {
        for (struct watch_thread *t = p->threads; t != NULL; t = t->next) {
            if (t->gone || p->gone) {
                continue;
            }
            const struct mf_watch_thread thread = {
                .tag = p->tag,
                .pid = p->pid,
                .tid = t->tid,
                .comm = t->comm,
                .figures = t->figures,
                .last_cpu_ns = t->last_cpu_ns,
                .last_wait_ns = t->last_wait_ns,
                .last_wall_ns = watch->interval_ns,
            };
            visit(context, &thread);
        }
    }
}
