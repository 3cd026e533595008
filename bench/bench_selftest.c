/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_selftest.c -- the program that bench/selftest.sh measures, to see what the gate is worth on
 * this machine. It does SELFTEST_WORK pieces of real work in an iteration, so that two builds of it
 * differ by a known amount: 1020 pieces are 2 % more than 1000.
 *
 *   selftest::encode    a piece is a point written as JSON
 *   selftest::checksum  a piece is CRC32C over 256 bytes
 *   selftest::search    a piece is a binary search in 4,096 sorted numbers
 */
#include "bench_scratch.h"

#include "base/hash.h"
#include "base/rng.h"
#include "fmt/json_write.h"

#include <stddef.h>

#ifndef SELFTEST_WORK
#define SELFTEST_WORK 1000
#endif
#define BLOCK_LEN 256
#define NUMBERS   4096

static void encode(struct mf_buffer *out)
{
    struct mf_json json;
    out->len = 0;
    mf_json_init(&json, out, MF_JSON_COMPACT);
    mf_json_begin_array(&json);
    for (int i = 0; i < SELFTEST_WORK; i++) {
        mf_json_begin_object(&json);
        mf_json_key_string(&json, "series", "cpu_seconds_total");
        mf_json_key_int(&json, "time_ns", INT64_C(1700000000000000000) + i);
        mf_json_key_uint(&json, "value", (uint64_t)i * 7);
        mf_json_end_object(&json);
    }
    mf_json_end_array(&json);
    mf_json_finish(&json);
}

MF_BENCH(selftest, encode)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    MF_LOOP(bench)
    {
        encode(&out);
        mf_keep(out.data);
    }
    if (out.failed || out.len < (size_t)SELFTEST_WORK * 60) {
        mf_bench_fail(bench, "%zu bytes are too few", out.len);
    }
    mf_buffer_free(&out);
}

static void fill(struct mf_bench *bench, unsigned char *bytes, size_t len)
{
    struct mf_rng rng;
    mf_rng_seed(&rng, mf_bench_seed(bench));
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (unsigned char)mf_rng_next(&rng);
    }
}

MF_BENCH(selftest, checksum)
{
    static unsigned char bytes[16 * BLOCK_LEN];
    fill(bench, bytes, sizeof bytes);
    uint32_t crc = 0;
    MF_LOOP(bench)
    {
        crc = 0;
        for (size_t i = 0; i < SELFTEST_WORK; i++) {
            crc = mf_crc32c(crc, bytes + i % 16 * BLOCK_LEN, BLOCK_LEN);
        }
        mf_keep(crc);
    }
    if (crc == 0) {
        mf_bench_fail(bench, "the checksum is 0");
    }
}

static size_t search(const uint32_t *sorted, uint32_t wanted)
{
    size_t low = 0;
    for (size_t step = NUMBERS / 2; step > 0; step /= 2) {
        low += sorted[low + step - 1] < wanted ? step : 0;
    }
    return low;
}

MF_BENCH(selftest, search)
{
    static uint32_t sorted[NUMBERS];
    for (uint32_t i = 0; i < NUMBERS; i++) {
        sorted[i] = i * 3;
    }
    MF_LOOP(bench)
    {
        size_t found = 0;
        for (uint32_t i = 0; i < SELFTEST_WORK; i++) {
            found += search(sorted, i * 2654435761U % (NUMBERS * 3));
        }
        mf_keep(found);
    }
    if (search(sorted, 300) != 100) {
        mf_bench_fail(bench, "300 is found at %zu", search(sorted, 300));
    }
}

MF_BENCH_MAIN
