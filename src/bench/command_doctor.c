/* SPDX-License-Identifier: Apache-2.0
 *
 * command_doctor.c -- the commands doctor and env.
 *
 * The noise floor comes from pairs of processes of this same program that run the same benchmark
 * (noise.c) in turns, as a gate would run two programs: whatever they differ by is noise. It is
 * stored with the fingerprint of the machine, and gates read it from there.
 */
#include "command_private.h"
#include "doctor.h"
#include "environment.h"
#include "estimate.h"
#include "runner.h"
#include "statistics.h"
#include "store_baseline.h"
#include "verdicts.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/json_write.h"
#include "fmt/terminal.h"
#include "os/proc.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PAIRS         12
#define QUICK_PAIRS   6
#define PAIRS_MAX     64
#define GATE_PAIRS    8 /* of the gate that the noise floor is for */
#define PAIR_WARM_UP  0.06
#define PAIR_MEASURED 0.5
#define PATH_LEN      4096

/* ---- the noise floor ---- */

static int own_case(const char *path, struct bench_program *program, struct bench_listed *listed,
                    struct bench_case *one)
{
    *listed = (struct bench_listed){
        .base_name = mf_strdup("mayfly::noise"),
        .suite = mf_strdup("mayfly"),
        .group = mf_strdup(""),
        .name = mf_strdup("noise"),
        .param_name = mf_strdup("n"),
        .ratio_to = mf_strdup(""),
    };
    listed->options.group = listed->group;
    listed->options.param_name = listed->param_name;
    listed->options.ratio_to = listed->ratio_to;
    *program = (struct bench_program){.path = mf_strdup(path), .listed = listed, .listed_count = 1};
    *one = (struct bench_case){.program = program, .listed = listed, .threads = 1};
    snprintf(one->name, sizeof one->name, "%s", "mayfly::noise");
    return listed->base_name != NULL && listed->suite != NULL && listed->group != NULL &&
                   listed->name != NULL && listed->param_name != NULL && listed->ratio_to != NULL &&
                   program->path != NULL
               ? 0
               : -ENOMEM;
}

static void free_own_case(struct bench_program *program, struct bench_listed *listed)
{
    mf_free(listed->base_name);
    mf_free(listed->suite);
    mf_free(listed->group);
    mf_free(listed->name);
    mf_free(listed->param_name);
    mf_free(listed->ratio_to);
    mf_free(program->path);
}

static int set(struct command *command, enum bench_key key, double number)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", number);
    return mf__config_given(&command->config, key)
               ? 0
               : mf__config_set(&command->config, key, text, BENCH_FROM_DEFAULT, &command->err);
}

static int plan(struct command *command, unsigned *ret_pairs)
{
    const bool quick = mf__config_flag(&command->config, BENCH_KEY_quick);
    const bool given = mf__config_given(&command->config, BENCH_KEY_processes);
    const double asked = mf__config_number(&command->config, NULL, BENCH_KEY_processes);
    const unsigned pairs = given ? (unsigned)asked : quick ? QUICK_PAIRS : PAIRS;
    *ret_pairs = pairs > PAIRS_MAX ? PAIRS_MAX : pairs;
    const double shorter = quick ? 0.2 : 1;
    int rc = set(command, BENCH_KEY_warm_up_time, shorter * PAIR_WARM_UP * *ret_pairs);
    if (rc == 0) {
        rc = set(command, BENCH_KEY_measurement_time, shorter * PAIR_MEASURED * *ret_pairs);
    }
    return rc;
}

/* Two results of the same program. Both runs are freed by the caller. */
static int run_pairs(struct command *command, const char *path, unsigned pairs,
                     struct bench_run *ret_run, struct bench_run *ret_other, int *ret_signal)
{
    struct bench_listed listed;
    struct bench_program program;
    struct bench_case one;
    int rc = own_case(path, &program, &listed, &one);
    if (rc < 0) {
        rc = mf_fail_os(&command->err, rc, "cannot measure the noise");
    } else {
        const struct bench_cases cases = {&program, 1, &one, 1};
        const struct runner_job job = {
            .config = &command->config,
            .cases = &cases,
            .others = &cases,
            .processes = pairs,
            .signals = &command->signals,
        };
        rc = mf__runner_run(&job, ret_run, ret_other, ret_signal, &command->err);
    }
    free_own_case(&program, &listed);
    return rc;
}

