/* SPDX-License-Identifier: Apache-2.0
 *
 * merkle.c -- see merkle.h. The hashes are those of RFC 9162, 2.1.1: 0x00 before a leaf, 0x01
 * before two nodes, nothing at all for the empty list; a list that is no power of two is split
 * behind the greatest one below its length, so no node is ever taken twice. Verification is 2.1.3.2
 * and 2.1.4.2 of the RFC; every step of those is there, since leaving one out has cost others a
 * forged history. */
#include "merkle.h"
#include "base/check.h"

#include <string.h>

#define TAG_LEAF 0x00
#define TAG_NODE 0x01

void mf__merkle_hash_leaf(const void *leaf, size_t len, uint8_t ret_hash[MF_SHA256_LEN])
{
    static const uint8_t tag = TAG_LEAF;
    struct mf_sha256 sha;
    mf_sha256_begin(&sha);
    mf_sha256_add(&sha, &tag, 1);
    mf_sha256_add(&sha, leaf, len);
    mf_sha256_end(&sha, ret_hash);
}

void mf__merkle_hash_node(const uint8_t left[MF_SHA256_LEN], const uint8_t right[MF_SHA256_LEN],
                          uint8_t ret_hash[MF_SHA256_LEN])
{
    uint8_t bytes[1 + 2 * MF_SHA256_LEN];
    bytes[0] = TAG_NODE;
    memcpy(bytes + 1, left, MF_SHA256_LEN);
    memcpy(bytes + 1 + MF_SHA256_LEN, right, MF_SHA256_LEN);
    mf_sha256(bytes, sizeof bytes, ret_hash);
}

void mf__merkle_append(struct mf_merkle_frontier *frontier, const uint8_t leaf[MF_SHA256_LEN],
                       void (*completed)(void *context, const uint8_t hash[MF_SHA256_LEN]),
                       void *context)
{
    MF_ASSERT(frontier->size < MF_MERKLE_SIZE_MAX);
    uint8_t hash[MF_SHA256_LEN];
    memcpy(hash, leaf, sizeof hash);
    unsigned level = 0;
    for (; (frontier->size >> level & 1) != 0; level++) {
        if (completed != NULL) {
            completed(context, hash);
        }
        mf__merkle_hash_node(frontier->peaks[level], hash, hash);
    }
    if (completed != NULL) {
        completed(context, hash);
    }
    memcpy(frontier->peaks[level], hash, sizeof hash);
    frontier->size++;
}

void mf__merkle_root(const struct mf_merkle_frontier *frontier, uint8_t ret_root[MF_SHA256_LEN])
{
    if (frontier->size == 0) {
        mf_sha256("", 0, ret_root);
        return;
    }
    bool some = false;
    for (unsigned level = 0; level < MF_MERKLE_LEVELS; level++) {
        if ((frontier->size >> level & 1) == 0) {
            continue;
        }
        if (some) {
            mf__merkle_hash_node(frontier->peaks[level], ret_root, ret_root);
        } else {
            memcpy(ret_root, frontier->peaks[level], MF_SHA256_LEN);
            some = true;
        }
    }
}

/* ---- proofs ---- */

static uint64_t greatest_power_below(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1)); /* n >= 2 */
}

int mf__merkle_frontier_at(const struct mf_merkle_source *source, uint64_t size,
                           struct mf_merkle_frontier *ret_frontier)
{
    ret_frontier->size = size;
    for (unsigned level = 0; level < MF_MERKLE_LEVELS; level++) {
        if ((size >> level & 1) != 0) {
            int code = source->read(source->context, level, (size >> level) - 1,
                                    ret_frontier->peaks[level]);
            if (code < 0) {
                return code;
            }
        }
    }
    return 0;
}

/* The root over the leaves [first, end), which begin where a subtree of such a size does. */
static int root_of(const struct mf_merkle_source *source, uint64_t first, uint64_t end,
                   uint8_t ret_root[MF_SHA256_LEN])
{
    uint64_t size = end - first;
    bool some = false;
    for (unsigned level = 0; size >> level != 0; level++) {
        if ((size >> level & 1) == 0) {
            continue;
        }
        uint8_t peak[MF_SHA256_LEN];
        int code = source->read(source->context, level, (end >> level) - 1, peak);
        if (code < 0) {
            return code;
        }
        end -= UINT64_C(1) << level;
        if (some) {
            mf__merkle_hash_node(peak, ret_root, ret_root);
        } else {
            memcpy(ret_root, peak, MF_SHA256_LEN);
            some = true;
        }
    }
    return 0;
}

static void turn_around(struct mf_merkle_path *path)
{
    for (uint32_t a = 0, b = path->count; a + 1 < b; a++) {
        uint8_t kept[MF_SHA256_LEN];
        b--;
        memcpy(kept, path->hashes[a], sizeof kept);
        memcpy(path->hashes[a], path->hashes[b], sizeof kept);
        memcpy(path->hashes[b], kept, sizeof kept);
    }
}

