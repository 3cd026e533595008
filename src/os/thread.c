/* SPDX-License-Identifier: Apache-2.0
 * thread.c -- see thread.h. A failing lock operation is misuse and aborts. */
#include "os/thread.h"
#include "base/check.h"
#include "base/fail.h"
#include "os/clock.h"
#include "os/proc.h"
#include "os/refusal.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void mf_mutex_init(struct mf_mutex *mutex)
{
    MF_ASSERT(pthread_mutex_init(&mutex->raw, NULL) == 0);
}

void mf_mutex_fini(struct mf_mutex *mutex)
{
    MF_ASSERT(pthread_mutex_destroy(&mutex->raw) == 0);
}

void mf_mutex_lock(struct mf_mutex *mutex)
{
    MF_ASSERT(pthread_mutex_lock(&mutex->raw) == 0);
}

void mf_mutex_unlock(struct mf_mutex *mutex)
{
    MF_ASSERT(pthread_mutex_unlock(&mutex->raw) == 0);
}

void mf_condition_init(struct mf_condition *condition)
{
    pthread_condattr_t attributes;
    MF_ASSERT(pthread_condattr_init(&attributes) == 0);
    MF_ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    MF_ASSERT(pthread_cond_init(&condition->raw, &attributes) == 0);
    MF_ASSERT(pthread_condattr_destroy(&attributes) == 0);
}

void mf_condition_fini(struct mf_condition *condition)
{
    MF_ASSERT(pthread_cond_destroy(&condition->raw) == 0);
}

void mf_condition_wait(struct mf_condition *condition, struct mf_mutex *mutex)
{
    MF_ASSERT(pthread_cond_wait(&condition->raw, &mutex->raw) == 0);
}

bool mf_condition_wait_until(struct mf_condition *condition, struct mf_mutex *mutex,
                             int64_t monotonic_ns)
{
    struct timespec until = {.tv_sec = monotonic_ns / MF_NS_PER_SECOND,
                             .tv_nsec = monotonic_ns % MF_NS_PER_SECOND};
    int code = pthread_cond_timedwait(&condition->raw, &mutex->raw, &until);
    MF_ASSERT(code == 0 || code == ETIMEDOUT);
    return code == 0;
}

void mf_condition_signal(struct mf_condition *condition)
{
    MF_ASSERT(pthread_cond_signal(&condition->raw) == 0);
}

void mf_condition_broadcast(struct mf_condition *condition)
{
    MF_ASSERT(pthread_cond_broadcast(&condition->raw) == 0);
}

int mf_thread_start(struct mf_thread *thread, const char *name, void *(*run)(void *context),
                    void *context, struct mf_errinfo *err)
{
    /* The new thread inherits the mask, so signals keep going to the threads of the application. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    MF_ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    pthread_t raw;
    int code = pthread_create(&raw, NULL, run, context);
    MF_ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (code != 0) {
        return mf_fail(err, -code,
                       "cannot start the thread %s: %s; raise the limit of processes (ulimit -u)",
                       name, mf_strerror(-code));
    }
    char kept[16];
    snprintf(kept, sizeof kept, "%s", name);
    (void)pthread_setname_np(raw, kept); /* only for people who look at it */
    thread->raw = raw;
    return 0;
}

void *mf_thread_join(struct mf_thread *thread)
{
    void *result = NULL;
    MF_ASSERT(pthread_join(thread->raw, &result) == 0);
    return result;
}

void mf_thread_interruptible(bool on)
{
    const int state = on ? PTHREAD_CANCEL_ENABLE : PTHREAD_CANCEL_DISABLE;
    MF_ASSERT(pthread_setcancelstate(state, NULL) == 0);
}

void mf_thread_interrupt(struct mf_thread *thread)
{
    (void)pthread_cancel(thread->raw);
}

int mf_thread_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu < 0 || cpu >= CPU_SETSIZE) {
        return -EINVAL;
    }
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) != 0 ? -errno : 0;
}

int mf_thread_nth_cpu(unsigned number)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) == 0) {
        return 0;
    }
    number %= (unsigned)CPU_COUNT(&set);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, &set) && number-- == 0) {
            return cpu;
        }
    }
    return 0;
}

void mf_thread_yield(void)
{
    (void)sched_yield();
}

int32_t mf_thread_id(void)
{
    return gettid();
}

int64_t mf_thread_waits(void)
{
    struct rusage usage;
    return mf__refused("getrusage") == 0 && getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nvcsw
                                                                                  : -1;
}

char *mf_thread_name(int32_t tid, char name[16])
{
    char path[64];
    size_t len = 0;
    name[0] = '\0';
    if (tid == 0) {
        (void)prctl(PR_GET_NAME, name);
        return name;
    }
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)tid);
    char text[32];
    if (mf_proc_read_text(path, text, sizeof text, &len) == 0) {
        text[strcspn(text, "\n")] = '\0';
        snprintf(name, 16, "%.15s", text);
    }
    return name;
}

int mf_thread_stack(uintptr_t *ret_low, uintptr_t *ret_high)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t len = 0;
    int rc = pthread_getattr_np(pthread_self(), &attributes);
    if (rc == 0) {
        rc = pthread_attr_getstack(&attributes, &low, &len);
        pthread_attr_destroy(&attributes);
    }
    if (rc == 0) {
        *ret_low = (uintptr_t)low;
        *ret_high = (uintptr_t)low + len;
    }
    return -rc;
}

int mf_thread_local_open(struct mf_thread_local *local, void (*end)(void *value))
{
    const int refused = mf__refused("pthread_key_create");
    return refused != 0 ? refused : -pthread_key_create(&local->raw, end);
}

void mf_thread_local_close(struct mf_thread_local *local)
{
    MF_ASSERT(pthread_key_delete(local->raw) == 0);
}

int mf_thread_local_set(struct mf_thread_local *local, void *value)
{
    return -pthread_setspecific(local->raw, value);
}

int mf_thread_at_fork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
    return -pthread_atfork(before, parent, child);
}
