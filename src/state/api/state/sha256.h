/* SPDX-License-Identifier: Apache-2.0
 * sha256.h -- SHA-256 (FIPS 180-4), from libcrypto. No call allocates or fails. */
#ifndef STATE_SHA256_H
#define STATE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define MF_SHA256_LEN 32

struct mf_sha256 {
    uint64_t state[14]; /* libcrypto's */
};

void mf_sha256_begin(struct mf_sha256 *sha);
void mf_sha256_add(struct mf_sha256 *sha, const void *bytes, size_t len);
void mf_sha256_end(struct mf_sha256 *sha, uint8_t ret_digest[MF_SHA256_LEN]);

/* The three calls in one. */
void mf_sha256(const void *bytes, size_t len, uint8_t ret_digest[MF_SHA256_LEN]);

#endif
