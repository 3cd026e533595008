/* SPDX-License-Identifier: Apache-2.0
 * command_run.c -- the commands run and list. */
#include "command_private.h"
#include "estimate.h"
#include "runner.h"

#include "base/fail.h"
#include "os/clock.h"
#include "os/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_AFTER_SECONDS 2.0

/* ---- progress ---- */

struct progress_line {
    bool shown;
    bool wanted; /* standard error is a terminal */
};

static void show_progress(void *context, size_t done, size_t total, const char *name,
                          double left_seconds)
{
    struct progress_line *line = context;
    if (line->wanted && (line->shown || left_seconds > PROGRESS_AFTER_SECONDS)) {
        line->shown = true;
        fprintf(stderr, "\r\x1b[K%zu/%zu  %.0f s left  %.100s", done, total, left_seconds, name);
        fflush(stderr);
    }
}

static void hide_progress(struct progress_line *line)
{
    if (line->shown) {
        fputs("\r\x1b[K", stderr);
    }
}

/* ---- run ---- */

static int estimate_all(struct command *command, struct bench_run *run)
{
    const struct bench_config *config = &command->config;
    const struct bench_value *percentiles = mf__config_value(config, NULL, BENCH_KEY_percentiles);
    const struct estimate_settings settings = {
        .resamples = (size_t)mf__config_number(config, NULL, BENCH_KEY_nresamples),
        .confidence_level = mf__config_number(config, NULL, BENCH_KEY_confidence_level),
        .seed = run->seed,
        .percentiles = percentiles->numbers,
        .percentile_count = percentiles->number_count,
    };
    int rc = 0;
    for (size_t i = 0; i < run->result_count && rc == 0; i++) {
        rc = mf__estimate(&run->results[i], &settings, &command->err);
    }
    return rc;
}

static int find_cases(struct command *command, struct bench_cases *ret_cases)
{
    struct bench_filter filter;
    mf__command_filter(command, &filter);
    return mf__cases_find(&command->config, command->line->own, &filter,
                          command->has_signals ? &command->signals : NULL, ret_cases,
                          &command->err);
}

static bool any_failed(const struct bench_run *run)
{
    for (size_t i = 0; i < run->result_count; i++) {
        if (run->results[i].status == BENCH_FAILED) {
            return true;
        }
    }
    return false;
}

static int measure(struct command *command, const struct bench_cases *cases,
                   struct bench_run *ret_run, int *ret_signal)
{
    struct progress_line line = {.wanted = mf_fd_is_terminal(STDERR_FILENO)};
    const struct bench_progress progress = {show_progress, &line};
    const struct runner_job job = {
        .config = &command->config,
        .cases = cases,
        .signals = &command->signals,
        .progress = &progress,
    };
    int rc = mf__runner_run(&job, ret_run, NULL, ret_signal, &command->err);
    hide_progress(&line);
    return rc;
}

int mf__command_run(struct command *command)
{
    struct bench_cases cases = {0};
    struct bench_run run = {0};
    int signal = 0;
    int rc = mf__command_open_signals(command);
    if (rc == 0) {
        rc = find_cases(command, &cases);
    }
    if (rc == 0 && cases.case_count == 0) {
        rc = mf_fail(&command->err, MF_ENOTFOUND, "no benchmark matches");
    }
    if (rc == 0) {
        rc = measure(command, &cases, &run, &signal);
    }
    mf__command_close_signals(command);
    if (rc == 0) {
        rc = estimate_all(command, &run);
    }
    if (rc == 0) {
        const struct bench_report report = {
            .run = &run,
            .style = mf__config_text(&command->config, BENCH_KEY_style),
            .colored = command->line->colored,
            .columns = command->line->columns,
        };
        rc = mf__command_report(command, &report);
    }
    if (rc == 0 && signal != 0) {
        mf__command_note(command, "interrupted; what is shown is incomplete");
        rc = 128 + signal;
    } else if (rc == 0) {
        rc = any_failed(&run) ? BENCH_EXIT_FAILED : BENCH_EXIT_OK;
    }
    mf__bench_run_free(&run);
    mf__cases_free(&cases);
    return rc;
}

/* ---- list ---- */

int mf__command_list(struct command *command)
{
    struct bench_cases cases = {0};
    const int rc = find_cases(command, &cases);
    for (size_t i = 0; rc == 0 && i < cases.case_count; i++) {
        puts(cases.cases[i].name);
    }
    mf__cases_free(&cases);
    return rc;
}
