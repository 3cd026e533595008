/* SPDX-License-Identifier: Apache-2.0
 * session.c -- see session.h. */
#include "session.h"
#include "environment.h"
#include "estimate.h"
#include "profile.h"
#include "runner.h"
#include "store_baseline.h"
#include "tool.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/terminal_clean.h"
#include "fmt/units.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_AFTER_SECONDS 2.0
#define LOOKS_MAX              3 /* at what is inconclusive */

void mf__session_begin(struct session *session, struct command *command)
{
    *session = (struct session){.command = command};
    mf__command_filter(command, &session->filter);
}

void mf__session_end(struct session *session)
{
    mf_free(session->comparisons);
    mf_free(session->checks);
    mf_free(session->title);
    mf__bench_run_free(&session->run);
    mf__bench_run_free(&session->before);
    mf__cases_free(&session->cases);
    mf__cases_free(&session->others);
}

static const char *target_dir(const struct session *session)
{
    return mf__config_text(&session->command->config, BENCH_KEY_target_dir);
}

/* ---- what it is compared with ---- */

int mf__reference_kind(const char *text, enum reference_kind *ret_kind, struct mf_errinfo *err)
{
    struct mf_file_info info;
    if (mf_fs_info(NULL, text, &info, NULL) < 0) {
        *ret_kind = REFERENCE_REVISION;
        return 0;
    }
    const int rc = mf__is_bench_program(text, err);
    if (rc >= 0) {
        *ret_kind = rc == 1 ? REFERENCE_PROGRAM : REFERENCE_RESULTS;
    }
    return rc < 0 ? rc : 0;
}

static int find_cases(struct session *session)
{
    struct command *command = session->command;
    if (session->cases.case_count > 0) {
        return 0;
    }
    int rc = mf__cases_find(&command->config, command->line->own, &session->filter,
                            &command->signals, &session->cases, &command->err);
    if (rc == 0 && session->cases.case_count == 0) {
        rc = mf_fail(&command->err, MF_ENOTFOUND, "no benchmark matches");
    }
    return rc;
}

static int others_of_programs(struct session *session, const char *const *paths, size_t count)
{
    struct command *command = session->command;
    const int rc = mf__cases_of_programs(&command->config, paths, count, &session->filter,
                                         &command->signals, &session->others, &command->err);
    session->has_others = rc == 0;
    return rc;
}

/* The programs that have a benchmark among the cases. Their number. */
static size_t programs_in_use(const struct session *session, const char **ret_paths)
{
    size_t count = 0;
    for (size_t p = 0; p < session->cases.program_count; p++) {
        bool used = false;
        for (size_t i = 0; i < session->cases.case_count && !used; i++) {
            used = session->cases.cases[i].program == &session->cases.programs[p];
        }
        if (used) {
            ret_paths[count++] = session->cases.programs[p].path;
        }
    }
    return count;
}

static int others_of_revision(struct session *session, const char *revision)
{
    struct command *command = session->command;
    int rc = find_cases(session);
    const size_t most = session->cases.program_count;
    const char **programs = mf_calloc(most + 1, sizeof *programs);
    char **built = mf_calloc(most + 1, sizeof *built);
    if (rc == 0 && (programs == NULL || built == NULL)) {
        rc = mf_fail_os(&command->err, -ENOMEM, "cannot compare");
    }
    size_t count = 0;
    size_t made = 0;
    if (rc == 0) {
        count = programs_in_use(session, programs);
        rc = mf__revision_build(revision, programs, count, target_dir(session), &command->signals,
                                &session->signal, built, &command->err);
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (built[i] != NULL) {
            programs[made++] = built[i];
        } else {
            mf__command_note(command, "revision %s does not make %s", revision, programs[i]);
        }
    }
    if (rc == 0) {
        rc = others_of_programs(session, programs, made);
    }
    for (size_t i = 0; i < most && built != NULL; i++) {
        mf_free(built[i]);
    }
    mf_free(built);
    mf_free(programs);
    return rc;
}

static int load_baseline(struct session *session, const char *name, struct bench_run *ret_run)
{
    struct command *command = session->command;
    int rc =
        strcmp(name, BENCH_BASELINE_LATEST) == 0 ? 0 : mf__baseline_check_name(name, &command->err);
    if (rc == 0) {
        rc = mf__baseline_load(target_dir(session), name, &session->filter, ret_run, &command->err);
    }
    return rc;
}

