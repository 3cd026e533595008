/* SPDX-License-Identifier: Apache-2.0
 * event_writer.h -- appends to events.log. One thread. Nothing here fails for the caller: what
 * cannot be written is counted, and the command goes on. */
#ifndef FLIGHT_EVENT_WRITER_H
#define FLIGHT_EVENT_WRITER_H

#include "base/buffer.h"
#include "fmt/json_write.h"

#include <mayfly/env.h>
#include <mayfly/error.h>
#include <mayfly/reclog.h>
#include <stdint.h>

#define MF_EVENTS_KIND 0x5456454Du /* the log's tag, "MEVT" */

/* Types of its records: samples, by far the most, can be passed over unread. */
#define MF_RECORD_EVENT  0
#define MF_RECORD_SAMPLE 1

struct mf_event_writer {
    struct mf_reclog *log;
    struct mf_buffer buffer;
    struct mf_json json; /* the record being built; the caller adds members between begin and end */
    uint64_t next_id;
    uint64_t written;
    uint64_t lost;
    int64_t started_wall_ns;
};

int mf__events_open(struct mf_event_writer *events, const char *path, int64_t started_wall_ns,
                    const struct mf_env *env, struct mf_errinfo *err);
/* Starts a record and returns its id. `parent`, `process`: 0 for none. */
uint64_t mf__events_begin(struct mf_event_writer *events, int64_t t_ns, const char *kind,
                          uint64_t parent, uint64_t process);
void mf__events_end(struct mf_event_writer *events);
/* A sample: without id, parent and wall time. */
void mf__events_begin_sample(struct mf_event_writer *events, int64_t t_ns);
void mf__events_end_sample(struct mf_event_writer *events);
/* Hands all to the kernel, or to the disk. */
void mf__events_flush(struct mf_event_writer *events);
void mf__events_close(struct mf_event_writer *events);

#endif
