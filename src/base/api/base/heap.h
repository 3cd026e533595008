/* SPDX-License-Identifier: Apache-2.0
 * heap.h -- the only door to the C heap, so that tests can fail the Nth allocation and count them.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>

/* As malloc, calloc, realloc, free: NULL when memory is out. mf_free(NULL) is allowed. [any-thread]
 */
void *mf_malloc(size_t len_bytes) __attribute__((malloc));
void *mf_calloc(size_t count, size_t len_bytes) __attribute__((malloc));
/* The same at an address that `alignment` (a power of two, at least that of a pointer) divides. */
void *mf_calloc_aligned(size_t count, size_t len_bytes, size_t alignment) __attribute__((malloc));
void *mf_realloc(void *old, size_t len_bytes);
void mf_free(void *p);

/* Copies of strings; NULL when memory is out. The caller frees them with mf_free(). */
char *mf_strdup(const char *text);
char *mf_strndup(const char *text, size_t len_bytes);
char *mf_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For tests: a hook that is asked before each allocation; non-zero makes it fail. NULL removes it.
 * Set it while no other thread allocates. */
void mf_heap_set_hook(int (*hook)(void *context, size_t len_bytes), void *context);

#endif
