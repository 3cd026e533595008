/* SPDX-License-Identifier: Apache-2.0
 *
 * seal_manifest.h -- the list of a flight's files with what is in them: seal.json (docs/formats.md,
 * section "Seal"). */
#ifndef FLIGHT_SEAL_MANIFEST_H
#define FLIGHT_SEAL_MANIFEST_H

#include "state/sha256.h"

#include "base/buffer.h"

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MF_SEAL_FILE      "seal.json"
#define MF_SEAL_FILE_NEW  "seal.json.new"
#define MF_SEAL_FILES_MAX 65536u
#define MF_SEAL_PATH_MAX  4096u
#define MF_SEAL_LEN_MAX   (32u << 20) /* bytes of seal.json */
#define MF_SEAL_VALUE_LEN 40u

struct mf_seal_entry {
    char *path; /* below the flight, "metrics/metrics.archive"; UTF-8 */
    uint64_t size_bytes;
    uint8_t sha256[MF_SHA256_LEN];
    uint64_t block_bytes; /* distance of the checksums: a power of two */
    uint32_t *blocks;     /* CRC32C of each block; block_count of them */
    uint32_t block_count;
};

struct mf_seal_manifest {
    char id[80]; /* of the flight */
    struct mf_seal_entry *entries;
    size_t count; /* in the order of the bytes of their paths */
    uint8_t root[MF_SHA256_LEN];
    uint64_t bytes; /* in all files */
};

void mf__seal_manifest_free(struct mf_seal_manifest *manifest); /* frees and empties */

/* Reads all files below `dir` but seal.json itself. Other things than files and directories, and
 * names that are not UTF-8, are MF_EVALUE. Links are not followed. */
int mf__seal_manifest_make(const char *dir, const char *id, struct mf_seal_manifest *ret_manifest,
                           struct mf_errinfo *err);

/* The same bytes for the same files. */
void mf__seal_manifest_write(const struct mf_seal_manifest *manifest, struct mf_buffer *out);
/* Takes the text of a seal.json apart and checks it: form, order, limits, and that its root is the
 * root of its entries. MF_ECORRUPT, MF_EFORMAT, MF_EVERSION, -ENOMEM. */
int mf__seal_manifest_parse(const char *text, size_t len, const char *origin,
                            struct mf_seal_manifest *ret_manifest, struct mf_errinfo *err);

struct mf_list_tree;
/* The tree over the entries, with its root; for mf_list_tree_free(). */
int mf__seal_manifest_tree(const struct mf_seal_manifest *manifest, struct mf_list_tree **ret_tree,
                           struct mf_errinfo *err);
/* What the tree of a manifest has for a file: its size and its SHA-256. */
void mf__seal_entry_value(const struct mf_seal_entry *entry, uint8_t ret_value[MF_SEAL_VALUE_LEN]);
/* The entry of that path, or NULL. */
const struct mf_seal_entry *mf__seal_manifest_find(const struct mf_seal_manifest *manifest,
                                                   const char *path);

/* ---- the files of a flight ---- */

enum mf_seal_kind { MF_SEAL_IS_FILE, MF_SEAL_IS_DIRECTORY, MF_SEAL_IS_OTHER };
struct mf_seal_name {
    char *path; /* below the flight */
    enum mf_seal_kind kind;
};
struct mf_seal_names {
    struct mf_seal_name *items; /* in the order of the bytes of their paths */
    size_t count;
};
/* Everything below `dir`. */
int mf__seal_names_read(const char *dir, struct mf_seal_names *ret_names, struct mf_errinfo *err);
void mf__seal_names_free(struct mf_seal_names *names);

/* Reads a file: its size, SHA-256, and the checksums of its blocks. `like` NULL: with blocks of
 * the size that a new entry gets; else with blocks as that entry has them, as far as it goes: of a
 * file that has grown, what was there before. ret_entry->path stays NULL. */
int mf__seal_entry_read(const char *dir, const char *path, const struct mf_seal_entry *like,
                        struct mf_seal_entry *ret_entry, struct mf_errinfo *err);
void mf__seal_entry_free(struct mf_seal_entry *entry);

#define MF_SEAL_HEX_LEN (2 * MF_SHA256_LEN + 1)
char *mf__seal_hex(const uint8_t hash[MF_SHA256_LEN], char out[MF_SEAL_HEX_LEN]);
/* False when it is not 64 hexadecimal digits. */
bool mf__seal_unhex(const char *text, uint8_t ret_hash[MF_SHA256_LEN]);

#endif
