/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_proofs.c -- the two authenticated structures of a state, and proofs of both.
 *
 *   tree::one_hash         SHA-256 of 65 bytes, as a node of the log: what the others consist of
 *   tree::commit/N         of N keys one gets another value, and the root is calculated, while
 * somebody holds the version before: what a commit costs without its flush tree::get/N            a
 * key that is there, at random tree::scan/N           all keys in order ("elements" counts keys)
 *   tree::build/N          a tree of N keys from sorted ones, with all hashes, as opening a store
 * does log::append            a commit becomes part of the Merkle log prove::commit/N        the
 * path from a commit at random to the root over N commits, read from a file prove::old_commit/N the
 * same for a root at random prove::extension/N     between two roots at random prove::key/N the
 * steps of a key at random, among N check::commit/N, check::extension/N, check::key/N the whole
 * file of such a proof taken apart and checked file::key/N, file::commit/N a store of N keys, or
 * commits, makes a whole proof file of its newest state, of a commit at random
 */
#include "base/buffer.h"
#include "base/heap.h"
#include "base/rng.h"
#include "bench_scratch.h"
#include "merkle_log.h"
#include "proof_private.h"

#include <mayfly/state.h>
#include <stdio.h>
#include <string.h>

#define ONE_HASH  "tree::one_hash"
#define VALUE_LEN 32u

static const int64_t sizes[] = {100, 1000, 10000, 100000, 1000000};
static const int64_t store_sizes[] = {1000, 100000};
#define OVER_SIZES       .params = sizes, .param_count = 5, .param_name = "", .ratio_to = ONE_HASH
#define OVER_STORE_SIZES .params = store_sizes, .param_count = 2, .param_name = ""

MF_BENCH(tree, one_hash)
{
    uint8_t bytes[65] = {1};
    MF_LOOP(bench)
    {
        mf_sha256(bytes, sizeof bytes, bytes + 1);
        mf_keep(bytes[1]);
    }
}

/* ---- the tree ---- */

static size_t make_key(uint64_t number, char key[32])
{
    return (size_t)snprintf(key, 32, "object/%012llu", (unsigned long long)number);
}

static void make_value(uint64_t number, uint8_t value[VALUE_LEN])
{
    for (size_t i = 0; i < VALUE_LEN; i++) {
        value[i] = (uint8_t)(number >> (i % 8 * 8));
    }
}

static bool build(struct mf_bench *bench, uint64_t count, struct mf_tree *ret_tree)
{
    struct mf_tree_builder builder = {.last = NULL};
    for (uint64_t i = 0; i < count; i++) {
        char key[32];
        uint8_t value[VALUE_LEN];
        make_value(i, value);
        int code = mf__tree_build_add(&builder, key, make_key(i, key), value, sizeof value);
        if (!bench_ok(bench, code, NULL, "build")) {
            return false;
        }
    }
    *ret_tree = mf__tree_build_end(&builder);
    uint8_t root[MF_SHA256_LEN];
    mf__tree_root(ret_tree, root);
    return true;
}

MF_BENCH(tree, commit, OVER_SIZES)
{
    struct mf_tree tree;
    uint64_t count = (uint64_t)mf_bench_param(bench);
    if (!build(bench, count, &tree)) {
        return;
    }
    struct mf_rng rng;
    mf_rng_seed(&rng, mf_bench_seed(bench));
    struct mf_tree before = mf__tree_share(&tree);
    uint8_t root[MF_SHA256_LEN];
    uint64_t number = count;
    MF_LOOP(bench)
    {
        char key[32];
        uint8_t value[VALUE_LEN];
        make_value(number++, value);
        size_t key_len = make_key(mf_rng_below(&rng, count), key);
        if (mf__tree_put(&tree, key, key_len, value, sizeof value) < 0) {
            mf_bench_fail(bench, "out of memory");
        }
        mf__tree_root(&tree, root);
        mf__tree_release(&before);
        before = mf__tree_share(&tree);
    }
    if (tree.count != count) {
        mf_bench_fail(bench, "%llu keys", (unsigned long long)tree.count);
    }
    mf__tree_release(&before);
    mf__tree_release(&tree);
}

MF_BENCH(tree, get, OVER_SIZES)
{
    struct mf_tree tree;
    uint64_t count = (uint64_t)mf_bench_param(bench);
    if (!build(bench, count, &tree)) {
        return;
    }
    struct mf_rng rng;
    mf_rng_seed(&rng, mf_bench_seed(bench));
    uint64_t found = 0;
    MF_LOOP(bench)
    {
        char key[32];
        struct mf_tree_item item;
        found += mf__tree_get(&tree, key, make_key(mf_rng_below(&rng, count), key), &item);
    }
    if (found != mf_bench_iterations(bench)) {
        mf_bench_fail(bench, "some keys were not found");
    }
    mf__tree_release(&tree);
}

