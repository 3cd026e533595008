/* SPDX-License-Identifier: Apache-2.0
 *
 * sentinel.c -- running statistics of tasks, and a crisis with causes.
 *
 * Statistics. Each value of a task has a ring of its last observations, and their mean and sum of
 * squared deviations, kept up to date by Welford's method when one comes and by its inverse when
 * one goes (B. P. Welford, Technometrics 4, 1962; the replacement of one value follows from it by
 * subtraction). Each replacement rounds, so a second pair is built up alongside, of the values
 * since the ring's begin; when the ring is full once more that pair describes all of it, without
 * any subtraction, and takes the place of the first. An observation is thus a fixed number of
 * operations, and errors never add up over more than one lap.
 *
 * Counting. Observations, anomalies and violations are counted in 60 buckets of a sixtieth of the
 * period each, and the rate in 10 buckets of 0.1 s; sums are kept alongside. So what is counted
 * covers the last 59/60 of the period at least.
 *
 * Crisis. Any condition begins it; one that joins later is told as well. It ends when anomalies are
 * below the leaving threshold and neither rate nor violations would begin one, without interruption
 * for leave_after_ns.
 *
 * Concurrency. One lock, held for an observation (some 50 ns). Limits: what waits to be taken is 64
 * changes; more are counted as lost, the newest stay. */
#include <mayfly/sentinel.h>

#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/thread.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BUCKETS      60
#define RATE_BUCKETS 10
#define CHANGES      64

struct moments {
    uint32_t count;
    double mean;
    double squares; /* sum of squared deviations */
};

struct series {
    struct moments all; /* of the ring */
    struct moments lap; /* since its begin */
    double *ring;
};

struct task {
    char name[MF_SENTINEL_NAME_LEN];
    uint32_t next; /* place in the rings */
    struct series *series;
};

struct counts {
    uint64_t observations;
    uint64_t anomalies;
    uint64_t violations;
};

struct mf_sentinel {
    struct mf_sentinel_settings settings;
    const struct mf_clock *clock;
    uint32_t value_count;
    char value_names[MF_SENTINEL_VALUES_MAX][MF_SENTINEL_NAME_LEN];

    struct mf_mutex lock; /* of all that follows */
    struct task **tasks;
    uint32_t task_count;

    int64_t bucket; /* the newest one's number */
    struct counts buckets[BUCKETS];
    struct counts sum;
    int64_t rate_bucket;
    uint64_t rate_buckets[RATE_BUCKETS];
    uint64_t rate;
    uint64_t observations_ever;

    uint32_t causes; /* 0: no crisis */
    int64_t since_ns;
    int64_t better_since_ns; /* -1: it is not better */

    struct mf_sentinel_change changes[CHANGES];
    uint64_t change_first;
    uint64_t change_end;
    uint64_t changes_lost;
};

/* ---- statistics ---- */

static void moments_add(struct moments *m, double value)
{
    m->count++;
    const double before = value - m->mean;
    m->mean += before / m->count;
    m->squares += before * (value - m->mean);
}

static void moments_replace(struct moments *m, double old, double value)
{
    const double mean_before = m->mean;
    m->mean += (value - old) / m->count;
    m->squares += (value - old) * (value - m->mean + old - mean_before);
    m->squares = m->squares < 0 ? 0 : m->squares;
}

static void series_add(struct series *series, uint32_t place, uint32_t window, double value)
{
    if (series->all.count < window) {
        moments_add(&series->all, value);
    } else {
        moments_replace(&series->all, series->ring[place], value);
    }
    series->ring[place] = value;
    moments_add(&series->lap, value);
    if (place + 1 == window) { /* the lap is the ring now */
        series->all = series->lap;
        series->lap = (struct moments){.count = 0};
    }
}

static double deviation_of(const struct moments *m)
{
    return m->count > 0 ? sqrt(m->squares / m->count) : 0;
}

