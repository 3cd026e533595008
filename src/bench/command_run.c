/* SPDX-License-Identifier: Apache-2.0
 * command_run.c -- the commands run, gate, compare, report and list. */
#include "command_private.h"
#include "profile.h"
#include "relations.h"
#include "run_json.h"
#include "session.h"
#include "store_baseline.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Judges, keeps and prints what the session has. Returns the exit code. */
static int conclude(struct session *session, bool measured)
{
    int rc = mf__session_judge(session);
    if (rc == 0 && measured) {
        rc = mf__session_keep(session);
    }
    return rc < 0 ? rc : mf__session_report(session);
}

/* What would be wrong after measuring is wrong before. */
static int check_keeping(struct command *command)
{
    const struct bench_config *config = &command->config;
    const char *name = mf__config_text(config, BENCH_KEY_save_baseline);
    const bool quick = mf__config_flag(config, BENCH_KEY_quick);
    const bool test = mf__config_flag(config, BENCH_KEY_test);
    if ((name != NULL || mf__config_flag(config, BENCH_KEY_record)) && (quick || test)) {
        return mf_fail(&command->err, MF_ESYNTAX, "a %s run is not stored: leave out --%s or --%s",
                       quick ? "quick" : "test", quick ? "quick" : "test",
                       name != NULL ? "save-baseline" : "record");
    }
    return name != NULL ? mf__baseline_check_name(name, &command->err) : 0;
}

static int measure_and_conclude(struct session *session)
{
    struct command *command = session->command;
    int rc = check_keeping(command);
    if (rc == 0) {
        rc = mf__profile_check(command);
    }
    if (rc == 0) {
        rc = mf__command_open_signals(command);
    }
    if (rc == 0) {
        rc = mf__session_reference(session);
    }
    if (rc == 0 && session->has_before && session->before.result_count == 0 && !session->lenient) {
        mf__command_note(command, "there is no %s of these benchmarks", session->title);
        return BENCH_EXIT_NO_BASELINE;
    }
    if (rc == 0) {
        rc = mf__session_measure(session);
    }
    if (rc == 0) {
        rc = mf__session_profile(session);
    }
    mf__command_close_signals(command);
    if (rc == -EINTR && session->signal != 0) { /* before anything was measured */
        mf__command_note(command, "%s", command->err.msg);
        return 128 + session->signal;
    }
    return rc < 0 ? rc : conclude(session, true);
}

static void keep_matching(const struct bench_filter *filter, struct bench_run *run)
{
    size_t kept = 0;
    for (size_t i = 0; i < run->result_count; i++) {
        if (mf__filter_matches(filter, run->results[i].name)) {
            run->results[kept++] = run->results[i];
        } else {
            mf__bench_result_free(&run->results[i]);
        }
    }
    run->result_count = kept;
}

static bool is_file_name(const char *name)
{
    const size_t len = strlen(name);
    return strchr(name, '/') != NULL || (len > 5 && strcmp(name + len - 5, ".json") == 0);
}

/* A baseline by its name, or a file of results. */
static int load_stored(struct session *session, const char *name)
{
    struct command *command = session->command;
    if (is_file_name(name)) {
        const int rc = mf__run_load(name, &session->run, &command->err);
        if (rc == 0) {
            keep_matching(&session->filter, &session->run);
        }
        return rc;
    }
    int rc =
        strcmp(name, BENCH_BASELINE_LATEST) == 0 ? 0 : mf__baseline_check_name(name, &command->err);
    if (rc == 0) {
        rc = mf__baseline_load(mf__config_text(&command->config, BENCH_KEY_target_dir), name,
                               &session->filter, &session->run, &command->err);
    }
    if (rc == 0) {
        mf__sort_results(&session->run); /* files have no order */
    }
    return rc;
}

/* Stored results instead of measured ones. */
static int load_and_conclude(struct session *session, const char *name)
{
    struct command *command = session->command;
    int rc = load_stored(session, name);
    if (rc == 0 && session->run.result_count == 0) {
        mf__command_note(command, "there is no baseline %s of these benchmarks", name);
        return BENCH_EXIT_NO_BASELINE;
    }
    if (rc == 0) {
        rc = mf__session_reference(session);
    }
    if (rc == 0 && session->has_others) {
        rc = mf_fail(&command->err, MF_ESYNTAX,
                     "stored results can be compared with stored ones only, not with a program");
    }
    return rc < 0 ? rc : conclude(session, false);
}

