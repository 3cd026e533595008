/* SPDX-License-Identifier: Apache-2.0
 *
 * test_merkle_log.c -- the nodes of the Merkle log on a simulated disk: proofs while it grows,
 * opening at any attested size, power cuts, every single bit damaged, full disk, each call and each
 * allocation failing, proofs from other threads. */
#include "../lib/test_seed.h"
#include "base/fail.h"
#include "base/heap.h"
#include "base/rng.h"
#include "merkle_log.h"
#include "merkle_model.h"
#include "os/simdisk.h"
#include "os/thread.h"

#include <errno.h>
#include <mayfly/error.h>
#include <stdatomic.h>
#include <stdio.h>

enum { LEAVES = 700 };

static uint8_t leaves[LEAVES][MF_SHA256_LEN];
static uint8_t roots[LEAVES + 1][MF_SHA256_LEN];
static struct mf_merkle_frontier fronts[LEAVES + 1];
static const uint8_t id[MF_MERKLE_ID_LEN] = "one store";
static const struct mf_merkle_frontier empty;

static struct mf_rng rng;
static struct mf_simdisk *disk;
static const struct mf_fs *fs;
static struct mf_errinfo err;

static int prepare(void **state)
{
    (void)state;
    mf_rng_seed(&rng, test_seed());
    for (uint64_t i = 0; i < LEAVES; i++) {
        mf__merkle_root(&fronts[i], roots[i]);
        mf__merkle_hash_leaf(&i, sizeof i, leaves[i]);
        fronts[i + 1] = fronts[i];
        mf__merkle_append(&fronts[i + 1], leaves[i], NULL, NULL);
    }
    mf__merkle_root(&fronts[LEAVES], roots[LEAVES]);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    disk = mf_simdisk_new(0);
    fs = mf_simdisk_fs(disk);
    return disk == NULL;
}

static int teardown(void **state)
{
    (void)state;
    if (mf_simdisk_handles(disk) != 0) {
        return -1;
    }
    mf_simdisk_free(disk);
    return 0;
}

static struct mf_merkle_log *opened(uint64_t attested, unsigned flags)
{
    struct mf_merkle_log *log = NULL;
    int code = mf__merkle_log_open(fs, "nodes", flags, id, &fronts[attested], &log, &err);
    if (code != 0) {
        print_error("%s\n", err.msg);
    }
    assert_int_equal(code, 0);
    return log;
}

static void grow(struct mf_merkle_log *log, uint64_t from, uint64_t to)
{
    assert_int_equal(mf__merkle_log_reserve(log, to - from), 0);
    for (uint64_t i = from; i < to; i++) {
        mf__merkle_log_append(log, leaves[i]);
    }
}

/* Makes the file with `size` leaves, synced. */
static void make(uint64_t size)
{
    struct mf_merkle_log *log = opened(0, MF_MERKLE_LOG_CREATE);
    grow(log, 0, size);
    assert_int_equal(mf__merkle_log_sync(log, &err), 0);
    mf__merkle_log_close(log);
}

static int prove_leaf(struct mf_merkle_log *log, uint64_t index, uint64_t size)
{
    struct mf_merkle_path path;
    uint8_t leaf[MF_SHA256_LEN];
    uint8_t root[MF_SHA256_LEN];
    uint8_t reached[MF_SHA256_LEN];
    int code = mf__merkle_log_prove_leaf(log, index, size, &path, leaf, root, &err);
    if (code == 0) {
        assert_memory_equal(leaf, leaves[index], sizeof leaf);
        assert_memory_equal(root, roots[size], sizeof root);
        assert_true(
            mf__merkle_leaf_root(leaves[index], index, size, path.hashes[0], path.count, reached));
        assert_memory_equal(reached, roots[size], sizeof root);
    }
    return code;
}

static int prove_extension(struct mf_merkle_log *log, uint64_t old, uint64_t size)
{
    struct mf_merkle_path path;
    uint8_t old_root[MF_SHA256_LEN];
    uint8_t root[MF_SHA256_LEN];
    int code = mf__merkle_log_prove_extension(log, old, size, &path, old_root, root, &err);
    if (code == 0) {
        assert_memory_equal(old_root, roots[old], sizeof root);
        assert_memory_equal(root, roots[size], sizeof root);
        assert_true(
            mf__merkle_extends(old, roots[old], size, roots[size], path.hashes[0], path.count));
    }
    return code;
}

