/* SPDX-License-Identifier: Apache-2.0
 *
 * proof_signer.c -- Ed25519 by libcrypto. Its queue of errors is left as it was found; what holds a
 * private key in the clear is wiped before it is freed. */
#include "proof_signer.h"
#include "base/fail.h"
#include "base/heap.h"
#include "os/file.h"

#include <errno.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define SIGNATURE_LEN 64u
#define PEM_MAX       16384u

static const struct mf_fs *fs_of(const struct mf_env *env)
{
    return env != NULL ? env->fs : NULL;
}

/* ---- making a key ---- */

/* A new file with this content, durable; nothing of it is left after a failure. */
static int write_new(const struct mf_fs *fs, const char *path, const void *bytes, size_t len,
                     struct mf_errinfo *err)
{
    struct mf_file *file = NULL;
    unsigned flags = MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE | MF_OPEN_EXCLUSIVE;
    int code = mf_file_open(fs, path, flags, &file, err);
    if (code == -EEXIST) {
        return mf_fail(err, MF_EEXISTS, "%.200s is there already; a key is never overwritten",
                       path);
    }
    if (code < 0) {
        return code;
    }
    code = mf_file_write(file, bytes, len, 0, err);
    code = code < 0 ? code : mf_file_sync(file, err);
    mf_file_close(file);
    code = code < 0 ? code : mf_fs_sync_parent(fs, path, err);
    if (code < 0) {
        (void)mf_fs_unlink(fs, path, NULL); /* the first failure is the one to report */
    }
    return code;
}

int mf_proof_signer_create(const char *path, const struct mf_env *env, struct mf_errinfo *err)
{
    ERR_set_mark();
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *pem = BIO_new(BIO_s_secmem());
    char *bytes = NULL;
    long len = 0;
    int code = 0;
    if (key == NULL || pem == NULL ||
        PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) != 1 ||
        (len = BIO_get_mem_data(pem, &bytes)) <= 0) {
        code = mf_fail(err, -ENOMEM, "cannot make a key for %.200s: libcrypto refuses", path);
    } else {
        code = write_new(fs_of(env), path, bytes, (size_t)len, err);
        OPENSSL_cleanse(bytes, (size_t)len);
    }
    BIO_free(pem);
    EVP_PKEY_free(key);
    ERR_pop_to_mark();
    return code;
}

/* ---- using one ---- */

/* No password is asked for. */
static int no_password(char *out, int capacity, int writing, void *context)
{
    (void)out;
    (void)capacity;
    (void)writing;
    (void)context;
    return -1;
}

static EVP_PKEY *parse_pem(const char *bytes, size_t len)
{
    ERR_set_mark();
    BIO *pem = BIO_new_mem_buf(bytes, (int)len);
    EVP_PKEY *key = pem == NULL ? NULL : PEM_read_bio_PrivateKey(pem, NULL, no_password, NULL);
    BIO_free(pem);
    ERR_pop_to_mark();
    return key;
}

int mf_proof_signer_open(const char *path, const char *name, const struct mf_env *env,
                         struct mf_proof_signer **ret_signer, struct mf_errinfo *err)
{
    int code = mf__proof_check_name(name, err);
    char *bytes = NULL;
    size_t len = 0;
    code = code < 0 ? code : mf_fs_read_all(fs_of(env), path, PEM_MAX, &bytes, &len, err);
    if (code < 0) {
        return code;
    }
    EVP_PKEY *key = parse_pem(bytes, len);
    OPENSSL_cleanse(bytes, len);
    mf_free(bytes);
    struct mf_proof_signer *signer = mf_calloc(1, sizeof *signer);
    if (signer == NULL) {
        EVP_PKEY_free(key);
        return mf_fail_os(err, -ENOMEM, "cannot read %.200s", path);
    }
    signer->key = key;
    memcpy(signer->name, name, strlen(name));
    size_t key_len = sizeof signer->public_key;
    if (key == NULL || EVP_PKEY_is_a(key, "ED25519") != 1 ||
        EVP_PKEY_get_raw_public_key(key, signer->public_key, &key_len) != 1) {
        mf_proof_signer_free(signer);
        return mf_fail(err, MF_EFORMAT,
                       "%.200s is no Ed25519 private key in PEM without a password", path);
    }
    *ret_signer = signer;
    return 0;
}

void mf_proof_signer_free(struct mf_proof_signer *signer)
{
    if (signer != NULL) {
        EVP_PKEY_free(signer->key);
        mf_free(signer);
    }
}

int mf__proof_sign(const struct mf_proof_signer *signer, const void *bytes, size_t len,
                   uint8_t *ret_signature, struct mf_errinfo *err)
{
    ERR_set_mark();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t signature_len = SIGNATURE_LEN;
    bool good = context != NULL &&
                EVP_DigestSignInit(context, NULL, NULL, NULL, signer->key) == 1 &&
                EVP_DigestSign(context, ret_signature, &signature_len, bytes, len) == 1;
    EVP_MD_CTX_free(context);
    ERR_pop_to_mark();
    return good ? 0
                : mf_fail(err, -ENOMEM, "cannot sign as \"%s\": libcrypto refuses", signer->name);
}

int mf__proof_verify(const uint8_t public_key[PUBLIC_KEY_LEN], const void *bytes, size_t len,
                     const uint8_t *signature, struct mf_errinfo *err)
{
    ERR_set_mark();
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, PUBLIC_KEY_LEN);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ready =
        key != NULL && context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1;
    bool good = ready && EVP_DigestVerify(context, signature, SIGNATURE_LEN, bytes, len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_pop_to_mark();
    if (!ready) {
        return mf_fail(err, -ENOMEM, "cannot check the signature: libcrypto refuses");
    }
    return good ? 0 : mf_fail(err, MF_EPROOF, "the signature is not one over this text");
}
