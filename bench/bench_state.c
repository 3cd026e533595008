/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_state.c -- commits of a state: beside SQLite, LMDB and the bare write, by the size of the
 * state, and opening it again.
 *
 *   commit_1::*       one durable commit of one record of 256 bytes by one thread, one after the
 *                     other: `bare_flush` is pwrite and fdatasync on a file that was written
 * before, which is what the others are put in relation to; `ours`, `sqlite_wal_full`, `lmdb`. An
 * iteration is a commit; each is timed commit_32::*      the same by 32 threads at once;
 * `ours_grouped` waits up to 1 ms for others commit_keys::ours/N one commit of one record in a
 * state that has N keys: it must not grow with N recover::checkpoint_1M opening a state of
 * 1,000,000 keys from its checkpoint, root checked recover::log_10000 opening a state whose last
 * 10,000 commits are only in the log overhead::*       the table of seed 004, two keys changed in a
 * state of 100: `direct_write` writes the file of the whole state anew and leaves it to the page
 * cache; `durable_write` is the bare flush of the same change; `atomic_commit` and `optimised` (32
 * threads at once, time of one commit by all of them) in relation to the direct write, and
 *                     `atomic_share` is `atomic_commit` in relation to the durable write: what
 *                     atomicity, root and log cost on top of durability
 *
 * Keys go around over 1,000 for each thread, so that the size of the state plays no part unless it
 * is asked for. What was committed is read back, once, behind the loop.
 */
#include "bench_scratch.h"
#include "state_engines.h"

#include <fcntl.h>
#include <mayfly/state.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEYS_EACH 1000
#define BARE_1    "commit_1::bare_flush"
#define BARE_32   "commit_32::bare_flush/threads:32"

static const int many[] = {32};
#define BY_32 .threads = many, .thread_count = 1
#define TIMED .mode = MF_BENCH_LATENCY, .bytes = ENGINE_RECORD_LEN

static void make_key(char key[ENGINE_KEY_LEN + 1], int thread, uint64_t i)
{
    snprintf(key, ENGINE_KEY_LEN + 1, "t%02u-%012llu", (unsigned)thread % 100,
             (unsigned long long)(i % KEYS_EACH));
}

static void make_value(char value[ENGINE_VALUE_LEN], int thread, uint64_t i)
{
    memset(value, 'a' + thread % 26, ENGINE_VALUE_LEN);
    memcpy(value, &i, sizeof i);
}

/* ---- one store for all threads of a benchmark ---- */

struct shared {
    const struct engine *engine;
    struct bench_scratch scratch;
    struct engine_store *store;
    char why[ENGINE_WHY_LEN];
};

static struct shared shared;
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static int shared_users; /* threads that have begun; the first one makes it, the last one ends it */
static int shared_done;

/* NULL after mf_bench_fail(). */
static struct engine_store *begin(struct mf_bench *bench, const struct engine *engine)
{
    pthread_mutex_lock(&shared_lock);
    if (shared_users++ == 0) {
        shared.engine = engine;
        if (bench_scratch_begin(bench, &shared.scratch)) {
            shared.store =
                engine->open(shared.scratch.directory, mf_bench_threads(bench), shared.why);
        }
    }
    struct engine_store *store = shared.store;
    pthread_mutex_unlock(&shared_lock);
    if (store == NULL) {
        mf_bench_fail(bench, "cannot make the store: %s", shared.why);
    }
    return store;
}

static void end(struct mf_bench *bench)
{
    pthread_mutex_lock(&shared_lock);
    if (++shared_done == mf_bench_threads(bench)) {
        if (shared.store != NULL) {
            shared.engine->close(shared.store);
        }
        bench_scratch_end(&shared.scratch);
        shared = (struct shared){.engine = NULL};
        shared_users = 0;
        shared_done = 0;
    }
    pthread_mutex_unlock(&shared_lock);
}

