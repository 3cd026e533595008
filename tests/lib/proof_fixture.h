/* SPDX-License-Identifier: Apache-2.0
 *
 * proof_fixture.h -- a history of commits as a store has it, made with nothing but the tree and the
 * Merkle log, and proofs about it. */
#ifndef PROOF_FIXTURE_H
#define PROOF_FIXTURE_H

#include "base/bytes.h"
#include "base/heap.h"
#include "merkle_model.h"
#include "proof_private.h"
#include "tree_model.h"

#include <stdio.h>
#include <stdlib.h>

enum { COMMITS_MAX = 160 };

struct made_commit {
    struct mf_tree tree;
    struct model content;
    uint8_t leaf[MF_PROOF_LEAF_MAX];
    size_t leaf_len;
};

struct made_store {
    struct made_commit commits[COMMITS_MAX]; /* [seq - 1] */
    uint64_t count;
    uint8_t leaves[COMMITS_MAX][MF_SHA256_LEN];
    struct mf_proof_root roots[COMMITS_MAX + 1]; /* [size] */
};

/* Ends the commit that was begun by changing `tree` and `content`; takes a share of the tree. */
static inline void made_commit(struct made_store *store, struct mf_tree *tree,
                               const struct model *content, const char *note)
{
    struct made_commit *commit = &store->commits[store->count];
    commit->tree = mf__tree_share(tree);
    commit->content = *content;
    uint8_t *leaf = commit->leaf;
    mf_store_u64(leaf, store->count + 1);
    mf_store_u64(leaf + 8, 1790000000000000000u + store->count);
    mf_store_u32(leaf + 16, 1);
    mf_store_u32(leaf + 20, (uint32_t)strlen(note));
    mf_store_u64(leaf + 24, 3);
    mf__tree_root(tree, leaf + 32);
    mf_sha256("changes", 7, leaf + 64);
    memcpy(leaf + 96, note, strlen(note));
    commit->leaf_len = 96 + strlen(note);
    mf__merkle_hash_leaf(leaf, commit->leaf_len, store->leaves[store->count++]);
    struct mf_proof_root *root = &store->roots[store->count];
    root->size = store->count;
    model_mth((const uint8_t(*)[MF_SHA256_LEN])store->leaves, store->count, root->hash);
}

/* `commits` commits of random changes, the first one without any, with this note. */
static inline struct made_store *made_store_new(struct mf_rng *rng, uint64_t commits,
                                                const char *note)
{
    struct made_store *store = calloc(1, sizeof *store);
    struct mf_tree tree = {NULL, 0, 0};
    static struct model content;
    content.count = 0;
    assert_non_null(store);
    mf_sha256("", 0, store->roots[0].hash);
    for (uint64_t i = 0; i < commits; i++) {
        for (uint64_t n = i == 0 ? 0 : 1 + mf_rng_below(rng, 5); n > 0; n--) {
            struct model_item item = model_random(rng);
            if (mf_rng_below(rng, 4) == 0) {
                assert_true(mf__tree_delete(&tree, item.key, item.key_len) >= 0);
                model_delete(&content, item.key, item.key_len);
            } else {
                assert_int_equal(
                    mf__tree_put(&tree, item.key, item.key_len, item.value, item.value_len), 0);
                model_put(&content, &item);
            }
        }
        made_commit(store, &tree, &content, i == 0 ? note : i % 3 == 0 ? "a note" : "");
    }
    mf__tree_release(&tree);
    return store;
}

static inline void made_store_free(struct made_store *store)
{
    for (uint64_t i = 0; i < store->count; i++) {
        mf__tree_release(&store->commits[i].tree);
    }
    free(store);
}

/* A proof of commit `seq` at the log's `size`; `path` keeps the hashes. */
static inline struct mf_proof made_commit_proof(const struct made_store *store, uint64_t seq,
                                                uint64_t size, struct mf_merkle_path *path)
{
    path->count = 0;
    model_path((const uint8_t(*)[MF_SHA256_LEN])store->leaves, seq - 1, size, path);
    const struct made_commit *commit = &store->commits[seq - 1];
    return (struct mf_proof){.kind = MF_PROOF_COMMIT,
                             .root = store->roots[size],
                             .path = path->hashes[0],
                             .path_count = path->count,
                             .leaf = commit->leaf,
                             .leaf_len = commit->leaf_len};
}

static inline struct mf_proof made_key_proof(const struct made_store *store, uint64_t seq,
                                             uint64_t size, const void *key, size_t key_len,
                                             struct mf_merkle_path *path, struct mf_buffer *steps)
{
    struct mf_proof proof = made_commit_proof(store, seq, size, path);
    proof.kind = MF_PROOF_KEY;
    assert_int_equal(
        mf__proof_entry(&store->commits[seq - 1].tree, key, key_len, steps, &proof.key), 0);
    return proof;
}

static inline struct mf_proof made_extension_proof(const struct made_store *store, uint64_t old,
                                                   uint64_t size, struct mf_merkle_path *path)
{
    path->count = 0;
    if (old > 0) {
        model_subproof((const uint8_t(*)[MF_SHA256_LEN])store->leaves, old, size, 1, path);
    }
    return (struct mf_proof){.kind = MF_PROOF_EXTENSION,
                             .root = store->roots[size],
                             .old_root = store->roots[old],
                             .path = path->hashes[0],
                             .path_count = path->count};
}

#endif
