/* SPDX-License-Identifier: Apache-2.0
 * flight_tree.c -- see flight_tree.h. Directories wait in a list, not on the stack: their depth
 * comes from outside. */
#include "flight_tree.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct tree {
    char **dirs; /* found so far, parents before children */
    size_t count;
    size_t visited;
    bool remove;
    uint64_t bytes;
    struct mf_errinfo *err;
};

static int add_dir(struct tree *tree, char *path)
{
    if ((tree->count & (tree->count - 1)) == 0) {
        char **dirs =
            mf_realloc(tree->dirs, (tree->count == 0 ? 1 : tree->count * 2) * sizeof *dirs);
        if (dirs == NULL) {
            mf_free(path);
            return mf_fail(tree->err, -ENOMEM, "out of memory");
        }
        tree->dirs = dirs;
    }
    tree->dirs[tree->count++] = path;
    return 0;
}

static int visit(void *context, const char *name, enum mf_file_kind kind)
{
    struct tree *tree = context;
    char *path = mf_asprintf("%s/%s", tree->dirs[tree->visited], name);
    if (path == NULL) {
        return mf_fail(tree->err, -ENOMEM, "out of memory");
    }
    if (kind == MF_KIND_DIRECTORY) {
        return add_dir(tree, path);
    }
    int rc = 0;
    if (tree->remove) {
        rc = mf_fs_unlink(NULL, path, tree->err);
    } else {
        struct mf_file_info info;
        rc = mf_fs_info(NULL, path, &info, tree->err);
        tree->bytes += rc == 0 ? info.allocated_bytes : 0;
    }
    mf_free(path);
    return rc == -ENOENT ? 0 : rc;
}

static int walk(struct tree *tree, const char *dir)
{
    char *root = mf_strdup(dir);
    int rc = root != NULL ? add_dir(tree, root) : mf_fail(tree->err, -ENOMEM, "out of memory");
    for (; rc == 0 && tree->visited < tree->count; tree->visited++) {
        rc = mf_fs_list(NULL, tree->dirs[tree->visited], visit, tree, tree->err);
        rc = rc == -ENOENT && tree->visited > 0 ? 0 : rc;
    }
    for (size_t i = tree->count; rc == 0 && tree->remove && i-- > 0;) {
        rc = mf_fs_rmdir(NULL, tree->dirs[i], tree->err);
        rc = rc == -ENOENT ? 0 : rc;
    }
    for (size_t i = 0; i < tree->count; i++) {
        mf_free(tree->dirs[i]);
    }
    mf_free(tree->dirs);
    return rc;
}

int mf__tree_bytes(const char *dir, uint64_t *ret_bytes, struct mf_errinfo *err)
{
    struct tree tree = {.err = err};
    const int rc = walk(&tree, dir);
    if (rc == 0) {
        *ret_bytes = tree.bytes;
    }
    return rc;
}

int mf__tree_remove(const char *dir, struct mf_errinfo *err)
{
    struct tree tree = {.remove = true, .err = err};
    return walk(&tree, dir);
}
