/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_runner.c -- which process is started when.
 *
 * Replicas come in rounds: each round has every benchmark once, in an order drawn anew from the
 * seed, so that neither a slow drift of the machine nor what a neighbour leaves behind always meets
 * the same one. Two programs are compared by pairs of processes that measure in turns, a sample of
 * a few milliseconds each, so that whatever the machine does happens to both; which of them begins
 * alternates from round to round (ABBA), from a start that is drawn for each benchmark. With
 * several threads or an open loop, which cannot be interrupted, one process runs directly after the
 * other. Both of a pair get the same random amount of environment, which moves the stack.
 */
#include "runner.h"
#include "launch.h"

#include "base/fail.h"
#include "base/heap.h"
#include "base/rng.h"
#include "os/clock.h"
#include "os/thread.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define PADDING_MAX       4096
#define QUICK_PROCESSES   2
#define QUICK_WARM_UP     0.1
#define QUICK_MEASUREMENT 0.4
#define QUICK_SAMPLES     20
#define PROCESS_SAMPLES   10    /* of one process at least */
#define TURN_SECONDS      0.002 /* about; of a sample that is taken in turns */
#define TURN_SAMPLES_MAX  1000

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

unsigned mf__runner_processes(const struct bench_config *config, const struct bench_case *one)
{
    if (mf__config_flag(config, BENCH_KEY_test)) {
        return 1;
    }
    return (unsigned)planned(config, one->listed->suite, BENCH_KEY_processes, 0, QUICK_PROCESSES);
}

/* What one of the processes of this case does. */
static void make_plan(const struct bench_config *config, const struct bench_case *one,
                      double processes, struct bench_plan *ret_plan)
{
    const struct mf_bench_options *options = &one->listed->options;
    const char *suite = one->listed->suite;
    const double samples =
        planned(config, suite, BENCH_KEY_sample_size, options->samples, QUICK_SAMPLES);
    const double rate = mf__config_number(config, suite, BENCH_KEY_rate);
    const double operations = mf__config_number(config, suite, BENCH_KEY_operations);
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
        .operations = (uint64_t)ceil(operations / processes),
        .samples = (uint32_t)fmax(ceil(samples / processes), PROCESS_SAMPLES),
        .rate_per_second = rate > 0 ? rate : options->rate_per_second,
        .poisson = options->poisson || mf__config_flag(config, BENCH_KEY_poisson),
        .seed = mf__config_seed(config),
        .test = mf__config_flag(config, BENCH_KEY_test),
        .test_iterations = (uint64_t)mf__config_number(config, suite, BENCH_KEY_test_iterations),
        .track_allocations = mf__config_number(config, suite, BENCH_KEY_allocations) == 0,
    };
}

static bool can_take_turns(const struct bench_plan *plan)
{
    return plan->threads == 1 && plan->rate_per_second == 0 && !plan->test;
}

/* Many short samples instead of few long ones: each is compared with the one beside it. Both
 * processes stay on one processor, as they never run at once; two may be loaded differently. */
static void plan_turns(struct bench_request *request, bool first, int cpu)
{
    struct bench_plan *plan = &request->plan;
    request->cpu = request->cpu >= 0 ? request->cpu : cpu;
    const double wanted = plan->measurement_seconds / TURN_SECONDS;
    plan->samples = (uint32_t)fmin(fmax(plan->samples, wanted), TURN_SAMPLES_MAX);
    plan->in_turns = true;
    plan->first_turn = first;
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
    const struct runner_job *job;
    const struct bench_case **others; /* of the other program, one for each case, or NULL */
    struct bench_run run, other_run;
    struct unit *units;
    size_t unit_count;
    uint64_t *draws;   /* a random number for each unit, in the order of running */
    bool *other_first; /* in even rounds */
    int signal;
};

static const struct bench_case *case_at(const struct runner *runner, size_t index)
{
    return &runner->job->cases->cases[index];
}

