/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_write_path.c -- what one recorded value costs, by four ways of keeping it: percentiles of
 * single operations, and throughput.
 *
 *   record()          a gauge of a metrics store
 *   counter add       a counter of a metrics store (mf_counter_add)
 *   atomic increment  what a metrics client with a scrape endpoint does
 *   write()           a line of 25 bytes to a file
 *   UDP send          a datagram of 15 bytes to a loopback port, where a thread takes it
 *   empty timer       nothing: what the others' percentiles cannot go below
 *
 * Each way is warmed up with 100,000 operations and measured with 10,000,000 of them twice: each
 * alone between two readings of the clock, for the percentiles; and without a clock, for the
 * throughput. Both go in blocks of 100,000, the ways taking turns, so that a disturbance of the
 * machine hits all alike. A percentile is exact to 1 ns, the resolution of the clock, and holds the
 * cost of reading it.
 */
#include "harness.h"
#include "old_store.h"

#include "base/heap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK           100000
#define ROUNDS          100 /* x BLOCK = 10,000,000 operations */
#define ROUNDS_QUICK    3
#define LATENCY_NS_MAX  (1 << 20) /* one counter per ns; what is longer counts in the last */
#define BLOCKS_PER_FILE 100       /* then it is cut, so that it does not fill the disk */

struct sinks {
    struct bench_store gauge;
    struct bench_store counter;
    _Atomic uint64_t *word;
    int file;
    int sender;
    int receiver;
    pthread_t drain;
};

struct way {
    const char *name;
    const char *seed_row; /* its row in the document that this follows; "": it has none */
    void (*one)(struct sinks *sinks);
    void (*many)(struct sinks *sinks, uint64_t count);
    void (*between)(struct sinks *sinks); /* untimed, before each block; may be NULL */
};

/* An operation, and the loop around it without calls through pointers. */
#define WAY(name, body)                                                                            \
    static void one_##name(struct sinks *sinks)                                                    \
    {                                                                                              \
        body;                                                                                      \
    }                                                                                              \
    static void many_##name(struct sinks *sinks, uint64_t count)                                   \
    {                                                                                              \
        for (uint64_t i = 0; i < count; i++) {                                                     \
            body;                                                                                  \
            __asm__ volatile("" ::: "memory");                                                     \
        }                                                                                          \
    }

static const char line[] = "metric_0 42.5 1700000000\n";
static const char datagram[] = "metric_0:42.5|g";

static void write_line(int file)
{
    if (write(file, line, sizeof line - 1) != (ssize_t)sizeof line - 1) {
        bench_die("write(): %s", strerror(errno));
    }
}

static void send_datagram(int socket)
{
    if (send(socket, datagram, sizeof datagram - 1, 0) < 0) {
        bench_die("send(): %s", strerror(errno));
    }
}

WAY(empty, (void)sinks)
WAY(record, (void)mf_metrics_record(sinks->gauge.store, sinks->gauge.series[0], 42.5))
WAY(add, (void)mf_counter_add(&sinks->counter.writer, sinks->counter.series[0], 1))
WAY(atomic, atomic_fetch_add_explicit(sinks->word, 1, memory_order_relaxed))
WAY(write, write_line(sinks->file))
WAY(udp, send_datagram(sinks->sender))

/* A block begins in a new second: closing the one before is in the block. */
static void next_second(struct sinks *sinks)
{
    bench_store_tick(&sinks->gauge, BENCH_SECOND_NS);
    bench_store_tick(&sinks->counter, BENCH_SECOND_NS);
}

static void cut_file(struct sinks *sinks)
{
    static unsigned blocks;
    if (++blocks % BLOCKS_PER_FILE == 0 &&
        (ftruncate(sinks->file, 0) != 0 || lseek(sinks->file, 0, SEEK_SET) != 0)) {
        bench_die("cannot cut the file: %s", strerror(errno));
    }
}

