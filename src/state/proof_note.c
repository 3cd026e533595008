/* SPDX-License-Identifier: Apache-2.0
 *
 * proof_note.c -- signed roots; see proof.h. What is signed are the lines before the empty one,
 * each with its end. The four bytes that tell the key are the first of SHA-256 of the name, a line
 * feed, 0x01 (Ed25519) and the public key. Nothing of the note is taken before a signature over it
 * is found right.
 */
#include "base/fail.h"
#include "base/heap.h"
#include "base64.h"
#include "merkle.h"
#include "proof_signer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DASH          "\xe2\x80\x94 "
#define DASH_LEN      4u
#define KEY_ID_LEN    4u
#define SIGNATURE_LEN 64u
#define SIGNED_MAX    1024u /* bytes of the lines that are signed */
#define ALGORITHM     0x01  /* Ed25519 */

static void make_key_id(const char *name, size_t name_len, const uint8_t key[PUBLIC_KEY_LEN],
                        uint8_t ret_id[KEY_ID_LEN])
{
    static const uint8_t between[2] = {'\n', ALGORITHM};
    uint8_t digest[MF_SHA256_LEN];
    struct mf_sha256 sha;
    mf_sha256_begin(&sha);
    mf_sha256_add(&sha, name, name_len);
    mf_sha256_add(&sha, between, sizeof between);
    mf_sha256_add(&sha, key, PUBLIC_KEY_LEN);
    mf_sha256_end(&sha, digest);
    memcpy(ret_id, digest, KEY_ID_LEN);
}

static bool is_name(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '+') {
            return false;
        }
    }
    return len >= 1 && len <= MF_PROOF_NAME_MAX;
}

int mf__proof_check_name(const char *name, struct mf_errinfo *err)
{
    if (!is_name(name, strlen(name))) {
        return mf_fail(err, MF_EVALUE,
                       "\"%.120s\" is no name for a key; choose 1 to %u printable ASCII characters "
                       "without blanks and \"+\"",
                       name, MF_PROOF_NAME_MAX);
    }
    return 0;
}

/* ---- signing ---- */

void mf_proof_signer_verifier(const struct mf_proof_signer *signer,
                              char ret_verifier[MF_PROOF_VERIFIER_LEN])
{
    uint8_t key[1 + PUBLIC_KEY_LEN] = {ALGORITHM};
    memcpy(key + 1, signer->public_key, PUBLIC_KEY_LEN);
    uint8_t id[KEY_ID_LEN];
    make_key_id(signer->name, strlen(signer->name), signer->public_key, id);
    char text[BASE64_LEN(sizeof key) + 1];
    mf__base64_put(key, sizeof key, text);
    snprintf(ret_verifier, MF_PROOF_VERIFIER_LEN, "%s+%02x%02x%02x%02x+%s", signer->name, id[0],
             id[1], id[2], id[3], text);
}

int mf_proof_note_sign(const struct mf_proof_signer *signer, const struct mf_proof_root *root,
                       char *out, size_t capacity, struct mf_errinfo *err)
{
    char hash[BASE64_LEN(MF_PROOF_HASH_LEN) + 1];
    mf__base64_put(root->hash, MF_PROOF_HASH_LEN, hash);
    char lines[SIGNED_MAX];
    int len =
        snprintf(lines, sizeof lines, "%s\n%" PRIu64 "\n%s\n", signer->name, root->size, hash);
    uint8_t signature[KEY_ID_LEN + SIGNATURE_LEN];
    make_key_id(signer->name, strlen(signer->name), signer->public_key, signature);
    int code = mf__proof_sign(signer, lines, (size_t)len, signature + KEY_ID_LEN, err);
    if (code < 0) {
        return code;
    }
    char text[BASE64_LEN(sizeof signature) + 1];
    mf__base64_put(signature, sizeof signature, text);
    len = snprintf(out, capacity, "%s\n" DASH "%s %s\n", lines, signer->name, text);
    return (size_t)len < capacity
               ? len
               : mf_fail(err, MF_ELIMIT, "the note has %d bytes, and there is room for %zu", len,
                         capacity);
}

/* ---- checking ---- */

struct verifier {
    const char *name;
    size_t name_len;
    uint8_t id[KEY_ID_LEN];
    uint8_t key[PUBLIC_KEY_LEN];
};

