/* SPDX-License-Identifier: Apache-2.0
 * cases.c -- see cases.h. */
#include "cases.h"
#include "launch.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/proc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_TIMEOUT_NS (60 * MF_NS_PER_SECOND)
#define OWN_PROGRAM     "/proc/self/exe"

/* ---- a growing list of paths ---- */

struct paths {
    char **items;
    size_t count;
    const char *directory; /* of those that are added by add_entry() */
    struct mf_errinfo *err;
};

static int add_path(struct paths *paths, const char *path)
{
    char **items = mf_realloc(paths->items, (paths->count + 1) * sizeof *items);
    char *copy = mf_strdup(path);
    if (items == NULL || copy == NULL) {
        paths->items = items != NULL ? items : paths->items;
        mf_free(copy);
        return mf_fail_os(paths->err, -ENOMEM, "cannot look for benchmark programs");
    }
    paths->items = items;
    paths->items[paths->count++] = copy;
    return 0;
}

static void free_paths(struct paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        mf_free(paths->items[i]);
    }
    mf_free(paths->items);
}

/* ---- directories ---- */

static int add_entry(void *context, const char *name, enum mf_file_kind kind)
{
    struct paths *paths = context;
    char *path = mf_asprintf("%s/%s", paths->directory, name);
    if (path == NULL) {
        return mf_fail_os(paths->err, -ENOMEM, "cannot look for benchmark programs");
    }
    int rc = 0;
    if (kind == MF_KIND_FILE && mf__is_bench_program(path, NULL) == 1) {
        rc = add_path(paths, path);
    }
    mf_free(path);
    return rc;
}

static int search_directory(struct paths *paths, const char *directory)
{
    paths->directory = directory;
    const int rc = mf_fs_list(NULL, directory, add_entry, paths, NULL);
    return rc == -ENOMEM ? rc : 0; /* one that cannot be read has none */
}

static int search_list(struct paths *paths, const char *directories)
{
    int rc = 0;
    for (const char *p = directories; rc == 0; p++) {
        const size_t len = strcspn(p, ":");
        char *directory = mf_strndup(p, len);
        rc = directory == NULL ? -ENOMEM : len == 0 ? 0 : search_directory(paths, directory);
        mf_free(directory);
        p += len;
        if (*p == '\0') {
            break;
        }
    }
    return rc;
}

static int add_build(void *context, const char *name, enum mf_file_kind kind)
{
    struct paths *builds = context;
    return kind == MF_KIND_DIRECTORY ? add_path(builds, name) : 0;
}

/* The release build, or else the first in the alphabet that has any. */
static int search_builds(struct paths *paths)
{
    struct paths builds = {.err = paths->err};
    int rc = add_path(&builds, "release");
    if (rc == 0) {
        rc = mf_fs_list(NULL, "build", add_build, &builds, NULL) == -ENOMEM ? -ENOMEM : 0;
    }
    for (size_t i = 0; i < builds.count && rc == 0 && paths->count == 0; i++) {
        char *directory = mf_asprintf("build/%s/bench", builds.items[i]);
        rc = directory != NULL ? search_directory(paths, directory) : -ENOMEM;
        mf_free(directory);
    }
    free_paths(&builds);
    return rc;
}

static int find_programs(const struct bench_config *config, bool own, struct paths *paths)
{
    const struct bench_value *named = mf__config_value(config, NULL, BENCH_KEY_binary);
    int rc = 0;
    for (size_t i = 0; i < named->count && rc == 0; i++) {
        rc = mf__is_bench_program(named->texts[i], paths->err);
        if (rc == 0) {
            return mf_fail(paths->err, MF_EFORMAT,
                           "%s is not a benchmark program (one that calls mf_bench_main)",
                           named->texts[i]);
        }
        rc = rc < 0 ? rc : add_path(paths, named->texts[i]);
    }
    if (rc < 0 || named->count > 0) {
        return rc;
    }
    if (own) {
        char path[4096]; /* its name, because another program may have to start it */
        return add_path(paths, mf_proc_own_path(path, sizeof path) == 0 ? path : OWN_PROGRAM);
    }
    const char *directories = getenv("MAYFLY_BENCH_PATH");
    rc = directories != NULL && directories[0] != '\0' ? search_list(paths, directories)
                                                       : search_builds(paths);
    if (rc == 0 && paths->count == 0) {
        return mf_fail(paths->err, MF_ENOTFOUND,
                       "no benchmark program in %s; name one with --binary, or set "
                       "MAYFLY_BENCH_PATH",
                       directories != NULL && directories[0] != '\0' ? directories
                                                                     : "build/*/bench");
    }
    return rc < 0 ? mf_fail_os(paths->err, rc, "cannot look for benchmark programs") : 0;
}

/* ---- from programs to cases ---- */

static int ask(struct bench_program *program, struct mf_signals *signals, struct mf_errinfo *err)
{
    const struct bench_request request = {
        .action = BENCH_ACTION_LIST,
        .plan = {.threads = 1, .samples = 1, .measurement_seconds = 1},
        .cpu = -1,
    };
    const struct bench_launch launch = {
        .program = program->path,
        .request = &request,
        .timeout_ns = LIST_TIMEOUT_NS,
        .signals = signals,
    };
    struct mf_buffer answer = MF_BUFFER_INIT;
    struct mf_errinfo why = {0};
    int rc = mf__launch(&launch, &answer, &why);
    if (rc < 0) {
        return mf_fail(err, rc, "%s does not list its benchmarks: %s", program->path, why.msg);
    }
    rc = mf__listed_read(answer.data, answer.len, program->path, &program->listed,
                         &program->listed_count, err);
    mf_buffer_free(&answer);
    return rc;
}

