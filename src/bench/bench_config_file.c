/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_config_file.c -- reads benchmark.toml.
 *
 *   [bench]         settings of keys.h, with '_' for '-'
 *   [regression]    those about comparisons
 *   [suite.NAME]    those about measuring, for one suite
 *   [throughput] [latency] [memory] [stress]    shorthands for the suites of these names, with
 * goals in the units of people: a throughput or a latency that is aimed at sets two limits, good
 *                   and critical, around it
 *   [[target]]      a limit of any figure of any benchmark
 *   [hardware]      a record of the machine; kept with the results
 *
 * Whatever else there is, is an error: a setting with a spelling mistake must not be silent.
 */
#include "config_file.h"

#include "base/buffer.h"
#include "base/fail.h"
#include "base/heap.h"
#include "fmt/toml.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MIB 1048576.0

struct reader {
    struct bench_config *config;
    const struct mf_toml *toml;
    struct mf_errinfo *err;
};

static int no_memory(struct reader *reader)
{
    return mf_fail_os(reader->err, -ENOMEM, "cannot read %.200s", reader->toml->origin);
}

static int unknown_key(struct reader *reader, const struct mf_toml_table *table,
                       const struct mf_toml_pair *pair)
{
    return mf_toml_fail(reader->toml, pair->place, reader->err, "unknown key '%.60s' in [%.60s]",
                        pair->key, table->name);
}

static int wrong_type(struct reader *reader, const struct mf_toml_pair *pair, const char *wanted)
{
    return mf_toml_fail(reader->toml, pair->value.place, reader->err, "'%.60s' must be %s, not %s",
                        pair->key, wanted, mf_toml_type_name(pair->value.type));
}

static bool is_number(const struct mf_toml_value *value)
{
    return value->type == MF_TOML_INT || value->type == MF_TOML_FLOAT;
}

/* ---- settings ---- */

static const char *kind_name(enum bench_kind kind)
{
    switch (kind) {
    case BENCH_KIND_FLAG:
        return "true or false";
    case BENCH_KIND_INT:
        return "a whole number";
    case BENCH_KIND_NUMBER:
        return "a number";
    case BENCH_KIND_SECONDS:
        return "a number of seconds, or a string like \"100ms\"";
    case BENCH_KIND_LIST:
        return "an array of numbers";
    case BENCH_KIND_SEED:
        return "a whole number, or a string like \"0x2a\"";
    case BENCH_KIND_STRING:
    case BENCH_KIND_FILE:
    case BENCH_KIND_DIR:
    case BENCH_KIND_CHOICE:
        break;
    }
    return "a string";
}

static bool fits(const struct bench_key_info *info, const struct mf_toml_value *value)
{
    switch (info->kind) {
    case BENCH_KIND_FLAG:
        return value->type == MF_TOML_BOOL;
    case BENCH_KIND_INT:
        return value->type == MF_TOML_INT;
    case BENCH_KIND_NUMBER:
        return is_number(value);
    case BENCH_KIND_SECONDS:
        return is_number(value) || value->type == MF_TOML_STRING;
    case BENCH_KIND_SEED:
        return value->type == MF_TOML_INT || value->type == MF_TOML_STRING;
    case BENCH_KIND_LIST:
        return is_number(value);
    case BENCH_KIND_STRING:
    case BENCH_KIND_FILE:
    case BENCH_KIND_DIR:
    case BENCH_KIND_CHOICE:
        break;
    }
    return value->type == MF_TOML_STRING;
}

static int set_text(struct reader *reader, struct bench_value *value, enum bench_key key,
                    const struct mf_toml_pair *pair, const char *text)
{
    struct mf_errinfo why = {0};
    const int rc = mf__value_set(value, key, text, BENCH_FROM_FILE, &why);
    return rc == 0 || rc == -ENOMEM ? (rc == 0 ? 0 : no_memory(reader))
                                    : mf_toml_fail(reader->toml, pair->value.place, reader->err,
                                                   "'%.60s': %s", pair->key, why.msg);
}

