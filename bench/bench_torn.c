/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_torn.c -- whether a reader in another process ever sees half a point.
 *
 * One process records as fast as it can, another, which has the store open for reading only, asks
 * for the last minute over and over until it has seen 200 million points. In every second the
 * values are S and S + 1 in turns, where S follows from the second, and a second ends after 50 of
 * them; so slots are opened, changed and closed all the time, and what a point must hold follows
 * from its second and its count: a point that says anything else is torn, or of an old lap. Points
 * that the reader had to read again are none.
 */
#include "old_store.h"
#include "harness.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define POINTS          200000000
#define POINTS_QUICK    2000000
#define VALUES_A_SECOND 50
#define VALUES_PERIOD   4096 /* S: small enough to be exact in a packed slot */
#define BURST           1000 /* seconds between looks at whether the reader is done */

struct seen {
    uint64_t points;
    uint64_t torn;
    uint64_t queries;
    uint64_t busy; /* queries that met a writer faster than themselves */
};

static double first_value(int64_t start_ns)
{
    return (double)(start_ns / BENCH_SECOND_NS % VALUES_PERIOD);
}

/* Closed slots hold the sum to 1/32 per value; everything else here is exact. */
static bool is_whole(const struct mf_point *point)
{
    const double first = first_value(point->start_ns);
    const double count = (double)point->count;
    const double sum = count * first + (double)(point->count / 2);
    return point->count >= 1 && point->count <= VALUES_A_SECOND && point->first == first &&
           point->min == first && point->max == first + (point->count > 1) &&
           point->last == first + (point->count % 2 == 0) && fabs(point->sum - sum) <= count / 32;
}

static void read_until(struct mf_metrics_reader *reader, uint64_t points, struct seen *seen)
{
    /* The open slot is where most can go wrong: it alone is asked for four times out of five. */
    while (seen->points < points) {
        const int64_t range_s = seen->queries % 5 == 0 ? 60 : 0;
        struct mf_metrics_info info;
        mf_metrics_reader_info(reader, &info);
        const struct mf_metrics_query query = {.selector = "metric",
                                               .start_ns =
                                                   info.clock_wall_ns - range_s * BENCH_SECOND_NS,
                                               .end_ns = INT64_MAX / 4,
                                               .tier = 0};
        struct mf_metrics_result *result;
        struct mf_errinfo err;
        const int rc = mf_metrics_query(reader, &query, &result, &err);
        seen->queries++;
        if (rc == MF_EBUSY) {
            seen->busy++;
            continue;
        }
        bench_check(rc, &err, "query");
        for (size_t i = 0; i < result->series[0].point_count; i++) {
            seen->torn += !is_whole(&result->series[0].points[i]);
        }
        seen->points += result->series[0].point_count;
        mf_metrics_result_free(result);
    }
}

static _Noreturn void be_reader(const char *path, uint64_t points, int output)
{
    struct mf_errinfo err;
    struct mf_metrics_reader *reader;
    struct seen seen = {0};
    bench_check(mf_metrics_reader_open(path, NULL, &reader, &err), &err, path);
    read_until(reader, points, &seen);
    mf_metrics_reader_close(reader);
    _exit(write(output, &seen, sizeof seen) == (ssize_t)sizeof seen ? 0 : 1);
}

/* Records until the reader has ended; returns how many values. */
static uint64_t record_until(struct bench_store *store, pid_t reader)
{
    uint64_t values = 0;
    int status = 0;
    pid_t ended;
    while ((ended = waitpid(reader, &status, WNOHANG)) == 0) {
        for (int second = 0; second < BURST; second++) {
            bench_store_tick(store, BENCH_SECOND_NS);
            const double first = first_value(store->now_ns);
            for (int i = 0; i < VALUES_A_SECOND; i++) {
                (void)mf_metrics_record(store->store, store->series[0], first + i % 2);
            }
        }
        values += BURST * VALUES_A_SECOND;
    }
    if (ended != reader || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        bench_die("the reading process failed");
    }
    return values;
}

static void report(struct bench *bench, const struct seen *seen, uint64_t values, double seconds)
{
    if (bench_options(bench)->json) {
        struct mf_json *json = bench_json(bench);
        mf_json_key_uint(json, "points_read", seen->points);
        mf_json_key_uint(json, "torn", seen->torn);
        mf_json_key_uint(json, "queries", seen->queries);
        mf_json_key_uint(json, "queries_busy", seen->busy);
        mf_json_key_uint(json, "values_recorded", values);
        mf_json_key_double(json, "seconds", seconds);
    } else {
        printf("%llu points read in %llu queries while %llu values were recorded, in %.1f s: %llu "
               "torn\n",
               (unsigned long long)seen->points, (unsigned long long)seen->queries,
               (unsigned long long)values, seconds, (unsigned long long)seen->torn);
        printf("%llu queries found the writer too fast and were asked again\n",
               (unsigned long long)seen->busy);
    }
}

int main(int argc, char **argv)
{
    struct bench *bench =
        bench_begin("torn", "Whether a reader ever sees half a point.", BENCH_PLAIN, argc, argv);
    static struct bench_store store;
    bench_store_open(bench, &store, "store", MF_GAUGE, 1);
    (void)mf_metrics_record(store.store, store.series[0], first_value(store.now_ns));
    int ends[2];
    if (pipe(ends) != 0) {
        bench_die("pipe: %s", strerror(errno));
    }
    const int64_t start_ns = bench_now_ns();
    const pid_t reader = fork();
    if (reader < 0) {
        bench_die("fork: %s", strerror(errno));
    }
    if (reader == 0) {
        be_reader(store.path, bench_options(bench)->quick ? POINTS_QUICK : POINTS, ends[1]);
    }
    close(ends[1]);
    const uint64_t values = record_until(&store, reader);
    const double seconds = (double)(bench_now_ns() - start_ns) / 1e9;
    struct seen seen;
    if (read(ends[0], &seen, sizeof seen) != (ssize_t)sizeof seen) {
        bench_die("the reading process said nothing");
    }
    close(ends[0]);
    bench_store_close(&store);
    report(bench, &seen, values, seconds);
    const int code = bench_finish(bench);
    return seen.torn == 0 ? code : 1;
}