static const struct way ways[] = {
    {"record()", "rondo record()", one_record, many_record, next_second},
    {"counter add", "", one_add, many_add, next_second},
    {"atomic increment", "atomic counter.inc()", one_atomic, many_atomic, NULL},
    {"write()", "write() syscall", one_write, many_write, cut_file},
    {"UDP send", "UDP send (StatsD-like)", one_udp, many_udp, NULL},
    {"empty timer", "", one_empty, many_empty, NULL},
};
#define WAYS (sizeof ways / sizeof ways[0])

/* ---- what they write to ---- */

static void *drain(void *context)
{
    const struct sinks *sinks = context;
    char bytes[64];
    ssize_t len;
    do { /* an empty datagram is the end */
        len = recv(sinks->receiver, bytes, sizeof bytes, 0);
    } while (len > 0 || (len < 0 && errno == EINTR));
    return NULL;
}

static void open_sockets(struct sinks *sinks)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    sinks->receiver = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sinks->sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sinks->receiver < 0 || sinks->sender < 0 ||
        bind(sinks->receiver, (const struct sockaddr *)&address, len) != 0 ||
        getsockname(sinks->receiver, (struct sockaddr *)&address, &len) != 0 ||
        connect(sinks->sender, (const struct sockaddr *)&address, len) != 0 ||
        pthread_create(&sinks->drain, NULL, drain, sinks) != 0) {
        bench_die("cannot prepare a loopback socket: %s", strerror(errno));
    }
}

static void open_sinks(struct bench *bench, struct sinks *sinks)
{
    static _Atomic uint64_t word __attribute__((aligned(64)));
    bench_store_open(bench, &sinks->gauge, "gauge", MF_GAUGE, 1);
    bench_store_open(bench, &sinks->counter, "counter", MF_COUNTER, 1);
    sinks->word = &word;
    const char *path = bench_scratch(bench, "lines");
    sinks->file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (sinks->file < 0) {
        bench_die("%s: %s", path, strerror(errno));
    }
    open_sockets(sinks);
}

static void close_sinks(struct sinks *sinks)
{
    /* The empty datagram may meet a full buffer, so until it is taken. */
    struct timespec wait = {0, 1000000};
    do {
        (void)send(sinks->sender, "", 0, 0);
        nanosleep(&wait, NULL);
    } while (pthread_tryjoin_np(sinks->drain, NULL) != 0);
    close(sinks->sender);
    close(sinks->receiver);
    close(sinks->file);
    bench_store_close(&sinks->gauge);
    bench_store_close(&sinks->counter);
}

/* ---- measuring ---- */

struct row {
    uint32_t *latencies; /* how many operations took that many ns */
    uint64_t operations;
    double *block_ns; /* ns per operation without the clock, of each block */
    double total_ns;
    double throughput; /* operations per second, over all blocks */
    struct bench_summary block;
};

static void time_block(const struct way *way, struct sinks *sinks, struct row *row)
{
    for (uint64_t i = 0; i < BLOCK; i++) {
        const int64_t start_ns = bench_now_ns();
        way->one(sinks);
        const int64_t ns = bench_now_ns() - start_ns;
        row->latencies[ns < LATENCY_NS_MAX ? ns : LATENCY_NS_MAX - 1]++;
    }
    row->operations += BLOCK;
}

static void measure(struct sinks *sinks, struct row *rows, size_t rounds)
{
    for (size_t round = 0; round < rounds; round++) {
        for (size_t w = 0; w < WAYS; w++) {
            const struct way *way = &ways[w];
            if (way->between != NULL) {
                way->between(sinks);
            }
            time_block(way, sinks, &rows[w]);
            if (way->between != NULL) {
                way->between(sinks);
            }
            const int64_t start_ns = bench_now_ns();
            way->many(sinks, BLOCK);
            const double ns = (double)(bench_now_ns() - start_ns);
            rows[w].block_ns[round] = ns / BLOCK;
            rows[w].total_ns += ns;
        }
    }
    for (size_t w = 0; w < WAYS; w++) {
        rows[w].throughput = (double)rows[w].operations / (rows[w].total_ns / 1e9);
        rows[w].block = bench_summarize(rows[w].block_ns, rounds);
    }
}

