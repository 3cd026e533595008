/* SPDX-License-Identifier: Apache-2.0
 *
 * sentinel.h -- tells from figures of finished work (CPU time, memory, ...) whether a task behaves
 * as it used to, and whether the whole is in a crisis: too many anomalies, too many requests, or
 * CPU budgets that were overrun.
 *
 *     struct mf_sentinel_settings settings = MF_SENTINEL_SETTINGS_INIT;
 *     static const char *const values[] = {"cpu_ms", "memory_mib"};
 *     mf_sentinel_new(&settings, values, 2, NULL, &sentinel, &err);
 *     mf_sentinel_task_add(sentinel, "parse", &parse, &err);
 *     mf_sentinel_observe(sentinel, parse, (double[]){1.9, 30.5}, over_budget, &score);
 *     while (mf_sentinel_take(sentinel, &change) == 1) { ... log mf_sentinel_explain(...) ... }
 *
 * An observation costs the same whatever came before it, allocates nothing and writes nowhere; what
 * is to be logged waits until someone takes it.
 */
#ifndef MAYFLY_SENTINEL_H
#define MAYFLY_SENTINEL_H

#include <mayfly/env.h>
#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mf_sentinel;

#define MF_SENTINEL_VALUES_MAX 8
#define MF_SENTINEL_TASKS_MAX  1024
#define MF_SENTINEL_NAME_LEN   32

/* Name, bit, word. */
#define MF_SENTINEL_CAUSE_MAP(X)                                                                   \
    X(ANOMALIES, 1, "anomalies")                                                                   \
    X(RATE, 2, "rate")                                                                             \
    X(CPU, 4, "cpu")

enum mf_sentinel_cause {
#define X(name, bit, word) MF_SENTINEL_##name = bit,
    MF_SENTINEL_CAUSE_MAP(X)
#undef X
        MF_SENTINEL_NO_CAUSE = 0
};

struct mf_sentinel_settings {
    /* What is anomalous: score = min(largest deviation in standard deviations / deviations, 1). */
    uint32_t window;     /* of each task: so many observations are its past; 2 .. 100000 */
    uint32_t minimum;    /* with fewer of them nothing is anomalous; at least 2 */
    double deviations;   /* > 0 */
    double anomalous;    /* a score above this is an anomaly; in (0, 1) */
    double floor_part;   /* the standard deviation is taken for at least this part of the mean */
    double floor_amount; /* and for at least this, in the units of the values; >= 0 */

    /* When a crisis begins: any of these. */
    int64_t period_ns;         /* over which anomalies and violations are counted; 1 s .. 1 h */
    double enter_anomalies;    /* more than this part of the observations is anomalous */
    uint64_t enter_rate_per_s; /* at least so many observations in a second; 0: never */
    uint64_t enter_violations; /* at least so many overrun CPU budgets; 0: never */
    /* When it ends: all of it has been better for so long. */
    double leave_anomalies; /* less than this part is anomalous; <= enter_anomalies */
    int64_t leave_after_ns;
};

#define MF_SENTINEL_SETTINGS_INIT                                                                  \
    {                                                                                              \
        .window = 1000, .minimum = 10, .deviations = 3, .anomalous = 0.7, .floor_part = 0.1,       \
        .floor_amount = 1e-6, .period_ns = INT64_C(60000000000), .enter_anomalies = 0.1,           \
        .enter_rate_per_s = 1000, .enter_violations = 1, .leave_anomalies = 0.02,                  \
        .leave_after_ns = INT64_C(120000000000)                                                    \
    }

/* settings NULL: as initialised above. Names of values are copied; 1 to MF_SENTINEL_VALUES_MAX.
 * Only the clock of `env` is used. Errors: MF_EVALUE, -ENOMEM. */
MF_API MF_MUST_CHECK int mf_sentinel_new(const struct mf_sentinel_settings *settings,
                                         const char *const *value_names, uint32_t value_count,
                                         const struct mf_env *env,
                                         struct mf_sentinel **ret_sentinel, struct mf_errinfo *err);
MF_API void mf_sentinel_free(struct mf_sentinel *sentinel); /* NULL is allowed */

/* Takes window * value_count * 8 bytes. Errors: MF_EVALUE (name of 1 to 31 bytes), MF_ELIMIT,
 * -ENOMEM. [any-thread] */
MF_API MF_MUST_CHECK int mf_sentinel_task_add(struct mf_sentinel *sentinel, const char *name,
                                              uint32_t *ret_task, struct mf_errinfo *err);

/* A piece of work has ended. `values` has value_count finite numbers. Returns 0 and *ret_score in
 * [0, 1] (may be NULL); MF_EVALUE, MF_ESTALE (no such task). [any-thread] */
MF_API int mf_sentinel_observe(struct mf_sentinel *sentinel, uint32_t task, const double *values,
                               bool cpu_violation, double *ret_score);
/* Time has passed: lets a crisis end when nothing is observed any more. [any-thread] */
MF_API void mf_sentinel_tick(struct mf_sentinel *sentinel);

/* A crisis has begun, got another cause, or ended. */
struct mf_sentinel_change {
    int64_t wall_ns;
    bool crisis;                     /* afterwards */
    uint32_t causes;                 /* of mf_sentinel_cause: new ones; at the end all there were */
    char task[MF_SENTINEL_NAME_LEN]; /* whose observation brought it; "" at the end */
    uint64_t observations;           /* in the period */
    uint64_t anomalies;
    uint64_t violations;
    uint64_t rate_per_s;
    double score;                     /* of the observation, and the value that deviated most */
    char value[MF_SENTINEL_NAME_LEN]; /* "" when none could be judged */
};
/* The next change that nobody has taken yet: 1, or 0. The last 64 are kept. [any-thread] */
MF_API int mf_sentinel_take(struct mf_sentinel *sentinel, struct mf_sentinel_change *ret_change);
/* A sentence about it, without full stop: "crisis: 1 CPU budget overrun in 60 s (task parse)".
 * Returns text, cut to capacity. */
MF_API char *mf_sentinel_explain(const struct mf_sentinel *sentinel,
                                 const struct mf_sentinel_change *change, char *text,
                                 size_t capacity);

struct mf_sentinel_state {
    bool crisis;
    uint32_t causes; /* since it began */
    int64_t since_monotonic_ns;
    uint64_t observations; /* in the period */
    uint64_t anomalies;
    uint64_t violations;
    uint64_t rate_per_s;
    uint64_t observations_ever;
    uint64_t changes_lost; /* more than 64 waited */
};
/* [any-thread] */
MF_API void mf_sentinel_state(struct mf_sentinel *sentinel, struct mf_sentinel_state *ret_state);

struct mf_sentinel_statistics {
    uint32_t count;
    double mean;
    double deviation; /* standard, of the window; without floor */
};
/* Of one value of a task. 0, MF_ESTALE. [any-thread] */
MF_API int mf_sentinel_statistics(struct mf_sentinel *sentinel, uint32_t task, uint32_t value,
                                  struct mf_sentinel_statistics *ret_statistics);

#ifdef __cplusplus
}
#endif
#endif
