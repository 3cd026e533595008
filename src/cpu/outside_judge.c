/* SPDX-License-Identifier: Apache-2.0
 *
 * outside_judge.c -- budgets of a watch: who is measured by which, when the next look is due, and
 * what is told.
 *
 * A budget that is exceeded is told once, when it begins, and once when it is kept again: a thread
 * that never stops makes one violation, and not one in each window.
 *
 * A budget for all together has a counter that everything is added to as it becomes known. What
 * becomes known late (an exit record, a process that was not looked at) may have been used before
 * some of the readings: it is added to these as well, so that no window has more than was used in
 * it.
 */
#include "outside_private.h"

#include "base/heap.h"
#include "os/clock.h"

#include <fnmatch.h>
#include <string.h>

#define LOOKS_PER_WINDOW 50 /* looks at what is about to exceed a budget, at most */

static bool matches(const struct mf_watch_budget *budget, const char *comm)
{
    return budget->pattern[0] == '\0' || fnmatch(budget->pattern, comm, 0) == 0;
}

/* The counters themselves move once in a clock tick. */
static int64_t pause_of(const struct mf_watch *watch, const struct mf_watch_budget *budget)
{
    const int64_t pause_ns = budget->within_ns / LOOKS_PER_WINDOW;
    return pause_ns > watch->tick_ns ? pause_ns : watch->tick_ns;
}

/* ---- telling ------------------------------------------------------------------------------------
 */

static void begin(struct mf_watch *watch, struct watch_subject *subject,
                  struct mf_watch_violation *violation, const struct mf_window_verdict *verdict,
                  uint64_t counter_ns, int64_t t_ns)
{
    subject->over = true;
    subject->over_since_ns = t_ns - verdict->wall_ns;
    subject->over_cpu_ns = counter_ns - verdict->cpu_ns;
    violation->budget = &watch->budgets[subject->budget];
    violation->t_ns = t_ns;
    violation->cpu_ns = verdict->cpu_ns;
    violation->wall_ns = verdict->wall_ns;
    violation->excess_ns = verdict->cpu_ns - (uint64_t)violation->budget->limit_ns;
    watch->totals.violations++;
    subject->begin = watch->spec.on_violation(watch->spec.context, violation);
}

static void end(struct mf_watch *watch, struct watch_subject *subject,
                struct mf_watch_violation *violation, uint64_t counter_ns, int64_t t_ns)
{
    subject->over = false;
    violation->budget = &watch->budgets[subject->budget];
    violation->ended = true;
    violation->t_ns = t_ns;
    violation->over_ns = counter_ns - subject->over_cpu_ns;
    violation->lasted_ns = t_ns - subject->over_since_ns;
    violation->begin = subject->begin;
    (void)watch->spec.on_violation(watch->spec.context, violation);
}

/* Threads change their names as they like. False when it has one now that the budget is not for. */
static bool is_still_meant(struct watch_thread *thread, const struct mf_watch_budget *budget,
                           struct mf_watch_violation *violation, char comm[MF_PROC_COMM_LEN])
{
    if (violation->proc == NULL ||
        mf_proc_thread_read_comm(violation->proc, thread->tid, comm) < 0 ||
        strcmp(comm, thread->comm) == 0) {
        return true;
    }
    thread->stale_name = true; /* the next sample renames it */
    violation->comm = comm;
    return matches(budget, comm);
}

/* Says what has begun or ended, and when to look again. */
static void decide(struct mf_watch *watch, struct watch_subject *subject,
                   struct mf_watch_violation *violation, const struct mf_window_verdict *verdict,
                   uint64_t counter_ns, int64_t t_ns, unsigned parallel)
{
    const struct mf_watch_budget *budget = &watch->budgets[subject->budget];
    if (!subject->over && verdict->exceeded) {
        begin(watch, subject, violation, verdict, counter_ns, t_ns);
    } else if (subject->over && verdict->seen_ns <= (uint64_t)budget->limit_ns) {
        end(watch, subject, violation, counter_ns, t_ns);
    }
    if (subject->over) {
        subject->due_ns = t_ns + budget->within_ns / 4;
        return;
    }
    const int64_t due_ns = mf__window_due_ns(&subject->window, verdict, t_ns, parallel);
    const int64_t pause_ns = pause_of(watch, budget);
    const int64_t next_ns = due_ns > t_ns + pause_ns ? due_ns : t_ns + pause_ns;
    /* Many threads, one look: on the beat of the shortest pause. */
    subject->due_ns = next_ns - next_ns % pause_ns + pause_ns;
}

