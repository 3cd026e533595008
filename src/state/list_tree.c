/* SPDX-License-Identifier: Apache-2.0
 * list_tree.c -- see list_tree.h. */
#include "state/list_tree.h"
#include "proof_private.h"

#include "base/heap.h"

#include <mayfly/error.h>

struct mf_list_tree {
    struct mf_tree_builder builder;
    struct mf_tree tree;    /* after the end */
    struct mf_buffer steps; /* of the last proof */
};

struct mf_list_tree *mf_list_tree_new(void)
{
    return mf_calloc(1, sizeof(struct mf_list_tree));
}

int mf_list_tree_add(struct mf_list_tree *tree, const void *name, size_t name_len,
                     const void *value, size_t value_len)
{
    return mf__tree_build_add(&tree->builder, name, name_len, value, value_len);
}

void mf_list_tree_root(struct mf_list_tree *tree, uint8_t ret_root[32])
{
    if (tree->tree.root == NULL) {
        tree->tree = mf__tree_build_end(&tree->builder);
    }
    mf__tree_root(&tree->tree, ret_root);
}

int mf_list_tree_prove(struct mf_list_tree *tree, const void *name, size_t name_len,
                       struct mf_proof_entry *ret_entry)
{
    mf_buffer_clear(&tree->steps);
    return mf__proof_entry(&tree->tree, name, name_len, &tree->steps, ret_entry);
}

void mf_list_tree_free(struct mf_list_tree *tree)
{
    if (tree != NULL) {
        mf_buffer_free(&tree->steps);
        mf__tree_build_abort(&tree->builder);
        mf__tree_release(&tree->tree);
        mf_free(tree);
    }
}
