/* SPDX-License-Identifier: Apache-2.0
 * Threads, locks and waiting. */
#include "os/clock.h"
#include "os/thread.h"

#include <signal.h>
#include <string.h>

#include "cmocka_all.h"

struct shared {
    struct mf_mutex mutex;
    struct mf_condition changed;
    int ready;
    int total;
    char name[16];
    bool signals_blocked;
};

static void *work(void *context)
{
    struct shared *shared = context;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    mf_mutex_lock(&shared->mutex);
    shared->signals_blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGINT) == 1;
    shared->ready++;
    mf_condition_broadcast(&shared->changed);
    mf_mutex_unlock(&shared->mutex);
    for (int i = 0; i < 1000; i++) {
        mf_mutex_lock(&shared->mutex);
        shared->total++;
        mf_mutex_unlock(&shared->mutex);
    }
    return &shared->total;
}

static void test_threads(void **state)
{
    (void)state;
    struct shared shared = {.ready = 0, .total = 0};
    mf_mutex_init(&shared.mutex);
    mf_condition_init(&shared.changed);
    struct mf_thread threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(
            mf_thread_start(&threads[i], "a name that is too long", work, &shared, NULL), 0);
    }
    pthread_getname_np(threads[0].raw, shared.name, sizeof shared.name);
    mf_mutex_lock(&shared.mutex);
    while (shared.ready < 4) {
        mf_condition_wait(&shared.changed, &shared.mutex);
    }
    mf_mutex_unlock(&shared.mutex);
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(mf_thread_join(&threads[i]), &shared.total);
    }
    assert_int_equal(shared.total, 4000);
    assert_true(shared.signals_blocked);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0); /* ours are as before */
    mf_condition_fini(&shared.changed);
    mf_mutex_fini(&shared.mutex);
}

static void test_wait_until_passes(void **state)
{
    (void)state;
    struct mf_mutex mutex;
    struct mf_condition condition;
    mf_mutex_init(&mutex);
    mf_condition_init(&condition);
    mf_mutex_lock(&mutex);
    int64_t until = mf_clock_monotonic_ns(NULL) + 2 * MF_NS_PER_MS;
    while (mf_condition_wait_until(&condition, &mutex, until)) {
    }
    assert_true(mf_clock_monotonic_ns(NULL) >= until);
    mf_mutex_unlock(&mutex);
    mf_condition_fini(&condition);
    mf_mutex_fini(&mutex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_wait_until_passes),
    };
    return cmocka_run_group_tests_name("os/thread", tests, NULL, NULL);
}
