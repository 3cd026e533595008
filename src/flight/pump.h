/* SPDX-License-Identifier: Apache-2.0
 * pump.h -- a thread that passes one stream of the command's output on to where it would have gone,
 * and keeps a copy. */
#ifndef FLIGHT_PUMP_H
#define FLIGHT_PUMP_H

#include "os/thread.h"
#include "output_writer.h"

#include <stdatomic.h>

enum mf_pump_state {
    MF_PUMP_RUNNING,
    MF_PUMP_ENDED,   /* every writer has closed its end */
    MF_PUMP_GONE,    /* the consumer went away: our end is closed, so the command learns it */
    MF_PUMP_STOPPED, /* by mf__pump_stop(): the stream is still open */
};

struct mf_pump {
    int source; /* non-blocking; the pump's own until it has ended */
    int sink;   /* borrowed */
    enum mf_flight_stream stream;
    struct mf_output_writer *output; /* borrowed */
    int64_t started_monotonic_ns;
    int notify; /* an event that is set when the state changes; borrowed */

    int stop; /* an event */
    atomic_bool stopping;
    _Atomic enum mf_pump_state state;
    atomic_int error; /* why it is GONE: an errno */
    struct mf_thread thread;
    void *buffer;
};

/* Fill the members above `stop` first. */
int mf__pump_start(struct mf_pump *pump, struct mf_errinfo *err);
/* Takes what is there now, then stops. */
void mf__pump_stop(struct mf_pump *pump);
/* Ends a write that nobody takes; what is there now is still kept. Before mf__pump_join(). */
void mf__pump_give_up(struct mf_pump *pump);
/* Waits for the thread and frees what is its. With MF_PUMP_STOPPED `source` is the caller's again.
 */
void mf__pump_join(struct mf_pump *pump);

#endif
