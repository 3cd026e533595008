/* SPDX-License-Identifier: Apache-2.0
 * proof_entry.c -- the steps from a key of a tree to its root; what they are is in proof.c. */
#include "base/bytes.h"
#include "base/check.h"
#include "base/heap.h"
#include "proof_private.h"
#include "tree_hash.h"
#include "tree_node.h"

#include <errno.h>

static void add_hash(struct mf_buffer *steps, const struct mf_tree_node *child)
{
    if (child != NULL) {
        mf_buffer_append(steps, child->hash, MF_SHA256_LEN);
    }
}

static uint8_t flags_of(const struct mf_tree_node *node)
{
    return (uint8_t)((node->left != NULL ? STEP_LEFT : 0) | (node->right != NULL ? STEP_RIGHT : 0));
}

/* `below`: the child where the way leads down, NULL where that place is empty. */
static void add_above(struct mf_buffer *steps, const struct mf_tree_node *node,
                      const struct mf_tree_node *below)
{
    const struct mf_tree_entry *entry = node->entry;
    uint8_t head[3] = {flags_of(node)};
    mf_store_u16(head + 1, entry->key_len);
    mf_buffer_append(steps, head, sizeof head);
    mf_buffer_append(steps, entry->bytes, entry->key_len);
    mf_buffer_append(steps, entry->value_hash, MF_SHA256_LEN);
    add_hash(steps, below == node->left ? node->right : node->left);
}

/* The nodes from the root towards the key: their number, and where `ret_nodes` is not NULL those.
 */
static size_t way_to(const struct mf_tree *tree, const void *key, size_t key_len,
                     const struct mf_tree_node **ret_nodes, bool *ret_found)
{
    size_t count = 0;
    *ret_found = false;
    for (const struct mf_tree_node *node = tree->root; node != NULL;) {
        if (ret_nodes != NULL) {
            ret_nodes[count] = node;
        }
        count++;
        int order = mf__tree_order(key, key_len, node->entry->bytes, node->entry->key_len);
        if (order == 0) {
            *ret_found = true;
            break;
        }
        node = order < 0 ? node->left : node->right;
    }
    return count;
}

int mf__proof_entry(const struct mf_tree *tree, const void *key, size_t key_len,
                    struct mf_buffer *steps, struct mf_proof_entry *ret_entry)
{
    MF_ASSERT(tree->root == NULL || tree->root->hashed != 0);
    struct mf_proof_entry entry = {.key = key, .key_len = key_len};
    bool found;
    size_t depth = way_to(tree, key, key_len, NULL, &found);
    const struct mf_tree_node **way = mf_malloc(depth * sizeof *way);
    if (way == NULL) {
        return -ENOMEM;
    }
    way_to(tree, key, key_len, way, &found);
    size_t start = steps->len;
    const struct mf_tree_node *below = NULL;
    if (found) {
        below = way[--depth];
        uint8_t flags = flags_of(below);
        mf_buffer_append(steps, &flags, 1);
        add_hash(steps, below->left);
        add_hash(steps, below->right);
        entry.present = true;
        memcpy(entry.value_hash, below->entry->value_hash, MF_SHA256_LEN);
        if (below->entry->value_len <= MF_PROOF_VALUE_MAX) {
            entry.value = below->entry->bytes + below->entry->key_len;
            entry.value_len = below->entry->value_len;
        }
    }
    for (; depth > 0 && steps->len - start <= MF_PROOF_LEN_MAX; depth--) {
        const struct mf_tree_node *node = way[depth - 1];
        add_above(steps, node, below);
        below = node;
    }
    mf_free(way);
    if (steps->failed) {
        return -ENOMEM;
    }
    if (steps->len - start > MF_PROOF_LEN_MAX) {
        return MF_ELIMIT;
    }
    entry.steps = (const uint8_t *)steps->data + start;
    entry.steps_len = steps->len - start;
    *ret_entry = entry;
    return 0;
}
