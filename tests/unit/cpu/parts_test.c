/* SPDX-License-Identifier: Apache-2.0
 * The parts of cpu that are plain computation: windows against a model, lateness against the values
 * that were added. */
#include "base/rng.h"
#include "cpu_private.h"
#include "test_seed.h"

#include "cmocka_all.h"

#define US MF_NS_PER_US
#define MS MF_NS_PER_MS

/* What a window says was used was used within its length; and it misses at most the distance of two
 * moments. */
static void a_window_against_a_model(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    static int64_t at_ns[COUNT + 1]; /* stamps are nanoseconds here */
    static int64_t cpu_ns[COUNT + 1];
    const struct mf_cpu_budget budget = {.cpu_ns = 5 * MS, .window_ns = 10 * MS};
    struct mf_rng rng;
    struct window window = {.next = NULL};
    mf_rng_seed(&rng, test_seed());
    at_ns[0] = 1000 * MS;
    mf__window_begin(&window, 7, (uint64_t)at_ns[0], 0);
    for (int i = 1; i <= COUNT; i++) {
        const int64_t step_ns = (int64_t)mf_rng_below(&rng, i % 50 == 0 ? 30 * MS : 1250 * US) + US;
        at_ns[i] = at_ns[i - 1] + step_ns;
        const bool busy = i / 100 % 2 == 0;
        cpu_ns[i] = cpu_ns[i - 1] + (busy ? step_ns : step_ns / 50);
        int64_t wall_ns = -1;
        const int64_t used_ns =
            mf__window_add(&window, &budget, (uint64_t)at_ns[i], cpu_ns[i], &wall_ns);
        assert_true(wall_ns >= 0 && wall_ns <= budget.window_ns);
        int64_t least_ns = 0; /* since the second moment that lies in the window */
        int64_t most_ns = 0;
        int first = i;
        while (first > 0 && at_ns[i] - at_ns[first - 1] <= budget.window_ns) {
            first--;
        }
        most_ns = cpu_ns[i] - cpu_ns[first];
        assert_true(used_ns <= most_ns);
        /* Moments that were kept are a sixteenth and a step apart at most, or a pause apart. */
        int later = first;
        while (later < i &&
               at_ns[later] - at_ns[first] <= budget.window_ns / WINDOW_POINTS + 1250 * US + US) {
            later++;
        }
        least_ns = later < i ? cpu_ns[i] - cpu_ns[later] : 0;
        assert_true(used_ns >= least_ns);
    }
}

static void lateness_is_what_was_added(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    for (int i = 0; i < 3000; i++) {
        struct lateness late = {.count = 0};
        const int64_t ns = (int64_t)(mf_rng_next(&rng) >> (23 + mf_rng_below(&rng, 41)));
        assert_int_equal(mf__lateness_quantile(&late, 0.5), 0);
        mf__lateness_add(&late, ns);
        assert_int_equal(mf__lateness_quantile(&late, 0.5), ns); /* never more than the largest */
        mf__lateness_add(&late, INT64_MAX);
        const int64_t told_ns = mf__lateness_quantile(&late, 0.5);
        assert_true(told_ns >= ns && told_ns <= ns + ns / 16 + 1);
        assert_true(mf__lateness_quantile(&late, 1) >= told_ns);
    }
    struct lateness late = {.count = 0};
    for (int64_t i = 1; i <= 1000; i++) {
        mf__lateness_add(&late, i * US);
    }
    const int64_t p99_ns = mf__lateness_quantile(&late, 0.99);
    assert_true(p99_ns >= 990 * US && p99_ns <= 1000 * US);
    mf__lateness_add(&late, -5); /* a clock that differs: counted as 0 */
    assert_int_equal(mf__lateness_quantile(&late, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_against_a_model),
        cmocka_unit_test(lateness_is_what_was_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
