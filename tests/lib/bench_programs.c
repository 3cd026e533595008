/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_programs.c -- benchmarks for the tests of `mayfly bench`: good, failing, slow and strange
 * ones. SPIN is how many steps the measured loop takes, so that two builds differ by a known
 * factor. */
#include <mayfly/bench.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef SPIN
#define SPIN 1000
#endif

/* A chain of dependent instructions: its time is the number of steps and nothing else. */
static uint64_t spin(uint64_t steps)
{
    uint64_t x = 1;
    for (uint64_t i = 0; i < steps; i++) {
        x = x * 3 + 1;
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

MF_BENCH(planted, spin)
{
    MF_LOOP(bench)
    {
        mf_keep(spin(SPIN));
    }
}

MF_BENCH(good, sized, .group = "group", .params = (const int64_t[]){10, 100}, .param_count = 2,
         .elements = 4, .bytes = 64)
{
    MF_LOOP(bench)
    {
        mf_keep(spin((uint64_t)mf_bench_param(bench)));
    }
}

MF_BENCH(good, threads, .threads = (const int[]){1, 2}, .thread_count = 2)
{
    MF_LOOP(bench)
    {
        mf_keep(spin(100));
        mf_bench_count(bench, "spins", 1);
    }
}

MF_BENCH(good, open, .rate_per_second = 2000)
{
    MF_LOOP(bench)
    {
        mf_keep(spin(100));
    }
}

MF_BENCH(good, prints)
{
    puts("a line of the benchmark");
    MF_LOOP(bench)
    {
        mf_keep(spin(100));
    }
}

MF_BENCH(good, seed)
{
    if (mf_bench_seed(bench) != 42) {
        mf_bench_fail(bench, "the seed is %llu", (unsigned long long)mf_bench_seed(bench));
    }
    MF_LOOP(bench)
    {
        mf_keep(spin(100));
    }
}

MF_BENCH(bad, fails)
{
    mf_bench_fail(bench, "it computed %d", 7);
}

MF_BENCH(bad, skips)
{
    mf_bench_skip(bench, "no such device");
}

MF_BENCH(bad, aborts)
{
    MF_LOOP(bench)
    {
        if (mf_bench_iterations(bench) > 100) {
            abort();
        }
    }
}

MF_BENCH(bad, exits)
{
    MF_LOOP(bench)
    {
        exit(3);
    }
}

MF_BENCH(bad, hangs)
{
    MF_LOOP(bench)
    {
        pause();
    }
}

MF_BENCH(slow, sleeps, .measurement_seconds = 400)
{
    const struct timespec while_ = {.tv_nsec = 100000000};
    puts("measuring"); /* for who waits until it does */
    fflush(stdout);
    MF_LOOP(bench)
    {
        nanosleep(&while_, NULL);
    }
}

MF_BENCH_MAIN
