/* SPDX-License-Identifier: Apache-2.0
 * verb_cpu_bench.c -- mayfly cpu bench: what scopes cost here, and what is seen of bursts. */
#include "cli.h"
#include "cpu_measure.h"

#include "fmt/json_write.h"
#include "fmt/table.h"
#include "fmt/units.h"

#include <stdio.h>

#define US INT64_C(1000)

static const struct mf_column cost_columns[] = {{"COST", MF_ALIGN_LEFT, 0},
                                                {"EACH", MF_ALIGN_RIGHT, 0}};
static const struct mf_column burst_columns[] = {
    {"WORK", MF_ALIGN_LEFT, 0},    {"THREADS", MF_ALIGN_RIGHT, 0},  {"BUDGET", MF_ALIGN_RIGHT, 0},
    {"BURST", MF_ALIGN_RIGHT, 0},  {"OVER", MF_ALIGN_RIGHT, 0},     {"DURING", MF_ALIGN_RIGHT, 0},
    {"AT END", MF_ALIGN_RIGHT, 0}, {"LATE P50", MF_ALIGN_RIGHT, 0}, {"P99", MF_ALIGN_RIGHT, 0},
    {"WITHIN", MF_ALIGN_RIGHT, 0}, {"FALSE", MF_ALIGN_RIGHT, 0}};

struct output {
    struct cli_context *cli;
    struct mf_json json;
    struct mf_table table;
    bool wrong; /* something was missed at the end, or accused falsely */
};

/* ---- costs ---- */

static void tell_cost(struct output *output, const char *what, double ns)
{
    char text[MF_UNITS_LEN];
    if (output->cli->json) {
        mf_json_begin_object(&output->json);
        mf_json_key_string(&output->json, "what", what);
        mf_json_key_double(&output->json, "ns", ns);
        mf_json_end_object(&output->json);
        return;
    }
    if (ns < 1000) {
        snprintf(text, sizeof text, "%.1f ns", ns);
    } else {
        mf_format_duration(text, (int64_t)ns);
    }
    mf_table_cell(&output->table, what);
    mf_table_cell(&output->table, text);
}

/* By CPU time, so that what else runs on the machine is not counted. */
static double own_ns(void)
{
    int64_t ns = 0;
    return mf_cpu_read(0, &ns) == 0 ? (double)ns : 0;
}

static void pair(struct mf_cpu_task *task)
{
    (void)mf_cpu_end(mf_cpu_begin(task));
}

static void reading(struct mf_cpu_task *task)
{
    int64_t cpu_ns;
    (void)task;
    (void)!mf_cpu_read(0, &cpu_ns);
}

/* The best of five: what disturbs only adds. */
static double each_ns(void (*call)(struct mf_cpu_task *task), struct mf_cpu_task *task, int count)
{
    double best_ns = 0;
    for (int round = 0; round < 5; round++) {
        const double begin_ns = own_ns();
        for (int i = 0; i < count; i++) {
            call(task);
        }
        const double ns = (own_ns() - begin_ns) / count;
        best_ns = round == 0 || ns < best_ns ? ns : best_ns;
    }
    return best_ns;
}

static int tell_costs(struct output *output, const struct mf_cpu_config *config)
{
    static const struct {
        const char *name;
        int64_t budget_ns;
    } tasks[] = {{"scope without budget", 0},
                 {"scope with 5 ms", 5000 * US},
                 {"scope with 0.5 ms", 500 * US},
                 {"scope with 0.1 ms", 100 * US}};
    struct mf_cpu *cpu = NULL;
    int rc = mf_cpu_open(config, &cpu, &output->cli->err);
    if (rc != 0) {
        return rc;
    }
    tell_cost(output, "reading one's CPU time", each_ns(reading, NULL, 20000));
    tell_cost(output, "scope that is switched off", each_ns(pair, NULL, 100000));
    for (size_t i = 0; rc == 0 && i < MF_ARRAY_LEN(tasks); i++) {
        struct mf_cpu_task *task;
        rc = mf_cpu_task_add(cpu,
                             &(struct mf_cpu_task_spec){.name = tasks[i].name,
                                                        .budget = {.cpu_ns = tasks[i].budget_ns}},
                             &task, &output->cli->err);
        if (rc == 0) {
            tell_cost(output, tasks[i].name, each_ns(pair, task, 100000));
        }
    }
    mf_cpu_close(cpu);
    return rc;
}

