/* SPDX-License-Identifier: Apache-2.0
 * fail.c -- error texts and messages. */
#include "base/fail.h"
#include "base/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *mf_strerror(int code)
{
    switch (code) {
#define X(name, value, text)                                                                       \
    case value:                                                                                    \
        return text;
        MF_ERROR_MAP(X)
#undef X
    case 0:
        return "success";
    default:
        break;
    }
    if (code < 0 && code > -4096) {
        const char *text = strerrordesc_np(-code);
        if (text != NULL) {
            return text;
        }
    }
    return "unknown error code";
}

const char *mf_error_name(int code)
{
    switch (code) {
#define X(name, value, text)                                                                       \
    case value:                                                                                    \
        return "MF_E" #name;
        MF_ERROR_MAP(X)
#undef X
    case 0:
        return "MF_OK";
    default:
        break;
    }
    if (code < 0 && code > -4096) {
        const char *text = strerrorname_np(-code);
        if (text != NULL) {
            return text;
        }
    }
    return "MF_EUNKNOWN";
}

uint32_t mf_version(void)
{
    return MF_VERSION;
}

const char *mf_version_string(void)
{
    return MF_VERSION_STRING;
}

__attribute__((format(printf, 4, 0))) static void
fill(struct mf_errinfo *err, int code, const char *suffix, const char *format, va_list arguments)
{
    if (err == NULL) {
        return;
    }
    err->code = code;
    int len = vsnprintf(err->msg, sizeof err->msg, format, arguments);
    if (len < 0) {
        err->msg[0] = '\0';
        len = 0;
    }
    if (suffix != NULL && (size_t)len < sizeof err->msg) {
        snprintf(err->msg + len, sizeof err->msg - (size_t)len, ": %s", suffix);
    }
}

int mf_fail(struct mf_errinfo *err, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(err, code, NULL, format, arguments);
    va_end(arguments);
    return code;
}

int mf_fail_os(struct mf_errinfo *err, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(err, code, mf_strerror(code), format, arguments);
    va_end(arguments);
    return code;
}

_Noreturn void mf__assert_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "mayfly: assertion failed: %s at %s:%d (a bug in Mayfly; please report it)\n",
            expression, file, line);
    abort();
}
