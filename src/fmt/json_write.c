/* SPDX-License-Identifier: Apache-2.0
 * json_write.c -- see json_write.h. */
#include "fmt/json_write.h"
#include "base/check.h"
#include "fmt/number.h"
#include "fmt/utf8.h"

#include <math.h>
#include <string.h>

void mf_json_init(struct mf_json *json, struct mf_buffer *out, enum mf_json_style style)
{
    *json = (struct mf_json){.out = out, .style = style};
}

static bool in_object(const struct mf_json *json)
{
    return (json->is_object >> json->depth & 1) != 0;
}

static void new_line(struct mf_json *json)
{
    if (json->style == MF_JSON_PRETTY) {
        mf_buffer_putc(json->out, '\n');
        for (unsigned i = 0; i < json->depth; i++) {
            mf_buffer_puts(json->out, "  ");
        }
    }
}

/* What stands before an item of the present level: a comma, a line of its own. */
static void separate(struct mf_json *json)
{
    const uint64_t bit = UINT64_C(1) << json->depth;
    if (json->depth == 0) {
        return;
    }
    if ((json->has_items & bit) != 0) {
        mf_buffer_putc(json->out, ',');
    }
    json->has_items |= bit;
    new_line(json);
}

static void before_value(struct mf_json *json)
{
    if (in_object(json)) {
        MF_ASSERT(json->after_key);
        json->after_key = false;
    } else {
        separate(json);
    }
}

static void begin(struct mf_json *json, bool object)
{
    before_value(json);
    MF_ASSERT(json->depth < MF_JSON_DEPTH_MAX);
    mf_buffer_putc(json->out, object ? '{' : '[');
    json->depth++;
    const uint64_t bit = UINT64_C(1) << json->depth;
    json->has_items &= ~bit;
    json->is_object = object ? json->is_object | bit : json->is_object & ~bit;
}

static void end(struct mf_json *json, bool object)
{
    MF_ASSERT(json->depth > 0 && in_object(json) == object && !json->after_key);
    const bool has_items = (json->has_items >> json->depth & 1) != 0;
    json->depth--;
    if (has_items) {
        new_line(json);
    }
    mf_buffer_putc(json->out, object ? '}' : ']');
}

void mf_json_begin_object(struct mf_json *json)
{
    begin(json, true);
}

void mf_json_end_object(struct mf_json *json)
{
    end(json, true);
}

void mf_json_begin_array(struct mf_json *json)
{
    begin(json, false);
}

void mf_json_end_array(struct mf_json *json)
{
    end(json, false);
}

void mf_json_escape(struct mf_buffer *out, const char *bytes, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "btn.fr"; /* for 0x08 .. 0x0d; 0x0b has no letter */
    mf_buffer_putc(out, '"');
    size_t plain = 0; /* start of the bytes that are copied as they are */
    size_t at = 0;
    for (size_t used; at < len; at += used) {
        const unsigned char c = (unsigned char)bytes[at];
        used = 1;
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            continue;
        }
        if (c >= 0x80 && mf_utf8_get(bytes + at, len - at, &used) != MF_UTF8_INVALID) {
            continue;
        }
        mf_buffer_append(out, bytes + plain, at - plain);
        plain = at + used;
        if (c == '"' || c == '\\') {
            const char escape[2] = {'\\', (char)c};
            mf_buffer_append(out, escape, sizeof escape);
        } else if (c >= 0x08 && c <= 0x0d && c != 0x0b) {
            const char escape[2] = {'\\', letters[c - 0x08]};
            mf_buffer_append(out, escape, sizeof escape);
        } else if (c < 0x80) {
            const char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            mf_buffer_append(out, escape, sizeof escape);
        } else {
            mf_buffer_puts(out, "\xef\xbf\xbd");
        }
    }
    mf_buffer_append(out, bytes + plain, at - plain);
    mf_buffer_putc(out, '"');
}

void mf_json_key(struct mf_json *json, const char *key)
{
    MF_ASSERT(in_object(json) && !json->after_key);
    separate(json);
    mf_json_escape(json->out, key, strlen(key));
    mf_buffer_puts(json->out, json->style == MF_JSON_PRETTY ? ": " : ":");
    json->after_key = true;
}

void mf_json_raw(struct mf_json *json, const char *bytes, size_t len)
{
    before_value(json);
    mf_buffer_append(json->out, bytes, len);
}

void mf_json_null(struct mf_json *json)
{
    mf_json_raw(json, "null", 4);
}

void mf_json_string_len(struct mf_json *json, const char *bytes, size_t len)
{
    before_value(json);
    mf_json_escape(json->out, bytes, len);
}

void mf_json_string(struct mf_json *json, const char *text)
{
    if (text == NULL) {
        mf_json_null(json);
    } else {
        mf_json_string_len(json, text, strlen(text));
    }
}

void mf_json_uint(struct mf_json *json, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    mf_json_raw(json, digits + at, sizeof digits - at);
}

void mf_json_int(struct mf_json *json, int64_t value)
{
    if (value >= 0) {
        mf_json_uint(json, (uint64_t)value);
        return;
    }
    before_value(json);
    mf_buffer_printf(json->out, "%lld", (long long)value);
}

void mf_json_double(struct mf_json *json, double value)
{
    if (!isfinite(value)) {
        mf_json_null(json);
        return;
    }
    char text[MF_NUMBER_LEN];
    const size_t len = mf_format_double(text, value);
    mf_json_raw(json, text, len);
}

void mf_json_bool(struct mf_json *json, bool value)
{
    mf_json_raw(json, value ? "true" : "false", value ? 4 : 5);
}

void mf_json_key_string(struct mf_json *json, const char *key, const char *text)
{
    mf_json_key(json, key);
    mf_json_string(json, text);
}

void mf_json_key_int(struct mf_json *json, const char *key, int64_t value)
{
    mf_json_key(json, key);
    mf_json_int(json, value);
}

void mf_json_key_uint(struct mf_json *json, const char *key, uint64_t value)
{
    mf_json_key(json, key);
    mf_json_uint(json, value);
}

void mf_json_key_double(struct mf_json *json, const char *key, double value)
{
    mf_json_key(json, key);
    mf_json_double(json, value);
}

void mf_json_key_bool(struct mf_json *json, const char *key, bool value)
{
    mf_json_key(json, key);
    mf_json_bool(json, value);
}

void mf_json_finish(struct mf_json *json)
{
    MF_ASSERT(json->depth == 0 && !json->after_key);
    mf_buffer_putc(json->out, '\n');
}
