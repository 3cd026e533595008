/* SPDX-License-Identifier: Apache-2.0
 *
 * seal.h -- seals of flights: what was recorded is bound to a root, and the root is kept.
 *
 * A flight is sealed when its recorder closes it, or later by mf_flight_seal(). Its files are read
 * and listed in seal.json; over the list (paths, sizes, SHA-256) stands a root of 32 bytes, which
 * is committed to the ledger: a state store (state.h) in the directory `ledger` of the home.
 * Whoever changes, adds or removes a byte afterwards would have to change the ledger, too; and
 * whoever has noted a root of the ledger, or has it signed, sees that.
 *
 *     flight/ID     the root (32 bytes), then a JSON object: name, outcome, times, seal_sha256, ...
 *     removed/ID    a JSON object: when the flight was removed by `mayfly rm` or `gc`
 *
 * Records are never changed and never removed. docs/run.md, "Seals", tells more.
 *
 * Thread rule: as in flight.h.
 */
#ifndef MAYFLY_SEAL_H
#define MAYFLY_SEAL_H

#include <mayfly/error.h>
#include <mayfly/flight.h>
#include <mayfly/proof.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MF_SEAL_HASH_LEN 32u

/* What the ledger has on a flight. */
struct mf_seal_record {
    char id[MF_FLIGHT_ID_LEN];
    uint8_t root[MF_SEAL_HASH_LEN];        /* over paths, sizes and SHA-256 of its files */
    uint8_t seal_sha256[MF_SEAL_HASH_LEN]; /* of seal.json */
    char name[256];                        /* longer ones are cut */
    char outcome[32];                      /* mf_flight_outcome_name() */
    int64_t exit_code;
    int64_t started_wall_ns;
    int64_t duration_ns;
    int64_t sealed_wall_ns;
    uint64_t files;
    uint64_t bytes; /* in all files */
    bool recovered; /* the recorder did not close it */
    bool removed;   /* by mf_flight_seal_removed() */
    int64_t removed_wall_ns;
};

/* The directory of the ledger; the caller's (mf_flight_free_text). */
MF_API MF_MUST_CHECK int mf_flight_ledger_path(const char *home, char **ret_path,
                                               struct mf_errinfo *err);

/* Seals a flight that is not being recorded. The ledger is made where there is none. While another
 * process writes to it, waits its turn for at most `wait_ns`. Idempotent; *ret_record (may be NULL)
 * and *ret_fresh (may be NULL): whether this call did it. Errors: MF_ELOCKED (the flight is
 * recorded, or the ledger's turn did not come), MF_EMISMATCH (it was sealed, and is not what it was
 * then), MF_EVALUE (something in it that is no file), -ENOSPC, -EROFS, ... The flight stays as it
 * was then. */
MF_API MF_MUST_CHECK int mf_flight_seal(const char *home, const char *dir, int64_t wait_ns,
                                        struct mf_seal_record *ret_record, bool *ret_fresh,
                                        struct mf_errinfo *err);
/* Notes in the ledger that a flight of the home is removed, just before that is done; 0 also when
 * it was never sealed, or is none of the home's. */
MF_API MF_MUST_CHECK int mf_flight_seal_removed(const char *home, const char *dir, int64_t wait_ns,
                                                struct mf_errinfo *err);

/* The record of a flight: 1, 0 when the ledger has none (or there is no ledger), or negative. */
MF_API MF_MUST_CHECK int mf_flight_seal_find(const char *home, const char *id,
                                             struct mf_seal_record *ret_record,
                                             struct mf_errinfo *err);
/* All records in the order of their ids; stops at a non-zero return of visit, which it returns. */
MF_API MF_MUST_CHECK int mf_flight_seal_list(const char *home,
                                             int (*visit)(void *context,
                                                          const struct mf_seal_record *record),
                                             void *context, struct mf_errinfo *err);
/* What seal.json says, without any check: 1, 0 when there is none, or negative. Only id, root,
 * files and bytes are filled. */
MF_API MF_MUST_CHECK int mf_flight_seal_read(const char *dir, struct mf_seal_record *ret_record,
                                             struct mf_errinfo *err);