/* An array for a list of numbers, or for what can be given more than once. */
static int set_array(struct reader *reader, struct bench_value *value, enum bench_key key,
                     const struct mf_toml_pair *pair)
{
    const struct bench_key_info *info = &mf__bench_keys[key];
    struct mf_buffer joined = MF_BUFFER_INIT;
    int rc = 0;
    for (size_t i = 0; i < pair->value.item_count && rc == 0; i++) {
        const struct mf_toml_value *item = &pair->value.items[i];
        if (!fits(info, item)) {
            rc = mf_toml_fail(reader->toml, item->place, reader->err, "'%.60s' must be %s",
                              pair->key, kind_name(info->kind));
        } else if (info->kind == BENCH_KIND_LIST) {
            mf_buffer_printf(&joined, "%s%s", joined.len > 0 ? "," : "", item->text);
        } else {
            rc = set_text(reader, value, key, pair, item->text);
        }
    }
    if (rc == 0 && joined.failed) {
        rc = no_memory(reader);
    }
    if (rc == 0 && info->kind == BENCH_KIND_LIST && joined.len > 0) {
        rc = set_text(reader, value, key, pair, joined.data);
    }
    mf_buffer_free(&joined);
    return rc;
}

static int set_key(struct reader *reader, struct bench_value *value, enum bench_key key,
                   const struct mf_toml_pair *pair)
{
    const struct bench_key_info *info = &mf__bench_keys[key];
    if (pair->value.type == MF_TOML_ARRAY && (info->kind == BENCH_KIND_LIST || info->repeatable)) {
        return set_array(reader, value, key, pair);
    }
    if (!fits(info, &pair->value)) {
        return wrong_type(reader, pair, kind_name(info->kind));
    }
    return set_text(reader, value, key, pair, pair->value.text);
}

static bool key_is(const char *keyed, const char *name)
{
    return strchr(keyed, '-') == NULL && strcmp(keyed, name) == 0;
}

static int read_bench(struct reader *reader, const struct mf_toml_table *table)
{
    int rc = 0;
    for (size_t i = 0; i < table->pair_count && rc == 0; i++) {
        const struct mf_toml_pair *pair = &table->pairs[i];
        const enum bench_key key =
            strchr(pair->key, '-') == NULL ? mf__config_find(pair->key) : BENCH_KEY_COUNT;
        rc = key == BENCH_KEY_COUNT || key == BENCH_KEY_config
                 ? unknown_key(reader, table, pair)
                 : set_key(reader, &reader->config->values[key], key, pair);
    }
    return rc;
}

static int read_regression(struct reader *reader, const struct mf_toml_table *table)
{
    static const enum bench_key allowed[] = {
        BENCH_KEY_threshold_pct,   BENCH_KEY_stored_threshold_pct, BENCH_KEY_processes,
        BENCH_KEY_noise_floor_pct, BENCH_KEY_significance_level,   BENCH_KEY_noise_threshold,
    };
    int rc = 0;
    for (size_t i = 0; i < table->pair_count && rc == 0; i++) {
        const struct mf_toml_pair *pair = &table->pairs[i];
        const enum bench_key key = mf__config_find(pair->key);
        bool known = false;
        for (size_t k = 0; k < MF_ARRAY_LEN(allowed); k++) {
            known = known || (key == allowed[k] && strchr(pair->key, '-') == NULL);
        }
        rc = known ? set_key(reader, &reader->config->values[key], key, pair)
                   : unknown_key(reader, table, pair);
    }
    return rc;
}

/* ---- targets ---- */