/* *ret_value is the value that deviates most, -1 when there is none. */
static double score_of(const struct mf_sentinel *s, const struct task *task, const double *values,
                       int *ret_value)
{
    double worst = 0;
    for (uint32_t i = 0; i < s->value_count; i++) {
        const struct moments *m = &task->series[i].all;
        if (m->count < s->settings.minimum) {
            return 0;
        }
        double deviation = deviation_of(m);
        deviation = fmax(deviation, fabs(m->mean) * s->settings.floor_part);
        deviation = fmax(deviation, s->settings.floor_amount);
        const double distance = fabs(values[i] - m->mean);
        const double z = deviation > 0 ? distance / deviation : distance > 0 ? HUGE_VAL : 0;
        if (z > worst) {
            worst = z;
            *ret_value = (int)i;
        }
    }
    return fmin(worst / s->settings.deviations, 1);
}

/* ---- counting ---- */

static void counts_subtract(struct counts *from, const struct counts *counts)
{
    from->observations -= counts->observations;
    from->anomalies -= counts->anomalies;
    from->violations -= counts->violations;
}

/* Moves on to the buckets of a time; a clock that steps back stays where it was. */
static void advance(struct mf_sentinel *s, int64_t now_ns)
{
    const int64_t bucket = now_ns / (s->settings.period_ns / BUCKETS);
    for (int i = 0; i < BUCKETS && s->bucket < bucket; i++) {
        s->bucket++;
        struct counts *oldest = &s->buckets[(uint64_t)s->bucket % BUCKETS];
        counts_subtract(&s->sum, oldest);
        *oldest = (struct counts){.observations = 0};
    }
    s->bucket = bucket > s->bucket ? bucket : s->bucket;
    const int64_t rate_bucket = now_ns / (MF_NS_PER_SECOND / RATE_BUCKETS);
    for (int i = 0; i < RATE_BUCKETS && s->rate_bucket < rate_bucket; i++) {
        s->rate_bucket++;
        uint64_t *oldest = &s->rate_buckets[(uint64_t)s->rate_bucket % RATE_BUCKETS];
        s->rate -= *oldest;
        *oldest = 0;
    }
    s->rate_bucket = rate_bucket > s->rate_bucket ? rate_bucket : s->rate_bucket;
}

static void count(struct mf_sentinel *s, bool anomaly, bool violation)
{
    struct counts *bucket = &s->buckets[(uint64_t)s->bucket % BUCKETS];
    bucket->observations++;
    bucket->anomalies += anomaly;
    bucket->violations += violation;
    s->sum.observations++;
    s->sum.anomalies += anomaly;
    s->sum.violations += violation;
    s->rate_buckets[(uint64_t)s->rate_bucket % RATE_BUCKETS]++;
    s->rate++;
    s->observations_ever++;
}

/* ---- the crisis ---- */

static double anomalous_part(const struct mf_sentinel *s)
{
    return s->sum.observations > 0 ? (double)s->sum.anomalies / (double)s->sum.observations : 0;
}

static uint32_t causes_now(const struct mf_sentinel *s)
{
    const struct mf_sentinel_settings *settings = &s->settings;
    uint32_t causes = 0;
    if (s->sum.observations >= settings->minimum && anomalous_part(s) > settings->enter_anomalies) {
        causes |= MF_SENTINEL_ANOMALIES;
    }
    if (settings->enter_rate_per_s != 0 && s->rate >= settings->enter_rate_per_s) {
        causes |= MF_SENTINEL_RATE;
    }
    if (settings->enter_violations != 0 && s->sum.violations >= settings->enter_violations) {
        causes |= MF_SENTINEL_CPU;
    }
    return causes;
}

/* The observation at hand; without task when time has passed only. */
struct observation {
    const struct task *task;
    double score;
    int value;
};

static void tell(struct mf_sentinel *s, uint32_t causes, const struct observation *observation)
{
    if (s->change_end - s->change_first == CHANGES) {
        s->change_first++;
        s->changes_lost++;
    }
    struct mf_sentinel_change *change = &s->changes[s->change_end++ % CHANGES];
    *change = (struct mf_sentinel_change){
        .wall_ns = mf_clock_wall_ns(s->clock),
        .crisis = s->causes != 0,
        .causes = causes,
        .observations = s->sum.observations,
        .anomalies = s->sum.anomalies,
        .violations = s->sum.violations,
        .rate_per_s = s->rate,
        .score = observation->score,
    };
    if (observation->task != NULL) {
        memcpy(change->task, observation->task->name, sizeof change->task);
    }
    if (observation->value >= 0) {
        memcpy(change->value, s->value_names[observation->value], sizeof change->value);
    }
}

