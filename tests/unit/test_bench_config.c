/* SPDX-License-Identifier: Apache-2.0
 * Where settings come from and which wins; benchmark.toml and what it says about mistakes. */
#include "cmocka_all.h"
#include "config_file.h"

#include <stdlib.h>
#include <string.h>

static void load(struct bench_config *config, const char *text)
{
    struct mf_errinfo err = {0};
    if (mf__config_load(config, NULL, 0, &err) != 0 ||
        mf__config_load_text(config, text, strlen(text), "b.toml", &err) != 0) {
        fail_msg("%s", err.msg);
    }
}

static void precedence(void **state)
{
    (void)state;
    struct bench_config config;
    struct mf_errinfo err = {0};
    const struct bench_word words[] = {{"sample-size", "30"}, {"skip", "a"}, {"skip", "b"}};
    const char *text = "[bench]\nsample_size = 10\nprocesses = 3\nnresamples = 1_000\n"
                       "skip = ['c']\nwarm_up_time = '250ms'\n";
    setenv("MF_BENCH_PROCESSES", "5", 1);
    setenv("MF_BENCH_SAMPLE_SIZE", "20", 1);
    assert_int_equal(mf__config_load(&config, words, 3, &err), 0);
    assert_int_equal(mf__config_load_text(&config, text, strlen(text), "b.toml", &err), 0);
    unsetenv("MF_BENCH_PROCESSES");
    unsetenv("MF_BENCH_SAMPLE_SIZE");
    assert_true(mf__config_number(&config, NULL, BENCH_KEY_sample_size) == 30);  /* command line */
    assert_true(mf__config_number(&config, NULL, BENCH_KEY_processes) == 5);     /* environment */
    assert_true(mf__config_number(&config, NULL, BENCH_KEY_nresamples) == 1000); /* file */
    assert_true(mf__config_number(&config, NULL, BENCH_KEY_warm_up_time) == 0.25);
    assert_true(mf__config_number(&config, NULL, BENCH_KEY_measurement_time) == 5); /* default */
    const struct bench_value *skip = mf__config_value(&config, NULL, BENCH_KEY_skip);
    assert_int_equal(skip->count, 2);
    assert_string_equal(skip->texts[1], "b");
    assert_true(mf__config_given(&config, BENCH_KEY_nresamples));
    assert_false(mf__config_given(&config, BENCH_KEY_measurement_time));
    mf__config_free(&config);
}

static const struct bench_target *target(const struct bench_config *config, const char *pattern,
                                         const char *metric)
{
    for (size_t i = 0; i < config->target_count; i++) {
        if (strcmp(config->targets[i].pattern, pattern) == 0 &&
            strcmp(config->targets[i].metric, metric) == 0) {
            return &config->targets[i];
        }
    }
    fail_msg("no target %s %s", pattern, metric);
    return NULL;
}

