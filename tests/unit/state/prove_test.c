/* SPDX-License-Identifier: Apache-2.0
 *
 * prove_test.c -- proofs that a store makes, checked as a stranger does: against a root that was
 * noted when the commit was made, after checkpoints, after opening again, by a reader, while others
 * commit. */
#include "../../lib/test_seed.h"
#include "base/heap.h"
#include "base/rng.h"
#include "os/thread.h"
#include "state/list_tree.h"
#include "state_fixture.h"

#include <errno.h>
#include <stdatomic.h>

enum { COMMITS = 90, KEYS = 12 };

static struct mf_rng rng;
static struct mf_simdisk *disk;
static struct mf_proof_root noted[COMMITS + 2]; /* [seq] */

static int setup(void **state)
{
    (void)state;
    disk = mf_simdisk_new(0);
    return disk != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    unsigned handles = mf_simdisk_handles(disk);
    mf_simdisk_free(disk);
    return handles == 0 ? 0 : -1;
}

static void note(struct mf_state *state)
{
    struct mf_state_info info = info_of(state);
    assert_true(info.seq < COMMITS + 2);
    noted[info.seq].size = info.seq;
    memcpy(noted[info.seq].hash, info.log_root, sizeof info.log_root);
}

/* The proof holds under that root, and under no other that was noted. Frees it. */
static void expect_holds(struct mf_proof_file *file, uint64_t size, uint64_t also,
                         struct mf_proof *ret_proof)
{
    static uint8_t kept[MF_PROOF_LEN_MAX];
    memcpy(kept, file->bytes, file->len);
    assert_ok(mf_proof_decode(kept, file->len, ret_proof, &err));
    assert_memory_equal(&file->root, &ret_proof->root, sizeof file->root);
    assert_ok(mf_proof_check(ret_proof, &noted[size], &err));
    for (uint64_t other = 1; other < COMMITS + 2; other++) {
        if (other != size && other != also && noted[other].size != 0) {
            assert_fails(MF_EPROOF, mf_proof_check(ret_proof, &noted[other], &err));
        }
    }
    mf_proof_file_free(file);
    assert_null(file->bytes);
}

static void expect_commit(struct mf_state *state, uint64_t seq, uint64_t size)
{
    struct mf_proof_file file;
    struct mf_proof proof;
    struct mf_proof_commit commit;
    assert_ok(mf_proof_of_commit(state, seq, size, &file, &err));
    expect_holds(&file, size, size, &proof);
    assert_ok(mf_proof_commit_get(proof.leaf, proof.leaf_len, &commit, &err));
    assert_int_equal(commit.seq, seq);
    assert_int_equal(commit.kind, seq == 1 ? MF_STATE_COMMIT_AUDIT : MF_STATE_COMMIT_CHANGES);
}

static void expect_key(struct mf_state *state, const char *key)
{
    const char *value = get(state, key);
    struct mf_state_info info = info_of(state);
    struct mf_proof_file file;
    struct mf_proof proof;
    assert_ok(mf_proof_of_key(state, key, strlen(key), NULL, &file, &err));
    expect_holds(&file, info.seq, info.seq, &proof);
    assert_int_equal(proof.kind, MF_PROOF_KEY);
    assert_int_equal(proof.key.key_len, strlen(key));
    assert_memory_equal(proof.key.key, key, strlen(key));
    assert_int_equal(proof.key.present, value != NULL);
    if (value != NULL) {
        assert_int_equal(proof.key.value_len, strlen(value));
        assert_memory_equal(proof.key.value, value, strlen(value));
    }
}

static void expect_proofs(struct mf_state *state, int tries)
{
    struct mf_state_info info = info_of(state);
    for (int i = 0; i < tries; i++) {
        uint64_t size = i == 0 ? info.seq : 1 + mf_rng_below(&rng, info.seq);
        uint64_t old = 1 + mf_rng_below(&rng, size);
        struct mf_proof_root root;
        assert_ok(mf_proof_root_of(state, size, &root, &err));
        assert_memory_equal(&root, &noted[size], sizeof root);
        expect_commit(state, 1 + mf_rng_below(&rng, size), size);
        struct mf_proof_file file;
        struct mf_proof proof;
        assert_ok(mf_proof_of_extension(state, old, size, &file, &err));
        expect_holds(&file, size, old, &proof);
        char key[16];
        snprintf(key, sizeof key, "key %d", (int)mf_rng_below(&rng, KEYS));
        expect_key(state, key);
        expect_key(state, "!");
        expect_key(state, "zzz");
    }
}

