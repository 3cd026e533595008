/* SPDX-License-Identifier: Apache-2.0
 *
 * recorder.c -- flights: mf_flight_run(), from its options to the closed flight.
 *
 * What. A flight is one run of a command, recorded: its output, its processes and what they used,
 * its events, its end. It is a directory that needs nothing else to be read.
 *
 * Format. docs/formats.md: flight.json (whole at the start and again at the end), output.log and
 * its tails, events.log (both reclog), metrics/ (a metrics store, sealed at the end),
 * recorder.lock.
 *
 * Validity. A directory of flights/ is a flight when flight.json in it can be read. It is complete
 * when that says "ended" or "recovered". While it says "running", it is recorded as long as
 * somebody holds the lock; else its recorder is dead, and mf_flight_recover() completes it
 * (flight_recover.c).
 *
 * Write path. recorder_open.c climbs the ladder (cgroup, process events, exit records), makes the
 * directory under another name and renames it, opens the logs. recorder_start.c gives the command
 * its streams and starts it. recorder_loop.c waits for everything at once: signals, kernel
 * messages, events of the command, the tick. process_table.c knows the processes, sampler.c what
 * they use, series.c keeps the time series, event_writer.c the events; pump.c passes the output on
 * and output_writer.c keeps it. Here, at the end: the last messages, the last sample, the verdict
 * (outcome.c), flight.json, the seal (recorder_seal.c). Whatever cannot be kept is counted and the
 * command goes on: nothing that fails after its start may reach it.
 *
 * Recovery. After SIGKILL what was written is in the page cache: output to the last read, events to
 * the last tenth of a second. Syncs are a matter of flight_sync.c alone.
 *
 * Concurrency. The main thread has everything, except that each stream has a pump, which shares the
 * output log (a mutex) and its own state (atomics) with it, and that flight_sync.c opens files of
 * its own. Readers of other processes take no lock.
 *
 * Limits. docs/run.md, "Limits". One recording per process: signals, children and terminals are the
 * process's.
 */
#include "recorder.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/fd.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define LAST_EVENTS_NS (500 * MF_NS_PER_MS) /* it comes at once, unless the machine is busy */

/* ---- options ---- */

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value != 0 ? value : fallback;
}

static int check_options(const struct mf_flight_options *given, struct mf_flight_options *options,
                         struct mf_errinfo *err)
{
    if (given == NULL || given->size != sizeof *given) {
        return mf_fail(err, -EINVAL, "the options of a flight are of another version");
    }
    *options = *given;
    for (size_t i = 0; i < MF_ARRAY_LEN(options->reserved); i++) {
        if (options->reserved[i] != 0) {
            return mf_fail(err, -EINVAL, "reserved options of a flight must be zero");
        }
    }
    if (options->home == NULL || options->command == NULL || options->command[0] == NULL) {
        return mf_fail(err, MF_EVALUE, "a flight needs a home and a command");
    }
    options->interval_ns = or_default(options->interval_ns, 100 * MF_NS_PER_MS);
    options->kill_after_ns = or_default(options->kill_after_ns, 5 * MF_NS_PER_SECOND);
    options->grace_ns = or_default(options->grace_ns, 1 * MF_NS_PER_SECOND);
    options->seal_wait_ns = or_default(options->seal_wait_ns, 2 * MF_NS_PER_SECOND);
    options->hang_after_ns = or_default(options->hang_after_ns, 30 * MF_NS_PER_SECOND);
    if (options->output_limit_bytes == 0) {
        options->output_limit_bytes = 1U << 30;
    }
    if (options->interval_ns < 10 * MF_NS_PER_MS || options->interval_ns > 60 * MF_NS_PER_SECOND) {
        return mf_fail(err, MF_EVALUE, "the sampling interval must be from 10 ms to 60 s");
    }
    const int budgets = mf__threads_check_budgets(options->cpu_budgets, err);
    if (budgets < 0) {
        return budgets;
    }
    if (options->timeout_ns < 0 || options->kill_after_ns < 0 || options->grace_ns < 0 ||
        options->seal_wait_ns < 0 || options->rung_max < MF_RUNG_PROC ||
        options->rung_max > MF_RUNG_FULL || options->leftover > MF_LEFTOVER_KILL) {
        return mf_fail(err, MF_EVALUE, "an option of the flight is out of its range");
    }
    return 0;
}

