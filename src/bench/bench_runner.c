/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_runner.c -- which process is started when.
 *
 * Replicas come in rounds: each round has every benchmark once, in an order drawn anew from the
 * seed, so that neither a slow drift of the machine nor what a neighbour leaves behind always meets
 * the same one. Two programs are compared by pairs, one process of each directly after the other;
 * which goes first alternates from round to round (ABBA), from a start that is drawn for each
 * benchmark, so that a drift cancels. Both of a pair get the same random amount of environment,
 * which moves the stack.
 */
#include "runner.h"
#include "launch.h"

#include "base/fail.h"
#include "base/heap.h"
#include "base/rng.h"
#include "os/clock.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define PADDING_MAX       4096
#define QUICK_PROCESSES   2
#define QUICK_WARM_UP     0.1
#define QUICK_MEASUREMENT 0.4
#define QUICK_SAMPLES     20
#define PROCESS_SAMPLES   10 /* of one process at least */

/* ---- plans ---- */

/* The value for a suite, or where nobody has given one: of the registration, of quick mode. */
static double planned(const struct bench_config *config, const char *suite, enum bench_key key,
                      double registered, double quick)
{
    const struct bench_value *value = mf__config_value(config, suite, key);
    if (value->source > BENCH_FROM_REGISTRATION) {
        return value->numbers[0];
    }
    if (mf__config_flag(config, BENCH_KEY_quick)) {
        return quick;
    }
    return registered > 0 ? registered : value->numbers[0];
}

static unsigned process_count(const struct bench_config *config, const char *suite)
{
    if (mf__config_flag(config, BENCH_KEY_test)) {
        return 1;
    }
    return (unsigned)planned(config, suite, BENCH_KEY_processes, 0, QUICK_PROCESSES);
}

void mf__runner_plan(const struct bench_config *config, const struct bench_case *one,
                     struct bench_plan *ret_plan)
{
    const struct mf_bench_options *options = &one->listed->options;
    const char *suite = one->listed->suite;
    const double processes = process_count(config, suite);
    const double samples =
        planned(config, suite, BENCH_KEY_sample_size, options->samples, QUICK_SAMPLES);
    const double rate = mf__config_number(config, suite, BENCH_KEY_rate);
    *ret_plan = (struct bench_plan){
        .mode = options->mode,
        .param = one->param,
        .threads = one->threads,
        .warm_up_seconds =
            planned(config, suite, BENCH_KEY_warm_up_time, 0, QUICK_WARM_UP) / processes,
        .measurement_seconds = planned(config, suite, BENCH_KEY_measurement_time,
                                       options->measurement_seconds, QUICK_MEASUREMENT) /
                               processes,
        .warm_up_iterations =
            (uint64_t)mf__config_number(config, suite, BENCH_KEY_warm_up_iterations),
        .operations =
            (uint64_t)ceil(mf__config_number(config, suite, BENCH_KEY_operations) / processes),
        .samples = (uint32_t)fmax(ceil(samples / processes), PROCESS_SAMPLES),
        .rate_per_second = rate > 0 ? rate : options->rate_per_second,
        .poisson = options->poisson || mf__config_flag(config, BENCH_KEY_poisson),
        .seed = mf__config_seed(config),
        .test = mf__config_flag(config, BENCH_KEY_test),
        .track_allocations = mf__config_number(config, suite, BENCH_KEY_allocations) == 0,
    };
}

static int64_t timeout_ns(const struct bench_config *config, const struct bench_plan *plan)
{
    if (mf__config_given(config, BENCH_KEY_timeout)) {
        return (int64_t)(mf__config_number(config, NULL, BENCH_KEY_timeout) * 1e9);
    }
    const double expected = 10 * (plan->warm_up_seconds + plan->measurement_seconds);
    return (int64_t)(fmax(expected, 60) * 1e9);
}

/* ---- the schedule ---- */

struct unit {
    uint32_t case_index;
    uint32_t round;
};

struct runner {
    const struct bench_config *config;
    const struct bench_cases *cases;
    const struct bench_case **others; /* the same benchmark of the other program, or NULL */
    struct mf_signals *signals;
    const struct bench_progress *progress;
    struct bench_run run, other_run;
    struct unit *units;
    size_t unit_count;
    uint64_t *draws; /* one random number for each unit, in the order of cases and rounds */
    bool *other_first;
    int signal;
};

