/* SPDX-License-Identifier: Apache-2.0
 * state_engines.c -- see state_engines.h: ours, and the bare write. */
#include "state_engines.h"

#include "base/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <mayfly/state.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- ours ---- */

struct engine_store {
    struct mf_state *state;
    int file;
    uint64_t written[ENGINE_THREADS_MAX]; /* by the bare engine's threads */
};

static struct engine_store *open_ours(const char *directory, enum mf_state_mode mode, char *why)
{
    struct engine_store *store = mf_calloc(1, sizeof *store);
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    struct mf_errinfo err = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/ours", directory);
    options.flags = MF_STATE_CREATE | MF_STATE_BACKGROUND;
    options.mode = mode;
    if (store == NULL || mf_state_open(path, &options, NULL, &store->state, &err) < 0) {
        snprintf(why, ENGINE_WHY_LEN, "%.190s", err.msg);
        mf_free(store);
        return NULL;
    }
    return store;
}

static struct engine_store *ours_open(const char *directory, int threads, char *why)
{
    (void)threads;
    return open_ours(directory, MF_STATE_DURABLE, why);
}

static struct engine_store *grouped_open(const char *directory, int threads, char *why)
{
    (void)threads;
    return open_ours(directory, MF_STATE_GROUP, why);
}

static int ours_commit(struct engine_store *store, int thread, const char *key, const char *value,
                       char *why)
{
    struct mf_errinfo err = {0};
    const struct mf_state_change change = {
        MF_STATE_PUT, {key, ENGINE_KEY_LEN}, {value, ENGINE_VALUE_LEN}};
    (void)thread;
    if (mf_state_batch(store->state, &change, 1, NULL, &err) < 0) {
        snprintf(why, ENGINE_WHY_LEN, "%.190s", err.msg);
        return -1;
    }
    return 0;
}

static int ours_read(struct engine_store *store, int thread, const char *key, char *ret_value)
{
    (void)thread;
    struct mf_state_tx *tx = NULL;
    struct mf_state_bytes value;
    if (mf_state_snapshot(store->state, &tx, NULL) < 0) {
        return -1;
    }
    const int rc =
        mf_state_get(tx, (struct mf_state_bytes){key, ENGINE_KEY_LEN}, &value, NULL) == 1 &&
                value.len == ENGINE_VALUE_LEN
            ? 0
            : -1;
    if (rc == 0) {
        memcpy(ret_value, value.bytes, ENGINE_VALUE_LEN);
    }
    mf_state_abort(tx);
    return rc;
}

static void ours_close(struct engine_store *store)
{
    (void)mf_state_close(store->state, NULL);
    mf_free(store);
}

const struct engine engine_ours = {"ours", ours_open, ours_commit, ours_read, ours_close};
const struct engine engine_grouped = {"ours, grouped", grouped_open, ours_commit, ours_read,
                                      ours_close};

/* ---- pwrite + fdatasync ---- */

#define BARE_BYTES (UINT64_C(16) << 20) /* of each thread; written over again from the start */

static struct engine_store *bare_open(const char *directory, int threads, char *why)
{
    static const char zeros[1 << 16];
    struct engine_store *store = mf_calloc(1, sizeof *store);
    char path[512];
    snprintf(path, sizeof path, "%s/bare", directory);
    if (store == NULL) {
        return NULL;
    }
    store->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const uint64_t size = BARE_BYTES * (uint64_t)threads;
    bool good = store->file >= 0;
    for (uint64_t at = 0; good && at < size; at += sizeof zeros) {
        good = pwrite(store->file, zeros, sizeof zeros, (off_t)at) == (ssize_t)sizeof zeros;
    }
    if (!good || fsync(store->file) != 0) {
        snprintf(why, ENGINE_WHY_LEN, "%.150s: %s", path, strerror(errno));
        if (store->file >= 0) {
            close(store->file);
        }
        mf_free(store);
        return NULL;
    }
    return store;
}

static int bare_commit(struct engine_store *store, int thread, const char *key, const char *value,
                       char *why)
{
    char record[ENGINE_RECORD_LEN];
    const uint64_t at =
        (uint64_t)thread * BARE_BYTES + store->written[thread]++ * ENGINE_RECORD_LEN % BARE_BYTES;
    memcpy(record, key, ENGINE_KEY_LEN);
    memcpy(record + ENGINE_KEY_LEN, value, ENGINE_VALUE_LEN);
    if (pwrite(store->file, record, sizeof record, (off_t)at) != (ssize_t)sizeof record ||
        fdatasync(store->file) != 0) {
        snprintf(why, ENGINE_WHY_LEN, "%s", strerror(errno));
        return -1;
    }
    return 0;
}

/* The newest record of the thread, when it has that key. */
static int bare_read(struct engine_store *store, int thread, const char *key, char *ret_value)
{
    char record[ENGINE_RECORD_LEN];
    const uint64_t at = (uint64_t)thread * BARE_BYTES +
                        (store->written[thread] - 1) * ENGINE_RECORD_LEN % BARE_BYTES;
    if (store->written[thread] == 0 ||
        pread(store->file, record, sizeof record, (off_t)at) != (ssize_t)sizeof record ||
        memcmp(record, key, ENGINE_KEY_LEN) != 0) {
        return -1;
    }
    memcpy(ret_value, record + ENGINE_KEY_LEN, ENGINE_VALUE_LEN);
    return 0;
}

static void bare_close(struct engine_store *store)
{
    close(store->file);
    mf_free(store);
}

const struct engine engine_bare = {"pwrite + fdatasync", bare_open, bare_commit, bare_read,
                                   bare_close};
