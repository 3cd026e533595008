/* SPDX-License-Identifier: Apache-2.0
 * Reading the CPU time of threads. */
#include "os/cputime.h"
#include "os/refusal.h"
#include "os/switches.h"
#include "os/thread.h"

#include <mayfly/cpu.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "cmocka_all.h"

#define MS INT64_C(1000000)

static int64_t own_ns(void)
{
    int64_t ns = -1;
    assert_int_equal(mf_cpu_read(0, &ns), 0);
    return ns;
}

struct burner {
    struct mf_thread thread;
    _Atomic int32_t tid;
    _Atomic int64_t burned_ns;
    _Atomic bool stop;
};

/* Uses CPU time until it has used 50 ms, then sleeps until it is told to end. */
static void *burn(void *context)
{
    struct burner *burner = context;
    int64_t now_ns = 0;
    while (now_ns < 50 * MS) {
        now_ns = own_ns();
    }
    atomic_store(&burner->burned_ns, now_ns);
    atomic_store(&burner->tid, mf_thread_id());
    while (!atomic_load(&burner->stop)) {
        nanosleep(&(struct timespec){.tv_nsec = MS}, NULL);
    }
    return NULL;
}

/* D15: the thread that is named is the thread that is read. */
static void cpu_reads_the_named_thread(void **state)
{
    (void)state;
    struct burner burner = {.tid = 0};
    const int64_t before_ns = own_ns();
    assert_int_equal(mf_thread_start(&burner.thread, "burner", burn, &burner, NULL), 0);
    while (atomic_load(&burner.tid) == 0) {
        nanosleep(&(struct timespec){.tv_nsec = MS}, NULL);
    }
    const int32_t tid = atomic_load(&burner.tid);
    int64_t its_ns = 0;
    assert_int_equal(mf_cpu_read(tid, &its_ns), 0);
    assert_true(its_ns >= 50 * MS);
    assert_true(its_ns >= atomic_load(&burner.burned_ns));
    const int64_t mine_ns = own_ns();
    assert_true(mine_ns >= before_ns);
    assert_true(mine_ns - before_ns < its_ns); /* we slept while it burned */
    int64_t mine_by_id_ns = 0;
    assert_int_equal(mf_cpu_read(mf_thread_id(), &mine_by_id_ns), 0);
    assert_true(mine_by_id_ns >= mine_ns);

    atomic_store(&burner.stop, true);
    mf_thread_join(&burner.thread);
    /* The kernel may take a moment after pthread_join() to take the thread away. */
    int rc = 0;
    for (int i = 0; i < 20000 && rc != -ESRCH; i++) {
        int64_t untouched_ns = -7;
        rc = mf_cpu_read(tid, &untouched_ns);
        if (rc != 0) {
            assert_int_equal(untouched_ns, -7);
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = MS}, NULL);
    }
    assert_int_equal(rc, -ESRCH);
}

static void a_stranger_is_not_read(void **state)
{
    (void)state;
    int64_t ns = -7;
    assert_int_equal(mf_cpu_read(1, &ns), -ESRCH); /* init is no thread of ours */
    assert_int_equal(mf_cpu_read(-1, &ns), -ESRCH);
    assert_int_equal(mf_cpu_read(INT32_MAX, &ns), -ESRCH); /* no other clock by overflow */
    assert_int_equal(ns, -7);
}

static int refuse(void *context, const char *call)
{
    return strcmp(call, "clock_gettime") == 0 ? *(int *)context : 0;
}

/* D18: a clock that cannot be read is an error, never a time of 0. */
static void cpu_api_failure_is_an_error(void **state)
{
    (void)state;
    int error = EINVAL;
    int64_t ns = -7;
    mf_refusal_set_hook(refuse, &error);
    const int own = mf_cpu_read(0, &ns);
    const int named = mf_cpu_read(mf_thread_id(), &ns);
    mf_refusal_set_hook(NULL, NULL);
    assert_int_equal(own, -EINVAL);
    assert_int_equal(named, -EINVAL);
    assert_int_equal(ns, -7);
}

static void time_stamps_follow_the_clock(void **state)
{
    (void)state;
    struct mf_errinfo err = {0};
    if (mf_tsc_usable(&err) != 0) {
        print_message("%s\n", err.msg);
        skip();
    }
    double slow = 0;
    double error = 0;
    int rc = MF_EUNSUPPORTED;
    for (int i = 0; i < 100 && rc != 0; i++) {
        rc = mf_tsc_calibrate(5 * MS, &slow, &error, &err);
    }
    assert_int_equal(rc, 0);
    assert_true(slow > 0.1 && slow < 20.0);
    assert_true(error >= 0 && error <= 5e-4);
}

static void a_switch_is_noticed(void **state)
{
    (void)state;
    struct mf_errinfo err = {0};
    struct mf_switches switches;
    mf_switches_init(&switches, false); /* where it does not work, all looks like a switch */
    mf_switches_mark(&switches);
    assert_false(mf_switches_none(&switches));
    if (mf_switches_usable(&err) != 0) {
        print_message("%s\n", err.msg);
        skip();
    }
    mf_switches_init(&switches, true);
    bool kept = false;
    for (int i = 0; i < 1000 && !kept; i++) {
        mf_switches_mark(&switches);
        kept = mf_switches_none(&switches);
    }
    assert_true(kept);
    for (int i = 0; i < 100 && kept; i++) { /* the time may be over before it sleeps */
        mf_switches_mark(&switches);
        nanosleep(&(struct timespec){.tv_nsec = MS}, NULL);
        kept = mf_switches_none(&switches);
    }
    assert_false(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_reads_the_named_thread),
        cmocka_unit_test(a_stranger_is_not_read),
        cmocka_unit_test(cpu_api_failure_is_an_error),
        cmocka_unit_test(time_stamps_follow_the_clock),
        cmocka_unit_test(a_switch_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
