/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_chunk.c -- a run of points of one series and tier as bytes, and back.
 *
 *   varint      number of points, 1 .. 4096
 *   section     slot numbers (column.c), sign bit flipped so that they ascend as unsigned
 *   section     kinds, a column
 *   of the points of each kind that occurs, in the order of enum chunk_kind, one column per field:
 *     CONST     count, value
 *     RANGE     count, exponent, minimum, max, first, last, mean: the fields of the packed slot
 *     TOTAL     count, total, increase; the increase as its distance from what the totals say
 *     RAW       exact, count, sum, min, max, first, last
 *   section     buckets of the points that have the flag, one after the other, each:
 *               varint halvings, varint pairs, and pairs of varints: distance to the next non-empty
 *               bucket, its count
 * A section is a varint length and that many bytes. A point that is derived has no fields: it is
 * what mf__aggregate_append() makes of the points of the next finer tier in its time, as it is or
 * packed; its buckets, without the flag, are the sum of theirs.
 */
#include "archive.h"
#include "column.h"

#include "base/heap.h"
#include "base/varint.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define HALVINGS_MAX 11

/* Where a field of a packed slot lies; see slot.h. */
struct field {
    bool in_hi;
    bool is_signed;
    uint8_t shift;
    uint8_t width;
};

#define FIELDS_MAX 7

static const struct layout {
    uint8_t mode;
    uint8_t count;
    struct field fields[FIELDS_MAX];
} layouts[] = {
    [CHUNK_CONST] = {1, 2, {{true, false, 0, 54}, {false, false, 0, 64}}},
    [CHUNK_RANGE] = {2,
                     7,
                     {{true, false, 35, 19},
                      {true, false, 24, 11},
                      {true, true, 0, 24},
                      {false, false, 49, 15},
                      {false, false, 34, 15},
                      {false, false, 19, 15},
                      {false, false, 0, 19}}},
    [CHUNK_TOTAL] = {3, 3, {{true, false, 35, 19}, {false, false, 0, 64}, {true, false, 0, 35}}},
};
#define TOTAL_VALUE    1 /* which field the total is, */
#define TOTAL_INCREASE 2 /* and which the increase */
#define RAW_FIELDS     7

static uint64_t get_field(const struct mf__slot *slot, const struct field *field)
{
    const uint64_t word = (field->in_hi ? slot->hi : slot->lo) >> field->shift;
    const unsigned unused = 64 - field->width;
    return field->is_signed ? (uint64_t)((int64_t)(word << unused) >> unused)
                            : word << unused >> unused;
}

/* false when the value does not fit. */
static bool set_field(struct mf__slot *slot, const struct field *field, uint64_t value)
{
    const uint64_t mask = field->width == 64 ? UINT64_MAX : (UINT64_C(1) << field->width) - 1;
    const unsigned unused = 64 - field->width;
    const uint64_t kept =
        field->is_signed ? (uint64_t)((int64_t)(value << unused) >> unused) : value & mask;
    if (kept != value) {
        return false;
    }
    uint64_t *word = field->in_hi ? &slot->hi : &slot->lo;
    *word |= (value & mask) << field->shift;
    return true;
}

static uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double bits_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool mf__points_equal(const struct source_point *a, const struct source_point *b)
{
    const struct mf__aggregate *x = &a->aggregate;
    const struct mf__aggregate *y = &b->aggregate;
    return a->slot == b->slot && a->exact == b->exact && x->count == y->count &&
           double_bits(x->sum) == double_bits(y->sum) &&
           double_bits(x->min) == double_bits(y->min) &&
           double_bits(x->max) == double_bits(y->max) &&
           double_bits(x->first) == double_bits(y->first) &&
           double_bits(x->last) == double_bits(y->last);
}

bool mf__chunk_packed(const struct mf__aggregate *merged, bool counter,
                      struct source_point *ret_point)
{
    return mf__slot_unpack(mf__slot_pack(merged, counter, 0), 0, &ret_point->aggregate,
                           &ret_point->exact);
}

