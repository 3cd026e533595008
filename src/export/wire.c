/* SPDX-License-Identifier: Apache-2.0
 * wire.c -- see wire.h. */
#include "wire.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/varint.h"

#include <errno.h>
#include <string.h>

/* Wire types of Protocol Buffers. */
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

/* prometheus.MetricMetadata.MetricType has the same numbers in both versions. */
enum { METADATA_COUNTER = 1, METADATA_GAUGE = 2, METADATA_HISTOGRAM = 3 };

/* ---- batches ---- */

void mf__wire_batch_clear(struct wire_batch *batch)
{
    mf_buffer_clear(&batch->text);
    batch->label_count = 0;
    batch->series_count = 0;
    batch->sample_count = 0;
    batch->failed = false;
}

void mf__wire_batch_free(struct wire_batch *batch)
{
    mf_buffer_free(&batch->text);
    mf_free(batch->labels);
    mf_free(batch->series);
    mf_free(batch->samples);
    *batch = (struct wire_batch){0};
}

/* Room for one more; NULL when memory is out or was out before. */
static void *grow(struct wire_batch *batch, void *items, size_t count, size_t *capacity,
                  size_t size)
{
    if (batch->failed) {
        return NULL;
    }
    if (count < *capacity) {
        return items;
    }
    const size_t more = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = mf_realloc(items, more * size);
    if (grown == NULL) {
        batch->failed = true;
        return NULL;
    }
    *capacity = more;
    return grown;
}

static size_t keep_text(struct wire_batch *batch, const char *text, const char *suffix)
{
    const size_t at = batch->text.len;
    mf_buffer_puts(&batch->text, text);
    mf_buffer_puts(&batch->text, suffix);
    mf_buffer_putc(&batch->text, '\0');
    batch->failed = batch->failed || batch->text.failed;
    return at;
}

static const char *text_at(const struct wire_batch *batch, size_t offset)
{
    return batch->text.data + offset;
}

/* Inserts into the labels of the series begun last, which stay sorted; an existing name stays. */
static void insert_label(struct wire_batch *batch, const char *name, const char *value,
                         const char *value_suffix)
{
    struct wire_series *series = &batch->series[batch->series_count - 1];
    struct wire_label *grown = grow(batch, batch->labels, batch->label_count,
                                    &batch->label_capacity, sizeof *batch->labels);
    if (grown == NULL) {
        return;
    }
    batch->labels = grown;
    size_t at = batch->label_count;
    while (at > series->label_first) {
        const int order = strcmp(text_at(batch, batch->labels[at - 1].name), name);
        if (order == 0) {
            return;
        }
        if (order < 0) {
            break;
        }
        at--;
    }
    const struct wire_label label = {keep_text(batch, name, ""),
                                     keep_text(batch, value, value_suffix)};
    memmove(&batch->labels[at + 1], &batch->labels[at],
            (batch->label_count - at) * sizeof *batch->labels);
    batch->labels[at] = label;
    batch->label_count++;
    series->label_count++;
}

void mf__wire_batch_series(struct wire_batch *batch, const char *name, const char *suffix,
                           const char *le, const struct mf_label *labels, size_t label_count,
                           const struct mf_label *external, size_t external_count)
{
    struct wire_series *grown = grow(batch, batch->series, batch->series_count,
                                     &batch->series_capacity, sizeof *batch->series);
    if (grown == NULL) {
        return;
    }
    batch->series = grown;
    batch->series[batch->series_count++] = (struct wire_series){
        .label_first = batch->label_count,
        .sample_first = batch->sample_count,
        .help = keep_text(batch, "", ""),
        .unit = keep_text(batch, "", ""),
        .type = MF_GAUGE,
    };
    insert_label(batch, "__name__", name, suffix);
    if (le != NULL && le[0] != '\0') {
        insert_label(batch, "le", le, "");
    }
    for (size_t i = 0; i < label_count; i++) {
        const bool taken = le != NULL && strcmp(labels[i].name, "le") == 0;
        insert_label(batch, taken ? "exported_le" : labels[i].name, labels[i].value, "");
    }
    for (size_t i = 0; i < external_count; i++) {
        const bool taken = le != NULL && strcmp(external[i].name, "le") == 0;
        insert_label(batch, taken ? "exported_le" : external[i].name, external[i].value, "");
    }
}

void mf__wire_batch_metadata(struct wire_batch *batch, enum mf_series_type type, const char *help,
                             const char *unit)
{
    if (batch->failed) {
        return;
    }
    struct wire_series *series = &batch->series[batch->series_count - 1];
    series->type = type;
    series->help = keep_text(batch, help, "");
    series->unit = keep_text(batch, unit, "");
}

