/* SPDX-License-Identifier: Apache-2.0
 *
 * sha256.c -- the SHA256_* calls of libcrypto. OpenSSL 3 advises the EVP ones instead; they cost
 * about 80 ns more each time (a quarter of what a node of a tree costs) and can fail for want of
 * memory. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "state/sha256.h"

#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct mf_sha256), "libcrypto's state fits");
_Static_assert(SHA256_DIGEST_LENGTH == MF_SHA256_LEN, "one length");

void mf_sha256_begin(struct mf_sha256 *sha)
{
    SHA256_Init((SHA256_CTX *)sha->state);
}

void mf_sha256_add(struct mf_sha256 *sha, const void *bytes, size_t len)
{
    SHA256_Update((SHA256_CTX *)sha->state, bytes, len);
}

void mf_sha256_end(struct mf_sha256 *sha, uint8_t ret_digest[MF_SHA256_LEN])
{
    SHA256_Final(ret_digest, (SHA256_CTX *)sha->state);
}

void mf_sha256(const void *bytes, size_t len, uint8_t ret_digest[MF_SHA256_LEN])
{
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, bytes, len);
    SHA256_Final(ret_digest, &context);
}
