/* SPDX-License-Identifier: Apache-2.0
 * recorder_seal.c -- the seal at the end of a recording.
 *
 * A process that is left behind syncs the files, seals them and tells the recorder, which waits for
 * it, but not for ever: the caller waits for the exit code, and a disk that is busy with what the
 * command has written may take seconds. The process goes on then, and holds the recorder's lock
 * meanwhile, so that nobody removes the flight under it. */
#include "recorder.h"
#include "seal_manifest.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/fd.h"

#include <errno.h>
#include <mayfly/seal.h>
#include <stdio.h>
#include <string.h>

#define DISK_NS (1 * MF_NS_PER_SECOND) /* beyond the wait for the ledger */

struct answer {
    int rc;
    char root[MF_SEAL_HEX_LEN];
    char why[sizeof((struct mf_errinfo *)0)->msg];
};

struct sealer {
    struct mf_recorder *recorder;
    int answer; /* the pipe's end, -1: nobody waits */
};

/* Nobody shall wait for us to let go of the output. Something harmless takes its place: whatever is
 * written to descriptor 2 must not end in a file that is opened later. */
static void let_go_of_output(void)
{
    for (int number = 0; number <= 2; number++) {
        int descriptor = number;
        mf_fd_close(&descriptor);
        (void)mf_fd_null();
    }
}

static void seal_now(const struct mf_recorder *recorder, struct answer *answer)
{
    struct mf_seal_record record;
    struct mf_errinfo err = {0};
    memset(answer, 0, sizeof *answer);
    mf__flight_sync_now(recorder->dir);
    if (recorder->options.no_seal) {
        return;
    }
    answer->rc = mf_flight_seal(recorder->options.home, recorder->dir,
                                recorder->options.seal_wait_ns, &record, NULL, &err);
    if (answer->rc == 0) {
        mf__seal_hex(record.root, answer->root);
    } else {
        memcpy(answer->why, err.msg, sizeof answer->why);
    }
}

static void run(void *context)
{
    const struct sealer *sealer = context;
    struct answer answer;
    let_go_of_output();
    seal_now(sealer->recorder, &answer);
    mf_file_close(sealer->recorder->lock); /* before the answer: then the flight is anybody's */
    if (sealer->answer >= 0) {
        (void)mf_fd_write_all(sealer->answer, &answer, sizeof answer);
    }
}

/* False when there was none in time; *ret_why says so. */
static bool await_answer(struct mf_recorder *recorder, int pipe, struct answer *ret_answer)
{
    const int64_t until_ns = mf_clock_monotonic_ns(NULL) + recorder->options.seal_wait_ns + DISK_NS;
    const char *why = "it goes on in the background";
    for (;;) {
        size_t len = 0;
        const int64_t left_ns = until_ns - mf_clock_monotonic_ns(NULL);
        struct mf_poll_item items[] = {
            {.descriptor = pipe, .want_read = true},
            {.descriptor = recorder->signals.descriptor, .want_read = true}};
        (void)mf_fd_poll(items, MF_ARRAY_LEN(items), left_ns > 0 ? left_ns : 0);
        if (items[0].ret_readable) {
            if (mf_fd_read(pipe, ret_answer, sizeof *ret_answer, &len) == 0 &&
                len == sizeof *ret_answer) {
                return true;
            }
            why = "the process that did it has ended";
            break;
        }
        if (items[1].ret_readable) {
            (void)mf__recorder_told_to_end(recorder); /* takes the signals */
        }
        if (left_ns <= 0 || recorder->leave_now) {
            break;
        }
    }
    memset(ret_answer, 0, sizeof *ret_answer);
    ret_answer->rc = -ETIMEDOUT;
    snprintf(ret_answer->why, sizeof ret_answer->why, "%s", why);
    return false;
}

static void keep_answer(struct mf_flight_info *info, const struct answer *answer)
{
    if (answer->rc == 0) {
        memcpy(info->seal_root, answer->root, sizeof answer->root);
    } else {
        info->seal_problem = mf_strdup(answer->why);
    }
}

void mf__recorder_seal(struct mf_recorder *recorder)
{
    struct sealer sealer = {.recorder = recorder, .answer = -1};
    struct answer answer;
    int ends[2] = {-1, -1};
    int kept[2];
    size_t kept_count = 0;
    const bool waits = !recorder->options.no_seal && mf_fd_pipe(ends, 4096) == 0;
    if (waits) {
        sealer.answer = kept[kept_count++] = ends[1];
        kept[kept_count++] = mf_file_descriptor(recorder->lock);
    }
    const int pid = mf_process_leave_behind(kept, kept_count, run, &sealer);
    mf_fd_close(&ends[1]);
    if (pid < 0) {
        seal_now(recorder, &answer);
    } else if (waits) {
        (void)await_answer(recorder, ends[0], &answer);
    } else {
        memset(&answer, 0, sizeof answer);
        answer.rc = recorder->options.no_seal ? 0 : -EMFILE;
        snprintf(answer.why, sizeof answer.why, "it goes on in the background");
    }
    keep_answer(recorder->info, &answer);
    mf_fd_close(&ends[0]);
}