/* The tables of the performance documents of streaming systems, word for word. */
static void shorthand_tables(void **state)
{
    (void)state;
    struct bench_config config;
    load(&config, "[throughput]\n"
                  "target_throughput = 10_000_000\n"
                  "max_latency_micros = 10\n"
                  "test_duration_secs = 60\n"
                  "\n"
                  "[latency]\n"
                  "target_p99_micros = 10\n"
                  "measurement_iterations = 10000\n"
                  "warmup_iterations = 1000\n"
                  "\n"
                  "[memory]\n"
                  "enable_leak_detection = true\n"
                  "enable_allocation_tracking = true\n"
                  "memory_limit_mb = 2048\n"
                  "\n"
                  "[stress]\n"
                  "test_duration_secs = 300\n"
                  "memory_pressure_mb = 1024\n"
                  "cpu_stress_level = 8\n"
                  "[hardware]\n"
                  "cpu = \"AMD EPYC 7763 @ 2.45GHz\"\n"
                  "cores = 64\n"
                  "memory = \"256GB RAM\"\n"
                  "disk = \"NVMe SSD (Samsung 980 PRO)\"\n");
    const struct bench_target *rate = target(&config, "throughput::*", "elements_per_second");
    assert_true(rate->higher_is_better);
    assert_true(rate->good == 8e6 && rate->critical == 5e6);
    const struct bench_target *p99 = target(&config, "latency::*", "p99_ns");
    assert_false(p99->higher_is_better);
    assert_true(p99->good == 8000 && p99->critical == 15000);
    assert_true(target(&config, "memory::*", "peak_memory_bytes")->critical == 2147483648.0);
    assert_true(target(&config, "memory::*", "leaked_bytes_per_op")->good == 0);
    assert_true(mf__config_number(&config, "throughput", BENCH_KEY_measurement_time) == 60);
    assert_true(mf__config_number(&config, "latency", BENCH_KEY_measurement_time) == 5);
    assert_true(mf__config_number(&config, "latency", BENCH_KEY_operations) == 10000);
    assert_true(mf__config_number(&config, "latency", BENCH_KEY_warm_up_iterations) == 1000);
    assert_int_equal(config.suite_count, 4);
    assert_int_equal(config.suites[3].stress_memory_bytes, 1073741824);
    assert_int_equal(config.suites[3].stress_threads, 8);
    assert_int_equal(config.hardware_count, 4);
    assert_string_equal(config.hardware[1].value, "64");
    mf__config_free(&config);
}

static void suites_and_targets(void **state)
{
    (void)state;
    struct bench_config config;
    load(&config, "[bench]\nprocesses = 4\npercentiles = [50, 99.9]\n"
                  "[suite.series]\nprocesses = 6\nthreads = [1, 8]\n"
                  "[regression]\nthreshold_pct = 0.5\nstored_threshold_pct = 20.0\n"
                  "[[target]]\nbench = 'stream/*'\nmetric = 'p99_ns'\ngood = 8000\n"
                  "critical = 15000\n"
                  "[[target]]\nbench = 'a'\nmetric = 'elements_per_second'\ncritical = 5.5\n");
    assert_true(mf__config_number(&config, "series", BENCH_KEY_processes) == 6);
    assert_true(mf__config_number(&config, "other", BENCH_KEY_processes) == 4);
    const struct bench_value *threads = mf__config_value(&config, "series", BENCH_KEY_threads);
    assert_int_equal(threads->number_count, 2);
    assert_true(threads->numbers[1] == 8);
    assert_true(mf__config_value(&config, NULL, BENCH_KEY_percentiles)->numbers[1] == 99.9);
    assert_true(mf__config_number(&config, NULL, BENCH_KEY_threshold_pct) == 0.5);
    assert_false(target(&config, "stream/*", "p99_ns")->higher_is_better);
    assert_true(target(&config, "a", "elements_per_second")->higher_is_better);
    assert_true(target(&config, "a", "elements_per_second")->good == 5.5);
    mf__config_free(&config);
}

