/* SPDX-License-Identifier: Apache-2.0
 *
 * user_events.c -- see user_events.h.
 *
 * A line of at most PIPE_BUF (4096) bytes that is written in one go arrives whole, whoever else
 * writes; longer ones may be mixed with others' and then show up as text events.
 */
#include "user_events.h"

#include "fmt/json_read.h"

#include <string.h>

static bool is_object(const char *line, size_t len)
{
    const struct mf_json_limits limits = {.len_max_bytes = MF_USER_LINE_MAX, .depth_max = 32};
    struct mf_json_document *document = NULL;
    if (mf_json_parse(line, len, &limits, "event", &document, NULL) < 0) {
        return false;
    }
    const bool object = mf_json_type(mf_json_root(document)) == MF_JSON_OBJECT;
    mf_json_free(document);
    return object;
}

static void take_line(struct mf_user_events *user, int64_t t_ns, bool whole)
{
    size_t len = user->len;
    user->len = 0;
    if (len > 0 && user->line[len - 1] == '\r') {
        len--;
    }
    if (strspn(user->line, " \t") >= len) {
        return; /* an empty line is no event */
    }
    user->total++;
    struct mf_event_writer *events = user->events;
    if (whole && is_object(user->line, len)) {
        (void)mf__events_begin(events, t_ns, "user", user->parent, 0);
        mf_json_key(&events->json, "data");
        mf_json_raw(&events->json, user->line, len);
    } else {
        user->bad++;
        (void)mf__events_begin(events, t_ns, "text", user->parent, 0);
        mf_json_key(&events->json, "text");
        mf_json_string_len(&events->json, user->line,
                           len < MF_USER_TEXT_MAX ? len : MF_USER_TEXT_MAX);
    }
    mf__events_end(events);
}

void mf__user_events_take(struct mf_user_events *user, int64_t t_ns, const char *bytes, size_t len)
{
    const char *end = bytes + len;
    while (bytes < end) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        const char *part_end = newline != NULL ? newline : end;
        size_t part = (size_t)(part_end - bytes);
        const size_t room = sizeof user->line - 1 - user->len; /* one for a NUL */
        const bool too_long = part > room;
        part = too_long ? room : part;
        if (!user->skipping) {
            memcpy(user->line + user->len, bytes, part);
            user->len += part;
            user->line[user->len] = '\0';
            if (newline != NULL || too_long) {
                take_line(user, t_ns, !too_long);
            }
        }
        user->skipping = (user->skipping || too_long) && newline == NULL;
        bytes = part_end + (newline != NULL ? 1 : 0);
    }
}

void mf__user_events_finish(struct mf_user_events *user, int64_t t_ns)
{
    if (user->len > 0) {
        take_line(user, t_ns, true);
    }
}
