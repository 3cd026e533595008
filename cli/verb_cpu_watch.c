/* SPDX-License-Identifier: Apache-2.0
 * verb_cpu_watch.c -- mayfly cpu watch: threads of other processes as they run, line by line, and
 * budgets for them. */
#include "cli.h"
#include "cpu_target.h"

#include "base/heap.h"
#include "fmt/json_write.h"
#include "fmt/terminal.h"
#include "fmt/units.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/signals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSIEST_TEXT 4
#define BUSIEST_JSON 64

struct line_thread {
    struct mf_watch_thread thread;
    char comm[MF_PROC_COMM_LEN];
};

struct watching {
    struct cli_context *cli;
    struct mf_watch_tree *tree;
    int64_t started_ns;
    uint64_t violations;
    uint64_t last_cpu_ns, last_wait_ns, last_rest_ns;
    int64_t last_ns;
    struct line_thread *threads; /* of this interval, the busiest first */
    size_t thread_count, thread_capacity;
    bool out_of_memory;
};

/* ---- output ---- */

static void write_line(struct watching *w, struct mf_buffer *line)
{
    w->out_of_memory = w->out_of_memory || line->failed;
    if (!line->failed) {
        fwrite(line->data, 1, line->len, stdout);
        fflush(stdout);
    }
    mf_buffer_free(line);
}

static void begin_json(struct mf_json *json, struct mf_buffer *line, const char *kind, int64_t t_ns)
{
    mf_json_init(json, line, MF_JSON_COMPACT);
    mf_json_begin_object(json);
    mf_json_key_string(json, "kind", kind);
    mf_json_key_int(json, "t_ns", t_ns);
}

static void end_json(struct mf_json *json)
{
    mf_json_end_object(json);
    mf_json_finish(json);
}

static void put_moment(const struct watching *w, struct mf_buffer *line, int64_t monotonic_ns)
{
    mf_buffer_printf(line, "%8.2f s  ", (double)(monotonic_ns - w->started_ns) / 1e9);
}

static void put_violation(struct mf_buffer *line, const struct mf_watch_violation *violation)
{
    char cpu[MF_UNITS_LEN];
    char wall[MF_UNITS_LEN];
    if (violation->budget->together) {
        mf_buffer_puts(line, "all together");
    } else {
        mf_buffer_puts(line, "thread ");
        mf_terminal_escape(line, violation->comm, strlen(violation->comm));
        mf_buffer_printf(line, " (tid %d) of process %d", violation->tid, violation->pid);
    }
    if (violation->ended) {
        mf_buffer_printf(line, " keeps its budget again, after %s of CPU time in %s",
                         mf_format_duration(cpu, (int64_t)violation->over_ns),
                         mf_format_duration(wall, violation->lasted_ns));
        return;
    }
    mf_buffer_printf(line, " used %s within %s, more than ",
                     mf_format_duration(cpu, (int64_t)violation->cpu_ns),
                     mf_format_duration(wall, violation->wall_ns));
    mf_watch_budget_write(violation->budget, line);
}

static void json_violation(struct mf_json *json, const struct mf_watch_violation *violation)
{
    struct mf_buffer budget = MF_BUFFER_INIT;
    mf_watch_budget_write(violation->budget, &budget);
    mf_json_key_string(json, "budget", budget.data != NULL ? budget.data : "");
    mf_buffer_free(&budget);
    mf_json_key_int(json, "pid", violation->pid);
    mf_json_key_int(json, "tid", violation->tid);
    mf_json_key_string(json, "thread", violation->comm);
    if (violation->ended) {
        mf_json_key_uint(json, "cpu_ns", violation->over_ns);
        mf_json_key_int(json, "lasted_ns", violation->lasted_ns);
        return;
    }
    mf_json_key_uint(json, "cpu_ns", violation->cpu_ns);
    mf_json_key_int(json, "wall_ns", violation->wall_ns);
    mf_json_key_uint(json, "excess_ns", violation->excess_ns);
    if (violation->proc != NULL && violation->tid != 0 && !violation->thread_ended) {
        struct mf_watch_evidence evidence;
        mf_watch_look_at(violation->proc, violation->tid, &evidence);
        mf_json_key_string(json, "syscall", evidence.system_call);
        mf_json_key_string(json, "wchan", evidence.wait);
        mf_json_key_string(json, "stack", evidence.stack);
        mf_json_key_string(json, "denied", evidence.denied);
    }
}