static void expect_last(struct mf_bench *bench, struct engine_store *store,
                        const struct engine *engine, int thread, uint64_t count)
{
    char key[ENGINE_KEY_LEN + 1];
    char wanted[ENGINE_VALUE_LEN];
    char found[ENGINE_VALUE_LEN];
    if (count == 0) {
        return;
    }
    make_key(key, thread, count - 1);
    make_value(wanted, thread, count - 1);
    if (engine->read(store, thread, key, found) != 0 || memcmp(wanted, found, sizeof wanted) != 0) {
        mf_bench_fail(bench, "the last commit of thread %d is not there", thread);
    }
}

static void run_engine(struct mf_bench *bench, const struct engine *engine)
{
    const int thread = mf_bench_thread(bench);
    char key[ENGINE_KEY_LEN + 1];
    char value[ENGINE_VALUE_LEN];
    char why[ENGINE_WHY_LEN] = "";
    uint64_t i = 0;
    bool failed = false;
    struct engine_store *store = begin(bench, engine);
    if (store != NULL) {
        MF_LOOP(bench)
        {
            make_key(key, thread, i);
            make_value(value, thread, i);
            if (!failed && engine->commit(store, thread, key, value, why) < 0) {
                failed = true;
            }
            i++;
        }
        if (failed) {
            mf_bench_fail(bench, "%s", why);
        } else {
            expect_last(bench, store, engine, thread, i);
        }
    }
    end(bench);
}

#define SIDE_BY_SIDE(name_, engine_)                                                               \
    MF_BENCH(commit_1, name_, TIMED, .ratio_to = BARE_1)                                           \
    {                                                                                              \
        run_engine(bench, &(engine_));                                                             \
    }                                                                                              \
    MF_BENCH(commit_32, name_, TIMED, BY_32, .ratio_to = BARE_32)                                  \
    {                                                                                              \
        run_engine(bench, &(engine_));                                                             \
    }

MF_BENCH(commit_1, bare_flush, TIMED)
{
    run_engine(bench, &engine_bare);
}
MF_BENCH(commit_32, bare_flush, TIMED, BY_32)
{
    run_engine(bench, &engine_bare);
}
SIDE_BY_SIDE(ours, engine_ours)
#ifdef MAYFLY_HAVE_SQLITE
SIDE_BY_SIDE(sqlite_wal_full, engine_sqlite)
#endif
#ifdef MAYFLY_HAVE_LMDB
SIDE_BY_SIDE(lmdb, engine_lmdb)
#endif
MF_BENCH(commit_32, ours_grouped, TIMED, BY_32, .ratio_to = BARE_32)
{
    run_engine(bench, &engine_grouped);
}

/* ---- by the size of the state ---- */

#define FILL_BATCH 20000

/* Commits keys 0 .. count - 1, many at a time. */
static bool fill(struct mf_bench *bench, struct mf_state *state, uint64_t count)
{
    struct mf_errinfo err = {0};
    char value[ENGINE_VALUE_LEN] = "";
    for (uint64_t i = 0; i < count;) {
        struct mf_state_tx *tx = NULL;
        int rc = mf_state_begin(state, &tx, &err);
        for (uint64_t end_of_batch = i + FILL_BATCH; rc == 0 && i < count && i < end_of_batch;
             i++) {
            char key[32];
            snprintf(key, sizeof key, "key-%012llu", (unsigned long long)i);
            rc = mf_state_put(tx, MF_STATE_TEXT(key), (struct mf_state_bytes){value, 100}, &err);
        }
        if (rc == 0) {
            rc = mf_state_commit(tx, NULL, &err);
        } else {
            mf_state_abort(tx);
        }
        if (!bench_ok(bench, rc, &err, "filling the state")) {
            return false;
        }
    }
    return true;
}

static struct mf_state *open_state(struct mf_bench *bench, const struct bench_scratch *scratch,
                                   uint32_t flags)
{
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    struct mf_errinfo err = {0};
    struct mf_state *state = NULL;
    char path[BENCH_PATH_LEN];
    options.flags = flags;
    const int rc =
        mf_state_open(bench_scratch_path(scratch, "state", path), &options, NULL, &state, &err);
    return bench_ok(bench, rc, &err, "opening the state") ? state : NULL;
}

