/* SPDX-License-Identifier: Apache-2.0
 *
 * prop_cpu_window.c -- the sliding window against the truth. The truth is who used a processor in
 * each of some thousand steps; the window is only shown the counter now and then. It must never
 * say that a limit was exceeded when it was not, never promise a pause in which it is, and see
 * every excess that is looked at closely enough.
 */
#include "cmocka_all.h"

#include "base/rng.h"
#include "outside_window.h"
#include "test_seed.h"

#include <stdio.h>

#define STEPS 3000
#define STEP  1000 /* ns */

struct truth {
    uint64_t used[STEPS + 1]; /* cumulative */
};

static uint64_t below(struct mf_rng *rng, uint64_t bound)
{
    return mf_rng_next(rng) % bound;
}

/* Busy and idle for random times, on up to `parallel` processors. */
static void make_truth(struct mf_rng *rng, struct truth *truth, unsigned parallel)
{
    uint64_t rate = 0;
    uint64_t left = 0;
    truth->used[0] = 0;
    for (unsigned i = 1; i <= STEPS; i++) {
        if (left-- == 0) {
            rate = below(rng, 2) * below(rng, (uint64_t)parallel * STEP + 1);
            rate = below(rng, 3) == 0 ? (uint64_t)parallel * STEP : rate;
            left = below(rng, 80);
        }
        truth->used[i] = truth->used[i - 1] + rate;
    }
}

static uint64_t used_in(const struct truth *truth, unsigned until, unsigned steps)
{
    return truth->used[until] - truth->used[until > steps ? until - steps : 0];
}

static void one_run(struct mf_rng *rng)
{
    static struct truth truth;
    struct mf_window window;
    const unsigned parallel = 1 + (unsigned)below(rng, 4);
    const unsigned within = 10 + (unsigned)below(rng, 300);
    const uint64_t limit = 1 + below(rng, (uint64_t)within * STEP * parallel);
    const unsigned spread = 1 + (unsigned)below(rng, 60);
    make_truth(rng, &truth, parallel);
    mf__outside_window_open(&window, (int64_t)limit, (int64_t)within * STEP, 0, 0, 0);
    const unsigned stale = (unsigned)below(rng, 10);
    uint64_t shown = 0;
    uint64_t most_ever = 0; /* of any window so far */
    unsigned quiet_until = 0;
    unsigned at = 0;
    while (at < STEPS) {
        const unsigned next = at + 1 + (unsigned)below(rng, spread);
        for (unsigned i = at + 1; i <= next && i <= STEPS; i++) {
            const uint64_t used = used_in(&truth, i, within);
            most_ever = used > most_ever ? used : most_ever;
            if (i < quiet_until) {
                assert_true(used <= limit); /* it was promised */
            }
        }
        const unsigned last = at;
        at = next < STEPS ? next : STEPS;
        /* The stamps are not later and not earlier than the reading. */
        const unsigned before = (unsigned)below(rng, 3);
        const int64_t from = ((int64_t)at - (at - last > before ? before : at - last)) * STEP;
        const int64_t until = ((int64_t)at + (int64_t)below(rng, 2)) * STEP;
        struct mf_window_verdict verdict;
        /* What was used in the last `stale` steps may not be in the counter yet. */
        const unsigned behind = at - (unsigned)below(rng, (at < stale ? at : stale) + 1);
        shown = truth.used[behind] > shown ? truth.used[behind] : shown;
        mf__outside_window_add(&window, from, until, shown, parallel,
                               (uint64_t)stale * STEP * parallel, &verdict);
        if (verdict.exceeded) {
            assert_true(most_ever > limit);
            assert_true(verdict.cpu_ns <= most_ever);
            assert_true(verdict.wall_ns <= (int64_t)within * STEP);
        }
        /* At most so much: of the window that ends where the reading was, at the latest. */
        const unsigned begin =
            (unsigned)(until / STEP) > within ? (unsigned)(until / STEP) - within : 0;
        if (begin <= at) {
            assert_true(verdict.most_ns >= truth.used[at] - truth.used[begin]);
        }
        quiet_until =
            (unsigned)(mf__window_due_ns(&window, &verdict, (int64_t)at * STEP, parallel) / STEP);
    }
}

static void it_never_lies(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    for (int i = 0; i < 3000; i++) {
        one_run(&rng);
    }
}

/* Looked at when it says that it has to be, and never sooner than 1/50 of the window, it finds
 * what exceeds the limit by two such looks. */
