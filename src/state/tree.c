/* SPDX-License-Identifier: Apache-2.0
 *
 * tree.c -- see tree.h.
 *
 * What. A treap (Seidel and Aragon, 1996): a search tree by key and a heap by priority, which fixes
 * its shape. The priority is the first eight bytes of SHA-256 of the key, with the key itself to
 * decide between equal ones, so that the shape follows from the set of keys. Of a million keys the
 * average one lies 25 deep, the deepest about 55.
 *
 * Hashes. Each preimage begins with a tag that no other kind has, and no two different contents
 * give the same preimage, since every length in it is either fixed, or stated, or that of the rest:
 *     empty tree   0x10
 *     value        0x11, the value
 *     node         0x20 + 1 (there is a left child) + 2 (a right one), u16 length of the key, the
 * key, the hash of the value, the hash of the left child, of the right child A node holds its key
 * and no priority: whoever verifies checks the order of the keys on the path, which makes at most
 * one answer for each key provable under one root, whatever shape it was made with.
 *
 * Sharing. Nodes and entries (key, value, hash of the value) count their holders. A change goes
 * down from the root; a node on the way that someone else holds too is copied, one of our own is
 * changed in place (its holders are one, and so are those of all above it). So a batch of changes
 * copies each node once, and hashes it once at the end: a changed node forgets its hash,
 * mf__tree_root() visits those. Only hashed nodes are ever shared, and hashed nodes that are shared
 * are never written: readers need no locks.
 *
 * Memory running out. The way down is walked twice: to count what must be copied, which is
 * allocated then, and to do it. Nothing is changed before all memory is there.
 *
 * No recursion, and no stack that grows: going up is done through the place of the hash of nodes
 * that have none yet, freeing through the place of the entry of nodes that lost theirs. A depth
 * that someone forced by choosing keys costs time only.
 *
 * Limits. Keys up to 65,535 bytes, values below 4 GiB. A key and its value cost about 140 bytes
 * beside their own.
 */
#include "tree.h"
#include "base/check.h"
#include "base/heap.h"
#include "tree_hash.h"
#include "tree_node.h"

#include <errno.h>
#include <mayfly/error.h>
#include <string.h>

/* ---- order ---- */

/* Whether `key` comes before that of the node (< 0), is it (0), or comes after it. */
static int order_with(const void *key, size_t key_len, const struct mf_tree_node *node)
{
    return mf__tree_order(key, key_len, node->entry->bytes, node->entry->key_len);
}

static uint64_t priority_of(const void *key, size_t key_len)
{
    uint8_t digest[MF_SHA256_LEN];
    mf_sha256(key, key_len, digest);
    uint64_t priority;
    memcpy(&priority, digest, sizeof priority);
    return priority;
}

static bool is_above(uint64_t priority, const void *key, size_t key_len,
                     const struct mf_tree_node *other)
{
    return priority != other->priority ? priority > other->priority
                                       : order_with(key, key_len, other) < 0;
}

static bool node_is_above(const struct mf_tree_node *node, const struct mf_tree_node *other)
{
    return is_above(node->priority, node->entry->bytes, node->entry->key_len, other);
}

/* ---- holders ---- */

static void hold(atomic_uint *holders)
{
    unsigned before = atomic_fetch_add_explicit(holders, 1, memory_order_relaxed);
    MF_ASSERT(before != 0 && before != UINT32_MAX);
}

/* Whether this was the last holder. */
static bool let_go(atomic_uint *holders)
{
    /* Most are held once: then nobody else is there to be counted against. */
    if (atomic_load_explicit(holders, memory_order_acquire) == 1) {
        return true;
    }
    return atomic_fetch_sub_explicit(holders, 1, memory_order_acq_rel) == 1;
}

static void release_entry(struct mf_tree_entry *entry)
{
    if (let_go(&entry->holders)) {
        mf_free(entry);
    }
}

static void release_node(struct mf_tree_node *node)
{
    if (node == NULL || !let_go(&node->holders)) {
        return;
    }
    release_entry(node->entry);
    node->next = NULL;
    while (node != NULL) {
        struct mf_tree_node *children[2] = {node->left, node->right};
        struct mf_tree_node *rest = node->next;
        mf_free(node);
        for (int side = 0; side < 2; side++) {
            struct mf_tree_node *child = children[side];
            if (child != NULL && let_go(&child->holders)) {
                release_entry(child->entry);
                child->next = rest;
                rest = child;
            }
        }
        node = rest;
    }
}

