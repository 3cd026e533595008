/* SPDX-License-Identifier: Apache-2.0
 *
 * export.h -- how a metrics store leaves the machine: as OpenMetrics text, CSV or JSON through a
 * callback, and by Prometheus remote write with an acknowledged cursor.
 *
 * Everything here reads a store through struct mf_metrics_reader, so it works beside a running
 * writer, after a writer's death and on a sealed archive, and never holds a lock that a writer
 * takes.
 *
 * Time of a sample: a slot is known when it is over, so remote write and OpenMetrics stamp it with
 * the end of its interval, in milliseconds. CSV and JSON give the start of the slot, in
 * nanoseconds, and the interval.
 *
 * Names: a counter is exported as NAME_total (once), a gauge as NAME with the last value of the
 * slot, a histogram as NAME_bucket{le=..}, NAME_sum and NAME_count, cumulative over time and over
 * the bounds. A label `le` of the store is exported as `exported_le` on histograms.
 *
 * Thread words: see metrics.h.
 */
#ifndef MAYFLY_EXPORT_H
#define MAYFLY_EXPORT_H

#include <mayfly/env.h>
#include <mayfly/error.h>
#include <mayfly/metrics.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Takes the next piece of the output. A negative code stops the export, which returns it. */
typedef int (*mf_export_write)(void *context, const char *bytes, size_t len);

enum mf_export_format {
    MF_EXPORT_OPENMETRICS = 1, /* OpenMetrics 1.0 text, ending in `# EOF` */
    MF_EXPORT_CSV = 2,         /* RFC 4180 with a header line; one line per point */
    MF_EXPORT_JSON = 3         /* one object: {"series":[{..,"points":[..]},..]} */
};

/* Buckets of an exported histogram have the bounds 2^k (1 + j / n), n = buckets_per_octave, from
 * the smallest to the largest that holds an observation. */
#define MF_EXPORT_BUCKETS_PER_OCTAVE_MAX 4

/* Writes the newest value of every matching series, without times: what a scrape of /metrics wants.
 * The content type is MF_EXPORT_OPENMETRICS_TYPE. Histograms are cumulative over all that the store
 * retains. selector: as in mf_metrics_query; NULL for all. [any-thread, one at a time per reader]
 */
#define MF_EXPORT_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
MF_API MF_MUST_CHECK int mf_export_exposition(struct mf_metrics_reader *reader,
                                              const char *selector, mf_export_write write,
                                              void *context, struct mf_errinfo *err);

/* Writes the points of queries to one or more stores as one document, series by series in a fixed
 * order, each as it is read: memory does not grow with the range. */
struct mf_exporter;

/* Errors: MF_EVALUE (format), -ENOMEM. [any-thread] */
MF_API MF_MUST_CHECK int mf_exporter_new(enum mf_export_format format, mf_export_write write,
                                         void *context, struct mf_exporter **ret_exporter,
                                         struct mf_errinfo *err);
/* Adds what the query gives. query->tier MF_TIER_FINEST gives each time in the finest tier that
 * still has it. store: NULL, or a name that each point then says it is from (column `store`, member
 * "store"); given always or never. OpenMetrics is what `promtool tsdb create-blocks-from
 * openmetrics` takes; it has no place for functions, nor for more than one store (MF_EVALUE). [one
 * thread at a time per exporter and reader] */
MF_API MF_MUST_CHECK int mf_exporter_add(struct mf_exporter *exporter, const char *store,
                                         struct mf_metrics_reader *reader,
                                         const struct mf_metrics_query *query,
                                         struct mf_errinfo *err);
/* Ends the document. After a failure leave it out: the end would make the document look whole. */
MF_API MF_MUST_CHECK int mf_exporter_finish(struct mf_exporter *exporter, struct mf_errinfo *err);
MF_API void mf_exporter_free(struct mf_exporter *exporter); /* NULL is allowed */

/* All of these in one, for one store. */
MF_API MF_MUST_CHECK int mf_export_range(struct mf_metrics_reader *reader,
                                         const struct mf_metrics_query *query,
                                         enum mf_export_format format, mf_export_write write,
                                         void *context, struct mf_errinfo *err);

/* --- remote write --- */

enum mf_push_protocol {
    MF_PUSH_AUTO = 0, /* 2.0; 1.0 for a peer that turns out not to know it, which is remembered */
    MF_PUSH_V1 = 1,
    MF_PUSH_V2 = 2 /* 2.0 or an error */
};