static void expect_proofs(struct mf_merkle_log *log, uint64_t count, int tries)
{
    uint8_t root[MF_SHA256_LEN];
    for (int i = 0; i < tries && count > 0; i++) {
        uint64_t size = mf_rng_below(&rng, 3) == 0 ? count : 1 + mf_rng_below(&rng, count);
        assert_int_equal(prove_leaf(log, mf_rng_below(&rng, size), size), 0);
        assert_int_equal(prove_extension(log, mf_rng_below(&rng, size + 1), size), 0);
        assert_int_equal(mf__merkle_log_root_at(log, size, root, &err), 0);
        assert_memory_equal(root, roots[size], sizeof root);
    }
    assert_int_equal(prove_leaf(log, count, count), MF_EVALUE);
    assert_int_equal(prove_leaf(log, 0, count + 1), MF_EVALUE);
    assert_int_equal(prove_extension(log, 0, count + 1), MF_EVALUE);
    assert_int_equal(prove_extension(log, count + 1, count), MF_EVALUE);
    assert_int_equal(mf__merkle_log_root_at(log, count + 1, root, &err), MF_EVALUE);
    assert_int_equal(mf__merkle_log_check(log, &err), 0);
    struct mf_merkle_frontier now;
    mf__merkle_log_frontier(log, &now);
    mf__merkle_root(&now, root);
    assert_int_equal(now.size, count);
    assert_memory_equal(root, roots[count], sizeof root);
}

static void proofs_while_it_grows(void **state)
{
    (void)state;
    struct mf_merkle_log *log = opened(0, MF_MERKLE_LOG_CREATE);
    expect_proofs(log, 0, 0);
    uint64_t durable = 0;
    for (uint64_t size = 0; size < LEAVES;) {
        uint64_t next = size + 1 + mf_rng_below(&rng, 30);
        next = next > LEAVES ? LEAVES : next;
        grow(log, size, next);
        size = next;
        uint64_t what = mf_rng_below(&rng, 6);
        if (what == 0) {
            assert_int_equal(mf__merkle_log_write(log, &err), 0);
            assert_int_equal(mf__merkle_log_buffered(log), 0);
        } else if (what == 1) {
            assert_int_equal(mf__merkle_log_sync(log, &err), 0);
            durable = size;
        } else if (what == 2) { /* the process dies; the rest comes from the write-ahead log */
            mf__merkle_log_close(log);
            log = opened(durable, mf_rng_below(&rng, 2) == 0 ? MF_MERKLE_LOG_CREATE : 0);
            expect_proofs(log, durable, 1);
            grow(log, durable, size);
        } else if (what == 3) { /* so does the power */
            mf__merkle_log_close(log);
            struct mf_simdisk *after =
                mf_simdisk_power_cut(disk, &(struct mf_simdisk_cut){.seed = mf_rng_next(&rng)});
            assert_non_null(after);
            mf_simdisk_free(disk);
            disk = after;
            fs = mf_simdisk_fs(disk);
            log = opened(durable, 0);
            grow(log, durable, size);
        }
        expect_proofs(log, size, 4);
    }
    mf__merkle_log_close(log);
}

static void what_is_not_attested_counts_for_nothing(void **state)
{
    (void)state;
    make(100);
    struct mf_merkle_log *log = opened(37, 0);
    expect_proofs(log, 37, 10);
    grow(log, 37, 60);
    expect_proofs(log, 60, 10);
    assert_int_equal(mf__merkle_log_write(log, &err), 0);
    mf__merkle_log_close(log);
    /* It is there all the same, for a newer checkpoint that could not be read just now. */
    mf__merkle_log_close(opened(100, 0));
    log = NULL;
    assert_int_equal(mf__merkle_log_open(fs, "nodes", 0, id, &fronts[101], &log, &err),
                     MF_ECORRUPT);
    struct mf_merkle_frontier forged = fronts[60];
    forged.peaks[3][5] ^= 1;
    assert_int_equal(mf__merkle_log_open(fs, "nodes", 0, id, &forged, &log, &err), MF_ECORRUPT);
    assert_non_null(strstr(err.msg, "offset"));
    assert_null(log);
}

static void readers_write_nothing(void **state)
{
    (void)state;
    make(50);
    struct mf_merkle_log *log = opened(40, MF_MERKLE_LOG_READ_ONLY);
    grow(log, 40, 70);
    expect_proofs(log, 70, 30);
    assert_int_equal(mf__merkle_log_write(log, &err), MF_EREADONLY);
    assert_int_equal(mf__merkle_log_sync(log, &err), MF_EREADONLY);
    mf__merkle_log_close(log);
    struct mf_file_info info;
    assert_int_equal(mf_fs_info(fs, "nodes", &info, &err), 0);
    assert_int_equal(info.size_bytes, 64 + 32 * (2 * 50 - 3));
}