static void what_is_looked_at_in_time_is_found(void **state)
{
    (void)state;
    static struct truth truth;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    unsigned found = 0;
    for (int i = 0; i < 3000; i++) {
        struct mf_window window;
        const unsigned within = 100 + (unsigned)below(&rng, 300);
        const unsigned tick = within / 50;
        const uint64_t limit = 1 + below(&rng, (uint64_t)(within - 2 * tick) * STEP);
        make_truth(&rng, &truth, 1);
        mf__outside_window_open(&window, (int64_t)limit, (int64_t)within * STEP, 0, 0, 0);
        bool exceeded = false;
        for (unsigned at = 0; at < STEPS && !exceeded;) {
            struct mf_window_verdict verdict;
            mf__outside_window_add(&window, (int64_t)at * STEP, (int64_t)at * STEP, truth.used[at],
                                   1, 0, &verdict);
            exceeded = verdict.exceeded;
            const unsigned due =
                (unsigned)(mf__window_due_ns(&window, &verdict, (int64_t)at * STEP, 1) / STEP);
            at = due > at + tick ? due : at + tick;
        }
        uint64_t most = 0;
        for (unsigned k = 0; k + within / 4 + tick < STEPS; k++) {
            const uint64_t used = used_in(&truth, k, within);
            most = used > most ? used : most;
        }
        /* What can be used between two looks may be missed, and points that lie closer than 1/32 of
         * the window are merged. */
        const uint64_t blur = (uint64_t)(within / 4 + within / 32 + 2 * tick + 2) * STEP;
        if (most > limit + blur) {
            assert_true(exceeded);
            found++;
        }
    }
    assert_true(found > 100); /* else this test says nothing */
}

static void exactly_the_limit_is_kept(void **state)
{
    (void)state;
    struct mf_window window;
    struct mf_window_verdict verdict;
    mf__outside_window_open(&window, 50, 100, 0, 1000, 0);
    mf__outside_window_add(&window, 100, 100, 1050, 1, 0, &verdict);
    assert_false(verdict.exceeded);
    assert_int_equal(verdict.cpu_ns, 50);
    assert_int_equal(verdict.most_ns, 50);
    mf__outside_window_open(&window, 50, 100, 0, 1000, 0);
    mf__outside_window_add(&window, 100, 100, 1051, 1, 0, &verdict);
    assert_true(verdict.exceeded);
    assert_int_equal(verdict.cpu_ns, 51);
    assert_int_equal(verdict.wall_ns, 100);
}

static void a_reading_before_the_window_proves_the_rest(void **state)
{
    (void)state;
    struct mf_window window;
    struct mf_window_verdict verdict;
    mf__outside_window_open(&window, 50, 100, 0, 0, 0);
    mf__outside_window_add(&window, 110, 110, 60, 1, 0, &verdict);
    assert_false(verdict.exceeded); /* 10 of the 60 may have been before */
    mf__outside_window_open(&window, 50, 100, 0, 0, 0);
    mf__outside_window_add(&window, 110, 110, 61, 1, 0, &verdict);
    assert_true(verdict.exceeded);
    assert_int_equal(verdict.cpu_ns, 51);
    mf__outside_window_open(&window, 50, 100, 0, 0, 0);
    mf__outside_window_add(&window, 110, 110, 61, 2, 0, &verdict);
    assert_false(verdict.exceeded); /* on two processors 20 */
    mf__outside_window_open(&window, 50, 100, 0, 0, 4);
    mf__outside_window_add(&window, 110, 110, 64, 1, 0, &verdict);
    assert_false(verdict.exceeded); /* and 4 that were booked late */
}

static void what_comes_late_is_no_excess(void **state)
{
    (void)state;
    struct mf_window window;
    struct mf_window_verdict verdict;
    mf__outside_window_open(&window, 50, 100, 0, 0, 0);
    mf__outside_window_add(&window, 40, 40, 10, 1, 0, &verdict);
    mf__outside_window_correct(&window, 20, 60); /* used after 20, known only now */
    mf__outside_window_add(&window, 130, 130, 70, 1, 0, &verdict);
    assert_false(verdict.exceeded);
    mf__outside_window_open(&window, 50, 100, 0, 0, 0);
    mf__outside_window_add(&window, 40, 40, 10, 1, 0, &verdict);
    mf__outside_window_correct(&window, 45, 60); /* certainly after the reading at 40 */
    mf__outside_window_add(&window, 130, 130, 70, 1, 0, &verdict);
    assert_true(verdict.exceeded);
    assert_int_equal(verdict.cpu_ns, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_limit_is_kept),
        cmocka_unit_test(a_reading_before_the_window_proves_the_rest),
        cmocka_unit_test(what_comes_late_is_no_excess),
        cmocka_unit_test(it_never_lies),
        cmocka_unit_test(what_is_looked_at_in_time_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
