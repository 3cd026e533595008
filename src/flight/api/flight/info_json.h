/* SPDX-License-Identifier: Apache-2.0
 * info_json.h -- a flight as one JSON object, the same in the answers of all verbs (docs/views.md).
 */
#ifndef FLIGHT_INFO_JSON_H
#define FLIGHT_INFO_JSON_H

#include "fmt/json_write.h"

#include <mayfly/flight.h>

/* The members of the object, without its braces; figures that are not known are absent. */
void mf_info_json_members(struct mf_json *json, const struct mf_flight_info *info);
/* The object for an entry of a list, readable or not. */
void mf_entry_json(struct mf_json *json, const struct mf_flight_entry *entry);

#endif
