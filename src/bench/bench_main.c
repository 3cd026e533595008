/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_main.c -- a benchmark program's main(): the commands of the laboratory with its own options
 * parser, or, when the runner has started it, the measured process.
 */
#include "command_private.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define HELP_WIDTH  100
#define HELP_INDENT 34

/* By this note a program is known as one of benchmarks; bench_note.c reads it. */
__asm__(".pushsection .note.mayfly-bench, \"a\", @note\n"
        "    .balign 4\n"
        "    .long 2f - 1f\n"
        "    .long 4f - 3f\n"
        "    .long 1\n"
        "1:  .asciz \"mayfly-bench\"\n"
        "2:  .balign 4\n"
        "3:  .long 1\n"
        "4:  .balign 4\n"
        "    .popsection\n");

/* ---- help ---- */

static void help_line(const char *title, const char *text, const char *default_text)
{
    size_t at = (size_t)printf("  %s", title);
    if (at + 2 > HELP_INDENT) {
        putchar('\n');
        at = 0;
    }
    printf("%*s", (int)(HELP_INDENT - at), "");
    at = HELP_INDENT;
    for (const char *p = text; *p != '\0';) {
        const size_t len = strcspn(p, " ");
        if (at + len + 1 > HELP_WIDTH) {
            printf("\n%*s", HELP_INDENT, "");
            at = HELP_INDENT;
        }
        at += (size_t)printf("%s%.*s", at > HELP_INDENT ? " " : "", (int)len, p);
        p += len + (p[len] == ' ');
    }
    if (default_text != NULL) {
        printf(" [default: %s]", default_text);
    }
    putchar('\n');
}

static void help_key(enum bench_key key)
{
    const struct bench_key_info *info = &mf__bench_keys[key];
    char title[64];
    char text[256];
    snprintf(title, sizeof title, "--%s%s%s", info->name, info->metavar != NULL ? " " : "",
             info->metavar != NULL ? info->metavar : "");
    snprintf(text, sizeof text, "%s%s%s", info->help, info->choices != NULL ? ": " : "",
             info->choices != NULL ? info->choices : "");
    help_line(title, text, info->default_text);
}

#define X(identifier, ...) BENCH_KEY_##identifier,
#define GROUP(name, KEYS)  static const enum bench_key name[] = {KEYS(X)};
GROUP(select_keys, BENCH_SELECT_KEYS)
GROUP(process_keys, BENCH_PROCESS_KEYS)
GROUP(measure_keys, BENCH_MEASURE_KEYS)
GROUP(compare_keys, BENCH_COMPARE_KEYS)
GROUP(store_keys, BENCH_STORE_KEYS)
GROUP(noise_keys, BENCH_NOISE_KEYS)
GROUP(history_keys, BENCH_HISTORY_KEYS)
GROUP(output_keys, BENCH_OUTPUT_KEYS)
GROUP(profile_keys, BENCH_PROFILE_KEYS)
#undef GROUP
#undef X

static bool key_applies(enum bench_key key, unsigned groups)
{
#define GROUP(flag, keys)                                                                          \
    {                                                                                              \
        flag, keys, MF_ARRAY_LEN(keys)                                                             \
    }
    static const struct {
        unsigned group;
        const enum bench_key *keys;
        size_t count;
    } all[] = {
        GROUP(BENCH_SELECT, select_keys),   GROUP(BENCH_PROCESS, process_keys),
        GROUP(BENCH_MEASURE, measure_keys), GROUP(BENCH_COMPARE, compare_keys),
        GROUP(BENCH_STORE, store_keys),     GROUP(BENCH_NOISE, noise_keys),
        GROUP(BENCH_HISTORY, history_keys), GROUP(BENCH_OUTPUT, output_keys),
        GROUP(BENCH_PROFILE, profile_keys),
    };
#undef GROUP
    for (size_t g = 0; g < MF_ARRAY_LEN(all); g++) {
        for (size_t i = 0; (groups & all[g].group) != 0 && i < all[g].count; i++) {
            if (all[g].keys[i] == key) {
                return true;
            }
        }
    }
    return false;
}

static void help(const char *program, const struct command_entry *command)
{
    printf("Usage: %s [%s] [OPTION]... %s\n\n%s.\n\nCommands (%s --help for each; run if none is "
           "given):\n",
           program, command->name, command->operand, command->summary, program);
    for (const struct command_entry *entry = mf__commands; entry->name != NULL; entry++) {
        help_line(entry->name, entry->summary, NULL);
    }
    puts("\nOptions (each also as MF_BENCH_NAME in the environment, and in benchmark.toml):");
    for (int key = 0; key < BENCH_KEY_COUNT; key++) {
        if (key_applies((enum bench_key)key, command->groups)) {
            help_key((enum bench_key)key);
        }
    }
    help_line("--json", "The same as --output-format json", NULL);
    help_line("--help", "Show this help and exit", NULL);
    puts("\nExit codes: 0 good; 1 a benchmark failed; 3 slower than the baseline, or a target "
         "missed;\n"
         "4 inconclusive; 5 no baseline; 64 the command line or the configuration is wrong.");
}