static struct mf_tree_entry *new_entry(const void *key, size_t key_len, const void *value,
                                       size_t value_len)
{
    struct mf_tree_entry *entry =
        mf_malloc(offsetof(struct mf_tree_entry, bytes) + key_len + value_len);
    if (entry == NULL) {
        return NULL;
    }
    atomic_init(&entry->holders, 1);
    entry->key_len = (uint16_t)key_len;
    entry->value_len = (uint32_t)value_len;
    if (key_len != 0) {
        memcpy(entry->bytes, key, key_len);
    }
    if (value_len != 0) {
        memcpy(entry->bytes + key_len, value, value_len);
    }
    mf__tree_hash_value(value, value_len, entry->value_hash);
    return entry;
}

/* ---- copying on the way down ---- */

/* Nodes allocated ahead of a change. */
struct spares {
    struct mf_tree_node *first;
};

static void free_spares(struct spares *spares)
{
    while (spares->first != NULL) {
        struct mf_tree_node *node = spares->first;
        spares->first = node->next;
        mf_free(node);
    }
}

static int reserve(struct spares *spares, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mf_tree_node *node = mf_malloc(sizeof *node);
        if (node == NULL) {
            free_spares(spares);
            return -ENOMEM;
        }
        node->next = spares->first;
        spares->first = node;
    }
    return 0;
}

static struct mf_tree_node *take_spare(struct spares *spares)
{
    struct mf_tree_node *node = spares->first;
    MF_ASSERT(node != NULL);
    spares->first = node->next;
    atomic_init(&node->holders, 1);
    node->hashed = 0;
    node->left = NULL;
    node->right = NULL;
    return node;
}

static bool is_shared(const struct mf_tree_node *node)
{
    return atomic_load_explicit(&node->holders, memory_order_acquire) != 1;
}

/* Takes a held node and gives back one with the same content that nobody else holds. */
static struct mf_tree_node *own(struct mf_tree_node *node, struct spares *spares)
{
    if (!is_shared(node)) {
        node->hashed = 0;
        return node;
    }
    struct mf_tree_node *copy = take_spare(spares);
    copy->priority = node->priority;
    copy->entry = node->entry;
    hold(&copy->entry->holders);
    copy->left = node->left;
    copy->right = node->right;
    if (copy->left != NULL) {
        hold(&copy->left->holders);
    }
    if (copy->right != NULL) {
        hold(&copy->right->holders);
    }
    release_node(node);
    return copy;
}

/* How many nodes on the way to the key, and to its place where there is none, are to be copied. */
static size_t count_shared(const struct mf_tree *tree, const void *key, size_t key_len,
                           const struct mf_tree_node **ret_found)
{
    size_t count = 0;
    bool shared = false;
    const struct mf_tree_node *node = tree->root;
    while (node != NULL) {
        shared = shared || is_shared(node);
        count += shared;
        int side = order_with(key, key_len, node);
        if (side == 0) {
            break;
        }
        node = side < 0 ? node->left : node->right;
    }
    *ret_found = node;
    return count;
}

/* Goes down to the node that `key` names or, where there is none, to the first one that is below
 * (priority, key), owning the nodes on the way. Returns the place of that one. */
static struct mf_tree_node **descend(struct mf_tree *tree, const void *key, size_t key_len,
                                     const uint64_t *priority, struct spares *spares)
{
    struct mf_tree_node **place = &tree->root;
    while (*place != NULL) {
        struct mf_tree_node *node = *place;
        int side = order_with(key, key_len, node);
        if (side == 0 || (priority != NULL && is_above(*priority, key, key_len, node))) {
            break;
        }
        node = own(node, spares);
        *place = node;
        place = side < 0 ? &node->left : &node->right;
    }
    return place;
}

/* ---- changes ---- */

static void insert(struct mf_tree *tree, struct mf_tree_entry *entry, struct spares *spares)
{
    uint64_t priority = priority_of(entry->bytes, entry->key_len);
    struct mf_tree_node **place = descend(tree, entry->bytes, entry->key_len, &priority, spares);
    struct mf_tree_node *rest = *place;
    struct mf_tree_node *added = take_spare(spares);
    added->priority = priority;
    added->entry = entry;
    *place = added;
    /* What was there is split by the key. */
    struct mf_tree_node **lower = &added->left;
    struct mf_tree_node **upper = &added->right;
    while (rest != NULL) {
        rest = own(rest, spares);
        if (order_with(entry->bytes, entry->key_len, rest) < 0) {
            *upper = rest;
            upper = &rest->left;
            rest = *upper;
        } else {
            *lower = rest;
            lower = &rest->right;
            rest = *lower;
        }
    }
    *lower = NULL;
    *upper = NULL;
    tree->count++;
}

