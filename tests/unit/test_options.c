/* SPDX-License-Identifier: Apache-2.0
 * The option parser of the command line, over one table with every kind. */
#include "options.h"
#include "suggest.h"

#include "cmocka_all.h"
#include <string.h>

static const struct cli_option options[] = {
    {.name = "name", .letter = 'n', .kind = CLI_STRING, .metavar = "NAME", .help = "Name"},
    {.name = "tag",
     .letter = 't',
     .kind = CLI_STRING,
     .repeatable = true,
     .metavar = "TAG",
     .help = "Tag"},
    {.name = "count",
     .letter = 'c',
     .kind = CLI_INT,
     .metavar = "N",
     .default_text = "3",
     .min = 1,
     .max = 10,
     .help = "Count"},
    {.name = "interval",
     .kind = CLI_DURATION,
     .metavar = "TIME",
     .default_text = "100ms",
     .min = 10000000,
     .max = 60000000000,
     .help = "Interval"},
    {.name = "limit", .kind = CLI_SIZE, .metavar = "SIZE", .help = "Limit"},
    {.name = "ratio", .kind = CLI_NUMBER, .metavar = "X", .default_text = "0.5", .help = "Ratio"},
    {.name = "format",
     .kind = CLI_CHOICE,
     .metavar = "FORMAT",
     .choices = "html|json|markdown",
     .default_text = "html",
     .help = "Format"},
    {.name = "all", .letter = 'a', .kind = CLI_FLAG, .help = "All"},
    {.name = "follow", .letter = 'f', .kind = CLI_FLAG, .help = "Follow"},
    {.name = NULL},
};

static const struct cli_verb plain = {
    .name = "plain",
    .options = options,
    .has_json = true,
    .operands = (const struct cli_operand[]){{.name = "FLIGHT"},
                                             {.name = "FILE", .optional = true, .repeated = true},
                                             {.name = NULL}},
};
static const struct cli_verb runner = {.name = "run", .options = options, .command_follows = true};
static const struct cli_verb bare = {.name = "bare"};

static struct cli_context cli;

/* Parses the words, which end with NULL. */
static int parse(const struct cli_verb *verb, const char *const *words)
{
    static char *copy[16];
    int count = 0;
    for (; words[count] != NULL; count++) {
        copy[count] = (char *)(uintptr_t)words[count];
    }
    copy[count] = NULL;
    return cli_options_parse(&cli, verb, "mayfly plain", count, copy);
}
#define PARSE(verb, ...) parse(verb, (const char *const[]){__VA_ARGS__, NULL})

#define REFUSED(verb, message, ...)                                                                \
    do {                                                                                           \
        assert_int_equal(PARSE(verb, __VA_ARGS__), MF_ESYNTAX);                                    \
        assert_string_equal(cli.err.msg, message);                                                 \
    } while (0)

static void test_values(void **state)
{
    (void)state;
    assert_int_equal(PARSE(&plain, "-afn", "x", "--tag=1", "-t2", "one", "--tag", "3",
                           "--interval=1s", "--limit", "512M", "--format", "json", "two", "--",
                           "--three"),
                     0);
    assert_true(cli_flag(&cli, "all") && cli_flag(&cli, "follow"));
    assert_string_equal(cli_string(&cli, "name"), "x");
    assert_int_equal(cli_count(&cli, "tag"), 3);
    assert_string_equal(cli_string_at(&cli, "tag", 0), "1");
    assert_string_equal(cli_string_at(&cli, "tag", 1), "2");
    assert_string_equal(cli_string(&cli, "tag"), "3");
    assert_int_equal(cli_int(&cli, "interval"), 1000000000);
    assert_int_equal(cli_int(&cli, "limit"), 512 << 20);
    assert_int_equal(cli_choice(&cli, "format"), 1);
    assert_int_equal(cli.operand_count, 3);
    assert_string_equal(cli.operands[2], "--three");
    assert_null(cli.operands[3]);
    assert_false(cli.json);
    cli_options_free(&cli);
}

/* "--" as the argument of an option does not end the options; found by the fuzzer. */
static void test_dashes_as_argument(void **state)
{
    (void)state;
    assert_int_equal(PARSE(&plain, "-an", "--", "one", "-aaaaaaaaaaaaaaaaaaaaaaaa"), 0);
    assert_string_equal(cli_string(&cli, "name"), "--");
    assert_int_equal(cli_count(&cli, "all"), 25);
    cli_options_free(&cli);
}

static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(PARSE(&plain, "one", "--json", "--color=never"), 0);
    assert_int_equal(cli_int(&cli, "count"), 3);
    assert_int_equal(cli_int(&cli, "interval"), 100000000);
    assert_int_equal(cli_int(&cli, "limit"), 0);
    assert_true(cli_number(&cli, "ratio") == 0.5);
    assert_int_equal(cli_choice(&cli, "format"), 0);
    assert_string_equal(cli_string(&cli, "format"), "html");
    assert_null(cli_string(&cli, "name"));
    assert_int_equal(cli_count(&cli, "interval"), 0);
    assert_true(cli.json);
    assert_int_equal(cli.color, CLI_COLOR_NEVER);
    cli_options_free(&cli);
}

