/* SPDX-License-Identifier: Apache-2.0
 *
 * child_protocol.h -- what the runner and the benchmark program that it starts say to each other.
 *
 *   PROGRAM --mayfly-bench-child DESCRIPTOR REQUEST
 *
 * Standard input is /dev/null, or the socket by which two processes take turns (os/turn.h).
 * REQUEST is a JSON object; the answer, another, is written to the descriptor, whose end is its
 * end. The two sides may be of different builds (a revision is compared with its base), so both
 * carry a version and refuse one that they do not know.
 */
#ifndef BENCH_CHILD_PROTOCOL_H
#define BENCH_CHILD_PROTOCOL_H

#include "measure.h"

#include "base/buffer.h"

#define BENCH_CHILD_WORD     "--mayfly-bench-child"
#define BENCH_CHILD_VERSION  1
#define BENCH_ANSWER_LEN_MAX (64u << 20)

enum bench_action {
    BENCH_ACTION_LIST,    /* which benchmarks there are */
    BENCH_ACTION_MEASURE, /* one of them, as planned */
    BENCH_ACTION_STRESS   /* keep processors and memory busy until killed; answers once it does */
};

struct bench_request {
    enum bench_action action;
    char benchmark[BENCH_NAME_LEN]; /* its base name */
    struct bench_plan plan;
    int cpu;                   /* run on this one only; -1: anywhere */
    char profile[32];          /* of bench_profiler.h, or "" */
    char profile_output[1024]; /* a path */
    uint64_t stress_memory_bytes;
    int stress_threads;
};

void mf__request_write(struct mf_buffer *out, const struct bench_request *request);
int mf__request_read(const char *text, struct bench_request *ret_request, struct mf_errinfo *err);

/* One registered benchmark, as the answer to LIST tells it. */
struct bench_listed {
    char *base_name;
    char *suite, *group, *name, *param_name, *ratio_to; /* never NULL */
    struct mf_bench_options options;                    /* strings and arrays are the ones here */
    int64_t *params;
    int *threads;
};
void mf__listed_write(struct mf_buffer *out); /* the registry of this program */
/* `origin` names the program in messages. The list is freed with mf__listed_free(). */
int mf__listed_read(const char *text, size_t len, const char *origin,
                    struct bench_listed **ret_listed, size_t *ret_count, struct mf_errinfo *err);
void mf__listed_free(struct bench_listed *listed, size_t count);

void mf__measured_write(struct mf_buffer *out, const struct bench_measured *measured);
int mf__measured_read(const char *text, size_t len, const char *origin,
                      struct bench_measured *ret_measured, struct mf_errinfo *err);

/* The child's side: does what the request says; returns the exit code of the process. */
int mf__child_main(const char *descriptor, const char *request);

#endif
