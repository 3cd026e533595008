/* SPDX-License-Identifier: Apache-2.0
 * verb_run.c -- mayfly run: a command, recorded as a flight. */
#include "cli.h"

#include "base/heap.h"
#include "fmt/json_write.h"
#include "fmt/terminal.h"
#include "fmt/units.h"
#include "os/file.h"
#include "os/signals.h"

#include <errno.h>
#include <mayfly/flight.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_MAYFLY 125 /* as env, nice, timeout: nothing was started */
#define HISTORY_MAX 20

/* ---- what earlier flights tell ---- */

struct history {
    size_t flights;   /* of the same name, looked at */
    size_t successes; /* of these */
    int64_t usual_ns; /* median duration of the successes */
    char failed_id[MF_FLIGHT_ID_LEN];
    char failed_reason[200]; /* of the newest failure */
};

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void read_history(const char *home, const struct mf_flight_info *now,
                         struct history *history)
{
    const struct mf_flight_filter filter = {
        .name = now->name, .ended = true, .limit = HISTORY_MAX + 1};
    struct mf_flight_list list;
    if (mf_flight_list_read(home, &filter, &list, NULL) < 0) {
        return; /* a summary without comparison is still one */
    }
    int64_t durations[HISTORY_MAX + 1];
    for (size_t i = 0; i < list.count; i++) {
        const struct mf_flight_info *info = list.items[i].info;
        if (info == NULL || strcmp(info->id, now->id) == 0) {
            continue;
        }
        history->flights++;
        if (info->success) {
            durations[history->successes++] = info->duration_ns;
        } else if (history->failed_id[0] == '\0') {
            snprintf(history->failed_id, sizeof history->failed_id, "%s", info->id);
            snprintf(history->failed_reason, sizeof history->failed_reason, "%s",
                     info->reason != NULL ? info->reason : "");
        }
    }
    mf_flight_list_free(&list);
    if (history->successes > 0) {
        qsort(durations, history->successes, sizeof *durations, by_value);
        history->usual_ns = durations[history->successes / 2];
    }
}

/* ---- the summary ---- */

static void say_output(struct mf_buffer *out, const struct mf_flight_info *info)
{
    uint64_t lost = 0;
    char size[MF_UNITS_LEN];
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        lost += info->totals.output[i].lost_bytes;
    }
    if (lost > 0) {
        mf_buffer_printf(out, "mayfly: %s of the output were passed on, but not kept\n",
                         mf_format_size(size, lost));
    }
    if (info->totals.lost_events > 0) {
        mf_buffer_printf(out, "mayfly: %llu events could not be recorded\n",
                         (unsigned long long)info->totals.lost_events);
    }
    if (info->totals.processes_left > 0) {
        mf_buffer_printf(out, "mayfly: %llu process%s of the flight still run%s\n",
                         (unsigned long long)info->totals.processes_left,
                         info->totals.processes_left == 1 ? "" : "es",
                         info->totals.processes_left == 1 ? "s" : "");
    }
}

static void say_seal(struct mf_buffer *out, const struct mf_flight_info *info)
{
    if (info->seal_problem != NULL) {
        mf_buffer_puts(out, "mayfly: not sealed: ");
        mf_terminal_escape(out, info->seal_problem, strlen(info->seal_problem));
        mf_buffer_puts(out, "; `mayfly seal` makes up for it\n");
    }
}

static void say_words(struct mf_buffer *out, const struct mf_flight_info *info,
                      const struct history *history)
{
    char duration[MF_UNITS_LEN];
    char cpu[MF_UNITS_LEN];
    char peak[MF_UNITS_LEN];
    const struct mf_flight_totals *totals = &info->totals;
    mf_buffer_puts(out, "mayfly: ");
    mf_terminal_escape(out, info->name, strlen(info->name));
    mf_buffer_puts(out, ": ");
    mf_terminal_escape(out, info->reason, strlen(info->reason));
    mf_buffer_printf(
        out, "; %s, %s CPU, peak %s, %llu process%s\n",
        mf_format_duration(duration, info->duration_ns),
        mf_format_duration(cpu, (int64_t)(totals->cpu_user_ns + totals->cpu_system_ns)),
        mf_format_size(peak, totals->memory_peak_bytes), (unsigned long long)totals->processes,
        totals->processes == 1 ? "" : "es");
    say_output(out, info);
    if (history->successes > 0) {
        mf_buffer_printf(out, "mayfly: usually %s (%zu good of the last %zu)",
                         mf_format_duration(duration, history->usual_ns), history->successes,
                         history->flights);
        if (!info->success && history->failed_id[0] != '\0') {
            mf_buffer_printf(out, "; last failure %s: ", history->failed_id);
            mf_terminal_escape(out, history->failed_reason, strlen(history->failed_reason));
        }
        mf_buffer_putc(out, '\n');
    } else if (!info->success && history->failed_id[0] != '\0') {
        mf_buffer_printf(out, "mayfly: failed before: %s: ", history->failed_id);
        mf_terminal_escape(out, history->failed_reason, strlen(history->failed_reason));
        mf_buffer_putc(out, '\n');
    }
    say_seal(out, info);
    mf_buffer_printf(out, "mayfly: flight %s\n", info->id);
}

