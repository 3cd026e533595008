/* SPDX-License-Identifier: Apache-2.0
 *
 * revision.c -- the same programs of another revision of the project; see tool.h.
 *
 *   <target-dir>/revisions/<commit>-<preset>/<program>   built before: taken as it is
 *   <target-dir>/revisions/<commit>-<preset>/tree        the worktree, while they are built; then
 *                                                        it is removed
 */
#include "tool.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PRESET "release"

/* The output of a command without its line end; NULL when it failed. */
static char *output_of(const char *const *argv)
{
    struct mf_buffer output = MF_BUFFER_INIT;
    int signal = 0;
    const int rc = mf__tool_run(argv, NULL, &output, &signal, NULL);
    char *text = NULL;
    if (rc == 0 && !output.failed) {
        while (output.len > 0 && output.data[output.len - 1] == '\n') {
            output.len--;
        }
        text = mf_strndup(output.data != NULL ? output.data : "", output.len);
    }
    mf_buffer_free(&output);
    return text;
}

char *mf__git_commit(void)
{
    struct mf_file_info info;
    const char *inside[] = {"git", "rev-parse", "--is-inside-work-tree", NULL};
    const char *head[] = {"git", "rev-parse", "--verify", "--quiet", "HEAD", NULL};
    const char *changes[] = {"git", "status", "--porcelain", "--untracked-files=no", NULL};
    /* Asked of the directories first, so that git need not complain. */
    bool tree = false;
    char path[64] = ".git";
    for (int up = 0; up < 16 && !tree; up++) {
        tree = mf_fs_info(NULL, path, &info, NULL) == 0;
        memmove(path + 3, path, strlen(path) + 1);
        memcpy(path, "../", 3);
    }
    char *answer = tree ? output_of(inside) : NULL;
    char *commit = answer != NULL && strcmp(answer, "true") == 0 ? output_of(head) : NULL;
    char *changed = commit != NULL ? output_of(changes) : NULL;
    if (commit != NULL && changed != NULL && changed[0] != '\0') {
        char *dirty = mf_asprintf("%s-dirty", commit);
        mf_free(commit);
        commit = dirty;
    }
    mf_free(answer);
    mf_free(changed);
    return commit != NULL ? commit : mf_strdup("");
}

struct build {
    char *top; /* of the working tree */
    char *commit;
    char *preset;    /* by which all programs were built */
    char *directory; /* for this commit and preset */
    char *tree;      /* the worktree in it */
    struct mf_signals *signals;
    int *ret_signal;
    struct mf_errinfo *err;
};

struct product {
    char *relative; /* from the top, "build/release/bench/x" */
    char *binary;   /* what comes out */
    bool there;
};

