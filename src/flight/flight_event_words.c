/* SPDX-License-Identifier: Apache-2.0
 * flight_event_words.c -- see flight_event_words.h; the kinds and their members are in
 * docs/formats.md. */
#include "flight_event_words.h"

#include "base/fail.h"
#include "fmt/number.h"
#include "fmt/units.h"

#include <string.h>

#define PLACES_MAX 4 /* of those that hang, or hold the output: as many are named */

static const char *get_text(struct mf_json_node object, const char *key)
{
    const char *text = NULL;
    return mf_json_get_string(object, key, &text, NULL) == 0 ? text : NULL;
}

static const char *text_or(const char *text, const char *fallback)
{
    return text != NULL ? text : fallback;
}

static int64_t get_int(struct mf_json_node object, const char *key, int64_t fallback)
{
    int64_t value = fallback;
    return mf_json_get_int(object, key, &value, NULL) == 0 ? value : fallback;
}

static void put_duration(struct mf_buffer *out, int64_t duration_ns)
{
    char text[MF_UNITS_LEN];
    mf_buffer_puts(out, mf_format_duration(text, duration_ns));
}

/* "cc1 (pid 4711)" */
static void put_process(struct mf_buffer *out, const struct mf_flight_processes *processes,
                        uint64_t number)
{
    const struct mf_flight_process *process = mf_process_find(processes, number);
    if (process != NULL) {
        mf_buffer_printf(out, "%s (pid %lld)", process->comm, (long long)process->pid);
    } else {
        mf_buffer_printf(out, "process %llu", (unsigned long long)number);
    }
}

static void signal_words(struct mf_buffer *out, struct mf_json_node root)
{
    const char *action = get_text(root, "action");
    mf_buffer_puts(out, text_or(get_text(root, "signal"), "a signal"));
    mf_buffer_puts(out, action != NULL && strcmp(action, "forwarded") == 0
                            ? " came and was passed on to the command"
                            : " came");
}

static void oom_words(struct mf_buffer *out, struct mf_json_node root)
{
    const char *comm = get_text(root, "comm");
    const int64_t pid = get_int(root, "pid", 0);
    const int64_t rss_bytes = get_int(root, "rss_bytes", -1);
    mf_buffer_printf(out, "the kernel killed %s", comm != NULL ? comm : "a process");
    if (pid > 0) {
        mf_buffer_printf(out, " (pid %lld)", (long long)pid);
    }
    mf_buffer_puts(out, " for memory");
    if (rss_bytes >= 0) {
        char text[MF_UNITS_LEN];
        mf_buffer_printf(out, "; it had %s", mf_format_size(text, (uint64_t)rss_bytes));
    }
}

/* "thread worker-3 (tid 12) of python3 (pid 10) exceeded 50ms/100ms: 61 ms of CPU time within 98
 * ms" */
static void budget_words(struct mf_buffer *out, struct mf_json_node root,
                         const struct mf_flight_processes *processes)
{
    const char *thread = get_text(root, "thread");
    const char *budget = get_text(root, "budget");
    const int64_t process = get_int(root, "proc", 0);
    bool together = false;
    (void)mf_json_get_bool_or(root, "together", false, &together, NULL);
    if (together) {
        mf_buffer_puts(out, "all threads together");
    } else {
        mf_buffer_printf(out, "thread %s (tid %lld)", thread != NULL ? thread : "?",
                         (long long)get_int(root, "tid", 0));
        if (process > 0) {
            mf_buffer_puts(out, " of ");
            put_process(out, processes, (uint64_t)process);
        }
    }
    mf_buffer_printf(out, " exceeded %s: ", budget != NULL ? budget : "its CPU budget");
    put_duration(out, get_int(root, "cpu_ns", 0));
    mf_buffer_puts(out, " of CPU time within ");
    put_duration(out, get_int(root, "wall_ns", 0));
}