int mf__tree_put(struct mf_tree *tree, const void *key, size_t key_len, const void *value,
                 size_t value_len)
{
    if (key_len > MF_TREE_KEY_MAX || value_len > MF_TREE_VALUE_MAX) {
        return MF_ELIMIT;
    }
    const struct mf_tree_node *found;
    size_t copies = count_shared(tree, key, key_len, &found);
    if (found != NULL && found->entry->value_len == value_len &&
        (value_len == 0 || memcmp(found->entry->bytes + key_len, value, value_len) == 0)) {
        return 0;
    }
    struct mf_tree_entry *entry = new_entry(key, key_len, value, value_len);
    struct spares spares = {NULL};
    if (entry == NULL || reserve(&spares, copies + (found == NULL)) != 0) {
        mf_free(entry);
        return -ENOMEM;
    }
    tree->size_bytes += key_len + value_len;
    if (found == NULL) {
        insert(tree, entry, &spares);
    } else {
        struct mf_tree_node **place = descend(tree, key, key_len, NULL, &spares);
        *place = own(*place, &spares);
        tree->size_bytes -= key_len + (*place)->entry->value_len;
        release_entry((*place)->entry);
        (*place)->entry = entry;
    }
    free_spares(&spares);
    return 0;
}

/* How many nodes joining two trees copies, when `shared` says that all are shared. */
static size_t count_joined(const struct mf_tree_node *left, const struct mf_tree_node *right,
                           bool shared)
{
    size_t count = 0;
    bool left_shared = shared;
    bool right_shared = shared;
    while (left != NULL && right != NULL) {
        if (node_is_above(left, right)) {
            left_shared = left_shared || is_shared(left);
            count += left_shared;
            left = left->right;
        } else {
            right_shared = right_shared || is_shared(right);
            count += right_shared;
            right = right->left;
        }
    }
    return count;
}

int mf__tree_delete(struct mf_tree *tree, const void *key, size_t key_len)
{
    const struct mf_tree_node *found;
    size_t copies = count_shared(tree, key, key_len, &found);
    if (found == NULL) {
        return 0;
    }
    struct spares spares = {NULL};
    if (reserve(&spares, copies + count_joined(found->left, found->right, copies != 0)) != 0) {
        return -ENOMEM;
    }
    struct mf_tree_node **place = descend(tree, key, key_len, NULL, &spares);
    struct mf_tree_node *gone = own(*place, &spares);
    tree->count--;
    tree->size_bytes -= key_len + gone->entry->value_len;
    struct mf_tree_node *left = gone->left;
    struct mf_tree_node *right = gone->right;
    gone->left = NULL;
    gone->right = NULL;
    release_node(gone);
    while (left != NULL && right != NULL) {
        if (node_is_above(left, right)) {
            left = own(left, &spares);
            *place = left;
            place = &left->right;
            left = left->right;
        } else {
            right = own(right, &spares);
            *place = right;
            place = &right->left;
            right = right->left;
        }
    }
    *place = left != NULL ? left : right;
    free_spares(&spares);
    return 1;
}

/* ---- reading ---- */

static void show(const struct mf_tree_node *node, struct mf_tree_item *ret_item)
{
    const struct mf_tree_entry *entry = node->entry;
    *ret_item = (struct mf_tree_item){.key = entry->bytes,
                                      .value = entry->bytes + entry->key_len,
                                      .value_hash = entry->value_hash,
                                      .key_len = entry->key_len,
                                      .value_len = entry->value_len};
}

bool mf__tree_get(const struct mf_tree *tree, const void *key, size_t key_len,
                  struct mf_tree_item *ret_item)
{
    const struct mf_tree_node *node = tree->root;
    while (node != NULL) {
        int side = order_with(key, key_len, node);
        if (side == 0) {
            show(node, ret_item);
            return true;
        }
        node = side < 0 ? node->left : node->right;
    }
    return false;
}

static void push(struct mf_tree_cursor *cursor, const struct mf_tree_node *node)
{
    cursor->pending[cursor->top++ % MF_TREE_CURSOR_DEPTH] = node;
    if (cursor->kept == MF_TREE_CURSOR_DEPTH) {
        cursor->forgot = true;
    } else {
        cursor->kept++;
    }
}

/* Notes the way to the first key that is >= `from`, or > `from` when `beyond`. */
static void seek(struct mf_tree_cursor *cursor, const void *from, size_t from_len, bool beyond)
{
    cursor->kept = 0;
    cursor->forgot = false;
    const struct mf_tree_node *node = cursor->root;
    while (node != NULL) {
        int side = order_with(from, from_len, node);
        if (side < 0 || (side == 0 && !beyond)) {
            push(cursor, node);
            node = side == 0 ? NULL : node->left;
        } else {
            node = node->right;
        }
    }
}

