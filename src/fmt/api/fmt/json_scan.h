/* SPDX-License-Identifier: Apache-2.0
 *
 * json_scan.h -- reads JSON (RFC 8259) where it lies, for files that are read by the thousand: one
 * pass checks the text, and then values are parts of it. No allocation but for copies that the
 * caller asks for, no recursion. json_read.h is for everything else.
 *
 * A text that is refused here is refused there too. Accepted here only: a key that comes twice (the
 * first counts), and numbers that no int64_t or double can hold (asking for their value fails).
 *
 * Values are borrowed from the text and live as long as it does. [any-thread] */
#ifndef FMT_JSON_SCAN_H
#define FMT_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MF_SCAN_DEPTH_MAX 64

enum mf_scan_type {
    MF_SCAN_ABSENT, /* zero: a value that is not there */
    MF_SCAN_NULL,
    MF_SCAN_BOOL,
    MF_SCAN_NUMBER,
    MF_SCAN_STRING,
    MF_SCAN_ARRAY,
    MF_SCAN_OBJECT
};

struct mf_scan_value {
    enum mf_scan_type type;
    const char *text; /* of a string without its quotes, else all of it */
    size_t len;
};

struct mf_scan_member {
    struct mf_scan_value key; /* a string */
    struct mf_scan_value value;
};

/* Checks a whole text and gives its value. MF_ESYNTAX, with the offset of what is wrong in
 * *ret_offset (may be NULL). */
int mf_scan(const char *text, size_t len, struct mf_scan_value *ret_value, size_t *ret_offset);

/* The elements of an array, or the members of an object, one by one: start with *cursor = 0, until
 * it returns false. Of other values there are none. */
bool mf_scan_next_element(struct mf_scan_value array, size_t *cursor,
                          struct mf_scan_value *ret_element);
bool mf_scan_next_member(struct mf_scan_value object, size_t *cursor,
                         struct mf_scan_member *ret_member);

/* The members of an object into an array, as many as there is room for; their number. */
size_t mf_scan_members(struct mf_scan_value object, struct mf_scan_member *members, size_t room);
/* The value of the first member with that key among them; ABSENT when there is none. */
struct mf_scan_value mf_scan_find(const struct mf_scan_member *members, size_t count,
                                  const char *key);
/* The same in the object itself; for one or two of its members. */
struct mf_scan_value mf_scan_member(struct mf_scan_value object, const char *key);

/* Whether it is a string with this content. */
bool mf_scan_is(struct mf_scan_value value, const char *text);
/* False when it is no whole number, or one that does not fit; *ret is untouched then. */
bool mf_scan_int(struct mf_scan_value value, int64_t *ret_value);
bool mf_scan_uint(struct mf_scan_value value, uint64_t *ret_value);
bool mf_scan_bool(struct mf_scan_value value, bool *ret_value);
/* A string with its escapes resolved, for mf_free(); NULL when memory is out. Not for other types.
 */
char *mf_scan_copy(struct mf_scan_value string);
/* The same into `out`, cut to its capacity; false when it is no string. */
bool mf_scan_copy_to(struct mf_scan_value value, char *out, size_t capacity);

#endif
