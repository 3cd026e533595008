/* SPDX-License-Identifier: Apache-2.0
 *
 * recorder_loop.c -- from the start of the command to the moment when nobody is waited for any
 * more.
 *
 * One poll for everything; a tick is its timeout. The kernel's events are read as they come, so
 * that the arguments of a command can be read while it lives. But they are those of the whole
 * machine: as long as only others' come they are read less and less often, down to once in 20 ms;
 * and within a tick not more than a twentieth of the time is spent on them, then they wait for the
 * tick. Exit records are read after the events.
 */
#include "recorder.h"

#include "base/fail.h"
#include "os/clock.h"
#include "os/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NETLINK_SHARE   20
#define PAUSE_NS_MAX    (20 * MF_NS_PER_MS)
#define HANG_STATES_MAX 10
#define KILL_WAIT_NS    (5 * MF_NS_PER_SECOND)
#define REPEAT_NS       (100 * MF_NS_PER_MS)

static int64_t now_ns(const struct mf_recorder *recorder)
{
    return mf__recorder_now_ns(recorder);
}

/* ---- the kernel's messages ---- */

static void lost(struct mf_recorder *recorder, const char *what)
{
    (void)mf__events_begin(&recorder->events, now_ns(recorder), "lost", recorder->start_event, 0);
    mf_json_key_string(&recorder->events.json, "what", what);
    mf__events_end(&recorder->events);
    recorder->lost_messages++;
}

bool mf__recorder_drain(struct mf_recorder *recorder)
{
    if (recorder->connector == NULL) {
        return false;
    }
    struct mf_procevent event;
    bool look_around = false;
    bool ours = false;
    for (int ret; (ret = mf_procevents_next(recorder->connector, &event)) != 0;) {
        if (ret == 1) {
            const bool one = mf__processes_event(recorder->processes, &event);
            if (one) {
                mf__threads_event(recorder->threads, &event);
            }
            ours = one || ours;
        } else if (ret == -ENOBUFS) {
            lost(recorder, "process events");
            look_around = true;
        } else {
            break;
        }
    }
    mf__processes_retry_records(recorder->processes);
    struct mf_task_record record;
    if (recorder->taskstats != NULL) {
        for (int ret; (ret = mf_taskstats_next(recorder->taskstats, &record)) != 0;) {
            if (ret == 1) {
                mf__processes_record(recorder->processes, &record);
            } else if (ret == -ENOBUFS) {
                lost(recorder, "exit records");
            } else {
                break;
            }
        }
    }
    if (look_around) {
        mf__sampler_scan(&recorder->sampler, now_ns(recorder));
    }
    mf__processes_settle(recorder->processes);
    return ours;
}

static void drain_in_time(struct mf_recorder *recorder)
{
    const int64_t begin_ns = now_ns(recorder);
    const bool ours = mf__recorder_drain(recorder);
    const int64_t end_ns = now_ns(recorder);
    recorder->netlink_spent_ns += end_ns - begin_ns;
    if (recorder->netlink_spent_ns > recorder->options.interval_ns / NETLINK_SHARE) {
        recorder->netlink_resume_ns = recorder->next_tick_ns;
    } else if (ours) {
        recorder->netlink_pause_ns = 0;
    } else {
        const int64_t pause_ns = recorder->netlink_pause_ns * 2 + MF_NS_PER_MS;
        recorder->netlink_pause_ns = pause_ns < PAUSE_NS_MAX ? pause_ns : PAUSE_NS_MAX;
        recorder->netlink_resume_ns = end_ns + recorder->netlink_pause_ns;
    }
}

/* ---- ends ---- */

static void add_usage(struct mf_usage *sum, const struct mf_usage *usage)
{
    sum->cpu_user_ns += usage->cpu_user_ns;
    sum->cpu_system_ns += usage->cpu_system_ns;
    sum->faults_minor += usage->faults_minor;
    sum->faults_major += usage->faults_major;
    sum->switches_voluntary += usage->switches_voluntary;
    sum->switches_involuntary += usage->switches_involuntary;
    sum->read_bytes += usage->read_bytes;
    sum->write_bytes += usage->write_bytes;
    if (usage->rss_peak_bytes > sum->rss_peak_bytes) {
        sum->rss_peak_bytes = usage->rss_peak_bytes;
    }
}

static void command_ended(struct mf_recorder *recorder, int status)
{
    if (!recorder->ended) {
        recorder->ended = true;
        recorder->ended_ns = now_ns(recorder);
        recorder->status = status;
        recorder->status_known = true;
    }
}

