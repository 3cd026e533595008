/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics.h -- an embedded store of labelled time series in one fixed-size mapped file.
 *
 * A store is a directory. While it is written it holds `metrics.slab`, allocated in full when it is
 * created; a sealed store holds `metrics.archive` instead. One process writes, any number read at
 * the same time with read permission only.
 *
 *     schema    tiers (interval x slots), and how many series they hold
 *     series    a name and sorted labels; a gauge, a counter or a histogram
 *     slot      count, sum, min, max, first and last of one interval of one series
 *
 * Times are nanoseconds since 1970-01-01T00:00:00Z. They are given by the caller, either with each
 * value or once in a while with mf_metrics_tick(); recording itself never asks for the time, never
 * allocates and never makes a system call.
 *
 * Thread words: [any-thread] safe at any time from any thread; [owner-thread] one thread at a time
 * (the caller sees to it).
 *
 * Time policy, the same for every tier:
 *   late      a value older than the newest of its series is merged into each tier that still
 *             retains its slot (`late_merged`); when none does it is refused with MF_ELATE
 *             (`late_refused`). It counts in count, sum, min and max, and leaves first and last of
 *             the slot alone. Totals of counters that are late are refused.
 *   future    a value more than `future_ns_max` ahead of both the store's clock and the wall clock
 *             is refused with MF_EFUTURE (`future_refused`).
 *   backward  mf_metrics_tick() with a time before the last tick is a step of the caller's clock
 *             (`backward_steps`): the store's clock goes on from where it stood, at the caller's
 *             pace, until the caller's clock has caught up.
 *   gap       slots without a value are not stored and not returned.
 */
#ifndef MAYFLY_METRICS_H
#define MAYFLY_METRICS_H

#include <mayfly/env.h>
#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mf_metrics;        /* a store opened for writing */
struct mf_metrics_reader; /* a store opened for reading */

/* Names a registered series of one open store: index and generation. 0 is never valid. Any other
 * value is checked on use: a forged or stale handle is MF_ESTALE. */
typedef uint64_t mf_series;

enum mf_series_type {
    MF_GAUGE = 1,    /* a value that goes up and down */
    MF_COUNTER = 2,  /* a total that only grows; increments, or an observed total with resets */
    MF_HISTOGRAM = 3 /* a distribution of values >= 0 */
};

#define MF_METRICS_TIERS_MAX       8
#define MF_METRICS_SCHEMAS_MAX     16
#define MF_METRICS_LABELS_MAX      32
#define MF_METRICS_SERIES_MAX      1000000
#define MF_METRICS_SLOTS_MAX       100000000
#define MF_METRICS_INTERVAL_NS_MIN 1000000 /* 1 ms */

struct mf_label {
    const char *name;  /* [a-zA-Z_][a-zA-Z0-9_]*, not starting with "__" */
    const char *value; /* UTF-8, not empty */
};

struct mf_metrics_tier {
    int64_t interval_ns; /* >= 1 ms; a whole multiple of the tier before */
    uint32_t slots;      /* how many are kept, >= 2 */
};

struct mf_metrics_schema {
    const char *name;         /* [a-zA-Z_][a-zA-Z0-9_-]*, at most 47 bytes, unique in the store */
    const char *selector;     /* which series it takes: `{job="vm"}`; NULL or "" for all. The first
                                 schema    that matches a series at registration has it */
    uint32_t series_max;      /* columns, of any type */
    uint32_t histograms_max;  /* how many of them may be histograms */
    uint32_t histogram_bytes; /* room for the buckets of a histogram in one slot: 64 .. 16384 in
                                 steps of 8, 0: 1024 */
    uint32_t tier_count;      /* 1 .. MF_METRICS_TIERS_MAX, finest first */
    struct mf_metrics_tier tiers[MF_METRICS_TIERS_MAX];
};

struct mf_metrics_options {
    uint32_t size;              /* sizeof this struct */
    uint32_t writers_max;       /* threads that add to counters at the same time, 1 .. 256; 0: 8 */
    uint32_t series_text_bytes; /* room for name, labels, unit and help of a series; 0: 256, up to
                                   4096 */
    uint32_t reserved32;
    int64_t future_ns_max; /* see "future" above; 0: one hour */
    uint64_t reserved[4];  /* zero */
};
#define MF_METRICS_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(struct mf_metrics_options), 0, 0, 0, 0,                                             \
        {                                                                                          \
            0, 0, 0, 0                                                                             \
        }                                                                                          \
    }