static int run(struct build *build, const char *const *argv, const char *what)
{
    const int rc = mf__tool_run(argv, build->signals, NULL, build->ret_signal, build->err);
    return rc <= 0 ? rc
                   : mf_fail(build->err, MF_EREMOTE,
                             "cannot %s of revision %s: %s ended with exit "
                             "code %d",
                             what, build->commit, argv[0], rc);
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool exists(const char *path)
{
    struct mf_file_info info;
    return mf_fs_info(NULL, path, &info, NULL) == 0;
}

/* Where the program lies in the project, and by which preset it was built. */
static int locate(struct build *build, const char *program, struct product *product)
{
    char space[PATH_MAX];
    const char *resolved = realpath(program, space);
    const size_t len = strlen(build->top);
    if (resolved == NULL || strncmp(resolved, build->top, len) != 0 || resolved[len] != '/') {
        return mf_fail(
            build->err, MF_EVALUE,
            "%s is not in the working tree %s; only what its build makes can be built at "
            "another revision",
            program, build->top);
    }
    product->relative = mf_strdup(resolved + len + 1);
    if (product->relative == NULL) {
        return mf_fail_os(build->err, -ENOMEM, "cannot build");
    }
    const char *name = strncmp(product->relative, "build/", 6) == 0 ? product->relative + 6 : "";
    const size_t name_len = strcspn(name, "/");
    char *preset = name[name_len] == '/' ? mf_strndup(name, name_len) : mf_strdup(DEFAULT_PRESET);
    int rc = preset != NULL ? 0 : mf_fail_os(build->err, -ENOMEM, "cannot build");
    if (rc == 0 && build->preset != NULL && strcmp(build->preset, preset) != 0) {
        rc = mf_fail(build->err, MF_EVALUE,
                     "the programs are of two builds, %s and %s; name those of one with --binary",
                     build->preset, preset);
    }
    if (rc == 0 && build->preset == NULL) {
        build->preset = preset;
        return 0;
    }
    mf_free(preset);
    return rc;
}

static int name_paths(struct build *build, const char *target_dir)
{
    char space[PATH_MAX];
    const char *real_target = NULL;
    int rc = mf_fs_mkdirs(NULL, target_dir, build->err);
    if (rc == 0) {
        real_target = realpath(target_dir, space); /* git takes paths from elsewhere */
        rc = real_target != NULL ? 0 : -errno;
    }
    if (rc == 0) {
        build->directory =
            mf_asprintf("%s/revisions/%.16s-%s", real_target, build->commit, build->preset);
        build->tree = build->directory != NULL ? mf_asprintf("%s/tree", build->directory) : NULL;
        rc = build->tree != NULL ? 0 : -ENOMEM;
    }
    return rc < 0 ? mf_fail_os(build->err, rc, "cannot make %s", target_dir) : 0;
}

static int name_product(struct build *build, struct product *product)
{
    product->binary = mf_asprintf("%s/%s", build->directory, file_name(product->relative));
    product->there = product->binary != NULL && exists(product->binary);
    return product->binary != NULL ? 0 : mf_fail_os(build->err, -ENOMEM, "cannot build");
}

/* ---- the worktree ---- */

static void remove_tree(struct build *build)
{
    const char *remove[] = {"git",    "-C",      build->top,  "worktree",
                            "remove", "--force", build->tree, NULL};
    int ignored = 0;
    if (exists(build->tree)) {
        (void)mf__tool_run(remove, NULL, NULL, &ignored, NULL);
    }
}

static int make_tree(struct build *build)
{
    const char *add[] = {"git",      "-C",      build->top,  "worktree",    "add", "--force",
                         "--detach", "--quiet", build->tree, build->commit, NULL};
    const char *configure[] = {"cmake", "-S", build->tree, "--preset", build->preset, NULL};
    int rc = mf_fs_mkdirs(NULL, build->directory, build->err);
    remove_tree(build); /* of a build that was cut off */
    if (rc == 0) {
        rc = run(build, add, "make a worktree");
    }
    if (rc == 0) {
        rc = run(build, configure, "configure the build");
    }
    return rc;
}

static int make_product(struct build *build, struct product *product)
{
    char *build_dir = mf_asprintf("%s/build/%s", build->tree, build->preset);
    char *built = mf_asprintf("%s/%s", build->tree, product->relative);
    const char *compile[] = {
        "cmake", "--build", build_dir, "--target", file_name(product->relative), NULL};
    const char *copy[] = {"cmake", "-E", "copy", built, product->binary, NULL};
    int rc = build_dir != NULL && built != NULL ? run(build, compile, "build the benchmarks")
                                                : mf_fail_os(build->err, -ENOMEM, "cannot build");
    if (rc == 0) {
        rc = run(build, copy, "keep the program");
    }
    product->there = rc == 0;
    mf_free(build_dir);
    mf_free(built);
    return rc;
}

/* Those that are not there yet. Of several a revision need not make all. */
static int make_products(struct build *build, struct product *products, size_t count)
{
    size_t there = 0;
    for (size_t i = 0; i < count; i++) {
        there += products[i].there;
    }
    if (there == count) {
        return 0;
    }
    int rc = make_tree(build);
    int failed = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (!products[i].there) {
            const int made = make_product(build, &products[i]);
            failed = made == MF_EREMOTE ? made : failed;
            rc = made == MF_EREMOTE ? 0 : made;
            there += made == 0;
        }
    }
    remove_tree(build);
    return rc < 0 ? rc : there > 0 ? 0 : failed;
}

static int find_revision(struct build *build, const char *revision)
{
    char *wanted = mf_asprintf("%s^{commit}", revision);
    const char *top[] = {"git", "rev-parse", "--show-toplevel", NULL};
    const char *commit[] = {"git", "rev-parse", "--verify", "--quiet", wanted, NULL};
    build->top = wanted != NULL ? output_of(top) : NULL;
    build->commit = build->top != NULL && revision[0] != '-' ? output_of(commit) : NULL;
    mf_free(wanted);
    if (build->commit == NULL || strlen(build->commit) < 16) {
        return mf_fail(
            build->err, MF_ENOTFOUND,
            "'%.80s' is no file, no benchmark program, and no revision of a git tree here",
            revision);
    }
    return 0;
}

static int build_all(struct build *build, const char *revision, const char *const *programs,
                     struct product *products, size_t count, const char *target_dir)
{
    int rc = find_revision(build, revision);
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = locate(build, programs[i], &products[i]);
    }
    if (rc == 0) {
        rc = name_paths(build, target_dir);
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = name_product(build, &products[i]);
    }
    return rc < 0 ? rc : make_products(build, products, count);
}

int mf__revision_build(const char *revision, const char *const *programs, size_t count,
                       const char *target_dir, struct mf_signals *signals, int *ret_signal,
                       char **ret_paths, struct mf_errinfo *err)
{
    struct build build = {.signals = signals, .ret_signal = ret_signal, .err = err};
    struct product *products = mf_calloc(count + 1, sizeof *products);
    const int rc = products != NULL
                       ? build_all(&build, revision, programs, products, count, target_dir)
                       : mf_fail_os(err, -ENOMEM, "cannot build");
    for (size_t i = 0; i < count && products != NULL; i++) {
        if (rc == 0 && products[i].there) {
            ret_paths[i] = products[i].binary;
            products[i].binary = NULL;
        }
        mf_free(products[i].relative);
        mf_free(products[i].binary);
    }
    mf_free(products);
    mf_free(build.top);
    mf_free(build.commit);
    mf_free(build.preset);
    mf_free(build.directory);
    mf_free(build.tree);
    return rc;
}
