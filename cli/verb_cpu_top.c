/* SPDX-License-Identifier: Apache-2.0
 * verb_cpu_top.c -- mayfly cpu top: the threads of the machine, of a process tree or of a flight,
 * by what they use. */
#include "cli.h"
#include "cpu_target.h"

#include "base/heap.h"
#include "fmt/json_write.h"
#include "fmt/table.h"
#include "fmt/units.h"
#include "os/clock.h"
#include "os/screen.h"
#include "os/signals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MAX 1000
#define HEAD     2 /* lines above the table, and its titles */

enum top_order { BY_CPU, BY_WAIT, BY_TOTAL };

struct top_thread {
    struct mf_watch_thread thread;
    char comm[MF_PROC_COMM_LEN];
};

struct cpu_top {
    struct cli_context *cli;
    struct mf_watch_tree *tree;
    enum top_order order;
    struct top_thread *threads;
    size_t count, capacity;
    bool out_of_memory;
    struct mf_watch_totals before, now;
    int64_t wall_ns; /* of the interval */
    int64_t sampled_ns;
};

static uint64_t on_violation(void *context, const struct mf_watch_violation *violation)
{
    (void)context;
    (void)violation;
    return 0; /* there are no budgets */
}

/* ---- data ---- */

static void keep_thread(void *context, const struct mf_watch_thread *thread)
{
    struct cpu_top *top = context;
    if (top->count == top->capacity) {
        const size_t capacity = top->capacity * 2 + 256;
        struct top_thread *threads = mf_realloc(top->threads, capacity * sizeof *threads);
        if (threads == NULL) {
            top->out_of_memory = true;
            return;
        }
        top->threads = threads;
        top->capacity = capacity;
    }
    struct top_thread *kept = &top->threads[top->count++];
    kept->thread = *thread;
    snprintf(kept->comm, sizeof kept->comm, "%s", thread->comm);
}

static int compare(uint64_t x, uint64_t y)
{
    return (x < y) - (x > y);
}

static int by_cpu(const void *a, const void *b)
{
    const struct top_thread *x = a;
    const struct top_thread *y = b;
    const int order = compare(x->thread.last_cpu_ns, y->thread.last_cpu_ns);
    return order != 0 ? order : (x->thread.tid > y->thread.tid) - (x->thread.tid < y->thread.tid);
}

static int by_wait(const void *a, const void *b)
{
    const int order = compare(((const struct top_thread *)a)->thread.last_wait_ns,
                              ((const struct top_thread *)b)->thread.last_wait_ns);
    return order != 0 ? order : by_cpu(a, b);
}

static int by_total(const void *a, const void *b)
{
    const int order = compare(((const struct top_thread *)a)->thread.figures.cpu_ns,
                              ((const struct top_thread *)b)->thread.figures.cpu_ns);
    return order != 0 ? order : by_cpu(a, b);
}

static int look(struct cpu_top *top)
{
    static int (*const orders[])(const void *, const void *) = {by_cpu, by_wait, by_total};
    const int64_t t_ns = mf_clock_monotonic_ns(NULL);
    top->before = top->now;
    mf_watch_tree_sample(top->tree);
    mf_watch_totals(mf_watch_tree_watch(top->tree), &top->now);
    top->wall_ns = t_ns > top->sampled_ns ? t_ns - top->sampled_ns : 1;
    top->sampled_ns = t_ns;
    top->count = 0;
    mf_watch_each(mf_watch_tree_watch(top->tree), keep_thread, top);
    if (top->count > 0) {
        qsort(top->threads, top->count, sizeof *top->threads, orders[top->order]);
    }
    return top->out_of_memory ? mf_fail(&top->cli->err, -ENOMEM, "out of memory") : 0;
}

/* ---- output ---- */

static double share(const struct cpu_top *top, uint64_t ns)
{
    return 100 * (double)ns / (double)top->wall_ns;
}

static uint64_t unseen(const struct cpu_top *top)
{
    return top->now.unattributed_ns > top->before.unattributed_ns
               ? top->now.unattributed_ns - top->before.unattributed_ns
               : 0;
}

static void put_head(const struct cpu_top *top, struct mf_buffer *out)
{
    const double wall = (double)top->wall_ns;
    mf_buffer_printf(out, "%llu threads of %zu processes: %.2f cores, %.2f waiting",
                     (unsigned long long)top->now.alive, mf_watch_tree_processes(top->tree),
                     (double)(top->now.figures.cpu_ns - top->before.figures.cpu_ns) / wall,
                     (double)(top->now.figures.wait_ns - top->before.figures.wait_ns) / wall);
    if (share(top, unseen(top)) >= 1) {
        mf_buffer_printf(out, ", %.2f cores of threads that nobody saw",
                         (double)unseen(top) / wall);
    }
    mf_buffer_putc(out, '\n');
}

