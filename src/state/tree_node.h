/* SPDX-License-Identifier: Apache-2.0
 * tree_node.h -- what the state tree is made of; tree.c has the rules. */
#ifndef STATE_TREE_NODE_H
#define STATE_TREE_NODE_H

#include "tree.h"

#include <stdatomic.h>

struct mf_tree_entry {
    atomic_uint holders;
    uint32_t value_len;
    uint16_t key_len;
    uint8_t value_hash[MF_SHA256_LEN];
    uint8_t bytes[]; /* the key, the value */
};

struct mf_tree_node {
    atomic_uint holders;
    uint32_t hashed; /* whether `hash` holds; then that of all below does too */
    uint64_t priority;
    union {
        struct mf_tree_entry *entry;
        struct mf_tree_node *next; /* in a list of nodes without an entry */
    };
    struct mf_tree_node *left;
    struct mf_tree_node *right;
    union {
        uint8_t hash[MF_SHA256_LEN];
        struct mf_tree_node *up; /* while not hashed, and only within a function or a builder */
    };
};

#endif
