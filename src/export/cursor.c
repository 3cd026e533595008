/* SPDX-License-Identifier: Apache-2.0
 * cursor.c -- see cursor.h. */
#include "cursor.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/varint.h"

#include <errno.h>
#include <string.h>

#define CURSOR_MAGIC     "MFCURS\r\n"
#define CURSOR_VERSION   1u
#define CURSOR_HEADER    32
#define CURSOR_BYTES_MAX (UINT64_C(4) << 30) /* a million histograms with every bucket in use */

/* ---- entries by hash ---- */

static size_t place_of(const struct cursor *cursor, uint64_t hash, uint32_t check)
{
    size_t at = hash & cursor->mask;
    while (cursor->table[at] != 0) {
        const struct cursor_entry *entry = &cursor->entries[cursor->table[at] - 1];
        if (entry->hash == hash && entry->check == check) {
            break;
        }
        at = (at + 1) & cursor->mask;
    }
    return at;
}

/* Keeps the table at most half full. */
static bool make_room(struct cursor *cursor)
{
    if (cursor->count < cursor->capacity) {
        return true;
    }
    const size_t capacity = cursor->capacity == 0 ? 64 : cursor->capacity * 2;
    struct cursor_entry *entries = mf_realloc(cursor->entries, capacity * sizeof *cursor->entries);
    if (entries == NULL) {
        return false;
    }
    cursor->entries = entries;
    uint32_t *table = mf_calloc(capacity * 2, sizeof *table);
    if (table == NULL) {
        return false;
    }
    mf_free(cursor->table);
    cursor->table = table;
    cursor->mask = capacity * 2 - 1;
    cursor->capacity = capacity;
    for (size_t i = 0; i < cursor->count; i++) {
        table[place_of(cursor, entries[i].hash, entries[i].check)] = (uint32_t)i + 1;
    }
    return true;
}

static struct cursor_entry *entry_of(struct cursor *cursor, uint64_t hash, uint32_t check)
{
    if (!make_room(cursor)) {
        return NULL;
    }
    const size_t at = place_of(cursor, hash, check);
    if (cursor->table[at] != 0) {
        return &cursor->entries[cursor->table[at] - 1];
    }
    cursor->entries[cursor->count] = (struct cursor_entry){
        .hash = hash, .check = check, .until_ns = INT64_MIN, .open_ms = INT64_MIN};
    cursor->table[at] = (uint32_t)cursor->count + 1;
    return &cursor->entries[cursor->count++];
}

struct cursor_entry *mf__cursor_entry_of(struct cursor *cursor, const char *series_text)
{
    const size_t len = strlen(series_text);
    struct cursor_entry *entry =
        entry_of(cursor, mf_hash64(series_text, len), mf_crc32c(0, series_text, len));
    if (entry != NULL) {
        entry->seen = true;
    }
    return entry;
}

bool mf__cursor_forget_unseen(struct cursor *cursor)
{
    size_t kept = 0;
    for (size_t i = 0; i < cursor->count; i++) {
        if (cursor->entries[i].seen) {
            cursor->entries[kept++] = cursor->entries[i];
        } else {
            mf_free(cursor->entries[i].totals);
        }
    }
    const bool any = kept < cursor->count;
    cursor->count = kept;
    if (any) {
        memset(cursor->table, 0, (cursor->mask + 1) * sizeof *cursor->table);
        for (size_t i = 0; i < kept; i++) {
            const struct cursor_entry *entry = &cursor->entries[i];
            cursor->table[place_of(cursor, entry->hash, entry->check)] = (uint32_t)i + 1;
        }
    }
    return any;
}

static void forget(struct cursor *cursor)
{
    for (size_t i = 0; i < cursor->count; i++) {
        mf_free(cursor->entries[i].totals);
    }
    mf_free(cursor->entries);
    mf_free(cursor->table);
    cursor->entries = NULL;
    cursor->table = NULL;
    cursor->count = 0;
    cursor->capacity = 0;
}

