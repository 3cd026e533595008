/* SPDX-License-Identifier: Apache-2.0
 *
 * test_merkle.c -- roots and proofs of the Merkle log: the published vectors of Certificate
 * Transparency, the definition of RFC 9162 for every pair of sizes up to 200, and what must be
 * refused. */
#include "../lib/test_seed.h"
#include "base/fail.h"
#include "base/rng.h"
#include "merkle_model.h"

#include <stdio.h>

enum { SMALL = 200, BIG = 1500 };

static uint8_t leaves[BIG][MF_SHA256_LEN];
static uint8_t roots[BIG + 1][MF_SHA256_LEN]; /* of the first n */
static struct model_leaves all = {(const uint8_t (*)[MF_SHA256_LEN])leaves, BIG};
static const struct mf_merkle_source source = {model_read, &all};
static struct mf_rng rng;

static int prepare(void **state)
{
    (void)state;
    mf_rng_seed(&rng, test_seed());
    struct mf_merkle_frontier frontier = {.size = 0};
    for (uint64_t i = 0; i < BIG; i++) {
        mf__merkle_root(&frontier, roots[i]);
        mf__merkle_hash_leaf(&i, sizeof i, leaves[i]);
        mf__merkle_append(&frontier, leaves[i], NULL, NULL);
    }
    mf__merkle_root(&frontier, roots[BIG]);
    return 0;
}

static void expect_hex(const uint8_t hash[MF_SHA256_LEN], const char *hex)
{
    char text[2 * MF_SHA256_LEN + 1];
    for (size_t i = 0; i < MF_SHA256_LEN; i++) {
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    }
    assert_string_equal(text, hex);
}

