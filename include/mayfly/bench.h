/* SPDX-License-Identifier: Apache-2.0
 *
 * bench.h -- write benchmarks in C, and run them with statistics that hold.
 *
 *     #include <mayfly/bench.h>
 *
 *     MF_BENCH(hash, fnv1a, .bytes = 64)
 *     {
 *         char key[64] = "...";                       // setup: not measured
 *         MF_LOOP(bench) {
 *             mf_keep(fnv1a(key, sizeof key));        // measured
 *         }
 *     }                                               // teardown: not measured
 *     MF_BENCH_MAIN
 *
 *     cc -O2 hash_bench.c $(pkg-config --cflags --libs mayfly-bench) -o hash_bench
 *     ./hash_bench                 # or: mayfly bench run --binary ./hash_bench
 *
 * A benchmark is named `suite::group/name/parameter`; the macro gives suite and name, the options
 * the rest. Each is measured in processes of its own (several of them, interleaved at random),
 * because one process is one sample: where its memory happens to lie changes its speed.
 * docs/bench.md tells the method.
 *
 * This library is for benchmark programs; code that is measured does not link it.
 */
#ifndef MAYFLY_BENCH_H
#define MAYFLY_BENCH_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mf_bench; /* one running measurement; valid inside the benchmark's function only */

enum mf_bench_mode {
    MF_BENCH_AUTO = 0,   /* linear, or flat when one iteration takes long */
    MF_BENCH_LINEAR = 1, /* samples of d, 2d, 3d, ... iterations: the slope is the time of one */
    MF_BENCH_FLAT = 2,   /* samples of equal numbers of iterations */
    MF_BENCH_LATENCY =
        3 /* every iteration is timed into a histogram; for operations >> the timer's cost */
};

struct mf_bench_options {
    const char *group; /* "" or NULL: none */
    enum mf_bench_mode mode;
    uint64_t elements;     /* per iteration, for elements/s */
    uint64_t bytes;        /* per iteration, for bytes/s */
    const int64_t *params; /* the benchmark runs once per value; see mf_bench_param() */
    size_t param_count;
    const char *param_name; /* "n" when NULL: ".../n:100"; "": the bare value, ".../100" */
    const int *threads;     /* runs once per thread count, the function once in each thread */
    size_t thread_count;
    double rate_per_second;     /* > 0: open loop; latency counts from the intended start of each
                                   iteration */
    bool poisson;               /* intended starts: exponential gaps instead of equal ones */
    double measurement_seconds; /* 0: as configured */
    uint32_t samples;           /* 0: as configured */
    const char
        *ratio_to; /* full name of the benchmark that the tables put this one in relation to */
};

typedef void (*mf_bench_function)(struct mf_bench *bench);

/* Registers a benchmark. Strings and arrays are borrowed for the program's life, the rest is
 * copied. Called by MF_BENCH before main(). Two of the same name are an error when the program
 * runs. */
MF_API void mf_bench_register(const char *suite, const char *name,
                              const struct mf_bench_options *options, mf_bench_function function);

#define MF_BENCH(suite_, name_, ...)                                                               \
    static void mf_bench_##suite_##_##name_(struct mf_bench *bench);                               \
    static const struct mf_bench_options mf_bench_options_##suite_##_##name_ = {__VA_ARGS__};      \
    __attribute__((                                                                                \
        constructor(1000 + __COUNTER__))) static void mf_bench_register_##suite_##_##name_(void)   \
    {                                                                                              \
        mf_bench_register(#suite_, #name_, &mf_bench_options_##suite_##_##name_,                   \
                          mf_bench_##suite_##_##name_);                                            \
    }                                                                                              \
    static void mf_bench_##suite_##_##name_(struct mf_bench *bench)

/* True as long as another iteration is due; what is inside the loop is measured. */
MF_API bool mf_bench_next_batch(struct mf_bench *bench, uint64_t *ret_iterations);
#define MF_LOOP(bench_)                                                                            \
    for (uint64_t mf_left_ = 0; mf_left_ != 0 || mf_bench_next_batch((bench_), &mf_left_);         \
         mf_left_--)

/* The compiler must produce `value` (any scalar or pointer), and must assume that memory was looked
 * at. */
#if defined(__clang__)
#define mf_keep(value)                                                                             \
    do {                                                                                           \
        __typeof__(value) mf_kept_ = (value);                                                      \
        __asm__ volatile("" : "+r,m"(mf_kept_) : : "memory");                                      \
    } while (0)
#else
#define mf_keep(value)                                                                             \
    do {                                                                                           \
        __typeof__(value) mf_kept_ = (value);                                                      \
        __asm__ volatile("" : "+m,r"(mf_kept_) : : "memory");                                      \
    } while (0)
#endif
#define mf_clobber() __asm__ volatile("" : : : "memory")

/* Excludes what lies between the two from the measurement (costs two readings of the clock). */
MF_API void mf_bench_pause(struct mf_bench *bench);
MF_API void mf_bench_resume(struct mf_bench *bench);

MF_API int64_t mf_bench_param(const struct mf_bench *bench); /* 0 without params */
MF_API int mf_bench_threads(const struct mf_bench *bench);   /* 1 without */
MF_API int mf_bench_thread(const struct mf_bench *bench);    /* 0 .. threads - 1 */
MF_API uint64_t
mf_bench_seed(const struct mf_bench *bench); /* the same in every process of a run */
MF_API uint64_t mf_bench_iterations(const struct mf_bench *bench); /* done so far, by this thread */

/* Adds to a counter of the benchmark's own; reported per iteration ("fsyncs": 1.00/op). */
MF_API void mf_bench_count(struct mf_bench *bench, const char *name, double amount);
/* A figure of the benchmark's own that is not per iteration (the size of a file); the last one
 * counts, of several threads the largest. Among the counters. */
MF_API void mf_bench_report(struct mf_bench *bench, const char *name, double value);
/* Elements or bytes of an iteration, when only the function knows them. */
MF_API void mf_bench_set_elements(struct mf_bench *bench, uint64_t elements);
MF_API void mf_bench_set_bytes(struct mf_bench *bench, uint64_t bytes);
/* The result is wrong: the benchmark is reported as failed, with this text. Check results once,
 * outside the loop: a benchmark that checks nothing measures nothing. */
MF_API void mf_bench_fail(struct mf_bench *bench, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* It cannot run here (a missing device, a missing permission): reported as skipped, with this text.
 */
MF_API void mf_bench_skip(struct mf_bench *bench, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Runs the program's benchmarks with the command line of `mayfly bench`; returns the exit code. */
MF_API int mf_bench_main(int argc, char **argv);
#define MF_BENCH_MAIN                                                                              \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return mf_bench_main(argc, argv);                                                          \
    }

#ifdef __cplusplus
}
#endif
#endif