static int reference_compare(struct session *session, const char *text)
{
    struct command *command = session->command;
    enum reference_kind kind;
    int rc = mf__reference_kind(text, &kind, &command->err);
    if (rc < 0) {
        return rc;
    }
    switch (kind) {
    case REFERENCE_PROGRAM:
        return others_of_programs(session, &text, 1);
    case REFERENCE_REVISION:
        return others_of_revision(session, text);
    case REFERENCE_RESULTS:
        rc = mf__run_load(text, &session->before, &command->err);
        session->has_before = rc == 0;
        return rc;
    }
    return 0;
}

/* What can be measured, so that both meet the same machine. */
static int reference_base(struct session *session, const char *text)
{
    struct command *command = session->command;
    enum reference_kind kind;
    int rc = mf__reference_kind(text, &kind, &command->err);
    if (rc == 0 && kind == REFERENCE_RESULTS) {
        rc = mf_fail(&command->err, MF_ESYNTAX,
                     "--base is a revision or a benchmark program; %.200s is neither (if it is a "
                     "file of results, --compare takes it)",
                     text);
    }
    return rc < 0 ? rc : reference_compare(session, text);
}

int mf__session_reference(struct session *session)
{
    struct command *command = session->command;
    const char *compare = mf__config_text(&command->config, BENCH_KEY_compare);
    const char *base = mf__config_text(&command->config, BENCH_KEY_base);
    const char *baseline = mf__config_text(&command->config, BENCH_KEY_baseline);
    const char *lenient = mf__config_text(&command->config, BENCH_KEY_baseline_lenient);
    if ((compare != NULL) + (base != NULL) + (baseline != NULL) + (lenient != NULL) > 1) {
        return mf_fail(
            &command->err, MF_ESYNTAX,
            "only one of --compare, --base, --baseline and --baseline-lenient is possible");
    }
    const char *name = baseline != NULL ? baseline : lenient;
    int rc = 0;
    if (compare != NULL || base != NULL) {
        session->title = mf_strdup(base != NULL ? base : compare);
        rc = base != NULL ? reference_base(session, base) : reference_compare(session, compare);
    } else if (name != NULL) {
        session->title = mf_asprintf("baseline %s", name);
        session->lenient = lenient != NULL;
        rc = load_baseline(session, name, &session->before);
        session->has_before = rc == 0;
    }
    return rc;
}

/* ---- measuring ---- */

struct progress_line {
    bool shown;
    bool wanted; /* standard error is a terminal */
};

/* One line, cut to what the terminal is wide at this moment: a longer one would wrap, and could not
 * be taken back. */
static void show_progress(void *context, size_t done, size_t total, const char *name,
                          double left_seconds)
{
    struct progress_line *line = context;
    if (!line->wanted || (!line->shown && left_seconds <= PROGRESS_AFTER_SECONDS)) {
        return;
    }
    char left[MF_UNITS_LEN];
    char raw[BENCH_NAME_LEN + 128];
    struct mf_buffer text = MF_BUFFER_INIT;
    const int columns = mf_fd_columns(STDERR_FILENO);
    const double seconds = ceil(fmin(fmax(left_seconds, 0), 1e9));
    mf_format_duration(left, (int64_t)seconds * MF_NS_PER_SECOND);
    snprintf(raw, sizeof raw, "%zu/%zu  %3.0f %%  %s left  %s", done, total,
             100 * (double)done / (double)(total > 0 ? total : 1), left, name);
    mf_terminal_clean_fit(&text, raw, strlen(raw), columns > 1 ? (size_t)columns - 1 : 79);
    fprintf(stderr, "\r\x1b[K%s", text.data != NULL ? text.data : "");
    fflush(stderr);
    mf_buffer_free(&text);
    line->shown = true;
}

static void hide_progress(const struct progress_line *line)
{
    if (line->shown) {
        fputs("\r\x1b[K", stderr);
    }
}

static int estimate_all(struct session *session, struct bench_run *run)
{
    const struct bench_config *config = &session->command->config;
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
        rc = mf__estimate(&run->results[i], &settings, &session->command->err);
    }
    return rc;
}

/* A job with the settings of the session; the runs are new ones. */
static int run_job(struct session *session, const bool *wanted, uint32_t first_round,
                   unsigned processes, struct bench_run *ret_run, struct bench_run *ret_before)
{
    struct command *command = session->command;
    struct progress_line line = {.wanted = mf_fd_is_terminal(STDERR_FILENO)};
    const struct bench_progress progress = {show_progress, &line};
    const struct runner_job job = {
        .config = &command->config,
        .cases = &session->cases,
        .others = session->has_others ? &session->others : NULL,
        .wanted = wanted,
        .first_round = first_round,
        .processes = processes,
        .signals = &command->signals,
        .progress = &progress,
    };
    const int rc = mf__runner_run(&job, ret_run, ret_before, &session->signal, &command->err);
    hide_progress(&line);
    return rc;
}

