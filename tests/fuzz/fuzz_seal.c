/* SPDX-License-Identifier: Apache-2.0
 * fuzz_seal.c -- seal.json and the records of the ledger. A list that is taken can be written, and
 * what is written is taken as the same list. The first byte chooses which of the two it is. */
#include "seal_ledger.h"
#include "seal_manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_list(const char *text, size_t len)
{
    struct mf_seal_manifest manifest;
    struct mf_seal_manifest again;
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_errinfo err = {0};
    if (mf__seal_manifest_parse(text, len, "seal.json", &manifest, &err) < 0) {
        if (err.msg[0] == '\0') {
            abort();
        }
        return;
    }
    mf__seal_manifest_write(&manifest, &out);
    if (mf__seal_manifest_parse(out.data, out.len, "seal.json", &again, &err) < 0 ||
        again.count != manifest.count ||
        memcmp(again.root, manifest.root, sizeof again.root) != 0) {
        abort();
    }
    mf__seal_manifest_free(&again);
    mf__seal_manifest_free(&manifest);
    mf_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] == 'r') {
        struct mf_seal_record record;
        (void)mf__ledger_parse("20261120-000000-x-0000", data + 1, size - 1, &record, NULL);
    } else {
        try_list((const char *)data, size);
    }
    return 0;
}
