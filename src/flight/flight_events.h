/* SPDX-License-Identifier: Apache-2.0
 * flight_events.h -- what writer and reader of events.log share. */
#ifndef FLIGHT_FLIGHT_EVENTS_H
#define FLIGHT_FLIGHT_EVENTS_H

#include "fmt/json_scan.h"

#include <mayfly/flight.h>

/* The types of the records in events.log: samples, by far the most, can be passed over unread. */
#define MF__FLIGHT_RECORD_EVENT  0
#define MF__FLIGHT_RECORD_SAMPLE 1

/* The object of the event that the cursor returned last; valid until the next call on the cursor.
 */
struct mf_scan_value mf__flight_event_root(const struct mf_flight_events *events);

#endif
