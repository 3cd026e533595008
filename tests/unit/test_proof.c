/* SPDX-License-Identifier: Apache-2.0
 *
 * test_proof.c -- proofs of commits, extensions, keys and files: that good ones hold, for every key
 * and every gap, and that nothing else does: other roots, other keys, other values, each bit
 * changed, each length cut, with and without a checksum to match. */
#include "../lib/test_seed.h"
#include "base/fail.h"
#include "base/hash.h"
#include "proof_fixture.h"

static struct mf_rng rng;
static struct mf_errinfo err;
static struct made_store *store;

static int prepare(void **state)
{
    (void)state;
    mf_rng_seed(&rng, test_seed());
    store = made_store_new(&rng, COMMITS_MAX, "a note");
    return 0;
}

static int finish(void **state)
{
    (void)state;
    made_store_free(store);
    return 0;
}

static size_t encode(const struct mf_proof *proof, uint8_t **ret_bytes)
{
    static uint8_t room[MF_PROOF_LEN_MAX];
    int len = mf_proof_encode(proof, room, sizeof room, &err);
    if (len < 0) {
        print_error("%s\n", err.msg);
    }
    assert_true(len > 0);
    *ret_bytes = malloc((size_t)len); /* so that a sanitizer sees its end */
    assert_non_null(*ret_bytes);
    memcpy(*ret_bytes, room, (size_t)len);
    return (size_t)len;
}

/* What a file is good for: 0, or why not. */
static int check_bytes(const uint8_t *bytes, size_t len, const struct mf_proof_root *trusted)
{
    struct mf_proof proof;
    int code = mf_proof_decode(bytes, len, &proof, &err);
    return code < 0 ? code : mf_proof_check(&proof, trusted, &err);
}

/* Through a file and back: the same bytes again, and it holds. */
static void expect_holds(const struct mf_proof *proof, const struct mf_proof_root *trusted)
{
    uint8_t *bytes;
    uint8_t *again;
    size_t len = encode(proof, &bytes);
    struct mf_proof decoded;
    assert_int_equal(mf_proof_decode(bytes, len, &decoded, &err), 0);
    int code = mf_proof_check(&decoded, trusted, &err);
    if (code != 0) {
        print_error("%s\n", err.msg);
    }
    assert_int_equal(code, 0);
    assert_int_equal(encode(&decoded, &again), len);
    assert_memory_equal(bytes, again, len);
    free(bytes);
    free(again);
}

static void commits_and_extensions_hold(void **state)
{
    (void)state;
    struct mf_merkle_path path;
    for (uint64_t size = 1; size <= COMMITS_MAX; size += 1 + mf_rng_below(&rng, 6)) {
        for (uint64_t seq = 1; seq <= size; seq++) {
            struct mf_proof proof = made_commit_proof(store, seq, size, &path);
            expect_holds(&proof, &store->roots[size]);
            struct mf_proof_commit commit;
            assert_int_equal(mf_proof_commit_get(proof.leaf, proof.leaf_len, &commit, &err), 0);
            assert_int_equal(commit.seq, seq);
            assert_int_equal(commit.note_len, seq % 3 == 1 ? 6 : 0);
            /* In another place of the list, or of another list. */
            assert_int_equal(mf_proof_check(&proof, &store->roots[size - 1], &err), MF_EPROOF);
            mf_store_u64(store->commits[seq - 1].leaf, seq + 1);
            assert_int_equal(mf_proof_check(&proof, &store->roots[size], &err), MF_EPROOF);
            mf_store_u64(store->commits[seq - 1].leaf, 0);
            assert_int_equal(mf_proof_check(&proof, &store->roots[size], &err), MF_EPROOF);
            mf_store_u64(store->commits[seq - 1].leaf, seq);
        }
        for (uint64_t old = 0; old <= size; old++) {
            struct mf_proof proof = made_extension_proof(store, old, size, &path);
            expect_holds(&proof, &store->roots[size]);
            expect_holds(&proof, &store->roots[old]);
            if (size < COMMITS_MAX) {
                assert_int_equal(mf_proof_check(&proof, &store->roots[size + 1], &err), MF_EPROOF);
            }
        }
    }
}

