/* SPDX-License-Identifier: Apache-2.0
 *
 * revision.c -- the same program of another revision of the project; see tool.h.
 *
 *   <target-dir>/revisions/<commit>-<preset>/<program>   built before: taken as it is
 *   <target-dir>/revisions/<commit>-<preset>/tree        the worktree, while it is built; then
 * removed
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
    char *relative; /* the program from there, "build/release/bench/x" */
    char *preset;
    char *directory; /* for this commit and preset */
    char *tree;      /* the worktree in it */
    char *binary;    /* what comes out */
    struct mf_signals *signals;
    int *ret_signal;
    struct mf_errinfo *err;
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

/* Where the program lies in the project, and by which preset it was built. */
static int locate(struct build *build, const char *program)
{
    char space[PATH_MAX];
    const char *resolved = realpath(program, space);
    const size_t len = strlen(build->top);
    const bool inside =
        resolved != NULL && strncmp(resolved, build->top, len) == 0 && resolved[len] == '/';
    int rc = 0;
    if (!inside) {
        rc = mf_fail(build->err, MF_EVALUE,
                     "%s is not in the working tree %s; only what its build makes can be built at "
                     "another revision",
                     program, build->top);
    } else {
        const char *relative = resolved + len + 1;
        const char *preset = strncmp(relative, "build/", 6) == 0 ? relative + 6 : "";
        const size_t preset_len = strcspn(preset, "/");
        build->relative = mf_strdup(relative);
        build->preset =
            preset[preset_len] == '/' ? mf_strndup(preset, preset_len) : mf_strdup(DEFAULT_PRESET);
        rc = build->relative != NULL && build->preset != NULL ? 0 : -ENOMEM;
    }
    return rc;
}

static int name_paths(struct build *build, const char *target_dir)
{
    const char *slash = strrchr(build->relative, '/');
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
        build->binary = build->directory != NULL
                            ? mf_asprintf("%s/%s", build->directory,
                                          slash != NULL ? slash + 1 : build->relative)
                            : NULL;
        rc = build->tree != NULL && build->binary != NULL ? 0 : -ENOMEM;
    }
    return rc < 0 ? mf_fail_os(build->err, rc, "cannot make %s", target_dir) : 0;
}

static int make_binary(struct build *build)
{
    const char *slash = strrchr(build->relative, '/');
    const char *target = slash != NULL ? slash + 1 : build->relative;
    char *build_dir = mf_asprintf("%s/build/%s", build->tree, build->preset);
    char *built = mf_asprintf("%s/%s", build->tree, build->relative);
    const char *add[] = {"git",      "-C",      build->top,  "worktree",    "add", "--force",
                         "--detach", "--quiet", build->tree, build->commit, NULL};
    const char *configure[] = {"cmake", "-S", build->tree, "--preset", build->preset, NULL};
    const char *compile[] = {"cmake", "--build", build_dir, "--target", target, NULL};
    const char *copy[] = {"cmake", "-E", "copy", built, build->binary, NULL};
    const char *remove[] = {"git",    "-C",      build->top,  "worktree",
                            "remove", "--force", build->tree, NULL};
    int rc = build_dir != NULL && built != NULL ? mf_fs_mkdirs(NULL, build->directory, build->err)
                                                : mf_fail_os(build->err, -ENOMEM, "cannot build");
    struct mf_file_info info;
    if (rc == 0 &&
        mf_fs_info(NULL, build->tree, &info, NULL) == 0) { /* of a build that was cut off */
        (void)mf__tool_run(remove, build->signals, NULL, build->ret_signal, NULL);
    }
    if (rc == 0) {
        rc = run(build, add, "make a worktree");
    }
    if (rc == 0) {
        rc = run(build, configure, "configure the build");
    }
    if (rc == 0) {
        rc = run(build, compile, "build the benchmarks");
    }
    if (rc == 0) {
        rc = run(build, copy, "keep the program");
    }
    if (mf_fs_info(NULL, build->tree, &info, NULL) == 0) {
        int ignored = 0;
        (void)mf__tool_run(remove, NULL, NULL, &ignored, NULL);
    }
    mf_free(build_dir);
    mf_free(built);
    return rc;
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

int mf__revision_build(const char *revision, const char *program, const char *target_dir,
                       struct mf_signals *signals, int *ret_signal, char **ret_path,
                       struct mf_errinfo *err)
{
    struct build build = {.signals = signals, .ret_signal = ret_signal, .err = err};
    struct mf_file_info info;
    int rc = find_revision(&build, revision);
    if (rc == 0) {
        rc = locate(&build, program);
    }
    if (rc == 0) {
        rc = name_paths(&build, target_dir);
    }
    if (rc == 0 && mf_fs_info(NULL, build.binary, &info, NULL) < 0) {
        rc = make_binary(&build);
    }
    if (rc == 0) {
        *ret_path = build.binary;
        build.binary = NULL;
    }
    mf_free(build.top);
    mf_free(build.commit);
    mf_free(build.relative);
    mf_free(build.preset);
    mf_free(build.directory);
    mf_free(build.tree);
    mf_free(build.binary);
    return rc;
}
