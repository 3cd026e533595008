/* SPDX-License-Identifier: Apache-2.0
 *
 * lines.h -- a bounded part of what a command wrote: the first lines and the last ones, with the
 * count of what is left out between them. Reading takes one pass over the output and memory for
 * what is kept. */
#ifndef FLIGHT_LINES_H
#define FLIGHT_LINES_H

#include <mayfly/flight.h>

struct mf_lines_options {
    unsigned streams;      /* bit 1 << stream for each wanted one; 0: all */
    int64_t since_ns;      /* lines that began then or later */
    int64_t until_ns;      /* lines that began before; 0: all */
    size_t head_lines_max; /* 0: no head */
    size_t head_bytes_max;
    size_t tail_lines_max;
    size_t tail_bytes_max;
    size_t line_bytes_max; /* longer lines are cut; 0: not */
};

struct mf_kept_line {
    int64_t t_ns;
    enum mf_flight_stream stream;
    bool complete;      /* a newline followed, and nothing was cut */
    uint64_t gap_bytes; /* as in struct mf_flight_line */
    size_t cut_bytes;   /* of this line, not kept */
    const char *text;
    size_t len;
};

struct mf_lines {
    struct mf_kept_line *items; /* in the order of arrival: the head, then the tail */
    size_t count;
    size_t head_count;
    uint64_t left_out_lines; /* between head and tail */
    uint64_t left_out_bytes;
    uint64_t damaged; /* places where the record of the output is damaged */
    struct mf_lines_store *store;
};

/* *ret_lines is the caller's: mf_lines_free(). A part of a file that is damaged is passed over and
 * counted. */
MF_MUST_CHECK int mf_lines_read(const char *dir, const struct mf_lines_options *options,
                                struct mf_lines *ret_lines, struct mf_errinfo *err);
/* The same from where a cursor stands. `finished`: nothing more will come, so that lines without an
 * end are taken too; else the cursor can be read on. */
MF_MUST_CHECK int mf_lines_take(struct mf_flight_output *output, bool finished,
                                const struct mf_lines_options *options, struct mf_lines *ret_lines,
                                struct mf_errinfo *err);
void mf_lines_free(struct mf_lines *lines);

#endif
