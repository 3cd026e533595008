/* SPDX-License-Identifier: Apache-2.0
 * What `bench doctor` and `bench env` make of machines: made-up /proc and /sys below a directory of
 * the test's own. */
#include "cmocka_all.h"
#include "doctor.h"
#include "environment.h"
#include "machine.h"

#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[256];

static void put(const char *path, const char *text)
{
    char full[768];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/mayfly-doctor-XXXXXX");
    return mkdtemp(root) == NULL ? -1 : 0;
}

static int remove_root(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static const struct finding *find(const struct findings *findings, const char *name)
{
    for (size_t i = 0; i < findings->count; i++) {
        if (strcmp(findings->items[i].name, name) == 0) {
            return &findings->items[i];
        }
    }
    return NULL;
}

static const struct doctor_measurements quiet = {
    .timer_cost_ns = 20,
    .timer_step_ns = 1,
    .steal_fraction = 0,
    .noise_floor_fraction = 0.004,
    .spread_fraction = 0.01,
    .pairs = 12,
    .threshold_fraction = 0.01,
    .cpus = 8,
};

static void assert_finding(const struct findings *findings, const char *name,
                           enum finding_state state, const char *value)
{
    const struct finding *finding = find(findings, name);
    if (finding == NULL || finding->state != state || strstr(finding->value, value) == NULL) {
        fail_msg("%s is %s, state %d", name, finding == NULL ? "absent" : finding->value,
                 finding == NULL ? -1 : (int)finding->state);
    }
    /* What is to be changed, comes with how. */
    assert_true(finding->state < FINDING_WARNING || finding->advice[0] != '\0');
}

static void test_good_machine(void **state)
{
    (void)state;
    struct findings findings;
    put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
    put("/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
    put("/sys/devices/system/cpu/smt/active", "0\n");
    put("/proc/loadavg", "0.05 0.10 0.20 1/100 123\n");
    put("/proc/meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable:    900 kB\n"
                         "SwapTotal: 0 kB\nSwapFree: 0 kB\n");
    put("/proc/self/limits", "Limit    Soft Limit  Hard Limit  Units\n"
                             "Max cpu time   unlimited   unlimited   seconds\n"
                             "Max open files  65536   65536  files\n"
                             "Max address space   unlimited  unlimited  bytes\n");
    put("/proc/sys/kernel/perf_event_paranoid", "-1\n");
    put("/proc/cpuinfo", "model name\t: Example\nflags\t\t: fpu vme\n");
    mf__doctor_examine(root, &quiet, &findings);
    assert_finding(&findings, "noise floor", FINDING_GOOD, "0.4 %, of 12 pairs");
    assert_finding(&findings, "timer", FINDING_GOOD, "20 ns to read, steps of 1 ns");
    assert_finding(&findings, "governor", FINDING_GOOD, "performance");
    assert_finding(&findings, "turbo", FINDING_GOOD, "off");
    assert_finding(&findings, "SMT", FINDING_GOOD, "off");
    assert_finding(&findings, "load", FINDING_GOOD, "0.05 on 8 processors");
    assert_finding(&findings, "swap", FINDING_GOOD, "none");
    assert_finding(&findings, "limits", FINDING_GOOD, "65536 open files");
    assert_finding(&findings, "perf", FINDING_GOOD, "-1");
    assert_finding(&findings, "machine", FINDING_GOOD, "bare metal");
}

static void test_bad_machine(void **state)
{
    (void)state;
    struct findings findings;
    struct doctor_measurements busy = quiet;
    busy.timer_cost_ns = 900;
    busy.noise_floor_fraction = 0.03;
    busy.steal_fraction = 0.2;
    put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    put("/sys/devices/system/cpu/cpufreq/boost", "1\n");
    put("/sys/devices/system/cpu/smt/active", "1\n");
    put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
    put("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
    put("/proc/loadavg", "7.9 0.10 0.20 1/100 123\n");
    put("/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 10 kB\nSwapTotal: 500 kB\nSwapFree: "
                         "100 kB\n");
    put("/proc/self/limits", "Max cpu time  60  60  seconds\nMax open files  256  256 files\n");
    put("/proc/self/cgroup", "0::/user\n");
    put("/sys/fs/cgroup/user/cpu.max", "150000 100000\n");
    put("/proc/sys/kernel/randomize_va_space", "2\n");
    put("/proc/self/personality", "00040000\n");
    put("/proc/sys/kernel/perf_event_paranoid", "3\n");
    put("/proc/cpuinfo", "flags\t\t: fpu hypervisor vme\n");
    mf__doctor_examine(root, &busy, &findings);
    assert_finding(&findings, "noise floor", FINDING_BAD, "3 %");
    assert_finding(&findings, "timer", FINDING_WARNING, "hpet");
    assert_finding(&findings, "governor", FINDING_WARNING, "powersave");
    assert_finding(&findings, "turbo", FINDING_WARNING, "on");
    assert_finding(&findings, "SMT", FINDING_WARNING, "on");
    assert_finding(&findings, "load", FINDING_WARNING, "7.9");
    assert_finding(&findings, "steal", FINDING_WARNING, "20 %");
    assert_finding(&findings, "CPU quota", FINDING_WARNING, "1.5 processors");
    assert_finding(&findings, "memory", FINDING_WARNING, "of");
    assert_finding(&findings, "swap", FINDING_WARNING, "400 KiB of 500 KiB");
    assert_finding(&findings, "THP", FINDING_WARNING, "always");
    assert_finding(&findings, "ASLR", FINDING_NOTE, "off");
    assert_finding(&findings, "limits", FINDING_WARNING, "256 open files, CPU time limited");
    assert_finding(&findings, "perf", FINDING_WARNING, "3");
    assert_finding(&findings, "machine", FINDING_NOTE, "virtual");
}

/* A machine that tells nothing has no finding that is made up. */
static void test_silent_machine(void **state)
{
    (void)state;
    struct findings findings;
    struct doctor_measurements none = quiet;
    none.noise_floor_fraction = NAN;
    none.steal_fraction = NAN;
    mf__doctor_examine(root, &none, &findings);
    assert_null(find(&findings, "noise floor"));
    assert_null(find(&findings, "steal"));
    assert_null(find(&findings, "turbo"));
    assert_finding(&findings, "governor", FINDING_NOTE, "n/a");
    assert_finding(&findings, "memory", FINDING_GOOD, "n/a of n/a");
    assert_finding(&findings, "perf", FINDING_NOTE, "n/a");
}

static void test_noise_floor(void **state)
{
    (void)state;
    double logs[16];
    double scratch[16];
    struct mf_rng rng;
    mf_rng_seed(&rng, 7);
    for (size_t i = 0; i < 16; i++) { /* even over +-1 %: 80 % lie within 0.8 % */
        logs[i] = 0.02 * ((double)i / 15 - 0.5);
    }
    const double floor = mf__noise_floor(logs, 16, 8, scratch);
    assert_true(floor > 0.003 && floor < 0.006);
    /* Four times as many pairs see half as much. */
    const double finer = mf__noise_floor(logs, 16, 32, scratch);
    assert_true(fabs(finer / floor - 0.5) < 0.01);
    /* A pair that has met something else changes little, and a shift nothing. */
    logs[3] = 0.5;
    assert_true(mf__noise_floor(logs, 16, 8, scratch) < 1.5 * floor);
    for (size_t i = 0; i < 16; i++) {
        logs[i] = 0.25;
    }
    assert_true(mf__noise_floor(logs, 16, 8, scratch) == 0);
    assert_true(isnan(mf__noise_floor(logs, 2, 8, scratch)));
}

static void test_environment(void **state)
{
    (void)state;
    struct bench_config config;
    struct mf_errinfo err = {0};
    assert_int_equal(mf__config_load(&config, NULL, 0, &err), 0);
    put("/proc/cpuinfo", "processor : 0\nmodel name\t: Example CPU\nmicrocode\t: 0x1\n"
                         "flags\t\t: a b c\n");
    put("/proc/loadavg", "0.5 0 0 1/1 1\n");
    struct bench_run first = {0};
    struct bench_run second = {0};
    assert_int_equal(mf__environment_read_root(root, &config, &first.environment, &err), 0);
    assert_string_equal(mf__environment_get(&first.environment, "cpu_model"), "Example CPU");
    assert_null(mf__environment_get(&first.environment, "governor"));
    assert_int_equal(strlen(first.environment.fingerprint), 16);
    /* What changes from minute to minute is no other machine. */
    put("/proc/loadavg", "7.5 0 0 1/1 1\n");
    assert_int_equal(mf__environment_read_root(root, &config, &second.environment, &err), 0);
    assert_string_equal(mf__environment_get(&second.environment, "load_average"), "7.5 0 0 1/1 1");
    assert_string_equal(first.environment.fingerprint, second.environment.fingerprint);
    mf__bench_run_free(&second);
    /* One flag of the processor is. */
    put("/proc/cpuinfo", "model name\t: Example CPU\nmicrocode\t: 0x1\nflags\t\t: a b c d\n");
    assert_int_equal(mf__environment_read_root(root, &config, &second.environment, &err), 0);
    assert_string_not_equal(first.environment.fingerprint, second.environment.fingerprint);
    mf__bench_run_free(&first);
    mf__bench_run_free(&second);
    mf__config_free(&config);
}

static void test_odd_files(void **state)
{
    (void)state;
    char text[64];
    put("/empty", "");
    put("/blank", "   \n");
    put("/open", "always [madvise\n");
    assert_false(mf__machine_line(root, "/empty", text, sizeof text));
    assert_false(mf__machine_line(root, "/blank", text, sizeof text));
    assert_false(mf__machine_line(root, "/absent", text, sizeof text));
    assert_string_equal(text, "");
    assert_true(mf__machine_choice(root, "/open", text, sizeof text));
    assert_string_equal(text, "madvise");
    put("/proc/self/limits", "Max open files");
    assert_true(isnan(mf__machine_limit(root, "Max open files")));
    put("/proc/loadavg", "nonsense\n");
    assert_true(isnan(mf__machine_load(root)));
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    assert_true(isnan(mf__machine_quota(root)));
    put("/sys/fs/cgroup/cpu.max", "12\n");
    assert_true(isnan(mf__machine_quota(root)));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        TEST(test_good_machine), TEST(test_bad_machine), TEST(test_silent_machine),
        TEST(test_noise_floor),  TEST(test_environment), TEST(test_odd_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
