/* SPDX-License-Identifier: Apache-2.0
 * The Nth allocation fails, for every N until none does, in what the runner of benchmarks does with
 * results: an error each time, nothing half done, nothing leaked (AddressSanitizer looks). */
#include "bench_fixture.h"
#include "bench_report.h"
#include "child_protocol.h"
#include "cmocka_all.h"
#include "config_file.h"
#include "run_json.h"
#include "verdicts.h"

#include <errno.h>

static int64_t allocations_left;
static bool refused;

static int refuse_nth(void *context, size_t len_bytes)
{
    (void)context;
    (void)len_bytes;
    allocations_left--;
    refused = refused || allocations_left == 0;
    return allocations_left == 0;
}

/* Runs `scenario`, which returns whether it failed, with the Nth allocation refused, until none is.
 */
static void for_each_allocation(bool (*scenario)(void))
{
    int64_t nth = 0;
    do {
        nth++;
        allocations_left = nth;
        refused = false;
        mf_heap_set_hook(refuse_nth, NULL);
        const bool failed = scenario();
        mf_heap_set_hook(NULL, NULL);
        assert_int_equal(failed, refused);
    } while (refused);
    assert_true(nth > 1);
}

static bool make_results(struct bench_result results[2])
{
    struct mf_rng rng;
    mf_rng_seed(&rng, 3);
    memset(results, 0, 2 * sizeof *results);
    return fixture_result(&results[0], "suite::a", 6, 8, 100, 0.01, 0.01, true, &rng) == 0 &&
           fixture_result(&results[1], "suite::b", 6, 8, 100, 0.01, 0.01, false, &rng) == 0 &&
           fixture_estimate(&results[0]) == 0 && fixture_estimate(&results[1]) == 0;
}

static bool estimate_and_compare(void)
{
    struct bench_result results[2];
    bool good = make_results(results);
    const struct bench_run run = {.results = results, .result_count = 2};
    const struct compare_settings settings = {
        .interleaved = true, .threshold_fraction = 0.01, .confidence_level = 0.95};
    struct bench_comparison *comparisons = NULL;
    good = good && mf__compare(&run, &run, &settings, &comparisons, NULL) == 0;
    mf_free(comparisons);
    mf__bench_result_free(&results[0]);
    mf__bench_result_free(&results[1]);
    return !good;
}

static bool write_and_read(void)
{
    struct bench_result results[2];
    bool good = make_results(results);
    struct bench_run run = {.results = results, .result_count = 2};
    struct bench_run again = {0};
    struct mf_buffer text = MF_BUFFER_INIT;
    if (good) {
        mf__run_json_write(&text, &run, NULL, 0, MF_JSON_COMPACT, RUN_JSON_SAMPLES);
        good = !text.failed && mf__run_json_read(text.data, text.len, "x", &again, NULL) == 0;
    }
    mf_buffer_free(&text);
    mf__bench_run_free(&again);
    mf__bench_result_free(&results[0]);
    mf__bench_result_free(&results[1]);
    return !good;
}

static bool read_settings(void)
{
    static const char text[] = "[bench]\nskip = ['a', 'b']\npercentiles = [50, 99]\n"
                               "[suite.s]\nthreads = [1, 2]\n[throughput]\n"
                               "target_throughput = 5\n[[target]]\nbench = 'x'\nmetric = 'm'\n"
                               "good = 1\n[hardware]\ncpu = 'x'\nb = \"\\u00e9\"\n";
    struct bench_config config;
    const struct bench_word words[] = {{"binary", "a"}, {"binary", "b"}};
    struct mf_errinfo err = {0};
    int rc = mf__config_load(&config, words, 2, &err);
    if (rc == 0) {
        rc = mf__config_load_text(&config, text, sizeof text - 1, "x.toml", &err);
    }
    mf__config_free(&config);
    assert_true(rc == 0 || rc == -ENOMEM);
    return rc < 0;
}

static bool speak_with_children(void)
{
    struct bench_result results[2];
    bool good = make_results(results);
    struct mf_buffer text = MF_BUFFER_INIT;
    struct bench_measured again = {0};
    if (good) {
        const struct bench_measured measured = {.process = results[0].processes[0]};
        mf__measured_write(&text, &measured);
        good = !text.failed && mf__measured_read(text.data, text.len, "x", &again, NULL) == 0;
    }
    mf__process_free(&again.process);
    mf_buffer_clear(&text);
    struct bench_listed *listed = NULL;
    size_t count = 0;
    if (good) {
        mf__listed_write(&text);
        good =
            !text.failed && mf__listed_read(text.data, text.len, "x", &listed, &count, NULL) == 0;
    }
    mf__listed_free(listed, count);
    mf_buffer_free(&text);
    mf__bench_result_free(&results[0]);
    mf__bench_result_free(&results[1]);
    return !good;
}

static void without_memory(void **state)
{
    (void)state;
    static const int64_t params[] = {1, 2};
    static const struct mf_bench_options options = {.params = params, .param_count = 2};
    mf_bench_register("s", "n", &options, (mf_bench_function)without_memory);
    for_each_allocation(estimate_and_compare);
    for_each_allocation(write_and_read);
    for_each_allocation(read_settings);
    for_each_allocation(speak_with_children);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
