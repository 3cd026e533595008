/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_child.c -- the measured process: takes the request from its command line, does it, answers.
 *
 * What the benchmark prints goes to standard error, so that it never mixes with the runner's
 * output. Whatever goes wrong before the benchmark runs is an answer, too; only a crash has none.
 */
#include "bench/command.h"
#include "bench_profiler.h"
#include "child_protocol.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/number.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/thread.h"
#include "os/turn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PAGE 4096

static int answer(int descriptor, struct mf_buffer *text)
{
    int rc = text->failed ? -ENOMEM : mf_fd_write_all(descriptor, text->data, text->len);
    mf_buffer_free(text);
    return rc == 0 ? 0 : 1;
}

static int answer_failure(int descriptor, const char *message)
{
    struct bench_measured measured = {.status = BENCH_FAILED};
    struct mf_buffer text = MF_BUFFER_INIT;
    measured.process.binary = 'A';
    snprintf(measured.message, sizeof measured.message, "%s", message);
    mf__measured_write(&text, &measured);
    return answer(descriptor, &text);
}

/* ---- profilers ---- */

static const struct bench_profiler *find_profiler(const char *name)
{
    for (const struct bench_profiler *const *p = mf__profilers; *p != NULL; p++) {
        if (strcmp((*p)->name, name) == 0) {
            return *p;
        }
    }
    return NULL;
}

static void profiler_begin(void *context)
{
    ((const struct bench_profiler *)context)->begin();
}

static void profiler_end(void *context)
{
    ((const struct bench_profiler *)context)->end();
}

/* ---- measuring ---- */

static int measure(int descriptor, struct bench_request *request)
{
    struct mf_errinfo err = {0};
    const struct bench_entry *entry = mf__registry_find(request->benchmark);
    const struct bench_profiler *profiler = NULL;
    char message[256];
    if (entry == NULL) {
        snprintf(message, sizeof message, "this program has no benchmark '%.200s'",
                 request->benchmark);
        return answer_failure(descriptor, message);
    }
    if (request->cpu >= 0 && mf_thread_pin(request->cpu) < 0) {
        snprintf(message, sizeof message, "it cannot run on processor %d", request->cpu);
        return answer_failure(descriptor, message);
    }
    if (request->plan.in_turns) {
        const int turns = mf_turn_take_input();
        request->plan.turns = turns > 0 ? turns : 0;
    }
    if (request->profile[0] != '\0') {
        profiler = find_profiler(request->profile);
        if (profiler == NULL || profiler->prepare(&err) < 0) {
            snprintf(message, sizeof message, "no profile '%s': %.200s", request->profile,
                     profiler == NULL ? "this program does not have it" : err.msg);
            return answer_failure(descriptor, message);
        }
    }
    const struct bench_bracket bracket = {profiler_begin, profiler_end,
                                          (void *)(uintptr_t)profiler};
    struct bench_measured measured;
    int rc =
        mf__measure(entry, &request->plan, profiler != NULL ? &bracket : NULL, &measured, &err);
    if (rc == 0 && profiler != NULL && measured.status == BENCH_OK) {
        rc = profiler->write(request->profile_output, &err);
    }
    if (rc < 0) {
        return answer_failure(descriptor, err.msg);
    }
    struct mf_buffer text = MF_BUFFER_INIT;
    mf__measured_write(&text, &measured);
    mf__process_free(&measured.process);
    return answer(descriptor, &text);
}

/* ---- stress ---- */

struct pages {
    volatile char *bytes;
    uint64_t len;
};

static void *keep_busy(void *context)
{
    (void)context;
    for (volatile uint64_t n = 0;; n++) {
    }
    return NULL;
}

static _Noreturn void touch_for_ever(const struct pages *pages)
{
    for (char value = 1;; value++) {
        for (uint64_t at = 0; at < pages->len; at += PAGE) {
            pages->bytes[at] = value;
        }
        (void)mf_clock_sleep_until_ns(mf_clock_monotonic_ns(NULL) + 100 * MF_NS_PER_MS);
    }
}

static int stress(int descriptor, const struct bench_request *request)
{
    struct mf_errinfo err = {0};
    struct pages pages = {NULL, request->stress_memory_bytes};
    pages.bytes = mf_malloc(pages.len + 1);
    if (pages.bytes == NULL) {
        return answer_failure(descriptor, "there is not enough memory for the memory pressure");
    }
    for (uint64_t at = 0; at < pages.len; at += PAGE) {
        pages.bytes[at] = 1;
    }
    for (int i = 0; i < request->stress_threads; i++) {
        struct mf_thread thread;
        if (mf_thread_start(&thread, "stress", keep_busy, NULL, &err) < 0) {
            return answer_failure(descriptor, err.msg);
        }
    }
    const struct bench_measured ready = {.process.binary = 'A'};
    struct mf_buffer text = MF_BUFFER_INIT;
    mf__measured_write(&text, &ready);
    if (answer(descriptor, &text) != 0) {
        return 1;
    }
    mf_fd_close(&descriptor); /* the end of the answer; the work goes on */
    touch_for_ever(&pages);
}

int mf__child_main(const char *descriptor_text, const char *request_text)
{
    struct mf_errinfo err = {0};
    int64_t descriptor = -1;
    struct bench_request request;
    if (mf_parse_int64(descriptor_text, &descriptor, &err) < 0 || descriptor < 3 ||
        descriptor > 1000000 || mf_fd_set_close_on_exec((int)descriptor) < 0) {
        fprintf(stderr, "%s is for the runner of benchmarks only\n", BENCH_CHILD_WORD);
        return BENCH_EXIT_USAGE;
    }
    int rc = mf__registry_check(&err);
    if (rc == 0) {
        rc = mf__request_read(request_text, &request, &err);
    }
    if (rc < 0) {
        return answer_failure((int)descriptor, err.msg);
    }
    struct mf_buffer text = MF_BUFFER_INIT;
    switch (request.action) {
    case BENCH_ACTION_LIST:
        mf__listed_write(&text);
        return answer((int)descriptor, &text);
    case BENCH_ACTION_MEASURE:
        return measure((int)descriptor, &request);
    case BENCH_ACTION_STRESS:
        return stress((int)descriptor, &request);
    }
    return 1;
}

bool mf__bench_is_child(int argc, char *const *argv)
{
    return argc == 4 && strcmp(argv[1], BENCH_CHILD_WORD) == 0;
}

int mf__bench_child(char *const *argv)
{
    return mf__child_main(argv[2], argv[3]);
}
