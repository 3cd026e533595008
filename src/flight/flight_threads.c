/* SPDX-License-Identifier: Apache-2.0
 *
 * flight_threads.c -- see flight_threads.h. The watch itself is the module cpu's (cpu/outside.h);
 * here its processes come from the flight's table, and what it tells becomes events, time series
 * and, where a budget says so, the end of the command.
 *
 * A violation is an event when it begins and another when it ends, whose parent is the first. What
 * the thread was doing is looked up at once: a moment later it does something else. Beyond 1000
 * violations they are counted only.
 */
#include "flight_threads.h"

#include "recorder.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_MAX  1000
#define NAMES_MAX 64 /* in the event at the end */

struct mf_flight_threads {
    struct mf_recorder *recorder;
    struct mf_watch *watch;
    struct mf_watch_budget budgets[MF_WATCH_BUDGETS_MAX];
    size_t budget_count;
    struct mf_thread_series series;
    int64_t sample_wall_ns;
    struct mf_buffer why;
    uint64_t told;
    bool finished;
};

int mf__threads_check_budgets(const char *const *texts, struct mf_errinfo *err)
{
    int count = 0;
    struct mf_watch_budget budget;
    for (; texts != NULL && texts[count] != NULL; count++) {
        const int ret = mf_watch_budget_parse(texts[count], &budget, err);
        if (ret < 0) {
            return ret;
        }
    }
    return count <= MF_WATCH_BUDGETS_MAX
               ? count
               : mf_fail(err, MF_EVALUE, "at most %d CPU budgets can be watched",
                         MF_WATCH_BUDGETS_MAX);
}

/* ---- violations ---------------------------------------------------------------------------------
 */

static void explain(struct mf_flight_threads *threads, const struct mf_watch_violation *violation,
                    const struct mf_process *process)
{
    char cpu[MF_UNITS_LEN];
    char wall[MF_UNITS_LEN];
    struct mf_buffer *why = &threads->why;
    if (violation->budget->together) {
        mf_buffer_puts(why, "all threads together");
    } else {
        mf_buffer_printf(why, "thread %s (tid %d)", violation->comm, violation->tid);
        if (process != NULL) {
            mf_buffer_printf(why, " of %s (pid %d)", process->comm, process->pid);
        }
    }
    mf_buffer_printf(why, " used %s of CPU time within %s, more than ",
                     mf_format_duration(cpu, (int64_t)violation->cpu_ns),
                     mf_format_duration(wall, violation->wall_ns));
    mf_watch_budget_write(violation->budget, why);
}

static void key_text(struct mf_json *json, const char *key, const char *text)
{
    if (text[0] != '\0') {
        mf_json_key_string(json, key, text);
    }
}

static void write_evidence(struct mf_json *json, const struct mf_watch_violation *violation)
{
    struct mf_watch_evidence evidence;
    char args[4096];
    size_t len = 0;
    if (violation->proc == NULL) {
        return;
    }
    if (mf_proc_read_args(violation->proc, args, sizeof args, &len) == 0 && len > 0) {
        for (size_t i = 0; i + 1 < len; i++) {
            args[i] = args[i] == '\0' ? ' ' : args[i];
        }
        mf_json_key(json, "command");
        mf_json_string_len(json, args, args[len - 1] == '\0' ? len - 1 : len);
    }
    if (violation->tid == 0 || violation->thread_ended) {
        return;
    }
    mf_watch_look_at(violation->proc, violation->tid, &evidence);
    const char state[2] = {evidence.state, '\0'};
    key_text(json, "state", state);
    key_text(json, "syscall", evidence.system_call);
    key_text(json, "wchan", evidence.wait);
    key_text(json, "stack", evidence.stack);
    key_text(json, "denied", evidence.denied);
}

static void write_budget(struct mf_json *json, const struct mf_watch_budget *budget)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    mf_watch_budget_write(budget, &text);
    mf_json_key_string(json, "budget", text.data != NULL ? text.data : "");
    mf_buffer_free(&text);
}

