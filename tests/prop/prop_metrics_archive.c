/* SPDX-License-Identifier: Apache-2.0
 *
 * prop_metrics_archive.c -- whatever stands in a column or a chunk, it reads back the same, bit for
 * bit, and no cut or longer form of it is taken for anything. */
#include "cmocka_all.h"
#include "test_seed.h"

#include "archive.h"
#include "column.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

#define ROUNDS    400
#define WORDS_MAX 700

static struct mf_rng rng;

static double bell(void)
{
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        sum += mf_rng_double(&rng);
    }
    return sum - 6;
}

static uint64_t bits(double value)
{
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

/* Columns of every shape that the forms are made for, and of none. */
static size_t make_words(uint64_t *words)
{
    static const double odd[] = {0.0,    -0.0, 1e308,   -1e308,
                                 5e-324, 0.1,  1.0 / 3, 9007199254740993.0};
    const size_t count = 1 + mf_rng_below(&rng, WORDS_MAX);
    const uint64_t shape = mf_rng_below(&rng, 12);
    const double scale = pow(10, (double)mf_rng_below(&rng, 12));
    double level = 0;
    uint64_t word = mf_rng_next(&rng);
    for (size_t i = 0; i < count; i++) {
        switch (shape) {
        case 0:
            words[i] = word;
            break;
        case 1:
            words[i] = mf_rng_next(&rng);
            break;
        case 2:
            words[i] = bits(mf_rng_double(&rng));
            break;
        case 3:
            level += round(bell() * 50);
            words[i] = bits(level * 4096);
            break;
        case 4:
            level += round(bell() * 300);
            words[i] = bits(level / scale);
            break;
        case 5:
            word += mf_rng_below(&rng, 1000);
            words[i] = word;
            break;
        case 6:
            words[i] = bits(odd[mf_rng_below(&rng, sizeof odd / sizeof odd[0])]);
            break;
        case 7:
            words[i] = mf_rng_below(&rng, 10) == 0 ? mf_rng_next(&rng) : 0;
            break;
        case 8:
            words[i] = bits(1e9 + (double)i * 0.25);
            break;
        case 9:
            word ^= mf_rng_below(&rng, 4) << mf_rng_below(&rng, 63);
            words[i] = word;
            break;
        case 10:
            words[i] = mf_rng_below(&rng, 2) == 0 ? INT64_MAX : (uint64_t)INT64_MIN;
            break;
        default:
            words[i] = (uint64_t)i * word;
            break;
        }
    }
    return count;
}

static void columns_read_back(void **state)
{
    (void)state;
    static uint64_t words[WORDS_MAX + 1];
    static uint64_t again[WORDS_MAX + 2];
    struct mf__packer *packer = mf__packer_new();
    assert_non_null(packer);
    for (int round = 0; round < ROUNDS; round++) {
        struct mf_buffer out = MF_BUFFER_INIT;
        const size_t count = make_words(words);
        assert_int_equal(mf__column_encode(words, count,
                                           round % 2 == 0 ? mf__packer_estimate : NULL, packer,
                                           &out),
                         0);
        assert_true(out.len <= 1 + 8 * count);
        const uint8_t *in = (const uint8_t *)out.data;
        assert_int_equal(mf__column_decode(in, out.len, count, again), 0);
        assert_memory_equal(words, again, count * sizeof words[0]);
        for (size_t cut = 0; cut < out.len; cut++) {
            assert_int_equal(mf__column_decode(in, cut, count, again), MF_ECORRUPT);
        }
        mf_buffer_putc(&out, 0);
        in = (const uint8_t *)out.data;
        assert_int_equal(mf__column_decode(in, out.len, count, again), MF_ECORRUPT);
        mf_buffer_free(&out);
    }
    mf__packer_free(packer);
}

static void slots_read_back(void **state)
{
    (void)state;
    static uint64_t slots[WORDS_MAX];
    static uint64_t again[WORDS_MAX + 1];
    for (int round = 0; round < ROUNDS; round++) {
        struct mf_buffer out = MF_BUFFER_INIT;
        const size_t count = 1 + mf_rng_below(&rng, WORDS_MAX);
        const uint64_t gaps = 1 + mf_rng_below(&rng, 50);
        uint64_t slot = mf_rng_next(&rng) >> (1 + mf_rng_below(&rng, 40));
        for (size_t i = 0; i < count; i++) {
            slots[i] = slot;
            slot += mf_rng_below(&rng, gaps) == 0 ? 1 + mf_rng_below(&rng, 1000) : 1;
        }
        mf__slots_encode(slots, count, &out);
        const uint8_t *in = (const uint8_t *)out.data;
        assert_int_equal(mf__slots_decode(in, out.len, count, again), 0);
        assert_memory_equal(slots, again, count * sizeof slots[0]);
        assert_int_equal(mf__slots_decode(in, out.len - 1, count, again), MF_ECORRUPT);
        assert_int_equal(mf__slots_decode(in, out.len, count + 1, again), MF_ECORRUPT);
        mf_buffer_free(&out);
    }
}

/* A point such as a store could give: of packed slots of every mode, and exact ones. */
static struct source_point make_point(int64_t slot, bool counter, double *total)
{
    struct source_point point = {.slot = slot, .exact = true};
    struct mf__aggregate *a = &point.aggregate;
    const double value = mf_rng_below(&rng, 2) == 0 ? bell() * 1000 : round(bell() * 1000);
    *a = (struct mf__aggregate){1, value, value, value, value, value};
    if (counter) {
        const double before = *total;
        *total += fabs(round(value));
        *a = (struct mf__aggregate){
            1 + mf_rng_below(&rng, 40000), *total - before, before, *total, before, *total};
    } else {
        for (uint64_t more = mf_rng_below(&rng, 4); more > 0; more--) {
            const double next = bell() * 1000;
            const struct mf__aggregate one = {1, next, next, next, next, next};
            mf__aggregate_append(a, &one);
        }
    }
    if (mf_rng_below(&rng, 3) != 0) {
        assert_true(mf__slot_unpack(mf__slot_pack(a, counter, 0), 0, a, &point.exact));
    }
    return point;
}

static void chunks_read_back(void **state)
{
    (void)state;
    static struct chunk chunk;
    static struct chunk again;
    struct mf__packer *packer = mf__packer_new();
    assert_non_null(packer);
    for (int round = 0; round < ROUNDS; round++) {
        struct mf_buffer out = MF_BUFFER_INIT;
        const bool counter = mf_rng_below(&rng, 2) == 0;
        const bool histogram = !counter && mf_rng_below(&rng, 2) == 0;
        int64_t slot = (int64_t)mf_rng_next(&rng) >> 20;
        double total = 0;
        chunk.count = 1 + mf_rng_below(&rng, 300);
        mf_buffer_clear(&chunk.buckets);
        for (size_t i = 0; i < chunk.count; i++) {
            chunk.points[i] = make_point(slot, counter, &total);
            slot += 1 + (int64_t)(mf_rng_below(&rng, 20) == 0 ? mf_rng_below(&rng, 99) : 0);
            chunk.kinds[i] = (uint8_t)mf__chunk_kind(&chunk.points[i], counter);
            if (histogram) {
                static struct mf_histogram one;
                memset(&one, 0, sizeof one);
                for (uint64_t n = 1 + mf_rng_below(&rng, 30); n > 0; n--) {
                    one.buckets[mf_rng_below(&rng, HISTOGRAM_BUCKETS)] += mf_rng_below(&rng, 1000);
                }
                one.halvings = (unsigned)mf_rng_below(&rng, 3);
                chunk.kinds[i] |= CHUNK_BUCKETS;
                mf__buckets_encode(&one, &chunk.buckets);
            }
        }
        assert_int_equal(mf__chunk_encode(&chunk, packer, &out), 0);
        const uint8_t *in = (const uint8_t *)out.data;
        assert_int_equal(mf__chunk_decode(in, out.len, &again), 0);
        assert_int_equal(again.count, chunk.count);
        for (size_t i = 0; i < chunk.count; i++) {
            assert_int_equal(again.kinds[i], chunk.kinds[i]);
            assert_true(mf__points_equal(&again.points[i], &chunk.points[i]));
        }
        assert_int_equal(again.buckets.len, chunk.buckets.len);
        if (chunk.buckets.len > 0) {
            assert_memory_equal(again.buckets.data, chunk.buckets.data, chunk.buckets.len);
        }
        for (size_t cut = 0; cut < out.len; cut += 1 + out.len / 50) {
            assert_int_equal(mf__chunk_decode(in, cut, &again), MF_ECORRUPT);
        }
        mf_buffer_free(&out);
    }
    mf_buffer_free(&chunk.buckets);
    mf_buffer_free(&again.buckets);
    mf__packer_free(packer);
}

int main(void)
{
    mf_rng_seed(&rng, test_seed());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_read_back),
        cmocka_unit_test(slots_read_back),
        cmocka_unit_test(chunks_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