static void expect_no_other_answer(const struct mf_proof *good, const struct mf_proof_root *trusted)
{
    struct mf_proof proof = *good;
    /* The opposite, with the same steps. */
    proof.key.present = !proof.key.present;
    assert_int_equal(mf_proof_check(&proof, trusted, &err), MF_EPROOF);
    proof = *good;
    if (proof.key.present) {
        uint8_t other[MODEL_VALUE_MAX + 1] = {0};
        memcpy(other, proof.key.value, proof.key.value_len);
        proof.key.value = other;
        proof.key.value_len++;
        assert_int_equal(mf_proof_check(&proof, trusted, &err), MF_EPROOF);
        mf_proof_hash_value(other, proof.key.value_len, proof.key.value_hash);
        assert_int_equal(mf_proof_check(&proof, trusted, &err), MF_EPROOF);
        proof = *good;
        proof.key.value = NULL; /* not enclosed: the hash alone is proven */
        proof.key.value_len = 0;
        assert_int_equal(mf_proof_check(&proof, trusted, &err), 0);
    }
    proof = *good;
    proof.key.steps_len = 0;
    if (good->key.steps_len > 0) {
        assert_int_equal(mf_proof_check(&proof, trusted, &err), MF_EPROOF);
    }
}

/* Every key of a state, and something below, between and above any two of them. */
static void every_key_and_every_gap(void **state)
{
    (void)state;
    unsigned present = 0;
    unsigned absent = 0;
    for (uint64_t seq = 1; seq <= COMMITS_MAX; seq += 1 + mf_rng_below(&rng, 20)) {
        const struct model *content = &store->commits[seq - 1].content;
        uint64_t size = seq + mf_rng_below(&rng, COMMITS_MAX - seq + 1);
        for (size_t i = 0; i <= content->count; i++) {
            struct model_item probes[3];
            size_t count = 0;
            if (i < content->count) {
                probes[count++] = content->items[i];
            }
            for (int tries = 0; tries < 2; tries++) {
                /* A neighbour of a key, or anything. */
                struct model_item probe = model_random(&rng);
                if (tries == 0 && i > 0 && content->items[i - 1].key_len < MODEL_KEY_MAX) {
                    probe = content->items[i - 1];
                    probe.key[probe.key_len++] = 0;
                }
                probes[count++] = probe;
            }
            for (size_t p = 0; p < count; p++) {
                struct mf_merkle_path path;
                struct mf_buffer steps = MF_BUFFER_INIT;
                struct mf_proof proof = made_key_proof(store, seq, size, probes[p].key,
                                                       probes[p].key_len, &path, &steps);
                bool there = model_has(content, probes[p].key, probes[p].key_len);
                assert_int_equal(proof.key.present, there);
                expect_holds(&proof, &store->roots[size]);
                expect_no_other_answer(&proof, &store->roots[size]);
                present += there;
                absent += !there;
                mf_buffer_free(&steps);
            }
        }
    }
    assert_true(present > 100 && absent > 100);
}

/* A tree of one name and its content, as a flight is sealed: the root and more as value of a key.
 */