static void mistakes_in_the_file(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } table[] = {
        {"processes = 3", "b.toml:1:1: 'processes' stands in no table; settings are in [bench]"},
        {"[bench]\nproceses = 3", "b.toml:2:1: unknown key 'proceses' in [bench]"},
        {"[bench]\nsample-size = 30", "b.toml:2:1: unknown key 'sample-size' in [bench]"},
        {"[bench]\n  processes = '3'",
         "b.toml:2:15: 'processes' must be a whole number, not a string"},
        {"[bench]\nprocesses = 0", "b.toml:2:13: 'processes': 0 is not between 1 and 32"},
        {"[bench]\nquick = 1", "b.toml:2:9: 'quick' must be true or false, not a whole number"},
        {"[bench]\npercentiles = [50, 'x']",
         "b.toml:2:20: 'percentiles' must be an array of numbers"},
        {"[bench]\npercentiles = [50, 101]",
         "b.toml:2:15: 'percentiles': 101 is not between 0 and 100"},
        {"[bench]\nconfig = 'x'", "b.toml:2:1: unknown key 'config' in [bench]"},
        {"[benches]", "b.toml:1:1: unknown table [benches]"},
        {"[target]\nbench = 'x'", "b.toml:1:1: unknown table [target]; write [[target]]"},
        {"[[targets]]", "b.toml:1:1: unknown table [[targets]]"},
        {"[[target]]\nbench = 'x'\ngood = 1",
         "b.toml:1:1: a target needs bench, metric, and good or critical or both"},
        {"[[target]]\nbench = 'x'\nmetric = 'y'\ngood = 'z'",
         "b.toml:4:8: 'good' must be a number, not a string"},
        {"[regression]\nquick = true", "b.toml:2:1: unknown key 'quick' in [regression]"},
        {"[suite.a]\nquick = true", "b.toml:2:1: unknown key 'quick' in [suite.a]"},
        {"[throughput]\ntarget_throughput = true",
         "b.toml:2:21: 'target_throughput' must be a number, not true or false"},
        {"[memory]\nenable_leak_detection = 1",
         "b.toml:2:25: 'enable_leak_detection' must be true or false, not a whole number"},
        {"[stress]\ncpu_stress_level = 100000",
         "b.toml:2:20: 'cpu_stress_level' must be more than 0 and at most 1024"},
        {"[hardware]\ncpus = [1]",
         "b.toml:2:8: 'cpus' must be a string, a number, or true or false, not an array"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bench_config config = {0};
        struct mf_errinfo err = {0};
        assert_int_equal(
            mf__config_load_text(&config, table[i].text, strlen(table[i].text), "b.toml", &err),
            MF_ESYNTAX);
        assert_string_equal(err.msg, table[i].message);
        mf__config_free(&config);
    }
}

static void mistakes_elsewhere(void **state)
{
    (void)state;
    struct bench_config config;
    struct mf_errinfo err = {0};
    const struct bench_word unknown = {"sampel-size", "1"};
    assert_int_equal(mf__config_load(&config, &unknown, 1, &err), MF_ESYNTAX);
    assert_string_equal(err.msg, "unknown option '--sampel-size'");
    mf__config_free(&config);
    const struct bench_word bad = {"compare", ""};
    assert_int_equal(mf__config_load(&config, &bad, 1, &err), MF_ESYNTAX);
    assert_string_equal(err.msg, "option '--compare': it is empty");
    mf__config_free(&config);
    setenv("MF_BENCH_SAMPEL_SIZE", "1", 1);
    assert_int_equal(mf__config_load(&config, NULL, 0, &err), MF_ESYNTAX);
    assert_string_equal(
        err.msg, "the environment has MF_BENCH_SAMPEL_SIZE, which is no setting of the laboratory");
    unsetenv("MF_BENCH_SAMPEL_SIZE");
    mf__config_free(&config);
    setenv("MF_BENCH_SEED", "0xg", 1);
    assert_int_equal(mf__config_load(&config, NULL, 0, &err), MF_ESYNTAX);
    assert_string_equal(
        err.msg, "the environment's MF_BENCH_SEED: '0xg' is no hexadecimal number of 64 bits");
    unsetenv("MF_BENCH_SEED");
    mf__config_free(&config);
    const struct bench_word file = {"config", "/nonexistent/b.toml"};
    assert_true(mf__config_load(&config, &file, 1, &err) < 0);
    assert_non_null(strstr(err.msg, "/nonexistent/b.toml"));
    mf__config_free(&config);
}

static void seeds(void **state)
{
    (void)state;
    struct bench_config config;
    struct mf_errinfo err = {0};
    const struct bench_word word = {"seed", "0xFFFFffffFFFFffff"};
    assert_int_equal(mf__config_load(&config, &word, 1, &err), 0);
    assert_true(mf__config_seed(&config) == UINT64_MAX);
    mf__config_free(&config);
    assert_int_equal(mf__config_load(&config, NULL, 0, &err), 0);
    assert_true(mf__config_seed(&config) == 42);
    mf__config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precedence),         cmocka_unit_test(shorthand_tables),
        cmocka_unit_test(suites_and_targets), cmocka_unit_test(mistakes_in_the_file),
        cmocka_unit_test(mistakes_elsewhere), cmocka_unit_test(seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
