/* SPDX-License-Identifier: Apache-2.0
 * One measured process, without starting any: what the phases do, by counting and not by time. */
#include "cmocka_all.h"
#include "measure.h"
#include "registry.h"
#include "resources.h"

#include "base/fail.h"
#include "fmt/hdr.h"
#include "os/clock.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_ullong calls, iterations, largest_thread;

static void work(void)
{
    for (volatile int i = 0; i < 50; i++) {
    }
}

static void counts(struct mf_bench *bench)
{
    atomic_fetch_add(&calls, 1);
    if ((unsigned long long)mf_bench_thread(bench) > atomic_load(&largest_thread)) {
        atomic_store(&largest_thread, (unsigned long long)mf_bench_thread(bench));
    }
    MF_LOOP(bench)
    {
        atomic_fetch_add(&iterations, 1);
        work();
        mf_bench_count(bench, "twice", 2);
    }
    mf_bench_set_elements(bench, 7);
}

static void leaks(struct mf_bench *bench)
{
    static void *kept[200000];
    size_t count = 0;
    MF_LOOP(bench)
    {
        work();
        kept[count % 200000] = malloc(64);
        mf_keep(kept[count % 200000]);
        count++;
    }
    for (size_t i = 0; i < 200000; i++) {
        free(kept[i]);
    }
}

static void pauses(struct mf_bench *bench)
{
    MF_LOOP(bench)
    {
        mf_bench_pause(bench);
        (void)mf_clock_sleep_until_ns(mf_clock_monotonic_ns(NULL) + 2 * MF_NS_PER_MS);
        mf_bench_resume(bench);
        work();
    }
}

static void fails(struct mf_bench *bench)
{
    MF_LOOP(bench)
    {
        mf_bench_fail(bench, "wrong %d", 3);
        mf_bench_fail(bench, "only the first counts");
    }
}

static void skips(struct mf_bench *bench)
{
    mf_bench_skip(bench, "no device");
}

static void one_thread_fails(struct mf_bench *bench)
{
    if (mf_bench_thread(bench) == 1) {
        mf_bench_fail(bench, "thread 1 has no work");
        return;
    }
    MF_LOOP(bench)
    {
        work();
    }
}

static void no_loop(struct mf_bench *bench)
{
    (void)bench;
}

static void breaks(struct mf_bench *bench)
{
    MF_LOOP(bench)
    {
        if (mf_bench_iterations(bench) > 10) {
            break;
        }
    }
}

static void never_resumes(struct mf_bench *bench)
{
    MF_LOOP(bench)
    {
        mf_bench_pause(bench);
    }
}

static void too_many_counters(struct mf_bench *bench)
{
    MF_LOOP(bench)
    {
        for (int i = 0; i < 30; i++) {
            const char name[3] = {'c', (char)('a' + i), '\0'};
            mf_bench_count(bench, name, 1);
        }
    }
}

static struct bench_plan plan_of(void)
{
    return (struct bench_plan){
        .threads = 1,
        .warm_up_seconds = 0.005,
        .measurement_seconds = 0.02,
        .warm_up_iterations = 100,
        .samples = 10,
        .seed = 42,
        .track_allocations = true,
    };
}

static void measure(mf_bench_function function, const struct bench_plan *plan,
                    struct bench_measured *measured)
{
    const struct bench_entry entry = {"suite", "name", {.bytes = 3}, function};
    struct mf_errinfo err = {0};
    atomic_store(&calls, 0);
    atomic_store(&iterations, 0);
    atomic_store(&largest_thread, 0);
    if (mf__measure(&entry, plan, NULL, measured, &err) != 0) {
        fail_msg("%s", err.msg);
    }
}

static void check_samples(const struct bench_measured *measured, enum mf_bench_mode mode)
{
    const struct bench_process *process = &measured->process;
    if (measured->status != BENCH_OK) {
        fail_msg("%s", measured->message);
    }
    assert_int_equal(process->mode, mode);
    assert_true(process->sample_count > 0);
    for (size_t i = 0; i < process->sample_count; i++) {
        assert_true(process->samples[i].iterations > 0);
        assert_true(process->samples[i].time_ns > 0);
    }
    assert_true(process->timer_cost_ns > 0);
    assert_true(
        mf__bench_named_get(process->resources, process->resource_count, "peak_memory_bytes") > 0);
}

static void one_iteration_is_a_test(void **state)
{
    (void)state;
    struct bench_measured measured;
    struct bench_plan plan = plan_of();
    plan.test = true;
    measure(counts, &plan, &measured);
    assert_int_equal(measured.status, BENCH_OK);
    assert_int_equal(atomic_load(&iterations), 1);
    assert_int_equal(atomic_load(&calls), 1);
    assert_int_equal(measured.process.sample_count, 0);
    assert_int_equal(measured.elements, 7);
    assert_int_equal(measured.bytes, 3);
    mf__process_free(&measured.process);
    plan.test_iterations = 1000;
    measure(counts, &plan, &measured);
    assert_int_equal(atomic_load(&iterations), 1000);
    mf__process_free(&measured.process);
}