static void take_change(struct mf_recorder *recorder, const struct mf_reaped *reaped)
{
    if (reaped->ended && reaped->pid != recorder->child.monitor_pid) {
        add_usage(&recorder->reaped, &reaped->usage);
        mf__processes_reaped(recorder->processes, reaped->pid, reaped->status, now_ns(recorder));
    }
    if (reaped->pid == recorder->child.pid) {
        if (reaped->ended) {
            command_ended(recorder, reaped->status);
        } else if (WIFSTOPPED(reaped->status)) {
            mf__terminal_stopped(recorder, WSTOPSIG(reaped->status));
        } else if (WIFCONTINUED(reaped->status) && !recorder->terminal.active) {
            mf__recorder_tell_continued(recorder); /* on a terminal it was us */
        }
    }
    if (reaped->ended && reaped->pid == recorder->child.monitor_pid && !recorder->ended &&
        !mf_is_child(recorder->child.pid)) {
        /* Somebody killed the monitor, and the command has not become our own child, as it does
         * where we are a subreaper: its end cannot be learnt. */
        recorder->ended = true;
        recorder->ended_ns = now_ns(recorder);
    }
}

void mf__recorder_reap(struct mf_recorder *recorder)
{
    struct mf_reaped reaped;
    while (mf_child_monitor_next(&recorder->child, &reaped) == 1) {
        take_change(recorder, &reaped);
    }
    for (int32_t pid; (pid = mf_reap_peek()) > 0;) {
        /* Dead, but not reaped: /proc still has its last figures. */
        struct mf_process *process = mf__processes_find(recorder->processes, pid);
        mf__threads_last_look(recorder->threads, pid);
        if (process != NULL && recorder->taskstats == NULL) {
            mf__sampler_look(&recorder->sampler, process, now_ns(recorder));
        }
        if (mf_reap(pid, &reaped) != 1) {
            break;
        }
        take_change(recorder, &reaped);
    }
    while (mf_reap_next(&reaped) == 1) {
        take_change(recorder, &reaped);
    }
}

/* ---- signals ---- */

static void forward(struct mf_recorder *recorder, const struct mf_signal *signal)
{
    const int64_t t_ns = now_ns(recorder);
    /* A terminal's signal went to its whole foreground group, and so to the command, unless that
     * has a terminal of its own. */
    const bool has_it = signal->from_terminal && !recorder->terminal.active;
    if (signal->number == recorder->forwarded_signal && t_ns - recorder->forwarded_ns < REPEAT_NS) {
        return; /* sent to us and to our group at once: it has it twice already */
    }
    if (!has_it) {
        (void)mf_process_signal(
            recorder->terminal.active ? -recorder->child.pid : recorder->child.pid, signal->number);
    }
    recorder->forwarded_signal = signal->number;
    recorder->forwarded_from = signal->sender;
    recorder->forwarded_ns = t_ns;
    (void)mf__events_begin(&recorder->events, t_ns, "signal", recorder->start_event, 0);
    mf_json_key_string(&recorder->events.json, "signal", mf_signal_name(signal->number));
    mf_json_key_string(&recorder->events.json, "action", has_it ? "seen" : "forwarded");
    if (signal->sender != 0) {
        mf_json_key_int(&recorder->events.json, "sender", signal->sender);
    }
    mf__events_end(&recorder->events);
}

static void take_signals(struct mf_recorder *recorder)
{
    struct mf_signal signal;
    while (mf_signals_next(&recorder->signals, &signal) == 1) {
        switch (signal.number) {
        case SIGCHLD:
            break; /* every turn of the loop reaps */
        case SIGWINCH:
            mf__terminal_resized(recorder);
            break;
        case SIGCONT:
            if (!recorder->terminal.active) {
                mf__terminal_resized(recorder);
            } else if (!recorder->ended && !recorder->continued) {
                mf__terminal_continued(recorder);
            }
            recorder->continued = false;
            break;
        default:
            if (recorder->ended) {
                recorder->leave_now = true;
            } else {
                forward(recorder, &signal);
            }
            break;
        }
    }
}

static void signal_tree(struct mf_recorder *recorder, int number)
{
    if (number == SIGKILL && recorder->cgroup != NULL && mf_cgroup_kill(recorder->cgroup) == 0) {
        return;
    }
    for (struct mf_process *p = mf__processes_first(recorder->processes); p != NULL; p = p->next) {
        if (!p->dead && !p->gone) {
            /* A pid whose start is not known may be another's by now; the command's is not, for it
             * is reaped by us or our monitor alone. */
            if (p->start_ticks != 0) {
                (void)mf_process_signal_exact(p->pid, p->start_ticks, number);
            } else if (p->number == 1 && !recorder->ended) {
                (void)mf_process_signal(p->pid, number);
            }
        }
    }
    if (number == SIGTERM) {
        for (struct mf_process *p = mf__processes_first(recorder->processes); p != NULL;
             p = p->next) {
            if (!p->dead && !p->gone && p->start_ticks != 0) {
                (void)mf_process_signal_exact(p->pid, p->start_ticks, SIGCONT);
            }
        }
    }
}

