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

int mf_export_range(struct mf_metrics_reader *reader, const struct mf_metrics_query *query,
                    enum mf_export_format format, mf_export_write write, void *context,
                    struct mf_errinfo *err)
{
    switch (format) {
    case MF_EXPORT_OPENMETRICS:
        if (query->function != MF_FUNCTION_NONE) {
            return mf_fail(err, MF_EVALUE,
                           "OpenMetrics has no place for functions; use CSV or JSON");
        }
        return mf__export_openmetrics_range(reader, query, write, context, err);
    case MF_EXPORT_CSV:
    case MF_EXPORT_JSON:
        return mf__export_tabular(reader, query, format, write, context, err);
    }
    return mf_fail(err, MF_EVALUE, "export format %d is unknown", (int)format);
}