void mf__cursor_free(struct cursor *cursor)
{
    forget(cursor);
}

/* ---- the file ---- */

struct input {
    const uint8_t *bytes;
    size_t len;
    size_t at;
    bool bad;
};

static const uint8_t *take(struct input *in, size_t len)
{
    static const uint8_t zeros[8];
    if (in->bad || in->len - in->at < len) {
        in->bad = true;
        return zeros;
    }
    in->at += len;
    return in->bytes + in->at - len;
}

static uint64_t take_varint(struct input *in)
{
    uint64_t value = 0;
    const size_t used = in->bad ? 0 : mf_varint_get(in->bytes + in->at, in->len - in->at, &value);
    in->bad = in->bad || used == 0;
    in->at += used;
    return value;
}

/* Reads the pairs of one histogram. */
static int parse_totals(struct input *in, uint32_t pairs, uint32_t per_octave,
                        struct buckets **ret_totals)
{
    struct buckets *totals = mf_malloc(sizeof *totals);
    if (totals == NULL) {
        return -ENOMEM;
    }
    mf__buckets_init(totals, per_octave);
    const uint64_t sum_bits = mf_load_u64(take(in, 8));
    memcpy(&totals->sum, &sum_bits, sizeof totals->sum);
    uint64_t index = 0;
    for (uint32_t i = 0; i < pairs && !in->bad; i++) {
        const uint64_t distance = take_varint(in);
        const uint64_t count = take_varint(in);
        if (distance > buckets_bounds(totals) || index + distance > buckets_bounds(totals)) {
            in->bad = true;
            break;
        }
        index += distance;
        mf__buckets_add(totals, (uint32_t)index, count);
        index++;
    }
    *ret_totals = totals;
    return 0;
}

/* MF_ECORRUPT for anything that this build cannot use. */
static int parse(struct cursor *cursor, const uint8_t *bytes, size_t len)
{
    if (len < CURSOR_HEADER + 4 || memcmp(bytes, CURSOR_MAGIC, 8) != 0 ||
        mf_load_u32(bytes + 8) != CURSOR_VERSION ||
        mf_crc32c(0, bytes, len - 4) != mf_load_u32(bytes + len - 4) ||
        (int64_t)mf_load_u64(bytes + 16) != cursor->created_ns) {
        return MF_ECORRUPT;
    }
    const uint32_t per_octave = mf_load_u32(bytes + 24);
    if (per_octave == 0 || per_octave > MF_EXPORT_BUCKETS_PER_OCTAVE_MAX) {
        return MF_ECORRUPT;
    }
    const uint32_t count = mf_load_u32(bytes + 28);
    struct input in = {bytes, len - 4, CURSOR_HEADER, false};
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t hash = mf_load_u64(take(&in, 8));
        const uint32_t check = mf_load_u32(take(&in, 4));
        const int64_t until_ns = (int64_t)mf_load_u64(take(&in, 8));
        const int64_t open_ms = (int64_t)mf_load_u64(take(&in, 8));
        const uint32_t pairs = mf_load_u16(take(&in, 2));
        struct buckets *totals = NULL;
        int rc = pairs != 0 ? parse_totals(&in, pairs, per_octave, &totals) : 0;
        if (rc != 0) {
            return rc;
        }
        struct cursor_entry *entry = in.bad ? NULL : entry_of(cursor, hash, check);
        if (entry == NULL || entry->totals != NULL) {
            mf_free(totals);
            return in.bad || entry != NULL ? MF_ECORRUPT : -ENOMEM;
        }
        entry->until_ns = until_ns;
        entry->open_ms = open_ms;
        entry->totals = totals;
    }
    if (in.at != in.len) {
        return MF_ECORRUPT;
    }
    cursor->flags = mf_load_u32(bytes + 12);
    if (per_octave != cursor->per_octave) {
        for (size_t i = 0; i < cursor->count; i++) {
            mf_free(cursor->entries[i].totals);
            cursor->entries[i].totals = NULL;
        }
    }
    return 0;
}