static struct mf_proof file_proof(struct made_store *sealed, const char *name,
                                  struct mf_merkle_path *path, struct mf_buffer *steps,
                                  struct mf_buffer *file_steps)
{
    struct mf_tree files = {NULL, 0, 0};
    for (int i = 0; i < 12; i++) {
        char file[20];
        int len = snprintf(file, sizeof file, "topics/%d.log", i);
        assert_int_equal(mf__tree_put(&files, file, (size_t)len, &i, sizeof i), 0);
    }
    uint8_t value[40] = {0};
    mf__tree_root(&files, value);
    struct mf_tree tree = {NULL, 0, 0};
    static const struct model none = {.count = 0};
    assert_int_equal(mf__tree_put(&tree, "flight/1", 8, value, sizeof value), 0);
    assert_int_equal(mf__tree_put(&tree, "short", 5, value, 31), 0);
    made_commit(sealed, &tree, &none, "sealed");
    struct mf_proof proof = made_key_proof(sealed, 1, 1, "flight/1", 8, path, steps);
    proof.kind = MF_PROOF_FILE;
    assert_int_equal(mf__proof_entry(&files, name, strlen(name), file_steps, &proof.file), 0);
    assert_true(proof.file.value == NULL || proof.file.value_len == sizeof(int));
    static int kept; /* the tree of files goes, and its values with it */
    if (proof.file.present) {
        memcpy(&kept, proof.file.value, sizeof kept);
        proof.file.value = (const uint8_t *)&kept;
    }
    mf__tree_release(&files);
    mf__tree_release(&tree);
    return proof;
}

static void files_of_a_flight(void **state)
{
    (void)state;
    static const char *const names[] = {"topics/3.log", "topics/11.log", "topics/12.log", ""};
    for (size_t i = 0; i < MF_ARRAY_LEN(names); i++) {
        struct made_store *sealed = calloc(1, sizeof *sealed);
        assert_non_null(sealed);
        struct mf_merkle_path path;
        struct mf_buffer steps = MF_BUFFER_INIT;
        struct mf_buffer file_steps = MF_BUFFER_INIT;
        struct mf_proof proof = file_proof(sealed, names[i], &path, &steps, &file_steps);
        assert_int_equal(proof.file.present, i < 2);
        expect_holds(&proof, &sealed->roots[1]);
        struct mf_proof other = proof;
        other.file.present = !other.file.present;
        assert_int_equal(mf_proof_check(&other, &sealed->roots[1], &err), MF_EPROOF);
        other = proof;
        other.file.key = (const uint8_t *)"topics/4.log";
        other.file.key_len = 12;
        assert_int_equal(mf_proof_check(&other, &sealed->roots[1], &err), MF_EPROOF);
        other = proof; /* the value must be there, be long enough, and be a present one */
        other.key.value = NULL;
        assert_int_equal(mf_proof_check(&other, &sealed->roots[1], &err), MF_EPROOF);
        struct mf_buffer more = MF_BUFFER_INIT;
        other = proof;
        assert_int_equal(mf__proof_entry(&sealed->commits[0].tree, "short", 5, &more, &other.key),
                         0);
        assert_int_equal(mf_proof_check(&other, &sealed->roots[1], &err), MF_EPROOF);
        assert_int_equal(mf__proof_entry(&sealed->commits[0].tree, "no", 2, &more, &other.key), 0);
        assert_int_equal(mf_proof_check(&other, &sealed->roots[1], &err), MF_EPROOF);
        mf_buffer_free(&more);
        mf_buffer_free(&steps);
        mf_buffer_free(&file_steps);
        made_store_free(sealed);
    }
}

