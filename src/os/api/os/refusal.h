/* SPDX-License-Identifier: Apache-2.0
 * refusal.h -- for tests: system calls of cputime.h, switches.h and alarm.h that fail. */
#ifndef OS_REFUSAL_H
#define OS_REFUSAL_H

/* A hook that is asked before each such system call with its name; it returns 0, or the errno with
 * which the call shall fail. It may be asked inside a signal handler. NULL removes it. Set it while
 * no other thread makes such calls. */
void mf_refusal_set_hook(int (*hook)(void *context, const char *call), void *context);

/* 0, or the negated errno to fail with. Inside src/os. [async-signal-safe] */
int mf__refused(const char *call);

#endif
