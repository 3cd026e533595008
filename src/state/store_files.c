/* SPDX-License-Identifier: Apache-2.0
 * store_files.c -- see store_files.h. */
#include "store_files.h"
#include "base/bytes.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* The identity: magic, u32 version, u32 length of the log's path, id, i64 time of creation, the
 * path, CRC-32C of all before. */
#define FIXED_LEN    40u
#define WAL_PATH_MAX 4096u

static const uint8_t magic[8] = {'M', 'F', 'S', 'T', 'A', 'T', 'E', 0};

uint32_t mf__store_kind(const struct store_identity *identity)
{
    uint32_t kind = mf_crc32c(0, identity->id, sizeof identity->id);
    return kind != 0 ? kind : 1; /* 0 means any */
}

uint32_t mf__store_role_kind(uint32_t kind, enum store_role role)
{
    uint32_t derived = kind + (uint32_t)role * UINT32_C(0x9E3779B9); /* far from each other */
    return kind == 0 ? 0 : derived != 0 ? derived : 1;
}

char *mf__store_join(const char *directory, const char *name)
{
    return mf_asprintf("%s/%s", directory, name);
}

char *mf__store_path(const char *directory, const char *prefix, uint64_t number, const char *suffix)
{
    return mf_asprintf("%s/%s%016" PRIx64 "%s", directory, prefix, number,
                       suffix != NULL ? suffix : "");
}

static int parse(const char *path, const uint8_t *bytes, size_t len,
                 struct store_identity *ret_identity, struct mf_errinfo *err)
{
    if (len < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0) {
        return mf_fail(err, MF_EFORMAT, "%.200s is not of a Mayfly state; name another directory",
                       path);
    }
    if (len < FIXED_LEN + 4 || mf_crc32c(0, bytes, len - 4) != mf_load_u32(bytes + len - 4)) {
        return mf_fail(err, MF_ECORRUPT,
                       "%.200s fails its checksum (%zu bytes from offset 0); restore it from a "
                       "copy, or open the store for salvage",
                       path, len);
    }
    uint32_t version = mf_load_u32(bytes + 8);
    uint32_t path_len = mf_load_u32(bytes + 12);
    if (version != STORE_VERSION) {
        return mf_fail(err, MF_EVERSION,
                       "%.200s has format version %" PRIu32
                       ", this build knows %d; use a newer build",
                       path, version, STORE_VERSION);
    }
    if (path_len != len - FIXED_LEN - 4 || memchr(bytes + FIXED_LEN, '\0', path_len) != NULL) {
        return mf_fail(err, MF_ECORRUPT, "%.200s: the log's path at offset %u is no path", path,
                       FIXED_LEN);
    }
    char *wal_path = mf_strndup((const char *)bytes + FIXED_LEN, path_len);
    if (wal_path == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot read %.200s", path);
    }
    ret_identity->version = version;
    memcpy(ret_identity->id, bytes + 16, MF_STATE_ID_LEN);
    ret_identity->created_wall_ns = (int64_t)mf_load_u64(bytes + 32);
    ret_identity->wal_path = wal_path;
    return 0;
}

int mf__store_identity_read(const struct mf_fs *fs, const char *path,
                            struct store_identity *ret_identity, struct mf_errinfo *err)
{
    char *bytes = NULL;
    size_t len = 0;
    int code = mf_fs_read_all(fs, path, FIXED_LEN + WAL_PATH_MAX + 4, &bytes, &len, err);
    if (code == MF_ELIMIT) {
        code = mf_fail(err, MF_EFORMAT, "%.200s is not of a Mayfly state; name another directory",
                       path);
    }
    if (code == 0) {
        code = parse(path, (const uint8_t *)bytes, len, ret_identity, err);
    }
    mf_free(bytes);
    return code;
}

int mf__store_identity_write(const struct mf_fs *fs, const char *path,
                             const struct store_identity *identity, struct mf_errinfo *err)
{
    size_t path_len = strlen(identity->wal_path);
    if (path_len > WAL_PATH_MAX) {
        return mf_fail(err, MF_ELIMIT, "the path of the log has %zu bytes; at most %u are stored",
                       path_len, WAL_PATH_MAX);
    }
    uint8_t *bytes = mf_calloc(1, FIXED_LEN + path_len + 4);
    if (bytes == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot write %.200s", path);
    }
    memcpy(bytes, magic, sizeof magic);
    mf_store_u32(bytes + 8, identity->version);
    mf_store_u32(bytes + 12, (uint32_t)path_len);
    memcpy(bytes + 16, identity->id, MF_STATE_ID_LEN);
    mf_store_u64(bytes + 32, (uint64_t)identity->created_wall_ns);
    memcpy(bytes + FIXED_LEN, identity->wal_path, path_len);
    size_t len = FIXED_LEN + path_len;
    mf_store_u32(bytes + len, mf_crc32c(0, bytes, len));
    int code = mf_fs_replace(fs, path, bytes, len + 4, err);
    mf_free(bytes);
    return code;
}