void mf__wire_batch_sample(struct wire_batch *batch, double value, int64_t time_ms)
{
    struct wire_sample *grown = grow(batch, batch->samples, batch->sample_count,
                                     &batch->sample_capacity, sizeof *batch->samples);
    if (grown == NULL) {
        return;
    }
    batch->samples = grown;
    batch->samples[batch->sample_count++] = (struct wire_sample){value, time_ms};
    batch->series[batch->series_count - 1].sample_count++;
}

size_t mf__wire_batch_series_of(const struct wire_batch *batch, size_t index)
{
    MF_ASSERT(index < batch->sample_count);
    size_t low = 0;
    size_t high =
        batch->series_count; /* the last that begins at or before index is in [low, high) */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (batch->series[middle].sample_first <= index) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

void mf__wire_batch_describe(const struct wire_batch *batch, size_t series, struct mf_buffer *out)
{
    const struct wire_series *s = &batch->series[series];
    const struct wire_label *labels = batch->labels + s->label_first;
    for (size_t i = 0; i < s->label_count; i++) {
        if (strcmp(text_at(batch, labels[i].name), "__name__") == 0) {
            mf_buffer_puts(out, text_at(batch, labels[i].value));
        }
    }
    char before = '{';
    for (size_t i = 0; i < s->label_count; i++) {
        if (strcmp(text_at(batch, labels[i].name), "__name__") != 0) {
            mf_buffer_printf(out, "%c%s=\"%s\"", before, text_at(batch, labels[i].name),
                             text_at(batch, labels[i].value));
            before = ',';
        }
    }
    if (before == ',') {
        mf_buffer_putc(out, '}');
    }
}

/* ---- Protocol Buffers ---- */

static void put_varint(struct mf_buffer *out, uint64_t value)
{
    uint8_t bytes[MF_VARINT_LEN_MAX];
    mf_buffer_append(out, bytes, mf_varint_put(bytes, value));
}

static void put_tag(struct mf_buffer *out, unsigned field, unsigned wire_type)
{
    put_varint(out, field << 3 | wire_type);
}

static void put_bytes(struct mf_buffer *out, unsigned field, const void *bytes, size_t len)
{
    put_tag(out, field, WIRE_BYTES);
    put_varint(out, len);
    mf_buffer_append(out, bytes, len);
}

static size_t varint_len(uint64_t value)
{
    size_t len = 1;
    for (; value >= 0x80; value >>= 7) {
        len++;
    }
    return len;
}

/* A field of bytes with a one-byte tag: its whole length. */
static size_t bytes_len(size_t len)
{
    return 1 + varint_len(len) + len;
}

static void put_sample(struct mf_buffer *out, const struct wire_sample *sample)
{
    put_tag(out, 2, WIRE_BYTES);
    put_varint(out, 1 + sizeof(double) + 1 + varint_len((uint64_t)sample->time_ms));
    put_tag(out, 1, WIRE_FIXED64);
    mf_buffer_append(out, &sample->value, sizeof sample->value);
    put_tag(out, 2, WIRE_VARINT);
    put_varint(out, (uint64_t)sample->time_ms);
}

static size_t sample_len(const struct wire_sample *sample)
{
    return bytes_len(1 + sizeof(double) + 1 + varint_len((uint64_t)sample->time_ms));
}

/* The part of a series that lies in samples [first, end). */
struct slice {
    const struct wire_sample *samples;
    size_t count;
};

static struct slice slice_of(const struct wire_batch *batch, const struct wire_series *series,
                             size_t first, size_t end)
{
    const size_t from = series->sample_first > first ? series->sample_first : first;
    const size_t series_end = series->sample_first + series->sample_count;
    const size_t to = series_end < end ? series_end : end;
    return (struct slice){batch->samples + from, to > from ? to - from : 0};
}

int mf__wire_encode_v1(const struct wire_batch *batch, size_t first, size_t end,
                       struct mf_buffer *out)
{
    for (size_t i = 0; i < batch->series_count; i++) {
        const struct wire_series *series = &batch->series[i];
        const struct slice slice = slice_of(batch, series, first, end);
        if (slice.count == 0) {
            continue;
        }
        const struct wire_label *labels = batch->labels + series->label_first;
        size_t len = 0;
        for (size_t k = 0; k < series->label_count; k++) {
            len += bytes_len(bytes_len(strlen(text_at(batch, labels[k].name))) +
                             bytes_len(strlen(text_at(batch, labels[k].value))));
        }
        for (size_t k = 0; k < slice.count; k++) {
            len += sample_len(&slice.samples[k]);
        }
        put_tag(out, 1, WIRE_BYTES);
        put_varint(out, len);
        for (size_t k = 0; k < series->label_count; k++) {
            const char *name = text_at(batch, labels[k].name);
            const char *value = text_at(batch, labels[k].value);
            put_tag(out, 1, WIRE_BYTES);
            put_varint(out, bytes_len(strlen(name)) + bytes_len(strlen(value)));
            put_bytes(out, 1, name, strlen(name));
            put_bytes(out, 2, value, strlen(value));
        }
        for (size_t k = 0; k < slice.count; k++) {
            put_sample(out, &slice.samples[k]);
        }
    }
    return out->failed ? -ENOMEM : 0;
}

/* Strings of a 2.0 message, each once, in the order of their first use. */
struct symbols {
    const char **strings;
    size_t count;
    uint32_t *table; /* index + 1, open addressing; a power of two, at most half full */
    size_t mask;
};

static bool symbols_init(struct symbols *symbols, size_t strings_max)
{
    size_t slots = 16;
    while (slots < strings_max * 2) {
        slots *= 2;
    }
    *symbols = (struct symbols){
        .strings = mf_malloc(strings_max * sizeof *symbols->strings),
        .table = mf_calloc(slots, sizeof *symbols->table),
        .mask = slots - 1,
    };
    return symbols->strings != NULL && symbols->table != NULL;
}

static uint32_t symbol_of(struct symbols *symbols, const char *string)
{
    size_t at = mf_hash64(string, strlen(string)) & symbols->mask;
    while (symbols->table[at] != 0) {
        const uint32_t index = symbols->table[at] - 1;
        if (strcmp(symbols->strings[index], string) == 0) {
            return index;
        }
        at = (at + 1) & symbols->mask;
    }
    symbols->strings[symbols->count] = string;
    symbols->table[at] = (uint32_t)symbols->count + 1;
    return (uint32_t)symbols->count++;
}

static unsigned metadata_type(enum mf_series_type type)
{
    switch (type) {
    case MF_COUNTER:
        return METADATA_COUNTER;
    case MF_HISTOGRAM:
        return METADATA_HISTOGRAM;
    case MF_GAUGE:
        break;
    }
    return METADATA_GAUGE;
}

static void put_metadata(struct mf_buffer *out, struct symbols *symbols,
                         const struct wire_batch *batch, const struct wire_series *series)
{
    const uint32_t help = symbol_of(symbols, text_at(batch, series->help));
    const uint32_t unit = symbol_of(symbols, text_at(batch, series->unit));
    put_tag(out, 5, WIRE_BYTES);
    put_varint(out, 2 + 1 + varint_len(help) + 1 + varint_len(unit));
    put_tag(out, 1, WIRE_VARINT);
    put_varint(out, metadata_type(series->type));
    put_tag(out, 3, WIRE_VARINT);
    put_varint(out, help);
    put_tag(out, 4, WIRE_VARINT);
    put_varint(out, unit);
}

int mf__wire_encode_v2(const struct wire_batch *batch, size_t first, size_t end,
                       struct mf_buffer *out)
{
    struct mf_buffer all = MF_BUFFER_INIT;    /* the timeseries fields */
    struct mf_buffer series = MF_BUFFER_INIT; /* the content of one */
    struct mf_buffer refs = MF_BUFFER_INIT;
    struct symbols symbols;
    bool whole = symbols_init(&symbols, 1 + 2 * batch->label_count + 2 * batch->series_count);
    if (whole) {
        symbol_of(&symbols, "");
    }
    for (size_t i = 0; whole && i < batch->series_count; i++) {
        const struct wire_series *s = &batch->series[i];
        const struct slice slice = slice_of(batch, s, first, end);
        if (slice.count == 0) {
            continue;
        }
        mf_buffer_clear(&series);
        mf_buffer_clear(&refs);
        for (size_t k = 0; k < s->label_count; k++) {
            const struct wire_label *label = &batch->labels[s->label_first + k];
            put_varint(&refs, symbol_of(&symbols, text_at(batch, label->name)));
            put_varint(&refs, symbol_of(&symbols, text_at(batch, label->value)));
        }
        put_bytes(&series, 1, refs.data, refs.len);
        for (size_t k = 0; k < slice.count; k++) {
            put_sample(&series, &slice.samples[k]);
        }
        put_metadata(&series, &symbols, batch, s);
        put_bytes(&all, 5, series.data, series.len);
        whole = !series.failed && !refs.failed && !all.failed;
    }
    for (size_t i = 0; whole && i < symbols.count; i++) {
        put_bytes(out, 4, symbols.strings[i], strlen(symbols.strings[i]));
    }
    if (whole) {
        mf_buffer_append(out, all.data, all.len);
    }
    mf_free(symbols.strings);
    mf_free(symbols.table);
    mf_buffer_free(&all);
    mf_buffer_free(&series);
    mf_buffer_free(&refs);
    return whole && !out->failed ? 0 : -ENOMEM;
}
