/* SPDX-License-Identifier: Apache-2.0
 * check_proof.c -- checks a proof without the store that it is from, against a root that was noted
 * before. example_check_proof FILE SIZE-HASH; exits 0 only if it holds. */
#include <mayfly/mayfly.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    static unsigned char bytes[MF_PROOF_LEN_MAX + 1];
    struct mf_proof_root trusted;
    struct mf_proof proof;
    struct mf_errinfo err = {0, "usage: example_check_proof FILE SIZE-HASH"};
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    size_t len = file != NULL ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    if (file == NULL || mf_proof_root_parse(argv[2], &trusted, &err) < 0 ||
        mf_proof_decode(bytes, len, &proof, &err) < 0 ||
        mf_proof_check(&proof, &trusted, &err) < 0) {
        fprintf(stderr, "example_check_proof: %s\n", err.msg);
        return 1;
    }
    if (proof.kind == MF_PROOF_KEY) {
        printf("\"%.*s\" is %s%.*s\n", (int)proof.key.key_len, (const char *)proof.key.key,
               proof.key.present ? "" : "absent", (int)proof.key.value_len,
               proof.key.value != NULL ? (const char *)proof.key.value : "");
    }
    return 0;
}
