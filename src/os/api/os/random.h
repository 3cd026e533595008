/* SPDX-License-Identifier: Apache-2.0
 * random.h -- random bytes from the kernel, for salts, names and secrets. */
#ifndef OS_RANDOM_H
#define OS_RANDOM_H

#include <mayfly/error.h>
#include <stddef.h>

/* Fills all of it, or fails with a negated errno (a kernel or sandbox without getrandom).
 * [any-thread] */
int mf_random_bytes(void *bytes, size_t len, struct mf_errinfo *err);

#endif