/* ---- deadlines ---- */

static void check_timeout(struct mf_recorder *recorder, int64_t t_ns)
{
    const struct mf_flight_options *options = &recorder->options;
    if (options->timeout_ns > 0 && !recorder->ended && recorder->term_ns < 0 &&
        t_ns >= options->timeout_ns) {
        recorder->term_ns = t_ns;
        (void)mf__events_begin(&recorder->events, t_ns, "timeout", recorder->start_event, 0);
        mf_json_key_int(&recorder->events.json, "after_ns", options->timeout_ns);
        mf__events_end(&recorder->events);
        mf__sampler_scan(&recorder->sampler, t_ns);
        signal_tree(recorder, SIGTERM);
    }
    const int64_t kill_at_ns =
        recorder->term_ns >= 0 ? recorder->term_ns + options->kill_after_ns : INT64_MAX;
    if (recorder->kill_ns < 0 && t_ns >= kill_at_ns) {
        recorder->kill_ns = t_ns;
        recorder->kill_followed = !recorder->ended;
        (void)mf__events_begin(&recorder->events, t_ns, "kill", recorder->start_event, 0);
        mf_json_key_int(&recorder->events.json, "after_ns", options->kill_after_ns);
        mf__events_end(&recorder->events);
        mf__sampler_scan(&recorder->sampler, t_ns);
        signal_tree(recorder, SIGKILL);
    }
}

void mf__recorder_end_for_budget(struct mf_recorder *recorder, bool kill)
{
    if (recorder->ended || recorder->term_ns >= 0) {
        return;
    }
    recorder->term_ns = now_ns(recorder);
    recorder->ended_for_budget = true;
    if (kill) {
        recorder->kill_ns = recorder->term_ns;
    }
    mf__sampler_scan(&recorder->sampler, recorder->term_ns);
    signal_tree(recorder, kill ? SIGKILL : SIGTERM);
}

static void write_states(struct mf_recorder *recorder)
{
    struct mf_json *json = &recorder->events.json;
    unsigned count = 0;
    mf_json_key(json, "states");
    mf_json_begin_array(json);
    for (struct mf_process *p = mf__processes_first(recorder->processes);
         p != NULL && count < HANG_STATES_MAX; p = p->next) {
        struct mf_proc_stat stat;
        char where[64];
        if (p->dead || p->gone || p->handle == NULL || mf_proc_read_stat(p->handle, &stat) < 0) {
            continue;
        }
        const char state[2] = {stat.state, '\0'};
        mf_json_begin_array(json);
        mf_json_uint(json, p->number);
        mf_json_string(json, state);
        mf_json_string(json, mf_proc_read_wchan(p->handle, where, sizeof where) == 0 ? where : "");
        mf_json_end_array(json);
        count++;
    }
    mf_json_end_array(json);
}

static void check_hang(struct mf_recorder *recorder, int64_t t_ns)
{
    const int64_t output_ns = mf__output_last_ns(recorder->output);
    const int64_t active_ns =
        recorder->sampler.active_ns > output_ns ? recorder->sampler.active_ns : output_ns;
    const int64_t idle_ns = t_ns - active_ns;
    const bool hanging = recorder->options.hang_after_ns > 0 && !recorder->ended &&
                         idle_ns >= recorder->options.hang_after_ns;
    if (hanging == recorder->hanging) {
        return;
    }
    recorder->hanging = hanging;
    (void)mf__events_begin(&recorder->events, t_ns, hanging ? "hang" : "hang.end",
                           recorder->start_event, 0);
    if (hanging) {
        mf_json_key_int(&recorder->events.json, "idle_ns", idle_ns);
        write_states(recorder);
    }
    mf__events_end(&recorder->events);
}

/* ---- evidence ---- */

static void write_oom(struct mf_recorder *recorder, const struct mf_oom_message *message,
                      const char *source)
{
    const struct mf_process *process =
        message != NULL ? mf__processes_find(recorder->processes, message->pid) : NULL;
    struct mf_event_writer *events = &recorder->events;
    (void)mf__events_begin(events, now_ns(recorder), "oom",
                           process != NULL ? process->cause : recorder->start_event,
                           process != NULL ? process->number : 0);
    if (message != NULL) {
        mf_json_key_int(&events->json, "pid", message->pid);
        mf_json_key_string(&events->json, "comm", message->comm);
        mf_json_key_uint(&events->json, "rss_bytes", message->rss_bytes);
    }
    mf_json_key_string(&events->json, "source", source);
    mf__events_end(events);
}