/* ---- the end ---- */

/* The exit of the command is reported to its parent before the connector tells of it. */
static void await_last_events(struct mf_recorder *recorder)
{
    const int64_t until_ns = mf__recorder_now_ns(recorder) + LAST_EVENTS_NS;
    for (;;) {
        (void)mf__recorder_drain(recorder);
        const struct mf_process *first = mf__processes_first(recorder->processes);
        const int64_t left_ns = until_ns - mf__recorder_now_ns(recorder);
        if (recorder->connector == NULL || first == NULL || first->number != 1 || left_ns <= 0) {
            break;
        }
        struct mf_poll_item item = {.descriptor = mf_procevents_descriptor(recorder->connector),
                                    .want_read = true};
        (void)mf_fd_poll(&item, 1, left_ns);
    }
    mf__recorder_reap(recorder);
    (void)mf__recorder_drain(recorder);
    mf__processes_finish(recorder->processes);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a == UINT64_MAX ? b : b == UINT64_MAX ? a : a > b ? a : b;
}

/* Which source is believed for what: the cgroup for CPU and memory; sums of exit records, with the
 * last samples of what still lives, for the rest; without records what was reaped, which has the
 * descendants that were waited for, too. */
static void fill_totals(struct mf_recorder *recorder)
{
    struct mf_flight_totals *totals = &recorder->info->totals;
    const struct mf_sampler *sampler = &recorder->sampler;
    const struct mf_tree_figures *tree = &sampler->tree;
    const struct mf_process_totals *processes = mf__processes_totals(recorder->processes);
    const struct mf_usage *reaped = &recorder->reaped;
    const bool exact = recorder->taskstats != NULL;
    const bool by_cgroup =
        sampler->cgroup != NULL && sampler->cgroup_figures.cpu_user_ns != MF_CGROUP_UNKNOWN;
    totals->cpu_user_ns = tree->cpu_user_ns;
    totals->cpu_system_ns = tree->cpu_system_ns;
    totals->faults_minor = tree->faults_minor;
    totals->faults_major = tree->faults_major;
    totals->switches_voluntary = tree->switches_voluntary;
    totals->switches_involuntary = tree->switches_involuntary;
    totals->read_bytes = tree->read_bytes;
    totals->write_bytes = tree->write_bytes;
    totals->read_chars = tree->read_chars;
    totals->write_chars = tree->write_chars;
    if (!exact) {
        if (!by_cgroup &&
            reaped->cpu_user_ns + reaped->cpu_system_ns > tree->cpu_user_ns + tree->cpu_system_ns) {
            totals->cpu_user_ns = reaped->cpu_user_ns;
            totals->cpu_system_ns = reaped->cpu_system_ns;
        }
        totals->faults_minor = larger(tree->faults_minor, reaped->faults_minor);
        totals->faults_major = larger(tree->faults_major, reaped->faults_major);
        totals->switches_voluntary = larger(tree->switches_voluntary, reaped->switches_voluntary);
        totals->switches_involuntary =
            larger(tree->switches_involuntary, reaped->switches_involuntary);
        totals->read_bytes = larger(tree->read_bytes, reaped->read_bytes);
        totals->write_bytes = larger(tree->write_bytes, reaped->write_bytes);
    }
    /* A tree that lived between two samples still had its largest process. */
    totals->rss_peak_bytes = larger(sampler->rss_peak_bytes, processes->largest_rss_bytes);
    totals->rss_peak_bytes = larger(totals->rss_peak_bytes, reaped->rss_peak_bytes);
    totals->memory_peak_bytes =
        larger(sampler->cgroup_figures.memory_peak_bytes, sampler->memory_peak_bytes);
    const bool peak_known = sampler->cgroup != NULL && totals->memory_peak_bytes != UINT64_MAX;
    if (!peak_known) {
        totals->memory_peak_bytes = totals->rss_peak_bytes;
    }
    recorder->info->memory_peak_source = mf_strdup(peak_known ? "cgroup" : "samples");
    totals->processes = processes->started;
    totals->processes_peak = processes->alive_peak;
    totals->threads_peak = processes->threads_peak;
    totals->processes_left = processes->alive;
    if (processes->largest_comm[0] != '\0') {
        recorder->info->largest_comm = mf_strdup(processes->largest_comm);
        recorder->info->largest_rss_bytes = processes->largest_rss_bytes;
    }
    if (processes->busiest_comm[0] != '\0') {
        recorder->info->busiest_comm = mf_strdup(processes->busiest_comm);
        recorder->info->busiest_cpu_ns = processes->busiest_cpu_ns;
    }
}

