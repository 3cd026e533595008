/* SPDX-License-Identifier: Apache-2.0
 *
 * tree_model.h -- what the state tree must equal: a sorted array, and the definition of its root,
 * written down plainly. Keys of the model are short texts over a small alphabet, so that prefixes,
 * neighbours and the empty key come up. */
#ifndef TREE_MODEL_H
#define TREE_MODEL_H

#include "base/rng.h"
#include "cmocka_all.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

#define MODEL_KEY_MAX   5
#define MODEL_VALUE_MAX 40

struct model_item {
    uint8_t key[MODEL_KEY_MAX];
    uint8_t value[MODEL_VALUE_MAX];
    size_t key_len;
    size_t value_len;
};

struct model {
    struct model_item items[2048];
    size_t count;
};

static inline int model_order(const struct model_item *a, const uint8_t *key, size_t key_len)
{
    size_t common = a->key_len < key_len ? a->key_len : key_len;
    int difference = memcmp(a->key, key, common);
    return difference != 0 ? difference : (int)a->key_len - (int)key_len;
}

/* The first item that is not below the key. */
static inline size_t model_at(const struct model *model, const uint8_t *key, size_t key_len)
{
    size_t at = 0;
    while (at < model->count && model_order(&model->items[at], key, key_len) < 0) {
        at++;
    }
    return at;
}

static inline bool model_has(const struct model *model, const uint8_t *key, size_t key_len)
{
    size_t at = model_at(model, key, key_len);
    return at < model->count && model_order(&model->items[at], key, key_len) == 0;
}

static inline void model_put(struct model *model, const struct model_item *item)
{
    size_t at = model_at(model, item->key, item->key_len);
    if (!model_has(model, item->key, item->key_len)) {
        memmove(&model->items[at + 1], &model->items[at],
                (model->count - at) * sizeof model->items[0]);
        model->count++;
    }
    model->items[at] = *item;
}

static inline void model_delete(struct model *model, const uint8_t *key, size_t key_len)
{
    if (model_has(model, key, key_len)) {
        size_t at = model_at(model, key, key_len);
        model->count--;
        memmove(&model->items[at], &model->items[at + 1],
                (model->count - at) * sizeof model->items[0]);
    }
}

static inline struct model_item model_random(struct mf_rng *rng)
{
    struct model_item item = {.key_len = mf_rng_below(rng, MODEL_KEY_MAX + 1),
                              .value_len = mf_rng_below(rng, MODEL_VALUE_MAX + 1)};
    for (size_t i = 0; i < item.key_len; i++) {
        static const uint8_t letters[4] = {0, 'a', 'b', 255};
        item.key[i] = letters[mf_rng_below(rng, 4)];
    }
    for (size_t i = 0; i < item.value_len; i++) {
        item.value[i] = (uint8_t)mf_rng_next(rng);
    }
    return item;
}

static inline void model_priority(const struct model_item *item, uint8_t ret_priority[8])
{
    uint8_t digest[MF_SHA256_LEN];
    mf_sha256(item->key, item->key_len, digest);
    for (int i = 0; i < 8; i++) {
        ret_priority[i] = digest[7 - i]; /* little-endian: the last byte counts most */
    }
}

/* The definition: the greatest priority is the root, what is before it is left, what is behind is
 * right. */
static inline void model_root_of(const struct model_item *items, size_t count,
                                 uint8_t ret_root[MF_SHA256_LEN])
{
    size_t top = 0;
    uint8_t top_priority[8];
    for (size_t i = 0; i < count; i++) {
        uint8_t priority[8];
        model_priority(&items[i], priority);
        if (i == 0 || memcmp(priority, top_priority, 8) > 0) {
            top = i;
            memcpy(top_priority, priority, 8);
        }
    }
    const struct model_item *item = &items[top];
    uint8_t bytes[256];
    size_t len = 0;
    bytes[len++] = 0x11;
    memcpy(bytes + len, item->value, item->value_len);
    uint8_t value_hash[MF_SHA256_LEN];
    mf_sha256(bytes, len + item->value_len, value_hash);
    bool left = top > 0;
    bool right = top + 1 < count;
    len = 0;
    bytes[len++] = (uint8_t)(0x20 + (left ? 1 : 0) + (right ? 2 : 0));
    bytes[len++] = (uint8_t)item->key_len;
    bytes[len++] = 0;
    memcpy(bytes + len, item->key, item->key_len);
    len += item->key_len;
    memcpy(bytes + len, value_hash, MF_SHA256_LEN);
    len += MF_SHA256_LEN;
    if (left) {
        model_root_of(items, top, bytes + len);
        len += MF_SHA256_LEN;
    }
    if (right) {
        model_root_of(items + top + 1, count - top - 1, bytes + len);
        len += MF_SHA256_LEN;
    }
    mf_sha256(bytes, len, ret_root);
}

static inline void model_root(const struct model *model, uint8_t ret_root[MF_SHA256_LEN])
{
    if (model->count == 0) {
        mf_sha256("\x10", 1, ret_root);
    } else {
        model_root_of(model->items, model->count, ret_root);
    }
}

/* The tree has the content of the model, item by item; with_root: and its root. */
static inline void expect_equal(struct mf_tree *tree, const struct model *model, bool with_root)
{
    assert_int_equal(tree->count, model->count);
    struct mf_tree_cursor cursor;
    struct mf_tree_item item;
    mf__tree_seek(tree, NULL, 0, &cursor);
    uint64_t size_bytes = 0;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_item *wanted = &model->items[i];
        assert_true(mf__tree_next(&cursor, &item));
        assert_int_equal(item.key_len, wanted->key_len);
        assert_memory_equal(item.key, wanted->key, wanted->key_len);
        assert_int_equal(item.value_len, wanted->value_len);
        assert_memory_equal(item.value, wanted->value, wanted->value_len);
        size_bytes += wanted->key_len + wanted->value_len;
    }
    assert_false(mf__tree_next(&cursor, &item));
    assert_false(mf__tree_next(&cursor, &item));
    assert_int_equal(tree->size_bytes, size_bytes);
    if (with_root) {
        uint8_t root[MF_SHA256_LEN];
        uint8_t wanted[MF_SHA256_LEN];
        mf__tree_root(tree, root);
        model_root(model, wanted);
        assert_memory_equal(root, wanted, MF_SHA256_LEN);
    }
}

#endif