static void close_state(struct mf_bench *bench, struct mf_state *state)
{
    struct mf_errinfo err = {0};
    bench_ok(bench, mf_state_close(state, &err), &err, "closing the state");
}

static const int64_t key_counts[] = {100, 1000, 10000, 100000};

MF_BENCH(commit_keys, ours, TIMED, .params = key_counts, .param_count = 4, .param_name = "")
{
    struct bench_scratch scratch = {""};
    struct mf_errinfo err = {0};
    struct mf_state *state = NULL;
    char value[ENGINE_VALUE_LEN];
    const uint64_t count = (uint64_t)mf_bench_param(bench);
    uint64_t i = 0;
    int rc = 0;
    if (bench_scratch_begin(bench, &scratch)) {
        state = open_state(bench, &scratch, MF_STATE_CREATE | MF_STATE_BACKGROUND);
    }
    if (state != NULL && fill(bench, state, count)) {
        MF_LOOP(bench)
        {
            char key[32];
            snprintf(key, sizeof key, "key-%012llu", (unsigned long long)(i * 2654435761u % count));
            make_value(value, 0, i++);
            const struct mf_state_change change = {
                MF_STATE_PUT, MF_STATE_TEXT(key), {value, sizeof value}};
            if (rc == 0) {
                rc = mf_state_batch(state, &change, 1, NULL, &err);
            }
        }
        struct mf_state_info info;
        mf_state_info(state, &info);
        if (bench_ok(bench, rc, &err, "commit") && info.keys != count) {
            mf_bench_fail(bench, "%llu keys of %llu", (unsigned long long)info.keys,
                          (unsigned long long)count);
        }
    }
    if (state != NULL) {
        close_state(bench, state);
    }
    bench_scratch_end(&scratch);
}

/* ---- opening ---- */

static void open_again(struct mf_bench *bench, const struct bench_scratch *scratch, uint64_t keys,
                       uint64_t replayed_at_least)
{
    struct mf_state *state = NULL;
    MF_LOOP(bench)
    {
        if (state != NULL) {
            mf_bench_pause(bench);
            close_state(bench, state);
            mf_bench_resume(bench);
        }
        state = open_state(bench, scratch, MF_STATE_READ_ONLY);
    }
    if (state != NULL) {
        struct mf_state_info info;
        struct mf_state_report report;
        mf_state_info(state, &info);
        mf_state_report(state, &report);
        if (info.keys != keys || !report.root_verified || report.replayed < replayed_at_least) {
            mf_bench_fail(bench, "%llu keys of %llu, %llu commits from the log",
                          (unsigned long long)info.keys, (unsigned long long)keys,
                          (unsigned long long)report.replayed);
        }
        close_state(bench, state);
    }
}

MF_BENCH(recover, checkpoint_1M, .elements = 1000000)
{
    struct bench_scratch scratch = {""};
    struct mf_errinfo err = {0};
    struct mf_state *state = NULL;
    const uint64_t keys = 1000000;
    if (bench_scratch_begin(bench, &scratch)) {
        state = open_state(bench, &scratch, MF_STATE_CREATE);
    }
    if (state != NULL) {
        const bool filled =
            fill(bench, state, keys) &&
            bench_ok(bench, mf_state_checkpoint(state, &err), &err, "the checkpoint");
        close_state(bench, state);
        if (filled) {
            open_again(bench, &scratch, keys, 0);
        }
    }
    bench_scratch_end(&scratch);
}

