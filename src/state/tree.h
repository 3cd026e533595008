/* SPDX-License-Identifier: Apache-2.0
 *
 * tree.h -- an ordered map from byte strings to byte strings, of which every version has a root
 * hash. Versions share what they have in common: a snapshot is one pointer, a change costs O(log
 * n).
 *
 * Thread rule: one handle belongs to one thread at a time, like an int. Different handles, even of
 * the same version, are independent: any number of threads may read theirs while another one
 * changes its own, without locks. Shape and root follow from the content alone, never from the
 * order of changes.
 */
#ifndef STATE_TREE_H
#define STATE_TREE_H

#include "state/sha256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MF_TREE_KEY_MAX   UINT16_MAX
#define MF_TREE_VALUE_MAX UINT32_MAX

struct mf_tree_node;

/* All zero is an empty tree. A copy of the struct is no second handle: see mf__tree_share(). */
struct mf_tree {
    struct mf_tree_node *root;
    uint64_t count;      /* keys */
    uint64_t size_bytes; /* of all keys and values */
};

/* A key with its value; the pointers are good for as long as the handle is neither changed nor
 * released (they are the same in every handle that shares the entry). */
struct mf_tree_item {
    const uint8_t *key;
    const uint8_t *value;
    const uint8_t *value_hash; /* see proof.h */
    uint16_t key_len;
    uint32_t value_len;
};

/* Sets key to value. 0 or -ENOMEM or MF_ELIMIT (a length above the bounds); then nothing has
 * changed. Setting what is already so changes nothing. `key` and `value` may be NULL where their
 * length is 0. */
int mf__tree_put(struct mf_tree *tree, const void *key, size_t key_len, const void *value,
                 size_t value_len);
/* Removes the key. 1, or 0 when there is none, or -ENOMEM: then nothing has changed. */
int mf__tree_delete(struct mf_tree *tree, const void *key, size_t key_len);

bool mf__tree_get(const struct mf_tree *tree, const void *key, size_t key_len,
                  struct mf_tree_item *ret_item);

/* The keys in order of their bytes (as memcmp; a prefix comes first), from the first one >= `from`.
 * No key is below the empty one. The tree must stay as it is; mf__tree_next() returns false at the
 * end. */
#define MF_TREE_CURSOR_DEPTH 64
struct mf_tree_cursor {
    const struct mf_tree_node *root;
    const struct mf_tree_node *last;
    const struct mf_tree_node *pending[MF_TREE_CURSOR_DEPTH]; /* ancestors that come later */
    uint32_t top;  /* of `pending`, which is used around */
    uint32_t kept; /* how many of them are there */
    bool forgot;   /* ancestors above those were dropped: they are sought again */
};
void mf__tree_seek(const struct mf_tree *tree, const void *from, size_t from_len,
                   struct mf_tree_cursor *ret_cursor);
bool mf__tree_next(struct mf_tree_cursor *cursor, struct mf_tree_item *ret_item);

/* The hash over the whole content. Hashes what has changed since the last call, each node once. */
void mf__tree_root(struct mf_tree *tree, uint8_t ret_root[MF_SHA256_LEN]);

/* A second handle of the same version, for another thread or for later. Calculates the root first
 * if that is to be done, since afterwards none of the two may. */
struct mf_tree mf__tree_share(struct mf_tree *tree);
/* Gives the handle's part back and makes it empty. Takes as long as there is to free. */
void mf__tree_release(struct mf_tree *tree);

/* Builds a tree from keys that ascend strictly, in O(n). Begin with all zero; after any failure and
 * after the end the builder is empty again. */
struct mf_tree_builder {
    struct mf_tree tree;
    struct mf_tree_node *last; /* the rightmost; it knows its parent, and so on */
};
/* 0, -ENOMEM, MF_ELIMIT, or MF_EVALUE: the key is not above the one before it. */
int mf__tree_build_add(struct mf_tree_builder *builder, const void *key, size_t key_len,
                       const void *value, size_t value_len);
struct mf_tree mf__tree_build_end(struct mf_tree_builder *builder);
void mf__tree_build_abort(struct mf_tree_builder *builder);

#endif
