/* SPDX-License-Identifier: Apache-2.0
 * flight_names.h -- from the words of flight.json and events.log back to their numbers; -1 for an
 * unknown word. The other way round is in mayfly/flight.h. */
#ifndef FLIGHT_FLIGHT_NAMES_H
#define FLIGHT_FLIGHT_NAMES_H

#include <mayfly/flight.h>

int mf__flight_state_of(const char *word);
int mf__flight_outcome_of(const char *word);
int mf__flight_rung_of(const char *word);
int mf__flight_stream_of(const char *word);

#endif