static void samples_of_each_mode(void **state)
{
    (void)state;
    struct bench_measured measured;
    struct bench_plan plan = plan_of();
    plan.mode = MF_BENCH_LINEAR;
    measure(counts, &plan, &measured);
    check_samples(&measured, MF_BENCH_LINEAR);
    assert_int_equal(measured.process.sample_count, 10);
    const struct bench_sample *samples = measured.process.samples;
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(samples[i].iterations, (i + 1) * samples[0].iterations);
    }
    assert_non_null(measured.process.latency); /* the pass of single operations */
    assert_int_equal(measured.iterations, atomic_load(&iterations));
    assert_true(fabs(mf__bench_named_get(measured.process.counters, measured.process.counter_count,
                                         "twice") -
                     2) < 1e-9);
    mf__process_free(&measured.process);

    plan.mode = MF_BENCH_FLAT;
    measure(counts, &plan, &measured);
    check_samples(&measured, MF_BENCH_FLAT);
    assert_int_equal(measured.process.samples[9].iterations,
                     measured.process.samples[0].iterations);
    mf__process_free(&measured.process);

    plan.mode = MF_BENCH_LATENCY;
    plan.operations = 5000;
    measure(counts, &plan, &measured);
    check_samples(&measured, MF_BENCH_LATENCY);
    assert_true(measured.process.latency->count >= 5000);
    assert_int_equal(measured.process.latency->count, 10 * measured.process.samples[0].iterations);
    mf__process_free(&measured.process);
}

static void long_iterations_are_few(void **state)
{
    (void)state;
    struct bench_measured measured;
    const struct bench_plan plan = plan_of();
    measure(pauses, &plan, &measured); /* 2 ms each, of which next to nothing is counted */
    check_samples(&measured, MF_BENCH_FLAT);
    assert_true(measured.process.sample_count < 10 * 10);
    double time = 0;
    uint64_t done = 0;
    for (size_t i = 0; i < measured.process.sample_count; i++) {
        time += measured.process.samples[i].time_ns;
        done += measured.process.samples[i].iterations;
    }
    assert_true(time / (double)done < 2e6);
    mf__process_free(&measured.process);
}

static void several_threads(void **state)
{
    (void)state;
    struct bench_measured measured;
    struct bench_plan plan = plan_of();
    plan.threads = 3;
    measure(counts, &plan, &measured);
    check_samples(&measured, MF_BENCH_FLAT);
    assert_int_equal(atomic_load(&calls), 3);
    assert_int_equal(atomic_load(&largest_thread), 2);
    assert_in_range(measured.process.sample_count, 1, 10);
    assert_int_equal(measured.iterations, atomic_load(&iterations));
    assert_non_null(measured.process.latency);
    mf__process_free(&measured.process);
    plan.mode = MF_BENCH_LATENCY;
    measure(counts, &plan, &measured);
    check_samples(&measured, MF_BENCH_LATENCY);
    assert_true(measured.process.latency->count > 0);
    mf__process_free(&measured.process);
}

static void open_loop(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        for (int poisson = 0; poisson < 2; poisson++) {
            struct bench_measured measured;
            struct bench_plan plan = plan_of();
            plan.rate_per_second = 5000;
            plan.poisson = poisson;
            plan.threads = threads;
            plan.measurement_seconds = 0.05;
            measure(counts, &plan, &measured);
            check_samples(&measured, MF_BENCH_LATENCY);
            const struct bench_process *process = &measured.process;
            const uint64_t intended = process->latency->count;
            if (!poisson) {
                assert_in_range(intended, 248, 252); /* every one, however late */
            }
            assert_true(process->service->count <= intended);
            /* Latency holds the wait for the beginning, the service time does not. */
            assert_true(process->latency->sum >= process->service->sum);
            mf__process_free(&measured.process);
        }
    }
}

static void overload_is_not_left_out(void **state)
{
    (void)state;
    struct bench_measured measured;
    struct bench_plan plan = plan_of();
    plan.rate_per_second = 10000; /* of iterations that take 2 ms */
    plan.warm_up_seconds = 0;
    measure(pauses, &plan, &measured);
    check_samples(&measured, MF_BENCH_LATENCY);
    assert_in_range(measured.process.latency->count, 198, 202);
    assert_true(measured.process.service->count < 100);
    mf__process_free(&measured.process);
}

