/* SPDX-License-Identifier: Apache-2.0
 * options.c -- see options.h. */
#include "options.h"
#include "suggest.h"

#include "base/check.h"
#include "base/heap.h"
#include "fmt/number.h"
#include "fmt/units.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const struct cli_option cli_common_options[] = {
    {.name = "json", .kind = CLI_FLAG, .help = "Answer in JSON"},
    {.name = "color",
     .kind = CLI_CHOICE,
     .metavar = "WHEN",
     .choices = "auto|always|never",
     .default_text = "auto",
     .help = "When to colour (auto: on a terminal, unless NO_COLOR is set)"},
    {.name = "help", .letter = 'h', .kind = CLI_FLAG, .help = "Show this help and exit"},
    {.name = NULL},
};

bool cli_common_applies(const struct cli_option *option, const struct cli_verb *verb)
{
    return verb->has_json || strcmp(option->name, "json") != 0;
}

/* ---- looking up ---- */

static const struct cli_option *find_in(const struct cli_option *table, const char *name,
                                        size_t name_len, char letter)
{
    for (const struct cli_option *o = table; o != NULL && o->name != NULL; o++) {
        if (letter != 0 ? o->letter == letter
                        : strlen(o->name) == name_len && memcmp(o->name, name, name_len) == 0) {
            return o;
        }
    }
    return NULL;
}

/* By long name, or by letter when that is not 0. */
static const struct cli_option *find_option(const struct cli_verb *verb, const char *name,
                                            size_t name_len, char letter)
{
    const struct cli_option *option = find_in(verb->options, name, name_len, letter);
    if (option == NULL) {
        option = find_in(cli_common_options, name, name_len, letter);
        if (option != NULL && !cli_common_applies(option, verb)) {
            option = NULL;
        }
    }
    return option;
}

static int unknown_long(struct cli_context *cli, const char *name, size_t name_len)
{
    char asked[64];
    snprintf(asked, sizeof asked, "%.*s", (int)(name_len < 63 ? name_len : 63), name);
    struct cli_suggestion best = {0};
    for (const struct cli_option *o = cli->verb->options; o != NULL && o->name != NULL; o++) {
        cli_suggest(&best, asked, o->name);
    }
    for (const struct cli_option *o = cli_common_options; o->name != NULL; o++) {
        if (cli_common_applies(o, cli->verb)) {
            cli_suggest(&best, asked, o->name);
        }
    }
    if (best.word != NULL) {
        return mf_fail(&cli->err, MF_ESYNTAX,
                       "unknown option '--%s' for '%s'; did you mean '--%s'?", asked, cli->path,
                       best.word);
    }
    return mf_fail(&cli->err, MF_ESYNTAX, "unknown option '--%s' for '%s' (see '%s --help')", asked,
                   cli->path, cli->path);
}

/* ---- reading values ---- */

static int choice_index(const char *choices, const char *word)
{
    const size_t len = strlen(word);
    int index = 0;
    for (const char *p = choices; *p != '\0'; index++) {
        const size_t word_len = strcspn(p, "|");
        if (word_len == len && memcmp(p, word, len) == 0) {
            return index;
        }
        p += word_len + (p[word_len] == '|');
    }
    return -1;
}

static int check_bounds(struct cli_context *cli, const struct cli_option *option, int64_t value)
{
    if ((option->min == 0 && option->max == 0) || (value >= option->min && value <= option->max)) {
        return 0;
    }
    char low[MF_UNITS_LEN];
    char high[MF_UNITS_LEN];
    if (option->kind == CLI_DURATION) {
        mf_format_duration(low, option->min);
        mf_format_duration(high, option->max);
    } else if (option->kind == CLI_SIZE) {
        mf_format_size(low, (uint64_t)option->min);
        mf_format_size(high, (uint64_t)option->max);
    } else {
        snprintf(low, sizeof low, "%lld", (long long)option->min);
        snprintf(high, sizeof high, "%lld", (long long)option->max);
    }
    return mf_fail(&cli->err, MF_ESYNTAX, "option '--%s' must be from %s to %s", option->name, low,
                   high);
}

/* Reads the text of value->option into `value`. */
static int read_value(struct cli_context *cli, struct cli_value *value)
{
    const struct cli_option *option = value->option;
    struct mf_errinfo why = {0};
    uint64_t size = 0;
    int rc = 0;
    switch (option->kind) {
    case CLI_FLAG:
    case CLI_STRING:
    case CLI_FILE:
    case CLI_DIR:
        return 0;
    case CLI_INT:
        rc = mf_parse_int64(value->text, &value->integer, &why);
        break;
    case CLI_DURATION:
        rc = mf_parse_duration(value->text, &value->integer, &why);
        break;
    case CLI_NUMBER:
        rc = mf_parse_double(value->text, &value->number, &why);
        if (rc == 0 && !isfinite(value->number)) {
            rc = mf_fail(&why, MF_ESYNTAX, "'%s' is not finite", value->text);
        }
        break;
    case CLI_SIZE:
        rc = mf_parse_size(value->text, &size, &why);
        if (rc == 0 && size > INT64_MAX) {
            rc = mf_fail(&why, MF_ESYNTAX, "the size '%.80s' is too large", value->text);
        }
        value->integer = (int64_t)size;
        break;
    case CLI_CHOICE:
        value->integer = choice_index(option->choices, value->text);
        if (value->integer < 0) {
            rc =
                mf_fail(&why, MF_ESYNTAX, "'%.80s' is not one of %s", value->text, option->choices);
        }
        break;
    }
    if (rc < 0) {
        return mf_fail(&cli->err, MF_ESYNTAX, "option '--%s': %s", option->name, why.msg);
    }
    return check_bounds(cli, option, value->integer);
}

