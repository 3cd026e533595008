/* SPDX-License-Identifier: Apache-2.0
 * tree_hash.c -- see tree.c. Short preimages are put together first: one call is cheaper than five.
 */
#include "tree_hash.h"
#include "base/bytes.h"

#define TAG_EMPTY 0x10
#define TAG_VALUE 0x11
#define TAG_NODE  0x20
#define HAS_LEFT  0x01
#define HAS_RIGHT 0x02

#define SHORT 128 /* bytes of a key or value that is copied */

void mf__tree_hash_empty(uint8_t ret_hash[MF_SHA256_LEN])
{
    const uint8_t tag = TAG_EMPTY;
    mf_sha256(&tag, 1, ret_hash);
}

void mf__tree_hash_value(const void *value, size_t value_len, uint8_t ret_hash[MF_SHA256_LEN])
{
    uint8_t bytes[1 + SHORT] = {TAG_VALUE};
    if (value_len <= SHORT) {
        if (value_len != 0) {
            memcpy(bytes + 1, value, value_len);
        }
        mf_sha256(bytes, 1 + value_len, ret_hash);
        return;
    }
    struct mf_sha256 sha;
    mf_sha256_begin(&sha);
    mf_sha256_add(&sha, bytes, 1);
    mf_sha256_add(&sha, value, value_len);
    mf_sha256_end(&sha, ret_hash);
}

void mf__tree_hash_node(const uint8_t *key, uint16_t key_len, const uint8_t *value_hash,
                        const uint8_t *left, const uint8_t *right, uint8_t ret_hash[MF_SHA256_LEN])
{
    uint8_t bytes[3 + SHORT + 3 * MF_SHA256_LEN];
    bytes[0] =
        (uint8_t)(TAG_NODE | (left != NULL ? HAS_LEFT : 0) | (right != NULL ? HAS_RIGHT : 0));
    mf_store_u16(bytes + 1, key_len);
    uint8_t *tail = bytes + 3;
    if (key_len != 0 && key_len <= SHORT) {
        memcpy(tail, key, key_len);
        tail += key_len;
    }
    const uint8_t *hashes[3] = {value_hash, left, right};
    for (int i = 0; i < 3; i++) {
        if (hashes[i] != NULL) {
            memcpy(tail, hashes[i], MF_SHA256_LEN);
            tail += MF_SHA256_LEN;
        }
    }
    if (key_len <= SHORT) {
        mf_sha256(bytes, (size_t)(tail - bytes), ret_hash);
        return;
    }
    struct mf_sha256 sha;
    mf_sha256_begin(&sha);
    mf_sha256_add(&sha, bytes, 3);
    mf_sha256_add(&sha, key, key_len);
    mf_sha256_add(&sha, bytes + 3, (size_t)(tail - bytes - 3));
    mf_sha256_end(&sha, ret_hash);
}

int mf__tree_order(const void *a, size_t a_len, const void *b, size_t b_len)
{
    size_t common = a_len < b_len ? a_len : b_len;
    int difference = common == 0 ? 0 : memcmp(a, b, common);
    return difference != 0 ? difference : (a_len > b_len) - (a_len < b_len);
}