void mf__recorder_look_for_oom(struct mf_recorder *recorder)
{
    struct mf_oom_message message;
    while (mf_kernellog_next_oom(&recorder->kernel_log, &message) == 1) {
        if (recorder->logged_count < MF_ARRAY_LEN(recorder->logged)) {
            recorder->logged[recorder->logged_count++] = message;
        }
        if (mf__processes_find(recorder->processes, message.pid) != NULL) {
            write_oom(recorder, &message, "kernel log");
        }
    }
    const uint64_t kills = recorder->sampler.cgroup_figures.oom_kills;
    if (recorder->sampler.cgroup != NULL && kills != MF_CGROUP_UNKNOWN &&
        kills > recorder->told_oom_kills) {
        recorder->told_oom_kills = kills;
        write_oom(recorder, NULL, "cgroup");
    }
}

/* ---- output ---- */

bool mf__pumps_run(struct mf_recorder *recorder)
{
    bool run = false;
    for (unsigned i = 0; i < recorder->pump_count; i++) {
        struct mf_pump *pump = &recorder->pumps[i];
        const enum mf_pump_state state = atomic_load(&pump->state);
        run = run || state == MF_PUMP_RUNNING;
        if (state == MF_PUMP_GONE && !recorder->pump_gone_told[i]) {
            recorder->pump_gone_told[i] = true;
            (void)mf__events_begin(&recorder->events, now_ns(recorder), "output.gone",
                                   recorder->start_event, 0);
            mf_json_key_string(&recorder->events.json, "stream",
                               mf_flight_stream_name(pump->stream));
            mf_json_key_string(&recorder->events.json, "why", strerror(atomic_load(&pump->error)));
            mf__events_end(&recorder->events);
        }
    }
    return run;
}

void mf__recorder_check_limit(struct mf_recorder *recorder)
{
    const int stream = mf__output_limited(recorder->output);
    if (stream >= 0 && !recorder->limit_told) {
        recorder->limit_told = true;
        (void)mf__events_begin(&recorder->events, now_ns(recorder), "output.limit",
                               recorder->start_event, 0);
        mf_json_key_string(&recorder->events.json, "stream",
                           mf_flight_stream_name((enum mf_flight_stream)stream));
        mf_json_key_uint(&recorder->events.json, "limit_bytes",
                         recorder->options.output_limit_bytes);
        mf__events_end(&recorder->events);
    }
}

static void read_event_pipe(struct mf_recorder *recorder)
{
    char bytes[16384];
    size_t len = 0;
    const int ret = mf_fd_read(recorder->event_pipe[0], bytes, sizeof bytes, &len);
    if (ret == 0 && len > 0) {
        mf__user_events_take(recorder->user, now_ns(recorder), bytes, len);
    } else if (ret != -EAGAIN) {
        mf_fd_close(&recorder->event_pipe[0]);
    }
}

bool mf__recorder_told_to_end(struct mf_recorder *recorder)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    take_signals(recorder);
    bool told = recorder->leave_now || recorder->term_ns >= 0;
    for (size_t i = 0; i < MF_ARRAY_LEN(ends); i++) {
        told = told || recorder->forwarded_signal == ends[i];
    }
    return told;
}

/* ---- the loop ---- */

static void tick(struct mf_recorder *recorder, int64_t t_ns)
{
    recorder->netlink_spent_ns = 0;
    recorder->continued = false;
    (void)mf__recorder_drain(recorder);
    mf__sample(&recorder->sampler, t_ns, false);
    mf__threads_sample(recorder->threads, t_ns);
    mf__processes_settle(recorder->processes);
    mf__recorder_look_for_oom(recorder);
    check_hang(recorder, t_ns);
    mf__recorder_check_limit(recorder);
    mf__terminal_enter(recorder); /* a shell does not tell a running job that it is in front now */
    /* Ticks that were missed (the machine slept, we were stopped) are not made up for. */
    recorder->next_tick_ns += recorder->options.interval_ns;
    if (recorder->next_tick_ns <= t_ns) {
        recorder->next_tick_ns =
            t_ns - t_ns % recorder->options.interval_ns + recorder->options.interval_ns;
    }
}

