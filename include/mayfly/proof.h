/* SPDX-License-Identifier: Apache-2.0
 *
 * proof.h -- evidence of what a state (state.h) held, which is checked without the store: on
 * another machine, by another party, with nothing but a root that one trusts.
 *
 * Every commit of a store is a leaf of a Merkle log (RFC 9162), and has the root of a tree over all
 * keys and values after it. One root of the log, a size and 32 bytes, so stands for the whole
 * history up to then and for each state in it. Who noted such a root yesterday, or got it signed,
 * can be given
 *
 *     MF_PROOF_COMMIT      that a commit is in the history, at its place
 *     MF_PROOF_EXTENSION   that a later history begins with the earlier one, nothing changed in it
 *     MF_PROOF_KEY         that after a commit a key had a value, or was absent
 *     MF_PROOF_FILE        the same of a name in a tree whose root is the value of a key: a file of
 * a sealed flight
 *
 * as a file of some kilobytes. A check recomputes the root and compares it with the caller's. What
 * the proof itself says its root is counts for nothing.
 *
 *     struct mf_proof proof;
 *     mf_proof_decode(bytes, len, &proof, &err);
 *     mf_proof_check(&proof, &trusted, &err);          0: it is so
 *
 * Under one state root at most one answer for each key can be proven, whoever made it, as long as
 * SHA-256 has no collisions. A proof shows the keys (not the values) of some neighbours of its key.
 * docs/proofs.md tells what is hashed, docs/formats.md the file.
 *
 * All functions here may be called from any thread; no check of a proof allocates.
 */
#ifndef MAYFLY_PROOF_H
#define MAYFLY_PROOF_H

#include <mayfly/env.h>
#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MF_PROOF_HASH_LEN 32u        /* SHA-256 */
#define MF_PROOF_PATH_MAX 49u        /* hashes in a path through the log */
#define MF_PROOF_LEN_MAX  (1u << 20) /* bytes of a proof */
#define MF_PROOF_VALUE_MAX                                                                         \
    (64u << 10) /* bytes of a value that is enclosed; others by their hash                         \
                 */
#define MF_PROOF_KEY_MAX  4096u
#define MF_PROOF_LEAF_MAX 1120u

/* A root of the log: over the commits 1 .. size. The two belong together. */
struct mf_proof_root {
    uint64_t size;
    uint8_t hash[MF_PROOF_HASH_LEN];
};

/* "SIZE-64 hexadecimal digits", as it is noted down, printed and compared. */
#define MF_PROOF_ROOT_TEXT_LEN 86u /* with the NUL */
MF_API void mf_proof_root_text(const struct mf_proof_root *root,
                               char ret_text[MF_PROOF_ROOT_TEXT_LEN]);
/* 0 or MF_ESYNTAX. */
MF_API MF_MUST_CHECK int mf_proof_root_parse(const char *text, struct mf_proof_root *ret_root,
                                             struct mf_errinfo *err);

/* What a tree says about one key. */
struct mf_proof_entry {
    const uint8_t *key;
    size_t key_len;
    bool present; /* otherwise nothing of the value is set */
    uint8_t value_hash[MF_PROOF_HASH_LEN];
    const uint8_t *value; /* NULL: it is not enclosed, value_hash says which one it is */
    size_t value_len;     /* of an enclosed one */
    const uint8_t *steps; /* the nodes from the key's place up to the root */
    size_t steps_len;
};

enum mf_proof_kind {
    MF_PROOF_COMMIT = 1,
    MF_PROOF_EXTENSION = 2,
    MF_PROOF_KEY = 3,
    MF_PROOF_FILE = 4
};

/* A proof taken apart. The pointers go into the bytes that it was decoded from. */
struct mf_proof {
    enum mf_proof_kind kind;
    struct mf_proof_root root;     /* that it was made for: which one to compare with */
    struct mf_proof_root old_root; /* EXTENSION: the earlier one */
    const uint8_t *path;           /* through the log: path_count hashes */
    uint32_t path_count;
    const uint8_t *leaf; /* all but EXTENSION: the commit */
    size_t leaf_len;
    struct mf_proof_entry key; /* KEY and FILE */
    struct mf_proof_entry
        file; /* FILE: of the tree whose root is the first 32 bytes of the value */
};