/* The schema of the documents: 1 s x 600, 10 s x 2160, 300 s x 2016. `series_max` columns. */
MF_API struct mf_metrics_schema mf_metrics_schema_default(uint32_t series_max);

/* ---- the store ---- */

/* Opens the store in directory `path` for writing; creates directory and store when there is none
 * (an empty directory is fine). schemas: [copy], schema_count 1 .. MF_METRICS_SCHEMAS_MAX;
 * schema_count 0 opens an existing store with the schemas it has. An existing store must have the
 * same schemas (MF_EMISMATCH names the difference). options, env: [borrow] for the call, may be
 * NULL; env's members must outlive the store. After a crash the store is repaired here. Errors:
 * MF_ELOCKED (another writer), -ENOSPC, MF_EMISMATCH, MF_ECORRUPT, MF_EVERSION, MF_ECLOSED
 * (sealed), MF_EVALUE (bad schema), -errno. [any-thread] */
MF_API MF_MUST_CHECK int mf_metrics_open(const char *path, const struct mf_metrics_schema *schemas,
                                         size_t schema_count,
                                         const struct mf_metrics_options *options,
                                         const struct mf_env *env, struct mf_metrics **ret_store,
                                         struct mf_errinfo *err);

/* Makes durable, marks the store as closed in good order, frees it. NULL is allowed. On an error
 * the store is freed all the same. [owner-thread] */
MF_API int mf_metrics_close(struct mf_metrics *store, struct mf_errinfo *err);

/* Makes everything recorded so far durable against power loss. After a failure the store is
 * poisoned: recording goes on in memory, every later sync returns MF_EPOISONED. [owner-thread] */
MF_API MF_MUST_CHECK int mf_metrics_sync(struct mf_metrics *store, struct mf_errinfo *err);

/* ---- series ---- */

struct mf_series_spec {
    enum mf_series_type type;
    const char *name; /* [a-zA-Z_:][a-zA-Z0-9_:]* */
    const struct mf_label *labels;
    size_t label_count; /* 0 .. MF_METRICS_LABELS_MAX; any order; a repeated name is MF_EVALUE */
    const char *unit;   /* "seconds", "bytes", or NULL */
    const char *help;   /* one sentence, or NULL */
};

/* Finds or makes the series with that name and those labels. Everything in `spec` is [copy]. A
 * series that exists with another type is MF_EMISMATCH; a full schema is MF_ELIMIT and says how
 * many it holds; no schema that matches is MF_ENOTFOUND. [owner-thread] */
MF_API MF_MUST_CHECK int mf_metrics_register(struct mf_metrics *store,
                                             const struct mf_series_spec *spec,
                                             mf_series *ret_series, struct mf_errinfo *err);

/* Forgets a series and its data; its handle becomes MF_ESTALE and its column free. The removal is
 * durable when this returns. No other thread may add to it meanwhile. [owner-thread] */
MF_API MF_MUST_CHECK int mf_metrics_unregister(struct mf_metrics *store, mf_series series,
                                               struct mf_errinfo *err);

/* ---- recording ---- */

/* Sets the store's clock to the caller's wall time and takes a sample of every counter that was
 * added to. Recording without a time uses this clock: until the first tick it is MF_EVALUE. Cheap;
 * call it at the rate of the finest tier or faster. [owner-thread] */
MF_API int mf_metrics_tick(struct mf_metrics *store, int64_t now_wall_ns);

/* Records one value of a gauge, or one observation of a histogram, at the ticked clock or at
 * `wall_ns`. Returns 0, MF_ESTALE (handle), MF_EVALUE (NaN, infinite, negative for a histogram, a
 * counter's handle), MF_ELATE, MF_EFUTURE. [owner-thread] */
MF_API int mf_metrics_record(struct mf_metrics *store, mf_series series, double value);
MF_API int mf_metrics_record_at(struct mf_metrics *store, mf_series series, double value,
                                int64_t wall_ns);

/* Records values[i] of series[i] for all i in [0, count) at one time. All handles and values are
 * checked before the first is recorded: on MF_ESTALE or MF_EVALUE nothing was. A value that is late
 * or future for its series is counted and left out, the others are recorded, and that code is
 * returned. [owner-thread] */
