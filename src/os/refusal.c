/* SPDX-License-Identifier: Apache-2.0
 * refusal.c -- see refusal.h. */
#include "os/refusal.h"

#include <stddef.h>

static int (*refusal_hook)(void *context, const char *call);
static void *refusal_context;

void mf_refusal_set_hook(int (*hook)(void *context, const char *call), void *context)
{
    refusal_hook = NULL;
    refusal_context = context;
    refusal_hook = hook;
}

int mf__refused(const char *call)
{
    return refusal_hook != NULL ? -refusal_hook(refusal_context, call) : 0;
}
