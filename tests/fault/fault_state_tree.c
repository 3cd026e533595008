/* SPDX-License-Identifier: Apache-2.0
 *
 * fault_state_tree.c -- every allocation of the state tree fails once: the call says so, the tree
 * is what it was, and the same call succeeds afterwards. Leaks are the sanitizer's to find. */
#include "../lib/test_seed.h"
#include "base/heap.h"
#include "tree_model.h"

#include <errno.h>
#include <stdio.h>

static long allowed;

static int refuse(void *context, size_t len_bytes)
{
    (void)context;
    (void)len_bytes;
    return allowed-- <= 0;
}

static struct model model;
static struct mf_rng rng;

/* Both with one change, whose Nth allocation fails for every N before it succeeds. */
static void change(struct mf_tree *tree, long *failed)
{
    struct model_item item = model_random(&rng);
    bool deletes = mf_rng_below(&rng, 3) == 0;
    uint8_t before[MF_SHA256_LEN];
    if (mf_rng_below(&rng, 2) == 0) {
        mf__tree_root(tree, before); /* sometimes all nodes are hashed, sometimes some are not */
    }
    for (long n = 0;; n++) {
        allowed = n;
        mf_heap_set_hook(refuse, NULL);
        int code = deletes ? mf__tree_delete(tree, item.key, item.key_len)
                           : mf__tree_put(tree, item.key, item.key_len, item.value, item.value_len);
        mf_heap_set_hook(NULL, NULL);
        if (code >= 0) {
            break;
        }
        assert_int_equal(code, -ENOMEM);
        expect_equal(tree, &model, false);
        ++*failed;
    }
    if (deletes) {
        model_delete(&model, item.key, item.key_len);
    } else {
        model_put(&model, &item);
    }
    expect_equal(tree, &model, false);
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    long failed = 0;
    for (int round = 0; round < 20; round++) {
        struct mf_tree tree = {NULL, 0, 0};
        struct mf_tree kept = {NULL, 0, 0};
        static struct model kept_model;
        model.count = 0;
        kept_model.count = 0;
        for (int i = 0; i < 60; i++) {
            if (mf_rng_below(&rng, 4) == 0) { /* all is shared now, and has to be copied */
                expect_equal(&kept, &kept_model, true);
                mf__tree_release(&kept);
                kept = mf__tree_share(&tree);
                kept_model = model;
            }
            change(&tree, &failed);
        }
        expect_equal(&tree, &model, true);
        expect_equal(&kept, &kept_model, true);
        mf__tree_release(&kept);
        mf__tree_release(&tree);
    }
    printf("%ld allocations failed\n", failed);
    assert_true(failed > 1000);
}

static void building_fails_whole(void **state)
{
    (void)state;
    struct mf_tree whole = {NULL, 0, 0};
    model.count = 0;
    for (int i = 0; i < 30; i++) {
        struct model_item item = model_random(&rng);
        model_put(&model, &item);
    }
    for (long n = 0; whole.root == NULL; n++) {
        struct mf_tree_builder builder = {.last = NULL};
        allowed = n;
        mf_heap_set_hook(refuse, NULL);
        int code = 0;
        for (size_t i = 0; i < model.count && code == 0; i++) {
            const struct model_item *item = &model.items[i];
            code = mf__tree_build_add(&builder, item->key, item->key_len, item->value,
                                      item->value_len);
        }
        mf_heap_set_hook(NULL, NULL);
        if (code == 0) {
            whole = mf__tree_build_end(&builder);
        } else {
            assert_int_equal(code, -ENOMEM);
            assert_null(builder.tree.root);
            assert_null(builder.last);
        }
    }
    expect_equal(&whole, &model, true);
    mf__tree_release(&whole);
}

int main(void)
{
    mf_rng_seed(&rng, test_seed());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(building_fails_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