/* Of the test suites of Certificate Transparency (certificate-transparency, trillian). */
static void known_answers(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *root;
    } vectors[] = {
        {"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
        {"\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
        {"\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
        {"\x40\x41\x42\x43", 4, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
        {"\x50\x51\x52\x53\x54\x55\x56\x57", 8,
         "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
        {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16,
         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
    };
    struct mf_merkle_frontier frontier = {.size = 0};
    uint8_t root[MF_SHA256_LEN];
    mf__merkle_root(&frontier, root);
    expect_hex(root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    uint8_t eight[8][MF_SHA256_LEN];
    for (size_t i = 0; i < MF_ARRAY_LEN(vectors); i++) {
        mf__merkle_hash_leaf(vectors[i].bytes, vectors[i].len, eight[i]);
        mf__merkle_append(&frontier, eight[i], NULL, NULL);
        mf__merkle_root(&frontier, root);
        expect_hex(root, vectors[i].root);
    }
    static const struct {
        uint64_t of; /* leaf index, or old size */
        uint64_t size;
        bool extension;
        const char *path[4];
    } proofs[] = {
        {0,
         8,
         false,
         {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
        {5,
         8,
         false,
         {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
          "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
        {2, 3, false, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
        {1,
         5,
         false,
         {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
        {1, 1, true, {NULL}},
        {1,
         8,
         true,
         {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
        {6,
         8,
         true,
         {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
          "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
        {2,
         5,
         true,
         {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
    };
    struct model_leaves published = {(const uint8_t(*)[MF_SHA256_LEN])eight, 8};
    struct mf_merkle_source from = {model_read, &published};
    for (size_t i = 0; i < MF_ARRAY_LEN(proofs); i++) {
        struct mf_merkle_path path;
        int code = proofs[i].extension
                       ? mf__merkle_prove_extension(&from, proofs[i].of, proofs[i].size, &path)
                       : mf__merkle_prove_leaf(&from, proofs[i].of, proofs[i].size, &path);
        assert_int_equal(code, 0);
        for (size_t j = 0; j < 4; j++) {
            assert_int_equal(j < path.count, proofs[i].path[j] != NULL);
            if (proofs[i].path[j] != NULL) {
                expect_hex(path.hashes[j], proofs[i].path[j]);
            }
        }
    }
}

static bool leaf_holds(const uint8_t leaf[MF_SHA256_LEN], uint64_t index, uint64_t size,
                       const struct mf_merkle_path *path, const uint8_t root[MF_SHA256_LEN])
{
    uint8_t computed[MF_SHA256_LEN];
    return mf__merkle_leaf_root(leaf, index, size, path->hashes[0], path->count, computed) &&
           memcmp(computed, root, MF_SHA256_LEN) == 0;
}

static bool extends(uint64_t old_size, uint64_t size, const struct mf_merkle_path *path)
{
    return mf__merkle_extends(old_size, roots[old_size], size, roots[size], path->hashes[0],
                              path->count);
}

/* Each hash changed, missing, put in once more, exchanged with the next: never accepted. */
static void expect_no_other_path(bool (*holds)(uint64_t of, uint64_t size,
                                               const struct mf_merkle_path *path),
                                 uint64_t of, uint64_t size, const struct mf_merkle_path *path)
{
    for (uint32_t i = 0; i < path->count; i++) {
        struct mf_merkle_path other = *path;
        other.hashes[i][mf_rng_below(&rng, MF_SHA256_LEN)] ^=
            (uint8_t)(1u << mf_rng_below(&rng, 8));
        assert_false(holds(of, size, &other));
        other = *path;
        other.count--;
        memmove(other.hashes[i], other.hashes[i + 1], (other.count - i) * sizeof other.hashes[0]);
        assert_false(holds(of, size, &other));
        other = *path;
        other.count++;
        memmove(other.hashes[i + 1], other.hashes[i], (path->count - i) * sizeof other.hashes[0]);
        assert_false(holds(of, size, &other));
        if (i + 1 < path->count) {
            other = *path;
            memcpy(other.hashes[i], path->hashes[i + 1], MF_SHA256_LEN);
            memcpy(other.hashes[i + 1], path->hashes[i], MF_SHA256_LEN);
            assert_false(holds(of, size, &other));
        }
    }
    struct mf_merkle_path other = *path;
    memcpy(other.hashes[other.count++], roots[size], MF_SHA256_LEN);
    assert_false(holds(of, size, &other));
}

static bool own_leaf_holds(uint64_t index, uint64_t size, const struct mf_merkle_path *path)
{
    return leaf_holds(leaves[index], index, size, path, roots[size]);
}

static void expect_path(const struct mf_merkle_path *path, const struct mf_merkle_path *wanted)
{
    assert_int_equal(path->count, wanted->count);
    assert_memory_equal(path->hashes, wanted->hashes, path->count * sizeof path->hashes[0]);
}

static void leaf_proofs_are_those_of_the_definition(void **state)
{
    (void)state;
    for (uint64_t size = 1; size <= SMALL; size++) {
        uint8_t root[MF_SHA256_LEN];
        model_mth(all.leaves, size, root);
        assert_memory_equal(root, roots[size], MF_SHA256_LEN);
        for (uint64_t index = 0; index < size; index++) {
            struct mf_merkle_path path;
            struct mf_merkle_path wanted = {.count = 0};
            assert_int_equal(mf__merkle_prove_leaf(&source, index, size, &path), 0);
            model_path(all.leaves, index, size, &wanted);
            expect_path(&path, &wanted);
            assert_true(own_leaf_holds(index, size, &path));
            /* Another leaf, another place, another root. */
            assert_false(leaf_holds(leaves[index + 1], index, size, &path, roots[size]));
            assert_false(leaf_holds(leaves[index], index + 1, size, &path, roots[size]));
            assert_false(index > 0 &&
                         leaf_holds(leaves[index], index - 1, size, &path, roots[size]));
            assert_false(leaf_holds(leaves[index], index, size, &path, roots[size + 1]));
            if (size % 16 < 2 || size < 20) {
                expect_no_other_path(own_leaf_holds, index, size, &path);
            }
        }
    }
}

static void extensions_are_those_of_the_definition(void **state)
{
    (void)state;
    for (uint64_t size = 0; size <= SMALL; size++) {
        for (uint64_t old = 0; old <= size; old++) {
            struct mf_merkle_path path;
            struct mf_merkle_path wanted = {.count = 0};
            assert_int_equal(mf__merkle_prove_extension(&source, old, size, &path), 0);
            if (old > 0) {
                model_subproof(all.leaves, old, size, 1, &wanted);
            }
            expect_path(&path, &wanted);
            assert_true(extends(old, size, &path));
            /* Other roots at either end, and the two exchanged. */
            assert_false(mf__merkle_extends(old, roots[old + 1], size, roots[size], path.hashes[0],
                                            path.count));
            assert_false(old > 0 && mf__merkle_extends(old, roots[old], size, roots[size + 1],
                                                       path.hashes[0], path.count));
            assert_false(old != size && mf__merkle_extends(size, roots[size], old, roots[old],
                                                           path.hashes[0], path.count));
            if (size % 16 < 2 || size < 20) {
                expect_no_other_path(extends, old, size, &path);
            }
        }
    }
}

static void larger_ones_hold_too(void **state)
{
    (void)state;
    for (int i = 0; i < 150; i++) {
        uint64_t size = 1 + mf_rng_below(&rng, BIG);
        uint64_t index = mf_rng_below(&rng, size);
        uint64_t old = mf_rng_below(&rng, size + 1);
        struct mf_merkle_path path;
        assert_int_equal(mf__merkle_prove_leaf(&source, index, size, &path), 0);
        assert_true(own_leaf_holds(index, size, &path));
        expect_no_other_path(own_leaf_holds, index, size, &path);
        assert_int_equal(mf__merkle_prove_extension(&source, old, size, &path), 0);
        assert_true(extends(old, size, &path));
        expect_no_other_path(extends, old, size, &path);
        struct mf_merkle_frontier frontier;
        uint8_t root[MF_SHA256_LEN];
        assert_int_equal(mf__merkle_frontier_at(&source, size, &frontier), 0);
        mf__merkle_root(&frontier, root);
        assert_memory_equal(root, roots[size], MF_SHA256_LEN);
    }
}

/* The reference paired an odd node with itself, so that lists of different length had one root
 * (CVE-2012-2459 in Bitcoin). */
static void state_merkle_odd_leaf(void **state)
{
    (void)state;
    for (uint64_t size = 1; size <= SMALL; size++) {
        struct mf_merkle_frontier frontier;
        assert_int_equal(mf__merkle_frontier_at(&source, size, &frontier), 0);
        uint64_t odd = size & (~size + 1); /* the leaves of the last full subtree, once more */
        for (uint64_t i = 0; i < odd; i++) {
            mf__merkle_append(&frontier, leaves[size - odd + i], NULL, NULL);
        }
        uint8_t doubled[MF_SHA256_LEN];
        mf__merkle_root(&frontier, doubled);
        assert_memory_not_equal(doubled, roots[size], MF_SHA256_LEN);
    }
    /* Its proof, in which the odd leaf is its own neighbour, is refused. */
    struct mf_merkle_path path = {.count = 2};
    uint8_t twice[MF_SHA256_LEN];
    uint8_t root[MF_SHA256_LEN];
    uint8_t pair[MF_SHA256_LEN];
    mf__merkle_hash_node(leaves[2], leaves[2], twice);
    mf__merkle_hash_node(leaves[0], leaves[1], pair);
    mf__merkle_hash_node(pair, twice, root);
    memcpy(path.hashes[0], leaves[2], MF_SHA256_LEN);
    memcpy(path.hashes[1], pair, MF_SHA256_LEN);
    assert_false(leaf_holds(leaves[2], 2, 3, &path, root));
    assert_memory_not_equal(root, roots[3], MF_SHA256_LEN);
}

/* A node is no leaf: the two hashes that it is made of, taken as the content of a leaf, give
 * another hash, and so does the content of a leaf with the tag of a node before it. */
static void state_merkle_domain_separation(void **state)
{
    (void)state;
    uint8_t bytes[2 * MF_SHA256_LEN];
    uint8_t node[MF_SHA256_LEN];
    uint8_t leaf[MF_SHA256_LEN];
    memcpy(bytes, leaves[0], MF_SHA256_LEN);
    memcpy(bytes + MF_SHA256_LEN, leaves[1], MF_SHA256_LEN);
    mf__merkle_hash_node(leaves[0], leaves[1], node);
    mf__merkle_hash_leaf(bytes, sizeof bytes, leaf);
    assert_memory_not_equal(node, leaf, MF_SHA256_LEN);
    /* The tree of two leaves is not provable as a tree of one whose leaf is that node's content. */
    struct mf_merkle_path none = {.count = 0};
    assert_false(leaf_holds(leaf, 0, 1, &none, roots[2]));
    /* A leaf of four is not provable through the node above it. */
    struct mf_merkle_path path = {.count = 1};
    mf__merkle_hash_node(leaves[2], leaves[3], path.hashes[0]);
    assert_false(leaf_holds(leaf, 0, 2, &path, roots[4]));
}

/* GHSA-672p-m5jq-mrh8: a verifier that did not look at the middle of a proof took a history in
 * which old entries were changed. And hash-tree 0.1.1 took any second size. */
static void forged_histories_are_refused(void **state)
{
    (void)state;
    enum { SIZE = 100, OLD = 61 };
    for (uint64_t forged = 0; forged < OLD; forged++) {
        static uint8_t others[SIZE][MF_SHA256_LEN];
        memcpy(others, leaves, sizeof others);
        others[forged][0] ^= 1;
        struct model_leaves there = {(const uint8_t(*)[MF_SHA256_LEN])others, SIZE};
        struct mf_merkle_source from = {model_read, &there};
        uint8_t forged_root[MF_SHA256_LEN];
        model_mth(there.leaves, SIZE, forged_root);
        struct mf_merkle_path path;
        struct mf_merkle_path good;
        assert_int_equal(mf__merkle_prove_extension(&from, OLD, SIZE, &path), 0);
        assert_int_equal(mf__merkle_prove_extension(&source, OLD, SIZE, &good), 0);
        assert_int_equal(path.count, good.count);
        /* Every mixture of the forged and the good path. */
        for (uint32_t taken = 0; taken < 1u << path.count; taken++) {
            struct mf_merkle_path mixed = good;
            for (uint32_t i = 0; i < path.count; i++) {
                if ((taken >> i & 1) != 0) {
                    memcpy(mixed.hashes[i], path.hashes[i], MF_SHA256_LEN);
                }
            }
            assert_false(mf__merkle_extends(OLD, roots[OLD], SIZE, forged_root, mixed.hashes[0],
                                            mixed.count));
        }
    }
    struct mf_merkle_path path;
    assert_int_equal(mf__merkle_prove_extension(&source, OLD, SIZE, &path), 0);
    unsigned refused = 0;
    for (uint64_t size = 0; size < 4 * SIZE; size++) {
        bool taken =
            mf__merkle_extends(OLD, roots[OLD], size, roots[SIZE], path.hashes[0], path.count);
        /* A size for which the path has the same form, ends in the same root: those alone. */
        assert_int_equal(taken, size > 64 && size <= 128);
        refused += !taken;
    }
    assert_true(refused > 0);
    uint64_t sizes[] = {MF_MERKLE_SIZE_MAX + 1, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63};
    for (size_t i = 0; i < MF_ARRAY_LEN(sizes); i++) {
        assert_false(
            mf__merkle_extends(OLD, roots[OLD], sizes[i], roots[SIZE], path.hashes[0], path.count));
        assert_false(mf__merkle_extends(sizes[i], roots[OLD], sizes[i], roots[OLD], NULL, 0));
        assert_false(leaf_holds(leaves[0], sizes[i] - 1, sizes[i], &path, roots[SIZE]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(leaf_proofs_are_those_of_the_definition),
        cmocka_unit_test(extensions_are_those_of_the_definition),
        cmocka_unit_test(larger_ones_hold_too),
        cmocka_unit_test(state_merkle_odd_leaf),
        cmocka_unit_test(state_merkle_domain_separation),
        cmocka_unit_test(forged_histories_are_refused),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