static uint64_t write_violation(struct mf_flight_threads *threads,
                                const struct mf_watch_violation *violation,
                                const struct mf_process *process)
{
    struct mf_recorder *recorder = threads->recorder;
    struct mf_event_writer *events = &recorder->events;
    struct mf_json *json = &events->json;
    const int64_t t_ns = violation->t_ns - recorder->info->started_monotonic_ns;
    const uint64_t number = process != NULL ? process->number : 0;
    const uint64_t cause = process != NULL ? process->cause : recorder->start_event;
    const uint64_t id =
        mf__events_begin(events, t_ns, violation->ended ? "cpu.budget.end" : "cpu.budget",
                         violation->ended ? violation->begin : cause, number);
    write_budget(json, violation->budget);
    mf_json_key_bool(json, "together", violation->budget->together);
    if (violation->tid != 0) {
        mf_json_key_int(json, "pid", violation->pid);
        mf_json_key_int(json, "tid", violation->tid);
        mf_json_key_string(json, "thread", violation->comm);
    }
    if (violation->ended) {
        mf_json_key_uint(json, "cpu_ns", violation->over_ns);
        mf_json_key_int(json, "lasted_ns", violation->lasted_ns);
        mf_json_key_bool(json, "thread_ended", violation->thread_ended);
    } else {
        mf_json_key_uint(json, "cpu_ns", violation->cpu_ns);
        mf_json_key_int(json, "wall_ns", violation->wall_ns);
        mf_json_key_uint(json, "excess_ns", violation->excess_ns);
        mf_json_key_int(json, "limit_ns", violation->budget->limit_ns);
        mf_json_key_int(json, "within_ns", violation->budget->within_ns);
        mf_json_key_string(json, "action", mf_watch_action_name(violation->budget->action));
        mf_json_key_bool(json, "thread_ended", violation->thread_ended);
        write_evidence(json, violation);
    }
    mf__events_end(events);
    return id;
}

static uint64_t on_violation(void *context, const struct mf_watch_violation *violation)
{
    struct mf_flight_threads *threads = context;
    struct mf_recorder *recorder = threads->recorder;
    const struct mf_process *process = mf__processes_find(recorder->processes, violation->pid);
    uint64_t id = 0;
    if (process != NULL && process->number != violation->tag) {
        process = NULL;
    }
    if (violation->ended ? violation->begin != 0 : threads->told < TOLD_MAX) {
        threads->told += !violation->ended;
        id = write_violation(threads, violation, process);
    }
    if (!violation->ended && violation->budget->action != MF_WATCH_MARK && !recorder->ended &&
        !recorder->ended_for_budget && !threads->finished) {
        explain(threads, violation, process);
        mf__recorder_end_for_budget(recorder, violation->budget->action == MF_WATCH_KILL);
    }
    return id;
}

static void on_burst(void *context, uint64_t cpu_ns)
{
    struct mf_flight_threads *threads = context;
    mf__thread_series_burst(&threads->series, threads->recorder->series, cpu_ns,
                            threads->sample_wall_ns);
}

static bool read_total(void *context, uint64_t *ret_cpu_ns)
{
    const struct mf_flight_threads *threads = context;
    struct mf_sampler *sampler = &threads->recorder->sampler;
    struct mf_cgroup_figures figures = {.cpu_user_ns = MF_CGROUP_UNKNOWN};
    if (sampler->cgroup == NULL) {
        return false;
    }
    mf_cgroup_read_quickly(sampler->cgroup, &figures);
    if (figures.cpu_user_ns == MF_CGROUP_UNKNOWN) {
        return false;
    }
    *ret_cpu_ns = figures.cpu_user_ns + figures.cpu_system_ns;
    return true;
}

/* ---- the watch ----------------------------------------------------------------------------------
 */