MF_BENCH(recover, log_10000, .elements = 10000)
{
    struct bench_scratch scratch = {""};
    struct mf_errinfo err = {0};
    struct mf_state *state = NULL;
    char value[ENGINE_VALUE_LEN];
    const uint64_t commits = 10000;
    int rc = 0;
    if (bench_scratch_begin(bench, &scratch)) {
        struct mf_state_options options = MF_STATE_OPTIONS_INIT;
        char path[BENCH_PATH_LEN];
        options.flags = MF_STATE_CREATE;
        options.mode = MF_STATE_RELAXED; /* only to make them fast; the records are the same */
        rc = mf_state_open(bench_scratch_path(&scratch, "state", path), &options, NULL, &state,
                           &err);
    }
    for (uint64_t i = 0; state != NULL && rc == 0 && i < commits; i++) {
        char key[ENGINE_KEY_LEN + 1];
        make_key(key, 0, i);
        make_value(value, 0, i);
        const struct mf_state_change change = {
            MF_STATE_PUT, MF_STATE_TEXT(key), {value, sizeof value}};
        rc = mf_state_batch(state, &change, 1, NULL, &err);
    }
    if (state != NULL) {
        close_state(bench, state);
    }
    if (bench_ok(bench, rc, &err, "commit") && state != NULL) {
        open_again(bench, &scratch, KEYS_EACH, commits);
    }
    bench_scratch_end(&scratch);
}

/* ---- the table of seed 004 ---- */

#define STATE_KEYS 100 /* in the state whose file the direct write writes anew */

static void fill_small(struct mf_bench *bench, char *text, size_t capacity, uint64_t i)
{
    size_t len = 0;
    (void)bench;
    for (unsigned k = 0; k < STATE_KEYS && len < capacity; k++) {
        len += (size_t)snprintf(text + len, capacity - len, "\"account-%03u\": %llu,\n", k,
                                (unsigned long long)(k < 2 ? i : k));
    }
}

MF_BENCH(overhead, direct_write, .mode = MF_BENCH_LATENCY)
{
    struct bench_scratch scratch = {""};
    char path[BENCH_PATH_LEN];
    char text[8192] = "";
    uint64_t i = 0;
    bool good = true;
    if (bench_scratch_begin(bench, &scratch)) {
        bench_scratch_path(&scratch, "state.json", path);
        MF_LOOP(bench)
        {
            fill_small(bench, text, sizeof text, i++);
            const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
            good = good && file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text) &&
                   close(file) == 0;
        }
        if (!good) {
            mf_bench_fail(bench, "a write failed");
        }
    }
    bench_scratch_end(&scratch);
}

MF_BENCH(overhead, durable_write, .mode = MF_BENCH_LATENCY, .ratio_to = "overhead::direct_write")
{
    run_engine(bench, &engine_bare);
}

/* Two keys of STATE_KEYS in one commit. */
static void commit_two(struct mf_bench *bench)
{
    struct bench_scratch scratch = {""};
    struct mf_errinfo err = {0};
    struct mf_state *state = NULL;
    uint64_t i = 0;
    int rc = 0;
    if (bench_scratch_begin(bench, &scratch)) {
        state = open_state(bench, &scratch, MF_STATE_CREATE | MF_STATE_BACKGROUND);
    }
    if (state != NULL && fill(bench, state, STATE_KEYS)) {
        MF_LOOP(bench)
        {
            char value[32];
            snprintf(value, sizeof value, "%llu", (unsigned long long)i++);
            const struct mf_state_change changes[] = {
                {MF_STATE_PUT, MF_STATE_TEXT("account-000"), MF_STATE_TEXT(value)},
                {MF_STATE_PUT, MF_STATE_TEXT("account-001"), MF_STATE_TEXT(value)}};
            if (rc == 0) {
                rc = mf_state_batch(state, changes, 2, NULL, &err);
            }
        }
        bench_ok(bench, rc, &err, "commit");
    }
    if (state != NULL) {
        close_state(bench, state);
    }
    bench_scratch_end(&scratch);
}

MF_BENCH(overhead, atomic_commit, .mode = MF_BENCH_LATENCY, .ratio_to = "overhead::direct_write")
{
    commit_two(bench);
}

MF_BENCH(overhead, optimised, BY_32, .ratio_to = "overhead::direct_write")
{
    run_engine(bench, &engine_ours);
}

MF_BENCH(overhead, atomic_share, .mode = MF_BENCH_LATENCY, .ratio_to = "overhead::durable_write")
{
    commit_two(bench);
}

MF_BENCH_MAIN