MF_BENCH(tree, scan, OVER_SIZES)
{
    struct mf_tree tree;
    uint64_t count = (uint64_t)mf_bench_param(bench);
    mf_bench_set_elements(bench, count);
    if (!build(bench, count, &tree)) {
        return;
    }
    uint64_t seen = 0;
    MF_LOOP(bench)
    {
        struct mf_tree_cursor cursor;
        struct mf_tree_item item;
        mf__tree_seek(&tree, NULL, 0, &cursor);
        while (mf__tree_next(&cursor, &item)) {
            seen++;
        }
    }
    if (seen != count * mf_bench_iterations(bench)) {
        mf_bench_fail(bench, "some keys were not seen");
    }
    mf__tree_release(&tree);
}

MF_BENCH(tree, build, OVER_SIZES)
{
    uint64_t count = (uint64_t)mf_bench_param(bench);
    mf_bench_set_elements(bench, count);
    MF_LOOP(bench)
    {
        struct mf_tree tree;
        if (build(bench, count, &tree)) {
            mf_bench_pause(bench);
            mf__tree_release(&tree);
            mf_bench_resume(bench);
        }
    }
}

/* ---- the Merkle log ---- */

static const uint8_t store_id[MF_MERKLE_ID_LEN] = "benchmark";

struct commits {
    struct bench_scratch scratch;
    struct mf_merkle_log *log;
    uint64_t count;
    struct mf_rng rng;
    struct mf_merkle_path path;
    struct mf_proof_root old_root;
    struct mf_proof_root root;
};

/* The leaf of a commit, 96 bytes, as a store makes it. */
static void make_leaf(uint64_t index, uint8_t leaf[96])
{
    uint64_t seq = index + 1;
    memset(leaf, 0, 96);
    memcpy(leaf, &seq, sizeof seq);
    leaf[16] = MF_STATE_COMMIT_CHANGES;
}

static void append(struct commits *commits)
{
    uint8_t leaf[96];
    uint8_t hash[MF_SHA256_LEN];
    make_leaf(commits->count++, leaf);
    mf__merkle_hash_leaf(leaf, sizeof leaf, hash);
    mf__merkle_log_append(commits->log, hash);
}

static bool begin(struct mf_bench *bench, struct commits *commits, uint64_t count)
{
    static const struct mf_merkle_frontier none;
    struct mf_errinfo err;
    char path[BENCH_PATH_LEN];
    commits->log = NULL;
    commits->count = 0;
    mf_rng_seed(&commits->rng, mf_bench_seed(bench));
    if (!bench_scratch_begin(bench, &commits->scratch) ||
        !bench_ok(bench,
                  mf__merkle_log_open(NULL, bench_scratch_path(&commits->scratch, "nodes", path),
                                      MF_MERKLE_LOG_CREATE, store_id, &none, &commits->log, &err),
                  &err, "open")) {
        return false;
    }
    while (commits->count < count) {
        if (commits->count % 4096 == 0 &&
            (!bench_ok(bench, mf__merkle_log_reserve(commits->log, 4096), NULL, "reserve") ||
             !bench_ok(bench, mf__merkle_log_write(commits->log, &err), &err, "write"))) {
            return false;
        }
        append(commits);
    }
    return bench_ok(bench, mf__merkle_log_write(commits->log, &err), &err, "write");
}

static void end(struct commits *commits)
{
    mf__merkle_log_close(commits->log);
    bench_scratch_end(&commits->scratch);
}

MF_BENCH(log, append, .ratio_to = ONE_HASH)
{
    struct commits commits;
    if (begin(bench, &commits, 0)) {
        MF_LOOP(bench)
        {
            if (commits.count % 4096 == 0) {
                (void)bench_ok(bench, mf__merkle_log_write(commits.log, NULL), NULL, "write");
                (void)bench_ok(bench, mf__merkle_log_reserve(commits.log, 4096), NULL, "reserve");
            }
            append(&commits);
        }
    }
    end(&commits);
}

/* The path of a commit at random to the root over the first `size`; which commit. */
static uint64_t prove_commit(struct mf_bench *bench, struct commits *commits, uint64_t size)
{
    uint64_t index = mf_rng_below(&commits->rng, size);
    uint8_t leaf[MF_SHA256_LEN];
    struct mf_errinfo err;
    commits->root.size = size;
    (void)bench_ok(bench,
                   mf__merkle_log_prove_leaf(commits->log, index, size, &commits->path, leaf,
                                             commits->root.hash, &err),
                   &err, "prove");
    return index;
}

