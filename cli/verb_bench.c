/* SPDX-License-Identifier: Apache-2.0
 *
 * verb_bench.c -- mayfly bench ...: the commands of the laboratory (src/bench), which benchmark
 * programs have by themselves, for programs that are found or named. Options come from its table of
 * settings.
 */
#include "cli.h"
#include "verbs.h"

#include "base/heap.h"
#include "bench/command.h"

#include <errno.h>
#include <string.h>

#define KIND_FLAG    CLI_FLAG
#define KIND_STRING  CLI_STRING
#define KIND_FILE    CLI_FILE
#define KIND_DIR     CLI_DIR
#define KIND_INT     CLI_INT
#define KIND_NUMBER  CLI_NUMBER
#define KIND_SECONDS CLI_STRING /* a number, or a duration */
#define KIND_CHOICE  CLI_CHOICE
#define KIND_LIST    CLI_STRING
#define KIND_SEED    CLI_STRING

/* Bounds are checked by the laboratory, which has them for the environment and files, too. */
#define OPTION(identifier, name_, kind_, repeatable_, min_, max_, metavar_, choices_, default_,    \
               help_)                                                                              \
    {.name = name_,                                                                                \
     .kind = KIND_##kind_,                                                                         \
     .repeatable = repeatable_,                                                                    \
     .metavar = metavar_,                                                                          \
     .choices = choices_,                                                                          \
     .default_text = default_,                                                                     \
     .help = help_},

#define FILTER                                                                                     \
    (const struct cli_operand[])                                                                   \
    {                                                                                              \
        {.name = "FILTER",                                                                         \
         .optional = true,                                                                         \
         .repeated = true,                                                                         \
         .help = "Part of a name (suite::group/name), or a pattern with * ? [] for all of it"},    \
        {                                                                                          \
            .name = NULL                                                                           \
        }                                                                                          \
    }

static int run(struct cli_context *cli)
{
    const size_t count = (size_t)cli->value_count + (cli->json ? 1 : 0);
    struct bench_word *words = mf_calloc(count + 1, sizeof *words);
    if (words == NULL) {
        return mf_fail(&cli->err, -ENOMEM, "out of memory");
    }
    size_t used = 0;
    for (int i = 0; i < cli->value_count; i++) {
        const char *name = cli->values[i].option->name;
        if (strcmp(name, "color") != 0 && strcmp(name, "json") != 0) {
            words[used++] = (struct bench_word){name, cli->values[i].text};
        }
    }
    if (cli->json) {
        words[used++] = (struct bench_word){"output-format", "json"};
    }
    const struct bench_command_line line = {
        .program = "mayfly",
        .command = cli->verb->name,
        .words = words,
        .word_count = used,
        .operands = cli->operands,
        .operand_count = (size_t)cli->operand_count,
        .colored = cli_colored(cli),
        .columns = cli_columns(),
    };
    const int code = mf__bench_command(&line);
    mf_free(words);
    return code;
}

static const struct cli_option run_options[] = {
    BENCH_SELECT_KEYS(OPTION) BENCH_MEASURE_KEYS(OPTION) BENCH_COMPARE_KEYS(OPTION)
        BENCH_OUTPUT_KEYS(OPTION) BENCH_PROFILE_KEYS(OPTION){.name = NULL},
};

static const struct cli_option list_options[] = {
    BENCH_SELECT_KEYS(OPTION){.name = NULL},
};

static const struct cli_option compare_options[] = {
    BENCH_SELECT_KEYS(OPTION) BENCH_MEASURE_KEYS(OPTION) BENCH_COMPARE_KEYS(OPTION)
        BENCH_OUTPUT_KEYS(OPTION){.name = NULL},
};

static const struct cli_option report_options[] = {
    BENCH_SELECT_KEYS(OPTION) BENCH_COMPARE_KEYS(OPTION) BENCH_OUTPUT_KEYS(OPTION){.name = NULL},
};

static const struct cli_option history_options[] = {
    BENCH_HISTORY_KEYS(OPTION) BENCH_OUTPUT_KEYS(OPTION){.name = NULL},
};

static const struct cli_option doctor_options[] = {
    BENCH_PROCESS_KEYS(OPTION) BENCH_NOISE_KEYS(OPTION) BENCH_STORE_KEYS(OPTION)
        BENCH_OUTPUT_KEYS(OPTION){.name = NULL},
};

static const struct cli_option env_options[] = {
    BENCH_STORE_KEYS(OPTION) BENCH_OUTPUT_KEYS(OPTION){.name = NULL},
};

#define EXIT_CODES                                                                                 \
    "Exit codes: 0 good, 1 a benchmark failed, 3 slower than the baseline or a target missed, "    \
    "4 inconclusive, 5 no baseline, 64 the command line or the configuration is wrong."

