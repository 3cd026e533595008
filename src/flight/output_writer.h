/* SPDX-License-Identifier: Apache-2.0
 * output_writer.h -- keeps what the command writes. The only door through which output gets to
 * disk, so that another store can stand behind it. Any number of threads may append. Appending
 * never fails for the caller: what cannot be kept is counted as lost, and the command goes on. */
#ifndef FLIGHT_OUTPUT_WRITER_H
#define FLIGHT_OUTPUT_WRITER_H

#include <mayfly/env.h>
#include <mayfly/error.h>
#include <mayfly/flight.h>
#include <stddef.h>
#include <stdint.h>

struct mf_output_writer;

/* Writes below the flight directory `dir`. Of the output at most about limit_bytes are kept: the
 * first half, and of the rest the newest. */
int mf__output_open(const char *dir, uint64_t limit_bytes, const struct mf_env *env,
                    struct mf_output_writer **ret_output, struct mf_errinfo *err);
void mf__output_append(struct mf_output_writer *output, enum mf_flight_stream stream, int64_t t_ns,
                       const void *bytes, size_t len);
/* What came so far; `ret_totals` has MF_STREAMS elements. */
void mf__output_totals(struct mf_output_writer *output, struct mf_flight_stream_totals *ret_totals);
/* The time of the newest append; -1: none. */
int64_t mf__output_last_ns(struct mf_output_writer *output);
/* The stream that first went beyond the first half, or -1. */
int mf__output_limited(struct mf_output_writer *output);
/* Makes it durable, frees it, and gives the last totals. */
void mf__output_close(struct mf_output_writer *output, struct mf_flight_stream_totals *ret_totals);

#endif