void mf__tree_seek(const struct mf_tree *tree, const void *from, size_t from_len,
                   struct mf_tree_cursor *ret_cursor)
{
    ret_cursor->root = tree->root;
    ret_cursor->last = NULL;
    ret_cursor->top = 0;
    seek(ret_cursor, from, from_len, false);
}

bool mf__tree_next(struct mf_tree_cursor *cursor, struct mf_tree_item *ret_item)
{
    if (cursor->last != NULL) {
        for (const struct mf_tree_node *node = cursor->last->right; node != NULL;
             node = node->left) {
            push(cursor, node);
        }
    }
    if (cursor->kept == 0 && cursor->forgot) {
        seek(cursor, cursor->last->entry->bytes, cursor->last->entry->key_len, true);
    }
    if (cursor->kept == 0) {
        return false;
    }
    cursor->kept--;
    cursor->last = cursor->pending[--cursor->top % MF_TREE_CURSOR_DEPTH];
    show(cursor->last, ret_item);
    return true;
}

/* ---- hashes and versions ---- */

static void hash_node(struct mf_tree_node *node)
{
    const struct mf_tree_entry *entry = node->entry;
    mf__tree_hash_node(entry->bytes, entry->key_len, entry->value_hash,
                       node->left != NULL ? node->left->hash : NULL,
                       node->right != NULL ? node->right->hash : NULL, node->hash);
    node->hashed = 1;
}

static void hash_below(struct mf_tree_node *top)
{
    top->up = NULL;
    for (struct mf_tree_node *node = top; node != NULL;) {
        struct mf_tree_node *child = node->left;
        if (child == NULL || child->hashed != 0) {
            child = node->right;
        }
        if (child != NULL && child->hashed == 0) {
            child->up = node;
            node = child;
        } else {
            struct mf_tree_node *up = node->up;
            hash_node(node);
            node = up;
        }
    }
}

void mf__tree_root(struct mf_tree *tree, uint8_t ret_root[MF_SHA256_LEN])
{
    if (tree->root == NULL) {
        mf__tree_hash_empty(ret_root);
        return;
    }
    if (tree->root->hashed == 0) {
        hash_below(tree->root);
    }
    memcpy(ret_root, tree->root->hash, MF_SHA256_LEN);
}

struct mf_tree mf__tree_share(struct mf_tree *tree)
{
    if (tree->root != NULL) {
        if (tree->root->hashed == 0) {
            hash_below(tree->root);
        }
        hold(&tree->root->holders);
    }
    return *tree;
}

void mf__tree_release(struct mf_tree *tree)
{
    release_node(tree->root);
    *tree = (struct mf_tree){NULL, 0, 0};
}

/* ---- building ---- */

int mf__tree_build_add(struct mf_tree_builder *builder, const void *key, size_t key_len,
                       const void *value, size_t value_len)
{
    struct mf_tree_node *above = builder->last;
    if (above != NULL && order_with(key, key_len, above) <= 0) {
        mf__tree_build_abort(builder);
        return MF_EVALUE;
    }
    if (key_len > MF_TREE_KEY_MAX || value_len > MF_TREE_VALUE_MAX) {
        mf__tree_build_abort(builder);
        return MF_ELIMIT;
    }
    struct spares spares = {NULL};
    struct mf_tree_entry *entry = new_entry(key, key_len, value, value_len);
    if (entry == NULL || reserve(&spares, 1) != 0) {
        mf_free(entry);
        mf__tree_build_abort(builder);
        return -ENOMEM;
    }
    struct mf_tree_node *node = take_spare(&spares);
    node->entry = entry;
    node->priority = priority_of(key, key_len);
    /* Up the right edge to where it belongs; what it passes becomes its left. */
    while (above != NULL && node_is_above(node, above)) {
        node->left = above;
        above = above->up;
    }
    node->up = above;
    if (above != NULL) {
        above->right = node;
    } else {
        builder->tree.root = node;
    }
    builder->last = node;
    builder->tree.count++;
    builder->tree.size_bytes += key_len + value_len;
    return 0;
}

struct mf_tree mf__tree_build_end(struct mf_tree_builder *builder)
{
    struct mf_tree tree = builder->tree;
    *builder = (struct mf_tree_builder){.last = NULL};
    return tree;
}

void mf__tree_build_abort(struct mf_tree_builder *builder)
{
    mf__tree_release(&builder->tree);
    builder->last = NULL;
}