static void describe_ending(struct mf_recorder *recorder, struct mf_ending *ending)
{
    const struct mf_flight_info *info = recorder->info;
    const struct mf_cgroup_figures *figures = &recorder->sampler.cgroup_figures;
    const struct mf_process_totals *processes = mf__processes_totals(recorder->processes);
    const bool cgroup = recorder->cgroup != NULL && mf_cgroup_has_memory(recorder->cgroup);
    const uint64_t ancestors = mf_cgroup_ancestor_oom_kills(&recorder->places);
    const uint64_t machine = mf_machine_oom_kills();
    *ending = (struct mf_ending){
        .command = info->command[0],
        .exec_error = recorder->exec_error,
        .status_known = recorder->status_known,
        .status = recorder->status,
        .timeout_ns = recorder->term_ns >= 0 && !recorder->ended_for_budget
                          ? recorder->options.timeout_ns
                          : 0,
        .cpu_budget = recorder->ended_for_budget ? mf__threads_why(recorder->threads) : NULL,
        .cpu_budget_killed = recorder->kill_ns == recorder->term_ns,
        .kill_after_ns = recorder->kill_followed ? recorder->options.kill_after_ns : 0,
        .forwarded_signal = recorder->forwarded_signal,
        .forwarded_from = recorder->forwarded_from,
        .cgroup_oom_kills = cgroup ? figures->oom_kills : UINT64_MAX,
        .cgroup_counter = cgroup && mf_cgroup_has_memory_v1(recorder->cgroup) ? "memory.oom_control"
                                                                              : "memory.events",
        .ancestor_oom_kills =
            ancestors > recorder->ancestor_oom_kills ? ancestors - recorder->ancestor_oom_kills : 0,
        .machine_oom_kills = machine != UINT64_MAX && machine > recorder->machine_oom_kills
                                 ? machine - recorder->machine_oom_kills
                                 : 0,
        .logged_oom_kills = recorder->logged_oom_kills,
        .log_says_cgroup = recorder->victim.of_cgroup,
        .killed_processes = recorder->killed_processes,
        .memory_limit_bytes = cgroup ? figures->memory_limit_bytes : UINT64_MAX,
        .memory_peak_bytes = info->totals.memory_peak_bytes,
        .limit_hits = cgroup ? figures->limit_hits : UINT64_MAX,
        .victim_at_ns = -1,
    };
    if (recorder->logged_oom_kills > 0) {
        ending->victim_known = true;
        memcpy(ending->victim_comm, recorder->victim.comm, sizeof recorder->victim.comm);
        ending->victim_rss_bytes = recorder->victim.rss_bytes;
        ending->victim_at_ns = recorder->victim_at_ns;
    } else {
        memcpy(ending->victim_comm, processes->largest_comm, sizeof ending->victim_comm);
        ending->victim_rss_bytes = processes->largest_rss_bytes;
        ending->victim_at_ns = processes->largest_at_ns;
    }
}

