/* SPDX-License-Identifier: Apache-2.0
 * stack.c -- where a thread is: the return addresses along its frame pointers.
 *
 * A frame pointer may be anything (code compiled without, coroutines, code between two
 * instructions), so each one is followed only if it lies in the thread's own stack, above the one
 * before it, and is aligned; the stack is mapped from the stack pointer to its end, so nothing is
 * read that is not there. The price is that a chain may end early, never that it faults. */
#include "cpu_private.h"

#include <ucontext.h>

struct registers {
    uintptr_t instruction;
    uintptr_t frame;
    uintptr_t stack;
};

static struct registers of_context(const void *context)
{
    const ucontext_t *interrupted = context;
#if defined(__x86_64__)
    return (struct registers){
        .instruction = (uintptr_t)interrupted->uc_mcontext.gregs[REG_RIP],
        .frame = (uintptr_t)interrupted->uc_mcontext.gregs[REG_RBP],
        .stack = (uintptr_t)interrupted->uc_mcontext.gregs[REG_RSP],
    };
#elif defined(__aarch64__)
    return (struct registers){
        .instruction = (uintptr_t)interrupted->uc_mcontext.pc,
        .frame = (uintptr_t)interrupted->uc_mcontext.regs[29],
        .stack = (uintptr_t)interrupted->uc_mcontext.sp,
    };
#else
    (void)interrupted;
    return (struct registers){.instruction = 0};
#endif
}

__attribute__((no_sanitize_address, no_sanitize_thread)) uint32_t
mf__stack_capture(const struct thread *thread, const void *context, const void *first_frame,
                  uintptr_t *ret_stack, uint32_t capacity)
{
    uint32_t depth = 0;
    struct registers at = {.frame = (uintptr_t)first_frame, .stack = (uintptr_t)first_frame};
    if (context != NULL) {
        at = of_context(context);
        if (at.instruction != 0) {
            ret_stack[depth++] = at.instruction;
        }
    }
    if (at.stack < thread->stack_low || at.stack >= thread->stack_high) {
        return depth; /* a stack of the program's own */
    }
    uintptr_t low = at.stack;
    uintptr_t frame = at.frame;
    while (depth < capacity && frame >= low && frame % sizeof(uintptr_t) == 0 &&
           frame <= thread->stack_high - 2 * sizeof(uintptr_t)) {
        const uintptr_t *words = (const uintptr_t *)frame; /* NOLINT: checked above */
        if (words[1] < 4096) {
            break;
        }
        ret_stack[depth++] = words[1];
        low = frame + 2 * sizeof(uintptr_t);
        frame = words[0];
    }
    return depth;
}
