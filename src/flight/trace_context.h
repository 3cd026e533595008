/* SPDX-License-Identifier: Apache-2.0
 * trace_context.h -- TRACEPARENT (W3C Trace Context, level 1, section 3.2): a flight is a span. */
#ifndef FLIGHT_TRACE_CONTEXT_H
#define FLIGHT_TRACE_CONTEXT_H

#include <mayfly/error.h>

#define MF_TRACEPARENT_LEN 56 /* with its NUL */

struct mf_trace_context {
    char trace_id[33];
    char span_id[17];        /* of the flight */
    char parent_span_id[17]; /* "" when the flight begins the trace */
    char flags[3];
};

/* A new span below the given TRACEPARENT, or of a new, sampled trace when that is NULL or not
 * valid. */
int mf__trace_context_new(const char *traceparent, struct mf_trace_context *ret_context,
                          struct mf_errinfo *err);
/* What the command gets as TRACEPARENT. */
void mf__trace_context_format(const struct mf_trace_context *context,
                              char ret_text[MF_TRACEPARENT_LEN]);

#endif