/* ---- one thread ---------------------------------------------------------------------------------
 */

static struct mf_watch_violation of_thread(const struct watch_thread *thread)
{
    return (struct mf_watch_violation){
        .tag = thread->process->tag,
        .pid = thread->process->pid,
        .tid = thread->tid,
        .comm = thread->comm,
        .proc = thread->process->gone ? NULL : thread->process->handle,
    };
}

static void note_due(struct watch_thread *thread)
{
    thread->due_ns = INT64_MAX;
    for (const struct watch_subject *s = thread->subjects; s != NULL; s = s->next) {
        thread->due_ns = s->due_ns < thread->due_ns ? s->due_ns : thread->due_ns;
    }
    if (thread->due_ns < thread->process->due_ns) {
        thread->process->due_ns = thread->due_ns;
    }
}

static void add_subject(struct mf_watch *watch, struct watch_thread *thread, unsigned budget)
{
    struct watch_subject *subject = mf_calloc(1, sizeof *subject);
    if (subject == NULL) {
        return; /* it is accounted all the same */
    }
    const bool is_new = thread->seen_ns == thread->born_ns && thread->figures.cpu_ns == 0;
    subject->budget = budget;
    mf__outside_window_open(&subject->window, watch->budgets[budget].limit_ns,
                            watch->budgets[budget].within_ns,
                            is_new ? thread->born_ns : thread->seen_ns, thread->figures.cpu_ns,
                            is_new && !thread->rebase ? 0 : watch->stale_ns);
    subject->due_ns = subject->window.points[0].t_ns + watch->budgets[budget].limit_ns;
    subject->next = thread->subjects;
    thread->subjects = subject;
}

void mf__watch_match(struct mf_watch *watch, struct watch_thread *thread)
{
    for (unsigned i = 0; i < watch->spec.budget_count; i++) {
        struct watch_subject **link = &thread->subjects;
        while (*link != NULL && (*link)->budget != i) {
            link = &(*link)->next;
        }
        const bool wanted =
            !watch->budgets[i].together && matches(&watch->budgets[i], thread->comm);
        if (wanted && *link == NULL) {
            add_subject(watch, thread, i);
        } else if (!wanted && *link != NULL) {
            struct watch_subject *subject = *link;
            *link = subject->next;
            if (subject->over) {
                struct mf_watch_violation violation = of_thread(thread);
                end(watch, subject, &violation, thread->figures.cpu_ns,
                    mf_clock_monotonic_ns(NULL));
            }
            mf_free(subject);
        }
    }
    note_due(thread);
}

void mf__watch_judge(struct mf_watch *watch, struct watch_thread *thread, int64_t from_ns,
                     int64_t until_ns)
{
    for (struct watch_subject *s = thread->subjects; s != NULL; s = s->next) {
        struct mf_window_verdict verdict;
        struct mf_watch_violation violation = of_thread(thread);
        char comm[MF_PROC_COMM_LEN];
        mf__outside_window_add(&s->window, from_ns, until_ns, thread->figures.cpu_ns, 1,
                               watch->stale_ns, &verdict);
        verdict.exceeded =
            verdict.exceeded &&
            (s->over || is_still_meant(thread, &watch->budgets[s->budget], &violation, comm));
        decide(watch, s, &violation, &verdict, thread->figures.cpu_ns, until_ns, 1);
    }
    if (thread->subjects != NULL) {
        note_due(thread);
    }
}

void mf__watch_judge_record(struct mf_watch *watch, struct watch_thread *thread, int64_t elapsed_ns)
{
    for (struct watch_subject *s = thread->subjects; s != NULL; s = s->next) {
        struct mf_window_verdict verdict;
        struct mf_watch_violation violation = of_thread(thread);
        violation.thread_ended = true;
        mf__outside_window_open(&s->window, s->window.limit_ns, s->window.within_ns, 0, 0, 0);
        mf__outside_window_add(&s->window, elapsed_ns, elapsed_ns, thread->figures.cpu_ns, 1,
                               watch->stale_ns, &verdict);
        if (verdict.exceeded) {
            begin(watch, s, &violation, &verdict, thread->figures.cpu_ns,
                  mf_clock_monotonic_ns(NULL));
        }
    }
}

