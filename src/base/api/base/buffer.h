/* SPDX-License-Identifier: Apache-2.0
 * buffer.h -- a growing byte buffer. After a failed growth it stays failed (`failed` is set,
 * further appends do nothing), so that a writer checks once at the end. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mf_buffer {
    char *data; /* NUL-terminated when non-NULL; the NUL is not counted in len */
    size_t len;
    size_t capacity;
    bool failed; /* memory ran out: the content is incomplete */
};

#define MF_BUFFER_INIT                                                                             \
    {                                                                                              \
        NULL, 0, 0, false                                                                          \
    }

void mf_buffer_free(struct mf_buffer *buffer);  /* frees and re-initialises */
void mf_buffer_clear(struct mf_buffer *buffer); /* keeps the memory; forgets `failed` */
void mf_buffer_append(struct mf_buffer *buffer, const void *bytes, size_t len);
void mf_buffer_puts(struct mf_buffer *buffer, const char *text);
void mf_buffer_putc(struct mf_buffer *buffer, char c);
void mf_buffer_printf(struct mf_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for `len` more bytes, or NULL; the caller fills them and adds to buffer->len. */
char *mf_buffer_reserve(struct mf_buffer *buffer, size_t len);

#endif
