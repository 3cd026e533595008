/* SPDX-License-Identifier: Apache-2.0
 * thread.h -- threads, locks and waiting. Thin names over POSIX threads, so that nothing above
 * calls them directly; failures to create are returned, misuse aborts. */
#ifndef OS_THREAD_H
#define OS_THREAD_H

#include <mayfly/error.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct mf_mutex {
    pthread_mutex_t raw;
};
struct mf_condition {
    pthread_cond_t raw; /* on CLOCK_MONOTONIC */
};
struct mf_thread {
    pthread_t raw;
};

void mf_mutex_init(struct mf_mutex *mutex);
void mf_mutex_fini(struct mf_mutex *mutex);
void mf_mutex_lock(struct mf_mutex *mutex);
void mf_mutex_unlock(struct mf_mutex *mutex);

void mf_condition_init(struct mf_condition *condition);
void mf_condition_fini(struct mf_condition *condition);
void mf_condition_wait(struct mf_condition *condition, struct mf_mutex *mutex);
/* Waits until the monotonic time; false when it passed without a wake-up. */
bool mf_condition_wait_until(struct mf_condition *condition, struct mf_mutex *mutex,
                             int64_t monotonic_ns);
void mf_condition_signal(struct mf_condition *condition);
void mf_condition_broadcast(struct mf_condition *condition);

/* Starts a thread with all signals blocked, named `name` (15 characters kept). */
int mf_thread_start(struct mf_thread *thread, const char *name, void *(*run)(void *context),
                    void *context, struct mf_errinfo *err);
void *mf_thread_join(struct mf_thread *thread);
/* Whether mf_thread_interrupt() ends the calling thread while it waits in a system call: so at
 * first. Nothing may be held there that only this thread gives back. */
void mf_thread_interruptible(bool on);
/* Ends the thread where it can be interrupted, now or as soon as it gets there. It is still to be
 * joined. */
void mf_thread_interrupt(struct mf_thread *thread);
/* The calling thread, and threads that it starts later, run on this processor only. 0 or a negative
 * errno: -EINVAL when there is none of that number for this process. */
int mf_thread_pin(int cpu);
/* The number-th processor that this thread may run on, counted around; 0 when that cannot be told.
 */
int mf_thread_nth_cpu(unsigned number);
/* Lets other threads run first. */
void mf_thread_yield(void);

/* The kernel's id of the calling thread, as gettid(2). [async-signal-safe] */
int32_t mf_thread_id(void);
/* How often the calling thread has given up its processor to wait for something; -1 when that
 * cannot be told. [async-signal-safe] */
int64_t mf_thread_waits(void);
/* The name of a thread of this process, as the kernel has it; "" when there is no such thread.
 * Returns name. Of the calling thread itself (tid 0) [async-signal-safe]. */
char *mf_thread_name(int32_t tid, char name[16]);
/* The bounds of the calling thread's stack: 0, or a negative errno. */
int mf_thread_stack(uintptr_t *ret_low, uintptr_t *ret_high);

/* A value that each thread has of its own, given to `end` when the thread ends with one that is not
 * NULL. */
struct mf_thread_local {
    pthread_key_t raw;
};
int mf_thread_local_open(struct mf_thread_local *local, void (*end)(void *value));
void mf_thread_local_close(struct mf_thread_local *local);
int mf_thread_local_set(struct mf_thread_local *local, void *value);

/* Around each fork(2) of the process from now on: before it, after it in the parent, in the child.
 * For ever: call it once. 0 or a negative errno. */
int mf_thread_at_fork(void (*before)(void), void (*parent)(void), void (*child)(void));

#endif
