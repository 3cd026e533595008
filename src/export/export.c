/* SPDX-License-Identifier: Apache-2.0
 *
 * export.c -- what the module is, and the choice of the format.
 *
 * WHAT
 *   Takes points from a store (mf_metrics_visit, in order, one at a time) and gives them away:
 *     openmetrics.c   OpenMetrics text, newest values or a range
 *     tabular.c       CSV and JSON
 *     push_store.c    one store to one remote write peer, with a cursor (cursor.c)
 *     push_batch.c    one batch, until each sample is stored or refused
 *     push_all.c      a folder of stores
 *     pusher.c        configuration
 *     peer.c          HTTP: libcurl and snappy, and nothing else knows them
 *     wire.c          the messages
 *     names.c, buckets.c   what names and buckets exported series have
 *
 * VALIDITY
 *   A sample is sent at most once to a peer that acknowledges, and again when the acknowledgement
 * was lost; the value is the same then, which receivers take as no change or refuse as a duplicate.
 * Times within a series ascend. No label is given twice.
 *
 * WRITE PATH
 *   Batch -> message -> snappy -> POST -> 2xx (for 2.0: and the count of written samples) -> cursor
 *   entries -> cursor file, replaced and synced. In this order, so that a crash between two steps
 * repeats work and loses nothing. Nothing is held over the exchange: readers take no lock at all.
 *
 * RECOVERY
 *   A cursor file that is damaged or missing: all that is retained is sent; what the peer has it
 * refuses as old, one sample at a time from the old end (push_batch.c), until it takes the rest. A
 * store whose writer died: its open slots are read from the slab and sent like the others.
 *
 * CONCURRENCY
 *   A pusher belongs to one thread at a time. The writer of a store does not notice.
 *
 * LIMITS
 *   A value that arrives late, for a slot that was sent already, stays in the store only: receivers
 * do not take a second value for one time. A histogram counts from the first push of its series (or
 * the begin of what is retained); when its cursor is lost it begins again, which receivers see as a
 * reset.
 */
#include "tabular.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>

struct mf_exporter {
    struct tabular tabular;
    size_t stores;
};

int mf_exporter_new(enum mf_export_format format, mf_export_write write, void *context,
                    struct mf_exporter **ret_exporter, struct mf_errinfo *err)
{
    if (format < MF_EXPORT_OPENMETRICS || format > MF_EXPORT_JSON) {
        return mf_fail(err, MF_EVALUE, "export format %d is unknown", (int)format);
    }
    struct mf_exporter *exporter = mf_calloc(1, sizeof *exporter);
    if (exporter == NULL) {
        return mf_fail_os(err, -ENOMEM, "export");
    }
    exporter->tabular.format = format;
    exporter->tabular.sink.write = write;
    exporter->tabular.sink.context = context;
    *ret_exporter = exporter;
    return 0;
}

int mf_exporter_add(struct mf_exporter *exporter, const char *store,
                    struct mf_metrics_reader *reader, const struct mf_metrics_query *query,
                    struct mf_errinfo *err)
{
    struct tabular *t = &exporter->tabular;
    exporter->stores++;
    if (t->format != MF_EXPORT_OPENMETRICS) {
        t->store = store;
        if (!t->begun) {
            mf__tabular_begin(t);
        }
        return mf__tabular_add(t, reader, query, err);
    }
    if (query->function != MF_FUNCTION_NONE) {
        return mf_fail(err, MF_EVALUE, "OpenMetrics has no place for functions; use CSV or JSON");
    }
    if (exporter->stores > 1) {
        return mf_fail(err, MF_EVALUE, "an OpenMetrics text is of one store");
    }
    return mf__export_openmetrics_range(reader, query, t->sink.write, t->sink.context, err);
}

int mf_exporter_finish(struct mf_exporter *exporter, struct mf_errinfo *err)
{
    struct tabular *t = &exporter->tabular;
    if (t->format == MF_EXPORT_OPENMETRICS) {
        return 0;
    }
    if (!t->begun) {
        mf__tabular_begin(t);
    }
    int rc = mf__tabular_finish(t);
    return rc == 0 ? 0 : mf_fail_os(err, rc, "export");
}

void mf_exporter_free(struct mf_exporter *exporter)
{
    if (exporter != NULL) {
        mf_buffer_free(&exporter->tabular.sink.text);
        mf_free(exporter);
    }
}

int mf_export_range(struct mf_metrics_reader *reader, const struct mf_metrics_query *query,
                    enum mf_export_format format, mf_export_write write, void *context,
                    struct mf_errinfo *err)
{
    struct mf_exporter *exporter;
    int rc = mf_exporter_new(format, write, context, &exporter, err);
    if (rc == 0) {
        rc = mf_exporter_add(exporter, NULL, reader, query, err);
        rc = rc == 0 ? mf_exporter_finish(exporter, err) : rc;
        mf_exporter_free(exporter);
    }
    return rc;
}
