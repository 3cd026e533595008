/* SPDX-License-Identifier: Apache-2.0
 * export_fixture.h -- a store with something in it, and pushes of it to a receiver. */
#ifndef TESTS_EXPORT_FIXTURE_H
#define TESTS_EXPORT_FIXTURE_H

#include "metrics_fixture.h"
#include "receiver.h"

#include <dirent.h>
#include <mayfly/export.h>

#define T0    (INT64_C(1700000000) * SECOND) /* a multiple of 10 s */
#define T0_MS INT64_C(1700000000000)

/* Series g, c and h: for i in [first, end) the values i, 2 i and 1 + i % 8 at T0 + i s (and a bit).
 */
struct sample_store {
    mf_series gauge;
    mf_series counter;
    mf_series histogram;
};

static inline mf_series sample_series(struct fixture *f, enum mf_series_type type, const char *name,
                                      const char *label, const char *value)
{
    const struct mf_label labels[] = {{label, value}};
    const struct mf_series_spec spec = {
        .type = type,
        .name = name,
        .labels = labels,
        .label_count = label != NULL ? 1 : 0,
        .unit = type == MF_HISTOGRAM ? "seconds" : NULL,
        .help = "Help of it.",
    };
    struct mf_errinfo err = {0};
    mf_series series = 0;
    if (mf_metrics_register(f->store, &spec, &series, &err) != 0) {
        fail_msg("register: %s", err.msg);
    }
    return series;
}

static inline void sample_open(struct fixture *f, struct sample_store *s)
{
    fixture_open(f);
    s->gauge = sample_series(f, MF_GAUGE, "g", "job", "vm");
    s->counter = sample_series(f, MF_COUNTER, "c_total", NULL, NULL);
    s->histogram = sample_series(f, MF_HISTOGRAM, "h_seconds", NULL, NULL);
}

static inline void sample_record(struct fixture *f, const struct sample_store *s, int first,
                                 int end)
{
    for (int i = first; i < end; i++) {
        const int64_t at = T0 + i * SECOND + SECOND / 4;
        f->wall_ns = at;
        fixture_record(f, s->gauge, i, at);
        fixture_record(f, s->histogram, 1 + i % 8, at);
        assert_int_equal(mf_metrics_observe_total_at(f->store, s->counter, 2 * i, at), 0);
    }
}

static inline struct mf_push_config push_config(const struct receiver *receiver)
{
    struct mf_push_config config = MF_PUSH_CONFIG_INIT;
    config.url = receiver_url(receiver);
    config.protocol = MF_PUSH_V1;
    config.backoff_ns = 1000000;
    config.selector = "g";
    return config;
}

static inline struct mf_push_report push_ok(const char *path, const struct mf_push_config *config)
{
    struct mf_push_report report = {0};
    struct mf_errinfo err = {0};
    int rc = mf_export_push(path, config, &report, &err);
    if (rc != 0) {
        fail_msg("push: %s (%s)", err.msg, mf_error_name(rc));
    }
    return report;
}

/* A push that must fail. */
static inline struct mf_push_report
push_fails(const char *path, const struct mf_push_config *config, int code, struct mf_errinfo *err)
{
    struct mf_push_report report = {0};
    const int rc = mf_export_push(path, config, &report, err);
    if (rc != code) {
        fail_msg("push: %s instead of %s: %s", mf_error_name(rc), mf_error_name(code), err->msg);
    }
    return report;
}

/* The path of the only cursor file in a directory. */
static inline void cursor_file(const char *directory, char path[512])
{
    DIR *listing = opendir(directory);
    assert_non_null(listing);
    path[0] = '\0';
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (strstr(entry->d_name, ".cursor") != NULL) {
            snprintf(path, 512, "%s/%s", directory, entry->d_name);
        }
    }
    closedir(listing);
    assert_true(path[0] != '\0');
}

/* That g has the values [first, end) at the ends of their seconds, each once. */
static inline void assert_gauge(const struct receiver *receiver, int first, int end)
{
    for (int i = first; i < end; i++) {
        const struct received_sample *sample =
            receiver_find(receiver, "g{job=\"vm\"}", T0_MS + (i + 1) * 1000);
        if (sample == NULL) {
            fail_msg("second %d is missing", i);
        } else {
            assert_double(sample->value, i, 0);
        }
    }
    assert_int_equal(receiver_count_of(receiver, "g{job=\"vm\"}"), end - first);
}

#endif
