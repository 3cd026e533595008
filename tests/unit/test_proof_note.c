/* SPDX-License-Identifier: Apache-2.0
 *
 * test_proof_note.c -- keys and signed roots: published vectors, key files and their rights, every
 * failing call, and that no changed note, other key or other name is taken. */
#include "../lib/scratch.h"
#include "../lib/test_seed.h"
#include "base/fail.h"
#include "base/heap.h"
#include "base/rng.h"
#include "base64.h"
#include "cmocka_all.h"
#include "os/simdisk.h"
#include "proof_signer.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct mf_errinfo err;
static struct mf_rng rng;

/* RFC 4648, section 10. */
static void base64_known_answers(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *text;
    } vectors[] = {{"", ""},
                   {"f", "Zg=="},
                   {"fo", "Zm8="},
                   {"foo", "Zm9v"},
                   {"foob", "Zm9vYg=="},
                   {"fooba", "Zm9vYmE="},
                   {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < MF_ARRAY_LEN(vectors); i++) {
        char text[16];
        uint8_t bytes[8];
        size_t len = strlen(vectors[i].bytes);
        mf__base64_put((const uint8_t *)vectors[i].bytes, len, text);
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(mf__base64_get(text, strlen(text), bytes, len), 0);
        assert_memory_equal(bytes, vectors[i].bytes, len);
        assert_int_equal(mf__base64_get(text, strlen(text) + 1, bytes, len), -1);
        assert_int_equal(len > 0 ? mf__base64_get(text, strlen(text), bytes, len + 3) : -1, -1);
    }
    static const char *const bad[] = {"Zh==", "Zg=A", "Z===", "====", "Zg\n=", "Zg-=", "Zm9v"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        uint8_t byte;
        assert_int_equal(mf__base64_get(bad[i], 4, &byte, 1), -1);
    }
}

/* RFC 8032, 7.1, test 1; and the example of Go's package note, which is signed and is no root. */
static void signatures_known_answers(void **state)
{
    (void)state;
    uint8_t key[PUBLIC_KEY_LEN];
    uint8_t signature[64];
    assert_int_equal(
        mf__base64_get("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", 44, key, sizeof key), 0);
    assert_int_equal(
        mf__base64_get("5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0"
                       "lv18FlbviRlUUFDjnoQCw==",
                       88, signature, sizeof signature),
        0);
    assert_int_equal(mf__proof_verify(key, "", 0, signature, &err), 0);
    assert_int_equal(mf__proof_verify(key, "x", 1, signature, &err), MF_EPROOF);
    signature[63] ^= 1;
    assert_int_equal(mf__proof_verify(key, "", 0, signature, &err), MF_EPROOF);

    static const char verifier[] =
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    char note[] =
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2p"
        "ZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    struct mf_proof_root root;
    assert_int_equal(mf_proof_note_check(note, strlen(note), verifier, &root, &err), MF_EFORMAT);
    note[0] = 'i';
    assert_int_equal(mf_proof_note_check(note, strlen(note), verifier, &root, &err), MF_EPROOF);
}

static struct mf_proof_signer *made_signer(const char *file, const char *name)
{
    struct mf_proof_signer *signer = NULL;
    assert_int_equal(mf_proof_signer_create(scratch_path(file), NULL, &err), 0);
    assert_int_equal(mf_proof_signer_open(scratch_path(file), name, NULL, &signer, &err), 0);
    return signer;
}

static struct mf_proof_root random_root(void)
{
    struct mf_proof_root root = {.size = mf_rng_next(&rng) >> (17 + mf_rng_below(&rng, 47))};
    for (size_t i = 0; i < sizeof root.hash; i++) {
        root.hash[i] = (uint8_t)mf_rng_next(&rng);
    }
    return root;
}