static void give_verdict(struct mf_recorder *recorder)
{
    struct mf_flight_info *info = recorder->info;
    struct mf_ending ending;
    struct mf_verdict verdict;
    describe_ending(recorder, &ending);
    mf__ending_judge(&ending, &verdict);
    info->outcome = verdict.outcome;
    info->exit_code = verdict.exit_code;
    info->signal = verdict.signal;
    info->core_dumped = verdict.core_dumped;
    info->success = verdict.outcome == MF_OUTCOME_EXITED && verdict.exit_code == 0;
    info->reason = mf_strdup(verdict.reason.data != NULL ? verdict.reason.data : "");
    info->evidence = mf_calloc(verdict.evidence_count + 1, sizeof *info->evidence);
    for (unsigned i = 0; info->evidence != NULL && i < verdict.evidence_count; i++) {
        info->evidence[i] =
            mf_strdup(verdict.evidence[i].data != NULL ? verdict.evidence[i].data : "");
    }
    mf__verdict_free(&verdict);
    info->totals.oom_kills =
        ending.cgroup_oom_kills != UINT64_MAX && ending.cgroup_oom_kills > ending.logged_oom_kills
            ? ending.cgroup_oom_kills
            : ending.logged_oom_kills;
    (void)mf__events_begin(&recorder->events, info->duration_ns, "flight.end",
                           recorder->start_event, 0);
    mf_json_key_int(&recorder->events.json, "exit_code", info->exit_code);
    mf_json_key_string(&recorder->events.json, "reason", info->reason);
    mf__events_end(&recorder->events);
}

static void tell_who_is_left(struct mf_recorder *recorder, bool holds_output)
{
    if (mf__processes_totals(recorder->processes)->alive == 0) {
        return;
    }
    struct mf_json *json = &recorder->events.json;
    unsigned count = 0;
    (void)mf__events_begin(&recorder->events, mf__recorder_now_ns(recorder),
                           holds_output ? "output.left" : "processes.left", recorder->start_event,
                           0);
    mf_json_key(json, "alive");
    mf_json_begin_array(json);
    for (struct mf_process *p = mf__processes_first(recorder->processes); p != NULL && count < 100;
         p = p->next, count++) {
        mf_json_uint(json, p->number);
    }
    mf_json_end_array(json);
    mf__events_end(&recorder->events);
}

/* ---- what goes on without us ---- */

struct left_stream {
    int source;
    int sink;
};

struct left_behind {
    struct left_stream streams[MF_PUMPS_MAX];
    unsigned count;
};

/* Background processes still write into our pipes. As without us, they shall neither fail nor wait,
 * and what they write shall arrive; it is not recorded any more. */
static void pass_on(void *context)
{
    struct left_behind *left = context;
    char bytes[16384];
    unsigned open = left->count;
    while (open > 0) {
        struct mf_poll_item items[MF_PUMPS_MAX] = {{.descriptor = -1}, {.descriptor = -1}};
        for (unsigned i = 0; i < left->count; i++) {
            items[i] =
                (struct mf_poll_item){.descriptor = left->streams[i].source, .want_read = true};
        }
        (void)mf_fd_poll(items, left->count, -1);
        for (unsigned i = 0; i < left->count; i++) {
            size_t len = 0;
            if (!items[i].ret_readable) {
                continue;
            }
            const int ret = mf_fd_read(left->streams[i].source, bytes, sizeof bytes, &len);
            if (ret == -EAGAIN) {
                continue;
            }
            if (ret < 0 || len == 0 || mf_fd_write_all(left->streams[i].sink, bytes, len) < 0) {
                mf_fd_close(&left->streams[i].source);
                open--;
            }
        }
    }
}

static void leave_behind(struct mf_recorder *recorder)
{
    struct left_behind left = {.count = 0};
    int kept[MF_PUMPS_MAX + 1];
    size_t kept_count = 0;
    for (unsigned i = 0; i < recorder->pump_count; i++) {
        struct mf_pump *pump = &recorder->pumps[i];
        if (pump->source >= 0) {
            left.streams[left.count++] = (struct left_stream){pump->source, pump->sink};
            kept[kept_count++] = pump->source;
        }
    }
    if (left.count > 0) {
        if (recorder->child.monitor >= 0) {
            kept[kept_count++] = recorder->child.monitor; /* the session lives as long */
        }
        (void)mf_process_leave_behind(kept, kept_count, pass_on, &left);
    }
}