static const struct observation nothing = {.value = -1};

static void judge(struct mf_sentinel *s, int64_t now_ns, const struct observation *observation)
{
    const uint32_t causes = causes_now(s);
    const uint32_t fresh = causes & ~s->causes;
    if (fresh != 0) {
        s->since_ns = s->causes == 0 ? now_ns : s->since_ns;
        s->causes |= fresh;
        tell(s, fresh, observation);
    }
    const bool better = causes == 0 && (s->sum.observations == 0 ||
                                        anomalous_part(s) < s->settings.leave_anomalies);
    if (s->causes == 0 || !better) {
        s->better_since_ns = -1;
    } else if (s->better_since_ns < 0) {
        s->better_since_ns = now_ns;
    } else if (now_ns - s->better_since_ns >= s->settings.leave_after_ns) {
        const uint32_t all = s->causes;
        s->causes = 0;
        s->better_since_ns = -1;
        tell(s, all, &nothing);
    }
}

int mf_sentinel_observe(struct mf_sentinel *sentinel, uint32_t task_number, const double *values,
                        bool cpu_violation, double *ret_score)
{
    struct mf_sentinel *s = sentinel;
    for (uint32_t i = 0; i < s->value_count; i++) {
        if (!isfinite(values[i])) {
            return MF_EVALUE;
        }
    }
    const int64_t now_ns = mf_clock_monotonic_ns(s->clock);
    mf_mutex_lock(&s->lock);
    if (task_number >= s->task_count) {
        mf_mutex_unlock(&s->lock);
        return MF_ESTALE;
    }
    struct task *task = s->tasks[task_number];
    struct observation observation = {.task = task, .value = -1};
    const double score = score_of(s, task, values, &observation.value);
    observation.score = score;
    for (uint32_t i = 0; i < s->value_count; i++) {
        series_add(&task->series[i], task->next, s->settings.window, values[i]);
    }
    task->next = (task->next + 1) % s->settings.window;
    advance(s, now_ns);
    count(s, score > s->settings.anomalous, cpu_violation);
    judge(s, now_ns, &observation);
    mf_mutex_unlock(&s->lock);
    if (ret_score != NULL) {
        *ret_score = score;
    }
    return 0;
}

void mf_sentinel_tick(struct mf_sentinel *sentinel)
{
    const int64_t now_ns = mf_clock_monotonic_ns(sentinel->clock);
    mf_mutex_lock(&sentinel->lock);
    advance(sentinel, now_ns);
    judge(sentinel, now_ns, &nothing);
    mf_mutex_unlock(&sentinel->lock);
}

/* ---- what there is ---- */

int mf_sentinel_take(struct mf_sentinel *sentinel, struct mf_sentinel_change *ret_change)
{
    mf_mutex_lock(&sentinel->lock);
    const bool some = sentinel->change_first != sentinel->change_end;
    if (some) {
        *ret_change = sentinel->changes[sentinel->change_first++ % CHANGES];
    }
    mf_mutex_unlock(&sentinel->lock);
    return some;
}