static int estimate(struct command *command, struct bench_run *run)
{
    const struct estimate_settings settings = {
        .resamples = 100, .confidence_level = 0.95, .seed = run->seed};
    if (run->result_count != 1 || run->results[0].status != BENCH_OK ||
        run->results[0].process_count == 0) {
        return mf_fail(&command->err, MF_EREMOTE, "the noise could not be measured: %s",
                       run->result_count == 1 && run->results[0].message != NULL
                           ? run->results[0].message
                           : "no process has answered");
    }
    return mf__estimate(&run->results[0], &settings, &command->err);
}

static int judge_pairs(struct command *command, const struct bench_run *run,
                       const struct bench_run *other, struct doctor_measurements *measured)
{
    double logs[PAIRS_MAX];
    double *scratch = mf_malloc(sizeof *scratch * VERDICT_SCRATCH_LEN);
    if (scratch == NULL) {
        return mf_fail_os(&command->err, -ENOMEM, "cannot measure the noise");
    }
    const struct bench_result *a = &run->results[0];
    measured->pairs = mf__pair_figures(a, &other->results[0], logs, PAIRS_MAX, scratch);
    measured->noise_floor_fraction = mf__noise_floor(logs, measured->pairs, GATE_PAIRS, scratch);
    measured->spread_fraction = a->between_process_fraction;
    measured->steal_fraction = a->steal_fraction;
    mf_free(scratch);
    return 0;
}

/* 0, a signal's number, or an error. */
static int measure_noise(struct command *command, struct doctor_measurements *measured)
{
    char path[PATH_LEN];
    struct bench_run run = {0};
    struct bench_run other = {0};
    unsigned pairs = 0;
    int signal = 0;
    int rc = mf_proc_own_path(path, sizeof path);
    if (rc < 0) {
        return mf_fail_os(&command->err, rc, "this program's file is not there any more");
    }
    rc = plan(command, &pairs);
    if (rc == 0) {
        rc = mf__command_open_signals(command);
    }
    if (rc == 0) {
        rc = run_pairs(command, path, pairs, &run, &other, &signal);
    }
    mf__command_close_signals(command);
    if (rc == 0 && signal == 0) {
        rc = estimate(command, &run);
        if (rc == 0) {
            rc = estimate(command, &other);
        }
        if (rc == 0) {
            rc = judge_pairs(command, &run, &other, measured);
        }
    }
    mf__bench_run_free(&run);
    mf__bench_run_free(&other);
    return rc == 0 ? signal : rc;
}

/* ---- output of both ---- */

static int each_format(struct command *command, const void *what,
                       void (*text)(struct command *command, const void *what,
                                    struct mf_buffer *out, bool colored),
                       void (*json)(struct command *command, const void *what,
                                    struct mf_buffer *out))
{
    const struct bench_value *formats =
        mf__config_value(&command->config, NULL, BENCH_KEY_output_format);
    int rc = 0;
    for (size_t i = 0; i < formats->count && rc == 0; i++) {
        struct mf_buffer out = MF_BUFFER_INIT;
        if (strcmp(formats->texts[i], "text") == 0) {
            text(command, what, &out,
                 command->line->colored && mf__command_output(command, i) == NULL);
        } else if (strcmp(formats->texts[i], "json") == 0) {
            json(command, what, &out);
        } else {
            rc = mf_fail(&command->err, MF_EVALUE, "%s writes text or json, not %s",
                         command->line->command, formats->texts[i]);
        }
        if (rc == 0) {
            rc = mf__command_write(command, i, &out);
        }
        mf_buffer_free(&out);
    }
    return rc;
}

/* ---- doctor ---- */

struct diagnosis {
    struct findings findings;
    struct doctor_measurements measured;
    struct bench_environment environment;
};

static void diagnosis_text(struct command *command, const void *what, struct mf_buffer *out,
                           bool colored)
{
    (void)command;
    mf__findings_text(&((const struct diagnosis *)what)->findings, out, colored);
}

static void diagnosis_json(struct command *command, const void *what, struct mf_buffer *out)
{
    (void)command;
    const struct diagnosis *diagnosis = what;
    mf__findings_json(&diagnosis->findings, &diagnosis->measured,
                      diagnosis->environment.fingerprint, out);
}

