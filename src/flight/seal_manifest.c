/* SPDX-License-Identifier: Apache-2.0
 * seal_manifest.c -- see seal_manifest.h. Its text is canonical: whoever makes it anew of the same
 * files gets the same bytes. */
#include "seal_manifest.h"

#include "base/bytes.h"
#include "base/fail.h"
#include "base/heap.h"
#include "fmt/json_read.h"
#include "fmt/json_write.h"
#include "fmt/utf8.h"
#include "os/file.h"
#include "state/list_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FORMAT          1
#define BLOCK_BYTES_MAX (UINT64_C(1) << 53)
#define CRC_DIGITS      8

static const char digits[] = "0123456789abcdef";

char *mf__seal_hex(const uint8_t hash[MF_SHA256_LEN], char out[MF_SEAL_HEX_LEN])
{
    for (size_t i = 0; i < MF_SHA256_LEN; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[MF_SEAL_HEX_LEN - 1] = '\0';
    return out;
}

/* The value of `count` digits, or -1. */
static int64_t hex_value(const char *text, size_t count)
{
    int64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL) {
            return -1;
        }
        value = value * 16 + (digit - digits);
    }
    return value;
}

bool mf__seal_unhex(const char *text, uint8_t ret_hash[MF_SHA256_LEN])
{
    uint8_t hash[MF_SHA256_LEN];
    if (strlen(text) != MF_SEAL_HEX_LEN - 1) {
        return false;
    }
    for (size_t i = 0; i < MF_SHA256_LEN; i++) {
        const int64_t value = hex_value(text + 2 * i, 2);
        if (value < 0) {
            return false;
        }
        hash[i] = (uint8_t)value;
    }
    memcpy(ret_hash, hash, sizeof hash);
    return true;
}

void mf__seal_manifest_free(struct mf_seal_manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        mf__seal_entry_free(&manifest->entries[i]);
    }
    mf_free(manifest->entries);
    *manifest = (struct mf_seal_manifest){.entries = NULL};
}

const struct mf_seal_entry *mf__seal_manifest_find(const struct mf_seal_manifest *manifest,
                                                   const char *path)
{
    size_t low = 0;
    size_t high = manifest->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(path, manifest->entries[middle].path);
        if (order == 0) {
            return &manifest->entries[middle];
        }
        low = order > 0 ? middle + 1 : low;
        high = order < 0 ? middle : high;
    }
    return NULL;
}

/* ---- the tree ---- */

void mf__seal_entry_value(const struct mf_seal_entry *entry, uint8_t ret_value[MF_SEAL_VALUE_LEN])
{
    mf_store_u64(ret_value, entry->size_bytes);
    memcpy(ret_value + 8, entry->sha256, MF_SHA256_LEN);
}

int mf__seal_manifest_tree(const struct mf_seal_manifest *manifest, struct mf_list_tree **ret_tree,
                           struct mf_errinfo *err)
{
    uint8_t root[MF_SHA256_LEN];
    struct mf_list_tree *tree = mf_list_tree_new();
    int rc = tree != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < manifest->count; i++) {
        const struct mf_seal_entry *entry = &manifest->entries[i];
        uint8_t value[MF_SEAL_VALUE_LEN];
        mf__seal_entry_value(entry, value);
        rc = mf_list_tree_add(tree, entry->path, strlen(entry->path), value, sizeof value);
    }
    if (rc < 0) {
        mf_list_tree_free(tree);
        return mf_fail(err, rc, "%s", mf_strerror(rc));
    }
    mf_list_tree_root(tree, root);
    *ret_tree = tree;
    return 0;
}

static int calculate_root(struct mf_seal_manifest *manifest, struct mf_errinfo *err)
{
    struct mf_list_tree *tree = NULL;
    const int rc = mf__seal_manifest_tree(manifest, &tree, err);
    if (rc < 0) {
        return rc;
    }
    mf_list_tree_root(tree, manifest->root);
    mf_list_tree_free(tree);
    manifest->bytes = 0;
    for (size_t i = 0; i < manifest->count; i++) {
        manifest->bytes += manifest->entries[i].size_bytes;
    }
    return 0;
}

/* ---- from files ---- */

static bool is_utf8(const char *text)
{
    for (size_t left = strlen(text), len = 0; left > 0; text += len, left -= len) {
        if (mf_utf8_get(text, left, &len) == MF_UTF8_INVALID) {
            return false;
        }
    }
    return true;
}

static int add_file(struct mf_seal_manifest *manifest, const char *dir,
                    const struct mf_seal_name *name, struct mf_errinfo *err)
{
    struct mf_seal_entry *entry = &manifest->entries[manifest->count];
    if (name->kind == MF_SEAL_IS_OTHER || !is_utf8(name->path)) {
        return mf_fail(err, MF_EVALUE,
                       "%.200s has something in it that is no flight's and cannot be sealed: "
                       "%.100s",
                       dir, name->path);
    }
    int rc = mf__seal_entry_read(dir, name->path, NULL, entry, err);
    if (rc == 0) {
        entry->path = mf_strdup(name->path);
        manifest->count++;
        rc = entry->path != NULL ? 0 : mf_fail(err, -ENOMEM, "out of memory");
    }
    return rc;
}