static void other_files_are_refused(void **state)
{
    (void)state;
    struct mf_merkle_log *log = NULL;
    assert_int_equal(mf__merkle_log_open(fs, "nodes", 0, id, &empty, &log, &err), -ENOENT);
    assert_int_equal(
        mf__merkle_log_open(fs, "nodes", MF_MERKLE_LOG_CREATE, id, &fronts[3], &log, &err),
        -ENOENT);
    make(9);
    static const uint8_t other[MF_MERKLE_ID_LEN] = "another";
    assert_int_equal(mf__merkle_log_open(fs, "nodes", 0, other, &empty, &log, &err), MF_EMISMATCH);
    for (uint64_t bit = 0; bit < 64 * 8; bit++) {
        assert_int_equal(mf_simdisk_flip_bit(disk, "nodes", bit), 0);
        int code = mf__merkle_log_open(fs, "nodes", MF_MERKLE_LOG_CREATE, id, &empty, &log, &err);
        assert_int_equal(code, bit < 64 ? MF_EFORMAT : MF_ECORRUPT);
        assert_int_equal(mf_simdisk_flip_bit(disk, "nodes", bit), 0);
    }
    assert_int_equal(mf_fs_replace(fs, "nodes", "MFNODES", 8, &err), 0);
    assert_int_equal(mf__merkle_log_open(fs, "nodes", 0, id, &empty, &log, &err), MF_ECORRUPT);
    assert_int_equal(mf_fs_replace(fs, "nodes", "", 0, &err), 0);
    assert_int_equal(mf__merkle_log_open(fs, "nodes", 0, id, &empty, &log, &err), MF_EFORMAT);
    assert_null(log);
}

/* A damaged node is found by the check; no proof is ever wrong because of it. */
static void every_damaged_bit_is_noticed(void **state)
{
    (void)state;
    enum { SIZE = 21 };
    make(SIZE);
    uint64_t nodes = 2 * SIZE - 3;
    unsigned refused = 0;
    for (uint64_t node = 0; node < nodes; node++) {
        uint64_t bit = (64 + 32 * node) * 8 + mf_rng_below(&rng, 256);
        struct mf_merkle_log *log = opened(SIZE, 0);
        assert_int_equal(mf_simdisk_flip_bit(disk, "nodes", bit), 0);
        assert_int_equal(mf__merkle_log_check(log, &err), MF_ECORRUPT);
        for (uint64_t size = 1; size <= SIZE; size++) {
            for (uint64_t of = 0; of < size; of++) { /* a proof that is given is a good one */
                refused += prove_leaf(log, of, size) == MF_ECORRUPT;
                refused += prove_extension(log, of, size) == MF_ECORRUPT;
            }
        }
        mf__merkle_log_close(log);
        assert_int_equal(mf_simdisk_flip_bit(disk, "nodes", bit), 0);
    }
    assert_true(refused > nodes);
    /* The file loses its end while it is open. */
    struct mf_merkle_log *log = opened(SIZE, 0);
    struct mf_file *file = NULL;
    assert_int_equal(mf_file_open(fs, "nodes", MF_OPEN_READ | MF_OPEN_WRITE, &file, &err), 0);
    assert_int_equal(mf_file_truncate(file, 64 + 32 * 10 + 5, &err), 0);
    mf_file_close(file);
    assert_int_equal(mf__merkle_log_check(log, &err), MF_ECORRUPT);
    assert_int_equal(prove_leaf(log, 12, SIZE), MF_ECORRUPT);
    mf__merkle_log_close(log);
}

static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    struct mf_merkle_log *log = opened(0, MF_MERKLE_LOG_CREATE);
    mf_simdisk_set_capacity(disk, 8192);
    grow(log, 0, LEAVES);
    assert_int_equal(mf__merkle_log_write(log, &err), -ENOSPC);
    assert_int_equal(mf__merkle_log_sync(log, &err), -ENOSPC);
    expect_proofs(log, LEAVES, 30);
    mf_simdisk_set_capacity(disk, 0);
    assert_int_equal(mf__merkle_log_sync(log, &err), 0);
    expect_proofs(log, LEAVES, 30);
    mf__merkle_log_close(log);
    log = opened(LEAVES, 0);
    expect_proofs(log, LEAVES, 30);
    mf_simdisk_fail_nth(disk, 1, -EIO, false);
    assert_int_equal(mf__merkle_log_sync(log, &err), -EIO);
    assert_int_equal(mf__merkle_log_sync(log, &err), MF_EPOISONED);
    mf__merkle_log_close(log);
}

