/* SPDX-License-Identifier: Apache-2.0
 * discover.c -- finds the stores at and below a directory. A store is a directory that holds a slab
 * or an archive; nothing below a store is looked at, and symbolic links are not followed. */
#include "base/fail.h"
#include "base/heap.h"
#include "os/file.h"
#include <mayfly/metrics.h>

#include <errno.h>
#include <string.h>

#define DEPTH_MAX 32

/* Directories still to be looked at, the next one last. */
struct pending {
    struct folder {
        char *path;
        unsigned depth;
    } * folders;
    size_t count;
    size_t capacity;
};

struct listing {
    struct pending *pending;
    const char *path;
    unsigned depth;
    bool is_store;
    size_t first; /* folders from here on were found in this listing */
};

static int push(struct pending *pending, char *path, unsigned depth)
{
    if (pending->count == pending->capacity) {
        const size_t capacity = pending->capacity == 0 ? 64 : pending->capacity * 2;
        struct folder *folders = mf_realloc(pending->folders, capacity * sizeof *pending->folders);
        if (folders == NULL) {
            return -ENOMEM;
        }
        pending->folders = folders;
        pending->capacity = capacity;
    }
    pending->folders[pending->count++] = (struct folder){path, depth};
    return 0;
}

static int look_at(void *context, const char *name, enum mf_file_kind kind)
{
    struct listing *listing = context;
    if (kind == MF_KIND_FILE) {
        listing->is_store = listing->is_store || strcmp(name, "metrics.slab") == 0 ||
                            strcmp(name, "metrics.archive") == 0;
        return 0;
    }
    if (kind != MF_KIND_DIRECTORY || listing->depth == DEPTH_MAX) {
        return 0;
    }
    char *path = mf_asprintf("%s/%s", listing->path, name);
    int rc = path == NULL ? -ENOMEM : push(listing->pending, path, listing->depth + 1);
    if (rc != 0) {
        mf_free(path);
    }
    return rc;
}

/* The folders that one listing found stand in order; the first must be taken first. */
static void reverse(struct folder *folders, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        const struct folder swap = folders[i];
        folders[i] = folders[count - 1 - i];
        folders[count - 1 - i] = swap;
    }
}

static void drop_to(struct pending *pending, size_t count)
{
    while (pending->count > count) {
        mf_free(pending->folders[--pending->count].path);
    }
}

int mf_metrics_discover(const char *root, const struct mf_env *env,
                        int (*visit)(void *context, const char *path), void *context,
                        struct mf_errinfo *err)
{
    const struct mf_fs *fs = env != NULL ? env->fs : NULL;
    struct pending pending = {NULL, 0, 0};
    char *path = mf_strdup(root);
    int rc = path == NULL ? -ENOMEM : push(&pending, path, 0);
    if (rc != 0) {
        mf_free(path);
        return mf_fail_os(err, rc, "%s", root);
    }
    while (rc == 0 && pending.count > 0) {
        const struct folder folder = pending.folders[--pending.count];
        struct listing listing = {&pending, folder.path, folder.depth, false, pending.count};
        rc = mf_fs_list(fs, folder.path, look_at, &listing, err);
        /* What disappears or is forbidden below the root is no failure of the rest. */
        if ((rc == -ENOENT || rc == -ENOTDIR || rc == -EACCES) && folder.depth > 0) {
            drop_to(&pending, listing.first);
            rc = 0;
        } else if (rc == 0 && listing.is_store) {
            drop_to(&pending, listing.first);
            rc = visit(context, folder.path);
        } else if (rc == 0) {
            reverse(pending.folders + listing.first, pending.count - listing.first);
        } else if (rc == -ENOMEM) {
            rc = mf_fail_os(err, rc, "%s", folder.path);
        }
        mf_free(folder.path);
    }
    drop_to(&pending, 0);
    mf_free(pending.folders);
    return rc;
}
