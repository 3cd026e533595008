/* SPDX-License-Identifier: Apache-2.0
 * check.h -- assertions about our own code. Data from disk, wire or user is checked, never
 * asserted.
 *   MF_ASSERT   always on: prints the expression and aborts
 *   MF_DASSERT  in debug and sanitizer builds only; for hot paths */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

_Noreturn void mf__assert_failed(const char *expression, const char *file, int line);

#define MF_ASSERT(x) ((x) ? (void)0 : mf__assert_failed(#x, __FILE__, __LINE__))
#ifdef NDEBUG
#define MF_DASSERT(x) ((void)0)
#else
#define MF_DASSERT(x) MF_ASSERT(x)
#endif

#endif