static void shuffle(struct unit *units, size_t count, struct mf_rng *rng)
{
    for (size_t i = count; i > 1; i--) {
        const size_t at = (size_t)mf_rng_below(rng, i);
        const struct unit swap = units[i - 1];
        units[i - 1] = units[at];
        units[at] = swap;
    }
}

static int schedule(struct runner *runner, struct mf_errinfo *err)
{
    const size_t count = runner->cases->case_count;
    unsigned rounds = 0;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        const unsigned n = process_count(runner->config, runner->cases->cases[i].listed->suite);
        total += n;
        rounds = n > rounds ? n : rounds;
    }
    runner->units = mf_calloc(total + 1, sizeof *runner->units);
    runner->draws = mf_calloc(total + 1, sizeof *runner->draws);
    runner->other_first = mf_calloc(count + 1, sizeof *runner->other_first);
    if (runner->units == NULL || runner->draws == NULL || runner->other_first == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot plan %zu processes", total);
    }
    struct mf_rng rng;
    mf_rng_seed(&rng, mf__config_seed(runner->config));
    for (size_t i = 0; i < count; i++) {
        runner->other_first[i] = (mf_rng_next(&rng) >> 63) != 0;
    }
    for (unsigned round = 0; round < rounds; round++) {
        const size_t begin = runner->unit_count;
        for (size_t i = 0; i < count; i++) {
            if (round < process_count(runner->config, runner->cases->cases[i].listed->suite)) {
                runner->units[runner->unit_count++] = (struct unit){(uint32_t)i, round};
            }
        }
        shuffle(runner->units + begin, runner->unit_count - begin, &rng);
    }
    for (size_t i = 0; i < runner->unit_count; i++) {
        runner->draws[i] = mf_rng_next(&rng);
    }
    return 0;
}

/* ---- results ---- */

static int copy_text(const char **ret, const char *text)
{
    *ret = mf_strdup(text);
    return *ret != NULL ? 0 : -ENOMEM;
}

static int start_result(struct bench_result *result, const struct bench_case *one,
                        const struct bench_config *config)
{
    const struct mf_bench_options *options = &one->listed->options;
    struct bench_plan plan;
    mf__runner_plan(config, one, &plan);
    memset(result, 0, sizeof *result);
    result->options = *options;
    result->options.params = NULL;
    result->options.threads = NULL;
    result->options.group = result->options.param_name = result->options.ratio_to = NULL;
    result->options.rate_per_second = plan.rate_per_second;
    result->options.poisson = plan.poisson;
    result->param = one->param;
    result->threads = one->threads;
    result->quick = mf__config_flag(config, BENCH_KEY_quick);
    result->processes_planned = process_count(config, one->listed->suite);
    memcpy(result->suite, one->listed->suite, strlen(one->listed->suite) + 1);
    result->name = mf_strdup(one->name);
    result->unit = mf_strdup("ns");
    result->processes = mf_calloc(result->processes_planned, sizeof *result->processes);
    const bool complete = result->name != NULL && result->unit != NULL &&
                          result->processes != NULL &&
                          copy_text(&result->options.group, options->group) == 0 &&
                          copy_text(&result->options.param_name, options->param_name) == 0 &&
                          copy_text(&result->options.ratio_to, options->ratio_to) == 0;
    return complete ? 0 : -ENOMEM;
}

static int start_run(const struct runner *runner, struct bench_run *run, bool other,
                     struct mf_errinfo *err)
{
    const size_t count = runner->cases->case_count;
    run->started_wall_ns = mf_clock_wall_ns(NULL);
    run->seed = mf__config_seed(runner->config);
    run->quick = mf__config_flag(runner->config, BENCH_KEY_quick);
    run->commit = mf_strdup("");
    run->results = mf_calloc(count + 1, sizeof *run->results);
    int rc = run->commit != NULL && run->results != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct bench_case *one = other ? runner->others[i] : &runner->cases->cases[i];
        /* A result stands at the index of its case; one that is missing there has no name. */
        if (one != NULL) {
            rc = start_result(&run->results[i], one, runner->config);
        }
        run->result_count++;
    }
    return rc == 0 ? 0 : mf_fail_os(err, rc, "cannot keep %zu results", count);
}