MF_API int mf_metrics_record_batch(struct mf_metrics *store, const mf_series *series,
                                   const double *values, size_t count, int64_t wall_ns);

/* Records the total of a counter that is kept elsewhere (a kernel counter, another program's). A
 * total below the one before is a reset (`counter_resets`): the stored total goes on growing from
 * where it was. Do not mix with mf_counter_add() on one series. [owner-thread] */
MF_API int mf_metrics_observe_total(struct mf_metrics *store, mf_series series, double total);
MF_API int mf_metrics_observe_total_at(struct mf_metrics *store, mf_series series, double total,
                                       int64_t wall_ns);

/* One thread's shard of every counter. Visible only so that mf_counter_add() can be inlined. */
struct mf_counter_writer {
    const mf_series *handles; /* handles[i] is the live handle of series i, or 0 */
    uint64_t *values;         /* values[i] is what this thread added to series i */
    uint64_t count;           /* of both */
    struct mf_metrics *store;
    uint64_t shard;
};

/* Gives the calling thread a shard; MF_ELIMIT when writers_max are in use. The writer is for one
 * thread at a time; end it before the store is closed. [any-thread] */
MF_API MF_MUST_CHECK int mf_counter_writer_begin(struct mf_metrics *store,
                                                 struct mf_counter_writer *ret_writer,
                                                 struct mf_errinfo *err);
MF_API void mf_counter_writer_end(struct mf_counter_writer *writer);

/* Adds to a counter: no lock, no atomic read-modify-write. Increments belong to the slot of the
 * tick before them. Returns 0 or MF_ESTALE. [the writer's thread] */
static inline int mf_counter_add(struct mf_counter_writer *writer, mf_series series,
                                 uint64_t increment)
{
    uint64_t index = series & 0xFFFFFFFFu;
    if (__builtin_expect(index >= writer->count || series == 0 ||
                             __atomic_load_n(&writer->handles[index], __ATOMIC_RELAXED) != series,
                         0)) {
        return MF_ESTALE;
    }
    __atomic_store_n(&writer->values[index], writer->values[index] + increment, __ATOMIC_RELAXED);
    return 0;
}

/* Moves what is complete from the open slots of idle series into the rings. It never changes what a
 * query answers, whenever and however often it is called. Returns the number of series moved.
 * [owner-thread] */
MF_API int mf_metrics_consolidate(struct mf_metrics *store);

/* Counts kept with the store. */
struct mf_metrics_stats {
    uint64_t late_merged;
    uint64_t late_refused;
    uint64_t future_refused;
    uint64_t value_refused; /* NaN, infinite, negative for a histogram */
    uint64_t backward_steps;
    uint64_t counter_resets;
    uint64_t recoveries; /* opens after a writer that did not close */
    uint64_t repaired;   /* damaged pieces that recovery cleared */
    uint64_t file_bytes;
    uint32_t series;
    uint32_t series_max;
};

/* ---- reading ---- */

/* Opens a store (being written, closed, or sealed) for reading; needs read permission only.
 * Errors: MF_ENOTFOUND (no store in `path`), MF_EFORMAT, MF_EVERSION, MF_ECORRUPT, -errno.
 * [any-thread] */
MF_API MF_MUST_CHECK int mf_metrics_reader_open(const char *path, const struct mf_env *env,
                                                struct mf_metrics_reader **ret_reader,
                                                struct mf_errinfo *err);
MF_API void mf_metrics_reader_close(struct mf_metrics_reader *reader); /* NULL is allowed */

/* A reader of a store that this process has open for writing. Close it before the store.
 * [owner-thread]; the reader itself may then be used by any one thread. */
MF_API MF_MUST_CHECK int mf_metrics_reader_of(struct mf_metrics *store,
                                              struct mf_metrics_reader **ret_reader,
                                              struct mf_errinfo *err);

enum mf_metrics_state {
    MF_METRICS_WRITING = 1, /* a writer has it open now */
    MF_METRICS_CLOSED = 2,  /* closed in good order */
    MF_METRICS_ABANDONED =
        3,                /* the writer died; the next open repairs it, reading works as it is */
    MF_METRICS_SEALED = 4 /* compressed into an archive */
};