void mf__watch_drop_subjects(struct mf_watch *watch, struct watch_thread *thread)
{
    while (thread->subjects != NULL) {
        struct watch_subject *subject = thread->subjects;
        thread->subjects = subject->next;
        if (subject->over) {
            struct mf_watch_violation violation = of_thread(thread);
            violation.thread_ended = true;
            end(watch, subject, &violation, thread->figures.cpu_ns, mf_clock_monotonic_ns(NULL));
        }
        mf_free(subject);
    }
}

/* ---- all together -------------------------------------------------------------------------------
 */

bool mf__watch_has_group(const struct mf_watch *watch)
{
    bool has = false;
    for (unsigned i = 0; i < watch->spec.budget_count; i++) {
        has = has || watch->groups[i].used;
    }
    return has;
}

void mf__watch_count_group(struct mf_watch *watch, const struct watch_thread *thread,
                           uint64_t cpu_ns, int64_t earliest_ns)
{
    for (unsigned i = 0; i < watch->spec.budget_count; i++) {
        struct watch_group *group = &watch->groups[i];
        const bool by_name = watch->budgets[i].pattern[0] != '\0';
        if (!by_name && watch->total_known) {
            continue; /* somebody knows better */
        }
        /* Without a pattern the clocks of processes count, which miss no thread. */
        if (!group->used || by_name != (thread != NULL) ||
            (by_name && !matches(&watch->budgets[i], thread->comm))) {
            continue;
        }
        group->cpu_ns += cpu_ns;
        mf__outside_window_correct(&group->subject.window, earliest_ns, cpu_ns);
    }
}

/* The one that used most since the last sample. */
static const struct watch_thread *busiest(const struct mf_watch *watch,
                                          const struct mf_watch_budget *budget)
{
    const struct watch_thread *most = NULL;
    uint64_t most_ns = 0;
    for (const struct watch_process *p = watch->first; p != NULL; p = p->next) {
        for (const struct watch_thread *t = p->threads; t != NULL; t = t->next) {
            const uint64_t used_ns = t->figures.cpu_ns - t->sampled_cpu_ns + t->last_cpu_ns;
            if (!t->gone && used_ns > most_ns && matches(budget, t->comm)) {
                most = t;
                most_ns = used_ns;
            }
        }
    }
    return most;
}

void mf__watch_judge_groups(struct mf_watch *watch, int64_t from_ns, int64_t until_ns)
{
    for (unsigned i = 0; i < watch->spec.budget_count; i++) {
        struct watch_group *group = &watch->groups[i];
        if (!group->used) {
            continue;
        }
        if (watch->budgets[i].pattern[0] == '\0' && watch->total_known) {
            uint64_t total_ns = 0;
            if (!watch->spec.read_total(watch->spec.context, &total_ns)) {
                continue;
            }
            until_ns = mf_clock_monotonic_ns(NULL);
            group->cpu_ns = total_ns - watch->total_base_ns;
        }
        struct mf_window_verdict verdict;
        struct mf_watch_violation violation = {.comm = ""};
        mf__outside_window_add(&group->subject.window, from_ns, until_ns, group->cpu_ns,
                               watch->cpus, watch->stale_ns * watch->cpus, &verdict);
        const struct watch_thread *most =
            verdict.exceeded && !group->subject.over ? busiest(watch, &watch->budgets[i]) : NULL;
        if (most != NULL) {
            violation = of_thread(most);
        }
        decide(watch, &group->subject, &violation, &verdict, group->cpu_ns, until_ns, watch->cpus);
    }
}

void mf__watch_find_due(struct mf_watch *watch)
{
    watch->due_ns = INT64_MAX;
    for (const struct watch_process *p = watch->first; p != NULL; p = p->next) {
        if (!p->gone && p->due_ns < watch->due_ns) {
            watch->due_ns = p->due_ns;
        }
    }
    for (unsigned i = 0; i < watch->spec.budget_count; i++) {
        const struct watch_group *group = &watch->groups[i];
        if (group->used && group->subject.due_ns < watch->due_ns) {
            watch->due_ns = group->subject.due_ns;
        }
    }
}
