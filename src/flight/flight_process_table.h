/* SPDX-License-Identifier: Apache-2.0
 * flight_process_table.h -- the process table of a flight, growing with its events. */
#ifndef FLIGHT_FLIGHT_PROCESS_TABLE_H
#define FLIGHT_FLIGHT_PROCESS_TABLE_H

#include "fmt/json_scan.h"

#include <mayfly/flight.h>

/* Zero is an empty one. */
struct mf__process_table {
    struct mf_flight_process *items;
    size_t count;
    size_t capacity;
    uint32_t *slots;   /* open addressing: index into items + 1, 0 is empty */
    size_t slot_count; /* a power of two, more than twice count */
    struct mf_errinfo *err;
};

/* Takes in an event or a sample; `root` is its object. Events of other kinds are passed over. */
int mf__process_table_take(struct mf__process_table *table, const struct mf_flight_event *event,
                           struct mf_scan_value root, struct mf_errinfo *err);
/* The table as it is now, sorted by number; borrowed until the next call. */
int mf__process_table_view(struct mf__process_table *table, struct mf_flight_processes *ret_view,
                           struct mf_errinfo *err);
void mf__process_table_free(struct mf__process_table *table);

#endif
