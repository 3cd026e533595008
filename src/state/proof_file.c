/* SPDX-License-Identifier: Apache-2.0
 *
 * proof_file.c -- the file of a proof: taken apart and put together. Everything is little-endian.
 *
 *     magic "MFPROOF", 0 | u16 version, 1 | u16 kind | u32 length of the file
 *     u64 size, hash (32): the root that it is for
 *     EXTENSION   u64 size, hash (32): the earlier root | path
 *     others      u16 length, the leaf | path
 *     KEY         entry
 *     FILE        entry, entry
 *     u32 CRC-32C of all before
 *
 *     path        u8 how many, the hashes (32 each)
 *     entry       u8 flags (1: present, 2: with its value) | u16 length, the key
 *                 where it is present: u32 length, the value; or the hash of the value (32)
 *                 u32 length, the steps (proof.c)
 *
 * Valid is a file of exactly the length that it says, in which every part has its place, nothing is
 * left over, and of which there is no second form: whoever encodes what was decoded gets the same
 * bytes. All lengths are checked before anything is taken. And nothing is in it that the check of
 * the proof does not depend on.
 */
#include "base/bytes.h"
#include "base/fail.h"
#include "base/hash.h"
#include "proof_private.h"
#include "tree_hash.h"

#include <inttypes.h>
#include <string.h>

#define VERSION       1u
#define HEAD_LEN      16u
#define CRC_LEN       4u
#define ENTRY_PRESENT 1u
#define ENTRY_VALUE   2u

static const uint8_t magic[8] = {'M', 'F', 'P', 'R', 'O', 'O', 'F', 0};

/* ---- taking apart ---- */

struct reading {
    const uint8_t *bytes;
    size_t len;
    size_t at;
    bool failed; /* something was asked for that is not there: all that follows is empty */
};

static const uint8_t *get(struct reading *reading, size_t len)
{
    if (reading->failed || len > reading->len - reading->at) {
        reading->failed = true;
        return NULL;
    }
    const uint8_t *bytes = reading->bytes + reading->at;
    reading->at += len;
    return bytes;
}

static uint32_t get_number(struct reading *reading, size_t len)
{
    uint32_t number = 0;
    const uint8_t *bytes = get(reading, len);
    if (bytes != NULL) {
        memcpy(&number, bytes, len);
    }
    return number;
}

static void get_root(struct reading *reading, struct mf_proof_root *ret_root)
{
    const uint8_t *bytes = get(reading, 8 + MF_PROOF_HASH_LEN);
    if (bytes != NULL) {
        ret_root->size = mf_load_u64(bytes);
        memcpy(ret_root->hash, bytes + 8, MF_PROOF_HASH_LEN);
    }
}

static void get_path(struct reading *reading, struct mf_proof *proof)
{
    proof->path_count = get_number(reading, 1);
    reading->failed = reading->failed || proof->path_count > MF_PROOF_PATH_MAX;
    proof->path = get(reading, (size_t)proof->path_count * MF_PROOF_HASH_LEN);
}

static void get_entry(struct reading *reading, struct mf_proof_entry *entry)
{
    uint32_t flags = get_number(reading, 1);
    entry->present = (flags & ENTRY_PRESENT) != 0;
    entry->key_len = get_number(reading, 2);
    entry->key = get(reading, entry->key_len);
    if (flags == (ENTRY_PRESENT | ENTRY_VALUE)) {
        entry->value_len = get_number(reading, 4);
        reading->failed = reading->failed || entry->value_len > MF_PROOF_VALUE_MAX;
        entry->value = get(reading, entry->value_len);
        if (entry->value != NULL) {
            mf__tree_hash_value(entry->value, entry->value_len, entry->value_hash);
        }
    } else if (flags == ENTRY_PRESENT) {
        const uint8_t *hash = get(reading, MF_PROOF_HASH_LEN);
        if (hash != NULL) {
            memcpy(entry->value_hash, hash, MF_PROOF_HASH_LEN);
        }
    } else if (flags != 0) {
        reading->failed = true;
    }
    entry->steps_len = get_number(reading, 4);
    entry->steps = get(reading, entry->steps_len);
    reading->failed = reading->failed || entry->key_len > MF_PROOF_KEY_MAX;
}

static int check_frame(const uint8_t *bytes, size_t len, struct mf_errinfo *err)
{
    if (len < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0) {
        return mf_fail(err, MF_EFORMAT, "this is no proof: it does not begin with MFPROOF");
    }
    if (len > MF_PROOF_LEN_MAX) {
        return mf_fail(err, MF_ECORRUPT, "%zu bytes are more than a proof has (at most %u)", len,
                       MF_PROOF_LEN_MAX);
    }
    if (len < HEAD_LEN + CRC_LEN) {
        return mf_fail(err, MF_ECORRUPT, "the proof ends at offset %zu, in its head", len);
    }
    if (mf_load_u16(bytes + 8) != VERSION) {
        return mf_fail(err, MF_EVERSION,
                       "the proof has format version %u, this build knows %u; use a newer build",
                       (unsigned)mf_load_u16(bytes + 8), VERSION);
    }
    if (mf_load_u32(bytes + 12) != len) {
        return mf_fail(err, MF_ECORRUPT, "the proof has %zu bytes and says %" PRIu32, len,
                       mf_load_u32(bytes + 12));
    }
    if (mf_load_u32(bytes + len - CRC_LEN) != mf_crc32c(0, bytes, len - CRC_LEN)) {
        return mf_fail(err, MF_ECORRUPT, "the proof fails its checksum (%zu bytes from offset 0)",
                       len - CRC_LEN);
    }
    return 0;
}