enum chunk_kind mf__chunk_kind(const struct source_point *point, bool counter)
{
    struct source_point packed = {.slot = point->slot};
    const struct mf__slot slot = mf__slot_pack(&point->aggregate, counter, 0);
    if (!mf__slot_unpack(slot, 0, &packed.aggregate, &packed.exact) ||
        !mf__points_equal(point, &packed)) {
        return CHUNK_RAW;
    }
    for (enum chunk_kind kind = CHUNK_CONST; kind <= CHUNK_TOTAL; kind++) {
        if (slot.hi >> 62 == layouts[kind].mode) {
            return kind;
        }
    }
    return CHUNK_RAW;
}

/* The increase field that a counter has when its total went from one to the other. */
static uint64_t expected_increase(uint64_t before, uint64_t after)
{
    const double increase = bits_double(after) - bits_double(before);
    if (!isfinite(increase)) {
        return 0;
    }
    const struct mf__aggregate a = {.count = 1, .sum = increase, .last = bits_double(after)};
    const struct mf__slot slot = mf__slot_pack(&a, true, 0);
    return get_field(&slot, &layouts[CHUNK_TOTAL].fields[TOTAL_INCREASE]);
}

/* ---- buckets ---- */

static void put_varint(struct mf_buffer *out, uint64_t value)
{
    uint8_t bytes[MF_VARINT_LEN_MAX];
    mf_buffer_append(out, bytes, mf_varint_put(bytes, value));
}

void mf__buckets_encode(const struct mf_histogram *histogram, struct mf_buffer *out)
{
    uint32_t pairs = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        pairs += histogram->buckets[i] != 0 ? 1 : 0;
    }
    put_varint(out, histogram->halvings);
    put_varint(out, pairs);
    uint32_t next = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] != 0) {
            put_varint(out, i - next);
            put_varint(out, histogram->buckets[i]);
            next = i + 1;
        }
    }
}

int mf__buckets_decode(const uint8_t *in, size_t len, struct mf_histogram *into, size_t *ret_len)
{
    uint64_t numbers[2];
    size_t at = 0;
    uint64_t index = 0;
    uint64_t pairs = 0;
    for (uint64_t i = 0; i <= pairs; i++) {
        for (size_t k = 0; k < 2; k++) {
            const size_t used = mf_varint_get(in + at, len - at, &numbers[k]);
            if (used == 0) {
                return MF_ECORRUPT;
            }
            at += used;
        }
        if (i == 0) {
            if (numbers[0] > HALVINGS_MAX || numbers[1] > HISTOGRAM_BUCKETS) {
                return MF_ECORRUPT;
            }
            into->halvings = numbers[0] > into->halvings ? (unsigned)numbers[0] : into->halvings;
            pairs = numbers[1];
            continue;
        }
        if (numbers[0] >= HISTOGRAM_BUCKETS - index || numbers[1] == 0) {
            return MF_ECORRUPT;
        }
        index += numbers[0];
        into->buckets[index++] += numbers[1];
        into->count += numbers[1];
    }
    *ret_len = at;
    return 0;
}

/* ---- encoding ---- */

static int put_column(struct chunk *chunk, size_t count, struct mf__packer *packer,
                      struct mf_buffer *column, struct mf_buffer *out)
{
    mf_buffer_clear(column);
    int rc = mf__column_encode(chunk->words, count, packer != NULL ? mf__packer_estimate : NULL,
                               packer, column);
    put_varint(out, column->len);
    mf_buffer_append(out, column->data, column->len);
    return rc;
}

static uint64_t raw_field(const struct source_point *point, unsigned field)
{
    const struct mf__aggregate *a = &point->aggregate;
    const uint64_t values[RAW_FIELDS] = {
        point->exact ? 1 : 0, a->count,
        double_bits(a->sum),  double_bits(a->min),
        double_bits(a->max),  double_bits(a->first),
        double_bits(a->last),
    };
    return values[field];
}

/* Gathers one field of all points of a kind in chunk->words; returns how many there are. */
static size_t gather(struct chunk *chunk, enum chunk_kind kind, unsigned field)
{
    size_t count = 0;
    uint64_t total_before = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        if ((chunk->kinds[i] & CHUNK_KIND) != kind) {
            continue;
        }
        if (kind == CHUNK_RAW) {
            chunk->words[count++] = raw_field(&chunk->points[i], field);
            continue;
        }
        const bool counter = kind == CHUNK_TOTAL;
        const struct mf__slot slot = mf__slot_pack(&chunk->points[i].aggregate, counter, 0);
        uint64_t word = get_field(&slot, &layouts[kind].fields[field]);
        if (kind == CHUNK_TOTAL && field == TOTAL_INCREASE) {
            word -= expected_increase(total_before, slot.lo);
            total_before = slot.lo;
        }
        chunk->words[count++] = word;
    }
    return count;
}

