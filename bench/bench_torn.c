/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_torn.c -- reading while another process records as fast as it can, and whether half a point
 * is ever seen.
 *
 * An iteration is a query, of the open slot alone four times out of five, as that is where most can
 * go wrong, else of the last minute. In every second the writer's values are S and S + 1 in turns,
 * where S follows from the second, and a second ends after 50 of them; so slots are opened, changed
 * and closed all the time, and what a point must hold follows from its second and its count: a
 * point that says anything else is torn, or of an old lap, and fails the benchmark. A query that
 * finds the writer too fast is asked again ("busy"). "points" and "torn" are per query; bench/run
 * torn reads 200 million points.
 */
#include "bench_store.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define VALUES_A_SECOND 50
#define VALUES_PERIOD   4096 /* S: small enough to be exact in a packed slot */

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

static _Noreturn void record_for_ever(struct bench_store *store)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        bench_store_tick(store, BENCH_SECOND_NS);
        const double first = first_value(store->now_ns);
        for (int i = 0; i < VALUES_A_SECOND; i++) {
            (void)mf_metrics_record(store->store, store->series[0], first + i % 2);
        }
    }
}

struct seen {
    double points, torn, busy;
};

/* One query; again while the writer is too fast. False after mf_bench_fail(). */
static bool ask(struct mf_bench *bench, struct mf_metrics_reader *reader, int64_t range_s,
                struct seen *seen)
{
    struct mf_metrics_result *result;
    struct mf_errinfo err;
    for (;;) {
        struct mf_metrics_info info;
        mf_metrics_reader_info(reader, &info);
        const struct mf_metrics_query query = {
            .selector = "metric",
            .start_ns = info.clock_wall_ns - range_s * BENCH_SECOND_NS,
            .end_ns = INT64_MAX / 4,
        };
        const int rc = mf_metrics_query(reader, &query, &result, &err);
        if (rc != MF_EBUSY) {
            if (!bench_ok(bench, rc, &err, "query")) {
                return false;
            }
            break;
        }
        seen->busy++;
    }
    for (size_t s = 0; s < result->series_count; s++) {
        for (size_t i = 0; i < result->series[s].point_count; i++) {
            seen->torn += !is_whole(&result->series[s].points[i]);
        }
        seen->points += (double)result->series[s].point_count;
    }
    mf_metrics_result_free(result);
    return true;
}

static void read_while_recording(struct mf_bench *bench, struct bench_store *store)
{
    struct mf_errinfo err;
    struct mf_metrics_reader *reader;
    (void)mf_metrics_record(store->store, store->series[0], first_value(store->now_ns));
    const pid_t writer = fork();
    if (writer == 0) {
        record_for_ever(store);
    }
    if (writer < 0) {
        mf_bench_fail(bench, "fork: %s", strerror(errno));
        return;
    }
    struct seen seen = {0};
    uint64_t queries = 0;
    if (bench_ok(bench, mf_metrics_reader_open(store->path, NULL, &reader, &err), &err, "open")) {
        MF_LOOP(bench)
        {
            if (!ask(bench, reader, queries++ % 5 == 0 ? 60 : 0, &seen)) {
                break;
            }
        }
        mf_metrics_reader_close(reader);
    }
    (void)kill(writer, SIGKILL);
    (void)waitpid(writer, NULL, 0);
    mf_bench_count(bench, "points", seen.points);
    mf_bench_count(bench, "torn", seen.torn);
    mf_bench_count(bench, "busy", seen.busy);
    mf_bench_report(bench, "points_read", seen.points);
    if (seen.torn > 0) {
        mf_bench_fail(bench, "%.0f of %.0f points are torn", seen.torn, seen.points);
    }
}

MF_BENCH(torn, reader)
{
    struct bench_store store;
    if (bench_store_open(bench, &store, MF_GAUGE, 1)) {
        read_while_recording(bench, &store);
    }
    bench_store_close(bench, &store);
}

MF_BENCH_MAIN
