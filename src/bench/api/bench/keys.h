/* SPDX-License-Identifier: Apache-2.0
 *
 * keys.h -- every setting of the laboratory, once. From these tables come the options of the
 * command line (--sample-size), of the environment (MF_BENCH_SAMPLE_SIZE) and of benchmark.toml
 * (sample_size in [bench]), their help and their completion.
 *
 *   X(identifier, "name", KIND, repeatable, min, max, "METAVAR", "choices", "default", "help")
 *
 * KIND: FLAG, STRING, FILE, DIR, INT, NUMBER, SECONDS (a number, or "100ms"), CHOICE, LIST (numbers
 * with commas), SEED (64 bits, decimal or 0x). min and max hold for numbers; both 0: no bounds.
 */
#ifndef BENCH_KEYS_H
#define BENCH_KEYS_H

#define BENCH_SELECT_KEYS(X)                                                                       \
    X(binary, "binary", FILE, true, 0, 0, "FILE", NULL, NULL,                                      \
      "A benchmark program [default: those below MAYFLY_BENCH_PATH, else in build/*/bench]")       \
    X(exact, "exact", FLAG, false, 0, 0, NULL, NULL, NULL, "FILTER is a whole name")               \
    X(skip, "skip", STRING, true, 0, 0, "FILTER", NULL, NULL, "Leave out what matches")            \
    X(config, "config", FILE, false, 0, 0, "FILE", NULL, NULL,                                     \
      "Settings and targets [default: benchmark.toml, if it is there]")

#define BENCH_PROCESS_KEYS(X)                                                                      \
    X(processes, "processes", INT, false, 1, 32, "N", NULL, "8",                                   \
      "Processes for each benchmark; the times are divided among them")                            \
    X(warm_up_time, "warm-up-time", SECONDS, false, 0, 3600, "SECONDS", NULL, "3",                 \
      "Warm-up of a benchmark, in all processes together")                                         \
    X(measurement_time, "measurement-time", SECONDS, false, 0.001, 86400, "SECONDS", NULL, "5",    \
      "Measurement of a benchmark, in all processes together")                                     \
    X(quick, "quick", FLAG, false, 0, 0, NULL, NULL, NULL,                                         \
      "A first look: little time, not for baselines or the gate")                                  \
    X(seed, "seed", SEED, false, 0, 0, "N", NULL, "42",                                            \
      "Decides order, resampling and what benchmarks draw")                                        \
    X(cpu, "cpu", INT, false, 0, 65535, "N", NULL, NULL, "Run benchmarks on this processor only")

#define BENCH_MEASURE_KEYS(X)                                                                      \
    BENCH_PROCESS_KEYS(X)                                                                          \
    X(sample_size, "sample-size", INT, false, 2, 100000, "N", NULL, "100",                         \
      "Samples of a benchmark, of all processes together")                                         \
    X(warm_up_iterations, "warm-up-iterations", INT, false, 0, 1e15, "N", NULL, "100000",          \
      "Iterations of the warm-up of each process, unless that doubles its time")                   \
    X(operations, "operations", INT, false, 0, 1e9, "N", NULL, "0",                                \
      "Single operations to time at least, in all processes together")                             \
    X(test, "test", FLAG, false, 0, 0, NULL, NULL, NULL,                                           \
      "Run each benchmark for one iteration, measure nothing")                                     \
    X(test_iterations, "test-iterations", INT, false, 1, 1e15, "N", NULL, "1",                     \
      "With --test: so many iterations of each instead, to look at with other tools")              \
    X(threads, "threads", LIST, false, 1, 1024, "N,..", NULL, NULL,                                \
      "Thread counts, for benchmarks that have threads")                                           \
    X(rate, "rate", NUMBER, false, 0, 1e7, "PER-SECOND", NULL, NULL,                               \
      "Open loop: begin iterations at this rate, whatever they take")                              \
    X(poisson, "poisson", FLAG, false, 0, 0, NULL, NULL, NULL,                                     \
      "With exponentially distributed gaps")                                                       \
    X(percentiles, "percentiles", LIST, false, 0, 100, "P,..", NULL, "50,95,99,99.9",              \
      "Percentiles to report")                                                                     \
    X(timeout, "timeout", SECONDS, false, 0, 86400, "SECONDS", NULL, NULL,                         \
      "Stop a process that takes longer [default: ten times its plan, at least 60 s]")             \
    X(allocations, "allocations", CHOICE, false, 0, 0, "WHEN", "on|off", "on",                     \
      "Count heap allocations, in a pass of its own")                                              \
    X(nresamples, "nresamples", INT, false, 100, 10000000, "N", NULL, "100000",                    \
      "Resamples of the bootstrap")                                                                \
    X(confidence_level, "confidence-level", NUMBER, false, 0.5, 0.9999, "LEVEL", NULL, "0.95",     \
      "Of intervals")