static void a_store_proves_what_it_holds(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    note(state);
    expect_proofs(state, 1);
    for (int i = 0; i < COMMITS; i++) {
        char key[16];
        snprintf(key, sizeof key, "key %d", (int)mf_rng_below(&rng, KEYS));
        struct mf_state_change change = {
            mf_rng_below(&rng, 4) == 0 ? MF_STATE_DELETE : MF_STATE_PUT, text(key), text(key + 3)};
        assert_ok(mf_state_batch(state, &change, 1, NULL, &err));
        note(state);
        uint64_t what = mf_rng_below(&rng, 12);
        if (what == 0) {
            assert_ok(mf_state_checkpoint(state, &err));
        } else if (what == 1) {
            close_store(state);
            state = open_store(disk, "s", 0);
        } else if (what == 2) {
            struct mf_state *reader = open_store(disk, "s", MF_STATE_READ_ONLY);
            expect_proofs(reader, 2);
            close_store(reader);
        } else if (what < 6) {
            expect_proofs(state, 3);
        }
    }
    expect_proofs(state, 30);
    for (uint64_t seq = 1; seq <= COMMITS + 1; seq++) {
        expect_commit(state, seq, COMMITS + 1);
        expect_commit(state, seq, seq);
    }
    close_store(state);
}

static void readers_follow(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    note(state);
    struct mf_state *reader = open_store(disk, "s", MF_STATE_READ_ONLY);
    for (int i = 0; i < 20; i++) {
        put(state, "key 1", "value");
        note(state);
        if (i % 5 == 0) {
            assert_ok(mf_state_checkpoint(state, &err));
        }
        expect_proofs(reader, 1);
        assert_ok(mf_state_refresh(reader, NULL, &err));
        expect_proofs(reader, 2);
    }
    close_store(reader);
    close_store(state);
}

static void what_there_is_not_is_refused(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "a", "1");
    struct mf_proof_file file = {.bytes = NULL};
    struct mf_proof_root root;
    assert_fails(MF_EVALUE, mf_proof_root_of(state, 3, &root, &err));
    assert_fails(MF_EVALUE, mf_proof_of_commit(state, 0, 2, &file, &err));
    assert_fails(MF_EVALUE, mf_proof_of_commit(state, 2, 1, &file, &err));
    assert_fails(MF_EVALUE, mf_proof_of_commit(state, 1, 3, &file, &err));
    assert_fails(MF_EVALUE, mf_proof_of_commit(state, 3, MF_PROOF_NEWEST, &file, &err));
    assert_fails(MF_EVALUE, mf_proof_of_extension(state, 3, MF_PROOF_NEWEST, &file, &err));
    assert_fails(MF_EVALUE, mf_proof_of_extension(state, 2, 1, &file, &err));
    static const char big[MF_PROOF_KEY_MAX + 1];
    assert_fails(MF_ELIMIT, mf_proof_of_key(state, big, sizeof big, NULL, &file, &err));
    assert_ok(mf_proof_of_key(state, big, MF_PROOF_KEY_MAX, NULL, &file, &err));
    mf_proof_file_free(&file);
    mf_proof_file_free(&file);
    close_store(state);
}

/* A tree whose root begins a value, as a flight is sealed. */
static void an_entry_of_a_tree_in_a_value(void **unused)
{
    (void)unused;
    struct mf_list_tree *tree = mf_list_tree_new();
    assert_non_null(tree);
    assert_int_equal(mf_list_tree_add(tree, "events.log", 10, "hash 2", 6), 0);
    assert_int_equal(mf_list_tree_add(tree, "flight.json", 11, "hash 1", 6), 0);
    uint8_t value[40] = {0};
    mf_list_tree_root(tree, value);
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    struct mf_state_change change = {MF_STATE_PUT, text("flight/1"), {value, sizeof value}};
    assert_ok(mf_state_batch(state, &change, 1, NULL, &err));
    memset(noted, 0, sizeof noted);
    note(state);
    static const char *const names[] = {"events.log", "flight.json", "other"};
    for (size_t i = 0; i < 3; i++) {
        struct mf_proof_entry entry;
        struct mf_proof_file file;
        struct mf_proof proof;
        assert_int_equal(mf_list_tree_prove(tree, names[i], strlen(names[i]), &entry), 0);
        assert_ok(mf_proof_of_key(state, "flight/1", 8, &entry, &file, &err));
        expect_holds(&file, 2, 2, &proof);
        assert_int_equal(proof.kind, MF_PROOF_FILE);
        assert_int_equal(proof.file.present, i < 2);
        /* Of a key that names no tree, or of another tree, nothing is given. */
        assert_fails(MF_ECORRUPT, mf_proof_of_key(state, "flight/2", 8, &entry, &file, &err));
        entry.present = !entry.present;
        assert_fails(MF_ECORRUPT, mf_proof_of_key(state, "flight/1", 8, &entry, &file, &err));
    }
    mf_list_tree_free(tree);
    close_store(state);
}

