/* SPDX-License-Identifier: Apache-2.0
 * push_all.c -- every store of a folder to one peer. A store that has ended and was sent to its end
 * is remembered with the state of its files, and not opened again while that stays the same. */
#include "pusher.h"

#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

struct ended {
    uint64_t path_hash;
    uint64_t files_hash; /* of size and time of change of the slab and the archive */
};

struct folder {
    struct mf_pusher *pusher;
    struct mf_push_report *report;
    struct mf_errinfo *err;
    int first_error;
};

static uint64_t file_state(const struct mf_fs *fs, const char *path, const char *name)
{
    struct mf_file_info info;
    char *file = mf_asprintf("%s/%s", path, name);
    uint64_t state[2] = {0, 0};
    if (file != NULL && mf_fs_info(fs, file, &info, NULL) == 0) {
        state[0] = info.size_bytes + 1;
        state[1] = (uint64_t)info.modified_wall_ns;
    }
    mf_free(file);
    return mf_hash64(state, sizeof state);
}

/* Whether a writer has the slab now: the time of change of a mapped file says nothing of that. */
static bool being_written(const struct mf_fs *fs, const char *path)
{
    struct mf_file *file;
    char *slab = mf_asprintf("%s/metrics.slab", path);
    bool locked = false;
    if (slab != NULL && mf_file_open(fs, slab, MF_OPEN_READ, &file, NULL) == 0) {
        locked = mf_file_is_locked(file, NULL) == 1;
        mf_file_close(file);
    }
    mf_free(slab);
    return locked;
}

static struct ended *find(const struct mf_pusher *pusher, uint64_t path_hash)
{
    size_t low = 0;
    size_t high = pusher->ended_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (pusher->ended[middle].path_hash < path_hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return pusher->ended + low;
}

static void remember(struct mf_pusher *pusher, uint64_t path_hash, uint64_t files_hash)
{
    if (pusher->ended_count == pusher->ended_capacity) {
        const size_t capacity = pusher->ended_capacity == 0 ? 64 : pusher->ended_capacity * 2;
        struct ended *ended = mf_realloc(pusher->ended, capacity * sizeof *ended);
        if (ended == NULL) {
            return; /* it is looked at once more next time */
        }
        pusher->ended = ended;
        pusher->ended_capacity = capacity;
    }
    struct ended *at = find(pusher, path_hash);
    struct ended *end = pusher->ended + pusher->ended_count;
    if (at == end || at->path_hash != path_hash) {
        memmove(at + 1, at, (size_t)(end - at) * sizeof *at);
        pusher->ended_count++;
    }
    *at = (struct ended){path_hash, files_hash};
}

static int on_store(void *context, const char *path)
{
    struct folder *folder = context;
    struct mf_pusher *pusher = folder->pusher;
    const struct mf_push_config *config = &pusher->config;
    const uint64_t path_hash = mf_hash64(path, strlen(path));
    const uint64_t files_hash = file_state(pusher->fs, path, "metrics.slab") ^
                                file_state(pusher->fs, path, "metrics.archive") * 3;
    if (config->cancelled != NULL && config->cancelled(config->cancelled_context)) {
        return mf_fail_os(folder->err, -ECANCELED, "%s: push stopped", path);
    }
    const struct ended *known = find(pusher, path_hash);
    if (pusher->ended_count > 0 && known < pusher->ended + pusher->ended_count &&
        known->path_hash == path_hash && known->files_hash == files_hash &&
        !being_written(pusher->fs, path)) {
        folder->report->stores++;
        folder->report->finished++;
        return 0;
    }
    struct mf_errinfo err = {0};
    bool finished = false;
    int rc = mf__push_store(pusher, path, folder->report, &finished, &err);
    if (rc == 0) {
        if (finished) {
            remember(pusher, path_hash, files_hash);
        }
        return 0;
    }
    if (folder->first_error == 0) {
        folder->first_error = rc;
        if (folder->err != NULL) {
            *folder->err = err;
        }
    }
    /* What is wrong with the peer is wrong for all. */
    return rc == MF_EREMOTE || rc == -ECANCELED || rc == -ENOMEM ? rc : 0;
}

int mf_pusher_push_all(struct mf_pusher *pusher, const char *root, struct mf_push_report *report,
                       struct mf_errinfo *err)
{
    struct mf_push_report ignored = {0};
    struct folder folder = {pusher, report != NULL ? report : &ignored, err, 0};
    int rc = mf_metrics_discover(root, pusher->config.env, on_store, &folder, err);
    return folder.first_error != 0 ? folder.first_error : rc;
}

void mf__push_ended_free(struct mf_pusher *pusher)
{
    mf_free(pusher->ended);
}