/* ---- bursts ---- */

static void tell_bursts(struct output *output, const struct mf_burst_case *burst,
                        const struct mf_burst_result *result)
{
    char text[MF_UNITS_LEN];
    output->wrong = output->wrong || result->seen_at_end != result->over ||
                    result->false_alarms != 0 || result->errors != 0;
    if (output->cli->json) {
        struct mf_json *json = &output->json;
        mf_json_begin_object(json);
        mf_json_key_string(json, "work", mf_burst_word(burst->work));
        mf_json_key_uint(json, "threads", burst->threads);
        mf_json_key_int(json, "budget_ns", burst->budget_ns);
        mf_json_key_int(json, "burst_ns", burst->burst_ns);
        mf_json_key_uint(json, "bursts", result->bursts);
        mf_json_key_uint(json, "over", result->over);
        mf_json_key_uint(json, "seen_during", result->seen_during);
        mf_json_key_uint(json, "seen_at_end", result->seen_at_end);
        mf_json_key_int(json, "late_p50_ns", result->late_p50_ns);
        mf_json_key_int(json, "late_p99_ns", result->late_p99_ns);
        mf_json_key_uint(json, "within", result->within);
        mf_json_key_uint(json, "false_alarms", result->false_alarms);
        mf_json_end_object(json);
        return;
    }
    struct mf_table *table = &output->table;
    mf_table_cell(table, mf_burst_word(burst->work));
    mf_table_cellf(table, "%u", burst->threads);
    mf_table_cell(table, mf_format_duration(text, burst->budget_ns));
    mf_table_cell(table, mf_format_duration(text, burst->burst_ns));
    mf_table_cellf(table, "%llu", (unsigned long long)result->over);
    if (result->over > 0) {
        mf_table_cellf(table, "%.1f %%",
                       100.0 * (double)result->seen_during / (double)result->over);
        mf_table_cellf(table, "%.1f %%",
                       100.0 * (double)result->seen_at_end / (double)result->over);
    } else {
        mf_table_cell(table, "");
        mf_table_cell(table, "");
    }
    const bool late = result->seen_during > 0;
    mf_table_cell(table, late ? mf_format_duration(text, result->late_p50_ns) : "");
    mf_table_cell(table, late ? mf_format_duration(text, result->late_p99_ns) : "");
    mf_table_cellf(table, "%llu", (unsigned long long)result->within);
    mf_table_cellf(table, "%llu", (unsigned long long)result->false_alarms);
}

static int run_bursts(struct output *output, const struct mf_cpu_config *config)
{
    static const int64_t all_budgets_ns[] = {20 * US,   50 * US,   100 * US,  200 * US,  500 * US,
                                             1000 * US, 2000 * US, 5000 * US, 10000 * US};
    static const int64_t some_budgets_ns[] = {100 * US, 500 * US, 5000 * US};
    static const unsigned all_threads[] = {1, 2, 4, 8, 16};
    static const double factors[] = {0.5, 0.8, 2};
    const bool full = cli_flag(output->cli, "full");
    const int64_t *budgets_ns = full ? all_budgets_ns : some_budgets_ns;
    const size_t budget_count = full ? MF_ARRAY_LEN(all_budgets_ns) : MF_ARRAY_LEN(some_budgets_ns);
    const size_t thread_counts = full ? MF_ARRAY_LEN(all_threads) : 1;
    for (int work = 0; work < MF_BURST_WORKS; work++) {
        for (size_t t = 0; t < thread_counts; t++) {
            for (size_t i = 0; i < budget_count * MF_ARRAY_LEN(factors); i++) {
                const int64_t budget_ns = budgets_ns[i / MF_ARRAY_LEN(factors)];
                const double factor = factors[i % MF_ARRAY_LEN(factors)];
                const struct mf_burst_case burst = {
                    .work = (enum mf_burst_work)work,
                    .threads = all_threads[t],
                    .count = (unsigned)cli_int(output->cli, "bursts") / all_threads[t] + 1,
                    .budget_ns = budget_ns,
                    .burst_ns = (int64_t)((double)budget_ns * factor),
                };
                struct mf_burst_result result;
                struct mf_cpu_status status;
                const int rc = cpu_measure(config, &burst, &result, &status, &output->cli->err);
                if (rc != 0) {
                    return rc;
                }
                tell_bursts(output, &burst, &result);
            }
        }
    }
    return 0;
}

