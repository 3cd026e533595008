/* SPDX-License-Identifier: Apache-2.0
 * flight_story.c -- see flight/story.h. */
#include "flight/story.h"

#include "flight_event_words.h"
#include "flight_events.h"
#include "flight_process_table.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_OPEN (-2) /* as end_ns: a step that may end yet; a moment as long as it does not */

/* What reading goes on from. */
struct mf_story_feed {
    struct mf_flight_events *events;
    struct mf__process_table table;
    uint64_t skipped_told;
};

/* ---- problems ---- */

static int add_problem(struct mf_story *story, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int add_problem(struct mf_story *story, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char **problems =
        mf_realloc(story->problems, (story->problem_count + 1) * sizeof *story->problems);
    if (problems == NULL) {
        return -ENOMEM;
    }
    story->problems = problems;
    story->problems[story->problem_count] = mf_strdup(text);
    return story->problems[story->problem_count++] != NULL ? 0 : -ENOMEM;
}

/* ---- events ---- */

/* The step of that name that has begun and not ended, the newest first. */
static struct mf_story_event *open_step(struct mf_story *story, uint64_t process, const char *name)
{
    for (size_t i = story->event_count; i-- > 0;) {
        struct mf_story_event *event = &story->events[i];
        if (event->end_ns == STEP_OPEN && event->process == process &&
            strcmp(event->text, name) == 0) {
            return event;
        }
    }
    return NULL;
}

static struct mf_story_event *room_for_event(struct mf_story *story)
{
    const size_t count = story->event_count;
    if ((count & (count - 1)) == 0) {
        struct mf_story_event *events =
            mf_realloc(story->events, (count == 0 ? 1 : count * 2) * sizeof *events);
        if (events == NULL) {
            return NULL;
        }
        story->events = events;
    }
    story->events[count] = (struct mf_story_event){0};
    return &story->events[story->event_count++];
}

static char *take_text(struct mf_buffer *text)
{
    char *copy = text->failed ? NULL : mf_strdup(text->data != NULL ? text->data : "");
    mf_buffer_free(text);
    return copy;
}

static int add_parsed(struct mf_story *story, const struct mf_flight_event *event,
                      struct mf_json_node root)
{
    if (strcmp(event->kind, "threads") == 0) {
        mf_free(story->threads);
        story->threads = mf_strndup(event->json, event->json_len);
        return story->threads != NULL ? 0 : -ENOMEM;
    }
    const char *step_name = NULL;
    const enum mf_step step = mf__event_step(event->kind, root, &step_name);
    if (step == MF_STEP_END) {
        struct mf_story_event *begun = open_step(story, event->process, step_name);
        if (begun != NULL) {
            begun->end_ns = event->t_ns;
            return 0;
        }
    }
    if (story->event_count == MF_STORY_EVENTS_MAX) {
        story->events_left_out++;
        return 0;
    }
    struct mf_buffer text = MF_BUFFER_INIT;
    struct mf_story_event *added = room_for_event(story);
    if (added == NULL) {
        return -ENOMEM;
    }
    added->id = event->id;
    added->parent = event->parent;
    added->process = event->process;
    added->t_ns = event->t_ns;
    added->end_ns = step == MF_STEP_BEGIN ? STEP_OPEN : -1;
    added->level = mf__event_words(&text, event->kind, root, &story->processes);
    if (step != MF_STEP_NONE) {
        mf_buffer_clear(&text);
        mf_buffer_puts(&text, step_name);
    }
    added->text = take_text(&text);
    added->kind = mf_strdup(event->kind);
    return added->text != NULL && added->kind != NULL ? 0 : -ENOMEM;
}

/* What the scanner takes and the reader does not (a key that comes twice) has no words. */
static int add_event(struct mf_story *story, const struct mf_flight_event *event)
{
    struct mf_json_document *document = NULL;
    int rc = mf_json_parse(event->json, event->json_len, NULL, "event", &document, NULL);
    if (rc < 0) {
        return rc == -ENOMEM ? rc : 0;
    }
    rc = add_parsed(story, event, mf_json_root(document));
    mf_json_free(document);
    return rc;
}

static int by_time(const void *a, const void *b)
{
    const struct mf_story_event *left = a;
    const struct mf_story_event *right = b;
    return left->t_ns != right->t_ns ? (left->t_ns > right->t_ns) - (left->t_ns < right->t_ns)
                                     : (left->id > right->id) - (left->id < right->id);
}

/* Those of processes starting and ending are in the table of processes. */
static bool is_told(const char *kind)
{
    return strncmp(kind, "process.", 8) != 0 && strcmp(kind, "sample") != 0;
}

/* Whether its words need the table; what the command writes itself can be many. */
static bool names_processes(const char *kind)
{
    return strcmp(kind, "cpu.budget") == 0 || strcmp(kind, "hang") == 0 ||
           strcmp(kind, "output.left") == 0 || strcmp(kind, "processes.left") == 0;
}

/* Takes in what the cursor has. */
static int read_events(struct mf_story *story, struct mf_errinfo *err)
{
    struct mf_story_feed *feed = story->feed;
    struct mf_flight_event event;
    int rc = feed->events != NULL ? 0 : mf_flight_events_open(story->info->dir, &feed->events, err);
    while (rc >= 0) {
        rc = mf_flight_events_next(feed->events, true, &event, err);
        if (rc <= 0) {
            break;
        }
        rc = mf__process_table_take(&feed->table, &event, mf__flight_event_root(feed->events), err);
        if (rc == 0 && is_told(event.kind)) {
            if (names_processes(event.kind)) {
                rc = mf__process_table_view(&feed->table, &story->processes, err);
            }
            rc = rc == 0 ? add_event(story, &event) : rc;
        }
    }
    if (rc == 0) {
        rc = mf__process_table_view(&feed->table, &story->processes, err);
    }
    if (story->event_count > 1) {
        qsort(story->events, story->event_count, sizeof *story->events, by_time);
    }
    const uint64_t skipped =
        feed->events != NULL ? mf_flight_events_skipped(feed->events) : feed->skipped_told;
    if (rc == 0 && skipped > feed->skipped_told) {
        rc = add_problem(story, "%llu damaged records of events.log were passed over",
                         (unsigned long long)(skipped - feed->skipped_told));
        feed->skipped_told = skipped;
    }
    return rc;
}

/* ---- the whole ---- */

/* What cannot be read is a problem to tell, not the end; only a lack of memory is. */
static int tell(struct mf_story *story, int rc, const struct mf_errinfo *why, const char *what)
{
    return rc == -ENOMEM ? rc : rc < 0 ? add_problem(story, "%s: %s", what, why->msg) : 0;
}

static int read_parts(struct mf_story *story)
{
    struct mf_errinfo why = {0};
    int rc = read_events(story, &why);
    rc = tell(story, rc, &why, "the events cannot be read");
    if (rc == 0) {
        rc = mf_timeline_read(story->info, &story->processes, &story->timeline, &why);
        rc = tell(story, rc, &why, "the time series cannot be read");
    }
    if (rc == 0 && story->timeline.why.code != 0) {
        rc = tell(story, story->timeline.why.code, &story->timeline.why,
                  "the charts are made from process samples");
    }
    return rc;
}

int mf_story_read(const char *dir, struct mf_story *ret_story, struct mf_errinfo *err)
{
    struct mf_story story = {.feed = mf_calloc(1, sizeof *story.feed)};
    int rc = story.feed != NULL ? mf_flight_info_read(dir, &story.info, err)
                                : mf_fail(err, -ENOMEM, "out of memory");
    if (rc == 0) {
        rc = read_parts(&story);
        rc = rc < 0 ? mf_fail(err, rc, "out of memory") : 0;
    }
    if (rc < 0) {
        mf_story_free(&story);
        return rc;
    }
    *ret_story = story;
    return 0;
}

int mf_story_update(struct mf_story *story, struct mf_errinfo *err)
{
    struct mf_flight_info *info = NULL;
    struct mf_timeline timeline;
    int rc = mf_flight_info_read(story->info->dir, &info, err);
    if (rc < 0) {
        return rc;
    }
    mf_flight_info_free(story->info);
    story->info = info;
    rc = read_events(story, err);
    if (rc == 0) {
        rc = mf_timeline_read(info, &story->processes, &timeline, err);
    }
    if (rc == 0) {
        mf_timeline_free(&story->timeline);
        story->timeline = timeline;
    }
    return rc;
}

#define CAUSE_NS INT64_C(250000000) /* an older failure was not why the parent ended */

/* Numbers rise with time, so a child comes behind its parent and the walk down ends. */
static const struct mf_flight_process *last_failed_child(const struct mf_story *story,
                                                         const struct mf_flight_process *parent)
{
    const struct mf_flight_process *last = NULL;
    for (size_t i = 0; i < story->processes.count; i++) {
        const struct mf_flight_process *process = &story->processes.items[i];
        if (process->parent == parent->number && process->number > parent->number &&
            mf_process_failed(process) && process->end_ns >= parent->end_ns - CAUSE_NS &&
            (last == NULL || process->end_ns >= last->end_ns)) {
            last = process;
        }
    }
    return last;
}

const struct mf_flight_process *mf_story_culprit(const struct mf_story *story)
{
    const struct mf_flight_process *culprit = NULL;
    const struct mf_flight_process *at = mf_process_find(&story->processes, 1);
    while (at != NULL && at->ended) {
        at = last_failed_child(story, at);
        culprit = at != NULL ? at : culprit;
    }
    return culprit;
}

void mf_story_free(struct mf_story *story)
{
    for (size_t i = 0; i < story->event_count; i++) {
        mf_free(story->events[i].kind);
        mf_free(story->events[i].text);
    }
    mf_free(story->events);
    mf_free(story->threads);
    for (size_t i = 0; i < story->problem_count; i++) {
        mf_free(story->problems[i]);
    }
    mf_free(story->problems);
    mf_timeline_free(&story->timeline);
    if (story->feed != NULL) {
        mf__process_table_free(&story->feed->table);
        mf_flight_events_close(story->feed->events);
        mf_free(story->feed);
    }
    mf_flight_info_free(story->info);
    *story = (struct mf_story){0};
}
