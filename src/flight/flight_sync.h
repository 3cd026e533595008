/* SPDX-License-Identifier: Apache-2.0
 * flight_sync.h -- makes a flight's files durable, beside the running command. */
#ifndef FLIGHT_FLIGHT_SYNC_H
#define FLIGHT_FLIGHT_SYNC_H

#include "os/thread.h"

#include <mayfly/error.h>
#include <stdbool.h>

struct mf_flight_sync {
    struct mf_thread thread;
    const char *dir; /* borrowed */
    int stop;        /* an event */
    bool started;
};

/* Once now, and then every few seconds. A thread that cannot be started is no failure: the flight
 * is then as durable as the page cache until its end. */
void mf__flight_sync_start(struct mf_flight_sync *sync, const char *dir);
void mf__flight_sync_stop(struct mf_flight_sync *sync);
/* Once, by the caller. Failures are left to the sync of flight.json, the last one. */
void mf__flight_sync_now(const char *dir);

#endif