/* The processes in `states`: [[proc, state, wait channel], ...]. */
static void hang_words(struct mf_buffer *out, struct mf_json_node root,
                       const struct mf_flight_processes *processes)
{
    mf_buffer_puts(out, "no CPU time and no output for ");
    put_duration(out, get_int(root, "idle_ns", 0));
    const struct mf_json_node states = mf_json_member(root, "states");
    const size_t count = mf_json_type(states) == MF_JSON_ARRAY ? mf_json_len(states) : 0;
    for (size_t i = 0; i < count && i < PLACES_MAX; i++) {
        const struct mf_json_node state = mf_json_element(states, i);
        uint64_t number = 0;
        const char *channel = NULL;
        if (mf_json_as_uint(mf_json_element(state, 0), &number, NULL) < 0) {
            continue;
        }
        mf_buffer_puts(out, i == 0 ? ": " : ", ");
        put_process(out, processes, number);
        if (mf_json_as_string(mf_json_element(state, 2), &channel, NULL) == 0 &&
            channel[0] != '\0' && strcmp(channel, "0") != 0) {
            mf_buffer_printf(out, " in %s", channel);
        }
    }
    if (count > PLACES_MAX) {
        mf_buffer_printf(out, " and %zu more", count - PLACES_MAX);
    }
}

static void left_words(struct mf_buffer *out, struct mf_json_node root, bool held_output,
                       const struct mf_flight_processes *processes)
{
    const struct mf_json_node alive = mf_json_member(root, "alive");
    const size_t count = mf_json_type(alive) == MF_JSON_ARRAY ? mf_json_len(alive) : 0;
    mf_buffer_printf(out, "%s when the recorder left",
                     held_output  ? "processes kept the output open"
                     : count == 1 ? "a process was still running"
                                  : "processes were still running");
    for (size_t i = 0; i < count && i < PLACES_MAX; i++) {
        uint64_t number = 0;
        if (mf_json_as_uint(mf_json_element(alive, i), &number, NULL) == 0) {
            mf_buffer_puts(out, i == 0 ? ": " : ", ");
            put_process(out, processes, number);
        }
    }
    if (count > PLACES_MAX) {
        mf_buffer_printf(out, " and %zu more", count - PLACES_MAX);
    }
}

/* How many there were is seldom known: the kernel tells that messages are lost, not which. */
static void lost_words(struct mf_buffer *out, struct mf_json_node root)
{
    const char *why = get_text(root, "why");
    const int64_t count = get_int(root, "count", 0);
    if (count > 0) {
        mf_buffer_printf(out, "%lld ", (long long)count);
    }
    mf_buffer_printf(out, "%s lost", text_or(get_text(root, "what"), "records"));
    if (why != NULL) {
        mf_buffer_printf(out, ": %s", why);
    }
}

static void put_scalar(struct mf_buffer *out, struct mf_json_node node)
{
    const char *text = NULL;
    int64_t whole = 0;
    double number = 0;
    bool yes = false;
    char digits[MF_NUMBER_LEN];
    switch (mf_json_type(node)) {
    case MF_JSON_STRING:
        mf_buffer_puts(out, mf_json_as_string(node, &text, NULL) == 0 ? text : "");
        break;
    case MF_JSON_INT:
        if (mf_json_as_int(node, &whole, NULL) == 0) {
            mf_buffer_printf(out, "%lld", (long long)whole);
        }
        break;
    case MF_JSON_DOUBLE:
        if (mf_json_as_double(node, &number, NULL) == 0) {
            mf_buffer_append(out, digits, mf_format_double(digits, number));
        }
        break;
    case MF_JSON_BOOL:
        mf_buffer_puts(out, mf_json_as_bool(node, &yes, NULL) == 0 && yes ? "true" : "false");
        break;
    case MF_JSON_ARRAY:
        mf_buffer_puts(out, "[...]");
        break;
    case MF_JSON_OBJECT:
        mf_buffer_puts(out, "{...}");
        break;
    case MF_JSON_NULL:
    case MF_JSON_ABSENT:
        mf_buffer_puts(out, "null");
        break;
    }
}

/* What the command wrote itself: its own words where it gave some, else the members one by one. */
static enum mf_event_level user_words(struct mf_buffer *out, struct mf_json_node root)
{
    static const char *const keys[] = {"text", "message", "msg", "step", "name", "event"};
    const struct mf_json_node data = mf_json_member(root, "data");
    const char *text = NULL;
    for (size_t i = 0; i < MF_ARRAY_LEN(keys) && text == NULL; i++) {
        text = get_text(data, keys[i]);
    }
    if (text != NULL) {
        mf_buffer_puts(out, text);
    }
    void *cursor = NULL;
    struct mf_json_node member;
    for (bool first = true; text == NULL && mf_json_next(data, &cursor, &member); first = false) {
        mf_buffer_printf(out, first ? "%s=" : " %s=", member.key);
        put_scalar(out, member);
    }
    const char *level = get_text(data, "level");
    if (level != NULL && (strcmp(level, "error") == 0 || strcmp(level, "fatal") == 0)) {
        return MF_LEVEL_ERROR;
    }
    return level != NULL && strncmp(level, "warn", 4) == 0 ? MF_LEVEL_WARNING : MF_LEVEL_INFO;
}