/* Room for one more value; the array doubles at each power of two. */
static int grow_values(struct cli_context *cli)
{
    const size_t count = (size_t)cli->value_count;
    if ((count & (count - 1)) != 0) {
        return 0;
    }
    struct cli_value *values =
        mf_realloc(cli->values, (count != 0 ? 2 * count : 1) * sizeof *values);
    if (values == NULL) {
        return mf_fail(&cli->err, -ENOMEM, "out of memory");
    }
    cli->values = values;
    return 0;
}

static int add_value(struct cli_context *cli, const struct cli_option *option, const char *text)
{
    if (!option->repeatable && option->kind != CLI_FLAG && cli_count(cli, option->name) > 0) {
        return mf_fail(&cli->err, MF_ESYNTAX, "option '--%s' is given twice", option->name);
    }
    int rc = grow_values(cli);
    if (rc == 0) {
        struct cli_value *value = &cli->values[cli->value_count];
        *value = (struct cli_value){.option = option, .text = text};
        rc = read_value(cli, value);
    }
    cli->value_count += rc == 0;
    return rc;
}

/* ---- the command line ---- */

/* Reads the option in words[at]; returns how many words it took, or a negative code. */
static int parse_long(struct cli_context *cli, char **words, int at)
{
    const char *name = words[at] + 2;
    const size_t name_len = strcspn(name, "=");
    const bool has_text = name[name_len] == '=';
    const struct cli_option *option = find_option(cli->verb, name, name_len, 0);
    if (option == NULL) {
        return unknown_long(cli, name, name_len);
    }
    if (option->kind == CLI_FLAG) {
        if (has_text) {
            return mf_fail(&cli->err, MF_ESYNTAX, "option '--%s' takes no argument", option->name);
        }
        const int rc = add_value(cli, option, "");
        return rc < 0 ? rc : 1;
    }
    const char *text = has_text ? name + name_len + 1 : words[at + 1];
    if (text == NULL) {
        return mf_fail(&cli->err, MF_ESYNTAX, "option '--%s' needs an argument: %s", option->name,
                       option->metavar);
    }
    const int rc = add_value(cli, option, text);
    return rc < 0 ? rc : has_text ? 1 : 2;
}

/* The same for a word of letters, "-abc" or "-nvalue" or "-n" "value". */
static int parse_letters(struct cli_context *cli, char **words, int at)
{
    for (const char *p = words[at] + 1; *p != '\0'; p++) {
        const struct cli_option *option = find_option(cli->verb, NULL, 0, *p);
        if (option == NULL) {
            return mf_fail(&cli->err, MF_ESYNTAX, "unknown option '-%c' for '%s' (see '%s --help')",
                           *p, cli->path, cli->path);
        }
        if (option->kind != CLI_FLAG) {
            const char *text = p[1] != '\0' ? p + 1 : words[at + 1];
            if (text == NULL) {
                return mf_fail(&cli->err, MF_ESYNTAX, "option '-%c' needs an argument: %s", *p,
                               option->metavar);
            }
            const int rc = add_value(cli, option, text);
            return rc < 0 ? rc : p[1] != '\0' ? 1 : 2;
        }
        const int rc = add_value(cli, option, "");
        if (rc < 0) {
            return rc;
        }
    }
    return 1;
}

static int check_operands(struct cli_context *cli)
{
    const struct cli_verb *verb = cli->verb;
    if (verb->command_follows) {
        return 0; /* the verb knows whether it needs one */
    }
    int at = 0;
    for (const struct cli_operand *o = verb->operands; o != NULL && o->name != NULL; o++) {
        if (!o->optional && at >= cli->operand_count) {
            return mf_fail(&cli->err, MF_ESYNTAX, "'%s' needs an operand: %s (see '%s --help')",
                           cli->path, o->name, cli->path);
        }
        at = o->repeated ? cli->operand_count : at + 1;
    }
    if (at < cli->operand_count) {
        return mf_fail(&cli->err, MF_ESYNTAX, "'%s' does not take '%.80s' (see '%s --help')",
                       cli->path, cli->operands[at], cli->path);
    }
    return 0;
}

