/* SPDX-License-Identifier: Apache-2.0
 *
 * json_read.h -- reads JSON (RFC 8259) through jansson, with limits on what it costs and with
 * messages that name the place: "flight.json: 'name' must be a string, not a number".
 *
 * Limits: duplicate keys, U+0000 in strings, whole numbers outside int64_t and ill-formed UTF-8 are
 * refused. jansson allocates from the C heap by itself.
 *
 * A document belongs to one thread, or to many that only read. Nodes and strings are borrowed from
 * the document and live as long as it does.
 */
#ifndef FMT_JSON_READ_H
#define FMT_JSON_READ_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mf_json_document;

enum mf_json_type {
    MF_JSON_ABSENT, /* the key is not there */
    MF_JSON_NULL,
    MF_JSON_BOOL,
    MF_JSON_INT,
    MF_JSON_DOUBLE,
    MF_JSON_STRING,
    MF_JSON_ARRAY,
    MF_JSON_OBJECT
};

struct mf_json_limits {
    size_t len_max_bytes; /* 0: MF_JSON_LEN_MAX */
    unsigned depth_max;   /* 0: MF_JSON_READ_DEPTH_MAX */
};

#define MF_JSON_LEN_MAX        (64u << 20)
#define MF_JSON_READ_DEPTH_MAX 64

/* A value and where it stands, for the messages. Pass it by value. */
struct mf_json_node {
    const struct mf_json_document *document;
    void *value;     /* NULL: absent */
    const char *key; /* in its object; NULL for the root and in arrays */
};

/* Parses one value, with nothing but white space around it. `origin` names it in messages (a file's
 * path) and is copied; `limits` may be NULL. Errors: MF_ESYNTAX with line and column, MF_ELIMIT,
 * -ENOMEM. */
int mf_json_parse(const char *text, size_t len, const struct mf_json_limits *limits,
                  const char *origin, struct mf_json_document **ret_document,
                  struct mf_errinfo *err);
void mf_json_free(struct mf_json_document *document); /* NULL is allowed */

struct mf_json_node mf_json_root(const struct mf_json_document *document);
enum mf_json_type mf_json_type(struct mf_json_node node);

/* The member of an object, or an absent node: also when `object` is none. */
struct mf_json_node mf_json_member(struct mf_json_node object, const char *key);
/* The elements of an array, or the members of an object; 0 for everything else. */
size_t mf_json_len(struct mf_json_node node);
/* The element of an array, or an absent node. */
struct mf_json_node mf_json_element(struct mf_json_node array, size_t index);
/* The members of an object in the order of the text: start with *cursor = NULL, until it returns
 * false. The member's name is ret_member->key. */
bool mf_json_next(struct mf_json_node object, void **cursor, struct mf_json_node *ret_member);

/* The value of a node as a type; MF_ENOTFOUND when it is absent, MF_ESYNTAX when it has another
 * type. A whole number passes as a double. */
int mf_json_as_string(struct mf_json_node node, const char **ret_text, struct mf_errinfo *err);
int mf_json_as_int(struct mf_json_node node, int64_t *ret_value, struct mf_errinfo *err);
int mf_json_as_uint(struct mf_json_node node, uint64_t *ret_value, struct mf_errinfo *err);
int mf_json_as_double(struct mf_json_node node, double *ret_value, struct mf_errinfo *err);
int mf_json_as_bool(struct mf_json_node node, bool *ret_value, struct mf_errinfo *err);

/* The member `key` of an object; all of the above errors. */
int mf_json_get_string(struct mf_json_node object, const char *key, const char **ret_text,
                       struct mf_errinfo *err);
int mf_json_get_int(struct mf_json_node object, const char *key, int64_t *ret_value,
                    struct mf_errinfo *err);
int mf_json_get_uint(struct mf_json_node object, const char *key, uint64_t *ret_value,
                     struct mf_errinfo *err);
int mf_json_get_double(struct mf_json_node object, const char *key, double *ret_value,
                       struct mf_errinfo *err);
int mf_json_get_bool(struct mf_json_node object, const char *key, bool *ret_value,
                     struct mf_errinfo *err);
int mf_json_get_object(struct mf_json_node object, const char *key, struct mf_json_node *ret_node,
                       struct mf_errinfo *err);
int mf_json_get_array(struct mf_json_node object, const char *key, struct mf_json_node *ret_node,
                      struct mf_errinfo *err);

/* The same with a default when the member is absent or null; a member of another type is still an
 * error. */
int mf_json_get_string_or(struct mf_json_node object, const char *key, const char *fallback,
                          const char **ret_text, struct mf_errinfo *err);
int mf_json_get_int_or(struct mf_json_node object, const char *key, int64_t fallback,
                       int64_t *ret_value, struct mf_errinfo *err);
int mf_json_get_uint_or(struct mf_json_node object, const char *key, uint64_t fallback,
                        uint64_t *ret_value, struct mf_errinfo *err);
int mf_json_get_double_or(struct mf_json_node object, const char *key, double fallback,
                          double *ret_value, struct mf_errinfo *err);
int mf_json_get_bool_or(struct mf_json_node object, const char *key, bool fallback, bool *ret_value,
                        struct mf_errinfo *err);

#endif