/* ---- closing ---- */

/* Output that was written is delivered, however long its consumer takes; unless somebody wants us
 * to end: then a consumer that takes nothing any more is waited for no longer than the grace. */
static void await_pumps(struct mf_recorder *recorder)
{
    const int64_t begin_ns = mf__recorder_now_ns(recorder);
    while (mf__pumps_run(recorder)) {
        const bool hurry = mf__recorder_told_to_end(recorder);
        const int64_t left_ns =
            begin_ns + recorder->options.grace_ns - mf__recorder_now_ns(recorder);
        if (hurry && (left_ns <= 0 || recorder->leave_now)) {
            for (unsigned i = 0; i < recorder->pump_count; i++) {
                mf__pump_give_up(&recorder->pumps[i]);
            }
            return;
        }
        struct mf_poll_item items[] = {
            {.descriptor = recorder->signals.descriptor, .want_read = true},
            {.descriptor = recorder->notify, .want_read = true}};
        (void)mf_fd_poll(items, MF_ARRAY_LEN(items), hurry ? left_ns : -1);
        if (items[1].ret_readable) {
            mf_fd_event_clear(recorder->notify);
        }
    }
}

static bool stop_pumps(struct mf_recorder *recorder)
{
    bool left = false;
    for (unsigned i = 0; i < recorder->pump_count; i++) {
        mf__pump_stop(&recorder->pumps[i]);
    }
    await_pumps(recorder);
    for (unsigned i = 0; i < recorder->pump_count; i++) {
        mf__pump_join(&recorder->pumps[i]);
        left = left || recorder->pumps[i].source >= 0;
    }
    (void)mf__pumps_run(recorder);
    return left;
}

static void give_back_reserve(const struct mf_recorder *recorder)
{
    char *path = mf_asprintf("%s/reserve", recorder->dir);
    if (path != NULL) {
        (void)mf_fs_unlink(NULL, path, NULL);
    }
    mf_free(path);
}

static void seal_series(struct mf_recorder *recorder)
{
    const struct mf_env env = {.fs = mf_fs_unsynced()};
    char *path = mf_asprintf("%s/metrics", recorder->dir);
    mf__series_close(recorder->series, path, &env);
    recorder->series = NULL;
    mf_free(path);
}

static int finish(struct mf_recorder *recorder, struct mf_errinfo *err)
{
    struct mf_flight_info *info = recorder->info;
    const bool held = stop_pumps(recorder);
    await_last_events(recorder);
    const int64_t t_ns = mf__recorder_now_ns(recorder);
    if (recorder->connector == NULL) {
        mf__sampler_scan(&recorder->sampler, t_ns);
        mf__processes_settle(recorder->processes);
    }
    mf__sample(&recorder->sampler, t_ns, true);
    mf__threads_finish(recorder->threads, t_ns);
    mf__recorder_look_for_oom(recorder);
    mf__recorder_check_limit(recorder);
    mf__user_events_finish(recorder->user, t_ns);
    info->state = MF_FLIGHT_ENDED;
    const bool waited = recorder->options.leftover == MF_LEFTOVER_WAIT;
    info->duration_ns = recorder->ended && !waited ? recorder->ended_ns : t_ns;
    tell_who_is_left(recorder, held);
    fill_totals(recorder);
    give_verdict(recorder);
    mf__flight_sync_stop(&recorder->sync);
    give_back_reserve(recorder);
    mf__output_close(recorder->output, info->totals.output);
    recorder->output = NULL;
    mf__events_close(&recorder->events);
    seal_series(recorder);
    info->totals.events = recorder->events.written;
    info->totals.lost_events = recorder->events.lost + recorder->lost_messages;
    info->totals.user_events = recorder->user->total;
    info->totals.bad_events = recorder->user->bad;
    return mf__flight_json_write(info, &recorder->extra, recorder->dir, MF_JSON_REPLACE, err);
}