static int add_target(struct reader *reader, const char *pattern, const char *metric, double good,
                      double critical, bool higher_is_better)
{
    struct bench_config *config = reader->config;
    struct bench_target *grown =
        mf_realloc(config->targets, (config->target_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return no_memory(reader);
    }
    config->targets = grown;
    struct bench_target *target = &config->targets[config->target_count++];
    *target = (struct bench_target){
        .pattern = mf_strdup(pattern),
        .metric = mf_strdup(metric),
        .good = good,
        .critical = critical,
        .higher_is_better = higher_is_better,
    };
    return target->pattern != NULL && target->metric != NULL ? 0 : no_memory(reader);
}

static int read_target(struct reader *reader, const struct mf_toml_table *table)
{
    const char *pattern = NULL;
    const char *metric = NULL;
    const struct mf_toml_pair *limits[2] = {NULL, NULL}; /* good, critical */
    for (size_t i = 0; i < table->pair_count; i++) {
        const struct mf_toml_pair *pair = &table->pairs[i];
        const bool text = key_is(pair->key, "bench") || key_is(pair->key, "metric");
        const bool limit = key_is(pair->key, "good") || key_is(pair->key, "critical");
        if (!text && !limit) {
            return unknown_key(reader, table, pair);
        }
        if (text && pair->value.type != MF_TOML_STRING) {
            return wrong_type(reader, pair, "a string");
        }
        if (limit && !is_number(&pair->value)) {
            return wrong_type(reader, pair, "a number");
        }
        if (limit) {
            limits[key_is(pair->key, "critical")] = pair;
        } else if (key_is(pair->key, "bench")) {
            pattern = pair->value.text;
        } else {
            metric = pair->value.text;
        }
    }
    if (pattern == NULL || metric == NULL || (limits[0] == NULL && limits[1] == NULL)) {
        return mf_toml_fail(reader->toml, table->place, reader->err,
                            "a target needs bench, metric, and good or critical or both");
    }
    const double good = limits[limits[0] == NULL]->value.number;
    const double critical = limits[limits[1] != NULL]->value.number;
    /* More is better of what is done in a second; where the two limits differ they say it
     * themselves. */
    const bool per_second = strstr(metric, "_per_second") != NULL;
    return add_target(reader, pattern, metric, good, critical,
                      good != critical ? good > critical : per_second);
}

/* ---- suites ---- */

static struct bench_suite_settings *suite_of(struct reader *reader, const char *name)
{
    struct bench_config *config = reader->config;
    for (size_t i = 0; i < config->suite_count; i++) {
        if (strcmp(config->suites[i].name, name) == 0) {
            return &config->suites[i];
        }
    }
    struct bench_suite_settings *grown =
        mf_realloc(config->suites, (config->suite_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    config->suites = grown;
    struct bench_suite_settings *suite = &config->suites[config->suite_count++];
    memset(suite, 0, sizeof *suite);
    snprintf(suite->name, sizeof suite->name, "%s", name);
    return suite;
}

/* The settings that may differ from suite to suite. */
static bool is_suite_key(enum bench_key key)
{
    static const enum bench_key keys[] = {
        BENCH_KEY_processes,        BENCH_KEY_warm_up_time,
        BENCH_KEY_measurement_time, BENCH_KEY_warm_up_iterations,
        BENCH_KEY_operations,       BENCH_KEY_sample_size,
        BENCH_KEY_threads,          BENCH_KEY_rate,
        BENCH_KEY_allocations,
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(keys); i++) {
        if (keys[i] == key) {
            return true;
        }
    }
    return false;
}

/* Goals in the units of people, and what they come to. */
enum goal {
    GOAL_SETTING,     /* a setting under another name */
    GOAL_LIMIT,       /* a target; good and critical are these parts of the number */
    GOAL_LEAKS,       /* a target, when it is true */
    GOAL_ALLOCATIONS, /* whether they are counted */
    GOAL_PRESSURE,    /* memory of the stressing process */
    GOAL_STRESS       /* its threads */
};

static const struct {
    const char *key;
    enum goal goal;
    enum bench_key setting;
    const char *metric;
    double unit, good, critical;
    double max;
} goals[] = {
    {"target_throughput", GOAL_LIMIT, 0, "elements_per_second", 1, 0.8, 0.5, 1e15},
    {"max_latency_micros", GOAL_LIMIT, 0, "p99_ns", 1000, 0.8, 1.5, 1e12},
    {"target_p99_micros", GOAL_LIMIT, 0, "p99_ns", 1000, 0.8, 1.5, 1e12},
    {"target_p95_micros", GOAL_LIMIT, 0, "p95_ns", 1000, 0.8, 1.5, 1e12},
    {"target_p50_micros", GOAL_LIMIT, 0, "p50_ns", 1000, 0.8, 1.5, 1e12},
    {"memory_limit_mb", GOAL_LIMIT, 0, "peak_memory_bytes", MIB, 1, 1, 1e9},
    {"test_duration_secs", GOAL_SETTING, BENCH_KEY_measurement_time, NULL, 1, 0, 0, 86400},
    {"measurement_iterations", GOAL_SETTING, BENCH_KEY_operations, NULL, 1, 0, 0, 1e9},
    {"warmup_iterations", GOAL_SETTING, BENCH_KEY_warm_up_iterations, NULL, 1, 0, 0, 1e15},
    {"enable_leak_detection", GOAL_LEAKS, 0, "leaked_bytes_per_op", 1, 0, 1, 1},
    {"enable_allocation_tracking", GOAL_ALLOCATIONS, BENCH_KEY_allocations, NULL, 1, 0, 0, 1},
    {"memory_pressure_mb", GOAL_PRESSURE, 0, NULL, MIB, 0, 0, 1e9},
    {"cpu_stress_level", GOAL_STRESS, 0, NULL, 1, 0, 0, 1024},
};

static int read_goal(struct reader *reader, struct bench_suite_settings *suite, size_t index,
                     const struct mf_toml_pair *pair)
{
    const struct mf_toml_value *value = &pair->value;
    const bool flag = goals[index].goal == GOAL_LEAKS || goals[index].goal == GOAL_ALLOCATIONS;
    if (flag != (value->type == MF_TOML_BOOL) || (!flag && !is_number(value))) {
        return wrong_type(reader, pair, flag ? "true or false" : "a number");
    }
    if (!flag && !(value->number > 0 && value->number <= goals[index].max)) {
        return mf_toml_fail(reader->toml, value->place, reader->err,
                            "'%s' must be more than 0 and at most %g", pair->key, goals[index].max);
    }
    const enum bench_key setting = goals[index].setting;
    const double number = value->number * goals[index].unit;
    char pattern[BENCH_SUITE_LEN + 8];
    snprintf(pattern, sizeof pattern, "%s::*", suite->name);
    switch (goals[index].goal) {
    case GOAL_SETTING:
        return set_key(reader, &suite->values[setting], setting, pair);
    case GOAL_LIMIT:
        return add_target(reader, pattern, goals[index].metric, goals[index].good * number,
                          goals[index].critical * number,
                          strstr(goals[index].metric, "_per_second") != NULL);
    case GOAL_LEAKS:
        return value->integer != 0 ? add_target(reader, pattern, goals[index].metric, 0,
                                                goals[index].critical, false)
                                   : 0;
    case GOAL_ALLOCATIONS:
        return set_text(reader, &suite->values[setting], setting, pair,
                        value->integer != 0 ? "on" : "off");
    case GOAL_PRESSURE:
        suite->stress_memory_bytes = (uint64_t)number;
        return 0;
    case GOAL_STRESS:
        suite->stress_threads = (int)number;
        return 0;
    }
    return 0;
}

static int read_suite(struct reader *reader, const struct mf_toml_table *table, const char *name)
{
    if (strlen(name) >= BENCH_SUITE_LEN || name[0] == '\0') {
        return mf_toml_fail(reader->toml, table->place, reader->err,
                            "the name of the suite is empty or too long");
    }
    struct bench_suite_settings *suite = suite_of(reader, name);
    if (suite == NULL) {
        return no_memory(reader);
    }
    int rc = 0;
    for (size_t i = 0; i < table->pair_count && rc == 0; i++) {
        const struct mf_toml_pair *pair = &table->pairs[i];
        size_t goal = 0;
        while (goal < MF_ARRAY_LEN(goals) && strcmp(goals[goal].key, pair->key) != 0) {
            goal++;
        }
        const enum bench_key key =
            strchr(pair->key, '-') == NULL ? mf__config_find(pair->key) : BENCH_KEY_COUNT;
        if (goal < MF_ARRAY_LEN(goals)) {
            rc = read_goal(reader, suite, goal, pair);
        } else {
            rc = is_suite_key(key) ? set_key(reader, &suite->values[key], key, pair)
                                   : unknown_key(reader, table, pair);
        }
    }
    return rc;
}

/* ---- hardware ---- */

static int read_hardware(struct reader *reader, const struct mf_toml_table *table)
{
    struct bench_config *config = reader->config;
    for (size_t i = 0; i < table->pair_count; i++) {
        const struct mf_toml_pair *pair = &table->pairs[i];
        if (pair->value.type == MF_TOML_ARRAY) {
            return wrong_type(reader, pair, "a string, a number, or true or false");
        }
        struct bench_pair *grown =
            mf_realloc(config->hardware, (config->hardware_count + 1) * sizeof *grown);
        if (grown == NULL) {
            return no_memory(reader);
        }
        config->hardware = grown;
        struct bench_pair *kept = &config->hardware[config->hardware_count++];
        kept->key = mf_strdup(pair->key);
        kept->value = mf_strdup(pair->value.text);
        if (kept->key == NULL || kept->value == NULL) {
            return no_memory(reader);
        }
    }
    return 0;
}

/* ---- the file ---- */

static int read_table(struct reader *reader, const struct mf_toml_table *table)
{
    static const char *const shorthands[] = {"throughput", "latency", "memory", "stress"};
    static const char prefix[] = "suite.";
    if (table->of_array) {
        return strcmp(table->name, "target") == 0
                   ? read_target(reader, table)
                   : mf_toml_fail(reader->toml, table->place, reader->err,
                                  "unknown table [[%.60s]]", table->name);
    }
    if (table->name[0] == '\0' && table->pair_count == 0) {
        return 0;
    }
    if (strcmp(table->name, "bench") == 0) {
        return read_bench(reader, table);
    }
    if (strcmp(table->name, "regression") == 0) {
        return read_regression(reader, table);
    }
    if (strcmp(table->name, "hardware") == 0) {
        return read_hardware(reader, table);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(shorthands); i++) {
        if (strcmp(table->name, shorthands[i]) == 0) {
            return read_suite(reader, table, table->name);
        }
    }
    if (strncmp(table->name, prefix, sizeof prefix - 1) == 0) {
        return read_suite(reader, table, table->name + sizeof prefix - 1);
    }
    return table->name[0] == '\0'
               ? mf_toml_fail(reader->toml, table->pairs[0].place, reader->err,
                              "'%.60s' stands in no table; settings are in [bench]",
                              table->pairs[0].key)
               : mf_toml_fail(reader->toml, table->place, reader->err, "unknown table [%.60s]%s",
                              table->name,
                              strcmp(table->name, "target") == 0 ? "; write [[target]]" : "");
}

int mf__config_load_text(struct bench_config *config, const char *text, size_t len,
                         const char *origin, struct mf_errinfo *err)
{
    struct mf_toml *toml = NULL;
    int rc = mf_toml_parse(text, len, origin, &toml, err);
    if (rc < 0) {
        return rc;
    }
    struct reader reader = {config, toml, err};
    for (size_t i = 0; i < toml->table_count && rc == 0; i++) {
        rc = read_table(&reader, &toml->tables[i]);
    }
    mf_toml_free(toml);
    return rc;
}

int mf__config_load_file(struct bench_config *config, const char *path, bool optional,
                         struct mf_errinfo *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = mf_fs_read_all(NULL, path, MF_TOML_LEN_MAX, &text, &len, err);
    if (rc == -ENOENT && optional) {
        return 0;
    }
    if (rc == 0) {
        rc = mf__config_load_text(config, text, len, path, err);
    }
    mf_free(text);
    return rc;
}
