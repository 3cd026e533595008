/* SPDX-License-Identifier: Apache-2.0
 * json_read.c -- see json_read.h. */
#include "fmt/json_read.h"
#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

struct mf_json_document {
    json_t *root;
    char *origin;
};

/* jansson descends by recursion; the depth is bounded before it starts. Brackets in strings do not
 * count. */
static bool too_deep(const char *text, size_t len, unsigned depth_max)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > depth_max) {
                return true;
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

int mf_json_parse(const char *text, size_t len, const struct mf_json_limits *limits,
                  const char *origin, struct mf_json_document **ret_document,
                  struct mf_errinfo *err)
{
    const size_t len_max =
        limits != NULL && limits->len_max_bytes != 0 ? limits->len_max_bytes : MF_JSON_LEN_MAX;
    const unsigned depth_max =
        limits != NULL && limits->depth_max != 0 ? limits->depth_max : MF_JSON_READ_DEPTH_MAX;
    if (len > len_max) {
        return mf_fail(err, MF_ELIMIT, "%s: %zu bytes of JSON; at most %zu are read", origin, len,
                       len_max);
    }
    if (too_deep(text, len, depth_max)) {
        return mf_fail(err, MF_ELIMIT, "%s: JSON is nested deeper than %u levels", origin,
                       depth_max);
    }
    struct mf_json_document *document = mf_calloc(1, sizeof *document);
    char *origin_copy = mf_strdup(origin);
    json_error_t why;
    why.text[0] = '\0';
    json_t *root = NULL;
    if (document != NULL && origin_copy != NULL) {
        root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    }
    if (root == NULL) {
        const bool no_memory = document == NULL || origin_copy == NULL ||
                               json_error_code(&why) == json_error_out_of_memory;
        mf_free(document);
        mf_free(origin_copy);
        return no_memory ? mf_fail(err, -ENOMEM, "%s: out of memory", origin)
                         : mf_fail(err, MF_ESYNTAX, "%s:%d:%d: not JSON: %s", origin, why.line,
                                   why.column, why.text);
    }
    document->root = root;
    document->origin = origin_copy;
    *ret_document = document;
    return 0;
}

void mf_json_free(struct mf_json_document *document)
{
    if (document != NULL) {
        json_decref(document->root);
        mf_free(document->origin);
        mf_free(document);
    }
}

struct mf_json_node mf_json_root(const struct mf_json_document *document)
{
    return (struct mf_json_node){document, document->root, NULL};
}

enum mf_json_type mf_json_type(struct mf_json_node node)
{
    if (node.value == NULL) {
        return MF_JSON_ABSENT;
    }
    switch (json_typeof((const json_t *)node.value)) {
    case JSON_OBJECT:
        return MF_JSON_OBJECT;
    case JSON_ARRAY:
        return MF_JSON_ARRAY;
    case JSON_STRING:
        return MF_JSON_STRING;
    case JSON_INTEGER:
        return MF_JSON_INT;
    case JSON_REAL:
        return MF_JSON_DOUBLE;
    case JSON_TRUE:
    case JSON_FALSE:
        return MF_JSON_BOOL;
    case JSON_NULL:
        break;
    }
    return MF_JSON_NULL;
}

struct mf_json_node mf_json_member(struct mf_json_node object, const char *key)
{
    return (struct mf_json_node){object.document, json_object_get(object.value, key), key};
}

size_t mf_json_len(struct mf_json_node node)
{
    return mf_json_type(node) == MF_JSON_ARRAY ? json_array_size(node.value)
                                               : json_object_size(node.value);
}

struct mf_json_node mf_json_element(struct mf_json_node array, size_t index)
{
    return (struct mf_json_node){array.document, json_array_get(array.value, index), NULL};
}

bool mf_json_next(struct mf_json_node object, void **cursor, struct mf_json_node *ret_member)
{
    *cursor = *cursor == NULL ? json_object_iter(object.value)
                              : json_object_iter_next(object.value, *cursor);
    if (*cursor == NULL) {
        return false;
    }
    *ret_member = (struct mf_json_node){object.document, json_object_iter_value(*cursor),
                                        json_object_iter_key(*cursor)};
    return true;
}

/* ---- typed access ---- */

static const char *type_name(enum mf_json_type type)
{
    static const char *const names[] = {
        [MF_JSON_ABSENT] = "absent",   [MF_JSON_NULL] = "null",
        [MF_JSON_BOOL] = "a boolean",  [MF_JSON_INT] = "a whole number",
        [MF_JSON_DOUBLE] = "a number", [MF_JSON_STRING] = "a string",
        [MF_JSON_ARRAY] = "an array",  [MF_JSON_OBJECT] = "an object",
    };
    return names[type];
}

static int wrong_type(struct mf_json_node node, const char *wanted, struct mf_errinfo *err)
{
    const char *origin = node.document != NULL ? node.document->origin : "JSON";
    const enum mf_json_type type = mf_json_type(node);
    if (node.key == NULL) {
        return mf_fail(err, type == MF_JSON_ABSENT ? MF_ENOTFOUND : MF_ESYNTAX,
                       "%s: a value must be %s, not %s", origin, wanted, type_name(type));
    }
    if (type == MF_JSON_ABSENT) {
        return mf_fail(err, MF_ENOTFOUND, "%s: '%.80s' is missing; it must be %s", origin, node.key,
                       wanted);
    }
    return mf_fail(err, MF_ESYNTAX, "%s: '%.80s' must be %s, not %s", origin, node.key, wanted,
                   type_name(type));
}

int mf_json_as_string(struct mf_json_node node, const char **ret_text, struct mf_errinfo *err)
{
    if (mf_json_type(node) != MF_JSON_STRING) {
        return wrong_type(node, "a string", err);
    }
    *ret_text = json_string_value(node.value);
    return 0;
}

int mf_json_as_int(struct mf_json_node node, int64_t *ret_value, struct mf_errinfo *err)
{
    if (mf_json_type(node) != MF_JSON_INT) {
        return wrong_type(node, "a whole number", err);
    }
    *ret_value = json_integer_value(node.value);
    return 0;
}

int mf_json_as_uint(struct mf_json_node node, uint64_t *ret_value, struct mf_errinfo *err)
{
    int64_t value = 0;
    const int rc = mf_json_as_int(node, &value, err);
    if (rc < 0) {
        return rc;
    }
    if (value < 0) {
        return mf_fail(err, MF_ESYNTAX, "%s: '%.80s' must not be negative, but is %lld",
                       node.document->origin, node.key != NULL ? node.key : "value",
                       (long long)value);
    }
    *ret_value = (uint64_t)value;
    return 0;
}

int mf_json_as_double(struct mf_json_node node, double *ret_value, struct mf_errinfo *err)
{
    const enum mf_json_type type = mf_json_type(node);
    if (type != MF_JSON_DOUBLE && type != MF_JSON_INT) {
        return wrong_type(node, "a number", err);
    }
    *ret_value = json_number_value(node.value);
    return 0;
}

int mf_json_as_bool(struct mf_json_node node, bool *ret_value, struct mf_errinfo *err)
{
    if (mf_json_type(node) != MF_JSON_BOOL) {
        return wrong_type(node, "a boolean", err);
    }
    *ret_value = json_is_true((const json_t *)node.value);
    return 0;
}

int mf_json_get_object(struct mf_json_node object, const char *key, struct mf_json_node *ret_node,
                       struct mf_errinfo *err)
{
    const struct mf_json_node member = mf_json_member(object, key);
    if (mf_json_type(member) != MF_JSON_OBJECT) {
        return wrong_type(member, "an object", err);
    }
    *ret_node = member;
    return 0;
}

int mf_json_get_array(struct mf_json_node object, const char *key, struct mf_json_node *ret_node,
                      struct mf_errinfo *err)
{
    const struct mf_json_node member = mf_json_member(object, key);
    if (mf_json_type(member) != MF_JSON_ARRAY) {
        return wrong_type(member, "an array", err);
    }
    *ret_node = member;
    return 0;
}

/* For each scalar type: the member, and the member or a default. */
#define DEFINE_GETTERS(name, type)                                                                 \
    int mf_json_get_##name(struct mf_json_node object, const char *key, type *ret_value,           \
                           struct mf_errinfo *err)                                                 \
    {                                                                                              \
        return mf_json_as_##name(mf_json_member(object, key), ret_value, err);                     \
    }                                                                                              \
    int mf_json_get_##name##_or(struct mf_json_node object, const char *key, type fallback,        \
                                type *ret_value, struct mf_errinfo *err)                           \
    {                                                                                              \
        const struct mf_json_node member = mf_json_member(object, key);                            \
        if (mf_json_type(member) <= MF_JSON_NULL) {                                                \
            *ret_value = fallback;                                                                 \
            return 0;                                                                              \
        }                                                                                          \
        return mf_json_as_##name(member, ret_value, err);                                          \
    }

DEFINE_GETTERS(string, const char *)
DEFINE_GETTERS(int, int64_t)
DEFINE_GETTERS(uint, uint64_t)
DEFINE_GETTERS(double, double)
DEFINE_GETTERS(bool, bool)