int mf__seal_manifest_make(const char *dir, const char *id, struct mf_seal_manifest *ret_manifest,
                           struct mf_errinfo *err)
{
    struct mf_seal_manifest manifest = {.entries = NULL};
    struct mf_seal_names names;
    int rc = mf__seal_names_read(dir, &names, err);
    if (rc < 0) {
        return rc;
    }
    snprintf(manifest.id, sizeof manifest.id, "%s", id);
    manifest.entries = mf_calloc(names.count + 1, sizeof *manifest.entries);
    rc = manifest.entries != NULL ? 0 : mf_fail(err, -ENOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        const char *path = names.items[i].path;
        if (names.items[i].kind != MF_SEAL_IS_DIRECTORY && strcmp(path, MF_SEAL_FILE) != 0 &&
            strcmp(path, MF_SEAL_FILE_NEW) != 0) {
            rc = add_file(&manifest, dir, &names.items[i], err);
        }
    }
    mf__seal_names_free(&names);
    if (rc == 0) {
        rc = calculate_root(&manifest, err);
    }
    if (rc < 0) {
        mf__seal_manifest_free(&manifest);
        return rc;
    }
    *ret_manifest = manifest;
    return 0;
}

/* ---- as text ---- */

static void write_entry(struct mf_json *json, const struct mf_seal_entry *entry)
{
    char hex[MF_SEAL_HEX_LEN];
    mf_json_begin_object(json);
    mf_json_key_string(json, "path", entry->path);
    mf_json_key_uint(json, "bytes", entry->size_bytes);
    mf_json_key_string(json, "sha256", mf__seal_hex(entry->sha256, hex));
    mf_json_key_uint(json, "block_bytes", entry->block_bytes);
    mf_json_key(json, "blocks");
    mf_json_raw(json, "\"", 1);
    for (uint32_t i = 0; i < entry->block_count; i++) {
        mf_buffer_printf(json->out, "%08x", entry->blocks[i]);
    }
    mf_buffer_putc(json->out, '"');
    mf_json_end_object(json);
}