int mf__chunk_encode(struct chunk *chunk, struct mf__packer *packer, struct mf_buffer *out)
{
    struct mf_buffer section = MF_BUFFER_INIT;
    put_varint(out, chunk->count);
    for (size_t i = 0; i < chunk->count; i++) {
        chunk->words[i] = (uint64_t)chunk->points[i].slot ^ (UINT64_C(1) << 63);
    }
    mf__slots_encode(chunk->words, chunk->count, &section);
    put_varint(out, section.len);
    mf_buffer_append(out, section.data, section.len);
    for (size_t i = 0; i < chunk->count; i++) {
        chunk->words[i] = chunk->kinds[i];
    }
    int rc = section.failed ? -ENOMEM : put_column(chunk, chunk->count, packer, &section, out);
    for (enum chunk_kind kind = CHUNK_CONST; rc == 0 && kind <= CHUNK_RAW; kind++) {
        const unsigned fields = kind == CHUNK_RAW ? RAW_FIELDS : layouts[kind].count;
        for (unsigned field = 0; rc == 0 && field < fields; field++) {
            const size_t count = gather(chunk, kind, field);
            if (count == 0) {
                break;
            }
            rc = put_column(chunk, count, packer, &section, out);
        }
    }
    put_varint(out, chunk->buckets.len);
    mf_buffer_append(out, chunk->buckets.data, chunk->buckets.len);
    mf_buffer_free(&section);
    return rc == 0 && (out->failed || chunk->buckets.failed) ? -ENOMEM : rc;
}

/* ---- decoding ---- */

struct input {
    const uint8_t *at;
    const uint8_t *end;
};

static int take_section(struct input *in, struct input *ret_section)
{
    uint64_t len;
    const size_t used = mf_varint_get(in->at, (size_t)(in->end - in->at), &len);
    if (used == 0 || len > (uint64_t)(in->end - in->at) - used) {
        return MF_ECORRUPT;
    }
    *ret_section = (struct input){in->at + used, in->at + used + len};
    in->at = ret_section->end;
    return 0;
}

static int take_column(struct input *in, struct chunk *chunk, size_t count)
{
    struct input section;
    int rc = take_section(in, &section);
    return rc != 0 ? rc
                   : mf__column_decode(section.at, (size_t)(section.end - section.at), count,
                                       chunk->words);
}

static bool set_raw_field(struct source_point *point, unsigned field, uint64_t word)
{
    struct mf__aggregate *a = &point->aggregate;
    double *const doubles[RAW_FIELDS] = {NULL,    NULL,      &a->sum, &a->min,
                                         &a->max, &a->first, &a->last};
    switch (field) {
    case 0:
        point->exact = word != 0;
        return word <= 1;
    case 1:
        a->count = word;
        return word != 0;
    default:
        *doubles[field] = bits_double(word);
        return isfinite(bits_double(word));
    }
}

/* Puts one field of all points of a kind where it belongs. Packed slots are put together in the
 * aggregate's first 16 bytes and unpacked when they are whole. */
static bool scatter(struct chunk *chunk, enum chunk_kind kind, unsigned field,
                    struct mf__slot *slots)
{
    size_t next = 0;
    uint64_t total_before = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        if ((chunk->kinds[i] & CHUNK_KIND) != kind) {
            continue;
        }
        uint64_t word = chunk->words[next++];
        if (kind == CHUNK_RAW) {
            if (!set_raw_field(&chunk->points[i], field, word)) {
                return false;
            }
            continue;
        }
        if (kind == CHUNK_TOTAL && field == TOTAL_INCREASE) {
            word += expected_increase(total_before, slots[i].lo);
            total_before = slots[i].lo;
        }
        if (field == 0) {
            slots[i] = (struct mf__slot){.hi = (uint64_t)layouts[kind].mode << 62};
        }
        if (!set_field(&slots[i], &layouts[kind].fields[field], word)) {
            return false;
        }
    }
    return true;
}

