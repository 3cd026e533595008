/* SPDX-License-Identifier: Apache-2.0
 * Any words as a command line: a complaint, or options whose getters agree with their table. */
#include "options.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct cli_option options[] = {
    {.name = "name", .letter = 'n', .kind = CLI_STRING, .repeatable = true, .metavar = "NAME"},
    {.name = "count", .letter = 'c', .kind = CLI_INT, .metavar = "N", .min = -5, .max = 10},
    {.name = "interval",
     .kind = CLI_DURATION,
     .metavar = "TIME",
     .default_text = "100ms",
     .min = 1000,
     .max = 3600000000000},
    {.name = "limit", .letter = 'l', .kind = CLI_SIZE, .metavar = "SIZE"},
    {.name = "ratio", .letter = 'r', .kind = CLI_NUMBER, .metavar = "X"},
    {.name = "format", .kind = CLI_CHOICE, .metavar = "F", .choices = "html|json"},
    {.name = "all", .letter = 'a', .kind = CLI_FLAG},
    {.name = NULL},
};
static const struct cli_verb plain = {
    .name = "plain",
    .options = options,
    .has_json = true,
    .operands = (const struct cli_operand[]){{.name = "A"},
                                             {.name = "B", .optional = true, .repeated = true},
                                             {.name = NULL}},
};
static const struct cli_verb runner = {.name = "run", .options = options, .command_follows = true};

static void check(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void parse(const struct cli_verb *verb, int count, char **words)
{
    struct cli_context cli;
    if (cli_options_parse(&cli, verb, "mayfly plain", count, words) != 0) {
        check(cli.err.msg[0] != '\0');
        return;
    }
    if (!cli.help) {
        check(cli.operand_count + cli.command_count <= count && cli.value_count <= 4096);
        check(cli.operands[cli.operand_count] == NULL && cli.command[cli.command_count] == NULL);
        check(cli_int(&cli, "count") >= -5 && cli_int(&cli, "count") <= 10);
        check(cli_int(&cli, "interval") >= 1000 && cli_int(&cli, "interval") <= 3600000000000);
        check(cli_int(&cli, "limit") >= 0);
        check(cli_choice(&cli, "format") <= 1);
        for (int i = 0; i < cli_count(&cli, "name"); i++) {
            check(cli_string_at(&cli, "name", i) != NULL);
        }
    }
    cli_options_free(&cli);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[4096];
    char *words[WORDS_MAX + 1];
    int count = 0;
    const size_t used = len < sizeof text - 1 ? len : sizeof text - 1;
    memcpy(text, data, used);
    text[used] = '\0';
    for (char *p = text; p < text + used && count < WORDS_MAX; p += strlen(p) + 1) {
        words[count++] = p;
    }
    words[count] = NULL;
    parse(&plain, count, words);
    parse(&runner, count, words);
    return 0;
}
