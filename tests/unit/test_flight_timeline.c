/* SPDX-License-Identifier: Apache-2.0
 * Time series of flights: from the store, from the samples alone, fewer points, pieces for drawing.
 */
#include "cmocka_all.h"

#include "flight_track.h"
#include "flights.h"
#include "scratch.h"

#include "base/rng.h"
#include "flight/story.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MS     INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define START  (INT64_C(1790251200) * SECOND)

/* ---- one track ---- */

static struct mf_track track_of(bool rate, size_t count, const double *values)
{
    struct mf_track track;
    assert_int_equal(mf__track_init(&track, "x", "count", rate, count), 0);
    for (size_t i = 0; i < count; i++) {
        mf__track_push(&track, (int64_t)(i + 1) * 100 * MS, values[i], values[i], values[i]);
    }
    return track;
}

static void reducing_keeps_extremes_and_mean(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 3);
    for (size_t count = 1; count < 300; count += 7) {
        double values[300];
        double sum = 0;
        double min = INFINITY;
        double max = -INFINITY;
        for (size_t i = 0; i < count; i++) {
            values[i] = mf_rng_double(&rng) * 100;
            sum += values[i];
            min = fmin(min, values[i]);
            max = fmax(max, values[i]);
        }
        for (size_t limit = 1; limit <= 320; limit = limit * 2 + 1) {
            struct mf_track track = track_of(true, count, values);
            struct mf_track reduced;
            double area = 0;
            double low = INFINITY;
            double high = -INFINITY;
            int64_t before_ns = 0;
            assert_int_equal(mf_track_reduce(&track, limit, &reduced, NULL), 0);
            assert_int_equal(reduced.count, count < limit ? count : limit);
            assert_true(reduced.t_ns[reduced.count - 1] == track.t_ns[count - 1]);
            for (size_t i = 0; i < reduced.count; i++) {
                assert_true(reduced.min[i] <= reduced.value[i] + 1e-9);
                assert_true(reduced.max[i] >= reduced.value[i] - 1e-9);
                area += reduced.value[i] * (double)(reduced.t_ns[i] - before_ns);
                before_ns = reduced.t_ns[i];
                low = fmin(low, reduced.min[i]);
                high = fmax(high, reduced.max[i]);
            }
            assert_true(low == min && high == max);
            assert_true(fabs(area / (100.0 * (double)MS) - sum) < 1e-6 * sum);
            mf_track_free(&reduced);
            mf_track_free(&track);
        }
    }
}

static void pieces_of_a_rate_are_means(void **state)
{
    (void)state;
    const double values[] = {1, 3, 5, 7};
    double out[8];
    struct mf_track track = track_of(true, 4, values);
    for (size_t i = 0; i < 8; i++) {
        out[i] = NAN;
    }
    mf_track_add(&track, 0, 400 * MS, 8, out);
    for (size_t i = 0; i < 8; i++) {
        assert_true(out[i] == values[i / 2]);
    }
    double whole = NAN;
    mf_track_add(&track, 0, 400 * MS, 1, &whole);
    assert_true(whole == 4);
    mf_track_add(&track, 50 * MS, 150 * MS, 1, &whole); /* adds up */
    assert_true(whole == 4 + 2);
    double beyond = NAN;
    mf_track_add(&track, 500 * MS, 600 * MS, 1, &beyond);
    assert_true(isnan(beyond));
    mf_track_free(&track);
}

static void pieces_of_a_level_are_its_largest(void **state)
{
    (void)state;
    const double values[] = {1, 9, 5, 7};
    double out[4] = {NAN, NAN, NAN, NAN};
    struct mf_track track = track_of(false, 4, values);
    mf_track_add(&track, 0, 400 * MS, 2, out);
    assert_true(out[0] == 9 && out[1] == 7);
    double held = NAN;
    mf_track_add(&track, 210 * MS, 290 * MS, 1, &held); /* between points it stays */
    assert_true(held == 9);
    double after = NAN;
    mf_track_add(&track, 550 * MS, 560 * MS, 1, &after);
    assert_true(after == 7);
    after = NAN;
    mf_track_add(&track, 900 * MS, 950 * MS, 1, &after); /* but not for ever */
    assert_true(isnan(after));
    mf_track_free(&track);
}

