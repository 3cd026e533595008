/* SPDX-License-Identifier: Apache-2.0
 *
 * story.h -- a flight as a whole, loaded for looking at: what it says of itself, its processes,
 * time series and events, the last with words for people. What cannot be read is left out and named
 * in `problems`, so that a damaged flight still tells what it can.
 *
 * One thread per story; texts and tables live until mf_story_free(). */
#ifndef FLIGHT_STORY_H
#define FLIGHT_STORY_H

#include "base/buffer.h"
#include "flight/timeline.h"

#include <mayfly/flight.h>

enum mf_event_level { MF_LEVEL_INFO, MF_LEVEL_WARNING, MF_LEVEL_ERROR };

struct mf_story_event {
    uint64_t id;
    uint64_t parent;
    uint64_t process; /* number; 0: the flight */
    int64_t t_ns;
    int64_t end_ns; /* of a step; negative: a moment, or a step without an end so far */
    enum mf_event_level level;
    char *kind;
    char *text; /* in words, one line; may hold any character but NUL */
};

struct mf_story {
    struct mf_flight_info *info;
    struct mf_flight_processes processes;
    struct mf_timeline timeline;
    struct mf_story_event *events; /* by time; without those of processes starting and ending */
    size_t event_count;
    char *threads;            /* the event of that kind, as JSON; NULL: there is none (yet) */
    uint64_t events_left_out; /* beyond MF_STORY_EVENTS_MAX */
    char **problems;          /* one sentence each; problem_count of them */
    size_t problem_count;
    struct mf_story_feed *feed;
};

#define MF_STORY_EVENTS_MAX 20000

/* Errors: those of mf_flight_info_read(), -ENOMEM. *ret_story is the caller's. */
MF_MUST_CHECK int mf_story_read(const char *dir, struct mf_story *ret_story,
                                struct mf_errinfo *err);
/* Brings the story of a running flight up to date: reads what was added since. Pointers into it
 * change. After an error the story is as it was, or partly newer. */
MF_MUST_CHECK int mf_story_update(struct mf_story *story, struct mf_errinfo *err);
void mf_story_free(struct mf_story *story);

/* The process that the failure came from, as far as exit codes and times tell: the child of the
 * failed command that failed last and at most 250 ms before it, then its child of that kind, and so
 * on. NULL when there is none below the command. */
const struct mf_flight_process *mf_story_culprit(const struct mf_story *story);

/* ---- words ---- */

/* How it ended or that it has not, as part of a sentence: "failed with exit code 2", "still
 * running". */
void mf_words_outcome(struct mf_buffer *out, const struct mf_flight_info *info);
/* The same in one or two words for a table: "ok", "exit 2", "SIGSEGV", "out of memory", "running".
 */
void mf_words_outcome_short(struct mf_buffer *out, const struct mf_flight_info *info);
/* How a process ended: "0", "exit 1", "SIGKILL (out of memory)", "running", "not seen". */
void mf_words_exit(struct mf_buffer *out, const struct mf_flight_process *process);
/* "SIGTERM", or "signal 99". */
void mf_words_signal(struct mf_buffer *out, int signal);
/* The arguments as one would type them into a shell. */
void mf_words_command(struct mf_buffer *out, char *const *command);

/* ---- processes ---- */

/* CPU time of a process, user and system. */
uint64_t mf_process_cpu_ns(const struct mf_flight_process *process);
/* From start to end, or up to `now_ns` where it has none. */
int64_t mf_process_life_ns(const struct mf_flight_process *process, int64_t now_ns);
/* CPU time of a process up to a moment, between samples by interpolation. `interval_ns` of the
 * flight: a sample is left out when nothing changed, so growth lies within one interval before a
 * sample. */
double mf_process_cpu_at_ns(const struct mf_flight_process *process, int64_t t_ns,
                            int64_t interval_ns);
/* Its resident size at a moment, as the last sample before saw it; 0 outside of its life. */
uint64_t mf_process_rss_at(const struct mf_flight_process *process, int64_t t_ns);
/* Ended with something else than exit code 0. */
bool mf_process_failed(const struct mf_flight_process *process);
/* The process of that number; NULL when there is none. */
const struct mf_flight_process *mf_process_find(const struct mf_flight_processes *processes,
                                                uint64_t number);
/* The command line, or the name where that was not seen. */
const char *mf_process_title(const struct mf_flight_process *process);
/* The same without the directory of the program; where that is longer than columns_max bytes, only
 * the program and the argument that tells it from others of its kind, "cc1 query.c ...". */
void mf_words_process(struct mf_buffer *out, const struct mf_flight_process *process,
                      size_t columns_max, bool unicode);
/* Only these two, "cc1 query.c". */
void mf_words_process_label(struct mf_buffer *out, const struct mf_flight_process *process);

enum mf_process_order { MF_BY_CPU, MF_BY_MEMORY, MF_BY_START, MF_BY_END };
/* The indexes of the processes in that order, the largest (the earliest start, the latest end)
 * first: an array of processes->count for mf_free(); NULL: out of memory. */
size_t *mf_process_order(const struct mf_flight_processes *processes, enum mf_process_order order);

#endif
