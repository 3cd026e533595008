/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_history.c -- results/<commit>.json: for each run of that commit one line, a run in JSON
 * without samples (run_json.h). Lines are only ever added. A crash can leave half a line at the end
 * of a file: the next one begins on a line of its own, and readers leave out what is not whole.
 * Everything else that cannot be read is an error; a history with holes that nobody notices is
 * worth nothing.
 */
#include "run_json.h"
#include "store_baseline.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY_LEN_MAX (256u << 20)

/* ---- adding ---- */

static int append_line(struct mf_file *file, const struct mf_buffer *line, struct mf_errinfo *err)
{
    struct mf_file_info info;
    int rc = mf_file_info(file, &info, err);
    if (rc < 0) {
        return rc;
    }
    uint64_t at = info.size_bytes;
    char last = '\n';
    size_t len = 0;
    if (at > 0) {
        rc = mf_file_read(file, &last, 1, at - 1, &len, err);
    }
    if (rc == 0 && last != '\n') { /* after a crash */
        rc = mf_file_write(file, "\n", 1, at++, err);
    }
    if (rc == 0) {
        rc = mf_file_write(file, line->data, line->len, at, err);
    }
    return rc < 0 ? rc : mf_file_sync(file, err);
}

int mf__history_append(const char *results_dir, const struct bench_run *run, struct mf_errinfo *err)
{
    const char *commit = run->commit != NULL && run->commit[0] != '\0' ? run->commit : "no-commit";
    struct mf_buffer line = MF_BUFFER_INIT;
    mf__run_json_write(&line, run, NULL, 0, MF_JSON_COMPACT, RUN_JSON_SUMMARY);
    char *path = mf_asprintf("%s/%s.json", results_dir, commit);
    struct mf_file *file = NULL;
    int rc = line.failed || path == NULL ? mf_fail_os(err, -ENOMEM, "cannot add to the history")
                                         : mf_fs_mkdirs(NULL, results_dir, err);
    if (rc == 0) {
        rc = mf_file_open(NULL, path, MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE, &file, err);
    }
    if (rc == 0) {
        rc = mf_file_lock(file, err); /* two runs at once must not write over each other */
    }
    if (rc == 0) {
        rc = append_line(file, &line, err);
    }
    mf_file_close(file);
    if (rc == 0) {
        rc = mf_fs_sync_directory(NULL, results_dir, err);
    }
    mf_free(path);
    mf_buffer_free(&line);
    return rc;
}

/* ---- reading ---- */

struct history {
    const char *directory;
    struct bench_run *runs;
    size_t count;
    struct mf_errinfo *err;
};

static int read_line(struct history *history, const char *line, size_t len, const char *origin)
{
    struct bench_run *grown = mf_realloc(history->runs, (history->count + 1) * sizeof *grown);
    if (grown == NULL) {
        return mf_fail_os(history->err, -ENOMEM, "cannot read the history");
    }
    history->runs = grown;
    const int rc =
        mf__run_json_read(line, len, origin, &history->runs[history->count], history->err);
    history->count += rc == 0;
    return rc;
}

static int read_lines(struct history *history, const char *text, const char *path)
{
    unsigned number = 1;
    int rc = 0;
    for (const char *line = text; *line != '\0' && rc == 0; number++) {
        const size_t len = strcspn(line, "\n");
        const bool whole = line[len] == '\n' && len > 0 && line[len - 1] == '}';
        char *origin = mf_asprintf("%s:%u", path, number);
        if (origin == NULL) {
            return mf_fail_os(history->err, -ENOMEM, "cannot read the history");
        }
        if (whole) {
            rc = read_line(history, line, len, origin);
        }
        mf_free(origin);
        line += len + (line[len] == '\n');
    }
    return rc;
}

static int read_entry(void *context, const char *name, enum mf_file_kind kind)
{
    struct history *history = context;
    const size_t len = strlen(name);
    if (kind != MF_KIND_FILE || len < 5 || strcmp(name + len - 5, ".json") != 0) {
        return 0;
    }
    char *path = mf_asprintf("%s/%s", history->directory, name);
    char *text = NULL;
    size_t text_len = 0;
    int rc = path != NULL
                 ? mf_fs_read_all(NULL, path, HISTORY_LEN_MAX, &text, &text_len, history->err)
                 : mf_fail_os(history->err, -ENOMEM, "cannot read the history");
    if (rc == 0) {
        rc = read_lines(history, text, path);
    }
    mf_free(text);
    mf_free(path);
    return rc;
}

static int by_start(const void *a, const void *b)
{
    const int64_t x = ((const struct bench_run *)a)->started_wall_ns;
    const int64_t y = ((const struct bench_run *)b)->started_wall_ns;
    return (x > y) - (x < y);
}

int mf__history_load(const char *results_dir, struct bench_run **ret_runs, size_t *ret_count,
                     struct mf_errinfo *err)
{
    struct mf_errinfo why = {0};
    struct history history = {.directory = results_dir, .err = &why};
    const int rc = mf_fs_list(NULL, results_dir, read_entry, &history, &why);
    if (rc < 0) {
        mf__history_free(history.runs, history.count);
        return mf_fail(err, rc, "%s", why.msg);
    }
    if (history.count > 0) {
        qsort(history.runs, history.count, sizeof *history.runs, by_start);
    }
    *ret_runs = history.runs;
    *ret_count = history.count;
    return 0;
}

void mf__history_free(struct bench_run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mf__bench_run_free(&runs[i]);
    }
    mf_free(runs);
}
