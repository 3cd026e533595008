/* SPDX-License-Identifier: Apache-2.0
 * top_frame.h -- one frame of `mayfly top`: what is to be seen of a flight at one moment, as lines
 * of text that fit a screen. */
#ifndef CLI_TOP_FRAME_H
#define CLI_TOP_FRAME_H

#include "base/buffer.h"
#include "flight/story.h"
#include "fmt/json_write.h"

#include <stdbool.h>
#include <stddef.h>

struct top_line {
    int64_t t_ns;
    enum mf_flight_stream stream;
    const char *text;
    size_t len;
};

struct top_view {
    const struct mf_story *story;
    bool whole;      /* totals of the whole flight, not a moment */
    int64_t t_ns;    /* the moment */
    int64_t from_ns; /* the part of the time axis that is drawn */
    int64_t to_ns;
    enum mf_process_order order;  /* CPU, memory or start */
    size_t scroll;                /* processes passed over */
    const struct top_line *lines; /* of output, by time; those up to the moment are shown */
    size_t line_count;
    size_t rows;
    size_t columns;
    bool colored;
    bool unicode;
    bool paused;
    const char *keys; /* the last line; NULL: none */
};

#define TOP_COLUMNS_MIN 40
#define TOP_ROWS_MIN    10

/* Appends view->rows lines, each ended by a line feed. */
void top_frame(struct mf_buffer *out, const struct top_view *view);
/* The same moment as a JSON object. */
void top_json(struct mf_json *json, const struct top_view *view);
/* How many processes there are to scroll through. */
size_t top_process_count(const struct top_view *view);

#endif