static void end_table(struct output *output, struct mf_buffer *out)
{
    if (!output->cli->json) {
        mf_table_write(&output->table, out, cli_columns(), cli_colored(output->cli));
        mf_table_free(&output->table);
    } else {
        mf_json_end_array(&output->json);
    }
}

static void begin_table(struct output *output, const char *key, const struct mf_column *columns,
                        size_t count)
{
    if (!output->cli->json) {
        mf_table_init(&output->table, columns, count);
    } else {
        mf_json_key(&output->json, key);
        mf_json_begin_array(&output->json);
    }
}

static int run(struct cli_context *cli)
{
    const struct mf_cpu_config config = {
        .detector = (enum mf_cpu_detector)cli_choice(cli, "detector"),
        .watcher = cli_flag(cli, "watcher"),
    };
    struct output output = {.cli = cli};
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_json_init(&output.json, &out, MF_JSON_PRETTY);
    if (cli->json) {
        mf_json_begin_object(&output.json);
    }
    begin_table(&output, "costs", cost_columns, MF_ARRAY_LEN(cost_columns));
    int rc = tell_costs(&output, &config);
    end_table(&output, &out);
    if (!cli->json) {
        mf_buffer_putc(&out, '\n');
    }
    begin_table(&output, "bursts", burst_columns, MF_ARRAY_LEN(burst_columns));
    rc = rc == 0 ? run_bursts(&output, &config) : rc;
    end_table(&output, &out);
    if (cli->json) {
        mf_json_end_object(&output.json);
        mf_json_finish(&output.json);
    }
    if (rc != 0) {
        mf_buffer_free(&out);
        return rc;
    }
    rc = cli_print(cli, &out);
    return rc != 0 ? rc : output.wrong ? CLI_EXIT_NEGATIVE : CLI_EXIT_OK;
}

const struct cli_verb verb_cpu_bench = {
    .name = "bench",
    .summary = "Measure what scopes with CPU budgets cost here, and what is seen of bursts",
    .description =
        "Threads of its own run bursts of 0.5, 0.8 and 2 times a budget; they compute, make system "
        "calls, sleep, lie in each other, or have the signal blocked. OVER: bursts that certainly "
        "were over their budget, and how many of them were told DURING the burst and AT its END; "
        "LATE: CPU time beyond the budget when it was told. WITHIN: bursts that certainly were "
        "not, "
        "and how many were accused FALSEly. The exit code is 1 when one was missed at its end or "
        "accused falsely.\n\n"
        "The benchmarks of bench/run cpu measure the costs with statistics.",
    .options =
        (const struct cli_option[]){
            {.name = "full",
             .kind = CLI_FLAG,
             .help = "Nine budgets of 20 us to 10 ms, each with 1, 2, 4, 8 and 16 threads"},
            {.name = "bursts",
             .kind = CLI_INT,
             .metavar = "N",
             .default_text = "50",
             .min = 1,
             .max = 100000,
             .help = "Bursts of each kind"},
            {.name = "detector",
             .kind = CLI_CHOICE,
             .metavar = "WAY",
             .choices = "auto|timer|perf|none",
             .default_text = "auto",
             .help = "How bursts are to be seen while they last"},
            {.name = "watcher", .kind = CLI_FLAG, .help = "Also start the watcher's thread"},
            {.name = NULL},
        },
    .has_json = true,
    .examples =
        (const struct cli_example[]){
            {"mayfly cpu bench", "The usual budgets, one thread."},
            {"mayfly cpu bench --full --watcher", "Everything; takes some minutes."},
            {.command = NULL},
        },
    .run = run,
};
