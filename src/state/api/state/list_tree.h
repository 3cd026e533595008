/* SPDX-License-Identifier: Apache-2.0
 *
 * list_tree.h -- the tree of a state (tree.c) over a list of names and values that somebody else
 * keeps: its root stands for the list, and a file of proof.h shows one entry of it. */
#ifndef STATE_LIST_TREE_H
#define STATE_LIST_TREE_H

#include <mayfly/error.h>
#include <mayfly/proof.h>
#include <stddef.h>
#include <stdint.h>

struct mf_list_tree;

/* An empty one, for mf_list_tree_free(). NULL when memory is out. */
struct mf_list_tree *mf_list_tree_new(void);
/* Adds an entry; the names come in strictly ascending order of their bytes (as memcmp, a prefix
 * first). -ENOMEM, MF_ELIMIT (a name over 64 KiB, a value over 4 GiB), MF_EVALUE (the order):
 * the tree is empty then. */
int mf_list_tree_add(struct mf_list_tree *tree, const void *name, size_t name_len,
                     const void *value, size_t value_len);
/* After the last one. */
void mf_list_tree_root(struct mf_list_tree *tree, uint8_t ret_root[32]);
/* What the tree says about a name, after its root was taken: for mf_proof_of_key(). The pointers
 * are good until the next call with this tree, and `name` as long as the caller keeps it. -ENOMEM,
 * MF_ELIMIT. */
int mf_list_tree_prove(struct mf_list_tree *tree, const void *name, size_t name_len,
                       struct mf_proof_entry *ret_entry);
void mf_list_tree_free(struct mf_list_tree *tree); /* NULL is allowed */

#endif
