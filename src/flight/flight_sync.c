/* SPDX-License-Identifier: Apache-2.0
 *
 * flight_sync.c -- see flight_sync.h.
 *
 * A sync may take as long as the disk is busy, and the command is what keeps it busy. So neither
 * the start of the command nor the sampling waits for one: the logs and the metrics store are
 * written through mf_fs_unsynced(), and this thread syncs the same files. For the logs that is as
 * good as a sync of their own: their readers take what is whole. The store is readable again from
 * its first sync on; a power cut before it, in the first moments of a flight, may leave a flight
 * without time series, which readers make good from the process samples. At the end flight.json is
 * replaced without waiting for the disk either, for the caller waits for the exit code: a process
 * that is left behind for some milliseconds does the last sync.
 */
#include "flight_sync.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/file.h"

#include <string.h>

#define FIRST_NS  (1 * MF_NS_PER_SECOND)
#define PERIOD_NS (5 * MF_NS_PER_SECOND)

static void sync_file(const char *dir, const char *name)
{
    char *path = mf_asprintf("%s/%s", dir, name);
    struct mf_file *file = NULL;
    if (path != NULL && mf_file_open(NULL, path, MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_NOFOLLOW,
                                     &file, NULL) == 0) {
        (void)mf_file_sync(file, NULL);
        mf_file_close(file);
    }
    mf_free(path);
}

void mf__flight_sync_now(const char *dir)
{
    static const char *const files[] = {"flight.json",
                                        "events.log",
                                        "output.log",
                                        "output.tail0",
                                        "output.tail1",
                                        "metrics/metrics.slab",
                                        "metrics/metrics.archive"};
    for (size_t i = 0; i < MF_ARRAY_LEN(files); i++) {
        sync_file(dir, files[i]);
    }
    char *path = mf_asprintf("%s/metrics", dir);
    for (int i = 0; path != NULL && i < 3; i++) { /* metrics, the flight, flights */
        (void)mf_fs_sync_directory(NULL, path, NULL);
        *strrchr(path, '/') = '\0';
    }
    mf_free(path);
}

static void *run(void *context)
{
    struct mf_flight_sync *sync = context;
    struct mf_poll_item stop = {.descriptor = sync->stop, .want_read = true};
    /* A short flight does not wait for a sync that its end makes again. */
    int64_t wait_ns = FIRST_NS;
    while (mf_fd_poll(&stop, 1, wait_ns) == 0) {
        mf__flight_sync_now(sync->dir);
        wait_ns = PERIOD_NS;
    }
    return NULL;
}

void mf__flight_sync_start(struct mf_flight_sync *sync, const char *dir)
{
    sync->dir = dir;
    if (mf_fd_event(&sync->stop) == 0) {
        sync->started = mf_thread_start(&sync->thread, "mf-sync", run, sync, NULL) == 0;
        if (!sync->started) {
            mf_fd_close(&sync->stop);
        }
    }
}

void mf__flight_sync_stop(struct mf_flight_sync *sync)
{
    if (sync->started) {
        mf_fd_event_set(sync->stop);
        (void)mf_thread_join(&sync->thread);
        mf_fd_close(&sync->stop);
        sync->started = false;
    }
}