static void an_empty_track_is_nothing(void **state)
{
    (void)state;
    struct mf_track track = track_of(false, 0, NULL);
    struct mf_track reduced;
    double out = NAN;
    mf_track_add(&track, 0, SECOND, 1, &out);
    assert_true(isnan(out));
    assert_int_equal(mf_track_reduce(&track, 10, &reduced, NULL), 0);
    assert_int_equal(reduced.count, 0);
    mf_track_free(&reduced);
    mf_track_free(&track);
}

/* ---- of a flight ---- */

static char home[300];

static void read_story(const char *id, struct mf_story *story)
{
    char dir[400];
    struct mf_errinfo err = {0};
    snprintf(dir, sizeof dir, "%s/flights/%s", home, id);
    if (mf_story_read(dir, story, &err) < 0) {
        fail_msg("%s", err.msg);
    }
}

static double area_of(const struct mf_timeline *timeline, const char *name)
{
    double area = 0;
    for (size_t i = 0; i < timeline->count; i++) {
        const struct mf_track *track = &timeline->tracks[i];
        int64_t before_ns = 0;
        for (size_t k = 0; strcmp(track->name, name) == 0 && k < track->count; k++) {
            area += track->value[k] * (double)(track->t_ns[k] - before_ns);
            before_ns = track->t_ns[k];
        }
    }
    return area;
}

static void check_near(double value, double wanted, double share)
{
    if (fabs(value - wanted) > share * fabs(wanted)) {
        fail_msg("%g is not near %g", value, wanted);
    }
}

/* What was used in all is the area below the curve, whichever way it was made. */
static void areas_are_totals(void **state)
{
    (void)state;
    for (int without_store = 0; without_store < 2; without_store++) {
        const char *id = without_store ? "20260924-120100-b-0002" : "20260924-120000-b-0001";
        struct mf_story story;
        snprintf(home, sizeof home, "%s/areas%d", scratch_directory(), without_store);
        test_flight_build(home, id, START + 33 * MS); /* slots do not lie on its start */
        if (without_store) {
            char path[500];
            snprintf(path, sizeof path, "%s/flights/%s/metrics/metrics.slab", home, id);
            assert_int_equal(remove(path), 0);
        }
        read_story(id, &story);
        assert_int_equal(story.timeline.from_samples, without_store);
        const struct mf_flight_totals *totals = &story.info->totals;
        check_near(area_of(&story.timeline, "cpu_user"), (double)totals->cpu_user_ns, 0.001);
        check_near(area_of(&story.timeline, "cpu_system"), (double)totals->cpu_system_ns, 0.001);
        check_near(area_of(&story.timeline, "io_write") / 1e9, (double)totals->write_bytes, 0.001);
        double most[300];
        double peak = 0;
        mf_timeline_columns(&story.timeline, without_store ? "memory_rss" : "memory", 0,
                            story.timeline.duration_ns, 300, most);
        for (size_t i = 0; i < 300; i++) {
            peak = fmax(peak, most[i]);
        }
        check_near(peak, (double)totals->memory_peak_bytes, 0.1);
        mf_timeline_columns(&story.timeline, "cpu", 0, story.timeline.duration_ns, 300, most);
        for (size_t i = 0; i < 300; i++) {
            assert_true(isnan(most[i]) || most[i] < 2.2); /* no spike where slots are cut */
        }
        mf_story_free(&story);
    }
}

/* A process that no sample saw is in the rebuilt curve by its exit record. */
static void short_lives_are_rebuilt(void **state)
{
    (void)state;
    struct mf_story story;
    snprintf(home, sizeof home, "%s/short", scratch_directory());
    struct test_flight *flight = test_flight_begin(home, "f", "x", NULL, START);
    test_flight_no_metrics(flight);
    test_flight_process(
        flight, &(struct test_process){.number = 1, .comm = "sh", .end_ms = 1000, .rss_mib = 1});
    test_flight_process(flight, &(struct test_process){.number = 2,
                                                       .parent = 1,
                                                       .comm = "quick",
                                                       .start_ms = 310,
                                                       .end_ms = 350,
                                                       .cores = 1,
                                                       .rss_mib = 9});
    test_flight_end(flight,
                    &(struct test_end){.duration_ms = 1000, .kind = "exited", .reason = ""});
    read_story("f", &story);
    double cores[10];
    mf_timeline_columns(&story.timeline, "cpu", 0, SECOND, 10, cores);
    for (size_t i = 0; i < 10; i++) {
        assert_true(fabs(cores[i] - (i == 3 ? 0.4 : 0)) < 1e-6);
    }
    mf_story_free(&story);
}

/* ---- processes at a moment ---- */

