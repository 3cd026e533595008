/* SPDX-License-Identifier: Apache-2.0
 * tabular.h -- the formats behind struct mf_exporter. */
#ifndef EXPORT_TABULAR_H
#define EXPORT_TABULAR_H

#include "sink.h"

#include "fmt/json_write.h"

int mf__export_openmetrics_range(struct mf_metrics_reader *reader,
                                 const struct mf_metrics_query *query, mf_export_write write,
                                 void *context, struct mf_errinfo *err);

/* A document of CSV or JSON. */
struct tabular {
    struct sink sink;
    struct mf_json json;
    enum mf_export_format format;
    bool begun;
    const char *store; /* of the points that are being added; NULL: not said */
    const struct mf_series_result *series;
};

void mf__tabular_begin(struct tabular *t);
int mf__tabular_add(struct tabular *t, struct mf_metrics_reader *reader,
                    const struct mf_metrics_query *query, struct mf_errinfo *err);
int mf__tabular_finish(struct tabular *t);

#endif