static bool is_finite_point(const struct source_point *point)
{
    const struct mf__aggregate *a = &point->aggregate;
    return a->count > 0 && isfinite(a->sum) && isfinite(a->min) && isfinite(a->max) &&
           isfinite(a->first) && isfinite(a->last);
}

static int take_kind(struct input *in, struct chunk *chunk, enum chunk_kind kind,
                     struct mf__slot *slots)
{
    const unsigned fields = kind == CHUNK_RAW ? RAW_FIELDS : layouts[kind].count;
    size_t count = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        count += (chunk->kinds[i] & CHUNK_KIND) == kind ? 1 : 0;
    }
    for (unsigned field = 0; count > 0 && field < fields; field++) {
        int rc = take_column(in, chunk, count);
        if (rc != 0) {
            return rc;
        }
        if (!scatter(chunk, kind, field, slots)) {
            return MF_ECORRUPT;
        }
    }
    for (size_t i = 0; i < chunk->count; i++) {
        struct source_point *point = &chunk->points[i];
        if ((chunk->kinds[i] & CHUNK_KIND) != kind) {
            continue;
        }
        if (kind != CHUNK_RAW && !mf__slot_unpack(slots[i], 0, &point->aggregate, &point->exact)) {
            return MF_ECORRUPT;
        }
        if (!is_finite_point(point)) {
            return MF_ECORRUPT;
        }
    }
    return 0;
}

static int take_buckets(struct input *in, struct chunk *chunk)
{
    struct input section;
    int rc = take_section(in, &section);
    if (rc != 0) {
        return rc;
    }
    struct mf_histogram *scratch = mf_calloc(1, sizeof *scratch);
    if (scratch == NULL) {
        return -ENOMEM;
    }
    mf_buffer_clear(&chunk->buckets);
    mf_buffer_append(&chunk->buckets, section.at, (size_t)(section.end - section.at));
    size_t at = 0;
    for (size_t i = 0; rc == 0 && i < chunk->count; i++) {
        size_t used = 0;
        chunk->bucket_offsets[i] = at;
        if ((chunk->kinds[i] & CHUNK_BUCKETS) != 0) {
            rc = mf__buckets_decode(section.at + at, (size_t)(section.end - section.at) - at,
                                    scratch, &used);
        }
        at += used;
    }
    mf_free(scratch);
    if (rc == 0 && at != (size_t)(section.end - section.at)) {
        rc = MF_ECORRUPT;
    }
    return rc == 0 && chunk->buckets.failed ? -ENOMEM : rc;
}

int mf__chunk_decode(const uint8_t *in, size_t len, struct chunk *chunk)
{
    struct input input = {in, in + len};
    struct input section;
    uint64_t count;
    const size_t used = mf_varint_get(in, len, &count);
    chunk->count = 0;
    if (used == 0 || count == 0 || count > ARCHIVE_CHUNK_POINTS) {
        return MF_ECORRUPT;
    }
    input.at += used;
    int rc = take_section(&input, &section);
    if (rc == 0) {
        rc = mf__slots_decode(section.at, (size_t)(section.end - section.at), count, chunk->words);
    }
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        chunk->points[i] =
            (struct source_point){.slot = (int64_t)(chunk->words[i] ^ (UINT64_C(1) << 63))};
    }
    rc = take_column(&input, chunk, count);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const uint64_t kind = chunk->words[i] & ~(uint64_t)CHUNK_BUCKETS;
        chunk->kinds[i] = (uint8_t)chunk->words[i];
        rc = kind < CHUNK_CONST || kind > CHUNK_DERIVED_PACKED ? MF_ECORRUPT : 0;
    }
    if (rc != 0) {
        return rc;
    }
    struct mf__slot *slots = mf_calloc(count, sizeof *slots);
    if (slots == NULL) {
        return -ENOMEM;
    }
    chunk->count = count;
    for (enum chunk_kind kind = CHUNK_CONST; rc == 0 && kind <= CHUNK_RAW; kind++) {
        rc = take_kind(&input, chunk, kind, slots);
    }
    mf_free(slots);
    rc = rc == 0 ? take_buckets(&input, chunk) : rc;
    if (rc == 0 && input.at != input.end) {
        rc = MF_ECORRUPT;
    }
    chunk->count = rc == 0 ? count : 0;
    return rc;
}