static void put_table(const struct cpu_top *top, struct mf_buffer *out, size_t rows, int columns)
{
    static const struct mf_column titles[] = {
        {"PID", MF_ALIGN_RIGHT, 0},   {"TID", MF_ALIGN_RIGHT, 0}, {"%CPU", MF_ALIGN_RIGHT, 0},
        {"%WAIT", MF_ALIGN_RIGHT, 0}, {"CPU", MF_ALIGN_RIGHT, 0}, {"SLICES", MF_ALIGN_RIGHT, 0},
        {"THREAD", MF_ALIGN_LEFT, 8},
    };
    struct mf_table table;
    char text[MF_UNITS_LEN];
    mf_table_init(&table, titles, MF_ARRAY_LEN(titles));
    for (size_t i = 0; i < top->count && i < rows; i++) {
        const struct mf_watch_thread *thread = &top->threads[i].thread;
        mf_table_cellf(&table, "%d", thread->pid);
        mf_table_cellf(&table, "%d", thread->tid);
        mf_table_cellf(&table, "%.1f", share(top, thread->last_cpu_ns));
        mf_table_cellf(&table, "%.1f", share(top, thread->last_wait_ns));
        mf_table_cell(&table, mf_format_duration(text, (int64_t)thread->figures.cpu_ns));
        mf_table_cellf(&table, "%llu", (unsigned long long)thread->figures.slices);
        mf_table_cell(&table, top->threads[i].comm);
    }
    mf_table_write(&table, out, columns, cli_colored(top->cli));
    mf_table_free(&table);
}

