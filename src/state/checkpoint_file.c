/* SPDX-License-Identifier: Apache-2.0
 * checkpoint_file.c -- a checkpoint: the whole state after one commit, as a record file (reclog).
 *
 * Format
 *   Record 1 says what it is: u32 version, u32 0, id of the store, u64 number of the commit, u64
 *   keys, u64 bytes of them, root of the state, root of the log, then the hashes that the Merkle
 *   log of so many commits consists of, one for each bit of the number that is set, the lowest
 *   first. Records of type 2 hold entries in the order of the keys, each a varint length, the key,
 *   a varint length, the value. The record of type 3 ends it: u64 number of entries.
 *
 * Validity
 *   Each record by its CRC and the chain of reclog, the whole by its last record, by the number of
 *   entries, and by the root, which is computed anew from the entries.
 */
#include "base/bytes.h"
#include "base/fail.h"
#include "base/heap.h"
#include "base/varint.h"
#include "state_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHECKPOINT_VERSION 1u
#define RECORD_HEAD        1u
#define RECORD_ENTRIES     2u
#define RECORD_END         3u
#define HEAD_FIXED_LEN     112u
#define BLOCK_BYTES        (512u << 10) /* entries are gathered up to here */

/* --- writing --- */

static int write_head(struct mf_reclog *log, const uint8_t *id, const struct version *version,
                      struct mf_errinfo *err)
{
    uint8_t head[HEAD_FIXED_LEN + MF_MERKLE_LEVELS * MF_SHA256_LEN];
    memset(head, 0, HEAD_FIXED_LEN);
    mf_store_u32(head, CHECKPOINT_VERSION);
    memcpy(head + 8, id, MF_STATE_ID_LEN);
    mf_store_u64(head + 24, version->seq);
    mf_store_u64(head + 32, version->tree.count);
    mf_store_u64(head + 40, version->tree.size_bytes);
    memcpy(head + 48, version->root, MF_SHA256_LEN);
    memcpy(head + 80, version->log_root, MF_SHA256_LEN);
    size_t len = HEAD_FIXED_LEN;
    for (unsigned level = 0; level < MF_MERKLE_LEVELS; level++) {
        if ((version->log.size >> level & 1) != 0) {
            memcpy(head + len, version->log.peaks[level], MF_SHA256_LEN);
            len += MF_SHA256_LEN;
        }
    }
    return mf_reclog_append(log, RECORD_HEAD, head, len, NULL, err);
}

static int write_entries(struct mf_reclog *log, const struct mf_tree *tree, struct mf_errinfo *err)
{
    struct mf_buffer block = MF_BUFFER_INIT;
    struct mf_tree_cursor cursor;
    struct mf_tree_item item;
    int code = 0;
    mf__tree_seek(tree, NULL, 0, &cursor);
    for (bool more = true; more && code == 0;) {
        more = mf__tree_next(&cursor, &item);
        size_t len = more ? item.key_len + (size_t)item.value_len + 2 * MF_VARINT_LEN_MAX : 0;
        if (block.len != 0 && (!more || block.len + len > BLOCK_BYTES)) {
            code = mf_reclog_append(log, RECORD_ENTRIES, block.data, block.len, NULL, err);
            mf_buffer_clear(&block);
        }
        char *out = more && code == 0 ? mf_buffer_reserve(&block, len) : NULL;
        if (out != NULL) {
            size_t at = mf_varint_put((uint8_t *)out, item.key_len);
            memcpy(out + at, item.key, item.key_len);
            at += item.key_len;
            at += mf_varint_put((uint8_t *)out + at, item.value_len);
            if (item.value_len != 0) {
                memcpy(out + at, item.value, item.value_len);
            }
            block.len += at + item.value_len;
        } else if (more && code == 0) {
            code = mf_fail_os(err, -ENOMEM, "cannot write a checkpoint");
        }
    }
    mf_buffer_free(&block);
    return code;
}

static int write_file(const struct mf_env *env, const char *path, uint32_t kind, const uint8_t *id,
                      const struct version *version, struct mf_errinfo *err)
{
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    options.durability = MF_RECLOG_NONE;
    options.kind = mf__store_role_kind(kind, STORE_ROLE_CHECKPOINT);
    options.buffer_bytes = 2 * BLOCK_BYTES;
    struct mf_reclog *log = NULL;
    int code = mf_reclog_open(path, &options, env, &log, err);
    if (code < 0) {
        return code;
    }
    code = write_head(log, id, version, err);
    if (code == 0) {
        code = write_entries(log, &version->tree, err);
    }
    if (code == 0) {
        uint8_t end[8];
        mf_store_u64(end, version->tree.count);
        code = mf_reclog_append(log, RECORD_END, end, sizeof end, NULL, err);
    }
    if (code == 0) {
        code = mf_reclog_sync(log, MF_RECLOG_ALL, err);
    }
    MF_KEEP_FIRST(code, mf_reclog_close(log, code == 0 ? err : NULL));
    return code;
}

