/* SPDX-License-Identifier: Apache-2.0
 * proof_signer.h -- Ed25519 keys: files, signing, verifying. */
#ifndef STATE_PROOF_SIGNER_H
#define STATE_PROOF_SIGNER_H

#include "state/sha256.h"

#include <mayfly/proof.h>

#define PUBLIC_KEY_LEN 32u

struct mf_proof_signer {
    void *key; /* libcrypto's EVP_PKEY */
    uint8_t public_key[PUBLIC_KEY_LEN];
    char name[MF_PROOF_NAME_MAX + 1];
};

/* 0 or MF_EVALUE. */
int mf__proof_check_name(const char *name, struct mf_errinfo *err);
/* 64 bytes of signature. */
int mf__proof_sign(const struct mf_proof_signer *signer, const void *bytes, size_t len,
                   uint8_t *ret_signature, struct mf_errinfo *err);
/* 0 or MF_EPROOF, or -ENOMEM. */
int mf__proof_verify(const uint8_t public_key[PUBLIC_KEY_LEN], const void *bytes, size_t len,
                     const uint8_t *signature, struct mf_errinfo *err);

#endif