/* Whether somebody is still waited for. */
static bool waiting(struct mf_recorder *recorder, int64_t t_ns)
{
    const bool output_open = mf__pumps_run(recorder);
    if (!recorder->ended) {
        return true;
    }
    if (recorder->leave_now) {
        return false;
    }
    const bool kill = recorder->options.leftover == MF_LEFTOVER_KILL || recorder->term_ns >= 0;
    if (kill && recorder->kill_ns < 0 && recorder->term_ns < 0) {
        recorder->kill_ns = t_ns;
        mf__sampler_scan(&recorder->sampler, t_ns);
        signal_tree(recorder, SIGKILL);
    }
    const bool alive = mf__processes_totals(recorder->processes)->alive > 0;
    if (kill) {
        const int64_t since_ns = recorder->kill_ns >= 0 ? recorder->kill_ns : INT64_MAX / 2;
        return (output_open || alive) && t_ns < since_ns + KILL_WAIT_NS;
    }
    if (recorder->options.leftover == MF_LEFTOVER_WAIT) {
        return output_open || alive;
    }
    return output_open && t_ns < recorder->ended_ns + recorder->options.grace_ns;
}

static int64_t time_to_wait(const struct mf_recorder *recorder, int64_t t_ns)
{
    int64_t until_ns = recorder->next_tick_ns;
    if (recorder->options.timeout_ns > 0 && recorder->term_ns < 0 && !recorder->ended &&
        recorder->options.timeout_ns < until_ns) {
        until_ns = recorder->options.timeout_ns;
    }
    const int64_t due_ns = mf__threads_due_ns(recorder->threads);
    until_ns = due_ns < until_ns ? due_ns : until_ns;
    if (recorder->connector != NULL && recorder->netlink_resume_ns > t_ns &&
        recorder->netlink_resume_ns < until_ns) {
        until_ns = recorder->netlink_resume_ns;
    }
    return until_ns > t_ns ? until_ns - t_ns : 0;
}

void mf__recorder_loop(struct mf_recorder *recorder)
{
    struct mf_terminal_link *link = &recorder->terminal;
    recorder->next_tick_ns = recorder->options.interval_ns;
    for (;;) {
        int64_t t_ns = now_ns(recorder);
        const bool typed = link->active && link->typed_len > 0;
        enum { SIGNALS, EVENTS, MONITOR, USER, NOTIFY, TYPING, MASTER, ITEMS };
        struct mf_poll_item items[ITEMS] = {
            [SIGNALS] = {.descriptor = recorder->signals.descriptor, .want_read = true},
            [EVENTS] = {.descriptor =
                            recorder->connector != NULL && t_ns >= recorder->netlink_resume_ns
                                ? mf_procevents_descriptor(recorder->connector)
                                : -1,
                        .want_read = true},
            [MONITOR] = {.descriptor = recorder->child.monitor, .want_read = true},
            [USER] = {.descriptor = recorder->event_pipe[0], .want_read = true},
            [NOTIFY] = {.descriptor = recorder->notify, .want_read = true},
            [TYPING] = {.descriptor = link->raw && link->active && !typed ? STDIN_FILENO : -1,
                        .want_read = true},
            [MASTER] = {.descriptor = typed ? link->master : -1, .want_write = true},
        };
        (void)mf_fd_poll(items, ITEMS, time_to_wait(recorder, t_ns));
        if (items[SIGNALS].ret_readable) {
            take_signals(recorder);
        }
        if (items[EVENTS].ret_readable) {
            drain_in_time(recorder);
        }
        if (items[SIGNALS].ret_readable || items[MONITOR].ret_readable) {
            mf__recorder_reap(recorder);
        }
        if (items[USER].ret_readable) {
            read_event_pipe(recorder);
        }
        if (items[NOTIFY].ret_readable) {
            mf_fd_event_clear(recorder->notify);
        }
        if (items[TYPING].ret_readable) {
            mf__terminal_read(recorder);
        }
        if (items[MASTER].ret_writable) {
            mf__terminal_write(recorder);
        }
        t_ns = now_ns(recorder);
        check_timeout(recorder, t_ns);
        if (t_ns >= recorder->next_tick_ns) {
            tick(recorder, t_ns);
        } else if (t_ns >= mf__threads_due_ns(recorder->threads)) {
            mf__threads_check(recorder->threads);
        }
        if (!waiting(recorder, t_ns)) {
            break;
        }
    }
    while (recorder->event_pipe[0] >= 0) { /* what was written before the end */
        const uint64_t before = recorder->user->total + recorder->user->len;
        read_event_pipe(recorder);
        if (before == recorder->user->total + recorder->user->len) {
            break;
        }
    }
    mf__terminal_leave(recorder);
}