int mf__cursor_load(struct cursor *cursor, const struct mf_fs *fs, const char *path,
                    int64_t created_ns, uint32_t per_octave, struct mf_errinfo *err)
{
    *cursor = (struct cursor){.created_ns = created_ns, .per_octave = per_octave};
    char *bytes;
    size_t len;
    int rc = mf_fs_read_all(fs, path, CURSOR_BYTES_MAX, &bytes, &len, err);
    if (rc == -ENOENT) {
        return 0;
    }
    if (rc != 0) {
        return rc;
    }
    rc = parse(cursor, (const uint8_t *)bytes, len);
    mf_free(bytes);
    if (rc == MF_ECORRUPT) {
        forget(cursor);
        cursor->flags = 0;
        cursor->discarded = true;
        return 0;
    }
    if (rc != 0) {
        forget(cursor);
        return mf_fail_os(err, rc, "%s", path);
    }
    return 0;
}

static void put_varint(struct mf_buffer *out, uint64_t value)
{
    uint8_t bytes[MF_VARINT_LEN_MAX];
    mf_buffer_append(out, bytes, mf_varint_put(bytes, value));
}

static void put_totals(struct mf_buffer *out, const struct buckets *totals)
{
    uint16_t pairs = 0;
    for (uint32_t i = totals->low; i < totals->high; i++) {
        pairs = (uint16_t)(pairs + (totals->counts[i] != 0 ? 1 : 0));
    }
    mf_buffer_append(out, &pairs, sizeof pairs);
    if (pairs == 0) {
        return;
    }
    mf_buffer_append(out, &totals->sum, sizeof totals->sum);
    uint32_t next = 0;
    for (uint32_t i = totals->low; i < totals->high; i++) {
        if (totals->counts[i] != 0) {
            put_varint(out, i - next);
            put_varint(out, totals->counts[i]);
            next = i + 1;
        }
    }
}

int mf__cursor_save(const struct cursor *cursor, const struct mf_fs *fs, const char *path,
                    struct mf_errinfo *err)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    uint8_t header[CURSOR_HEADER] = CURSOR_MAGIC;
    mf_buffer_append(&out, header, sizeof header);
    for (size_t i = 0; i < cursor->count; i++) {
        const struct cursor_entry *entry = &cursor->entries[i];
        const uint16_t none = 0;
        mf_buffer_append(&out, &entry->hash, sizeof entry->hash);
        mf_buffer_append(&out, &entry->check, sizeof entry->check);
        mf_buffer_append(&out, &entry->until_ns, sizeof entry->until_ns);
        mf_buffer_append(&out, &entry->open_ms, sizeof entry->open_ms);
        if (entry->totals != NULL) {
            put_totals(&out, entry->totals);
        } else {
            mf_buffer_append(&out, &none, sizeof none);
        }
    }
    int rc = out.failed ? -ENOMEM : 0;
    if (rc == 0) {
        mf_store_u32(out.data + 8, CURSOR_VERSION);
        mf_store_u32(out.data + 12, cursor->flags);
        mf_store_u64(out.data + 16, (uint64_t)cursor->created_ns);
        mf_store_u32(out.data + 24, cursor->per_octave);
        mf_store_u32(out.data + 28, (uint32_t)cursor->count);
        const uint32_t crc = mf_crc32c(0, out.data, out.len);
        mf_buffer_append(&out, &crc, sizeof crc);
        rc = out.failed ? -ENOMEM : 0;
    }
    rc =
        rc != 0 ? mf_fail_os(err, rc, "%s", path) : mf_fs_replace(fs, path, out.data, out.len, err);
    mf_buffer_free(&out);
    return rc;
}
