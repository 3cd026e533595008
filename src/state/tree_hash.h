/* SPDX-License-Identifier: Apache-2.0
 * tree_hash.h -- the hashes of the state tree (described in tree.c) and the order of its keys, for
 * the tree and for whoever verifies a proof of it. */
#ifndef STATE_TREE_HASH_H
#define STATE_TREE_HASH_H

#include "state/sha256.h"

void mf__tree_hash_empty(uint8_t ret_hash[MF_SHA256_LEN]);
void mf__tree_hash_value(const void *value, size_t value_len, uint8_t ret_hash[MF_SHA256_LEN]);
/* `left` and `right` are the hashes of the children, NULL where there is none. */
void mf__tree_hash_node(const uint8_t *key, uint16_t key_len, const uint8_t *value_hash,
                        const uint8_t *left, const uint8_t *right, uint8_t ret_hash[MF_SHA256_LEN]);

/* As memcmp, a prefix first: < 0, 0, > 0. The keys may be NULL where their length is 0. */
int mf__tree_order(const void *a, size_t a_len, const void *b, size_t b_len);

#endif
