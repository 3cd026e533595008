/* SPDX-License-Identifier: Apache-2.0
 *
 * trace_context.c -- see trace_context.h.
 *
 * traceparent = version "-" trace-id "-" parent-id "-" flags, all lower-case hexadecimal of 2, 32,
 * 16 and 2 digits. Ids of zeros only are not valid, nor is version ff. A later version may go on
 * after another dash; it is continued as version 00, as the specification asks.
 */
#include "trace_context.h"

#include "os/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool is_hex(const char *text, size_t len)
{
    return strspn(text, "0123456789abcdef") >= len;
}

static bool is_id(const char *text, size_t len)
{
    return is_hex(text, len) && strspn(text, "0") < len;
}

static bool is_valid(const char *text)
{
    const size_t len = text != NULL ? strnlen(text, 512) : 0;
    return len >= 55 && is_hex(text, 2) && memcmp(text, "ff", 2) != 0 && text[2] == '-' &&
           is_id(text + 3, 32) && text[35] == '-' && is_id(text + 36, 16) && text[52] == '-' &&
           is_hex(text + 53, 2) && (len == 55 || (memcmp(text, "00", 2) != 0 && text[55] == '-'));
}

static int random_id(char *text, size_t digits, struct mf_errinfo *err)
{
    uint8_t bytes[16];
    do {
        const int ret = mf_random_bytes(bytes, digits / 2, err);
        if (ret < 0) {
            return ret;
        }
        for (size_t i = 0; i < digits / 2; i++) {
            snprintf(text + 2 * i, 3, "%02x", bytes[i]);
        }
    } while (!is_id(text, digits));
    return 0;
}

int mf__trace_context_new(const char *traceparent, struct mf_trace_context *ret_context,
                          struct mf_errinfo *err)
{
    int ret = 0;
    struct mf_trace_context context = {.flags = "01"};
    if (is_valid(traceparent)) {
        memcpy(context.trace_id, traceparent + 3, 32);
        memcpy(context.parent_span_id, traceparent + 36, 16);
        memcpy(context.flags, traceparent + 53, 2);
    } else {
        ret = random_id(context.trace_id, 32, err);
    }
    if (ret == 0) {
        ret = random_id(context.span_id, 16, err);
    }
    if (ret == 0) {
        *ret_context = context;
    }
    return ret;
}

void mf__trace_context_format(const struct mf_trace_context *context,
                              char ret_text[MF_TRACEPARENT_LEN])
{
    snprintf(ret_text, MF_TRACEPARENT_LEN, "00-%s-%s-%s", context->trace_id, context->span_id,
             context->flags);
}