static void prove_extension(struct mf_bench *bench, struct commits *commits)
{
    struct mf_errinfo err;
    commits->root.size = 1 + mf_rng_below(&commits->rng, commits->count);
    commits->old_root.size = mf_rng_below(&commits->rng, commits->root.size + 1);
    (void)bench_ok(bench,
                   mf__merkle_log_prove_extension(commits->log, commits->old_root.size,
                                                  commits->root.size, &commits->path,
                                                  commits->old_root.hash, commits->root.hash, &err),
                   &err, "prove");
}

MF_BENCH(prove, commit, OVER_SIZES)
{
    struct commits commits;
    if (begin(bench, &commits, (uint64_t)mf_bench_param(bench))) {
        MF_LOOP(bench)
        {
            prove_commit(bench, &commits, commits.count);
        }
    }
    end(&commits);
}

MF_BENCH(prove, old_commit, OVER_SIZES)
{
    struct commits commits;
    if (begin(bench, &commits, (uint64_t)mf_bench_param(bench))) {
        MF_LOOP(bench)
        {
            prove_commit(bench, &commits, 1 + mf_rng_below(&commits.rng, commits.count));
        }
    }
    end(&commits);
}

MF_BENCH(prove, extension, OVER_SIZES)
{
    struct commits commits;
    if (begin(bench, &commits, (uint64_t)mf_bench_param(bench))) {
        MF_LOOP(bench)
        {
            prove_extension(bench, &commits);
        }
    }
    end(&commits);
}

MF_BENCH(prove, key, OVER_SIZES)
{
    struct mf_tree tree;
    uint64_t count = (uint64_t)mf_bench_param(bench);
    if (!build(bench, count, &tree)) {
        return;
    }
    struct mf_buffer steps = MF_BUFFER_INIT;
    struct mf_rng rng;
    mf_rng_seed(&rng, mf_bench_seed(bench));
    uint64_t present = 0;
    MF_LOOP(bench)
    {
        char key[32];
        struct mf_proof_entry entry = {.present = false};
        mf_buffer_clear(&steps);
        size_t key_len = make_key(mf_rng_below(&rng, count), key);
        (void)bench_ok(bench, mf__proof_entry(&tree, key, key_len, &steps, &entry), NULL, "prove");
        present += entry.present;
    }
    if (present != mf_bench_iterations(bench)) {
        mf_bench_fail(bench, "some keys were not found");
    }
    mf_buffer_free(&steps);
    mf__tree_release(&tree);
}

/* ---- checking ---- */

#define FILES 64 /* proofs that are checked in turn */

struct files {
    uint8_t *bytes[FILES];
    size_t len[FILES];
    struct mf_proof_root roots[FILES];
};

static void keep_file(struct mf_bench *bench, struct files *files, size_t i,
                      const struct mf_proof *proof)
{
    static uint8_t room[MF_PROOF_LEN_MAX];
    struct mf_errinfo err;
    int len = mf_proof_encode(proof, room, sizeof room, &err);
    files->bytes[i] = mf_malloc(sizeof room);
    if (bench_ok(bench, len, &err, "encode") && files->bytes[i] != NULL) {
        memcpy(files->bytes[i], room, (size_t)len);
        files->len[i] = (size_t)len;
        files->roots[i] = proof->root;
    }
}

static void check_files(struct mf_bench *bench, struct files *files)
{
    uint64_t i = 0;
    uint64_t good = 0;
    MF_LOOP(bench)
    {
        struct mf_proof proof;
        size_t which = i++ % FILES;
        good += mf_proof_decode(files->bytes[which], files->len[which], &proof, NULL) == 0 &&
                mf_proof_check(&proof, &files->roots[which], NULL) == 0;
    }
    if (good != i) {
        mf_bench_fail(bench, "%llu proofs of %llu do not hold", (unsigned long long)(i - good),
                      (unsigned long long)i);
    }
    for (size_t f = 0; f < FILES; f++) {
        mf_free(files->bytes[f]);
    }
}

MF_BENCH(check, commit, OVER_SIZES)
{
    struct commits commits;
    struct files files = {.bytes = {NULL}};
    if (begin(bench, &commits, (uint64_t)mf_bench_param(bench))) {
        for (size_t i = 0; i < FILES; i++) {
            uint8_t leaf[96];
            make_leaf(prove_commit(bench, &commits, commits.count), leaf);
            keep_file(bench, &files, i,
                      &(struct mf_proof){.kind = MF_PROOF_COMMIT,
                                         .root = commits.root,
                                         .path = commits.path.hashes[0],
                                         .path_count = commits.path.count,
                                         .leaf = leaf,
                                         .leaf_len = sizeof leaf});
        }
        check_files(bench, &files);
    }
    end(&commits);
}

