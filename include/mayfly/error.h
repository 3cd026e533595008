/* SPDX-License-Identifier: Apache-2.0
 *
 * error.h -- the one table of error codes, and the message that goes with a failure.
 *
 * Every function that can fail returns an int: 0 (or a count) on success, a negative code on
 * failure. -1 .. -4095 are negated errno values; the codes below are Mayfly's own. A function that
 * takes a `struct mf_errinfo *err` as its last parameter also writes a sentence that names the
 * file, the offset, the value and what to do. `err` may be NULL.
 */
#ifndef MAYFLY_ERROR_H
#define MAYFLY_ERROR_H

#include <stdint.h>

#define MF_API        __attribute__((visibility("default")))
#define MF_MUST_CHECK __attribute__((warn_unused_result))

#ifdef __cplusplus
extern "C" {
#endif

/* name, code, meaning. Codes are never reused; append only. */
#define MF_ERROR_MAP(X)                                                                            \
    X(CORRUPT, -20001, "stored data fails its checksum")                                           \
    X(TORN, -20002, "the last record is incomplete")                                               \
    X(POISONED, -20003, "an earlier sync failed; close and reopen")                                \
    X(STALE, -20004, "the handle does not name a live object")                                     \
    X(LIMIT, -20005, "a configured limit is reached")                                              \
    X(LOCKED, -20006, "another process has it open for writing")                                   \
    X(VERSION, -20007, "written by a newer or unknown format version")                             \
    X(FORMAT, -20008, "not a file of the expected kind")                                           \
    X(SYNTAX, -20009, "the text cannot be parsed")                                                 \
    X(LATE, -20010, "the timestamp is older than every retained slot")                             \
    X(FUTURE, -20011, "the timestamp is too far in the future")                                    \
    X(VALUE, -20012, "the value is not acceptable here")                                           \
    X(NOTFOUND, -20013, "no such object")                                                          \
    X(EXISTS, -20014, "it exists already")                                                         \
    X(MISMATCH, -20015, "it exists with other properties")                                         \
    X(UNSUPPORTED, -20016, "not available in this build or on this kernel")                        \
    X(REMOTE, -20017, "the peer refused or failed")                                                \
    X(READONLY, -20018, "opened for reading only")                                                 \
    X(CLOSED, -20019, "already closed or sealed")                                                  \
    X(BUSY, -20020, "it changes too fast to be read whole; try again")                             \
    X(CONFLICT, -20021, "another commit changed what this one relies on; try again")               \
    X(PROOF, -20022, "the proof does not hold")

enum mf_error {
#define X(name, code, text) MF_E##name = code,
    MF_ERROR_MAP(X)
#undef X
        MF_OK = 0
};

struct mf_errinfo {
    int code;      /* the code that was returned */
    char msg[380]; /* one line, UTF-8, no trailing newline, NUL-terminated */
};

/* A short constant text for `code` (Mayfly's own or a negated errno). Never NULL. [any-thread] */
MF_API const char *mf_strerror(int code);

/* "MF_ECORRUPT", "ENOSPC", ...: the symbolic name of `code`. Never NULL. [any-thread] */
MF_API const char *mf_error_name(int code);

/* Library version as MAJOR * 10000 + MINOR * 100 + PATCH, at compile time and at run time. */
#define MF_VERSION        100
#define MF_VERSION_STRING "0.1.0"
MF_API uint32_t mf_version(void);
MF_API const char *mf_version_string(void);

#ifdef __cplusplus
}
#endif
#endif