static void fail_result(struct bench_result *result, enum bench_status status, const char *message)
{
    result->status = status;
    mf_free(result->message);
    result->message = mf_strdup(message);
}

/* ---- one process ---- */

static int take_measured(struct bench_result *result, struct bench_measured *measured, char binary)
{
    if (measured->status != BENCH_OK) {
        fail_result(result, measured->status, measured->message);
        mf__process_free(&measured->process);
        return 0;
    }
    result->elements = measured->elements;
    result->bytes = measured->bytes;
    measured->process.binary = binary;
    result->processes[result->process_count++] = measured->process;
    return 0;
}

static int run_process(struct runner *runner, const struct bench_case *one, uint32_t round,
                       uint64_t draw, struct bench_result *result, char binary,
                       struct mf_errinfo *err)
{
    struct bench_request request = {.action = BENCH_ACTION_MEASURE, .cpu = -1};
    memcpy(request.benchmark, one->listed->base_name, strlen(one->listed->base_name) + 1);
    mf__runner_plan(runner->config, one, &request.plan);
    request.plan.process_index = round;
    if (mf__config_given(runner->config, BENCH_KEY_cpu)) {
        request.cpu = (int)mf__config_number(runner->config, NULL, BENCH_KEY_cpu);
    }
    const struct bench_launch launch = {
        .program = one->program->path,
        .request = &request,
        .environment_padding = (size_t)(draw % PADDING_MAX),
        .timeout_ns = timeout_ns(runner->config, &request.plan),
        .signals = runner->signals,
        .ret_signal = &runner->signal,
    };
    struct mf_buffer answer = MF_BUFFER_INIT;
    struct mf_errinfo why = {0};
    struct bench_measured measured;
    int rc = mf__launch(&launch, &answer, &why);
    if (rc == 0) {
        rc = mf__measured_read(answer.data, answer.len, one->program->path, &measured, &why);
        mf_buffer_free(&answer);
    }
    if (rc == 0) {
        return take_measured(result, &measured, binary);
    }
    if (rc == -ENOMEM || rc == -EINTR) {
        *err = why;
        return rc;
    }
    fail_result(result, BENCH_FAILED, why.msg);
    return 0;
}

/* Processors and memory are kept busy while suites run that ask for it ([stress] of the file). */
static int start_stress(struct runner *runner, const struct bench_case *one, int32_t *ret_pid,
                        struct mf_errinfo *err)
{
    *ret_pid = 0;
    for (size_t i = 0; i < runner->config->suite_count; i++) {
        const struct bench_suite_settings *suite = &runner->config->suites[i];
        if (strcmp(suite->name, one->listed->suite) != 0 ||
            (suite->stress_memory_bytes == 0 && suite->stress_threads == 0) ||
            mf__config_flag(runner->config, BENCH_KEY_test)) {
            continue;
        }
        const struct bench_request request = {
            .action = BENCH_ACTION_STRESS,
            .plan = {.threads = 1, .samples = 1, .measurement_seconds = 1},
            .cpu = -1,
            .stress_memory_bytes = suite->stress_memory_bytes,
            .stress_threads = suite->stress_threads,
        };
        const struct bench_launch launch = {
            .program = one->program->path,
            .request = &request,
            .timeout_ns = 60 * MF_NS_PER_SECOND,
            .signals = runner->signals,
            .ret_signal = &runner->signal,
        };
        return mf__launch_background(&launch, ret_pid, err);
    }
    return 0;
}

static int run_unit(struct runner *runner, const struct unit *unit, uint64_t draw,
                    struct mf_errinfo *err)
{
    const struct bench_case *sides[2] = {
        &runner->cases->cases[unit->case_index],
        runner->others != NULL ? runner->others[unit->case_index] : NULL,
    };
    struct bench_result *results[2] = {
        &runner->run.results[unit->case_index],
        runner->others != NULL ? &runner->other_run.results[unit->case_index] : NULL,
    };
    int32_t stress = 0;
    int rc = start_stress(runner, sides[0], &stress, err);
    const int first = runner->other_first[unit->case_index] != (unit->round % 2 != 0);
    for (int i = 0; i < 2 && rc == 0; i++) {
        const int side = i ^ first;
        /* What has failed is not tried again, nor is its pair. */
        if (sides[side] != NULL && results[0]->status == BENCH_OK &&
            (results[1] == NULL || results[1]->status == BENCH_OK)) {
            rc = run_process(runner, sides[side], unit->round, draw, results[side],
                             side == 0 ? 'A' : 'B', err);
        }
    }
    if (stress != 0) {
        mf__launch_stop(stress);
    }
    return rc;
}