static unsigned process_count(const struct runner *runner, size_t index)
{
    const struct runner_job *job = runner->job;
    if (job->wanted != NULL && !job->wanted[index]) {
        return 0;
    }
    return job->processes != 0 ? job->processes
                               : mf__runner_processes(job->config, case_at(runner, index));
}

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
    const size_t count = runner->job->cases->case_count;
    unsigned rounds = 0;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        const unsigned n = process_count(runner, i);
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
    mf_rng_seed(&rng, mf__config_seed(runner->job->config) + runner->job->first_round);
    for (size_t i = 0; i < count; i++) {
        runner->other_first[i] = (mf_rng_next(&rng) >> 63) != 0;
    }
    for (unsigned round = 0; round < rounds; round++) {
        const size_t begin = runner->unit_count;
        for (size_t i = 0; i < count; i++) {
            if (round < process_count(runner, i)) {
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
                        const struct bench_config *config, unsigned processes)
{
    const struct mf_bench_options *options = &one->listed->options;
    struct bench_plan plan;
    make_plan(config, one, processes, &plan);
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
    result->processes_planned = processes;
    memcpy(result->suite, one->listed->suite, strlen(one->listed->suite) + 1);
    result->name = mf_strdup(one->name);
    result->unit = mf_strdup("ns");
    result->processes = mf_calloc(processes, sizeof *result->processes);
    const bool complete = result->name != NULL && result->unit != NULL &&
                          result->processes != NULL &&
                          copy_text(&result->options.group, options->group) == 0 &&
                          copy_text(&result->options.param_name, options->param_name) == 0 &&
                          copy_text(&result->options.ratio_to, options->ratio_to) == 0;
    return complete ? 0 : -ENOMEM;
}

/* While it runs, a result stands at the index of its case; where there is none, it has no name. */
static int start_run(const struct runner *runner, struct bench_run *run, bool other,
                     struct mf_errinfo *err)
{
    const struct bench_config *config = runner->job->config;
    const size_t count = runner->job->cases->case_count;
    run->started_wall_ns = mf_clock_wall_ns(NULL);
    run->seed = mf__config_seed(config);
    run->quick = mf__config_flag(config, BENCH_KEY_quick);
    run->commit = mf_strdup("");
    run->results = mf_calloc(count + 1, sizeof *run->results);
    int rc = run->commit != NULL && run->results != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct bench_case *one = other ? runner->others[i] : case_at(runner, i);
        const unsigned processes = process_count(runner, i);
        if (one != NULL && processes > 0) {
            rc = start_result(&run->results[i], one, config, processes);
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

/* ---- processes ---- */

/* One of the processes that a unit comes to. */
struct side {
    const struct bench_case *one;
    struct bench_result *result;
    char binary;
    struct bench_request request;
    struct bench_launch launch;
};

static void prepare_side(struct runner *runner, const struct unit *unit, uint64_t draw,
                         struct side *side)
{
    const struct runner_job *job = runner->job;
    side->request = (struct bench_request){.action = BENCH_ACTION_MEASURE, .cpu = -1};
    memcpy(side->request.benchmark, side->one->listed->base_name,
           strlen(side->one->listed->base_name) + 1);
    make_plan(job->config, side->one, process_count(runner, unit->case_index), &side->request.plan);
    side->request.plan.process_index = job->first_round + unit->round;
    if (mf__config_given(job->config, BENCH_KEY_cpu)) {
        side->request.cpu = (int)mf__config_number(job->config, NULL, BENCH_KEY_cpu);
    }
    side->launch = (struct bench_launch){
        .program = side->one->program->path,
        .request = &side->request,
        .environment_padding = (size_t)(draw % PADDING_MAX),
        .timeout_ns = timeout_ns(job->config, &side->request.plan),
        .signals = job->signals,
        .ret_signal = &runner->signal,
    };
}

/* What a process has answered, or why it has not. Errors are those that end the run. */
static int take_answer(struct side *side, int rc, struct mf_buffer *answer, struct mf_errinfo *why,
                       struct mf_errinfo *err)
{
    struct bench_measured measured;
    if (rc == 0) {
        rc = mf__measured_read(answer->data, answer->len, side->launch.program, &measured, why);
        mf_buffer_free(answer);
    }
    if (rc == -ENOMEM || rc == -EINTR) {
        return mf_fail(err, rc, "%s", why->msg);
    }
    struct bench_result *result = side->result;
    if (rc < 0) {
        fail_result(result, BENCH_FAILED, why->msg);
    } else if (measured.status != BENCH_OK) {
        fail_result(result, measured.status, measured.message);
        mf__process_free(&measured.process);
    } else {
        result->elements = measured.elements;
        result->bytes = measured.bytes;
        measured.process.binary = side->binary;
        result->processes[result->process_count++] = measured.process;
    }
    return 0;
}

static int run_alone(struct side *side, struct mf_errinfo *err)
{
    struct mf_buffer answer = MF_BUFFER_INIT;
    struct mf_errinfo why = {0};
    const int rc = mf__launch(&side->launch, &answer, &why);
    return take_answer(side, rc, &answer, &why, err);
}

static int run_in_turns(struct side sides[2], struct mf_errinfo *err)
{
    const struct bench_launch launches[2] = {sides[0].launch, sides[1].launch};
    struct mf_buffer answers[2] = {MF_BUFFER_INIT, MF_BUFFER_INIT};
    struct mf_errinfo whys[2] = {{0}, {0}};
    int codes[2] = {0, 0};
    (void)mf__launch_pair(launches, answers, codes, whys);
    const int first = take_answer(&sides[0], codes[0], &answers[0], &whys[0], err);
    const int second = take_answer(&sides[1], codes[1], &answers[1], &whys[1], err);
    return first < 0 ? first : second;
}

/* Processors and memory are kept busy while suites run that ask for it ([stress] of the file). */
static int start_stress(struct runner *runner, const struct bench_case *one, int32_t *ret_pid,
                        struct mf_errinfo *err)
{
    const struct bench_config *config = runner->job->config;
    *ret_pid = 0;
    for (size_t i = 0; i < config->suite_count; i++) {
        const struct bench_suite_settings *suite = &config->suites[i];
        if (strcmp(suite->name, one->listed->suite) != 0 ||
            (suite->stress_memory_bytes == 0 && suite->stress_threads == 0) ||
            mf__config_flag(config, BENCH_KEY_test)) {
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
            .signals = runner->job->signals,
            .ret_signal = &runner->signal,
        };
        return mf__launch_background(&launch, ret_pid, err);
    }
    return 0;
}

static int run_sides(struct side *sides, size_t count, bool other_first, struct mf_errinfo *err)
{
    const int cpu = mf_thread_nth_cpu(sides[0].request.plan.process_index);
    if (count == 1) {
        return run_alone(&sides[0], err);
    }
    if (can_take_turns(&sides[0].request.plan) && can_take_turns(&sides[1].request.plan)) {
        plan_turns(&sides[0].request, !other_first, cpu);
        plan_turns(&sides[1].request, other_first, cpu);
        return run_in_turns(sides, err);
    }
    const int rc = run_alone(&sides[other_first], err);
    return rc < 0 ? rc : run_alone(&sides[!other_first], err);
}

static int run_unit(struct runner *runner, const struct unit *unit, uint64_t draw,
                    struct mf_errinfo *err)
{
    const size_t index = unit->case_index;
    struct side sides[2] = {
        {.one = case_at(runner, index), .result = &runner->run.results[index], .binary = 'A'},
    };
    size_t count = 1;
    if (runner->others != NULL && runner->others[index] != NULL) {
        sides[count++] = (struct side){.one = runner->others[index],
                                       .result = &runner->other_run.results[index],
                                       .binary = 'B'};
    }
    for (size_t i = 0; i < count; i++) {
        if (sides[i].result->status != BENCH_OK) {
            return 0; /* what has failed is not tried again, nor is its pair */
        }
        prepare_side(runner, unit, draw, &sides[i]);
    }
    int32_t stress = 0;
    int rc = start_stress(runner, sides[0].one, &stress, err);
    if (rc == 0) {
        rc = run_sides(sides, count, runner->other_first[index] != (unit->round % 2 != 0), err);
    }
    if (stress != 0) {
        mf__launch_stop(stress);
    }
    return rc;
}

/* ---- the run ---- */

static double planned_seconds(const struct runner *runner, const struct unit *unit)
{
    struct bench_plan plan;
    make_plan(runner->job->config, case_at(runner, unit->case_index),
              process_count(runner, unit->case_index), &plan);
    const double seconds =
        plan.test ? 0.01 : plan.warm_up_seconds + 1.35 * plan.measurement_seconds + 0.02;
    return runner->others != NULL ? 2 * seconds : seconds;
}

static int run_units(struct runner *runner, struct mf_errinfo *err)
{
    const struct bench_progress *progress = runner->job->progress;
    double left = 0;
    for (size_t i = 0; i < runner->unit_count; i++) {
        left += planned_seconds(runner, &runner->units[i]);
    }
    int rc = 0;
    for (size_t i = 0; i < runner->unit_count && rc == 0; i++) {
        const struct unit *unit = &runner->units[i];
        if (progress != NULL) {
            progress->step(progress->context, i, runner->unit_count,
                           case_at(runner, unit->case_index)->name, left);
        }
        rc = run_unit(runner, unit, runner->draws[i], err);
        left -= planned_seconds(runner, unit);
    }
    return rc;
}

static int find_others(struct runner *runner, struct mf_errinfo *err)
{
    const struct bench_cases *others = runner->job->others;
    const size_t count = runner->job->cases->case_count;
    runner->others = mf_calloc(count + 1, sizeof *runner->others);
    if (runner->others == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot plan %zu pairs", count);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < others->case_count; k++) {
            if (strcmp(others->cases[k].name, case_at(runner, i)->name) == 0) {
                runner->others[i] = &others->cases[k];
            }
        }
    }
    return 0;
}

static int run_all(struct runner *runner, struct mf_errinfo *err)
{
    int rc = runner->job->others != NULL ? find_others(runner, err) : 0;
    if (rc == 0) {
        rc = schedule(runner, err);
    }
    if (rc == 0) {
        rc = start_run(runner, &runner->run, false, err);
    }
    if (rc == 0 && runner->others != NULL) {
        rc = start_run(runner, &runner->other_run, true, err);
    }
    return rc == 0 ? run_units(runner, err) : rc;
}

int mf__runner_run(const struct runner_job *job, struct bench_run *ret_run,
                   struct bench_run *ret_other_run, int *ret_signal, struct mf_errinfo *err)
{
    struct runner runner = {.job = job};
    int rc = run_all(&runner, err);
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
        return rc;
    }
    tidy(&runner.run);
    *ret_run = runner.run;
    if (job->others != NULL) {
        tidy(&runner.other_run);
        *ret_other_run = runner.other_run;
    }
    return 0;
}

static int append_processes(struct bench_result *to, struct bench_result *from)
{
    const size_t total = to->process_count + from->process_count;
    struct bench_process *grown = mf_realloc(to->processes, (total + 1) * sizeof *grown);
    if (grown == NULL) {
        return -ENOMEM;
    }
    to->processes = grown;
    memcpy(grown + to->process_count, from->processes, from->process_count * sizeof *grown);
    to->process_count = total;
    to->processes_planned += from->processes_planned;
    from->process_count = 0;
    if (from->status != BENCH_OK) {
        to->status = from->status;
        mf_free(to->message);
        to->message = from->message;
        from->message = NULL;
    }
    return 0;
}

int mf__runner_merge(struct bench_run *run, struct bench_run *more, struct mf_errinfo *err)
{
    int rc = 0;
    for (size_t i = 0; i < more->result_count && rc == 0; i++) {
        for (size_t k = 0; k < run->result_count && rc == 0; k++) {
            if (strcmp(run->results[k].name, more->results[i].name) == 0) {
                rc = append_processes(&run->results[k], &more->results[i]);
            }
        }
    }
    run->interrupted = run->interrupted || more->interrupted;
    return rc == 0 ? 0 : mf_fail_os(err, rc, "cannot keep more processes");
}
