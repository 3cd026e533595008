/* SPDX-License-Identifier: Apache-2.0
 * bench_config.c -- see config.h. The file is read by bench_config_file.c. */
#include "config.h"
#include "config_file.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/number.h"
#include "fmt/units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE_PREFIX "MF_BENCH_"

const struct bench_key_info mf__bench_keys[BENCH_KEY_COUNT] = {
#define X(identifier, name_, kind_, repeatable_, min_, max_, metavar_, choices_, default_, help_)  \
    [BENCH_KEY_##identifier] = {.name = name_,                                                     \
                                .kind = BENCH_KIND_##kind_,                                        \
                                .repeatable = repeatable_,                                         \
                                .min = min_,                                                       \
                                .max = max_,                                                       \
                                .metavar = metavar_,                                               \
                                .choices = choices_,                                               \
                                .default_text = default_,                                          \
                                .help = help_},
    BENCH_ALL_KEYS(X)
#undef X
};

/* ---- values ---- */

void mf__value_free(struct bench_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        mf_free(value->texts[i]);
    }
    mf_free(value->texts);
    mf_free(value->numbers);
    *value = (struct bench_value){0};
}

static int add_text(struct bench_value *value, const char *text)
{
    char **texts = mf_realloc(value->texts, (value->count + 1) * sizeof *texts);
    if (texts == NULL) {
        return -ENOMEM;
    }
    value->texts = texts;
    value->texts[value->count] = mf_strdup(text);
    if (value->texts[value->count] == NULL) {
        return -ENOMEM;
    }
    value->count++;
    return 0;
}

static int add_number(struct bench_value *value, double number)
{
    double *numbers = mf_realloc(value->numbers, (value->number_count + 1) * sizeof *numbers);
    if (numbers == NULL) {
        return -ENOMEM;
    }
    value->numbers = numbers;
    value->numbers[value->number_count++] = number;
    return 0;
}

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

static int parse_seed(const char *text, uint64_t *ret_seed, struct mf_errinfo *err)
{
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        char *end = NULL;
        const size_t len = strlen(text);
        const uint64_t seed = strtoull(text + 2, &end, 16);
        if (len > 2 && len <= 18 && *end == '\0' && isxdigit((unsigned char)text[2])) {
            *ret_seed = seed;
            return 0;
        }
        return mf_fail(err, MF_ESYNTAX, "'%.60s' is no hexadecimal number of 64 bits", text);
    }
    return mf_parse_uint64(text, ret_seed, err);
}

/* "1_000" and "1000", as in TOML. */
static int parse_number(const struct bench_key_info *info, const char *text, double *ret_number,
                        struct mf_errinfo *err)
{
    char digits[64];
    size_t len = 0;
    for (const char *p = text; *p != '\0' && len + 1 < sizeof digits; p++) {
        const bool separator =
            *p == '_' && p > text && isdigit((unsigned char)p[-1]) && isdigit((unsigned char)p[1]);
        if (!separator) {
            digits[len++] = *p;
        }
    }
    digits[len] = '\0';
    int64_t integer = 0;
    int64_t duration_ns = 0;
    double number = 0;
    int rc = 0;
    if (info->kind == BENCH_KIND_INT) {
        rc = mf_parse_int64(digits, &integer, err);
        number = (double)integer;
    } else {
        rc = mf_parse_double(digits, &number, err);
        if (rc < 0 && info->kind == BENCH_KIND_SECONDS &&
            mf_parse_duration(digits, &duration_ns, NULL) == 0) {
            number = (double)duration_ns / 1e9;
            rc = 0;
        }
    }
    if (rc == 0 && !isfinite(number)) {
        rc = mf_fail(err, MF_ESYNTAX, "'%.60s' is not finite", text);
    }
    if (rc == 0 && (info->min != 0 || info->max != 0) &&
        !(number >= info->min && number <= info->max)) {
        rc = mf_fail(err, MF_ESYNTAX, "%.60s is not between %.15g and %.15g", text, info->min,
                     info->max);
    }
    if (rc == 0) {
        *ret_number = number;
    }
    return rc;
}

static int parse_list(const struct bench_key_info *info, const char *text,
                      struct bench_value *value, struct mf_errinfo *err)
{
    int rc = 0;
    for (const char *p = text; rc == 0;) {
        char member[64];
        const size_t len = strcspn(p, ",");
        snprintf(member, sizeof member, "%.*s", (int)(len < 63 ? len : 63), p);
        double number = 0;
        rc = parse_number(info, member, &number, err);
        if (rc == 0 && add_number(value, number) < 0) {
            rc = mf_fail_os(err, -ENOMEM, "cannot read '%s'", info->name);
        }
        if (p[len] == '\0') {
            break;
        }
        p += len + 1;
    }
    if (rc == 0 && value->number_count > BENCH_PERCENTILES_MAX) {
        rc = mf_fail(err, MF_ESYNTAX, "'%.60s' has more than %d members", text,
                     BENCH_PERCENTILES_MAX);
    }
    return rc;
}

