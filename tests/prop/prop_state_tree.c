/* SPDX-License-Identifier: Apache-2.0
 *
 * prop_state_tree.c -- the state tree against a sorted array, from a printed seed: content, order,
 * root, versions that stay as they were, and that only the content decides the root. */
#include "../lib/test_seed.h"
#include "base/fail.h"
#include "base/heap.h"
#include "tree_model.h"

#include <mayfly/error.h>
#include <stdio.h>

static struct model model;
static struct mf_rng rng;

static void put(struct mf_tree *tree, const struct model_item *item)
{
    assert_int_equal(mf__tree_put(tree, item->key, item->key_len, item->value, item->value_len), 0);
}

/* One random change to both. */
static void change(struct mf_tree *tree, unsigned deletes_in_8)
{
    struct model_item item = model_random(&rng);
    if (mf_rng_below(&rng, 8) < deletes_in_8) {
        int found = model_has(&model, item.key, item.key_len);
        assert_int_equal(mf__tree_delete(tree, item.key, item.key_len), found);
        model_delete(&model, item.key, item.key_len);
    } else {
        put(tree, &item);
        model_put(&model, &item);
    }
}

static void follows_the_model(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct mf_tree tree = {NULL, 0, 0};
        model.count = 0;
        unsigned deletes = (unsigned)mf_rng_below(&rng, 7);
        for (int i = 0; i < 300; i++) {
            change(&tree, deletes);
            if (mf_rng_below(&rng, 16) == 0) {
                expect_equal(&tree, &model, mf_rng_below(&rng, 2) == 0);
            }
            struct model_item probe = model_random(&rng);
            struct mf_tree_item item;
            size_t at = model_at(&model, probe.key, probe.key_len);
            bool found = model_has(&model, probe.key, probe.key_len);
            assert_int_equal(mf__tree_get(&tree, probe.key, probe.key_len, &item), found);
            if (found) {
                assert_int_equal(item.value_len, model.items[at].value_len);
                assert_memory_equal(item.value, model.items[at].value, item.value_len);
            }
            struct mf_tree_cursor cursor;
            mf__tree_seek(&tree, probe.key, probe.key_len, &cursor);
            bool more = mf__tree_next(&cursor, &item);
            assert_int_equal(more, at < model.count);
            if (more) {
                assert_int_equal(model_order(&model.items[at], item.key, item.key_len), 0);
            }
        }
        expect_equal(&tree, &model, true);
        mf__tree_release(&tree);
        assert_null(tree.root);
    }
}

/* Versions taken at random times stay what they were, whatever is done to others, and whichever is
 * released first; a version is changed as well as the newest. */
static void versions_stay(void **state)
{
    (void)state;
    enum { VERSIONS = 12 };
    static struct model models[VERSIONS];
    static struct mf_tree trees[VERSIONS];
    for (int i = 0; i < VERSIONS; i++) {
        models[i].count = 0;
        trees[i] = (struct mf_tree){NULL, 0, 0};
    }
    for (int step = 0; step < 2500; step++) {
        size_t from = mf_rng_below(&rng, VERSIONS);
        size_t to = mf_rng_below(&rng, VERSIONS);
        if (from != to) {
            mf__tree_release(&trees[to]);
            trees[to] = mf__tree_share(&trees[from]);
            models[to] = models[from];
        }
        model = models[to];
        for (uint64_t i = mf_rng_below(&rng, 8); i > 0; i--) {
            change(&trees[to], 3);
        }
        models[to] = model;
        size_t any = mf_rng_below(&rng, VERSIONS);
        expect_equal(&trees[any], &models[any], step % 16 == 0);
    }
    for (int i = 0; i < VERSIONS; i++) {
        expect_equal(&trees[i], &models[i], true);
        mf__tree_release(&trees[i]);
    }
}