/* The reference took the root that the proof itself brought. */
static void state_proof_against_trusted_root(void **state)
{
    (void)state;
    /* Someone makes a history of his own, with all its proofs right. */
    struct mf_rng other_rng;
    mf_rng_seed(&other_rng, mf_rng_next(&rng));
    struct made_store *forged = made_store_new(&other_rng, 20, "forged");
    for (uint64_t seq = 1; seq <= 20; seq++) {
        struct mf_merkle_path path;
        struct mf_buffer steps = MF_BUFFER_INIT;
        struct mf_proof proof = made_key_proof(forged, seq, 20, "a", 1, &path, &steps);
        assert_int_equal(mf_proof_check(&proof, &forged->roots[20], &err), 0);
        assert_int_equal(mf_proof_check(&proof, &store->roots[20], &err), MF_EPROOF);
        assert_non_null(strstr(err.msg, "not for"));
        proof.root = store->roots[20]; /* and says that it is ours */
        assert_int_equal(mf_proof_check(&proof, &store->roots[20], &err), MF_EPROOF);
        proof = made_commit_proof(forged, seq, 20, &path);
        proof.root = store->roots[20];
        assert_int_equal(mf_proof_check(&proof, &store->roots[20], &err), MF_EPROOF);
        proof = made_extension_proof(forged, seq, 20, &path);
        assert_int_equal(mf_proof_check(&proof, &forged->roots[seq], &err), 0);
        assert_int_equal(mf_proof_check(&proof, &store->roots[seq], &err), MF_EPROOF);
        proof.root = store->roots[20];
        assert_int_equal(mf_proof_check(&proof, &store->roots[20], &err), MF_EPROOF);
        proof = made_extension_proof(forged, seq, 20, &path);
        proof.old_root = store->roots[seq];
        assert_int_equal(mf_proof_check(&proof, &store->roots[seq], &err), MF_EPROOF);
        mf_buffer_free(&steps);
    }
    made_store_free(forged);
}

static void reseal(uint8_t *bytes, size_t len)
{
    mf_store_u32(bytes + len - 4, mf_crc32c(0, bytes, len - 4));
}

/* Whether the proof says something else if this byte is another: of an absent key the key, since
 * its neighbours in the gap are absent too; of an extension that is checked against its earlier end
 * the later size, which that end does not show. */
static bool is_the_question(const struct mf_proof *proof, const struct mf_proof_root *trusted,
                            const uint8_t *bytes, size_t byte)
{
    struct mf_proof there;
    if (proof->kind == MF_PROOF_EXTENSION) {
        return trusted->size == proof->old_root.size && byte >= 16 && byte < 24;
    }
    return proof->kind == MF_PROOF_KEY && !proof->key.present &&
           mf_proof_decode(bytes, mf_load_u32(bytes + 12), &there, &err) == 0 &&
           bytes + byte >= there.key.key && bytes + byte < there.key.key + there.key.key_len;
}

static void expect_every_change_fails(const struct mf_proof *proof,
                                      const struct mf_proof_root *trusted)
{
    uint8_t *bytes;
    size_t len = encode(proof, &bytes);
    assert_int_equal(check_bytes(bytes, len, trusted), 0);
    for (size_t bit = 0; bit < len * 8; bit++) {
        bool question = is_the_question(proof, trusted, bytes, bit / 8);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int code = check_bytes(bytes, len, trusted);
        assert_true(code == MF_EFORMAT || code == MF_EVERSION || code == MF_ECORRUPT);
        if (bit / 8 < len - 4 && !question) { /* and with a checksum to match */
            uint32_t crc = mf_load_u32(bytes + len - 4);
            reseal(bytes, len);
            assert_true(check_bytes(bytes, len, trusted) < 0);
            mf_store_u32(bytes + len - 4, crc);
        }
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *part = malloc(cut + 1);
        assert_non_null(part);
        memcpy(part, bytes, cut);
        assert_true(check_bytes(part, cut, trusted) < 0);
        if (cut >= 20) {
            mf_store_u32(part + 12, (uint32_t)cut);
            reseal(part, cut);
            assert_true(check_bytes(part, cut, trusted) < 0);
        }
        free(part);
    }
    uint8_t *longer = calloc(1, len + 40);
    assert_non_null(longer);
    for (size_t more = 1; more <= 40; more++) {
        memcpy(longer, bytes, len);
        assert_int_equal(check_bytes(longer, len + more, trusted), MF_ECORRUPT);
        mf_store_u32(longer + 12, (uint32_t)(len + more));
        memset(longer + len - 4, 0, 4);
        reseal(longer, len + more);
        assert_true(check_bytes(longer, len + more, trusted) < 0);
        memset(longer + len, 0, 40);
    }
    free(longer);
    free(bytes);
}