int mf_proof_decode(const void *bytes, size_t len, struct mf_proof *ret_proof,
                    struct mf_errinfo *err)
{
    int code = check_frame(bytes, len, err);
    if (code < 0) {
        return code;
    }
    struct reading reading = {bytes, len - CRC_LEN, HEAD_LEN, false};
    struct mf_proof proof = {.kind = mf_load_u16(reading.bytes + 10)};
    if (proof.kind < MF_PROOF_COMMIT || proof.kind > MF_PROOF_FILE) {
        return mf_fail(err, MF_EVERSION, "a proof of kind %d is not known; use a newer build",
                       (int)proof.kind);
    }
    get_root(&reading, &proof.root);
    if (proof.kind == MF_PROOF_EXTENSION) {
        get_root(&reading, &proof.old_root);
    } else {
        proof.leaf_len = get_number(&reading, 2);
        proof.leaf = get(&reading, proof.leaf_len);
        reading.failed = reading.failed || proof.leaf_len > MF_PROOF_LEAF_MAX;
    }
    get_path(&reading, &proof);
    if (proof.kind == MF_PROOF_KEY || proof.kind == MF_PROOF_FILE) {
        get_entry(&reading, &proof.key);
    }
    if (proof.kind == MF_PROOF_FILE) {
        get_entry(&reading, &proof.file);
    }
    if (reading.failed || reading.at != reading.len) {
        return mf_fail(err, MF_ECORRUPT,
                       "the parts of the proof do not fit its length (offset %zu)", reading.at);
    }
    *ret_proof = proof;
    return 0;
}

/* ---- putting together ---- */

struct writing {
    uint8_t *bytes;
    size_t capacity;
    size_t len; /* may be above the capacity: then nothing more is written */
};

static void put(struct writing *writing, const void *bytes, size_t len)
{
    if (len <= writing->capacity && writing->len <= writing->capacity - len && len != 0) {
        memcpy(writing->bytes + writing->len, bytes, len);
    }
    writing->len += len;
}

/* The `len` lowest bytes. */
static void put_number(struct writing *writing, uint64_t number, size_t len)
{
    put(writing, &number, len);
}

static void put_root(struct writing *writing, const struct mf_proof_root *root)
{
    put_number(writing, root->size, 8);
    put(writing, root->hash, sizeof root->hash);
}

static void put_entry(struct writing *writing, const struct mf_proof_entry *entry)
{
    unsigned flags = (entry->present ? ENTRY_PRESENT : 0) |
                     (entry->present && entry->value != NULL ? ENTRY_VALUE : 0);
    put_number(writing, flags, 1);
    put_number(writing, entry->key_len, 2);
    put(writing, entry->key, entry->key_len);
    if ((flags & ENTRY_VALUE) != 0) {
        put_number(writing, entry->value_len, 4);
        put(writing, entry->value, entry->value_len);
    } else if (entry->present) {
        put(writing, entry->value_hash, sizeof entry->value_hash);
    }
    put_number(writing, entry->steps_len, 4);
    put(writing, entry->steps, entry->steps_len);
}

static bool entry_fits(const struct mf_proof_entry *entry)
{
    return entry->key_len <= MF_PROOF_KEY_MAX && entry->value_len <= MF_PROOF_VALUE_MAX &&
           entry->steps_len <= MF_PROOF_LEN_MAX;
}

int mf_proof_encode(const struct mf_proof *proof, void *out, size_t capacity,
                    struct mf_errinfo *err)
{
    if (proof->kind < MF_PROOF_COMMIT || proof->kind > MF_PROOF_FILE) {
        return mf_fail(err, MF_EVALUE, "there is no proof of kind %d", (int)proof->kind);
    }
    if (proof->path_count > MF_PROOF_PATH_MAX || proof->leaf_len > MF_PROOF_LEAF_MAX ||
        !entry_fits(&proof->key) || !entry_fits(&proof->file)) {
        return mf_fail(err, MF_ELIMIT, "a part of the proof is longer than it can be");
    }
    struct writing writing = {out, capacity, 0};
    put(&writing, magic, sizeof magic);
    put_number(&writing, VERSION, 2);
    put_number(&writing, proof->kind, 2);
    put_number(&writing, 0, 4); /* the length, when it is known */
    put_root(&writing, &proof->root);
    if (proof->kind == MF_PROOF_EXTENSION) {
        put_root(&writing, &proof->old_root);
    } else {
        put_number(&writing, proof->leaf_len, 2);
        put(&writing, proof->leaf, proof->leaf_len);
    }
    put_number(&writing, proof->path_count, 1);
    put(&writing, proof->path, (size_t)proof->path_count * MF_PROOF_HASH_LEN);
    if (proof->kind == MF_PROOF_KEY || proof->kind == MF_PROOF_FILE) {
        put_entry(&writing, &proof->key);
    }
    if (proof->kind == MF_PROOF_FILE) {
        put_entry(&writing, &proof->file);
    }
    size_t len = writing.len + CRC_LEN;
    if (len > MF_PROOF_LEN_MAX || len > capacity) {
        return mf_fail(err, MF_ELIMIT, "the proof has %zu bytes, and there is room for %zu", len,
                       capacity < MF_PROOF_LEN_MAX ? capacity : MF_PROOF_LEN_MAX);
    }
    mf_store_u32(writing.bytes + 12, (uint32_t)len);
    put_number(&writing, mf_crc32c(0, writing.bytes, len - CRC_LEN), CRC_LEN);
    return (int)len;
}