static void name_case(struct bench_case *one, bool threads)
{
    const struct bench_listed *listed = one->listed;
    size_t len = (size_t)snprintf(one->name, sizeof one->name, "%s", listed->base_name);
    if (listed->options.param_count > 0 && len < sizeof one->name) {
        const bool bare = listed->param_name[0] == '\0';
        len += (size_t)snprintf(one->name + len, sizeof one->name - len, "/%s%s%" PRId64,
                                listed->param_name, bare ? "" : ":", one->param);
    }
    if (threads && len < sizeof one->name) {
        snprintf(one->name + len, sizeof one->name - len, "/threads:%d", one->threads);
    }
}

static int add_case(struct bench_cases *cases, const struct bench_case *one,
                    const struct bench_filter *filter, struct mf_errinfo *err)
{
    if (!mf__filter_matches(filter, one->name)) {
        return 0;
    }
    for (size_t i = 0; i < cases->case_count; i++) {
        if (strcmp(cases->cases[i].name, one->name) == 0) {
            return mf_fail(err, MF_EEXISTS, "both %s and %s have a benchmark '%s'",
                           cases->cases[i].program->path, one->program->path, one->name);
        }
    }
    struct bench_case *grown = mf_realloc(cases->cases, (cases->case_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot list benchmarks");
    }
    cases->cases = grown;
    cases->cases[cases->case_count++] = *one;
    return 0;
}

static int expand(struct bench_cases *cases, const struct bench_config *config,
                  const struct bench_program *program, const struct bench_listed *listed,
                  const struct bench_filter *filter, struct mf_errinfo *err)
{
    const struct mf_bench_options *options = &listed->options;
    const struct bench_value *asked = mf__config_value(config, listed->suite, BENCH_KEY_threads);
    const bool has_threads = options->thread_count > 0;
    const bool replaced = has_threads && asked->number_count > 0;
    const size_t thread_count = replaced      ? asked->number_count
                                : has_threads ? options->thread_count
                                              : 1;
    const size_t param_count = options->param_count > 0 ? options->param_count : 1;
    int rc = 0;
    for (size_t p = 0; p < param_count && rc == 0; p++) {
        for (size_t t = 0; t < thread_count && rc == 0; t++) {
            struct bench_case one = {.program = program, .listed = listed, .threads = 1};
            one.param = options->param_count > 0 ? options->params[p] : 0;
            if (has_threads) {
                one.threads = replaced ? (int)asked->numbers[t] : options->threads[t];
            }
            name_case(&one, has_threads);
            rc = add_case(cases, &one, filter, err);
        }
    }
    return rc;
}

static int collect_cases(struct bench_cases *cases, const struct bench_config *config,
                         const struct paths *paths, const struct bench_filter *filter,
                         struct mf_signals *signals, struct mf_errinfo *err)
{
    cases->programs = mf_calloc(paths->count + 1, sizeof *cases->programs);
    if (cases->programs == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot list benchmarks");
    }
    int rc = 0;
    for (size_t i = 0; i < paths->count && rc == 0; i++) {
        struct bench_program *program = &cases->programs[i];
        program->path = mf_strdup(paths->items[i]);
        cases->program_count++;
        rc = program->path != NULL ? ask(program, signals, err)
                                   : mf_fail_os(err, -ENOMEM, "cannot list benchmarks");
        for (size_t k = 0; k < program->listed_count && rc == 0; k++) {
            rc = expand(cases, config, program, &program->listed[k], filter, err);
        }
    }
    return rc;
}

static int cases_of_paths(const struct bench_config *config, struct paths *paths,
                          const struct bench_filter *filter, struct mf_signals *signals,
                          struct bench_cases *ret_cases, struct mf_errinfo *err)
{
    struct bench_cases cases = {0};
    const int rc = collect_cases(&cases, config, paths, filter, signals, err);
    if (rc < 0) {
        mf__cases_free(&cases);
        return rc;
    }
    *ret_cases = cases;
    return 0;
}

int mf__cases_find(const struct bench_config *config, bool own, const struct bench_filter *filter,
                   struct mf_signals *signals, struct bench_cases *ret_cases,
                   struct mf_errinfo *err)
{
    struct paths paths = {.err = err};
    int rc = find_programs(config, own, &paths);
    if (rc == 0) {
        rc = cases_of_paths(config, &paths, filter, signals, ret_cases, err);
    }
    free_paths(&paths);
    return rc;
}

int mf__cases_of_programs(const struct bench_config *config, const char *const *programs,
                          size_t count, const struct bench_filter *filter,
                          struct mf_signals *signals, struct bench_cases *ret_cases,
                          struct mf_errinfo *err)
{
    struct paths paths = {.err = err};
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = add_path(&paths, programs[i]);
    }
    if (rc == 0) {
        rc = cases_of_paths(config, &paths, filter, signals, ret_cases, err);
    }
    free_paths(&paths);
    return rc;
}

void mf__cases_free(struct bench_cases *cases)
{
    for (size_t i = 0; i < cases->program_count; i++) {
        mf__listed_free(cases->programs[i].listed, cases->programs[i].listed_count);
        mf_free(cases->programs[i].path);
    }
    mf_free(cases->programs);
    mf_free(cases->cases);
    *cases = (struct bench_cases){0};
}