void mf__seal_manifest_write(const struct mf_seal_manifest *manifest, struct mf_buffer *out)
{
    char hex[MF_SEAL_HEX_LEN];
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "format", FORMAT);
    mf_json_key_string(&json, "id", manifest->id);
    mf_json_key_string(&json, "root", mf__seal_hex(manifest->root, hex));
    mf_json_key(&json, "files");
    mf_json_begin_array(&json);
    for (size_t i = 0; i < manifest->count; i++) {
        write_entry(&json, &manifest->entries[i]);
    }
    mf_json_end_array(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

/* ---- from text ---- */

static int parse_blocks(struct mf_json_node node, struct mf_seal_entry *entry,
                        struct mf_errinfo *err)
{
    const char *text = NULL;
    int rc = mf_json_get_string(node, "blocks", &text, err);
    if (rc < 0) {
        return rc;
    }
    const uint64_t count = (entry->size_bytes + entry->block_bytes - 1) / entry->block_bytes;
    if (strlen(text) % CRC_DIGITS != 0 || strlen(text) / CRC_DIGITS != count) {
        return mf_fail(err, MF_ECORRUPT, "'%.100s' has %zu digits of checksums in %llu blocks",
                       entry->path, strlen(text), (unsigned long long)count);
    }
    entry->block_count = (uint32_t)count;
    entry->blocks = mf_calloc(entry->block_count + 1, sizeof *entry->blocks);
    if (entry->blocks == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < entry->block_count; i++) {
        const int64_t value = hex_value(text + (size_t)i * CRC_DIGITS, CRC_DIGITS);
        if (value < 0) {
            return mf_fail(err, MF_ECORRUPT, "'%.100s' has a checksum that is none", entry->path);
        }
        entry->blocks[i] = (uint32_t)value;
    }
    return 0;
}

/* A path that stays below the flight. */
static bool is_path(const char *path)
{
    const size_t len = strlen(path);
    bool good = len > 0 && len <= MF_SEAL_PATH_MAX && path[0] != '/' && path[len - 1] != '/';
    for (const char *part = path; good && part != NULL;) {
        const char *slash = strchr(part, '/');
        const size_t part_len = slash != NULL ? (size_t)(slash - part) : strlen(part);
        good = part_len > 0 && !(part_len == 1 && part[0] == '.') &&
               !(part_len == 2 && part[0] == '.' && part[1] == '.');
        part = slash != NULL ? slash + 1 : NULL;
    }
    return good;
}

static int parse_entry(struct mf_json_node node, struct mf_seal_entry *entry,
                       struct mf_errinfo *err)
{
    const char *path = NULL;
    const char *hex = NULL;
    int rc = mf_json_get_string(node, "path", &path, err);
    if (rc == 0 && !is_path(path)) {
        rc = mf_fail(err, MF_ECORRUPT, "'%.100s' is no path of a flight's file", path);
    }
    if (rc == 0) {
        entry->path = mf_strdup(path);
        rc = entry->path != NULL ? 0 : mf_fail(err, -ENOMEM, "out of memory");
    }
    rc = rc == 0 ? mf_json_get_uint(node, "bytes", &entry->size_bytes, err) : rc;
    rc = rc == 0 ? mf_json_get_uint(node, "block_bytes", &entry->block_bytes, err) : rc;
    rc = rc == 0 ? mf_json_get_string(node, "sha256", &hex, err) : rc;
    if (rc == 0 && !mf__seal_unhex(hex, entry->sha256)) {
        rc = mf_fail(err, MF_ECORRUPT, "'%.100s' is no SHA-256", hex);
    }
    if (rc == 0 && (entry->block_bytes == 0 || entry->block_bytes > BLOCK_BYTES_MAX ||
                    (entry->block_bytes & (entry->block_bytes - 1)) != 0)) {
        rc = mf_fail(err, MF_ECORRUPT, "blocks of %llu bytes",
                     (unsigned long long)entry->block_bytes);
    }
    return rc == 0 ? parse_blocks(node, entry, err) : rc;
}

static int parse_root(struct mf_json_node root, struct mf_seal_manifest *manifest,
                      struct mf_errinfo *err)
{
    int64_t format = 0;
    const char *text = NULL;
    struct mf_json_node files;
    int rc = mf_json_get_int(root, "format", &format, err);
    if (rc == 0 && format != FORMAT) {
        return mf_fail(err, MF_EVERSION, "format %lld; this version knows %d", (long long)format,
                       FORMAT);
    }
    rc = rc == 0 ? mf_json_get_string(root, "id", &text, err) : rc;
    if (rc == 0 && (strlen(text) >= sizeof manifest->id || text[0] == '\0')) {
        rc = mf_fail(err, MF_ECORRUPT, "'%.100s' is no flight", text);
    }
    if (rc == 0) {
        snprintf(manifest->id, sizeof manifest->id, "%s", text);
        rc = mf_json_get_array(root, "files", &files, err);
    }
    if (rc < 0) {
        return rc;
    }
    const size_t count = mf_json_len(files);
    if (count > MF_SEAL_FILES_MAX) {
        return mf_fail(err, MF_ELIMIT, "%zu files", count);
    }
    manifest->entries = mf_calloc(count + 1, sizeof *manifest->entries);
    if (manifest->entries == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct mf_seal_entry *entry = &manifest->entries[i];
        manifest->count = i + 1;
        rc = parse_entry(mf_json_element(files, i), entry, err);
        if (rc == 0 && i > 0 && strcmp(entry[-1].path, entry->path) >= 0) {
            rc = mf_fail(err, MF_ECORRUPT, "'%.100s' is not in its place", entry->path);
        }
    }
    return rc;
}

static int check_root(struct mf_json_node root, struct mf_seal_manifest *manifest,
                      struct mf_errinfo *err)
{
    const char *text = NULL;
    uint8_t said[MF_SHA256_LEN];
    int rc = mf_json_get_string(root, "root", &text, err);
    rc = rc == 0 ? calculate_root(manifest, err) : rc;
    if (rc == 0 &&
        (!mf__seal_unhex(text, said) || memcmp(said, manifest->root, sizeof said) != 0)) {
        rc = mf_fail(err, MF_ECORRUPT, "its root is not that of its files");
    }
    return rc;
}

int mf__seal_manifest_parse(const char *text, size_t len, const char *origin,
                            struct mf_seal_manifest *ret_manifest, struct mf_errinfo *err)
{
    const struct mf_json_limits limits = {.len_max_bytes = MF_SEAL_LEN_MAX, .depth_max = 4};
    struct mf_seal_manifest manifest = {.entries = NULL};
    struct mf_json_document *document = NULL;
    struct mf_errinfo why = {0};
    int rc = mf_json_parse(text, len, &limits, origin, &document, &why);
    rc = rc == 0 ? parse_root(mf_json_root(document), &manifest, &why) : rc;
    rc = rc == 0 ? check_root(mf_json_root(document), &manifest, &why) : rc;
    mf_json_free(document);
    if (rc < 0) {
        mf__seal_manifest_free(&manifest);
        rc = rc == -ENOMEM || rc == MF_EVERSION ? rc : MF_ECORRUPT;
        return mf_fail(err, rc, "%.150s: %.200s", origin, why.msg);
    }
    *ret_manifest = manifest;
    return 0;
}