int mf__command_run(struct command *command)
{
    struct session session;
    mf__session_begin(&session, command);
    const char *load = mf__config_text(&command->config, BENCH_KEY_load_baseline);
    const int rc =
        load != NULL ? load_and_conclude(&session, load) : measure_and_conclude(&session);
    mf__session_end(&session);
    return rc;
}

int mf__command_report_stored(struct command *command)
{
    struct session session;
    mf__session_begin(&session, command);
    const char *load = mf__config_text(&command->config, BENCH_KEY_load_baseline);
    const int rc = load_and_conclude(&session, load != NULL ? load : BENCH_BASELINE_LATEST);
    mf__session_end(&session);
    return rc;
}

int mf__command_gate(struct command *command)
{
    const struct bench_config *config = &command->config;
    const bool reference = mf__config_text(config, BENCH_KEY_compare) != NULL ||
                           mf__config_text(config, BENCH_KEY_base) != NULL ||
                           mf__config_text(config, BENCH_KEY_baseline) != NULL ||
                           mf__config_text(config, BENCH_KEY_baseline_lenient) != NULL;
    if (mf__config_flag(config, BENCH_KEY_quick) || mf__config_flag(config, BENCH_KEY_test)) {
        return mf_fail(&command->err, MF_ESYNTAX, "a gate needs a full run, not --quick or --test");
    }
    if (!reference && config->target_count == 0) {
        return mf_fail(&command->err, MF_ESYNTAX,
                       "a gate needs something to hold against: --base REV, --baseline NAME, or "
                       "targets in " BENCH_CONFIG_FILE);
    }
    return mf__command_run(command);
}

/* ---- compare BEFORE NOW ---- */

/* The second operand as what is measured, or read. */
static int take_now(struct session *session, const char *text)
{
    struct command *command = session->command;
    enum reference_kind kind;
    int rc = mf__reference_kind(text, &kind, &command->err);
    if (rc == 0 && kind == REFERENCE_RESULTS) {
        rc = mf__run_load(text, &session->run, &command->err);
    } else if (rc == 0 && kind == REFERENCE_PROGRAM) {
        rc = mf__cases_of_programs(&command->config, &text, 1, &session->filter, &command->signals,
                                   &session->cases, &command->err);
        if (rc == 0 && session->cases.case_count == 0) {
            rc = mf_fail(&command->err, MF_ENOTFOUND, "no benchmark of %s matches", text);
        }
    } else if (rc == 0) {
        rc = mf_fail(&command->err, MF_ENOTFOUND,
                     "'%.200s' is neither a file of results nor a benchmark program", text);
    }
    return rc;
}

static int compare(struct session *session, const char *now)
{
    struct command *command = session->command;
    int rc = mf__command_open_signals(command);
    if (rc == 0) {
        rc = take_now(session, now);
    }
    if (rc == 0) {
        rc = mf__session_reference(session);
    }
    const bool measures = session->cases.case_count > 0;
    if (rc == 0 && session->has_others && !measures) {
        rc = mf_fail(&command->err, MF_ESYNTAX,
                     "a program can be compared with a program, and results with results");
    }
    if (rc == 0 && measures) {
        rc = mf__session_measure(session);
    }
    mf__command_close_signals(command);
    if (rc == -EINTR && session->signal != 0) {
        mf__command_note(command, "%s", command->err.msg);
        return 128 + session->signal;
    }
    if (rc == 0 && !measures) {
        keep_matching(&session->filter, &session->run);
    }
    return rc < 0 ? rc : conclude(session, measures);
}

int mf__command_compare(struct command *command)
{
    if (command->line->operand_count < 2) {
        return mf_fail(&command->err, MF_ESYNTAX,
                       "compare needs two operands: BEFORE (results, a program or a revision) and "
                       "NOW (results or a program)");
    }
    struct session session;
    mf__session_begin(&session, command);
    session.filter.patterns += 2;
    session.filter.pattern_count -= 2;
    int rc = mf__config_set(&command->config, BENCH_KEY_compare, command->line->operands[0],
                            BENCH_FROM_COMMAND_LINE, &command->err);
    if (rc == 0) {
        rc = compare(&session, command->line->operands[1]);
    }
    mf__session_end(&session);
    return rc;
}

/* ---- list ---- */

int mf__command_list(struct command *command)
{
    struct bench_filter filter;
    struct bench_cases cases = {0};
    mf__command_filter(command, &filter);
    const int rc =
        mf__cases_find(&command->config, command->line->own, &filter, NULL, &cases, &command->err);
    for (size_t i = 0; rc == 0 && i < cases.case_count; i++) {
        puts(cases.cases[i].name);
    }
    mf__cases_free(&cases);
    return rc;
}
