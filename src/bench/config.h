/* SPDX-License-Identifier: Apache-2.0
 *
 * config.h -- the settings of a run: command line over environment over benchmark.toml over what a
 * benchmark has registered over the defaults of keys.h.
 */
#ifndef BENCH_CONFIG_H
#define BENCH_CONFIG_H

#include "bench/command.h"
#include "model.h"

#define BENCH_CONFIG_FILE "benchmark.toml"

enum bench_source { /* later ones win */
                    BENCH_FROM_DEFAULT,
                    BENCH_FROM_REGISTRATION, /* never stored; where it stands among the others */
                    BENCH_FROM_FILE,
                    BENCH_FROM_ENVIRONMENT,
                    BENCH_FROM_COMMAND_LINE
};

struct bench_value {
    enum bench_source source;
    char **texts; /* `count` of them; of a LIST the whole is texts[0] and numbers has its members */
    size_t count;
    double *numbers; /* of numbers and lists; of a FLAG 0 or 1; of a CHOICE the index */
    size_t number_count;
};

/* What [NAME] or [suite.NAME] of the file says for one suite. */
struct bench_suite_settings {
    char name[BENCH_SUITE_LEN];
    struct bench_value values[BENCH_KEY_COUNT];
    uint64_t stress_memory_bytes; /* memory_pressure_mb */
    int stress_threads;           /* cpu_stress_level */
};

/* A figure of a benchmark must not be beyond `critical` and should be within `good`. */
struct bench_target {
    char *pattern; /* of names, as a filter */
    char *metric;  /* "median_ns", "p99_ns", "throughput_per_second", a resource, a counter */
    double good, critical;
    bool higher_is_better;
};

struct bench_config {
    struct bench_value values[BENCH_KEY_COUNT];
    struct bench_suite_settings *suites;
    size_t suite_count;
    struct bench_target *targets;
    size_t target_count;
    struct bench_pair *hardware; /* [hardware], as text */
    size_t hardware_count;
};

struct bench_key_info {
    const char *name;
    enum bench_kind {
        BENCH_KIND_FLAG,
        BENCH_KIND_STRING,
        BENCH_KIND_FILE,
        BENCH_KIND_DIR,
        BENCH_KIND_INT,
        BENCH_KIND_NUMBER,
        BENCH_KIND_SECONDS,
        BENCH_KIND_CHOICE,
        BENCH_KIND_LIST,
        BENCH_KIND_SEED
    } kind;
    bool repeatable;
    double min, max;
    const char *metavar;
    const char *choices;
    const char *default_text;
    const char *help;
};
extern const struct bench_key_info mf__bench_keys[BENCH_KEY_COUNT];

/* Everything: defaults, file, environment, the words of the command line. Freed with
 * mf__config_free(), also after a failure. Errors are MF_ESYNTAX and name the option, variable, or
 * line and column. */
int mf__config_load(struct bench_config *config, const struct bench_word *words, size_t word_count,
                    struct mf_errinfo *err);
void mf__config_free(struct bench_config *config);

/* One setting from a text. A source that is weaker than the one it has now changes nothing. */
int mf__config_set(struct bench_config *config, enum bench_key key, const char *text,
                   enum bench_source source, struct mf_errinfo *err);
/* The key with that name ("sample-size", or with '_'), or BENCH_KEY_COUNT. */
enum bench_key mf__config_find(const char *name);

/* As it holds for a suite; `suite` NULL: in general. Never NULL. */
const struct bench_value *mf__config_value(const struct bench_config *config, const char *suite,
                                           enum bench_key key);
bool mf__config_given(const struct bench_config *config, enum bench_key key); /* not a default */
bool mf__config_flag(const struct bench_config *config, enum bench_key key);
double mf__config_number(const struct bench_config *config, const char *suite, enum bench_key key);
/* NULL when it was not given and has no default. */
const char *mf__config_text(const struct bench_config *config, enum bench_key key);
uint64_t mf__config_seed(const struct bench_config *config);

#endif