static int parse_flag(const char *text, double *ret_number, struct mf_errinfo *err)
{
    static const char *const yes[] = {"", "true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off"};
    for (size_t i = 0; i < MF_ARRAY_LEN(yes); i++) {
        if (strcmp(text, yes[i]) == 0) {
            *ret_number = 1;
            return 0;
        }
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(no); i++) {
        if (strcmp(text, no[i]) == 0) {
            *ret_number = 0;
            return 0;
        }
    }
    return mf_fail(err, MF_ESYNTAX, "'%.60s' is neither true nor false", text);
}

int mf__value_parse(enum bench_key key, const char *text, struct bench_value *value,
                    struct mf_errinfo *err)
{
    const struct bench_key_info *info = &mf__bench_keys[key];
    double number = 0;
    uint64_t seed = 0;
    int rc = 0;
    switch (info->kind) {
    case BENCH_KIND_STRING:
    case BENCH_KIND_FILE:
    case BENCH_KIND_DIR:
        rc = text[0] != '\0' ? 0 : mf_fail(err, MF_ESYNTAX, "it is empty");
        break;
    case BENCH_KIND_SEED:
        rc = parse_seed(text, &seed, err);
        break;
    case BENCH_KIND_FLAG:
        rc = parse_flag(text, &number, err);
        break;
    case BENCH_KIND_CHOICE:
        number = choice_index(info->choices, text);
        if (number < 0) {
            rc = mf_fail(err, MF_ESYNTAX, "'%.60s' is not one of %s", text, info->choices);
        }
        break;
    case BENCH_KIND_INT:
    case BENCH_KIND_NUMBER:
    case BENCH_KIND_SECONDS:
        rc = parse_number(info, text, &number, err);
        break;
    case BENCH_KIND_LIST:
        rc = parse_list(info, text, value, err);
        break;
    }
    if (rc == 0 && (add_text(value, text) < 0 ||
                    (info->kind != BENCH_KIND_LIST && add_number(value, number) < 0))) {
        rc = mf_fail_os(err, -ENOMEM, "cannot read '%s'", info->name);
    }
    return rc;
}

/* Replaces what a weaker source has said; a repeated option of the same source is added. */
int mf__value_set(struct bench_value *value, enum bench_key key, const char *text,
                  enum bench_source source, struct mf_errinfo *err)
{
    if (source < value->source) {
        return 0;
    }
    if (source > value->source || !mf__bench_keys[key].repeatable) {
        mf__value_free(value);
    }
    value->source = source;
    return mf__value_parse(key, text, value, err);
}

int mf__config_set(struct bench_config *config, enum bench_key key, const char *text,
                   enum bench_source source, struct mf_errinfo *err)
{
    return mf__value_set(&config->values[key], key, text, source, err);
}

enum bench_key mf__config_find(const char *name)
{
    for (int key = 0; key < BENCH_KEY_COUNT; key++) {
        const char *a = mf__bench_keys[key].name;
        const char *b = name;
        while (*a != '\0' && (*a == *b || (*a == '-' && *b == '_'))) {
            a++;
            b++;
        }
        if (*a == '\0' && *b == '\0') {
            return (enum bench_key)key;
        }
    }
    return BENCH_KEY_COUNT;
}

/* ---- the sources ---- */

