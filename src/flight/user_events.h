/* SPDX-License-Identifier: Apache-2.0
 * user_events.h -- what the command writes on MAYFLY_EVENT_FD: lines into events. One thread. */
#ifndef FLIGHT_USER_EVENTS_H
#define FLIGHT_USER_EVENTS_H

#include "event_writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MF_USER_LINE_MAX 65536 /* longest line that can be an event */
#define MF_USER_TEXT_MAX 4096  /* kept of a line that is not one */

struct mf_user_events {
    struct mf_event_writer *events; /* borrowed */
    uint64_t parent;                /* id of the event that they hang on */
    uint64_t total;
    uint64_t bad; /* of these: no JSON object, or too long */
    size_t len;
    bool skipping; /* the rest of a line that was too long */
    char line[MF_USER_LINE_MAX];
};

void mf__user_events_take(struct mf_user_events *user, int64_t t_ns, const char *bytes, size_t len);
/* A last line without an end. */
void mf__user_events_finish(struct mf_user_events *user, int64_t t_ns);

#endif
