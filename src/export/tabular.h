/* SPDX-License-Identifier: Apache-2.0
 * tabular.h -- the formats behind mf_export_range(). */
#ifndef EXPORT_TABULAR_H
#define EXPORT_TABULAR_H

#include <mayfly/export.h>

int mf__export_openmetrics_range(struct mf_metrics_reader *reader,
                                 const struct mf_metrics_query *query, mf_export_write write,
                                 void *context, struct mf_errinfo *err);
/* CSV and JSON. */
int mf__export_tabular(struct mf_metrics_reader *reader, const struct mf_metrics_query *query,
                       enum mf_export_format format, mf_export_write write, void *context,
                       struct mf_errinfo *err);

#endif
