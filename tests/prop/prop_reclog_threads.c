/* SPDX-License-Identifier: Apache-2.0
 * Many threads append, sync and flush one log while others read it: every record arrives once, each
 * thread's in its order, and no number is acknowledged as durable that is not. On the simulated
 * disk, where "durable" can be asked, and on the real one. */
#include "base/bytes.h"
#include "base/rng.h"
#include "cmocka_all.h"
#include "os/simdisk.h"
#include "os/thread.h"
#include "scratch.h"
#include "test_seed.h"

#include <mayfly/reclog.h>
#include <stdatomic.h>
#include <string.h>

#define WRITERS 6
#define READERS 2
#define EACH    300

struct world {
    struct mf_env env;
    const char *path;
    struct mf_simdisk *disk; /* or NULL */
    struct mf_reclog *log;
    enum mf_reclog_durability durability;
    uint64_t seed;
    _Atomic unsigned names;
    _Atomic unsigned held; /* the first sync */
    _Atomic unsigned failures;
};

/* How many records a power cut would leave now. */
static uint64_t durable_now(const struct world *world)
{
    struct mf_simdisk *after =
        mf_simdisk_power_cut(world->disk, &(struct mf_simdisk_cut){.keep_nothing = true});
    struct mf_env env = {.fs = mf_simdisk_fs(after)};
    struct mf_reclog_reader *reader = NULL;
    struct mf_reclog_record record;
    uint64_t count = 0;
    if (mf_reclog_reader_open(world->path, &env, &reader, NULL) == 0) {
        while (mf_reclog_next(reader, &record, NULL) == 1) {
            count = record.seq;
        }
    }
    mf_reclog_reader_close(reader);
    mf_simdisk_free(after);
    return count;
}

static void *write_records(void *context)
{
    struct world *world = context;
    unsigned name = atomic_fetch_add(&world->names, 1);
    struct mf_rng rng;
    mf_rng_seed(&rng, world->seed + name);
    for (uint64_t i = 0; i < EACH; i++) {
        uint8_t bytes[500];
        uint64_t seq = 0;
        size_t len = 16 + (size_t)mf_rng_below(&rng, sizeof bytes - 16);
        memset(bytes, (int)name, len);
        mf_store_u64(bytes, name);
        mf_store_u64(bytes + 8, i);
        struct mf_reclog_part parts[2] = {{bytes, 7}, {bytes + 7, len - 7}};
        int code = mf_reclog_append_parts(world->log, (uint8_t)name, parts, 2, &seq, NULL);
        bool promised = world->durability == MF_RECLOG_SYNC;
        if (code == 0 && mf_rng_below(&rng, 10) == 0) {
            code = mf_reclog_sync(world->log, seq, NULL);
            promised = true;
        }
        if (code == 0 && mf_rng_below(&rng, 10) == 0) {
            code = mf_reclog_flush(world->log, NULL);
        }
        bool kept = !promised || world->disk == NULL || mf_rng_below(&rng, 20) != 0 ||
                    durable_now(world) >= seq;
        if (code != 0 || !kept) {
            atomic_fetch_add(&world->failures, 1);
        }
    }
    return NULL;
}

static void *read_records(void *context)
{
    struct world *world = context;
    uint64_t next[WRITERS] = {0};
    uint64_t last = 0;
    struct mf_reclog_reader *reader = NULL;
    int code = mf_reclog_reader_open(world->path, &world->env, &reader, NULL);
    while (code >= 0 && last < WRITERS * EACH) {
        struct mf_reclog_record record;
        code = mf_reclog_next(reader, &record, NULL);
        if (code != 1) {
            sched_yield();
            continue;
        }
        uint64_t name = record.len >= 16 ? mf_load_u64(record.payload) : WRITERS;
        const uint8_t *bytes = record.payload;
        if (record.seq != ++last || name >= WRITERS || record.type != name ||
            mf_load_u64(bytes + 8) != next[name] ||
            (record.len > 16 && bytes[record.len - 1] != (uint8_t)name)) {
            code = -1;
            break;
        }
        next[name]++;
    }
    if (code < 0) {
        atomic_fetch_add(&world->failures, 1);
    }
    mf_reclog_reader_close(reader);
    return NULL;
}