static void every_bit_and_every_length_counts(void **state)
{
    (void)state;
    struct mf_merkle_path path;
    struct mf_proof proof = made_commit_proof(store, 11, 37, &path);
    expect_every_change_fails(&proof, &store->roots[37]);
    proof = made_commit_proof(store, 1, 1, &path);
    expect_every_change_fails(&proof, &store->roots[1]);
    proof = made_extension_proof(store, 13, 70, &path);
    expect_every_change_fails(&proof, &store->roots[70]);
    expect_every_change_fails(&proof, &store->roots[13]);
    struct mf_buffer steps = MF_BUFFER_INIT;
    const struct model *content = &store->commits[99].content;
    assert_true(content->count > 2);
    proof = made_key_proof(store, 100, 120, content->items[1].key, content->items[1].key_len, &path,
                           &steps);
    expect_every_change_fails(&proof, &store->roots[120]);
    mf_buffer_clear(&steps);
    proof = made_key_proof(store, 100, 100, "nobody", 6, &path, &steps);
    assert_false(proof.key.present);
    expect_every_change_fails(&proof, &store->roots[100]);
    mf_buffer_clear(&steps);
    proof = made_key_proof(store, 1, 9, "empty", 5, &path, &steps); /* commit 1 has no keys */
    assert_int_equal(proof.key.steps_len, 0);
    expect_every_change_fails(&proof, &store->roots[9]);
    mf_buffer_clear(&steps);
    struct made_store *sealed = calloc(1, sizeof *sealed);
    assert_non_null(sealed);
    struct mf_buffer file_steps = MF_BUFFER_INIT;
    proof = file_proof(sealed, "topics/7.log", &path, &steps, &file_steps);
    expect_every_change_fails(&proof, &sealed->roots[1]);
    mf_buffer_free(&file_steps);
    mf_buffer_free(&steps);
    made_store_free(sealed);
}

static void limits_are_kept(void **state)
{
    (void)state;
    struct mf_tree tree = {NULL, 0, 0};
    uint8_t *big = calloc(1, MF_PROOF_VALUE_MAX + 1);
    assert_non_null(big);
    assert_int_equal(mf__tree_put(&tree, "fits", 4, big, MF_PROOF_VALUE_MAX), 0);
    assert_int_equal(mf__tree_put(&tree, "larger", 6, big, MF_PROOF_VALUE_MAX + 1), 0);
    assert_int_equal(mf__tree_put(&tree, big, MF_PROOF_KEY_MAX, "", 0), 0);
    uint8_t root[MF_SHA256_LEN];
    mf__tree_root(&tree, root);
    const struct {
        const void *key;
        size_t len;
        bool enclosed;
    } keys[] = {{"fits", 4, true}, {"larger", 6, false}, {big, MF_PROOF_KEY_MAX, true}};
    for (size_t i = 0; i < MF_ARRAY_LEN(keys); i++) {
        struct mf_buffer steps = MF_BUFFER_INIT;
        struct mf_proof_entry entry;
        assert_int_equal(mf__proof_entry(&tree, keys[i].key, keys[i].len, &steps, &entry), 0);
        assert_true(entry.present);
        assert_int_equal(entry.value != NULL, keys[i].enclosed);
        assert_int_equal(mf_proof_check_entry(root, &entry, &err), 0);
        struct mf_merkle_path path;
        struct mf_proof proof = made_commit_proof(store, 5, 6, &path);
        proof.kind = MF_PROOF_KEY;
        proof.key = entry;
        uint8_t *bytes;
        size_t len = encode(&proof, &bytes);
        struct mf_proof decoded;
        assert_int_equal(mf_proof_decode(bytes, len, &decoded, &err), 0);
        assert_int_equal(mf_proof_check_entry(root, &decoded.key, &err), 0);
        assert_int_equal(mf_proof_check(&decoded, &store->roots[6], &err), MF_EPROOF);
        for (size_t room = 0; room < 60; room++) {
            assert_int_equal(mf_proof_encode(&proof, bytes, room, &err), MF_ELIMIT);
        }
        assert_int_equal(mf_proof_encode(&proof, bytes, len - 1, &err), MF_ELIMIT);
        free(bytes);
        proof.key.key_len = MF_PROOF_KEY_MAX + 1;
        assert_int_equal(mf_proof_check_entry(root, &proof.key, &err), MF_EPROOF);
        uint8_t out[10];
        assert_int_equal(mf_proof_encode(&proof, out, sizeof out, &err), MF_ELIMIT);
        proof.kind = 0;
        assert_int_equal(mf_proof_encode(&proof, out, sizeof out, &err), MF_EVALUE);
        assert_int_equal(mf_proof_check(&proof, &store->roots[6], &err), MF_EPROOF);
        mf_buffer_free(&steps);
    }
    mf__tree_release(&tree);
    free(big);
    uint8_t leaf[MF_PROOF_LEAF_MAX + 1] = {0};
    leaf[16] = 1; /* the kind */
    struct mf_proof_commit commit;
    assert_int_equal(mf_proof_commit_get(leaf, 95, &commit, &err), MF_EFORMAT);
    assert_int_equal(mf_proof_commit_get(leaf, 97, &commit, &err), MF_EFORMAT);
    assert_int_equal(mf_proof_commit_get(leaf, sizeof leaf, &commit, &err), MF_EFORMAT);
    assert_int_equal(mf_proof_commit_get(leaf, 96, &commit, &err), 0);
}

