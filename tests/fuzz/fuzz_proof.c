/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a proof: refused with a reason, or a proof whose bytes are the only ones for it, and
 * which is checked without reading beside them. The checksum is made right first, so that the parts
 * behind it are reached. And as a signed root. */
#include "base/bytes.h"
#include "base/hash.h"

#include <mayfly/proof.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_proof(const uint8_t *bytes, size_t len)
{
    struct mf_proof proof;
    struct mf_errinfo err = {0, ""};
    int code = mf_proof_decode(bytes, len, &proof, &err);
    if (code < 0) {
        if (err.code != code || err.msg[0] == '\0') {
            abort();
        }
        return;
    }
    uint8_t *again = malloc(len);
    if (again == NULL) {
        return;
    }
    if (mf_proof_encode(&proof, again, len, &err) != (int)len || memcmp(again, bytes, len) != 0) {
        abort();
    }
    free(again);
    struct mf_proof_root other = proof.root;
    other.size++;
    if (mf_proof_check(&proof, &other, &err) != MF_EPROOF &&
        !(proof.kind == MF_PROOF_EXTENSION && proof.old_root.size == other.size)) {
        abort();
    }
    code = mf_proof_check(&proof, &proof.root, &err);
    if (code != 0 && code != MF_EPROOF && code != MF_EFORMAT) {
        abort();
    }
    if (proof.kind == MF_PROOF_KEY || proof.kind == MF_PROOF_FILE) {
        struct mf_proof_entry opposite = proof.key;
        opposite.present = !opposite.present;
        struct mf_proof_commit commit;
        if (mf_proof_commit_get(proof.leaf, proof.leaf_len, &commit, &err) == 0 &&
            mf_proof_check_entry(commit.root, &proof.key, &err) == 0 &&
            mf_proof_check_entry(commit.root, &opposite, &err) == 0) {
            abort(); /* two answers under one root */
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    check_proof(data, len);
    if (len >= 20) {
        uint8_t *sealed = malloc(len);
        if (sealed == NULL) {
            return 0;
        }
        memcpy(sealed, data, len);
        memcpy(sealed, "MFPROOF\0\1", 10);
        mf_store_u32(sealed + 12, (uint32_t)len);
        mf_store_u32(sealed + len - 4, mf_crc32c(0, sealed, len - 4));
        check_proof(sealed, len);
        free(sealed);
    }
    struct mf_proof_root root;
    struct mf_errinfo err = {0, ""};
    if (mf_proof_note_check((const char *)data, len,
                            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                            &root, &err) == 0) {
        abort(); /* nobody here has that key */
    }
    char text[200];
    size_t text_len = len < sizeof text - 1 ? len : sizeof text - 1;
    memcpy(text, data, text_len);
    text[text_len] = '\0';
    if (mf_proof_root_parse(text, &root, &err) == 0) {
        char again[MF_PROOF_ROOT_TEXT_LEN];
        mf_proof_root_text(&root, again);
        if (strcmp(text, again) != 0) {
            abort();
        }
    }
    if (mf_proof_note_check("n\n1\n", 4, text, &root, &err) == 0) {
        abort();
    }
    return 0;
}