/* What a leaf says. `note` goes into the leaf. */
struct mf_proof_commit {
    uint64_t seq;
    int64_t wall_ns;  /* when it was made, by the writer's clock */
    uint32_t kind;    /* enum mf_state_commit_kind */
    uint64_t changes; /* how many */
    const uint8_t *note;
    size_t note_len;
    uint8_t root[MF_PROOF_HASH_LEN];         /* of the state after it */
    uint8_t changes_hash[MF_PROOF_HASH_LEN]; /* SHA-256 of its changes */
};

/* --- files --- */

/* Takes a proof file apart: form only, nothing is believed by it. The whole of the bytes must be
 * one proof. MF_EFORMAT: no proof; MF_EVERSION: a newer one; MF_ECORRUPT: damaged, cut, or longer.
 */
MF_API MF_MUST_CHECK int mf_proof_decode(const void *bytes, size_t len, struct mf_proof *ret_proof,
                                         struct mf_errinfo *err);
/* Writes one; returns its length. MF_ELIMIT: more than `capacity`, or than a limit above;
 * MF_EVALUE: the parts do not make a proof. */
MF_API MF_MUST_CHECK int mf_proof_encode(const struct mf_proof *proof, void *out, size_t capacity,
                                         struct mf_errinfo *err);

/* Whether the proof holds under a root that the caller trusts. 0: it does. MF_EPROOF: it does not,
 * or is made for another root than that; the message says which. What is then so: COMMIT      the
 * commit `leaf` (mf_proof_commit_get) is number `seq` of the log of that root KEY         besides:
 * after it, key.key had the value with key.value_hash, or was absent FILE        besides: in the
 * tree that this value names, the same of file.key EXTENSION   `trusted` may be either end, and the
 * log of root begins with the one of old_root. Of the other end the hash is proven then, and of the
 * earlier one the size too; the size of a later one is for its signer to say */
MF_API MF_MUST_CHECK int mf_proof_check(const struct mf_proof *proof,
                                        const struct mf_proof_root *trusted,
                                        struct mf_errinfo *err);

/* --- making them (struct mf_state: state.h) ---
 *
 * Of what can be read now. A RELAXED store is synced first, so that nothing is proven that a power
 * cut takes; who opened it READ_ONLY cannot do that. Every proof is checked before it is given.
 * MF_EVALUE: there are not so many commits; MF_ECORRUPT: what it is made of is damaged; MF_ELIMIT:
 * it would have more than MF_PROOF_LEN_MAX bytes (keys chosen to do that); -ENOMEM, -errno. */
struct mf_state;

#define MF_PROOF_NEWEST UINT64_MAX /* as size: all commits there are */

struct mf_proof_file {
    uint8_t *bytes; /* mf_proof_file_free() */
    size_t len;
    struct mf_proof_root root; /* that it is for */
};
MF_API void mf_proof_file_free(struct mf_proof_file *file); /* also of all zero */

/* The root over the first `size` commits: to be noted down, or signed. */
MF_API MF_MUST_CHECK int mf_proof_root_of(struct mf_state *state, uint64_t size,
                                          struct mf_proof_root *ret_root, struct mf_errinfo *err);
/* COMMIT: number `seq` of the first `size`. */
MF_API MF_MUST_CHECK int mf_proof_of_commit(struct mf_state *state, uint64_t seq, uint64_t size,
                                            struct mf_proof_file *ret_file, struct mf_errinfo *err);
/* EXTENSION: the first `size` begin with the first `old_size`. */
MF_API MF_MUST_CHECK int mf_proof_of_extension(struct mf_state *state, uint64_t old_size,
                                               uint64_t size, struct mf_proof_file *ret_file,
                                               struct mf_errinfo *err);
/* KEY: what the newest commit leaves of it. With `file` (its pointers must stay good for the call)
 * FILE: an entry of the tree whose root begins the key's value. */
MF_API MF_MUST_CHECK int mf_proof_of_key(struct mf_state *state, const void *key, size_t key_len,
                                         const struct mf_proof_entry *file,
                                         struct mf_proof_file *ret_file, struct mf_errinfo *err);

/* --- parts: for other carriers than the file --- */

