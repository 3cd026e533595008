/* SPDX-License-Identifier: Apache-2.0
 * sink.h -- text on its way to the caller's callback, in pieces of moderate size; and the time that
 * an exported sample has. */
#ifndef EXPORT_SINK_H
#define EXPORT_SINK_H

#include "base/buffer.h"
#include <mayfly/export.h>

#include <errno.h>

#define SINK_PIECE_BYTES 32768

struct sink {
    struct mf_buffer text;
    mf_export_write write;
    void *context;
};

/* Passes on what has gathered: all of it, or only when it is enough. */
static inline int sink_flush(struct sink *sink)
{
    if (sink->text.failed) {
        return -ENOMEM;
    }
    int rc = sink->text.len > 0 ? sink->write(sink->context, sink->text.data, sink->text.len) : 0;
    mf_buffer_clear(&sink->text);
    return rc;
}

static inline int sink_drain(struct sink *sink)
{
    return sink->text.len >= SINK_PIECE_BYTES || sink->text.failed ? sink_flush(sink) : 0;
}

static inline int64_t floor_ms(int64_t ns)
{
    return ns / 1000000 - (ns % 1000000 < 0 ? 1 : 0);
}

/* The end of the slot; while it is open, the store's time in it (but later than the slot before).
 */
static inline int64_t sample_time_ms(const struct mf_point *point, int64_t interval_ns,
                                     int64_t clock_ns)
{
    const int64_t end_ms = floor_ms(point->start_ns + interval_ns);
    if ((point->flags & MF_POINT_OPEN) == 0) {
        return end_ms;
    }
    const int64_t first_ms = floor_ms(point->start_ns) + 1;
    const int64_t now_ms = floor_ms(clock_ns) > first_ms ? floor_ms(clock_ns) : first_ms;
    return now_ms < end_ms ? now_ms : end_ms;
}

#endif
