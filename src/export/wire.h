/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.h -- a batch of samples, and its remote write messages in Protocol Buffers.
 *
 * Remote write 1.0 (prometheus.WriteRequest):
 *   1 timeseries { 1 labels { 1 name  2 value }  2 samples { 1 value double  2 timestamp ms } }
 * Remote write 2.0 (io.prometheus.write.v2.Request):
 *   4 symbols, the first one empty
 *   5 timeseries { 1 labels_refs, packed  2 samples { 1 value  2 timestamp }
 *                  5 metadata { 1 type  3 help_ref  4 unit_ref } }
 * Start times (2.0's created_timestamp, in two incompatible drafts) are left out; both drafts allow
 * it.
 */
#ifndef EXPORT_WIRE_H
#define EXPORT_WIRE_H

#include "base/buffer.h"
#include <mayfly/metrics.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_sample {
    double value;
    int64_t time_ms;
};

struct wire_label {
    size_t name; /* offsets into wire_batch.text */
    size_t value;
};

struct wire_series {
    size_t label_first;
    size_t label_count;
    size_t sample_first;
    size_t sample_count;
    size_t help; /* offsets into wire_batch.text; help and unit may be empty */
    size_t unit;
    enum mf_series_type type;
};

/* Zero-initialised is empty. `failed` is set when memory ran out; the content is incomplete then.
 */
struct wire_batch {
    struct mf_buffer text; /* NUL-terminated strings */
    struct wire_label *labels;
    size_t label_count;
    size_t label_capacity;
    struct wire_series *series;
    size_t series_count;
    size_t series_capacity;
    struct wire_sample *samples;
    size_t sample_count;
    size_t sample_capacity;
    bool failed;
};

void mf__wire_batch_clear(struct wire_batch *batch); /* keeps the memory */
void mf__wire_batch_free(struct wire_batch *batch);

/* Begins a series named `name` + `suffix`, with labels and then the external ones; the first of a
 * name wins, and they are sorted. le: the bound of a bucket; "" on the other series of a histogram;
 * NULL on everything else. Where it is given, a label `le` of the series is called `exported_le`.
 * Samples that follow belong to it, in ascending time. */
void mf__wire_batch_series(struct wire_batch *batch, const char *name, const char *suffix,
                           const char *le, const struct mf_label *labels, size_t label_count,
                           const struct mf_label *external, size_t external_count);
/* What metadata says of the series begun last. */
void mf__wire_batch_metadata(struct wire_batch *batch, enum mf_series_type type, const char *help,
                             const char *unit);
void mf__wire_batch_sample(struct wire_batch *batch, double value, int64_t time_ms);

/* The series that holds sample `index`. */
size_t mf__wire_batch_series_of(const struct wire_batch *batch, size_t index);
/* Appends `name{a="b"}` of a series, for messages. */
void mf__wire_batch_describe(const struct wire_batch *batch, size_t series, struct mf_buffer *out);

/* Appends the message with samples [first, end). -ENOMEM. */
int mf__wire_encode_v1(const struct wire_batch *batch, size_t first, size_t end,
                       struct mf_buffer *out);
int mf__wire_encode_v2(const struct wire_batch *batch, size_t first, size_t end,
                       struct mf_buffer *out);

#endif
