/* SPDX-License-Identifier: Apache-2.0
 * wal_follower.c -- see wal_follower.h. */
#include "wal_follower.h"
#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

void mf__follower_init(struct wal_follower *follower, const struct mf_env *env,
                       const char *directory, uint32_t kind, uint64_t next_seq)
{
    *follower = (struct wal_follower){
        .env = *env, .directory = directory, .kind = kind, .next_seq = next_seq};
}

void mf__follower_fini(struct wal_follower *follower)
{
    mf_reclog_reader_close(follower->reader);
    follower->reader = NULL;
}

void mf__follower_place(const struct wal_follower *follower, char *ret_name, size_t name_len,
                        uint64_t *ret_offset)
{
    (void)snprintf(ret_name, name_len, STORE_WAL "%016" PRIx64, follower->segment_seq);
    *ret_offset = follower->reader != NULL ? mf_reclog_reader_offset(follower->reader) : 0;
}

static int stale(const struct wal_follower *follower, struct mf_errinfo *err)
{
    return mf_fail(err, MF_ESTALE,
                   "%.200s has no file with commit %" PRIu64
                   ": the log is lost or lies elsewhere; restore it, or name its directory",
                   follower->directory, follower->next_seq);
}

static int enter(struct wal_follower *follower, uint64_t segment_seq, struct mf_errinfo *err)
{
    char *path = mf__store_path(follower->directory, STORE_WAL, segment_seq, NULL);
    if (path == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot read the log in %.200s", follower->directory);
    }
    struct mf_reclog_reader *reader = NULL;
    int code = mf_reclog_reader_open(path, &follower->env, &reader, err);
    mf_free(path);
    if (code == -ENOENT) {
        return stale(follower, err);
    }
    if (code == 0) {
        mf_reclog_reader_close(follower->reader);
        follower->reader = reader;
        follower->segment_seq = segment_seq;
    }
    return code;
}

/* Enters the file that should hold the next commit. */
static int find(struct wal_follower *follower, struct mf_errinfo *err)
{
    struct store_numbers found = {NULL, 0};
    int code = mf__store_list(follower->env.fs, follower->directory, STORE_WAL, &found, err);
    size_t below = 0;
    while (code == 0 && below < found.count && found.numbers[below] <= follower->next_seq) {
        below++;
    }
    if (code == 0) {
        code = below == 0 ? stale(follower, err) : enter(follower, found.numbers[below - 1], err);
    }
    mf_free(found.numbers);
    return code;
}

/* The first file behind the one that is read: 1 and its number, 0, or a negative code. */
static int later_file(const struct wal_follower *follower, uint64_t *ret_seq,
                      struct mf_errinfo *err)
{
    struct store_numbers found = {NULL, 0};
    int code = mf__store_list(follower->env.fs, follower->directory, STORE_WAL, &found, err);
    bool here = false;
    bool later = false;
    for (size_t i = 0; code == 0 && i < found.count && !later; i++) {
        here = here || found.numbers[i] == follower->segment_seq;
        later = found.numbers[i] > follower->segment_seq;
        *ret_seq = later ? found.numbers[i] : *ret_seq;
    }
    mf_free(found.numbers);
    if (code == 0 && !here && (!later || *ret_seq != follower->next_seq)) {
        return stale(follower, err); /* dropped meanwhile */
    }
    return code < 0 ? code : later;
}

static int take(struct wal_follower *follower, const struct mf_reclog_record *record,
                struct commit *ret_commit, struct mf_errinfo *err)
{
    struct commit commit;
    if (record->seq != follower->next_seq || record->type != WAL_RECORD_COMMIT ||
        !mf__commit_get(record->payload, record->len, &commit) || commit.seq != record->seq) {
        return mf_fail(err, MF_ECORRUPT,
                       "%.160s/" STORE_WAL "%016" PRIx64 ": record %" PRIu64 " at offset %" PRIu64
                       " is not commit %" PRIu64 "; restore the file from a copy",
                       follower->directory, follower->segment_seq, record->seq, record->offset,
                       follower->next_seq);
    }
    *ret_commit = commit;
    follower->next_seq++;
    return 1;
}

/* The next record of this file, behind those that were not asked for. */
static int next_record(struct wal_follower *follower, struct mf_reclog_record *ret_record,
                       struct mf_errinfo *err)
{
    int code;
    do {
        code = mf_reclog_next(follower->reader, ret_record, err);
    } while (code == 1 && ret_record->seq < follower->next_seq);
    /* Also when nothing behind the header is whole: it may be another file's. */
    bool judged = code >= 0 || code == MF_ETORN || code == MF_ECORRUPT;
    uint32_t kind = judged ? mf_reclog_reader_kind(follower->reader) : 0;
    if (kind != 0 && follower->kind != 0 && kind != follower->kind) {
        return mf_fail(err, MF_EMISMATCH,
                       "%.160s/" STORE_WAL "%016" PRIx64
                       " belongs to another store; name the directory of this one's log",
                       follower->directory, follower->segment_seq);
    }
    if (kind != 0 && mf_reclog_reader_first_seq(follower->reader) != follower->segment_seq) {
        return mf_fail(err, MF_ECORRUPT,
                       "%.160s/" STORE_WAL "%016" PRIx64 " begins with commit %" PRIu64
                       " at offset 0; restore it from a copy",
                       follower->directory, follower->segment_seq,
                       mf_reclog_reader_first_seq(follower->reader));
    }
    return code;
}

int mf__follower_next(struct wal_follower *follower, struct commit *ret_commit,
                      struct mf_errinfo *err)
{
    if (follower->reader == NULL) {
        int code = find(follower, err);
        if (code < 0) {
            return code;
        }
    }
    bool complete = false; /* a later file was seen, so nothing more comes into this one */
    for (;;) {
        struct mf_reclog_record record;
        int code = next_record(follower, &record, err);
        if (code == 1) {
            return take(follower, &record, ret_commit, err);
        }
        if (code < 0 && code != MF_ETORN && code != MF_ECORRUPT) {
            return code;
        }
        uint64_t later_seq = 0;
        int later = later_file(follower, &later_seq, err);
        if (later <= 0) {
            return later < 0 ? later : code;
        }
        if (!complete) {
            complete = true; /* records may have come between the two looks */
            continue;
        }
        if (later_seq != follower->next_seq) {
            return code == MF_ECORRUPT
                       ? code
                       : mf_fail(err, MF_ECORRUPT,
                                 "%.140s/" STORE_WAL "%016" PRIx64 ": commit %" PRIu64
                                 " at offset %" PRIu64 " is missing or damaged, although commit "
                                 "%" PRIu64 " follows in the next file; restore it from a copy",
                                 follower->directory, follower->segment_seq, follower->next_seq,
                                 mf_reclog_reader_offset(follower->reader), later_seq);
        }
        code = enter(follower, later_seq, err);
        if (code < 0) {
            return code;
        }
        complete = false;
    }
}
