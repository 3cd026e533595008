/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h -- what the commands run, gate, compare and report are made of: something to look at
 * (measured now, or stored), something to compare it with, verdicts, and what is to be kept of it.
 */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include "command_private.h"
#include "verdicts.h"

struct session {
    struct command *command;
    struct bench_filter filter;
    struct bench_cases cases;  /* to measure */
    struct bench_cases others; /* to measure beside them */
    bool has_others;
    struct bench_run run;
    struct bench_run before; /* measured beside it, or stored */
    bool has_before;
    struct bench_comparison *comparisons; /* one for each result of the run */
    size_t comparison_count;
    struct bench_check *checks;
    size_t check_count;
    char *title; /* what it is compared with */
    int signal;  /* that interrupted it; 0: none */
    bool lenient;
    bool limit_exceeded; /* of --profile callgrind */
    bool profile_failed; /* one could not be made */
};

void mf__session_begin(struct session *session, struct command *command);
void mf__session_end(struct session *session);

/* What it is compared with, by --compare, --baseline or --baseline-lenient; at most one of them. A
 * program or a revision becomes `others`, everything else `before`. */
int mf__session_reference(struct session *session);
/* Finds the cases (when none are set yet) and measures them; in pairs when there are others, and
 * what remains inconclusive twice again. Then estimates. */
int mf__session_measure(struct session *session);
/* Compares, if there is something, and checks targets. */
int mf__session_judge(struct session *session);
/* Stores the results as asked: as the last run, as a baseline, in the history. */
int mf__session_keep(struct session *session);
/* Prints, and returns the exit code. */
int mf__session_report(struct session *session);

/* Whether a text names a benchmark program, a file of results, or (maybe) a revision. */
enum reference_kind { REFERENCE_PROGRAM, REFERENCE_RESULTS, REFERENCE_REVISION };
int mf__reference_kind(const char *text, enum reference_kind *ret_kind, struct mf_errinfo *err);

#endif