char *mf_sentinel_explain(const struct mf_sentinel *sentinel,
                          const struct mf_sentinel_change *change, char *text, size_t capacity)
{
    const struct mf_sentinel_settings *settings = &sentinel->settings;
    const double period_s = (double)settings->period_ns / 1e9;
    char parts[3][120];
    size_t count = 0;
    if ((change->causes & MF_SENTINEL_CPU) != 0) {
        snprintf(parts[count++], sizeof parts[0], "%" PRIu64 " CPU budget%s overrun in %g s",
                 change->violations, change->violations == 1 ? "" : "s", period_s);
    }
    if ((change->causes & MF_SENTINEL_RATE) != 0) {
        snprintf(parts[count++], sizeof parts[0],
                 "%" PRIu64 " observations in a second, %" PRIu64 " are too many",
                 change->rate_per_s, settings->enter_rate_per_s);
    }
    if ((change->causes & MF_SENTINEL_ANOMALIES) != 0) {
        snprintf(parts[count++], sizeof parts[0],
                 "%" PRIu64 " of %" PRIu64 " observations anomalous in %g s", change->anomalies,
                 change->observations, period_s);
    }
    if (!change->crisis) {
        snprintf(text, capacity, "the crisis is over: better for %g s",
                 (double)settings->leave_after_ns / 1e9);
        return text;
    }
    snprintf(text, capacity, "crisis: %s%s%s%s%s%s%s%s", count > 0 ? parts[0] : "",
             count > 1 ? "; " : "", count > 1 ? parts[1] : "", count > 2 ? "; " : "",
             count > 2 ? parts[2] : "", change->task[0] != '\0' ? " (task " : "", change->task,
             change->task[0] != '\0' ? ")" : "");
    return text;
}

void mf_sentinel_state(struct mf_sentinel *sentinel, struct mf_sentinel_state *ret_state)
{
    struct mf_sentinel *s = sentinel;
    const int64_t now_ns = mf_clock_monotonic_ns(s->clock);
    mf_mutex_lock(&s->lock);
    advance(s, now_ns);
    *ret_state = (struct mf_sentinel_state){
        .crisis = s->causes != 0,
        .causes = s->causes,
        .since_monotonic_ns = s->since_ns,
        .observations = s->sum.observations,
        .anomalies = s->sum.anomalies,
        .violations = s->sum.violations,
        .rate_per_s = s->rate,
        .observations_ever = s->observations_ever,
        .changes_lost = s->changes_lost,
    };
    mf_mutex_unlock(&s->lock);
}

int mf_sentinel_statistics(struct mf_sentinel *sentinel, uint32_t task, uint32_t value,
                           struct mf_sentinel_statistics *ret_statistics)
{
    int rc = MF_ESTALE;
    mf_mutex_lock(&sentinel->lock);
    if (task < sentinel->task_count && value < sentinel->value_count) {
        const struct moments *m = &sentinel->tasks[task]->series[value].all;
        *ret_statistics = (struct mf_sentinel_statistics){
            .count = m->count, .mean = m->mean, .deviation = deviation_of(m)};
        rc = 0;
    }
    mf_mutex_unlock(&sentinel->lock);
    return rc;
}

/* ---- making and freeing ---- */

static int check_settings(const struct mf_sentinel_settings *s, struct mf_errinfo *err)
{
    if (s->window < 2 || s->window > 100000 || s->minimum < 2 || s->minimum > s->window) {
        return mf_fail(err, MF_EVALUE,
                       "a window of %u observations, judged from %u on: the window "
                       "is 2 to 100000, the minimum from 2 up to it",
                       s->window, s->minimum);
    }
    if (!(s->deviations > 0) || !(s->anomalous > 0 && s->anomalous < 1) || !(s->floor_part >= 0) ||
        !(s->floor_amount >= 0) || !isfinite(s->deviations) || !isfinite(s->floor_part) ||
        !isfinite(s->floor_amount)) {
        return mf_fail(err, MF_EVALUE, "what is anomalous: %g of %g deviations, floors %g and %g",
                       s->anomalous, s->deviations, s->floor_part, s->floor_amount);
    }
    if (s->period_ns < MF_NS_PER_SECOND || s->period_ns > 3600 * MF_NS_PER_SECOND ||
        s->leave_after_ns < 0 || !(s->enter_anomalies >= 0 && s->enter_anomalies <= 1) ||
        !(s->leave_anomalies >= 0 && s->leave_anomalies <= s->enter_anomalies)) {
        return mf_fail(err, MF_EVALUE,
                       "a crisis over %lld ns that begins above %g and ends below %g for %lld ns",
                       (long long)s->period_ns, s->enter_anomalies, s->leave_anomalies,
                       (long long)s->leave_after_ns);
    }
    return 0;
}

static bool name_fits(const char *name)
{
    return name != NULL && name[0] != '\0' && strlen(name) < MF_SENTINEL_NAME_LEN;
}