static void test_command(void **state)
{
    (void)state;
    assert_int_equal(PARSE(&runner, "-a", "--", "ls", "-l", "--", "x"), 0);
    assert_int_equal(cli.command_count, 4);
    assert_string_equal(cli.command[1], "-l");
    assert_null(cli.command[4]);
    cli_options_free(&cli);
    assert_int_equal(PARSE(&runner, "-a", "ls", "-a", "--name"), 0);
    assert_int_equal(cli.command_count, 3);
    assert_int_equal(cli_count(&cli, "all"), 1);
    cli_options_free(&cli);
    assert_int_equal(PARSE(&runner, "-a"), 0);
    assert_int_equal(cli.command_count, 0);
    assert_null(cli.command[0]);
    cli_options_free(&cli);
}

static void test_refusals(void **state)
{
    (void)state;
    REFUSED(&plain, "unknown option '--intervall' for 'mayfly plain'; did you mean '--interval'?",
            "--intervall", "1s", "one");
    REFUSED(&plain, "unknown option '--zzzz' for 'mayfly plain' (see 'mayfly plain --help')",
            "--zzzz=1");
    REFUSED(&plain, "unknown option '-x' for 'mayfly plain' (see 'mayfly plain --help')", "-ax");
    REFUSED(&plain, "option '--name' needs an argument: NAME", "one", "--name");
    REFUSED(&plain, "option '-n' needs an argument: NAME", "one", "-an");
    REFUSED(&plain, "option '--all' takes no argument", "--all=yes");
    REFUSED(&plain, "option '--count' must be from 1 to 10", "--count", "11");
    REFUSED(&plain, "option '--interval' must be from 10 ms to 1 min", "--interval", "1ms");
    REFUSED(&plain, "option '--count': '1.5' is not a whole number", "-c1.5");
    REFUSED(&plain, "option '--format': 'pdf' is not one of html|json|markdown", "--format=pdf");
    REFUSED(&plain, "option '--format': 'htm' is not one of html|json|markdown", "--format=htm");
    REFUSED(&plain, "option '--ratio': 'nan' is not finite", "--ratio=nan");
    REFUSED(&plain, "option '--limit': the size '9E' is too large", "--limit=9E");
    REFUSED(&plain, "option '--name' is given twice", "--name=a", "-nb");
    REFUSED(&plain, "'mayfly plain' needs an operand: FLIGHT (see 'mayfly plain --help')", "-a");
    REFUSED(&bare, "'mayfly plain' does not take 'one' (see 'mayfly plain --help')", "one");
    REFUSED(&bare, "unknown option '--json' for 'mayfly plain' (see 'mayfly plain --help')",
            "--json");
}

static void test_help(void **state)
{
    (void)state;
    assert_int_equal(PARSE(&plain, "--help", "--nonsense"), 0);
    assert_true(cli.help);
    cli_options_free(&cli);
    assert_int_equal(PARSE(&runner, "ls", "--help"), 0); /* the command's own */
    assert_false(cli.help);
    cli_options_free(&cli);
}

static void test_suggestions(void **state)
{
    (void)state;
    assert_int_equal(cli_edit_distance("", "abc"), 3);
    assert_int_equal(cli_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(cli_edit_distance("ab", "ba"), 1);
    struct cli_suggestion best = {0};
    cli_suggest(&best, "reprot", "recover");
    cli_suggest(&best, "reprot", "report");
    cli_suggest(&best, "reprot", "rm");
    assert_string_equal(best.word, "report");
    best = (struct cli_suggestion){0};
    cli_suggest(&best, "comp", "completion");
    assert_string_equal(best.word, "completion");
    best = (struct cli_suggestion){0};
    cli_suggest(&best, "xyz", "run");
    assert_null(best.word);
}

static void test_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(cli_exit_code(0), 0);
    assert_int_equal(cli_exit_code(-2), CLI_EXIT_NOINPUT);
    assert_int_equal(cli_exit_code(MF_ECORRUPT), CLI_EXIT_DATA);
    assert_int_equal(cli_exit_code(MF_ELOCKED), CLI_EXIT_TEMPORARY);
    assert_int_equal(cli_exit_code(-28), CLI_EXIT_IO);
    assert_int_equal(cli_exit_code(-9999), CLI_EXIT_INTERNAL);
    /* every code of our own has a place of its own choosing */
#define X(name, value, text) assert_int_not_equal(cli_exit_code(value), CLI_EXIT_INTERNAL);
    MF_ERROR_MAP(X)
#undef X
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),      cmocka_unit_test(test_dashes_as_argument),
        cmocka_unit_test(test_defaults),    cmocka_unit_test(test_command),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_help),
        cmocka_unit_test(test_suggestions), cmocka_unit_test(test_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
