/* SPDX-License-Identifier: Apache-2.0
 *
 * merkle_model.h -- roots and proofs as RFC 9162 defines them (2.1.1, 2.1.3.1, 2.1.4.1),
 * recursively over all leaves: what the code that is fast must equal. */
#ifndef MERKLE_MODEL_H
#define MERKLE_MODEL_H

#include "cmocka_all.h"
#include "merkle.h"

#include <string.h>

static inline uint64_t model_split(uint64_t count)
{
    uint64_t k = 1;
    while (k * 2 < count) {
        k *= 2;
    }
    return k;
}

static inline void model_mth(const uint8_t (*leaves)[MF_SHA256_LEN], uint64_t count,
                             uint8_t ret_root[MF_SHA256_LEN])
{
    if (count == 0) {
        mf_sha256("", 0, ret_root);
    } else if (count == 1) {
        memcpy(ret_root, leaves[0], MF_SHA256_LEN);
    } else {
        uint64_t k = model_split(count);
        uint8_t bytes[65] = {0x01};
        model_mth(leaves, k, bytes + 1);
        model_mth(leaves + k, count - k, bytes + 33);
        mf_sha256(bytes, sizeof bytes, ret_root);
    }
}

static inline void model_add(struct mf_merkle_path *path, const uint8_t (*leaves)[MF_SHA256_LEN],
                             uint64_t count)
{
    model_mth(leaves, count, path->hashes[path->count]);
    path->count++;
}

static inline void model_path(const uint8_t (*leaves)[MF_SHA256_LEN], uint64_t index,
                              uint64_t count, struct mf_merkle_path *path)
{
    if (count <= 1) {
        return;
    }
    uint64_t k = model_split(count);
    if (index < k) {
        model_path(leaves, index, k, path);
        model_add(path, leaves + k, count - k);
    } else {
        model_path(leaves + k, index - k, count - k, path);
        model_add(path, leaves, k);
    }
}

static inline void model_subproof(const uint8_t (*leaves)[MF_SHA256_LEN], uint64_t old,
                                  uint64_t count, int whole, struct mf_merkle_path *path)
{
    if (old == count) {
        if (!whole) {
            model_add(path, leaves, count);
        }
        return;
    }
    uint64_t k = model_split(count);
    if (old <= k) {
        model_subproof(leaves, old, k, whole, path);
        model_add(path, leaves + k, count - k);
    } else {
        model_subproof(leaves + k, old - k, count - k, 0, path);
        model_add(path, leaves, k);
    }
}

/* A source over leaves in memory: nodes are calculated each time. */
struct model_leaves {
    const uint8_t (*leaves)[MF_SHA256_LEN];
    uint64_t count;
};

static inline int model_read(void *context, unsigned level, uint64_t index,
                             uint8_t ret_hash[MF_SHA256_LEN])
{
    const struct model_leaves *all = context;
    assert_true(level < 64 && ((index + 1) << level) <= all->count);
    model_mth(all->leaves + (index << level), UINT64_C(1) << level, ret_hash);
    return 0;
}

#endif