int mf__store_make_directory(const struct mf_fs *fs, const char *path, struct mf_errinfo *err)
{
    int code = mf_fs_mkdirs(fs, path, err);
    char *part = code == 0 ? mf_strdup(path) : NULL;
    if (code == 0 && part == NULL) {
        code = mf_fail_os(err, -ENOMEM, "cannot create %.200s", path);
    }
    /* From the last name upwards; a directory that may not be read was not made by us. */
    for (bool more = code == 0; more && code == 0;) {
        struct mf_errinfo why = {0, ""};
        code = mf_fs_sync_parent(fs, part, &why);
        if (code == -EACCES || code == -EPERM) {
            code = 0;
            break;
        }
        if (code < 0) {
            (void)mf_fail(err, code, "%s", why.msg);
        }
        char *slash = strrchr(part, '/');
        more = slash != NULL && slash != part;
        if (more) {
            *slash = '\0';
        }
    }
    mf_free(part);
    return code;
}

/* "prefix" and 16 hexadecimal digits (lower case); what follows them is *ret_rest. */
static bool parse_name(const char *name, const char *prefix, uint64_t *ret_number,
                       const char **ret_rest)
{
    size_t prefix_len = strlen(prefix);
    if (strncmp(name, prefix, prefix_len) != 0) {
        return false;
    }
    uint64_t number = 0;
    for (size_t i = 0; i < 16; i++) {
        char c = name[prefix_len + i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit == 16) {
            return false;
        }
        number = number << 4 | digit;
    }
    *ret_number = number;
    *ret_rest = name + prefix_len + 16;
    return true;
}

struct listing {
    const char *prefix;
    struct store_numbers found;
    size_t capacity;
};

static int add_number(void *context, const char *name, enum mf_file_kind kind)
{
    struct listing *listing = context;
    uint64_t number = 0;
    const char *rest = NULL;
    if (kind != MF_KIND_FILE || !parse_name(name, listing->prefix, &number, &rest) ||
        *rest != '\0') {
        return 0;
    }
    if (listing->found.count == listing->capacity) {
        size_t capacity = listing->capacity != 0 ? listing->capacity * 2 : 16;
        uint64_t *numbers = mf_realloc(listing->found.numbers, capacity * sizeof *numbers);
        if (numbers == NULL) {
            return -ENOMEM;
        }
        listing->found.numbers = numbers;
        listing->capacity = capacity;
    }
    listing->found.numbers[listing->found.count++] = number; /* visited in the order of names */
    return 0;
}

int mf__store_list(const struct mf_fs *fs, const char *directory, const char *prefix,
                   struct store_numbers *ret_numbers, struct mf_errinfo *err)
{
    struct listing listing = {.prefix = prefix};
    int code = mf_fs_list(fs, directory, add_number, &listing, err);
    if (code < 0) {
        mf_free(listing.found.numbers);
        return code == -ENOMEM ? mf_fail_os(err, code, "cannot list %.200s", directory) : code;
    }
    *ret_numbers = listing.found;
    return 0;
}

struct removal {
    const struct mf_fs *fs;
    const char *directory;
    uint32_t count;
    struct mf_errinfo *err;
};

static int remove_temporary(void *context, const char *name, enum mf_file_kind kind)
{
    struct removal *removal = context;
    uint64_t number = 0;
    const char *rest = NULL;
    bool checkpoint =
        parse_name(name, STORE_CHECKPOINT, &number, &rest) && strcmp(rest, STORE_TEMPORARY) == 0;
    bool identity = strncmp(name, STORE_IDENTITY MF_TEMPORARY_MARK,
                            sizeof STORE_IDENTITY MF_TEMPORARY_MARK - 1) == 0;
    if (kind != MF_KIND_FILE || (!checkpoint && !identity && strcmp(name, STORE_SPARE) != 0)) {
        return 0;
    }
    char *path = mf__store_join(removal->directory, name);
    int code = path != NULL ? mf_fs_unlink(removal->fs, path, removal->err) : -ENOMEM;
    mf_free(path);
    removal->count += code == 0 && checkpoint;
    return code;
}

int mf__store_remove_temporaries(const struct mf_fs *fs, const char *directory, uint32_t *ret_count,
                                 struct mf_errinfo *err)
{
    struct removal removal = {fs, directory, 0, err};
    int code = mf_fs_list(fs, directory, remove_temporary, &removal, err);
    if (code == -ENOMEM) {
        code = mf_fail_os(err, code, "cannot list %.200s", directory);
    }
    *ret_count += removal.count;
    return code;
}