int mf__threads_new(struct mf_recorder *recorder, struct mf_flight_threads **ret_threads,
                    struct mf_errinfo *err)
{
    struct mf_flight_threads *threads = mf_calloc(1, sizeof *threads);
    if (threads == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for the accounting of threads");
    }
    threads->recorder = recorder;
    threads->sample_wall_ns = recorder->info->started_wall_ns;
    const char *const *texts = recorder->options.cpu_budgets;
    int ret = 0;
    for (size_t i = 0; ret == 0 && texts != NULL && texts[i] != NULL; i++) {
        ret = mf_watch_budget_parse(texts[i], &threads->budgets[i], err);
        threads->budget_count++;
    }
    const struct mf_watch_spec spec = {
        .budgets = threads->budgets,
        .budget_count = threads->budget_count,
        .descriptors_max = recorder->sampler.descriptors_max,
        .with_records = recorder->taskstats != NULL,
        .on_violation = on_violation,
        .read_total = read_total,
        .on_burst = on_burst,
        .context = threads,
    };
    if (ret == 0) {
        ret = mf_watch_new(&spec, &threads->watch, err);
    }
    if (ret < 0) {
        mf_free(threads);
        return ret;
    }
    *ret_threads = threads;
    return 0;
}

void mf__threads_free(struct mf_flight_threads *threads)
{
    if (threads != NULL) {
        threads->finished = true;
        mf_watch_free(threads->watch);
        mf_buffer_free(&threads->why);
        mf_free(threads);
    }
}

const char *mf__threads_why(const struct mf_flight_threads *threads)
{
    return threads->why.data != NULL ? threads->why.data : "";
}

void mf__threads_add(struct mf_flight_threads *threads, const struct mf_process *process)
{
    if (threads != NULL) {
        mf_watch_add(threads->watch, process->pid, process->number, true);
        mf_watch_rename(threads->watch, process->pid, process->comm);
    }
}

void mf__threads_remove(struct mf_flight_threads *threads, const struct mf_process *process,
                        uint64_t cpu_ns)
{
    if (threads != NULL) {
        mf_watch_remove(threads->watch, process->pid, process->number, cpu_ns);
    }
}

void mf__threads_rename(struct mf_flight_threads *threads, const struct mf_process *process)
{
    if (threads != NULL) {
        mf_watch_rename(threads->watch, process->pid, process->comm);
    }
}

void mf__threads_record(struct mf_flight_threads *threads, const struct mf_task_record *record)
{
    if (threads != NULL) {
        (void)mf_watch_record(threads->watch, record);
    }
}

void mf__threads_event(struct mf_flight_threads *threads, const struct mf_procevent *event)
{
    if (threads == NULL) {
        return;
    }
    switch (event->kind) {
    case MF_PROCEVENT_CLONE:
        mf_watch_clone(threads->watch, event->tgid, event->tid, event->monotonic_ns);
        break;
    case MF_PROCEVENT_EXEC:
        mf_watch_exec(threads->watch, event->tgid);
        break;
    case MF_PROCEVENT_COMM:
        mf_watch_rename(threads->watch, event->tid, event->comm);
        break;
    case MF_PROCEVENT_FORK:
    case MF_PROCEVENT_EXIT:
    case MF_PROCEVENT_OTHER:
        break;
    }
}

void mf__threads_last_look(struct mf_flight_threads *threads, int32_t pid)
{
    if (threads != NULL) {
        mf_watch_last_look(threads->watch, pid);
    }
}

void mf__threads_sample(struct mf_flight_threads *threads, int64_t t_ns)
{
    if (threads != NULL) {
        threads->sample_wall_ns = threads->recorder->info->started_wall_ns + t_ns;
        mf_watch_sample(threads->watch);
        mf__thread_series_record(&threads->series, threads->recorder->series, threads->watch,
                                 threads->sample_wall_ns);
    }
}

