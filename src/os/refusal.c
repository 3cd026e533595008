/* SPDX-License-Identifier: Apache-2.0
 * refusal.c -- see refusal.h. */
#include "os/refusal.h"

#include <stdatomic.h>
#include <stddef.h>

static int (*_Atomic refusal_hook)(void *context, const char *call);
static void *_Atomic refusal_context;

void mf_refusal_set_hook(int (*hook)(void *context, const char *call), void *context)
{
    atomic_store_explicit(&refusal_hook, NULL, memory_order_release);
    atomic_store_explicit(&refusal_context, context, memory_order_release);
    atomic_store_explicit(&refusal_hook, hook, memory_order_release);
}

int mf__refused(const char *call)
{
    int (*const hook)(void *, const char *) =
        atomic_load_explicit(&refusal_hook, memory_order_acquire);
    return hook == NULL ? 0
                        : -hook(atomic_load_explicit(&refusal_context, memory_order_acquire), call);
}
