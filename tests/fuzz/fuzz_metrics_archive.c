/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_metrics_archive.c -- what stands in an archive behind the checksums. The first byte chooses
 * what the rest is read as: a column, slot numbers, a chunk, a catalog, or a packed block. What is
 * accepted is written again, and must then say the same. */
#include "archive.h"
#include "column.h"

#include "base/heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

static void try_column(const uint8_t *data, size_t len, size_t count)
{
    static uint64_t words[MF__COLUMN_WORDS_MAX];
    static uint64_t again[MF__COLUMN_WORDS_MAX];
    struct mf_buffer out = MF_BUFFER_INIT;
    if (mf__column_decode(data, len, count, words) == 0) {
        must(mf__column_encode(words, count, NULL, NULL, &out) == 0);
        must(mf__column_decode((const uint8_t *)out.data, out.len, count, again) == 0);
        must(memcmp(words, again, count * sizeof words[0]) == 0);
    }
    mf_buffer_free(&out);
}

static void try_slots(const uint8_t *data, size_t len, size_t count)
{
    static uint64_t slots[MF__COLUMN_WORDS_MAX];
    static uint64_t again[MF__COLUMN_WORDS_MAX];
    struct mf_buffer out = MF_BUFFER_INIT;
    if (mf__slots_decode(data, len, count, slots) == 0) {
        mf__slots_encode(slots, count, &out);
        must(mf__slots_decode((const uint8_t *)out.data, out.len, count, again) == 0);
        must(memcmp(slots, again, count * sizeof slots[0]) == 0);
        for (size_t i = 1; i < count; i++) {
            must(slots[i - 1] < slots[i]);
        }
    }
    mf_buffer_free(&out);
}

static void try_chunk(const uint8_t *data, size_t len)
{
    static struct chunk chunk;
    static struct chunk again;
    struct mf_buffer out = MF_BUFFER_INIT;
    if (mf__chunk_decode(data, len, &chunk) == 0) {
        must(mf__chunk_encode(&chunk, NULL, &out) == 0);
        must(mf__chunk_decode((const uint8_t *)out.data, out.len, &again) == 0);
        must(again.count == chunk.count);
        for (size_t i = 0; i < chunk.count; i++) {
            must(again.kinds[i] == chunk.kinds[i]);
            must(mf__points_equal(&again.points[i], &chunk.points[i]));
        }
    }
    mf_buffer_free(&out);
}

static void try_catalog(const uint8_t *data, size_t len)
{
    struct catalog catalog;
    char *text = mf_malloc(len + 1);
    if (text == NULL) {
        return;
    }
    memcpy(text, data, len);
    if (mf__catalog_decode(&catalog, text, len) == 0) {
        struct mf_buffer out = MF_BUFFER_INIT;
        must(mf__catalog_encode(&catalog, &out) == 0);
        mf_buffer_free(&out);
        mf__catalog_free(&catalog);
    }
}

static void try_unpack(const uint8_t *data, size_t len)
{
    static uint8_t bytes[65536];
    (void)mf__unpack(ARCHIVE_ZSTD, data, len, bytes, sizeof bytes);
    (void)mf__unpack(ARCHIVE_PLAIN, data, len, bytes, len < sizeof bytes ? len : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 3) {
        return 0;
    }
    const size_t count = (size_t)data[1] | (size_t)(data[2] & 0x0F) << 8;
    switch (data[0] % 5) {
    case 0:
        try_column(data + 3, len - 3, count);
        break;
    case 1:
        try_slots(data + 3, len - 3, count);
        break;
    case 2:
        try_chunk(data + 3, len - 3);
        break;
    case 3:
        try_catalog(data + 3, len - 3);
        break;
    default:
        try_unpack(data + 3, len - 3);
        break;
    }
    return 0;
}
