/* SPDX-License-Identifier: Apache-2.0
 * event_writer.c -- see event_writer.h. The format is in docs/formats.md. */
#include "event_writer.h"

#include <stddef.h>

int mf__events_open(struct mf_event_writer *events, const char *path, int64_t started_wall_ns,
                    const struct mf_env *env, struct mf_errinfo *err)
{
    *events = (struct mf_event_writer){.next_id = 1, .started_wall_ns = started_wall_ns};
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    options.flush_delay_ns = 100000000;
    options.kind = MF_EVENTS_KIND;
    return mf_reclog_open(path, &options, env, &events->log, err);
}

uint64_t mf__events_begin(struct mf_event_writer *events, int64_t t_ns, const char *kind,
                          uint64_t parent, uint64_t process)
{
    const uint64_t id = events->next_id++;
    mf_buffer_clear(&events->buffer);
    mf_json_init(&events->json, &events->buffer, MF_JSON_COMPACT);
    mf_json_begin_object(&events->json);
    mf_json_key_uint(&events->json, "id", id);
    if (parent != 0) {
        mf_json_key_uint(&events->json, "parent", parent);
    }
    mf_json_key_int(&events->json, "t", t_ns);
    mf_json_key_int(&events->json, "wall", events->started_wall_ns + t_ns);
    mf_json_key_string(&events->json, "kind", kind);
    if (process != 0) {
        mf_json_key_uint(&events->json, "proc", process);
    }
    return id;
}

void mf__events_begin_sample(struct mf_event_writer *events, int64_t t_ns)
{
    mf_buffer_clear(&events->buffer);
    mf_json_init(&events->json, &events->buffer, MF_JSON_COMPACT);
    mf_json_begin_object(&events->json);
    mf_json_key_int(&events->json, "t", t_ns);
    mf_json_key_string(&events->json, "kind", "sample");
}

static void append(struct mf_event_writer *events, uint8_t type)
{
    mf_json_end_object(&events->json);
    if (events->log == NULL || events->buffer.failed ||
        mf_reclog_append(events->log, type, events->buffer.data, events->buffer.len, NULL, NULL) <
            0) {
        events->lost++;
    } else {
        events->written++;
    }
}

void mf__events_end(struct mf_event_writer *events)
{
    append(events, MF_RECORD_EVENT);
}

void mf__events_end_sample(struct mf_event_writer *events)
{
    append(events, MF_RECORD_SAMPLE);
}

void mf__events_flush(struct mf_event_writer *events)
{
    if (events->log != NULL && mf_reclog_flush(events->log, NULL) < 0) {
        /* It stays in memory and is tried again; what is lost in the end close tells. */
        return;
    }
}

void mf__events_close(struct mf_event_writer *events)
{
    if (events->log != NULL) {
        struct mf_reclog_info before;
        mf_reclog_info(events->log, &before);
        if (mf_reclog_close(events->log, NULL) < 0 && before.last_seq > before.flushed_seq) {
            events->lost += before.last_seq - before.flushed_seq;
            events->written -= before.last_seq - before.flushed_seq;
        }
        events->log = NULL;
    }
    mf_buffer_free(&events->buffer);
}