/* The number of pairs: as configured, or what the correction for many benchmarks needs; then
 * what remains inconclusive is looked at again. */
static unsigned pairs_of(const struct session *session)
{
    const struct bench_config *config = &session->command->config;
    const bool chosen = mf__config_given(config, BENCH_KEY_processes) ||
                        mf__config_flag(config, BENCH_KEY_quick) ||
                        mf__config_flag(config, BENCH_KEY_test);
    if (!session->has_others || chosen) {
        return 0;
    }
    return mf__compare_pairs(session->cases.case_count,
                             mf__config_number(config, NULL, BENCH_KEY_significance_level) /
                                 LOOKS_MAX);
}

static int compare_now(struct session *session)
{
    struct command *command = session->command;
    struct compare_settings settings;
    mf__compare_settings(&command->config, session->has_others, &settings);
    if (isnan(settings.noise_floor_fraction)) {
        double floor = 0;
        const int rc = mf__noise_floor_load(
            target_dir(session), session->run.environment.fingerprint, &floor, &command->err);
        if (rc < 0) {
            return rc;
        }
        settings.noise_floor_fraction = rc == 1 ? floor : NAN;
    }
    if (pairs_of(session) > 0) { /* each look may find something by chance */
        settings.significance_level /= LOOKS_MAX;
    }
    mf_free(session->comparisons);
    session->comparisons = NULL;
    session->comparison_count = 0;
    const int rc = mf__compare(&session->run, &session->before, &settings, &session->comparisons,
                               &command->err);
    session->comparison_count = rc == 0 ? session->run.result_count : 0;
    return rc;
}

/* Which cases are worth another look. Their number. */
static size_t choose_inconclusive(const struct session *session, bool *wanted)
{
    size_t count = 0;
    for (size_t i = 0; i < session->cases.case_count; i++) {
        wanted[i] = false;
        for (size_t k = 0; k < session->comparison_count; k++) {
            const struct bench_comparison *comparison = &session->comparisons[k];
            wanted[i] =
                wanted[i] || (comparison->verdict == VERDICT_INCONCLUSIVE &&
                              strcmp(comparison->now->name, session->cases.cases[i].name) == 0);
        }
        count += wanted[i];
    }
    return count;
}

/* Estimates again, as there are more processes than before. */
static int look_again(struct session *session, uint32_t first_round, unsigned processes)
{
    bool *wanted = mf_calloc(session->cases.case_count + 1, sizeof *wanted);
    struct bench_run more = {0};
    struct bench_run more_before = {0};
    int rc = wanted != NULL ? 0 : mf_fail_os(&session->command->err, -ENOMEM, "cannot measure");
    if (rc == 0 && choose_inconclusive(session, wanted) > 0) {
        rc = run_job(session, wanted, first_round, processes, &more, &more_before);
        if (rc == 0) {
            rc = mf__runner_merge(&session->run, &more, &session->command->err);
        }
        if (rc == 0) {
            rc = mf__runner_merge(&session->before, &more_before, &session->command->err);
        }
        if (rc == 0) {
            rc = estimate_all(session, &session->run);
        }
        if (rc == 0) {
            rc = estimate_all(session, &session->before);
        }
        if (rc == 0) {
            rc = compare_now(session);
        }
    }
    mf__bench_run_free(&more);
    mf__bench_run_free(&more_before);
    mf_free(wanted);
    return rc;
}

static int read_circumstances(struct session *session, struct bench_run *run)
{
    struct command *command = session->command;
    mf_free(run->commit);
    run->commit = mf__git_commit();
    int rc = run->commit != NULL
                 ? mf__environment_read(&command->config, &run->environment, &command->err)
                 : mf_fail_os(&command->err, -ENOMEM, "cannot measure");
    for (size_t i = 0; i < run->result_count && rc == 0; i++) {
        memcpy(run->results[i].fingerprint, run->environment.fingerprint,
               sizeof run->environment.fingerprint);
    }
    return rc;
}

