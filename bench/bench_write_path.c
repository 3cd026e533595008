/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_write_path.c -- what one recorded value costs, by the ways of keeping it; benchmark A of
 * seed 000. An iteration is one value.
 *
 *   write_path::record      a gauge of a metrics store
 *   write_path::counter     a counter of a metrics store (mf_counter_add)
 *   write_path::atomic      what a metrics client with a scrape endpoint does
 *   write_path::write       a line of 25 bytes to a file
 *   write_path::udp         a datagram of 15 bytes to a loopback port, where a thread takes it
 *   write_path::timer       nothing: what the others' percentiles cannot go below
 *
 * Times and throughput are of batches, percentiles of single operations with the cost of the clock
 * taken off; bench/run asks for 10,000,000 of them after 100,000 of warm-up.
 */
#include "bench_store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ATOMIC         "write_path::atomic"
#define LINES_PER_FILE 10000000 /* then it is cut, so that it does not fill the disk */

MF_BENCH(write_path, record, .ratio_to = ATOMIC)
{
    struct bench_store store;
    if (bench_store_open(bench, &store, MF_GAUGE, 1)) {
        MF_LOOP(bench)
        {
            (void)mf_metrics_record(store.store, store.series[0], 42.5);
            mf_clobber();
        }
    }
    bench_store_close(bench, &store);
}

MF_BENCH(write_path, counter, .ratio_to = ATOMIC)
{
    struct bench_store store;
    if (bench_store_open(bench, &store, MF_COUNTER, 1)) {
        MF_LOOP(bench)
        {
            (void)mf_counter_add(&store.writer, store.series[0], 1);
            mf_clobber();
        }
    }
    bench_store_close(bench, &store);
}

MF_BENCH(write_path, atomic)
{
    static _Atomic uint64_t word __attribute__((aligned(64)));
    MF_LOOP(bench)
    {
        atomic_fetch_add_explicit(&word, 1, memory_order_relaxed);
    }
}

MF_BENCH(write_path, timer, .ratio_to = ATOMIC)
{
    MF_LOOP(bench)
    {
        mf_clobber();
    }
}

/* ---- a file ---- */

static const char line[] = "metric_0 42.5 1700000000\n";

MF_BENCH(write_path, write, .ratio_to = ATOMIC, .bytes = sizeof line - 1)
{
    struct bench_scratch scratch;
    char path[BENCH_PATH_LEN];
    if (!bench_scratch_begin(bench, &scratch)) {
        return;
    }
    const int file = open(bench_scratch_path(&scratch, "lines", path),
                          O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (bench_ok(bench, file >= 0 ? 0 : -errno, NULL, path)) {
        uint64_t lines = 0;
        MF_LOOP(bench)
        {
            if (write(file, line, sizeof line - 1) != (ssize_t)sizeof line - 1 ||
                (++lines % LINES_PER_FILE == 0 && ftruncate(file, 0) != 0)) {
                mf_bench_fail(bench, "write(): %s", strerror(errno));
                break;
            }
        }
        close(file);
    }
    bench_scratch_end(&scratch);
}

/* ---- datagrams ---- */

static const char datagram[] = "metric_0:42.5|g";

struct sockets {
    int sender;
    int receiver;
    pthread_t drain;
};

static void *drain(void *context)
{
    const struct sockets *sockets = context;
    char bytes[64];
    ssize_t len;
    do { /* an empty datagram is the end */
        len = recv(sockets->receiver, bytes, sizeof bytes, 0);
    } while (len > 0 || (len < 0 && errno == EINTR));
    return NULL;
}

static bool open_sockets(struct sockets *sockets)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    sockets->receiver = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockets->sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return sockets->receiver >= 0 && sockets->sender >= 0 &&
           bind(sockets->receiver, (const struct sockaddr *)&address, len) == 0 &&
           getsockname(sockets->receiver, (struct sockaddr *)&address, &len) == 0 &&
           connect(sockets->sender, (const struct sockaddr *)&address, len) == 0 &&
           pthread_create(&sockets->drain, NULL, drain, sockets) == 0;
}

static void close_sockets(struct sockets *sockets)
{
    /* The empty datagram may meet a full buffer, so until it is taken. */
    const struct timespec wait = {0, 1000000};
    do {
        (void)send(sockets->sender, "", 0, 0);
        nanosleep(&wait, NULL);
    } while (pthread_tryjoin_np(sockets->drain, NULL) != 0);
    close(sockets->sender);
    close(sockets->receiver);
}

MF_BENCH(write_path, udp, .ratio_to = ATOMIC, .bytes = sizeof datagram - 1)
{
    struct sockets sockets = {-1, -1, 0};
    if (!open_sockets(&sockets)) {
        mf_bench_fail(bench, "cannot prepare a loopback socket: %s", strerror(errno));
        return;
    }
    MF_LOOP(bench)
    {
        if (send(sockets.sender, datagram, sizeof datagram - 1, 0) < 0) {
            mf_bench_fail(bench, "send(): %s", strerror(errno));
            break;
        }
    }
    close_sockets(&sockets);
}

MF_BENCH_MAIN
