/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver.h -- a remote write receiver on a loopback port, in a thread of the test, that answers
 * as a policy of the test says and remembers what it stored. It understands both versions of the
 * message.
 */
#ifndef TESTS_RECEIVER_H
#define TESTS_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct received_sample {
    char *series; /* name{a="b"}, labels as they came */
    double value;
    int64_t time_ms;
};

struct receiver_request {
    unsigned number;  /* 1 for the first */
    unsigned version; /* of the message, by its content type: 1 or 2; 0: unknown */
    const char *head; /* request line and headers */
    const struct received_sample *samples;
    size_t sample_count;
};

struct receiver_reply {
    int status;        /* 204 to begin with */
    bool store;        /* keep the samples; true to begin with */
    bool counted;      /* say how many were written (2.0); true to begin with */
    long written;      /* what to say; -1, to begin with: the number of samples */
    bool drop;         /* close the connection without an answer */
    unsigned wait_ms;  /* before the answer */
    char headers[256]; /* further ones, each with its line end */
    char body[256];
};

struct receiver;
typedef void (*receiver_policy)(void *context, struct receiver *receiver,
                                const struct receiver_request *request,
                                struct receiver_reply *reply);

/* policy NULL: takes everything. Aborts the test program when no port can be had. */
struct receiver *receiver_start(receiver_policy policy, void *context);
void receiver_stop(struct receiver *receiver);
/* "http://127.0.0.1:<port>/api/v1/write" */
const char *receiver_url(const struct receiver *receiver);

/* What was stored so far; stop pushing before looking. */
size_t receiver_count(const struct receiver *receiver);
const struct received_sample *receiver_samples(const struct receiver *receiver);
/* How many of one series, and whether a series has a value at a time. */
size_t receiver_count_of(const struct receiver *receiver, const char *series);
const struct received_sample *receiver_find(const struct receiver *receiver, const char *series,
                                            int64_t time_ms);
unsigned receiver_requests(const struct receiver *receiver);

/* A policy like Prometheus 2.42: a message with a sample that is older than the newest of its
 * series, or of the same time with another value, is refused as a whole with 400 and a reason. */
void receiver_strict(void *context, struct receiver *receiver,
                     const struct receiver_request *request, struct receiver_reply *reply);

#endif
