/* SPDX-License-Identifier: Apache-2.0
 * state_engine_sqlite.c -- SQLite: one table, WAL, synchronous FULL, a connection per thread. */
#include "state_engines.h"

#include "base/heap.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define BUSY_MS     60000
#define RETRIES_MAX 1000

struct engine_store {
    int threads;
    sqlite3 *connections[ENGINE_THREADS_MAX];
    sqlite3_stmt *puts[ENGINE_THREADS_MAX];
};

static void sqlite_close(struct engine_store *store)
{
    for (int i = 0; i < store->threads; i++) {
        sqlite3_finalize(store->puts[i]);
        sqlite3_close(store->connections[i]);
    }
    mf_free(store);
}

static int open_connection(struct engine_store *store, int i, const char *path)
{
    static const char *const setup =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID;";
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    return sqlite3_open_v2(path, &store->connections[i], flags, NULL) == SQLITE_OK &&
                   sqlite3_busy_timeout(store->connections[i], BUSY_MS) == SQLITE_OK &&
                   sqlite3_exec(store->connections[i], setup, NULL, NULL, NULL) == SQLITE_OK &&
                   sqlite3_prepare_v2(store->connections[i], "REPLACE INTO kv VALUES (?, ?)", -1,
                                      &store->puts[i], NULL) == SQLITE_OK
               ? 0
               : -1;
}

static struct engine_store *sqlite_open(const char *directory, int threads, char *why)
{
    struct engine_store *store = mf_calloc(1, sizeof *store);
    char path[512];
    snprintf(path, sizeof path, "%s/sqlite.db", directory);
    for (int i = 0; store != NULL && i < threads; i++) {
        store->threads = i + 1;
        if (open_connection(store, i, path) < 0) {
            snprintf(why, ENGINE_WHY_LEN, "SQLite: %.150s", sqlite3_errmsg(store->connections[i]));
            sqlite_close(store);
            return NULL;
        }
    }
    return store;
}

static int sqlite_commit(struct engine_store *store, int thread, const char *key, const char *value,
                         char *why)
{
    sqlite3_stmt *put = store->puts[thread];
    sqlite3_bind_blob(put, 1, key, ENGINE_KEY_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(put, 2, value, ENGINE_VALUE_LEN, SQLITE_STATIC);
    int rc = SQLITE_BUSY; /* also at once, when another one has committed since it began to read */
    for (int i = 0; rc == SQLITE_BUSY && i < RETRIES_MAX; i++) {
        rc = sqlite3_step(put);
        sqlite3_reset(put);
    }
    if (rc != SQLITE_DONE) {
        snprintf(why, ENGINE_WHY_LEN, "SQLite: %.150s", sqlite3_errmsg(store->connections[thread]));
        return -1;
    }
    return 0;
}

static int sqlite_read(struct engine_store *store, int thread, const char *key, char *ret_value)
{
    sqlite3_stmt *get = NULL;
    int rc = -1;
    if (sqlite3_prepare_v2(store->connections[thread], "SELECT v FROM kv WHERE k = ?", -1, &get,
                           NULL) == SQLITE_OK) {
        sqlite3_bind_blob(get, 1, key, ENGINE_KEY_LEN, SQLITE_STATIC);
        if (sqlite3_step(get) == SQLITE_ROW && sqlite3_column_bytes(get, 0) == ENGINE_VALUE_LEN) {
            memcpy(ret_value, sqlite3_column_blob(get, 0), ENGINE_VALUE_LEN);
            rc = 0;
        }
    }
    sqlite3_finalize(get);
    return rc;
}

const struct engine engine_sqlite = {"SQLite, WAL FULL", sqlite_open, sqlite_commit, sqlite_read,
                                     sqlite_close};