static void take_command(struct cli_context *cli, char **words, int count)
{
    cli->command = words;
    cli->command_count = count;
}

/* "-1" is an operand: no option has a digit for its letter. */
static bool is_negative_number(const char *word)
{
    return word[0] == '-' && word[1] >= '0' && word[1] <= '9';
}

static int parse_words(struct cli_context *cli, int word_count, char **words)
{
    bool options_end = false;
    for (int at = 0; at < word_count;) {
        char *word = words[at];
        int used = 1;
        if (!options_end && strcmp(word, "--") == 0) {
            options_end = true;
            if (cli->verb->command_follows) {
                take_command(cli, words + at + 1, word_count - at - 1);
                break;
            }
        } else if (!options_end && word[0] == '-' && word[1] == '-') {
            used = parse_long(cli, words, at);
        } else if (!options_end && word[0] == '-' && word[1] != '\0' && !is_negative_number(word)) {
            used = parse_letters(cli, words, at);
        } else if (cli->verb->command_follows) {
            take_command(cli, words + at, word_count - at);
            break;
        } else {
            cli->operands[cli->operand_count++] = word;
        }
        if (used < 0) {
            return used;
        }
        if (cli_flag(cli, "help")) {
            cli->help = true;
            return 0;
        }
        at += used;
    }
    cli->operands[cli->operand_count] = NULL;
    cli->json = cli->verb->has_json && cli_flag(cli, "json");
    cli->color = (enum cli_color)cli_choice(cli, "color");
    return check_operands(cli);
}

int cli_options_parse(struct cli_context *cli, const struct cli_verb *verb, const char *path,
                      int word_count, char **words)
{
    *cli = (struct cli_context){.verb = verb};
    snprintf(cli->path, sizeof cli->path, "%s", path);
    take_command(cli, words + word_count, 0);
    cli->operands = mf_calloc((size_t)word_count + 1, sizeof *cli->operands);
    if (cli->operands == NULL) {
        return mf_fail(&cli->err, -ENOMEM, "out of memory");
    }
    const int rc = parse_words(cli, word_count, words);
    if (rc < 0) {
        cli_options_free(cli);
    }
    return rc;
}

void cli_options_free(struct cli_context *cli)
{
    mf_free(cli->values);
    mf_free(cli->operands);
    cli->values = NULL;
    cli->operands = NULL;
    cli->value_count = 0;
    cli->operand_count = 0;
}

/* ---- getters ---- */

static const struct cli_option *must_find(const struct cli_context *cli, const char *name)
{
    const struct cli_option *option = find_option(cli->verb, name, strlen(name), 0);
    MF_ASSERT(option != NULL);
    return option;
}

int cli_count(const struct cli_context *cli, const char *name)
{
    const struct cli_option *option = must_find(cli, name);
    int count = 0;
    for (int i = 0; i < cli->value_count; i++) {
        count += cli->values[i].option == option;
    }
    return count;
}

/* The value given as number `index`, or the last one for -1; the default when there is none. False
 * when there is no default either. */
static bool get_value(const struct cli_context *cli, const char *name, int index,
                      struct cli_value *ret_value)
{
    const struct cli_option *option = must_find(cli, name);
    const struct cli_value *found = NULL;
    int seen = 0;
    for (int i = 0; i < cli->value_count; i++) {
        if (cli->values[i].option == option) {
            if (index < 0 || seen == index) {
                found = &cli->values[i];
            }
            seen++;
        }
    }
    MF_ASSERT(index < 0 || found != NULL);
    if (found != NULL) {
        *ret_value = *found;
        return true;
    }
    if (option->default_text == NULL) {
        return false;
    }
    struct cli_context scratch = {.verb = cli->verb};
    *ret_value = (struct cli_value){.option = option, .text = option->default_text};
    MF_ASSERT(read_value(&scratch, ret_value) == 0);
    return true;
}

bool cli_flag(const struct cli_context *cli, const char *name)
{
    return cli_count(cli, name) > 0;
}

const char *cli_string(const struct cli_context *cli, const char *name)
{
    struct cli_value value;
    return get_value(cli, name, -1, &value) ? value.text : NULL;
}

const char *cli_string_at(const struct cli_context *cli, const char *name, int index)
{
    struct cli_value value;
    return get_value(cli, name, index, &value) ? value.text : NULL;
}

int64_t cli_int(const struct cli_context *cli, const char *name)
{
    struct cli_value value;
    return get_value(cli, name, -1, &value) ? value.integer : 0;
}

int64_t cli_int_at(const struct cli_context *cli, const char *name, int index)
{
    struct cli_value value;
    return get_value(cli, name, index, &value) ? value.integer : 0;
}

double cli_number(const struct cli_context *cli, const char *name)
{
    struct cli_value value;
    return get_value(cli, name, -1, &value) ? value.number : 0;
}

int cli_choice(const struct cli_context *cli, const char *name)
{
    struct cli_value value;
    return get_value(cli, name, -1, &value) ? (int)value.integer : -1;
}
