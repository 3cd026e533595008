/* SPDX-License-Identifier: Apache-2.0
 * flight_json.h -- writing flight.json (docs/formats.md). */
#ifndef FLIGHT_FLIGHT_JSON_H
#define FLIGHT_FLIGHT_JSON_H

#include <mayfly/error.h>
#include <mayfly/flight.h>
#include <stdint.h>

/* What flight.json has beyond struct mf_flight_info. */
struct mf_flight_extra {
    char *cgroup;           /* NULL: none */
    char *cgroup_memory_v1; /* NULL: none */
    uint64_t recorder_start_ticks;
    char *recorder_version;
};
void mf__flight_extra_free(struct mf_flight_extra *extra);

enum mf_flight_json_mode {
    MF_JSON_NEW,     /* plainly, into a directory that nobody knows yet */
    MF_JSON_REPLACE, /* in one step; somebody else syncs it */
    MF_JSON_DURABLE  /* in one step, and all of it synced */
};
/* Writes dir/flight.json. */
int mf__flight_json_write(const struct mf_flight_info *info, const struct mf_flight_extra *extra,
                          const char *dir, enum mf_flight_json_mode mode, struct mf_errinfo *err);
/* The members that struct mf_flight_info lacks. */
int mf__flight_json_read_extra(const char *dir, struct mf_flight_extra *ret_extra,
                               struct mf_errinfo *err);

#endif
