/* SPDX-License-Identifier: Apache-2.0
 * proof_private.h -- what the parts of the proofs share. */
#ifndef STATE_PROOF_PRIVATE_H
#define STATE_PROOF_PRIVATE_H

#include "base/buffer.h"
#include "tree.h"

#include <mayfly/proof.h>

/* Flags of a step. */
#define STEP_LEFT  1u
#define STEP_RIGHT 2u

struct span {
    const uint8_t *bytes;
    size_t len;
};

/* The answer of a tree about a key, with its steps appended to `steps`; the pointers go into the
 * key, the tree and the buffer (whose data may move while it grows: ret_entry->steps is set at the
 * end). The root of the tree must have been calculated. -ENOMEM; MF_ELIMIT: the steps do not fit a
 * proof. */
int mf__proof_entry(const struct mf_tree *tree, const void *key, size_t key_len,
                    struct mf_buffer *steps, struct mf_proof_entry *ret_entry);

#endif
