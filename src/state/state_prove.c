/* SPDX-License-Identifier: Apache-2.0
 * state_prove.c -- proofs of what a store holds; proof.h has the calls. A proof is made from the
 * visible version, whose tree nobody changes, and from the nodes of the Merkle log, which only
 * grow. */
#include "base/fail.h"
#include "base/heap.h"
#include "proof_private.h"
#include "state_private.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

_Static_assert(COMMIT_LEAF_MAX <= MF_PROOF_LEAF_MAX, "every leaf fits a proof");
_Static_assert(MF_STATE_KEY_MAX <= MF_PROOF_KEY_MAX, "every key fits a proof");

/* What a proof needs while it is made. */
struct proving {
    struct mf_state *state;
    struct version version;
    struct mf_merkle_path path;
    uint8_t leaf[COMMIT_LEAF_MAX];
    struct mf_proof proof;
};

static void end(struct proving *proving)
{
    if ((proving->state->flags & MF_STATE_READ_ONLY) != 0) {
        mf_mutex_unlock(&proving->state->refresh_lock);
    }
    mf__version_release(&proving->version);
}

static int begin(struct mf_state *state, struct proving *proving, struct mf_errinfo *err)
{
    proving->state = state;
    if ((state->flags & MF_STATE_READ_ONLY) != 0) {
        mf_mutex_lock(&state->refresh_lock); /* a refresh may replace the nodes */
    }
    proving->version = mf__state_visible(state);
    int code = 0;
    if ((state->flags & MF_STATE_READ_ONLY) == 0) {
        code = mf_state_sync(state, proving->version.seq, err);
    }
    if (code == 0 && state->nodes == NULL) {
        code =
            mf_fail(err, MF_ECORRUPT,
                    "%.200s was opened for salvage, without its Merkle log: nothing can be proven",
                    state->path);
    }
    if (code < 0) {
        end(proving);
    }
    return code;
}

/* The number of commits that is meant. */
static int choose_size(const struct proving *proving, uint64_t size, uint64_t *ret_size,
                       struct mf_errinfo *err)
{
    uint64_t there = proving->version.seq;
    if (size != MF_PROOF_NEWEST && size > there) {
        return mf_fail(err, MF_EVALUE, "%.200s has %" PRIu64 " commits, not %" PRIu64,
                       proving->state->path, there, size);
    }
    *ret_size = size == MF_PROOF_NEWEST ? there : size;
    return 0;
}

static int keep_leaf(void *context, const struct mf_state_commit_info *info)
{
    struct proving *proving = context;
    memcpy(proving->leaf, info->leaf.bytes, info->leaf.len);
    proving->proof.leaf_len = info->leaf.len;
    return 0;
}

static int find_leaf(struct proving *proving, uint64_t seq, struct mf_errinfo *err)
{
    const struct version *version = &proving->version;
    proving->proof.leaf = proving->leaf;
    if (seq == version->seq && version->leaf_len != 0) {
        memcpy(proving->leaf, version->leaf, version->leaf_len);
        proving->proof.leaf_len = version->leaf_len;
        return 0;
    }
    int code = mf_state_log(proving->state, seq, seq, keep_leaf, proving, err);
    if (code == 0 && proving->proof.leaf_len == 0) {
        code = mf_fail(err, MF_ECORRUPT, "%.200s: the history has no commit %" PRIu64,
                       proving->state->path, seq);
    }
    return code;
}

static int add_commit(struct proving *proving, uint64_t seq, uint64_t size, struct mf_errinfo *err)
{
    uint8_t leaf_hash[MF_SHA256_LEN];
    int code = find_leaf(proving, seq, err);
    code = code < 0
               ? code
               : mf__merkle_log_prove_leaf(proving->state->nodes, seq - 1, size, &proving->path,
                                           leaf_hash, proving->proof.root.hash, err);
    proving->proof.root.size = size;
    proving->proof.path = proving->path.hashes[0];
    proving->proof.path_count = proving->path.count;
    return code;
}

static size_t entry_len_max(const struct mf_proof_entry *entry)
{
    return entry->key_len + entry->value_len + MF_PROOF_HASH_LEN + entry->steps_len + 16;
}