/* ---- the command line ---- */

struct parsed {
    struct bench_word *words;
    size_t word_count;
    char **operands;
    size_t operand_count;
    bool help;
};

/* Reads argv[at]; returns how many words it took, or -1 after a complaint. */
static int parse_option(struct parsed *parsed, const char *program,
                        const struct command_entry *command, char **argv, int at, char *names)
{
    const char *name = argv[at] + 2;
    const size_t len = strcspn(name, "=");
    memcpy(names, name, len);
    names[len] = '\0';
    if (strcmp(names, "json") == 0 && (command->groups & BENCH_OUTPUT) != 0) {
        parsed->words[parsed->word_count++] = (struct bench_word){"output-format", "json"};
        return 1;
    }
    const enum bench_key key =
        strchr(names, '_') != NULL ? BENCH_KEY_COUNT : mf__config_find(names);
    if (key == BENCH_KEY_COUNT || !key_applies(key, command->groups)) {
        fprintf(stderr, "%s: unknown option '--%s' for '%s' (see '%s %s --help')\n", program, names,
                command->name, program, command->name);
        return -1;
    }
    struct bench_word *word = &parsed->words[parsed->word_count++];
    word->name = mf__bench_keys[key].name;
    if (mf__bench_keys[key].kind == BENCH_KIND_FLAG) {
        word->text = name[len] == '=' ? name + len + 1 : "";
        return 1;
    }
    if (name[len] == '=') {
        word->text = name + len + 1;
        return 1;
    }
    if (argv[at + 1] == NULL) {
        fprintf(stderr, "%s: option '--%s' needs an argument: %s\n", program, names,
                mf__bench_keys[key].metavar);
        return -1;
    }
    word->text = argv[at + 1];
    return 2;
}

static int parse(struct parsed *parsed, const char *program, const struct command_entry *command,
                 int argc, char **argv, int at)
{
    bool options = true;
    while (at < argc) {
        char *word = argv[at];
        if (options && strcmp(word, "--") == 0) {
            options = false;
            at++;
        } else if (options && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
            parsed->help = true;
            return 0;
        } else if (options && strcmp(word, "--bench") == 0) {
            at++; /* what `cargo bench` adds; scripts that were written for it keep working */
        } else if (options && word[0] == '-' && word[1] == '-') {
            char *names = mf_malloc(strlen(word));
            const int taken =
                names != NULL ? parse_option(parsed, program, command, argv, at, names) : -1;
            mf_free(names);
            if (taken < 0) {
                return BENCH_EXIT_USAGE;
            }
            at += taken;
        } else if (options && word[0] == '-' && word[1] != '\0') {
            fprintf(stderr, "%s: unknown option '%s'\n", program, word);
            return BENCH_EXIT_USAGE;
        } else {
            parsed->operands[parsed->operand_count++] = word;
            at++;
        }
    }
    return 0;
}

static const struct command_entry *find_command(int argc, char **argv, int *ret_at)
{
    for (const struct command_entry *entry = mf__commands; argc > 1 && entry->name != NULL;
         entry++) {
        if (strcmp(entry->name, argv[1]) == 0) {
            *ret_at = 2;
            return entry;
        }
    }
    *ret_at = 1;
    return &mf__commands[0];
}

static int terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ? 0 : size.ws_col != 0 ? size.ws_col : 80;
}

static bool wants_color(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return (no_color == NULL || no_color[0] == '\0') && isatty(STDOUT_FILENO) == 1 &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

static int run_command(const char *program, const struct command_entry *command,
                       const struct parsed *parsed)
{
    const struct bench_command_line line = {
        .program = program,
        .command = command->name,
        .words = parsed->words,
        .word_count = parsed->word_count,
        .operands = parsed->operands,
        .operand_count = parsed->operand_count,
        .own = true,
        .colored = wants_color(),
        .columns = terminal_columns(),
    };
    return mf__bench_command(&line);
}

int mf_bench_main(int argc, char **argv)
{
    if (mf__bench_is_child(argc, argv)) {
        return mf__bench_child(argv);
    }
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *program = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "benchmark";
    int at = 1;
    const struct command_entry *command = find_command(argc, argv, &at);
    struct parsed parsed = {
        .words = mf_calloc((size_t)argc + 1, sizeof *parsed.words),
        .operands = mf_calloc((size_t)argc + 1, sizeof *parsed.operands),
    };
    int code = BENCH_EXIT_FAILED;
    if (parsed.words == NULL || parsed.operands == NULL) {
        fprintf(stderr, "%s: out of memory\n", program);
    } else {
        code = parse(&parsed, program, command, argc, argv, at);
    }
    if (code == 0 && parsed.help) {
        help(program, command);
    } else if (code == 0) {
        code = run_command(program, command, &parsed);
    }
    mf_free(parsed.words);
    mf_free(parsed.operands);
    if ((fflush(stdout) != 0 || ferror(stdout) != 0) && errno != EPIPE) {
        fprintf(stderr, "%s: cannot write to standard output: %s\n", program, strerror(errno));
        return BENCH_EXIT_FAILED;
    }
    return code;
}
