/* SPDX-License-Identifier: Apache-2.0
 * gc.h -- which flights to let go, and what crashes left to be cleared away. */
#ifndef FLIGHT_GC_H
#define FLIGHT_GC_H

#include <mayfly/flight.h>

/* A flight goes when any rule that is given says so. Flights that are being recorded, and those of
 * other names or with a protected tag, never go and do not count. */
struct mf_gc_rules {
    bool has_keep;
    uint64_t keep;       /* the newest so many stay */
    int64_t keep_for_ns; /* those older than this go; 0: no rule */
    bool has_max_bytes;
    uint64_t max_bytes; /* the newest that together take at most this stay */
    const char *name;   /* only flights of that name; NULL: all */
    const char *const
        *protect; /* tags, as in struct mf_flight_filter, any of which protects; or NULL */
};

struct mf_gc_item {
    char *dir;
    char *id;
    int64_t started_wall_ns;
    uint64_t bytes; /* on disk */
};

struct mf_gc_plan {
    struct mf_gc_item *go; /* oldest first */
    size_t count;
    uint64_t bytes;
    size_t stay;         /* flights that stay, the untouched ones included */
    uint64_t stay_bytes; /* of those that the rules were asked about */
    size_t running;      /* of those that stay */
};

MF_MUST_CHECK int mf_gc_plan(const char *home, const struct mf_gc_rules *rules, int64_t now_wall_ns,
                             struct mf_gc_plan *ret_plan, struct mf_errinfo *err);
void mf_gc_plan_free(struct mf_gc_plan *plan);

struct mf_gc_swept {
    size_t count;
    uint64_t bytes;
};
/* Finishes removals that a crash interrupted, and removes flights that were never begun, not
 * changed since `before_wall_ns`. `dry_run`: only counts. */
MF_MUST_CHECK int mf_gc_sweep(const char *home, int64_t before_wall_ns, bool dry_run,
                              struct mf_gc_swept *ret_swept, struct mf_errinfo *err);

/* What a flight takes on disk. */
MF_MUST_CHECK int mf_flight_bytes(const char *dir, uint64_t *ret_bytes, struct mf_errinfo *err);

#endif
