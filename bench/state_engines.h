/* SPDX-License-Identifier: Apache-2.0
 *
 * state_engines.h -- the stores that bench_state.c puts side by side, behind one table. Each keeps
 * the same records: a key of 16 bytes and a value of 240. */
#ifndef BENCH_STATE_ENGINES_H
#define BENCH_STATE_ENGINES_H

#include <stddef.h>
#include <stdint.h>

#define ENGINE_KEY_LEN     16
#define ENGINE_VALUE_LEN   240
#define ENGINE_RECORD_LEN  (ENGINE_KEY_LEN + ENGINE_VALUE_LEN)
#define ENGINE_THREADS_MAX 64
#define ENGINE_WHY_LEN     200

struct engine_store; /* one of the engine's */

struct engine {
    const char *name;
    /* Makes a store in an empty directory; `why` is told on failure. NULL then. */
    struct engine_store *(*open)(const char *directory, int threads, char *why);
    /* One durable commit of one record, by thread 0 .. threads - 1. 0, or -1 and `why`. */
    int (*commit)(struct engine_store *store, int thread, const char *key, const char *value,
                  char *why);
    /* The value of a key, asked by that thread; 0 when it is there with ENGINE_VALUE_LEN bytes,
     * else -1. */
    int (*read)(struct engine_store *store, int thread, const char *key, char *ret_value);
    void (*close)(struct engine_store *store);
};

extern const struct engine engine_ours;    /* mf_state, DURABLE */
extern const struct engine engine_grouped; /* mf_state, GROUP */
extern const struct engine engine_bare;    /* pwrite and fdatasync on a prewritten file, no key */
#ifdef MAYFLY_HAVE_SQLITE
extern const struct engine engine_sqlite; /* WAL, synchronous FULL, a connection per thread */
#endif
#ifdef MAYFLY_HAVE_LMDB
extern const struct engine engine_lmdb; /* as it comes: every commit synced */
#endif

#endif