/* The same content by other ways: shuffled, with detours, with roots taken in between, built. */
static void only_the_content_counts(void **state)
{
    (void)state;
    for (int round = 0; round < 40; round++) {
        struct mf_tree tree = {NULL, 0, 0};
        model.count = 0;
        for (uint64_t i = mf_rng_below(&rng, 200); i > 0; i--) {
            change(&tree, 2);
        }
        uint8_t root[MF_SHA256_LEN];
        mf__tree_root(&tree, root);

        struct mf_tree_builder builder = {.last = NULL};
        struct mf_tree detour = {NULL, 0, 0};
        size_t order[MF_ARRAY_LEN(model.items)];
        for (size_t i = 0; i < model.count; i++) {
            const struct model_item *item = &model.items[i];
            assert_int_equal(mf__tree_build_add(&builder, item->key, item->key_len, item->value,
                                                item->value_len),
                             0);
            order[i] = i;
        }
        for (size_t i = model.count; i > 1; i--) {
            size_t other = mf_rng_below(&rng, i);
            size_t kept = order[i - 1];
            order[i - 1] = order[other];
            order[other] = kept;
        }
        for (size_t i = 0; i < model.count; i++) {
            struct model_item extra = model_random(&rng);
            put(&detour, &extra);
            uint8_t between[MF_SHA256_LEN];
            mf__tree_root(&detour, between);
            if (!model_has(&model, extra.key, extra.key_len)) {
                assert_int_equal(mf__tree_delete(&detour, extra.key, extra.key_len), 1);
            }
            put(&detour, &model.items[order[i]]);
        }
        for (size_t i = 0; i < model.count; i++) { /* an extra may have come after its key */
            put(&detour, &model.items[i]);
        }
        struct mf_tree built = mf__tree_build_end(&builder);
        struct mf_tree *others[] = {&detour, &built};
        for (size_t i = 0; i < 2; i++) {
            uint8_t other_root[MF_SHA256_LEN];
            mf__tree_root(others[i], other_root);
            assert_memory_equal(root, other_root, MF_SHA256_LEN);
            expect_equal(others[i], &model, true);
            mf__tree_release(others[i]);
        }
        mf__tree_release(&tree);
    }
}

static void every_bit_of_the_content_counts(void **state)
{
    (void)state;
    struct mf_tree tree = {NULL, 0, 0};
    model.count = 0;
    for (int i = 0; i < 20; i++) {
        change(&tree, 0);
    }
    uint8_t root[MF_SHA256_LEN];
    mf__tree_root(&tree, root);
    for (size_t i = 0; i < model.count; i++) {
        struct model changed = model;
        struct model_item item = changed.items[i];
        for (size_t bit = 0; bit < (item.key_len + item.value_len) * 8; bit++) {
            struct mf_tree other = mf__tree_share(&tree);
            struct model_item flipped = item;
            uint8_t *byte = bit / 8 < item.key_len ? &flipped.key[bit / 8]
                                                   : &flipped.value[bit / 8 - item.key_len];
            *byte ^= (uint8_t)(1u << bit % 8);
            if (!model_has(&model, flipped.key, flipped.key_len) || bit / 8 >= item.key_len) {
                assert_int_equal(mf__tree_delete(&other, item.key, item.key_len), 1);
                put(&other, &flipped);
                uint8_t other_root[MF_SHA256_LEN];
                mf__tree_root(&other, other_root);
                assert_memory_not_equal(root, other_root, MF_SHA256_LEN);
            }
            mf__tree_release(&other);
        }
    }
    /* A byte that moves from the key to the value is another content. */
    struct mf_tree a = {NULL, 0, 0};
    struct mf_tree b = {NULL, 0, 0};
    assert_int_equal(mf__tree_put(&a, "key", 3, "value", 5), 0);
    assert_int_equal(mf__tree_put(&b, "keyv", 4, "alue", 4), 0);
    uint8_t root_b[MF_SHA256_LEN];
    mf__tree_root(&a, root);
    mf__tree_root(&b, root_b);
    assert_memory_not_equal(root, root_b, MF_SHA256_LEN);
    mf__tree_release(&a);
    mf__tree_release(&b);
    mf__tree_release(&tree);
}

/* Keys in an order of priorities that makes the tree a list: deep, and everything still works. The
 * longest chain among N random keys has about 2 sqrt(N). */
