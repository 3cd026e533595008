/* SPDX-License-Identifier: Apache-2.0
 * show_threads.h -- the threads of a flight by name, for `mayfly show`. */
#ifndef CLI_SHOW_THREADS_H
#define CLI_SHOW_THREADS_H

#include "flight_view.h"

#include "flight/story.h"

/* A section of its own, where a process had more than one thread or budgets were watched. */
void show_threads(const struct cli_view *view, const struct mf_story *story);

#endif