static double planned_seconds(const struct runner *runner, const struct unit *unit)
{
    struct bench_plan plan;
    mf__runner_plan(runner->config, &runner->cases->cases[unit->case_index], &plan);
    const double seconds =
        plan.test ? 0.01 : plan.warm_up_seconds + 1.35 * plan.measurement_seconds + 0.02;
    return runner->others != NULL ? 2 * seconds : seconds;
}

static int run_units(struct runner *runner, struct mf_errinfo *err)
{
    double left = 0;
    for (size_t i = 0; i < runner->unit_count; i++) {
        left += planned_seconds(runner, &runner->units[i]);
    }
    int rc = 0;
    for (size_t i = 0; i < runner->unit_count && rc == 0; i++) {
        const struct unit *unit = &runner->units[i];
        if (runner->progress != NULL) {
            runner->progress->step(runner->progress->context, i, runner->unit_count,
                                   runner->cases->cases[unit->case_index].name, left);
        }
        rc = run_unit(runner, unit, runner->draws[i], err);
        left -= planned_seconds(runner, unit);
    }
    return rc;
}

/* Takes out what the program does not have, and what an interrupted run did not come to. */
static void tidy(struct bench_run *run)
{
    size_t kept = 0;
    for (size_t i = 0; i < run->result_count; i++) {
        struct bench_result *result = &run->results[i];
        if (result->name == NULL || (result->status == BENCH_OK && result->process_count == 0)) {
            mf__bench_result_free(result);
        } else {
            run->results[kept++] = *result;
        }
    }
    run->result_count = kept;
}

static int find_others(struct runner *runner, const struct bench_cases *others,
                       struct mf_errinfo *err)
{
    const size_t count = runner->cases->case_count;
    runner->others = mf_calloc(count + 1, sizeof *runner->others);
    if (runner->others == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot plan %zu pairs", count);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < others->case_count; k++) {
            if (strcmp(others->cases[k].name, runner->cases->cases[i].name) == 0) {
                runner->others[i] = &others->cases[k];
            }
        }
    }
    return 0;
}

int mf__runner_run(const struct bench_config *config, const struct bench_cases *cases,
                   const struct bench_cases *others, struct mf_signals *signals,
                   const struct bench_progress *progress, struct bench_run *ret_run,
                   struct bench_run *ret_other_run, int *ret_signal, struct mf_errinfo *err)
{
    struct runner runner = {
        .config = config,
        .cases = cases,
        .signals = signals,
        .progress = progress,
    };
    struct mf_errinfo why = {0};
    int rc = others != NULL ? find_others(&runner, others, &why) : 0;
    if (rc == 0) {
        rc = schedule(&runner, &why);
    }
    if (rc == 0) {
        rc = start_run(&runner, &runner.run, false, &why);
    }
    if (rc == 0 && others != NULL) {
        rc = start_run(&runner, &runner.other_run, true, &why);
    }
    if (rc == 0) {
        rc = run_units(&runner, &why);
    }
    *ret_signal = 0;
    if (rc == -EINTR) {
        runner.run.interrupted = true;
        runner.other_run.interrupted = true;
        *ret_signal = runner.signal;
        rc = 0;
    }
    mf_free(runner.units);
    mf_free(runner.draws);
    mf_free(runner.other_first);
    mf_free(runner.others);
    if (rc < 0) {
        mf__bench_run_free(&runner.run);
        mf__bench_run_free(&runner.other_run);
        if (err != NULL) {
            *err = why;
        }
        return rc;
    }
    tidy(&runner.run);
    *ret_run = runner.run;
    if (others != NULL) {
        tidy(&runner.other_run);
        *ret_other_run = runner.other_run;
    }
    return 0;
}