int64_t mf__threads_due_ns(const struct mf_flight_threads *threads)
{
    const int64_t due_ns = threads != NULL ? mf_watch_due_ns(threads->watch) : INT64_MAX;
    return due_ns != INT64_MAX ? due_ns - threads->recorder->info->started_monotonic_ns : INT64_MAX;
}

void mf__threads_check(struct mf_flight_threads *threads)
{
    mf_watch_check(threads->watch);
}

/* ---- the end ------------------------------------------------------------------------------------
 */

static int by_cpu(const void *a, const void *b)
{
    const struct mf_watch_name *const *x = a;
    const struct mf_watch_name *const *y = b;
    return ((*x)->figures.cpu_ns < (*y)->figures.cpu_ns) -
           ((*x)->figures.cpu_ns > (*y)->figures.cpu_ns);
}

static void write_figures(struct mf_json *json, const struct mf_watch_figures *figures)
{
    mf_json_key_uint(json, "cpu_ns", figures->cpu_ns);
    mf_json_key_uint(json, "wait_ns", figures->wait_ns);
    mf_json_key_uint(json, "slices", figures->slices);
    mf_json_key_uint(json, "nvcsw", figures->switches_voluntary);
    mf_json_key_uint(json, "nivcsw", figures->switches_involuntary);
}

static void write_names(struct mf_flight_threads *threads, struct mf_json *json)
{
    static const struct mf_watch_name *sorted[MF_WATCH_NAMES_MAX + 1];
    struct mf_watch_name *names = NULL;
    const size_t count = mf_watch_names(threads->watch, &names);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &names[i];
    }
    qsort(sorted, count, sizeof sorted[0], by_cpu);
    mf_json_key_uint(json, "name_count", count);
    mf_json_key(json, "names");
    mf_json_begin_array(json);
    for (size_t i = 0; i < count && i < NAMES_MAX; i++) {
        mf_json_begin_object(json);
        mf_json_key_string(json, "thread", sorted[i]->comm);
        mf_json_key_uint(json, "threads", sorted[i]->threads);
        mf_json_key_uint(json, "burst_ns", sorted[i]->burst_ns);
        write_figures(json, &sorted[i]->figures);
        mf_json_end_object(json);
    }
    mf_json_end_array(json);
}

void mf__threads_finish(struct mf_flight_threads *threads, int64_t t_ns)
{
    if (threads == NULL) {
        return;
    }
    threads->finished = true;
    mf__threads_sample(threads, t_ns);
    struct mf_watch_totals totals;
    struct mf_event_writer *events = &threads->recorder->events;
    struct mf_json *json = &events->json;
    mf_watch_totals(threads->watch, &totals);
    (void)mf__events_begin(events, t_ns, "threads", threads->recorder->start_event, 0);
    mf_json_key_uint(json, "threads", totals.threads);
    mf_json_key_uint(json, "by_record", totals.threads_by_record);
    mf_json_key_uint(json, "tree_cpu_ns", totals.cpu_ns);
    mf_json_key_uint(json, "unattributed_ns", totals.unattributed_ns);
    mf_json_key_uint(json, "estimated_ns", totals.estimated_ns);
    mf_json_key_uint(json, "violations", totals.violations);
    mf_json_key_uint(json, "opened_anew", totals.opened_anew);
    mf_json_key_bool(json, "by_ticks", mf_watch_by_ticks(threads->watch));
    write_figures(json, &totals.figures);
    mf_json_key(json, "budgets");
    mf_json_begin_array(json);
    for (size_t i = 0; i < threads->budget_count; i++) {
        struct mf_buffer text = MF_BUFFER_INIT;
        mf_watch_budget_write(&threads->budgets[i], &text);
        mf_json_string(json, text.data != NULL ? text.data : "");
        mf_buffer_free(&text);
    }
    mf_json_end_array(json);
    write_names(threads, json);
    mf__events_end(events);
}