static long allowed;

static int refuse(void *context, size_t len_bytes)
{
    (void)context;
    (void)len_bytes;
    return allowed-- <= 0;
}

/* One life of the file; the first code that is not 0. */
static int live(void)
{
    struct mf_merkle_log *log = NULL;
    int code = mf__merkle_log_open(fs, "nodes", MF_MERKLE_LOG_CREATE, id, &empty, &log, &err);
    for (uint64_t i = 0; i < 40 && code == 0; i += 10) {
        code = mf__merkle_log_reserve(log, 10);
        for (uint64_t j = i; j < i + 10 && code == 0; j++) {
            mf__merkle_log_append(log, leaves[j]);
        }
        code = code == 0 ? mf__merkle_log_write(log, &err) : code;
    }
    code = code == 0 ? prove_leaf(log, 3, 30) : code;
    code = code == 0 ? mf__merkle_log_check(log, &err) : code;
    code = code == 0 ? mf__merkle_log_sync(log, &err) : code;
    mf__merkle_log_close(log);
    return code;
}

static void every_failure_is_told(void **state)
{
    (void)state;
    long failed = 0;
    uint64_t nth = 0;
    for (uint64_t taken = nth; taken >= nth; nth++) {
        uint64_t before = mf_simdisk_operations(disk);
        mf_simdisk_fail_nth(disk, nth + 1, -EIO, false);
        int code = live();
        taken = mf_simdisk_operations(disk) - before;
        assert_true(code == 0 || code == -EIO);
        failed += code != 0;
        mf_simdisk_fail_nth(disk, 0, 0, false);
        assert_int_equal(live(), 0);
        assert_int_equal(mf_fs_unlink(fs, "nodes", &err), 0);
    }
    printf("%ld of %llu calls failed\n", failed, (unsigned long long)nth);
    assert_true(failed > 10);
    failed = 0;
    for (int code = -1; code != 0; failed++) {
        allowed = failed;
        mf_heap_set_hook(refuse, NULL);
        code = live();
        mf_heap_set_hook(NULL, NULL);
        assert_true(code == 0 || code == -ENOMEM);
        assert_int_equal(live(), 0);
        assert_int_equal(mf_fs_unlink(fs, "nodes", &err), 0);
    }
    assert_true(failed > 3);
}

static struct mf_merkle_log *shared_log;
static atomic_int failures;

static void *prove_on(void *context)
{
    struct mf_rng own;
    mf_rng_seed(&own, (uint64_t)(uintptr_t)context);
    for (int i = 0; i < 300; i++) {
        struct mf_merkle_frontier now;
        mf__merkle_log_frontier(shared_log, &now);
        if (now.size == 0) {
            continue;
        }
        struct mf_merkle_path path;
        uint8_t leaf[MF_SHA256_LEN];
        uint8_t root[MF_SHA256_LEN];
        uint64_t size = 1 + mf_rng_below(&own, now.size);
        uint64_t index = mf_rng_below(&own, size);
        if (mf__merkle_log_prove_leaf(shared_log, index, size, &path, leaf, root, NULL) != 0 ||
            memcmp(leaf, leaves[index], sizeof leaf) != 0 ||
            memcmp(root, roots[size], sizeof root) != 0) {
            atomic_fetch_add(&failures, 1);
        }
    }
    return NULL;
}

static void proofs_from_other_threads(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    struct mf_thread threads[THREADS];
    shared_log = opened(0, MF_MERKLE_LOG_CREATE);
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(mf_thread_start(&threads[i], "prover", prove_on, (void *)(i + 1), &err),
                         0);
    }
    for (uint64_t i = 0; i < LEAVES; i++) {
        grow(shared_log, i, i + 1);
        if (mf_rng_below(&rng, 5) == 0) {
            assert_int_equal(mf__merkle_log_write(shared_log, &err), 0);
        }
    }
    for (int i = 0; i < THREADS; i++) {
        mf_thread_join(&threads[i]);
    }
    assert_int_equal(atomic_load(&failures), 0);
    expect_proofs(shared_log, LEAVES, 10);
    mf__merkle_log_close(shared_log);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(proofs_while_it_grows),        TEST(what_is_not_attested_counts_for_nothing),
        TEST(readers_write_nothing),        TEST(other_files_are_refused),
        TEST(every_damaged_bit_is_noticed), TEST(a_full_disk_loses_nothing),
        TEST(every_failure_is_told),        TEST(proofs_from_other_threads),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