struct mf_push_config {
    uint32_t size;                 /* sizeof this struct */
    uint32_t protocol;             /* enum mf_push_protocol */
    const char *url;               /* http:// or https://, without user or password */
    const char *selector;          /* which series; NULL for all */
    const struct mf_label *labels; /* added to every series that does not have that label itself */
    size_t label_count;
    const char *store_label; /* adds a label of this name with the name of the store: its directory,
                                or of a directory called `metrics` the one above; NULL: none */

    const char *bearer_token; /* at most one of these two ways; NULL: none */
    const char *user;
    const char *password;
    const char *ca_file; /* instead of the system's certificates */

    const char *cursor_directory; /* where the cursors are kept; NULL: in the store's directory */
    uint32_t buckets_per_octave;  /* 1, 2 or 4; 0: 1 */
    uint32_t batch_samples_max;   /* in one request; 0: 2000 */
    uint32_t attempts_max;        /* of one request, the first included; 0: 5 */
    uint32_t aggregates;          /* 1: gauges also as NAME:avg, NAME:min and NAME:max */
    uint32_t flush; /* 1: also what is not complete yet, of a store that is being written */
    uint32_t reserved32;
    int64_t timeout_ns;     /* of one request; 0: 30 s */
    int64_t backoff_ns;     /* before the second attempt, doubled for each after it; 0: 200 ms */
    int64_t backoff_ns_max; /* and the longest wait that a peer may ask for; 0: 30 s */

    bool (*cancelled)(void *context); /* asked often; true stops with -ECANCELED; may be NULL */
    void *cancelled_context;
    const struct mf_env *env; /* may be NULL; members must outlive the pusher */
    uint64_t reserved[4];     /* zero */
};
#define MF_PUSH_CONFIG_INIT                                                                        \
    {                                                                                              \
        sizeof(struct mf_push_config), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
            0, 0, 0,                                                                               \
        {                                                                                          \
            0, 0, 0, 0                                                                             \
        }                                                                                          \
    }

/* What a push did. Counts are added to, so that one report can serve many pushes. */
struct mf_push_report {
    uint64_t series;   /* that had something to send */
    uint64_t points;   /* slots that were acknowledged */
    uint64_t samples;  /* values that the peer stored */
    uint64_t refused;  /* values that the peer refused for good: left out */
    uint64_t requests; /* HTTP exchanges, repeated ones included */
    uint64_t retries;
    uint64_t body_bytes;      /* compressed */
    uint64_t stores;          /* that were looked at */
    uint64_t finished;        /* of them: ended, and sent to the end */
    uint64_t failed;          /* of them: not sent whole; the next push goes on there */
    uint32_t protocol;        /* enum mf_push_protocol of the last request */
    uint32_t fell_back;       /* 1: the peer was found to know 1.0 only */
    char refused_series[160]; /* the first value that was refused, */
    char refused_reason[200]; /* and what the peer said of it */
};

/* A connection to one peer, used for any number of stores. */
struct mf_pusher;

/* Checks the configuration and copies all of it but `env`. Opens no connection yet.
 * Errors: MF_EVALUE (names the field), MF_EUNSUPPORTED (built without libcurl or snappy), -ENOMEM.
 * [any-thread] */
MF_API MF_MUST_CHECK int mf_pusher_new(const struct mf_push_config *config,
                                       struct mf_pusher **ret_pusher, struct mf_errinfo *err);
MF_API void mf_pusher_free(struct mf_pusher *pusher); /* NULL is allowed */

/* Sends what the store in `path` has beyond the cursor: complete slots of a store that is being
 * written, everything of one that is closed, abandoned or sealed. The cursor moves, durably, after
 * each request that the peer acknowledged, and only then. report may be NULL. Errors: MF_EREMOTE
 * (the peer; the message has its answer), -ECANCELED, those of mf_metrics_reader_open() and of the
 * file system. What was acknowledged before the error stays so. [one thread at a time per pusher]
 */
MF_API MF_MUST_CHECK int mf_pusher_push(struct mf_pusher *pusher, const char *path,
                                        struct mf_push_report *report, struct mf_errinfo *err);

/* mf_pusher_push() for every store at or below `root`. Stores that have ended and were sent whole
 * are only looked at again when they change. A store that fails is counted, and the others go on
 * unless the peer is out of reach. Returns the first error. */
MF_API MF_MUST_CHECK int mf_pusher_push_all(struct mf_pusher *pusher, const char *root,
                                            struct mf_push_report *report, struct mf_errinfo *err);

/* One push with a configuration: new, push, free. */
MF_API MF_MUST_CHECK int mf_export_push(const char *path, const struct mf_push_config *config,
                                        struct mf_push_report *report, struct mf_errinfo *err);

#ifdef __cplusplus
}
#endif
#endif
