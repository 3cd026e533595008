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

#define KIND_LEN 64

struct mf_flight_events {
    char *path;
    struct mf_reclog_reader *reader; /* NULL: the log is not there yet */
    struct mf_buffer text;           /* of the event returned last */
    struct mf_scan_value root;       /* in it */
    char kind[KIND_LEN];
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
    mf_buffer_free(&events->text);
    mf_reclog_reader_close(events->reader);
    mf_free(events->path);
    mf_free(events);
}

uint64_t mf_flight_events_skipped(const struct mf_flight_events *events)
{
    return events->skipped;
}

struct mf_scan_value mf__flight_event_root(const struct mf_flight_events *events)
{
    return events->root;
}

/* 0, -ENOMEM, or MF_ESYNTAX when the record is no event. */
static int read_event(struct mf_flight_events *events, const struct mf_reclog_record *record,
                      struct mf_flight_event *ret_event)
{
    if (record->len > EVENT_LEN_MAX) {
        return MF_ESYNTAX;
    }
    mf_buffer_clear(&events->text);
    mf_buffer_append(&events->text, record->payload, record->len);
    if (events->text.failed) {
        return -ENOMEM;
    }
    if (events->text.len == 0 ||
        mf_scan(events->text.data, events->text.len, &events->root, NULL) < 0) {
        return MF_ESYNTAX;
    }
    struct mf_flight_event event = {
        .kind = events->kind, .json = events->text.data, .json_len = events->text.len};
    struct mf_scan_member member;
    bool has_time = false;
    bool has_kind = false;
    for (size_t cursor = 0; mf_scan_next_member(events->root, &cursor, &member);) {
        if (!has_time && mf_scan_is(member.key, "t")) {
            has_time = mf_scan_int(member.value, &event.t_ns);
        } else if (!has_kind && mf_scan_is(member.key, "kind")) {
            has_kind = mf_scan_copy_to(member.value, events->kind, sizeof events->kind);
        } else if (mf_scan_is(member.key, "id")) {
            (void)mf_scan_uint(member.value, &event.id);
        } else if (mf_scan_is(member.key, "parent")) {
            (void)mf_scan_uint(member.value, &event.parent);
        } else if (mf_scan_is(member.key, "wall")) {
            (void)mf_scan_int(member.value, &event.wall_ns);
        } else if (mf_scan_is(member.key, "proc")) {
            (void)mf_scan_uint(member.value, &event.process);
        }
    }
    if (!has_time || !has_kind) {
        return MF_ESYNTAX;
    }
    *ret_event = event;
    return 0;
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