static uint64_t on_violation(void *context, const struct mf_watch_violation *violation)
{
    struct watching *w = context;
    struct mf_buffer line = MF_BUFFER_INIT;
    w->violations += !violation->ended;
    if (w->cli->json) {
        struct mf_json json;
        begin_json(&json, &line, violation->ended ? "violation.end" : "violation",
                   violation->t_ns - w->started_ns);
        json_violation(&json, violation);
        end_json(&json);
    } else {
        put_moment(w, &line, violation->t_ns);
        put_violation(&line, violation);
        mf_buffer_putc(&line, '\n');
    }
    write_line(w, &line);
    return w->violations;
}

/* ---- an interval ---- */

static void keep_thread(void *context, const struct mf_watch_thread *thread)
{
    struct watching *w = context;
    if (thread->last_cpu_ns == 0 && thread->last_wait_ns == 0) {
        return;
    }
    if (w->thread_count == w->thread_capacity) {
        const size_t capacity = w->thread_capacity * 2 + 64;
        struct line_thread *threads = mf_realloc(w->threads, capacity * sizeof *threads);
        if (threads == NULL) {
            w->out_of_memory = true;
            return;
        }
        w->threads = threads;
        w->thread_capacity = capacity;
    }
    struct line_thread *kept = &w->threads[w->thread_count++];
    kept->thread = *thread;
    snprintf(kept->comm, sizeof kept->comm, "%s", thread->comm);
}

static int by_cpu(const void *a, const void *b)
{
    const struct line_thread *x = a;
    const struct line_thread *y = b;
    return (x->thread.last_cpu_ns < y->thread.last_cpu_ns) -
           (x->thread.last_cpu_ns > y->thread.last_cpu_ns);
}

static void json_sample(struct watching *w, struct mf_json *json,
                        const struct mf_watch_totals *totals, int64_t wall_ns)
{
    mf_json_key_int(json, "wall_ns", wall_ns);
    mf_json_key_uint(json, "cpu_ns", totals->figures.cpu_ns - w->last_cpu_ns);
    mf_json_key_uint(json, "wait_ns", totals->figures.wait_ns - w->last_wait_ns);
    mf_json_key_uint(json, "total_cpu_ns", totals->cpu_ns);
    mf_json_key_uint(json, "total_unattributed_ns", totals->unattributed_ns);
    mf_json_key_uint(json, "alive", totals->alive);
    mf_json_key(json, "threads");
    mf_json_begin_array(json);
    for (size_t i = 0; i < w->thread_count && i < BUSIEST_JSON; i++) {
        const struct mf_watch_thread *thread = &w->threads[i].thread;
        mf_json_begin_object(json);
        mf_json_key_int(json, "pid", thread->pid);
        mf_json_key_int(json, "tid", thread->tid);
        mf_json_key_string(json, "thread", w->threads[i].comm);
        mf_json_key_uint(json, "cpu_ns", thread->last_cpu_ns);
        mf_json_key_uint(json, "wait_ns", thread->last_wait_ns);
        mf_json_key_uint(json, "total_cpu_ns", thread->figures.cpu_ns);
        mf_json_end_object(json);
    }
    mf_json_end_array(json);
}

static void put_sample(struct watching *w, struct mf_buffer *line,
                       const struct mf_watch_totals *totals, int64_t wall_ns)
{
    const double wall = wall_ns > 0 ? (double)wall_ns : 1;
    const uint64_t rest_ns =
        totals->unattributed_ns > w->last_rest_ns ? totals->unattributed_ns - w->last_rest_ns : 0;
    mf_buffer_printf(line, "%5.2f cores  %5.2f waiting  %llu threads",
                     (double)(totals->figures.cpu_ns - w->last_cpu_ns) / wall,
                     (double)(totals->figures.wait_ns - w->last_wait_ns) / wall,
                     (unsigned long long)totals->alive);
    if ((double)rest_ns / wall >= 0.01) {
        mf_buffer_printf(line, "  %.2f cores of threads that nobody saw", (double)rest_ns / wall);
    }
    for (size_t i = 0; i < w->thread_count && i < BUSIEST_TEXT; i++) {
        const struct line_thread *one = &w->threads[i];
        mf_buffer_puts(line, i == 0 ? "  " : ", ");
        mf_terminal_escape(line, one->comm, strlen(one->comm));
        mf_buffer_printf(line, " %.0f %%", 100 * (double)one->thread.last_cpu_ns / wall);
    }
    mf_buffer_putc(line, '\n');
}

