/* SPDX-License-Identifier: Apache-2.0
 * flight_rebuild.c -- a timeline out of the process table, for flights whose metrics store cannot
 * be read.
 *
 * The axis is cut into pieces of the sampling interval. A process's CPU time and I/O between two of
 * its samples are spread over the time between them, but at most over one round of samples, since a
 * round leaves out processes that did nothing; what its exit record has beyond its last sample is
 * spread from there to its end. So the CPU time of processes that no sample ever saw is in the
 * picture too, and the area under the curve is the sum of the totals. Memory is what the last round
 * said of the processes that were alive.
 */
#include "flight_track.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>

#define PIECES_MAX 200000

enum { CPU_USER, CPU_SYSTEM, MEMORY, READ, WRITE, PROCESSES, THREADS, CHANNELS };

static const struct {
    const char *name;
    const char *unit;
    bool rate;
} channels[CHANNELS] = {
    [CPU_USER] = {"cpu_user", "cores", true},
    [CPU_SYSTEM] = {"cpu_system", "cores", true},
    [MEMORY] = {"memory_rss", "bytes", false},
    [READ] = {"io_read", "bytes_per_second", true},
    [WRITE] = {"io_write", "bytes_per_second", true},
    [PROCESSES] = {"processes", "count", false},
    [THREADS] = {"threads", "count", false},
};

struct rebuild {
    int64_t duration_ns;
    int64_t piece_ns;
    size_t pieces;
    double *amount[CHANNELS]; /* per piece; of levels the change at its beginning */
    int64_t *rounds;          /* times of the rounds of samples, rising */
    size_t round_count;
};

static size_t piece_at(const struct rebuild *rebuild, int64_t t_ns)
{
    const int64_t piece = t_ns <= 0 ? 0 : t_ns / rebuild->piece_ns;
    return (uint64_t)piece < rebuild->pieces ? (size_t)piece : rebuild->pieces - 1;
}

/* Spreads an amount evenly over [from, to]. */
static void spread(struct rebuild *rebuild, int channel, int64_t from_ns, int64_t to_ns,
                   double amount)
{
    const size_t first = piece_at(rebuild, from_ns);
    const size_t last = piece_at(rebuild, to_ns);
    if (amount <= 0) {
        return;
    }
    if (to_ns <= from_ns || first == last) {
        rebuild->amount[channel][last] += amount;
        return;
    }
    for (size_t i = first; i <= last; i++) {
        const int64_t begin_ns = (int64_t)i * rebuild->piece_ns;
        const int64_t end_ns = begin_ns + rebuild->piece_ns;
        const int64_t inside_ns = (end_ns < to_ns && i < last ? end_ns : to_ns) -
                                  (begin_ns > from_ns ? begin_ns : from_ns);
        if (inside_ns > 0) {
            rebuild->amount[channel][i] += amount * (double)inside_ns / (double)(to_ns - from_ns);
        }
    }
}

/* A level counts in every piece that it touched: a fall shows in the next piece. */
static void change_level(struct rebuild *rebuild, int channel, int64_t t_ns, double by)
{
    const size_t piece = piece_at(rebuild, t_ns) + (by < 0);
    if (piece < rebuild->pieces) {
        rebuild->amount[channel][piece] += by;
    }
}