/* The smallest time that `share` of the operations did not exceed. */
static uint64_t percentile(const struct row *row, double share)
{
    const double wanted = share * (double)row->operations;
    uint64_t seen = 0;
    uint64_t ns = 0;
    while (ns < LATENCY_NS_MAX - 1 && (double)(seen += row->latencies[ns]) < wanted) {
        ns++;
    }
    return ns;
}

static void print_rows(const struct row *rows)
{
    printf("%-18s %9s %9s %9s %15s   %11s %11s %7s\n", "way", "p50 ns", "p99 ns", "p99.9 ns",
           "operations/s", "median ns", "min ns", "spread");
    for (size_t w = 0; w < WAYS; w++) {
        const struct row *row = &rows[w];
        printf("%-18s %9llu %9llu %9llu %15.0f   %11.2f %11.2f %5.0f %%\n", ways[w].name,
               (unsigned long long)percentile(row, 0.5), (unsigned long long)percentile(row, 0.99),
               (unsigned long long)percentile(row, 0.999), row->throughput, row->block.median,
               row->block.min, bench_spread_percent(&row->block));
    }
    printf(
        "\nPercentiles: %llu operations of each way, each between two readings of the clock, "
        "which\n"
        "are in them: compare with the empty timer. The other columns: as many again, without a\n"
        "clock, in blocks of %d; operations/s over all of them, ns per operation by block.\n",
        (unsigned long long)rows[0].operations, BLOCK);
}

static void write_rows(struct bench *bench, const struct row *rows)
{
    struct mf_json *json = bench_json(bench);
    mf_json_key_uint(json, "operations", rows[0].operations);
    mf_json_key(json, "ways");
    mf_json_begin_array(json);
    for (size_t w = 0; w < WAYS; w++) {
        const struct row *row = &rows[w];
        mf_json_begin_object(json);
        mf_json_key_string(json, "name", ways[w].name);
        mf_json_key_string(json, "seed_row", ways[w].seed_row);
        mf_json_key_uint(json, "p50_ns", percentile(row, 0.5));
        mf_json_key_uint(json, "p99_ns", percentile(row, 0.99));
        mf_json_key_uint(json, "p999_ns", percentile(row, 0.999));
        mf_json_key_double(json, "operations_per_second", row->throughput);
        mf_json_key_double(json, "block_median_ns", row->block.median);
        mf_json_key_double(json, "block_min_ns", row->block.min);
        mf_json_key_double(json, "block_spread_percent", bench_spread_percent(&row->block));
        mf_json_end_object(json);
    }
    mf_json_end_array(json);
}

int main(int argc, char **argv)
{
    struct bench *bench =
        bench_begin("write_path", "What one recorded value costs, by four ways of keeping it.",
                    BENCH_ROUNDS, argc, argv);
    const struct bench_options *options = bench_options(bench);
    const size_t standard = options->quick ? ROUNDS_QUICK : ROUNDS;
    const size_t rounds = options->rounds > 0 ? options->rounds : standard;
    static struct sinks sinks;
    open_sinks(bench, &sinks);
    struct row rows[WAYS] = {0};
    for (size_t w = 0; w < WAYS; w++) {
        rows[w].latencies = mf_calloc(LATENCY_NS_MAX, sizeof *rows[w].latencies);
        rows[w].block_ns = mf_calloc(rounds, sizeof *rows[w].block_ns);
        if (rows[w].latencies == NULL || rows[w].block_ns == NULL) {
            bench_die("out of memory");
        }
        ways[w].many(&sinks, options->once > 0 ? options->once : BLOCK); /* warm-up */
    }
    if (options->once == 0) {
        measure(&sinks, rows, rounds);
        if (options->json) {
            write_rows(bench, rows);
        } else {
            print_rows(rows);
        }
    }
    for (size_t w = 0; w < WAYS; w++) {
        mf_free(rows[w].latencies);
        mf_free(rows[w].block_ns);
    }
    close_sinks(&sinks);
    return bench_finish(bench);
}
