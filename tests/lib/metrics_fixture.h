/* SPDX-License-Identifier: Apache-2.0
 * metrics_fixture.h -- what the tests of the metrics store share: a directory, a clock of the
 * test's own, a store in it, and short ways to record and to ask. */
#ifndef TESTS_METRICS_FIXTURE_H
#define TESTS_METRICS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/clock.h"
#include "os/file.h"
#include <mayfly/metrics.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND MF_NS_PER_SECOND

/* cmocka's own compares floats. */
#define assert_double(a, b, tolerance)                                                             \
    do {                                                                                           \
        const double a_ = (a);                                                                     \
        const double b_ = (b);                                                                     \
        if (!(fabs(a_ - b_) <= (tolerance))) {                                                     \
            fail_msg("%s is %.17g, not %.17g", #a, a_, b_);                                        \
        }                                                                                          \
    } while (0)

struct fixture {
    char directory[64];
    char path[96];
    int64_t wall_ns; /* what env.clock says */
    struct mf_clock clock;
    struct mf_env env;
    struct mf_metrics *store;
};

static inline int64_t fixture_wall_ns(void *context)
{
    return ((struct fixture *)context)->wall_ns;
}

/* In memory where that is possible: what these tests look at is not the disk. */
static inline const char *fixture_base(void)
{
    return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return -1;
    }
    snprintf(f->directory, sizeof f->directory, "%s/mayfly-test-XXXXXX", fixture_base());
    if (mkdtemp(f->directory) == NULL) {
        return -1;
    }
    snprintf(f->path, sizeof f->path, "%s/store", f->directory);
    f->wall_ns = INT64_C(1700000000) * SECOND;
    f->clock = (struct mf_clock){fixture_wall_ns, fixture_wall_ns, f};
    f->env = (struct mf_env){.clock = &f->clock};
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    mf_metrics_close(f->store, NULL);
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s", f->directory);
    const int rc = system(command);
    free(f);
    return rc;
}

/* 1 s x 600, 10 s x 2160, 300 s x 2016, with room for histograms. */
static inline struct mf_metrics_schema fixture_schema(uint32_t series_max, uint32_t histograms_max)
{
    struct mf_metrics_schema schema = mf_metrics_schema_default(series_max);
    schema.histograms_max = histograms_max;
    return schema;
}

static inline void fixture_open_with(struct fixture *f, const struct mf_metrics_schema *schema)
{
    struct mf_errinfo err = {0};
    const int rc = mf_metrics_open(f->path, schema, 1, NULL, &f->env, &f->store, &err);
    if (rc != 0) {
        fail_msg("open: %s (%s)", err.msg, mf_error_name(rc));
    }
}

static inline void fixture_open(struct fixture *f)
{
    const struct mf_metrics_schema schema = fixture_schema(32, 4);
    fixture_open_with(f, &schema);
}

static inline void fixture_close(struct fixture *f)
{
    struct mf_errinfo err = {0};
    const int rc = mf_metrics_close(f->store, &err);
    f->store = NULL;
    if (rc != 0) {
        fail_msg("close: %s", err.msg);
    }
}

static inline mf_series fixture_series(struct fixture *f, enum mf_series_type type,
                                       const char *name)
{
    const struct mf_series_spec spec = {.type = type, .name = name};
    struct mf_errinfo err = {0};
    mf_series series = 0;
    const int rc = mf_metrics_register(f->store, &spec, &series, &err);
    if (rc != 0) {
        fail_msg("register: %s", err.msg);
    }
    return series;
}

static inline void fixture_record(struct fixture *f, mf_series series, double value,
                                  int64_t wall_ns)
{
    const int rc = mf_metrics_record_at(f->store, series, value, wall_ns);
    if (rc != 0) {
        fail_msg("record %g at %lld: %s", value, (long long)wall_ns, mf_error_name(rc));
    }
}

/* Asks a reader of its own; the caller frees the result. */
static inline struct mf_metrics_result *fixture_ask(struct fixture *f, const char *selector,
                                                    int tier, int64_t start_ns, int64_t end_ns)
{
    struct mf_metrics_reader *reader = NULL;
    struct mf_errinfo err = {0};
    int rc = mf_metrics_reader_open(f->path, &f->env, &reader, &err);
    if (rc != 0) {
        fail_msg("reader: %s", err.msg);
    }
    const struct mf_metrics_query query = {
        .selector = selector, .start_ns = start_ns, .end_ns = end_ns, .tier = tier};
    struct mf_metrics_result *result = NULL;
    rc = mf_metrics_query(reader, &query, &result, &err);
    if (rc != 0) {
        fail_msg("query: %s", err.msg);
    }
    mf_metrics_reader_close(reader);
    return result;
}

#endif