static void put_json(const struct cpu_top *top, struct mf_buffer *out)
{
    struct mf_json json;
    const char *sentence = NULL;
    mf_json_init(&json, out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "wall_ns", top->wall_ns);
    mf_json_key_uint(&json, "processes", mf_watch_tree_processes(top->tree));
    mf_json_key_uint(&json, "thread_count", top->now.alive);
    mf_json_key_uint(&json, "cpu_ns", top->now.figures.cpu_ns - top->before.figures.cpu_ns);
    mf_json_key_uint(&json, "wait_ns", top->now.figures.wait_ns - top->before.figures.wait_ns);
    mf_json_key_uint(&json, "unattributed_ns", unseen(top));
    mf_json_key(&json, "blind");
    mf_json_begin_array(&json);
    for (unsigned i = 0; (sentence = mf_watch_tree_blind(top->tree, i)) != NULL; i++) {
        mf_json_string(&json, sentence);
    }
    mf_json_end_array(&json);
    mf_json_key(&json, "threads");
    mf_json_begin_array(&json);
    for (size_t i = 0; i < top->count && i < JSON_MAX; i++) {
        const struct mf_watch_thread *thread = &top->threads[i].thread;
        mf_json_begin_object(&json);
        mf_json_key_int(&json, "pid", thread->pid);
        mf_json_key_int(&json, "tid", thread->tid);
        mf_json_key_string(&json, "thread", top->threads[i].comm);
        mf_json_key_uint(&json, "cpu_ns", thread->last_cpu_ns);
        mf_json_key_uint(&json, "wait_ns", thread->last_wait_ns);
        mf_json_key_uint(&json, "total_cpu_ns", thread->figures.cpu_ns);
        mf_json_key_uint(&json, "total_wait_ns", thread->figures.wait_ns);
        mf_json_key_uint(&json, "slices", thread->figures.slices);
        mf_json_key_uint(&json, "switches_voluntary", thread->figures.switches_voluntary);
        mf_json_key_uint(&json, "switches_involuntary", thread->figures.switches_involuntary);
        mf_json_end_object(&json);
    }
    mf_json_end_array(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

/* ---- once, and live ---- */

static int run_once(struct cpu_top *top)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    const char *sentence = NULL;
    int rc = look(top);
    (void)mf_clock_sleep_until_ns(top->sampled_ns + cli_int(top->cli, "interval"));
    rc = rc == 0 ? look(top) : rc;
    if (rc < 0) {
        return rc;
    }
    if (top->cli->json) {
        put_json(top, &out);
    } else {
        for (unsigned i = 0; (sentence = mf_watch_tree_blind(top->tree, i)) != NULL; i++) {
            cli_note("%s", sentence);
        }
        put_head(top, &out);
        put_table(top, &out, (size_t)cli_int(top->cli, "rows"), cli_columns());
    }
    return cli_print(top->cli, &out);
}

static int draw(struct cpu_top *top, struct mf_screen *screen)
{
    struct mf_buffer frame = MF_BUFFER_INIT;
    size_t rows = 0;
    size_t columns = 0;
    mf_screen_size(screen, &rows, &columns);
    if (columns < 60 || rows < 4) {
        mf_buffer_puts(&frame, "at least 60 x 4");
    } else {
        put_head(top, &frame);
        put_table(top, &frame, rows > HEAD + 1 ? rows - HEAD - 1 : 0, (int)columns);
        mf_buffer_puts(&frame, "q quit  c by CPU  w by waiting  t by CPU so far");
    }
    const int rc = frame.failed ? mf_fail(&top->cli->err, -ENOMEM, "out of memory")
                                : mf_screen_show(screen, frame.data, frame.len);
    mf_buffer_free(&frame);
    return rc;
}

/* Whether the view goes on. */
static bool press(struct cpu_top *top, uint32_t key)
{
    top->order = key == 'c' ? BY_CPU : key == 'w' ? BY_WAIT : key == 't' ? BY_TOTAL : top->order;
    return key != 'q' && key != 3 && key != MF_KEY_END_OF_INPUT;
}

static int watch(struct cpu_top *top, struct mf_screen *screen)
{
    const int64_t interval_ns = cli_int(top->cli, "interval");
    int rc = look(top);
    while (rc == 0) {
        rc = draw(top, screen);
        const int64_t left_ns = top->sampled_ns + interval_ns - mf_clock_monotonic_ns(NULL);
        const uint32_t key = rc == 0 ? mf_screen_next(screen, left_ns > 0 ? left_ns : 0) : 'q';
        if (key == MF_KEY_NONE) {
            rc = look(top);
        } else if (!press(top, key)) {
            break;
        }
        if (mf_watch_tree_processes(top->tree) == 0) {
            break;
        }
    }
    return rc == -EPIPE ? 0 : rc; /* the terminal is gone, and nobody to tell */
}

static int run_live(struct cpu_top *top)
{
    struct mf_screen *screen = NULL;
    int rc = mf_screen_open(&screen, &top->cli->err);
    if (rc == MF_EUNSUPPORTED) {
        return mf_fail(&top->cli->err, rc,
                       "the live view needs a terminal; --once prints one table as text");
    }
    if (rc < 0) {
        return rc;
    }
    rc = watch(top, screen);
    const int signal = mf_screen_close(screen);
    if (signal != 0) {
        mf_die_of(signal);
    }
    return rc;
}

static int run(struct cli_context *cli)
{
    struct cpu_top top = {.cli = cli};
    const struct mf_watch_spec spec = {.on_violation = on_violation, .context = &top};
    static const enum top_order orders[] = {BY_CPU, BY_WAIT, BY_TOTAL};
    top.order = orders[cli_choice(cli, "sort")];
    int rc = cpu_target_open(cli, true, &spec, &top.tree);
    if (rc != 0) {
        return rc;
    }
    rc = cli_flag(cli, "once") || cli->json ? run_once(&top) : run_live(&top);
    mf_watch_tree_free(top.tree);
    mf_free(top.threads);
    return rc;
}

const struct cli_verb verb_cpu_top = {
    .name = "top",
    .summary = "The threads of the machine, of a process or of a flight, by CPU time",
    .description =
        "%CPU and %WAIT are of the last interval, 100 being one processor; a thread waits when it "
        "could run and all processors are taken. CPU and SLICES count from the begin of the view.",
    .options =
        (const struct cli_option[]){
            CPU_TARGET_OPTIONS,
            {.name = "once",
             .kind = CLI_FLAG,
             .help = "Look for one interval, print the table and end (--json does so too)"},
            {.name = "sort",
             .letter = 's',
             .kind = CLI_CHOICE,
             .metavar = "KEY",
             .choices = "cpu|wait|total",
             .default_text = "cpu",
             .help = "Order at first"},
            {.name = "rows",
             .kind = CLI_INT,
             .metavar = "N",
             .default_text = "20",
             .min = 1,
             .max = 100000,
             .help = "With --once: threads that are shown"},
            {.name = "interval",
             .letter = 'i',
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .default_text = "1s",
             .min = 50 * MF_NS_PER_MS,
             .max = 3600 * MF_NS_PER_SECOND,
             .help = "Between two looks"},
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "PID",
             .optional = true,
             .help = "A process with its descendants (default: the machine)"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly cpu top", "The busiest threads of the machine."},
            {"mayfly cpu top --flight latest --once", "Of the newest flight, as text."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