static void run(struct world *world, enum mf_reclog_durability durability, int64_t delay_ns)
{
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    options.durability = durability;
    options.flush_delay_ns = delay_ns;
    options.sync_interval_ns = 1000000;
    options.buffer_bytes = 8192;
    options.reserve_bytes = durability == MF_RECLOG_SYNC ? 65536 : 0;
    world->durability = durability;
    world->names = 0;
    assert_int_equal(mf_reclog_open(world->path, &options, &world->env, &world->log, NULL), 0);
    struct mf_thread threads[WRITERS + READERS];
    for (int i = 0; i < WRITERS + READERS; i++) {
        assert_int_equal(mf_thread_start(&threads[i], "test",
                                         i < WRITERS ? write_records : read_records, world, NULL),
                         0);
    }
    for (int i = 0; i < WRITERS; i++) {
        (void)mf_thread_join(&threads[i]);
    }
    struct mf_reclog_info info;
    mf_reclog_info(world->log, &info);
    assert_int_equal(info.last_seq, WRITERS * EACH);
    if (durability == MF_RECLOG_SYNC) {
        assert_int_equal(info.durable_seq, WRITERS * EACH);
        printf("%d synced appends of %d threads: %llu syncs\n", WRITERS * EACH, WRITERS,
               (unsigned long long)info.syncs);
    }
    assert_int_equal(mf_reclog_close(world->log, NULL), 0);
    for (int i = WRITERS; i < WRITERS + READERS; i++) {
        (void)mf_thread_join(&threads[i]);
    }
    assert_int_equal(world->failures, 0);
    assert_int_equal(mf_fs_unlink(world->env.fs, world->path, NULL), 0);
}

static void run_all(struct world *world)
{
    world->seed = test_seed();
    run(world, MF_RECLOG_SYNC, 0);
    run(world, MF_RECLOG_PAGE, 0);
    run(world, MF_RECLOG_PAGE, 500000);
    run(world, MF_RECLOG_NONE, 0);
    run(world, MF_RECLOG_INTERVAL, 0);
    run(world, MF_RECLOG_INTERVAL, 300000);
}

static void test_simulated_disk(void **state)
{
    (void)state;
    static struct world world;
    world.disk = mf_simdisk_new(0);
    assert_non_null(world.disk);
    world.env.fs = mf_simdisk_fs(world.disk);
    world.path = "log";
    run_all(&world);
    mf_simdisk_free(world.disk);
}

static void test_real_disk(void **state)
{
    (void)state;
    static struct world world;
    world.path = scratch_path("log");
    run_all(&world);
}

/* Group commit without luck: the first sync is held up until every thread has its record in the
 * file; then the second sync is the last one that is needed. */
static void hold_first_sync(void *context, const char *operation, const char *path, bool after)
{
    struct world *world = context;
    (void)path;
    if (strcmp(operation, "sync") != 0 || after || atomic_exchange(&world->held, 1) != 0) {
        return;
    }
    struct mf_reclog_info info = {.flushed_seq = 0};
    while (info.flushed_seq < WRITERS) {
        sched_yield();
        mf_reclog_info(world->log, &info);
    }
}

static void *append_once(void *context)
{
    struct world *world = context;
    if (mf_reclog_append(world->log, 1, "one", 3, NULL, NULL) != 0) {
        atomic_fetch_add(&world->failures, 1);
    }
    return NULL;
}

static void test_one_sync_for_all_who_wait(void **state)
{
    (void)state;
    static struct world world;
    world.disk = mf_simdisk_new(0);
    assert_non_null(world.disk);
    world.env.fs = mf_simdisk_fs(world.disk);
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    options.durability = MF_RECLOG_SYNC;
    assert_int_equal(mf_reclog_open("log", &options, &world.env, &world.log, NULL), 0);
    mf_simdisk_set_hook(world.disk, hold_first_sync, &world);
    struct mf_thread threads[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(mf_thread_start(&threads[i], "test", append_once, &world, NULL), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        (void)mf_thread_join(&threads[i]);
    }
    struct mf_reclog_info info;
    mf_reclog_info(world.log, &info);
    assert_int_equal(info.durable_seq, WRITERS);
    assert_int_equal(info.syncs, 2);
    assert_int_equal(world.failures, 0);
    assert_int_equal(mf_reclog_close(world.log, NULL), 0);
    mf_simdisk_free(world.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_sync_for_all_who_wait),
        cmocka_unit_test(test_simulated_disk),
        cmocka_unit_test(test_real_disk),
    };
    return cmocka_run_group_tests_name("reclog_threads", tests, NULL, NULL);
}