int mf__session_measure(struct session *session)
{
    int rc = find_cases(session);
    const unsigned pairs = rc == 0 ? pairs_of(session) : 0;
    if (rc == 0) {
        rc = run_job(session, NULL, 0, pairs, &session->run, &session->before);
    }
    if (rc == 0) {
        rc = read_circumstances(session, &session->run);
    }
    if (rc == 0) {
        rc = estimate_all(session, &session->run);
    }
    if (rc < 0 || !session->has_others) {
        return rc;
    }
    session->has_before = true;
    rc = read_circumstances(session, &session->before);
    if (rc == 0) {
        rc = estimate_all(session, &session->before);
    }
    if (rc == 0) {
        rc = compare_now(session);
    }
    for (unsigned look = 1; look < LOOKS_MAX && rc == 0 && pairs > 0 && session->signal == 0;
         look++) {
        rc = look_again(session, look * pairs, pairs);
    }
    return rc;
}

/* ---- verdicts, and what is kept ---- */

int mf__session_judge(struct session *session)
{
    int rc = 0;
    if (session->has_before && session->comparisons == NULL) {
        rc = compare_now(session);
    }
    return rc < 0 ? rc
                  : mf__check_targets(&session->run, &session->command->config, &session->checks,
                                      &session->check_count, &session->command->err);
}

int mf__session_keep(struct session *session)
{
    struct command *command = session->command;
    const struct bench_config *config = &command->config;
    const char *name = mf__config_text(config, BENCH_KEY_save_baseline);
    const bool complete =
        !session->run.quick && !mf__config_flag(config, BENCH_KEY_test) && session->signal == 0;
    if (!complete) {
        return 0;
    }
    int rc =
        mf__baseline_save(target_dir(session), BENCH_BASELINE_LATEST, &session->run, &command->err);
    if (rc == 0 && name != NULL) {
        rc = mf__baseline_save(target_dir(session), name, &session->run, &command->err);
    }
    if (rc == 0 && mf__config_flag(config, BENCH_KEY_record)) {
        rc = mf__history_append(mf__config_text(config, BENCH_KEY_results_dir), &session->run,
                                &command->err);
    }
    return rc;
}

static bool wants_format(const struct session *session, const char *name)
{
    const struct bench_value *formats =
        mf__config_value(&session->command->config, NULL, BENCH_KEY_output_format);
    for (size_t i = 0; i < formats->count; i++) {
        if (strcmp(formats->texts[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The history, for the formats and styles that show it; there need not be any. */
static int load_trend(struct session *session, struct trend *trend)
{
    struct command *command = session->command;
    const char *directory = mf__config_text(&command->config, BENCH_KEY_results_dir);
    const char *style = mf__config_text(&command->config, BENCH_KEY_style);
    struct mf_file_info info;
    return (strcmp(style, "trend") == 0 || wants_format(session, "html")) &&
                   mf_fs_info(NULL, directory, &info, NULL) == 0
               ? mf__trend_load(directory, &session->filter, trend, &command->err)
               : 0;
}

int mf__session_report(struct session *session)
{
    struct command *command = session->command;
    struct trend trend = {0};
    struct bench_profile *profiles = NULL;
    size_t profile_count = 0;
    int rc = load_trend(session, &trend);
    if (rc == 0 && wants_format(session, "html")) {
        rc = mf__profiles_load(target_dir(session), &session->run, &profiles, &profile_count,
                               &command->err);
    }
    const struct bench_report report = {
        .run = &session->run,
        .comparisons = session->comparisons,
        .comparison_count = session->comparison_count,
        .checks = session->checks,
        .check_count = session->check_count,
        .style = mf__config_text(&command->config, BENCH_KEY_style),
        .title = session->title,
        .threshold_fraction =
            mf__config_number(&command->config, NULL, BENCH_KEY_stored_threshold_pct) / 100,
        .trend = &trend,
        .profiles = profiles,
        .profile_count = profile_count,
        .colored = command->line->colored,
        .columns = command->line->columns,
    };
    if (rc == 0) {
        rc = mf__command_report(command, &report);
    }
    mf__trend_free(&trend);
    mf__profiles_free(profiles, profile_count);
    if (rc < 0) {
        return rc;
    }
    if (session->signal != 0) {
        mf__command_note(command, "interrupted; what is shown is incomplete");
        return 128 + session->signal;
    }
    const enum bench_exit code =
        mf__gate(&session->run, session->comparisons, session->comparison_count, session->checks,
                 session->check_count, session->lenient);
    if (code == BENCH_EXIT_FAILED || session->profile_failed) {
        return BENCH_EXIT_FAILED;
    }
    return session->limit_exceeded ? BENCH_EXIT_REGRESSED : (int)code;
}
