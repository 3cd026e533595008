/* SPDX-License-Identifier: Apache-2.0
 * seal_files.c -- what there is below the directory of a flight, and what is in it. Directories
 * wait in a list, not on the stack: their depth comes from outside. */
#include "seal_manifest.h"

#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"
#include "os/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES      ((size_t)256 << 10)
#define BLOCK_BYTES_MIN 4096u
#define BLOCKS_MAX      1024u

/* ---- names ---- */

struct listing {
    struct mf_seal_names names;
    const char *below; /* the directory that is listed, with a slash; "" at the top */
    struct mf_errinfo *err;
};

void mf__seal_names_free(struct mf_seal_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        mf_free(names->items[i].path);
    }
    mf_free(names->items);
    *names = (struct mf_seal_names){NULL, 0};
}

static int add_name(struct listing *listing, char *path, enum mf_seal_kind kind)
{
    struct mf_seal_names *names = &listing->names;
    if (path == NULL) {
        return mf_fail(listing->err, -ENOMEM, "out of memory");
    }
    if (names->count >= MF_SEAL_FILES_MAX || strlen(path) > MF_SEAL_PATH_MAX) {
        mf_free(path);
        return mf_fail(listing->err, MF_ELIMIT,
                       "the flight has more than %u files, or too long names", MF_SEAL_FILES_MAX);
    }
    if ((names->count & (names->count - 1)) == 0) {
        const size_t room = names->count == 0 ? 8 : names->count * 2;
        struct mf_seal_name *items = mf_realloc(names->items, room * sizeof *items);
        if (items == NULL) {
            mf_free(path);
            return mf_fail(listing->err, -ENOMEM, "out of memory");
        }
        names->items = items;
    }
    names->items[names->count++] = (struct mf_seal_name){path, kind};
    return 0;
}

static int visit(void *context, const char *name, enum mf_file_kind kind)
{
    struct listing *listing = context;
    return add_name(listing, mf_asprintf("%s%s", listing->below, name),
                    kind == MF_KIND_FILE        ? MF_SEAL_IS_FILE
                    : kind == MF_KIND_DIRECTORY ? MF_SEAL_IS_DIRECTORY
                                                : MF_SEAL_IS_OTHER);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct mf_seal_name *)a)->path, ((const struct mf_seal_name *)b)->path);
}

int mf__seal_names_read(const char *dir, struct mf_seal_names *ret_names, struct mf_errinfo *err)
{
    struct listing listing = {.names = {NULL, 0}, .below = "", .err = err};
    int rc = mf_fs_list(NULL, dir, visit, &listing, err);
    for (size_t i = 0; rc == 0 && i < listing.names.count; i++) {
        if (listing.names.items[i].kind == MF_SEAL_IS_DIRECTORY) {
            char *path = mf_asprintf("%s/%s", dir, listing.names.items[i].path);
            char *below = mf_asprintf("%s/", listing.names.items[i].path);
            listing.below = below;
            rc = path != NULL && below != NULL ? mf_fs_list(NULL, path, visit, &listing, err)
                                               : mf_fail(err, -ENOMEM, "out of memory");
            mf_free(path);
            mf_free(below);
        }
    }
    if (rc < 0) {
        mf__seal_names_free(&listing.names);
        return rc;
    }
    if (listing.names.count > 1) {
        qsort(listing.names.items, listing.names.count, sizeof *listing.names.items, by_path);
    }
    *ret_names = listing.names;
    return 0;
}

/* ---- what is in a file ---- */

void mf__seal_entry_free(struct mf_seal_entry *entry)
{
    mf_free(entry->path);
    mf_free(entry->blocks);
    *entry = (struct mf_seal_entry){0};
}

static uint64_t block_for(uint64_t size_bytes)
{
    uint64_t block = BLOCK_BYTES_MIN;
    while ((size_bytes - 1) / block >= BLOCKS_MAX && size_bytes > 0) {
        block *= 2;
    }
    return block;
}

/* Checksums of the blocks of bytes [at, at + len) of a file, as far as the entry has blocks. */
static void sum_blocks(struct mf_seal_entry *entry, uint64_t covered_bytes, uint64_t at,
                       const uint8_t *bytes, size_t len)
{
    while (len > 0 && at < covered_bytes) {
        const uint64_t block = at / entry->block_bytes;
        uint64_t end = (block + 1) * entry->block_bytes;
        end = end < covered_bytes ? end : covered_bytes;
        const size_t part = end - at < len ? (size_t)(end - at) : len;
        entry->blocks[block] = mf_crc32c(entry->blocks[block], bytes, part);
        at += part;
        bytes += part;
        len -= part;
    }
}

static int read_file(struct mf_file *file, uint64_t covered_bytes, struct mf_seal_entry *entry,
                     struct mf_errinfo *err)
{
    const size_t room = entry->size_bytes < READ_BYTES ? (size_t)entry->size_bytes + 1 : READ_BYTES;
    uint8_t *bytes = mf_malloc(room);
    struct mf_sha256 sha;
    uint64_t at = 0;
    size_t len = 1;
    int rc = bytes != NULL ? 0 : mf_fail(err, -ENOMEM, "out of memory");
    mf_sha256_begin(&sha);
    while (rc == 0 && len > 0) {
        rc = mf_file_read(file, bytes, room, at, &len, err);
        if (rc == 0) {
            mf_sha256_add(&sha, bytes, len);
            sum_blocks(entry, covered_bytes, at, bytes, len);
            at += len;
        }
    }
    mf_sha256_end(&sha, entry->sha256);
    mf_free(bytes);
    if (rc == 0 && at != entry->size_bytes) {
        rc = mf_fail(err, MF_EBUSY, "%.300s changed while it was read", mf_file_path(file));
    }
    return rc;
}

int mf__seal_entry_read(const char *dir, const char *path, const struct mf_seal_entry *like,
                        struct mf_seal_entry *ret_entry, struct mf_errinfo *err)
{
    struct mf_seal_entry entry = {0};
    struct mf_file *file = NULL;
    struct mf_file_info info;
    char *whole = mf_asprintf("%s/%s", dir, path);
    int rc = whole != NULL ? mf_file_open(NULL, whole, MF_OPEN_READ | MF_OPEN_NOFOLLOW, &file, err)
                           : mf_fail(err, -ENOMEM, "out of memory");
    mf_free(whole);
    if (rc == 0) {
        rc = mf_file_info(file, &info, err);
    }
    if (rc == 0) {
        entry.size_bytes = info.size_bytes;
        entry.block_bytes = like != NULL ? like->block_bytes : block_for(info.size_bytes);
        const uint64_t covered_bytes =
            like != NULL && like->size_bytes < info.size_bytes ? like->size_bytes : info.size_bytes;
        entry.block_count = (uint32_t)((covered_bytes + entry.block_bytes - 1) / entry.block_bytes);
        entry.blocks = mf_calloc(entry.block_count + 1, sizeof *entry.blocks);
        rc = entry.blocks != NULL ? read_file(file, covered_bytes, &entry, err)
                                  : mf_fail(err, -ENOMEM, "out of memory");
    }
    mf_file_close(file);
    if (rc < 0) {
        mf__seal_entry_free(&entry);
        return rc;
    }
    *ret_entry = entry;
    return 0;
}
