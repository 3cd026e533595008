/* SPDX-License-Identifier: Apache-2.0
 * heap.c -- see heap.h. */
#include "base/heap.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int (*alloc_hook)(void *context, size_t len_bytes);
static void *alloc_hook_context;

void mf_heap_set_hook(int (*hook)(void *context, size_t len_bytes), void *context)
{
    alloc_hook = NULL;
    alloc_hook_context = context;
    alloc_hook = hook;
}

static int refused(size_t len_bytes)
{
    return alloc_hook != NULL && alloc_hook(alloc_hook_context, len_bytes) != 0;
}

void *mf_malloc(size_t len_bytes)
{
    return refused(len_bytes) ? NULL : malloc(len_bytes != 0 ? len_bytes : 1);
}

void *mf_calloc(size_t count, size_t len_bytes)
{
    if (count == 0 || len_bytes == 0) {
        count = len_bytes = 1;
    }
    return refused(len_bytes) ? NULL : calloc(count, len_bytes);
}

void *mf_calloc_aligned(size_t count, size_t len_bytes, size_t alignment)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, len_bytes, &total) || total > SIZE_MAX - alignment) {
        return NULL;
    }
    total = (total / alignment + (total % alignment != 0 || total == 0)) * alignment;
    void *p = refused(total) ? NULL : aligned_alloc(alignment, total);
    return p != NULL ? memset(p, 0, total) : NULL;
}

void *mf_realloc(void *old, size_t len_bytes)
{
    return refused(len_bytes) ? NULL : realloc(old, len_bytes != 0 ? len_bytes : 1);
}

void mf_free(void *p)
{
    free(p);
}

char *mf_strndup(const char *text, size_t len_bytes)
{
    char *copy = mf_malloc(len_bytes + 1);
    if (copy != NULL) {
        memcpy(copy, text, len_bytes);
        copy[len_bytes] = '\0';
    }
    return copy;
}

char *mf_strdup(const char *text)
{
    return mf_strndup(text, strlen(text));
}

char *mf_asprintf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (len < 0) {
        return NULL;
    }
    char *text = mf_malloc((size_t)len + 1);
    if (text != NULL) {
        va_start(arguments, format);
        vsnprintf(text, (size_t)len + 1, format, arguments);
        va_end(arguments);
    }
    return text;
}