static void memory_and_allocations(void **state)
{
    (void)state;
    struct bench_measured measured;
    const struct bench_plan plan = plan_of();
    measure(leaks, &plan, &measured);
    check_samples(&measured, MF_BENCH_LINEAR);
    const struct bench_process *process = &measured.process;
    const double count =
        mf__bench_named_get(process->resources, process->resource_count, "allocations_per_op");
    if (!isnan(count)) { /* not under sanitizers */
        assert_true(count == 1);
        assert_true(mf__bench_named_get(process->resources, process->resource_count,
                                        "allocated_bytes_per_op") == 64);
        assert_true(mf__bench_named_get(process->resources, process->resource_count,
                                        "leaked_bytes_per_op") >= 64);
        assert_true(mf__bench_named_get(process->resources, process->resource_count, "live_bytes") >
                    64);
    }
    static const char *const always[] = {
        "peak_memory_bytes",
        "cpu_time_ns_per_op",
        "cpus_used",
        "context_switches_voluntary_per_op",
        "context_switches_involuntary_per_op",
        "page_faults_minor_per_op",
        "page_faults_major_per_op",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(always); i++) {
        if (isnan(mf__bench_named_get(process->resources, process->resource_count, always[i]))) {
            fail_msg("%s is missing", always[i]);
        }
    }
    mf__process_free(&measured.process);
}

static void failures(void **state)
{
    (void)state;
    static const struct {
        mf_bench_function function;
        int threads;
        enum bench_status status;
        const char *message;
    } table[] = {
        {fails, 1, BENCH_FAILED, "wrong 3"},
        {fails, 2, BENCH_FAILED, "wrong 3"},
        {skips, 1, BENCH_SKIPPED, "no device"},
        {skips, 2, BENCH_SKIPPED, "no device"},
        {one_thread_fails, 2, BENCH_FAILED, "thread 1 has no work"},
        {no_loop, 1, BENCH_FAILED, "it has no MF_LOOP"},
        {breaks, 1, BENCH_FAILED, "it left its loop before the measurement was over"},
        {never_resumes, 1, BENCH_FAILED, "mf_bench_pause() twice without mf_bench_resume()"},
        {too_many_counters, 1, BENCH_FAILED,
         "the counter 'cq' is one too many (16 are possible), or its name too long"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(table); i++) {
        struct bench_measured measured;
        struct bench_plan plan = plan_of();
        plan.threads = table[i].threads;
        measure(table[i].function, &plan, &measured);
        assert_int_equal(measured.status, table[i].status);
        if (table[i].function != never_resumes) {
            assert_string_equal(measured.message, table[i].message);
        }
        assert_int_equal(measured.process.sample_count, 0);
        mf__process_free(&measured.process);
    }
}

static void proc_files(void **state)
{
    (void)state;
    uint64_t a = 0;
    uint64_t b = 0;
    assert_true(mf__parse_network("Inter-|   Receive  |  Transmit\n"
                                  " face |bytes    packets errs\n"
                                  "    lo: 100 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0\n"
                                  "  eth0:7 1 0 0 0 0 0 0 8 1 0 0 0 0 0 0\n",
                                  &a, &b));
    assert_int_equal(a, 107);
    assert_int_equal(b, 208);
    assert_false(mf__parse_network("nonsense: 1 2\n", &a, &b));
    assert_false(mf__parse_network("", &a, &b));
    assert_true(mf__parse_cpu_ticks("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1", &a, &b));
    assert_int_equal(a, 8);
    assert_int_equal(b, 36);
    assert_false(mf__parse_cpu_ticks("cpu  1 2", &a, &b));
    assert_false(mf__parse_cpu_ticks("cpuset 1 2 3 4 5 6 7 8", &a, &b));
}

static void names(void **state)
{
    (void)state;
    static const struct mf_bench_options grouped = {.group = "g/h"};
    struct mf_errinfo err = {0};
    assert_int_equal(mf__registry_check(&err), 0);
    mf_bench_register("s", "one", &grouped, counts);
    mf_bench_register("s", "two", NULL, counts);
    assert_int_equal(mf__registry_check(&err), 0);
    assert_ptr_equal(mf__registry_find("s::g/h/one"), mf__registry_at(0));
    assert_ptr_equal(mf__registry_find("s::two"), mf__registry_at(1));
    assert_null(mf__registry_find("s::one"));
    mf_bench_register("s", "two", NULL, counts);
    assert_int_equal(mf__registry_check(&err), MF_EEXISTS);
    assert_string_equal(err.msg, "two benchmarks are named 's::two'");
}

static void bad_name(void **state)
{
    (void)state;
    struct mf_errinfo err = {0};
    mf_bench_register("s", "a b", NULL, counts);
    assert_true(mf__registry_check(&err) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_iteration_is_a_test),
        cmocka_unit_test(samples_of_each_mode),
        cmocka_unit_test(long_iterations_are_few),
        cmocka_unit_test(several_threads),
        cmocka_unit_test(open_loop),
        cmocka_unit_test(overload_is_not_left_out),
        cmocka_unit_test(memory_and_allocations),
        cmocka_unit_test(failures),
        cmocka_unit_test(proc_files),
        cmocka_unit_test(names),
        cmocka_unit_test(bad_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
