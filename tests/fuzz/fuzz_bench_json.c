/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as results, as a line of the history, as an answer or a request between runner and
 * child, and as the beginning of a program: an error with a message, or data that is whole and can
 * be written again. */
#include "cases.h"
#include "child_protocol.h"
#include "run_json.h"

#include "base/heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_run(const char *text, size_t len)
{
    struct bench_run run = {0};
    struct bench_run again = {0};
    struct mf_errinfo err = {0};
    if (mf__run_json_read(text, len, "fuzz", &run, &err) < 0) {
        if (run.results != NULL || err.msg[0] == '\0') {
            abort();
        }
        return;
    }
    struct mf_buffer first = MF_BUFFER_INIT;
    struct mf_buffer second = MF_BUFFER_INIT;
    mf__run_json_write(&first, &run, NULL, 0, MF_JSON_COMPACT, RUN_JSON_SUMMARY);
    if (mf__run_json_read(first.data, first.len, "fuzz", &again, &err) < 0) {
        abort(); /* what was read can be stored */
    }
    mf__run_json_write(&second, &again, NULL, 0, MF_JSON_COMPACT, RUN_JSON_SUMMARY);
    if (strcmp(first.data, second.data) != 0) {
        abort();
    }
    mf_buffer_free(&first);
    mf_buffer_free(&second);
    mf__bench_run_free(&run);
    mf__bench_run_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1); /* requests are strings */
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, len);
    text[len] = '\0';
    struct mf_errinfo err = {0};
    check_run(text, len);

    struct bench_measured measured = {0};
    if (mf__measured_read(text, len, "fuzz", &measured, &err) == 0) {
        mf__process_free(&measured.process);
    }
    struct bench_listed *listed = NULL;
    size_t count = 0;
    if (mf__listed_read(text, len, "fuzz", &listed, &count, &err) == 0) {
        mf__listed_free(listed, count);
    }
    struct bench_request request;
    if (mf__request_read(text, &request, &err) == 0 && request.plan.samples == 0) {
        abort();
    }
    (void)mf__has_bench_note(data, len);
    free(text);
    return 0;
}
