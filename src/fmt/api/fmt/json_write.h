/* SPDX-License-Identifier: Apache-2.0
 *
 * json_write.h -- writes JSON (RFC 8259) piece by piece onto a buffer; commas, quotes and escapes
 * are its business. Running out of memory shows in `buffer->failed` at the end. Misuse (a value
 * without a key in an object, an end without a begin, more than MF_JSON_DEPTH_MAX levels) is a bug
 * and aborts.
 *
 *     struct mf_json json;
 *     mf_json_init(&json, &buffer, MF_JSON_PRETTY);
 *     mf_json_begin_object(&json);
 *     mf_json_key(&json, "id");
 *     mf_json_string(&json, id);
 *     mf_json_key_int(&json, "exit_code", 0);
 *     mf_json_end_object(&json);
 *     mf_json_finish(&json);
 *
 * One writer belongs to one thread. The buffer is borrowed for the writer's life.
 */
#ifndef FMT_JSON_WRITE_H
#define FMT_JSON_WRITE_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MF_JSON_DEPTH_MAX 63

enum mf_json_style {
    MF_JSON_COMPACT, /* one line, no blanks */
    MF_JSON_PRETTY   /* two blanks of indentation per level */
};

struct mf_json {
    struct mf_buffer *out;
    enum mf_json_style style;
    unsigned depth;
    uint64_t is_object; /* bit d: level d is an object */
    uint64_t has_items; /* bit d: level d needs a comma before its next item */
    bool after_key;
};

void mf_json_init(struct mf_json *json, struct mf_buffer *out, enum mf_json_style style);
void mf_json_begin_object(struct mf_json *json);
void mf_json_end_object(struct mf_json *json);
void mf_json_begin_array(struct mf_json *json);
void mf_json_end_array(struct mf_json *json);
void mf_json_key(struct mf_json *json, const char *key);

/* Bytes that are not UTF-8 become U+FFFD, one for each maximal ill-formed piece. NULL is written as
 * null. */
void mf_json_string(struct mf_json *json, const char *text);
void mf_json_string_len(struct mf_json *json, const char *bytes, size_t len);
void mf_json_int(struct mf_json *json, int64_t value);
void mf_json_uint(struct mf_json *json, uint64_t value);
void mf_json_double(struct mf_json *json,
                    double value); /* reads back the same; NaN and infinities are null */
void mf_json_bool(struct mf_json *json, bool value);
void mf_json_null(struct mf_json *json);
/* A value that is JSON already (the caller vouches for it), inserted as it is. */
void mf_json_raw(struct mf_json *json, const char *bytes, size_t len);

/* A key and its value. */
void mf_json_key_string(struct mf_json *json, const char *key, const char *text);
void mf_json_key_int(struct mf_json *json, const char *key, int64_t value);
void mf_json_key_uint(struct mf_json *json, const char *key, uint64_t value);
void mf_json_key_double(struct mf_json *json, const char *key, double value);
void mf_json_key_bool(struct mf_json *json, const char *key, bool value);

/* Ends the document with a line feed; every begin must have had its end. In the compact style the
 * writer may then write the next document, which gives JSON lines. */
void mf_json_finish(struct mf_json *json);

/* Appends the JSON string of `bytes` with its quotes to a buffer. */
void mf_json_escape(struct mf_buffer *out, const char *bytes, size_t len);

#endif