enum mf_event_level mf__event_words(struct mf_buffer *out, const char *kind,
                                    struct mf_json_node root,
                                    const struct mf_flight_processes *processes)
{
    const char *stream = text_or(get_text(root, "stream"), "output");
    enum mf_event_level level = MF_LEVEL_INFO;
    if (strcmp(kind, "flight.start") == 0) {
        mf_buffer_puts(out, "the command started");
    } else if (strcmp(kind, "flight.end") == 0) {
        mf_buffer_puts(out, text_or(get_text(root, "reason"), "the command ended"));
    } else if (strcmp(kind, "signal") == 0) {
        signal_words(out, root);
        level = MF_LEVEL_WARNING;
    } else if (strcmp(kind, "stopped") == 0) {
        mf_buffer_printf(out, "the command was stopped by %s",
                         text_or(get_text(root, "signal"), "job control"));
    } else if (strcmp(kind, "continued") == 0) {
        mf_buffer_puts(out, "the command was continued");
    } else if (strcmp(kind, "timeout") == 0) {
        mf_buffer_puts(out, "the time limit of ");
        put_duration(out, get_int(root, "after_ns", 0));
        mf_buffer_puts(out, " was reached");
        level = MF_LEVEL_ERROR;
    } else if (strcmp(kind, "kill") == 0) {
        mf_buffer_puts(out, "the command did not end by itself and was killed after ");
        put_duration(out, get_int(root, "after_ns", 0));
        level = MF_LEVEL_ERROR;
    } else if (strcmp(kind, "cpu.budget") == 0) {
        budget_words(out, root, processes);
        level = MF_LEVEL_ERROR;
    } else if (strcmp(kind, "cpu.budget.end") == 0) {
        mf_buffer_puts(out, "the CPU budget is kept again, after ");
        put_duration(out, get_int(root, "cpu_ns", 0));
        mf_buffer_puts(out, " of CPU time in ");
        put_duration(out, get_int(root, "lasted_ns", 0));
    } else if (strcmp(kind, "oom") == 0) {
        oom_words(out, root);
        level = MF_LEVEL_ERROR;
    } else if (strcmp(kind, "hang") == 0) {
        hang_words(out, root, processes);
        level = MF_LEVEL_WARNING;
    } else if (strcmp(kind, "hang.end") == 0) {
        mf_buffer_puts(out, "something happens again");
    } else if (strcmp(kind, "output.gone") == 0) {
        mf_buffer_printf(out, "nobody reads %s any more", stream);
    } else if (strcmp(kind, "output.limit") == 0) {
        mf_buffer_printf(out, "%s is over the limit: from here on only its end is kept", stream);
        level = MF_LEVEL_WARNING;
    } else if (strcmp(kind, "output.left") == 0 || strcmp(kind, "processes.left") == 0) {
        left_words(out, root, strcmp(kind, "output.left") == 0, processes);
    } else if (strcmp(kind, "lost") == 0) {
        lost_words(out, root);
        level = MF_LEVEL_WARNING;
    } else if (strcmp(kind, "user") == 0) {
        level = user_words(out, root);
    } else if (strcmp(kind, "text") == 0) {
        mf_buffer_puts(out, text_or(get_text(root, "text"), ""));
    } else {
        mf_buffer_puts(out, kind);
    }
    return level;
}

enum mf_step mf__event_step(const char *kind, struct mf_json_node root, const char **ret_name)
{
    if (strcmp(kind, "user") != 0) {
        return MF_STEP_NONE;
    }
    const struct mf_json_node data = mf_json_member(root, "data");
    const char *name = get_text(data, "step");
    const char *state = get_text(data, "state");
    if (name == NULL || state == NULL) {
        return MF_STEP_NONE;
    }
    *ret_name = name;
    return strcmp(state, "begin") == 0 ? MF_STEP_BEGIN
           : strcmp(state, "end") == 0 ? MF_STEP_END
                                       : MF_STEP_NONE;
}