static int parse_verifier(const char *text, struct verifier *ret_verifier, struct mf_errinfo *err)
{
    const char *first = strchr(text, '+');
    const char *second = first == NULL ? NULL : strchr(first + 1, '+');
    uint8_t key[1 + PUBLIC_KEY_LEN];
    char id_text[2 * KEY_ID_LEN + 1];
    struct verifier verifier = {.name = text};
    if (second != NULL) {
        verifier.name_len = (size_t)(first - text);
    }
    if (second == NULL || !is_name(text, verifier.name_len) ||
        mf__base64_get(second + 1, strlen(second + 1), key, sizeof key) < 0 ||
        key[0] != ALGORITHM) {
        return mf_fail(err, MF_ESYNTAX,
                       "\"%.160s\" is no verifier; one is NAME+8 hexadecimal digits+base64 of an "
                       "Ed25519 key",
                       text);
    }
    memcpy(verifier.key, key + 1, PUBLIC_KEY_LEN);
    make_key_id(text, verifier.name_len, verifier.key, verifier.id);
    snprintf(id_text, sizeof id_text, "%02x%02x%02x%02x", verifier.id[0], verifier.id[1],
             verifier.id[2], verifier.id[3]);
    if (second - first - 1 != 2 * KEY_ID_LEN || memcmp(first + 1, id_text, 2 * KEY_ID_LEN) != 0) {
        return mf_fail(
            err, MF_ESYNTAX,
            "the verifier \"%.160s\" contradicts itself: this name and key are +%s+; copy "
            "it again",
            text, id_text);
    }
    *ret_verifier = verifier;
    return 0;
}

struct text {
    const char *at;
    size_t len;
};

/* Takes the next line off, without its end; false when there is none. */
static bool next_line(struct text *text, struct text *ret_line)
{
    const char *end = text->len == 0 ? NULL : memchr(text->at, '\n', text->len);
    if (end == NULL) {
        return false;
    }
    *ret_line = (struct text){text->at, (size_t)(end - text->at)};
    text->len -= ret_line->len + 1;
    text->at = end + 1;
    return true;
}

/* Whether the line is a signature by that key, whose bytes it gives. */
static bool get_signature(const struct text *line, const struct verifier *verifier,
                          uint8_t signature[KEY_ID_LEN + SIGNATURE_LEN])
{
    size_t before = DASH_LEN + verifier->name_len + 1;
    return line->len > before && memcmp(line->at, DASH, DASH_LEN) == 0 &&
           memcmp(line->at + DASH_LEN, verifier->name, verifier->name_len) == 0 &&
           line->at[before - 1] == ' ' &&
           mf__base64_get(line->at + before, line->len - before, signature,
                          KEY_ID_LEN + SIGNATURE_LEN) == 0 &&
           memcmp(signature, verifier->id, KEY_ID_LEN) == 0;
}

/* The three lines of the root. Further ones are signed too, and are for others. */
static bool get_root(struct text lines, const struct verifier *verifier,
                     struct mf_proof_root *ret_root)
{
    struct text name;
    struct text size;
    struct text hash;
    struct mf_proof_root root = {.size = 0};
    if (!next_line(&lines, &name) || !next_line(&lines, &size) || !next_line(&lines, &hash) ||
        name.len != verifier->name_len || memcmp(name.at, verifier->name, name.len) != 0 ||
        mf__base64_get(hash.at, hash.len, root.hash, sizeof root.hash) < 0 || size.len == 0 ||
        size.len > 15 || (size.at[0] == '0' && size.len > 1)) {
        return false;
    }
    for (size_t i = 0; i < size.len; i++) {
        if (size.at[i] < '0' || size.at[i] > '9') {
            return false;
        }
        root.size = root.size * 10 + (uint64_t)(size.at[i] - '0');
    }
    *ret_root = root;
    return root.size <= MF_MERKLE_SIZE_MAX;
}

int mf_proof_note_check(const char *note, size_t len, const char *verifier_text,
                        struct mf_proof_root *ret_root, struct mf_errinfo *err)
{
    struct verifier verifier;
    int code = parse_verifier(verifier_text, &verifier, err);
    if (code < 0) {
        return code;
    }
    struct text rest = {note, len};
    struct text line = {note, 1};
    while (line.len > 0 && len <= MF_PROOF_NOTE_MAX && next_line(&rest, &line)) {
    }
    if (line.len > 0 || len > MF_PROOF_NOTE_MAX) { /* there is no empty line */
        return mf_fail(err, MF_EFORMAT, "%zu bytes are no signed note", len);
    }
    struct text lines = {note, (size_t)(line.at - note)};
    while (next_line(&rest, &line)) {
        uint8_t signature[KEY_ID_LEN + SIGNATURE_LEN];
        if (!get_signature(&line, &verifier, signature)) {
            continue;
        }
        code = mf__proof_verify(verifier.key, lines.at, lines.len, signature + KEY_ID_LEN, err);
        if (code < 0) {
            return code;
        }
        struct mf_proof_root root;
        if (!get_root(lines, &verifier, &root)) {
            return mf_fail(err, MF_EFORMAT, "what \"%.*s\" has signed is no root under that name",
                           (int)verifier.name_len, verifier.name);
        }
        *ret_root = root;
        return 0;
    }
    return mf_fail(err, MF_EPROOF, "the note has no signature of this key of \"%.*s\"",
                   (int)verifier.name_len, verifier.name);
}