struct mf_metrics_info {
    enum mf_metrics_state state;
    int64_t created_wall_ns;
    int64_t clock_wall_ns; /* the store's clock: the newest tick or sample; 0 when there is none */
    int64_t first_wall_ns; /* start of the oldest slot ever recorded; 0 when there is none */
    uint32_t schema_count;
    struct mf_metrics_stats stats;
};
MF_API void mf_metrics_reader_info(const struct mf_metrics_reader *reader,
                                   struct mf_metrics_info *ret_info);
/* Schema `index` < schema_count; the strings are borrowed until the reader is closed. */
MF_API void mf_metrics_reader_schema(const struct mf_metrics_reader *reader, uint32_t index,
                                     struct mf_metrics_schema *ret_schema);

/* What one slot of one series says. */
struct mf_point {
    int64_t start_ns; /* wall time of the slot's start */
    uint64_t count;   /* values recorded in it */
    double sum; /* of a gauge or histogram: of the values; of a counter: its increase in the slot */
    double min;
    double max;
    double first;
    double last; /* of a counter: the total at the end of the slot */
    uint32_t flags;
};
#define MF_POINT_OPEN        1u /* its interval is not over yet: more may come */
#define MF_POINT_APPROXIMATE 2u /* rounded as docs/metrics.md says under "Precision" */

enum mf_metrics_function {
    MF_FUNCTION_NONE = 0,
    MF_FUNCTION_INCREASE = 1, /* of counters: growth since the point before; sum holds it */
    MF_FUNCTION_RATE = 2,     /* of counters: growth per second */
    MF_FUNCTION_QUANTILE = 3  /* of histograms: the quantile of each slot */
};

struct mf_metrics_query {
    const char *selector; /* `name{a="b",c!="d",e=~"x.*",f!~"y"}`; NULL or "" for every series */
    int64_t start_ns;     /* slots that overlap [start_ns, end_ns) are returned */
    int64_t end_ns;
    int tier; /* index, or MF_TIER_AUTO: the finest that still retains start_ns */
    enum mf_metrics_function function;
    double quantile; /* 0 .. 1, for MF_FUNCTION_QUANTILE */
};
#define MF_TIER_AUTO   (-1)
#define MF_TIER_FINEST (-2) /* mf_metrics_visit(): each time in the finest that still has it */
#define MF_TIER_LATEST (-3) /* mf_metrics_visit(): only the newest point of each series */

struct mf_series_result {
    const char *name;
    const struct mf_label *labels; /* sorted by name */
    size_t label_count;
    const char *text; /* `name{a="b"}` */
    const char *unit; /* "" when none was given */
    const char *help;
    enum mf_series_type type;
    uint32_t schema;
    uint32_t tier;
    int64_t interval_ns;
    int64_t retained_from_ns; /* older slots of this tier are gone */
    bool partial;             /* the range begins before retained_from_ns, and data was there */
    size_t missing;           /* slots without a value between the first and the last point */
    struct mf_point *points;  /* chronological */
    double *values; /* the function's result per point (NaN: none); NULL without function */
    size_t point_count;
};

struct mf_metrics_result {
    struct mf_series_result *series; /* sorted by name, then labels */
    size_t series_count;
};

/* Answers a query. Whole points only, also while the writer runs.
 * Errors: MF_ESYNTAX (selector: says at which character), MF_EVALUE (range, tier, quantile,
 * function on the wrong type), MF_EBUSY, -ENOMEM. Matching nothing is an empty result. [any-thread,
 * one at a time per reader] */
MF_API MF_MUST_CHECK int mf_metrics_query(struct mf_metrics_reader *reader,
                                          const struct mf_metrics_query *query,
                                          struct mf_metrics_result **ret_result,
                                          struct mf_errinfo *err);
MF_API void mf_metrics_result_free(struct mf_metrics_result *result); /* NULL is allowed */

struct mf_histogram; /* a distribution, see below */

/* A query that gives its points one at a time, in memory that does not grow with the range. Each
 * callback may be NULL but `series`, and returns 0 or a negative code that ends the visit. The
 * order is that of mf_metrics_query(). */