static int by_time(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a;
    const int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static int collect_rounds(struct rebuild *rebuild, const struct mf_flight_processes *processes)
{
    size_t count = 0;
    for (size_t i = 0; i < processes->count; i++) {
        count += processes->items[i].sample_count;
    }
    rebuild->rounds = mf_calloc(count + 1, sizeof *rebuild->rounds);
    if (rebuild->rounds == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < processes->count; i++) {
        for (size_t k = 0; k < processes->items[i].sample_count; k++) {
            rebuild->rounds[rebuild->round_count++] = processes->items[i].samples[k].t_ns;
        }
    }
    if (count > 1) {
        qsort(rebuild->rounds, count, sizeof *rebuild->rounds, by_time);
    }
    return 0;
}

/* The round before the one at t_ns; 0 when there is none. */
static int64_t round_before(const struct rebuild *rebuild, int64_t t_ns)
{
    size_t low = 0;
    size_t high = rebuild->round_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (rebuild->rounds[middle] < t_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? rebuild->rounds[low - 1] : 0;
}

static double growth(uint64_t before, uint64_t after)
{
    return before == MF_FLIGHT_UNKNOWN || after == MF_FLIGHT_UNKNOWN || after < before
               ? 0
               : (double)(after - before);
}

/* CPU time is split into user and system as the process's totals are. */
static void spread_cpu(struct rebuild *rebuild, const struct mf_flight_process *process,
                       int64_t from_ns, int64_t to_ns, double cpu_ns)
{
    const double total = (double)(process->cpu_user_ns + process->cpu_system_ns);
    const double user = total > 0 ? (double)process->cpu_user_ns / total : 1;
    spread(rebuild, CPU_USER, from_ns, to_ns, cpu_ns * user);
    spread(rebuild, CPU_SYSTEM, from_ns, to_ns, cpu_ns * (1 - user));
}

static void add_process(struct rebuild *rebuild, const struct mf_flight_process *process)
{
    const int64_t end_ns = process->ended ? process->end_ns : rebuild->duration_ns;
    struct mf_flight_sample before = {.t_ns = process->start_ns};
    for (size_t i = 0; i < process->sample_count; i++) {
        const struct mf_flight_sample *sample = &process->samples[i];
        const int64_t round_ns = round_before(rebuild, sample->t_ns);
        const int64_t from_ns = round_ns > before.t_ns ? round_ns : before.t_ns;
        spread_cpu(rebuild, process, from_ns, sample->t_ns, growth(before.cpu_ns, sample->cpu_ns));
        spread(rebuild, READ, from_ns, sample->t_ns, growth(before.read_bytes, sample->read_bytes));
        spread(rebuild, WRITE, from_ns, sample->t_ns,
               growth(before.write_bytes, sample->write_bytes));
        change_level(rebuild, MEMORY, sample->t_ns,
                     (double)sample->rss_bytes - (double)before.rss_bytes);
        change_level(rebuild, THREADS, sample->t_ns, (double)sample->threads - before.threads);
        before = *sample;
    }
    spread_cpu(rebuild, process, before.t_ns, end_ns,
               growth(before.cpu_ns, process->cpu_user_ns + process->cpu_system_ns));
    spread(rebuild, READ, before.t_ns, end_ns, growth(before.read_bytes, process->read_bytes));
    spread(rebuild, WRITE, before.t_ns, end_ns, growth(before.write_bytes, process->write_bytes));
    change_level(rebuild, PROCESSES, process->start_ns, 1);
    if (process->ended) {
        change_level(rebuild, PROCESSES, end_ns, -1);
        change_level(rebuild, MEMORY, end_ns, -(double)before.rss_bytes);
        change_level(rebuild, THREADS, end_ns, -(double)before.threads);
    }
}

static int make_track(const struct rebuild *rebuild, int channel, struct mf_track *ret_track)
{
    const int rc = mf__track_init(ret_track, channels[channel].name, channels[channel].unit,
                                  channels[channel].rate, rebuild->pieces);
    if (rc < 0) {
        return rc;
    }
    double level = 0;
    for (size_t i = 0; i < rebuild->pieces; i++) {
        const int64_t begin_ns = (int64_t)i * rebuild->piece_ns;
        int64_t end_ns = begin_ns + rebuild->piece_ns;
        end_ns = end_ns < rebuild->duration_ns ? end_ns : rebuild->duration_ns;
        const double amount = rebuild->amount[channel][i];
        level += amount;
        /* CPU time in ns per ns are cores; bytes per ns are 1e9 bytes per second. */
        const double scale = channel == READ || channel == WRITE ? 1e9 : 1;
        const double value = channels[channel].rate ? amount * scale / (double)(end_ns - begin_ns)
                             : level > 0            ? level
                                                    : 0;
        mf__track_push(ret_track, end_ns, value, value, value);
    }
    return 0;
}

static int run(struct rebuild *rebuild, const struct mf_flight_processes *processes,
               struct mf_track *tracks, size_t *count)
{
    for (int channel = 0; channel < CHANNELS; channel++) {
        rebuild->amount[channel] = mf_calloc(rebuild->pieces, sizeof(double));
        if (rebuild->amount[channel] == NULL) {
            return -ENOMEM;
        }
    }
    int rc = collect_rounds(rebuild, processes);
    for (size_t i = 0; rc == 0 && i < processes->count; i++) {
        add_process(rebuild, &processes->items[i]);
    }
    for (int channel = 0; rc == 0 && channel < CHANNELS; channel++) {
        rc = make_track(rebuild, channel, &tracks[*count]);
        *count += rc == 0;
    }
    return rc;
}

int mf__timeline_rebuild(const struct mf_flight_processes *processes, int64_t interval_ns,
                         int64_t duration_ns, struct mf_track **ret_tracks, size_t *ret_count,
                         struct mf_errinfo *err)
{
    struct rebuild rebuild = {.duration_ns = duration_ns, .piece_ns = interval_ns};
    if (rebuild.piece_ns < INT64_C(1000000)) {
        rebuild.piece_ns = INT64_C(100000000);
    }
    if (duration_ns / rebuild.piece_ns >= PIECES_MAX) {
        rebuild.piece_ns = duration_ns / PIECES_MAX + 1;
    }
    rebuild.pieces = (size_t)((duration_ns - 1) / rebuild.piece_ns) + 1;
    struct mf_track *tracks = mf_calloc(CHANNELS, sizeof *tracks);
    size_t count = 0;
    const int rc = tracks != NULL ? run(&rebuild, processes, tracks, &count) : -ENOMEM;
    for (int channel = 0; channel < CHANNELS; channel++) {
        mf_free(rebuild.amount[channel]);
    }
    mf_free(rebuild.rounds);
    if (rc < 0) {
        for (size_t i = 0; i < count; i++) {
            mf_track_free(&tracks[i]);
        }
        mf_free(tracks);
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    *ret_tracks = tracks;
    *ret_count = count;
    return 0;
}
