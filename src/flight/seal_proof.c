/* SPDX-License-Identifier: Apache-2.0
 * seal_proof.c -- evidence of seals for another machine: proofs (proof.h) made from the ledger and
 * from seal.json, and what they say of a flight. */
#include "seal_ledger.h"
#include "seal_manifest.h"

#include "base/bytes.h"
#include "base/fail.h"
#include "base/heap.h"
#include "os/file.h"
#include "state/list_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PREFIX_FLIGHT "flight/"

/* ---- making ---- */

struct proving {
    struct mf_seal_manifest list;
    struct mf_list_tree *tree;
    struct mf_proof_entry entry;
};

static int read_list(const char *dir, struct mf_seal_manifest *ret_list, struct mf_errinfo *err)
{
    char *text = NULL;
    size_t len = 0;
    char *path = mf_asprintf("%s/" MF_SEAL_FILE, dir);
    int rc = path != NULL ? mf_fs_read_all(NULL, path, MF_SEAL_LEN_MAX, &text, &len, err)
                          : mf_fail(err, -ENOMEM, "out of memory");
    rc = rc == 0 ? mf__seal_manifest_parse(text, len, path, ret_list, err) : rc;
    mf_free(text);
    mf_free(path);
    return rc;
}

/* What the list says about the file: that it is there, or that there is none. */
static int prove_file(struct proving *proving, const char *path, struct mf_errinfo *err)
{
    int rc = mf__seal_manifest_tree(&proving->list, &proving->tree, err);
    if (rc == 0) {
        rc = mf_list_tree_prove(proving->tree, path, strlen(path), &proving->entry);
        rc = rc == 0 ? 0 : mf_fail(err, rc, "%.200s: %s", path, mf_strerror(rc));
    }
    return rc;
}

static int prove_in(struct mf_state *ledger, const char *id, const char *path,
                    struct proving *proving, struct mf_proof_file *ret_proof,
                    struct mf_errinfo *err)
{
    char key[MF_FLIGHT_ID_LEN + 16];
    struct mf_seal_record record;
    int rc = mf__ledger_find(ledger, id, &record, err);
    if (rc < 0) {
        return rc;
    }
    if (rc == 0) {
        return mf_fail(err, MF_ENOTFOUND, "the ledger has no record of the flight %s", id);
    }
    if (path != NULL && memcmp(record.root, proving->list.root, sizeof record.root) != 0) {
        return mf_fail(err, MF_EMISMATCH, "seal.json of the flight %s is not the one that was made",
                       id);
    }
    snprintf(key, sizeof key, PREFIX_FLIGHT "%s", id);
    return mf_proof_of_key(ledger, key, strlen(key), path != NULL ? &proving->entry : NULL,
                           ret_proof, err);
}

int mf_flight_prove(const char *home, const char *dir, const char *path,
                    struct mf_proof_file *ret_proof, struct mf_errinfo *err)
{
    struct proving proving = {.tree = NULL};
    struct mf_flight_info *info = NULL;
    struct mf_state *ledger = NULL;
    int rc = mf_flight_info_read(dir, &info, err);
    if (rc == 0 && path != NULL) {
        rc = read_list(dir, &proving.list, err);
        rc = rc == 0 ? prove_file(&proving, path, err) : rc;
    }
    rc = rc == 0 ? mf__ledger_read(home, &ledger, err) : rc;
    if (rc == 0) {
        rc = prove_in(ledger, info->id, path, &proving, ret_proof, err);
        (void)mf_state_close(ledger, NULL);
    }
    mf_list_tree_free(proving.tree);
    mf__seal_manifest_free(&proving.list);
    mf_flight_info_free(info);
    return rc;
}

/* ---- reading ---- */

int mf_flight_evidence_read(const struct mf_proof *proof, struct mf_seal_evidence *ret_evidence,
                            struct mf_errinfo *err)
{
    struct mf_seal_evidence evidence = {.sealed = false};
    const size_t prefix = strlen(PREFIX_FLIGHT);
    const struct mf_proof_entry *key = &proof->key;
    if ((proof->kind != MF_PROOF_KEY && proof->kind != MF_PROOF_FILE) || key->key_len <= prefix ||
        key->key_len - prefix >= sizeof evidence.record.id ||
        memcmp(key->key, PREFIX_FLIGHT, prefix) != 0) {
        return mf_fail(err, MF_EVALUE,
                       "this is no proof of a flight; `mayfly state verify` says what it proves");
    }
    char id[MF_FLIGHT_ID_LEN] = "";
    memcpy(id, key->key + prefix, key->key_len - prefix);
    memcpy(evidence.record.id, id, sizeof id);
    evidence.sealed = key->present;
    if (key->present) {
        if (key->value == NULL) {
            return mf_fail(err, MF_EVALUE, "the proof does not enclose the record");
        }
        const int rc = mf__ledger_parse(id, key->value, key->value_len, &evidence.record, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (proof->kind == MF_PROOF_FILE) {
        const struct mf_proof_entry *file = &proof->file;
        if (file->key_len > MF_SEAL_PATH_MAX ||
            (file->present && (file->value == NULL || file->value_len != MF_SEAL_VALUE_LEN))) {
            return mf_fail(err, MF_EVALUE, "the proof has something else than a file of a flight");
        }
        evidence.path = mf_strndup((const char *)file->key, file->key_len);
        if (evidence.path == NULL) {
            return mf_fail(err, -ENOMEM, "out of memory");
        }
        evidence.has_file = file->present;
        if (file->present) {
            evidence.bytes = mf_load_u64(file->value);
            memcpy(evidence.sha256, file->value + 8, sizeof evidence.sha256);
        }
    }
    *ret_evidence = evidence;
    return 0;
}

void mf_flight_evidence_free(struct mf_seal_evidence *evidence)
{
    mf_free(evidence->path);
    *evidence = (struct mf_seal_evidence){.sealed = false};
}

int mf_flight_evidence_check_file(const struct mf_seal_evidence *evidence, const char *path,
                                  bool *ret_same, struct mf_errinfo *err)
{
    struct mf_seal_entry entry;
    const char *slash = strrchr(path, '/');
    char *dir = slash != NULL ? mf_strndup(path, (size_t)(slash - path) + 1) : mf_strdup(".");
    int rc = dir != NULL
                 ? mf__seal_entry_read(dir, slash != NULL ? slash + 1 : path, NULL, &entry, err)
                 : mf_fail(err, -ENOMEM, "out of memory");
    mf_free(dir);
    if (rc == 0) {
        *ret_same = evidence->has_file && entry.size_bytes == evidence->bytes &&
                    memcmp(entry.sha256, evidence->sha256, sizeof entry.sha256) == 0;
        mf__seal_entry_free(&entry);
    }
    return rc;
}