static void say_json(struct mf_buffer *out, const struct mf_flight_info *info,
                     const struct history *history)
{
    const struct mf_flight_totals *totals = &info->totals;
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_COMPACT);
    mf_json_begin_object(&json);
    mf_json_key_string(&json, "id", info->id);
    mf_json_key_string(&json, "dir", info->dir);
    mf_json_key_string(&json, "name", info->name);
    mf_json_key_string(&json, "outcome", mf_flight_outcome_name(info->outcome));
    mf_json_key_bool(&json, "success", info->success);
    mf_json_key_int(&json, "exit_code", info->exit_code);
    mf_json_key_int(&json, "signal", info->signal);
    mf_json_key_string(&json, "reason", info->reason);
    mf_json_key_string(&json, "rung", mf_flight_rung_name(info->rung));
    mf_json_key_int(&json, "duration_ns", info->duration_ns);
    mf_json_key_uint(&json, "cpu_user_ns", totals->cpu_user_ns);
    mf_json_key_uint(&json, "cpu_system_ns", totals->cpu_system_ns);
    mf_json_key_uint(&json, "memory_peak_bytes", totals->memory_peak_bytes);
    mf_json_key_uint(&json, "processes", totals->processes);
    mf_json_key_uint(&json, "processes_left", totals->processes_left);
    mf_json_key_uint(&json, "lost_events", totals->lost_events);
    mf_json_key_bool(&json, "sealed", info->seal_root[0] != '\0');
    if (info->seal_root[0] != '\0') {
        mf_json_key_string(&json, "seal_root", info->seal_root);
    }
    if (info->seal_problem != NULL) {
        mf_json_key_string(&json, "seal_problem", info->seal_problem);
    }
    mf_json_key(&json, "history");
    mf_json_begin_object(&json);
    mf_json_key_uint(&json, "flights", history->flights);
    mf_json_key_uint(&json, "successes", history->successes);
    if (history->successes > 0) {
        mf_json_key_int(&json, "usual_duration_ns", history->usual_ns);
    }
    if (history->failed_id[0] != '\0') {
        mf_json_key_string(&json, "last_failure", history->failed_id);
        mf_json_key_string(&json, "last_failure_reason", history->failed_reason);
    }
    mf_json_end_object(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

static void summarize(struct cli_context *cli, const char *home, const struct mf_flight_info *info)
{
    const char *file = cli_string(cli, "summary");
    const bool quiet = cli_flag(cli, "quiet");
    struct history history = {0};
    struct mf_buffer json = MF_BUFFER_INIT;
    struct mf_buffer words = MF_BUFFER_INIT;
    if (quiet && file == NULL) {
        return;
    }
    read_history(home, info, &history);
    say_json(&json, info, &history);
    say_words(&words, info, &history);
    const struct mf_buffer *shown = cli->json ? &json : &words;
    if (!quiet && !shown->failed) {
        fwrite(shown->data, 1, shown->len, stderr);
    }
    if (file != NULL && !json.failed &&
        mf_fs_replace(NULL, file, json.data, json.len, &cli->err) < 0) {
        cli_note("%s", cli->err.msg);
    }
    mf_buffer_free(&json);
    mf_buffer_free(&words);
}

/* ---- the verb ---- */

/* The texts of a repeatable option, NULL-terminated; NULL: no memory. */
static const char **all_of(const struct cli_context *cli, const char *option)
{
    const int count = cli_count(cli, option);
    const char **texts = mf_calloc((size_t)count + 1, sizeof *texts);
    for (int i = 0; texts != NULL && i < count; i++) {
        texts[i] = cli_string_at(cli, option, i);
    }
    return texts;
}

static int record(struct cli_context *cli, const char *home, const char *const *tags,
                  const char *const *keep_env, const char *const *cpu_budgets,
                  struct mf_flight_info **ret_info)
{
    static const enum mf_flight_rung rungs[] = {MF_RUNG_FULL, MF_RUNG_FULL, MF_RUNG_EVENTS,
                                                MF_RUNG_CGROUP, MF_RUNG_PROC};
    struct mf_flight_options options = MF_FLIGHT_OPTIONS_INIT;
    options.home = home;
    options.name = cli_string(cli, "name");
    options.tags = tags;
    options.keep_env = keep_env;
    options.cpu_budgets = cpu_budgets;
    options.command = (const char *const *)cli->command;
    options.interval_ns = cli_int(cli, "interval");
    options.timeout_ns = cli_int(cli, "timeout");
    options.kill_after_ns = cli_int(cli, "kill-after");
    options.grace_ns = cli_int(cli, "grace");
    options.hang_after_ns = cli_int(cli, "hang-after");
    if (options.hang_after_ns == 0) {
        options.hang_after_ns = -1;
    }
    options.output_limit_bytes = (uint64_t)cli_int(cli, "output-limit");
    options.memory_max_bytes = (uint64_t)cli_int(cli, "memory-max");
    options.rung_max = rungs[cli_choice(cli, "rung")];
    options.leftover = (enum mf_leftover)cli_choice(cli, "leftover");
    options.merge_streams = cli_flag(cli, "merge");
    options.no_seal = cli_flag(cli, "no-seal");
    options.seal_wait_ns = cli_int(cli, "seal-wait");
    return mf_flight_run(&options, ret_info, &cli->err);
}

static int run(struct cli_context *cli)
{
    if (cli->command_count == 0) {
        return cli_usage(cli, "needs a command: mayfly run -- COMMAND [ARGUMENT]...");
    }
    char *home = NULL;
    struct mf_flight_info *info = NULL;
    const char **tags = all_of(cli, "tag");
    const char **keep_env = all_of(cli, "keep-env");
    const char **cpu_budgets = all_of(cli, "cpu-budget");
    int ret = tags == NULL || keep_env == NULL || cpu_budgets == NULL
                  ? mf_fail(&cli->err, -ENOMEM, "out of memory")
                  : mf_flight_home(NULL, &home, &cli->err);
    if (ret == 0) {
        ret = record(cli, home, tags, keep_env, cpu_budgets, &info);
    }
    if (ret < 0) {
        cli_note("%s", cli->err.msg);
        ret = EXIT_MAYFLY;
    } else {
        summarize(cli, home, info);
        ret = info->exit_code;
        if (info->signal != 0) {
            fflush(stderr);
            mf_die_of(info->signal);
        }
    }
    mf_flight_info_free(info);
    mf_free(tags);
    mf_free(keep_env);
    mf_free(cpu_budgets);
    mf_free(home);
    return ret;
}

static const struct cli_option options[] = {
    {.name = "name",
     .letter = 'n',
     .kind = CLI_STRING,
     .metavar = "NAME",
     .help = "What the flight is called; flights of one name are compared (default: the command)"},
    {.name = "tag",
     .letter = 't',
     .kind = CLI_STRING,
     .repeatable = true,
     .metavar = "KEY[=VALUE]",
     .help = "Attach a tag"},
    {.name = "keep-env",
     .kind = CLI_STRING,
     .repeatable = true,
     .metavar = "NAME",
     .help = "Record this environment variable (none is recorded by default)"},
    {.name = "interval",
     .letter = 'i',
     .kind = CLI_DURATION,
     .metavar = "TIME",
     .default_text = "100ms",
     .min = 10000000,
     .max = 60000000000,
     .help = "Distance of the samples"},
    {.name = "timeout",
     .kind = CLI_DURATION,
     .metavar = "TIME",
     .help = "End the command after this time, with exit code 124"},
    {.name = "kill-after",
     .kind = CLI_DURATION,
     .metavar = "TIME",
     .default_text = "5s",
     .min = 1000000,
     .max = 86400000000000,
     .help = "With --timeout: from SIGTERM to SIGKILL"},
    {.name = "cpu-budget",
     .kind = CLI_STRING,
     .repeatable = true,
     .metavar = "TIME/TIME[,...]",
     .help = "Watch that no thread uses more CPU time than this within this time, 50ms/100ms; "
             "with thread=PATTERN, of=each|all, action=mark|stop|kill after it, each behind a "
             "comma"},
    {.name = "memory-max",
     .kind = CLI_SIZE,
     .metavar = "SIZE",
     .help = "Limit the memory of all its processes together"},
    {.name = "output-limit",
     .kind = CLI_SIZE,
     .metavar = "SIZE",
     .default_text = "1G",
     .min = 65536,
     .max = INT64_MAX,
     .help = "Keep at most this much output: the first half, and the newest of the rest"},
    {.name = "merge",
     .kind = CLI_FLAG,
     .help = "One pipe for both streams: their order is kept, not which is which"},
    {.name = "leftover",
     .kind = CLI_CHOICE,
     .metavar = "WHAT",
     .choices = "leave|wait|kill",
     .default_text = "leave",
     .help = "What becomes of processes that outlive the command"},
    {.name = "grace",
     .kind = CLI_DURATION,
     .metavar = "TIME",
     .default_text = "1s",
     .min = 1000000,
     .max = 86400000000000,
     .help = "How long to go on recording output that such processes hold open"},
    {.name = "hang-after",
     .kind = CLI_DURATION,
     .metavar = "TIME",
     .default_text = "30s",
     .help = "Note an event when nothing has used CPU or written for this long; 0: never"},
    {.name = "rung",
     .kind = CLI_CHOICE,
     .metavar = "RUNG",
     .choices = "auto|full|events|cgroup|proc",
     .default_text = "auto",
     .help = "Do not climb the ladder of accounting beyond this"},
    {.name = "no-seal",
     .kind = CLI_FLAG,
     .help = "Do not commit the root over its files to the ledger; `mayfly seal` can do it later"},
    {.name = "seal-wait",
     .kind = CLI_DURATION,
     .metavar = "TIME",
     .default_text = "2s",
     .min = 1000000,
     .max = 86400000000000,
     .help = "How long to wait for the ledger while other runs write to it"},
    {.name = "summary",
     .kind = CLI_FILE,
     .metavar = "FILE",
     .help = "Write the summary into FILE, as JSON"},
    {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .help = "No summary on standard error"},
    {.name = NULL},
};

static const struct cli_operand operands[] = {
    {.name = "COMMAND", .help = "The command, looked up in PATH"},
    {.name = "ARGUMENT", .optional = true, .repeated = true, .help = "Its arguments"},
    {.name = NULL},
};

static const struct cli_example examples[] = {
    {.command = "mayfly run -- make -j2", .help = "Record a build"},
    {.command = "mayfly run --name nightly --tag branch=main --timeout 30m -- ./test.sh",
     .help = "A named flight with a tag and a limit"},
    {.command = "mayfly run --memory-max 512M -- ./agent", .help = "With a limit of memory"},
    {.command =
         "mayfly run --cpu-budget 50ms/100ms,thread=ui* --cpu-budget 5s/10s,action=stop -- ./app",
     .help = "With budgets for its threads"},
    {.command = NULL},
};

const struct cli_verb verb_run = {
    .name = "run",
    .section = "Flights",
    .summary = "Run a command and record it as a flight",
    .description =
        "Runs COMMAND as it would run without mayfly: terminal, streams, signals, environment and "
        "exit code are its own. Meanwhile every process that it starts is accounted, output and "
        "events are kept; at the end the flight is sealed (`mayfly verify`) and a short summary "
        "goes to standard error.\n\n"
        "The exit code is the command's; a command that a signal ended ends mayfly by the same "
        "signal. 123: a CPU budget was exceeded that ends the command; 124: the timeout; 125: "
        "mayfly itself failed and nothing was started; 126: the "
        "command cannot be executed; 127: it was not found.\n\n"
        "The command finds in its environment TRACEPARENT, MAYFLY_FLIGHT (the directory of the "
        "flight) and MAYFLY_EVENT_FD: on that descriptor it may write events of its own, one JSON "
        "object per line.\n\n"
        "With --json the summary is one line of JSON, still on standard error: standard output is "
        "the command's.",
    .options = options,
    .operands = operands,
    .examples = examples,
    .has_json = true,
    .command_follows = true,
    .run = run,
};