int mf_sentinel_new(const struct mf_sentinel_settings *settings, const char *const *value_names,
                    uint32_t value_count, const struct mf_env *env,
                    struct mf_sentinel **ret_sentinel, struct mf_errinfo *err)
{
    static const struct mf_sentinel_settings usual = MF_SENTINEL_SETTINGS_INIT;
    settings = settings != NULL ? settings : &usual;
    const int rc = check_settings(settings, err);
    if (rc != 0) {
        return rc;
    }
    if (value_count == 0 || value_count > MF_SENTINEL_VALUES_MAX) {
        return mf_fail(err, MF_EVALUE, "%u values; 1 to %d", value_count, MF_SENTINEL_VALUES_MAX);
    }
    struct mf_sentinel *s = mf_calloc(1, sizeof *s);
    if (s == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for a sentinel");
    }
    s->settings = *settings;
    s->clock = env != NULL ? env->clock : NULL;
    s->value_count = value_count;
    s->better_since_ns = -1;
    for (uint32_t i = 0; i < value_count; i++) {
        if (!name_fits(value_names[i])) {
            mf_free(s);
            return mf_fail(err, MF_EVALUE, "the name of a value has 1 to %d bytes",
                           MF_SENTINEL_NAME_LEN - 1);
        }
        memcpy(s->value_names[i], value_names[i], strlen(value_names[i]));
    }
    mf_mutex_init(&s->lock);
    const int64_t now_ns = mf_clock_monotonic_ns(s->clock);
    s->bucket = now_ns / (settings->period_ns / BUCKETS);
    s->rate_bucket = now_ns / (MF_NS_PER_SECOND / RATE_BUCKETS);
    *ret_sentinel = s;
    return 0;
}

/* A task, its series and their rings in one piece of memory. */
static struct task *make_task(const struct mf_sentinel *s, const char *name)
{
    const size_t rings = (size_t)s->value_count * s->settings.window;
    struct task *task =
        mf_calloc(1, sizeof *task + s->value_count * sizeof *task->series + rings * sizeof(double));
    if (task == NULL) {
        return NULL;
    }
    task->series = (struct series *)(void *)(task + 1);
    double *ring = (double *)(void *)(task->series + s->value_count);
    for (uint32_t i = 0; i < s->value_count; i++) {
        task->series[i].ring = ring + (size_t)i * s->settings.window;
    }
    memcpy(task->name, name, strlen(name));
    return task;
}

int mf_sentinel_task_add(struct mf_sentinel *sentinel, const char *name, uint32_t *ret_task,
                         struct mf_errinfo *err)
{
    if (!name_fits(name)) {
        return mf_fail(err, MF_EVALUE, "the name of a task has 1 to %d bytes",
                       MF_SENTINEL_NAME_LEN - 1);
    }
    struct task *task = make_task(sentinel, name);
    if (task == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for the past of the task %s", name);
    }
    int rc = 0;
    mf_mutex_lock(&sentinel->lock);
    if (sentinel->task_count == MF_SENTINEL_TASKS_MAX) {
        rc = mf_fail(err, MF_ELIMIT, "there are %d tasks already", MF_SENTINEL_TASKS_MAX);
    } else {
        struct task **tasks =
            mf_realloc(sentinel->tasks, (sentinel->task_count + 1) * sizeof(struct task *));
        rc = tasks == NULL ? mf_fail(err, -ENOMEM, "no memory for the task %s", name) : 0;
        if (tasks != NULL) {
            sentinel->tasks = tasks;
            tasks[sentinel->task_count] = task;
            *ret_task = sentinel->task_count++;
        }
    }
    mf_mutex_unlock(&sentinel->lock);
    if (rc != 0) {
        mf_free(task);
    }
    return rc;
}

void mf_sentinel_free(struct mf_sentinel *sentinel)
{
    if (sentinel == NULL) {
        return;
    }
    for (uint32_t i = 0; i < sentinel->task_count; i++) {
        mf_free(sentinel->tasks[i]);
    }
    mf_free(sentinel->tasks);
    mf_mutex_fini(&sentinel->lock);
    mf_free(sentinel);
}
