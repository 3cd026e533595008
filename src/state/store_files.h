/* SPDX-License-Identifier: Apache-2.0
 * store_files.h -- the files of a store: their names, and the one that says what the store is. */
#ifndef STATE_STORE_FILES_H
#define STATE_STORE_FILES_H

#include "os/file.h"

#include <mayfly/state.h>

#define STORE_VERSION 1

#define STORE_IDENTITY   "store"
#define STORE_LOCK       "lock"
#define STORE_CHECKPOINT "checkpoint-"
#define STORE_HISTORY    "history-"
#define STORE_WAL        "wal-"
#define STORE_NODES      "nodes"
#define STORE_SPARE      "wal-spare.tmp"
#define STORE_TEMPORARY  ".tmp"

struct store_identity {
    uint32_t version;
    uint8_t id[MF_STATE_ID_LEN];
    int64_t created_wall_ns;
    char *wal_path; /* as given; empty: the store itself. mf_free() */
};

/* The tag that the record files of a store carry, so that none is taken for another store's; and,
 * derived from it, for a file of another role: a sector that a disk wrote to the wrong place may
 * bring the header of another file with it. 0 stays 0: any. */
enum store_role { STORE_ROLE_LOG = 0, STORE_ROLE_HISTORY = 1, STORE_ROLE_CHECKPOINT = 2 };
uint32_t mf__store_kind(const struct store_identity *identity);
uint32_t mf__store_role_kind(uint32_t kind, enum store_role role);

/* -ENOENT, MF_EFORMAT, MF_EVERSION, MF_ECORRUPT, ... */
int mf__store_identity_read(const struct mf_fs *fs, const char *path,
                            struct store_identity *ret_identity, struct mf_errinfo *err);
int mf__store_identity_write(const struct mf_fs *fs, const char *path,
                             const struct store_identity *identity, struct mf_errinfo *err);

/* "directory/prefix0123456789abcdef" and, where it is not NULL, the suffix. The caller frees it;
 * NULL: out of memory. */
char *mf__store_path(const char *directory, const char *prefix, uint64_t number,
                     const char *suffix);
/* "directory/name". */
char *mf__store_join(const char *directory, const char *name);

/* Makes the directory with those above it, all durable: also what an earlier attempt, which did not
 * live to sync it, had made. */
int mf__store_make_directory(const struct mf_fs *fs, const char *path, struct mf_errinfo *err);

struct store_numbers {
    uint64_t *numbers; /* ascending; mf_free() */
    size_t count;
};
/* The numbers of the files in `directory` whose names are `prefix` and 16 hexadecimal digits. */
int mf__store_list(const struct mf_fs *fs, const char *directory, const char *prefix,
                   struct store_numbers *ret_numbers, struct mf_errinfo *err);
/* Removes what a process that died in the middle of writing a checkpoint or of preparing a log file
 * left in `directory`: exactly those names that this module gives. The caller holds the lock. */
int mf__store_remove_temporaries(const struct mf_fs *fs, const char *directory, uint32_t *ret_count,
                                 struct mf_errinfo *err);

#endif
