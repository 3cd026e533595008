/* SPDX-License-Identifier: Apache-2.0
 *
 * launch.h -- starts one measured process and waits for its answer.
 */
#ifndef BENCH_LAUNCH_H
#define BENCH_LAUNCH_H

#include "child_protocol.h"

#include "os/child.h"

struct bench_launch {
    const char *program;       /* path of the benchmark program */
    const char *const *prefix; /* NULL-terminated words before it ("valgrind", ...); or NULL */
    const struct bench_request *request;
    size_t environment_padding; /* bytes: moves the stack, and with it what is aligned by chance */
    int64_t timeout_ns;         /* killed after that long; 0: never */
    struct mf_signals *signals; /* of this process; INT, TERM, HUP and QUIT interrupt the wait */
    int *ret_signal;            /* which one did; may be NULL */
};

/* 0 and the answer in *ret_answer (freed by the caller). MF_EREMOTE: it ended without one, and err
 * says how; -ETIMEDOUT: it was killed after the timeout; -EINTR: a signal came, and it was killed.
 */
int mf__launch(const struct bench_launch *launch, struct mf_buffer *ret_answer,
               struct mf_errinfo *err);

/* Two at once that measure in turns (their plans say so). Returns 0 when both have answered, else
 * the error of one that has not; ret_codes and errs have either's. Answers that came are to be
 * freed. */
int mf__launch_pair(const struct bench_launch launches[2], struct mf_buffer ret_answers[2],
                    int ret_codes[2], struct mf_errinfo errs[2]);

/* A process that goes on after its answer (BENCH_ACTION_STRESS), until it is stopped. */
int mf__launch_background(const struct bench_launch *launch, int32_t *ret_pid,
                          struct mf_errinfo *err);
void mf__launch_stop(int32_t pid);

#endif
