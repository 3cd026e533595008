/* SPDX-License-Identifier: Apache-2.0
 * metrics_model.h -- what a metrics store should answer, said as simply as possible: per series and
 * tier a list of slots with everything that was recorded in them. No rings, no packing, no
 * retention but that of the clock. */
#ifndef TESTS_METRICS_MODEL_H
#define TESTS_METRICS_MODEL_H

#include <mayfly/metrics.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_SERIES_MAX 16
#define MODEL_NONE       INT64_MIN

struct model_slot {
    int64_t slot;
    uint64_t count;
    double sum;
    double min;
    double max;
    double first;
    double last;
    unsigned late;  /* how many values came after it was packed: each may round once more */
    double *values; /* of a histogram */
    size_t value_count;
    size_t value_capacity;
};

struct model_tier {
    struct model_slot *slots; /* ascending */
    size_t count;
    size_t capacity;
};

struct model_series {
    bool live;
    enum mf_series_type type;
    uint32_t schema;
    int64_t newest; /* slot of the first tier, MODEL_NONE before the first value */
    bool closed;    /* it was moved into the rings early */
    /* of a counter */
    bool observed;
    double seen;    /* at the source */
    double total;   /* as stored */
    double pending; /* added since the newest sample */
    struct model_tier tiers[MF_METRICS_TIERS_MAX];
};

struct model {
    struct mf_metrics_schema schemas[MF_METRICS_SCHEMAS_MAX];
    uint32_t schema_count;
    int64_t future_ns_max;
    int64_t wall_ns; /* what the environment's clock says */
    int64_t clock_ns;
    int64_t caller_ns;
    int64_t ahead_ns;
    int64_t schema_slot[MF_METRICS_SCHEMAS_MAX]; /* of the first tier at the clock; MODEL_NONE */
    struct mf_metrics_stats stats;               /* those that count events */
    struct model_series series[MODEL_SERIES_MAX];
};

void model_init(struct model *m, const struct mf_metrics_schema *schemas, uint32_t count,
                int64_t future_ns_max);
void model_free(struct model *m);

void model_register(struct model *m, unsigned series, enum mf_series_type type, uint32_t schema);
void model_unregister(struct model *m, unsigned series);

/* Each returns what the store should return. */
int model_record(struct model *m, unsigned series, double value);
int model_record_at(struct model *m, unsigned series, double value, int64_t wall_ns);
int model_batch(struct model *m, const unsigned *series, const double *values, size_t count,
                int64_t wall_ns);
int model_observe(struct model *m, unsigned series, double total);
int model_observe_at(struct model *m, unsigned series, double total, int64_t wall_ns);
void model_add(struct model *m, unsigned series, uint64_t increment);
int model_tick(struct model *m, int64_t now_wall_ns);
void model_consolidate(struct model *m); /* changes no answer, only what is rounded */
/* Closing takes the last samples. */
void model_close(struct model *m);

/* What the store should show of a slot; false when nothing. Of a counter with what is pending. */
bool model_point(const struct model *m, unsigned series, uint32_t tier, int64_t slot,
                 struct model_slot *ret_slot);
/* First and last slot of a tier that are retained. */
void model_window(const struct model *m, uint32_t schema, uint32_t tier, int64_t *ret_first,
                  int64_t *ret_last);

int64_t model_floor(int64_t a, int64_t b);

#endif