int mf__merkle_prove_leaf(const struct mf_merkle_source *source, uint64_t index, uint64_t size,
                          struct mf_merkle_path *ret_path)
{
    MF_ASSERT(index < size && size <= MF_MERKLE_SIZE_MAX);
    ret_path->count = 0;
    uint64_t first = 0;
    uint64_t end = size;
    while (end - first > 1) { /* from the root down; the path counts upwards */
        uint64_t middle = first + greatest_power_below(end - first);
        bool right = index >= middle;
        int code = root_of(source, right ? first : middle, right ? middle : end,
                           ret_path->hashes[ret_path->count]);
        if (code < 0) {
            return code;
        }
        ret_path->count++;
        first = right ? middle : first;
        end = right ? end : middle;
    }
    turn_around(ret_path);
    return 0;
}

int mf__merkle_prove_extension(const struct mf_merkle_source *source, uint64_t old_size,
                               uint64_t size, struct mf_merkle_path *ret_path)
{
    MF_ASSERT(old_size <= size && size <= MF_MERKLE_SIZE_MAX);
    ret_path->count = 0;
    if (old_size == 0 || old_size == size) {
        return 0;
    }
    uint64_t first = 0;
    uint64_t end = size;
    int code = 0;
    while (old_size < end && code >= 0) {
        uint64_t middle = first + greatest_power_below(end - first);
        bool right = old_size > middle;
        code = root_of(source, right ? first : middle, right ? middle : end,
                       ret_path->hashes[ret_path->count++]);
        first = right ? middle : first;
        end = right ? end : middle;
    }
    /* What is left is the end of the old list; if it is all of it, its root is known anyway. */
    if (first != 0 && code >= 0) {
        code = root_of(source, first, end, ret_path->hashes[ret_path->count++]);
    }
    if (code < 0) {
        return code;
    }
    turn_around(ret_path);
    return 0;
}

/* ---- verification ---- */

bool mf__merkle_leaf_root(const uint8_t leaf[MF_SHA256_LEN], uint64_t index, uint64_t size,
                          const uint8_t *hashes, size_t count, uint8_t ret_root[MF_SHA256_LEN])
{
    if (index >= size || size > MF_MERKLE_SIZE_MAX || count > MF_MERKLE_PATH_MAX) {
        return false;
    }
    uint64_t node = index;
    uint64_t last = size - 1;
    uint8_t hash[MF_SHA256_LEN];
    memcpy(hash, leaf, sizeof hash);
    for (; count > 0; count--, hashes += MF_SHA256_LEN) {
        if (last == 0) {
            return false; /* too long */
        }
        if ((node & 1) != 0 || node == last) {
            mf__merkle_hash_node(hashes, hash, hash);
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            mf__merkle_hash_node(hash, hashes, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    if (last != 0) {
        return false; /* too short */
    }
    memcpy(ret_root, hash, sizeof hash);
    return true;
}

bool mf__merkle_extends(uint64_t old_size, const uint8_t old_root[MF_SHA256_LEN], uint64_t size,
                        const uint8_t root[MF_SHA256_LEN], const uint8_t *hashes, size_t count)
{
    if (old_size > size || size > MF_MERKLE_SIZE_MAX || count > MF_MERKLE_PATH_MAX) {
        return false;
    }
    if (old_size == size) {
        return count == 0 && memcmp(old_root, root, MF_SHA256_LEN) == 0;
    }
    if (old_size == 0) { /* every list begins with the empty one */
        uint8_t empty[MF_SHA256_LEN];
        mf_sha256("", 0, empty);
        return count == 0 && memcmp(old_root, empty, MF_SHA256_LEN) == 0;
    }
    uint8_t old_hash[MF_SHA256_LEN];
    uint8_t hash[MF_SHA256_LEN];
    if ((old_size & (old_size - 1)) == 0) { /* a full tree: its root begins the path */
        memcpy(hash, old_root, sizeof hash);
    } else if (count > 0) {
        memcpy(hash, hashes, sizeof hash);
        hashes += MF_SHA256_LEN;
        count--;
    } else {
        return false;
    }
    memcpy(old_hash, hash, sizeof hash);
    uint64_t node = old_size - 1;
    uint64_t last = size - 1;
    for (; (node & 1) != 0; node >>= 1) {
        last >>= 1;
    }
    for (; count > 0; count--, hashes += MF_SHA256_LEN) {
        if (last == 0) {
            return false;
        }
        if ((node & 1) != 0 || node == last) {
            mf__merkle_hash_node(hashes, old_hash, old_hash);
            mf__merkle_hash_node(hashes, hash, hash);
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            mf__merkle_hash_node(hash, hashes, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && memcmp(old_hash, old_root, MF_SHA256_LEN) == 0 &&
           memcmp(hash, root, MF_SHA256_LEN) == 0;
}
