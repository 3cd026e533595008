/* SPDX-License-Identifier: Apache-2.0
 * state_engine_lmdb.c -- LMDB as it comes: each commit is synced, writers take turns. */
#include "state_engines.h"

#include "base/heap.h"

#include <lmdb.h>
#include <stdio.h>
#include <string.h>

#define MAP_BYTES ((size_t)1 << 30)

struct engine_store {
    MDB_env *env;
    MDB_dbi dbi;
};

static void lmdb_close(struct engine_store *store)
{
    mdb_env_close(store->env);
    mf_free(store);
}

static int open_table(struct engine_store *store)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (rc == 0) {
        rc = mdb_dbi_open(txn, NULL, 0, &store->dbi);
        if (rc == 0) {
            rc = mdb_txn_commit(txn);
        } else {
            mdb_txn_abort(txn);
        }
    }
    return rc;
}

static struct engine_store *lmdb_open(const char *directory, int threads, char *why)
{
    struct engine_store *store = mf_calloc(1, sizeof *store);
    (void)threads;
    if (store == NULL) {
        return NULL;
    }
    int rc = mdb_env_create(&store->env);
    rc = rc == 0 ? mdb_env_set_mapsize(store->env, MAP_BYTES) : rc;
    rc = rc == 0 ? mdb_env_open(store->env, directory, 0, 0600) : rc;
    rc = rc == 0 ? open_table(store) : rc;
    if (rc != 0) {
        snprintf(why, ENGINE_WHY_LEN, "LMDB: %s", mdb_strerror(rc));
        lmdb_close(store);
        return NULL;
    }
    return store;
}

static int lmdb_commit(struct engine_store *store, int thread, const char *key, const char *value,
                       char *why)
{
    MDB_txn *txn = NULL;
    char key_bytes[ENGINE_KEY_LEN]; /* its interface takes no const */
    char value_bytes[ENGINE_VALUE_LEN];
    memcpy(key_bytes, key, sizeof key_bytes);
    memcpy(value_bytes, value, sizeof value_bytes);
    MDB_val k = {sizeof key_bytes, key_bytes};
    MDB_val v = {sizeof value_bytes, value_bytes};
    (void)thread;
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (rc == 0) {
        rc = mdb_put(txn, store->dbi, &k, &v, 0);
        if (rc == 0) {
            rc = mdb_txn_commit(txn);
        } else {
            mdb_txn_abort(txn);
        }
    }
    if (rc != 0) {
        snprintf(why, ENGINE_WHY_LEN, "LMDB: %s", mdb_strerror(rc));
        return -1;
    }
    return 0;
}

static int lmdb_read(struct engine_store *store, int thread, const char *key, char *ret_value)
{
    (void)thread;
    MDB_txn *txn = NULL;
    char key_bytes[ENGINE_KEY_LEN];
    memcpy(key_bytes, key, sizeof key_bytes);
    MDB_val k = {sizeof key_bytes, key_bytes};
    MDB_val v;
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0) {
        return -1;
    }
    rc = mdb_get(txn, store->dbi, &k, &v) == 0 && v.mv_size == ENGINE_VALUE_LEN ? 0 : -1;
    if (rc == 0) {
        memcpy(ret_value, v.mv_data, ENGINE_VALUE_LEN);
    }
    mdb_txn_abort(txn);
    return rc;
}

const struct engine engine_lmdb = {"LMDB", lmdb_open, lmdb_commit, lmdb_read, lmdb_close};