static int diagnose(struct command *command, struct diagnosis *diagnosis)
{
    struct doctor_measurements *measured = &diagnosis->measured;
    struct mf_host host;
    mf_host_read(&host);
    measured->cpus = host.cpus;
    measured->threshold_fraction =
        mf__config_number(&command->config, NULL, BENCH_KEY_threshold_pct) / 100;
    int rc = mf__environment_read(&command->config, &diagnosis->environment, &command->err);
    if (rc == 0) {
        rc = measure_noise(command, measured);
    }
    if (rc != 0) {
        return rc;
    }
    measured->timer_cost_ns = mf__timer_cost_ns();
    measured->timer_step_ns = mf__timer_step_ns();
    mf__doctor_examine("", measured, &diagnosis->findings);
    const bool whole = !mf__config_flag(&command->config, BENCH_KEY_quick);
    return whole && !isnan(measured->noise_floor_fraction)
               ? mf__noise_floor_save(mf__config_text(&command->config, BENCH_KEY_target_dir),
                                      diagnosis->environment.fingerprint,
                                      measured->noise_floor_fraction, &command->err)
               : 0;
}

int mf__command_doctor(struct command *command)
{
    struct diagnosis *diagnosis = mf_calloc(1, sizeof *diagnosis);
    if (diagnosis == NULL) {
        return mf_fail_os(&command->err, -ENOMEM, "cannot look at the machine");
    }
    diagnosis->measured.noise_floor_fraction = NAN;
    int rc = diagnose(command, diagnosis);
    int code = BENCH_EXIT_OK;
    if (rc > 0) {
        mf__command_note(command, "interrupted");
        code = 128 + rc;
    } else if (rc == 0) {
        rc = each_format(command, diagnosis, diagnosis_text, diagnosis_json);
        for (size_t i = 0; i < diagnosis->findings.count; i++) {
            code =
                diagnosis->findings.items[i].state == FINDING_BAD ? BENCH_EXIT_INCONCLUSIVE : code;
        }
    }
    struct bench_run holder = {.environment = diagnosis->environment};
    mf__bench_run_free(&holder);
    mf_free(diagnosis);
    return rc < 0 ? rc : code;
}

/* ---- env ---- */

static void environment_text(struct command *command, const void *what, struct mf_buffer *out,
                             bool colored)
{
    const struct bench_environment *environment = what;
    (void)command;
    mf_buffer_printf(out, "fingerprint            %s\n", environment->fingerprint);
    for (size_t i = 0; i < environment->pair_count; i++) {
        const struct bench_pair *pair = &environment->pairs[i];
        const bool counts = mf__environment_counts(pair->key);
        mf_buffer_printf(out, "%s%c ", mf_style(colored, counts ? MF_STYLE_RESET : MF_STYLE_FAINT),
                         counts ? '*' : ' ');
        mf_terminal_escape(out, pair->key, strlen(pair->key));
        const size_t len = strlen(pair->key);
        mf_buffer_printf(out, "%*s  ", len < 19 ? (int)(19 - len) : 0, "");
        mf_terminal_escape(out, pair->value, strlen(pair->value));
        mf_buffer_printf(out, "%s\n", mf_style(colored, MF_STYLE_RESET));
    }
    mf_buffer_puts(out, "\n* is part of the fingerprint: with another one, comparisons are "
                        "advisory.\n");
}

static void environment_json(struct command *command, const void *what, struct mf_buffer *out)
{
    const struct bench_environment *environment = what;
    struct mf_json json;
    (void)command;
    mf_json_init(&json, out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "schema_version", BENCH_SCHEMA_VERSION);
    mf_json_key_string(&json, "fingerprint", environment->fingerprint);
    for (size_t i = 0; i < environment->pair_count; i++) {
        mf_json_key_string(&json, environment->pairs[i].key, environment->pairs[i].value);
    }
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

int mf__command_env(struct command *command)
{
    struct bench_run holder = {0};
    int rc = mf__environment_read(&command->config, &holder.environment, &command->err);
    if (rc == 0) {
        rc = each_format(command, &holder.environment, environment_text, environment_json);
    }
    mf__bench_run_free(&holder);
    return rc;
}
