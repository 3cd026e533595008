/* SPDX-License-Identifier: Apache-2.0
 *
 * prop_state_tree_threads.c -- one writer goes on while readers walk the versions they were given,
 * and change them for themselves: content and root stay those of the version. ThreadSanitizer looks
 * for races. */
#include "../lib/test_seed.h"
#include "base/rng.h"
#include "cmocka_all.h"
#include "os/thread.h"
#include "tree.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { READERS = 3, KEYS = 400, COMMITS = 1500, READS = 150 };

/* The newest version: of `commit`, every key that is there has the value `commit` of when it was
 * put, and the key "n" has the count. */
static struct mf_mutex lock;
static struct mf_tree newest;
static uint8_t newest_root[MF_SHA256_LEN];
static atomic_int failures;
static atomic_int reading; /* readers that are not done */
static uint64_t seed;

static void expect(bool holds)
{
    if (!holds) {
        atomic_fetch_add(&failures, 1);
    }
}

static size_t key_of(uint64_t number, char key[16])
{
    return (size_t)snprintf(key, 16, "key %llu", (unsigned long long)number);
}

static void read_version(struct mf_tree *tree, const uint8_t root[MF_SHA256_LEN],
                         struct mf_rng *rng)
{
    struct mf_tree_cursor cursor;
    struct mf_tree_item item;
    uint64_t count = 0;
    uint64_t size_bytes = 0;
    mf__tree_seek(tree, NULL, 0, &cursor);
    while (mf__tree_next(&cursor, &item)) {
        count++;
        size_bytes += item.key_len + item.value_len;
    }
    expect(count == tree->count && size_bytes == tree->size_bytes);
    uint8_t now[MF_SHA256_LEN];
    mf__tree_root(tree, now);
    expect(memcmp(now, root, sizeof now) == 0);

    /* A change of one's own, and back again. */
    char key[16];
    size_t key_len = key_of(mf_rng_below(rng, KEYS), key);
    struct mf_tree own = mf__tree_share(tree);
    bool there = mf__tree_get(&own, key, key_len, &item);
    expect(mf__tree_put(&own, key, key_len, "mine", 4) == 0);
    mf__tree_root(&own, now);
    expect(memcmp(now, root, sizeof now) != 0);
    if (there) {
        expect(mf__tree_get(tree, key, key_len, &item));
        expect(mf__tree_put(&own, key, key_len, item.value, item.value_len) == 0);
    } else {
        expect(mf__tree_delete(&own, key, key_len) == 1);
    }
    mf__tree_root(&own, now);
    expect(memcmp(now, root, sizeof now) == 0);
    mf__tree_release(&own);
}

static void *read_versions(void *context)
{
    struct mf_rng rng;
    mf_rng_seed(&rng, seed + (uint64_t)(uintptr_t)context);
    for (int i = 0; i < READS; i++) {
        uint8_t root[MF_SHA256_LEN];
        mf_mutex_lock(&lock);
        struct mf_tree mine = mf__tree_share(&newest);
        memcpy(root, newest_root, sizeof root);
        mf_mutex_unlock(&lock);
        read_version(&mine, root, &rng);
        mf__tree_release(&mine);
    }
    atomic_fetch_sub(&reading, 1);
    return NULL;
}

static void readers_see_their_version(void **state)
{
    (void)state;
    seed = test_seed();
    mf_mutex_init(&lock);
    mf__tree_root(&newest, newest_root);
    struct mf_thread threads[READERS];
    atomic_store(&reading, READERS);
    for (uintptr_t i = 0; i < READERS; i++) {
        struct mf_errinfo err;
        assert_int_equal(
            mf_thread_start(&threads[i], "reader", read_versions, (void *)(i + 1), &err), 0);
    }
    struct mf_rng rng;
    mf_rng_seed(&rng, seed);
    for (uint64_t commit = 0; commit < COMMITS || atomic_load(&reading) > 0; commit++) {
        mf_mutex_lock(&lock);
        struct mf_tree next = mf__tree_share(&newest);
        mf_mutex_unlock(&lock);
        for (uint64_t i = mf_rng_below(&rng, 6); i > 0; i--) {
            char key[16];
            size_t key_len = key_of(mf_rng_below(&rng, KEYS), key);
            if (mf_rng_below(&rng, 3) == 0) {
                expect(mf__tree_delete(&next, key, key_len) >= 0);
            } else {
                expect(mf__tree_put(&next, key, key_len, &commit, sizeof commit) == 0);
            }
        }
        uint8_t root[MF_SHA256_LEN];
        mf__tree_root(&next, root);
        mf_mutex_lock(&lock);
        struct mf_tree old = newest;
        newest = next;
        memcpy(newest_root, root, sizeof root);
        mf_mutex_unlock(&lock);
        mf__tree_release(&old);
    }
    for (int i = 0; i < READERS; i++) {
        mf_thread_join(&threads[i]);
    }
    mf__tree_release(&newest);
    mf_mutex_fini(&lock);
    assert_int_equal(atomic_load(&failures), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(readers_see_their_version)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