enum mf_seal_fault {
    MF_SEAL_CHANGED, /* other bytes, as many */
    MF_SEAL_SHORTER, /* bytes at the end are missing; others may have changed, too */
    MF_SEAL_LONGER,  /* bytes at the end were added; others may have changed, too */
    MF_SEAL_MISSING, /* the file is gone */
    MF_SEAL_ADDED,   /* the file, or whatever it is, was not there */
    MF_SEAL_UNREADABLE,
    MF_SEAL_RENAMED, /* the flight is another than its directory says */
    MF_SEAL_LIST,    /* seal.json is not the one that was made */
    MF_SEAL_UNKNOWN, /* something has changed, and seal.json, which would tell what, has too */
    MF_SEAL_FAULTS
};
/* Short constant words ("changed", "shorter"). Never NULL. [any-thread] */
MF_API const char *mf_seal_fault_name(enum mf_seal_fault fault);

struct mf_seal_region {
    uint64_t offset;
    uint64_t len;
};
#define MF_SEAL_REGIONS_MAX 16
struct mf_seal_finding {
    enum mf_seal_fault fault;
    const char *path;      /* below the flight; "" for the flight itself */
    const char *text;      /* what is wrong, in words */
    uint64_t sealed_bytes; /* size of the file, and what it was; 0 where there is none */
    uint64_t bytes;
    struct mf_seal_region regions[MF_SEAL_REGIONS_MAX]; /* within them bytes have changed */
    unsigned region_count;                              /* 0: not known where */
    bool more_regions;
};

/* What a flight is held against. */
struct mf_seal_trust {
    const char *home;    /* its ledger; NULL: none */
    const uint8_t *root; /* this root instead; NULL: the ledger's */
};
struct mf_seal_check {
    struct mf_seal_record record; /* that it was held against */
    bool has_record;              /* root in it is good; the rest only when the ledger has it */
    uint64_t findings;
};
/* Reads all files of a flight and compares them with what was sealed. visit is called for each
 * thing that is wrong. Returns 0 also when there is something; negative when the answer cannot be
 * given. MF_ENOTFOUND: the flight is not sealed; ret_check->has_record is false then. */
MF_API MF_MUST_CHECK int
mf_flight_verify(const char *dir, const struct mf_seal_trust *trust,
                 void (*visit)(void *context, const struct mf_seal_finding *finding), void *context,
                 struct mf_seal_check *ret_check, struct mf_errinfo *err);

/* --- evidence for another machine (proof.h) --- */

/* Proves the record of a sealed flight, or, with `path` (below the flight), the size and SHA-256 of
 * one of its files, or that it has none of that name. For the newest root of the ledger. The caller
 * frees it with mf_proof_file_free(). MF_ENOTFOUND: it is not sealed; MF_EMISMATCH: seal.json is
 * not the one that was made. */
MF_API MF_MUST_CHECK int mf_flight_prove(const char *home, const char *dir, const char *path,
                                         struct mf_proof_file *ret_proof, struct mf_errinfo *err);

/* What a proof says of a flight. True when mf_proof_check() says so, and only then. */
struct mf_seal_evidence {
    bool sealed;                  /* false: the ledger has no record; only the id is filled */
    struct mf_seal_record record; /* `removed` is not told */
    char *path;                   /* of the file it is about; NULL: of the whole flight */
    bool has_file;                /* false: there was no such file */
    uint64_t bytes;               /* of the file */
    uint8_t sha256[MF_SEAL_HASH_LEN];
};
/* MF_EVALUE: a proof of something else; MF_ECORRUPT: of a record that cannot be read. */
MF_API MF_MUST_CHECK int mf_flight_evidence_read(const struct mf_proof *proof,
                                                 struct mf_seal_evidence *ret_evidence,
                                                 struct mf_errinfo *err);
MF_API void mf_flight_evidence_free(struct mf_seal_evidence *evidence);
/* Whether the file at `path` has the bytes that the evidence tells of. */
MF_API MF_MUST_CHECK int mf_flight_evidence_check_file(const struct mf_seal_evidence *evidence,
                                                       const char *path, bool *ret_same,
                                                       struct mf_errinfo *err);

#ifdef __cplusplus
}
#endif
#endif