static void cpu_of_a_process_at_any_moment(void **state)
{
    (void)state;
    struct mf_flight_sample samples[] = {
        {.t_ns = 100 * MS, .cpu_ns = 50, .rss_bytes = 7},
        {.t_ns = 200 * MS, .cpu_ns = 100, .rss_bytes = 8},
        {.t_ns = 900 * MS, .cpu_ns = 200, .rss_bytes = 9}, /* idle up to 800 ms */
    };
    struct mf_flight_process process = {
        .start_ns = 50 * MS,
        .end_ns = 950 * MS,
        .ended = true,
        .cpu_user_ns = 260,
        .samples = samples,
        .sample_count = 3,
    };
    static const struct {
        int64_t t_ms;
        double cpu_ns;
        uint64_t rss_bytes;
    } moments[] = {
        {0, 0, 0},     {50, 0, 0},    {75, 25, 0},   {100, 50, 7},  {150, 75, 7},  {200, 100, 8},
        {800, 100, 8}, {850, 150, 8}, {900, 200, 9}, {925, 230, 9}, {950, 260, 9}, {2000, 260, 0},
    };
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        const int64_t t_ns = moments[i].t_ms * MS;
        assert_true(fabs(mf_process_cpu_at_ns(&process, t_ns, 100 * MS) - moments[i].cpu_ns) <
                    1e-6);
        assert_int_equal(mf_process_rss_at(&process, t_ns), moments[i].rss_bytes);
    }
}

/* ---- words ---- */

static void check_label(const char *comm, const char *args, const char *wanted)
{
    char comm_copy[32];
    char args_copy[300];
    struct mf_buffer out = MF_BUFFER_INIT;
    snprintf(comm_copy, sizeof comm_copy, "%s", comm);
    snprintf(args_copy, sizeof args_copy, "%s", args);
    const struct mf_flight_process process = {.comm = comm_copy, .args = args_copy};
    mf_words_process_label(&out, &process);
    assert_string_equal(out.data, wanted);
    mf_buffer_free(&out);
}

static void labels_have_the_telling_argument(void **state)
{
    (void)state;
    check_label("cc1",
                "/usr/lib/gcc/cc1 -quiet -I /a/b -imultiarch x86_64 -D_GNU_SOURCE /w/src/words.c "
                "-dumpbase words.c -dumpbase-ext .c -mtune=generic -o /tmp/cc1.s",
                "cc1 words.c");
    check_label("cc", "cc -O2 -c src/slab.c -o build/slab.o", "cc slab.c");
    check_label("as", "as --64 -o build/slab.o /tmp/cc1.s", "as slab.o");
    check_label("ar", "ar qc src/libx.a src/a.o src/b.o", "ar libx.a");
    check_label("python3", "python3 train.py --data set.csv", "python3 train.py");
    check_label("make", "make -j2 all", "make all");
    check_label("bash", "bash -c 'cd /x/y.z && make it'", "bash 'cd /x/y.z && make it'");
    check_label("sleep", "sleep 5", "sleep 5");
    check_label("true", "true", "true");
    check_label("x", "x -v --all", "x");
    check_label("ls", "ls /some/dir/", "ls dir/");
}

/* ---- the story ---- */

static void stories_name_the_culprit(void **state)
{
    (void)state;
    struct mf_story story;
    snprintf(home, sizeof home, "%s/culprit", scratch_directory());
    test_flight_failing_build(home, "f", START);
    read_story("f", &story);
    assert_string_equal(mf_story_culprit(&story)->comm, "cc1");
    mf_story_free(&story);
    test_flight_build(home, "g", START);
    read_story("g", &story);
    assert_null(mf_story_culprit(&story));
    assert_int_equal(story.event_count, 3); /* start, the step with both ends in one, end */
    assert_string_equal(story.events[1].text, "compile");
    assert_int_equal(story.events[1].t_ns, 50 * MS);
    assert_true(story.events[1].end_ns > SECOND);
    assert_int_equal(story.problem_count, 0);
    mf_story_free(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reducing_keeps_extremes_and_mean),
        cmocka_unit_test(pieces_of_a_rate_are_means),
        cmocka_unit_test(pieces_of_a_level_are_its_largest),
        cmocka_unit_test(an_empty_track_is_nothing),
        cmocka_unit_test(areas_are_totals),
        cmocka_unit_test(short_lives_are_rebuilt),
        cmocka_unit_test(cpu_of_a_process_at_any_moment),
        cmocka_unit_test(labels_have_the_telling_argument),
        cmocka_unit_test(stories_name_the_culprit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
