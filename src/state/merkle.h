/* SPDX-License-Identifier: Apache-2.0
 *
 * merkle.h -- the Merkle tree over a list that only grows, of RFC 9162, section 2.1: roots, proofs
 * that a leaf is in it, proofs that one list begins with another. Values in, values out.
 *
 * A node is named (level, index): it covers the leaves index << level up to, not including,
 * (index + 1) << level, all of them there.
 */
#ifndef STATE_MERKLE_H
#define STATE_MERKLE_H

#include "state/sha256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MF_MERKLE_LEVELS   48
#define MF_MERKLE_SIZE_MAX (UINT64_C(1) << (MF_MERKLE_LEVELS - 1)) /* leaves */
/* No proof is longer: of consistency, one hash for each level and one more. */
#define MF_MERKLE_PATH_MAX (MF_MERKLE_LEVELS + 1)

void mf__merkle_hash_leaf(const void *leaf, size_t len, uint8_t ret_hash[MF_SHA256_LEN]);
void mf__merkle_hash_node(const uint8_t left[MF_SHA256_LEN], const uint8_t right[MF_SHA256_LEN],
                          uint8_t ret_hash[MF_SHA256_LEN]);

/* What is needed of a list to go on: the roots of the full subtrees that it consists of, one for
 * each bit of its size. All zero is the empty list. */
struct mf_merkle_frontier {
    uint64_t size;
    uint8_t peaks[MF_MERKLE_LEVELS][MF_SHA256_LEN]; /* [level], good where the bit is set */
};

/* Adds a leaf. `completed` (may be NULL): is told each node that is complete by it, from the leaf
 * upwards. The size must be below MF_MERKLE_SIZE_MAX. */
void mf__merkle_append(struct mf_merkle_frontier *frontier, const uint8_t leaf[MF_SHA256_LEN],
                       void (*completed)(void *context, const uint8_t hash[MF_SHA256_LEN]),
                       void *context);
void mf__merkle_root(const struct mf_merkle_frontier *frontier, uint8_t ret_root[MF_SHA256_LEN]);

/* Where the nodes of a list are kept. read() gives one, or a negative code, which ends the call
 * that asked. */
struct mf_merkle_source {
    int (*read)(void *context, unsigned level, uint64_t index, uint8_t ret_hash[MF_SHA256_LEN]);
    void *context;
};

struct mf_merkle_path {
    uint32_t count;
    uint8_t hashes[MF_MERKLE_PATH_MAX][MF_SHA256_LEN];
};

/* The list as it was with `size` leaves. 0, or what read() returned. */
int mf__merkle_frontier_at(const struct mf_merkle_source *source, uint64_t size,
                           struct mf_merkle_frontier *ret_frontier);
/* That leaf `index` is in the list of `size` leaves; index < size. */
int mf__merkle_prove_leaf(const struct mf_merkle_source *source, uint64_t index, uint64_t size,
                          struct mf_merkle_path *ret_path);
/* That the list of `size` leaves begins with the one of `old_size`; old_size <= size. */
int mf__merkle_prove_extension(const struct mf_merkle_source *source, uint64_t old_size,
                               uint64_t size, struct mf_merkle_path *ret_path);

/* The root that the path leads to; false when no list of that size has such a path. `hashes` are
 * `count` hashes, one behind the other. */
bool mf__merkle_leaf_root(const uint8_t leaf[MF_SHA256_LEN], uint64_t index, uint64_t size,
                          const uint8_t *hashes, size_t count, uint8_t ret_root[MF_SHA256_LEN]);
/* Whether the path proves that the list of `size` leaves with that root begins with the other one.
 */
bool mf__merkle_extends(uint64_t old_size, const uint8_t old_root[MF_SHA256_LEN], uint64_t size,
                        const uint8_t root[MF_SHA256_LEN], const uint8_t *hashes, size_t count);

#endif
