/* SPDX-License-Identifier: Apache-2.0
 * record_metrics.c -- a program that keeps its own metrics: ./record_metrics DIRECTORY, then
 * `mayfly metrics query DIRECTORY` in the same or any other process. */
#include <mayfly/mayfly.h>

#include <stdio.h>

static int record(struct mf_metrics *store, struct mf_errinfo *err)
{
    const struct mf_label labels[] = {{"disk", "vda"}};
    const struct mf_series_spec spec = {MF_GAUGE, "queue_depth", labels,
                                        1,        NULL,          "Requests in flight"};
    mf_series depth;
    int rc = mf_metrics_register(store, &spec, &depth, err);
    for (int second = 0; rc == 0 && second < 60; second++) {
        const int64_t wall_ns = INT64_C(1700000000000000000) + second * INT64_C(1000000000);
        rc = mf_metrics_record_at(store, depth, second % 10, wall_ns);
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct mf_errinfo err = {0, ""};
    const struct mf_metrics_schema schema = mf_metrics_schema_default(16);
    struct mf_metrics *store = NULL;
    int rc = mf_metrics_open(argc > 1 ? argv[1] : "queue", &schema, 1, NULL, NULL, &store, &err);
    if (rc == 0) {
        rc = record(store, &err);
        const int closed = mf_metrics_close(store, &err);
        rc = rc == 0 ? closed : rc;
    }
    if (rc < 0) {
        fprintf(stderr, "record_metrics: %s\n", err.msg[0] != '\0' ? err.msg : mf_strerror(rc));
    }
    return rc < 0;
}