static void close_all(struct mf_recorder *recorder)
{
    mf__terminal_leave(recorder);
    for (unsigned i = 0; i < recorder->pump_count; i++) {
        mf_fd_close(&recorder->pumps[i].source);
    }
    mf_child_release(&recorder->child);
    mf_fd_close(&recorder->terminal.master);
    mf_fd_close(&recorder->event_pipe[0]);
    mf_fd_close(&recorder->event_pipe[1]);
    mf_fd_close(&recorder->notify);
    if (recorder->output != NULL) {
        struct mf_flight_stream_totals totals[MF_STREAMS];
        mf__output_close(recorder->output, totals);
    }
    mf__events_close(&recorder->events);
    mf__series_close(recorder->series, NULL, NULL);
    mf__processes_free(recorder->processes);
    mf__threads_free(recorder->threads);
    mf_procevents_close(recorder->connector);
    mf_taskstats_close(recorder->taskstats);
    mf_kernellog_close(&recorder->kernel_log);
    (void)mf_cgroup_remove(recorder->cgroup);
    mf_file_close(recorder->lock);
    if (recorder->signals_open) {
        mf_signals_close(&recorder->signals);
    }
    mf__flight_extra_free(&recorder->extra);
    mf_free(recorder->user);
    mf_free(recorder->dir);
}

static int run(struct mf_recorder *recorder, struct mf_errinfo *err)
{
    /* First, so that the command gets a low number for it: some shells take only one digit. */
    int ret = mf_fd_pipe(recorder->event_pipe, 1 << 18);
    if (ret < 0) {
        return mf_fail_os(err, ret, "cannot make a pipe");
    }
    (void)mf_fd_set_nonblocking(recorder->event_pipe[0]);
    (void)mf_become_subreaper();
    ret = mf_signals_open(&recorder->signals, err);
    if (ret < 0) {
        return ret;
    }
    recorder->signals_open = true;
    ret = mf__recorder_open(recorder, err);
    if (ret == 0) {
        ret = mf__recorder_start(recorder, err);
    }
    if (ret < 0) {
        return ret;
    }
    recorder->started = true;
    recorder->user->events = &recorder->events;
    recorder->user->parent = recorder->start_event;
    if (recorder->exec_error == 0) {
        mf__recorder_loop(recorder);
    }
    ret = finish(recorder, err);
    leave_behind(recorder);
    mf__recorder_seal(recorder);
    return ret;
}

int mf_flight_run(const struct mf_flight_options *options, struct mf_flight_info **ret_info,
                  struct mf_errinfo *err)
{
    struct mf_recorder *recorder = mf_calloc(1, sizeof *recorder);
    if (recorder == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for a recorder");
    }
    recorder->event_pipe[0] = recorder->event_pipe[1] = -1;
    recorder->output_terminals[0] = recorder->output_terminals[1] = -1;
    recorder->notify = recorder->terminal.master = recorder->child.monitor = -1;
    recorder->kernel_log.descriptor = recorder->signals.descriptor = -1;
    recorder->term_ns = recorder->kill_ns = -1;
    recorder->info = mf_calloc(1, sizeof *recorder->info);
    recorder->user = mf_calloc(1, sizeof *recorder->user);
    int ret = recorder->info == NULL || recorder->user == NULL
                  ? mf_fail(err, -ENOMEM, "no memory for a recorder")
                  : check_options(options, &recorder->options, err);
    if (ret == 0) {
        ret = run(recorder, err);
    }
    char *remnant =
        recorder->opened && !recorder->started && ret < 0 ? mf_strdup(recorder->dir) : NULL;
    close_all(recorder);
    if (remnant != NULL && mf_flight_remove(remnant, NULL) < 0) {
        /* What is in err already says why; gc removes it like one that a crash left. */
    }
    mf_free(remnant);
    if (ret == 0) {
        *ret_info = recorder->info;
    } else {
        mf_flight_info_free(recorder->info);
    }
    mf_free(recorder);
    return ret;
}
