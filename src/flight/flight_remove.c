/* SPDX-License-Identifier: Apache-2.0
 * flight_remove.c -- takes a flight away: under the recorder's lock the directory is renamed to a
 * name that begins with ".gone-", which no list shows, and then emptied. A crash in between leaves
 * such a name, and the next `mayfly gc` finishes it. */
#include "flight_tree.h"

#include "base/fail.h"
#include "base/heap.h"
#include "flight/gc.h"
#include "os/file.h"

#include <errno.h>
#include <mayfly/flight.h>
#include <stdio.h>
#include <string.h>

#define GONE      ".gone-"
#define NAMES_MAX 1000

static bool exists(const char *dir, const char *name)
{
    struct mf_file_info info;
    char *path = mf_asprintf("%s/%s", dir, name);
    const bool found =
        path != NULL && mf_fs_info(NULL, path, &info, NULL) == 0 && info.kind == MF_KIND_FILE;
    mf_free(path);
    return found;
}

static int count_entry(void *context, const char *name, enum mf_file_kind kind)
{
    (void)name;
    (void)kind;
    ++*(size_t *)context;
    return 0;
}

/* A damaged flight is one still: any of its files will do, or nothing at all below a name that a
 * flight would have. */
static int check_is_flight(const char *dir, struct mf_errinfo *err)
{
    static const char *const names[] = {"flight.json", "recorder.lock", "events.log", "output.log"};
    struct mf_file_info info;
    int rc = mf_fs_info(NULL, dir, &info, err);
    if (rc < 0) {
        return rc;
    }
    size_t entries = 1;
    if (info.kind == MF_KIND_DIRECTORY) {
        for (size_t i = 0; i < MF_ARRAY_LEN(names); i++) {
            if (exists(dir, names[i])) {
                return 0;
            }
        }
        entries = 0;
        rc = mf_fs_list(NULL, dir, count_entry, &entries, err);
    }
    if (rc == 0 && entries > 0) {
        rc = mf_fail(err, MF_EFORMAT, "%.300s is not the directory of a flight", dir);
    }
    return rc;
}

/* Locks recorder.lock as a recorder would; *ret_lock is NULL when there is no such file. A symbolic
 * link, a FIFO or a directory of that name is no recorder's: it is neither followed nor waited for,
 * and goes with the rest. */
static int lock(const char *dir, struct mf_file **ret_lock, struct mf_errinfo *err)
{
    struct mf_file *file = NULL;
    char *path = mf_asprintf("%s/recorder.lock", dir);
    if (path == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    int rc = mf_file_open(NULL, path, MF_OPEN_READ | MF_OPEN_NOFOLLOW, &file, err);
    mf_free(path);
    if (rc == -ENOENT || rc == -ELOOP || rc == -EISDIR || rc == MF_EVALUE) {
        return 0;
    }
    if (rc == 0) {
        rc = mf_file_lock(file, err);
    }
    if (rc == MF_ELOCKED) {
        rc = mf_fail(err, rc, "%.300s is being recorded now", dir);
    }
    if (rc < 0) {
        mf_file_close(file);
        return rc;
    }
    *ret_lock = file;
    return 0;
}

/* The directory under a name of its own beside it. */
static int rename_away(const char *dir, char **ret_gone, struct mf_errinfo *err)
{
    const char *slash = strrchr(dir, '/');
    const char *name = slash != NULL ? slash + 1 : dir;
    const size_t parent_len = (size_t)(name - dir);
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return mf_fail(err, MF_EVALUE, "'%.300s' does not end in the name of a flight", dir);
    }
    for (int i = 0; i < NAMES_MAX; i++) {
        char number[16] = "";
        if (i > 0) {
            snprintf(number, sizeof number, "%d-", i);
        }
        char *gone = mf_asprintf("%.*s" GONE "%s%s", (int)parent_len, dir, number, name);
        if (gone == NULL) {
            return mf_fail(err, -ENOMEM, "out of memory");
        }
        const int rc = mf_fs_rename(NULL, dir, gone, err);
        if (rc == 0) {
            *ret_gone = gone;
            return mf_fs_sync_parent(NULL, gone, err);
        }
        mf_free(gone);
        if (rc != -EEXIST && rc != -ENOTEMPTY) {
            return rc;
        }
    }
    return mf_fail(err, -EEXIST, "too many directories named " GONE "* beside %.300s", dir);
}

int mf_flight_remove(const char *dir, struct mf_errinfo *err)
{
    struct mf_file *locked = NULL;
    char *gone = NULL;
    int rc = check_is_flight(dir, err);
    if (rc == 0) {
        rc = lock(dir, &locked, err);
    }
    if (rc == 0) {
        rc = rename_away(dir, &gone, err);
    }
    if (rc == 0) {
        rc = mf__tree_remove(gone, err);
    }
    mf_file_close(locked);
    mf_free(gone);
    return rc;
}

/* ---- what crashes left ---- */

struct sweep {
    const char *flights;
    int64_t before_wall_ns;
    bool dry_run;
    struct mf_gc_swept swept;
    struct mf_errinfo *err;
};

/* A flight that was never begun: its recorder died before it gave it its name. */
static bool is_abandoned(const char *path, int64_t before_wall_ns)
{
    struct mf_file_info info;
    struct mf_file *locked = NULL;
    if (mf_fs_info(NULL, path, &info, NULL) < 0 || info.modified_wall_ns >= before_wall_ns ||
        lock(path, &locked, NULL) < 0) {
        return false;
    }
    mf_file_close(locked);
    return true;
}

static int sweep_entry(void *context, const char *name, enum mf_file_kind kind)
{
    struct sweep *sweep = context;
    const bool gone = strncmp(name, GONE, strlen(GONE)) == 0;
    if (kind != MF_KIND_DIRECTORY || (!gone && strncmp(name, ".new-", 5) != 0)) {
        return 0;
    }
    uint64_t bytes = 0;
    char *path = mf_asprintf("%s/%s", sweep->flights, name);
    int rc = path != NULL ? 0 : mf_fail(sweep->err, -ENOMEM, "out of memory");
    if (rc == 0 && (gone || is_abandoned(path, sweep->before_wall_ns))) {
        rc = mf__tree_bytes(path, &bytes, sweep->err);
        if (rc == 0 && !sweep->dry_run) {
            rc = mf__tree_remove(path, sweep->err);
        }
        sweep->swept.count += rc == 0;
        sweep->swept.bytes += rc == 0 ? bytes : 0;
    }
    mf_free(path);
    return rc == -ENOENT ? 0 : rc; /* somebody else swept it */
}

int mf_gc_sweep(const char *home, int64_t before_wall_ns, bool dry_run,
                struct mf_gc_swept *ret_swept, struct mf_errinfo *err)
{
    char *flights = mf_asprintf("%s/flights", home);
    if (flights == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    struct sweep sweep = {flights, before_wall_ns, dry_run, {0, 0}, err};
    const int rc = mf_fs_list(NULL, flights, sweep_entry, &sweep, err);
    mf_free(flights);
    if (rc < 0 && rc != -ENOENT) {
        return rc;
    }
    *ret_swept = sweep.swept;
    return 0;
}
