/* SPDX-License-Identifier: Apache-2.0
 * flight_event_words.h -- the events of events.log in words. */
#ifndef FLIGHT_FLIGHT_EVENT_WORDS_H
#define FLIGHT_FLIGHT_EVENT_WORDS_H

#include "flight/story.h"

#include "fmt/json_read.h"

/* Appends the text of an event and returns how much it matters. `root` is the event parsed;
 * `processes` name who is meant. */
enum mf_event_level mf__event_words(struct mf_buffer *out, const char *kind,
                                    struct mf_json_node root,
                                    const struct mf_flight_processes *processes);

/* A step that a command reports: the name in *ret_name (borrowed), and whether this event begins it
 * or ends it. */
enum mf_step { MF_STEP_NONE, MF_STEP_BEGIN, MF_STEP_END };
enum mf_step mf__event_step(const char *kind, struct mf_json_node root, const char **ret_name);

#endif
