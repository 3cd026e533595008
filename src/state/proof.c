/* SPDX-License-Identifier: Apache-2.0
 *
 * proof.c -- see proof.h: what a proof shows, calculated. The files are in proof_file.c, the hashes
 * of the log in merkle.c, those of the trees in tree_hash.c.
 *
 * The steps of an entry lead upwards, so that checking goes straight through them and needs no
 * memory: first, where the key is present, its node u8 flags (1: has a left child, 2: a right one),
 * the hash of the left child, of the right child then each node above (of an absent key: the one
 * under which its place is empty, and up) u8 flags, u16 length of its key, the key, the hash of its
 * value, the hash of the child that the way does not lead through, where there is one On which side
 * the way came up follows from the order of the two keys, never from the proof. So two answers for
 * one key would have to part at a node that has two preimages.
 */
#include "base/bytes.h"
#include "base/fail.h"
#include "commit_record.h"
#include "merkle.h"
#include "proof_private.h"
#include "tree_hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- roots as text ---- */

void mf_proof_root_text(const struct mf_proof_root *root, char ret_text[MF_PROOF_ROOT_TEXT_LEN])
{
    static const char digits[] = "0123456789abcdef";
    int len = snprintf(ret_text, MF_PROOF_ROOT_TEXT_LEN, "%" PRIu64 "-", root->size);
    char *at = ret_text + len;
    for (size_t i = 0; i < MF_PROOF_HASH_LEN; i++) {
        *at++ = digits[root->hash[i] >> 4];
        *at++ = digits[root->hash[i] & 15];
    }
    *at = '\0';
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mf_proof_root_parse(const char *text, struct mf_proof_root *ret_root, struct mf_errinfo *err)
{
    struct mf_proof_root root = {.size = 0};
    const char *at = text;
    bool good = true;
    do { /* digits, without a zero in front */
        good = *at >= '0' && *at <= '9' && !(at > text && root.size == 0) &&
               root.size <= MF_MERKLE_SIZE_MAX / 10;
        root.size = root.size * 10 + (good ? (uint64_t)(*at - '0') : 0);
        at += good;
    } while (good && *at != '-');
    for (size_t i = 0; good && i < MF_PROOF_HASH_LEN; i++) {
        int high = hex_digit(at[1 + 2 * i]);
        int low = high < 0 ? -1 : hex_digit(at[2 + 2 * i]);
        good = low >= 0;
        root.hash[i] = (uint8_t)(good ? high * 16 + low : 0);
    }
    if (!good || at[1 + 2 * MF_PROOF_HASH_LEN] != '\0' || root.size > MF_MERKLE_SIZE_MAX) {
        return mf_fail(
            err, MF_ESYNTAX,
            "\"%.100s\" is no root; one is written as the number of commits, \"-\" and 64 "
            "hexadecimal digits",
            text);
    }
    *ret_root = root;
    return 0;
}

/* ---- parts ---- */

void mf_proof_hash_value(const void *value, size_t len, uint8_t ret_hash[MF_PROOF_HASH_LEN])
{
    mf__tree_hash_value(value, len, ret_hash);
}

int mf_proof_commit_get(const void *leaf, size_t leaf_len, struct mf_proof_commit *ret_commit,
                        struct mf_errinfo *err)
{
    struct commit found;
    if (!mf__commit_leaf_get(leaf, leaf_len, &found)) {
        return mf_fail(err, MF_EFORMAT, "%zu bytes are not the leaf of a commit", leaf_len);
    }
    struct mf_proof_commit commit = {
        .seq = found.seq,
        .wall_ns = found.wall_ns,
        .kind = found.kind,
        .changes = found.change_count,
        .note = found.note,
        .note_len = found.note_len,
    };
    memcpy(commit.root, found.root, sizeof commit.root);
    memcpy(commit.changes_hash, found.changes_hash, sizeof commit.changes_hash);
    *ret_commit = commit;
    return 0;
}

int mf_proof_check_leaf(const struct mf_proof_root *trusted, uint64_t seq, const void *leaf,
                        size_t leaf_len, const uint8_t *path, size_t path_count,
                        struct mf_errinfo *err)
{
    uint8_t hash[MF_PROOF_HASH_LEN];
    uint8_t reached[MF_PROOF_HASH_LEN];
    mf__merkle_hash_leaf(leaf, leaf_len, hash);
    /* Of seq 0 the index is above every size. */
    if (!mf__merkle_leaf_root(hash, seq - 1, trusted->size, path, path_count, reached)) {
        return mf_fail(err, MF_EPROOF,
                       "a path of %zu hashes does not lead from commit %" PRIu64
                       " to the root over %" PRIu64 " commits",
                       path_count, seq, trusted->size);
    }
    if (memcmp(reached, trusted->hash, sizeof reached) != 0) {
        return mf_fail(err, MF_EPROOF,
                       "this is not commit %" PRIu64 " of the %" PRIu64
                       " commits that the root stands for",
                       seq, trusted->size);
    }
    return 0;
}

int mf_proof_check_extension(const struct mf_proof_root *old_root, const struct mf_proof_root *root,
                             const uint8_t *path, size_t path_count, struct mf_errinfo *err)
{
    if (!mf__merkle_extends(old_root->size, old_root->hash, root->size, root->hash, path,
                            path_count)) {
        return mf_fail(err, MF_EPROOF,
                       "the history of %" PRIu64 " commits is not shown to begin with the one of "
                       "%" PRIu64 " commits",
                       root->size, old_root->size);
    }
    return 0;
}

/* Takes `len` bytes off the front, NULL when there are fewer. */
static const uint8_t *take(struct span *span, size_t len)
{
    if (len > span->len) {
        return NULL;
    }
    const uint8_t *bytes = span->bytes;
    span->bytes += len;
    span->len -= len;
    return bytes;
}

/* The node of the key itself. */
static bool climb_first(struct span *steps, const struct mf_proof_entry *entry,
                        uint8_t hash[MF_PROOF_HASH_LEN])
{
    const uint8_t *flags = take(steps, 1);
    if (flags == NULL || *flags > (STEP_LEFT | STEP_RIGHT)) {
        return false;
    }
    const uint8_t *left = (*flags & STEP_LEFT) != 0 ? take(steps, MF_PROOF_HASH_LEN) : NULL;
    const uint8_t *right = (*flags & STEP_RIGHT) != 0 ? take(steps, MF_PROOF_HASH_LEN) : NULL;
    if (((*flags & STEP_LEFT) != 0 && left == NULL) ||
        ((*flags & STEP_RIGHT) != 0 && right == NULL)) {
        return false;
    }
    mf__tree_hash_node(entry->key, (uint16_t)entry->key_len, entry->value_hash, left, right, hash);
    return true;
}

/* A node above: `below` is the hash of the child where the way comes from, NULL: it is empty. */
static bool climb(struct span *steps, const struct mf_proof_entry *entry, const uint8_t *below,
                  uint8_t hash[MF_PROOF_HASH_LEN])
{
    const uint8_t *head = take(steps, 3);
    if (head == NULL || *head > (STEP_LEFT | STEP_RIGHT)) {
        return false;
    }
    uint16_t key_len = mf_load_u16(head + 1);
    const uint8_t *key = take(steps, key_len);
    const uint8_t *value_hash = take(steps, MF_PROOF_HASH_LEN);
    if (key == NULL || value_hash == NULL) {
        return false;
    }
    int order = mf__tree_order(entry->key, entry->key_len, key, key_len);
    unsigned ours = order < 0 ? STEP_LEFT : STEP_RIGHT;
    unsigned other = STEP_LEFT + STEP_RIGHT - ours;
    const uint8_t *beside = (*head & other) != 0 ? take(steps, MF_PROOF_HASH_LEN) : NULL;
    if (order == 0 || ((*head & ours) != 0) != (below != NULL) ||
        ((*head & other) != 0) != (beside != NULL)) {
        return false;
    }
    mf__tree_hash_node(key, key_len, value_hash, order < 0 ? below : beside,
                       order < 0 ? beside : below, hash);
    return true;
}

int mf_proof_check_entry(const uint8_t root[MF_PROOF_HASH_LEN], const struct mf_proof_entry *entry,
                         struct mf_errinfo *err)
{
    if (entry->key_len > MF_PROOF_KEY_MAX) {
        return mf_fail(err, MF_EPROOF, "a key of %zu bytes is too long", entry->key_len);
    }
    struct span steps = {entry->steps, entry->steps_len};
    uint8_t hash[MF_PROOF_HASH_LEN];
    bool good = true;
    bool some = false;
    if (entry->present) {
        if (entry->value != NULL) {
            mf__tree_hash_value(entry->value, entry->value_len, hash);
            if (memcmp(hash, entry->value_hash, sizeof hash) != 0) {
                return mf_fail(err, MF_EPROOF, "the enclosed value is not the one that is proven");
            }
        }
        good = climb_first(&steps, entry, hash);
        some = true;
    }
    while (good && steps.len > 0) {
        uint8_t below[MF_PROOF_HASH_LEN];
        if (some) {
            memcpy(below, hash, sizeof below);
        }
        good = climb(&steps, entry, some ? below : NULL, hash);
        some = true;
    }
    if (!some) {
        mf__tree_hash_empty(hash);
    }
    if (!good) {
        return mf_fail(err, MF_EPROOF, "the steps at byte %zu of %zu lead nowhere",
                       entry->steps_len - steps.len, entry->steps_len);
    }
    if (memcmp(hash, root, sizeof hash) != 0) {
        return mf_fail(err, MF_EPROOF,
                       entry->present ? "the key does not have this value under the root"
                                      : "the key is not absent under the root");
    }
    return 0;
}

/* ---- whole proofs ---- */

static bool same_root(const struct mf_proof_root *a, const struct mf_proof_root *b)
{
    return a->size == b->size && memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}

static int other_root(const struct mf_proof *proof, const struct mf_proof_root *trusted,
                      struct mf_errinfo *err)
{
    char made_for[MF_PROOF_ROOT_TEXT_LEN];
    char given[MF_PROOF_ROOT_TEXT_LEN];
    mf_proof_root_text(&proof->root, made_for);
    mf_proof_root_text(trusted, given);
    return mf_fail(
        err, MF_EPROOF,
        "the proof is for the root %s, not for %s; ask for one for that root, or for the "
        "proof that one history extends the other",
        made_for, given);
}

int mf_proof_check(const struct mf_proof *proof, const struct mf_proof_root *trusted,
                   struct mf_errinfo *err)
{
    if (proof->kind == MF_PROOF_EXTENSION) {
        if (!same_root(trusted, &proof->root) && !same_root(trusted, &proof->old_root)) {
            return other_root(proof, trusted, err);
        }
        return mf_proof_check_extension(&proof->old_root, &proof->root, proof->path,
                                        proof->path_count, err);
    }
    if (proof->kind != MF_PROOF_COMMIT && proof->kind != MF_PROOF_KEY &&
        proof->kind != MF_PROOF_FILE) {
        return mf_fail(err, MF_EPROOF, "there is no proof of kind %d", (int)proof->kind);
    }
    if (!same_root(trusted, &proof->root)) {
        return other_root(proof, trusted, err);
    }
    struct mf_proof_commit commit;
    int code = mf_proof_commit_get(proof->leaf, proof->leaf_len, &commit, err);
    code = code < 0 ? code
                    : mf_proof_check_leaf(trusted, commit.seq, proof->leaf, proof->leaf_len,
                                          proof->path, proof->path_count, err);
    if (code < 0 || proof->kind == MF_PROOF_COMMIT) {
        return code;
    }
    code = mf_proof_check_entry(commit.root, &proof->key, err);
    if (code < 0 || proof->kind == MF_PROOF_KEY) {
        return code;
    }
    if (!proof->key.present || proof->key.value == NULL ||
        proof->key.value_len < MF_PROOF_HASH_LEN) {
        return mf_fail(err, MF_EPROOF, "the value of the key names no tree of files");
    }
    return mf_proof_check_entry(proof->key.value, &proof->file, err);
}