int mf__checkpoint_write(const struct mf_env *env, const char *directory, uint32_t kind,
                         const uint8_t *id, struct version *version, struct mf_errinfo *err)
{
    char *path = mf__store_path(directory, STORE_CHECKPOINT, version->seq, NULL);
    char *temporary = mf__store_path(directory, STORE_CHECKPOINT, version->seq, STORE_TEMPORARY);
    int code = path != NULL && temporary != NULL
                   ? 0
                   : mf_fail_os(err, -ENOMEM, "cannot write a checkpoint in %.200s", directory);
    if (code == 0) {
        /* One that a failure left, of the same commit. */
        code = mf_fs_unlink(env->fs, temporary, NULL) == 0 ? 0 : 0;
        code = write_file(env, temporary, kind, id, version, err);
        if (code == 0) {
            code = mf_fs_rename(env->fs, temporary, path, err);
        }
        if (code < 0) {
            (void)mf_fs_unlink(env->fs, temporary, NULL); /* the first failure is to be told */
        } else {
            code = mf_fs_sync_directory(env->fs, directory, err);
        }
    }
    mf_free(path);
    mf_free(temporary);
    return code;
}

/* --- reading --- */

struct loading {
    const char *path;
    uint64_t seq;
    struct checkpoint_damage *salvage; /* NULL: damage is refused */
    struct mf_tree_builder builder;
    struct version version; /* from the head; its tree comes last */
    uint64_t keys;          /* that there should be */
    uint64_t found;
    bool has_head;
    bool ended;
};

static int bad(const struct loading *loading, uint64_t offset, const char *what,
               struct mf_errinfo *err)
{
    return mf_fail(err, MF_ECORRUPT, "%.200s: the record at offset %" PRIu64 " %s", loading->path,
                   offset, what);
}

static int take_head(struct loading *loading, const struct mf_reclog_record *record,
                     struct mf_errinfo *err)
{
    const uint8_t *head = record->payload;
    if (record->len < HEAD_FIXED_LEN) {
        return bad(loading, record->offset, "is too short for a head", err);
    }
    if (mf_load_u32(head) != CHECKPOINT_VERSION) {
        return mf_fail(err, MF_EVERSION,
                       "%.200s has format version %" PRIu32 ", this build knows %u; use a newer "
                       "build",
                       loading->path, mf_load_u32(head), CHECKPOINT_VERSION);
    }
    struct version *version = &loading->version;
    version->seq = mf_load_u64(head + 24);
    if (version->seq != loading->seq || version->seq >= MF_MERKLE_SIZE_MAX) {
        return bad(loading, record->offset, "is of another commit than the name of the file says",
                   err);
    }
    memcpy(version->root, head + 48, MF_SHA256_LEN);
    memcpy(version->log_root, head + 80, MF_SHA256_LEN);
    version->log.size = version->seq;
    size_t at = HEAD_FIXED_LEN;
    for (unsigned level = 0; level < MF_MERKLE_LEVELS; level++) {
        if ((version->seq >> level & 1) != 0 && record->len - at >= MF_SHA256_LEN) {
            memcpy(version->log.peaks[level], head + at, MF_SHA256_LEN);
            at += MF_SHA256_LEN;
        } else if ((version->seq >> level & 1) != 0) {
            return bad(loading, record->offset, "has too few hashes of the log", err);
        }
    }
    uint8_t log_root[MF_SHA256_LEN];
    mf__merkle_root(&version->log, log_root);
    if (at != record->len || memcmp(log_root, version->log_root, MF_SHA256_LEN) != 0) {
        return bad(loading, record->offset, "has hashes of the log that do not give its root", err);
    }
    loading->keys = mf_load_u64(head + 32);
    loading->has_head = true;
    return 0;
}

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

static int take_entries(struct loading *loading, const struct mf_reclog_record *record,
                        struct mf_errinfo *err)
{
    for (size_t at = 0; at < record->len;) {
        const uint8_t *key = NULL;
        const uint8_t *value = NULL;
        size_t key_len = 0;
        size_t value_len = 0;
        if (!get_bytes(record->payload, record->len, &at, &key, &key_len) ||
            !get_bytes(record->payload, record->len, &at, &value, &value_len) || key_len == 0 ||
            key_len > MF_STATE_KEY_MAX || value_len > MF_STATE_VALUE_MAX) {
            return bad(loading, record->offset, "holds something that is no entry", err);
        }
        int code = mf__tree_build_add(&loading->builder, key, key_len, value, value_len);
        if (code == MF_EVALUE) {
            return bad(loading, record->offset, "holds keys that are out of order", err);
        }
        if (code < 0) {
            return mf_fail_os(err, code, "cannot read %.200s", loading->path);
        }
        loading->found++;
    }
    return 0;
}