static void roots_as_text(void **state)
{
    (void)state;
    for (size_t i = 0; i <= COMMITS_MAX; i++) {
        char text[MF_PROOF_ROOT_TEXT_LEN];
        struct mf_proof_root root;
        mf_proof_root_text(&store->roots[i], text);
        assert_int_equal(mf_proof_root_parse(text, &root, &err), 0);
        assert_int_equal(root.size, i);
        assert_memory_equal(root.hash, store->roots[i].hash, sizeof root.hash);
        for (size_t at = 0; text[at] != '\0'; at++) {
            char kept = text[at];
            text[at] = at % 2 == 0 ? 'G' : '\0';
            assert_int_equal(mf_proof_root_parse(text, &root, &err), MF_ESYNTAX);
            text[at] = kept;
        }
    }
    char text[MF_PROOF_ROOT_TEXT_LEN + 8];
    struct mf_proof_root root = {.size = UINT64_MAX};
    mf_proof_root_text(&root, text);
    assert_int_equal(strlen(text) + 1, MF_PROOF_ROOT_TEXT_LEN);
    assert_int_equal(mf_proof_root_parse(text, &root, &err), MF_ESYNTAX);
    root.size = MF_MERKLE_SIZE_MAX;
    mf_proof_root_text(&root, text);
    assert_int_equal(mf_proof_root_parse(text, &root, &err), 0);
    assert_int_equal(root.size, MF_MERKLE_SIZE_MAX);
    memcpy(text + strlen(text), "0", 2);
    assert_int_equal(mf_proof_root_parse(text, &root, &err), MF_ESYNTAX);
    static const char *const bad[] = {"", "-", "12", "012-", "-1-", " 1-", "+1-", "1 -"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        char line[100];
        snprintf(line, sizeof line, "%s%064d", bad[i], 0);
        assert_int_equal(mf_proof_root_parse(line, &root, &err), MF_ESYNTAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_and_extensions_hold),
        cmocka_unit_test(every_key_and_every_gap),
        cmocka_unit_test(files_of_a_flight),
        cmocka_unit_test(state_proof_against_trusted_root),
        cmocka_unit_test(every_bit_and_every_length_counts),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(roots_as_text),
    };
    return cmocka_run_group_tests(tests, prepare, finish);
}