static void write_sample(struct watching *w, int64_t t_ns)
{
    struct mf_buffer line = MF_BUFFER_INIT;
    struct mf_watch_totals totals;
    struct mf_watch *watch = mf_watch_tree_watch(w->tree);
    mf_watch_totals(watch, &totals);
    w->thread_count = 0;
    mf_watch_each(watch, keep_thread, w);
    if (w->thread_count > 0) {
        qsort(w->threads, w->thread_count, sizeof *w->threads, by_cpu);
    }
    if (w->cli->json) {
        struct mf_json json;
        begin_json(&json, &line, "sample", t_ns - w->started_ns);
        json_sample(w, &json, &totals, t_ns - w->last_ns);
        end_json(&json);
    } else {
        put_moment(w, &line, t_ns);
        put_sample(w, &line, &totals, t_ns - w->last_ns);
    }
    write_line(w, &line);
    w->last_cpu_ns = totals.figures.cpu_ns;
    w->last_wait_ns = totals.figures.wait_ns;
    w->last_rest_ns = totals.unattributed_ns;
    w->last_ns = t_ns;
}

static void write_start(struct watching *w)
{
    struct mf_buffer line = MF_BUFFER_INIT;
    const char *sentence = NULL;
    if (!w->cli->json) {
        for (unsigned i = 0; (sentence = mf_watch_tree_blind(w->tree, i)) != NULL; i++) {
            cli_note("%s", sentence);
        }
        return;
    }
    struct mf_json json;
    begin_json(&json, &line, "start", 0);
    mf_json_key_uint(&json, "processes", mf_watch_tree_processes(w->tree));
    mf_json_key(&json, "blind");
    mf_json_begin_array(&json);
    for (unsigned i = 0; (sentence = mf_watch_tree_blind(w->tree, i)) != NULL; i++) {
        mf_json_string(&json, sentence);
    }
    mf_json_end_array(&json);
    end_json(&json);
    write_line(w, &line);
}

static void write_end(struct watching *w, const char *why)
{
    struct mf_buffer line = MF_BUFFER_INIT;
    struct mf_watch_totals totals;
    char cpu[MF_UNITS_LEN];
    char rest[MF_UNITS_LEN];
    mf_watch_totals(mf_watch_tree_watch(w->tree), &totals);
    if (w->cli->json) {
        struct mf_json json;
        begin_json(&json, &line, "end", mf_clock_monotonic_ns(NULL) - w->started_ns);
        mf_json_key_string(&json, "why", why);
        mf_json_key_uint(&json, "cpu_ns", totals.cpu_ns);
        mf_json_key_uint(&json, "unattributed_ns", totals.unattributed_ns);
        mf_json_key_uint(&json, "threads", totals.threads);
        mf_json_key_uint(&json, "violations", totals.violations);
        mf_json_key_uint(&json, "lost", mf_watch_tree_lost(w->tree));
        end_json(&json);
    } else {
        mf_buffer_printf(
            &line, "%s: %llu threads used %s, of which %s by threads that nobody saw\n", why,
            (unsigned long long)totals.threads, mf_format_duration(cpu, (int64_t)totals.cpu_ns),
            mf_format_duration(rest, (int64_t)totals.unattributed_ns));
    }
    write_line(w, &line);
}

/* ---- the loop ---- */

static bool told_to_end(struct mf_signals *signals)
{
    struct mf_signal signal;
    bool end = false;
    while (mf_signals_next(signals, &signal) == 1) {
        end = end || signal.number == SIGINT || signal.number == SIGTERM || signal.number == SIGHUP;
    }
    return end;
}

