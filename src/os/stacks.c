/* SPDX-License-Identifier: Apache-2.0
 * stacks.c -- see stacks.h; getitimer(2), the unwinder of GCC and LLVM (Itanium C++ ABI). */
#include "os/stacks.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unwind.h>

struct stack {
    uint32_t depth;
    uintptr_t addresses[MF_STACK_MAX];
};

static struct {
    struct stack *stacks;
    size_t capacity;
    atomic_size_t taken; /* may pass the capacity */
    struct sigaction before;
} sampler;

/* ---- one stack ---- */

struct walk {
    uintptr_t *addresses;
    size_t max, count;
    size_t skip;
    uintptr_t from; /* begin where this instruction was interrupted; 0: at once */
};

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    int before = 0;
    const uintptr_t at = _Unwind_GetIPInfo(context, &before);
    if (at == 0) {
        return _URC_END_OF_STACK;
    }
    if (walk->from != 0) {
        if (at != walk->from) {
            return _URC_NO_REASON;
        }
        walk->from = 0;
    }
    if (walk->skip > 0) {
        walk->skip--;
        return _URC_NO_REASON;
    }
    /* A return address may lie behind the end of the function that calls: the call is before it. */
    walk->addresses[walk->count++] = before != 0 ? at : at - 1;
    return walk->count == walk->max ? _URC_END_OF_STACK : _URC_NO_REASON;
}

__attribute__((noinline)) size_t mf_stack_capture(uintptr_t *ret_addresses, size_t max, size_t skip)
{
    struct walk walk = {.addresses = ret_addresses, .max = max, .skip = skip + 1};
    if (max > 0) {
        (void)_Unwind_Backtrace(step, &walk);
    }
    return walk.count;
}

/* ---- sampling ---- */

static uintptr_t interrupted_at(const void *context)
{
    const ucontext_t *machine = context;
#if defined(__x86_64__)
    return (uintptr_t)machine->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)machine->uc_mcontext.pc;
#else
#error "where a signal has interrupted is not known for this processor"
#endif
}

static void take(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    const int error = errno;
    const size_t index = atomic_fetch_add_explicit(&sampler.taken, 1, memory_order_relaxed);
    if (index < sampler.capacity) {
        struct stack *stack = &sampler.stacks[index];
        struct walk walk = {
            .addresses = stack->addresses,
            .max = MF_STACK_MAX,
            .from = interrupted_at(context),
        };
        (void)_Unwind_Backtrace(step, &walk);
        if (walk.count == 0) { /* code without tables: at least where it was */
            stack->addresses[walk.count++] = interrupted_at(context);
        }
        stack->depth = (uint32_t)walk.count;
    }
    errno = error;
}

int mf_sampler_open(size_t samples_max, struct mf_errinfo *err)
{
    struct sigaction now;
    uintptr_t primer[1];
    if (sampler.stacks != NULL || sigaction(SIGPROF, NULL, &now) != 0 ||
        (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN)) {
        return mf_fail(err, -EBUSY, "SIGPROF has a handler already");
    }
    sampler.stacks = mf_calloc(samples_max, sizeof *sampler.stacks);
    if (sampler.stacks == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot keep %zu stacks", samples_max);
    }
    sampler.capacity = samples_max;
    atomic_store(&sampler.taken, 0);
    (void)mf_stack_capture(primer, 1, 0); /* what the unwinder does only once, it does here */
    const struct sigaction action = {
        .sa_sigaction = take,
        .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
    };
    if (sigaction(SIGPROF, &action, &sampler.before) != 0) {
        const int code = -errno;
        mf_free(sampler.stacks);
        sampler.stacks = NULL;
        return mf_fail_os(err, code, "cannot handle SIGPROF");
    }
    return 0;
}

static int set_timer(int64_t period_ns)
{
    const struct timeval period = {
        .tv_sec = (time_t)(period_ns / 1000000000),
        .tv_usec = (suseconds_t)(period_ns % 1000000000 / 1000),
    };
    const struct itimerval timer = {period, period};
    return setitimer(ITIMER_PROF, &timer, NULL) == 0 ? 0 : -errno;
}

int mf_sampler_start(int64_t period_ns)
{
    return set_timer(period_ns);
}

void mf_sampler_stop(void)
{
    (void)set_timer(0);
}

size_t mf_sampler_count(void)
{
    const size_t taken = atomic_load(&sampler.taken);
    return taken < sampler.capacity ? taken : sampler.capacity;
}

size_t mf_sampler_stack(size_t index, const uintptr_t **ret_addresses)
{
    *ret_addresses = sampler.stacks[index].addresses;
    return sampler.stacks[index].depth;
}

uint64_t mf_sampler_lost(void)
{
    return atomic_load(&sampler.taken) - mf_sampler_count();
}

void mf_sampler_close(void)
{
    if (sampler.stacks == NULL) {
        return;
    }
    mf_sampler_stop();
    (void)sigaction(SIGPROF, &(struct sigaction){.sa_handler = SIG_IGN}, NULL); /* drops pending */
    (void)sigaction(SIGPROF, &sampler.before, NULL);
    mf_free(sampler.stacks);
    sampler.stacks = NULL;
    sampler.capacity = 0;
}
