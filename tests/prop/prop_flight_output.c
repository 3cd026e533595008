/* SPDX-License-Identifier: Apache-2.0
 * prop_flight_output.c -- whatever is written, in whatever pieces, under whatever limit: what is
 * kept is the beginning and the end of each stream, byte for byte at its offset, and what is not
 * kept is counted. */
#include "cmocka_all.h"

#include "output_writer.h"
#include "scratch.h"
#include "test_seed.h"

#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BYTES_MAX (600 << 10)

struct stream {
    uint8_t *bytes; /* what the command wrote */
    uint64_t len;
    uint64_t lines;
    uint64_t kept; /* bytes seen again */
    uint64_t next; /* offset where the next may be */
};

static void write_all(struct mf_rng *rng, struct mf_output_writer *output, struct stream *streams,
                      uint64_t total)
{
    int64_t t_ns = 0;
    for (uint64_t written = 0; written < total;) {
        const unsigned which = (unsigned)mf_rng_below(rng, MF_STREAMS);
        const uint64_t largest = mf_rng_below(rng, 10) == 0 ? 40000 : 300;
        uint64_t len = 1 + mf_rng_below(rng, largest);
        struct stream *s = &streams[which];
        len = s->len + len > BYTES_MAX ? BYTES_MAX - s->len : len;
        for (uint64_t i = 0; i < len; i++) {
            const uint8_t byte = (uint8_t)mf_rng_below(rng, 256);
            s->bytes[s->len + i] = byte;
            s->lines += byte == '\n';
        }
        if (len > 0) {
            mf__output_append(output, (enum mf_flight_stream)which, t_ns, s->bytes + s->len, len);
        }
        s->len += len;
        written += len > 0 ? len : 1;
        t_ns += 1000;
    }
}

static void read_all(const char *dir, struct stream *streams)
{
    struct mf_flight_output *output = NULL;
    struct mf_flight_chunk chunk;
    struct mf_errinfo err = {0};
    assert_int_equal(mf_flight_output_open(dir, &output, &err), 0);
    for (int ret; (ret = mf_flight_output_next(output, &chunk, &err)) != 0;) {
        if (ret < 0) {
            fail_msg("%s", err.msg);
        }
        struct stream *s = &streams[chunk.stream];
        assert_int_equal(chunk.offset, s->next + chunk.gap_bytes);
        assert_true(chunk.offset + chunk.len <= s->len);
        assert_memory_equal(chunk.bytes, s->bytes + chunk.offset, chunk.len);
        s->kept += chunk.len;
        s->next = chunk.offset + chunk.len;
    }
    mf_flight_output_close(output);
}

static void one_round(struct mf_rng *rng, int round)
{
    char dir[256];
    struct stream streams[MF_STREAMS] = {{0}};
    struct mf_flight_stream_totals totals[MF_STREAMS];
    struct mf_output_writer *output = NULL;
    const uint64_t limit = 65536 + mf_rng_below(rng, 400000);
    const uint64_t total = mf_rng_below(rng, 900000);
    snprintf(dir, sizeof dir, "%s-%d", scratch_path("flight"), round);
    assert_int_equal(mkdir(dir, 0700), 0);
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        streams[i].bytes = malloc(BYTES_MAX);
        assert_non_null(streams[i].bytes);
    }
    assert_int_equal(mf__output_open(dir, limit, NULL, &output, NULL), 0);
    write_all(rng, output, streams, total);
    const bool limited = mf__output_limited(output) >= 0;
    mf__output_close(output, totals);
    read_all(dir, streams);
    uint64_t kept = 0;
    uint64_t lost = 0;
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        assert_int_equal(totals[i].bytes, streams[i].len);
        assert_int_equal(totals[i].lines, streams[i].lines);
        assert_int_equal(totals[i].bytes, streams[i].kept + totals[i].lost_bytes);
        kept += streams[i].kept;
        lost += totals[i].lost_bytes;
        free(streams[i].bytes);
    }
    /* Nothing is lost within half of the limit; never more than the limit is kept; the newest
     * quarter is. */
    assert_true(kept <= limit);
    assert_true(limited || lost == 0);
    assert_true(lost == 0 || kept >= limit / 2 + limit / 4);
}

static void any_output_under_any_limit(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    for (int round = 0; round < 25; round++) {
        one_round(&rng, round);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_output_under_any_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
