/* SPDX-License-Identifier: Apache-2.0
 * buffer.c -- see buffer.h. */
#include "base/buffer.h"
#include "base/heap.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void mf_buffer_free(struct mf_buffer *buffer)
{
    mf_free(buffer->data);
    *buffer = (struct mf_buffer)MF_BUFFER_INIT;
}

void mf_buffer_clear(struct mf_buffer *buffer)
{
    buffer->len = 0;
    buffer->failed = false;
    if (buffer->data != NULL) {
        buffer->data[0] = '\0';
    }
}

char *mf_buffer_reserve(struct mf_buffer *buffer, size_t len)
{
    if (buffer->failed) {
        return NULL;
    }
    if (len > SIZE_MAX / 4 - buffer->len) {
        buffer->failed = true;
        return NULL;
    }
    size_t wanted = buffer->len + len + 1;
    if (wanted > buffer->capacity) {
        size_t capacity = buffer->capacity != 0 ? buffer->capacity : 128;
        while (capacity < wanted) {
            capacity *= 2;
        }
        char *data = mf_realloc(buffer->data, capacity);
        if (data == NULL) {
            buffer->failed = true;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->len;
}

void mf_buffer_append(struct mf_buffer *buffer, const void *bytes, size_t len)
{
    char *room = mf_buffer_reserve(buffer, len);
    if (room == NULL) {
        return;
    }
    if (len != 0) {
        memcpy(room, bytes, len);
    }
    room[len] = '\0';
    buffer->len += len;
}

void mf_buffer_puts(struct mf_buffer *buffer, const char *text)
{
    mf_buffer_append(buffer, text, strlen(text));
}

void mf_buffer_putc(struct mf_buffer *buffer, char c)
{
    mf_buffer_append(buffer, &c, 1);
}

void mf_buffer_printf(struct mf_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (len < 0) {
        buffer->failed = true;
        return;
    }
    char *room = mf_buffer_reserve(buffer, (size_t)len);
    if (room == NULL) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(room, (size_t)len + 1, format, arguments);
    va_end(arguments);
    buffer->len += (size_t)len;
}