struct mf_metrics_visitor {
    /* The next series that matches; `points` and the members that depend on a range are empty. It
     * lives until `end` returns. A later *start_ns leaves out what is before; MF_VISIT_SKIP leaves
     * out all. */
    int (*series)(void *context, const struct mf_series_result *series, int64_t *start_ns);
    /* Its next point. interval_ns: of the tier it is from. buckets: of a histogram, until it
     * returns. */
    int (*point)(void *context, const struct mf_point *point, int64_t interval_ns,
                 const struct mf_histogram *buckets);
    int (*end)(void *context); /* its last point was given; not called after MF_VISIT_SKIP */
    void *context;
};
#define MF_VISIT_SKIP 1

/* As mf_metrics_query(), but for functions, which are ignored. Errors: also those of the callbacks,
 * whose message is left as it is when `err` has one. [any-thread, one at a time per reader] */
MF_API MF_MUST_CHECK int mf_metrics_visit(struct mf_metrics_reader *reader,
                                          const struct mf_metrics_query *query,
                                          const struct mf_metrics_visitor *visitor,
                                          struct mf_errinfo *err);

/* A distribution over a whole range, merged from the slots of a histogram. */
/* Merges all slots of the matching histograms in the query's range (function is ignored).
 * MF_EVALUE when a match is no histogram. The result is the caller's. */
MF_API MF_MUST_CHECK int mf_metrics_query_histogram(struct mf_metrics_reader *reader,
                                                    const struct mf_metrics_query *query,
                                                    struct mf_histogram **ret_histogram,
                                                    struct mf_errinfo *err);
MF_API void mf_histogram_free(struct mf_histogram *histogram);
MF_API uint64_t mf_histogram_count(const struct mf_histogram *histogram);
MF_API double mf_histogram_sum(const struct mf_histogram *histogram);
/* The value at quantile q in [0, 1]; NaN when it is empty. The relative error is at most
 * mf_histogram_error() for values in [2^-20, 2^44), and the result lies within the observed min and
 * max. */
MF_API double mf_histogram_quantile(const struct mf_histogram *histogram, double quantile);
MF_API double mf_histogram_error(const struct mf_histogram *histogram);
/* Values <= bound, for the cumulative buckets of exposition formats; exact when bound is a power of
 * two from 2^-20 to 2^44 and mf_histogram_error() below 1. */
MF_API uint64_t mf_histogram_count_below(const struct mf_histogram *histogram, double bound);

/* ---- many stores; sealing ---- */

/* Calls visit with the path of every store at and below the directory `root`, in order of their
 * paths; a non-zero return ends it and is returned. Symbolic links are not followed, nothing inside
 * a store is looked at, and what cannot be listed below `root` is left out. [any-thread] */
MF_API MF_MUST_CHECK int mf_metrics_discover(const char *root, const struct mf_env *env,
                                             int (*visit)(void *context, const char *path),
                                             void *context, struct mf_errinfo *err);

struct mf_metrics_seal_report {
    uint64_t slab_bytes;    /* before */
    uint64_t archive_bytes; /* after */
    uint64_t series;
    uint64_t points;        /* slots, over all series and tiers */
    uint64_t finest_points; /* slots of the first tiers */
};

/* Compresses a store that nobody writes into `metrics.archive`, reads that back and compares it,
 * and only then removes `metrics.slab`. Queries answer the same as before. A store that was
 * abandoned is repaired first. Done again after an interruption at any point it completes. Errors:
 * MF_ELOCKED (a writer has it), MF_ECLOSED (sealed already), MF_ENOTFOUND, MF_ECORRUPT, -ENOSPC,
 * -errno; on each of them the slab is still there. ret_report may be NULL. [any-thread] */
MF_API MF_MUST_CHECK int mf_metrics_seal(const char *path, const struct mf_env *env,
                                         struct mf_metrics_seal_report *ret_report,
                                         struct mf_errinfo *err);

struct mf_metrics_verify_report {
    uint32_t state; /* enum mf_metrics_state */
    uint64_t file_bytes;
    uint64_t series;
    uint64_t points;
    uint64_t blocks; /* of an archive: that were checked against their checksums */
};

/* Reads everything in a store and checks it: checksums, order, ranges, that minimum <= maximum and
 * so on. MF_ECORRUPT says what is wrong first, and where. ret_report may be NULL. [any-thread] */
MF_API MF_MUST_CHECK int mf_metrics_verify(const char *path, const struct mf_env *env,
                                           struct mf_metrics_verify_report *ret_report,
                                           struct mf_errinfo *err);

#ifdef __cplusplus
}
#endif
#endif
