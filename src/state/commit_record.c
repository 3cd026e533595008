/* SPDX-License-Identifier: Apache-2.0
 * commit_record.c -- see commit_record.h. */
#include "commit_record.h"
#include "base/bytes.h"
#include "base/varint.h"

#include <string.h>

void mf__commit_put(uint8_t *out, const struct commit *commit)
{
    mf_store_u64(out, commit->seq);
    mf_store_u64(out + 8, (uint64_t)commit->wall_ns);
    mf_store_u32(out + 16, commit->kind);
    mf_store_u32(out + 20, commit->note_len);
    mf_store_u64(out + 24, commit->change_count);
    memcpy(out + 32, commit->root, MF_SHA256_LEN);
    memcpy(out + 64, commit->changes_hash, MF_SHA256_LEN);
}

/* Reads a leaf at the beginning of `bytes`. */
static bool get(const uint8_t *bytes, size_t len, struct commit *ret_commit)
{
    if (len < COMMIT_FIXED_LEN) {
        return false;
    }
    struct commit commit = {
        .seq = mf_load_u64(bytes),
        .wall_ns = (int64_t)mf_load_u64(bytes + 8),
        .kind = mf_load_u32(bytes + 16),
        .note_len = mf_load_u32(bytes + 20),
        .change_count = mf_load_u64(bytes + 24),
        .note = bytes + COMMIT_FIXED_LEN,
        .leaf = bytes,
    };
    if ((commit.kind != MF_STATE_COMMIT_CHANGES && commit.kind != MF_STATE_COMMIT_AUDIT) ||
        commit.note_len > MF_STATE_NOTE_MAX || commit.note_len > len - COMMIT_FIXED_LEN) {
        return false;
    }
    commit.leaf_len = COMMIT_FIXED_LEN + commit.note_len;
    memcpy(commit.root, bytes + 32, MF_SHA256_LEN);
    memcpy(commit.changes_hash, bytes + 64, MF_SHA256_LEN);
    *ret_commit = commit;
    return true;
}

bool mf__commit_leaf_get(const uint8_t *leaf, size_t len, struct commit *ret_commit)
{
    struct commit commit;
    if (!get(leaf, len, &commit) || commit.leaf_len != len) {
        return false;
    }
    *ret_commit = commit;
    return true;
}

bool mf__commit_get(const uint8_t *record, size_t len, struct commit *ret_commit)
{
    struct commit commit;
    if (!get(record, len, &commit) || len - commit.leaf_len < MF_SHA256_LEN) {
        return false;
    }
    commit.log_root = record + commit.leaf_len;
    commit.changes = commit.log_root + MF_SHA256_LEN;
    commit.changes_len = len - commit.leaf_len - MF_SHA256_LEN;
    *ret_commit = commit;
    return true;
}

size_t mf__change_put(uint8_t *out, const struct change *change)
{
    size_t len = 0;
    out[len++] = (uint8_t)change->kind;
    len += mf_varint_put(out + len, change->key_len);
    if (change->key_len != 0) {
        memcpy(out + len, change->key, change->key_len);
        len += change->key_len;
    }
    if (change->kind == MF_STATE_PUT || change->kind == MF_STATE_EXPECT) {
        len += mf_varint_put(out + len, change->value_len);
    }
    return len;
}

/* A length and as many bytes. */
static bool get_bytes(const uint8_t *bytes, size_t len, size_t *at, const uint8_t **ret_bytes,
                      size_t *ret_len)
{
    uint64_t count = 0;
    size_t used = mf_varint_get(bytes + *at, len - *at, &count);
    if (used == 0 || count > len - *at - used) {
        return false;
    }
    *ret_bytes = bytes + *at + used;
    *ret_len = (size_t)count;
    *at += used + (size_t)count;
    return true;
}

int mf__change_next(const uint8_t *changes, size_t len, size_t *at, struct change *ret_change)
{
    if (*at >= len) {
        return 0;
    }
    struct change change = {.kind = changes[*at]};
    size_t next = *at + 1;
    bool valued = change.kind == MF_STATE_PUT || change.kind == MF_STATE_EXPECT;
    if (change.kind < MF_STATE_PUT || change.kind > MF_STATE_EXPECT_ABSENT ||
        !get_bytes(changes, len, &next, &change.key, &change.key_len) ||
        (valued && !get_bytes(changes, len, &next, &change.value, &change.value_len))) {
        return -1;
    }
    *at = next;
    *ret_change = change;
    return 1;
}