static int load_defaults(struct bench_config *config, struct mf_errinfo *err)
{
    for (int key = 0; key < BENCH_KEY_COUNT; key++) {
        const char *text = mf__bench_keys[key].default_text;
        const int rc = text != NULL ? mf__config_set(config, (enum bench_key)key, text,
                                                     BENCH_FROM_DEFAULT, err)
                                    : 0;
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int load_words(struct bench_config *config, const struct bench_word *words, size_t count,
                      struct mf_errinfo *err)
{
    for (size_t i = 0; i < count; i++) {
        const enum bench_key key = mf__config_find(words[i].name);
        struct mf_errinfo why = {0};
        if (key == BENCH_KEY_COUNT) {
            return mf_fail(err, MF_ESYNTAX, "unknown option '--%.60s'", words[i].name);
        }
        const int rc = mf__config_set(config, key, words[i].text, BENCH_FROM_COMMAND_LINE, &why);
        if (rc < 0) {
            return mf_fail(err, rc, "option '--%s': %s", words[i].name, why.msg);
        }
    }
    return 0;
}

/* MF_BENCH_SAMPLE_SIZE=50 */
static int load_variable(struct bench_config *config, const char *variable, struct mf_errinfo *err)
{
    const char *name = variable + strlen(VARIABLE_PREFIX);
    const size_t len = strcspn(name, "=");
    char lower[64];
    snprintf(lower, sizeof lower, "%.*s", (int)(len < 63 ? len : 63), name);
    for (char *p = lower; *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    const enum bench_key key = mf__config_find(lower);
    struct mf_errinfo why = {0};
    if (key == BENCH_KEY_COUNT) {
        return mf_fail(err, MF_ESYNTAX,
                       "the environment has " VARIABLE_PREFIX
                       "%.*s, which is no setting of the laboratory",
                       (int)len, name);
    }
    const int rc = mf__config_set(config, key, name + len + 1, BENCH_FROM_ENVIRONMENT, &why);
    return rc < 0 ? mf_fail(err, rc, "the environment's " VARIABLE_PREFIX "%.*s: %s", (int)len,
                            name, why.msg)
                  : 0;
}

static int load_environment(struct bench_config *config, struct mf_errinfo *err)
{
    int rc = 0;
    for (char **variable = environ; *variable != NULL && rc == 0; variable++) {
        if (strncmp(*variable, VARIABLE_PREFIX, strlen(VARIABLE_PREFIX)) == 0 &&
            strchr(*variable, '=') != NULL) {
            rc = load_variable(config, *variable, err);
        }
    }
    return rc;
}

int mf__config_load(struct bench_config *config, const struct bench_word *words, size_t word_count,
                    struct mf_errinfo *err)
{
    memset(config, 0, sizeof *config);
    int rc = load_defaults(config, err);
    if (rc == 0) {
        rc = load_words(config, words, word_count, err);
    }
    if (rc == 0) {
        rc = load_environment(config, err);
    }
    if (rc == 0) { /* last, because the others may name it */
        const char *path = mf__config_text(config, BENCH_KEY_config);
        rc = mf__config_load_file(config, path != NULL ? path : BENCH_CONFIG_FILE, path == NULL,
                                  err);
    }
    return rc;
}

void mf__config_free(struct bench_config *config)
{
    for (int key = 0; key < BENCH_KEY_COUNT; key++) {
        mf__value_free(&config->values[key]);
    }
    for (size_t i = 0; i < config->suite_count; i++) {
        for (int key = 0; key < BENCH_KEY_COUNT; key++) {
            mf__value_free(&config->suites[i].values[key]);
        }
    }
    for (size_t i = 0; i < config->target_count; i++) {
        mf_free(config->targets[i].pattern);
        mf_free(config->targets[i].metric);
    }
    for (size_t i = 0; i < config->hardware_count; i++) {
        mf_free(config->hardware[i].key);
        mf_free(config->hardware[i].value);
    }
    mf_free(config->suites);
    mf_free(config->targets);
    mf_free(config->hardware);
    memset(config, 0, sizeof *config);
}

/* ---- asking ---- */

const struct bench_value *mf__config_value(const struct bench_config *config, const char *suite,
                                           enum bench_key key)
{
    const struct bench_value *general = &config->values[key];
    for (size_t i = 0; suite != NULL && i < config->suite_count; i++) {
        const struct bench_value *special = &config->suites[i].values[key];
        if (strcmp(config->suites[i].name, suite) == 0 && special->count > 0 &&
            special->source >= general->source) {
            return special;
        }
    }
    return general;
}

bool mf__config_given(const struct bench_config *config, enum bench_key key)
{
    return config->values[key].source > BENCH_FROM_DEFAULT;
}

bool mf__config_flag(const struct bench_config *config, enum bench_key key)
{
    return mf__config_number(config, NULL, key) != 0;
}

double mf__config_number(const struct bench_config *config, const char *suite, enum bench_key key)
{
    const struct bench_value *value = mf__config_value(config, suite, key);
    return value->number_count > 0 ? value->numbers[value->number_count - 1] : 0;
}

const char *mf__config_text(const struct bench_config *config, enum bench_key key)
{
    const struct bench_value *value = &config->values[key];
    return value->count > 0 ? value->texts[value->count - 1] : NULL;
}

uint64_t mf__config_seed(const struct bench_config *config)
{
    uint64_t seed = 0;
    const char *text = mf__config_text(config, BENCH_KEY_seed);
    (void)parse_seed(text != NULL ? text : "0", &seed, NULL); /* checked when it was set */
    return seed;
}
