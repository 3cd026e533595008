/* SPDX-License-Identifier: Apache-2.0
 * flight_events.c -- the cursor over events.log (docs/formats.md). */
#include <mayfly/flight.h>

#include "flight_events.h"

#include "base/buffer.h"
#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <mayfly/reclog.h>
#include <string.h>

#define EVENT_LEN_MAX (256u << 10)

struct mf_flight_events {
    char *path;
    struct mf_reclog_reader *reader; /* NULL: the log is not there yet */
    struct mf_json_document *document;
    struct mf_buffer text;
    uint64_t skipped;
    bool hopeless; /* nothing whole follows a damaged place */
};

int mf_flight_events_open(const char *dir, struct mf_flight_events **ret_events,
                          struct mf_errinfo *err)
{
    struct mf_flight_events *events = mf_calloc(1, sizeof *events);
    if (events == NULL || (events->path = mf_asprintf("%s/events.log", dir)) == NULL) {
        mf_free(events);
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    const int rc = mf_reclog_reader_open(events->path, NULL, &events->reader, err);
    if (rc < 0 && rc != -ENOENT) {
        mf_flight_events_close(events);
        return rc;
    }
    *ret_events = events;
    return 0;
}

void mf_flight_events_close(struct mf_flight_events *events)
{
    if (events == NULL) {
        return;
    }
    mf_json_free(events->document);
    mf_buffer_free(&events->text);
    mf_reclog_reader_close(events->reader);
    mf_free(events->path);
    mf_free(events);
}

uint64_t mf_flight_events_skipped(const struct mf_flight_events *events)
{
    return events->skipped;
}

struct mf_json_node mf__flight_event_root(const struct mf_flight_events *events)
{
    return mf_json_root(events->document);
}

/* Parses the record into events->document; a code when it is no event. */
static int read_event(struct mf_flight_events *events, const struct mf_reclog_record *record,
                      struct mf_flight_event *ret_event)
{
    static const struct mf_json_limits limits = {.len_max_bytes = EVENT_LEN_MAX};
    mf_json_free(events->document);
    events->document = NULL;
    mf_buffer_clear(&events->text);
    mf_buffer_append(&events->text, record->payload, record->len);
    if (events->text.failed) {
        return -ENOMEM;
    }
    int rc = mf_json_parse(events->text.data != NULL ? events->text.data : "", events->text.len,
                           &limits, events->path, &events->document, NULL);
    if (rc < 0) {
        return rc;
    }
    const struct mf_json_node root = mf_json_root(events->document);
    struct mf_flight_event event = {.json = events->text.data, .json_len = events->text.len};
    MF_KEEP_FIRST(rc, mf_json_get_int(root, "t", &event.t_ns, NULL));
    MF_KEEP_FIRST(rc, mf_json_get_string(root, "kind", &event.kind, NULL));
    MF_KEEP_FIRST(rc, mf_json_get_int_or(root, "wall", 0, &event.wall_ns, NULL));
    MF_KEEP_FIRST(rc, mf_json_get_uint_or(root, "id", 0, &event.id, NULL));
    MF_KEEP_FIRST(rc, mf_json_get_uint_or(root, "parent", 0, &event.parent, NULL));
    MF_KEEP_FIRST(rc, mf_json_get_uint_or(root, "proc", 0, &event.process, NULL));
    if (rc == 0) {
        *ret_event = event;
    }
    return rc;
}

int mf_flight_events_next(struct mf_flight_events *events, bool with_samples,
                          struct mf_flight_event *ret_event, struct mf_errinfo *err)
{
    if (events->reader == NULL) {
        const int rc = mf_reclog_reader_open(events->path, NULL, &events->reader, err);
        if (rc < 0) {
            return rc == -ENOENT ? 0 : rc;
        }
    }
    while (!events->hopeless) {
        struct mf_reclog_record record;
        int rc = mf_reclog_next(events->reader, &record, err);
        if (rc == MF_ETORN || rc == MF_ECORRUPT) {
            const int skipped = mf_reclog_reader_skip(events->reader, NULL, NULL);
            events->hopeless = skipped <= 0;
            events->skipped += rc == MF_ECORRUPT || skipped > 0;
            continue;
        }
        if (rc <= 0) {
            return rc;
        }
        if (!with_samples && record.type == MF__FLIGHT_RECORD_SAMPLE) {
            continue;
        }
        rc = read_event(events, &record, ret_event);
        if (rc == -ENOMEM) {
            return mf_fail(err, rc, "out of memory");
        }
        if (rc < 0) {
            events->skipped++;
        } else if (with_samples || strcmp(ret_event->kind, "sample") != 0) {
            return 1;
        }
    }
    return 0;
}
