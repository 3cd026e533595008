/* SPDX-License-Identifier: Apache-2.0
 *
 * measure_checksum.c -- a benchmark program: the checksum of a packet, at three sizes.
 *
 *     cc -O2 measure_checksum.c $(pkg-config --cflags --libs mayfly-bench) -o measure_checksum
 *     ./measure_checksum            # measures; --help has the options
 *     ./measure_checksum --test     # one iteration of each, as a test
 */
#include <mayfly/bench.h>
#include <string.h>

static uint16_t checksum(const unsigned char *bytes,
                         size_t len) /* of RFC 1071, for an even length */
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i += 2) {
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

MF_BENCH(packet, checksum, .params = (const int64_t[]){64, 576, 1500}, .param_count = 3,
         .param_name = "bytes")
{
    unsigned char packet[1500]; /* set up: not measured */
    const size_t len = (size_t)mf_bench_param(bench);
    memset(packet, 0xff, sizeof packet);
    if (checksum(packet, len) != 0) {
        mf_bench_fail(bench, "the checksum of ones is not 0");
        return;
    }
    mf_bench_set_bytes(bench, len);
    MF_LOOP(bench)
    {
        mf_clobber(); /* the packet may have changed: compute it again */
        mf_keep(checksum(packet, len));
    }
}

MF_BENCH_MAIN
