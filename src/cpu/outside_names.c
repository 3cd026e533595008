/* SPDX-License-Identifier: Apache-2.0
 * outside_names.c -- totals by the name of threads. */
#include "outside_private.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>

#define BUCKETS (2 * MF_WATCH_NAMES_MAX)

struct mf_watch_name *mf__watch_name(struct mf_watch *watch, const char *comm)
{
    size_t at = mf_hash64(comm, strlen(comm)) % BUCKETS;
    for (; watch->name_buckets[at] != 0; at = (at + 1) % BUCKETS) {
        struct mf_watch_name *name = &watch->names[watch->name_buckets[at] - 1];
        if (strcmp(name->comm, comm) == 0) {
            return name;
        }
    }
    if (watch->name_count == MF_WATCH_NAMES_MAX) {
        return &watch->names[MF_WATCH_NAMES_MAX];
    }
    struct mf_watch_name *name = &watch->names[watch->name_count++];
    watch->name_buckets[at] = (uint16_t)watch->name_count;
    snprintf(name->comm, sizeof name->comm, "%s", comm);
    return name;
}

size_t mf_watch_names(struct mf_watch *watch, struct mf_watch_name **ret_names)
{
    struct mf_watch_name *other = &watch->names[MF_WATCH_NAMES_MAX];
    size_t count = watch->name_count;
    if (count == MF_WATCH_NAMES_MAX && other->threads > 0) {
        count++;
    }
    *ret_names = watch->names;
    return count;
}
