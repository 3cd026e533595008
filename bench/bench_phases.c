/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_phases.c -- whether a run of 45 s has its 45 points whatever second it starts at.
 *
 * A ring of 600 slots is crossed at another place by each of the 600 start seconds. For each of
 * them: a new store with the schema of the documents, 45 values of one gauge, one per second; then
 * the store is opened again and asked for all points. Twice: after a close in good order, and after
 * the writing process was killed with SIGKILL. A point counts when it is the only one of its second
 * and has the value that was recorded there.
 */
#include "old_store.h"
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PHASES       600
#define PHASES_QUICK 20 /* every 30th */
#define POINTS       45

static void record_all(const char *path, int64_t start_ns, bool killed)
{
    struct mf_errinfo err;
    struct mf_metrics *store;
    mf_series series;
    const struct mf_metrics_schema schema = mf_metrics_schema_default(1);
    const struct mf_series_spec spec = {.type = MF_GAUGE, .name = "value"};
    bench_check(mf_metrics_open(path, &schema, 1, NULL, NULL, &store, &err), &err, path);
    bench_check(mf_metrics_register(store, &spec, &series, &err), &err, path);
    for (int i = 0; i < POINTS; i++) {
        bench_check(mf_metrics_record_at(store, series, i, start_ns + i * BENCH_SECOND_NS), NULL,
                    path);
    }
    if (killed) {
        (void)raise(SIGKILL);
    }
    bench_check(mf_metrics_close(store, &err), &err, path);
}

static void record_and_be_killed(const char *path, int64_t start_ns)
{
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        record_all(path, start_ns, true);
        _exit(1);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status) ||
        WTERMSIG(status) != SIGKILL) {
        bench_die("the writing process did not come to its end");
    }
}

static unsigned points_of(const char *path, int64_t start_ns)
{
    struct mf_errinfo err;
    struct mf_metrics *store;
    struct mf_metrics_reader *reader;
    struct mf_metrics_result *result;
    const struct mf_metrics_query query = {
        .selector = "value", .start_ns = 0, .end_ns = INT64_MAX / 4, .tier = 0};
    /* Opened for writing, so that the repair is seen too. */
    bench_check(mf_metrics_open(path, NULL, 0, NULL, NULL, &store, &err), &err, path);
    bench_check(mf_metrics_reader_of(store, &reader, &err), &err, path);
    bench_check(mf_metrics_query(reader, &query, &result, &err), &err, path);
    unsigned points = 0;
    for (size_t i = 0; result->series_count == 1 && i < result->series[0].point_count; i++) {
        const struct mf_point *point = &result->series[0].points[i];
        const int64_t second = (point->start_ns - start_ns) / BENCH_SECOND_NS;
        points += second >= 0 && second < POINTS && point->count == 1 &&
                  point->last == (double)second && point->start_ns % BENCH_SECOND_NS == 0;
    }
    mf_metrics_result_free(result);
    mf_metrics_reader_close(reader);
    bench_check(mf_metrics_close(store, &err), &err, path);
    return points;
}

struct outcome {
    const char *name;
    bool killed;
    unsigned phases;
    unsigned whole; /* phases with all points */
    unsigned least; /* points */
};

static void try_phase(struct outcome *outcome, const char *path, int64_t start_ns)
{
    if (outcome->killed) {
        record_and_be_killed(path, start_ns);
    } else {
        record_all(path, start_ns, false);
    }
    const unsigned points = points_of(path, start_ns);
    outcome->phases++;
    outcome->whole += points == POINTS;
    outcome->least = points < outcome->least ? points : outcome->least;
    bench_store_remove(path);
}

int main(int argc, char **argv)
{
    struct bench *bench = bench_begin("phases", "45 points of a run of 45 s, at every start phase.",
                                      BENCH_PLAIN, argc, argv);
    const unsigned step = bench_options(bench)->quick ? PHASES / PHASES_QUICK : 1;
    const char *path = bench_scratch(bench, "store");
    struct outcome outcomes[] = {{"closed", false, 0, 0, POINTS}, {"killed", true, 0, 0, POINTS}};
    bool all_whole = true;
    for (size_t i = 0; i < 2; i++) {
        for (unsigned phase = 0; phase < PHASES; phase += step) {
            const int64_t start_s = BENCH_START_NS / BENCH_SECOND_NS / PHASES * PHASES + phase;
            try_phase(&outcomes[i], path, start_s * BENCH_SECOND_NS);
        }
        all_whole = all_whole && outcomes[i].whole == outcomes[i].phases;
    }
    if (bench_options(bench)->json) {
        struct mf_json *json = bench_json(bench);
        for (size_t i = 0; i < 2; i++) {
            mf_json_key(json, outcomes[i].name);
            mf_json_begin_object(json);
            mf_json_key_uint(json, "phases", outcomes[i].phases);
            mf_json_key_uint(json, "phases_with_all_points", outcomes[i].whole);
            mf_json_key_uint(json, "least_points", outcomes[i].least);
            mf_json_end_object(json);
        }
    } else {
        for (size_t i = 0; i < 2; i++) {
            printf("%s: %d of %d points at %u of %u start phases (least %u)\n", outcomes[i].name,
                   POINTS, POINTS, outcomes[i].whole, outcomes[i].phases, outcomes[i].least);
        }
    }
    const int code = bench_finish(bench);
    return all_whole ? code : 1;
}
