/* SPDX-License-Identifier: Apache-2.0
 * fail.h -- how code inside Mayfly reports a failure. */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include <mayfly/error.h>

/* Write a formatted message for `code` into `err` (may be NULL) and return `code`, so that a
 * failing branch is one statement: `return mf_fail(err, MF_ECORRUPT, "%s: ...", path);`
 * mf_fail_os() appends ": <strerror>" for a negated errno. [any-thread] */
int mf_fail(struct mf_errinfo *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int mf_fail_os(struct mf_errinfo *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Clean-up keeps the first error. */
#define MF_KEEP_FIRST(ret, expr)                                                                   \
    do {                                                                                           \
        int mf_rc_ = (expr);                                                                       \
        if ((ret) >= 0 && mf_rc_ < 0) {                                                            \
            (ret) = mf_rc_;                                                                        \
        }                                                                                          \
    } while (0)

#define MF_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