#define BENCH_COMPARE_KEYS(X)                                                                      \
    X(save_baseline, "save-baseline", STRING, false, 0, 0, "NAME", NULL, NULL,                     \
      "Store the results under this name")                                                         \
    X(baseline, "baseline", STRING, false, 0, 0, "NAME", NULL, NULL,                               \
      "Compare with stored results; a benchmark without is an error")                              \
    X(baseline_lenient, "baseline-lenient", STRING, false, 0, 0, "NAME", NULL, NULL,               \
      "The same; a benchmark without is left out")                                                 \
    X(load_baseline, "load-baseline", STRING, false, 0, 0, "NAME|FILE", NULL, NULL,                \
      "Take stored results, or those of a JSON file, instead of measuring")                        \
    X(compare, "compare", STRING, false, 0, 0, "FILE|REV", NULL, NULL,                             \
      "Compare with a JSON file, another benchmark program, or a git revision")                    \
    X(base, "base", STRING, false, 0, 0, "REV|FILE", NULL, NULL,                                   \
      "Compare with a git revision or another benchmark program, measured in turns")               \
    X(stored_threshold_pct, "stored-threshold-pct", NUMBER, false, 0.01, 1000, "PERCENT", NULL,    \
      "10", "A change of less does not count, against stored results")                             \
    X(noise_threshold, "noise-threshold", NUMBER, false, 0.0001, 10, "FRACTION", NULL, NULL,       \
      "Both thresholds, as a fraction")                                                            \
    X(noise_floor_pct, "noise-floor-pct", NUMBER, false, 0, 1000, "PERCENT", NULL, NULL,           \
      "What this machine cannot tell apart [default: as measured]")                                \
    X(significance_level, "significance-level", NUMBER, false, 0.000001, 0.5, "ALPHA", NULL,       \
      "0.01", "Of tests, after Holm's correction over all benchmarks")                             \
    X(record, "record", FLAG, false, 0, 0, NULL, NULL, NULL,                                       \
      "Add the results to the history, results/COMMIT.json")                                       \
    BENCH_STORE_KEYS(X)                                                                            \
    BENCH_NOISE_KEYS(X)                                                                            \
    BENCH_HISTORY_KEYS(X)

#define BENCH_STORE_KEYS(X)                                                                        \
    X(target_dir, "target-dir", DIR, false, 0, 0, "DIR", NULL, "target/bench", "Of baselines")

#define BENCH_NOISE_KEYS(X)                                                                        \
    X(threshold_pct, "threshold-pct", NUMBER, false, 0.01, 1000, "PERCENT", NULL, "1",             \
      "A change of less does not count, of programs that were run interleaved")

#define BENCH_HISTORY_KEYS(X)                                                                      \
    X(results_dir, "results-dir", DIR, false, 0, 0, "DIR", NULL, "results", "Of the history")

/* What it looks like. The formats are those of bench_report.h. */
#define BENCH_OUTPUT_KEYS(X)                                                                       \
    X(output_format, "output-format", CHOICE, true, 0, 0, "FORMAT",                                \
      "text|json|markdown|html|svg|csv|bencher|bmf|github", "text", "How to print the results")    \
    X(style, "style", CHOICE, false, 0, 0, "STYLE", "full|ratio|overhead|trend", "full",           \
      "Which table, for text and markdown")                                                        \
    X(output, "output", FILE, true, 0, 0, "FILE", NULL, NULL,                                      \
      "Write it to a file instead of standard output; one for each format, in the same order")

#define BENCH_PROFILE_KEYS(X)                                                                      \
    X(profile, "profile", STRING, false, 0, 0, "KIND,..", NULL, NULL,                              \
      "After measuring, profile: cpu, alloc, callgrind, dhat, heaptrack, perfctr")                 \
    X(profile_time, "profile-time", SECONDS, false, 0.001, 86400, "SECONDS", NULL, "5",            \
      "How long")                                                                                  \
    X(limit, "limit", STRING, true, 0, 0, "EVENT=PERCENT", NULL, NULL,                             \
      "Fail when a count of callgrind has grown by more: ir=0.5")

#define BENCH_ALL_KEYS(X)                                                                          \
    BENCH_SELECT_KEYS(X)                                                                           \
    BENCH_MEASURE_KEYS(X)                                                                          \
    BENCH_COMPARE_KEYS(X)                                                                          \
    BENCH_OUTPUT_KEYS(X)                                                                           \
    BENCH_PROFILE_KEYS(X)

enum bench_key {
#define X(identifier, ...) BENCH_KEY_##identifier,
    BENCH_ALL_KEYS(X)
#undef X
        BENCH_KEY_COUNT
};

#endif
