/* SPDX-License-Identifier: Apache-2.0
 * flight_names.c -- the words for states, outcomes, rungs and streams. They are also what stands in
 * flight.json, so that one table serves the writer, the reader and the user. Append only. */
#include "flight_names.h"

#include "base/fail.h"

#include <string.h>

static const char *const states[MF_FLIGHT_STATES] = {
    [MF_FLIGHT_RUNNING] = "running",
    [MF_FLIGHT_ENDED] = "ended",
    [MF_FLIGHT_DEAD] = "dead",
    [MF_FLIGHT_RECOVERED] = "recovered",
};

static const char *const outcomes[MF_OUTCOMES] = {
    [MF_OUTCOME_NONE] = "none",
    [MF_OUTCOME_EXITED] = "exited",
    [MF_OUTCOME_SIGNALED] = "signaled",
    [MF_OUTCOME_OOM] = "out of memory",
    [MF_OUTCOME_TIMEOUT] = "timeout",
    [MF_OUTCOME_NOT_FOUND] = "not found",
    [MF_OUTCOME_NOT_EXECUTABLE] = "not executable",
    [MF_OUTCOME_RECORDER_LOST] = "recorder lost",
    [MF_OUTCOME_CPU_BUDGET] = "cpu budget exceeded",
};

static const char *const rungs[MF_RUNGS] = {
    [MF_RUNG_PROC] = "proc",
    [MF_RUNG_CGROUP] = "cgroup",
    [MF_RUNG_EVENTS] = "events",
    [MF_RUNG_FULL] = "full",
};

static const char *const streams[MF_STREAMS] = {
    [MF_STREAM_STDOUT] = "stdout",
    [MF_STREAM_STDERR] = "stderr",
    [MF_STREAM_TTY] = "tty",
};

static const char *name_at(const char *const *names, size_t count, unsigned index)
{
    return index < count ? names[index] : "unknown";
}

static int index_of(const char *const *names, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], word) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const char *mf_flight_state_name(enum mf_flight_state state)
{
    return name_at(states, MF_ARRAY_LEN(states), (unsigned)state);
}

const char *mf_flight_outcome_name(enum mf_flight_outcome outcome)
{
    return name_at(outcomes, MF_ARRAY_LEN(outcomes), (unsigned)outcome);
}

const char *mf_flight_rung_name(enum mf_flight_rung rung)
{
    return name_at(rungs, MF_ARRAY_LEN(rungs), (unsigned)rung);
}

const char *mf_flight_stream_name(enum mf_flight_stream stream)
{
    return name_at(streams, MF_ARRAY_LEN(streams), (unsigned)stream);
}

int mf__flight_state_of(const char *word)
{
    return index_of(states, MF_ARRAY_LEN(states), word);
}

int mf__flight_outcome_of(const char *word)
{
    return index_of(outcomes, MF_ARRAY_LEN(outcomes), word);
}

int mf__flight_rung_of(const char *word)
{
    return index_of(rungs, MF_ARRAY_LEN(rungs), word);
}

int mf__flight_stream_of(const char *word)
{
    return index_of(streams, MF_ARRAY_LEN(streams), word);
}
