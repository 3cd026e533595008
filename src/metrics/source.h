/* SPDX-License-Identifier: Apache-2.0
 * source.h -- where queries take points from: a mapped slab, or a sealed archive. */
#ifndef METRICS_SOURCE_H
#define METRICS_SOURCE_H

#include "histogram.h"
#include "labels.h"
#include "slot.h"

#include "os/file.h"
#include <mayfly/metrics.h>

#define ARCHIVE_FILE "metrics.archive"

/* One series as a source describes it; strings live as long as the source, but while a writer has
 * the store their bytes may change: match.h makes copies. */
struct source_series {
    const char *text; /* canonical */
    size_t text_len;
    const char *unit;
    size_t unit_len;
    const char *help;
    size_t help_len;
    enum mf_series_type type;
    uint32_t schema;
    uint32_t id;         /* the source's own number for it */
    uint32_t generation; /* differs when the number is another series' */
};

/* One slot. */
struct source_point {
    int64_t slot; /* floor(time / interval) */
    struct mf__aggregate aggregate;
    bool exact;
};

struct source_ops {
    void (*close)(void *source);
    void (*info)(const void *source, struct mf_metrics_info *ret_info);
    void (*schema)(const void *source, uint32_t index, struct mf_metrics_schema *ret_schema);
    /* Number of series ids; series() is false for ids that are free. */
    uint32_t (*series_count)(const void *source);
    bool (*series)(const void *source, uint32_t id, struct source_series *ret_series);
    /* The slots of one tier in [first, last], in time order, of a live store up to its clock: calls
     * visit for each that has values. 0, MF_EBUSY, or a negative code of visit. */
    int (*points)(const void *source, uint32_t id, uint32_t tier, int64_t first, int64_t last,
                  int (*visit)(void *context, const struct source_point *point), void *context);
    /* Adds the buckets of one slot of a histogram (counts and halvings only). 0, or negative. */
    int (*buckets)(const void *source, uint32_t id, uint32_t tier, int64_t slot,
                   struct mf_histogram *into);
};

struct mf_metrics_reader {
    const struct source_ops *ops;
    void *source; /* owned */
};

/* The finest tier that still has the start of a range, or has everything there ever was. (query.c)
 */
uint32_t mf__choose_tier(const struct mf_metrics_info *info, const struct mf_metrics_schema *schema,
                         int64_t start_ns);

/* Opens <path>/metrics.archive, if there is one: 0 and *ret_reader, -ENOENT, or an error.
 * (archive.c) */
int mf__archive_reader_open(const char *path, const struct mf_env *env,
                            struct mf_metrics_reader **ret_reader, struct mf_errinfo *err);

#endif