static const struct cli_verb bench_run = {
    .name = "run",
    .summary = "Measure benchmarks",
    .description =
        "Each benchmark is measured in several processes of its own, interleaved at random. "
        "Settings come from the command line, from variables MF_BENCH_NAME, from benchmark.toml, "
        "from the benchmark itself, in this order.\n\n" EXIT_CODES,
    .options = run_options,
    .operands = FILTER,
    .examples =
        (const struct cli_example[]){
            {"mayfly bench run throughput", "Measures what has \"throughput\" in its name."},
            {"mayfly bench run --quick --skip 'stress::*'", "A first look at everything else."},
            {"mayfly bench run --save-baseline main",
             "Stores the results, to compare with later (--baseline main)."},
            {"mayfly bench run --compare HEAD~1", "Builds the commit before, and measures both."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};

static const struct cli_verb bench_list = {
    .name = "list",
    .summary = "List benchmarks",
    .options = list_options,
    .operands = FILTER,
    .examples =
        (const struct cli_example[]){
            {"mayfly bench list 'series::*'", "Every benchmark of the suite."},
            {.command = NULL},
        },
    .run = run,
};

static const struct cli_verb bench_compare = {
    .name = "compare",
    .summary = "Compare two programs, or two files of results",
    .description =
        "Programs are measured in turns, so that even a busy machine tells a difference of 1 "
        "percent; results that were stored are compared as they are.\n\n" EXIT_CODES,
    .options = compare_options,
    .operands =
        (const struct cli_operand[]){
            {.name = "BEFORE", .help = "A benchmark program, a file of --json, or a revision"},
            {.name = "NOW", .help = "A benchmark program, or a file of --json"},
            {.name = "FILTER",
             .optional = true,
             .repeated = true,
             .help = "Part of a name, or a pattern for all of it"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly bench compare old/bench_store new/bench_store", "Measures both."},
            {"mayfly bench compare monday.json friday.json", "What has changed in between."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};

static const struct cli_verb bench_report = {
    .name = "report",
    .summary = "Print the results of the last run again",
    .options = report_options,
    .operands = FILTER,
    .examples =
        (const struct cli_example[]){
            {"mayfly bench report --output-format html --output report.html",
             "The last run as a page."},
            {"mayfly bench report --load-baseline main", "Stored results."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};

static const struct cli_verb bench_history = {
    .name = "history",
    .summary = "Show how results have changed from commit to commit",
    .description = "Reads what `mayfly bench run --record` has added, and marks where the level of "
                   "a benchmark has changed.",
    .options = history_options,
    .operands = FILTER,
    .examples =
        (const struct cli_example[]){
            {"mayfly bench history stream", "The trend of the benchmarks with that in their name."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};

static const struct cli_verb bench_gate = {
    .name = "gate",
    .summary = "Fail when something has become slower, or misses a target",
    .description =
        "For continuous integration: as `run`, with something to compare with (--base, "
        "--baseline) or targets in benchmark.toml. Call it directly and not through make, which "
        "turns every exit code into 2.\n\n" EXIT_CODES,
    .options = run_options,
    .operands = FILTER,
    .examples =
        (const struct cli_example[]){
            {"mayfly bench gate --base origin/main", "Builds it there, and measures both."},
            {"mayfly bench gate --baseline main", "Against stored results."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};

static const struct cli_verb bench_doctor = {
    .name = "doctor",
    .summary = "Look for what makes measurements worse, and measure the noise",
    .description =
        "Measures what this machine cannot tell apart (the noise floor: pairs of processes of the "
        "same program, in turns) and stores it for the gate; looks at clock, governor, turbo, SMT, "
        "load, steal, memory, limits and perf, and says what to do.\n\n"
        "Exit codes: 0 good enough to find a change of --threshold-pct, 4 not, 1 it could not be "
        "measured.",
    .options = doctor_options,
    .examples =
        (const struct cli_example[]){
            {"mayfly bench doctor", "About ten seconds."},
            {"mayfly bench doctor --quick --json", "A first look, not stored."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};

static const struct cli_verb bench_env = {
    .name = "env",
    .summary = "Print what is known of this machine",
    .description = "What is stored with every result: processor, clocks, kernel, compiler and "
                   "more. Comparisons of results with different fingerprints are advisory.",
    .options = env_options,
    .examples =
        (const struct cli_example[]){
            {"mayfly bench env --json", "For another program."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};

const struct cli_verb verb_bench = {
    .name = "bench",
    .section = "Measuring",
    .summary = "Measure programs, compare revisions, guard against regressions",
    .description =
        "Benchmarks are programs that use mayfly/bench.h. They are named with --binary, or found "
        "in the directories of MAYFLY_BENCH_PATH, else in build/*/bench. docs/bench.md explains "
        "how to write them, the method, and every setting.",
    .verbs =
        (const struct cli_verb *const[]){
            &bench_run,
            &bench_list,
            &bench_compare,
            &bench_report,
            &bench_history,
            &bench_gate,
            &bench_doctor,
            &bench_env,
            NULL,
        },
};