static int take(struct loading *loading, const struct mf_reclog_record *record,
                struct mf_errinfo *err)
{
    if (record->type == RECORD_HEAD && record->seq == 1) {
        return take_head(loading, record, err);
    }
    if (record->type == RECORD_ENTRIES && loading->has_head) {
        return take_entries(loading, record, err);
    }
    if (record->type == RECORD_END && loading->has_head && record->len == 8) {
        loading->ended = true;
        return mf_load_u64(record->payload) == loading->keys
                   ? 0
                   : bad(loading, record->offset, "counts other entries than the head", err);
    }
    return bad(loading, record->offset, "is none of a checkpoint", err);
}

/* Reads on behind damage, if that is wanted: 1 when there is more, 0 at the end. */
static int skip(struct loading *loading, struct mf_reclog_reader *reader, struct mf_errinfo *err)
{
    struct checkpoint_damage *salvage = loading->salvage;
    if (salvage->sentence[0] == '\0') {
        (void)snprintf(salvage->sentence, sizeof salvage->sentence, "%s",
                       err != NULL ? err->msg : "");
    }
    return mf_reclog_reader_skip(reader, NULL, err);
}

static int read_records(struct loading *loading, struct mf_reclog_reader *reader,
                        struct mf_errinfo *err)
{
    while (!loading->ended) {
        struct mf_reclog_record record;
        int code = mf_reclog_next(reader, &record, err);
        if (code == 1) {
            code = take(loading, &record, err);
        } else if (code == 0) {
            code =
                bad(loading, mf_reclog_reader_offset(reader), "is missing: the file was cut", err);
        }
        if (loading->salvage != NULL && loading->has_head &&
            (code == MF_ETORN || code == MF_ECORRUPT)) {
            code = skip(loading, reader, err);
            if (code == 0) {
                return 0;
            }
            code = code == 1 ? 0 : code;
        }
        if (code < 0) {
            return code;
        }
    }
    return 0;
}

/* The tree, if it is what was committed. */
static int finish(struct loading *loading, struct mf_errinfo *err)
{
    struct version *version = &loading->version;
    version->tree = mf__tree_build_end(&loading->builder);
    uint8_t root[MF_SHA256_LEN];
    mf__tree_root(&version->tree, root);
    if (loading->found == loading->keys && memcmp(root, version->root, MF_SHA256_LEN) == 0) {
        return 0;
    }
    if (loading->salvage != NULL && loading->salvage->sentence[0] != '\0') {
        loading->salvage->lost_keys =
            loading->keys > loading->found ? loading->keys - loading->found : 0;
        return 0;
    }
    mf__version_release(version);
    return mf_fail(err, MF_ECORRUPT,
                   "%.200s: its %" PRIu64 " entries (of %" PRIu64
                   ") do not give the root that was committed",
                   loading->path, loading->found, loading->keys);
}

int mf__checkpoint_read(const struct mf_env *env, const char *path, uint32_t kind, uint64_t seq,
                        struct checkpoint_damage *salvage, struct version *ret_version,
                        struct mf_errinfo *err)
{
    struct mf_errinfo local = {0, ""};
    err = err != NULL ? err : &local; /* what is damaged is told in its words */
    struct loading loading = {.path = path, .seq = seq, .salvage = salvage};
    struct mf_reclog_reader *reader = NULL;
    int code = mf_reclog_reader_open(path, env, &reader, err);
    if (code == 0 && mf_reclog_reader_kind(reader) == 0) {
        code = mf_fail(err, MF_ECORRUPT, "%.200s ends before its header, at offset 0", path);
    } else if (code == 0 && kind != 0 &&
               mf_reclog_reader_kind(reader) != mf__store_role_kind(kind, STORE_ROLE_CHECKPOINT)) {
        code = mf_fail(err, MF_EMISMATCH, "%.200s is no checkpoint of this store", path);
    }
    if (code == 0) {
        code = read_records(&loading, reader, err);
    }
    mf_reclog_reader_close(reader);
    if (code < 0) {
        mf__tree_build_abort(&loading.builder);
        return code;
    }
    code = finish(&loading, err);
    if (code == 0) {
        *ret_version = loading.version;
    }
    return code;
}