static void damage_is_never_proven(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    for (int i = 0; i < 20; i++) {
        put(state, "a", "1");
    }
    assert_ok(mf_state_checkpoint(state, &err));
    struct mf_proof_file file;
    for (uint64_t leaf = 0; leaf < 21; leaf++) { /* a bit of each leaf of the Merkle log */
        uint64_t node = 2 * leaf - (uint64_t)__builtin_popcountll(leaf);
        assert_int_equal(mf_simdisk_flip_bit(disk, "s/nodes", (64 + node * 32) * 8), 0);
        assert_fails(MF_ECORRUPT,
                     mf_proof_of_commit(state, leaf + 1, MF_PROOF_NEWEST, &file, &err));
        assert_int_equal(mf_simdisk_flip_bit(disk, "s/nodes", (64 + node * 32) * 8), 0);
        assert_ok(mf_proof_of_commit(state, leaf + 1, MF_PROOF_NEWEST, &file, &err));
        mf_proof_file_free(&file);
    }
    close_store(state);
}

static long allowed;

static int refuse(void *context, size_t len_bytes)
{
    (void)context;
    (void)len_bytes;
    return allowed-- <= 0;
}

static void memory_runs_out(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    for (int i = 0; i < 30; i++) {
        char key[16];
        snprintf(key, sizeof key, "key %d", i);
        put(state, key, "value");
    }
    for (int kind = 0; kind < 3; kind++) {
        int code = -1;
        for (long n = 0; code != 0; n++) {
            struct mf_proof_file file = {.bytes = NULL};
            struct mf_errinfo err = {0, ""};
            allowed = n;
            mf_heap_set_hook(refuse, NULL);
            code = kind == 0   ? mf_proof_of_commit(state, 7, 20, &file, &err)
                   : kind == 1 ? mf_proof_of_extension(state, 5, 20, &file, &err)
                               : mf_proof_of_key(state, "key 7", 5, NULL, &file, &err);
            mf_heap_set_hook(NULL, NULL);
            assert_true(code == 0 || (code == -ENOMEM && file.bytes == NULL));
            mf_proof_file_free(&file);
            assert_true(n < 1000);
        }
    }
    close_store(state);
}

static atomic_int failures;

static void *prove_on(void *context)
{
    struct mf_state *state = context;
    for (int i = 0; i < 60; i++) {
        struct mf_proof_file file;
        struct mf_proof proof;
        struct mf_proof_root root;
        if (mf_proof_of_key(state, "counter", 7, NULL, &file, NULL) != 0) {
            atomic_fetch_add(&failures, 1);
            continue;
        }
        uint64_t size = file.root.size;
        if (mf_proof_decode(file.bytes, file.len, &proof, NULL) != 0 ||
            mf_proof_root_of(state, size, &root, NULL) != 0 ||
            mf_proof_check(&proof, &root, NULL) != 0) {
            atomic_fetch_add(&failures, 1);
        }
        mf_proof_file_free(&file);
    }
    return NULL;
}

static void proofs_while_others_commit(void **unused)
{
    (void)unused;
    enum { THREADS = 3 };
    struct mf_thread threads[THREADS];
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    for (int i = 0; i < THREADS; i++) {
        assert_ok(mf_thread_start(&threads[i], "prover", prove_on, state, &err));
    }
    for (int i = 0; i < 80; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        put(state, "counter", value);
        if (i % 20 == 0) {
            assert_ok(mf_state_checkpoint(state, &err));
        }
    }
    for (int i = 0; i < THREADS; i++) {
        mf_thread_join(&threads[i]);
    }
    close_store(state);
    assert_int_equal(atomic_load(&failures), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    mf_rng_seed(&rng, test_seed());
    const struct CMUnitTest tests[] = {
        TEST(a_store_proves_what_it_holds), TEST(readers_follow),
        TEST(what_there_is_not_is_refused), TEST(an_entry_of_a_tree_in_a_value),
        TEST(damage_is_never_proven),       TEST(memory_runs_out),
        TEST(proofs_while_others_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