static void a_key_is_a_file_for_its_owner(void **state)
{
    (void)state;
    mf_proof_signer_free(made_signer("key", "me"));
    struct stat info;
    assert_int_equal(stat(scratch_path("key"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(mf_proof_signer_create(scratch_path("key"), NULL, &err), MF_EEXISTS);
    struct mf_proof_signer *signer = NULL;
    static const char *const names[] = {"", "a b", "a+b", "a\n", "\x7f", "\xc3\xa4"};
    for (size_t i = 0; i < MF_ARRAY_LEN(names); i++) {
        assert_int_equal(mf_proof_signer_open(scratch_path("key"), names[i], NULL, &signer, &err),
                         MF_EVALUE);
    }
    char longest[MF_PROOF_NAME_MAX + 2];
    memset(longest, 'n', sizeof longest);
    longest[MF_PROOF_NAME_MAX + 1] = '\0';
    assert_int_equal(mf_proof_signer_open(scratch_path("key"), longest, NULL, &signer, &err),
                     MF_EVALUE);
    longest[MF_PROOF_NAME_MAX] = '\0';
    assert_int_equal(mf_proof_signer_open(scratch_path("key"), longest, NULL, &signer, &err), 0);
    char verifier[MF_PROOF_VERIFIER_LEN];
    mf_proof_signer_verifier(signer, verifier);
    char note[MF_PROOF_NOTE_MAX];
    struct mf_proof_root root = random_root();
    struct mf_proof_root found;
    int len = mf_proof_note_sign(signer, &root, note, sizeof note, &err);
    assert_true(len > 0);
    assert_int_equal(mf_proof_note_check(note, (size_t)len, verifier, &found, &err), 0);
    mf_proof_signer_free(signer);

    assert_int_equal(mf_proof_signer_open(scratch_path("none"), "me", NULL, &signer, &err),
                     -ENOENT);
    static const char *const files[] = {
        "", "no key", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQ==\n-----END PRIVATE KEY-----\n",
        /* X25519: another use */
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n"
        "-----END PRIVATE KEY-----\n"};
    for (size_t i = 0; i < MF_ARRAY_LEN(files); i++) {
        assert_int_equal(
            mf_fs_replace(NULL, scratch_path("other"), files[i], strlen(files[i]), &err), 0);
        assert_int_equal(mf_proof_signer_open(scratch_path("other"), "me", NULL, &signer, &err),
                         MF_EFORMAT);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static void signed_roots(void **state)
{
    (void)state;
    struct mf_proof_signer *signer = made_signer("a", "mayfly.example/ledger");
    struct mf_proof_signer *other = made_signer("b", "mayfly.example/ledger");
    char verifier[MF_PROOF_VERIFIER_LEN];
    char other_verifier[MF_PROOF_VERIFIER_LEN];
    mf_proof_signer_verifier(signer, verifier);
    mf_proof_signer_verifier(other, other_verifier);
    for (int round = 0; round < 20; round++) {
        struct mf_proof_root root = random_root();
        struct mf_proof_root found;
        char note[MF_PROOF_NOTE_MAX];
        int len = mf_proof_note_sign(signer, &root, note, sizeof note, &err);
        assert_true(len > 0 && (size_t)len == strlen(note));
        for (size_t room = 0; room <= (size_t)len; room++) {
            char little[MF_PROOF_NOTE_MAX];
            assert_int_equal(mf_proof_note_sign(signer, &root, little, room, &err), MF_ELIMIT);
            room += room > 3 ? (size_t)len / 3 : 0;
        }
        assert_int_equal(mf_proof_note_check(note, (size_t)len, verifier, &found, &err), 0);
        assert_int_equal(found.size, root.size);
        assert_memory_equal(found.hash, root.hash, sizeof root.hash);
        assert_int_equal(mf_proof_note_check(note, (size_t)len, other_verifier, &found, &err),
                         MF_EPROOF);
        /* With the other's signature too, in either order, both can be checked. */
        char both[MF_PROOF_NOTE_MAX];
        char theirs[MF_PROOF_NOTE_MAX];
        int their_len = mf_proof_note_sign(other, &root, theirs, sizeof theirs, &err);
        assert_true(their_len > 0);
        const char *their_line = strstr(theirs, "\n\n") + 2;
        int both_len =
            snprintf(both, sizeof both, "%s\xe2\x80\x94 nobody AAAA\n%s", note, their_line);
        assert_int_equal(mf_proof_note_check(both, (size_t)both_len, verifier, &found, &err), 0);
        assert_int_equal(mf_proof_note_check(both, (size_t)both_len, other_verifier, &found, &err),
                         0);
    }
    mf_proof_signer_free(signer);
    mf_proof_signer_free(other);
}

static void every_bit_of_a_note_counts(void **state)
{
    (void)state;
    struct mf_proof_signer *signer = made_signer("c", "n");
    char verifier[MF_PROOF_VERIFIER_LEN];
    mf_proof_signer_verifier(signer, verifier);
    struct mf_proof_root root = random_root();
    struct mf_proof_root found;
    char note[MF_PROOF_NOTE_MAX];
    size_t len = (size_t)mf_proof_note_sign(signer, &root, note, sizeof note, &err);
    for (size_t bit = 0; bit < len * 8; bit++) {
        note[bit / 8] ^= (char)(1 << bit % 8);
        assert_true(mf_proof_note_check(note, len, verifier, &found, &err) < 0);
        note[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut++) {
        assert_true(mf_proof_note_check(note, cut, verifier, &found, &err) < 0);
    }
    assert_int_equal(mf_proof_note_check(note, len, verifier, &found, &err), 0);
    size_t verifier_len = strlen(verifier);
    for (size_t bit = 0; bit < verifier_len * 8; bit++) {
        verifier[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(mf_proof_note_check(note, len, verifier, &found, &err), MF_ESYNTAX);
        verifier[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < verifier_len; cut++) {
        char part[MF_PROOF_VERIFIER_LEN];
        snprintf(part, sizeof part, "%.*s", (int)cut, verifier);
        assert_int_equal(mf_proof_note_check(note, len, part, &found, &err), MF_ESYNTAX);
    }
    memset(note + len, 'x', sizeof note - len);
    assert_int_equal(mf_proof_note_check(note, sizeof note + 1, verifier, &found, &err),
                     MF_EFORMAT);
    mf_proof_signer_free(signer);
}

/* What is signed with the right key and is no root of that name is not taken as one. */
static void other_texts_are_no_roots(void **state)
{
    (void)state;
    struct mf_proof_signer *signer = made_signer("d", "n");
    char verifier[MF_PROOF_VERIFIER_LEN];
    mf_proof_signer_verifier(signer, verifier);
    static const char *const texts[] = {
        "n\n",
        "n\n5\n",
        "m\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "n\n05\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "n\n-5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "n\n999999999999999\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "n\n18446744073709551621\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "n\n5\nAAAA\n",
        "n\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
    };
    static const char good[] = "n\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nmore\n";
    struct mf_proof_root root = {.size = 0};
    char made[MF_PROOF_NOTE_MAX];
    assert_true(mf_proof_note_sign(signer, &root, made, sizeof made, &err) > 0);
    uint8_t signature[4 + 64];
    const char *line = strstr(made, "\n\n") + 2;
    assert_int_equal(mf__base64_get(line + 6, 92, signature, sizeof signature), 0);
    for (size_t i = 0; i <= MF_ARRAY_LEN(texts); i++) {
        const char *text = i < MF_ARRAY_LEN(texts) ? texts[i] : good;
        assert_int_equal(mf__proof_sign(signer, text, strlen(text), signature + 4, &err), 0);
        char encoded[93];
        mf__base64_put(signature, sizeof signature, encoded);
        char note[400];
        int len = snprintf(note, sizeof note, "%s\n\xe2\x80\x94 n %s\n", text, encoded);
        int code = mf_proof_note_check(note, (size_t)len, verifier, &root, &err);
        assert_int_equal(code, text == good ? 0 : MF_EFORMAT);
    }
    assert_int_equal(root.size, 5);
    mf_proof_signer_free(signer);
}

static long allowed;

static int refuse(void *context, size_t len_bytes)
{
    (void)context;
    (void)len_bytes;
    return allowed-- <= 0;
}

static int make_and_open(const struct mf_env *env)
{
    struct mf_proof_signer *signer = NULL;
    int code = mf_proof_signer_create("key", env, &err);
    struct mf_file_info info;
    /* Nothing is left; unless there is no memory for the simulated disk to remove it. */
    assert_true(code != -EIO || mf_fs_info(env->fs, "key", &info, NULL) < 0);
    code = code < 0 ? code : mf_proof_signer_open("key", "n", env, &signer, &err);
    mf_proof_signer_free(signer);
    return code;
}

static void every_failure_is_told(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    assert_non_null(disk);
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    long failed = 0;
    uint64_t nth = 1;
    for (uint64_t taken = nth; taken >= nth; nth++) {
        uint64_t before = mf_simdisk_operations(disk);
        mf_simdisk_fail_nth(disk, nth, -EIO, false);
        int code = make_and_open(&env);
        taken = mf_simdisk_operations(disk) - before;
        mf_simdisk_fail_nth(disk, 0, 0, false);
        assert_true(code == 0 || code == -EIO);
        failed += code != 0;
        (void)mf_fs_unlink(env.fs, "key", NULL);
    }
    assert_true(failed > 3);
    failed = 0;
    for (int code = -1; code != 0; failed++) {
        allowed = failed;
        mf_heap_set_hook(refuse, NULL);
        code = make_and_open(&env);
        mf_heap_set_hook(NULL, NULL);
        assert_true(code == 0 || code == -ENOMEM);
        (void)mf_fs_unlink(env.fs, "key", NULL);
    }
    assert_true(failed > 2);
    assert_int_equal(mf_simdisk_handles(disk), 0);
    mf_simdisk_free(disk);
}

int main(void)
{
    mf_rng_seed(&rng, test_seed());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_known_answers),          cmocka_unit_test(signatures_known_answers),
        cmocka_unit_test(a_key_is_a_file_for_its_owner), cmocka_unit_test(signed_roots),
        cmocka_unit_test(every_bit_of_a_note_counts),    cmocka_unit_test(other_texts_are_no_roots),
        cmocka_unit_test(every_failure_is_told),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove();
    return failures;
}