static const char *go_on(struct watching *w, struct mf_signals *signals)
{
    struct mf_watch *watch = mf_watch_tree_watch(w->tree);
    const int64_t interval_ns = cli_int(w->cli, "interval");
    const int64_t duration_ns =
        cli_flag(w->cli, "once") ? interval_ns : cli_int(w->cli, "duration");
    const int64_t until_ns = duration_ns > 0 ? w->started_ns + duration_ns : INT64_MAX;
    int64_t sample_ns = w->started_ns + interval_ns;
    for (;;) {
        int64_t t_ns = mf_clock_monotonic_ns(NULL);
        int64_t due_ns = mf_watch_due_ns(watch) < sample_ns ? mf_watch_due_ns(watch) : sample_ns;
        due_ns = until_ns < due_ns ? until_ns : due_ns;
        struct mf_poll_item item = {.descriptor = signals->descriptor, .want_read = true};
        (void)mf_fd_poll(&item, 1, due_ns > t_ns ? due_ns - t_ns : 0);
        t_ns = mf_clock_monotonic_ns(NULL);
        const bool end = item.ret_readable && told_to_end(signals);
        if (t_ns >= sample_ns || t_ns >= until_ns || end) {
            mf_watch_tree_sample(w->tree);
            write_sample(w, t_ns);
            sample_ns = t_ns + interval_ns;
        } else if (t_ns >= mf_watch_due_ns(watch)) {
            mf_watch_check(watch);
        }
        if (end || t_ns >= until_ns) {
            return end ? "stopped" : "time is over";
        }
        if (mf_watch_tree_processes(w->tree) == 0) {
            return "all processes have ended";
        }
        if (ferror(stdout) || w->out_of_memory) {
            return "nobody listens";
        }
    }
}

static int parse_budgets(struct cli_context *cli, struct mf_watch_budget *budgets,
                         size_t *ret_count)
{
    const int count = cli_count(cli, "budget");
    if (count > MF_WATCH_BUDGETS_MAX) {
        return cli_usage(cli, "at most %d budgets", MF_WATCH_BUDGETS_MAX);
    }
    for (int i = 0; i < count; i++) {
        if (mf_watch_budget_parse(cli_string_at(cli, "budget", i), &budgets[i], &cli->err) < 0) {
            return cli_usage(cli, "%s", cli->err.msg);
        }
        if (budgets[i].action != MF_WATCH_MARK) {
            return cli_usage(cli, "only looks: an action is for mayfly run --cpu-budget");
        }
    }
    *ret_count = (size_t)count;
    return 0;
}

static int run(struct cli_context *cli)
{
    struct mf_watch_budget budgets[MF_WATCH_BUDGETS_MAX];
    struct watching w = {.cli = cli};
    struct mf_signals signals;
    struct mf_watch_spec spec = {.budgets = budgets, .on_violation = on_violation, .context = &w};
    int rc = parse_budgets(cli, budgets, &spec.budget_count);
    if (rc != 0) {
        return rc;
    }
    w.started_ns = w.last_ns = mf_clock_monotonic_ns(NULL);
    rc = cpu_target_open(cli, false, &spec, &w.tree);
    if (rc != 0) {
        return rc;
    }
    rc = mf_signals_open(&signals, &cli->err);
    if (rc == 0) {
        write_start(&w);
        write_end(&w, go_on(&w, &signals));
        mf_signals_close(&signals);
        rc = w.out_of_memory ? mf_fail(&cli->err, -ENOMEM, "out of memory") : 0;
    }
    mf_watch_tree_free(w.tree);
    mf_free(w.threads);
    return rc == 0 && w.violations > 0 ? CLI_EXIT_NEGATIVE : rc;
}

const struct cli_verb verb_cpu_watch = {
    .name = "watch",
    .summary = "Watch the threads of a process tree, and budgets for their CPU time",
    .description =
        "A line per interval: processors in use, threads that waited for one, and the busiest "
        "threads; and a line when a budget begins to be exceeded and when it is kept again. What "
        "the threads used before is not counted. It changes nothing in what it looks at, and ends "
        "with it.\n\n"
        "What cannot be seen is said at first. The exit code is 1 when a budget was exceeded.",
    .options =
        (const struct cli_option[]){
            CPU_TARGET_OPTIONS,
            {.name = "budget",
             .letter = 'b',
             .kind = CLI_STRING,
             .repeatable = true,
             .metavar = "TIME/TIME[,...]",
             .help = "As --cpu-budget of mayfly run: 50ms/100ms, and what may follow: "
                     ",thread=PATTERN ,of=each|all"},
            {.name = "interval",
             .letter = 'i',
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .default_text = "1s",
             .min = 10 * MF_NS_PER_MS,
             .max = 3600 * MF_NS_PER_SECOND,
             .help = "Between two lines"},
            {.name = "duration",
             .letter = 'd',
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .help = "End after this time (default: when the last process ends)"},
            {.name = "once", .kind = CLI_FLAG, .help = "End after one interval"},
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "PID", .optional = true, .help = "A process, watched with its descendants"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly cpu watch 4711 --budget 50ms/100ms", "Who hogs a processor?"},
            {"mayfly cpu watch --flight latest --json", "For a program to read"},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