/* Checks the proof and makes its file. */
static int finish(struct proving *proving, struct mf_proof_file *ret_file, struct mf_errinfo *err)
{
    const struct mf_proof *proof = &proving->proof;
    struct mf_errinfo why = {0, ""};
    if (mf_proof_check(proof, &proof->root, &why) < 0) {
        return mf_fail(err, MF_ECORRUPT,
                       "%.120s: what it holds does not agree with its history: %.200s",
                       proving->state->path, why.msg);
    }
    size_t capacity = 256 + (size_t)proof->path_count * MF_PROOF_HASH_LEN + proof->leaf_len +
                      entry_len_max(&proof->key) + entry_len_max(&proof->file);
    uint8_t *bytes = mf_malloc(capacity);
    if (bytes == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot make the proof");
    }
    int len = mf_proof_encode(proof, bytes, capacity, err);
    if (len < 0) {
        mf_free(bytes);
        return len;
    }
    *ret_file = (struct mf_proof_file){bytes, (size_t)len, proof->root};
    return 0;
}

void mf_proof_file_free(struct mf_proof_file *file)
{
    mf_free(file->bytes);
    *file = (struct mf_proof_file){.bytes = NULL};
}

int mf_proof_root_of(struct mf_state *state, uint64_t size, struct mf_proof_root *ret_root,
                     struct mf_errinfo *err)
{
    struct proving proving = {.state = state};
    struct mf_proof_root root;
    int code = begin(state, &proving, err);
    if (code < 0) {
        return code;
    }
    code = choose_size(&proving, size, &root.size, err);
    code = code < 0 ? code : mf__merkle_log_root_at(state->nodes, root.size, root.hash, err);
    end(&proving);
    if (code == 0) {
        *ret_root = root;
    }
    return code;
}

int mf_proof_of_commit(struct mf_state *state, uint64_t seq, uint64_t size,
                       struct mf_proof_file *ret_file, struct mf_errinfo *err)
{
    struct proving proving = {.proof.kind = MF_PROOF_COMMIT};
    int code = begin(state, &proving, err);
    if (code < 0) {
        return code;
    }
    code = choose_size(&proving, size, &size, err);
    if (code == 0 && (seq == 0 || seq > size)) {
        code = mf_fail(err, MF_EVALUE, "there is no commit %" PRIu64 " among the first %" PRIu64,
                       seq, size);
    }
    code = code < 0 ? code : add_commit(&proving, seq, size, err);
    code = code < 0 ? code : finish(&proving, ret_file, err);
    end(&proving);
    return code;
}

int mf_proof_of_extension(struct mf_state *state, uint64_t old_size, uint64_t size,
                          struct mf_proof_file *ret_file, struct mf_errinfo *err)
{
    struct proving proving = {.proof.kind = MF_PROOF_EXTENSION};
    struct mf_proof *proof = &proving.proof;
    int code = begin(state, &proving, err);
    if (code < 0) {
        return code;
    }
    code = choose_size(&proving, size, &proof->root.size, err);
    code = code < 0 ? code : choose_size(&proving, old_size, &proof->old_root.size, err);
    code = code < 0 ? code
                    : mf__merkle_log_prove_extension(state->nodes, proof->old_root.size,
                                                     proof->root.size, &proving.path,
                                                     proof->old_root.hash, proof->root.hash, err);
    proof->path = proving.path.hashes[0];
    proof->path_count = proving.path.count;
    code = code < 0 ? code : finish(&proving, ret_file, err);
    end(&proving);
    return code;
}

int mf_proof_of_key(struct mf_state *state, const void *key, size_t key_len,
                    const struct mf_proof_entry *file, struct mf_proof_file *ret_file,
                    struct mf_errinfo *err)
{
    struct proving proving = {.proof.kind = file != NULL ? MF_PROOF_FILE : MF_PROOF_KEY};
    struct mf_buffer steps = MF_BUFFER_INIT;
    if (key_len > MF_PROOF_KEY_MAX) {
        return mf_fail(err, MF_ELIMIT, "a key has at most %u bytes, not %zu", MF_PROOF_KEY_MAX,
                       key_len);
    }
    int code = begin(state, &proving, err);
    if (code < 0) {
        return code;
    }
    uint64_t seq = proving.version.seq;
    if (seq == 0) {
        code = mf_fail(err, MF_EVALUE, "%.200s has no commit yet", state->path);
    }
    code = code < 0 ? code : add_commit(&proving, seq, seq, err);
    if (code == 0) {
        code = mf__proof_entry(&proving.version.tree, key, key_len, &steps, &proving.proof.key);
        code = code < 0 ? mf_fail(err, code, "cannot make the proof: %s", mf_strerror(code)) : 0;
    }
    if (code == 0 && file != NULL) {
        proving.proof.file = *file;
    }
    code = code < 0 ? code : finish(&proving, ret_file, err);
    mf_buffer_free(&steps);
    end(&proving);
    return code;
}