/* 0 or MF_EFORMAT. */
MF_API MF_MUST_CHECK int mf_proof_commit_get(const void *leaf, size_t leaf_len,
                                             struct mf_proof_commit *ret_commit,
                                             struct mf_errinfo *err);
/* That the leaf is number `seq` (1, 2, ...) of the log. 0 or MF_EPROOF, as the next two. */
MF_API MF_MUST_CHECK int mf_proof_check_leaf(const struct mf_proof_root *trusted, uint64_t seq,
                                             const void *leaf, size_t leaf_len, const uint8_t *path,
                                             size_t path_count, struct mf_errinfo *err);
/* That the log of `root` begins with the one of `old_root`. */
MF_API MF_MUST_CHECK int mf_proof_check_extension(const struct mf_proof_root *old_root,
                                                  const struct mf_proof_root *root,
                                                  const uint8_t *path, size_t path_count,
                                                  struct mf_errinfo *err);
/* That the tree of this root says so about the key. A value that is enclosed must be the one of
 * value_hash. */
MF_API MF_MUST_CHECK int mf_proof_check_entry(const uint8_t root[MF_PROOF_HASH_LEN],
                                              const struct mf_proof_entry *entry,
                                              struct mf_errinfo *err);
/* The hash by which a value is known in a tree. */
MF_API void mf_proof_hash_value(const void *value, size_t len, uint8_t ret_hash[MF_PROOF_HASH_LEN]);

/* --- signed roots ---
 *
 * A root that is signed may be passed on by anybody. The text is a checkpoint as transparency logs
 * write it (c2sp.org/tlog-checkpoint in a c2sp.org/signed-note), signed with Ed25519 (RFC 8032):
 *
 *     NAME
 *     SIZE
 *     the hash in base64
 *
 *     (em dash) NAME, base64 of four bytes that tell the key and 64 of the signature
 *
 * The name says whose history it is, and belongs to the key: 1 to 100 printable ASCII characters
 * without blanks and "+". Who is to check gets the verifier, one line of text: the name, eight
 * hexadecimal digits and the public key, with "+" between. Tools for such notes take both as they
 * are.
 */
struct mf_proof_signer;

#define MF_PROOF_NAME_MAX     100u
#define MF_PROOF_VERIFIER_LEN 160u  /* with the NUL */
#define MF_PROOF_NOTE_MAX     8192u /* bytes of a note, with the signatures of others too */

/* Makes a key and writes it to a new file (PKCS#8 in PEM, mode 0600, not encrypted), durable on
 * return. MF_EEXISTS: there is something already; nothing is ever overwritten. `env` may be NULL.
 */
MF_API MF_MUST_CHECK int mf_proof_signer_create(const char *path, const struct mf_env *env,
                                                struct mf_errinfo *err);
/* Reads one; `openssl genpkey -algorithm ed25519` makes such files too. The name is copied.
 * MF_EFORMAT: not such a key; MF_EVALUE: the name. The caller frees it. */
MF_API MF_MUST_CHECK int mf_proof_signer_open(const char *path, const char *name,
                                              const struct mf_env *env,
                                              struct mf_proof_signer **ret_signer,
                                              struct mf_errinfo *err);
MF_API void mf_proof_signer_free(struct mf_proof_signer *signer); /* NULL is allowed */
/* The line for those who check. */
MF_API void mf_proof_signer_verifier(const struct mf_proof_signer *signer,
                                     char ret_verifier[MF_PROOF_VERIFIER_LEN]);
/* Writes the note, with a NUL behind it; returns its length. MF_ELIMIT: more than `capacity`. */
MF_API MF_MUST_CHECK int mf_proof_note_sign(const struct mf_proof_signer *signer,
                                            const struct mf_proof_root *root, char *out,
                                            size_t capacity, struct mf_errinfo *err);
/* The root that the holder of the verifier's key has signed, under that name. MF_EPROOF: the
 * signature is not there or not right; MF_EFORMAT: not such a note; MF_ESYNTAX: not such a
 * verifier. Signatures of other keys do not count and do not harm. */
MF_API MF_MUST_CHECK int mf_proof_note_check(const char *note, size_t len, const char *verifier,
                                             struct mf_proof_root *ret_root,
                                             struct mf_errinfo *err);

#ifdef __cplusplus
}
#endif
#endif