MF_BENCH(check, extension, OVER_SIZES)
{
    struct commits commits;
    struct files files = {.bytes = {NULL}};
    if (begin(bench, &commits, (uint64_t)mf_bench_param(bench))) {
        for (size_t i = 0; i < FILES; i++) {
            prove_extension(bench, &commits);
            keep_file(bench, &files, i,
                      &(struct mf_proof){.kind = MF_PROOF_EXTENSION,
                                         .root = commits.root,
                                         .old_root = commits.old_root,
                                         .path = commits.path.hashes[0],
                                         .path_count = commits.path.count});
        }
        check_files(bench, &files);
    }
    end(&commits);
}

/* One commit, after which the keys are there. */
MF_BENCH(check, key, OVER_SIZES)
{
    struct mf_tree tree;
    struct files files = {.bytes = {NULL}};
    uint64_t count = (uint64_t)mf_bench_param(bench);
    if (!build(bench, count, &tree)) {
        return;
    }
    struct mf_rng rng;
    mf_rng_seed(&rng, mf_bench_seed(bench));
    uint8_t leaf[96];
    struct mf_proof proof = {
        .kind = MF_PROOF_KEY, .root.size = 1, .leaf = leaf, .leaf_len = sizeof leaf};
    make_leaf(0, leaf);
    mf__tree_root(&tree, leaf + 32);
    mf__merkle_hash_leaf(leaf, sizeof leaf, proof.root.hash);
    for (size_t i = 0; i < FILES; i++) {
        char key[32];
        struct mf_buffer steps = MF_BUFFER_INIT;
        size_t key_len = make_key(mf_rng_below(&rng, count), key);
        if (bench_ok(bench, mf__proof_entry(&tree, key, key_len, &steps, &proof.key), NULL,
                     "prove")) {
            keep_file(bench, &files, i, &proof);
        }
        mf_buffer_free(&steps);
    }
    check_files(bench, &files);
    mf__tree_release(&tree);
}

/* ---- a store ---- */

struct store {
    struct bench_scratch scratch;
    struct mf_state *state;
    struct mf_rng rng;
};

/* A store with `count` keys in commits of `each`. */
static bool open_store(struct mf_bench *bench, struct store *store, uint64_t count, uint64_t each)
{
    struct mf_errinfo err;
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    char path[BENCH_PATH_LEN];
    options.flags = MF_STATE_CREATE;
    options.mode = MF_STATE_RELAXED;
    store->state = NULL;
    mf_rng_seed(&store->rng, mf_bench_seed(bench));
    if (!bench_scratch_begin(bench, &store->scratch) ||
        !bench_ok(bench,
                  mf_state_open(bench_scratch_path(&store->scratch, "store", path), &options, NULL,
                                &store->state, &err),
                  &err, "open")) {
        return false;
    }
    for (uint64_t i = 0; i < count; i += each) {
        struct mf_state_tx *tx;
        int code = mf_state_begin(store->state, &tx, &err);
        for (uint64_t j = i; j < i + each && code == 0; j++) {
            char key[32];
            uint8_t value[VALUE_LEN];
            make_value(j, value);
            struct mf_state_bytes key_bytes = {key, make_key(j, key)};
            code = mf_state_put(tx, key_bytes, (struct mf_state_bytes){value, sizeof value}, &err);
        }
        code = code == 0 ? mf_state_commit(tx, NULL, &err) : code;
        if (!bench_ok(bench, code, &err, "commit")) {
            return false;
        }
    }
    return bench_ok(bench, mf_state_checkpoint(store->state, &err), &err, "checkpoint");
}

static void close_store(struct store *store)
{
    if (store->state != NULL) {
        (void)mf_state_close(store->state, NULL);
    }
    bench_scratch_end(&store->scratch);
}

MF_BENCH(file, key, OVER_STORE_SIZES)
{
    struct store store;
    uint64_t count = (uint64_t)mf_bench_param(bench);
    if (open_store(bench, &store, count, 1000)) {
        MF_LOOP(bench)
        {
            char key[32];
            struct mf_proof_file file = {.bytes = NULL};
            struct mf_errinfo err;
            size_t key_len = make_key(mf_rng_below(&store.rng, count), key);
            (void)bench_ok(bench, mf_proof_of_key(store.state, key, key_len, NULL, &file, &err),
                           &err, "prove");
            mf_proof_file_free(&file);
        }
    }
    close_store(&store);
}

MF_BENCH(file, commit, OVER_STORE_SIZES)
{
    struct store store;
    uint64_t count = (uint64_t)mf_bench_param(bench);
    if (open_store(bench, &store, count, 1)) {
        MF_LOOP(bench)
        {
            struct mf_proof_file file = {.bytes = NULL};
            struct mf_errinfo err;
            uint64_t seq = 1 + mf_rng_below(&store.rng, count);
            (void)bench_ok(bench,
                           mf_proof_of_commit(store.state, seq, MF_PROOF_NEWEST, &file, &err), &err,
                           "prove");
            mf_proof_file_free(&file);
        }
    }
    close_store(&store);
}

MF_BENCH_MAIN