static void depth_costs_time_only(void **state)
{
    (void)state;
    enum { KEYS = 200000 };
    struct mf_tree tree = {NULL, 0, 0};
    uint8_t last[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    size_t count = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        uint8_t key[4] = {(uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        struct model_item item = {.key_len = 4};
        memcpy(item.key, key, 4);
        uint8_t priority[8];
        model_priority(&item, priority);
        /* Descending, in small steps: greedy, not the longest, and hundreds of levels. */
        if (memcmp(priority, last, 8) < 0 && (uint8_t)(last[0] - priority[0]) <= 1) {
            memcpy(last, priority, 8);
            assert_int_equal(mf__tree_put(&tree, key, 4, "v", 1), 0);
            count++;
        }
    }
    printf("a chain of %zu\n", count);
    assert_true(count > MF_TREE_CURSOR_DEPTH);
    assert_int_equal(tree.count, count);
    struct mf_tree_cursor cursor;
    struct mf_tree_item item;
    mf__tree_seek(&tree, NULL, 0, &cursor);
    uint8_t before[4] = {0};
    size_t seen = 0;
    for (; mf__tree_next(&cursor, &item); seen++) {
        assert_true(seen == 0 || memcmp(before, item.key, 4) < 0);
        memcpy(before, item.key, 4);
    }
    assert_int_equal(seen, count);
    /* The mirror image, a chain to the left, is what a cursor must remember. */
    struct mf_tree mirror = {NULL, 0, 0};
    memset(last, 255, 8);
    count = 0;
    for (uint32_t i = KEYS; i > 0; i--) {
        uint8_t key[4] = {(uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        struct model_item made = {.key_len = 4};
        memcpy(made.key, key, 4);
        uint8_t priority[8];
        model_priority(&made, priority);
        if (memcmp(priority, last, 8) < 0 && (uint8_t)(last[0] - priority[0]) <= 1) {
            memcpy(last, priority, 8);
            assert_int_equal(mf__tree_put(&mirror, key, 4, "v", 1), 0);
            count++;
        }
    }
    assert_true(count > 2 * MF_TREE_CURSOR_DEPTH);
    mf__tree_seek(&mirror, NULL, 0, &cursor);
    for (seen = 0; mf__tree_next(&cursor, &item); seen++) {
        assert_true(seen == 0 || memcmp(before, item.key, 4) < 0);
        memcpy(before, item.key, 4);
    }
    assert_int_equal(seen, count);
    uint8_t root[MF_SHA256_LEN];
    mf__tree_root(&mirror, root);
    mf__tree_release(&mirror);
    mf__tree_release(&tree);
}

static void bounds_are_kept(void **state)
{
    (void)state;
    struct mf_tree tree = {NULL, 0, 0};
    char *big = mf_calloc(1, (size_t)MF_TREE_KEY_MAX + 1);
    assert_non_null(big);
    assert_int_equal(mf__tree_put(&tree, big, MF_TREE_KEY_MAX + 1, "v", 1), MF_ELIMIT);
    assert_int_equal(mf__tree_put(&tree, "k", 1, big, (size_t)MF_TREE_VALUE_MAX + 1), MF_ELIMIT);
    assert_int_equal(tree.count, 0);
    assert_int_equal(mf__tree_put(&tree, big, MF_TREE_KEY_MAX, big, MF_TREE_KEY_MAX), 0);
    struct mf_tree_item item;
    assert_true(mf__tree_get(&tree, big, MF_TREE_KEY_MAX, &item));
    assert_int_equal(item.value_len, MF_TREE_KEY_MAX);
    uint8_t root[MF_SHA256_LEN];
    mf__tree_root(&tree, root);
    struct mf_tree_builder builder = {.last = NULL};
    assert_int_equal(mf__tree_build_add(&builder, "b", 1, "", 0), 0);
    assert_int_equal(mf__tree_build_add(&builder, "b", 1, "", 0), MF_EVALUE);
    assert_int_equal(mf__tree_build_add(&builder, "b", 1, "", 0), 0);
    assert_int_equal(mf__tree_build_add(&builder, "a", 1, "", 0), MF_EVALUE);
    assert_int_equal(mf__tree_build_add(&builder, big, MF_TREE_KEY_MAX + 1, "", 0), MF_ELIMIT);
    struct mf_tree none = mf__tree_build_end(&builder);
    assert_null(none.root);
    mf__tree_release(&tree);
    mf_free(big);
}

int main(void)
{
    mf_rng_seed(&rng, test_seed());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_model),
        cmocka_unit_test(versions_stay),
        cmocka_unit_test(only_the_content_counts),
        cmocka_unit_test(every_bit_of_the_content_counts),
        cmocka_unit_test(depth_costs_time_only),
        cmocka_unit_test(bounds_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
