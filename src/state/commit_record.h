/* SPDX-License-Identifier: Apache-2.0
 * commit_record.h -- the bytes of a commit, in the write-ahead log and in the history;
 * docs/formats.md has the same in words.
 *
 *     leaf      u64 number, i64 wall time, u32 kind, u32 length of the note, u64 number of changes,
 *               root of the state after it, SHA-256 of the changes, the note
 *     log root  of the Merkle log whose last leaf this is
 *     changes   each: u8 1 (put) or 2 (delete), varint length of the key, the key; of a put: varint
 *               length of the value, the value
 *
 * The leaf alone is what the Merkle log is made of and what the history keeps. */
#ifndef STATE_COMMIT_RECORD_H
#define STATE_COMMIT_RECORD_H

#include "state/sha256.h"

#include <mayfly/state.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMIT_FIXED_LEN 96u /* of a leaf without its note */
#define COMMIT_LEAF_MAX  (COMMIT_FIXED_LEN + MF_STATE_NOTE_MAX)

struct commit {
    uint64_t seq;
    int64_t wall_ns;
    uint32_t kind; /* enum mf_state_commit_kind */
    uint32_t note_len;
    uint64_t change_count;
    uint8_t root[MF_SHA256_LEN];
    uint8_t changes_hash[MF_SHA256_LEN];
    const uint8_t *note;

    /* As found in a record. */
    const uint8_t *leaf;
    size_t leaf_len;
    const uint8_t *log_root;
    const uint8_t *changes;
    size_t changes_len;
};

/* Writes the COMMIT_FIXED_LEN bytes that the note follows. */
void mf__commit_put(uint8_t *out, const struct commit *commit);
/* Takes a leaf apart: false when it is not one. The pointers go into `leaf`. */
bool mf__commit_leaf_get(const uint8_t *leaf, size_t len, struct commit *ret_commit);
/* The same of a whole record. The changes are not looked at. */
bool mf__commit_get(const uint8_t *record, size_t len, struct commit *ret_commit);

struct change {
    uint32_t kind; /* enum mf_state_change_kind */
    const uint8_t *key;
    size_t key_len;
    const uint8_t *value;
    size_t value_len;
};

/* The most that a change takes beside its key and value. */
#define CHANGE_OVERHEAD_MAX 21u
/* Writes the change without its value; returns how many bytes. `out` has room for key_len +
 * CHANGE_OVERHEAD_MAX. */
size_t mf__change_put(uint8_t *out, const struct change *change);
/* The change at *at, which is moved behind it: 1, 0 at the end, -1 when the bytes are none. */
int mf__change_next(const uint8_t *changes, size_t len, size_t *at, struct change *ret_change);

#endif
