/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_phases.c -- whole short lives: a run of 45 s has its 45 points whatever second it starts
 * at.
 *
 * A ring of 600 slots is crossed at another place by each of the 600 start seconds. An iteration is
 * a life that starts at the next of them: a new store with the schema of the documents, 45 values
 * of one gauge, one per second; then the store is opened again and asked for all points.
 *
 *   phases::closed  after a close in good order
 *   phases::killed  after the writing process was killed with SIGKILL
 *
 * A point counts when it is the only one of its second and has the value that was recorded there; a
 * life without all of them fails the benchmark. "phases" is how many start seconds were tried: what
 * the measurement has left out of 600 is made up for after it (in a test of one iteration, every
 * 30th).
 */
#include "bench_store.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PHASES 600
#define POINTS 45

static int record_all(const char *path, int64_t start_ns, bool killed, struct mf_errinfo *err)
{
    struct mf_metrics *store;
    mf_series series;
    const struct mf_metrics_schema schema = mf_metrics_schema_default(1);
    const struct mf_series_spec spec = {.type = MF_GAUGE, .name = "value"};
    int rc = mf_metrics_open(path, &schema, 1, NULL, NULL, &store, err);
    if (rc < 0) {
        return rc;
    }
    rc = mf_metrics_register(store, &spec, &series, err);
    for (int i = 0; i < POINTS && rc >= 0; i++) {
        rc = mf_metrics_record_at(store, series, i, start_ns + i * BENCH_SECOND_NS);
    }
    if (killed && rc >= 0) {
        (void)raise(SIGKILL);
    }
    const int closed = mf_metrics_close(store, err);
    return rc < 0 ? rc : closed;
}

static bool record_and_be_killed(struct mf_bench *bench, const char *path, int64_t start_ns)
{
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        (void)record_all(path, start_ns, true, NULL);
        _exit(1);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status) ||
        WTERMSIG(status) != SIGKILL) {
        mf_bench_fail(bench, "the writing process did not come to its end");
        return false;
    }
    return true;
}

static unsigned count_points(const struct mf_metrics_result *result, int64_t start_ns)
{
    unsigned points = 0;
    for (size_t i = 0; result->series_count == 1 && i < result->series[0].point_count; i++) {
        const struct mf_point *point = &result->series[0].points[i];
        const int64_t second = (point->start_ns - start_ns) / BENCH_SECOND_NS;
        points += second >= 0 && second < POINTS && point->count == 1 &&
                  point->last == (double)second && point->start_ns % BENCH_SECOND_NS == 0;
    }
    return points;
}

/* Opened for writing, so that the repair is in it. */
static int points_of(const char *path, int64_t start_ns, unsigned *ret_points,
                     struct mf_errinfo *err)
{
    struct mf_metrics *store;
    struct mf_metrics_reader *reader = NULL;
    struct mf_metrics_result *result;
    const struct mf_metrics_query query = {
        .selector = "value", .start_ns = 0, .end_ns = INT64_MAX / 4, .tier = 0};
    int rc = mf_metrics_open(path, NULL, 0, NULL, NULL, &store, err);
    if (rc < 0) {
        return rc;
    }
    rc = mf_metrics_reader_of(store, &reader, err);
    if (rc >= 0) {
        rc = mf_metrics_query(reader, &query, &result, err);
        if (rc >= 0) {
            *ret_points = count_points(result, start_ns);
            mf_metrics_result_free(result);
        }
        mf_metrics_reader_close(reader);
    }
    const int closed = mf_metrics_close(store, err);
    return rc < 0 ? rc : closed;
}

struct lives {
    struct bench_scratch scratch;
    char path[BENCH_PATH_LEN];
    char file[BENCH_PATH_LEN];
    bool killed;
    bool tried[PHASES];
};

static bool live(struct mf_bench *bench, struct lives *lives, unsigned phase)
{
    const int64_t start_s = BENCH_START_NS / BENCH_SECOND_NS / PHASES * PHASES + phase;
    const int64_t start_ns = start_s * BENCH_SECOND_NS;
    struct mf_errinfo err;
    unsigned points = 0;
    const bool recorded =
        lives->killed
            ? record_and_be_killed(bench, lives->path, start_ns)
            : bench_ok(bench, record_all(lives->path, start_ns, false, &err), &err, "record");
    if (!recorded ||
        !bench_ok(bench, points_of(lives->path, start_ns, &points, &err), &err, "read")) {
        return false;
    }
    lives->tried[phase] = true;
    if (points != POINTS) {
        mf_bench_fail(bench, "%u of %d points at start phase %u", points, POINTS, phase);
    }
    return points == POINTS &&
           bench_ok(bench, unlink(lives->file) == 0 && rmdir(lives->path) == 0 ? 0 : -errno, NULL,
                    lives->file);
}

static void live_all(struct mf_bench *bench, bool killed)
{
    struct lives lives = {.killed = killed};
    if (!bench_scratch_begin(bench, &lives.scratch)) {
        return;
    }
    bench_scratch_path(&lives.scratch, "store", lives.path);
    bench_scratch_path(&lives.scratch, "store/metrics.slab", lives.file);
    unsigned next = 0;
    bool whole = true;
    MF_LOOP(bench)
    {
        whole = live(bench, &lives, next++ % PHASES);
        if (!whole) {
            break;
        }
    }
    unsigned tried = 0;
    const unsigned step = mf_bench_iterations(bench) > 1 ? 1 : 30;
    for (unsigned phase = 0; phase < PHASES && whole; phase++) {
        if (!lives.tried[phase] && phase % step == 0) {
            whole = live(bench, &lives, phase);
        }
        tried += lives.tried[phase];
    }
    mf_bench_report(bench, "phases", tried);
    mf_bench_report(bench, "points_of_each", whole ? POINTS : 0);
    bench_scratch_end(&lives.scratch);
}

MF_BENCH(phases, closed, .elements = POINTS)
{
    live_all(bench, false);
}

MF_BENCH(phases, killed, .elements = POINTS)
{
    live_all(bench, true);
}

MF_BENCH_MAIN
